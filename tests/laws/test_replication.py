"""What holds for every replication, whatever is in the registries."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harborsync.events import Event, StepFinished, StepStarted
from harborsync.plan import Plan
from harborsync.registries.memory import MemoryRegistry
from harborsync.replicator import Replicator
from harborsync.report import Report
from harborsync.rule import ReplicationRule
from harborsync.selection import Scope
from harborsync.state import MemoryState
from harborsync.testing.clock import FakeClock
from harborsync.testing.content import (
    AMD64,
    ARM64,
    Sample,
    fallback_index,
    join,
    odd_artifact,
    random_artifact,
    random_attestation,
    random_image,
    random_referrer,
    random_signature,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harborsync.content import Descriptor, Manifest
    from harborsync.reference import Digest, Tag
    from harborsync.registry import BlobOpener, BlobPut

REPOSITORIES = ("team/app", "team/web", "db")
TAGS = ("v1", "v2", "latest")


@attrs.frozen(kw_only=True)
class _Content:
    """What is pushed: a sample of some kind, where, and what is said about it."""

    kind: str
    seed: int
    repository: str
    tag: str
    signed: bool
    described: bool

    def sample(self) -> Sample:
        image = random_image(self.seed, layer_bytes=200)
        if self.kind == "image":
            return image
        if self.kind == "chart":
            return random_artifact(self.seed, size=100)
        if self.kind == "odd":
            return odd_artifact(self.seed)
        arm64 = random_image(self.seed + 1, layer_bytes=200, platform=ARM64)
        pairs = [(image, {"platform": AMD64}), (arm64, {"platform": ARM64})]
        index = join([*pairs, random_attestation(self.seed, image)])
        return index if self.kind == "index" else join([(index, {}), (image, {})])

    def push_to(self, registry: MemoryRegistry) -> None:
        sample = self.sample()
        sample.push_to(registry, self.repository, self.tag)
        if self.signed:
            random_signature(self.seed, sample.digest).push_to(registry, self.repository)
        if self.described:
            sbom = random_referrer(self.seed, sample.descriptor)
            sbom.push_to(registry, self.repository)
            if registry.abilities.referrers is None:
                fallback_index(sample.digest, [sbom]).push_to(registry, self.repository)


CONTENTS = st.lists(
    st.builds(
        _Content,
        kind=st.sampled_from(["image", "chart", "odd", "index", "nested"]),
        seed=st.integers(0, 3),
        repository=st.sampled_from(REPOSITORIES),
        tag=st.sampled_from(TAGS),
        signed=st.booleans(),
        described=st.booleans(),
    ),
    max_size=5,
)
ABILITIES = st.sets(st.sampled_from(["referrers", "mounts"])).map(tuple)


class _Watched(MemoryRegistry):
    """A destination that looks, at every write, whether all that has a tag is complete."""

    def put_manifest(self, repository: str, manifest: Manifest, *, tag: Tag | None = None) -> bool:
        indexed = super().put_manifest(repository, manifest, tag=tag)
        self.check()
        return indexed

    def put_blob(
        self,
        repository: str,
        blob: Descriptor,
        content: BlobOpener,
        *,
        mount_from: Sequence[str] = (),
        absent: bool = False,
    ) -> BlobPut:
        put = super().put_blob(repository, blob, content, mount_from=mount_from, absent=absent)
        self.check()
        return put

    def check(self) -> None:
        with self._lock:
            for held in self._repositories.values():
                for digest in held.tags.values():
                    _check_complete(held, digest)


def _check_complete(held: Any, digest: Digest) -> None:
    manifest = held.manifests[digest]
    for blob in manifest.blobs:
        assert len(held.blobs[blob.digest]) == blob.size
    for child in manifest.manifests:
        _check_complete(held, child.digest)


@attrs.define
class _World:
    """A source with content, a watched destination, and everything that is told."""

    source: MemoryRegistry
    mirror: MemoryRegistry
    events: list[Event] = attrs.field(factory=list)

    @classmethod
    def of(
        cls, contents: list[_Content], here: tuple[str, ...] = (), there: tuple[str, ...] = ()
    ) -> _World:
        source = MemoryRegistry("source", without=here)
        for content in contents:
            content.push_to(source)
        return cls(source=source, mirror=_Watched("mirror", without=there))

    def replicator(self, source: str = "source.example", to: str = "mirror.example") -> Replicator:
        ends = {"source.example": self.source, "mirror.example": self.mirror}
        rule = ReplicationRule(name="r", source=source, destinations=to, where="everything")
        return Replicator(
            [rule],
            opener=lambda endpoint: ends[endpoint.host],
            clock=FakeClock(),
            state=MemoryState(),
            listeners=[self.events.append],
        )


def _held(registry: MemoryRegistry) -> dict[str, tuple[dict[Tag, Digest], set[Digest]]]:
    """Return, by repository, every tag and everything stored."""
    return {
        name: (dict(held.tags), {*held.manifests, *held.blobs})
        for name, held in registry._repositories.items()
    }


@given(contents=CONTENTS, here=ABILITIES, there=ABILITIES)
def test_a_run_brings_everything_and_a_second_one_nothing(
    contents: list[_Content], here: tuple[str, ...], there: tuple[str, ...]
) -> None:
    """All tags arrive; then nothing is written, whatever the ends can do.

    Nor is a manifest read, but for lists of referrers that the source keeps under tags.
    """
    world = _World.of(contents, here, there)
    with world.replicator() as replicator:
        replicator.run().raise_for_failures()
        for name, (tags, stored) in _held(world.source).items():
            arrived = _held(world.mirror)[name]
            user = {tag: d for tag, d in tags.items() if tag.subject_prefix is None}
            assert user.items() <= arrived[0].items()
            if "referrers" not in here:
                reachable = {d for d in stored if d not in _orphans(world.source, name)}
                assert reachable <= arrived[1]
        read, written = len(world.source.operations), len(world.mirror.operations)
        report = replicator.run()
    assert not report.copied
    assert "referrers" in here or "get_manifest" not in world.source.operations[read:]
    assert not {"put_blob", "put_manifest"} & set(world.mirror.operations[written:])


def _orphans(registry: MemoryRegistry, name: str) -> set[Digest]:
    """Return what no tag leads to any more, because its tag was pushed over."""
    held = registry._repositories[name]
    reached: set[Digest] = set()

    def reach(digest: Digest) -> None:
        reached.add(digest)
        manifest = held.manifests[digest]
        reached.update(blob.digest for blob in manifest.blobs)
        for child in manifest.manifests:
            reach(child.digest)
        for entry in registry.list_referrers(name, digest):
            reach(entry.digest)

    user = [digest for tag, digest in held.tags.items() if tag.subject_prefix is None]
    for digest in user:
        reach(digest)
    for tag, digest in held.tags.items():
        if tag.subject_prefix in {each.tag_prefix for each in reached}:
            reach(digest)
    return {*held.manifests, *held.blobs} - reached


@given(contents=CONTENTS)
def test_a_plan_from_json_is_the_plan(contents: list[_Content]) -> None:
    """Stored, read and run, it does what it would have done at once."""
    one, other = _World.of(contents), _World.of(contents)
    with one.replicator() as replicator:
        plan = replicator.plan()
        replicator.run(plan)
    again = Plan.from_json(plan.to_json())
    assert again == plan
    with other.replicator() as replicator:
        replicator.run(again).raise_for_failures()
    assert _held(one.mirror) == _held(other.mirror)


@given(contents=CONTENTS, there=ABILITIES)
def test_no_more_is_sent_than_was_planned(contents: list[_Content], there: tuple[str, ...]) -> None:
    """The plan's bytes are the most there can be."""
    world = _World.of(contents, (), there)
    with world.replicator() as replicator:
        plan = replicator.plan()
        report = replicator.run(plan)
    assert plan.bytes_at_most is not None
    assert report.bytes_sent <= plan.bytes_at_most
    for result in report:
        assert result.bytes_sent <= (result.step.bytes_at_most or 0)


