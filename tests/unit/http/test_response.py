"""Answers read from a kept connection."""

from __future__ import annotations

import http.client
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harborsync.http.response import Inbox, Response

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give a connection's two ends."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    yield ours, theirs
    ours.close()
    theirs.close()


def said(raw: bytes, method: str = "GET") -> tuple[Response, Inbox]:
    """Return how an answer reads whose sender then hangs up."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        theirs.sendall(raw)
        theirs.shutdown(socket.SHUT_WR)
        inbox = Inbox(ours)
        response = Response(inbox, method)
        response.body = whole(response)  # type: ignore[attr-defined]  # read while it is open
        return response, inbox


def whole(response: Response) -> bytes:
    """Read a body to its end, a few bytes at a time."""
    found = b""
    while piece := response.read(7):
        found += piece
    return found


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("raw", "method", "body", "keeps"),
    [
        (OK + b"Content-Length: 10\r\n\r\n0123456789", "GET", b"0123456789", True),
        (OK + b"Content-Length: 10\r\n\r\n", "HEAD", b"", True),
        (b"HTTP/1.1 204 No\r\n\r\n", "GET", b"", True),
        (b"HTTP/1.1 304\r\nContent-Length: 5\r\n\r\n", "GET", b"", True),
        (OK + b"\r\nuntil the end", "GET", b"until the end", False),
        (OK + b"Content-Length: 2\r\nConnection: Close\r\n\r\nab", "GET", b"ab", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", "GET", b"ab", False),
        (
            b"HTTP/1.0 200 OK\nConnection: keep-alive\nContent-Length: 2\n\nab",
            "GET",
            b"ab",
            True,
        ),
        (
            OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\nA;x=y\r\n0123456789\r\n"
            b"0\r\nTrailer: 1\r\n\r\n",
            "GET",
            b"012340123456789",
            True,
        ),
        (
            OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\na\r\n0\r\n\r\n",
            "GET",
            b"a",
            False,
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na", "PUT", b"a", True),
    ],
)
def test_bodies_end_where_they_should(raw: bytes, method: str, body: bytes, keeps: bool) -> None:
    """By length, by chunks, by the end, or without any; and the connection's fate is told."""
    response, inbox = said(raw, method)
    assert response.body == body  # type: ignore[attr-defined]  # set by said()
    assert response.keeps is keeps
    assert inbox.is_empty


def test_fields_are_read_as_they_stand() -> None:
    """Values lose their blanks, folded lines become one, repeated fields stay apart."""
    response, _ = said(OK + b"A: 1\r\nb:  2 \r\nA: 3\r\nC: x\r\n\ty\r\nContent-Length: 0\r\n\r\n")
    headers = response.headers
    assert (headers.all("a"), headers.all("d")) == (("1", "3"), ())
    assert [headers.get(name) for name in ("B", "c", "content-length")] == ["2", "x y", "0"]


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", http.client.RemoteDisconnected),
        (b"HTTP/1.1 200 OK\r\nA: 1\r\n", http.client.IncompleteRead),
        (b"SSH-2.0-OpenSSH\r\n\r\n", http.client.BadStatusLine),
        (b"HTTP/2 200\r\n\r\n", http.client.BadStatusLine),
        (OK + b"no colon\r\n\r\n", http.client.HTTPException),
        (OK + b"Name : x\r\n\r\n", http.client.HTTPException),
        (OK + b": x\r\n\r\n", http.client.HTTPException),
        (OK + b"Content-Length: +5\r\n\r\n01234", http.client.HTTPException),
        (OK + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", http.client.HTTPException),
        (OK + b"Content-Length: 9\r\n\r\n0123", http.client.IncompleteRead),
        (OK + b"Transfer-Encoding: gzip\r\n\r\n", http.client.HTTPException),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", http.client.HTTPException),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n01", http.client.IncompleteRead),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5", http.client.IncompleteRead),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 20_000, http.client.LineTooLong),
        (
            OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: 1\r\n" * 300,
            http.client.HTTPException,
        ),
        (OK + b"A: " + b"x" * 100_000, http.client.LineTooLong),
        (OK + b"A: 1\r\n" * 300 + b"\r\n", http.client.HTTPException),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20, http.client.HTTPException),
    ],
)
def test_what_is_no_answer_is_refused(raw: bytes, error: type[Exception]) -> None:
    """Nothing is guessed, and nothing grows without end."""
    with pytest.raises(error):
        said(raw)


def test_the_next_answer_begins_where_the_last_one_ended(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """Two answers in one packet are two answers."""
    ours, theirs = ends
    theirs.sendall((OK + b"Content-Length: 3\r\n\r\nabc") * 2)
    inbox = Inbox(ours)
    assert whole(Response(inbox, "GET")) == b"abc"
    assert not inbox.is_empty
    assert whole(Response(inbox, "GET")) == b"abc"
    assert inbox.is_empty


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6), st.data())
def test_chunks_add_up_however_they_come(chunks: list[bytes], data: st.DataObject) -> None:
    """A chunked body is the sum of its chunks, wherever the packets are cut."""
    coded = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    raw = OK + b"Transfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\n\r\n"
    cut = data.draw(st.integers(min_value=0, max_value=len(raw)))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(raw[:cut])
        theirs.sendall(raw[cut:])
        assert whole(Response(Inbox(ours), "GET")) == b"".join(chunks)
