"""Deliveries that come again and writes that come back are known, for a while."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harborsync.events import ManifestWritten, RunStarted
from harborsync.reference import ArtifactRef, Digest, Tag
from harborsync.registries.memory import MemoryRegistry
from harborsync.replicator import Replicator
from harborsync.rule import ReplicationRule
from harborsync.testing.clock import EPOCH, FakeClock
from harborsync.testing.content import random_image
from harborsync.triggers import Deleted, Delivered, Echoes, Other, Pulled, Pushed, Repeats

ARTIFACT = ArtifactRef("team/app", Tag("v1"), Digest.of(b"image"))


def _pushed(*artifacts: ArtifactRef, kind: type[Pushed | Deleted] = Pushed, **more: Any) -> Any:
    return kind(kind=kind.__name__, at=EPOCH, repository="team/app", artifacts=artifacts, **more)


def _written(artifact: ArtifactRef = ARTIFACT, to: str = "mirror") -> ManifestWritten:
    return ManifestWritten(at=EPOCH, to=to, artifact=artifact)


# --- deliveries that come again --------------------------------------------------------------


def test_the_second_delivery_is_a_repeat() -> None:
    """Whatever comes in between."""
    repeats, first, second = (
        Repeats(clock=FakeClock()),
        _pushed(ARTIFACT),
        _pushed(ARTIFACT, id="7"),
    )
    seen = [repeats.is_repeat(event) for event in (first, second, first, second, first)]
    assert seen == [False, False, True, True, True]


def test_a_delivery_is_forgotten_after_a_while() -> None:
    """Counted from when it came last."""
    clock = FakeClock()
    repeats = Repeats(clock=clock, lifetime=60)
    seen = []
    for wait in (0, 59, 59, 60):
        clock.advance(wait)
        seen.append(repeats.is_repeat(_pushed(ARTIFACT)))
    assert seen == [False, True, True, False]


def test_so_many_deliveries_are_remembered() -> None:
    """The one that was not met for the longest makes room."""
    repeats = Repeats(clock=FakeClock(), most=2)
    seen = [repeats.is_repeat(_pushed(id=name)) for name in "abacab"]
    assert seen == [False, False, True, False, True, False]


def test_a_long_delivery_takes_no_more_room_than_a_short_one() -> None:
    """What is remembered is bounded by its number alone."""
    repeats = Repeats(clock=FakeClock())
    event = Other(kind="X", at=EPOCH, data="\udc80" + "x" * 2**20)
    assert [repeats.is_repeat(event) for _ in range(2)] == [False, True]
    assert all(len(key) == 32 for key in repeats._seen._noted)  # type: ignore[arg-type]


def test_one_of_many_threads_sees_an_event_first() -> None:
    """The same event on eight threads is new to one."""
    repeats = Repeats()
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: repeats.is_repeat(_pushed(ARTIFACT)), range(64)))
    assert seen.count(False) == 1


# --- our own writes --------------------------------------------------------------------------


def test_what_we_wrote_comes_back_as_ours() -> None:
    """The same digest under the same tag; under another it is somebody else's."""
    echoes = Echoes(clock=FakeClock())
    event = _pushed(ARTIFACT)
    assert not echoes.is_echo(event)
    echoes(_written())
    assert echoes.is_echo(event)
    assert not echoes.is_echo(_pushed(ArtifactRef("team/app", Tag("v2"), ARTIFACT.digest)))
    assert not echoes.is_echo(_pushed(ArtifactRef("team/app", None, ARTIFACT.digest)))
    assert not echoes.is_echo(_pushed(ArtifactRef("team/app", Tag("v1"), Digest.of(b"x"))))
    assert not echoes.is_echo(_pushed(ArtifactRef("team/web", Tag("v1"), ARTIFACT.digest)))


def test_what_is_partly_ours_is_not() -> None:
    """All that an event tells of must be; nothing is nobody's."""
    echoes = Echoes(clock=FakeClock())
    echoes(_written())
    other = ArtifactRef("team/app", Tag("v2"), Digest.of(b"x"))
    assert not echoes.is_echo(_pushed(ARTIFACT, other))
    assert not echoes.is_echo(_pushed())


@pytest.mark.parametrize("kind", [Pushed, Deleted])
def test_what_our_operators_do_is_ours(kind: type[Pushed | Deleted]) -> None:
    """Also what was written on another machine."""
    echoes = Echoes(["robot$sync", "harbor-jobservice"], clock=FakeClock())
    for operator, ours in (("robot$sync", True), ("harbor-jobservice", True), ("admin", False)):
        assert echoes.is_echo(_pushed(ARTIFACT, kind=kind, operator=operator)) is ours


def test_only_writes_have_an_echo() -> None:
    """A deletion of what we wrote is not ours, and a pull changes nothing."""
    echoes = Echoes(["robot$sync"], clock=FakeClock())
    echoes(_written())
    assert not echoes.is_echo(_pushed(ARTIFACT, kind=Deleted))
    pulled = Pulled(kind="PULL_ARTIFACT", at=EPOCH, operator="robot$sync", artifacts=(ARTIFACT,))
    assert not echoes.is_echo(pulled)
    assert not echoes.is_echo(Delivered(kind="X", at=EPOCH, operator="robot$sync"))


def test_a_write_is_forgotten_after_a_while() -> None:
    """Then the same push is news."""
    clock = FakeClock()
    echoes = Echoes(clock=clock, lifetime=60)
    echoes(_written())
    clock.advance(59)
    assert echoes.is_echo(_pushed(ARTIFACT))
    clock.advance(1)
    assert not echoes.is_echo(_pushed(ARTIFACT))


def test_writes_to_another_registry_have_no_echo_here() -> None:
    """Nor has anything else that a run tells."""
    echoes = Echoes(registry="mirror", clock=FakeClock())
    echoes(_written(to="backup"))
    echoes(RunStarted(at=EPOCH, steps=1))
    assert not echoes.is_echo(_pushed(ARTIFACT))
    echoes(_written())
    assert echoes.is_echo(_pushed(ARTIFACT))


def test_a_replicator_tells_what_it_wrote() -> None:
    """Echoes are a listener like others."""
    source, mirror = MemoryRegistry("source"), MemoryRegistry("mirror")
    digest = random_image(1).push_to(source, "team/app", "v1")
    echoes = Echoes(registry="mirror", clock=FakeClock())
    rule = ReplicationRule(
        name="r", source="source.example", destinations="mirror.example", where="everything"
    )
    ends = {"source.example": source, "mirror.example": mirror}
    with Replicator([rule], opener=lambda end: ends[end.host], listeners=[echoes]) as replicator:
        replicator.run()
    assert echoes.is_echo(_pushed(ArtifactRef("team/app", Tag("v1"), digest)))
