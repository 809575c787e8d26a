"""Reading what travels with an artifact: children, blobs, satellites, and what is left out."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.artifact import Artifact
from harborsync.content import (
    EMPTY,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    Platform,
)
from harborsync.errors import InvalidManifest, NotFound, Side
from harborsync.graph import (
    Choice,
    Foreign,
    Graph,
    ManifestCache,
    SourceRepository,
    Subset,
    read_graph,
)
from harborsync.reference import Digest, Tag
from harborsync.registries.memory import MemoryRegistry
from harborsync.testing.bulk import BulkRegistry
from harborsync.testing.content import (
    AMD64,
    ARM64,
    NOTATION,
    SPDX,
    UNHEARD_OF,
    Blob,
    Sample,
    fallback_index,
    join,
    odd_artifact,
    random_attestation,
    random_blob,
    random_image,
    random_referrer,
    random_signature,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

REPOSITORY = "team/app"
FOREIGN_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"


def _source(
    *samples: Sample, registry: MemoryRegistry | None = None, tags: Iterable[Tag] | None = None
) -> SourceRepository:
    registry = registry or MemoryRegistry("source")
    for sample in samples:
        sample.push_to(registry, REPOSITORY)
    listed = None if tags is None else [Artifact(repository=REPOSITORY, tag=tag) for tag in tags]
    return SourceRepository(registry, REPOSITORY, ManifestCache(), listed)


def _read(
    root: Sample, *others: Sample, choice: Choice | None = None, without: Iterable[str] = ()
) -> Graph:
    source = _source(root, *others, registry=MemoryRegistry("source", without=without))
    return read_graph(source, root.digest, choice or Choice())


def _manifest_of(layers: list[Blob], **fields: Any) -> Sample:
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": EMPTY.to_json(),
        "layers": [layer.descriptor.to_json() for layer in layers],
        **fields,
    }
    empty = Blob(descriptor=EMPTY, content=b"{}")
    raw = json.dumps(document).encode()
    return Sample(manifests=(Manifest.parse(raw),), blobs=(empty, *layers))


def _digests(graph: Graph) -> list[Digest]:
    return [node.manifest.digest for node in graph.nodes()]


def _two_platforms() -> tuple[Sample, Sample, Sample]:
    amd64, arm64 = random_image(1), random_image(2, platform=ARM64)
    return join([(amd64, {"platform": AMD64}), (arm64, {"platform": ARM64})]), amd64, arm64


# --- children and blobs ----------------------------------------------------------------------


def test_an_image_is_its_blobs() -> None:
    """Config and layers, and the bytes of them all."""
    image = random_image(1, layers=3)
    graph = _read(image)
    assert graph.manifest == image.manifest
    assert [blob.digest for blob in graph.blobs] == [b.descriptor.digest for b in image.blobs]
    assert graph.bytes_at_most == sum(len(blob.content) for blob in image.blobs)
    assert not graph.is_rewritten


def test_children_come_before_their_index() -> None:
    """The order in which a registry takes them."""
    index, amd64, arm64 = _two_platforms()
    assert _digests(_read(index)) == [amd64.digest, arm64.digest, index.digest]


def test_nested_indexes_are_followed_and_shared_children_are_there_once() -> None:
    """However many indexes list a child, it is read and moved once (OCI-3.15)."""
    shared = random_image(1)
    inner = join([(shared, {"platform": AMD64})])
    outer = join([(inner, {}), (shared, {"platform": AMD64})])
    registry = MemoryRegistry("source")
    graph = read_graph(_source(outer, registry=registry), outer.digest)
    assert _digests(graph) == [shared.digest, inner.digest, outer.digest]
    assert registry.operations.count("get_manifest") == 3
    assert len(graph.all_blobs) == len(shared.blobs)


def test_nesting_without_end_is_refused() -> None:
    """Eight levels are more than anybody needs (OCI-3.15)."""
    sample = random_image(1)
    for _ in range(9):
        sample = join([(sample, {})])
    with pytest.raises(InvalidManifest, match="nested deeper than 8") as caught:
        _read(sample)
    assert caught.value.side is Side.SOURCE


def test_oddities_are_opaque() -> None:
    """Unknown types, a blob without bytes and one that is listed twice are blobs (OCI-3.13)."""
    odd = odd_artifact(1)
    graph = _read(odd)
    assert {blob.digest for blob in graph.blobs} == {b.descriptor.digest for b in odd.blobs}


def test_an_entry_of_an_unknown_type_may_be_a_blob() -> None:
    """It is tried as a manifest, and moved as a blob if it is none (OCI-3.14)."""
    image, blob = random_image(1), random_blob(2, media_type=UNHEARD_OF)
    layer = random_blob(3, media_type="application/vnd.oci.image.layer.v1.tar+gzip")
    entries = [image.descriptor, blob.descriptor, layer.descriptor]
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX}
    raw = json.dumps({**document, "manifests": [each.to_json() for each in entries]}).encode()
    index = Sample(
        manifests=(*image.manifests, Manifest.parse(raw)), blobs=(*image.blobs, blob, layer)
    )
    graph = _read(index)
    assert [child.manifest.digest for child in graph.children] == [image.digest]
    assert {b.digest for b in graph.blobs} == {blob.descriptor.digest, layer.descriptor.digest}


def test_a_child_of_an_unknown_type_may_be_a_manifest() -> None:
    """What answers as a manifest is one, and no blob."""
    raw = json.dumps({"schemaVersion": 2, "mediaType": UNHEARD_OF, "layers": []}).encode()
    child = Sample(manifests=(Manifest.parse(raw),))
    graph = _read(join([(child, {})]))
    assert [each.manifest.digest for each in graph.children] == [child.digest]
    assert graph.blobs == ()


def test_a_lacking_child_is_told_with_its_index() -> None:
    """Who reads the error learns which entry of which index is broken."""
    index, amd64, _ = _two_platforms()
    registry = MemoryRegistry("source")
    source = _source(index, registry=registry)
    registry.remove(REPOSITORY, amd64.digest)
    with pytest.raises(NotFound) as caught:
        read_graph(source, index.digest)
    assert f"{amd64.digest}, listed by {index.digest}" in caught.value.message
    assert caught.value.side is Side.SOURCE


@pytest.mark.parametrize(
    ("foreign", "is_moved"),
    [(Foreign.SKIP, False), (Foreign.COPY, True), (Foreign.FETCH, True)],
)
def test_layers_that_may_not_be_distributed_are_moved_only_on_demand(
    foreign: Foreign, is_moved: bool
) -> None:
    """The media type decides, not whether there are urls (OCI-3.19)."""
    layer = random_blob(1, media_type=FOREIGN_LAYER)
    graph = _read(_manifest_of([layer]), choice=Choice(foreign=foreign))
    assert (layer.descriptor.digest in {blob.digest for blob in graph.blobs}) is is_moved


# --- platforms -------------------------------------------------------------------------------


def test_a_sparse_index_keeps_its_bytes_and_lacks_children() -> None:
    """Digest and signatures stay valid (OCI-3.21)."""
    index, amd64, _ = _two_platforms()
    graph = _read(index, choice=Choice(platforms=(AMD64,), subset=Subset.SPARSE))
    assert _digests(graph) == [amd64.digest, index.digest]
    assert not graph.is_rewritten


def test_a_rewritten_index_lists_what_is_wanted_and_nothing_else() -> None:
    """Another document with another digest; annotations of index and entry stay."""
    amd64, arm64 = random_image(1), random_image(2, platform=ARM64)
    entry = {"platform": AMD64, "annotation_items": {"of": "entry"}}
    index = join([(amd64, entry), (arm64, {"platform": ARM64})], annotations={"of": "index"})
    graph = _read(index, choice=Choice(platforms=(AMD64,), subset=Subset.REWRITTEN))
    assert graph.is_rewritten
    assert graph.source_digest == index.digest
    assert [e.digest for e in graph.manifest.entries] == [amd64.digest]
    assert graph.manifest.entries[0].annotations == {"of": "entry"}
    assert graph.manifest.annotations == {"of": "index"}


def test_rewriting_twice_gives_the_same_bytes() -> None:
    """Otherwise a second run would find a difference and write."""
    index, _, _ = _two_platforms()
    choice = Choice(platforms=(AMD64,), subset=Subset.REWRITTEN)
    assert _read(index, choice=choice).manifest == _read(index, choice=choice).manifest


def test_an_index_of_a_rewritten_index_names_the_new_one() -> None:
    """What the outer index lists is what is written, to the digest and the size."""
    index, amd64, _ = _two_platforms()
    outer = join([(index, {})])
    graph = _read(outer, choice=Choice(platforms=(AMD64,), subset=Subset.REWRITTEN))
    inner = graph.children[0].manifest
    assert [e.digest for e in inner.entries] == [amd64.digest]
    assert graph.manifest.entries[0].digest == inner.digest
    assert graph.manifest.entries[0].size == inner.size


def test_attestations_go_where_their_image_goes() -> None:
    """BuildKit's entries of platform unknown follow the sibling they speak of (OCI-3.22)."""
    amd64, arm64 = random_image(1), random_image(2, platform=ARM64)
    about_amd64, about_arm64 = random_attestation(3, amd64), random_attestation(4, arm64)
    pairs = [(amd64, {"platform": AMD64}), (arm64, {"platform": ARM64}), about_amd64, about_arm64]
    index = join(pairs)
    some = _read(index, choice=Choice(platforms=(ARM64,), subset=Subset.SPARSE))
    assert _digests(some) == [arm64.digest, about_arm64[0].digest, index.digest]
    assert len(_read(index).children) == 4


