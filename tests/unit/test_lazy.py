"""Names load on first use, and a missing package names its extra."""

from __future__ import annotations

import json

import pytest

from harborsync._lazy import lazy_names, require
from harborsync.errors import MissingDependency


def test_a_module_that_is_there_is_returned() -> None:
    """Nothing is wrapped."""
    assert require("json", extra="x", purpose="reading") is json


def test_a_missing_module_names_the_extra_to_install() -> None:
    """The message says what for, the hint what to type."""
    with pytest.raises(MissingDependency, match="flying needs") as caught:
        require("no_such_module_here", extra="wings", purpose="flying")
    assert caught.value.hint == "pip install 'harborsync[wings]'"
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_a_name_is_taken_from_its_module() -> None:
    """The table says where."""
    load = lazy_names("front", {"loads": "json"})
    assert load("loads") is json.loads


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As for any module, so that ``hasattr`` works."""
    with pytest.raises(AttributeError, match="module 'front' has no attribute 'x'"):
        lazy_names("front", {})("x")
