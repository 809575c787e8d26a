"""A plan selects, names, compares and counts, and nothing that fails stops the rest."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from harborsync.endpoint import Endpoint
from harborsync.errors import (
    ConfigurationError,
    Denied,
    NamingCollision,
    NotFound,
    ServerError,
    Side,
)
from harborsync.plan import Action, Plan
from harborsync.planner import make_plan, make_plan_for
from harborsync.planning import Planning
from harborsync.reference import ArtifactRef, Digest, Tag
from harborsync.registries.memory import MemoryRegistry
from harborsync.registry import Quirks
from harborsync.rule import ReplicationRule
from harborsync.selection import EVERYWHERE, Scope
from harborsync.state import MemoryState
from harborsync.testing.bulk import BulkRegistry
from harborsync.testing.clock import EPOCH
from harborsync.testing.content import (
    AMD64,
    ARM64,
    Sample,
    join,
    random_image,
    random_referrer,
    random_signature,
)
from harborsync.warehouse import Registries, Warehouse


def _rule(**fields: Any) -> ReplicationRule:
    given: dict[str, Any] = {
        "name": "r",
        "source": "source.example",
        "destinations": "mirror.example",
        "where": "everything",
    }
    return ReplicationRule(**{**given, **fields})


@attrs.define
class _World:
    """Registries by host, made when they are first asked for."""

    registries: dict[str, MemoryRegistry] = attrs.field(factory=dict)

    def __getitem__(self, host: str) -> MemoryRegistry:
        return self.registries.setdefault(host, MemoryRegistry(host))

    def planning(self) -> Planning:
        warehouse = Warehouse(Registries(lambda endpoint: self[endpoint.host]))
        return Planning(warehouse=warehouse, state=MemoryState(), now=EPOCH, ask=map)

    def plan(self, *rules: ReplicationRule, **fields: Any) -> Plan:
        return make_plan(self.planning(), rules or (_rule(),), **fields)

    def plan_for(self, text: str, tag: str | None = None, **fields: Any) -> Plan:
        ref = ArtifactRef.parse(text)
        return make_plan_for(self.planning(), (_rule(**fields),), ref, Tag(tag) if tag else None)


@pytest.fixture
def world() -> _World:
    """A source with two tags of one image and one of another."""
    found = _World()
    for tag in ("v1", "latest"):
        random_image(1).push_to(found["source.example"], "team/app", tag)
    random_image(2).push_to(found["source.example"], "team/web", "v1")
    return found


def _bytes(*samples: Sample) -> int:
    return sum(len(blob.content) for sample in samples for blob in sample.blobs)


def test_every_artifact_gets_a_step_for_every_destination(world: _World) -> None:
    """Tags of one digest stand together, so that one brings what the other needs."""
    plan = world.plan(_rule(destinations=["mirror.example", "backup.example/copies"]))
    assert [(str(s.source.tag), s.to.host, s.destination.repository) for s in plan] == [
        ("latest", "backup.example", "copies/team/app"),
        ("latest", "mirror.example", "team/app"),
        ("v1", "backup.example", "copies/team/app"),
        ("v1", "mirror.example", "team/app"),
        ("v1", "backup.example", "copies/team/web"),
        ("v1", "mirror.example", "team/web"),
    ]
    assert plan.made_at == EPOCH
    assert plan.failures == ()


def test_planning_writes_nothing(world: _World) -> None:
    """Neither here nor there."""
    before = world["source.example"].operations
    world.plan()
    written = {"put_blob", "put_manifest", "delete_tag", "ensure_repository"}
    after = world["source.example"].operations[len(before) :] + world["mirror.example"].operations
    assert not written & set(after)


def test_a_step_tells_its_bytes(world: _World) -> None:
    """Everything that travels is read once and counted, what is said about it included."""
    image = random_image(1)
    sbom = random_referrer(3, image.descriptor)
    sbom.push_to(world["source.example"], "team/app")
    plan = world.plan()
    assert [step.bytes_at_most for step in plan] == [
        _bytes(image, sbom),
        _bytes(image, sbom),
        _bytes(random_image(2)),
    ]
    assert plan.sizes


def test_bytes_need_not_be_asked_for(world: _World) -> None:
    """Then no manifest is read."""
    plan = world.plan(sizes=False)
    assert plan.bytes_at_most is None
    assert not plan.sizes
    assert "get_manifest" not in world["source.example"].operations


def test_what_is_skipped_moves_nothing(world: _World) -> None:
    """And is not read to know it."""
    random_image(2).push_to(world["mirror.example"], "team/web", "v1")
    skipped = world.plan().steps[-1]
    assert (skipped.action, skipped.bytes_at_most) == (Action.SKIP, 0)


def test_an_artifact_that_cannot_be_read_stops_no_other(world: _World) -> None:
    """It is not planned, and why is told."""
    digest = random_image(2).digest

    class _Broken(MemoryRegistry):
        def get_manifest(self, repository: str, reference: Tag | Digest) -> Any:
            if reference == digest:
                raise ServerError("went away")
            return super().get_manifest(repository, reference)

    world.registries["source.example"] = broken = _Broken("source")
    random_image(1).push_to(broken, "team/app", "v1")
    random_image(2).push_to(broken, "team/web", "v1")
    plan = world.plan()
    assert [step.source.repository for step in plan] == ["team/app"]
    (failure,) = plan.failures
    assert failure.what == f"r/team/web/{digest}"
    assert failure.failure.side is Side.SOURCE
    assert "not planned" in str(plan)


def test_a_destination_that_cannot_be_listed_stops_no_other(world: _World) -> None:
    """The other destination gets its steps; the failure is the destination's."""

    class _Closed(MemoryRegistry):
        def list_artifacts(self, repository: str) -> Any:
            raise Denied("not for you")

    world.registries["closed.example"] = _Closed("closed")
    plan = world.plan(_rule(destinations=["closed.example", "mirror.example"]))
    assert {step.to.host for step in plan} == {"mirror.example"}
    assert {failure.failure.side for failure in plan.failures} == {Side.DESTINATION}
    assert [failure.what for failure in plan.failures] == [
        "closed.example/team/app",
        "closed.example/team/web",
    ]


