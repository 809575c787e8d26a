"""Facts are filled in by few requests, and what cannot be had is said to be so."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.artifact import NOT_FETCHED, UNAVAILABLE, Artifact, Unknown
from harborsync.content import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Manifest, Platform
from harborsync.errors import DigestMismatch, InvalidManifest
from harborsync.facts import fill_in, kind_of
from harborsync.graph import ManifestCache, SourceRepository
from harborsync.reference import Digest, Tag
from harborsync.registries.memory import MemoryRegistry
from harborsync.state import MemoryState
from harborsync.testing.content import (
    AMD64,
    ARM64,
    NOTATION,
    SPDX,
    UNHEARD_OF,
    Blob,
    Sample,
    join,
    random_artifact,
    random_attestation,
    random_blob,
    random_image,
    random_referrer,
    random_signature,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import _GeneratorContextManager

    from harborsync.content import Descriptor
    from harborsync.registry import Abilities
    from harborsync.state import State

REPOSITORY = "team/app"
BARE = Artifact(repository=REPOSITORY, tag=Tag("v1"))
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def _filled(
    sample: Sample | None,
    *facts: str,
    artifact: Artifact = BARE,
    registry: MemoryRegistry | None = None,
    state: State | None = None,
) -> list[Artifact]:
    registry = registry or MemoryRegistry("source")
    if sample is not None:
        sample.push_to(registry, REPOSITORY, "v1")
    source = SourceRepository(registry, REPOSITORY, ManifestCache())
    return list(fill_in(source, [artifact], frozenset(facts), state or MemoryState()))


def _fact(sample: Sample, name: str, **fields: Any) -> Any:
    (artifact,) = _filled(sample, name, **fields)
    return getattr(artifact, name)


def _with_config(config: bytes, media_type: str = OCI_CONFIG) -> Sample:
    blob = Blob.of(config, media_type)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": blob.descriptor.to_json(),
        "layers": [],
    }
    return Sample(manifests=(Manifest.parse(json.dumps(document).encode()),), blobs=(blob,))


def test_a_head_tells_digest_and_type() -> None:
    """Nothing is read for what a HEAD tells (OCI-3.9)."""
    registry, image = MemoryRegistry("source"), random_image(1)
    (artifact,) = _filled(image, "digest", "media_type", registry=registry)
    assert (artifact.digest, artifact.media_type) == (image.digest, OCI_MANIFEST)
    assert registry.operations[-1] == "resolve"
    assert "get_manifest" not in registry.operations


def test_what_is_known_is_not_asked_for() -> None:
    """A listing that told the type spares the request."""
    registry = MemoryRegistry("source")
    known = attrs.evolve(BARE, digest=Digest.of(b"x"), media_type=OCI_MANIFEST)
    assert _filled(None, "media_type", artifact=known, registry=registry) == [known]
    assert registry.operations == ()


def test_a_tag_that_is_gone_is_left_out() -> None:
    """Lists are older than what is there (OCI-5.6)."""
    assert _filled(None, "digest") == []


def test_what_the_registry_does_not_keep_is_unavailable() -> None:
    """Labels and push times need an API of their own."""
    (artifact,) = _filled(random_image(1), "labels", "pushed_at")
    assert (artifact.labels, artifact.pushed_at) == (UNAVAILABLE, UNAVAILABLE)


def test_an_images_facts_come_from_manifest_and_config() -> None:
    """When, for what, how large, what kind, with what annotations."""
    image = random_image(1, platform=ARM64, annotations={"a": "b"})
    (artifact,) = _filled(image, "created_at", "platforms", "size", "kind", "annotations")
    assert artifact.created_at == MOMENT
    assert artifact.platforms == frozenset({ARM64})
    assert artifact.size == image.manifest.size + sum(len(b.content) for b in image.blobs)
    assert artifact.kind == "image"
    assert artifact.annotations == (("a", "b"),)


def test_an_indexs_facts_are_those_of_its_images() -> None:
    """The newest image, all platforms, all bytes; attestations are no platform (OCI-3.22)."""
    old = random_image(1, created="2025-01-01T00:00:00Z")
    new = random_image(2, platform=ARM64)
    entries = [(old, {"platform": AMD64}), (new, {"platform": ARM64}), random_attestation(3, old)]
    index = join(entries)
    (artifact,) = _filled(index, "created_at", "platforms", "size", "kind")
    assert artifact.created_at == MOMENT
    assert artifact.platforms == frozenset({AMD64, ARM64})
    assert artifact.kind == "image"
    sizes = [s.manifest.size + sum(len(b.content) for b in s.blobs) for s in (old, new)]
    assert artifact.size == index.manifest.size + sum(sizes)


def test_an_index_that_says_when_it_was_made_is_believed() -> None:
    """Its annotation is about the whole."""
    created = "2024-01-01T00:00:00+01:00"
    index = join([(random_image(1), {})], annotations={"org.opencontainers.image.created": created})
    assert _fact(index, "created_at") == datetime.fromisoformat(created)


def test_an_index_may_hold_what_is_no_manifest() -> None:
    """Entries of unknown types tell nothing, and are not asked for."""
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX}
    blob = random_blob(1, media_type=UNHEARD_OF)
    raw = json.dumps({**document, "manifests": [blob.descriptor.to_json()]}).encode()
    index = Sample(manifests=(Manifest.parse(raw),), blobs=(blob,))
    (artifact,) = _filled(index, "created_at", "platforms", "kind")
    assert (artifact.created_at, artifact.platforms, artifact.kind) == (None, frozenset(), "image")


def test_an_image_in_many_indexes_is_read_once() -> None:
    """Otherwise few manifests could make a great many requests."""
    sample = random_image(1)
    for level in range(8):
        sample = join([(sample, {}), (sample, {"annotation_items": {"again": str(level)}})])
    registry = MemoryRegistry("source")
    assert _fact(sample, "kind", registry=registry) == "image"
    assert registry.operations.count("open_blob") == 1


def test_nesting_without_end_is_refused() -> None:
    """Eight levels, as everywhere (OCI-3.15)."""
    sample = random_image(1)
    for _ in range(9):
        sample = join([(sample, {})])
    with pytest.raises(InvalidManifest, match="nested deeper"):
        _fact(sample, "kind")


def test_what_follows_from_a_digest_is_remembered() -> None:
    """The second time only the tag is resolved, in whatever process."""
    image, state, registry = random_image(1), MemoryState(), MemoryRegistry("source")
    first = _filled(image, "created_at", "platforms", state=state, registry=registry)
    asked = len(registry.operations)
    assert _filled(None, "created_at", "platforms", state=state, registry=registry) == first
    assert registry.operations[asked:] == ("resolve",)


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ("2026-01-01T00:00:00.123456789Z", MOMENT.replace(microsecond=123456)),
        ("2026-01-01T02:00:00+02:00", MOMENT),
        ("2026-01-01T00:00:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        (7, None),
        (None, None),
    ],
)
def test_only_a_moment_counts_as_a_time(created: object, expected: datetime | None) -> None:
    """Nine digits of a second are cut; what is no moment is not told (OCI-9.7)."""
    image = _with_config(json.dumps({"created": created, "os": "linux"}).encode())
    assert _fact(image, "created_at") == expected


@pytest.mark.parametrize(
    ("config", "platforms"),
    [
        ({"os": "linux", "architecture": "arm", "variant": "v7"}, {"linux/arm/v7"}),
        ({"os": "windows", "architecture": "amd64", "os.version": "10.0"}, {"windows/amd64:10.0"}),
        ({"architecture": "amd64"}, set()),
        ({"os": 7, "architecture": "amd64"}, set()),
        ({"os": "linux", "architecture": ["amd64"]}, set()),
        ([], set()),
    ],
)
def test_a_config_tells_the_platform(config: object, platforms: set[str]) -> None:
    """If it is an object that has one in texts."""
    image = _with_config(json.dumps(config).encode())
    assert _fact(image, "platforms") == {Platform.parse(text) for text in platforms}


@pytest.mark.parametrize("config", [b"", b"{", b"[" * 100_000, b"7"])
def test_a_config_that_is_no_json_tells_nothing(config: bytes) -> None:
    """An image is still an image."""
    (artifact,) = _filled(_with_config(config), "created_at", "kind")
    assert (artifact.created_at, artifact.kind) == (None, "image")


def test_a_config_of_another_type_is_not_read() -> None:
    """A chart's config says nothing about platforms; its annotation may say when."""
    registry = MemoryRegistry("source")
    chart = random_artifact(1, annotations={"org.opencontainers.image.created": str(MOMENT)})
    (artifact,) = _filled(chart, "created_at", "kind", registry=registry)
    assert (artifact.created_at, artifact.kind) == (MOMENT, "chart")
    assert "open_blob" not in registry.operations


