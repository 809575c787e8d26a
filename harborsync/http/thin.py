"""The thin path: small requests over connections of our own, a fifth of the cost of requests.

A no-change run is thousands of HEADs, so their price in CPU is that of the run.
"""

from __future__ import annotations

import http.client
import select
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from harborsync.errors import ConnectionLost
from harborsync.http.exchange import Berths, Reply, Request
from harborsync.http.faults import translated
from harborsync.http.wire import Body, Headers

if TYPE_CHECKING:
    import ssl

    from harborsync.cancel import Cancel
    from harborsync.http.lines import Lines
    from harborsync.http.urls import Origin


class ThinPath:
    """Exchanges without requests; thread-safe.

    Connections to ``home`` are kept; those to other origins end with their answer, since a
    hostile server could name any number of them.

    Args:
        home: The endpoint's origin.
        size: Connections open at once to it, and as many to all others together.
        lines: Opens connections.
        tls: The context for https.
        idle_timeout: Seconds between two pieces of a body.
    """

    def __init__(
        self,
        *,
        home: Origin,
        size: int,
        lines: Lines,
        tls: ssl.SSLContext,
        idle_timeout: float,
    ) -> None:
        self._home = home
        self._at_home = Berths(size)
        self._elsewhere = Berths(size)
        self._kept: list[_Connection] = []
        self._lines = lines
        self._tls = tls
        self._idle_timeout = idle_timeout
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
        while self._kept:
            self._kept.pop().close()

    def _ask(self, request: Request) -> tuple[_Connection, http.client.HTTPResponse]:
        kept = self._take_kept(request.url.origin)
        if kept is not None:
            try:
                return kept, self._exchange(kept, request)
            except ConnectionLost:
                # The server hung up while the connection lay idle: not a failure of its own.
                if not request.repeatable:
                    raise
        fresh = _Connection(request.url.origin, self._lines, self._tls)
        return fresh, self._exchange(fresh, request)

    def _take_kept(self, origin: Origin) -> _Connection | None:
        """Take the connection used last, as the likeliest to live; drop dead ones."""
        while origin == self._home:
            try:
                connection = self._kept.pop()
            except IndexError:
                return None
            if not connection.hung_up():
                return connection
            connection.close()
        return None

    def _exchange(self, connection: _Connection, request: Request) -> http.client.HTTPResponse:
        whom = str(request.url.origin)
        try:
            return translated(partial(connection.exchange, request), whom)
        except BaseException:
            connection.close()
            raise

    def _reply(
        self,
        request: Request,
        connection: _Connection,
        response: http.client.HTTPResponse,
        berths: Berths,
    ) -> Reply:
        connection.wait_at_most(self._idle_timeout)
        whom = str(request.url.origin)

        def release(reusable: bool) -> None:  # noqa: FBT001 - the signature of Reply's release
            self._give_back(connection, keep=reusable and berths is self._at_home)
            berths.leave()

        return Reply(
            request=request,
            status=response.status,
            headers=Headers(response.getheaders()),
            read=lambda count: translated(partial(_read, response, count), whom),
            release=release,
        )

    def _give_back(self, connection: _Connection, *, keep: bool) -> None:
        if keep and connection.sock is not None and not self._closed:
            self._kept.append(connection)
        else:
            connection.close()


def _read(response: http.client.HTTPResponse, count: int) -> bytes:
    """Read, and notice an early end, which http.client passes over (OCI-4.33)."""
    piece = response.read(count)
    if not piece and count and response.length:
        raise http.client.IncompleteRead(piece, response.length)
    return piece


class _Connection(http.client.HTTPConnection):
    """A connection whose socket comes from our own lines."""

    def __init__(self, origin: Origin, lines: Lines, tls: ssl.SSLContext) -> None:
        super().__init__(origin.host, origin.port)
        self._origin = origin
        self._lines = lines
        self._tls = tls

    def connect(self) -> None:
        """Open the socket, with TLS where the origin has it."""
        self.sock = self._lines.open(self._origin)
        if self._origin.scheme == "https":
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._origin.host)

    def exchange(self, request: Request) -> http.client.HTTPResponse:
        """Send a request and wait for the header fields of the answer."""
        if isinstance(request.body, Body):
            msg = "large bodies do not go the thin path"
            raise TypeError(msg)
        if self.sock is None:
            self.connect()
        self.wait_at_most(request.patience)
        target, origin = self._lines.request_target(request.url), self._origin
        fields = {"Host": origin.netloc, **self._lines.hop_headers(origin), **request.headers}
        # The server may have answered before it hung up (OCI-7.13): read on.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.request(request.method, target, request.body, fields)
        return self.getresponse()

    def wait_at_most(self, seconds: float) -> None:
        """Set how long the socket may be silent."""
        if self.sock is not None:
            self.sock.settimeout(seconds)

    def hung_up(self) -> bool:
        """Tell whether the other end closed, or sent what nobody asked for."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))
