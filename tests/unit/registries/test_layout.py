"""Layouts on disk: several writers, writers that die, hostile directories, other tools' ways."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from harborsync.cancel import Cancel
from harborsync.content import REF_NAME, Descriptor
from harborsync.endpoint import Endpoint
from harborsync.errors import (
    Cancelled,
    ConnectionLost,
    HarborsyncError,
    IntegrityError,
    InvalidValue,
    RegistryError,
    Side,
    SizeMismatch,
    Timeout,
    Unsupported,
)
from harborsync.provider import OpenContext
from harborsync.reference import Digest, Tag
from harborsync.registries.layout import LOCK, PROVIDER, LayoutDirectory, open_layout
from harborsync.testing.clock import FakeClock
from harborsync.testing.content import (
    random_blob,
    random_image,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMAGE = random_image(1)


def _files(path: Path) -> set[str]:
    return {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}


def _index(path: Path) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads((path / "index.json").read_bytes())["manifests"]
    return listed


def _pushed(path: Path, tag: str = "v1") -> Path:
    IMAGE.push_to(open_layout(path), "team/app", tag)
    return path


def _blob_file(path: Path, digest: Digest) -> Path:
    return path / "blobs" / digest.algorithm / digest.encoded


def test_what_is_written_is_a_layout(tmp_path: Path) -> None:
    """The mark, the index, the blobs, and one file of ours (OCI-10.1)."""
    _pushed(tmp_path)
    digests = [blob.descriptor.digest for blob in IMAGE.blobs] + [IMAGE.digest]
    blobs = {f"blobs/sha256/{digest.encoded}" for digest in digests}
    assert _files(tmp_path) == {"oci-layout", "index.json", LOCK, *blobs}
    assert json.loads((tmp_path / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}


def test_a_layout_that_is_not_there_is_empty_and_stays_away(tmp_path: Path) -> None:
    """Reading makes nothing."""
    registry = open_layout(tmp_path / "none")
    assert list(registry.list_artifacts("a")) == []
    assert list(registry.list_repositories()) == []
    assert registry.resolve("a", Tag("v1")) is None
    assert not (tmp_path / "none").exists()


def test_a_directory_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    """Neither read as an empty layout nor made one."""
    (tmp_path / "notes.txt").write_text("mine")
    registry = open_layout(tmp_path)
    with pytest.raises(RegistryError, match="no OCI layout"):
        list(registry.list_artifacts("a"))
    with pytest.raises(RegistryError, match="no OCI layout"):
        _pushed(tmp_path)
    assert _files(tmp_path) == {"notes.txt"}


@pytest.mark.parametrize(
    "mark", ['{"imageLayoutVersion":"2.0.0"}', "{}", "x", '{"imageLayoutVersion":1}', "[]"]
)
def test_a_layout_of_another_version_is_not_written_to(mark: str, tmp_path: Path) -> None:
    """Who knows what it looks like."""
    (tmp_path / "oci-layout").write_text(mark)
    with pytest.raises(Unsupported):
        _pushed(tmp_path)


# --- several writers ------------------------------------------------------------------------

_WRITER = """
import sys
from pathlib import Path
from harborsync.registries.layout import open_layout
from harborsync.testing.content import random_image
registry = open_layout(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    random_image(number // 2, layers=1).push_to(registry, "team/app", f"{sys.argv[2]}-{number}")
"""


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    """No tag of either is lost, and no rubbish is left."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path / "new"), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in ("a", "b")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    tags = {str(a.tag) for a in open_layout(tmp_path / "new").list_artifacts("team/app")}
    assert tags == {f"{name}-{number}" for name in ("a", "b") for number in range(20)}
    assert not [name for name in _files(tmp_path) if name.endswith(".tmp")]


_VICTIM = """
import os, sys
from pathlib import Path
from harborsync.registries.layout import open_layout
from harborsync.testing.content import random_image, Blob
registry, image = open_layout(Path(sys.argv[1])), random_image(7)
for blob in image.blobs[1:]:
    registry.put_blob("team/app", blob.descriptor, blob.open)
def dying():
    yield image.blobs[0].content[:10]
    os.kill(os.getpid(), 9)
from contextlib import contextmanager
@contextmanager
def opener(offset=0):
    yield dying()
registry.put_blob("team/app", image.blobs[0].descriptor, opener)
"""


def test_a_writer_killed_between_blob_and_index_does_no_harm(tmp_path: Path) -> None:
    """Readers see what was there before; the next writer goes on; rubbish goes in a day."""
    _pushed(tmp_path)
    victim = subprocess.run([sys.executable, "-c", _VICTIM, str(tmp_path)], check=False)
    assert victim.returncode == -9
    (rubbish,) = tmp_path.glob(".harborsync-*.tmp")
    registry = open_layout(tmp_path)
    assert [a.tag for a in registry.list_artifacts("team/app")] == ["v1"]
    assert not registry.has_blob("team/app", random_image(7).blobs[0].descriptor)
    random_image(7).push_to(registry, "team/app", "v2")
    assert rubbish.exists()
    clock = FakeClock(FakeClock().now() + timedelta(days=3650))
    random_image(7).push_to(open_layout(tmp_path, clock=clock), "team/app", "v3")
    assert not rubbish.exists()


def test_a_source_that_breaks_leaves_no_file(tmp_path: Path) -> None:
    """Not even a temporary one."""

    def breaking() -> Iterator[bytes]:
        yield b"x"
        msg = "cut"
        raise ConnectionLost(msg)

    store = LayoutDirectory(_pushed(tmp_path))
    before = _files(tmp_path)
    with pytest.raises(ConnectionLost):
        store.add_blob(random_blob(1).descriptor, breaking())
    assert _files(tmp_path) == before


def test_a_source_without_end_does_not_fill_the_disk(tmp_path: Path) -> None:
    """Nothing is read past the first block that is too much."""
    blocks = iter([b"x" * 1000] * 5)
    with pytest.raises(SizeMismatch):
        LayoutDirectory(tmp_path).add_blob(random_blob(1, size=1500).descriptor, blocks)
    assert len(list(blocks)) == 3


def test_the_wait_for_another_writer_has_an_end(tmp_path: Path) -> None:
    """By the clock that was given."""
    _pushed(tmp_path)
    clock = FakeClock()
    registry = open_layout(tmp_path, clock=clock, patience=5)
    with (tmp_path / LOCK).open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Timeout, match="5 seconds"):
            IMAGE.push_to(registry, "team/app", "v2")
    assert sum(clock.slept) == pytest.approx(5, abs=0.1)
    IMAGE.push_to(registry, "team/app", "v2")


def test_the_wait_for_another_writer_can_be_cancelled(tmp_path: Path) -> None:
    """As every wait."""
    _pushed(tmp_path)
    cancel = Cancel()
    cancel.set()
    with (tmp_path / LOCK).open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Cancelled):
            IMAGE.push_to(open_layout(tmp_path, cancel=cancel), "team/app", "v2")


