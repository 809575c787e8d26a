"""What is committed speaks of the product only."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]

# Written in pieces, so that this file holds none of them.
FORBIDDEN = {
    "a package registry's host": (
        "py" + r"pi\.org",
        r"pythonhosted\.",
        "proxy" + r"\.golang\.",
        "deb" + r"\.debian\.",
        "registry" + r"\.npmjs\.",
        "crates" + r"\.io",
    ),
    "a path of somebody's machine": ("/" + "work/", "/tmp/" + "brief", "/" + r"root/\.pyenv"),
    "a number of a tracker": (r"\b[Ii]ssue " + r"#\d", r"\b[Tt]icket " + r"#\d"),
    "a sign of unfinished work": (r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"\bX" + r"XX\b"),
}


def committed() -> list[Path]:
    """Return the files that are committed, or all that are there where git is not."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=HOUSE, capture_output=True, text=True, check=False
    )
    return [HOUSE / name for name in done.stdout.split("\0") if name and (HOUSE / name).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_committed_text_holds(what: str) -> None:
    """None of these helps a user."""
    pattern = re.compile("|".join(FORBIDDEN[what]))
    found = []
    for path in committed():
        text = path.read_bytes().decode(errors="replace")
        found += [f"{path.relative_to(HOUSE)}: {m[0]}" for m in pattern.finditer(text)]
    assert found == []


def test_the_search_finds_what_it_looks_for() -> None:
    """The patterns match what they are meant to match."""
    assert re.search("|".join(FORBIDDEN["a number of a tracker"]), "see issue " + "#12")
    assert any(path.name == "pyproject.toml" for path in committed())
