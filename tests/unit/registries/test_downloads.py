"""Blobs that are read to the end, whatever happens on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync.content import Descriptor
from harborsync.errors import (
    Cancelled,
    ConnectionLost,
    Denied,
    NotFound,
    RegistryError,
    ServerError,
    SizeMismatch,
    Timeout,
)
from harborsync.events import Event, RetryScheduled

if TYPE_CHECKING:
    from harborsync.provider import OpenContext
    from harborsync.registries.distribution import DistributionRegistry
    from harborsync.testing.clock import FakeClock
    from tests.unit.registries.conftest import ScriptedTransport

SMALL = b"hello, world"
LARGE = bytes(range(256)) * 4 * 3 * 1024  # 3 MiB
MIB = 2**20
BLOB = Descriptor.of(LARGE, "x/y")
CUT = ConnectionLost("cut")


def _read(registry: DistributionRegistry, content: bytes = LARGE, offset: int = 0) -> bytes:
    with registry.open_blob("a", Descriptor.of(content, "x/y"), offset) as blocks:
        return b"".join(blocks)


def _whole(*pieces: Any) -> tuple[int, dict[str, str], tuple[Any, ...]]:
    return 200, {"Content-Length": str(len(LARGE))}, pieces


def _part(offset: int, *pieces: Any, span: str = "") -> tuple[int, dict[str, str], tuple[Any, ...]]:
    size = len(LARGE)
    headers = {
        "Content-Range": span or f"bytes {offset}-{size - 1}/{size}",
        "Content-Length": str(size - offset),
    }
    return 206, headers, pieces


def _ranges(wire: ScriptedTransport) -> list[str]:
    return [asked.call.headers.get("Range", "") for asked in wire.asked]


# --- small blobs ---------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 5, len(SMALL)])
def test_a_small_blob_is_read_in_one_call(
    registry: DistributionRegistry, wire: ScriptedTransport, offset: int
) -> None:
    """No range is asked for; what is before the offset is dropped."""
    wire.on("GET", "/v2/a/blobs/sha256:", (200, {}, SMALL))
    assert _read(registry, SMALL, offset) == SMALL[offset:]
    assert _ranges(wire) == [""]


@pytest.mark.parametrize("body", [SMALL[:-1], SMALL + b"x", b""])
def test_a_small_blob_of_another_size_is_refused_at_opening(
    registry: DistributionRegistry, wire: ScriptedTransport, body: bytes
) -> None:
    """Nothing is yielded (OCI-4.28)."""
    wire.on("GET", "", (200, {}, body))
    with pytest.raises(SizeMismatch):
        _read(registry, SMALL)


def test_an_answer_that_is_too_long_to_read_is_of_another_size(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """The transport stops at the cap and says that the answer was a 200."""
    wire.on("GET", "", RegistryError("too long", status=200))
    with pytest.raises(SizeMismatch):
        _read(registry, SMALL)
    wire.on("GET", "", RegistryError("something else", status=302))
    with pytest.raises(RegistryError, match="something else"):
        _read(registry, SMALL)


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_a_blob_that_is_not_there_is_told_at_opening(
    registry: DistributionRegistry, wire: ScriptedTransport, content: bytes
) -> None:
    """With the registry and the repository."""
    wire.on("GET", "", 404)
    with pytest.raises(NotFound, match=r"of a at registry\.example"):
        _read(registry, content)


def test_an_encoding_nobody_asked_for_is_named(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Bytes are taken as they come; if they do not fit, the header is to blame (OCI-4.29)."""
    wire.on("GET", "", (200, {"Content-Encoding": "gzip"}, b"xx"))
    with pytest.raises(SizeMismatch, match="gzip"):
        _read(registry, SMALL)
    wire.on("GET", "", (200, {"Content-Encoding": "gzip"}, SMALL))
    assert _read(registry, SMALL) == SMALL


# --- large blobs ---------------------------------------------------------------------------


def test_a_large_blob_is_streamed(registry: DistributionRegistry, wire: ScriptedTransport) -> None:
    """Block by block, as it comes."""
    wire.on("GET", "", _whole(LARGE[:MIB], LARGE[MIB:]))
    assert _read(registry) == LARGE


