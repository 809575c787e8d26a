"""Versions in tags are found, ordered, and put into ranges."""

from __future__ import annotations

import random

import pytest

from harborsync.errors import FilterSyntaxError
from harborsync.filters.versions import Version, VersionRange, parse_version

IN_ORDER = [
    "0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
    "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2", "1.10.0", "2.0",
]  # fmt: skip


def _version(tag: str) -> Version:
    version = parse_version(tag)
    assert version is not None
    return version


def test_the_order_is_that_of_semantic_versioning() -> None:
    """Prereleases come before their release, numbers count as numbers."""
    shuffled = random.Random(3).sample(IN_ORDER, len(IN_ORDER))
    assert sorted(shuffled, key=_version) == IN_ORDER


@pytest.mark.parametrize(
    ("one", "other"), [("v1.2.0", "1.2"), ("1.2.3_build5", "1.2.3+build.6"), ("24.04", "24.4.0")]
)
def test_what_is_written_differently_can_be_one_version(one: str, other: str) -> None:
    """The v, a patch of 0, leading zeros and builds make no difference."""
    assert _version(one) == _version(other)


@pytest.mark.parametrize("tag", ["latest", "1", "v1", "20240131", "1.2.3.4", "1.2-", "V1.2", "1.x"])
def test_a_tag_that_is_no_version_is_none(tag: str) -> None:
    """A single number is as often a date."""
    assert parse_version(tag) is None


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=1.4,<2", ["1.4", "1.4.1", "1.9.9", "1.5.0-rc.1"], ["1.3.9", "2.0", "1.4.0-rc.1"]),
        ("<2", ["1.9.9"], ["2.0.0-rc.1", "2.0.0"]),
        ("<2.0.0-rc.2", ["2.0.0-rc.1"], ["2.0.0-rc.2", "2.0.0"]),
        ("<=2", ["2.0.0-rc.1", "2.0"], ["2.0.1"]),
        (">1.4", ["1.4.1"], ["1.4"]),
        ("=1.4", ["1.4", "v1.4.0"], ["1.4.1", "1.4.0-rc.1"]),
    ],
)
def test_a_range_holds_what_all_its_bounds_admit(
    text: str, inside: list[str], outside: list[str]
) -> None:
    """An upper bound leaves out the prereleases of itself."""
    versions = VersionRange.parse(text)
    assert [tag for tag in inside if not versions.contains(_version(tag))] == []
    assert [tag for tag in outside if versions.contains(_version(tag))] == []


def test_blanks_in_a_range_are_left_out() -> None:
    """The canonical text parses back."""
    versions = VersionRange.parse(" >= 1.4 , <2.0.0-rc.1")
    assert str(versions) == ">=1.4,<2.0.0-rc.1"
    assert VersionRange.parse(str(versions)) == versions


@pytest.mark.parametrize(
    ("text", "position"), [("", 0), (">=1.4, ~2", 7), ("1.4", 0), (">=1.4,", 6), (">=1.x", 0)]
)
def test_what_is_no_range_is_refused(text: str, position: int) -> None:
    """The caret stands under the bound that is none."""
    with pytest.raises(FilterSyntaxError, match="no bound of a version range") as caught:
        VersionRange.parse(text)
    assert caught.value.position == position
