"""The registry in memory: its switches, its log, and the name by which it is shared."""

from __future__ import annotations

import pytest

from harborsync.artifact import Label
from harborsync.content import Descriptor
from harborsync.endpoint import Endpoint
from harborsync.errors import (
    ContentMissing,
    DigestMismatch,
    InvalidReference,
    InvalidValue,
    NotFound,
    RegistryError,
    TagImmutable,
    Unsupported,
)
from harborsync.events import BlobOutcome
from harborsync.provider import OpenContext
from harborsync.reference import Digest, Tag
from harborsync.registries.memory import PROVIDER, MemoryRegistry, shared
from harborsync.registry import Quirks
from harborsync.testing.clock import EPOCH, FakeClock
from harborsync.testing.content import (
    random_artifact,
    random_blob,
    random_image,
    random_index,
    random_referrer,
)


def test_operations_are_noted_in_order() -> None:
    """A test can count what was asked."""
    registry = MemoryRegistry()
    random_image(1, layers=1).push_to(registry, "a", "v1")
    registry.resolve("a", Tag("v1"))
    assert registry.operations == ("put_blob", "put_blob", "put_manifest", "resolve")


def test_an_ability_can_be_taken_away() -> None:
    """All others stay, and a subject is then not said to be indexed."""
    registry = MemoryRegistry(without=["referrers", "mounts"])
    assert registry.abilities.referrers is None
    assert registry.abilities.catalog is registry
    image = random_image(1)
    image.push_to(registry, "a", "v1")
    sbom = random_referrer(2, image.descriptor)
    sbom.push_to(registry, "a")
    assert registry.put_manifest("a", sbom.manifest) is False


def test_without_mounts_the_bytes_are_sent() -> None:
    """Though another repository has them."""
    registry, blob = MemoryRegistry(without=["mounts"]), random_blob(1)
    registry.put_blob("a", blob.descriptor, blob.open)
    put = registry.put_blob("b", blob.descriptor, blob.open, mount_from=["a"])
    assert put.outcome is BlobOutcome.UPLOADED


def test_a_mount_moves_no_bytes() -> None:
    """The first candidate that has the blob gives it; a repository is no candidate of itself."""
    registry, blob = MemoryRegistry(), random_blob(1)
    registry.put_blob("a", blob.descriptor, blob.open)
    put = registry.put_blob("b", blob.descriptor, blob.open, mount_from=["c", "a"])
    assert (put.outcome, put.bytes_sent) == (BlobOutcome.MOUNTED, 0)
    assert registry.may_mount("b", "a")
    assert not registry.may_mount("a", "a")
    image = random_image(1)
    image.push_to(registry, "a", "v1")
    config = image.blobs[0].descriptor
    assert registry.origins("b", config) == ("a",)
    assert registry.origins("a", config) == ()


def test_identities_differ_though_names_are_equal() -> None:
    """Nobody mounts from one registry into another."""
    assert MemoryRegistry("x").identity != MemoryRegistry("x").identity


def test_repositories_may_have_to_be_made() -> None:
    """Until then nothing can be written there."""
    registry = MemoryRegistry(creates_repositories=True)
    with pytest.raises(NotFound):
        random_image(1).push_to(registry, "a", "v1")
    assert registry.ensure_repository("a")
    random_image(1).push_to(registry, "a", "v1")


def test_a_repository_must_have_a_name_that_is_one() -> None:
    """It is refused before anything is stored."""
    with pytest.raises(InvalidReference):
        random_image(1).push_to(MemoryRegistry(), "No/Good", "v1")


def test_an_immutable_tag_stays() -> None:
    """It can be written again with the same digest, and neither moved nor deleted."""
    registry = MemoryRegistry(immutable_tags=True)
    image = random_image(1)
    for _ in range(2):
        image.push_to(registry, "a", "v1")
    with pytest.raises(TagImmutable):
        random_image(2).push_to(registry, "a", "v1")
    with pytest.raises(TagImmutable):
        registry.delete_tag("a", Tag("v1"))
    registry.delete_tag("a", Tag("v2"))
    assert [artifact.digest for artifact in registry.list_artifacts("a")] == [image.digest]
    assert all(artifact.immutable for artifact in registry.list_artifacts("a"))


