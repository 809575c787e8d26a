"""Makes a plan: selects at the source, names, compares with the destinations. Reads only."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from harborsync.artifact import Artifact
from harborsync.comparison import compare
from harborsync.errors import NotFound, Side, on_side
from harborsync.metadata import with_metadata
from harborsync.naming import refuse_collisions
from harborsync.plan import Action, Plan, PlanFailure, Step, Verdict
from harborsync.selection import EVERYWHERE, Scope, select
from harborsync.tables import human_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harborsync.endpoint import Endpoint
    from harborsync.graph import Graph
    from harborsync.planning import Planning
    from harborsync.reference import ArtifactRef, Digest, Tag
    from harborsync.registry import Room
    from harborsync.rule import ReplicationRule


def make_plan(
    planning: Planning,
    rules: tuple[ReplicationRule, ...],
    scope: Scope = EVERYWHERE,
    *,
    sizes: bool = True,
    has_memory: bool = True,
) -> Plan:
    """Make a plan; a repository or artifact that fails is noted and stops nothing else.

    Args:
        planning: What to work with.
        rules: What is wished.
        scope: The part of the world to plan for.
        sizes: Whether to read, once, everything that will be copied, to know its bytes.
        has_memory: Whether the state may know of earlier runs.

    Raises:
        ConfigurationError: A rule cannot work as it is written.
        NamingCollision: Two artifacts would be written under one name.
    """
    steps: list[Step] = []
    for rule in rules:
        chosen = select(planning, rule, scope)
        _list_destinations(planning, rule, chosen)
        steps += planning.collect(rule, chosen, partial(compare, planning, reads=sizes))
    steps = _once_each(steps)
    if sizes:
        steps = _sized(planning, rules, steps)
        planning.notes.extend(_crowded(planning, steps))
    plan = Plan(
        rules=rules,
        made_at=planning.now,
        steps=tuple(sorted(steps, key=_by_source)),
        failures=tuple(sorted(planning.failures, key=_by_what)),
        notes=(*planning.notes, *_notes(rules, steps, has_memory=has_memory)),
        verdicts=tuple(sorted(planning.verdicts, key=_by_name)),
        sizes=sizes,
    )
    return with_metadata(planning.warehouse, plan)


def make_plan_for(
    planning: Planning, rules: tuple[ReplicationRule, ...], source: ArtifactRef, tag: Tag | None
) -> Plan:
    """Make a plan for one artifact, whatever the filters say.

    Raises:
        NotFound: A source has no such artifact.
    """
    steps: list[Step] = []
    for rule in rules:
        registry = planning.warehouse.registry(rule.source)
        found = registry.resolve(source.repository, source.reference)
        if found is None:
            msg = f"{registry.name} has no {source}"
            raise NotFound(msg, side=Side.SOURCE, hint=_why_missing(rule.source))
        artifact = Artifact(
            repository=source.repository, tag=source.tag or tag, digest=found.digest
        )
        _list_destinations(planning, rule, [artifact])
        exact = attrs.evolve(source, digest=found.digest)
        compared = planning.collect(rule, [artifact], partial(compare, planning))
        steps += (attrs.evolve(step, source=exact) for step in compared)
    plan = Plan(
        rules=rules,
        made_at=planning.now,
        steps=tuple(_sized(planning, rules, steps)),
        failures=tuple(planning.failures),
        notes=tuple(planning.notes),
    )
    return with_metadata(planning.warehouse, plan)


def _why_missing(source: Endpoint) -> str:
    if source.is_path:
        return "try its whole name as it is called there, such as team/app:v1, or its @digest"
    return "it is missing, or hidden from this login"


def _list_destinations(
    planning: Planning, rule: ReplicationRule, chosen: Iterable[Artifact]
) -> None:
    """List each destination repository once, before single artifacts need to know."""
    places = {
        (to, planning.named(rule, to, each).repository)
        for each in chosen
        for to in rule.destinations
    }

    def read(_: ReplicationRule, place: tuple[Endpoint, str]) -> Iterable[None]:
        with on_side(Side.DESTINATION):
            planning.warehouse.listing(*place)
        return ()

    for to in rule.destinations:
        planning.warehouse.list_all(to, sorted(name for end, name in places if end == to))
    planning.collect(rule, sorted(places, key=str), read)


def _once_each(steps: list[Step]) -> list[Step]:
    """Refuse two sources under one name; drop what another rule has planned alike already.

    Raises:
        NamingCollision: Two different artifacts would be written under one name.
    """
    by_destination: dict[Endpoint, list[Step]] = {}
    for step in steps:
        by_destination.setdefault(step.to, []).append(step)
    for mine in by_destination.values():
        refuse_collisions(
            (_Content(step.source, step.wanted, step.rule), step.destination) for step in mine
        )
    return list({(step.to, step.source, step.destination): step for step in steps}.values())


@attrs.frozen
class _Content:
    """What is written under a name; two rules may wish for the same, not for different ones."""

    source: ArtifactRef
    wanted: Digest
    rule: str = attrs.field(eq=False)

    def __str__(self) -> str:
        return f"{self.source} by rule {self.rule!r}"


# --- how much --------------------------------------------------------------------------------


def _sized(planning: Planning, rules: tuple[ReplicationRule, ...], steps: list[Step]) -> list[Step]:
    """Return the steps with their bytes; one whose artifact cannot be read becomes a failure."""
    sizes: dict[tuple[str, str, Digest | None], int] = {}
    for rule in rules:
        origins = {_origin(s) for s in steps if s.rule == rule.name and _must_read(planning, s)}
        sizes.update(planning.collect(rule, sorted(origins, key=str), partial(_size, planning)))
    return [
        attrs.evolve(step, bytes_at_most=sizes.get(_origin(step), step.bytes_at_most))
        if step.writes
        else step
        for step in steps
        if _origin(step) in sizes or not _must_read(planning, step)
    ]


def _must_read(planning: Planning, step: Step) -> bool:
    """Tell whether what is copied must be read to know its bytes, or whether a layer is too large.

    Where a listing tells the bytes of an artifact, no layer of it has more.
    """
    if not step.writes or step.bytes_at_most is None:
        return step.writes
    limit = planning.warehouse.registry(step.to).quirks.max_layer_bytes
    return limit is not None and step.bytes_at_most > limit


def _size(
    planning: Planning, rule: ReplicationRule, origin: tuple[str, str, Digest | None]
) -> Iterator[tuple[tuple[str, str, Digest | None], int]]:
    _, repository, digest = origin
    if digest is None:
        return
    graph = planning.graph(rule, repository, digest)
    planning.notes.extend(_too_large(planning, rule, repository, graph))
    yield origin, graph.bytes_at_most


def _too_large(
    planning: Planning, rule: ReplicationRule, repository: str, graph: Graph
) -> Iterator[str]:
    """Say which layers a destination will not take; no copy can split a layer (OCI-4.24)."""
    for to in rule.destinations:
        limit = planning.warehouse.registry(to).quirks.max_layer_bytes
        for blob in graph.all_blobs.values():
            if limit is not None and blob.size > limit:
                yield (
                    f"{repository}@{graph.source_digest} has the layer {blob.digest} of "
                    f"{human_bytes(blob.size)}, and {to} takes at most {human_bytes(limit)}: "
                    "a layer cannot be split without changing its digest, so make it smaller"
                )


def _crowded(planning: Planning, steps: Iterable[Step]) -> Iterator[str]:
    """Say where less is left than may be needed: there a run would stop in its middle."""
    needed: dict[tuple[Endpoint, Room], dict[Digest, int]] = {}
    for step in steps:
        room = planning.room(step.to, step.destination.repository) if step.writes else None
        if room is not None:
            needed.setdefault((step.to, room), {})[step.wanted] = step.bytes_at_most or 0
    for (to, room), sizes in needed.items():
        total = sum(sizes.values())
        if total > room.left:
            yield (
                f"{to} may need {human_bytes(total)}, and {human_bytes(room.left)} are left in "
                f"{room.whose}: raise its quota, delete what is not needed, or copy less"
            )


def _origin(step: Step) -> tuple[str, str, Digest | None]:
    return (step.rule, step.source.repository, step.source.digest)


# --- what the reader should know -------------------------------------------------------------


def _notes(
    rules: tuple[ReplicationRule, ...], steps: list[Step], *, has_memory: bool
) -> Iterator[str]:
    for rule in rules:
        yield from (f"rule {rule.name!r}: {warning}" for warning in rule.where.warnings())
    if not has_memory and any(step.action is Action.CONFLICT for step in steps):
        yield (
            "no memory of earlier runs was given, so every difference counts as a conflict; "
            "give the Replicator a state to tell its own tags from others'"
        )


def _by_name(verdict: Verdict) -> tuple[str, str]:
    return (verdict.rule, str(verdict.artifact))


def _by_what(failure: PlanFailure) -> tuple[str, str]:
    return (failure.rule, failure.what)


def _by_source(step: Step) -> tuple[str, str, str, str, str]:
    return (
        step.rule,
        step.source.repository,
        str(step.source.digest),
        str(step.source.tag),
        str(step.to),
    )
