"""The plan of the house and the README name files that exist, and the walk names them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
PLAN = HOUSE / "docs" / "explanation" / "one-artifact.md"
PAGES = [path for path in (PLAN, HOUSE / "README.md", HOUSE / "CONTRIBUTING.md") if path.exists()]


def files_named(page: Path) -> list[str]:
    """Return the modules and folders of the package that a page names, as ``rule.py``."""
    return re.findall(r"`(?:harborsync/)?([a-z_]+(?:/[a-z_]+)?(?:\.py|/))`", page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_a_page_names_exists(page: Path) -> None:
    """A reader who follows the walk finds each door."""
    roots = (HOUSE / "harborsync", HOUSE)
    missing = [n for n in files_named(page) if not any((root / n).exists() for root in roots)]
    assert missing == []


def test_the_plan_names_every_module_at_the_root() -> None:
    """Whoever lists the package's folder finds each file explained on one page."""
    named = set(files_named(PLAN))
    root = {path.name for path in (HOUSE / "harborsync").glob("[a-z]*.py")}
    assert sorted(root - named) == []


def test_every_root_module_opens_with_why_it_exists() -> None:
    """The first line of each is a sentence."""
    for path in (HOUSE / "harborsync").glob("**/*.py"):
        first = path.read_text().partition("\n")[0]
        assert first.lstrip("r").startswith('"""'), path
        assert first.rstrip('"').rstrip()[-1] in ".:,;!?abcdefghijklmnopqrstuvwxyz", path
