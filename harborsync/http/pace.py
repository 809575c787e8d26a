"""What all workers on one host share: the pause it asked for, and the pace it is spared."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from harborsync.retry import parse_retry_after

if TYPE_CHECKING:
    from datetime import datetime

    from harborsync.cancel import Cancel
    from harborsync.clock import Clock
    from harborsync.http.wire import Answer

_REMAINING: Final = frozenset({"ratelimit-remaining", "x-ratelimit-remaining"})
_RESET: Final = ("ratelimit-reset", "x-ratelimit-reset")
#: A reset beyond this is no number of seconds but a moment, in seconds since 1970.
_A_MOMENT: Final = 1_000_000_000
_MOST_DIGITS: Final = 19  # of the longest number there can be, 2**63 - 1


class HostGate:
    """Every request to a host goes through here; thread-safe.

    Args:
        clock: Time and sleep.
        requests_per_second: How many requests start a second at the most, or None.
    """

    def __init__(self, clock: Clock, requests_per_second: float | None = None) -> None:
        self._clock = clock
        self._interval = 1 / requests_per_second if requests_per_second else 0.0
        self._lock = threading.Lock()
        self._not_before = clock.monotonic()
        self._next_start = self._not_before

    def enter(self, cancel: Cancel) -> None:
        """Wait until a request may start.

        Raises:
            Cancelled: ``cancel`` is set, before or during the wait.
        """
        cancel.check()
        while (wait := self._take_turn()) > 0:
            self._clock.sleep(wait, cancel)

    def hold(self, seconds: float) -> None:
        """Let no request start for ``seconds``; a longer pause that is on stays."""
        with self._lock:
            self._not_before = max(self._not_before, self._clock.monotonic() + seconds)

    def _take_turn(self) -> float:
        """Return 0 if a request may start now and its turn is taken, else seconds to wait."""
        if not self._interval and self._clock.monotonic() >= self._not_before:
            return 0.0
        with self._lock:
            now = self._clock.monotonic()
            start = max(self._not_before, self._next_start)
            if start > now:
                return start - now
            self._next_start = now + self._interval
            return 0.0


def asked_pause(answer: Answer, now: datetime) -> float | None:
    """Return the seconds that Retry-After asks for, or None."""
    text = answer.headers.get("retry-after")
    return parse_retry_after(text, now) if text else None


def tells_quota(answer: Answer) -> bool:
    """Tell whether an answer says how much of a quota is left."""
    return answer.headers.has_any(_REMAINING)


def quota_pause(answer: Answer, now: datetime) -> float | None:
    """Return the seconds until a used-up quota is filled again, if the answer tells (OCI-7.9)."""
    if not any(_leading_number(answer.headers.get(name)) == 0 for name in _REMAINING):
        return None
    resets = (_leading_number(answer.headers.get(name)) for name in _RESET)
    reset = next((each for each in resets if each is not None), None)
    if reset is None:
        return None
    return max(0.0, reset - now.timestamp()) if reset > _A_MOMENT else float(reset)


def _leading_number(text: str) -> int | None:
    """Read ``76`` of ``76;w=21600``."""
    number = text.partition(";")[0].strip()
    is_number = number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS
    return int(number) if is_number else None
