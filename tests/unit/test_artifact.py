"""What is known about a candidate, and what is not."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta

import attrs
import pytest

from harborsync.artifact import DIGEST_FACTS, NOT_FETCHED, UNAVAILABLE, Artifact, Hints
from harborsync.content import OCI_MANIFEST
from harborsync.errors import InvalidReference
from harborsync.reference import ArtifactRef, Digest, Tag

DIGEST = Digest.of(b"x")


def test_every_fact_begins_as_not_fetched() -> None:
    """A listing fills in what it tells; the rest can be asked for."""
    artifact = Artifact(repository="a", tag=Tag("v1"))
    assert artifact.size is NOT_FETCHED
    assert artifact.descriptor is None
    assert {getattr(artifact, fact) for fact in DIGEST_FACTS} == {NOT_FETCHED}


def test_an_unknown_fact_counts_as_nothing_and_reads_well() -> None:
    """``fact or default`` works, and reprs stay short."""
    assert not NOT_FETCHED
    assert repr(UNAVAILABLE) == "<unavailable>"


def test_an_unknown_fact_survives_pickling_as_itself() -> None:
    """``is`` comparisons hold in another process, too."""
    assert pickle.loads(pickle.dumps(NOT_FETCHED)) is NOT_FETCHED


def test_the_reference_is_the_digest_if_it_is_known() -> None:
    """Otherwise it is the tag."""
    assert Artifact(repository="a", tag=Tag("v1"), digest=DIGEST).reference == DIGEST
    assert Artifact(repository="a", tag=Tag("v1")).reference == "v1"
    assert Artifact(repository="a", tag=Tag("v1"), digest=UNAVAILABLE).reference == "v1"


def test_its_name_holds_all_that_is_known() -> None:
    """It prints as repository, tag and digest."""
    artifact = Artifact(repository="a/b", tag=Tag("v1"), digest=DIGEST)
    assert artifact.ref == ArtifactRef("a/b", Tag("v1"), DIGEST)
    assert str(artifact) == f"a/b:v1@{DIGEST}"


def test_with_digest_and_type_there_is_a_descriptor() -> None:
    """Its size is 0, for a listing does not tell the manifest's."""
    artifact = Artifact(repository="a", tag=None, digest=DIGEST, media_type=OCI_MANIFEST, size=99)
    assert artifact.descriptor is not None
    assert (artifact.descriptor.digest, artifact.descriptor.size) == (DIGEST, 0)
    assert Artifact(repository="a", tag=None, digest=DIGEST).descriptor is None


def test_a_wrong_repository_name_makes_no_artifact() -> None:
    """Names from a listing are checked like any others (OCI-1.8)."""
    with pytest.raises(InvalidReference):
        Artifact(repository="../etc", tag=None)


# --- hints -----------------------------------------------------------------------------------

EARLY, LATE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


def test_hints_on_tags_and_labels_narrow_a_listing() -> None:
    """A time does not: a tag may be younger than the content whose time a registry knows."""
    assert Hints(labels=frozenset({"a"}), pushed_after=EARLY).narrow
    assert Hints(tag="v1").narrow
    assert Hints(tag_contains="v").narrow
    assert not Hints(pushed_after=EARLY).narrow
    assert not Hints().narrow


def test_of_two_hints_that_are_both_true_more_is_known() -> None:
    """The longer text, the later time, the labels of both."""
    one = Hints(tag_contains="v1", pushed_after=EARLY, labels=frozenset("a"))
    other = Hints(tag="v1.0", tag_contains="1.0-rc", pushed_after=LATE, labels=frozenset("b"))
    both = Hints(tag="v1.0", tag_contains="1.0-rc", pushed_after=LATE, labels=frozenset({"a", "b"}))
    assert one & other == other & one == both
    assert one & Hints() == one


def test_of_two_hints_one_of_which_is_true_less_is_known() -> None:
    """What both say: a text within the other, the earlier time, the labels of both."""
    one = Hints(tag="v1.0", pushed_after=EARLY, labels=frozenset({"a", "b"}))
    other = Hints(tag_contains="1.", pushed_after=LATE, labels=frozenset("b"))
    either = Hints(tag_contains="1.", pushed_after=EARLY, labels=frozenset("b"))
    assert one | other == other | one == either
    assert one | Hints() == Hints()
    assert one | one == attrs.evolve(one, tag_contains="v1.0")


@pytest.mark.parametrize(
    ("hints", "fits"),
    [
        (Hints(tag="v1"), True),
        (Hints(tag="v"), False),
        (Hints(tag_contains="1"), True),
        (Hints(tag_contains="2"), False),
        (Hints(labels=frozenset("a")), True),
        (Hints(labels=frozenset("c")), False),
        (Hints(pushed_after=EARLY), True),
        (Hints(pushed_after=LATE + timedelta(seconds=1)), False),
    ],
)
def test_an_artifact_fulfils_hints_or_does_not(hints: Hints, fits: bool) -> None:
    """By what is known of it; what is not known speaks against nothing."""
    bare = Artifact(repository="team/app", tag=Tag("v1"))
    known = attrs.evolve(bare, pushed_at=LATE, labels=frozenset({"a", "b"}))
    assert hints.fits(known) is fits
    if hints.tag is None and not hints.tag_contains:
        assert hints.fits(bare)
    assert not Hints(tag="v1").fits(attrs.evolve(bare, tag=None))
    assert not Hints(pushed_after=EARLY).fits(attrs.evolve(bare, pushed_at=None))