def test_a_listing_tells_when_a_tag_was_pushed() -> None:
    """By the clock that was given, and the labels beside it."""
    clock = FakeClock()
    registry = MemoryRegistry(clock=clock)
    image = random_image(1)
    image.push_to(registry, "a", "v1")
    registry.change_labels("a", image.digest, attach=[Label(name="good")], detach=frozenset())
    clock.advance(60)
    image.push_to(registry, "a", "v2")
    first, second = registry.list_artifacts("a")
    assert (first.pushed_at, first.labels) == (EPOCH, frozenset({"good"}))
    assert second.pushed_at == clock.now()
    assert first.media_type == image.manifest.media_type


def test_a_project_s_own_label_comes_before_the_global_one() -> None:
    """Another project has the global one, and a name that nobody made has none."""
    registry = MemoryRegistry()
    ours = Label(name="ready", color="#48960C")
    everybody_s = Label(name="ready", color="#0065AB", is_global=True)
    for label in (ours, everybody_s):
        registry.make_label("team/app", label)
    asked = frozenset({"ready", "unheard of"})
    assert registry.find_labels("team/tool", asked) == (ours,)
    assert registry.find_labels("others/app", asked) == (everybody_s,)


def test_what_is_missing_is_named() -> None:
    """Blobs, and the children of an index."""
    registry, index = MemoryRegistry(), random_index(1)
    with pytest.raises(ContentMissing) as refused:
        registry.put_manifest("a", index.manifest)
    assert refused.value.digests == tuple(str(m.digest) for m in index.manifests[:-1])
    image = random_image(1)
    with pytest.raises(ContentMissing) as refused:
        registry.put_manifest("a", image.manifest)
    assert refused.value.digests == tuple(str(b.descriptor.digest) for b in image.blobs)


def test_foreign_layers_may_be_elsewhere() -> None:
    """A manifest that names them is taken without them (OCI-3.19)."""
    foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    sample = random_artifact(1, layer_type=foreign)
    registry = MemoryRegistry()
    config = sample.blobs[0]
    registry.put_blob("a", config.descriptor, config.open)
    registry.put_manifest("a", sample.manifest, tag=Tag("v1"))


def test_content_can_get_lost() -> None:
    """As in a registry whose garbage collection was too eager."""
    registry, image = MemoryRegistry(), random_image(1)
    image.push_to(registry, "a", "v1")
    layer = image.blobs[1].descriptor
    registry.remove("a", layer.digest)
    assert not registry.has_blob("a", layer)
    registry.remove("a", image.digest)
    assert registry.resolve("a", Tag("v1")) is None
    assert [artifact.media_type for artifact in registry.list_artifacts("a")] == [""]


@pytest.mark.parametrize(
    ("quirks", "what"),
    [
        (Quirks(max_layer_bytes=10), RegistryError),
        (Quirks(max_manifest_bytes=10), RegistryError),
    ],
    ids=["layer", "manifest"],
)
def test_sizes_have_limits(quirks: Quirks, what: type[Exception]) -> None:
    """What is larger is refused."""
    with pytest.raises(what, match="at most 10 bytes"):
        random_image(1).push_to(MemoryRegistry(quirks=quirks), "a", "v1")


def test_sha512_may_be_unknown() -> None:
    """It is then refused, as blob and as manifest."""
    registry = MemoryRegistry(quirks=Quirks(takes_sha512=False))
    blob = random_blob(1, algorithm="sha512")
    with pytest.raises(Unsupported):
        registry.put_blob("a", blob.descriptor, blob.open)


def test_content_longer_than_said_is_not_read_to_its_end() -> None:
    """One block too many is enough to know."""
    blob = random_blob(1, size=10)
    lie = Descriptor(media_type="x", digest=blob.descriptor.digest, size=1000)
    long = random_blob(2, size=10**6)
    with pytest.raises(Exception, match="not 1000 bytes"):
        MemoryRegistry().put_blob("a", lie, long.open)
    wrong = Descriptor(media_type="x", digest=Digest.of(b""), size=10)
    with pytest.raises(DigestMismatch):
        MemoryRegistry().put_blob("a", wrong, blob.open)


def test_a_named_registry_is_shared_by_the_process() -> None:
    """What one opened and closed, the next finds; another name is another registry."""
    endpoint = Endpoint.parse("memory://unit-shared")
    first = PROVIDER.open(endpoint, OpenContext())
    random_image(1).push_to(first, "a", "v1")
    first.close()
    assert PROVIDER.open(endpoint, OpenContext()) is first is shared("unit-shared")
    assert shared("unit-other") is not first


def test_a_named_registry_has_no_options() -> None:
    """A wish that nobody hears is an error."""
    with pytest.raises(InvalidValue, match="no options"):
        PROVIDER.open(Endpoint.parse("memory://x?a=b"), OpenContext())
