"""The finishing room: labels and descriptions follow the artifacts they belong to, last of all.

What is to be changed is part of the plan; listings tell most of it, so that where nothing has
changed hardly anything is asked. Metadata travels one way, and only as such: where a registry
keeps no labels, none are forged from annotations. Nothing in here fails a step: what could not
be read is a note in the plan, what could not be written a warning in the report.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

import attrs

from harborsync.artifact import Label, Unknown
from harborsync.errors import (
    Cancelled,
    ConfigurationError,
    HarborsyncError,
    NotFound,
    PlanRefused,
    Side,
    on_side,
)
from harborsync.events import LabelsChanged, RepositoryDescribed
from harborsync.failure import Failure
from harborsync.plan import Action, DescriptionChange, LabelChange, Plan, Step
from harborsync.rule import Metadata, OnOtherMetadata, ReplicationRule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from harborsync.clock import Clock
    from harborsync.endpoint import Endpoint
    from harborsync.events import Dispatcher
    from harborsync.reference import Digest
    from harborsync.registry import DescribingRepositories, Labelling, Registry
    from harborsync.warehouse import Warehouse

_T = TypeVar("_T")
_NONE: Final = frozenset[str]()


@attrs.frozen
class _Place:
    """A repository of a registry."""

    endpoint: Endpoint
    repository: str

    def __str__(self) -> str:
        return f"{self.repository} of {self.endpoint}"


@attrs.frozen
class _Bearer:
    """What bears labels: a digest in a repository."""

    place: _Place
    digest: Digest


@attrs.define
class _Group:
    """Steps that bring one digest to one repository, and what is wished of its labels."""

    there: _Bearer
    rule: ReplicationRule
    steps: list[Step] = attrs.field(factory=list)
    origins: list[_Bearer] = attrs.field(factory=list)
    attach: frozenset[str] = _NONE
    detach: frozenset[str] = _NONE

    @property
    def may_have_labels(self) -> bool:
        """Whether it may have labels that matter: what has no tag there may have some, too."""
        is_there = any(step.found == step.wanted for step in self.steps)
        return is_there or self.rule.metadata_on_conflict is not OnOtherMetadata.ADD


def with_metadata(warehouse: Warehouse, plan: Plan) -> Plan:
    """Return a plan with what becomes of labels and descriptions; reads only.

    Args:
        warehouse: The registries and what was read from them.
        plan: What becomes of the artifacts.
    """
    finishing = _Finishing(warehouse, plan.rules)
    return attrs.evolve(
        plan,
        steps=tuple(finishing.labelled(plan.steps)),
        descriptions=tuple(finishing.descriptions(plan.steps)),
        notes=(*plan.notes, *finishing.notes),
    )


class _Finishing:
    """The metadata of one plan in the making, and what its reader should know."""

    def __init__(self, warehouse: Warehouse, rules: Iterable[ReplicationRule]) -> None:
        self._warehouse = warehouse
        self._rules = {rule.name: rule for rule in rules}
        self._ways = {
            (kind, name): self._way(kind, name) for kind in Metadata for name in self._rules
        }
        self.notes = [*self._cannot_travel()]

    # --- labels --------------------------------------------------------------------------

    def labelled(self, steps: Sequence[Step]) -> list[Step]:
        """Return the steps with what becomes of the labels.

        Of several steps that bring one digest to one repository, the first changes its labels,
        to what all their sources have together.
        """
        groups = [group for group in self._groups(steps) if self._is_wishing(group)]
        known = self._definitions(groups)
        changes = {id(group.steps[0]): _change(group, known) for group in groups}
        return [_with_labels(step, changes.get(id(step))) for step in steps]

    def _groups(self, steps: Iterable[Step]) -> list[_Group]:
        groups: dict[_Bearer, _Group] = {}
        for step in self._travelling(steps, Metadata.LABELS):
            rule, source = self._rules[step.rule], step.source
            there = _Bearer(_Place(step.to, step.destination.repository), step.wanted)
            group = groups.setdefault(there, _Group(there, rule))
            group.steps.append(step)
            if source.digest is not None:
                place = _Place(rule.source, source.repository)
                group.origins.append(_Bearer(place, source.digest))
        return list(groups.values())

    def _is_wishing(self, group: _Group) -> bool:
        """Hold the labels of both ends against each other; tell whether they are to change."""
        what = f"the labels in {group.there.place} stay as they are"
        ends = self._tried(what, partial(self._both_ends, group))
        if ends is not None:
            mode = group.rule.metadata_on_conflict
            group.attach, group.detach = _difference(mode, *ends)
        return bool(group.attach or group.detach)

    def _both_ends(self, group: _Group) -> tuple[frozenset[str], frozenset[str]]:
        here = _NONE.union(*(self._labels(origin) for origin in group.origins))
        return here, self._labels(group.there, ask=group.may_have_labels)

    def _labels(self, bearer: _Bearer, *, ask: bool = True) -> frozenset[str]:
        """Return an artifact's labels, from a listing where one tells them."""
        endpoint, repository = bearer.place.endpoint, bearer.place.repository
        listed = self._warehouse.known_labels(endpoint, repository, bearer.digest)
        if not isinstance(listed, Unknown):
            return listed
        api = _labelling(self._warehouse.registry(endpoint))
        return api.get_labels(repository, bearer.digest) if ask else _NONE

    def _definitions(self, groups: Iterable[_Group]) -> dict[_Place, dict[str, Label]]:
        """Ask each repository once what the labels are that something is to get."""
        names: dict[_Place, frozenset[str]] = {}
        for group in groups:
            for bearer in (group.there, *group.origins) if group.attach else ():
                names[bearer.place] = names.get(bearer.place, _NONE) | group.attach
        return {place: self._defined(place, wanted) for place, wanted in names.items()}

    def _defined(self, place: _Place, names: frozenset[str]) -> dict[str, Label]:
        api = _labelling(self._warehouse.registry(place.endpoint))
        what = f"nothing but the names of labels in {place} can be told"
        found = self._tried(what, partial(_found, api, place.repository, names))
        return {label.name: label for label in found or ()}

    # --- descriptions --------------------------------------------------------------------

    def descriptions(self, steps: Iterable[Step]) -> list[DescriptionChange]:
        """Return what becomes of the texts about the repositories that the steps bring.

        Where several repositories go into one, it gets the text of the first.
        """
        firsts: dict[_Place, Step] = {}
        for step in self._travelling(steps, Metadata.DESCRIPTIONS):
            firsts.setdefault(_Place(step.to, step.destination.repository), step)
        here = self._texts({self._origin(step) for step in firsts.values()})
        there = self._texts(firsts.keys() if here else ())
        changes = (
            self._description(step, here[self._origin(step)], there[place])
            for place, step in firsts.items()
            if place in there and self._origin(step) in here
        )
        return [change for change in changes if change.old != change.new]

    def _origin(self, step: Step) -> _Place:
        return _Place(self._rules[step.rule].source, step.source.repository)

    def _texts(self, places: Iterable[_Place]) -> dict[_Place, str]:
        """Return the texts about repositories; those that cannot be read are left out."""
        names: dict[Endpoint, set[str]] = {}
        for place in places:
            names.setdefault(place.endpoint, set()).add(place.repository)
        found: dict[_Place, str] = {}
        for endpoint, wanted in names.items():
            what = f"the descriptions of {endpoint} cannot be read, so none is changed for them"
            read = partial(self._warehouse.descriptions, endpoint, frozenset(wanted))
            texts = self._tried(what, read)
            if texts is not None:
                found |= {_Place(endpoint, name): texts.get(name, "") for name in wanted}
        return found

    def _description(self, step: Step, here: str, there: str) -> DescriptionChange:
        rule = self._rules[step.rule]
        most = self._warehouse.registry(step.to).quirks.max_description
        return DescriptionChange(
            rule=rule.name,
            to=step.to,
            source=step.source.repository,
            destination=step.destination.repository,
            old=there,
            new=_text(rule.metadata_on_conflict, here[:most], there),
        )

    # --- what can travel -----------------------------------------------------------------

    def _travelling(self, steps: Iterable[Step], kind: Metadata) -> Iterator[Step]:
        """Yield the steps after which metadata of a kind counts."""
        for step in steps:
            way = self._ways[kind, step.rule]
            if way and step.to in way and _brings_its_artifact(step):
                yield step

    def _way(self, kind: Metadata, name: str) -> frozenset[Endpoint]:
        """Return the destinations to which a rule carries metadata of a kind."""
        rule = self._rules[name]
        if not rule.carries(kind) or self._lacking(kind, [rule.source]):
            return frozenset()
        return frozenset(to for to in rule.destinations if not self._lacking(kind, [to]))

    def _lacking(self, kind: Metadata, ends: Iterable[Endpoint]) -> list[Endpoint]:
        """Return which of the endpoints keep no metadata of a kind."""
        return [end for end in ends if not _keeps(self._warehouse.registry(end), kind)]

    def _cannot_travel(self) -> Iterator[str]:
        """Say, once for each rule, what was asked for by name and cannot be had."""
        for rule in self._rules.values():
            ends = (rule.source, *rule.destinations)
            lacks = [(kind, self._lacking(kind, ends)) for kind in rule.metadata or ()]
            parts = [f"no {kind} at {', '.join(map(str, who))}" for kind, who in lacks if who]
            if parts:
                yield f"rule {rule.name!r}: not all metadata can travel: {'; '.join(parts)}"

    def _tried(self, what: str, work: Callable[[], _T]) -> _T | None:
        """Return what ``work`` returns, or None if it fails, which is noted once."""
        try:
            return work()
        except (Cancelled, ConfigurationError):
            raise
        except HarborsyncError as error:
            note = f"{what}: {error}"
            if note not in self.notes:
                self.notes.append(note)
            return None


