"""The one layer that repeats requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import attrs

from harborsync.errors import HarborsyncError, RateLimited, RegistryError
from harborsync.events import RetryScheduled
from harborsync.http.answers import error_from
from harborsync.http.faults import NOTHING_SENT
from harborsync.http.pace import HostGate, asked_pause, quota_pause, tells_quota
from harborsync.retry import BUSY_STATUSES, NOTHING_DONE, may_repeat

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.http.wire import Answer, Call
    from harborsync.provider import OpenContext


class Answered(Protocol):
    """The result of a try, which has an answer in it."""

    @property
    def answer(self) -> Answer:
        """Status, headers, and the body of a refusal."""
        ...


R = TypeVar("R", bound=Answered)


@attrs.frozen(kw_only=True)
class Retries:
    """Tries again, as the policy says.

    Attributes:
        host: The host asked, for events.
        context: Policy, clock, randomness, cancel flag and listeners.
        gate: What all workers on the host share.
    """

    host: str
    context: OpenContext
    gate: HostGate

    def run(self, call: Call, once: Callable[[], R]) -> R:
        """Return the first result that repeating does not better.

        Raises:
            RateLimited: The host is busy beyond the policy's patience.
            HarborsyncError: What the last try raised.
        """
        clock = self.context.clock
        started = clock.monotonic()
        attempt = 1
        while True:
            self.context.cancel.check()
            outcome = self._try(call, once)
            if isinstance(outcome, HarborsyncError):
                pause, reason = _pause_of(outcome), outcome.message
            elif may_repeat(outcome.answer.status, repeatable=call.repeatable):
                pause = asked_pause(outcome.answer, clock.now())
                reason = f"status {outcome.answer.status}"
            else:
                return outcome
            wait = self._wait(call, outcome, attempt + 1, pause)
            if not self.context.retry.allows(attempt + 1, clock.monotonic() - started + wait):
                return _settled(call, outcome)
            self._announce(call, attempt, wait, reason)
            clock.sleep(wait, self.context.cancel)
            attempt += 1

    def heed(self, answer: Answer) -> None:
        """Let the whole host pause if an answer asks for it, and the pause is bearable."""
        busy = answer.status in BUSY_STATUSES
        if not busy and not tells_quota(answer):
            return
        now = self.context.clock.now()
        for pause in (asked_pause(answer, now) if busy else None, quota_pause(answer, now)):
            if pause is not None and pause <= self.context.retry.retry_after_cap:
                self.gate.hold(pause)

    def _try(self, call: Call, once: Callable[[], R]) -> R | HarborsyncError:
        try:
            result = once()
        except HarborsyncError as error:
            # A RegistryError is the token server's: our own request did not even begin.
            not_begun = isinstance(error, (*NOTHING_SENT, RegistryError))
            if error.retryable and (call.repeatable or not_begun):
                return error
            raise
        self.heed(result.answer)
        return result

    def _wait(
        self, call: Call, outcome: R | HarborsyncError, attempt: int, pause: float | None
    ) -> float:
        """Return how long to wait before try number ``attempt``.

        Raises:
            RateLimited: The server asks for more than the policy bears.
        """
        policy = self.context.retry
        if pause is not None and pause > policy.retry_after_cap:
            raise _too_long(call, outcome, pause, policy.retry_after_cap)
        wait = max(policy.wait_before(attempt, self.context.rng), pause or 0.0)
        if not isinstance(outcome, HarborsyncError) and outcome.answer.status in BUSY_STATUSES:
            self.gate.hold(wait)
        return wait

    def _announce(self, call: Call, attempt: int, wait: float, reason: str) -> None:
        if self.context.emit:
            self.context.emit(
                RetryScheduled(
                    at=self.context.clock.now(),
                    host=self.host,
                    operation=call.what or call.method,
                    attempt=attempt,
                    wait=wait,
                    reason=reason,
                )
            )


def _pause_of(error: HarborsyncError) -> float | None:
    return error.retry_after if isinstance(error, RateLimited) else None


def _settled(call: Call, outcome: R | HarborsyncError) -> R:
    """Return or raise what the last try came to."""
    if isinstance(outcome, HarborsyncError):
        raise outcome
    if outcome.answer.status == NOTHING_DONE:
        raise error_from(outcome.answer, call.what or call.method)
    return outcome


def _too_long(call: Call, outcome: R | HarborsyncError, pause: float, cap: float) -> RateLimited:
    what = call.what or call.method
    hint = f"try again later, or raise RetryPolicy.retry_after_cap above {cap:g} s"
    msg = f"cannot {what}: the server asks for a pause of {pause:g} s, more than {cap:g} s"
    if isinstance(outcome, HarborsyncError):
        return RateLimited(msg, retry_after=pause, hint=hint)
    refusal = error_from(outcome.answer, what)
    return RateLimited(
        msg,
        retry_after=pause,
        hint=hint,
        method=refusal.method,
        url=refusal.url,
        status=refusal.status,
        codes=refusal.codes,
        request_id=refusal.request_id,
    )
