"""Calls of a cloud's API go at a pace, are repeated, and can be stopped."""

from __future__ import annotations

import random
from typing import Any

import pytest

from harborsync.cancel import Cancel
from harborsync.clock import SystemClock
from harborsync.credentials.calling import Budget, CloudApi, budget_of
from harborsync.errors import (
    Cancelled,
    ConnectionLost,
    Denied,
    HarborsyncError,
    RateLimited,
)
from harborsync.events import Dispatcher, Event, RetryScheduled
from harborsync.provider import OpenContext
from harborsync.retry import RetryPolicy
from harborsync.testing.clock import FakeClock


class SdkError(Exception):
    """What the SDK of the test raises; its text is a secret."""

    def __init__(self, meaning: HarborsyncError) -> None:
        super().__init__("s3cr3t")
        self.meaning = meaning


def _translate(error: Exception, what: str) -> HarborsyncError:
    assert isinstance(error, SdkError)
    return error.meaning


class Answers:
    """Answers calls one after the other; an error is raised."""

    def __init__(self, *answers: Any) -> None:
        self.left = list(answers)

    def __call__(self) -> Any:
        """Give the next answer."""
        answer = self.left.pop(0)
        if isinstance(answer, HarborsyncError):
            raise SdkError(answer)
        return answer


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still."""
    return FakeClock()


def _api(clock: FakeClock, heard: list[Event] | None = None, **more: Any) -> CloudApi:
    context = OpenContext(
        clock=clock,
        rng=random.Random(3),
        emit=Dispatcher([] if heard is None else [heard.append]),
        retry=more.pop("retry", RetryPolicy(attempts=3, first_wait=1.0)),
        **more,
    )
    return CloudApi(
        name="api.example",
        context=context,
        budget=Budget(clock, 1000.0),
        translate=_translate,
        expected=(SdkError,),
    )


def test_an_answer_is_passed_on(clock: FakeClock) -> None:
    """Nothing waits when all is well."""
    assert _api(clock).call("ask", Answers("yes")) == "yes"
    assert clock.slept == ()


@pytest.mark.parametrize("passing", [RateLimited("slow down"), ConnectionLost("it broke")])
def test_what_passes_is_tried_again(clock: FakeClock, passing: HarborsyncError) -> None:
    """The policy's waits lie between, and listeners hear of each."""
    heard: list[Event] = []
    assert _api(clock, heard).call("ask for it", Answers(passing, passing, "yes")) == "yes"
    told = [event for event in heard if isinstance(event, RetryScheduled)]
    assert [(event.attempt, event.operation, event.host) for event in told] == [
        (1, "ask for it", "api.example"),
        (2, "ask for it", "api.example"),
    ]
    assert told[0].reason == passing.message
    assert sum(clock.slept) >= told[0].wait + told[1].wait - 1e-6


def test_there_is_an_end_to_trying(clock: FakeClock) -> None:
    """The last error is raised, and nothing of the SDK's hangs on it."""
    error = ConnectionLost("it broke")
    answers = Answers(error, error, error, "too late")
    with pytest.raises(ConnectionLost) as caught:
        _api(clock).call("ask", answers)
    assert answers.left == ["too late"]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_what_repeating_does_not_better_is_final(clock: FakeClock) -> None:
    """A right that is lacking stays so."""
    answers = Answers(Denied("no"), "yes")
    with pytest.raises(Denied):
        _api(clock).call("ask", answers)
    assert answers.left == ["yes"]


def test_a_pause_that_is_asked_for_is_kept(clock: FakeClock) -> None:
    """Our own back-off may be shorter."""
    _api(clock).call("ask", Answers(RateLimited("slow down", retry_after=40.0), "yes"))
    assert clock.monotonic() >= 40.0


def test_no_try_begins_after_the_deadline(clock: FakeClock) -> None:
    """A pause that would reach beyond it is not begun."""
    api = _api(clock, retry=RetryPolicy(attempts=9, deadline=30.0))
    with pytest.raises(RateLimited):
        api.call("ask", Answers(RateLimited("slow down", retry_after=40.0), "yes"))
    assert clock.slept == ()


def test_a_run_that_is_stopped_asks_nothing(clock: FakeClock) -> None:
    """The flag is looked at before each call."""
    cancel = Cancel()
    cancel.set()
    answers = Answers("yes")
    with pytest.raises(Cancelled):
        _api(clock, cancel=cancel).call("ask", answers)
    assert answers.left == ["yes"]


def test_what_the_sdk_does_not_raise_is_a_bug_and_comes_through(clock: FakeClock) -> None:
    """Nothing is caught that is not known."""

    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _api(clock).call("ask", broken)


# --- the pace ----------------------------------------------------------------------------------


def _start(budget: Budget, count: int) -> None:
    for _ in range(count):
        budget.enter(Cancel())


def test_calls_start_at_the_rate(clock: FakeClock) -> None:
    """Eleven calls at ten a second take a second."""
    _start(Budget(clock, 10.0), 11)
    assert clock.monotonic() == pytest.approx(1.0)


def test_a_complaint_halves_the_rate_and_makes_a_pause(clock: FakeClock) -> None:
    """Who comes next waits, and goes on slower."""
    budget = Budget(clock, 10.0)
    budget.complained(5.0)
    assert budget.rate == 5.0
    _start(budget, 6)
    assert clock.monotonic() == pytest.approx(6.0)


def test_the_rate_has_a_floor_and_recovers(clock: FakeClock) -> None:
    """It never stands still, and ends where it began."""
    budget = Budget(clock, 64.0)
    for _ in range(20):
        budget.complained(0.0)
    assert budget.rate == 1.0
    budget.went_well()
    assert budget.rate == pytest.approx(4.2)
    for _ in range(30):
        budget.went_well()
    assert budget.rate == 64.0


def test_one_api_has_one_budget(clock: FakeClock) -> None:
    """Whoever asks it by the same clock shares it."""
    assert budget_of("a", clock, 5.0) is budget_of("a", clock, 5.0)
    assert budget_of("a", clock, 5.0) is not budget_of("b", clock, 5.0)
    assert budget_of("a", clock, 5.0) is not budget_of("a", FakeClock(), 5.0)


def test_a_clock_that_nothing_can_be_kept_for_shares_no_budget() -> None:
    """Whoever brings one of his own need not know that we would like to."""

    class Slotted(SystemClock):
        __slots__ = ()
        __hash__ = None  # type: ignore[assignment]

    own = Slotted()
    assert budget_of("a", own, 5.0) is not budget_of("a", own, 5.0)


def test_throttled_calls_slow_down_all_who_share_the_budget(clock: FakeClock) -> None:
    """That is what adaptive means."""
    api = _api(clock)
    api.call("ask", Answers(RateLimited("slow down"), "yes"))
    assert api.budget.rate < 1000.0