def test_a_config_beyond_all_measure_is_not_read() -> None:
    """A configuration of gigabytes is somebody's joke (OCI-9.7)."""

    class _Pretending(MemoryRegistry):
        def open_blob(
            self, repository: str, blob: Descriptor, offset: int = 0
        ) -> _GeneratorContextManager[Iterator[bytes]]:
            pytest.fail("nobody needs these bytes")

        def get_manifest(self, repository: str, reference: Tag | Digest) -> Manifest:
            return huge

        def resolve(self, repository: str, reference: Tag | Digest) -> Descriptor:
            return huge.descriptor

    config = {"mediaType": OCI_CONFIG, "digest": str(Digest.of(b"x")), "size": 9 * 2**20}
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []}
    huge = Manifest.parse(json.dumps(document).encode())
    (artifact,) = _filled(None, "created_at", registry=_Pretending("source"))
    assert artifact.created_at is None


def test_a_config_that_is_not_what_its_digest_says_is_refused() -> None:
    """Filters decide by it, so it is checked."""

    class _Lying(MemoryRegistry):
        def open_blob(
            self, repository: str, blob: Descriptor, offset: int = 0
        ) -> _GeneratorContextManager[Iterator[bytes]]:
            zeros = Blob(descriptor=blob, content=bytes(blob.size))
            return zeros.open(offset)

    with pytest.raises(DigestMismatch, match="not what its digest says"):
        _fact(random_image(1), "created_at", registry=_Lying("source"))


