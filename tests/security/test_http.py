"""What a hostile registry, store or token server tries, and what comes of it (OCI-9).

Every attack is made on both paths of the cable.
"""

from __future__ import annotations

import gc
import logging
import random
import socket
import ssl
import warnings
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from harborsync.credentials.base import Credential, Kind
from harborsync.endpoint import Endpoint
from harborsync.errors import (
    AddressRefused,
    ConnectionLost,
    HarborsyncError,
    InvalidValue,
    RegistryError,
    TlsError,
)
from harborsync.events import Dispatcher, Event
from harborsync.http.answers import error_from
from harborsync.http.session import open_transport
from harborsync.http.wire import Answer, Body, Call, Transport
from harborsync.provider import OpenContext
from harborsync.retry import RetryPolicy
from harborsync.secrets import Secret
from harborsync.testing.clock import FakeClock
from harborsync.testing.scripted import Heard, Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Ask = Callable[[Transport, Call], Answer]

_MARK = "planted-secret-0123456789"
_LOGIN = Credential(username="user", secret=Secret(_MARK))
_METADATA = ["169.254.169.254", "100.100.100.200", "[::ffff:169.254.169.254]", "[fd00:ec2::254]"]


class OneLogin:
    """Knows one login."""

    def get(self, host: str, repository: str = "") -> Credential | None:
        """Return it."""
        return _LOGIN


def _send(transport: Transport, call: Call) -> Answer:
    return transport.send(call)


def _stream(transport: Transport, call: Call) -> Answer:
    with transport.stream(call) as stream:
        for _ in stream.blocks():
            pass
        return stream.answer


@pytest.fixture(params=[_send, _stream], ids=["thin", "broad"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Ask by either path."""
    found: Ask = request.param
    return found


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Close at the end what was opened."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def serve(stack: ExitStack) -> Callable[..., ScriptedServer]:
    """Start servers."""
    return lambda script, **more: stack.enter_context(ScriptedServer(script, **more))


@pytest.fixture
def open_to(stack: ExitStack) -> Callable[..., Transport]:
    """Open transports with a login."""

    def open_one(server: ScriptedServer, options: str = "", **more: Any) -> Transport:
        word = "registry" if server.origin.startswith("https") else "registry+http"
        context = OpenContext(
            clock=FakeClock(),
            credentials=OneLogin(),
            retry=RetryPolicy(attempts=2),
            rng=random.Random(1),
            emit=more.pop("emit", Dispatcher()),
        )
        endpoint = Endpoint.parse(f"{word}://{server.host}{options}")
        transport = open_transport(endpoint, context, **more)
        stack.callback(transport.close)
        return transport

    return open_one


def _get(url: str = "/v2/a", **more: Any) -> Call:
    return Call(method="GET", url=url, **more)


def _moved(location: str, status: int = 307) -> Said:
    return Said(status=status, headers=(("Location", location),))


def _challenged(realm: str) -> Said:
    return Said(status=401, headers=(("WWW-Authenticate", f'Bearer realm="{realm}",service="s"'),))


def _body() -> Body:
    @contextmanager
    def open_it() -> Iterator[Iterator[bytes]]:
        yield iter([b"abc"])

    return Body(size=3, open=open_it)


# --- where we are pointed to (OCI-9.1) ---------------------------------------------------------


@pytest.mark.parametrize("host", _METADATA)
def test_a_redirect_to_a_metadata_service_is_refused(
    ask: Ask, serve: Any, open_to: Any, host: str
) -> None:
    """No cloud's own login is fetched for a stranger, also not with trust by name."""
    server = serve(lambda heard: _moved(f"http://{host}/latest/meta-data"))
    transport = open_to(server, "?trusted_hosts=169.254.169.254,100.100.100.200")
    with pytest.raises(AddressRefused):
        ask(transport, _get())


@pytest.mark.parametrize("host", _METADATA)
def test_a_token_server_at_a_metadata_service_is_refused(
    ask: Ask, serve: Any, open_to: Any, host: str
) -> None:
    """Whether it would be asked with a login or without."""
    server = serve(lambda heard: _challenged(f"http://{host}/token"))
    with pytest.raises(AddressRefused):
        ask(open_to(server), _get())
    with pytest.raises(AddressRefused):
        ask(open_to(server, f"?trusted_realms={host}"), _get())


@pytest.mark.parametrize("host", _METADATA)
def test_an_upload_to_a_metadata_service_is_refused(serve: Any, open_to: Any, host: str) -> None:
    """A Location is a server's word as any other (OCI-9.3)."""
    server = serve(lambda heard: Said())
    transport = open_to(server)
    transport.send(_get())
    for send in (
        lambda call: transport.upload(call, _body()),
        transport.send,
    ):
        with pytest.raises(AddressRefused):
            send(Call(method="PUT", url=f"http://{host}/u?digest=x"))


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "::ffff:169.254.169.254", "100.100.100.200", "10.0.0.1"]
)
def test_a_name_that_resolves_to_a_forbidden_address_is_refused(
    ask: Ask, serve: Any, open_to: Any, address: str
) -> None:
    """The address counts, not the name; a loopback registry opens no private network."""

    def resolve(host: str, port: int, **more: Any) -> list[tuple[Any, ...]]:
        where = address if host == "cdn.example" else host
        return socket.getaddrinfo(where, port, type=socket.SOCK_STREAM)

    server = serve(lambda heard: _moved("http://cdn.example/blob"))
    with pytest.raises(AddressRefused, match=r"cdn\.example"):
        ask(open_to(server, resolve=resolve), _get())


