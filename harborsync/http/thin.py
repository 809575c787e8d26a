"""The thin path: small requests over connections of our own, a tenth of the cost of requests.

A no-change run is thousands of HEADs, so their price in CPU is that of the run.
"""

from __future__ import annotations

import select
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from harborsync.clock import SystemClock
from harborsync.errors import ConnectionLost
from harborsync.http.exchange import Berths, Reply, Request
from harborsync.http.faults import translated
from harborsync.http.response import Inbox, Response
from harborsync.http.wire import Body

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from harborsync.cancel import Cancel
    from harborsync.clock import Clock
    from harborsync.http.lines import Lines
    from harborsync.http.urls import Origin

_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
#: Bodies up to this length go out together with their head.
_COPIED: Final = 64 * 1024
#: Seconds after its last answer for which a connection is taken to be as it was. To look costs a
#: call in which other threads go first: a twelfth of the processor time of 10,000 small requests.
_A_MOMENT: Final = 1.0


class ThinPath:
    """Exchanges without requests; thread-safe.

    Connections to ``home`` are kept; those to other origins end with their answer, since a
    hostile server could name any number of them.

    Args:
        home: The endpoint's origin.
        size: Connections open at once to it, and as many to all others together.
        lines: Opens connections.
        tls: Gives the context for https, when it is first needed.
        idle_timeout: Seconds between two pieces of a body.
        clock: Tells whether a sender is too slow.
    """

    def __init__(
        self,
        *,
        home: Origin,
        size: int,
        lines: Lines,
        tls: Callable[[], ssl.SSLContext],
        idle_timeout: float,
        clock: Clock | None = None,
    ) -> None:
        self._home = home
        self._at_home = Berths(size)
        self._elsewhere = Berths(size)
        self._kept: list[_Connection] = []
        self._lines = lines
        self._tls = tls
        self._idle_timeout = idle_timeout
        self._clock = clock
        self._monotonic = (clock or SystemClock()).monotonic
        self._closed = False

    def start(self, request: Request, cancel: Cancel) -> Reply:
        """Send a small request; its body, if any, is in memory.

        Raises:
            TransportError: The network broke.
            Cancelled: ``cancel`` was set while all connections were busy.
        """
        berths = self._at_home if request.url.origin == self._home else self._elsewhere
        berths.take(cancel)
        try:
            connection, response = self._ask(request)
        except BaseException:
            berths.leave()
            raise
        return self._reply(request, connection, response, berths)

    def close(self) -> None:
        """Close the kept connections, and those in use when they are given back."""
        self._closed = True
        with suppress(IndexError):  # nothing is kept any more
            while True:
                self._kept.pop().close()

    def _ask(self, request: Request) -> tuple[_Connection, Response]:
        kept = self._take_kept(request)
        if kept is not None:
            try:
                return kept, self._exchange(kept, request)
            except ConnectionLost:
                # The server hung up while the connection lay idle: not a failure of its own.
                if not request.repeatable:
                    raise
        fresh = _Connection(request.url.origin, self._lines, self._tls)
        return fresh, self._exchange(fresh, request)

    def _take_kept(self, request: Request) -> _Connection | None:
        """Take the connection used last, as the likeliest to live; drop dead ones.

        A request that may be repeated need not know for sure.
        """
        while request.url.origin == self._home:
            try:
                connection = self._kept.pop()
            except IndexError:
                return None
            is_warm = self._monotonic() - connection.answered_at < _A_MOMENT
            if connection.is_usable(looking=not (is_warm and request.repeatable)):
                return connection
            connection.close()
        return None

    def _exchange(self, connection: _Connection, request: Request) -> Response:
        try:
            return translated(partial(connection.exchange, request), request.url.origin)
        except BaseException:
            connection.close()
            raise

    def _reply(
        self,
        request: Request,
        connection: _Connection,
        response: Response,
        berths: Berths,
    ) -> Reply:
        if response.is_over:
            self._give_back(connection, keep=response.keeps and berths is self._at_home)
            berths.leave()
            return Reply(
                request=request,
                status=response.status,
                headers=response.headers,
                read=_nothing,
                release=None,
            )
        connection.wait_at_most(self._idle_timeout)
        whom = str(request.url.origin)

        def release(reusable: bool) -> None:  # noqa: FBT001 - the signature of Reply's release
            is_home = berths is self._at_home
            self._give_back(connection, keep=reusable and response.keeps and is_home)
            berths.leave()

        return Reply(
            request=request,
            status=response.status,
            headers=response.headers,
            read=lambda count: translated(partial(response.read, count), whom),
            release=release,
            clock=self._clock,
        )

    def _give_back(self, connection: _Connection, *, keep: bool) -> None:
        if not keep:
            connection.close()
            return
        connection.answered_at = self._monotonic()
        self._kept.append(connection)
        if self._closed:  # looked at last: whoever closes may have been here a moment ago
            self.close()


