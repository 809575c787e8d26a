"""Referrers are findable at a destination, with the API and without, and none is lost."""

from __future__ import annotations

import attrs
import pytest

from harborsync.content import DOCKER_LIST, Descriptor, Manifest
from harborsync.errors import Side, VerificationError
from harborsync.graph import ManifestCache as Cache
from harborsync.graph import Satellite, SourceRepository, read_graph
from harborsync.reference import Digest, Tag
from harborsync.referrers import entry_of, make_findable, says
from harborsync.registries.memory import MemoryRegistry
from harborsync.testing.content import (
    Sample,
    fallback_index,
    join,
    random_artifact,
    random_image,
    random_referrer,
)

REPOSITORY = "team/app"
IMAGE = random_image(1)
FIRST, SECOND = (random_referrer(seed, IMAGE.descriptor) for seed in (2, 3))
TAG = Tag(IMAGE.digest.tag_prefix)


def _registry(*samples: Sample, without: tuple[str, ...] = ("referrers",)) -> MemoryRegistry:
    registry = MemoryRegistry("mirror", without=without)
    for sample in (IMAGE, FIRST, SECOND, *samples):
        sample.push_to(registry, REPOSITORY)
    return registry


def _wanted(*samples: Sample) -> dict[Digest, Descriptor]:
    return {sample.digest: sample.manifest.as_referrer() for sample in samples}


def _make_findable(
    registry: MemoryRegistry, *samples: Sample, like: Manifest | None = None
) -> bool:
    return make_findable(registry, REPOSITORY, IMAGE.digest, _wanted(*samples), like=like)


def _listed(registry: MemoryRegistry) -> list[Digest]:
    return [entry.digest for entry in registry.get_manifest(REPOSITORY, TAG).entries]


def test_an_api_that_lists_them_already_needs_nothing() -> None:
    """No fallback tag is written where nobody needs one."""
    registry = _registry(without=())
    assert not _make_findable(registry, FIRST, SECOND)
    assert registry.resolve(REPOSITORY, TAG) is None


def test_without_an_api_an_index_is_written_with_the_annotations() -> None:
    """Type and annotations travel into the list (OCI-6.9)."""
    registry = _registry()
    assert _make_findable(registry, FIRST)
    (entry,) = registry.get_manifest(REPOSITORY, TAG).entries
    assert entry == FIRST.manifest.as_referrer()
    assert entry.annotations
    assert entry.artifact_type


def test_what_was_listed_stays() -> None:
    """Whoever wrote it, and in its order; the new one is put behind."""
    registry = _registry(fallback_index(IMAGE.digest, [FIRST]))
    assert _make_findable(registry, SECOND, FIRST)
    assert _listed(registry) == [FIRST.digest, SECOND.digest]


def test_what_is_listed_already_is_not_written_again() -> None:
    """A second run writes nothing."""
    registry = _registry(fallback_index(IMAGE.digest, [FIRST, SECOND]))
    assert not _make_findable(registry, SECOND)


def test_the_sources_index_is_written_as_it_is_where_it_says_just_this() -> None:
    """Byte for byte, so that both ends have one digest."""
    theirs = fallback_index(IMAGE.digest, [SECOND, FIRST]).manifest
    registry = _registry()
    assert _make_findable(registry, FIRST, SECOND, like=theirs)
    assert registry.get_manifest(REPOSITORY, TAG) == theirs


def test_the_sources_index_is_not_taken_where_it_says_more() -> None:
    """A list never names what is not there."""
    theirs = fallback_index(IMAGE.digest, [FIRST, SECOND]).manifest
    registry = _registry()
    _make_findable(registry, FIRST, like=theirs)
    assert _listed(registry) == [FIRST.digest]


def test_an_index_of_docker_is_not_taken_for_one_of_referrers() -> None:
    """The tag scheme knows OCI indexes only."""
    theirs = join([(FIRST, {})], docker=True).manifest
    assert theirs.media_type == DOCKER_LIST
    assert not says(theirs, list(_wanted(FIRST).values()))


def test_a_tag_that_somebody_uses_otherwise_is_left_alone() -> None:
    """It is told, with what to do (OCI-6.9)."""
    registry = _registry(attrs.evolve(random_artifact(5), tag=TAG))
    with pytest.raises(VerificationError, match="not an index of referrers") as caught:
        _make_findable(registry, FIRST)
    assert caught.value.side is Side.DESTINATION
    assert caught.value.hint == "move that tag away"


class _Contended(MemoryRegistry):
    """A registry where somebody else writes right after us, so many times."""

    def __init__(self, rivals: int) -> None:
        super().__init__("mirror", without=["referrers"])
        self.rivals = rivals
        self.written = 0

    def put_manifest(self, repository: str, manifest: Manifest, *, tag: Tag | None = None) -> bool:
        indexed = super().put_manifest(repository, manifest, tag=tag)
        if tag == TAG:
            self.written += 1
            if self.written <= self.rivals:
                theirs = fallback_index(IMAGE.digest, [SECOND]).manifest
                super().put_manifest(repository, theirs, tag=tag)
        return indexed


@pytest.mark.parametrize(("rivals", "written"), [(0, 1), (1, 2), (2, 3)])
def test_an_update_that_was_overwritten_is_merged_again(rivals: int, written: int) -> None:
    """Concurrent writers lose updates; each looks again, a few times (OCI-6.9)."""
    registry = _Contended(rivals)
    for sample in (IMAGE, FIRST, SECOND):
        sample.push_to(registry, REPOSITORY)
    assert _make_findable(registry, FIRST)
    assert registry.written == written
    assert FIRST.digest in _listed(registry)


def test_an_update_that_is_always_overwritten_is_given_up_with_a_word() -> None:
    """Nobody is told that a referrer is listed which is not."""
    registry = _Contended(9)
    for sample in (IMAGE, FIRST, SECOND):
        sample.push_to(registry, REPOSITORY)
    with pytest.raises(VerificationError, match="others keep writing"):
        _make_findable(registry, FIRST)
    assert registry.written == 3


def _satellite(listing: Descriptor | None, sample: Sample = FIRST) -> Satellite:
    source = SourceRepository(_registry(sample), REPOSITORY, Cache())
    graph = read_graph(source, sample.digest)
    return Satellite(graph=graph, subject=IMAGE.digest, listing=listing)


def test_an_entry_is_made_of_the_manifest() -> None:
    """Where no list says anything, the manifest tells type and annotations."""
    assert entry_of(_satellite(None)) == FIRST.manifest.as_referrer()


def test_an_entry_keeps_what_only_the_sources_list_says() -> None:
    """Notes that a tool put into the list alone are kept; the manifest's own win."""
    bare = random_referrer(4, IMAGE.descriptor, annotations={"a": "manifest"})
    listing = attrs.evolve(
        bare.descriptor, artifact_type="x/y", annotation_items={"a": "list", "b": "list"}
    )
    entry = entry_of(_satellite(listing, bare))
    assert entry.annotations == {"a": "manifest", "b": "list"}
    assert entry.artifact_type == bare.manifest.artifact_type
