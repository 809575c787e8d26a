"""Schedules of an emulated Harbor."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from harborsync.testing.harbor_cron import BadCron, Cron

_NOW = datetime(2026, 11, 25, 3, 30, 15, 7, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 */10 * * * *", "2026-11-25 03:40:00"),
        ("0 30 3 * * *", "2026-11-26 03:30:00"),
        ("0 0 3 * * MON-FRI", "2026-11-26 03:00:00"),
        ("0 0 0 1 jan ?", "2027-01-01 00:00:00"),
        ("0 0 0 1 * 5", "2026-11-27 00:00:00"),
        ("0 0 0 29 2 ?", "2028-02-29 00:00:00"),
        ("0 5,35 4/8 * * *", "2026-11-25 04:05:00"),
    ],
)
def test_a_schedule_tells_when_it_fires_next(text: str, expected: str) -> None:
    """Steps, ranges, lists, names; a day of the month and one of the week are alternatives."""
    assert str(Cron.parse(text).next_after(_NOW))[:19] == expected


def test_the_very_next_second_counts_and_this_one_does_not() -> None:
    """A moment at which it fires has the following one as its next."""
    cron = Cron.parse("0 */10 * * * *")
    assert cron.next_after(datetime(2026, 1, 1, 3, 39, 59, tzinfo=UTC)) == datetime(
        2026, 1, 1, 3, 40, tzinfo=UTC
    )
    assert cron.next_after(datetime(2026, 1, 1, 3, 40, tzinfo=UTC)) == datetime(
        2026, 1, 1, 3, 50, tzinfo=UTC
    )


def test_a_schedule_that_never_fires_says_so() -> None:
    """The thirtieth of February does not come."""
    assert Cron.parse("0 0 0 30 2 ?").next_after(_NOW) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0 0 * * *",
        "0 0 0 * * * 2030",
        "@daily",
        "every day",
        "0 60 * * * *",
        "0 5-1 * * * *",
        "0 */0 * * * *",
        "0 0 0 * foo *",
        "0 -1 * * * *",
    ],
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    """Six fields, each within its range, and nothing else."""
    with pytest.raises(BadCron):
        Cron.parse(text)
