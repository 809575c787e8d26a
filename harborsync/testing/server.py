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

import threading
from typing import TYPE_CHECKING, Any

import attrs

from harborsync.clock import SystemClock
from harborsync.endpoint import Endpoint
from harborsync.errors import InvalidValue
from harborsync.testing.closing import Closing
from harborsync.testing.profiles import PROFILES, LoopbackQuirks
from harborsync.testing.server_connection import Connection
from harborsync.testing.server_hub import Hub
from harborsync.testing.server_listener import Listener
from harborsync.testing.server_routes import answer
from harborsync.testing.storage import Storage

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harborsync.clock import Clock
    from harborsync.testing.faults import Fault
    from harborsync.testing.server_connection import LoggedRequest
    from harborsync.testing.server_hub import Guard
    from harborsync.testing.server_wire import Request, Response
    from harborsync.testing.tls import TestAuthority
    from harborsync.testing.tokens import Auth


class LoopbackRegistry(Closing):
    """An embedded registry; listens from construction until ``close()``.

    Args:
        profile: ``default``, ``distribution-2.8`` or ``distribution-3``.
        auth: Who may do what, a ``BasicAuth`` or ``TokenAuth``; everybody everything if None.
        tls: Makes the server's certificate; plain HTTP if None.
        demand_client_certificate: Only clients with a certificate of ``tls`` may connect.
        quirks: Switches to use instead of a profile's.
        faults: Asked for every request what is to go wrong with it; may be replaced any time.
        guard: What a product checks beyond the specification, if it is to be such a product.
        tells: What such a product tells beside the tags of a repository.
        clock: Its time.
        directory: Where large blobs go; a temporary directory of its own if None.

    Attributes:
        storage: What it holds, to seed and to check.
        faults: The one given, or None.
    """

    def __init__(
        self,
        *,
        profile: str = "default",
        auth: Auth | None = None,
        tls: TestAuthority | None = None,
        demand_client_certificate: bool = False,
        quirks: LoopbackQuirks | None = None,
        faults: Callable[[Request], Fault | None] | None = None,
        guard: Guard | None = None,
        tells: Callable[[str], Mapping[str, Any]] | None = None,
        clock: Clock | None = None,
        directory: Path | None = None,
    ) -> None:
        quirks = quirks or _profile(profile)
        self.storage = Storage(directory)
        self.faults = faults
        self._tls = tls
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._log: list[LoggedRequest] = []
        self._hub = Hub(
            storage=self.storage,
            quirks=quirks,
            clock=self._clock,
            auth=auth,
            guard=guard,
            tells=tells,
        )
        context = tls.server_context(demand_client=demand_client_certificate) if tls else None
        self._other = Listener(self._serve_other, context) if quirks.needs_other_host else None
        if self._other is not None:
            origin = f"http{'s' if tls else ''}://{self._other.host}"
            self._hub = attrs.evolve(self._hub, storage_origin=origin)
        self._listener = Listener(self._serve_main, context)

    @property
    def host(self) -> str:
        """Where it listens: ``127.0.0.1:<port>``."""
        return self._listener.host

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens, as an endpoint to open; under TLS with the option ``ca``."""
        if self._tls is None:
            return Endpoint(provider="registry", address=self.host, plain_http=True)
        options = {"ca": str(self._tls.ca_file)}
        return Endpoint(provider="registry", address=self.host, option_items=options)

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

    @property
    def other_host(self) -> str | None:
        """The second address, if a quirk makes answers point to another host, or None."""
        return self._other.host if self._other is not None else None

    def close(self) -> None:
        """End every connection and thread and throw the content away; may be called again."""
        self._listener.close()
        if self._other is not None:
            self._other.close()
        self.storage.close()

    def _serve_main(self, connection: socket.socket, number: int) -> None:
        self._serve(self._hub, connection, number)

    def _serve_other(self, connection: socket.socket, number: int) -> None:
        # What is on the other host wants no login: its addresses are signed (OCI-2.20).
        self._serve(attrs.evolve(self._hub, auth=None), connection, number)

    def _serve(self, hub: Hub, connection: socket.socket, number: int) -> None:
        Connection(
            connection,
            number,
            answer=lambda request, fault: self._answer(hub, request, fault),
            fault_for=self._fault_for,
            log=self._note,
            clock=self._clock,
            secure=self._tls is not None,
        ).serve()

    def _answer(self, hub: Hub, request: Request, fault: Fault) -> Response:
        if fault.forget_uploads:
            self.storage.forget_uploads()
        response = answer(hub, request)
        if fault.expire_tokens and hub.auth is not None:
            hub.auth.expire()
        return response

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
