"""A server that says what it is told, byte for byte if need be, and keeps what it heard.

>>> import http.client
>>> from harborsync.testing.scripted import Said, ScriptedServer
>>> with ScriptedServer(lambda heard: Said(body=heard.target.encode())) as server:
...     connection = http.client.HTTPConnection(server.host)
...     connection.request("GET", "/hello")
...     answer = connection.getresponse().read()
...     connection.close()
>>> answer
b'/hello'
"""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Final

import attrs

from harborsync.testing.closing import Closing

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_PATIENCE: Final = 20.0
_BLOCK: Final = 64 * 1024


@attrs.frozen(kw_only=True)
class Heard:
    """A request as it came.

    Attributes:
        method: Its method.
        target: What stood in the request line.
        headers: Fields by name in lower case; the last of repeated ones.
        body: Its body.
        connection: Number of the connection it came over, from 1.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""
    connection: int = 1

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


@attrs.frozen(kw_only=True)
class Said:
    """An answer.

    Attributes:
        status: Its status.
        headers: Its fields; Content-Length is added where it is lacking.
        body: Its body, not sent after HEAD.
        raw: Bytes to send instead of all that, or None.
        hang_up: Whether to close the connection afterwards.
        tunnel: ``(host, port)`` to carry the connection to from then on, as a proxy does.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    raw: bytes | None = None
    hang_up: bool = False
    tunnel: tuple[str, int] | None = None

    def encode(self, *, with_body: bool) -> bytes:
        """Return the bytes to send."""
        if self.raw is not None:
            return self.raw
        names = {name.lower() for name, _ in self.headers}
        fields = list(self.headers)
        if "content-length" not in names and "transfer-encoding" not in names:
            fields.append(("Content-Length", str(len(self.body))))
        head = f"HTTP/1.1 {self.status} Said\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields)
        return f"{head}\r\n".encode("latin-1") + (self.body if with_body else b"")


class ScriptedServer(Closing):
    """Listens on loopback from the start; thread-safe.

    Args:
        script: Decides what to answer, or None to hang up without a word. Called before the
            body is read if the request has a field ``x-early``.
        tls: Makes it speak TLS.

    Attributes:
        most_open: The most connections open at once so far.
    """

    def __init__(
        self, script: Callable[[Heard], Said | None], *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._script = script
        self._tls = tls
        self._lock = threading.Lock()
        self._heard: list[Heard] = []
        self._connections = 0
        self._open: set[socket.socket] = set()
        self.most_open = 0
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer._serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def port(self) -> int:
        """Its port."""
        port: int = self._server.server_address[1]
        return port

    @property
    def host(self) -> str:
        """``127.0.0.1:<port>``."""
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._tls else 'http'}://{self.host}"

    @property
    def heard(self) -> list[Heard]:
        """All requests so far, in order."""
        with self._lock:
            return list(self._heard)

    @property
    def connections(self) -> int:
        """Number of connections taken so far."""
        return self._connections

    def drop_connections(self) -> None:
        """Close every connection from this side."""
        with self._lock:
            for sock in self._open:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop listening and end every connection; may be called again."""
        self._server.shutdown()
        self._server.server_close()
        self.drop_connections()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError):
            sock.settimeout(_PATIENCE)
            sock = self._with_tls(sock)
            number = self._enter(sock)
            try:
                self._converse(sock, number)
            finally:
                self._leave(sock)

    def _enter(self, sock: socket.socket) -> int:
        with self._lock:
            self._connections += 1
            self._open.add(sock)
            self.most_open = max(self.most_open, len(self._open))
            return self._connections

    def _leave(self, sock: socket.socket) -> None:
        with self._lock:
            self._open.discard(sock)

    def _with_tls(self, sock: socket.socket) -> socket.socket:
        if self._tls is None:
            return sock
        return self._tls.wrap_socket(sock, server_side=True)

    def _converse(self, sock: socket.socket, number: int) -> None:
        with sock, sock.makefile("rb") as stream:
            while self._one_exchange(sock, stream, number):
                pass

    def _one_exchange(self, sock: socket.socket, stream: BinaryIO, number: int) -> bool:
        heard = _read(stream, number)
        if heard is None:
            return False
        with self._lock:
            self._heard.append(heard)
        said = self._script(heard)
        if said is None:
            return False
        sock.sendall(said.encode(with_body=heard.method != "HEAD"))
        if said.tunnel is not None:
            _carry(sock, said.tunnel)
            return False
        return not said.hang_up


def _read(stream: BinaryIO, number: int) -> Heard | None:
    line = stream.readline()
    if not line.strip():
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = {}
    while field := stream.readline().strip():
        name, _, value = field.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    early = "x-early" in headers
    body = b"" if early else stream.read(int(headers.get("content-length", "0")))
    return Heard(method=method, target=target, headers=headers, body=body, connection=number)


def _carry(client: socket.socket, target: tuple[str, int]) -> None:
    with socket.create_connection(target) as server:
        up = threading.Thread(target=_pump, args=(client, server), daemon=True)
        up.start()
        _pump(server, client)
        up.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(_BLOCK):
            sink.sendall(block)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
