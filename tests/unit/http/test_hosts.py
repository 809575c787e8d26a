"""What transports to one place share in a process."""

from __future__ import annotations

import os
import socket
from typing import Any

import attrs

from harborsync.clock import SystemClock
from harborsync.endpoint import Endpoint
from harborsync.http.hosts import Host, HostKey, HostTable
from harborsync.http.options import CableOptions
from harborsync.http.urls import Origin
from harborsync.limits import HostLimits
from harborsync.testing.clock import FakeClock


def _key(clock: Any = None) -> HostKey:
    return HostKey(
        origin=Origin.parse("https://r.example"),
        options=CableOptions.of(Endpoint.parse("r.example"), HostLimits()),
        clock=clock or SystemClock(),
        resolve=socket.getaddrinfo,
    )


class Made:
    """A host that notes that it was closed."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        """Note it."""
        self.closed += 1


def test_all_system_clocks_are_one() -> None:
    """Two contexts with clocks of their own share a host; a fake clock is another."""
    assert _key() == _key()
    assert _key(FakeClock()) != _key()


def test_a_forked_process_shares_nothing() -> None:
    """Two processes on one connection would read each other's answers."""
    assert attrs.evolve(_key(), process=os.getpid() + 1) != _key()


def test_the_last_user_closes() -> None:
    """And who comes after gets a new one."""
    made: list[Made] = []

    def make(key: HostKey) -> Any:
        made.append(Made())
        return made[-1]

    table = HostTable(make)
    first, second = table.take(_key()), table.take(_key())
    assert first is second
    table.leave(_key())
    assert made[0].closed == 0
    table.leave(_key())
    assert made[0].closed == 1
    assert table.take(_key()) is not first


def test_a_host_can_be_closed_unused() -> None:
    """Nothing was opened, so nothing is in the way."""
    Host(_key()).close()