class _Connection:
    """A connection that is kept from one request to the next; for one thread at a time.

    Attributes:
        answered_at: When its last answer was over, in seconds by the clock of who keeps it.
    """

    def __init__(self, origin: Origin, lines: Lines, tls: Callable[[], ssl.SSLContext]) -> None:
        self._origin = origin
        self._lines = lines
        self._tls = tls
        self._sock: socket.socket | None = None
        self._inbox: Inbox | None = None
        self._poll = select.poll()
        self.answered_at = 0.0

    def exchange(self, request: Request) -> Response:
        """Send a request and wait for the header fields of the answer."""
        if isinstance(request.body, Body):
            msg = "large bodies do not go the thin path"
            raise TypeError(msg)
        sock, inbox = self._connected()
        self.wait_at_most(request.patience)
        # The server may have answered before it hung up (OCI-7.13): read on.
        with suppress(BrokenPipeError, ConnectionResetError):
            _send(sock, self._head(request, request.body), request.body or b"")
        return Response(inbox, request.method)

    def wait_at_most(self, seconds: float) -> None:
        """Set how long the other end may be silent."""
        if self._sock is not None and self._sock.gettimeout() != seconds:
            self._sock.settimeout(seconds)

    def is_usable(self, *, looking: bool) -> bool:
        """Tell whether the other end neither closed nor sent what nobody asked for.

        Args:
            looking: Whether to look, or to go by what came with the last answer.
        """
        if self._sock is None or self._inbox is None or not self._inbox.is_empty:
            return False
        return not (looking and self._poll.poll(0))

    def close(self) -> None:
        """Close the socket; may be called again."""
        if self._sock is not None:
            self._sock.close()
        self._sock = self._inbox = None

    def _connected(self) -> tuple[socket.socket, Inbox]:
        """Return the socket, opened now if need be, with TLS where the origin has it."""
        if self._sock is None or self._inbox is None:
            self._sock = self._lines.open(self._origin)
            if self._origin.scheme == "https":
                self._sock = self._tls().wrap_socket(self._sock, server_hostname=self._origin.host)
            self._inbox, self._poll = Inbox(self._sock), select.poll()
            self._poll.register(self._sock, select.POLLIN)
        return self._sock, self._inbox

    def _head(self, request: Request, body: bytes | None) -> bytes:
        target, origin = self._lines.request_target(request.url), self._origin
        fields = {"Host": origin.netloc, **self._lines.hop_headers(origin), **request.headers}
        if body is not None or request.method in _WITH_BODY:
            fields["Content-Length"] = str(len(body or b""))
        lines = [f"{name}: {value}" for name, value in fields.items()]
        head = "\r\n".join((f"{request.method} {target} HTTP/1.1", *lines, "", ""))
        return head.encode("latin-1")


def _nothing(count: int) -> bytes:  # noqa: ARG001 - the signature of Reply's read
    return b""


def _send(sock: socket.socket, head: bytes, body: bytes) -> None:
    """Send both in one packet if the body is small, without copying it if it is not."""
    if len(body) <= _COPIED:
        sock.sendall(head + body)
    else:
        sock.sendall(head)
        sock.sendall(body)
