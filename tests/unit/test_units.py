"""Sizes, rates and spans of time: read once, exactly, and never guessed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from harborsync.errors import InvalidValue
from harborsync.units import Bandwidth, ByteSize, Duration


@pytest.mark.parametrize(
    ("text", "count", "canonical"),
    [
        ("0B", 0, "0B"),
        ("1500 B", 1500, "1500B"),
        ("500MB", 500_000_000, "500MB"),
        ("100 MiB", 104_857_600, "100MiB"),
        ("1.5 GiB", 1_610_612_736, "1536MiB"),
        ("1000kB", 1_000_000, "1MB"),
        ("2TiB", 2 * 2**40, "2TiB"),
        (" 1TB ", 10**12, "1TB"),
    ],
)
def test_a_size_is_exact(text: str, count: int, canonical: str) -> None:
    """Decimal and binary units are told apart; the largest fitting unit is printed."""
    assert ByteSize.parse(text).bytes == count
    assert str(ByteSize.parse(text)) == canonical


@pytest.mark.parametrize(
    "text",
    ["", "5", "MB", "5mb", "5 Mb", "5KB", "-5MB", "5e3B", "1,5MB", "5  MB", "5.MB", "9" * 19],
)
def test_what_is_no_size_is_refused(text: str) -> None:
    """Units are case-sensitive, and a bare number has none."""
    with pytest.raises(InvalidValue, match="is no size"):
        ByteSize.parse(text)


@pytest.mark.parametrize("text", ["0.5B", "1.0005kB", "1.000000000000000001GiB"])
def test_a_part_of_a_byte_is_refused(text: str) -> None:
    """Nothing is rounded, however small the rest is."""
    with pytest.raises(InvalidValue, match="no whole number"):
        ByteSize.parse(text)


@pytest.mark.parametrize(
    ("text", "bits", "canonical"),
    [
        ("50Mbps", 50_000_000, "50Mbps"),
        ("10MB/s", 80_000_000, "80Mbps"),
        ("1 MiB/s", 8_388_608, "8388608bps"),
        ("1.5Gbps", 1_500_000_000, "1500Mbps"),
    ],
)
def test_bits_and_bytes_a_second_are_different_words(text: str, bits: int, canonical: str) -> None:
    """``Mbps``, ``MB/s`` and ``MiB/s`` differ by 8 and by 1.048576."""
    assert Bandwidth.parse(text).bits_per_second == bits
    assert Bandwidth.parse(text).bytes_per_second == bits / 8
    assert str(Bandwidth.parse(text)) == canonical


@pytest.mark.parametrize("text", ["", "50", "50MB", "50mbps", "50Mb/s", "MB/s", "-1Mbps"])
def test_what_is_no_bandwidth_is_refused(text: str) -> None:
    """A size is no rate."""
    with pytest.raises(InvalidValue):
        Bandwidth.parse(text)


@pytest.mark.parametrize("text", ["0bps", "0 MB/s"])
def test_a_rate_of_nothing_is_refused(text: str) -> None:
    """It would stop every copy; no limit is written by leaving it out."""
    with pytest.raises(InvalidValue, match="let nothing through"):
        Bandwidth.parse(text)


@pytest.mark.parametrize(
    ("text", "milliseconds", "canonical"),
    [
        ("0s", 0, "0s"),
        ("500ms", 500, "500ms"),
        ("90m", 5_400_000, "1h30m"),
        ("1h30m", 5_400_000, "1h30m"),
        ("30d", 2_592_000_000, "30d"),
        ("2w", 1_209_600_000, "14d"),
        (" 1w1d1h1m1s1ms ", 694_861_001, "8d1h1m1s1ms"),
    ],
)
def test_a_span_is_read_to_the_millisecond(text: str, milliseconds: int, canonical: str) -> None:
    """Parts add up; the canonical text knows no weeks."""
    span = Duration.parse(text)
    assert span.milliseconds == milliseconds
    assert str(span) == canonical


@pytest.mark.parametrize(
    "text", ["", "5", "s", "1.5h", "1m1h", "1h1h", "1h 1m", "-1s", "1hour", "1h!", "9" * 5000 + "s"]
)
def test_what_is_no_span_is_refused(text: str) -> None:
    """Parts stand in falling order, each once, with whole numbers."""
    with pytest.raises(InvalidValue, match="is no span"):
        Duration.parse(text)


def test_a_span_converts_to_and_from_pythons_own() -> None:
    """Seconds and timedelta say the same."""
    span = Duration.of(timedelta(minutes=1, milliseconds=5))
    assert span == Duration.of(60.005)
    assert (span.seconds, span.timedelta) == (60.005, timedelta(seconds=60.005))


@pytest.mark.parametrize(
    ("kind", "number"), [(ByteSize, -1), (Duration, -1), (Bandwidth, 0)], ids=str
)
def test_a_wrong_number_cannot_become_a_value(
    kind: type[ByteSize | Duration | Bandwidth], number: int
) -> None:
    """The constructor checks what the parser does."""
    with pytest.raises(ValueError, match="must be"):
        kind(number)


def test_values_are_ordered() -> None:
    """More is more, whatever the unit."""
    assert ByteSize.parse("1GB") < ByteSize.parse("1GiB")
    assert Duration.parse("59m") < Duration.parse("1h")
    assert Bandwidth.parse("9MB/s") > Bandwidth.parse("50Mbps")