def test_entries_without_a_platform_stay() -> None:
    """Nobody knows that they are not wanted (OCI-3.22)."""
    amd64, chart = random_image(1), random_image(2)
    index = join([(amd64, {"platform": AMD64}), (chart, {})])
    graph = _read(index, choice=Choice(platforms=(AMD64,), subset=Subset.REWRITTEN))
    assert not graph.is_rewritten
    assert len(graph.children) == 2


def test_an_index_without_a_wanted_platform_is_refused() -> None:
    """An index of nothing would be no copy of anything."""
    index, _, _ = _two_platforms()
    windows = Platform(os="windows", architecture="amd64")
    with pytest.raises(InvalidManifest, match="none of the platforms windows/amd64"):
        _read(index, choice=Choice(platforms=(windows,), subset=Subset.REWRITTEN))


def test_a_subset_must_say_how_it_is_written() -> None:
    """Neither form is chosen silently (OCI-3.21)."""
    index, _, _ = _two_platforms()
    with pytest.raises(InvalidManifest, match="not how to write it"):
        _read(index, choice=Choice(platforms=(AMD64,)))


def test_an_image_is_read_whatever_platforms_are_wanted() -> None:
    """Platforms choose among an index's entries; an image has none."""
    image = random_image(1, platform=ARM64)
    assert _digests(_read(image, choice=Choice(platforms=(AMD64,)))) == [image.digest]


