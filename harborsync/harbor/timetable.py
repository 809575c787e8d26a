"""When, in the words of a Harbor: six fields, seconds first, in UTC.

>>> scheduled("30 2 * * *", zone="Asia/Kolkata").cron
'0 0 21 * * *'
>>> nightly, hourly = (Timetable.parse(cron) for cron in ("0 0 2 * * *", "0 0 * * * *"))
>>> nightly.meets(hourly), hourly.starts_a_day
(True, 24)
"""

from __future__ import annotations

from datetime import datetime
from itertools import product
from typing import TYPE_CHECKING, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from harborsync.errors import InvalidValue
from harborsync.harbor.mistakes import cron_mistakes, refuse
from harborsync.harbor.policies import PolicyTrigger

if TYPE_CHECKING:
    from collections.abc import Iterable

_UTC: Final = "UTC"
_OF_OTHERS: Final = 5  # fields, as everybody but Harbor writes them
_DAY: Final = 24 * 60
_MONTHS: Final = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]
_WEEKDAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_HINT: Final = "write the hours in UTC"


def scheduled(cron: str, *, zone: str = _UTC) -> PolicyTrigger:
    """Return the trigger for times that are written with five fields, or with Harbor's six.

    Args:
        cron: The times.
        zone: The time zone they are meant in, by its IANA name.

    Raises:
        InvalidValue: Harbor would refuse the times, or they are not the same all year in UTC.
    """
    text = " ".join(cron.split())
    six = f"0 {text}" if text.count(" ") + 1 == _OF_OTHERS else text
    refuse(f"take {cron!r} for a schedule", cron_mistakes(six))
    return PolicyTrigger(type="scheduled", cron=six if zone == _UTC else _in_utc(six, zone))


@attrs.frozen(kw_only=True)
class Timetable:
    """When a schedule starts a run.

    Attributes:
        minutes: The minutes of an hour.
        hours: The hours of a day.
        days: The days of a month, or None for all.
        months: The months.
        weekdays: The days of a week, 0 for Sunday, or None for all.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None

    @classmethod
    def parse(cls, cron: str) -> Self:
        """Read six fields.

        Raises:
            InvalidValue: They are none that Harbor takes.
        """
        refuse(f"read {cron!r} as a schedule", cron_mistakes(cron))
        _, minutes, hours, days, months, weekdays = cron.split(" ")
        return cls(
            minutes=_numbers(minutes, 0, 59),
            hours=_numbers(hours, 0, 23),
            days=None if days in "*?" else _numbers(days, 1, 31),
            months=_numbers(months, 1, 12, _MONTHS),
            weekdays=None if weekdays in "*?" else _numbers(weekdays, 0, 6, _WEEKDAYS),
        )

    @property
    def starts_a_day(self) -> int:
        """How often it starts a run on a day of its own."""
        return len(self.minutes) * len(self.hours)

    @property
    def is_daily(self) -> bool:
        """Whether one day is like the other."""
        return self.days is None and self.weekdays is None and len(self.months) == len(_MONTHS)

    def meets(self, other: Self) -> bool:
        """Tell whether there is a minute at which both start a run."""
        same_time = self.minutes & other.minutes and self.hours & other.hours
        if not same_time or not self.months & other.months:
            return False
        return any(
            self._is_on(day, weekday) and other._is_on(day, weekday)
            for day, weekday in product(range(1, 32), range(7))
        )

    def _is_on(self, day: int, weekday: int) -> bool:
        """Tell whether a day counts: where days of both kinds are given, either will do."""
        if self.days is None:
            return self.weekdays is None or weekday in self.weekdays
        if self.weekdays is None:
            return day in self.days
        return day in self.days or weekday in self.weekdays


def _numbers(text: str, low: int, high: int, words: Iterable[str] = ()) -> frozenset[int]:
    names = {word: str(low + place) for place, word in enumerate(words)}
    return frozenset(
        number for part in text.lower().split(",") for number in _range(part, low, high, names)
    )


def _range(part: str, low: int, high: int, names: dict[str, str]) -> range:
    ends, has_step, step = part.partition("/")
    first, has_last, last = ends.partition("-")
    if first in ("*", "?"):
        start, end = low, high
    else:
        start = int(names.get(first, first))
        end = int(names.get(last, last)) if has_last else high if has_step else start
    return range(start, end + 1, int(step or 1))


# --- from one zone to the other -------------------------------------------------------------


def _in_utc(six: str, zone: str) -> str:
    """Return the same times in UTC."""
    table, offset = Timetable.parse(six), _offset(zone)
    moments = [hour * 60 + minute - offset for hour, minute in product(table.hours, table.minutes)]
    if not table.is_daily and not all(0 <= moment < _DAY for moment in moments):
        msg = f"some of {six!r} in {zone} are on another day in UTC"
        raise InvalidValue(msg, hint=_HINT)
    hours = {moment % _DAY // 60 for moment in moments}
    minutes = {moment % 60 for moment in moments}
    if len(hours) * len(minutes) != len(moments):
        msg = f"{six!r} in {zone} takes more than one schedule in UTC"
        raise InvalidValue(msg, hint=_HINT)
    days = six.split(" ", 3)[3]
    return f"0 {_listed(minutes, 60)} {_listed(hours, 24)} {days}"


def _listed(numbers: set[int], all_of_them: int) -> str:
    if len(numbers) == all_of_them:
        return "*/1" if all_of_them == 60 else "*"  # noqa: PLR2004 - minutes, which must not be *
    return ",".join(map(str, sorted(numbers)))


def _offset(zone: str) -> int:
    """Return how many minutes a zone is ahead of UTC, if it is so all year."""
    try:
        there = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        msg = f"there is no time zone {zone!r}"
        raise InvalidValue(msg, hint="write it like Asia/Kolkata") from None
    # The rules of any year do: where clocks change at all, they do so every year.
    offsets = {datetime(2026, month, 1, tzinfo=there).utcoffset() for month in range(1, 13)}
    ahead = offsets.pop()
    if offsets or ahead is None:
        msg = f"the clocks of {zone} are changed twice a year, and Harbor's are not"
        raise InvalidValue(msg, hint=_HINT)
    return int(ahead.total_seconds() // 60)
