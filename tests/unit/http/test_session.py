"""The transport as a whole; what both paths promise is tested on both."""

from __future__ import annotations

import base64
import json
import socket
import threading
from contextlib import closing, contextmanager, nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from harborsync import __version__
from harborsync.cancel import Cancel
from harborsync.credentials.base import Credential
from harborsync.endpoint import Endpoint
from harborsync.errors import (
    AddressRefused,
    Cancelled,
    ConnectionLost,
    InvalidValue,
    RateLimited,
    RegistryError,
    SizeMismatch,
    Timeout,
    TlsError,
)
from harborsync.events import Dispatcher, Event, RetryScheduled
from harborsync.http.session import open_transport
from harborsync.http.wire import Answer, Body, Call, Transport
from harborsync.limits import HostLimits
from harborsync.provider import OpenContext
from harborsync.retry import RetryPolicy
from harborsync.secrets import Secret
from harborsync.testing.scripted import Heard, Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harborsync.testing.clock import FakeClock

    Ask = Callable[[Transport, Call], Answer]

_LOGIN = Credential(username="user", secret=Secret("pa55word-marker"))
_FAST = HostLimits(connect_timeout=5, first_byte_timeout=0.3, patient_timeout=5, idle_timeout=0.3)


def _send(transport: Transport, call: Call) -> Answer:
    return transport.send(call)


def _stream(transport: Transport, call: Call) -> Answer:
    with transport.stream(call) as stream:
        answer = stream.answer
        body = answer.body or b"".join(stream.blocks())
    return Answer(
        method=answer.method,
        url=answer.url,
        status=answer.status,
        headers=answer.headers,
        body=body,
        diagnosis=answer.diagnosis,
    )