# --- satellites ------------------------------------------------------------------------------


def _about(graph: Graph) -> list[tuple[Digest, Digest]]:
    return [(s.subject, s.graph.manifest.digest) for s in graph.all_satellites()]


def test_referrers_are_found_by_the_api() -> None:
    """With what the list says of them."""
    image = random_image(1)
    sbom = random_referrer(2, image.descriptor)
    graph = _read(image, sbom)
    assert _about(graph) == [(image.digest, sbom.digest)]
    assert graph.satellites[0].listing is not None
    assert graph.satellites[0].is_referrer
    assert graph.bytes_at_most > _read(image).bytes_at_most


def test_referrers_are_found_by_the_fallback_tag() -> None:
    """Where there is no API, the index under the tag lists them (OCI-6.3)."""
    image = random_image(1)
    sbom = random_referrer(2, image.descriptor)
    listed = fallback_index(image.digest, [sbom])
    assert _about(_read(image, sbom, listed, without=["referrers"])) == [
        (image.digest, sbom.digest)
    ]


def test_a_repository_may_have_no_api_though_its_registry_has() -> None:
    """None from the API means: look at the tag (OCI-6.1)."""

    class _NotHere(MemoryRegistry):
        def list_referrers(self, repository: str, subject: Digest) -> None:  # type: ignore[override]
            return None

    image = random_image(1)
    sbom = random_referrer(2, image.descriptor)
    source = _source(image, sbom, fallback_index(image.digest, [sbom]), registry=_NotHere("source"))
    assert _about(read_graph(source, image.digest)) == [(image.digest, sbom.digest)]


def test_both_lists_are_one() -> None:
    """What the API lists and a tag left from before it are joined by digest (OCI-6.4)."""
    image = random_image(1)
    new, old = random_referrer(2, image.descriptor), random_referrer(3, image.descriptor)
    graph = _read(image, new, old, fallback_index(image.digest, [old, new]))
    assert sorted(_about(graph)) == sorted([(image.digest, new.digest), (image.digest, old.digest)])


