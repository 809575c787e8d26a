"""One request and its reply on one connection."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from harborsync.cancel import Cancel
from harborsync.errors import Cancelled, ConnectionLost, InvalidValue, RegistryError, Timeout
from harborsync.http.exchange import Berths, Reply, Request, check_headers
from harborsync.http.urls import Url
from harborsync.http.wire import Headers
from harborsync.testing import FakeClock

if TYPE_CHECKING:
    from harborsync.clock import Clock


class Wire:
    """A body on the wire, that may break off, and what became of its connection."""

    def __init__(self, body: bytes, *, breaks: bool = False) -> None:
        self._rest = body
        self._breaks = breaks
        self.released: list[bool] = []
        self.reads: list[int] = []

    def read(self, count: int) -> bytes:
        """Read as a connection does."""
        self.reads.append(count)
        piece, self._rest = self._rest[:count], self._rest[count:]
        if not piece and self._breaks:
            msg = "broke off"
            raise ConnectionLost(msg)
        return piece

    def reply(self, status: int = 200, *, clock: Clock | None = None) -> Reply:
        """Make the reply with this body."""
        request = Request(
            method="GET",
            url=Url.parse("https://r.example/a?sig=SECRET"),
            headers={"Authorization": "Bearer SECRET"},
            patience=1,
        )
        return Reply(
            request=request,
            status=status,
            headers=Headers([]),
            read=self.read,
            release=self.released.append,
            clock=clock,
        )


class Trickle(Wire):
    """A body that comes in pieces, some seconds apart."""

    def __init__(self, *pieces: bytes, seconds: float = 0.0, breaks: bool = False) -> None:
        super().__init__(b"".join(pieces), breaks=breaks)
        self.clock = FakeClock()
        self._lengths = [len(piece) for piece in pieces]
        self._seconds = seconds

    def read(self, count: int) -> bytes:
        """Read no further than to the end of a piece."""
        self.clock.advance(self._seconds)
        here = min([count, *self._lengths[:1]])
        if self._lengths:
            self._lengths[0] -= here
            self._lengths = [each for each in self._lengths if each]
        return super().read(here)


def test_a_request_does_not_show_its_secrets() -> None:
    """Neither header fields nor query."""
    assert "SECRET" not in repr(Wire(b"").reply().request)


def test_a_body_read_to_its_end_leaves_a_usable_connection() -> None:
    """It is given back once, however often it is closed."""
    wire = Wire(b"hello")
    reply = wire.reply()
    assert reply.finish(100).body == b"hello"
    assert reply.finish(100).body == b"hello"
    reply.close()
    assert wire.released == [True]


def test_a_body_of_exactly_the_allowed_length_is_read() -> None:
    """One byte more is too long, its connection is closed, and no secret is told."""
    assert Wire(b"12345").reply().finish(5).body == b"12345"
    wire = Wire(b"123456")
    with pytest.raises(RegistryError, match="longer than 5") as caught:
        wire.reply().finish(5)
    assert wire.released == [False]
    assert "SECRET" not in str(caught.value)


def test_memory_is_taken_piece_by_piece() -> None:
    """Nothing is allocated by what is allowed (OCI-9.7)."""
    wire = Wire(b"x")
    wire.reply().finish(10**9)
    assert max(wire.reads) <= 2**20


def test_a_body_that_breaks_off_is_an_error_and_a_refusal_is_not() -> None:
    """The status of a refusal is what counts."""
    wire = Wire(b"abc", breaks=True)
    with pytest.raises(ConnectionLost):
        wire.reply().finish(100)
    assert wire.released == [False]
    assert Wire(b"abc", breaks=True).reply(403).finish(100).body == b""


def test_a_refusal_is_read_as_far_as_an_explanation_goes() -> None:
    """64 KiB, or less if the call allows less (OCI-7.1)."""
    assert len(Wire(bytes(10**5)).reply(404).finish(10**6).body) == 64 * 1024
    assert len(Wire(bytes(10**5)).reply(404).finish(10).body) == 10


def test_the_text_of_a_416_is_not_read() -> None:
    """Its announced length is a lie at distribution 2.8 (OCI-4.32)."""
    wire = Wire(b"abc")
    assert wire.reply(416).finish(100).body == b""
    assert (wire.reads, wire.released) == ([], [False])


def test_blocks_end_with_the_body() -> None:
    """After which the connection is given back."""
    wire = Wire(b"abcde")
    assert list(wire.reply().blocks(2)) == [b"ab", b"cd", b"e"]
    assert wire.released == [True]


def test_blocks_of_a_finished_reply_are_its_body() -> None:
    """A refusal has been read already."""
    reply = Wire(b"no").reply(404)
    reply.finish(100)
    assert list(reply.blocks(1)) == [b"no"]


@pytest.mark.parametrize(
    ("length", "breaks", "released"), [(10, False, True), (10, True, False), (10**5, False, False)]
)
def test_a_discarded_body_is_read_if_that_is_cheap(
    length: int, breaks: bool, released: bool
) -> None:
    """Else its connection is closed; nothing is raised."""
    wire = Wire(bytes(length), breaks=breaks)
    wire.reply().discard()
    assert wire.released == [released]


def test_berths_are_waited_for() -> None:
    """A second one comes in when the first leaves."""
    berths = Berths(1)
    berths.take(Cancel())
    entered = threading.Event()

    def enter() -> None:
        berths.take(Cancel())
        entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    assert not entered.is_set()
    berths.leave()
    thread.join(10)
    assert entered.is_set()


def test_a_cancelled_run_does_not_wait_for_a_berth() -> None:
    """However long it would take."""
    berths, cancel = Berths(1), Cancel()
    berths.take(cancel)
    cancel.set()
    with pytest.raises(Cancelled):
        berths.take(cancel)


@pytest.mark.parametrize("value", ["a\nb", "a\r", "\x00", "\u20ac", "\x7f"])
def test_header_values_are_checked(value: str) -> None:
    """What would end a field, or cannot be sent at all, is refused unquoted."""
    with pytest.raises(InvalidValue, match="X-Own"):
        check_headers({"X-Own": value})
    check_headers({"X-Own": "caf\xe9\tok", "Range": "bytes=0-"})


def test_a_block_is_gathered_from_the_pieces_that_come() -> None:
    """Blocks are full, up to the last one, and the connection can be used again."""
    wire = Trickle(b"a", b"bc", b"de", b"f", b"g")
    assert list(wire.reply(clock=wire.clock).blocks(4)) == [b"abcd", b"efg"]
    assert wire.released == [True]


def test_a_slow_block_is_passed_on_before_it_is_full() -> None:
    """So that progress is seen and the cancel flag looked at while it comes."""
    wire = Trickle(b"a", b"b", b"c", b"d", b"e", seconds=0.3)
    assert list(wire.reply(clock=wire.clock).blocks(100)) == [b"abc", b"de"]


def test_what_came_before_a_break_is_used() -> None:
    """Its reader gets it, and hears of the break only then."""
    wire = Trickle(b"ab", b"c", breaks=True)
    blocks = wire.reply(clock=wire.clock).blocks(100)
    assert next(blocks) == b"abc"
    with pytest.raises(ConnectionLost):
        next(blocks)


def test_a_small_body_that_drips_is_given_up() -> None:
    """A byte a second keeps every timeout of the socket content, and not us (OCI-4.35)."""
    wire = Trickle(*(b"x" for _ in range(100)), seconds=1.0)
    with pytest.raises(Timeout):
        wire.reply(clock=wire.clock).finish(1000)
    assert wire.released == [False]
