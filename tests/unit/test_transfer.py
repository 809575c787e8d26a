"""A graph moves in the right order, once, and nothing is visible before it is complete."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.cancel import Cancel
from harborsync.content import EMPTY, OCI_INDEX, OCI_MANIFEST, Descriptor, Manifest
from harborsync.errors import (
    Cancelled,
    ConnectionLost,
    ContentMissing,
    DigestMismatch,
    HarborsyncError,
    NotFound,
    QuotaExceeded,
    ServerError,
    Side,
    TagImmutable,
    VerificationError,
)
from harborsync.events import (
    BlobFinished,
    BlobOutcome,
    BlobStarted,
    BytesMoved,
    Dispatcher,
    Event,
    ManifestWritten,
)
from harborsync.graph import (
    Choice,
    Foreign,
    Graph,
    ManifestCache,
    SourceRepository,
    Subset,
    read_graph,
)
from harborsync.ledger import Ledger
from harborsync.reference import Digest, Tag
from harborsync.registries.memory import MemoryRegistry
from harborsync.registry import BlobPut, Quirks
from harborsync.testing.bulk import BulkRegistry
from harborsync.testing.clock import EPOCH, FakeClock
from harborsync.testing.content import (
    AMD64,
    ARM64,
    Blob,
    Sample,
    fallback_index,
    join,
    odd_artifact,
    random_blob,
    random_image,
    random_referrer,
    random_signature,
)
from harborsync.transfer import (
    FromRegistry,
    FromRegistryOrUrls,
    Tally,
    Target,
    Tools,
    copy_graph,
    restore_graph,
)
from harborsync.warehouse import Listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from harborsync.registry import BlobOpener

HERE, THERE = "team/app", "copies/app"
V1 = Tag("v1")
NOTHING: frozenset[Tag] = frozenset()


class _Mirror(MemoryRegistry):
    """A destination that notes what is written, and may refuse."""

    def __init__(self, **fields: Any) -> None:
        super().__init__("mirror", **fields)
        self.writes: list[str] = []
        self.refuse: Callable[[Manifest, Tag | None], HarborsyncError | None] = lambda *_: None

    def put_blob(
        self,
        repository: str,
        blob: Descriptor,
        content: BlobOpener,
        *,
        mount_from: Sequence[str] = (),
        absent: bool = False,
    ) -> BlobPut:
        put = super().put_blob(repository, blob, content, mount_from=mount_from, absent=absent)
        self.writes.append(f"{put.outcome} {blob.digest}")
        return put

    def put_manifest(self, repository: str, manifest: Manifest, *, tag: Tag | None = None) -> bool:
        error = self.refuse(manifest, tag)
        if error is not None:
            raise error
        indexed = super().put_manifest(repository, manifest, tag=tag)
        self.writes.append(f"tag {tag}" if tag else f"manifest {manifest.digest}")
        return indexed


@attrs.define
class _Road:
    """A source with samples, a destination, and what is used in between."""

    source: MemoryRegistry = attrs.field(factory=lambda: MemoryRegistry("source"))
    mirror: _Mirror = attrs.field(factory=_Mirror)
    tools: Tools = attrs.field(factory=Tools)

    def bring(self, *samples: Sample) -> None:
        for sample in samples:
            sample.push_to(self.source, HERE)

    def origin(self) -> SourceRepository:
        return SourceRepository(self.source, HERE, ManifestCache())

    def graph(self, sample: Sample, choice: Choice | None = None) -> Graph:
        return read_graph(self.origin(), sample.digest, choice or Choice())

    def target(self, tag: Tag | None = V1, **fields: Any) -> Target:
        given = {"registry": self.mirror, "repository": THERE, "tag": tag, **fields}
        return Target(**given)

    def copy(self, sample: Sample, choice: Choice | None = None, **fields: Any) -> Tally:
        graph = self.graph(sample, choice)
        return copy_graph(self.origin(), graph, self.target(**fields), self.tools)


@pytest.fixture
def road() -> _Road:
    """Two registries with nothing in them."""
    return _Road()


def _sent(*samples: Sample) -> list[str]:
    return [f"uploaded {blob.descriptor.digest}" for sample in samples for blob in sample.blobs]


def _foreign(urls: Iterable[str] = ()) -> tuple[Sample, Blob]:
    """An image with one layer that may not be distributed, and that layer."""
    media_type = "application/vnd.oci.image.layer.nondistributable.v1.tar"
    layer = random_blob(9, media_type=media_type)
    layer = attrs.evolve(layer, descriptor=attrs.evolve(layer.descriptor, urls=tuple(urls)))
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": EMPTY.to_json(),
        "layers": [layer.descriptor.to_json()],
    }
    manifest = Manifest.parse(json.dumps(document).encode())
    empty = Blob(descriptor=EMPTY, content=b"{}")
    return Sample(manifests=(manifest,), blobs=(empty, layer)), layer


# --- the order of things ---------------------------------------------------------------------


def test_blobs_come_first_and_a_lone_root_under_its_tag(road: _Road) -> None:
    """Nothing is about the image, so the root is written once, by its tag."""
    image = random_image(1)
    road.bring(image)
    tally = road.copy(image)
    assert road.mirror.writes == [*_sent(image), "tag v1"]
    assert road.mirror.get_manifest(THERE, V1) == image.manifest
    assert tally.bytes_sent == sum(len(blob.content) for blob in image.blobs)


def test_everything_is_there_before_the_tag(road: _Road) -> None:
    """Blobs, children, the root by digest, what is about it, cosign's tag, and the tag last."""
    amd64, arm64 = random_image(1), random_image(2, platform=ARM64)
    index = join([(amd64, {"platform": AMD64}), (arm64, {"platform": ARM64})])
    sbom, signature = random_referrer(3, index.descriptor), random_signature(4, index.digest)
    road.bring(index, sbom, signature)
    tally = road.copy(index)
    assert road.mirror.writes == [
        *_sent(amd64),
        f"manifest {amd64.digest}",
        *_sent(arm64),
        f"manifest {arm64.digest}",
        f"manifest {index.digest}",
        *_sent(signature),
        f"tag {signature.tag}",
        *_sent(sbom),
        f"manifest {sbom.digest}",
        "tag v1",
    ]
    assert tally.satellites == 2
    assert tally.warnings == []