def test_cosign_tags_are_found() -> None:
    """``.sig``, ``.att`` and ``.sbom`` hang on the digest by their names (OCI-6.4)."""
    image = random_image(1)
    signature = random_signature(2, image.digest)
    attestation = attrs.evolve(
        random_signature(3, image.digest), tag=Tag(f"{image.digest.tag_prefix}.att")
    )
    graph = _read(image, signature, attestation)
    assert [s.tag for s in graph.satellites] == [attestation.tag, signature.tag]
    assert not any(satellite.is_referrer for satellite in graph.satellites)


def test_a_signature_that_an_api_lists_keeps_its_tag() -> None:
    """Harbor's API lists what hangs on cosign's tags, and cosign looks for the tag."""

    class _LikeHarbor(MemoryRegistry):
        def list_referrers(self, repository: str, subject: Digest) -> tuple[Descriptor, ...]:
            return (signature.manifest.as_referrer(),)

    image = random_image(1)
    signature = random_signature(2, image.digest)
    source = _source(image, signature, registry=_LikeHarbor("source"))
    graph = read_graph(source, image.digest)
    assert [satellite.tag for satellite in graph.satellites] == [signature.tag]


def test_satellites_of_satellites_and_of_children_are_found() -> None:
    """A signature on an SBOM, and one on a platform's image (OCI-6.6)."""
    index, amd64, _ = _two_platforms()
    sbom = random_referrer(3, index.descriptor)
    on_sbom, on_child = random_signature(4, sbom.digest), random_signature(5, amd64.digest)
    graph = _read(index, sbom, on_sbom, on_child)
    assert _about(graph) == [
        (amd64.digest, on_child.digest),
        (index.digest, sbom.digest),
        (sbom.digest, on_sbom.digest),
    ]


def test_satellites_end_at_a_depth() -> None:
    """A chain of signatures on signatures is not followed for ever (OCI-6.6)."""
    chain = [random_image(1)]
    for seed in range(2, 12):
        chain.append(random_referrer(seed, chain[-1].descriptor))
    assert len(_about(_read(*chain))) == 5


def test_loops_end() -> None:
    """Two that speak of each other are each followed once (OCI-6.6)."""
    one, two = random_image(1), random_image(2)
    fallbacks = [fallback_index(one.digest, [two, one]), fallback_index(two.digest, [one])]
    graph = _read(one, two, *fallbacks, without=["referrers"])
    assert (one.digest, two.digest) in _about(graph)
    assert len(_about(graph)) <= 2


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    [
        (("*",), {"sig", SPDX, NOTATION}),
        ((), set()),
        (("cosign.*",), {"sig"}),
        (("application/spdx*",), {SPDX}),
        (("application/vnd.cncf.*", "cosign.sig"), {"sig", NOTATION}),
    ],
)
def test_satellites_are_chosen_by_type(wanted: tuple[str, ...], kinds: set[str]) -> None:
    """Globs over artifact types; cosign's tags have types of their own."""
    image = random_image(1)
    sbom = random_referrer(2, image.descriptor)
    notation = random_referrer(3, image.descriptor, artifact_type=NOTATION)
    signature = random_signature(4, image.digest)
    graph = _read(image, sbom, notation, signature, choice=Choice(satellites=wanted))
    found = {"sig" if s.tag else s.graph.manifest.artifact_type for s in graph.satellites}
    assert found == kinds


def test_a_rewritten_index_has_no_satellites() -> None:
    """They are about another digest; those of its children stay (OCI-6.12)."""
    index, amd64, _ = _two_platforms()
    on_index, on_child = random_signature(3, index.digest), random_signature(4, amd64.digest)
    choice = Choice(platforms=(AMD64,), subset=Subset.REWRITTEN)
    assert _about(_read(index, on_index, on_child, choice=choice)) == [
        (amd64.digest, on_child.digest)
    ]


def test_a_satellite_that_is_lacking_is_a_note() -> None:
    """A list that promises too much does not stop the artifact."""
    image = random_image(1)
    gone = random_referrer(2, image.descriptor)
    registry = MemoryRegistry("source")
    source = _source(image, gone, fallback_index(image.digest, [gone]), registry=registry)
    registry.remove(REPOSITORY, gone.digest)
    graph = read_graph(source, image.digest)
    assert graph.satellites == ()
    assert len(graph.notes) == 1
    assert str(gone.digest) in graph.notes[0]


