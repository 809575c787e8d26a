"""How much at once."""

from __future__ import annotations

import pytest

from harborsync.errors import InvalidValue
from harborsync.limits import HostLimits


def test_the_defaults_fit_together() -> None:
    """There is room for small requests beside the large ones."""
    limits = HostLimits()
    assert limits.large < limits.connections


@pytest.mark.parametrize(
    "wrong",
    [
        {"connections": 2},
        {"large": 1},
        {"requests_per_second": 0},
        {"connect_timeout": 0},
        {"idle_timeout": -1},
    ],
)
def test_limits_that_would_stop_everything_are_refused(wrong: dict[str, int]) -> None:
    """A copy within one host needs a connection each to read, to write and to ask."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        HostLimits(**wrong)


def test_large_bodies_may_not_take_all_connections() -> None:
    """Small requests would starve."""
    with pytest.raises(InvalidValue, match="too many"):
        HostLimits(connections=6, large=6)


def test_a_share_is_never_less_than_it_takes_to_work() -> None:
    """However many processes share a host."""
    whole = HostLimits(connections=24, large=8, requests_per_second=10)
    half = whole.divided(2)
    assert (half.connections, half.large, half.requests_per_second) == (12, 4, 5)
    least = whole.divided(100)
    assert (least.connections, least.large) == (3, 2)
    assert HostLimits().divided(2).requests_per_second is None