def test_where_the_root_needs_a_tag_the_satellites_follow() -> None:
    """Some registries take no untagged manifest (OCI-6.7)."""
    road = _Road(mirror=_Mirror(quirks=Quirks(manifests_by_digest_first=False)))
    image = random_image(1)
    signature = random_signature(2, image.digest)
    road.bring(image, signature)
    road.copy(image)
    assert road.mirror.writes == [
        *_sent(image),
        "tag v1",
        *_sent(signature),
        f"tag {signature.tag}",
    ]


def test_without_a_tag_everything_is_written_by_digest(road: _Road) -> None:
    """What has no tag gets none."""
    image = random_image(1)
    road.bring(image, random_referrer(2, image.descriptor))
    road.copy(image, tag=None)
    assert list(road.mirror.list_artifacts(THERE)) == []
    assert road.mirror.resolve(THERE, image.digest)


def test_shared_children_and_blobs_are_written_once(road: _Road) -> None:
    """However many indexes want them (OCI-3.15)."""
    shared = random_image(1)
    inner = join([(shared, {})])
    outer = join([(inner, {}), (shared, {})])
    road.bring(outer)
    road.copy(outer)
    assert road.mirror.writes == [
        *_sent(shared),
        f"manifest {shared.digest}",
        f"manifest {inner.digest}",
        "tag v1",
    ]


def test_a_second_copy_only_writes_the_tag(road: _Road) -> None:
    """The root is there, so everything below it is."""
    image = random_image(1)
    road.bring(image)
    road.copy(image)
    road.tools = Tools()
    tally = road.copy(image, tag=Tag("v2"))
    assert road.mirror.writes[len(_sent(image)) + 1 :] == ["tag v2"]
    assert tally.bytes_sent == 0


def test_a_known_root_is_not_asked_for_again(road: _Road) -> None:
    """The ledger remembers within a run, and an empty repository needs no question at all."""
    image = random_image(1)
    road.bring(image)
    road.copy(image, tags=NOTHING)
    road.copy(image, tags=NOTHING, tag=Tag("v2"))
    assert "resolve" not in road.mirror.operations
    assert "has_blob" not in road.mirror.operations


def test_satellites_of_a_second_tag_are_not_written_again(road: _Road) -> None:
    """The signature hangs on the digest, however many tags point there."""
    image = random_image(1)
    signature = random_signature(2, image.digest)
    road.bring(image, signature)
    for tag in ("v1", "v2"):
        road.copy(image, tag=Tag(tag), tags=NOTHING)
    assert road.mirror.writes.count(f"tag {signature.tag}") == 1


# --- bytes -----------------------------------------------------------------------------------


def test_oddities_arrive_byte_for_byte(road: _Road) -> None:
    """Unknown types, blobs without bytes and doubled ones; known content is not read (OCI-3.16)."""
    odd = odd_artifact(1)
    road.bring(odd)
    road.copy(odd)
    assert road.mirror.get_manifest(THERE, V1).raw == odd.manifest.raw
    for blob in odd.blobs:
        with road.mirror.open_blob(THERE, blob.descriptor) as blocks:
            assert b"".join(blocks) == blob.content
    assert road.source.operations.count("open_blob") == 1


@pytest.mark.parametrize("offset", [0, 1, 2, 3])
def test_known_content_goes_on_from_any_offset(road: _Road, offset: int) -> None:
    """An upload that was cut asks for the rest, also of content nobody reads."""

    class _Resuming(_Mirror):
        def put_blob(
            self,
            repository: str,
            blob: Descriptor,
            content: BlobOpener,
            *,
            mount_from: Sequence[str] = (),
            absent: bool = False,
        ) -> BlobPut:
            with content(offset) as blocks:
                rests.append(b"".join(blocks))
            return super().put_blob(repository, blob, content, mount_from=mount_from, absent=absent)

    rests: list[bytes] = []
    road.mirror = _Resuming()
    sample, _ = _foreign()
    road.bring(sample)
    road.copy(sample)
    assert rests == [b"{}"[offset:]]


def test_a_blob_of_another_repository_is_mounted(road: _Road) -> None:
    """One registry gets the bytes once; every other repository gets a mount."""
    image = random_image(1)
    road.bring(image)
    road.copy(image)
    tally = road.copy(image, repository="copies/other")
    assert (tally.bytes_sent, tally.bytes_mounted) == (
        0,
        sum(len(blob.content) for blob in image.blobs),
    )


def test_long_blobs_that_a_killed_run_left_are_not_sent_again(road: _Road) -> None:
    """A repository without a tag may hold them; short ones are cheaper to send than to ask for."""
    image = random_image(1, layers=2, layer_bytes=2**20 + 1)
    road.bring(image)
    for blob in image.blobs:
        MemoryRegistry.put_blob(road.mirror, THERE, blob.descriptor, blob.open)
    tally = road.copy(image, tags=NOTHING)
    sizes = [len(blob.content) for blob in image.blobs]
    assert tally.bytes_sent == min(sizes)
    assert tally.bytes_present == sum(sizes) - min(sizes)


