"""What closes itself does so once its block is left, however that is."""

from __future__ import annotations

import pytest

from harborsync.testing.closing import Closing


class _Door(Closing):
    is_open = True

    def close(self) -> None:
        self.is_open = False


def test_it_is_open_within_its_block_only() -> None:
    """Nothing has to be started."""
    with _Door() as door:
        assert door.is_open
    assert not door.is_open


def test_what_goes_wrong_closes_it_and_goes_on() -> None:
    """A test that fails leaves no server behind."""
    door = _Door()
    with pytest.raises(ZeroDivisionError), door:
        raise ZeroDivisionError
    assert not door.is_open
