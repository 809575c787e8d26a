"""The only door through which time enters: now, elapsed seconds, and sleep."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

from harborsync.cancel import Cancel


class Clock(Protocol):
    """Tells the time and lets it pass; tests bring one of their own."""

    def now(self) -> datetime:
        """Return the time as an aware datetime in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never go back."""
        ...

    def sleep(self, seconds: float, cancel: Cancel | None = None) -> None:
        """Let ``seconds`` pass.

        Raises:
            Cancelled: ``cancel`` is set, before or during the wait.
        """
        ...


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        """Return the time as an aware datetime in UTC."""
        return datetime.now(UTC)

    # Asked several times for each small request, so without a call of our own around it.
    monotonic = staticmethod(time.monotonic)

    def sleep(self, seconds: float, cancel: Cancel | None = None) -> None:
        """Let ``seconds`` pass, or raise Cancelled as soon as ``cancel`` is set."""
        flag = cancel or Cancel()
        flag.check()
        flag.wait(max(0.0, seconds))
        flag.check()