def test_a_blob_that_is_there_is_counted_as_present(road: _Road) -> None:
    """Nothing is sent for it, by this run or by another."""
    image = random_image(1)
    road.bring(image)
    for blob in image.blobs:
        road.mirror.put_blob(THERE, blob.descriptor, blob.open)
    tally = road.copy(image)
    assert (tally.bytes_sent, tally.bytes_present) == (0, sum(len(b.content) for b in image.blobs))


def test_a_blob_that_two_artifacts_share_is_present_for_the_second(road: _Road) -> None:
    """What the ledger knows counts as present, without a question."""
    image = random_image(1)
    chart = join([(image, {})], annotations={"another": "index"})
    document = {**image.manifest.document, "annotations": {"another": "manifest"}}
    twin = Sample(
        manifests=(Manifest.parse(json.dumps(document).encode(), OCI_MANIFEST),), blobs=image.blobs
    )
    road.bring(image, chart, twin)
    road.copy(image)
    tally = road.copy(twin, tag=Tag("twin"))
    assert (tally.bytes_sent, tally.bytes_present) == (0, sum(len(b.content) for b in image.blobs))


def test_every_block_is_metered_and_told(road: _Road) -> None:
    """The meter passes each block on, in pieces if it likes; events tell all of it."""
    told: list[Event] = []
    metered: list[int] = []

    def halve(block: bytes) -> Iterator[bytes]:
        metered.append(len(block))
        middle = len(block) // 2
        yield from filter(None, (block[:middle], block[middle:]))

    road.tools = Tools(clock=FakeClock(), emit=Dispatcher([told.append]), meter=halve)
    image = random_image(1, layers=1, layer_bytes=100_000)
    road.bring(image)
    road.copy(image)
    total = sum(len(blob.content) for blob in image.blobs)
    assert sum(metered) == total
    assert sum(e.count for e in told if isinstance(e, BytesMoved)) == total
    assert sum(isinstance(e, BytesMoved) for e in told) > len(image.blobs)
    started = [e.digest for e in told if isinstance(e, BlobStarted)]
    finished = [(e.digest, e.outcome) for e in told if isinstance(e, BlobFinished)]
    assert finished == [(digest, BlobOutcome.UPLOADED) for digest in started]
    assert isinstance(told[-1], ManifestWritten)
    assert (told[-1].artifact.tag, told[-1].at) == ("v1", EPOCH)


# --- what is left out on purpose ---------------------------------------------------------------


def test_foreign_layers_are_left_out_where_the_registry_lets_them(road: _Road) -> None:
    """The manifest keeps naming them (OCI-3.19)."""
    sample, layer = _foreign()
    road.bring(sample)
    road.copy(sample)
    assert not road.mirror.has_blob(THERE, layer.descriptor)
    assert road.mirror.get_manifest(THERE, V1) == sample.manifest


def test_foreign_layers_are_copied_on_demand(road: _Road) -> None:
    """From the source registry, if it has them."""
    sample, layer = _foreign()
    road.bring(sample)
    road.copy(sample, Choice(foreign=Foreign.COPY))
    assert road.mirror.has_blob(THERE, layer.descriptor)


def test_foreign_layers_are_fetched_where_the_source_has_none(road: _Road) -> None:
    """The registry comes first, then the URLs of the descriptor (OCI-3.19)."""
    asked: list[tuple[Digest, int]] = []

    @contextmanager
    def fetch(blob: Descriptor, offset: int, /) -> Iterator[Iterator[bytes]]:
        asked.append((blob.digest, offset))
        with layer.open(offset) as blocks:
            yield blocks

    sample, layer = _foreign(["https://elsewhere.example/layer"])
    road.bring(sample)
    graph = road.graph(sample, Choice(foreign=Foreign.FETCH))
    road.source.remove(HERE, layer.descriptor.digest)
    tools = Tools(blobs=FromRegistryOrUrls(fetch))
    copy_graph(road.origin(), graph, road.target(), tools)
    assert road.mirror.has_blob(THERE, layer.descriptor)
    assert asked == [(layer.descriptor.digest, 0)]


def test_a_blob_without_urls_is_not_fetched_from_anywhere(road: _Road) -> None:
    """What the source has lost stays lost."""
    sample, layer = _foreign()
    road.bring(sample)
    road.source.remove(HERE, layer.descriptor.digest)
    source = FromRegistryOrUrls(lambda *_: pytest.fail("nowhere to fetch from"))
    with pytest.raises(NotFound), source.open(road.origin(), layer.descriptor, 0):
        pass
    source.settled(layer.descriptor)
    FromRegistry().settled(layer.descriptor)


def _subset() -> tuple[Sample, Choice]:
    amd64, arm64 = random_image(1), random_image(2, platform=ARM64)
    index = join([(amd64, {"platform": AMD64}), (arm64, {"platform": ARM64})])
    return index, Choice(platforms=(AMD64,), subset=Subset.SPARSE)


def test_a_sparse_index_arrives_where_it_is_taken() -> None:
    """Its bytes and its digest are the source's; the unwanted child is not there."""
    road = _Road(mirror=_Mirror(quirks=Quirks(sparse_indexes=True)))
    index, choice = _subset()
    road.bring(index)
    road.copy(index, choice)
    assert road.mirror.get_manifest(THERE, V1) == index.manifest
    assert road.mirror.resolve(THERE, index.manifest.entries[1].digest) is None


def test_a_refused_sparse_index_is_told_the_way_out(road: _Road) -> None:
    """The other form is named, never chosen (OCI-3.21)."""
    index, choice = _subset()
    road.bring(index)
    with pytest.raises(ContentMissing) as caught:
        road.copy(index, choice)
    assert "subset='rewritten'" in (caught.value.hint or "")
    assert caught.value.side is Side.DESTINATION


