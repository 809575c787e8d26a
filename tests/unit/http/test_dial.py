"""Sockets are opened to checked addresses only."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.errors import AddressRefused
from harborsync.http.addresses import AddressPolicy
from harborsync.http.dial import Dialer
from harborsync.http.faults import ConnectFailed, ConnectTimeout
from harborsync.limits import HostLimits
from harborsync.testing.scripted import Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

_LIMITS = HostLimits(connect_timeout=0.2, idle_timeout=33)


def _resolver(*addresses: tuple[str, int]) -> Callable[..., list[tuple[Any, ...]]]:
    def resolve(host: str, port: int, *, type: int) -> list[tuple[Any, ...]]:  # noqa: A002
        return [(socket.AF_INET, type, 6, "", address) for address in addresses]

    return resolve


def _dialer(resolve: Any, policy: AddressPolicy | None = None) -> Dialer:
    return Dialer(limits=_LIMITS, policy=policy, resolve=resolve)


def test_a_socket_is_fit_for_long_waits(serve: Callable[..., ScriptedServer]) -> None:
    """No delay, kept alive, with the patience for a body (OCI-11.8)."""
    server = serve(lambda heard: Said())
    with _dialer(_resolver(("127.0.0.1", server.port)))("r.example", 443) as sock:
        assert sock.getpeername() == ("127.0.0.1", server.port)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.gettimeout() == 33


def test_the_next_address_is_tried(serve: Callable[..., ScriptedServer], closed_port: int) -> None:
    """A host with one dead address is reached by the other."""
    server = serve(lambda heard: Said())
    resolve = _resolver(("127.0.0.1", closed_port), ("127.0.0.1", server.port))
    with _dialer(resolve)("r.example", 443) as sock:
        assert sock.getpeername()[1] == server.port


def test_a_refused_address_is_not_connected_to(serve: Callable[..., ScriptedServer]) -> None:
    """Not even to see whether somebody listens there."""
    server = serve(lambda heard: Said())
    policy = AddressPolicy("r.example")
    dial = _dialer(_resolver(("127.0.0.1", server.port)), policy)
    with pytest.raises(AddressRefused):
        dial("evil.example", 443)
    assert server.connections == 0


def test_nobody_listening_is_told_with_host_and_port(closed_port: int) -> None:
    """The host is the name that was asked for."""
    with pytest.raises(ConnectFailed, match=r"r\.example:443"):
        _dialer(_resolver(("127.0.0.1", closed_port)))("r.example", 443)


def test_a_connection_that_does_not_stand_in_time_is_a_timeout() -> None:
    """A listener whose queue is full answers nobody."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(address)
            with pytest.raises(ConnectTimeout):
                _dialer(_resolver(address))("r.example", 443)
        finally:
            for each in waiting:
                each.close()


@pytest.mark.parametrize("fault", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")])
def test_a_name_that_cannot_be_resolved_is_told(fault: Exception) -> None:
    """Whatever the reason."""

    def resolve(host: str, port: int, *, type: int) -> list[tuple[Any, ...]]:  # noqa: A002
        raise fault

    with pytest.raises(ConnectFailed, match="cannot be resolved"):
        _dialer(resolve)("r.example", 443)


def test_a_name_without_addresses_is_told() -> None:
    """An empty answer is one, too."""
    with pytest.raises(ConnectFailed, match="no address"):
        _dialer(_resolver())("r.example", 443)
