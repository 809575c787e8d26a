"""A TCP relay in front of any server, to spoil connections whose content nobody reads.

>>> from harborsync.testing import LoopbackRegistry
>>> from harborsync.testing.relay import Relay
>>> with LoopbackRegistry() as server, Relay(server.host) as relay:
...     relay.host != server.host
True
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.clock import SystemClock
from harborsync.testing.closing import Closing
from harborsync.testing.server_listener import Listener

if TYPE_CHECKING:
    from harborsync.clock import Clock

_BLOCK: Final = 64 * 1024


@attrs.frozen(kw_only=True)
class Weather:
    """What a relay does to the connections it carries.

    Attributes:
        latency: Seconds each block waits on its way, in both directions, and the handshake.
        cut_after: End a connection after so many bytes towards the client, or None.
        cut_sent_after: End a connection after so many bytes towards the server, or None.
        stall_after: Carry nothing more after so many bytes towards the client, or None.
        reset: End connections by a reset, not cleanly.
        refuse: Take connections and end them at once.
    """

    latency: float = 0.0
    cut_after: int | None = None
    cut_sent_after: int | None = None
    stall_after: int | None = None
    reset: bool = False
    refuse: bool = False


class Relay(Closing):
    """Carries connections to a server; ``weather`` can be changed at any time.

    Args:
        target: ``host:port`` of the server.
        weather: What happens on the way.
        clock: On which latency is waited.
    """

    def __init__(
        self, target: str, *, weather: Weather | None = None, clock: Clock | None = None
    ) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host.strip("[]"), int(port))
        self._clock = clock or SystemClock()
        self.weather = weather or Weather()
        self._lock = threading.Lock()
        self._cut: set[int] = set()
        self._arrived = threading.Condition(self._lock)
        self._bytes_up = self._bytes_down = 0
        self._listener = Listener(self._carry)

    @property
    def host(self) -> str:
        """Where it listens: ``127.0.0.1:<port>``."""
        return self._listener.host

    @property
    def connections_opened(self) -> int:
        """Number of connections taken since the start."""
        return self._listener.accepted

    @property
    def bytes_up(self) -> int:
        """Bytes carried towards the server since the start."""
        return self._bytes_up

    @property
    def bytes_down(self) -> int:
        """Bytes carried towards the client since the start."""
        return self._bytes_down

    def await_arrival(self, seconds: float = 60.0) -> bool:
        """Wait until servers have taken in, and hung up on, what came before every cut.

        The kernel holds some megabytes between two sockets, and a server that is asked for its
        offset sooner names one that it is about to pass.

        Args:
            seconds: How long to wait at most.

        Returns:
            Whether they have.
        """
        with self._arrived:
            return self._arrived.wait_for(lambda: not self._cut, timeout=seconds)

    def close(self) -> None:
        """End every connection and thread; may be called again."""
        self._listener.close()

    def _carry(self, client: socket.socket, number: int) -> None:
        """Carry one connection until one side, or the weather, ends it."""
        if self.weather.refuse:
            self._end(client)
            return
        with suppress(OSError), socket.create_connection(self._target) as server:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            up = threading.Thread(
                target=self._pump,
                args=(client, server, number),
                name=f"relay-{number}",
                daemon=True,
            )
            self._wait()  # the handshake is a round trip as well
            self._wait()
            up.start()
            self._pump_back(server, client)
            self._end(client)
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            up.join()
        with self._arrived:
            self._cut.discard(number)
            self._arrived.notify_all()

    def _pump(self, source: socket.socket, sink: socket.socket, number: int) -> None:
        """Carry what the client sends, until it ends or the weather ends it."""
        carried = 0
        with suppress(OSError):
            while block := source.recv(_BLOCK):
                self._wait()
                cut = self.weather.cut_sent_after
                block = block if cut is None else block[: max(0, cut - carried)]
                carried += len(block)
                self._count(up=len(block))
                sink.sendall(block)
                if cut is not None and carried >= cut:
                    with self._lock:
                        self._cut.add(number)
                    self._end(source)
                    break
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _count(self, *, up: int = 0, down: int = 0) -> None:
        """Count what is about to be sent: who has got it may look."""
        with self._lock:
            self._bytes_up += up
            self._bytes_down += down

    def _pump_back(self, source: socket.socket, sink: socket.socket) -> None:
        """Carry what the server sends, as far as the weather lets it through."""
        carried = 0
        with suppress(OSError):
            while block := source.recv(_BLOCK):
                self._wait()
                block = block[: self._room(carried, len(block))]
                carried += len(block)
                self._count(down=len(block))
                sink.sendall(block)
                if self.weather.cut_after is not None and carried >= self.weather.cut_after:
                    return

    def _room(self, carried: int, length: int) -> int:
        limits = (self.weather.cut_after, self.weather.stall_after)
        rooms = [limit - carried for limit in limits if limit is not None]
        return max(0, min([length, *rooms]))

    def _wait(self) -> None:
        if self.weather.latency:
            self._clock.sleep(self.weather.latency)

    def _end(self, client: socket.socket) -> None:
        """Wake who still reads from the client; the listener closes the connection after us."""
        with suppress(OSError):
            if self.weather.reset:
                linger = struct.pack("ii", 1, 0)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                client.shutdown(socket.SHUT_RD)
            else:
                client.shutdown(socket.SHUT_RDWR)
