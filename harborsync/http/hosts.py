"""What transports to one place share in a process: connections, pace, tokens.

Registries opened twice on the same origin with the same TLS identity, proxy and limits use
the same connections, so that the host's limit holds for all of them together.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.clock import SystemClock
from harborsync.http.addresses import AddressPolicy
from harborsync.http.auth import Memory
from harborsync.http.bulk import BroadPath
from harborsync.http.lines import Lines
from harborsync.http.notices import Notices
from harborsync.http.pace import HostGate
from harborsync.http.thin import ThinPath
from harborsync.http.tls import TlsContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.clock import Clock
    from harborsync.http.dial import Resolver
    from harborsync.http.options import CableOptions
    from harborsync.http.urls import Origin


_THE_CLOCK: Final = SystemClock()


def _same_for_all(clock: Clock) -> Clock:
    return _THE_CLOCK if type(clock) is SystemClock else clock


@attrs.frozen(kw_only=True)
class HostKey:
    """What two transports must have in common to share a host.

    Attributes:
        origin: Where it is.
        options: How the cable to it is laid.
        clock: The clock its pauses are measured by; all system clocks are one.
        resolve: Who looks names up.
        process: The process, since sockets must not be shared across a fork.
    """

    origin: Origin
    options: CableOptions
    clock: Clock = attrs.field(converter=_same_for_all)
    resolve: Resolver
    process: int = attrs.field(factory=os.getpid)


class Host:
    """One registry host as this process sees it; thread-safe.

    Args:
        key: Where it is and how the cable is laid.
    """

    def __init__(self, key: HostKey) -> None:
        options, limits = key.options, key.options.limits
        trusted = (*options.trusted_hosts, *options.trusted_realms)
        policy = AddressPolicy(key.origin.host, trusted)
        lines = Lines(limits=limits, policy=policy, proxies=options.proxies, resolve=key.resolve)
        tls = TlsContext(options.tls)
        if key.origin.scheme == "https":
            tls()
        self.thin = ThinPath(
            home=key.origin,
            size=limits.connections - limits.large,
            lines=lines,
            tls=tls,
            idle_timeout=limits.idle_timeout,
            clock=key.clock,
        )
        self.broad = BroadPath(
            size=limits.large,
            lines=lines,
            tls=tls,
            idle_timeout=limits.idle_timeout,
            clock=key.clock,
        )
        self.gate = HostGate(key.clock, limits.requests_per_second)
        self.memory = Memory(key.clock)
        self.notices = Notices(key.origin.netloc)

    def close(self) -> None:
        """Close all connections."""
        self.thin.close()
        self.broad.close()


class HostTable:
    """Counts who uses a host, and closes it after the last one; thread-safe.

    Args:
        make: Makes a host.
    """

    def __init__(self, make: Callable[[HostKey], Host] = Host) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._hosts: dict[HostKey, tuple[Host, int]] = {}

    def take(self, key: HostKey) -> Host:
        """Return the host for ``key``, making it if nobody uses it yet."""
        with self._lock:
            host, users = self._hosts.get(key) or (self._make(key), 0)
            self._hosts[key] = host, users + 1
            return host

    def leave(self, key: HostKey) -> None:
        """Tell that one user is done with the host."""
        with self._lock:
            host, users = self._hosts.pop(key)
            if users > 1:
                self._hosts[key] = host, users - 1
                return
        host.close()


#: The hosts of this process.
HOSTS = HostTable()
