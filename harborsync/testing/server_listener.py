"""A port on 127.0.0.1 with a thread for each connection, and an orderly end."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_BACKLOG: Final = 256


class Listener:
    """Takes connections at one port and gives each a thread.

    Args:
        serve: Serves a connection, given its socket and number, until it ends.
        tls: Settings under which connections are made, or None for plain ones.
    """

    def __init__(
        self, serve: Callable[[socket.socket, int], None], tls: ssl.SSLContext | None = None
    ) -> None:
        self._serve = serve
        self._tls = tls
        # Only the accepting thread adds, and looks who has ended: one that is about to end still
        # has to be waited for.
        self._served: list[tuple[socket.socket, threading.Thread]] = []
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self.accepted = 0  # read from outside: connections taken since the start
        self._thread = threading.Thread(target=self._accept, name="loopback-accept", daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """Address and port."""
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        """Stop listening and end every connection; waits until all threads are gone."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
        for connection, _ in self._served:
            with suppress(OSError):  # it has ended by itself
                # Not TLS's own shutdown, which takes its state away under the reading thread.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for _, thread in self._served:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # closed
            with suppress(OSError):  # a client that is gone already is no reason to stop
                self._start(self._prepared(connection))

    def _prepared(self, connection: socket.socket) -> socket.socket:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            return connection
        # The handshake is the first read, in the thread of the connection.
        return self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)

    def _start(self, connection: socket.socket) -> None:
        self.accepted += 1
        number = self.accepted
        thread = threading.Thread(
            target=self._run, args=(connection, number), name=f"loopback-{number}", daemon=True
        )
        self._served = [each for each in self._served if each[1].is_alive()]
        thread.start()
        self._served.append((connection, thread))

    def _run(self, connection: socket.socket, number: int) -> None:
        with connection:
            self._serve(connection, number)
