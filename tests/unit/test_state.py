"""A state remembers what was written and what follows from digests."""

from __future__ import annotations

from harborsync.reference import ArtifactRef, Digest
from harborsync.state import MemoryState, Place, Written
from harborsync.testing.clock import EPOCH

PLACE = Place(rule="r", to="mirror.example", artifact=ArtifactRef.parse("team/app:v1"))
DIGEST = Digest.of(b"one")


def test_nothing_is_known_at_first() -> None:
    """An empty state says None, not something made up."""
    state = MemoryState()
    assert state.written(PLACE) is None
    assert state.fact(DIGEST, "kind") is None


def test_what_was_written_last_is_remembered_by_place() -> None:
    """The later word counts, and another rule's place is another place."""
    state = MemoryState()
    for content in (b"one", b"two"):
        state.remember_written(PLACE, Written(digest=Digest.of(content), at=EPOCH))
    assert state.written(PLACE) == Written(digest=Digest.of(b"two"), at=EPOCH)
    other = Place(rule="other", to=PLACE.to, artifact=PLACE.artifact)
    assert state.written(other) is None


def test_facts_are_remembered_by_digest_and_name() -> None:
    """Two facts of one digest do not overwrite each other."""
    state = MemoryState()
    state.remember_fact(DIGEST, "kind", "image")
    state.remember_fact(DIGEST, "size", "12")
    assert (state.fact(DIGEST, "kind"), state.fact(DIGEST, "size")) == ("image", "12")
