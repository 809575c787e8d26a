"""A port with a thread for each connection."""

from __future__ import annotations

import socket
import threading

from harborsync.testing.server_listener import Listener


def _connect(listener: Listener) -> socket.socket:
    host, port = listener.host.split(":")
    return socket.create_connection((host, int(port)))


def test_each_connection_has_its_thread_and_number() -> None:
    """Two are served at once, counted from 1."""
    both = threading.Barrier(3, timeout=20)
    numbers: list[int] = []

    def serve(_: socket.socket, number: int) -> None:
        numbers.append(number)
        both.wait()

    listener = Listener(serve)
    with _connect(listener), _connect(listener):
        both.wait()
    listener.close()
    assert (sorted(numbers), listener.accepted) == ([1, 2], 2)


def test_closing_frees_who_is_waiting() -> None:
    """A thread in the middle of a read sees the end of its connection, and is waited for."""
    reading = threading.Event()
    said: list[bytes] = []

    def serve(connection: socket.socket, _: int) -> None:
        reading.set()
        said.append(connection.recv(1))

    listener = Listener(serve)
    with _connect(listener):
        assert reading.wait(20)
        listener.close()
        assert said == [b""]
    listener.close()


def test_closing_waits_for_a_thread_that_is_about_to_end() -> None:
    """Although its connection has ended by itself already."""
    before = set(threading.enumerate())
    for _ in range(20):
        listener = Listener(lambda connection, _: connection.close())
        with _connect(listener) as client:
            assert client.recv(1) == b""
        listener.close()
        assert set(threading.enumerate()) <= before