@pytest.mark.parametrize(
    ("sample", "kind"),
    [
        (random_image(1), "image"),
        (random_image(1, docker=True), "image"),
        (random_artifact(1), "chart"),
        (random_signature(1, Digest.of(b"x")), "signature"),
        (random_referrer(1, random_image(1).descriptor, artifact_type=NOTATION), "signature"),
        (random_referrer(1, random_image(1).descriptor, artifact_type=SPDX), "sbom"),
        (random_attestation(1, random_image(1))[0], "attestation"),
        (random_artifact(1, config_type="a/b", layer_type="c/d"), "a/b"),
        (random_artifact(1, artifact_type="x/y", config_type="a/b", layer_type="c/d"), "x/y"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_artifacts_are_called_what_people_call_them(sample: Sample, kind: str) -> None:
    """By artifact type, config or layer; what nobody knows keeps its type."""
    assert kind_of(sample.manifest) == kind


class _Describing(MemoryRegistry):
    """A registry that tells labels of many at once."""

    asked: tuple[frozenset[str], ...] = ()

    @property
    def abilities(self) -> Abilities:
        return attrs.evolve(super().abilities, describe=self)

    def describe(self, artifacts: Iterable[Artifact], facts: frozenset[str]) -> Iterator[Artifact]:
        self.asked = (*self.asked, facts)
        for artifact in artifacts:
            yield attrs.evolve(artifact, labels=frozenset({"approved"}))


def test_a_registry_that_describes_is_asked_once() -> None:
    """What it tells is taken, and what it leaves out is asked for in the usual way."""
    registry = _Describing("source")
    (artifact,) = _filled(random_image(1), "labels", "created_at", registry=registry)
    assert artifact.labels == frozenset({"approved"})
    assert artifact.created_at == MOMENT
    assert registry.asked == (frozenset({"labels", "created_at"}),)


def test_facts_that_nobody_asked_for_stay_unfetched() -> None:
    """A filter that needs one fact does not pay for others."""
    (artifact,) = _filled(random_image(1), "media_type")
    assert artifact.labels is NOT_FETCHED
    assert isinstance(artifact.size, Unknown)
