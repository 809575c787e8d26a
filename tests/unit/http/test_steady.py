"""A sender that is slow, and one that is as good as gone."""

from __future__ import annotations

import pytest

from harborsync.errors import Timeout
from harborsync.http.steady import SLOW_SECONDS, SLOWEST_RATE, Steady
from harborsync.testing import FakeClock


def reader(clock: FakeClock, length: int, seconds: float) -> Steady:
    """Return a reader that gets ``length`` bytes every so many seconds."""

    def read(count: int) -> bytes:
        clock.advance(seconds)
        return bytes(min(count, length))

    return Steady(read, clock)


def read_often(steady: Steady, times: int) -> None:
    """Read so many times."""
    for _ in range(times):
        steady.read(2**20)


@pytest.mark.parametrize("every", [1.0, 10.0, 59.0])
def test_next_to_nothing_for_a_minute_is_a_stall(every: float) -> None:
    """However the pieces are spread, though each came in time (OCI-4.35)."""
    clock = FakeClock()
    steady = reader(clock, 1, every)
    with pytest.raises(Timeout, match=r"only \d+ bytes came in \d+ seconds"):
        read_often(steady, 200)
    assert SLOW_SECONDS <= clock.monotonic() <= 2 * SLOW_SECONDS


def test_slow_and_going_on_is_no_stall() -> None:
    """A kilobyte a second is slow, and fine, for hours."""
    clock = FakeClock()
    steady = reader(clock, SLOWEST_RATE, 1)
    read_often(steady, 4000)


def test_what_came_fast_before_does_not_excuse_a_stall() -> None:
    """Each minute counts for itself."""
    clock = FakeClock()
    pieces = iter([bytes(2**20)] * 60 + [b"a"] * 61)

    def read(count: int) -> bytes:
        clock.advance(1)
        return next(pieces)

    steady = Steady(read, clock)
    with pytest.raises(Timeout):
        read_often(steady, 121)


def test_a_slow_reader_is_not_the_senders_fault() -> None:
    """What a bandwidth limit or the other end of a copy takes does not count."""
    clock = FakeClock()
    steady = reader(clock, 10, 0)
    for _ in range(10):
        assert steady.read(10)
        clock.advance(1000)


def test_an_end_is_an_end_however_long_it_took() -> None:
    """Nothing more to come is told, and is no stall."""
    assert reader(FakeClock(), 0, 2 * SLOW_SECONDS).read(100) == b""