def test_a_rewritten_index_arrives_everywhere(road: _Road) -> None:
    """It lists only what is there."""
    index, choice = _subset()
    road.bring(index)
    road.copy(index, attrs.evolve(choice, subset=Subset.REWRITTEN))
    (entry,) = road.mirror.get_manifest(THERE, V1).entries
    assert road.mirror.resolve(THERE, entry.digest)


def test_a_registry_that_wants_foreign_layers_is_told_the_way_out(road: _Road) -> None:
    """What was left out by policy is what it misses."""
    sample, layer = _foreign()
    road.mirror.refuse = lambda *_: ContentMissing(
        "missing", digests=[str(layer.descriptor.digest)]
    )
    road.bring(sample)
    with pytest.raises(ContentMissing) as caught:
        road.copy(sample)
    assert "foreign='copy'" in (caught.value.hint or "")


# --- what the destination misses ---------------------------------------------------------------


class _Forgetful(_Mirror):
    """A destination that loses something right before its first manifest of some digest."""

    def __init__(self, lost: Digest, before: Digest, *, names: bool = True) -> None:
        super().__init__()
        self._lost, self._before, self._names = lost, before, names

    def put_manifest(self, repository: str, manifest: Manifest, *, tag: Tag | None = None) -> bool:
        if manifest.digest == self._before and self._lost is not None:
            self.remove(repository, self._lost)
            self._before = Digest.of(b"never again")
        try:
            return super().put_manifest(repository, manifest, tag=tag)
        except ContentMissing as error:
            if not self._names:
                error.digests = ()
            raise


@pytest.mark.parametrize("names", [True, False])
def test_a_blob_that_the_destination_misses_is_sent_again(names: bool) -> None:
    """Exactly that one if it says which, and the manifest once more."""
    image = random_image(1)
    lost = image.blobs[1].descriptor.digest
    road = _Road(mirror=_Forgetful(lost, image.digest, names=names))
    road.bring(image)
    road.copy(image)
    again = road.mirror.writes[len(image.blobs) :]
    assert f"uploaded {lost}" in again
    assert again[-1] == "tag v1"
    assert sum(write.startswith("uploaded") for write in again) == 1
    assert (len(again) == 2) is names


def test_a_child_that_the_destination_misses_is_sent_again() -> None:
    """With what it needs, and no other child."""
    amd64, arm64 = random_image(1), random_image(2, platform=ARM64)
    index = join([(amd64, {}), (arm64, {})])
    road = _Road(mirror=_Forgetful(arm64.digest, index.digest))
    road.bring(index)
    road.copy(index)
    again = road.mirror.writes[len(index.blobs) + 2 :]
    assert again[-2:] == [f"manifest {arm64.digest}", "tag v1"]
    assert f"manifest {amd64.digest}" not in again


def test_what_is_missed_twice_is_an_error(road: _Road) -> None:
    """One more try, not a loop; without an excuse of ours there is no advice."""
    image = random_image(1)
    road.mirror.refuse = lambda *_: ContentMissing("missing")
    road.bring(image)
    with pytest.raises(ContentMissing) as caught:
        road.copy(image)
    assert caught.value.hint is None
    assert road.mirror.resolve(THERE, V1) is None


# --- errors and whose they are -----------------------------------------------------------------


def test_a_blob_that_the_source_has_lost_is_an_error_of_the_source(road: _Road) -> None:
    """No tag is written, and the side is told."""
    image = random_image(1)
    road.bring(image)
    road.source.remove(HERE, image.blobs[0].descriptor.digest)
    with pytest.raises(NotFound) as caught:
        road.copy(image)
    assert caught.value.side is Side.SOURCE
    assert road.mirror.resolve(THERE, V1) is None


def test_wrong_bytes_are_an_error_of_the_source(road: _Road) -> None:
    """Though it is the destination's upload that finds it, nothing is stored."""

    class _Lying(FromRegistry):
        @contextmanager
        def open(
            self, source: SourceRepository, blob: Descriptor, offset: int, /
        ) -> Iterator[Iterator[bytes]]:
            yield iter((bytes(blob.size - offset),))

    image = random_image(1)
    road.bring(image)
    road.tools = Tools(blobs=_Lying())
    with pytest.raises(DigestMismatch) as caught:
        road.copy(image)
    assert caught.value.side is Side.SOURCE


def test_a_stream_that_breaks_is_an_error_of_the_source(road: _Road) -> None:
    """What comes out of the middle of a blob is marked, too."""

    class _Breaking(FromRegistry):
        @contextmanager
        def open(
            self, source: SourceRepository, blob: Descriptor, offset: int, /
        ) -> Iterator[Iterator[bytes]]:
            def blocks() -> Iterator[bytes]:
                yield b"x"
                raise ServerError("went away")

            yield blocks()

    image = random_image(1)
    road.bring(image)
    road.tools = Tools(blobs=_Breaking())
    with pytest.raises(ServerError) as caught:
        road.copy(image)
    assert caught.value.side is Side.SOURCE


def test_a_refusal_is_an_error_of_the_destination(road: _Road) -> None:
    """And what was moved before is counted."""
    image = random_image(1)
    road.bring(image)
    road.mirror.refuse = lambda *_: QuotaExceeded("no room left")
    tally = Tally()
    with pytest.raises(QuotaExceeded) as caught:
        copy_graph(road.origin(), road.graph(image), road.target(), road.tools, tally)
    assert caught.value.side is Side.DESTINATION
    assert tally.bytes_sent == sum(len(blob.content) for blob in image.blobs)