def test_an_endpoint_that_is_itself_a_metadata_service_is_refused(
    ask: Ask, serve: Any, open_to: Any
) -> None:
    """Not even the user's own word sends a registry's requests there."""
    server = serve(lambda heard: Said())
    with pytest.raises(AddressRefused):
        ask(open_to(server, origin="http://169.254.169.254"), _get())


# --- who sees a login (OCI-9.2) ----------------------------------------------------------------


def test_a_redirect_to_another_origin_drops_the_token(ask: Ask, serve: Any, open_to: Any) -> None:
    """Another port of the same host is another origin (GHSA-vh4v-2xq2-g5cg)."""
    store = serve(lambda heard: Said(body=b"blob"))

    def script(heard: Heard) -> Said:
        if heard.path == "/token":
            return Said(body=b'{"token": "the-token"}')
        if heard.headers.get("authorization") == "Bearer the-token":
            return _moved(f"{store.origin}/blob")
        return _challenged("/token")

    server = serve(script)
    ask(open_to(server), _get())
    assert "authorization" in server.heard[-1].headers
    assert all("authorization" not in heard.headers for heard in store.heard)


def test_an_upload_elsewhere_gets_no_token(serve: Any, open_to: Any) -> None:
    """CVE-2026-50151: the header of the first request went to any Location."""
    store = serve(lambda heard: Said(status=201))
    server = serve(lambda heard: Said(status=202))
    transport = open_to(server)
    transport.send(Call(method="POST", url="/v2/a/blobs/uploads/"))
    transport.upload(Call(method="PUT", url=f"{store.origin}/u?digest=x"), _body())
    assert [heard.headers.get("authorization") for heard in store.heard] == [None]


def test_a_token_server_on_another_host_sees_no_password(
    ask: Ask, serve: Any, open_to: Any
) -> None:
    """Nor does it hear of us at all."""
    thief = serve(lambda heard: Said(body=b'{"token": "x"}'))
    server = serve(lambda heard: _challenged(f"http://localhost:{thief.port}/token"))
    with pytest.raises(AddressRefused, match="trusted_realms=localhost"):
        ask(open_to(server), _get())
    assert thief.heard == []


def test_a_token_server_that_redirects_is_not_followed(ask: Ask, serve: Any, open_to: Any) -> None:
    """Neither with the password nor without."""
    thief = serve(lambda heard: Said(body=b'{"token": "x"}'))

    def script(heard: Heard) -> Said:
        return _moved(f"{thief.origin}/t") if heard.path == "/token" else _challenged("/token")

    with pytest.raises(RegistryError):
        ask(open_to(serve(script)), _get())
    assert thief.heard == []


