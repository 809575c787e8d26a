"""A registry inside your test: the OCI distribution API on 127.0.0.1, in this process.

    >>> from harborsync.testing import LoopbackRegistry
    >>> with LoopbackRegistry() as server:
    ...     digest = server.storage.put_blob("team/app", b"hello")
    ...     str(server.endpoint) == f"registry+http://{server.host}"
    True

It is good enough to be honest: it streams, mounts, takes chunks by their offsets, lists
referrers, and in its default form passes the conformance suite of the specification. What
real servers do otherwise is switched on by :class:`LoopbackQuirks` or by naming a profile.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from harborsync.clock import SystemClock
from harborsync.endpoint import Endpoint
from harborsync.errors import InvalidValue
from harborsync.testing.profiles import PROFILES, LoopbackQuirks
from harborsync.testing.server_hub import Hub
from harborsync.testing.server_routes import answer, decorate
from harborsync.testing.server_wire import Connection, Refusal
from harborsync.testing.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from harborsync.clock import Clock
    from harborsync.testing.faults import Fault
    from harborsync.testing.server_wire import LoggedRequest, Request, Response

_BACKLOG: Final = 256


class Listener:
    """Takes connections at one port and gives each a thread.

    Args:
        serve: Serves a connection, given its socket and number, until it ends.
    """

    def __init__(self, serve: Callable[[socket.socket, int], None]) -> None:
        self._serve = serve
        self._lock = threading.Lock()
        self._open: dict[int, tuple[socket.socket, threading.Thread]] = {}
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self._closing = False
        self.accepted = 0
        self._thread = threading.Thread(target=self._accept, name="loopback-accept", daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """Address and port."""
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        """Stop listening and end every connection; waits until all threads are gone."""
        self._closing = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
        with self._lock:
            still_open = list(self._open.values())
        for connection, _ in still_open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for _, thread in still_open:
            thread.join()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(connection)

    def _start(self, connection: socket.socket) -> None:
        with self._lock:
            self.accepted += 1
            number = self.accepted
            thread = threading.Thread(
                target=self._run, args=(connection, number), name=f"loopback-{number}", daemon=True
            )
            self._open[number] = (connection, thread)
            thread.start()

    def _run(self, connection: socket.socket, number: int) -> None:
        try:
            self._serve(connection, number)
        finally:
            connection.close()
            with self._lock:
                del self._open[number]


class LoopbackRegistry:
    """An embedded registry; listens from construction until ``close()``.

    Args:
        profile: ``default``, ``distribution-2.8`` or ``distribution-3``.
        quirks: Switches to use instead of a profile's.
        faults: Asked for every request what is to go wrong with it.
        clock: Its time.
        directory: Where large blobs go; a temporary directory of its own if None.
    """

    def __init__(
        self,
        *,
        profile: str = "default",
        quirks: LoopbackQuirks | None = None,
        faults: Callable[[Request], Fault | None] | None = None,
        clock: Clock | None = None,
        directory: Path | None = None,
    ) -> None:
        self.storage = Storage(directory)
        self.faults = faults
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._log: list[LoggedRequest] = []
        self._hub = Hub(storage=self.storage, quirks=quirks or _profile(profile), clock=self._clock)
        self._listener = Listener(self._serve)

    def __enter__(self) -> Self:
        """Return the registry, which is listening already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    @property
    def host(self) -> str:
        """Where it listens: ``127.0.0.1:<port>``."""
        return self._listener.host

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens, as an endpoint to open."""
        return Endpoint.parse(f"registry+http://{self.host}")

    @property
    def requests(self) -> tuple[LoggedRequest, ...]:
        """Every request answered since the start or the last ``clear_log()``, in order."""
        with self._lock:
            return tuple(self._log)

    def clear_log(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self._log.clear()

    @property
    def connections_opened(self) -> int:
        """Number of connections taken since the start."""
        return self._listener.accepted

    def close(self) -> None:
        """End every connection and thread and throw the content away; may be called again."""
        self._listener.close()
        self.storage.close()

    def _serve(self, connection: socket.socket, number: int) -> None:
        Connection(
            connection,
            number,
            answer=self._answer,
            fault_for=self._fault_for,
            log=self._note,
            clock=self._clock,
        ).serve()

    def _answer(self, request: Request) -> Response:
        try:
            response = answer(self._hub, request)
        except Refusal as refusal:
            response = refusal.response
        return decorate(self._hub, response)

    def _fault_for(self, request: Request) -> Fault | None:
        return self.faults(request) if self.faults is not None else None

    def _note(self, line: LoggedRequest) -> None:
        with self._lock:
            self._log.append(line)


def _profile(name: str) -> LoopbackQuirks:
    if name not in PROFILES:
        msg = f"{name!r} is no profile of the embedded registry"
        raise InvalidValue(msg, hint=f"use one of {', '.join(PROFILES)}")
    return PROFILES[name]
