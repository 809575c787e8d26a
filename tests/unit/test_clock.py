"""Time enters through one door."""

from __future__ import annotations

from datetime import timedelta

import pytest

from harborsync.cancel import Cancel
from harborsync.clock import SystemClock
from harborsync.errors import Cancelled


def test_now_is_aware_and_in_utc() -> None:
    """No time zone of the machine leaks in."""
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_monotonic_does_not_go_back() -> None:
    """Two readings are in order."""
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_no_time_to_sleep_is_no_sleep(seconds: float) -> None:
    """A wait that is over already returns at once."""
    SystemClock().sleep(seconds)


def test_a_cancelled_sleep_raises_before_it_begins() -> None:
    """However long the wait would be."""
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        SystemClock().sleep(3600, cancel)


def test_a_sleep_is_interrupted() -> None:
    """Setting the flag during the wait ends it with Cancelled."""

    class SetWhileWaiting(Cancel):
        def wait(self, seconds: float) -> bool:
            self.set()
            return super().wait(seconds)

    with pytest.raises(Cancelled):
        SystemClock().sleep(3600, SetWhileWaiting())
