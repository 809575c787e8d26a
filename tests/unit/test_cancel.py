"""The flag that stops a run."""

from __future__ import annotations

import threading

import pytest

from harborsync.cancel import Cancel
from harborsync.errors import Cancelled


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
