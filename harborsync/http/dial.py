"""Opens sockets, and no socket is opened elsewhere in the house.

The address that is checked is the address that is connected to: the name is looked up once,
so a second answer of a hostile DNS server comes too late (OCI-9.1).
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final, Protocol

from harborsync.http.faults import ConnectFailed, ConnectTimeout

if TYPE_CHECKING:
    from harborsync.errors import TransportError
    from harborsync.http.addresses import AddressPolicy
    from harborsync.limits import HostLimits

#: Seconds of silence after which the kernel asks whether the other end lives (OCI-11.8).
_KEEP_ALIVE_IDLE: Final = 30


class Resolver(Protocol):
    """Looks a name up; :func:`socket.getaddrinfo` is one."""

    def __call__(self, host: str, port: int, *, type: int) -> list[tuple[Any, ...]]:  # noqa: A002
        """Return what getaddrinfo returns."""
        ...


class Dialer:
    """Connects to hosts that the policy admits; thread-safe.

    Args:
        limits: How long to wait for a connection, and then for bytes.
        policy: Judges each address, or None for an address of the user's own choice.
        resolve: Looks names up.
    """

    def __init__(
        self,
        *,
        limits: HostLimits,
        policy: AddressPolicy | None,
        resolve: Resolver = socket.getaddrinfo,
    ) -> None:
        self._limits = limits
        self._policy = policy
        self._resolve = resolve

    def __call__(self, host: str, port: int) -> socket.socket:
        """Return a connected socket to the first address that answers.

        Raises:
            AddressRefused: An address of the host is not one we connect to.
            ConnectionLost: Nobody answered, or there is no such name.
            Timeout: Nobody answered in time.
        """
        failure: TransportError = ConnectFailed(f"{host}:{port}: the name has no address")
        for family, kind, protocol, _, address in self._look_up(host, port):
            if self._policy is not None:
                self._policy.admit(host, address[0])
            sock = socket.socket(family, kind, protocol)
            try:
                self._connect(sock, address)
            except OSError as fault:
                sock.close()
                failure = _failed(host, port, fault)
            else:
                return sock
        raise failure

    def _look_up(self, host: str, port: int) -> list[tuple[Any, ...]]:
        try:
            return self._resolve(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as fault:
            msg = f"{host}: the name cannot be resolved ({fault})"
            raise ConnectFailed(msg) from fault

    def _connect(self, sock: socket.socket, address: Any) -> None:
        sock.settimeout(self._limits.connect_timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEP_ALIVE_IDLE)
        sock.connect(address)
        sock.settimeout(self._limits.idle_timeout)


def _failed(host: str, port: int, fault: OSError) -> TransportError:
    if isinstance(fault, TimeoutError):
        return ConnectTimeout(f"{host}:{port}: no connection stood in time")
    return ConnectFailed(f"{host}:{port}: no connection ({fault.strerror or fault})")
