"""A relay that spoils connections whose content it does not read."""

from __future__ import annotations

import http.client
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.testing import FakeClock, LoopbackRegistry, Relay, Weather

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = bytes(100_000)


@pytest.fixture
def relay(server: LoopbackRegistry) -> Iterator[Relay]:
    """Return a relay before ``server``, on a clock of its own."""
    with Relay(server.host, clock=FakeClock()) as made:
        yield made


@pytest.fixture
def blob(server: LoopbackRegistry) -> str:
    """Return the path of a blob of ``server``."""
    return f"/v2/a/blobs/{server.storage.put_blob('a', CONTENT)}"


def test_good_weather_changes_nothing(relay: Relay, talk: Any, blob: str) -> None:
    """Both directions are carried as they are."""
    client = talk(relay.host)
    assert client("GET", blob).body == CONTENT
    assert client.push_blob("b", CONTENT)
    assert relay.connections_opened == 1


def test_latency_is_waited_on_the_clock(server: LoopbackRegistry, talk: Any) -> None:
    """Every block waits, there and back, and so does the handshake."""
    clock = FakeClock()
    with Relay(server.host, weather=Weather(latency=0.5), clock=clock) as relay:
        assert talk(relay.host)("GET", "/v2/").status == 200
    assert clock.slept == (0.5, 0.5, 0.5, 0.5)


@pytest.mark.parametrize("reset", [False, True])
def test_a_connection_is_cut(relay: Relay, talk: Any, blob: str, reset: bool) -> None:
    """So much is carried, and then it ends; the next one may fare better."""
    relay.weather = Weather(cut_after=50_000, reset=reset)
    client = talk(relay.host)
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        client("GET", blob)
    client.connection.close()
    relay.weather = Weather()
    assert client("GET", blob).body == CONTENT


@pytest.mark.parametrize("reset", [False, True])
def test_a_request_is_cut(relay: Relay, server: LoopbackRegistry, talk: Any, reset: bool) -> None:
    """So much of it goes through, and is counted; the next one may fare better."""
    relay.weather = Weather(cut_sent_after=50_000, reset=reset)
    client = talk(relay.host)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        client.push_blob("b", CONTENT)
    assert relay.bytes_up <= 50_000
    client.connection.close()
    relay.weather = Weather()
    assert client.push_blob("b", CONTENT)
    assert relay.bytes_up > 100_000
    assert relay.bytes_down > 0
    assert any(request.bytes_in == len(CONTENT) for request in server.requests)


def test_what_was_sent_before_a_cut_can_be_waited_for() -> None:
    """Whoever is slow has not read it yet when the sender hears of the cut."""
    with (
        socket.create_server(("127.0.0.1", 0)) as slow,
        Relay(
            f"127.0.0.1:{slow.getsockname()[1]}", weather=Weather(cut_sent_after=50_000)
        ) as relay,
        socket.create_connection(("127.0.0.1", int(relay.host.rpartition(":")[2]))) as client,
    ):
        server, _ = slow.accept()
        with server:
            client.sendall(CONTENT[:50_000])
            assert client.recv(1) == b""
            assert not relay.await_arrival(0)
            while server.recv(10_000):
                pass
        assert relay.await_arrival()
        assert relay.bytes_up == 50_000


@pytest.mark.parametrize("reset", [False, True])
def test_a_connection_is_refused(relay: Relay, talk: Any, reset: bool) -> None:
    """It is taken and ended at once."""
    relay.weather = Weather(refuse=True, reset=reset)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        talk(relay.host)("GET", "/v2/")


def test_a_connection_stalls(relay: Relay, talk: Any, blob: str) -> None:
    """So much comes and then nothing; who is waiting is freed by closing."""
    relay.weather = Weather(stall_after=50_000)
    client = talk(relay.host)
    client.connection.request("GET", blob)
    response = client.connection.getresponse()
    some = response.read(40_000)
    assert len(some) == 40_000
    relay.close()
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        response.read()


def test_a_server_that_is_not_there_ends_the_connection(talk: Any) -> None:
    """The relay outlives its server."""
    with LoopbackRegistry() as gone:
        host = gone.host
    with Relay(host) as relay, pytest.raises((http.client.HTTPException, ConnectionError)):
        talk(relay.host)("GET", "/v2/")


def test_closing_leaves_no_thread(server: LoopbackRegistry, talk: Any) -> None:
    """Connections that are open are ended, on both sides."""
    before = set(threading.enumerate())
    relay = Relay(server.host)
    talk(relay.host)("GET", "/v2/")
    relay.close()
    server.close()
    assert set(threading.enumerate()) <= before
