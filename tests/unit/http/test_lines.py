"""Lines go straight or through the proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.errors import AddressRefused
from harborsync.http.addresses import AddressPolicy
from harborsync.http.faults import ConnectFailed
from harborsync.http.lines import Lines
from harborsync.http.proxies import Proxies
from harborsync.http.urls import Origin, Url
from harborsync.limits import HostLimits
from harborsync.testing.scripted import Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

    Serve = Callable[..., ScriptedServer]


def _lines(proxies: Proxies, home: str = "r.example") -> Lines:
    return Lines(limits=HostLimits(), policy=AddressPolicy(home), proxies=proxies)


def test_without_a_proxy_the_address_is_judged(serve: Serve) -> None:
    """The endpoint itself may be loopback."""
    server = serve(lambda heard: Said())
    origin = Origin.parse(server.origin)
    with _lines(Proxies(), "127.0.0.1").open(origin) as sock:
        assert sock.getpeername()[1] == server.port
    with pytest.raises(AddressRefused):
        _lines(Proxies()).open(origin)


def test_a_proxy_may_be_anywhere_and_judges_names(serve: Serve) -> None:
    """Only a numeric host can be judged on this side of it."""
    proxy = serve(lambda heard: Said())
    lines = _lines(Proxies.all_through(proxy.origin))
    with lines.open(Origin.parse("http://inside.example")) as sock:
        assert sock.getpeername()[1] == proxy.port
    with pytest.raises(AddressRefused):
        lines.open(Origin.parse("http://169.254.169.254"))


def test_a_tunnel_that_is_refused_is_closed(serve: Serve) -> None:
    """Nothing is left open."""
    proxy = serve(lambda heard: Said(status=403))
    with pytest.raises(ConnectFailed, match="403"):
        _lines(Proxies.all_through(proxy.origin)).open(Origin.parse("https://r.example"))


def test_plain_http_through_a_proxy_has_the_whole_url(serve: Serve) -> None:
    """Everything else has path and query, and no field for the proxy."""
    plain, secure = (Url.parse(f"{word}://r.example/a?b") for word in ("http", "https"))
    straight = _lines(Proxies())
    through = _lines(Proxies.all_through("http://u:p@proxy.example"))
    assert straight.request_target(plain) == "/a?b"
    assert through.request_target(secure) == "/a?b"
    assert through.request_target(plain) == "http://r.example/a?b"
    assert straight.hop_headers(plain.origin) == through.hop_headers(secure.origin) == {}
    assert list(through.hop_headers(plain.origin)) == ["Proxy-Authorization"]
