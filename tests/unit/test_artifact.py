"""What is known about a candidate, and what is not."""

from __future__ import annotations

import pickle

import pytest

from harborsync.artifact import DIGEST_FACTS, NOT_FETCHED, UNAVAILABLE, Artifact
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
