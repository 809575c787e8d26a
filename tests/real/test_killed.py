"""Two hundred artifacts by processes that are killed twenty times on the way."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import pytest

from harborsync import open_registry
from harborsync.reference import Digest, Tag
from harborsync.testing import LoopbackRegistry, Relay
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from pathlib import Path

    from harborsync.testing.content import Sample
    from tests.real.conftest import StartRegistry

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SEED: Final = 9
KILLS: Final = 20
CHUNK: Final = 2**20
#: The layers of every sixteenth artifact: so long that they are sent in a session, and so many
#: that most of them are there when a process is killed, and no tag is yet.
LARGE: Final = CHUNK + CHUNK // 4
LAYERS: Final = 8
#: Large blobs on their way at the same time.
IN_FLIGHT: Final = 2

PROGRAM: Final = """
import os, signal, sys
from harborsync import Options, ReplicationRule, Replicator
from harborsync.events import BytesMoved
from harborsync.state_sqlite import SqliteState

source, destination, path, deadly = sys.argv[1:]
moved = 0

def count(event):
    global moved
    if isinstance(event, BytesMoved):
        moved += event.count
        if moved > int(deadly):
            os.kill(os.getpid(), signal.SIGKILL)

rule = ReplicationRule(name="r", source=source, destinations=destination, where="name like 'team/**'")
options = Options(artifacts_at_once=2, blobs_at_once=2)
with (
    SqliteState(path) as state,
    Replicator([rule], state=state, options=options, listeners=[count]) as replicator,
):
    replicator.run().raise_for_failures()
"""


def seed(source: LoopbackRegistry) -> dict[str, Digest]:
    """Put two hundred artifacts at the source, small and large ones."""
    with closing(open_registry(source.endpoint)) as registry:
        return {
            f"team/app{number}": image(number).push_to(registry, f"team/app{number}", "v1")
            for number in range(200)
        }


def image(number: int) -> Sample:
    """Return one of the artifacts."""
    if number % 16:
        return random_image(number, layers=1, layer_bytes=2000)
    return random_image(number, layers=LAYERS, layer_bytes=LARGE)


def total_bytes(source: LoopbackRegistry, wanted: dict[str, Digest]) -> int:
    """Return the bytes of all blobs."""
    return sum(
        blob.size
        for repository in wanted
        for digest in source.storage.blobs(repository)
        if (blob := source.storage.blob(repository, digest)) is not None
    )


def check_tags(destination: Any, wanted: dict[str, Digest]) -> int:
    """See that every tag points to what it should, whole; return how many there are."""
    count = 0
    with closing(open_registry(destination.endpoint)) as registry:
        for repository, digest in wanted.items():
            found = registry.resolve(repository, Tag("v1"))
            if found is None:
                continue
            assert found.digest == digest
            for blob in registry.get_manifest(repository, digest).blobs:
                with registry.open_blob(repository, blob) as blocks:
                    assert blob.digest.matches(b"".join(blocks))
            count += 1
    return count


def run(source: LoopbackRegistry, to: str, path: Path, deadly: int) -> int:
    """Replicate in a process that dies after so many bytes; return its exit status."""
    command = [sys.executable, "-c", PROGRAM, str(source.endpoint), to, str(path), str(deadly)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode


def kill_and_go_on(
    source: LoopbackRegistry, destination: Any, to: str, path: Path, wanted: dict[str, Digest]
) -> None:
    """Run twenty processes to their deaths at seeded points, and one to its end."""
    rng = random.Random(SEED)
    most = total_bytes(source, wanted) // (KILLS // 2)
    before = 0
    for _ in range(KILLS):
        assert run(source, to, path, rng.randrange(most)) == -signal.SIGKILL
        arrived = check_tags(destination, wanted)
        assert before <= arrived < len(wanted)
        before = arrived
    assert run(source, to, path, 2**60) == 0
    assert check_tags(destination, wanted) == len(wanted)


def test_twenty_kills_cost_a_chunk_of_each_blob_in_flight(tmp_path: Path) -> None:
    """Each process goes on in the sessions that the one before has left (OCI-4.16).

    What had arrived whole is not sent again, though no tag told of it.
    """
    with LoopbackRegistry() as source, LoopbackRegistry() as destination:
        wanted = seed(source)
        total = total_bytes(source, wanted)
        to = str(destination.endpoint)
        kill_and_go_on(source, destination, to, tmp_path / "state.sqlite", wanted)
        taken: defaultdict[str, int] = defaultdict(int)
        committed: dict[str, str] = {}
        for request in destination.requests:
            if "/blobs/uploads/" in request.path and request.method in {"PUT", "PATCH"}:
                taken[request.path] += request.bytes_in
                if request.status == 201 and "digest" in parse_qs(request.query):
                    committed[request.path] = request.query
        large = [query for path, query in committed.items() if taken[path] > CHUNK]
        assert len(large) == len(set(large)) == LAYERS * 13
        lost = {path: count for path, count in taken.items() if path not in committed}
        assert max(lost.values(), default=0) <= CHUNK
        assert sum(taken.values()) <= total + KILLS * IN_FLIGHT * CHUNK


@pytest.mark.real
def test_twenty_kills_cost_each_blob_in_flight_where_sessions_are_lost(
    docker_registry: StartRegistry, tmp_path: Path
) -> None:
    """Distribution 2 drops a session whose body was cut; what was in flight is sent again."""
    destination = docker_registry()
    with LoopbackRegistry() as source, Relay(destination.host) as relay:
        wanted = seed(source)
        total = total_bytes(source, wanted)
        to = f"registry+http://{relay.host}"
        kill_and_go_on(source, destination, to, tmp_path / "state.sqlite", wanted)
        again = KILLS * IN_FLIGHT * LARGE
        heads = 200 * 20 * 1024
        print(f"sent again: {(relay.bytes_up - total) // 1024} KiB of {again // 1024}")
        assert relay.bytes_up <= total + again + heads