def test_a_rule_that_cannot_work_stops_all_before_anything_is_written(world: _World) -> None:
    """Other rules would hide the mistake."""
    world.registries["hub.example"] = MemoryRegistry("hub", without=["catalog"])
    with pytest.raises(ConfigurationError, match="rule 'hub' names none"):
        world.plan(_rule(), _rule(name="hub", source="hub.example"))


def test_two_sources_under_one_name_are_refused(world: _World) -> None:
    """The message shows both, and by which rules."""
    with pytest.raises(NamingCollision, match=r"team/app:v1@.* by rule 'r', team/web:v1"):
        world.plan(_rule(naming="all/{project}"))


def test_two_rules_under_one_name_are_refused(world: _World) -> None:
    """From two registries into one place."""
    random_image(7).push_to(world["other.example"], "team/app", "v1")
    with pytest.raises(NamingCollision, match="by rule 'other'"):
        world.plan(_rule(), _rule(name="other", source="other.example"))


def test_two_documents_of_one_source_under_one_name_are_refused(world: _World) -> None:
    """Two rules that rewrite an index differently would take turns for ever."""
    arm64 = random_image(4, platform=ARM64)
    index = join([(random_image(3), {"platform": AMD64}), (arm64, {"platform": ARM64})])
    index.push_to(world["source.example"], "team/index", "v1")
    wish = {"repositories": "team/index", "subset": "rewritten"}
    with pytest.raises(NamingCollision):
        world.plan(
            _rule(name="one", platforms="linux/amd64", **wish),
            _rule(name="two", platforms="linux/arm64", **wish),
        )


def test_what_two_rules_wish_alike_is_done_once(world: _World) -> None:
    """One name in two registries may even hold the same artifact."""
    plan = world.plan(_rule(), _rule(name="again", where="name is 'team/web'"))
    assert len(plan) == 3


def test_a_scope_narrows_the_plan(world: _World) -> None:
    """To what an event spoke of."""
    plan = world.plan(scope=Scope(repositories=frozenset({"team/web"})))
    assert [step.source.repository for step in plan] == ["team/web"]


def test_a_filter_that_does_not_mean_what_it_seems_to_is_noted(world: _World) -> None:
    """The reader of the plan learns of it."""
    rule = _rule(where="tag like 'v**'")
    warnings = rule.where.warnings()
    assert list(world.plan(rule).notes) == [f"rule 'r': {w}" for w in warnings]


