"""What all workers on a host share."""

from __future__ import annotations

import pytest

from harborsync.cancel import Cancel
from harborsync.errors import Cancelled
from harborsync.http.pace import HostGate, asked_pause, quota_pause
from harborsync.http.wire import Answer, Headers
from harborsync.testing.clock import FakeClock


def _answer(status: int = 200, **headers: str) -> Answer:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Answer(method="GET", url="https://r.example/", status=status, headers=Headers(pairs))


def test_an_open_gate_lets_everybody_through() -> None:
    """Nobody waits if nobody asked for it."""
    clock = FakeClock()
    HostGate(clock).enter(Cancel())
    assert sum(clock.slept) == 0


def test_a_pause_holds_whoever_comes() -> None:
    """The longer of two pauses counts, and it ends."""
    clock = FakeClock()
    gate = HostGate(clock)
    gate.hold(10)
    gate.hold(3)
    gate.enter(Cancel())
    gate.enter(Cancel())
    assert sum(clock.slept) == pytest.approx(10)


def test_requests_are_spaced() -> None:
    """Four a second start a quarter of a second apart."""
    clock = FakeClock()
    gate = HostGate(clock, requests_per_second=4)
    for _ in range(5):
        gate.enter(Cancel())
    assert clock.monotonic() == pytest.approx(1.0)


def test_a_pace_does_not_save_up() -> None:
    """A quiet time is no credit for a burst."""
    clock = FakeClock()
    gate = HostGate(clock, requests_per_second=1)
    gate.enter(Cancel())
    clock.sleep(100)
    for _ in range(3):
        gate.enter(Cancel())
    assert clock.monotonic() == pytest.approx(102)


def test_a_cancelled_run_waits_for_nothing() -> None:
    """The flag is looked at before the wait."""
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        HostGate(FakeClock()).enter(cancel)


def test_retry_after_is_a_pause() -> None:
    """Without the field there is none."""
    now = FakeClock().now()
    assert asked_pause(_answer(429, Retry_After="7"), now) == 7
    assert asked_pause(_answer(429), now) is None


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"RateLimit_Remaining": "0;w=60", "RateLimit_Reset": "30"}, 30.0),
        ({"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "1767225690"}, 90.0),
        ({"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "1700000000"}, 0.0),
        ({"RateLimit_Remaining": "0"}, None),
        ({"RateLimit_Remaining": "5", "RateLimit_Reset": "30"}, None),
        ({"RateLimit_Remaining": "none", "RateLimit_Reset": "30"}, None),
        ({}, None),
    ],
)
def test_a_used_up_quota_is_a_pause_if_its_end_is_told(
    headers: dict[str, str], pause: float | None
) -> None:
    """The end is a number of seconds, or a moment since 1970."""
    assert quota_pause(_answer(200, **headers), FakeClock().now()) == pause


@pytest.mark.parametrize("digits", [20, 400, 5000])
def test_a_reset_of_absurd_length_is_passed_over(digits: int) -> None:
    """Neither a float nor an int could hold what a hostile server may send."""
    answer = _answer(RateLimit_Remaining="0", RateLimit_Reset="9" * digits)
    assert quota_pause(answer, FakeClock().now()) is None
