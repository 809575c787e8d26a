"""How fast bytes go: one pace for all who share a limiter, by the hour if need be.

    >>> limiter = Limiter("50Mbps 08:00-20:00 Europe/Berlin")
    >>> print(limiter.limit)
    50Mbps 08:00-20:00 Europe/Berlin
    >>> limiter.set("100Mbps")  # at any time, also while bytes are on their way

Bytes are served in the order they were asked for, a little piece for each thread in turn, so a
large blob does not keep small ones waiting, and whoever waits does so for as long as a piece
takes, not a block. What was not used is kept for a moment only: there is no burst to speak of.
"""

from __future__ import annotations

import re
import threading
from datetime import time
from itertools import combinations
from typing import TYPE_CHECKING, Final, Self
from zoneinfo import ZoneInfo

import attrs

from harborsync.clock import Clock, SystemClock
from harborsync.errors import InvalidValue
from harborsync.units import Bandwidth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from harborsync.cancel import Cancel

#: How much of what was not used is kept, in seconds: reading and sending takes turns with waiting.
_CREDIT: Final = 0.08
#: How long a piece takes at the limit, in seconds.
_PIECE: Final = 0.05
#: Shorter pieces would cost more in headers than they carry.
_SHORTEST: Final = 4096
#: How often, in seconds, whoever waits looks whether the limit is another by now.
_LOOK_AGAIN: Final = 0.5