def test_a_satellite_that_cannot_be_read_is_a_note() -> None:
    """Neither does something that is no manifest."""

    class _Damaged(MemoryRegistry):
        def get_manifest(self, repository: str, reference: Tag | Digest) -> Manifest:
            if reference == sbom.digest:
                raise InvalidManifest("the document is no JSON")
            return super().get_manifest(repository, reference)

    image = random_image(1)
    sbom = random_referrer(2, image.descriptor)
    graph = read_graph(_source(image, sbom, registry=_Damaged("source")), image.digest)
    assert graph.satellites == ()
    assert "no JSON" in graph.notes[0]


def test_a_fallback_tag_that_is_no_index_is_a_note() -> None:
    """Somebody's image under that tag says nothing of referrers (OCI-6.9)."""
    image = random_image(1)
    taken = attrs.evolve(random_image(2), tag=Tag(image.digest.tag_prefix))
    graph = _read(image, taken)
    assert graph.satellites == ()
    assert "no index" in graph.notes[0]


def test_a_tag_that_vanished_is_no_satellite() -> None:
    """A listing is older than what is there (OCI-5.6)."""
    image = random_image(1)
    prefix = image.digest.tag_prefix
    source = _source(image, tags=[Tag(prefix), Tag(f"{prefix}.sig"), Tag("v1")])
    assert read_graph(source, image.digest).satellites == ()


# --- reading little --------------------------------------------------------------------------


def test_a_tag_is_looked_at_once() -> None:
    """Heads, lists and manifests by digest are each asked for once, and not what a list tells."""
    image = random_image(1)
    signature = random_signature(2, image.digest)
    registry = MemoryRegistry("source", without=["referrers"])
    source = _source(image, signature, registry=registry)
    asked = len(registry.operations)
    for _ in range(2):
        read_graph(source, image.digest)
    assert sorted(registry.operations[asked:]) == [
        "get_manifest",
        "get_manifest",
        "list_artifacts",
    ]


def test_a_manifest_by_tag_is_not_kept_under_the_tag() -> None:
    """Tags move; only digests are remembered."""
    registry = MemoryRegistry("source")
    source = _source(registry=registry)
    for seed in (1, 2):
        image = random_image(seed)
        image.push_to(registry, REPOSITORY, "v1")
        assert source.manifest(Tag("v1")) == image.manifest


def test_tags_that_will_be_copied_are_read_until_two_share_a_manifest() -> None:
    """A manifest read along saves asking for its digest; read twice it would save nothing."""
    registry = MemoryRegistry("source")
    source = _source(registry=registry)
    for seed, tag in ((1, "a"), (2, "b"), (1, "c"), (2, "d")):
        random_image(seed).push_to(registry, REPOSITORY, tag)
    asked = len(registry.operations)
    found = [source.digest_of(Tag(tag)) for tag in "abcdx"]
    images = [random_image(seed).digest for seed in (1, 2, 1, 2)]
    assert found == [*images, None]
    assert registry.operations[asked:] == (*["get_manifest"] * 3, *["resolve"] * 2)
    assert source.manifest(images[0]) == random_image(1).manifest
    assert len(registry.operations) == asked + 5


def test_a_tag_that_is_gone_when_it_is_read_has_no_digest() -> None:
    """It may vanish between the listing and the reading."""
    assert _source().digest_of(Tag("gone")) is None


def test_the_cache_holds_so_many_bytes() -> None:
    """What was used longest ago makes room, and the newest is always held."""
    manifests = [random_image(seed).manifest for seed in range(3)]
    cache = ManifestCache(max_bytes=manifests[0].size + manifests[1].size)
    cache.put(manifests[0])
    cache.put(manifests[1])
    cache.put(manifests[1])
    assert cache.get(manifests[0].digest) is manifests[0]
    cache.put(manifests[2])
    assert cache.get(manifests[1].digest) is None
    assert cache.get(manifests[0].digest) is manifests[0]
    tiny = ManifestCache(max_bytes=1)
    tiny.put(manifests[0])
    assert tiny.get(manifests[0].digest) is manifests[0]


