"""Harbor's kilobits and our bits."""

from __future__ import annotations

import pytest

from harborsync.errors import InvalidValue
from harborsync.harbor.rates import to_bandwidth, to_kilobits
from harborsync.units import Bandwidth


@pytest.mark.parametrize(
    ("text", "kilobits"),
    [("1Mbps", 977), ("50Mbps", 48828), ("100Mbps", 97656), ("1MiB/s", 8192), ("17Gbps", 16601562)],
)
def test_megabits_become_kilobits_of_1024(text: str, kilobits: int) -> None:
    """Rounded to the next."""
    assert to_kilobits(Bandwidth.parse(text)) == kilobits


@pytest.mark.parametrize("text", ["100bps", "18Gbps"])
def test_what_harbor_cannot_count_is_refused(text: str) -> None:
    """Too slow becomes 0, which means no limit; too fast runs over."""
    with pytest.raises(InvalidValue, match="counts 1 to 16777215"):
        to_kilobits(Bandwidth.parse(text))


def test_no_limit_stays_none() -> None:
    """Negative ones count as that over there."""
    assert to_bandwidth(0) is None
    assert to_bandwidth(-5) is None
    assert to_bandwidth(51200) == Bandwidth(51200 * 1024)