def test_a_layer_too_large_for_a_destination_is_noted(world: _World) -> None:
    """Before anything is sent, for every plan that asks for bytes, and with what can be done."""
    small = Quirks(max_layer_bytes=2000)
    world.registries["mirror.example"] = MemoryRegistry("mirror.example", quirks=small)
    random_image(3, layers=1, layer_bytes=5000).push_to(world["source.example"], "team/big", "v1")
    notes = world.plan(_rule(where="name is 'team/big'")).notes
    assert len(notes) == 1
    assert "takes at most 2.0 KiB: a layer cannot be split" in notes[0]
    assert world.plan_for("team/big:v1").notes == notes
    assert not world.plan(sizes=False).notes


@pytest.mark.parametrize(("has_memory", "notes"), [(True, 0), (False, 1)])
def test_conflicts_without_a_memory_are_explained(
    world: _World, has_memory: bool, notes: int
) -> None:
    """Without a state nobody can tell one's own tags from others'."""
    random_image(9).push_to(world["mirror.example"], "team/app", "v1")
    plan = world.plan(has_memory=has_memory)
    assert len(plan.notes) == notes
    assert not world.plan(_rule(on_conflict="skip"), has_memory=False).notes


def test_a_plan_tells_every_verdict_in_order(world: _World) -> None:
    """What was refused can be explained as well."""
    plan = world.plan(_rule(where="tag is 'v1'"))
    assert [(str(v.artifact), v.chosen) for v in plan.verdicts] == [
        ("team/app:latest", False),
        ("team/app:v1", True),
        ("team/web:v1", True),
    ]


# --- one artifact ----------------------------------------------------------------------------------


def test_one_artifact_is_planned_whatever_the_filter_says(world: _World) -> None:
    """The filter is for choosing, and this was chosen."""
    (step,) = world.plan_for("team/web:v1", where="tag is 'none'")
    assert (step.action, str(step.destination.tag)) == (Action.COPY, "v1")
    assert step.bytes_at_most == _bytes(random_image(2))


def test_an_artifact_by_digest_may_be_given_a_tag(world: _World) -> None:
    """The source stays a digest; only the destination is tagged."""
    digest = random_image(2).digest
    (step,) = world.plan_for(f"team/web@{digest}", "v9")
    assert step.source == ArtifactRef("team/web", None, digest)
    assert step.destination == ArtifactRef("team/web", Tag("v9"), digest)


def test_an_artifact_by_digest_may_go_without_a_tag(world: _World) -> None:
    """And is found there by its digest the next time."""
    digest = random_image(2).digest
    (step,) = world.plan_for(f"team/web@{digest}")
    assert (step.action, step.destination.tag) == (Action.COPY, None)
    random_image(2).push_to(world["mirror.example"], "team/web", "x")
    (again,) = world.plan_for(f"team/web@{digest}")
    assert again.action is Action.SKIP


def test_an_artifact_that_is_not_there_is_an_error_of_the_source(world: _World) -> None:
    """One asked for by name is not passed over."""
    with pytest.raises(NotFound, match=r"source\.example has no team/none:v1") as caught:
        world.plan_for("team/none:v1")
    assert caught.value.side is Side.SOURCE


def test_endpoints_are_told_apart_by_their_text() -> None:
    """Two prefixes of one host are two destinations."""
    assert Endpoint.parse("a.example/x") != Endpoint.parse("a.example/y")


# --- what lists tell -------------------------------------------------------------------------


@pytest.fixture
def bulk() -> _World:
    """Two registries that list as Harbor does; the source has images, one of them signed."""
    found = _World()
    for host in ("source.example", "mirror.example"):
        found.registries[host] = BulkRegistry(host, room=30_000)
    for seed, name in enumerate(("team/app", "team/web", "team/db")):
        random_image(seed).push_to(found["source.example"], name, "v1")
    random_signature(9, random_image(0).digest).push_to(found["source.example"], "team/app")
    return found


def _asked(world: _World, host: str, since: int = 0) -> set[str]:
    return set(world[host].operations[since:]) - {"room", "get_descriptions"}


def test_nothing_is_read_to_plan_what_lists_tell(bulk: _World) -> None:
    """One survey a side; the bytes are those of the listing."""
    before = len(bulk["source.example"].operations)
    plan = bulk.plan()
    assert [step.action for step in plan] == [Action.COPY] * 3
    assert _asked(bulk, "source.example", before) == {"list_repositories", "survey"}
    assert _asked(bulk, "mirror.example") == {"survey"}
    image = random_image(0)
    assert plan.steps[0].bytes_at_most == image.manifest.size + _bytes(image)


