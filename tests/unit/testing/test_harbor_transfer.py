"""One task of an emulated replication, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.testing import FaultScript, faults
from harborsync.testing.content import random_image, random_index
from harborsync.testing.harbor_adapters import PlainAdapter
from harborsync.testing.harbor_far import FarError, HttpLine
from harborsync.testing.harbor_resources import Item, Resource
from harborsync.testing.harbor_transfer import Stopped, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import LoopbackRegistry
    from harborsync.testing.content import Sample


def _seed(server: LoopbackRegistry, repository: str, sample: Sample, *tags: str) -> None:
    for blob in sample.blobs:
        server.storage.put_blob(repository, blob.content)
    for manifest in sample.manifests:
        server.storage.put_manifest(
            repository,
            manifest.raw,
            media_type=manifest.media_type,
            tags=tags if manifest is sample.manifest else (),
        )


class Ends:
    """A source, a destination, and what a task between them said."""

    def __init__(self, source: LoopbackRegistry, destination: LoopbackRegistry) -> None:
        self.source, self.destination = source, destination
        self.log: list[str] = []
        self.stopped = False

    def transfer(self, *references: str, **change: Any) -> Transfer:
        """Return a task that copies ``app`` to ``mirror``."""
        resource = Resource(repository="app", kind="image", items=(Item(tags=references),))
        made = Transfer(
            source=PlainAdapter(HttpLine(f"http://{self.source.host}")),
            destination=PlainAdapter(HttpLine(f"http://{self.destination.host}")),
            resource=resource,
            name="mirror",
            log=lambda level, _, text: self.log.append(f"{level} {text}"),
            stopped=lambda: self.stopped,
        )
        return attrs.evolve(made, **change)

    def said(self, text: str) -> int:
        """Return how often a line of the log has that text."""
        return sum(text in line for line in self.log)


@pytest.fixture
def ends(make: Callable[..., LoopbackRegistry]) -> Ends:
    """Return two registries."""
    return Ends(make(), make())


def test_an_index_is_copied_with_its_children(ends: Ends) -> None:
    """Children come first, by digest; a second time all of it is there."""
    _seed(ends.source, "app", random_index(1), "1")
    list(ends.transfer("1").run())
    assert ends.destination.storage.tags("mirror") == ends.source.storage.tags("app")
    assert ends.said("completed") > 3
    list(ends.transfer("1").run())
    assert ends.said("already exists on the destination registry, skip") == 1


def test_a_tag_that_points_elsewhere_is_changed_or_left(ends: Ends) -> None:
    """As the rule says, and with a warning either way."""
    _seed(ends.source, "app", random_image(1), "1")
    _seed(ends.destination, "mirror", random_image(2), "1")
    before = dict(ends.destination.storage.tags("mirror"))
    list(ends.transfer("1", override=False).run())
    assert ends.destination.storage.tags("mirror") == before
    assert ends.said("WARNING the same name artifact mirror:1 exists") == 1
    list(ends.transfer("1").run())
    assert ends.destination.storage.tags("mirror") == ends.source.storage.tags("app")
    assert ends.said("is set to true, continue...") == 1


def test_a_limit_makes_large_blobs_slow(ends: Ends) -> None:
    """The first 1,024,000 bytes of each pass unhindered (recorded: 10-replication-stop)."""
    _seed(ends.source, "app", random_image(1, layers=1, layer_bytes=1_500_000), "1")
    fast = sum(ends.transfer("1").run())
    ends.destination.storage.delete_tag("mirror", "1")
    for digest in ends.source.storage.blobs("app"):
        ends.destination.storage.delete_blob("mirror", digest)
    slow = sum(ends.transfer("1", speed=400, by_chunk=True).run())
    assert slow - fast > 9
    assert ends.said("limit network speed at 400 kb/s") == 1
    assert ends.said("by chunk(chunkSize: 10485760)(the 1th running)...") == 2


def test_a_blob_that_does_not_go_is_tried_five_times(
    make: Callable[..., LoopbackRegistry],
) -> None:
    """With pauses of 2, 4, 8 and 16 seconds; other artifacts are copied all the same."""
    plan = FaultScript(faults.on("POST", "/blobs/uploads/", faults.status(500), times=5))
    ends = Ends(make(), make(faults=plan))
    _seed(ends.source, "app", random_image(1, layers=0), "bad")
    _seed(ends.source, "app", random_image(2, layers=0), "good")
    pauses: list[float] = []
    with pytest.raises(FarError, match="mark the job failure"):
        pauses.extend(ends.transfer("bad", "good").run())
    assert [pause for pause in pauses if pause >= 2] == [2.0, 4.0, 8.0, 16.0]
    assert list(ends.destination.storage.tags("mirror")) == ["good"]
    assert ends.said("ERROR failed to pushing the blob") == 5


def test_what_cannot_be_read_or_written_is_told(make: Callable[..., LoopbackRegistry]) -> None:
    """A missing manifest, and one that is refused, each by its own line."""
    plan = FaultScript(faults.on("PUT", "/manifests/", faults.status(403)))
    ends = Ends(make(), make(faults=plan))
    _seed(ends.source, "app", random_image(1), "1")
    with pytest.raises(FarError):
        list(ends.transfer("absent", "1").run())
    assert ends.said("ERROR failed to pull the manifest of artifact app:absent") == 1
    assert ends.said("ERROR failed to push manifest of artifact mirror:1") == 1


def test_a_stopped_task_stops_before_its_next_step(ends: Ends) -> None:
    """What is being written is finished; the rest is left."""
    _seed(ends.source, "app", random_image(1), "1", "2")
    run = ends.transfer("1", "2").run()
    next(run)
    ends.stopped = True
    with pytest.raises(Stopped):
        list(run)
    assert ends.log[-1] == "INFO the job is stopped"
    assert not ends.destination.storage.tags("mirror")


def test_a_foreign_layer_stays_where_it_is(ends: Ends) -> None:
    """It is named by the manifest and never asked for."""
    foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    layer = f'{{"mediaType":"{foreign}","digest":"sha256:{"1" * 64}","size":3}}'
    content = f'{{"schemaVersion":2,"layers":[{layer}]}}'.encode()
    ends.source.storage.put_manifest("app", content, tags=["1"])
    list(ends.transfer("1").run())
    assert ends.said("is a foreign layer, skip") == 1
    assert not any("/blobs/" in each.path for each in ends.source.requests)


def test_deletion_takes_what_is_there(ends: Ends) -> None:
    """What is gone already is told and skipped; tags alone only a Harbor can delete."""
    _seed(ends.destination, "mirror", random_image(1), "1")
    resource = attrs.evolve(ends.transfer("1", "2").resource, operation="deletion")
    list(ends.transfer(resource=resource).run())
    assert ends.log == [
        "INFO the manifest of artifact mirror:1 is deleted",
        "INFO the artifact mirror:2 doesn't exist on the destination registry, skip",
    ]
    tags = attrs.evolve(resource, operation="tag deletion")
    with pytest.raises(FarError, match="isn't supported"):
        list(ends.transfer(resource=tags).run())


class _Mounting(PlainAdapter):
    """A registry that knows where blobs are, and then does not take them from there."""

    def mountable(self, digest: str) -> str | None:
        """Name a repository that does not have it."""
        return "elsewhere"


def test_a_mount_that_does_not_work_is_tried_again(ends: Ends) -> None:
    """And fails like an upload."""
    _seed(ends.source, "app", random_image(1, layers=0), "1")
    there = _Mounting(HttpLine(f"http://{ends.destination.host}"))
    with pytest.raises(FarError):
        list(ends.transfer("1", destination=there).run())
    assert ends.said("ERROR failed to mount the blob") == 5


def test_a_part_of_no_known_kind_is_a_blob(ends: Ends) -> None:
    """Whatever its type says."""
    digest = ends.source.storage.put_blob("app", b"thing")
    layer = f'{{"mediaType":"x/y","digest":"{digest}","size":5}}'
    content = f'{{"schemaVersion":2,"layers":[{layer}]}}'.encode()
    ends.source.storage.put_manifest("app", content, tags=["1"])
    list(ends.transfer("1").run())
    assert ends.destination.storage.blob("mirror", digest) is not None