def test_a_refused_tag_does_not_fail_those_who_want_another(road: _Road) -> None:
    """Two tags of one image on their way at once: what one tag is refused, the other is not."""
    image = random_image(1)
    road.bring(image)
    first_waits, second_done = threading.Event(), threading.Event()

    def refuse(_: Manifest, tag: Tag | None) -> HarborsyncError | None:
        if tag != "v1":
            return None
        first_waits.set()
        assert second_done.wait(20)
        return TagImmutable("the tag v1 cannot be changed")

    road.mirror.refuse = refuse
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(road.copy, image, tag=V1)
        assert first_waits.wait(20)
        road.copy(image, tag=Tag("v2"))
        second_done.set()
        assert isinstance(first.exception(20), TagImmutable)
    assert road.mirror.resolve(THERE, Tag("v2"))


def test_cancelling_stops_within_one_block(road: _Road) -> None:
    """The block under way is the last, and no tag is written."""
    cancel = Cancel()
    blocks: list[int] = []

    def stop(block: bytes) -> Iterator[bytes]:
        blocks.append(len(block))
        cancel.set()
        yield block

    road.tools = Tools(cancel=cancel, meter=stop)
    image = random_image(1, layer_bytes=500_000)
    road.bring(image)
    with pytest.raises(Cancelled):
        road.copy(image)
    assert len(blocks) == 1
    assert road.mirror.writes == []


def test_cancelling_between_two_blobs_sends_no_more(road: _Road) -> None:
    """Known content needs no block, so the flag is looked at before each blob as well."""
    cancel = Cancel()
    road.tools = Tools(cancel=cancel, emit=Dispatcher([lambda _: cancel.set()]))
    odd = odd_artifact(1)
    road.bring(odd)
    with pytest.raises(Cancelled):
        road.copy(odd)
    assert len(road.mirror.writes) == 1


# --- what is said about it ---------------------------------------------------------------------


def _signed(road: _Road, *seeds: int) -> tuple[Sample, Sample]:
    """Bring an image with one signature of so many layers."""
    image = random_image(1)
    signature = _signature(image, *seeds)
    road.bring(image, signature)
    return image, signature


def _signature(image: Sample, *seeds: int) -> Sample:
    each = [random_signature(seed, image.digest) for seed in seeds]
    document = dict(each[0].manifest.document)
    document["layers"] = [sample.manifest.document["layers"][0] for sample in each]
    raw = json.dumps(document).encode()
    return Sample(
        manifests=(Manifest.parse(raw, OCI_MANIFEST),),
        blobs=tuple({b.descriptor.digest: b for s in each for b in s.blobs}.values()),
        tag=each[0].tag,
    )


def _tag(signature: Sample) -> Tag:
    assert signature.tag is not None
    return signature.tag


def test_a_signature_that_only_grew_is_updated(road: _Road) -> None:
    """Everything the destination has is in the new one, so nothing is lost."""
    image, signature = _signed(road, 2, 3)
    _signature(image, 2).push_to(road.mirror, THERE)
    tally = road.copy(image)
    assert road.mirror.get_manifest(THERE, _tag(signature)) == signature.manifest
    assert tally.warnings == []


def test_a_foreign_signature_is_kept_with_a_warning(road: _Road) -> None:
    """The image arrives; the other signature stays, and the report tells."""
    image, signature = _signed(road, 2)
    theirs = _signature(image, 7)
    theirs.push_to(road.mirror, THERE)
    tally = road.copy(image)
    assert road.mirror.get_manifest(THERE, _tag(signature)) == theirs.manifest
    assert tally.satellites == 0
    assert len(tally.warnings) == 1
    assert "other signatures" in tally.warnings[0]
    assert road.mirror.resolve(THERE, V1)


def test_a_foreign_index_under_a_digest_tag_is_kept_as_well(road: _Road) -> None:
    """What holds entries in place of layers says something, too."""
    image, signature = _signed(road, 2)
    theirs = attrs.evolve(join([(random_image(8), {})]), tag=signature.tag)
    theirs.push_to(road.mirror, THERE)
    assert len(road.copy(image).warnings) == 1
    assert road.mirror.get_manifest(THERE, _tag(signature)).media_type == OCI_INDEX


def test_a_foreign_signature_gives_way_on_demand(road: _Road) -> None:
    """Who overwrites artifacts overwrites their signatures."""
    image, signature = _signed(road, 2)
    _signature(image, 7).push_to(road.mirror, THERE)
    tally = road.copy(image, overwrite=True)
    assert road.mirror.get_manifest(THERE, _tag(signature)) == signature.manifest
    assert tally.warnings == []


@pytest.mark.parametrize("overwrite", [True, False])
def test_the_same_signature_is_not_written_again(road: _Road, overwrite: bool) -> None:
    """It is there already, and counts as arrived."""
    image, signature = _signed(road, 2)
    signature.push_to(road.mirror, THERE)
    road.mirror.writes.clear()
    tally = road.copy(image, overwrite=overwrite)
    assert f"tag {signature.tag}" not in road.mirror.writes
    assert tally.satellites == 1


def test_a_signature_that_is_not_there_is_written_without_a_question(road: _Road) -> None:
    """A listing that was made right before tells that the tag is free."""
    image, signature = _signed(road, 2)
    road.copy(image, tags=NOTHING)
    assert "resolve" not in road.mirror.operations
    assert road.mirror.get_manifest(THERE, _tag(signature)) == signature.manifest


def test_a_signature_that_vanished_meanwhile_is_written(road: _Road) -> None:
    """The listing knew the tag, and the registry does not any more."""
    image, signature = _signed(road, 2)
    road.copy(image, tags=frozenset({_tag(signature)}))
    assert road.mirror.get_manifest(THERE, _tag(signature)) == signature.manifest


def test_what_another_source_brought_in_this_run_is_not_overwritten(road: _Road) -> None:
    """The listing from before both copies does not know of the first one's signature."""
    image, signature = _signed(road, 2)
    other = _Road(mirror=road.mirror, tools=road.tools)
    other.bring(image, _signature(image, 7))
    road.copy(image, tags=NOTHING)
    tally = other.copy(image, tags=NOTHING)
    assert len(tally.warnings) == 1
    assert road.mirror.get_manifest(THERE, _tag(signature)) == signature.manifest