def test_an_https_registry_cannot_have_a_plain_http_token_server(
    ask: Ask, serve: Any, open_to: Any, authority: tuple[ssl.SSLContext, Path]
) -> None:
    """The password would go in the clear."""
    tls, ca = authority
    clear = serve(lambda heard: Said(body=b'{"token": "x"}'))
    server = serve(lambda heard: _challenged(f"http://127.0.0.1:{clear.port}/t"), tls=tls)
    with pytest.raises(AddressRefused, match="plain http"):
        ask(open_to(server, f"?ca={ca}&trusted_realms=127.0.0.1"), _get())
    assert clear.heard == []


def test_netrc_and_cookies_add_nothing(
    ask: Ask, serve: Any, open_to: Any, bare_environment: Path
) -> None:
    """Neither of requests' helpful habits is on (OCI-2.23, 9.13)."""
    netrc = bare_environment / ".netrc"
    netrc.write_text("machine 127.0.0.1 login thief password thief\n")
    netrc.chmod(0o600)
    server = serve(lambda heard: Said(headers=(("Set-Cookie", f"sid={_MARK}; Path=/"),)))
    transport = open_to(server)
    for _ in range(2):
        ask(transport, _get())
    assert all("authorization" not in heard.headers for heard in server.heard)
    assert all("cookie" not in heard.headers for heard in server.heard)


# --- ways that do not end or lead down (OCI-9.1, 9.10) ---------------------------------------------


def test_https_is_never_left_for_http(
    ask: Ask, serve: Any, open_to: Any, authority: tuple[ssl.SSLContext, Path]
) -> None:
    """Not on another host and not on the same one."""
    tls, ca = authority
    clear = serve(lambda heard: Said())
    server = serve(lambda heard: _moved(f"http://127.0.0.1:{clear.port}/x"), tls=tls)
    with pytest.raises(AddressRefused, match="from https to plain http"):
        ask(open_to(server, f"?ca={ca}"), _get())
    assert clear.heard == []


def test_redirects_end(ask: Ask, serve: Any, open_to: Any) -> None:
    """A server that always knows a further address is left after ten."""
    server = serve(lambda heard: _moved(f"{heard.target}x", 302))
    with pytest.raises(AddressRefused):
        ask(open_to(server), _get())
    assert len(server.heard) == 11


# --- what is sent and read (OCI-9.6, 9.7, 9.11) ----------------------------------------------------


@pytest.mark.parametrize("text", ["a\r\nX-Evil: 1", "a\nb", "a\x00b", "\u20ac"])
def test_nothing_can_be_injected_into_a_request(
    ask: Ask, serve: Any, open_to: Any, text: str
) -> None:
    """Neither by a header field nor by a path."""
    server = serve(lambda heard: Said())
    transport = open_to(server)
    with pytest.raises(InvalidValue):
        ask(transport, _get(headers={"X-Own": text}))
    with pytest.raises(InvalidValue):
        ask(transport, _get(f"/v2/{text}"))
    assert server.heard == []


def test_a_location_cannot_inject_either(ask: Ask, serve: Any, open_to: Any) -> None:
    """A folded header field is one line with blanks in it, and no URL."""
    raw = b"HTTP/1.1 307 Moved\r\nLocation: /b\r\n X-Evil: 1\r\nContent-Length: 0\r\n\r\n"
    server = serve(lambda heard: Said(raw=raw))
    with pytest.raises(AddressRefused):
        ask(open_to(server), _get())
    assert len(server.heard) == 1


def test_a_realm_cannot_inject_either(ask: Ask, serve: Any, open_to: Any) -> None:
    """Quoted text may hold anything; a URL may not."""
    server = serve(lambda heard: _challenged("/token evil"))
    with pytest.raises(AddressRefused):
        ask(open_to(server), _get())


