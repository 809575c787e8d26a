"""One cut in the middle of a large layer: what is moved in all, counted on the wire."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from harborsync import Endpoint, Options, ReplicationRule, Replicator, open_registry
from harborsync.events import Event, RetryScheduled
from harborsync.retry import RetryPolicy
from harborsync.testing import LoopbackRegistry, Relay, Weather
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.testing.content import Sample

MB = 10**6
CUT = 40 * MB
CHUNK = 2**20
#: Heads, manifests, the config, tokens.
TRIFLES = 64 * 1024
#: What is on its way, in sockets and relays, when somebody hangs up or is reset: lost, however
#: careful one is. On loopback the kernel lets it grow to some megabytes at each connection.
BUFFERS = 16 * 2**20
QUICK = Options(retry=RetryPolicy(first_wait=0.01))
SERVERS = [
    "loopback",
    pytest.param("docker_registry", marks=pytest.mark.real),
    pytest.param("distribution3", marks=pytest.mark.real),
]


@cache
def image() -> Sample:
    """Return an image whose one layer has a little more than 60 MB."""
    return random_image(60, layers=1, layer_bytes=60 * MB)


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Any]]:
    """Start servers by name."""
    with ExitStack() as stack:

        def started(name: str) -> Any:
            if name == "loopback":
                return stack.enter_context(LoopbackRegistry())
            return request.getfixturevalue(name)()

        yield started


class Journey:
    """From a source to a destination, each behind a relay, with one cut that heals."""

    def __init__(self, source: Any, destination: Any, stack: ExitStack) -> None:
        self.destination = destination
        self.down = stack.enter_context(Relay(source.host))
        self.up = stack.enter_context(Relay(destination.host))
        self.breaks = 0
        registry = open_registry(source.endpoint)
        image().push_to(registry, "team/app", "v1")
        registry.close()

    def heal(self, event: Event) -> None:
        """Let the sun shine once a break was noticed and the server has what came before it."""
        if isinstance(event, RetryScheduled):
            self.breaks += 1
            assert self.up.await_arrival()
            self.down.weather = self.up.weather = Weather()

    def run(self) -> None:
        """Replicate; everything arrives, as its digest says."""
        rule = ReplicationRule(
            name="all",
            source=Endpoint.parse(f"registry+http://{self.down.host}"),
            destinations=Endpoint.parse(f"registry+http://{self.up.host}"),
            where="name is 'team/app'",
        )
        with Replicator([rule], options=QUICK, listeners=[self.heal]) as replicator:
            replicator.run().raise_for_failures()
        registry = open_registry(self.destination.endpoint)
        for blob in registry.get_manifest("team/app", image().digest).blobs:
            with registry.open_blob("team/app", blob) as blocks:
                assert blob.digest.matches(b"".join(blocks))
        registry.close()


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("name", SERVERS)
def test_a_cut_download_moves_no_byte_twice(
    start: Callable[[str], Any], name: str, reset: bool
) -> None:
    """60 MB cut at 40: both ways carry 60 MB and at most a chunk (OCI-4.31).

    A reset throws away what had come and was not read yet.
    """
    layer = image().blobs[-1].descriptor.size
    with ExitStack() as stack:
        journey = Journey(start(name), start("loopback"), stack)
        journey.down.weather = Weather(cut_after=CUT, reset=reset)
        journey.run()
        assert journey.breaks
        lost = BUFFERS if reset else CHUNK + TRIFLES
        assert layer <= journey.down.bytes_down <= layer + lost
        assert layer <= journey.up.bytes_up <= layer + TRIFLES


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("name", SERVERS)
def test_a_cut_upload_goes_on_where_the_server_stands(
    start: Callable[[str], Any], name: str, reset: bool
) -> None:
    """60 MB cut at 40: a server that keeps sessions gets no byte twice (OCI-4.16).

    The source is read again from where the server stands, not from the start: what was read
    already and never reached the server, and what was on its way from the source, comes twice.
    """
    layer = image().blobs[-1].descriptor.size
    with ExitStack() as stack:
        source = start("loopback")
        journey = Journey(source, start(name), stack)
        journey.up.weather = Weather(cut_sent_after=CUT, reset=reset)
        journey.run()
        assert journey.breaks
        # distribution 2 drops a session whose piece was cut, so it gets everything again.
        again = CUT if name == "docker_registry" else 0
        assert layer <= journey.up.bytes_up <= layer + again + CHUNK
        assert layer <= journey.down.bytes_down <= layer + again + 2 * BUFFERS
        ranges = [r.headers["range"] for r in source.requests if "range" in r.headers]
        if not again:
            assert int(ranges[-1].removeprefix("bytes=").rstrip("-")) >= CUT - CHUNK - TRIFLES
