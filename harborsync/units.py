"""Sizes, rates and spans of time as people write them, parsed once at the edge.

    >>> ByteSize.parse("100 MiB").bytes
    104857600
    >>> Bandwidth.parse("50Mbps").bytes_per_second
    6250000.0
    >>> str(Duration.parse("90m"))
    '1h30m'

``Mbps`` is decimal megabits per second, ``MB/s`` decimal megabytes, ``MiB/s`` binary ones:
three different words, never guessed from each other (SI and IEC 80000-13 prefixes).
"""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction
from typing import Final, Self

import attrs

from harborsync.errors import InvalidValue

_SIZE_UNITS: Final = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_BIT_UNITS: Final = {"bps": 1, "kbps": 10**3, "Mbps": 10**6, "Gbps": 10**9}
_TIME_UNITS: Final = {
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_QUANTITY: Final = re.compile(r"(\d{1,18}(?:\.\d{1,18})?) ?([A-Za-z/]+)", re.ASCII)
_SPAN: Final = re.compile(r"(\d{1,18})(ms|[wdhms])", re.ASCII)
_NOT_NEGATIVE: Final = attrs.validators.ge(0)


def _quantity(text: str, units: dict[str, int], what: str) -> int:
    found = _QUANTITY.fullmatch(text.strip())
    factor = units.get(found[2]) if found else None
    if not found or factor is None:
        msg = f"{text!r} is no {what}"
        raise InvalidValue(msg, hint=f"write a number and one of {', '.join(units)}")
    amount = Fraction(found[1]) * factor
    if amount.denominator != 1:
        msg = f"{text!r} is no whole number of the smallest unit"
        raise InvalidValue(msg, hint=f"use a smaller one of {', '.join(units)}")
    return int(amount)


def _canonical(amount: int, units: dict[str, int]) -> str:
    fitting = [(factor, unit) for unit, factor in units.items() if amount % factor == 0]
    factor, unit = max(fitting) if amount else min(fitting)
    return f"{amount // factor}{unit}"


@attrs.frozen(order=True)
class ByteSize:
    """A number of bytes.

    Attributes:
        bytes: The number, 0 or more.
    """

    bytes: int = attrs.field(validator=_NOT_NEGATIVE)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``500MB``, ``1.5 GiB``, ``0B``; units are case-sensitive.

        Raises:
            InvalidValue: The text is no size.
        """
        return cls(_quantity(text, _SIZE_UNITS, "size"))

    def __str__(self) -> str:
        """Return the canonical text, which parses back to an equal value."""
        return _canonical(self.bytes, _SIZE_UNITS)


@attrs.frozen(order=True)
class Bandwidth:
    """A rate of transfer.

    Attributes:
        bits_per_second: The rate, more than 0.
    """

    bits_per_second: int = attrs.field(validator=attrs.validators.gt(0))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``50Mbps`` (decimal bits), ``10MB/s`` (decimal bytes) or ``10MiB/s`` (binary).

        Raises:
            InvalidValue: The text is no rate, or the rate is 0.
        """
        text = text.strip()
        if text.endswith("/s"):
            bits = 8 * _quantity(text.removesuffix("/s"), _SIZE_UNITS, "bandwidth")
        else:
            bits = _quantity(text, _BIT_UNITS, "bandwidth")
        if not bits:
            msg = f"{text!r} would let nothing through"
            raise InvalidValue(msg, hint="leave the limit out to have none")
        return cls(bits)

    @property
    def bytes_per_second(self) -> float:
        """The rate in bytes per second."""
        return self.bits_per_second / 8

    def __str__(self) -> str:
        """Return the canonical text, which parses back to an equal value."""
        return _canonical(self.bits_per_second, _BIT_UNITS)


@attrs.frozen(order=True)
class Duration:
    """A span of time, to the millisecond.

    Attributes:
        milliseconds: The span, 0 or more.
    """

    milliseconds: int = attrs.field(validator=_NOT_NEGATIVE)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``30d``, ``1h30m``, ``500ms``; units w, d, h, m, s, ms, each at most once, falling.

        Raises:
            InvalidValue: The text is no span of time.
        """
        parts = _SPAN.findall(text.strip())
        order = list(_TIME_UNITS)
        places = [order.index(unit) for _, unit in parts]
        whole = "".join(number + unit for number, unit in parts)
        if not parts or whole != text.strip() or places != sorted(set(places)):
            msg = f"{text!r} is no span of time"
            raise InvalidValue(msg, hint="write it like 30d, 1h30m or 500ms")
        return cls(sum(int(number) * _TIME_UNITS[unit] for number, unit in parts))

    @classmethod
    def of(cls, span: timedelta | float) -> Self:
        """Make one from a timedelta or a number of seconds."""
        seconds = span.total_seconds() if isinstance(span, timedelta) else span
        return cls(round(seconds * 1000))

    @property
    def seconds(self) -> float:
        """The span in seconds."""
        return self.milliseconds / 1000

    @property
    def timedelta(self) -> timedelta:
        """The span as a timedelta."""
        return timedelta(milliseconds=self.milliseconds)

    def __str__(self) -> str:
        """Return the canonical text, which parses back to an equal value."""
        rest, parts = self.milliseconds, []
        for unit, factor in _TIME_UNITS.items():
            if unit == "w":
                continue
            count, rest = divmod(rest, factor)
            if count:
                parts.append(f"{count}{unit}")
        return "".join(parts) or "0s"