def test_a_refused_satellite_is_a_warning(road: _Road) -> None:
    """A destination that takes no referrers still gets the image (OCI-3.25)."""
    image = random_image(1)
    sbom, signature = random_referrer(2, image.descriptor), random_signature(3, image.digest)
    road.bring(image, sbom, signature)
    road.mirror.refuse = lambda manifest, _: (
        QuotaExceeded("no artifacts here") if manifest.subject else None
    )
    tally = road.copy(image)
    assert tally.satellites == 1
    assert tally.warnings == [f"{sbom.digest}, about {image.digest}: no artifacts here"]
    assert road.mirror.resolve(THERE, V1)


def test_cancelling_among_satellites_is_no_warning(road: _Road) -> None:
    """It stops the copy before the tag, which must not be seen unsigned."""
    image, signature = _signed(road, 2)
    cancel = Cancel()

    def refuse(_: Manifest, tag: Tag | None) -> HarborsyncError | None:
        if tag != signature.tag:
            return None
        cancel.set()
        return QuotaExceeded("no room left")

    road.mirror.refuse = refuse
    road.tools = Tools(cancel=cancel)
    with pytest.raises(Cancelled):
        road.copy(image)
    assert road.mirror.resolve(THERE, V1) is None


def test_a_note_of_the_graph_becomes_a_warning(road: _Road) -> None:
    """What could not be read is told with what could not be written."""
    image = random_image(1)
    road.bring(image)
    graph = attrs.evolve(road.graph(image), notes=("something was lacking",))
    assert copy_graph(road.origin(), graph, road.target(), road.tools).warnings == [
        "something was lacking"
    ]


def test_referrers_are_listed_under_the_fallback_tag_where_there_is_no_api() -> None:
    """Merged with what is there, annotations and all (OCI-6.9)."""
    road = _Road(mirror=_Mirror(without=["referrers"]))
    image = random_image(1)
    ours, theirs = random_referrer(2, image.descriptor), random_referrer(3, image.descriptor)
    road.bring(image, ours)
    for sample in (image, theirs, fallback_index(image.digest, [theirs])):
        sample.push_to(road.mirror, THERE)
    road.copy(image)
    entries = road.mirror.get_manifest(THERE, Tag(image.digest.tag_prefix)).entries
    assert entries == (theirs.manifest.as_referrer(), ours.manifest.as_referrer())


def test_between_two_ends_without_an_api_the_list_is_the_same() -> None:
    """The source's index is written byte for byte where it says just what is there."""
    road = _Road(MemoryRegistry("source", without=["referrers"]), _Mirror(without=["referrers"]))
    image = random_image(1)
    sbom = random_referrer(2, image.descriptor)
    listed = fallback_index(image.digest, [sbom])
    road.bring(image, sbom, listed)
    road.copy(image)
    assert road.mirror.get_manifest(THERE, Tag(image.digest.tag_prefix)) == listed.manifest
    assert road.mirror.writes[-1] == "tag v1"


def test_a_list_that_cannot_be_written_is_a_warning() -> None:
    """The referrers are there by digest; only finding them is hard."""
    road = _Road(mirror=_Mirror(without=["referrers"]))
    image = random_image(1)
    road.bring(image, random_referrer(2, image.descriptor))
    attrs.evolve(random_image(5), tag=Tag(image.digest.tag_prefix)).push_to(road.mirror, THERE)
    tally = road.copy(image)
    assert len(tally.warnings) == 1
    assert "not an index" in tally.warnings[0]


def test_the_warning_of_a_conflict_is_one_of_verification() -> None:
    """So that policies can tell it from a failure of the registry."""
    assert issubclass(VerificationError, HarborsyncError)


def test_the_ledger_may_be_shared_by_transfers() -> None:
    """Tools without one of their own each get a fresh one."""
    assert Tools().ledger is not Tools().ledger
    ledger = Ledger()
    assert Tools(ledger=ledger).ledger is ledger


class _Flaky(_Mirror):
    """Breaks off whenever a referrer comes."""

    def put_manifest(self, repository: str, manifest: Manifest, *, tag: Tag | None = None) -> bool:
        """Break off, or write."""
        if manifest.subject is not None:
            msg = "cut"
            raise ConnectionLost(msg)
        return super().put_manifest(repository, manifest, tag=tag)


def test_no_tag_is_written_if_a_signature_broke_off_on_its_way() -> None:
    """Only what a registry refuses is a warning: else a tag could be seen unsigned for no reason."""
    road = _Road(mirror=_Flaky())
    image = random_image(1)
    road.bring(image, random_referrer(2, image.descriptor))
    with pytest.raises(ConnectionLost):
        road.copy(image)
    assert list(road.mirror.list_artifacts(THERE)) == []


# --- asking less -----------------------------------------------------------------------------


def _telling() -> _Road:
    """A road to where a mount tells whether a blob is there."""
    return _Road(mirror=_Mirror(quirks=Quirks(mount_tells_presence=True)))


@pytest.mark.parametrize(
    ("fields", "asked"),
    [({}, 0), ({"strict": True}, 1), ({"holds": True, "is_fresh": False}, 1), ({"holds": True}, 0)],
    ids=["lean", "strict", "seen long ago", "seen"],
)
def test_a_new_image_is_not_asked_for_where_a_mount_tells_of_its_blobs(
    fields: dict[str, Any], asked: int
) -> None:
    """Unless it is likely to be there, or everything is to be asked for."""
    image = random_image(1)
    road = _telling()
    road.bring(image)
    road.copy(image, tags=frozenset({Tag("other")}), **fields)
    assert road.mirror.operations.count("resolve") == asked


