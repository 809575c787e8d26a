"""The public names are those of ``harborsync.__all__``: sorted, loadable, documented."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import harborsync

HOUSE = Path(__file__).parents[2]
NAMES_PAGE = HOUSE / "docs" / "reference" / "names.md"


def names_for_type_checkers() -> set[str]:
    """Return the names that the front door imports for type checkers only."""
    tree = ast.parse(Path(harborsync.__file__).read_text())
    guarded = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [n for block in guarded for n in block.body if isinstance(n, ast.ImportFrom)]
    return {alias.asname or alias.name for node in imports for alias in node.names}


def test_the_names_are_sorted_and_each_stands_once() -> None:
    """So that a change shows as one line."""
    names = list(harborsync.__all__)
    assert names == sorted(set(names))


@pytest.mark.parametrize("name", harborsync.__all__)
def test_every_name_loads_and_says_what_it_is(name: str) -> None:
    """The table of lazy names leads to real things with docstrings."""
    found = getattr(harborsync, name)
    assert getattr(found, "__doc__", None)


def test_type_checkers_see_the_same_names() -> None:
    """What is loaded lazily is imported for them under TYPE_CHECKING."""
    assert names_for_type_checkers() == set(harborsync.__all__)


def test_the_reference_documents_exactly_these_names() -> None:
    """The page of names and the front door do not drift apart."""
    documented = re.findall(r"\{py:obj\}`~harborsync\.(?:\w+\.)*(\w+)`", NAMES_PAGE.read_text())
    assert sorted(documented) == sorted(harborsync.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """So ``hasattr`` and misspellings behave as anywhere else."""
    assert not hasattr(harborsync, "Replikator")


def test_star_import_brings_the_public_names() -> None:
    """``from harborsync import *`` loads each of them and nothing private."""
    code = "from harborsync import *; print(*sorted(n for n in dir() if n[0] != '_'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == sorted(harborsync.__all__)