# --- hostile directories --------------------------------------------------------------------


def test_a_blob_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    """Nothing outside of the directory gets out through it."""
    layout = _pushed(tmp_path / "layout")
    secret = random_blob(1)
    (tmp_path / "secret").write_bytes(secret.content)
    _blob_file(layout, secret.descriptor.digest).symlink_to(tmp_path / "secret")
    registry = open_layout(layout)
    with (
        pytest.raises(IntegrityError),
        registry.open_blob("team/app", secret.descriptor) as blocks,
    ):
        b"".join(blocks)
    with pytest.raises(IntegrityError):
        registry.has_blob("team/app", secret.descriptor)


@pytest.mark.parametrize("folder", ["blobs", "blobs/sha256"])
def test_a_folder_that_is_a_link_is_not_written_through(folder: str, tmp_path: Path) -> None:
    """Nothing gets out of the directory (OCI-9.16), and what was to be written is not blamed."""
    outside, layout = tmp_path / "outside", tmp_path / "layout"
    outside.mkdir()
    (layout / folder).parent.mkdir(parents=True)
    (layout / folder).symlink_to(outside)
    with pytest.raises(IntegrityError) as caught:
        _pushed(layout)
    assert caught.value.side is Side.DESTINATION
    assert not list(outside.iterdir())


@pytest.mark.parametrize("name", ["index.json", "oci-layout", LOCK])
def test_a_file_of_the_layout_that_is_a_link_is_refused(name: str, tmp_path: Path) -> None:
    """It is neither read nor written through."""
    outside = tmp_path / "outside"
    outside.write_text("{}")
    layout = _pushed(tmp_path / "layout")
    (layout / name).unlink()
    (layout / name).symlink_to(outside)
    with pytest.raises(IntegrityError):
        _pushed(layout, "v2")
    assert outside.read_text() == "{}"


def test_a_pipe_does_not_hold_anybody_up(tmp_path: Path) -> None:
    """It is no regular file, and opening it does not wait."""
    layout, blob = _pushed(tmp_path), random_blob(1)
    os.mkfifo(_blob_file(layout, blob.descriptor.digest))
    with pytest.raises(IntegrityError, match="no regular file"):
        open_layout(layout).has_blob("team/app", blob.descriptor)


def test_an_index_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    """It is refused by its length."""
    layout = _pushed(tmp_path)
    with (layout / "index.json").open("r+b") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(IntegrityError, match="longer than"):
        open_layout(layout).resolve("team/app", Tag("v1"))


def test_a_digest_cannot_be_a_path(tmp_path: Path) -> None:
    """What could lead elsewhere is no digest in the first place."""
    _pushed(tmp_path)
    document = json.loads((tmp_path / "index.json").read_bytes())
    document["manifests"][0]["digest"] = "sha256:../../../etc/passwd"
    (tmp_path / "index.json").write_text(json.dumps(document))
    assert list(open_layout(tmp_path).list_artifacts("team/app")) == []


def test_content_of_unknown_algorithms_cannot_be_written(tmp_path: Path) -> None:
    """Nobody could tell whether it is right."""
    blob = Descriptor(media_type="x", digest=Digest.parse("blake3:abc"), size=1)
    with pytest.raises(HarborsyncError):
        open_layout(tmp_path).put_blob("a", blob, random_blob(1, size=1).open)


def test_the_provider_opens_a_layout(tmp_path: Path) -> None:
    """With the home it is told; other options are refused."""
    endpoint = Endpoint.parse(f"oci:{tmp_path}?repository=team/app")
    registry = PROVIDER.open(endpoint, OpenContext())
    IMAGE.push_to(registry, "team/app", "v1")
    IMAGE.push_to(registry, "other", "v1")
    names = [entry["annotations"] for entry in _index(tmp_path)]
    assert [note[REF_NAME] for note in names if isinstance(note, dict)] == ["v1", "other:v1"]
    assert registry.name == f"oci:{tmp_path}"
    for text in (f"oci:{tmp_path}?tag=v1", f"oci:{tmp_path}?repository=No"):
        with pytest.raises(InvalidValue):
            PROVIDER.open(Endpoint.parse(text), OpenContext())
