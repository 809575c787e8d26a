"""The flag that stops a run, and the time limit that stops one artifact."""

from __future__ import annotations

import threading

import pytest

from harborsync.cancel import Cancel, TimeLimit, check_time, held, limited
from harborsync.errors import Cancelled, OutOfTime
from harborsync.testing import FakeClock


def limit_of(seconds: float, clock: FakeClock) -> TimeLimit:
    """Return a limit that begins now."""
    return TimeLimit(seconds=seconds, monotonic=clock.monotonic, name="patience")


def test_an_unset_flag_lets_everything_pass() -> None:
    """Checking does nothing, and a wait of no time says that it is not set."""
    cancel = Cancel()
    cancel.check()
    assert not cancel.is_set()
    assert not cancel.wait(0)


def test_a_set_flag_stays_set() -> None:
    """Setting it twice is fine; checking raises."""
    cancel = Cancel()
    cancel.set()
    cancel.set()
    assert cancel.is_set()
    with pytest.raises(Cancelled):
        cancel.check()


def test_a_thread_that_waits_is_woken() -> None:
    """Waiting ends when another thread sets the flag."""
    cancel, seen = Cancel(), []
    waiter = threading.Thread(target=lambda: seen.append(cancel.wait(60)))
    waiter.start()
    cancel.set()
    waiter.join()
    assert seen == [True]


def test_a_time_limit_ends_what_looks_at_any_flag() -> None:
    """From the moment the time is up, by a message that names the limit."""
    clock, cancel = FakeClock(), Cancel()
    with limited(limit_of(60, clock)):
        clock.advance(59)
        cancel.check()
        clock.advance(1)
        with pytest.raises(OutOfTime, match="patience = 60 s") as caught:
            cancel.check()
    assert caught.value.retryable
    cancel.check()


def test_an_inner_limit_stands_in_place_of_the_outer_one() -> None:
    """None lifts it; afterwards the outer one holds again."""
    clock = FakeClock()
    with limited(limit_of(60, clock)):
        clock.advance(100)
        with limited(None):
            check_time()
        with pytest.raises(OutOfTime):
            check_time()


def test_a_limit_holds_for_its_thread_only() -> None:
    """Other threads work on other things."""
    clock = FakeClock()
    seen: list[str] = []

    def work() -> None:
        check_time()
        seen.append("in time")

    with limited(limit_of(1, clock)):
        clock.advance(2)
        other = threading.Thread(target=work)
        other.start()
        other.join()
    assert seen == ["in time"]


def test_a_flag_counts_before_the_time() -> None:
    """Who was asked to stop says so, however late it is."""
    clock, cancel = FakeClock(), Cancel()
    cancel.set()
    with limited(limit_of(1, clock)):
        clock.advance(2)
        with pytest.raises(Cancelled):
            cancel.check()


def test_a_lock_is_waited_for_as_long_as_there_is_time() -> None:
    """Who holds it may send requests meanwhile; who waits gives up when his own time is up."""
    clock, lock = FakeClock(), threading.Lock()
    with held(lock), limited(limit_of(60, clock)):
        clock.advance(60)
        with pytest.raises(OutOfTime), held(lock):
            pytest.fail("two hold it")  # pragma: no cover
    assert not lock.locked()