class Limiter:
    """Lets bytes pass at a limit; safe to share among threads and replicators.

    Args:
        limit: The limit; see :class:`Schedule` for texts. None lets everything pass.
        clock: Time.

    Raises:
        InvalidValue: The text is no limit.
    """

    def __init__(
        self, limit: Schedule | Bandwidth | str | None = None, *, clock: Clock | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._limit = as_schedule(limit)
        # Bytes asked for, and bytes that may have passed by ``_at``; never more than asked for,
        # but for the credit.
        self._asked = 0
        self._granted = 0.0
        self._at = self._clock.monotonic()

    def __repr__(self) -> str:
        """Show the limit."""
        return f"Limiter({str(self._limit) if self._limit else None!r})"

    @property
    def limit(self) -> Schedule | None:
        """The limit, or None."""
        return self._limit

    def set(self, limit: Schedule | Bandwidth | str | None) -> None:
        """Have another limit from now on, also for those who wait already.

        Raises:
            InvalidValue: The text is no limit.
        """
        wanted = as_schedule(limit)
        with self._lock:
            self._grant()
            self._limit = wanted

    def take(self, count: int, cancel: Cancel | None = None) -> None:
        """Wait until ``count`` more bytes may have passed.

        Raises:
            Cancelled: ``cancel`` is set, before or during the wait.
        """
        if cancel is not None:
            cancel.check()
        with self._lock:
            self._grant()
            self._asked += count
            last = self._asked
        while (wait := self._wait_for(last)) > 0:
            self._clock.sleep(min(wait, _LOOK_AGAIN), cancel)

    def pass_on(self, block: bytes, cancel: Cancel | None = None) -> Iterator[bytes]:
        """Yield a block in pieces, each when it may pass.

        Raises:
            Cancelled: ``cancel`` is set, before a piece or during a wait.
        """
        start = 0
        while start < len(block):
            end = start + self._piece()
            piece = block[start:end]
            self.take(len(piece), cancel)
            yield piece
            start = end

    def _piece(self) -> int:
        rate = self._rate()
        return 2**63 if rate is None else max(_SHORTEST, int(rate * _PIECE))

    def _wait_for(self, last: int) -> float:
        """Return the seconds until the byte number ``last`` may pass, at the limit of now."""
        with self._lock:
            self._grant()
            rate, missing = self._rate(), last - self._granted
        # Less than a byte is rounding; waiting for it might never end.
        return 0.0 if rate is None or missing < 1 else missing / rate

    def _grant(self) -> None:
        """Let pass what the time since the last look allows."""
        now, rate = self._clock.monotonic(), self._rate()
        if rate is None:
            self._granted = float(self._asked)
        else:
            most = self._asked + rate * _CREDIT
            self._granted = min(most, self._granted + rate * (now - self._at))
        self._at = now

    def _rate(self) -> float | None:
        """Return the bytes a second of now, or None for no limit."""
        limit = self._limit
        now = None if limit is None else limit.at(self._clock.now())
        return None if now is None else now.bytes_per_second


class Limiters:
    """The limiters of registries, one for each place and limit; thread-safe.

    Args:
        clock: Time.
        among: Number of processes that work on the same registries; each takes its share.
    """

    def __init__(self, clock: Clock, among: int = 1) -> None:
        self._clock = clock
        self._among = among
        self._lock = threading.Lock()
        self._limiters: dict[tuple[str, Schedule], Limiter] = {}

    def get(self, place: str, limit: Schedule) -> Limiter:
        """Return the limiter that all endpoints of a host, or a path, with this limit share."""
        key = (place, limit)
        with self._lock:
            if key not in self._limiters:
                share = limit.divided(self._among)
                self._limiters[key] = Limiter(share, clock=self._clock)
            return self._limiters[key]


# --- the limits of a day -----------------------------------------------------------------------

_UTC: Final = "UTC"
_HOW: Final = "write it like 50Mbps, or 50Mbps 08:00-20:00, 200Mbps Europe/Berlin"
_HOURS: Final = re.compile(r"(.*\S)\s+(\d\d:\d\d)-(\d\d:\d\d)", re.ASCII | re.DOTALL)
_MIDNIGHT: Final = time()


@attrs.frozen(kw_only=True)
class Window:
    """A limit for some hours of every day.

    Attributes:
        limit: The limit.
        begin: When it begins.
        end: When it ends, not itself in it; before ``begin`` if that is on the next day.
    """

    limit: Bandwidth
    begin: time
    end: time

    def __attrs_post_init__(self) -> None:
        """Refuse a window of no length, and times that are not written as hours and minutes.

        Raises:
            InvalidValue: It is such a window.
        """
        if self.begin == self.end:
            msg = f"the hours {self._hours} end when they begin"
            raise InvalidValue(msg, hint="leave them out for the whole day")
        if any(each.second or each.microsecond or each.tzinfo for each in (self.begin, self.end)):
            msg = f"the hours {self.begin}-{self.end} are not of whole minutes"
            raise InvalidValue(msg, hint="the time zone is that of the schedule")

    def holds(self, at: time) -> bool:
        """Tell whether a time of day is in the window."""
        if self.begin < self.end:
            return self.begin <= at < self.end
        return at >= self.begin or at < self.end

    def overlaps(self, other: Window) -> bool:
        """Tell whether some time of day is in both windows."""
        return self.holds(other.begin) or other.holds(self.begin)

    def __str__(self) -> str:
        """Return it as one part of a schedule."""
        return f"{self.limit} {self._hours}"

    @property
    def _hours(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"


def _sorted(windows: Iterable[Window]) -> tuple[Window, ...]:
    return tuple(sorted(windows, key=lambda each: each.begin))


@attrs.frozen(kw_only=True)
class Schedule:
    """The limits of a day: parts with commas between them, then the time zone.

    >>> office = Schedule.parse("20Mbps 08:00-18:00, 50Mbps 18:00-22:00, 1Gbps Europe/Berlin")
    >>> print(office)
    20Mbps 08:00-18:00, 50Mbps 18:00-22:00, 1Gbps Europe/Berlin

    A part with hours holds then, every day; the one without, if there is one, at all other
    times. Where no part holds, there is no limit. Hours are those on the clocks of the zone, so
    when these are put forward or back a window is shorter or longer that day.

    Attributes:
        windows: Limits by hours; no two at a time.
        otherwise: The limit at all other times, or None.
        zone: The time zone of the hours, by its IANA name.
    """

    windows: tuple[Window, ...] = attrs.field(default=(), converter=_sorted)
    otherwise: Bandwidth | None = None
    zone: str = _UTC

    def __attrs_post_init__(self) -> None:
        """Refuse a schedule that says nothing, or two things at a time.

        Raises:
            InvalidValue: It is such a schedule, or there is no such zone.
        """
        if not self.windows and self.otherwise is None:
            msg = "a schedule without a limit says nothing"
            raise InvalidValue(msg, hint=_HOW)
        for one, other in combinations(self.windows, 2):
            if one.overlaps(other):
                msg = f"{str(one)!r} and {str(other)!r} hold at the same time"
                raise InvalidValue(msg, hint="let one end where the other begins")
        _zone(self.zone)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``50Mbps``, ``50Mbps 08:00-20:00`` or several with commas, and perhaps a zone.

        Raises:
            InvalidValue: The text is no schedule.
        """
        *others, last = (part.strip() for part in text.split(","))
        last, zone = _split_zone(last)
        windows, rest = [], []
        for part in (*others, last):
            found = _HOURS.fullmatch(part)
            if found:
                windows.append(_window(*found.groups()))
            else:
                rest.append(Bandwidth.parse(part))
        if len(rest) > 1:
            msg = f"{text[:200]!r} has {len(rest)} limits without hours"
            raise InvalidValue(msg, hint=_HOW)
        return cls(windows=tuple(windows), otherwise=rest[0] if rest else None, zone=zone)

    def at(self, moment: datetime) -> Bandwidth | None:
        """Return the limit at an aware moment, or None for no limit."""
        if not self.windows:
            return self.otherwise
        here = moment.astimezone(_zone(self.zone)).time()
        return next((each.limit for each in self.windows if each.holds(here)), self.otherwise)

    def divided(self, among: int) -> Self:
        """Return the share of one of so many processes."""
        return attrs.evolve(
            self,
            windows=tuple(
                attrs.evolve(each, limit=_share(each.limit, among)) for each in self.windows
            ),
            otherwise=self.otherwise and _share(self.otherwise, among),
        )

    def __str__(self) -> str:
        """Return the canonical text, which parses back to an equal value."""
        rest = () if self.otherwise is None else (str(self.otherwise),)
        text = ", ".join((*map(str, self.windows), *rest))
        return text if self.zone == _UTC else f"{text} {self.zone}"


def as_schedule(limit: Schedule | Bandwidth | str | None) -> Schedule | None:
    """Return what is meant by a limit.

    Raises:
        InvalidValue: The text is no limit.
    """
    if isinstance(limit, str):
        return Schedule.parse(limit)
    return Schedule(otherwise=limit) if isinstance(limit, Bandwidth) else limit


def _split_zone(part: str) -> tuple[str, str]:
    """Take the zone off the last part of a schedule, if there is one."""
    rest, _, word = part.rpartition(" ")
    if not rest or _HOURS.fullmatch(part) or _is_limit(part):
        return part, _UTC
    return rest.rstrip(), word


def _is_limit(text: str) -> bool:
    try:
        Bandwidth.parse(text)
    except InvalidValue:
        return False
    return True


def _window(limit: str, begin: str, end: str) -> Window:
    return Window(limit=Bandwidth.parse(limit), begin=_time(begin), end=_time(end))


def _time(text: str) -> time:
    try:
        return _MIDNIGHT if text == "24:00" else time.fromisoformat(text)
    except ValueError as error:
        msg = f"{text!r} is no time of day"
        raise InvalidValue(msg, hint=_HOW) from error


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError) as error:
        msg = f"{name[:100]!r} is no time zone that is known here"
        raise InvalidValue(msg, hint="use an IANA name such as Europe/Berlin") from error


def _share(limit: Bandwidth, among: int) -> Bandwidth:
    return Bandwidth(max(1, limit.bits_per_second // among))