@given(contents=CONTENTS)
def test_every_step_that_begins_ends(contents: list[_Content]) -> None:
    """Each is told once, and everything that is told, planned or reported can travel."""
    world = _World.of(contents)
    with world.replicator() as replicator:
        plan = replicator.plan()
        report = replicator.run(plan)
    for kind in (StepStarted, StepFinished):
        told = [(e.source, e.destination) for e in world.events if isinstance(e, kind)]
        assert sorted(map(str, told)) == sorted(str((s.source, s.destination)) for s in plan)
    for value in (plan, report, *report.results, *plan.failures, *world.events):
        assert pickle.loads(pickle.dumps(value)) == value
    assert Report.from_json(report.to_json()) == report


@given(contents=CONTENTS)
def test_push_and_pull_are_one_walk(contents: list[_Content]) -> None:
    """What is brought over and back again is what it was."""
    world = _World.of(contents)
    with world.replicator() as replicator:
        replicator.run().raise_for_failures()
    there = _held(world.mirror)
    world.source = _Watched("source")
    with world.replicator("mirror.example", "source.example") as replicator:
        replicator.run().raise_for_failures()
    assert _held(world.source) == there


@given(
    contents=CONTENTS,
    repositories=st.none() | st.sets(st.sampled_from(REPOSITORIES)).map(frozenset),
    tags=st.none() | st.sets(st.sampled_from(TAGS)).map(frozenset),
)
def test_a_scope_never_plans_more(
    contents: list[_Content],
    repositories: frozenset[str] | None,
    tags: frozenset[str] | None,
) -> None:
    """The steps within a scope are those of the whole plan that lie in it."""
    scope = Scope(repositories=repositories, tags=tags)
    with _World.of(contents).replicator() as replicator:
        whole, part = replicator.plan(), replicator.plan(scope)
    covered = [step for step in whole if scope.covers(step.source.repository, step.source.tag)]
    assert list(part) == covered


def test_the_watch_sees_what_is_incomplete() -> None:
    """Otherwise the laws above would hold for nothing."""
    watched = _Watched("mirror")
    image = random_image(1)
    image.push_to(watched, "team/app", "v1")
    watched.remove("team/app", image.blobs[0].descriptor.digest)
    with pytest.raises(KeyError):
        watched.check()
