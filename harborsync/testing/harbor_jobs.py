"""The work that a Harbor does behind its answers, at the moments of the clock it was given.

A job is a generator that yields how many seconds pass before it goes on. Nothing sleeps and no
thread waits: :meth:`Jobs.settle` catches up with whatever has come due since, in order, and the
emulator calls it before every request.
"""

from __future__ import annotations

import heapq
import threading
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from harborsync.clock import Clock

#: Seconds between two looks at which executions are over (recorded: 10-executions).
TICK: Final = 30.0


class Jobs:
    """Runs jobs when their time has come; safe to use from threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun = clock.now(), clock.monotonic()
        self._numbers = count()
        self._waiting: list[tuple[float, int, Iterator[float]]] = []
        self._lock = threading.Lock()
        self._working = threading.Lock()
        self._here = threading.local()

    def now(self) -> datetime:
        """Return the time; within a job, the moment at which it is meant to run."""
        day, start = self._begun
        return day + timedelta(seconds=self._moment() - start)

    def start(self, job: Iterator[float], after: float = 0.0) -> None:
        """Let a job begin in ``after`` seconds."""
        with self._lock:
            entry = (self._moment() + after, next(self._numbers), job)
            heapq.heappush(self._waiting, entry)

    def until_tick(self) -> float:
        """Return the seconds until executions are next looked at."""
        return TICK - (self._moment() - self._begun[1]) % TICK

    def settle(self) -> None:
        """Do all that is due; at once if another thread, or a job itself, is at it."""
        if not self._working.acquire(blocking=False):
            return
        try:
            while entry := self._pop_due():
                self._step(*entry)
        finally:
            self._working.release()

    def _moment(self) -> float:
        moment: float | None = getattr(self._here, "moment", None)
        return self._clock.monotonic() if moment is None else moment

    def _pop_due(self) -> tuple[float, int, Iterator[float]] | None:
        with self._lock:
            if self._waiting and self._waiting[0][0] <= self._clock.monotonic():
                return heapq.heappop(self._waiting)
            return None

    def _step(self, due: float, number: int, job: Iterator[float]) -> None:
        self._here.moment = due
        try:
            pause = next(job, None)
        finally:
            self._here.moment = None
        if pause is not None:
            with self._lock:
                heapq.heappush(self._waiting, (due + pause, number, job))
