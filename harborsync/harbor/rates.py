"""How fast, in the words of a Harbor: kilobits a second of 1024 bits each, for every task.

>>> from harborsync.units import Bandwidth
>>> to_kilobits(Bandwidth.parse("50Mbps"))
48828
>>> str(to_bandwidth(51200))
'52428800bps'
"""

from __future__ import annotations

from typing import Final

from harborsync.errors import InvalidValue
from harborsync.harbor.policies import FASTEST
from harborsync.units import Bandwidth

_KILOBIT: Final = 1024


def to_kilobits(bandwidth: Bandwidth) -> int:
    """Return the speed of a policy (HARBOR §9).

    Raises:
        InvalidValue: Harbor cannot count that slow, or that fast.
    """
    kilobits = round(bandwidth.bits_per_second / _KILOBIT)
    if not 1 <= kilobits <= FASTEST:
        msg = (
            f"{bandwidth} are {kilobits} of Harbor's kilobits a second, which counts 1 to {FASTEST}"
        )
        raise InvalidValue(msg, hint="leave the limit out, or choose another")
    return kilobits


def to_bandwidth(kilobits: int) -> Bandwidth | None:
    """Return what a policy's speed comes to, or None for no limit."""
    return Bandwidth(kilobits * _KILOBIT) if kilobits > 0 else None