@pytest.fixture(params=[_send, _stream], ids=["thin", "broad"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Ask by either path."""
    found: Ask = request.param
    return found


def _get(url: str = "/v2/a", **more: Any) -> Call:
    return Call(method="GET", url=url, **more)


def _body(*blocks: bytes) -> Body:
    @contextmanager
    def open_it() -> Iterator[Iterator[bytes]]:
        yield iter(blocks)

    return Body(size=sum(map(len, blocks)), open=open_it)


# --- what is sent ----------------------------------------------------------------------------


def test_a_request_is_plain_and_complete(ask: Ask, serve: Any, open_to: Any) -> None:
    """Our name, no coding, nothing of requests' own, the target byte for byte."""
    server = serve(lambda heard: Said(body=b"hello"))
    target = "/v2/a?x=%2f|%7e[]{}&y"
    answer = ask(open_to(server), _get(target, headers={"Accept": "a/b"}))
    assert (answer.status, answer.body) == (200, b"hello")
    (heard,) = server.heard
    assert heard.target == target
    assert heard.headers == {
        "host": server.host,
        "user-agent": f"harborsync/{__version__}",
        "accept-encoding": "identity",
        "accept": "a/b",
    }


def test_a_coded_body_comes_as_it_is(ask: Ask, serve: Any, open_to: Any) -> None:
    """Nothing is decoded behind our back (OCI-4.29)."""
    server = serve(lambda heard: Said(headers=(("Content-Encoding", "gzip"),), body=b"not gzip"))
    assert ask(open_to(server), _get()).body == b"not gzip"


def test_connections_are_used_again(ask: Ask, serve: Any, open_to: Any) -> None:
    """Ten requests take one connection."""
    server = serve(lambda heard: Said(body=b"x" * 100))
    transport = open_to(server)
    for _ in range(10):
        ask(transport, _get())
    assert server.connections == 1


def test_a_connection_that_died_in_its_sleep_is_no_failure(
    ask: Ask, serve: Any, open_to: Any, clock: FakeClock
) -> None:
    """The request goes over a fresh one at once, without a wait."""
    server = serve(lambda heard: Said(body=b"x"))
    transport = open_to(server)
    ask(transport, _get())
    server.drop_connections()
    assert ask(transport, _get()).status == 200
    assert clock.slept == ()


def test_a_connection_that_dies_on_use_is_no_failure(
    ask: Ask, serve: Any, open_to: Any, clock: FakeClock
) -> None:
    """The server read the second request and hung up: asked again on a fresh connection."""

    def script(heard: Heard) -> Said | None:
        second = len(server.heard) == 2
        return None if second else Said(body=b"x")

    server: ScriptedServer = serve(script)
    transport = open_to(server)
    ask(transport, _get())
    assert ask(transport, _get()).status == 200
    assert (len(server.heard), clock.slept) == (3, ())


def test_cookies_are_not_kept(ask: Ask, serve: Any, open_to: Any) -> None:
    """A session of one answer is not that of the next (OCI-9.13)."""
    server = serve(lambda heard: Said(headers=(("Set-Cookie", "sid=1; Path=/"),)))
    transport = open_to(server)
    ask(transport, _get())
    ask(transport, _get())
    assert "cookie" not in server.heard[1].headers


def test_netrc_is_not_read(ask: Ask, serve: Any, open_to: Any, bare_environment: Path) -> None:
    """A login comes from our own sources only (OCI-2.23)."""
    (bare_environment / ".netrc").write_text("machine 127.0.0.1 login u password p\n")
    (bare_environment / ".netrc").chmod(0o600)
    server = serve(lambda heard: Said())
    ask(open_to(server), _get())
    assert "authorization" not in server.heard[0].headers


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_proxies_of_the_environment_are_not_used(
    ask: Ask, serve: Any, open_to: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Unless the endpoint says so."""
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    server = serve(lambda heard: Said())
    assert ask(open_to(server), _get()).status == 200


@pytest.mark.parametrize(
    "headers", [{"X": "a\r\nY: b"}, {"X": "a\x00"}, {"X": "€"}, {"X:Y": "a"}, {"": "a"}]
)
def test_headers_cannot_be_smuggled(
    ask: Ask, serve: Any, open_to: Any, headers: dict[str, str]
) -> None:
    """What would end a field early is refused before anything is sent (OCI-9.11)."""
    server = serve(lambda heard: Said())
    with pytest.raises(InvalidValue):
        ask(open_to(server), _get(headers=headers))
    assert server.heard == []


def test_a_small_body_is_sent_with_its_length(serve: Any, open_to: Any) -> None:
    """A body in memory goes the thin path; a POST without one says that it is empty."""
    server = serve(lambda heard: Said(status=201))
    transport = open_to(server)
    transport.send(Call(method="PUT", url="/v2/m", body=b"{}", headers={"Content-Type": "a/b"}))
    transport.send(Call(method="POST", url="/v2/u"))
    assert [heard.body for heard in server.heard] == [b"{}", b""]
    assert [heard.headers["content-length"] for heard in server.heard] == ["2", "0"]


def test_the_origin_can_be_another_than_the_endpoint(serve: Any, open_to: Any) -> None:
    """As docker.io is at registry-1.docker.io."""
    server = serve(lambda heard: Said())
    other = serve(lambda heard: Said())
    transport = open_to(other, origin=server.origin)
    transport.send(_get())
    assert transport.origin == server.origin
    assert (len(server.heard), len(other.heard)) == (1, 0)


def test_warnings_are_logged(serve: Any, open_to: Any, caplog: pytest.LogCaptureFixture) -> None:
    """And never obeyed (OCI-8.1)."""
    server = serve(lambda heard: Said(headers=(("Warning", '299 - "old"'),)))
    open_to(server).send(_get())
    assert f"{server.host} warns: old" in caplog.messages


# --- what comes back -------------------------------------------------------------------------


def test_any_status_is_an_answer(ask: Ask, serve: Any, open_to: Any) -> None:
    """A refusal comes with its explanation."""
    server = serve(lambda heard: Said(status=404, body=b"no such thing"))
    answer = ask(open_to(server), _get())
    assert (answer.status, answer.body) == (404, b"no such thing")


def test_a_refusal_is_read_up_to_a_limit(ask: Ask, serve: Any, open_to: Any) -> None:
    """64 KiB explain enough (OCI-7.1)."""
    server = serve(lambda heard: Said(status=404, body=b"x" * 200_000))
    assert len(ask(open_to(server), _get()).body) == 64 * 1024


def test_an_answer_longer_than_allowed_is_an_error(serve: Any, open_to: Any) -> None:
    """Half a document is none; nothing is allocated by a declared length (OCI-9.7)."""
    server = serve(lambda heard: Said(body=b"x" * 1001))
    transport = open_to(server)
    assert len(transport.send(_get(max_body=1001)).body) == 1001
    with pytest.raises(RegistryError, match="longer than 1000"):
        transport.send(_get(max_body=1000))


def test_a_lying_length_of_a_416_is_not_believed(ask: Ask, serve: Any, open_to: Any) -> None:
    """Distribution 2.8 announces the length of the blob (OCI-4.32)."""
    lie = Said(status=416, headers=(("Content-Length", "999999"),), body=b"short")
    server = serve(lambda heard: lie)
    assert ask(open_to(server), _get()).status == 416


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
    ids=["length", "chunk", "ssh", "nothing"],
)
def test_a_cut_answer_is_a_lost_connection(ask: Ask, serve: Any, open_to: Any, raw: bytes) -> None:
    """Where the cut is, and by which path, makes no difference (OCI-4.33)."""
    server = serve(lambda heard: Said(raw=raw, hang_up=True))
    with pytest.raises(ConnectionLost) as caught:
        ask(open_to(server, retry=RetryPolicy(attempts=1)), _get("/v2/a?sig=SECRET"))
    assert "SECRET" not in _everything_said(caught.value)


def test_a_cut_explanation_does_not_hide_a_refusal(ask: Ask, serve: Any, open_to: Any) -> None:
    """The status is what counts."""
    raw = b"HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\nonly this"
    server = serve(lambda heard: Said(raw=raw, hang_up=True))
    assert ask(open_to(server), _get()).status == 403


def test_silence_is_a_timeout(ask: Ask, serve: Any, open_to: Any) -> None:
    """Before the first byte, and within the body."""
    release = threading.Event()

    def script(heard: Heard) -> Said:
        if heard.path == "/late":
            release.wait(10)
        return Said(headers=(("Content-Length", "10"),), body=b"abc")

    server: ScriptedServer = serve(script)
    transport = open_to(server, limits=_FAST, retry=RetryPolicy(attempts=1))
    try:
        for path in ("/late", "/stalls"):
            with pytest.raises(Timeout):
                ask(transport, _get(path))
    finally:
        release.set()


def test_the_wait_within_a_body_is_not_that_for_its_beginning(
    ask: Ask, serve: Any, open_to: Any
) -> None:
    """A server may hash for minutes before it answers, and then not fall silent."""
    server = serve(lambda heard: Said(headers=(("Content-Length", "10"),), body=b"abc"))
    limits = HostLimits(first_byte_timeout=60, patient_timeout=60, idle_timeout=0.3)
    with pytest.raises(Timeout):
        ask(open_to(server, limits=limits, retry=RetryPolicy(attempts=1)), _get(patient=True))


def test_nobody_listening_is_a_lost_connection(ask: Ask, open_to: Any, closed_port: int) -> None:
    """The message names the host and not the whole URL."""
    host = f"127.0.0.1:{closed_port}"
    server = SimpleNamespace(host=host, origin=f"http://{host}")
    with pytest.raises(ConnectionLost) as caught:
        ask(open_to(server, retry=RetryPolicy(attempts=1)), _get("/v2/a?sig=SECRET"))
    assert server.host in caught.value.message
    assert "SECRET" not in _everything_said(caught.value)


def test_a_stream_yields_blocks_of_a_mebibyte(serve: Any, open_to: Any) -> None:
    """Large blocks are what makes requests as fast as a socket."""
    body = bytes(2 * 2**20 + 5)
    server = serve(lambda heard: Said(body=body))
    with open_to(server).stream(_get()) as stream:
        assert [len(block) for block in stream.blocks()] == [2**20, 2**20, 5]


def test_a_stream_left_early_gives_its_place_back(serve: Any, open_to: Any) -> None:
    """Twenty abandoned downloads do not use up five places."""
    server = serve(lambda heard: Said(body=bytes(10**6)))
    transport = open_to(server)
    for _ in range(20):
        with transport.stream(_get()) as stream:
            assert stream.answer.status == 200


def test_a_cut_stream_raises_in_the_middle(serve: Any, open_to: Any) -> None:
    """What came before the cut has been yielded; resuming is the reader's."""
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + bytes(2 * 2**20)
    server = serve(lambda heard: Said(raw=raw, hang_up=True))
    with open_to(server).stream(_get()) as stream:
        blocks = stream.blocks()
        came = len(next(blocks))
        with pytest.raises(ConnectionLost):
            list(blocks)
    assert came >= 2**20


# --- uploads -----------------------------------------------------------------------------------


def test_an_upload_has_a_length_and_no_chunks(serve: Any, open_to: Any) -> None:
    """Never a Transfer-Encoding, also not for an empty body (OCI-4.10, 11.6)."""
    server = serve(lambda heard: Said(status=201))
    transport = open_to(server)
    for blocks in ((b"abc", b"de"), (), (bytes(3 * 2**20),)):
        answer = transport.upload(Call(method="PUT", url="/v2/u?s=%2f"), _body(*blocks))
        assert answer.status == 201
        heard = server.heard[-1]
        assert heard.body == b"".join(blocks)
        assert heard.target == "/v2/u?s=%2f"
        assert "transfer-encoding" not in heard.headers


@pytest.mark.parametrize("size", [4, 6])
def test_content_of_another_length_is_not_sent_on(serve: Any, open_to: Any, size: int) -> None:
    """Shorter or longer than announced, the request is broken off."""
    server = serve(lambda heard: Said(status=201))
    body = Body(size=size, open=_body(b"12345").open)
    with pytest.raises(SizeMismatch):
        open_to(server).upload(Call(method="PUT", url="/v2/u"), body)


def test_a_failing_source_is_not_a_lost_connection(serve: Any, open_to: Any) -> None:
    """The side that failed is the one that is told."""

    def blocks() -> Iterator[bytes]:
        yield b"abc"
        raise PermissionError("the disk")

    @contextmanager
    def open_it() -> Iterator[Iterator[bytes]]:
        yield blocks()

    server = serve(lambda heard: Said(status=201))
    with pytest.raises(PermissionError, match="the disk"):
        open_to(server).upload(Call(method="PUT", url="/v2/u"), Body(size=9, open=open_it))


@pytest.mark.parametrize("status", [401, 413])
def test_an_early_refusal_of_an_upload_is_read(serve: Any, open_to: Any, status: int) -> None:
    """Although the server hung up while we were sending (OCI-7.13)."""
    server = serve(lambda heard: Said(status=status, body=b"no", hang_up=True))
    call = Call(method="PUT", url="/v2/u", headers={"X-Early": "1"})
    answer = open_to(server).upload(call, _body(*[bytes(2**20)] * 16))
    assert answer.status == status


def test_an_upload_is_never_repeated(serve: Any, open_to: Any) -> None:
    """Neither after a broken connection nor after 500."""
    server = serve(lambda heard: None if heard.path == "/v2/cut" else Said(status=500))
    transport = open_to(server)
    with pytest.raises(ConnectionLost):
        transport.upload(Call(method="PUT", url="/v2/cut"), _body(b"abc"))
    assert transport.upload(Call(method="PUT", url="/v2/u"), _body(b"abc")).status == 500
    assert len(server.heard) == 2


def test_an_upload_redirected_at_home_is_sent_again_from_the_start(
    serve: Any, open_to: Any
) -> None:
    """307 and 308 keep the method; the body is opened anew."""

    def script(heard: Heard) -> Said:
        if heard.path == "/v2/u":
            return Said(status=307, headers=(("Location", "/v2/w"),))
        return Said(status=201)

    server: ScriptedServer = serve(script)
    answer = open_to(server).upload(Call(method="PUT", url="/v2/u"), _body(b"abc"))
    assert (answer.status, server.heard[-1].path, server.heard[-1].body) == (201, "/v2/w", b"abc")


@pytest.mark.parametrize("status", [301, 302, 303])
def test_other_redirects_of_writing_are_answers(serve: Any, open_to: Any, status: int) -> None:
    """They would turn it into reading."""
    server = serve(lambda heard: Said(status=status, headers=(("Location", "/w"),)))
    transport = open_to(server)
    assert transport.upload(Call(method="PUT", url="/u"), _body(b"abc")).status == status
    assert transport.send(Call(method="POST", url="/u")).status == status


def test_an_upload_elsewhere_shows_no_login(serve: Any, open_to: Any) -> None:
    """A Location on another origin is not the registry (OCI-2.21)."""
    store = serve(lambda heard: Said(status=201))
    server = serve(_basic(lambda heard: Said()))
    transport = open_to(server, login=_LOGIN)
    transport.send(_get())
    transport.upload(Call(method="PUT", url=f"{store.origin}/u?sig=1"), _body(b"abc"))
    own = {"Authorization": "Basic own"}
    transport.send(Call(method="PUT", url=f"{store.origin}/u", headers=own))
    assert all("authorization" not in heard.headers for heard in store.heard)


@pytest.mark.parametrize("is_large", [True, False])
def test_content_goes_to_no_host_that_is_not_named(
    serve: Any, open_to: Any, is_large: bool
) -> None:
    """A registry may be made to send our layers to a stranger; reading may go there (OCI-9.3)."""
    server, store = serve(lambda heard: Said()), serve(lambda heard: Said(status=201))

    def at_home(host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002 - as getaddrinfo
        return socket.getaddrinfo("127.0.0.1", port, type=type)

    def send(transport: Any) -> int:
        url = f"http://store.example:{store.host.rpartition(':')[2]}/u?sig=SECRET"
        call = Call(method="PUT", url=url, body=None if is_large else b"abc")
        answer = transport.upload(call, _body(b"abc")) if is_large else transport.send(call)
        return int(answer.status)

    with pytest.raises(AddressRefused, match=r"another host, store\.example") as caught:
        send(open_to(server, resolve=at_home))
    assert "trusted_hosts=store.example" in str(caught.value.hint)
    assert store.heard == []
    assert send(open_to(server, "?trusted_hosts=store.example", resolve=at_home)) == 201


# --- logins --------------------------------------------------------------------------------------


def _basic(script: Callable[[Heard], Said]) -> Callable[[Heard], Said]:
    wanted = "Basic " + base64.b64encode(b"user:pa55word-marker").decode()

    def guarded(heard: Heard) -> Said:
        if heard.headers.get("authorization") != wanted:
            return Said(status=401, headers=(("WWW-Authenticate", 'Basic realm="x"'),))
        return script(heard)

    return guarded


def test_a_password_is_shown_when_asked_for_and_then_at_once(
    ask: Ask, serve: Any, open_to: Any
) -> None:
    """The first request learns how; the others need no second one."""
    server = serve(_basic(lambda heard: Said(body=b"in")))
    transport = open_to(server, login=_LOGIN)
    assert ask(transport, _get()).body == b"in"
    assert ask(transport, _get()).body == b"in"
    assert ["authorization" in heard.headers for heard in server.heard] == [False, True, True]


def test_a_token_is_fetched_once_and_used_from_the_start(
    ask: Ask, serve: Any, open_to: Any
) -> None:
    """A challenge, a token, and from then on the token (OCI-2.15)."""

    def script(heard: Heard) -> Said:
        if heard.path == "/token":
            return Said(body=b'{"token": "t0ken"}')
        if heard.headers.get("authorization") == "Bearer t0ken":
            return Said(body=b"in")
        challenge = 'Bearer realm="/token",service="s",scope="repository:a:pull"'
        return Said(status=401, headers=(("WWW-Authenticate", challenge),))

    server: ScriptedServer = serve(script)
    transport = open_to(server, login=_LOGIN)
    for _ in range(3):
        assert ask(transport, _get(scopes=("repository:a:pull",))).body == b"in"
    assert [heard.path for heard in server.heard] == ["/v2/a", "/token", "/v2/a", "/v2/a", "/v2/a"]
    asked = server.heard[1]
    assert asked.target == "/token?service=s&scope=repository:a:pull&account=user"
    assert asked.headers["authorization"].startswith("Basic ")


def test_an_upload_with_a_refused_token_gets_a_fresh_one_next_time(
    serve: Any, open_to: Any
) -> None:
    """A streamed body is not replayed; its token is not kept either (OCI-2.17)."""
    tokens = iter(["first", "second"])
    good = {"Bearer first"}

    def script(heard: Heard) -> Said:
        if heard.path == "/token":
            return Said(body=json.dumps({"token": next(tokens)}).encode())
        if heard.headers.get("authorization") in good:
            return Said(status=200)
        return Said(status=401, headers=(("WWW-Authenticate", 'Bearer realm="/token"'),))

    server: ScriptedServer = serve(script)
    transport = open_to(server)
    transport.send(_get())
    good = {"Bearer second"}
    assert transport.upload(Call(method="PUT", url="/v2/u"), _body(b"a")).status == 401
    assert transport.upload(Call(method="PUT", url="/v2/u"), _body(b"a")).status == 200


def test_a_callers_own_login_is_left_alone(serve: Any, open_to: Any) -> None:
    """And its refusal is an answer."""
    server = serve(_basic(lambda heard: Said()))
    call = _get(headers={"authorization": "Bearer own"})
    assert open_to(server, login=_LOGIN).send(call).status == 401
    assert [heard.headers["authorization"] for heard in server.heard] == ["Bearer own"]


def test_a_403_of_an_expired_login_is_answered_where_a_provider_says_so(
    serve: Any, open_to: Any
) -> None:
    """Elsewhere a 403 is about permission, and final (OCI-2.19)."""
    server = serve(lambda heard: Said(status=403, body=b"expired"))
    transport = open_to(server, login=_LOGIN)
    assert transport.send(_get()).status == 403
    assert len(server.heard) == 1


# --- redirects -----------------------------------------------------------------------------------


def test_a_redirect_elsewhere_drops_the_login_and_everything_of_ours(
    ask: Ask, serve: Any, open_to: Any
) -> None:
    """Only harmless fields go to a store; its query is kept byte for byte (OCI-4.26)."""
    store = serve(lambda heard: Said(body=b"blob"))
    location = f"{store.origin}/blob?X-Sig=%2f|SECRET"
    server = serve(_basic(lambda heard: Said(status=307, headers=(("Location", location),))))
    call = _get(headers={"Range": "bytes=0-", "X-Own": "1", "Accept": "*/*"})
    answer = ask(open_to(server, login=_LOGIN), call)
    assert answer.body == b"blob"
    assert answer.url == location
    assert "SECRET" not in repr(answer)
    (heard,) = store.heard
    assert heard.target == "/blob?X-Sig=%2f|SECRET"
    assert set(heard.headers) == {"host", "user-agent", "accept-encoding", "accept", "range"}


def test_a_redirect_elsewhere_may_be_refused(ask: Ask, serve: Any, open_to: Any) -> None:
    """By an option of the endpoint; the store is not spoken to."""
    store = serve(lambda heard: Said(body=b"blob"))
    location = f"{store.origin}/blob?X-Sig=SECRET"
    server = serve(lambda heard: Said(status=307, headers=(("Location", location),)))
    with pytest.raises(AddressRefused, match="redirects=refuse") as caught:
        ask(open_to(server, "?redirects=refuse"), _get())
    assert store.origin in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert store.heard == []


def test_a_redirect_at_home_keeps_the_login(ask: Ask, serve: Any, open_to: Any) -> None:
    """Relative locations are resolved."""

    def script(heard: Heard) -> Said:
        moved = Said(status=302, headers=(("Location", "../b"),), body=b"moved")
        return moved if heard.path == "/v2/x/a" else Said(body=b"here")

    server = serve(_basic(script))
    assert ask(open_to(server, login=_LOGIN), _get("/v2/x/a")).body == b"here"
    assert server.heard[-1].path == "/v2/b"
    assert "authorization" in server.heard[-1].headers


def test_the_login_does_not_come_back_home_by_a_detour(ask: Ask, serve: Any, open_to: Any) -> None:
    """Who was sent away returns as a stranger."""
    store = serve(lambda heard: Said(status=307, headers=(("Location", f"{server.origin}/b"),)))
    away = Said(status=307, headers=(("Location", f"{store.origin}/"),))
    served = _basic(lambda heard: away)
    server: ScriptedServer = serve(
        lambda heard: Said(body=b"b") if heard.path == "/b" else served(heard)
    )
    assert ask(open_to(server, login=_LOGIN), _get()).body == b"b"
    assert "authorization" not in server.heard[-1].headers


def test_circles_and_endless_ways_are_left(ask: Ask, serve: Any, open_to: Any) -> None:
    """After a repeat, or ten hops (OCI-9.10)."""

    def script(heard: Heard) -> Said:
        number = int(heard.path.rpartition("/")[2])
        following = 0 if heard.path.startswith("/circle") and number else number + 1
        there = heard.path.rpartition("/")[0]
        return Said(status=302, headers=(("Location", f"{there}/{following}"),))

    server: ScriptedServer = serve(script)
    transport = open_to(server)
    for path, count in (("/circle/0", 2), ("/on/0", 11)):
        with pytest.raises(AddressRefused, match="circle"):
            ask(transport, _get(path))
        assert len([h for h in server.heard if h.path[:3] == path[:3]]) == count


@pytest.mark.parametrize("location", ["", "ftp://x/", "http://user@127.0.0.1/", "/a\tb"])
def test_redirects_to_nowhere(ask: Ask, serve: Any, open_to: Any, location: str) -> None:
    """Without a Location the answer stands; a wrong one is refused."""
    server = serve(lambda heard: Said(status=302, headers=(("Location", location),)))
    if not location:
        assert ask(open_to(server), _get()).status == 302
        return
    with pytest.raises(AddressRefused):
        ask(open_to(server), _get())


# --- tries ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 522])
def test_a_failing_server_is_asked_again(
    ask: Ask, serve: Any, open_to: Any, clock: FakeClock, status: int
) -> None:
    """With waits between, each told to the listeners; the last answer is an answer."""
    events: list[Event] = []
    server = serve(lambda heard: Said(status=status, body=b"broken"))
    answer = ask(open_to(server, emit=Dispatcher([events.append])), _get(what="read a"))
    assert (answer.status, answer.body) == (status, b"broken")
    assert len(server.heard) == 3
    told = [event for event in events if isinstance(event, RetryScheduled)]
    assert [(event.attempt, event.operation) for event in told] == [(1, "read a"), (2, "read a")]
    assert [event.wait for event in told] == [wait for wait in clock.slept if wait]
    assert told[0].reason == f"status {status}"
    assert told[0].host == server.host


def test_a_broken_connection_is_tried_again(ask: Ask, serve: Any, open_to: Any) -> None:
    """Twice nothing, then an answer."""
    server: ScriptedServer = serve(lambda heard: None if len(server.heard) < 3 else Said(body=b"x"))
    assert ask(open_to(server), _get()).body == b"x"


def test_what_may_have_happened_is_not_sent_again(serve: Any, open_to: Any) -> None:
    """Neither after a broken connection nor after a 500."""
    server = serve(lambda heard: None if heard.path == "/cut" else Said(status=500))
    transport = open_to(server)
    with pytest.raises(ConnectionLost):
        transport.send(Call(method="POST", url="/cut", repeatable=False))
    assert transport.send(Call(method="POST", url="/v2/u", repeatable=False)).status == 500
    assert len(server.heard) == 2


def test_a_busy_host_is_left_alone_for_as_long_as_it_asks(
    ask: Ask, serve: Any, open_to: Any, clock: FakeClock
) -> None:
    """429 says that nothing was done, so even what may not be repeated is sent again."""

    def script(heard: Heard) -> Said:
        busy = Said(status=429, headers=(("Retry-After", "40"),))
        return busy if len(server.heard) == 1 else Said(body=b"x")

    server: ScriptedServer = serve(script)
    assert ask(open_to(server), _get(repeatable=False)).body == b"x"
    assert clock.monotonic() >= 40


def test_a_host_busy_to_the_end_is_an_error(ask: Ask, serve: Any, open_to: Any) -> None:
    """After the last try at a 429."""
    server = serve(lambda heard: Said(status=429, body=b"quota"))
    with pytest.raises(RateLimited, match="429"):
        ask(open_to(server), _get())


def test_too_long_a_pause_is_not_waited_for(
    ask: Ask, serve: Any, open_to: Any, clock: FakeClock
) -> None:
    """The error names the value."""
    server = serve(lambda heard: Said(status=503, headers=(("Retry-After", "3600"),)))
    with pytest.raises(RateLimited, match="3600 s") as caught:
        ask(open_to(server), _get())
    assert caught.value.retry_after == 3600
    assert caught.value.status == 503
    assert clock.slept == ()


def test_a_pause_holds_all_workers_of_a_host(serve: Any, open_to: Any, clock: FakeClock) -> None:
    """Also those of another transport to it, and those that sent no request yet (OCI-7.8)."""

    def script(heard: Heard) -> Said:
        busy = Said(status=429, headers=(("Retry-After", "40"),))
        return busy if heard.path == "/busy" else Said(body=b"x")

    server: ScriptedServer = serve(script)
    first, second = open_to(server), open_to(server)
    first.upload(Call(method="PUT", url="/busy"), _body(b"abc"))
    assert clock.monotonic() == 0
    second.send(_get())
    assert clock.monotonic() == 40


def test_a_used_up_quota_is_waited_for(serve: Any, open_to: Any, clock: FakeClock) -> None:
    """Before the host has to say no."""
    headers = (("RateLimit-Remaining", "0"), ("RateLimit-Reset", "20"))
    server: ScriptedServer = serve(
        lambda heard: Said(headers=headers if len(server.heard) == 1 else ())
    )
    transport = open_to(server)
    transport.send(_get())
    transport.send(_get())
    assert clock.monotonic() == 20


def test_the_deadline_ends_the_tries(ask: Ask, serve: Any, open_to: Any) -> None:
    """No try starts after it."""
    server = serve(lambda heard: Said(status=503, headers=(("Retry-After", "50"),)))
    policy = RetryPolicy(attempts=9, deadline=120.0)
    assert ask(open_to(server, retry=policy), _get()).status == 503
    assert len(server.heard) == 3


def test_a_cancelled_run_sends_nothing(ask: Ask, serve: Any, open_to: Any) -> None:
    """And waits for nothing."""
    cancel = Cancel()

    def script(heard: Heard) -> Said:
        cancel.set()
        return Said(status=500)

    server = serve(script)
    transport = open_to(server, cancel=cancel)
    with pytest.raises(Cancelled):
        ask(transport, _get())
    with pytest.raises(Cancelled):
        ask(transport, _get())
    assert len(server.heard) == 1


def test_the_pace_of_an_endpoint_is_kept(serve: Any, open_to: Any, clock: FakeClock) -> None:
    """Two requests a second."""
    server = serve(lambda heard: Said())
    transport = open_to(server, limits=HostLimits(requests_per_second=2))
    for _ in range(4):
        transport.send(_get())
    assert clock.monotonic() == 1.5


# --- limits --------------------------------------------------------------------------------------


def test_connections_never_exceed_the_limit(serve: Any, open_to: Any) -> None:
    """Small requests, downloads and uploads of many threads together, at the same host."""
    server = serve(lambda heard: Said(body=b"x" * 1000))
    one, two = (open_to(server, "?connections=4&large=2") for _ in range(2))

    def work(transport: Transport) -> None:
        for _ in range(5):
            transport.send(_get())
            _stream(transport, _get())
            transport.upload(Call(method="PUT", url="/v2/u"), _body(b"abc"))

    threads = [threading.Thread(target=work, args=(each,)) for each in (one, two) * 6]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.heard) == 180
    assert server.most_open <= 4


def test_a_copy_within_one_host_does_not_wait_for_itself(serve: Any, open_to: Any) -> None:
    """Every download may be waiting for an upload, and one upload is always let through."""
    server = serve(lambda heard: Said(body=bytes(100_000)))
    transport = open_to(server, "?connections=4&large=2")

    def copy() -> None:
        with transport.stream(_get()) as stream:
            body = Body(size=100_000, open=lambda: _once(stream.blocks()))
            assert transport.upload(Call(method="PUT", url="/v2/u"), body).status == 200

    threads = [threading.Thread(target=copy, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)


@contextmanager
def _once(blocks: Iterator[bytes]) -> Iterator[Iterator[bytes]]:
    yield blocks


def test_transports_to_one_host_share_their_connections(serve: Any, open_to: Any) -> None:
    """The last one to leave closes them; closing twice is once."""
    server = serve(lambda heard: Said())
    first, second = open_to(server), open_to(server)
    first.send(_get())
    first.close()
    first.close()
    second.send(_get())
    assert server.connections == 1
    second.close()
    open_to(server).send(_get())
    assert server.connections == 2


def test_other_options_are_another_pool(serve: Any, open_to: Any) -> None:
    """Connections of another TLS identity or proxy are never reused (OCI-9.14)."""
    server = serve(lambda heard: Said())
    open_to(server).send(_get())
    open_to(server, "?trusted_hosts=a.example").send(_get())
    assert server.connections == 2


# --- TLS and proxies -------------------------------------------------------------------------------


def test_tls_is_verified_with_the_endpoints_own_ca(
    ask: Ask, serve: Any, open_to: Any, authority: Any
) -> None:
    """Without it the certificate is refused, and repeating does not help."""
    server = serve(lambda heard: Said(body=bytes(300_000)), tls=authority.server())
    assert len(ask(open_to(server, f"?ca={authority.file}"), _get()).body) == 300_000
    with pytest.raises(TlsError, match="certificate"):
        ask(open_to(server), _get("/v2/a?sig=SECRET"))
    assert len(server.heard) == 1


def test_a_certificate_for_another_host_is_refused(
    ask: Ask, serve: Any, open_to: Any, authority: Any
) -> None:
    """The CA alone is not enough."""
    server = serve(lambda heard: Said(), tls=authority.server("other.example"))
    with pytest.raises(TlsError):
        ask(open_to(server, f"?ca={authority.file}"), _get())


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_ca_bundles_of_the_environment_are_not_trusted(
    ask: Ask,
    serve: Any,
    open_to: Any,
    authority: Any,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """What requests would do, and they would even beat our own (OCI-2.23)."""
    monkeypatch.setenv(name, str(authority.file))
    server = serve(lambda heard: Said(), tls=authority.server())
    with pytest.raises(TlsError):
        ask(open_to(server), _get())


def test_insecure_is_possible_and_said_aloud_once(
    ask: Ask,
    serve: Any,
    open_to: Any,
    authority: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By explicit choice only, and without a Python warning for each request."""
    server = serve(lambda heard: Said(body=b"x"), tls=authority.server("other.example"))
    for _ in range(2):
        assert ask(open_to(server, "?insecure=true"), _get()).body == b"x"
    said = [text for text in caplog.messages if "not verified" in text]
    assert len(said) == 1
    assert server.host in said[0]


def test_a_client_certificate_is_shown(ask: Ask, serve: Any, open_to: Any, authority: Any) -> None:
    """A server that wants one gets it."""
    cert, key = authority.client()
    server = serve(lambda heard: Said(body=b"x"), tls=authority.wanting_clients())
    options = f"?ca={authority.file}&cert={cert}&key={key}"
    assert ask(open_to(server, options), _get()).body == b"x"
    with pytest.raises((TlsError, ConnectionLost)):
        ask(open_to(server, f"?ca={authority.file}"), _get())


def test_tls_blocks_are_a_quarter_of_a_mebibyte(serve: Any, open_to: Any, authority: Any) -> None:
    """Larger ones fall out of the processor's cache."""
    server = serve(lambda heard: Said(body=bytes(300_000)), tls=authority.server())
    with open_to(server, f"?ca={authority.file}").stream(_get()) as stream:
        assert next(iter(stream.blocks())) == bytes(256 * 1024)


def test_plain_http_goes_through_a_proxy_in_absolute_form(
    ask: Ask, serve: Any, open_to: Any
) -> None:
    """The target stays byte for byte, Host is that of the registry."""
    proxy = serve(lambda heard: Said(body=b"by proxy"))
    server = serve(lambda heard: Said())
    answer = ask(open_to(server, f"?proxy=http://{proxy.host}"), _get("/v2/a?x=%2f"))
    assert answer.body == b"by proxy"
    (heard,) = proxy.heard
    assert heard.target == f"http://{server.host}/v2/a?x=%2f"
    assert heard.headers["host"] == server.host
    assert server.heard == []


def test_a_proxy_login_of_the_environment_is_shown_to_the_proxy_only(
    ask: Ask, serve: Any, open_to: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For plain http with each request."""
    proxy = serve(lambda heard: Said())
    server = serve(lambda heard: Said())
    monkeypatch.setenv("http_proxy", f"http://me:secret@{proxy.host}")
    ask(open_to(server, "?proxy=env"), _get())
    assert proxy.heard[0].headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"


def test_https_goes_through_a_tunnel(
    ask: Ask, serve: Any, open_to: Any, authority: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy sees the host, its own login and nothing else."""
    server = serve(lambda heard: Said(body=b"inside"), tls=authority.server())
    proxy = serve(lambda heard: Said(tunnel=("127.0.0.1", server.port)))
    monkeypatch.setenv("https_proxy", f"http://me:secret@{proxy.host}")
    transport = open_to(server, f"?proxy=env&ca={authority.file}")
    assert ask(transport, _get()).body == b"inside"
    (heard,) = proxy.heard
    assert (heard.method, heard.target) == ("CONNECT", server.host)
    assert heard.headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"
    assert "proxy-authorization" not in server.heard[0].headers


def test_a_proxy_that_refuses_is_a_lost_connection(
    ask: Ask, serve: Any, open_to: Any, authority: Any
) -> None:
    """The message says who refused."""
    proxy = serve(lambda heard: Said(status=407))
    server = serve(lambda heard: Said(), tls=authority.server())
    with pytest.raises(ConnectionLost, match="proxy"):
        ask(open_to(server, f"?proxy=http://{proxy.host}"), _get())


def test_a_wrong_option_is_found_at_opening() -> None:
    """Before any request."""
    for query in ("insecure=perhaps", "ca=/nowhere/ca.pem"):
        with pytest.raises(InvalidValue):
            open_transport(Endpoint.parse(f"registry://r.example?{query}"), OpenContext())


def _everything_said(error: BaseException) -> str:
    """Return all that a log of the exception and its causes could show."""
    seen: list[str] = []
    current: BaseException | None = error
    while current is not None:
        seen += [str(current), repr(current)]
        current = current.__cause__ or current.__context__
    return "\n".join(seen)


def test_content_of_an_https_registry_never_goes_out_in_the_clear() -> None:
    """A Location may lead an upload to another host, but not from https to http (OCI-9.1, 9.3)."""

    def never(*_: object, **__: object) -> list[tuple[Any, ...]]:
        raise AssertionError

    transport = open_transport(Endpoint.parse("r.example"), OpenContext(), resolve=never)
    call = Call(method="PUT", url="http://storage.example/upload?sig=hunter2")
    body = Body(size=1, open=lambda: nullcontext(iter((b"x",))))
    with closing(transport):
        with pytest.raises(AddressRefused, match="from https to plain http") as caught:
            transport.send(call)
        with pytest.raises(AddressRefused, match="from https to plain http"):
            transport.upload(call, body)
    assert "hunter2" not in str(caught.value)
