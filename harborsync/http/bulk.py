"""The broad path: large bodies, through a :mod:`requests` session of our own making.

Blocks are read raw and written as they are; a body always has a known length (OCI-11.3,
11.5, 11.6). The figures behind the block sizes are those of the benchmark.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final

import attrs
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from harborsync.errors import ConnectionLost, HarborsyncError, SizeMismatch
from harborsync.http.exchange import Berths, Reply, Request
from harborsync.http.faults import translated
from harborsync.http.urls import Origin
from harborsync.http.wire import Body, Headers
from harborsync.secrets import redact

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterator

    from harborsync.cancel import Cancel
    from harborsync.clock import Clock
    from harborsync.http.lines import Lines

PLAIN_BLOCK: Final = 1024 * 1024
TLS_BLOCK: Final = 256 * 1024
_HOSTS_KEPT: Final = 4
# What must leave within the idle timeout: at its default an upload that is slower than a kilobyte
# a second ends, and one that is only slow does not, however long its blocks are (OCI-4.35).
_PIECE: Final = 64 * 1024


@attrs.define(kw_only=True)
class _Sending:
    """What a connection is told, and tells, behind the back of requests and urllib3.

    Attributes:
        target: What stands in the request line: both re-quote URLs, which breaks signatures
            (OCI-4.11).
        on_used_connection: Whether the connection had carried a request before.
    """

    target: str = attrs.field(repr=False)
    on_used_connection: bool = False


_SENDING: ContextVar[_Sending] = ContextVar("sending")


class BroadPath:
    """Exchanges of large bodies; thread-safe.

    Args:
        size: Connections open at once. One of them is never given to a download: who copies
            within one host holds a download while its upload waits for a connection.
        lines: Opens connections.
        tls: Gives the context for https, when it is first needed.
        idle_timeout: Seconds between two pieces of a body.
        clock: Tells whether a sender is too slow.
    """

    def __init__(
        self,
        *,
        size: int,
        lines: Lines,
        tls: Callable[[], ssl.SSLContext],
        idle_timeout: float,
        clock: Clock | None = None,
    ) -> None:
        self._all = Berths(size)
        self._downloads = Berths(size - 1)
        self._idle_timeout = idle_timeout
        self._clock = clock
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.clear()
        self._lines = lines
        adapter = _Adapter(lines, tls=tls, size=size)
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, adapter)

    @contextmanager
    def downloading(self, cancel: Cancel) -> Iterator[None]:
        """Hold the right to a download.

        Raises:
            Cancelled: ``cancel`` was set while all of them were taken.
        """
        self._downloads.take(cancel)
        try:
            yield
        finally:
            self._downloads.leave()

    def start(self, request: Request, cancel: Cancel) -> Reply:
        """Send a request and return its reply as soon as the header fields are in.

        Raises:
            TransportError: The network broke.
            Cancelled: ``cancel`` was set while all connections were busy.
        """
        self._all.take(cancel)
        try:
            response = self._ask(request)
        except BaseException:
            self._all.leave()
            raise
        return self._reply(request, response)

    def close(self) -> None:
        """Close all connections that lie idle."""
        self._session.close()

    def _ask(self, request: Request) -> requests.Response:
        sending = _Sending(target=self._lines.request_target(request.url))
        try:
            return self._ask_once(request, sending)
        except ConnectionLost:
            # The server hung up while the connection lay idle: not a failure of its own.
            if not (request.repeatable and sending.on_used_connection):
                raise
        return self._ask_once(request, sending)

    def _ask_once(self, request: Request, sending: _Sending) -> requests.Response:
        whom = str(request.url.origin)
        if not isinstance(request.body, Body):
            return translated(partial(self._send, request, request.body, sending), whom)
        with request.body.open() as blocks:
            sized = SizedBlocks(request.body.size, blocks)
            try:
                return translated(partial(self._send, request, sized or b"", sending), whom)
            except HarborsyncError:
                sized.raise_own_failure()
                raise

    def _send(
        self, request: Request, body: SizedBlocks | bytes | None, sending: _Sending
    ) -> requests.Response:
        url = str(request.url)
        fields = {**self._lines.hop_headers(request.url.origin), **request.headers}
        wanted = requests.Request(request.method, url, headers=fields, data=body)
        prepared = self._session.prepare_request(wanted)
        if "Transfer-Encoding" in prepared.headers:
            msg = "a body without a length must not be sent"
            raise AssertionError(msg)
        timeout = (self._idle_timeout, request.patience)
        token = _SENDING.set(sending)
        try:
            return self._session.send(prepared, stream=True, allow_redirects=False, timeout=timeout)
        finally:
            _SENDING.reset(token)

    def _reply(self, request: Request, response: requests.Response) -> Reply:
        raw = response.raw
        whom = str(request.url.origin)
        sock = getattr(raw.connection, "sock", None)
        if sock is not None:
            sock.settimeout(self._idle_timeout)

        def release(reusable: bool) -> None:  # noqa: FBT001 - the signature of Reply's release
            if not reusable:
                raw.close()
            response.close()
            self._all.leave()

        def read(count: int) -> bytes:
            piece: bytes = translated(partial(raw.read1, count, decode_content=False), whom)
            return piece

        return Reply(
            request=request,
            status=response.status_code,
            headers=Headers(list(raw.headers.iteritems())),
            read=read,
            release=release,
            clock=self._clock,
        )


class SizedBlocks:
    """A body with a length and blocks, and no ``read``, which urllib3 would do by 16 KiB.

    Args:
        size: The length.
        blocks: The blocks, iterated once.
    """

    def __init__(self, size: int, blocks: Iterator[bytes]) -> None:
        self._size = size
        self._blocks = blocks
        self._failure: BaseException | None = None

    def __len__(self) -> int:
        """Return the length; 0 makes it false, and an empty body is sent as bytes."""
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """Yield the blocks in short pieces; a failure of their source is remembered."""
        try:
            for block in self._checked():
                yield from (block[at : at + _PIECE] for at in range(0, len(block), _PIECE))
        except BaseException as failure:
            self._failure = failure
            raise

    def raise_own_failure(self) -> None:
        """Raise what the source of the blocks raised, if that is what broke the sending."""
        if self._failure is not None and not isinstance(self._failure, GeneratorExit):
            raise self._failure

    def _checked(self) -> Iterator[bytes]:
        sent = 0
        for block in self._blocks:
            sent += len(block)
            if sent > self._size:
                break
            yield block
        if sent != self._size:
            msg = f"the content is not {self._size} bytes long: {sent} were read when that was seen"
            raise SizeMismatch(msg)


class _Adapter(HTTPAdapter):
    """Hands our own sockets and our own TLS context to urllib3."""

    def __init__(self, lines: Lines, *, tls: Callable[[], ssl.SSLContext], size: int) -> None:
        self._lines = lines
        self._tls = tls
        super().__init__(pool_connections=_HOSTS_KEPT, pool_maxsize=size, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools with connections that use our lines."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pool_classes(self._lines)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave certificates to the context: requests would add a bundle of its own."""

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the host as requests does, and our context for https."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": self._tls()} if host["scheme"] == "https" else {}


class _Telling(HTTPConnection):
    """A connection that follows :class:`_Sending`."""

    _was_used = False

    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Begin a request with the target we want."""
        sending = _SENDING.get()
        sending.on_used_connection, self._was_used = self._was_used, True
        super().putrequest(method, sending.target, *args, **kwargs)

    def close(self) -> None:
        """Close; what is opened next is fresh."""
        self._was_used = False
        super().close()


def _pool_classes(lines: Lines) -> dict[str, type[HTTPConnectionPool]]:
    """Return urllib3's pools with connections that open their sockets through ``lines``."""

    class Plain(_Telling, HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return lines.open(Origin("http", self.host.lower(), self.port))

    class Tls(_Telling, HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return lines.open(Origin("https", self.host.lower(), self.port))

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = Tls

        def _validate_conn(self, conn: Any) -> None:
            """Connect; that insecure means insecure was said when the transport was opened."""
            if conn.is_closed:
                conn.connect()

    return {"http": PlainPool, "https": TlsPool}


class _HideQueries(logging.Filter):
    """Takes the query out of the URLs that urllib3 logs (OCI-9.12)."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without secrets."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                redact(each) if isinstance(each, str) else each for each in record.args
            )
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_HideQueries())