def test_a_config_counts_as_a_blob_of_its_type() -> None:
    """Known types are blobs like all others."""
    graph = _read(random_image(1))
    assert graph.blobs[0].media_type == OCI_CONFIG


def test_a_digest_tag_is_asked_for_once_however_many_want_to_know() -> None:
    """Whoever comes while the answer is on its way waits for it."""
    begun = threading.Semaphore(0)

    class _Waiting(MemoryRegistry):
        def resolve(self, repository: str, reference: Tag | Digest) -> Descriptor | None:
            for _ in range(4):
                assert begun.acquire(timeout=60)
            return super().resolve(repository, reference)

    registry = _Waiting("source")
    source = SourceRepository(registry, "team/app", ManifestCache())

    def ask(_: int) -> Descriptor | None:
        begun.release()
        return source.head(Tag("sha256-00.sig"))

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ask, range(4))) == [None] * 4
    assert registry.operations.count("resolve") == 1


# --- what lists tell -------------------------------------------------------------------------


def _bulk(*samples: Sample) -> tuple[BulkRegistry, SourceRepository]:
    """A registry that lists as Harbor does, and a repository of it that was listed."""
    registry = BulkRegistry("source")
    for sample in samples:
        sample.push_to(registry, REPOSITORY, "v1" if sample is samples[0] else None)
    listed = tuple(registry.list_artifacts(REPOSITORY))
    return registry, SourceRepository(registry, REPOSITORY, ManifestCache(), listed)


def test_what_a_listing_tells_is_read_without_asking_who_refers() -> None:
    """The signature comes under the tag that the listing hides; what has none is not asked."""
    image = random_image(1)
    signature, sbom = random_signature(2, image.digest), random_referrer(3, image.descriptor)
    registry, source = _bulk(image, signature, sbom)
    before = len(registry.operations)
    graph = read_graph(source, image.digest)
    found = {each.graph.manifest.digest: each.tag for each in graph.satellites}
    assert found == {signature.digest: signature.tag, sbom.digest: None}
    assert registry.operations[before:].count("list_referrers") == 2  # of the satellites
    assert "resolve" not in registry.operations[before:]
    bare = random_image(4)
    registry, source = _bulk(bare)
    before = len(registry.operations)
    assert read_graph(source, bare.digest).satellites == ()
    assert registry.operations[before:] == ("get_manifest",)


def test_types_are_asked_for_where_they_matter() -> None:
    """A listing tells digests only; the signature is known by its tag."""
    image = random_image(1)
    signature, sbom = random_signature(2, image.digest), random_referrer(3, image.descriptor)
    for wanted, expected in (
        ("cosign.sig", {signature.digest}),
        ("application/spdx*", {sbom.digest}),
        ("nothing", set()),
    ):
        _, source = _bulk(image, signature, sbom)
        graph = read_graph(source, image.digest, Choice(satellites=(wanted,)))
        assert {each.graph.manifest.digest for each in graph.satellites} == expected


def test_of_several_hidden_signatures_the_tag_tells_which_counts() -> None:
    """One that was replaced is left behind: nothing leads to it any more."""
    image = random_image(1)
    old, new = random_signature(2, image.digest), random_signature(3, image.digest)

    class Keeping(BulkRegistry):
        """One that goes on telling of a signature whose tag has moved."""

        def list_referrers(self, repository: str, subject: Digest) -> tuple[Descriptor, ...]:
            found = super().list_referrers(repository, subject)
            return (*found, old.manifest.as_referrer()) if subject == image.digest else found

    registry = Keeping("source")
    for sample in (image, old, new):
        sample.push_to(registry, REPOSITORY)
    graph = read_graph(SourceRepository(registry, REPOSITORY, ManifestCache()), image.digest)
    (satellite,) = graph.satellites
    assert (satellite.graph.manifest.digest, satellite.tag) == (new.digest, new.tag)


def test_digest_tags_are_asked_for_where_a_registry_can_narrow() -> None:
    """Not everything is listed for them."""
    image = random_image(1)
    attestation = attrs.evolve(random_image(2), tag=Tag(f"{image.digest.tag_prefix}.att"))
    registry, _ = _bulk(image, attestation)
    before = len(registry.operations)
    source = SourceRepository(registry, REPOSITORY, ManifestCache())
    assert source.digest_tags(image.digest) == (attestation.tag,)
    assert registry.operations[before:] == ("list_matching",)
