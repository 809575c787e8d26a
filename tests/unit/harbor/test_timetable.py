"""Schedules: Harbor's six fields, in UTC."""

from __future__ import annotations

import pytest

from harborsync.errors import InvalidValue
from harborsync.harbor.timetable import Timetable, scheduled


@pytest.mark.parametrize(
    ("cron", "zone", "wanted"),
    [
        ("30 2 * * *", "UTC", "0 30 2 * * *"),
        ("0 0 */6 * * *", "UTC", "0 0 */6 * * *"),
        ("  0   3 * * 1-5 ", "UTC", "0 0 3 * * 1-5"),
        ("30 2 * * *", "Asia/Tokyo", "0 30 17 * * *"),
        ("0 2,14 * * *", "Asia/Kolkata", "0 30 8,20 * * *"),
        ("0 12 * * mon", "Asia/Tokyo", "0 0 3 * * mon"),
        ("0 * * * *", "Asia/Tokyo", "0 0 * * * *"),
        ("*/1 4 * * *", "Asia/Tokyo", "0 */1 19 * * *"),
    ],
)
def test_times_are_written_as_harbor_wants_them(cron: str, zone: str, wanted: str) -> None:
    """Seconds first, in UTC."""
    trigger = scheduled(cron, zone=zone)
    assert (trigger.type, trigger.cron) == ("scheduled", wanted)


@pytest.mark.parametrize(
    ("cron", "zone", "message"),
    [
        ("* * * * *", "UTC", "the minutes are"),
        ("5 0 0 * * *", "UTC", "the seconds are '5'"),
        ("0 25 * * *", "UTC", "no hour"),
        ("@daily", "UTC", "six fields"),
        ("0 2 * * *", "Europe/Berlin", "changed twice a year"),
        ("0 2 * * mon", "Asia/Tokyo", "another day in UTC"),
        ("0 2 * * *", "Mars/Base", "no time zone"),
        ("0 2 * * *", "../etc", "no time zone"),
        ("0,45 2,5 * * *", "Asia/Kolkata", "more than one schedule"),
    ],
)
def test_times_that_harbor_cannot_keep_are_refused(cron: str, zone: str, message: str) -> None:
    """Before anything is sent, with what to write instead."""
    with pytest.raises(InvalidValue, match=message) as caught:
        scheduled(cron, zone=zone)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("one", "other", "meets"),
    [
        ("0 0 2 * * *", "0 0 2 * * *", True),
        ("0 0 2 * * *", "0 */30 * * * *", True),
        ("0 5 2 * * *", "0 */30 * * * *", False),
        ("0 0 2 * * mon", "0 0 2 * * tue", False),
        ("0 0 2 1 * *", "0 0 2 * * tue", True),
        ("0 0 2 1 * mon", "0 0 2 2 * tue", True),
        ("0 0 2 1 * *", "0 0 2 2 * *", False),
        ("0 0 2 * jan *", "0 0 2 * 2-12 *", False),
        ("0 0 2 ? * *", "0 0 2 * * ?", True),
        ("0 10/20 2 * * *", "0 50 2 * * *", True),
    ],
)
def test_schedules_meet_where_some_minute_is_in_both(one: str, other: str, *, meets: bool) -> None:
    """Days of a month and of a week are joined where both are given, as cron has it."""
    first, second = Timetable.parse(one), Timetable.parse(other)
    assert first.meets(second) is meets
    assert second.meets(first) is meets


def test_a_timetable_tells_how_often_it_starts() -> None:
    """On a day of its own."""
    assert Timetable.parse("0 */5 8-17 * * *").starts_a_day == 120
    assert Timetable.parse("0 0 2 * * *").is_daily
    assert not Timetable.parse("0 0 2 1 * *").is_daily
