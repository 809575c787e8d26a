"""A clock that stands still until it is told to go on, so that no test ever waits."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Final

from harborsync.cancel import Cancel

#: When a fake clock begins, unless told otherwise.
EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """A :class:`~harborsync.clock.Clock` under the hand of a test; safe to use from threads.

    Sleeping moves the clock forward and returns at once; what was slept is kept in ``slept``.

    Example:
        >>> clock = FakeClock()
        >>> clock.sleep(90)
        >>> str(clock.now())
        '2026-01-01 00:01:30+00:00'
        >>> clock.slept
        (90,)
    """

    def __init__(self, start: datetime = EPOCH) -> None:
        self._lock = threading.Lock()
        self._start = start
        self._elapsed = 0.0
        self._slept: list[float] = []

    def now(self) -> datetime:
        """Return the time as an aware datetime in UTC."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Return the seconds that have gone by since the start."""
        return self._elapsed

    def sleep(self, seconds: float, cancel: Cancel | None = None) -> None:
        """Move on by ``seconds`` at once.

        Raises:
            Cancelled: ``cancel`` is set.
        """
        (cancel or Cancel()).check()
        with self._lock:
            self._slept.append(seconds)
        self.advance(max(0.0, seconds))

    def advance(self, seconds: float) -> None:
        """Let time go by without anybody having slept."""
        with self._lock:
            self._elapsed += seconds

    @property
    def slept(self) -> tuple[float, ...]:
        """Every wait so far, in the order they were asked for."""
        with self._lock:
            return tuple(self._slept)