def test_reading_from_an_offset_asks_for_a_range(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """The rest only."""
    wire.on("GET", "", _part(MIB, LARGE[MIB:]))
    assert _read(registry, offset=MIB) == LARGE[MIB:]
    assert _ranges(wire) == [f"bytes={MIB}-"]


def test_a_server_without_ranges_is_read_from_the_start(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """What is before the offset is skipped, across blocks (OCI-4.31)."""
    wire.on("GET", "", _whole(LARGE[:100], LARGE[100:MIB], LARGE[MIB:]))
    assert _read(registry, offset=MIB - 7) == LARGE[MIB - 7 :]
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    "span",
    [
        "bytes 0-3145727/3145728",
        "bytes 1048576-2097151/3145728",
        "bytes 1048576-3145727/9999999",
        "1048576-3145727",
        "bytes */3145728",
    ],
)
def test_a_range_that_is_not_the_one_asked_for_is_not_used(
    registry: DistributionRegistry, wire: ScriptedTransport, span: str
) -> None:
    """All is asked for instead, and the beginning skipped (OCI-4.31)."""
    wire.on("GET", "", _part(MIB, b"wrong", span=span), _whole(LARGE))
    assert _read(registry, offset=MIB) == LARGE[MIB:]
    assert _ranges(wire) == [f"bytes={MIB}-", ""]


def test_a_range_of_another_length_is_not_used(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Content-Range and Content-Length must agree (OCI-4.31)."""
    status, headers, pieces = _part(MIB, b"wrong")
    wire.on("GET", "", (status, headers | {"Content-Length": "5"}, pieces), _whole(LARGE))
    assert _read(registry, offset=MIB) == LARGE[MIB:]


def test_a_range_without_the_size_is_good_enough(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """The total may be unknown to the server."""
    wire.on("GET", "", _part(MIB, LARGE[MIB:], span=f"bytes {MIB}-{len(LARGE) - 1}/*"))
    assert _read(registry, offset=MIB) == LARGE[MIB:]


def test_a_range_that_cannot_be_satisfied_is_given_up(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """416 leads to the whole blob."""
    wire.on("GET", "", 416, _whole(LARGE))
    assert _read(registry, offset=MIB) == LARGE[MIB:]


def test_reading_from_the_end_looks_whether_the_blob_is_there(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Nothing is read, and no range without bytes is asked for."""
    wire.on("GET", "", _whole(LARGE))
    assert _read(registry, offset=len(LARGE)) == b""
    assert _ranges(wire) == [""]


def test_after_a_cut_reading_goes_on_where_it_stopped(
    registry: DistributionRegistry,
    wire: ScriptedTransport,
    clock: FakeClock,
    events: list[Event],
) -> None:
    """Each time by a fresh request to the registry, after a wait that is announced (OCI-4.27)."""
    wire.on(
        "GET",
        "",
        _whole(LARGE[:1000], CUT),
        _part(1000, LARGE[1000:MIB], Timeout("stalled")),
        _part(MIB, LARGE[MIB:]),
    )
    assert _read(registry) == LARGE
    assert _ranges(wire) == ["", "bytes=1000-", f"bytes={MIB}-"]
    retries = [event for event in events if isinstance(event, RetryScheduled)]
    assert [(event.attempt, event.reason) for event in retries] == [(1, "cut"), (2, "stalled")]
    assert list(clock.slept) == [event.wait for event in retries]
    assert {event.host for event in retries} == {"registry.example"}


def test_a_cut_after_the_last_byte_is_none(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Everything is here."""
    wire.on("GET", "", _whole(LARGE, CUT))
    assert _read(registry) == LARGE
    assert len(wire.asked) == 1


def test_an_end_that_comes_too_early_is_a_cut(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """The count of bytes is ours (OCI-4.33)."""
    wire.on("GET", "", _whole(LARGE[:1000]), _part(1000, LARGE[1000:]))
    assert _read(registry) == LARGE


def test_an_end_that_is_marked_is_the_end(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """A shorter blob in a chunked answer is another blob."""
    wire.on("GET", "", (200, {"Transfer-Encoding": "chunked"}, (LARGE[:-1],)))
    with pytest.raises(SizeMismatch, match="has 3145727 bytes"):
        _read(registry)


def test_tries_that_bring_nothing_are_bounded(
    registry: DistributionRegistry, wire: ScriptedTransport, context: OpenContext
) -> None:
    """As many as the policy allows (OCI-4.31)."""
    wire.on("GET", "", _whole(CUT))
    with pytest.raises(ConnectionLost, match="cut"):
        _read(registry)
    assert len(wire.asked) == context.retry.attempts


def test_a_trickle_is_no_progress(
    registry: DistributionRegistry, wire: ScriptedTransport, context: OpenContext
) -> None:
    """A byte more each time would take for ever (OCI-4.31)."""
    parts = [_part(n, LARGE[n : n + 1], CUT) for n in range(1, 40)]
    wire.on("GET", "", _whole(LARGE[:1], CUT), *parts)
    with pytest.raises(ConnectionLost):
        _read(registry)
    assert len(wire.asked) == context.retry.attempts


def test_tries_that_get_further_are_not_bounded(
    registry: DistributionRegistry, wire: ScriptedTransport, context: OpenContext
) -> None:
    """A mebibyte since the last cut is progress, and the count begins anew (OCI-4.31)."""
    content = bytes(range(256)) * 4096 * 20
    size, replies = len(content), []
    for start in range(0, size, MIB):
        headers = {"Content-Range": f"bytes {start}-{size - 1}/{size}"}
        replies.append((206 if start else 200, headers, (content[start : start + MIB], CUT)))
    wire.on("GET", "", *replies)
    assert _read(registry, content) == content
    assert len(wire.asked) == 20 > 2 * context.retry.attempts


def test_a_server_that_fails_for_too_long_is_given_up(
    registry: DistributionRegistry, wire: ScriptedTransport, clock: FakeClock
) -> None:
    """The deadline counts from the first failure after progress, not from the beginning."""
    wire.on("GET", "", _whole(lambda: clock.advance(400), CUT))
    with pytest.raises(ConnectionLost):
        _read(registry)
    assert len(wire.asked) == 3


def test_a_length_that_is_announced_and_wrong_is_refused_at_opening(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Nothing is read (OCI-4.28)."""
    wire.on("GET", "", (200, {"Content-Length": "99999999"}, (LARGE,)))
    with pytest.raises(SizeMismatch, match="99999999"):
        _read(registry)


@pytest.mark.parametrize("length", ["", "none", "9" * 40])
def test_a_length_that_is_no_number_says_nothing(
    registry: DistributionRegistry, wire: ScriptedTransport, length: str
) -> None:
    """Bytes are counted all the same."""
    wire.on("GET", "", (200, {"Content-Length": length}, (LARGE,)))
    assert _read(registry) == LARGE


def test_never_more_is_yielded_than_the_blob_has(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """A server that goes on and on is stopped (OCI-4.28)."""
    wire.on("GET", "", (200, {}, (LARGE[:MIB], LARGE)))
    received: list[bytes] = []
    with registry.open_blob("a", BLOB) as blocks, pytest.raises(SizeMismatch, match="has more"):
        received.extend(blocks)
    assert b"".join(received) == LARGE[:MIB]


def test_an_expired_address_of_the_storage_is_asked_for_anew_once(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """A 403 of the storage says that the redirect was stale (OCI-4.27)."""
    wire.answer_url = "https://storage.example/x?signature=secret"
    wire.on("GET", "", 403, _whole(LARGE))
    assert _read(registry) == LARGE
    wire.on("GET", "", 403)
    with pytest.raises(Denied):
        _read(registry)
    assert len(wire.asked) == 4


def test_a_refusal_by_the_registry_itself_is_final(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """A 403 of its own is a matter of permission."""
    wire.on("GET", "", 403)
    with pytest.raises(Denied):
        _read(registry)
    assert len(wire.asked) == 1


def test_a_run_that_is_cancelled_stops_between_two_blocks(
    registry: DistributionRegistry, wire: ScriptedTransport, context: OpenContext
) -> None:
    """The flag is looked at for every block."""
    wire.on("GET", "", _whole(LARGE[:MIB], LARGE[MIB:]))
    with registry.open_blob("a", BLOB) as blocks:
        next(blocks)
        context.cancel.set()
        with pytest.raises(Cancelled):
            next(blocks)


# --- is it there? --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "there"),
    [
        (200, True),
        ((200, {"Content-Length": str(len(LARGE))}), True),
        ((200, {"Content-Length": "7"}), False),
        (404, False),
        (307, True),
    ],
)
def test_a_head_tells_whether_a_blob_is_there(
    registry: DistributionRegistry, wire: ScriptedTransport, reply: Any, there: bool
) -> None:
    """Another size is another blob; being sent to storage is enough (OCI-4.1)."""
    wire.on("HEAD", "/v2/a/blobs/sha256:", reply)
    assert registry.has_blob("a", BLOB) is there


def test_storage_that_refuses_a_head_has_the_blob(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Addresses are often signed for GET only (OCI-4.1)."""
    wire.answer_url = "https://storage.example/x"
    wire.on("HEAD", "", 403)
    assert registry.has_blob("a", BLOB)


def test_a_registry_that_refuses_heads_is_asked_by_get(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """The second time at once; the body is not read."""
    wire.on("HEAD", "", 405)
    wire.on("GET", "", _whole(AssertionError("read")), 404)
    assert registry.has_blob("a", BLOB)
    assert not registry.has_blob("a", BLOB)
    assert [line[:3] for line in wire.lines] == ["HEA", "GET", "GET"]


@pytest.mark.parametrize(("status", "kind"), [(403, Denied), (500, ServerError)])
def test_a_refusal_is_not_an_answer(
    registry: DistributionRegistry,
    wire: ScriptedTransport,
    status: int,
    kind: type[RegistryError],
) -> None:
    """Not to know is not the same as not to have."""
    wire.on("HEAD", "", status)
    with pytest.raises(kind):
        registry.has_blob("a", BLOB)
