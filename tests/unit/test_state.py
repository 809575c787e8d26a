"""A state remembers what was written and what follows from digests, a journal the uploads."""

from __future__ import annotations

import attrs

from harborsync.reference import ArtifactRef, Digest
from harborsync.secrets import Secret
from harborsync.state import (
    MemoryJournal,
    MemoryState,
    Place,
    SessionJournal,
    SessionKey,
    Written,
)
from harborsync.testing.clock import EPOCH

PLACE = Place(rule="r", to="mirror.example", artifact=ArtifactRef.parse("team/app:v1"))
DIGEST = Digest.of(b"one")
KEY = SessionKey(registry="https://registry.example", repository="a", digest=DIGEST)


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


def test_a_journal_keeps_one_session_for_each_upload() -> None:
    """The latest one, until it is forgotten."""
    journal = MemoryJournal()
    assert journal.recall(KEY) is None
    journal.remember(KEY, Secret("/u/1"))
    journal.remember(KEY, Secret("/u/2"))
    assert journal.recall(KEY) == Secret("/u/2")
    assert journal.recall(attrs.evolve(KEY, repository="b")) is None
    journal.forget(KEY)
    journal.forget(KEY)
    assert journal.recall(KEY) is None


def test_an_upload_has_one_writer_at_a_time() -> None:
    """Whoever claims it has it until he releases it, and what is remembered stays."""
    journal = MemoryJournal()
    assert journal.claim(KEY)
    journal.remember(KEY, Secret("/u/1"))
    assert not journal.claim(KEY)
    assert journal.claim(attrs.evolve(KEY, repository="b"))
    journal.release(KEY)
    assert journal.claim(KEY)
    assert journal.recall(KEY) == Secret("/u/1")


def test_a_journal_is_known_by_what_it_can_do() -> None:
    """A state may be a journal, too; that of the memory is none."""
    assert isinstance(MemoryJournal(), SessionJournal)
    assert not isinstance(MemoryState(), SessionJournal)
