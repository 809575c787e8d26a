"""Time under the hand of a test."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from harborsync.cancel import Cancel
from harborsync.errors import Cancelled
from harborsync.testing import FakeClock


def test_time_stands_still() -> None:
    """Nothing passes unless somebody sleeps or moves it."""
    clock = FakeClock(datetime(2030, 5, 1, tzinfo=UTC))
    assert (clock.now(), clock.monotonic()) == (datetime(2030, 5, 1, tzinfo=UTC), 0)


def test_sleeping_moves_time() -> None:
    """What was slept is kept; less than nothing moves nothing."""
    clock = FakeClock()
    clock.sleep(60)
    clock.sleep(-5)
    clock.advance(3600)
    assert clock.now() == datetime(2026, 1, 1, 1, 1, tzinfo=UTC)
    assert clock.monotonic() == 3660
    assert clock.slept == (60, -5)


def test_who_is_cancelled_does_not_sleep() -> None:
    """A flag that is set ends the wait before it begins."""
    clock, cancel = FakeClock(), Cancel()
    clock.sleep(1, cancel)
    cancel.set()
    with pytest.raises(Cancelled):
        clock.sleep(1, cancel)
    assert clock.slept == (1,)
