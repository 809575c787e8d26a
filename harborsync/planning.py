"""What all of planning works with, and how it gets on when one thing fails."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import attrs

from harborsync.endpoint import Endpoint
from harborsync.errors import ConfigurationError, HarborsyncError, Side
from harborsync.failure import Failure
from harborsync.plan import PlanFailure, Step, Verdict, place_of
from harborsync.reference import ArtifactRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from harborsync.artifact import Artifact
    from harborsync.graph import Graph
    from harborsync.reference import Digest, Tag
    from harborsync.registry import Room
    from harborsync.rule import ReplicationRule
    from harborsync.state import State
    from harborsync.warehouse import Warehouse

_A = TypeVar("_A")
_B = TypeVar("_B")


class Asking(Protocol):
    """Runs a function over items, perhaps several at once, and yields the results in order."""

    def __call__(self, work: Callable[[_A], _B], items: Iterable[_A], /) -> Iterator[_B]:
        """Yield ``work(item)`` for every item."""
        ...


@attrs.frozen(kw_only=True)
class Planning:
    """A plan in the making.

    Attributes:
        warehouse: The registries and what was read from them.
        state: What earlier runs remember.
        now: The time the whole plan goes by.
        ask: Runs many small requests.
        failures: What could not be planned so far.
        verdicts: What the rules said so far of what they looked at.
        notes: What the reader of the plan should know.
    """

    warehouse: Warehouse
    state: State
    now: datetime
    ask: Asking
    failures: list[PlanFailure] = attrs.field(factory=list)
    verdicts: list[Verdict] = attrs.field(factory=list)
    notes: list[str] = attrs.field(factory=list)
    _names: dict[tuple[str, Endpoint, str, Tag | None], ArtifactRef] = attrs.field(
        factory=dict, init=False, repr=False
    )

    def collect(
        self,
        rule: ReplicationRule,
        items: Iterable[_A],
        work: Callable[[ReplicationRule, _A], Iterable[_B]],
    ) -> list[_B]:
        """Gather what ``work`` yields for every item; what fails is noted and stops nothing else.

        Raises:
            ConfigurationError: The rule cannot work as it is written; that stops everything.
        """

        def one(item: _A) -> list[_B]:
            return self.guarded(rule, partial(_what, item), partial(work, rule, item))

        return [each for found in self.ask(one, items) for each in found]

    def guarded(
        self, rule: ReplicationRule, what: Callable[[], str], work: Callable[[], Iterable[_B]]
    ) -> list[_B]:
        """Return what ``work`` yields; nothing if it fails, which is noted.

        Args:
            rule: Whose work it is.
            what: Tells what was worked at, for people, if it fails.
            work: Does it.

        Raises:
            ConfigurationError: The rule cannot work as it is written.
        """
        try:
            return list(work())
        except ConfigurationError:
            raise
        except HarborsyncError as error:
            self.failures.append(failure_of(rule, what(), error))
            return []

    def note(self, rule: ReplicationRule, artifact: Artifact, why: str, *, chosen: bool) -> None:
        """Note what a rule said of an artifact."""
        name = ArtifactRef(artifact.repository, artifact.tag)
        self.verdicts.append(Verdict(rule=rule.name, artifact=name, chosen=chosen, why=why))

    def room(self, to: Endpoint, repository: str) -> Room | None:
        """Return the room a destination has left for a repository, or None if nobody knows."""
        quotas = self.warehouse.registry(to).abilities.room
        try:
            return None if quotas is None else quotas.room(repository)
        except HarborsyncError as error:
            note = f"how much room {to} has left is not known: {error}"
            if note not in self.notes:
                self.notes.append(note)
            return None

    def named(
        self, rule: ReplicationRule, to: Endpoint, source: ArtifactRef | Artifact
    ) -> ArtifactRef:
        """Return the name at a destination, the endpoint's prefix included, without a digest."""
        key = (rule.name, to, source.repository, source.tag)
        found = self._names.get(key)
        if found is None:
            found = rule.naming.apply(ArtifactRef(source.repository, source.tag))
            prefix = self.warehouse.prefix(to)
            if prefix:
                found = ArtifactRef(f"{prefix}/{found.repository}", found.tag)
            self._names[key] = found
        return found

    def graph(self, rule: ReplicationRule, repository: str, digest: Digest) -> Graph:
        """Return everything that travels with a digest of the rule's source."""
        return self.warehouse.graph(rule.source, repository, digest, rule.choice)


def failure_of(rule: ReplicationRule, what: str, error: HarborsyncError) -> PlanFailure:
    """Note what could not be planned."""
    return PlanFailure(rule=rule.name, what=what, failure=Failure.of(error.at(Side.SOURCE)))


def _what(item: object) -> str:
    match item:
        case Step():
            return str(item.source)
        case (Endpoint() as to, str(repository)):
            return place_of(to, repository)
        case tuple():
            return "/".join(map(str, item))
        case _:
            return str(item)