def test_an_index_and_its_platforms_are_asked_for() -> None:
    """One answer spares what is below it."""
    index = join([(random_image(1), {}), (random_image(2), {})])
    road = _telling()
    road.bring(index)
    road.copy(index, tags=frozenset({Tag("other")}))
    assert road.mirror.operations.count("resolve") == 3


def test_strict_asks_a_new_repository_as_well() -> None:
    """An empty listing is something that only the plan has seen."""
    image = random_image(1)
    road = _telling()
    road.bring(image)
    road.copy(image, tags=NOTHING, strict=True)
    assert road.mirror.operations.count("resolve") == 1


def test_within_one_registry_blobs_are_mounted_from_the_source(road: _Road) -> None:
    """No bytes move (OCI-4.6)."""
    image = random_image(1)
    image.push_to(road.mirror, HERE)
    origin = SourceRepository(road.mirror, HERE, ManifestCache())
    tally = copy_graph(origin, read_graph(origin, image.digest), road.target(), Tools())
    assert (tally.bytes_sent, tally.bytes_present) == (0, 0)
    assert tally.bytes_mounted == sum(len(blob.content) for blob in image.blobs)


# --- what was lost ---------------------------------------------------------------------------


def test_what_was_lost_below_a_manifest_comes_back(road: _Road) -> None:
    """A platform and a layer of another one; what is there is looked for once and left alone."""
    first, second = random_image(1), random_image(2)
    index = join([(first, {}), (second, {})])
    road.bring(index)
    road.copy(index)
    layer = second.blobs[-1].descriptor
    road.mirror.remove(THERE, first.digest)
    road.mirror.remove(THERE, layer.digest)
    road.mirror.writes.clear()
    tools = Tools()
    tally = restore_graph(road.origin(), road.graph(index), road.target(), tools)
    assert road.mirror.writes == [f"manifest {first.digest}", f"uploaded {layer.digest}"]
    assert (tally.restored, tally.bytes_sent) == (2, layer.size)
    before = road.mirror.operations.count("has_blob")
    assert before == len(road.graph(index).all_blobs)
    assert restore_graph(road.origin(), road.graph(index), road.target(), tools).restored == 0
    assert road.mirror.operations.count("has_blob") == before


def test_what_was_lost_of_signatures_comes_back_and_lacking_ones_do_not(road: _Road) -> None:
    """Whether a signature is to be there is the plan's to say."""
    image = random_image(1)
    signed, missing = random_signature(2, image.digest), random_referrer(3, image.descriptor)
    road.bring(image, signed, missing)
    road.copy(image)
    payload = signed.blobs[-1].descriptor
    road.mirror.remove(THERE, payload.digest)
    road.mirror.remove(THERE, missing.digest)
    road.mirror.remove(THERE, missing.blobs[-1].descriptor.digest)
    road.mirror.writes.clear()
    restore_graph(road.origin(), road.graph(image), road.target(), Tools())
    assert road.mirror.writes == [f"uploaded {payload.digest}"]


# --- what lists tell -------------------------------------------------------------------------


@pytest.fixture
def bulk() -> BulkRegistry:
    """A destination that lists as Harbor does."""
    quirks = Quirks(mount_tells_presence=True)
    return BulkRegistry("mirror", quirks=quirks)


def _copied(road: _Road, bulk: BulkRegistry, sample: Sample, tag: Tag = V1) -> list[str]:
    """Copy to a registry of which everything was listed; return what was asked of it."""
    listing = Listing(bulk.list_artifacts(THERE))
    before = len(bulk.operations)
    target = Target(
        registry=bulk,
        repository=THERE,
        tag=tag,
        tags=listing.tags,
        digests=listing.digests,
        satellites=listing.satellites,
    )
    tally = copy_graph(road.origin(), road.graph(sample), target, Tools())
    assert tally.warnings == []
    return [name for name in bulk.operations[before:] if name != "list_referrers"]


def test_a_further_tag_of_what_is_listed_costs_one_request(road: _Road, bulk: BulkRegistry) -> None:
    """The manifest is not sent again."""
    image = random_image(1)
    road.bring(image)
    image.push_to(bulk, THERE, "v0")
    assert _copied(road, bulk, image) == ["add_tag"]
    found = bulk.resolve(THERE, V1)
    assert found
    assert found.digest == image.digest


def test_a_tag_that_cannot_be_added_is_pushed(road: _Road) -> None:
    """A registry may want the manifest after all; one without the ability is not asked."""

    class Unwilling(BulkRegistry):
        """One whose login may not make tags."""

        def add_tag(self, repository: str, digest: Digest, tag: Tag) -> bool:
            return False

    image = random_image(1)
    road.bring(image)
    for registry in (Unwilling("mirror"), BulkRegistry("mirror", without=["tags"])):
        image.push_to(registry, THERE, "v0")
        assert _copied(road, registry, image) == ["put_manifest"]


def test_a_tag_that_moves_is_pushed(road: _Road, bulk: BulkRegistry) -> None:
    """Adding one is for tags that are not there."""
    image = random_image(1)
    road.bring(image)
    image.push_to(bulk, THERE, "v0")
    random_image(2).push_to(bulk, THERE, "v1")
    assert _copied(road, bulk, image) == ["put_manifest"]


