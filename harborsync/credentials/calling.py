"""Asks the API of a cloud through its SDK: at a pace, again after what passes, and cancellable.

The SDKs' own repetition is switched off or broken, and knows neither our policy nor our cancel
flag. A budget is shared by all who ask one API in this process.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, TypeVar
from weakref import WeakKeyDictionary

import attrs

from harborsync.errors import HarborsyncError, RateLimited
from harborsync.events import RetryScheduled

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.cancel import Cancel
    from harborsync.clock import Clock
    from harborsync.provider import OpenContext

_T = TypeVar("_T")

_SLOWEST: Final = 1 / 64
_STEP_UP: Final = 1 / 20


class Budget:
    """Lets calls start at a rate, which halves when the API complains and then recovers.

    Safe to use from many threads.

    Args:
        clock: Time and sleep.
        per_second: How many calls start a second when all is well.
    """

    def __init__(self, clock: Clock, per_second: float) -> None:
        self._clock = clock
        self._most = self._rate = per_second
        self._lock = threading.Lock()
        self._next_start = clock.monotonic()

    @property
    def rate(self) -> float:
        """How many calls start a second now."""
        return self._rate

    def enter(self, cancel: Cancel) -> None:
        """Wait until a call may start.

        Raises:
            Cancelled: ``cancel`` is set, before or during the wait.
        """
        cancel.check()
        while (wait := self._take_turn()) > 0:
            self._clock.sleep(wait, cancel)

    def complained(self, pause: float) -> None:
        """Go on at half the rate, after ``pause`` seconds."""
        with self._lock:
            self._rate = max(self._most * _SLOWEST, self._rate / 2)
            self._next_start = max(self._next_start, self._clock.monotonic() + pause)

    def went_well(self) -> None:
        """Go a little faster, up to the rate of the beginning."""
        if self._rate < self._most:
            with self._lock:
                self._rate = min(self._most, self._rate + self._most * _STEP_UP)

    def _take_turn(self) -> float:
        """Return 0 if a call may start now and its turn is taken, else seconds to wait."""
        with self._lock:
            now = self._clock.monotonic()
            if self._next_start > now:
                return self._next_start - now
            self._next_start = now + 1 / self._rate
            return 0.0


_budgets: Final[WeakKeyDictionary[Clock, dict[str, Budget]]] = WeakKeyDictionary()
_lock: Final = threading.Lock()


def budget_of(api: str, clock: Clock, per_second: float) -> Budget:
    """Return the budget that all who ask ``api`` by one clock share.

    A clock that nothing can be kept for, such as one with slots, shares none.
    """
    fresh = Budget(clock, per_second)
    try:
        with _lock:
            return _budgets.setdefault(clock, {}).setdefault(api, fresh)
    except TypeError:
        return fresh


@attrs.frozen(kw_only=True)
class CloudApi:
    """An API of a cloud.

    Attributes:
        name: How it is called in messages and events: a host.
        context: Clock, policy, randomness, cancel flag and listeners.
        budget: At which pace it is asked.
        translate: Makes an exception of the SDK one of ours, given what was tried; raises
            nothing and chains nothing. What it does not know is no failure of a call but a bug.
        expected: The exceptions to translate.
    """

    name: str
    context: OpenContext
    budget: Budget
    translate: Callable[[Exception, str], HarborsyncError]
    expected: tuple[type[Exception], ...]

    def call(self, what: str, action: Callable[[], _T]) -> _T:
        """Return what ``action`` returns, tried as often as the policy says.

        Args:
            what: What is done, as it follows "cannot".
            action: One call of the SDK; may be made twice.

        Raises:
            HarborsyncError: What the last try came to.
            Cancelled: The run was asked to stop.
        """
        clock = self.context.clock
        started, attempt = clock.monotonic(), 1
        while True:
            self.budget.enter(self.context.cancel)
            outcome = self._try(what, action)
            if not isinstance(outcome, _Failed):
                return outcome
            attempt += 1
            wait = self._wait_after(outcome.error, attempt)
            passed = clock.monotonic() - started
            if not outcome.error.retryable or not self.context.retry.allows(attempt, passed + wait):
                raise outcome.error
            self._announce(what, attempt - 1, wait, outcome.error)
            clock.sleep(wait, self.context.cancel)

    def _try(self, what: str, action: Callable[[], _T]) -> _T | _Failed:
        try:
            result = action()
        except self.expected as error:
            # Returned and not raised here, so that no context hangs on that quotes secrets.
            return _Failed(self.translate(error, what))
        self.budget.went_well()
        return result

    def _wait_after(self, error: HarborsyncError, attempt: int) -> float:
        wait = self.context.retry.wait_before(attempt, self.context.rng)
        if isinstance(error, RateLimited):
            wait = max(wait, error.retry_after or 0.0)
            self.budget.complained(wait)
        return wait

    def _announce(self, what: str, attempt: int, wait: float, error: HarborsyncError) -> None:
        self.context.emit(
            RetryScheduled(
                at=self.context.clock.now(),
                host=self.name,
                operation=what,
                attempt=attempt,
                wait=wait,
                reason=error.message,
                side=error.side,
            )
        )


@attrs.frozen
class _Failed:
    """A try that did not work."""

    error: HarborsyncError
