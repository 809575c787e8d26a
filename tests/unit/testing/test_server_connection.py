"""A connection to the embedded registry, seen on a bare socket."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.testing import faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.testing import LoopbackRegistry

UPLOADS = "/v2/a/blobs/uploads/"
BODY = b"x" * 10


class Plain:
    """A bare connection."""

    def __init__(self, host: str) -> None:
        address, port = host.split(":")
        self._socket = socket.create_connection((address, int(port)), timeout=20)
        self._file = self._socket.makefile("rb")

    def say(self, *lines: str, body: bytes = b"") -> None:
        """Send lines, an empty one, and a body."""
        self._socket.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode() + body)

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._socket.sendall(data)

    def end(self) -> None:
        """Say nothing more."""
        self._socket.shutdown(socket.SHUT_WR)

    def head(self) -> list[str]:
        """Read the head of an answer."""
        lines: list[str] = []
        while line := self._file.readline().decode().rstrip():
            lines.append(line)
        return lines

    def rest(self) -> bytes:
        """Read until the server ends the connection."""
        return self._file.read()

    def close(self) -> None:
        """End the connection."""
        self._file.close()
        self._socket.close()


@pytest.fixture
def plain(server: LoopbackRegistry) -> Iterator[Plain]:
    """Return a bare connection to ``server``."""
    connection = Plain(server.host)
    yield connection
    connection.close()


@pytest.fixture
def session(client: Any) -> str:
    """Return the Location of an upload session."""
    location: str = client("POST", UPLOADS).headers["Location"]
    return location


def test_silence_ends_the_connection(plain: Plain, server: LoopbackRegistry) -> None:
    """There is no answer and nothing in the log."""
    plain.end()
    assert plain.rest() == b""
    assert server.requests == ()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"\r\n", id="an empty line"),
        pytest.param(b"hello\r\n\r\n", id="no HTTP"),
        pytest.param(b"GET / HTTP/2\r\n\r\n", id="another version"),
        pytest.param(b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", id="no length"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", id="the beginning of TLS"),
    ],
)
def test_what_is_no_request_is_refused_at_once(
    plain: Plain, server: LoopbackRegistry, said: bytes
) -> None:
    """Clients that try TLS first learn that there is none; nothing is logged."""
    plain.send(said)
    assert plain.head()[0] == "HTTP/1.1 400 Bad Request"
    assert plain.rest() == b""
    assert server.requests == ()


def test_a_client_of_old_is_served(plain: Plain) -> None:
    """HTTP/1.0 means one request to a connection."""
    plain.say("GET /v2/ HTTP/1.0")
    assert plain.rest().endswith(b"{}")


def test_who_wants_to_go_is_let_go(plain: Plain) -> None:
    """After Connection: close the server says the same and ends."""
    plain.say("GET /v2/ HTTP/1.1", "Connection: close")
    answer = plain.rest()
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"{}")


def test_requests_can_follow_without_waiting(plain: Plain) -> None:
    """Two requests sent at once get two answers in order."""
    plain.say("GET /v2/ HTTP/1.1", "", "GET /v2/_catalog HTTP/1.1", "Connection: close")
    answer = plain.rest()
    assert answer.index(b"{}") < answer.index(b"repositories")


def test_a_repeated_header_is_one(plain: Plain, server: LoopbackRegistry) -> None:
    """Lines of one name are joined by commas."""
    plain.say("GET /v2/ HTTP/1.1", "Accept: a/b", "accept: c/d", "Connection: close")
    plain.rest()
    assert server.requests[0].headers["accept"] == "a/b, c/d"


def test_a_whole_url_is_a_target(plain: Plain) -> None:
    """Clients of proxies send one."""
    plain.say("GET http://registry.example/v2/ HTTP/1.1", "Connection: close")
    assert plain.head()[0] == "HTTP/1.1 200 OK"


def test_a_patient_client_is_told_to_go_on(plain: Plain, session: str) -> None:
    """Who expects 100 gets it when the body is wanted."""
    plain.say(f"PATCH {session} HTTP/1.1", "Content-Length: 10", "Expect: 100-continue")
    assert plain.head() == ["HTTP/1.1 100 Continue"]
    plain.send(BODY)
    assert plain.head()[0] == "HTTP/1.1 202 Accepted"


def test_a_patient_client_is_spared_its_body(plain: Plain) -> None:
    """Where the body is not wanted, the answer comes at once and the connection ends."""
    plain.say("PATCH /nowhere HTTP/1.1", "Content-Length: 10", "Expect: 100-continue")
    assert b"404" in plain.rest()  # which ends although the client has not


def test_a_long_body_nobody_wants_ends_the_connection(plain: Plain) -> None:
    """It is not read to its end, and the answer says so."""
    plain.say("PATCH /nowhere HTTP/1.1", f"Content-Length: {2**30}")
    plain.send(bytes(2**20))
    assert "Connection: close" in plain.head()
    plain.send(bytes(2**20))  # no reset: the answer can be read by who is still sending
    plain.end()


def test_a_short_body_nobody_wants_is_skipped(plain: Plain) -> None:
    """The next request is found behind it, whatever its form."""
    chunks = b"5\r\nxxxxx\r\n0\r\n\r\n"
    plain.say("PATCH /nowhere HTTP/1.1", "Content-Length: 10", body=BODY)
    plain.say("PATCH /nowhere HTTP/1.1", "Transfer-Encoding: chunked", body=chunks)
    plain.say("GET /v2/ HTTP/1.1", "Connection: close")
    answers = plain.rest()
    assert answers.count(b"HTTP/1.1 404") == 2
    assert answers.endswith(b"{}")


def test_a_chunked_body_has_extensions_and_trailers(
    plain: Plain, session: str, server: LoopbackRegistry
) -> None:
    """All of its form is understood."""
    plain.say(
        f"PATCH {session} HTTP/1.1",
        "Transfer-Encoding: chunked",
        "Connection: close",
        body=b"5;ext=1\r\nxxxxx\r\n5\r\nxxxxx\r\n0\r\nTrailer: a\r\n\r\n",
    )
    assert plain.head()[0] == "HTTP/1.1 202 Accepted"
    assert server.requests[-1].bytes_in == 10


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        pytest.param(["Content-Length: 20"], BODY, id="length"),
        pytest.param(["Transfer-Encoding: chunked"], b"a\r\nxxx", id="chunk"),
        pytest.param(["Transfer-Encoding: chunked"], b"oops\r\n", id="no chunk"),
    ],
)
def test_a_body_that_ends_early_gets_no_answer(
    plain: Plain, session: str, fields: list[str], body: bytes
) -> None:
    """The client is gone; what came is kept in the session."""
    plain.say(f"PATCH {session} HTTP/1.1", *fields, body=body)
    plain.end()
    assert plain.rest() == b""


def test_an_unknown_status_has_no_phrase(make: Callable[..., LoopbackRegistry]) -> None:
    """Any number can be answered."""
    connection = Plain(make(faults=lambda _: faults.status(599)).host)
    connection.say("GET /v2/ HTTP/1.1")
    assert connection.head()[0] == "HTTP/1.1 599 Unknown"
    connection.close()


@pytest.mark.parametrize("fault", [faults.stall(1000), faults.cut_response(1000)])
def test_an_answer_that_ends_before_its_fault_is_in_the_log_once_it_is_read(
    make: Callable[..., LoopbackRegistry], talk: Any, fault: faults.Fault
) -> None:
    """Whoever has the whole of it may look, although the connection has yet to end."""
    server = make(faults=lambda _: fault)
    digest = server.storage.put_blob("a", BODY)
    assert talk(server)("GET", f"/v2/a/blobs/{digest}").body == BODY
    assert [request.bytes_out for request in server.requests] == [len(BODY)]


def test_a_request_knows_its_query(client: Any, server: LoopbackRegistry) -> None:
    """It is logged as it was sent, and the path is decoded."""
    client("GET", "/v2/a%2Fb/tags/list?n=1&last=%41")
    logged = server.requests[0]
    assert (logged.path, logged.query) == ("/v2/a/b/tags/list", "n=1&last=%41")


def test_logins_are_masked_in_the_log(client: Any, server: LoopbackRegistry) -> None:
    """The scheme is kept, for tests that look whether and how a login was sent."""
    client("GET", "/v2/", Authorization="Bearer very-secret", Cookie="sid=very-secret")
    logged = server.requests[0]
    assert logged.headers["authorization"] == "Bearer ***"
    assert "very-secret" not in repr(logged)