def test_what_a_list_of_digests_does_not_tell_is_not_asked_for(
    road: _Road, bulk: BulkRegistry
) -> None:
    """A child that is listed is there; one that is not is sent, and so is a new referrer."""
    amd64, arm64 = random_image(1), random_image(2, platform=ARM64)
    index = join([(amd64, {"platform": AMD64}), (arm64, {"platform": ARM64})])
    sbom = random_referrer(3, index.descriptor)
    road.bring(index, sbom)
    amd64.push_to(bulk, THERE, "v1-amd64")
    asked = _copied(road, bulk, index)
    sent = [*arm64.blobs, *sbom.blobs]
    assert sorted(asked) == sorted(["put_blob"] * len(sent) + ["put_manifest"] * 3 + ["add_tag"])


def test_a_tag_that_a_list_may_hide_is_looked_for(road: _Road, bulk: BulkRegistry) -> None:
    """Signatures of others are kept, though the listing does not show their tag."""
    image = random_image(1)
    ours, theirs = random_signature(2, image.digest), random_signature(3, image.digest)
    road.bring(image, ours)
    for sample in (image, theirs):
        sample.push_to(bulk, THERE, None if sample is theirs else "v0")
    listing = Listing(bulk.list_artifacts(THERE))
    assert ours.tag not in listing.tags
    target = Target(
        registry=bulk,
        repository=THERE,
        tag=V1,
        tags=listing.tags,
        digests=listing.digests,
        satellites=listing.satellites,
    )
    tally = copy_graph(road.origin(), road.graph(image), target, Tools())
    assert "which are kept" in tally.warnings[0]
    assert bulk.get_manifest(THERE, Tag(f"{image.digest.tag_prefix}.sig")) == theirs.manifest


def test_a_signature_of_what_is_told_to_have_none_is_pushed(
    road: _Road, bulk: BulkRegistry
) -> None:
    """Nobody asks for its tag."""
    image = random_image(1)
    signature = random_signature(2, image.digest)
    road.bring(image, signature)
    image.push_to(bulk, THERE, "v1")
    asked = _copied(road, bulk, image, tag=Tag("v2"))
    assert asked == [*["put_blob"] * len(signature.blobs), "put_manifest", "add_tag"]


def _within(bulk: BulkRegistry, sample: Sample, **fields: Any) -> tuple[list[str], Tally]:
    """Copy from one repository of a registry to another; return what was asked of it."""
    origin = SourceRepository(bulk, HERE, ManifestCache(), bulk.list_artifacts(HERE))
    graph = read_graph(origin, sample.digest)
    before = len(bulk.operations)
    given = {"tag": V1, "tags": NOTHING, "is_whole": True, **fields}
    target = Target(registry=bulk, repository=THERE, **given)
    tally = copy_graph(origin, graph, target, Tools())
    return [name for name in bulk.operations[before:] if name != "list_referrers"], tally


def test_a_registry_copies_by_itself_what_it_has(bulk: BulkRegistry) -> None:
    """With all that is said about it; not one blob is asked for; what came is looked at."""
    index = join([(random_image(1), {}), (random_image(2, platform=ARM64), {})])
    signature, sbom = random_signature(3, index.digest), random_referrer(4, index.descriptor)
    for sample in (index, signature, sbom):
        sample.push_to(bulk, HERE, "v1" if sample is index else None)
    asked, tally = _within(bulk, index)
    assert sorted(asked) == ["copy_within"] + ["resolve"] * 4
    assert (tally.bytes_sent, tally.satellites) == (0, 2)
    held = next(bulk.list_artifacts(THERE))
    assert held.satellites == frozenset({signature.digest, sbom.digest})
    assert bulk.get_manifest(THERE, V1) == index.manifest


def test_a_copy_that_came_without_its_tag_gets_it(bulk: BulkRegistry) -> None:
    """What a registry takes along is its own affair; what we promise is looked at."""

    class Forgetful(BulkRegistry):
        """One that leaves the tags behind."""

        def copy_within(self, from_repository: str, digest: Digest, repository: str) -> bool:
            done = super().copy_within(from_repository, digest, repository)
            self.delete_tag(repository, V1)
            return done

    registry = Forgetful("mirror")
    image = random_image(1)
    image.push_to(registry, HERE, "v1")
    asked, _ = _within(registry, image)
    assert asked == ["copy_within", "delete_tag", "resolve", "add_tag"]


def test_a_registry_that_does_not_copy_is_copied_to(bulk: BulkRegistry) -> None:
    """Because it cannot, or will not."""

    class Unwilling(BulkRegistry):
        """One that refuses."""

        def copy_within(self, from_repository: str, digest: Digest, repository: str) -> bool:
            return False

    image = random_image(1)
    for registry in (Unwilling("mirror"), BulkRegistry("mirror", without=["copies"])):
        image.push_to(registry, HERE, "v1")
        _, tally = _within(registry, image)
        assert tally.bytes_mounted == sum(len(blob.content) for blob in image.blobs)


@pytest.mark.parametrize(
    "fields",
    [
        {"is_whole": False},
        {"digests": frozenset({random_image(1).digest}), "tags": frozenset({Tag("v0")})},
        {"tag": Tag("v2")},
        {"tag": None},
        {"tags": frozenset({V1})},
        {"tags": None},
    ],
)
def test_a_registry_is_not_asked_to_copy_what_it_need_or_must_not(
    bulk: BulkRegistry, fields: dict[str, Any]
) -> None:
    """Parts are picked by us, what is there is there, and all tags would come along."""
    image = random_image(1)
    image.push_to(bulk, HERE, "v1")
    assert "copy_within" not in _within(bulk, image, **fields)[0]


def test_what_is_said_about_platforms_comes_before_the_tag(bulk: BulkRegistry) -> None:
    """So a registry does not copy by itself what has signatures below its root."""
    child = random_image(1)
    index = join([(child, {}), (random_image(2, platform=ARM64), {})])
    for sample in (index, random_signature(3, child.digest)):
        sample.push_to(bulk, HERE, "v1" if sample is index else None)
    assert "copy_within" not in _within(bulk, index)[0]
