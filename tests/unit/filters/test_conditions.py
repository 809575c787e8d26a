"""Conditions judge one known fact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harborsync.artifact import NOT_FETCHED, UNAVAILABLE, Artifact
from harborsync.content import Platform
from harborsync.filters.conditions import (
    Aged,
    Condition,
    Covers,
    Has,
    In,
    Like,
    Matches,
    Semver,
    Sized,
    Subject,
    quote,
)
from harborsync.filters.versions import VersionRange
from harborsync.units import ByteSize, Duration

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MONTH = Duration.parse("30d")
ARM64 = Platform.parse("linux/arm64")


@pytest.mark.parametrize(
    ("condition", "met", "unmet"),
    [
        (Like("v*"), "v1", "1"),
        (Matches(r"v\d"), "v1", "v1x"),
        (In(frozenset({"a", "b"})), "a", "c"),
        (Semver(VersionRange.parse(">=1.4")), "1.4", "latest"),
        (Semver(VersionRange.parse(">=1.4")), "1.5", "1.5.0-rc.1"),
        (Semver(VersionRange.parse(">=1.4"), prereleases=True), "1.5.0-rc.1", "1.3"),
        (Has("wip"), frozenset({"wip", "x"}), frozenset({"x"})),
        (Covers(ARM64), frozenset({Platform.parse("linux/arm64/v8")}), frozenset[Platform]()),
        (Aged("<", MONTH), NOW - timedelta(days=29), NOW - timedelta(days=30)),
        (Aged("<=", MONTH), NOW - timedelta(days=30), NOW - timedelta(days=31)),
        (Aged(">", MONTH), NOW - timedelta(days=31), NOW - timedelta(days=30)),
        (Aged(">=", MONTH), NOW - timedelta(days=30), NOW - timedelta(days=29)),
        (Aged("<", MONTH), NOW + timedelta(days=9), None),
        (Sized("<", ByteSize(10)), 9, 10),
        (Sized(">=", ByteSize(10)), 10, 9),
    ],
    ids=lambda value: None if isinstance(value, frozenset) else str(value),
)
def test_a_condition_is_met_or_not(condition: Condition, met: Any, unmet: Any) -> None:
    """One value on each side of the line."""
    assert condition.holds(met, NOW) is True
    assert condition.holds(unmet, NOW) is False


@pytest.mark.parametrize(
    "condition",
    [
        Like("**"),
        Matches(".*"),
        In(frozenset({"None"})),
        Semver(VersionRange.parse(">=0")),
        Aged("<", MONTH),
        Aged(">", MONTH),
    ],
    ids=str,
)
def test_an_absent_fact_meets_no_condition(condition: Condition) -> None:
    """An untagged artifact has no tag that matches anything."""
    assert condition.holds(None, NOW) is False


def test_an_age_without_a_time_to_count_to_stays_open() -> None:
    """Neither verdict would be right."""
    assert Aged("<", MONTH).holds(NOW, None) is NOT_FETCHED


def test_an_annotation_is_read_by_its_key() -> None:
    """One that is not there is known to be absent; without a key, the keys are read."""
    artifact = Artifact(repository="a", tag=None, annotations=(("k", "v"), ("l", "w")))
    assert Subject("annotation", "annotations", "k").read(artifact) == "v"
    assert Subject("annotation", "annotations", "x").read(artifact) is None
    assert Subject("annotation", "annotations").read(artifact) == frozenset({"k", "l"})


def test_annotations_that_are_not_known_are_read_as_not_known() -> None:
    """The reason is passed on."""
    artifact = Artifact(repository="a", tag=None, annotations=UNAVAILABLE)
    assert Subject("annotation", "annotations", "k").read(artifact) is UNAVAILABLE


def test_quotes_in_a_text_are_doubled() -> None:
    """A text is closed by the quote that stands alone."""
    assert quote("it's") == "'it''s'"


def test_several_values_are_written_in_order() -> None:
    """Equal conditions have equal texts."""
    assert str(In(frozenset({"b", "a"}))) == "in ('a', 'b')"
    assert str(In(frozenset({"a"}))) == "is 'a'"


def test_in_nothing_is_refused() -> None:
    """It could never be met, nor be written."""
    with pytest.raises(ValueError, match="values"):
        In(frozenset())