def _brings_its_artifact(step: Step) -> bool:
    """Tell whether what is wanted is at the destination after the step, and wished there."""
    return step.writes or (step.action is Action.SKIP and step.found == step.wanted)


def _keeps(registry: Registry, kind: Metadata) -> bool:
    abilities = registry.abilities
    found = abilities.labels if kind is Metadata.LABELS else abilities.descriptions
    return found is not None


def _difference(
    mode: OnOtherMetadata, here: frozenset[str], there: frozenset[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """Return which labels are to be attached at the destination, and which taken off."""
    if mode is OnOtherMetadata.KEEP and there:
        return _NONE, _NONE
    return here - there, there - here if mode is OnOtherMetadata.OVERWRITE else _NONE


def _text(mode: OnOtherMetadata, here: str, there: str) -> str:
    """Return the text that the destination is to have."""
    if mode is OnOtherMetadata.OVERWRITE:
        return here
    return there or here if mode is OnOtherMetadata.KEEP else here or there


def _change(group: _Group, known: Mapping[_Place, Mapping[str, Label]]) -> LabelChange:
    """Return a wish with what each label is, and which of them are to be made."""
    there = known.get(group.there.place, {})
    origins = [known.get(origin.place, {}) for origin in group.origins]
    return LabelChange(
        attach=tuple(_first(name, origins) for name in sorted(group.attach)),
        detach=tuple(sorted(group.detach)),
        make=tuple(sorted(group.attach - there.keys())),
    )


def _found(api: Labelling, repository: str, names: frozenset[str]) -> tuple[Label, ...]:
    """Return labels by their names; where there is no project yet, there are none."""
    try:
        return api.find_labels(repository, names)
    except NotFound:
        return ()


def _first(name: str, origins: Iterable[Mapping[str, Label]]) -> Label:
    return next((found[name] for found in origins if name in found), Label(name=name))


def _with_labels(step: Step, change: LabelChange | None) -> Step:
    if change is None:
        return step
    if step.action is not Action.SKIP:
        return attrs.evolve(step, labels=change)
    reason = f"{step.reason}, but its labels differ"
    return attrs.evolve(step, labels=change, action=Action.RELABEL, reason=reason)


# --- doing it --------------------------------------------------------------------------------


def relabel(registry: Registry, step: Step, emit: Dispatcher, clock: Clock) -> None:
    """Change an artifact's labels as its step says, and tell the listeners; writes.

    Raises:
        HarborsyncError: They could not be changed, or not all of them.
    """
    change = step.labels or LabelChange()
    _labelling(registry).change_labels(
        step.destination.repository,
        step.wanted,
        attach=change.attach,
        detach=frozenset(change.detach),
    )
    emit(
        LabelsChanged(
            at=clock.now(),
            to=registry.name,
            artifact=attrs.evolve(step.destination, tag=None),
            attached=tuple(label.name for label in change.attach),
            detached=change.detach,
        )
    )


def describe(
    registry: Registry, change: DescriptionChange, emit: Dispatcher, clock: Clock
) -> Failure | None:
    """Change the text about a repository, and tell the listeners; writes.

    Returns:
        What went wrong, or None.
    """
    try:
        with on_side(Side.DESTINATION):
            _describing(registry).set_description(change.destination, change.new)
    except HarborsyncError as error:
        return Failure.of(error)
    emit(
        RepositoryDescribed(
            at=clock.now(),
            to=registry.name,
            repository=change.destination,
            old=change.old,
            new=change.new,
        )
    )
    return None


def _labelling(registry: Registry) -> Labelling:
    return registry.abilities.labels or _refuse(registry, Metadata.LABELS)


def _describing(registry: Registry) -> DescribingRepositories:
    return registry.abilities.descriptions or _refuse(registry, Metadata.DESCRIPTIONS)


def _refuse(registry: Registry, kind: Metadata) -> NoReturn:
    """Refuse what was planned when the registry could still do it."""
    msg = f"{registry.name} keeps no {kind}"
    raise PlanRefused(msg, hint="make the plan again")