def test_what_is_unchanged_costs_the_lists_alone(bulk: _World) -> None:
    """Whatever is said about it."""
    for seed, name in enumerate(("team/app", "team/web", "team/db")):
        random_image(seed).push_to(bulk["mirror.example"], name, "v1")
    signature = random_signature(9, random_image(0).digest)
    signature.push_to(bulk["mirror.example"], "team/app")
    before = {host: len(end.operations) for host, end in bulk.registries.items()}
    plan = bulk.plan()
    assert [step.action for step in plan] == [Action.SKIP] * 3
    assert _asked(bulk, "source.example", before["source.example"]) == {
        "list_repositories",
        "survey",
    }
    assert _asked(bulk, "mirror.example", before["mirror.example"]) == {"survey"}


def test_a_signature_that_only_one_list_tells_of_is_lacking(bulk: _World) -> None:
    """Though neither shows its tag."""
    random_image(0).push_to(bulk["mirror.example"], "team/app", "v1")
    actions = {step.destination.repository: step.action for step in bulk.plan()}
    assert actions["team/app"] is Action.SATELLITES
    assert actions["team/web"] is Action.COPY


def test_a_registry_that_tells_is_compared_with_one_that_does_not(bulk: _World) -> None:
    """By what it has under the digests the other tells of."""
    plain = MemoryRegistry("plain")
    bulk.registries["plain.example"] = plain
    image, signature = random_image(0), random_signature(9, random_image(0).digest)
    image.push_to(plain, "team/app", "v1")
    rule = _rule(destinations="plain.example", where="name is 'team/app'")
    assert [step.action for step in bulk.plan(rule)] == [Action.SATELLITES]
    signature.push_to(plain, "team/app")
    assert [step.action for step in bulk.plan(rule)] == [Action.SKIP]
    back = _rule(source="plain.example", where="name is 'team/app'")
    assert [step.action for step in bulk.plan(back)] == [Action.COPY]
    image.push_to(bulk["mirror.example"], "team/app", "v1")
    assert [step.action for step in bulk.plan(back)] == [Action.SATELLITES]
    signature.push_to(bulk["mirror.example"], "team/app")
    assert [step.action for step in bulk.plan(back)] == [Action.SKIP]


def test_a_filter_narrows_what_is_listed(bulk: _World) -> None:
    """And so does what an event spoke of; what may be included for want of facts does not."""
    source = bulk["source.example"]
    wanted: list[tuple[dict[str, Any], Scope, str]] = [
        ({"where": "tag is 'v1'"}, EVERYWHERE, "list_matching"),
        ({}, Scope(tags=frozenset({"v1"})), "list_matching"),
        ({}, Scope(tags=frozenset({"v1", "v2"})), "survey"),
        ({"where": "tag is 'v1'", "missing": "include"}, EVERYWHERE, "survey"),
    ]
    for fields, scope, how in wanted:
        before = len(source.operations)
        assert len(bulk.plan(_rule(**fields), scope=scope)) == 3
        assert _asked(bulk, "source.example", before) == {"list_repositories", how}


def test_a_layer_that_may_be_too_large_is_looked_at(bulk: _World) -> None:
    """Where the whole artifact is larger than a layer may be; else no layer can be."""
    whole = random_image(0).manifest.size + _bytes(random_image(0))
    for limit, is_read in ((whole, False), (whole - 1, True), (10, True)):
        quirks = Quirks(max_layer_bytes=limit)
        bulk.registries["mirror.example"] = BulkRegistry("mirror.example", quirks=quirks)
        before = len(bulk["source.example"].operations)
        plan = bulk.plan(_rule(where="name is 'team/app'"))
        assert ("get_manifest" in _asked(bulk, "source.example", before)) is is_read
        assert any("cannot be split" in note for note in plan.notes) is (limit == 10)


def test_room_that_is_too_small_is_noted(bulk: _World) -> None:
    """Before anything is pushed; two repositories of a project share its room."""
    plan = bulk.plan()
    (note,) = plan.notes
    assert note == (
        "mirror.example may need 62.9 KiB, and 29.3 KiB are left in project team: "
        "raise its quota, delete what is not needed, or copy less"
    )
    assert bulk.plan(_rule(where="name is 'team/app'")).notes == ()
