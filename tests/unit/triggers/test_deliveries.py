"""What is delivered again is told from what is new."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from harborsync.reference import ArtifactRef, Digest, Tag
from harborsync.testing.clock import EPOCH
from harborsync.triggers import Deleted, Pushed, ReplicationChanged

ARTIFACT = ArtifactRef("team/app", Tag("v1"), Digest.of(b"image"))


def _pushed(**fields: Any) -> Pushed:
    given: dict[str, Any] = {
        "kind": "PUSH_ARTIFACT",
        "at": EPOCH,
        "repository": "team/app",
        "artifacts": (ARTIFACT,),
    }
    return Pushed(**{**given, **fields})


def test_an_event_with_a_name_is_known_by_it() -> None:
    """A name counts within its webhook."""
    event = _pushed(id="1", origin="/projects/1/webhook/policies/1")
    assert attrs.evolve(event, operator="another").key == event.key
    assert attrs.evolve(event, id="2").key != event.key
    assert attrs.evolve(event, origin="/projects/1/webhook/policies/2").key != event.key


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "PULL_ARTIFACT"},
        {"at": EPOCH.replace(second=1)},
        {"repository": "team/web"},
        {"artifacts": (attrs.evolve(ARTIFACT, tag=Tag("v2")),)},
        {"artifacts": (attrs.evolve(ARTIFACT, digest=None),)},
    ],
    ids=str,
)
def test_an_event_without_a_name_is_known_by_what_it_tells(change: dict[str, Any]) -> None:
    """Kind, repository, digest, tag and time; whoever did it does not matter."""
    event = _pushed()
    assert event.key == _pushed().key
    assert event.key == attrs.evolve(event, operator="x").key
    assert attrs.evolve(event, **change).key != event.key


def test_a_task_that_goes_on_is_told_anew() -> None:
    """Running and done are two events, even in one second."""
    running = ReplicationChanged(kind="REPLICATION", at=EPOCH, status="Running", task_id=1)
    assert running.key == attrs.evolve(running).key
    assert attrs.evolve(running, status="Success").key != running.key


def test_tags_and_digests_are_those_that_were_told() -> None:
    """What is meant by its digest has no tag."""
    by_digest = ArtifactRef("team/app", None, Digest.of(b"child"))
    event = Deleted(kind="DELETE_ARTIFACT", at=EPOCH, artifacts=(ARTIFACT, by_digest))
    assert event.tags == {"v1"}
    assert event.digests == {ARTIFACT.digest, by_digest.digest}
