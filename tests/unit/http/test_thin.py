"""The thin path by itself; what it shares with the broad one is tested on the transport."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from harborsync.cancel import Cancel
from harborsync.errors import Cancelled, ConnectionLost
from harborsync.http.addresses import AddressPolicy
from harborsync.http.exchange import Request
from harborsync.http.lines import Lines
from harborsync.http.proxies import Proxies
from harborsync.http.thin import ThinPath
from harborsync.http.tls import TlsIdentity
from harborsync.http.urls import Origin, Url
from harborsync.http.wire import Body
from harborsync.limits import HostLimits
from harborsync.testing.clock import FakeClock
from harborsync.testing.scripted import Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

    Serve = Callable[..., ScriptedServer]


def _path(server: ScriptedServer, size: int = 2, clock: FakeClock | None = None) -> ThinPath:
    lines = Lines(limits=HostLimits(), policy=AddressPolicy("127.0.0.1"), proxies=Proxies())
    return ThinPath(
        home=Origin.parse(server.origin),
        size=size,
        lines=lines,
        tls=TlsIdentity().context,
        idle_timeout=5,
        clock=clock,
    )


def _request(
    server: ScriptedServer, body: bytes | Body | None = None, *, repeatable: bool = True
) -> Request:
    url = Url.parse(f"{server.origin}/a")
    return Request(method="GET", url=url, headers={}, body=body, patience=5, repeatable=repeatable)


def test_a_large_body_does_not_go_this_way(serve: Serve) -> None:
    """It would be read into memory; the place is given back."""
    server = serve(lambda heard: Said())
    path = _path(server, size=1)
    body = Body(size=0, open=lambda: nullcontext(iter(())))
    for _ in range(2):
        with pytest.raises(TypeError, match="thin path"):
            path.start(_request(server, body), Cancel())


def test_only_connections_to_the_endpoint_are_kept(serve: Serve) -> None:
    """A hostile server could name any number of others."""
    home, other = serve(lambda heard: Said()), serve(lambda heard: Said())
    path = _path(home)
    for server, connections in ((home, 1), (other, 3)):
        for _ in range(3):
            path.start(_request(server), Cancel()).finish(10)
        assert server.connections == connections
    path.close()


def test_a_connection_in_use_is_closed_when_it_is_given_back_to_a_closed_path(
    serve: Serve,
) -> None:
    """Nothing is kept by a path that is closed."""
    server = serve(lambda heard: Said(body=b"x"))
    path = _path(server)
    reply = path.start(_request(server), Cancel())
    path.close()
    assert reply.finish(10).body == b"x"
    path.start(_request(server), Cancel()).finish(10)
    assert server.connections == 2


def test_a_request_that_must_not_be_repeated_is_not(serve: Serve) -> None:
    """Also if the connection was used before, and the server may only have hung up."""
    server: ScriptedServer = serve(
        lambda heard: None if heard.connection == 1 and len(server.heard) == 2 else Said()
    )
    path = _path(server)
    path.start(_request(server), Cancel()).finish(10)
    with pytest.raises(ConnectionLost):
        path.start(_request(server, repeatable=False), Cancel())
    assert len(server.heard) == 2


def test_a_connection_that_hung_up_is_seen_before_it_is_used(serve: Serve) -> None:
    """So even what must not be repeated gets through: nothing was sent."""
    server = serve(lambda heard: Said())
    path = _path(server)
    path.start(_request(server), Cancel()).finish(10)
    server.drop_connections()
    assert path.start(_request(server, repeatable=False), Cancel()).finish(10).status == 200
    assert server.connections == 2
    path.close()


@pytest.mark.parametrize("idle", [0.0, 0.9, 1.0, 60.0])
def test_a_connection_that_hung_up_is_no_failure(serve: Serve, idle: float) -> None:
    """Whether it was looked at, or taken to be as it was a moment ago."""
    server, clock = serve(lambda heard: Said()), FakeClock()
    path = _path(server, clock=clock)
    path.start(_request(server), Cancel()).finish(10)
    server.drop_connections()
    clock.advance(idle)
    assert path.start(_request(server), Cancel()).finish(10).status == 200
    assert server.connections == 2
    path.close()


def test_a_cancelled_run_does_not_wait_for_a_connection(serve: Serve) -> None:
    """All of them are busy, and the flag is set."""
    server = serve(lambda heard: Said(body=b"x"))
    path = _path(server, size=1)
    cancel = Cancel()
    busy = path.start(_request(server), cancel)
    cancel.set()
    with pytest.raises(Cancelled):
        path.start(_request(server), cancel)
    busy.close()
    path.close()
