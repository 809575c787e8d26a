"""Which proxy, by the user's word only."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from harborsync.errors import InvalidValue
from harborsync.http.faults import ConnectFailed
from harborsync.http.proxies import Proxies, Proxy, open_tunnel
from harborsync.http.urls import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

_HTTPS = Origin.parse("https://r.example")


def test_a_proxy_is_read_with_its_login() -> None:
    """User and password are unquoted, and hidden."""
    proxy = Proxy.parse("http://user:p%40ss@proxy.example:3128")
    assert (proxy.host, proxy.port) == ("proxy.example", 3128)
    assert proxy.headers() == {"Proxy-Authorization": "Basic dXNlcjpwQHNz"}
    assert "p@ss" not in repr(proxy)


def test_a_proxy_without_login_sends_none() -> None:
    """The port is that of http unless told."""
    proxy = Proxy.parse("http://proxy.example")
    assert (proxy.port, proxy.headers()) == (80, {})


@pytest.mark.parametrize(
    "text", ["https://proxy.example", "socks5://p:1", "proxy:3128", "", "http://"]
)
def test_other_proxies_are_refused(text: str) -> None:
    """Only plain http to the proxy itself is spoken."""
    with pytest.raises(InvalidValue):
        Proxy.parse(text)


def test_a_refused_proxy_is_not_quoted() -> None:
    """Its URL may hold a password."""
    with pytest.raises(InvalidValue) as caught:
        Proxy.parse("https://user:SECRET@proxy.example")
    assert "SECRET" not in str(caught.value)


def test_the_environment_is_read_by_scheme() -> None:
    """Lower case wins; a CGI's HTTP_PROXY is a header of the request, and is not believed."""
    proxies = Proxies.from_environment(
        {"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:2", "HTTP_PROXY": "http://c:3"}
    )
    found = {scheme: proxy.host for scheme, proxy in proxies.by_scheme}
    assert found == {"https": "a", "http": "c"}
    cgi = Proxies.from_environment({"HTTP_PROXY": "http://c:3", "REQUEST_METHOD": "GET"})
    assert cgi == Proxies()


@pytest.mark.parametrize(
    ("no_proxy", "goes_straight"),
    [
        ("", False),
        ("*", True),
        ("r.example", True),
        ("R.Example", True),
        (".example", True),
        ("*.example", True),
        ("example", True),
        ("xample", False),
        ("r.example:443", True),
        ("r.example:5000", False),
        ("other.example, r.example", True),
        ("::1", False),
    ],
)
def test_no_proxy_excepts_hosts(no_proxy: str, goes_straight: bool) -> None:
    """Names match themselves and their subdomains, with a port if one is given."""
    proxies = Proxies.from_environment({"https_proxy": "http://p:1", "no_proxy": no_proxy})
    assert (proxies.for_origin(_HTTPS) is None) is goes_straight


def test_a_literal_can_be_excepted() -> None:
    """IPv6 addresses have colons and no port."""
    proxies = Proxies.from_environment({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "::1"})
    assert proxies.for_origin(Origin.parse("https://[::1]:5000")) is None


def test_no_proxy_is_the_default() -> None:
    """And one for all schemes is one for all schemes."""
    assert Proxies().for_origin(_HTTPS) is None
    through = Proxies.all_through("http://p:1")
    assert through.for_origin(_HTTPS) == through.for_origin(Origin.parse("http://r.example"))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def _answer(theirs: socket.socket, answer: bytes, heard: list[bytes]) -> threading.Thread:
    def run() -> None:
        heard.append(theirs.recv(4096))
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_tunnel_is_asked_for(pair: tuple[socket.socket, socket.socket]) -> None:
    """The login goes to the proxy; what follows the empty line is left for TLS."""
    heard: list[bytes] = []
    thread = _answer(pair[1], b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nTLS", heard)
    open_tunnel(pair[0], Origin.parse("https://[::1]:5000"), Proxy.parse("http://u:p@proxy"))
    thread.join()
    assert heard[0].startswith(b"CONNECT [::1]:5000 HTTP/1.1\r\nHost: [::1]:5000\r\n")
    assert b"Proxy-Authorization: Basic dTpw" in heard[0]
    assert pair[0].recv(10) == b"TLS"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 407 Login\r\n\r\n", "407"),
        (b"SSH-2.0-x\r\n\r\n", "nothing that is HTTP"),
        (b"", "nothing that is HTTP"),
        (b"x" * 20000, "nothing that is HTTP"),
    ],
)
def test_a_proxy_that_refuses_is_quoted(
    pair: tuple[socket.socket, socket.socket], answer: bytes, said: str
) -> None:
    """The error says who refused, and how."""
    thread = _answer(pair[1], answer, [])
    with pytest.raises(ConnectFailed, match=said):
        open_tunnel(pair[0], _HTTPS, Proxy.parse("http://proxy:1"))
    pair[0].close()
    thread.join()
