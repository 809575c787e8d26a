"""Planning goes on when one thing fails, and stops when the wish is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.artifact import Artifact
from harborsync.endpoint import Endpoint
from harborsync.errors import InvalidValue, ServerError, Side
from harborsync.plan import Action, Step
from harborsync.planning import Planning, failure_of
from harborsync.reference import ArtifactRef, Tag
from harborsync.registries.memory import MemoryRegistry
from harborsync.registry import Room
from harborsync.rule import ReplicationRule
from harborsync.state import MemoryState
from harborsync.testing.bulk import BulkRegistry
from harborsync.testing.clock import EPOCH
from harborsync.testing.content import random_image
from harborsync.warehouse import Registries, Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator

RULE = ReplicationRule(
    name="r", source="source.example", destinations="mirror.example", where="everything"
)


def _planning(registry: MemoryRegistry | None = None) -> Planning:
    registry = registry or MemoryRegistry("source")
    warehouse = Warehouse(Registries(lambda _: registry))
    return Planning(warehouse=warehouse, state=MemoryState(), now=EPOCH, ask=map)


def test_what_fails_is_noted_and_the_rest_goes_on() -> None:
    """Results keep their order; the failure says what it was about and on which side."""

    def work(_: ReplicationRule, item: str) -> Iterator[str]:
        yield f"{item}1"
        if item == "b":
            raise ServerError("went away", side=Side.DESTINATION)
        yield f"{item}2"

    planning = _planning()
    assert planning.collect(RULE, "abc", work) == ["a1", "a2", "c1", "c2"]
    (failure,) = planning.failures
    assert (failure.rule, failure.what, failure.failure.side) == ("r", "b", Side.DESTINATION)


def test_a_wrong_wish_stops_everything() -> None:
    """A mistake of configuration is raised, not noted."""

    def work(_: ReplicationRule, item: str) -> Iterator[str]:
        yield from ()
        raise InvalidValue(item)

    with pytest.raises(InvalidValue):
        _planning().collect(RULE, "a", work)


@pytest.mark.parametrize(
    ("item", "what"),
    [
        ("team/app", "team/app"),
        (("r", "team/app"), "r/team/app"),
        ((Endpoint.parse("mirror.example/copies"), "copies/app"), "mirror.example/copies/app"),
        (Artifact(repository="team/app", tag=Tag("v1")), "team/app:v1"),
        (
            Step(
                rule="r",
                to=Endpoint.parse("mirror.example"),
                source=ArtifactRef.parse("team/app:v1"),
                destination=ArtifactRef.parse("copies/app:v1"),
                action=Action.COPY,
                reason="",
            ),
            "team/app:v1",
        ),
    ],
)
def test_a_failure_names_what_was_looked_at(item: object, what: str) -> None:
    """Repositories, places, artifacts and steps all have a name for people."""

    def work(_: ReplicationRule, __: object) -> Iterator[str]:
        yield from ()
        raise ServerError("went away")

    planning = _planning()
    planning.collect(RULE, [item], work)
    assert planning.failures[0].what == what


def test_a_failure_of_nobody_is_the_sources() -> None:
    """Most of planning reads there."""
    assert failure_of(RULE, "x", ServerError("went away")).failure.side is Side.SOURCE


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("mirror.example", "team/app:v1"),
        ("mirror.example/copies/all", "copies/all/team/app:v1"),
        ("oci:/some/where", "team/app:v1"),
    ],
)
def test_a_name_stands_below_the_prefix_of_its_destination(to: str, expected: str) -> None:
    """A place on disk has a path, not a prefix; digests are no part of a name."""
    digest = random_image(1).digest
    source = ArtifactRef.parse(f"team/app:v1@{digest}")
    planning = _planning()
    assert str(planning.named(RULE, Endpoint.parse(to), source)) == expected
    artifact = Artifact(repository="team/app", tag=Tag("v1"), digest=digest)
    assert str(planning.named(RULE, Endpoint.parse(to), artifact)) == expected


def test_a_provider_says_what_is_a_prefix() -> None:
    """What follows a host may be an account or a region, which names no repository."""
    warehouse = Warehouse(Registries(lambda _: MemoryRegistry("mirror"), lambda _: ""))
    planning = Planning(warehouse=warehouse, state=MemoryState(), now=EPOCH, ask=map)
    to = Endpoint.parse("cloud://account/region")
    assert str(planning.named(RULE, to, ArtifactRef.parse("team/app:v1"))) == "team/app:v1"


def test_a_graph_is_read_as_the_rule_chooses() -> None:
    """From the rule's source, with the rule's choice."""
    registry = MemoryRegistry("source")
    image = random_image(1)
    image.push_to(registry, "team/app", "v1")
    graph = _planning(registry).graph(RULE, "team/app", image.digest)
    assert graph.manifest == image.manifest


def test_what_a_rule_says_of_an_artifact_is_noted() -> None:
    """So that a plan can explain itself."""
    planning = _planning()
    artifact = Artifact(repository="team/app", tag=Tag("v1"), digest=random_image(1).digest)
    planning.note(RULE, artifact, "because", chosen=True)
    (verdict,) = planning.verdicts
    assert (str(verdict.artifact), verdict.chosen, verdict.why) == ("team/app:v1", True, "because")


def test_room_is_known_where_a_registry_tells_it() -> None:
    """Who has no quotas tells none; what goes wrong is noted once and stops nothing."""

    class Lame(BulkRegistry):
        """One that cannot be asked."""

        def room(self, repository: str) -> Room | None:
            raise ServerError(f"{repository[:4]} went away")

    to = Endpoint.parse("mirror.example")
    assert _planning(MemoryRegistry("mirror")).room(to, "team/app") is None
    room = _planning(BulkRegistry("mirror", room=5)).room(to, "team/app")
    assert room == Room(whose="project team", left=5)
    lame = _planning(Lame("mirror", room=5))
    assert [lame.room(to, f"team/{name}") for name in "ab"] == [None, None]
    assert lame.notes == ["how much room mirror.example has left is not known: team went away"]
