"""Digests of a product's listing count once a HEAD agrees."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import attrs

from harborsync.artifact import NOT_FETCHED, UNAVAILABLE, Artifact
from harborsync.content import OCI_MANIFEST, Descriptor
from harborsync.errors import Denied
from harborsync.reference import Digest, Tag
from harborsync.registries.proof import Proof
from harborsync.state import MemoryState

if TYPE_CHECKING:
    import pytest

    from harborsync.artifact import Unknown

ONE, TWO, OTHER = (Digest.of(text) for text in (b"1", b"2", b"3"))


class Heads:
    """Answers HEADs, and counts them."""

    def __init__(self, **digests: Digest) -> None:
        self.digests = digests
        self.asked: list[str] = []

    def __call__(self, repository: str, reference: Tag | Digest) -> Descriptor | None:
        """Answer for a tag."""
        self.asked.append(f"{repository}:{reference}")
        found = self.digests.get(str(reference))
        if found is None:
            return None
        return Descriptor(media_type=OCI_MANIFEST, digest=found, size=1)


def _listed(*digests: Digest | Unknown) -> list[Artifact]:
    return [
        Artifact(repository="a", tag=Tag(f"v{number}"), digest=digest)
        for number, digest in enumerate(digests, start=1)
    ]


def _checked(heads: Heads, *digests: Digest | Unknown, state: MemoryState | None = None) -> object:
    proof = Proof("r.example", heads, state or MemoryState())
    return [each.digest for each in proof.checked("a", _listed(*digests))]


def test_one_head_proves_a_repository() -> None:
    """However many tags there are."""
    heads = Heads(v1=ONE, v2=TWO)
    assert _checked(heads, ONE, TWO, ONE, TWO) == [ONE, TWO, ONE, TWO]
    assert heads.asked == ["a:v1"]


def test_what_was_proved_is_remembered() -> None:
    """The next run asks nothing; another repository is proved by itself."""
    state = MemoryState()
    heads = Heads(v1=ONE)
    for _ in range(2):
        assert _checked(heads, ONE, TWO, state=state) == [ONE, TWO]
    assert heads.asked == ["a:v1"]
    list(Proof("r.example", heads, state).checked("b", _listed(ONE)))
    list(Proof("other.example", heads, state).checked("a", _listed(ONE)))
    assert len(heads.asked) == 3


def test_a_tag_that_moved_or_went_meanwhile_is_no_liar() -> None:
    """A second one is asked for."""
    assert _checked(Heads(v1=OTHER, v2=TWO), ONE, TWO) == [ONE, TWO]
    assert _checked(Heads(v2=TWO), ONE, TWO) == [ONE, TWO]


def test_who_may_not_ask_for_a_tag_believes_the_listing() -> None:
    """Asking for each tag by itself would be no better; what is in an archive is not asked for."""

    def refuse(repository: str, reference: Tag | Digest) -> Descriptor | None:
        msg = "no"
        raise Denied(msg)

    proof = Proof("r.example", refuse, MemoryState())
    assert [each.digest for each in proof.checked("a", _listed(ONE))] == [ONE]
    heads = Heads(v1=ONE)
    asleep = [attrs.evolve(each, unreadable="archived") for each in _listed(ONE)]
    assert list(Proof("r.example", heads, MemoryState()).checked("a", asleep)) == asleep
    assert heads.asked == []


def test_what_cannot_be_asked_for_proves_nothing_of_the_rest() -> None:
    """Images in an archive stand before those that show that the listing lies."""
    heads = Heads(v3=OTHER, v4=OTHER)
    asleep, awake = _listed(ONE, TWO, ONE, TWO)[:2], _listed(ONE, TWO, ONE, TWO)[2:]
    listed = [*(attrs.evolve(each, unreadable="archived") for each in asleep), *awake]
    found = list(Proof("r.example", heads, MemoryState()).checked("a", listed))
    assert [each.digest for each in found] == [NOT_FETCHED] * 4
    assert heads.asked == ["a:v3", "a:v4"]


def test_a_listing_that_lies_tells_no_digests(caplog: pytest.LogCaptureFixture) -> None:
    """Each tag is asked for by HEAD then, which is said once."""
    with caplog.at_level(logging.WARNING):
        found = _checked(Heads(v1=OTHER, v2=OTHER), ONE, TWO, ONE)
    assert found == [NOT_FETCHED] * 3
    assert "lists other digests" in caplog.text


def test_a_single_tag_that_differs_is_not_believed() -> None:
    """There is no second one to ask."""
    assert _checked(Heads(v1=OTHER), ONE) == [NOT_FETCHED]


def test_a_listing_without_digests_or_tags_needs_no_proof() -> None:
    """Nobody is asked about nothing."""
    heads = Heads(v1=ONE)
    assert _checked(heads, UNAVAILABLE) == [UNAVAILABLE]
    assert _checked(heads) == []
    untagged = Artifact(repository="a", tag=None, digest=ONE)
    assert list(Proof("r", heads, MemoryState()).checked("a", [untagged])) == [untagged]
    assert heads.asked == []