def test_endless_answers_are_cut(serve: Any, open_to: Any) -> None:
    """A body without end is read up to the limit, whatever was announced."""
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 40
    server = serve(lambda heard: Said(raw=raw, hang_up=True))
    with pytest.raises(RegistryError, match="longer than 1000000"):
        open_to(server).send(_get(max_body=10**6))


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 " + b"2" * 100_000 + b"\r\n\r\n",
    ],
    ids=["fields", "field", "status"],
)
def test_endless_headers_are_cut(ask: Ask, serve: Any, open_to: Any, raw: bytes) -> None:
    """Their number and their length are limited."""
    server = serve(lambda heard: Said(raw=raw, hang_up=True))
    with pytest.raises(ConnectionLost):
        ask(open_to(server), _get())


def test_a_decompression_bomb_stays_packed(serve: Any, open_to: Any) -> None:
    """What is not decoded cannot explode (OCI-9.6)."""
    server = serve(lambda heard: Said(headers=(("Content-Encoding", "gzip"),), body=b"\x1f\x8b"))
    assert open_to(server).send(_get()).body == b"\x1f\x8b"


# --- TLS (OCI-9.14) ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's context, and the file of the CA that signed for it."""
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context, path


def test_tls_below_1_2_is_refused(ask: Ask, serve: Any, open_to: Any, tmp_path: Path) -> None:
    """A server that speaks only 1.1 is not spoken to."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    server = serve(lambda heard: Said(), tls=context)
    with pytest.raises(TlsError):
        ask(open_to(server, f"?ca={tmp_path / 'ca.pem'}"), _get())
    assert server.heard == []


# --- what is told (OCI-9.12) ---------------------------------------------------------------------------


def _all_texts(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield from (str(error), repr(error), repr(getattr(error, "__dict__", {})))
        error = error.__cause__ or error.__context__


def test_a_planted_secret_is_nowhere_to_be_read(
    ask: Ask, serve: Any, open_to: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """In no log line of any library, no event, no exception, no repr; it is only sent."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="urllib3")
    events: list[Event] = []
    store = serve(lambda heard: Said(status=503, body=f"?sig={_MARK}".encode()))
    location = f"{store.origin}/blob?X-Amz-Signature={_MARK}"

    def script(heard: Heard) -> Said | None:
        if heard.path == "/token":
            return Said(body=b'{"token": "%s"}' % _MARK.encode())
        if "authorization" not in heard.headers:
            return _challenged("/token")
        if heard.path == "/v2/cut":
            return None
        return _moved(location) if heard.path == "/v2/away" else Said(status=500)

    server = serve(script)
    transport = open_to(server, emit=Dispatcher([events.append]))
    said: list[str] = [repr(transport)]
    for path in ("/v2/a", "/v2/away", "/v2/cut"):
        call = _get(f"{path}?own={_MARK}", headers={"X-Token": _MARK})
        try:
            answer = ask(transport, call)
        except HarborsyncError as error:
            said += _all_texts(error)
        else:
            said += [repr(answer), *_all_texts(error_from(answer, "read"))]
    said += [repr(event) for event in events]
    assert _MARK not in "\n".join([*said, caplog.text])
    assert caplog.records or ask is _send  # urllib3 logs, http.client does not
    assert any(_MARK in heard.target for heard in store.heard)


def test_a_refused_login_is_not_quoted(serve: Any, open_to: Any) -> None:
    """A token server that repeats the password does not get it into our messages."""

    def script(heard: Heard) -> Said:
        if heard.path == "/token":
            shown = heard.headers["authorization"]
            return Said(status=401, body=f"bad header {shown}".encode())
        return _challenged("/token")

    server = serve(script)
    with pytest.raises(HarborsyncError) as caught:
        open_to(server).send(_get())
    encoded = server.heard[-1].headers["authorization"].partition(" ")[2]
    assert encoded not in "".join(_all_texts(caught.value))


def test_values_that_hold_a_login_hide_it() -> None:
    """As part of any other repr."""
    assert _MARK not in repr(_LOGIN)
    assert _MARK not in repr(Credential(secret=Secret(_MARK), kind=Kind.BEARER))


def test_no_socket_is_left_open(ask: Ask, serve: Any, open_to: Any) -> None:
    """A transport that is closed leaves nothing for the garbage collector to warn about."""
    server = serve(lambda heard: Said(body=b"x"))
    transport = open_to(server)
    ask(transport, _get())
    transport.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        gc.collect()
