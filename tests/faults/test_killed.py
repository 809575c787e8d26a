"""A process that is killed in the middle of a copy, and the one that comes after it."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from harborsync.gate import open_registry
from harborsync.reference import ArtifactRef
from harborsync.state import Place
from harborsync.state_sqlite import SqliteState
from harborsync.testing import LoopbackRegistry
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from pathlib import Path

    from harborsync.reference import Digest

LAYER: Final = 24 * 2**20

# Copies team/app, says how many bytes it sent, and dies by its own hand after so many, or after
# the first step.
_COPY: Final = """
import os, signal, sys
from harborsync import Options, ReplicationRule, Replicator
from harborsync.events import BytesMoved, StepFinished
from harborsync.state_sqlite import SqliteState

source, destination, path, deadly = sys.argv[1:]
moved = 0

def count(event):
    global moved
    if isinstance(event, BytesMoved):
        moved += event.count
    is_over = isinstance(event, StepFinished) if deadly == "step" else moved > int(deadly)
    if is_over:
        os.kill(os.getpid(), signal.SIGKILL)

rule = ReplicationRule(name="r", source=source, destinations=destination, where="team/app:v.*")
options = Options(blobs_at_once=1)  # nothing but the layer is on its way at its death
with (
    SqliteState(path) as state,
    Replicator([rule], state=state, options=options, listeners=[count]) as replicator,
):
    print(replicator.run().raise_for_failures().bytes_sent)
"""


def _copy(
    source: LoopbackRegistry,
    destination: LoopbackRegistry,
    path: Path,
    *,
    deadly: int | str = 2**40,
) -> subprocess.CompletedProcess[str]:
    places = [str(source.endpoint), str(destination.endpoint), str(path), str(deadly)]
    return subprocess.run(
        [sys.executable, "-c", _COPY, *places], stdout=subprocess.PIPE, text=True, check=False
    )


def _seed(source: LoopbackRegistry, seed: int, *, layer: int = LAYER) -> Digest:
    registry = open_registry(source.endpoint)
    try:
        image = random_image(seed, layers=1, layer_bytes=layer)
        return image.push_to(registry, "team/app", f"v{seed}")
    finally:
        registry.close()


def _take_in(server: LoopbackRegistry) -> None:
    """Wait until a server has read what a process that is gone had sent."""
    for upload in tuple(server.storage._uploads.values()):
        with upload.lock:
            pass


def test_an_upload_goes_on_where_the_killed_process_left_it(tmp_path: Path) -> None:
    """The session is in the file, so the next process sends the rest and no more."""
    path = tmp_path / "state.sqlite"
    with LoopbackRegistry() as source, LoopbackRegistry() as destination:
        digest = _seed(source, 1)
        killed = _copy(source, destination, path, deadly=LAYER // 2)
        assert killed.returncode == -signal.SIGKILL
        assert destination.storage.open_uploads == 1
        _take_in(destination)
        done = _copy(source, destination, path)
        sent = int(done.stdout)
        assert LAYER // 4 < sent < LAYER * 3 // 4
        assert destination.storage.tags("team/app") == {"v1": str(digest)}
        assert destination.storage.open_uploads == 0


def test_without_the_file_everything_is_sent_again(tmp_path: Path) -> None:
    """It is the file that saves the bytes, and its loss costs nothing but them."""
    with LoopbackRegistry() as source, LoopbackRegistry() as destination:
        _seed(source, 1)
        _copy(source, destination, tmp_path / "lost.sqlite", deadly=LAYER // 2)
        done = _copy(source, destination, tmp_path / "new.sqlite")
        assert int(done.stdout) >= LAYER


def test_what_was_written_before_the_kill_is_known_to_be_ours(tmp_path: Path) -> None:
    """A tag that moves at the source meanwhile is updated, and is no conflict."""
    path = tmp_path / "state.sqlite"
    with LoopbackRegistry() as source, LoopbackRegistry() as destination:
        first = _seed(source, 1, layer=1000)
        killed = _copy(source, destination, path, deadly="step")
        assert killed.returncode == -signal.SIGKILL
        with SqliteState(path) as state:
            artifact = ArtifactRef.parse("team/app:v1")
            known = state.written(Place(rule="r", to=str(destination.endpoint), artifact=artifact))
        assert known is not None
        assert known.digest == first
        source.storage.tag("team/app", "v1", _seed(source, 2, layer=1000))
        assert _copy(source, destination, path).returncode == 0
        assert destination.storage.tags("team/app") == source.storage.tags("team/app")
