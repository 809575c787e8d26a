"""Harbor's schedules: six fields, seconds first, in UTC."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

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
_DAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_RANGES: Final = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_NAMES: Final[tuple[dict[str, int], ...]] = (
    {},
    {},
    {},
    {},
    {name: number for number, name in enumerate(_MONTHS, 1)},
    {name: number for number, name in enumerate(_DAYS)},
)
#: A schedule that does not fire within so many days never does (29 February comes in eight years).
_HORIZON: Final = 8 * 366


class BadCron(ValueError):
    """The text is no schedule."""


@attrs.frozen(kw_only=True)
class Cron:
    """A schedule.

    Attributes:
        text: As it was written.
        fields: What each of the six fields allows.
        any_day: Whether the day of the month or that of the week was left open; then both must
            fit, else one of them is enough.
    """

    text: str
    fields: tuple[frozenset[int], ...]
    any_day: bool

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Read a schedule.

        Raises:
            BadCron: The text is none.
        """
        parts = text.split()
        if len(parts) != len(_RANGES):
            raise BadCron(text)
        fields = tuple(_field(part, at) for at, part in enumerate(parts))
        any_day = any(parts[at][0] in "*?" for at in (3, 5))
        return cls(text=text, fields=fields, any_day=any_day)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return when it fires next, or None for never."""
        start = moment.replace(microsecond=0) + timedelta(seconds=1)
        day = start.replace(hour=0, minute=0, second=0)
        for _ in range(_HORIZON):
            if self._fits_day(day):
                found = next((each for each in self._times(day) if each >= start), None)
                if found is not None:
                    return found
            day += timedelta(days=1)
        return None

    def _fits_day(self, day: datetime) -> bool:
        if day.month not in self.fields[4]:
            return False
        fits = (day.day in self.fields[3], day.isoweekday() % 7 in self.fields[5])
        return all(fits) if self.any_day else any(fits)

    def _times(self, day: datetime) -> Iterable[datetime]:
        seconds, minutes, hours = (sorted(field) for field in self.fields[:3])
        return (
            day.replace(hour=hour, minute=minute, second=second)
            for hour in hours
            for minute in minutes
            for second in seconds
        )


def _field(text: str, at: int) -> frozenset[int]:
    return frozenset(chain.from_iterable(_part(part, at) for part in text.split(",")))


def _part(text: str, at: int) -> Iterable[int]:
    low, high = _RANGES[at]
    span, slash, step = text.partition("/")
    if span not in {"*", "?"}:
        first, dash, last = span.partition("-")
        low = _value(first, at)
        high = _value(last, at) if dash else high if slash else low
    if low > high or (slash and not (step.isdecimal() and int(step))):
        raise BadCron(text)
    return range(low, high + 1, int(step) if slash else 1)


def _value(text: str, at: int) -> int:
    number = _NAMES[at].get(text.lower(), int(text) if text.isdecimal() else -1)
    low, high = _RANGES[at]
    if not low <= number <= high:
        raise BadCron(text)
    return number
