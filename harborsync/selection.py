"""The sieve at work: from all that a source holds to what a rule wants of it. Reads only."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.artifact import NO_HINTS, Hints
from harborsync.errors import ConfigurationError, HarborsyncError
from harborsync.facts import fill_in
from harborsync.planning import Planning, failure_of
from harborsync.rule import Metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harborsync.artifact import Artifact
    from harborsync.filters import Keep
    from harborsync.rule import ReplicationRule

_ROUNDS: Final = 12  # a filter has no more kinds of facts to ask for than this


@attrs.frozen(kw_only=True)
class Scope:
    """A part of the world to plan for, such as what an event spoke of.

    Attributes:
        repositories: Full names at the source; None for all.
        tags: Tags; None for all.
    """

    repositories: frozenset[str] | None = None
    tags: frozenset[str] | None = None

    def covers(self, repository: str, tag: str | None) -> bool:
        """Tell whether a tag of a repository is in here."""
        in_repository = self.repositories is None or repository in self.repositories
        return in_repository and (self.tags is None or tag in self.tags)


EVERYWHERE: Final = Scope()


def select(planning: Planning, rule: ReplicationRule, scope: Scope = EVERYWHERE) -> list[Artifact]:
    """Return the artifacts a rule wants, with the facts it took to decide.

    Raises:
        ConfigurationError: The rule cannot work as it is written.
    """
    looked_at = _looked_at(scope, rule.keep)
    try:
        repositories = _repositories(planning, rule, looked_at)
    except ConfigurationError:
        raise
    except HarborsyncError as error:
        planning.failures.append(failure_of(rule, f"the repositories of {rule.source}", error))
        return []
    if not repositories and scope is EVERYWHERE:
        planning.notes.append(_finds_nothing(rule))
    hints = _hints(planning, rule, looked_at)
    if not planning.warehouse.pays(rule.source, repositories, hints):
        hints = NO_HINTS
        planning.warehouse.list_all(rule.source, repositories)
    chosen = planning.collect(rule, repositories, partial(_choose, planning, looked_at, hints))
    if rule.keep is not None:
        chosen = _kept(planning, rule, rule.keep, chosen)
    return [each for each in chosen if scope.covers(each.repository, each.tag)]


def _finds_nothing(rule: ReplicationRule) -> str:
    return (
        f"rule {rule.name!r} finds no repository that it could want at {rule.source}: names are "
        "whole, as they are in that registry, and what a login may not see is not there for it"
    )


def _looked_at(scope: Scope, keep: Keep | None) -> Scope:
    """Return what must be seen to choose within ``scope``: the newest are so among others."""
    if keep is None:
        return scope
    return EVERYWHERE if keep.per == "everything" else attrs.evolve(scope, tags=None)


def _kept(
    planning: Planning, rule: ReplicationRule, keep: Keep, chosen: list[Artifact]
) -> list[Artifact]:
    """Return the newest few, and note what was dropped."""
    kept = list(keep.select(chosen, now=planning.now, missing=rule.missing))
    names = {(each.repository, each.tag) for each in kept}
    for each in chosen:
        if (each.repository, each.tag) not in names:
            why = f"{each} is not among the newest {keep.newest} by {keep.by} per {keep.per}"
            planning.note(rule, each, why, chosen=False)
    return kept


def _repositories(planning: Planning, rule: ReplicationRule, scope: Scope) -> list[str]:
    """Return the repositories to look into: named, literal in the filter, or catalogued."""
    _check_named(planning, rule)
    literal = rule.repositories or rule.where.literal_repositories()
    names = _catalog(planning, rule) if literal is None else iter(literal)
    wanted = (
        name
        for name in names
        if planning.warehouse.holds(rule.source, name)
        and (scope.repositories is None or name in scope.repositories)
        and rule.where.may_match_repository(name)
    )
    return sorted(set(wanted))


def _check_named(planning: Planning, rule: ReplicationRule) -> None:
    outside = [n for n in rule.repositories if not planning.warehouse.holds(rule.source, n)]
    if outside:
        msg = f"rule {rule.name!r} names {', '.join(outside)}, which is not below {rule.source}"
        raise ConfigurationError(msg, hint="write the whole name, as it is in that registry")


def _catalog(planning: Planning, rule: ReplicationRule) -> Iterable[str]:
    abilities = planning.warehouse.registry(rule.source).abilities
    if abilities.catalog is None:
        msg = f"{rule.source} cannot list its repositories, and rule {rule.name!r} names none"
        hint = "give the rule repositories=(…), or name them literally in its filter"
        raise ConfigurationError(msg, hint=hint)
    if abilities.descriptions is not None and rule.carries(Metadata.DESCRIPTIONS):
        return planning.warehouse.catalog(rule.source)
    return abilities.catalog.list_repositories()


def _choose(
    planning: Planning, scope: Scope, hints: Hints, rule: ReplicationRule, repository: str
) -> list[Artifact]:
    listed = planning.warehouse.matching(rule.source, repository, hints)
    candidates = [artifact for artifact in listed if _is_candidate(rule, artifact, scope)]
    return _decide(planning, rule, repository, candidates)


def _hints(planning: Planning, rule: ReplicationRule, scope: Scope) -> Hints:
    """Return what all that can be chosen has in common, so that less need be listed."""
    if rule.missing == "include":
        return NO_HINTS  # then a filter lets through what it cannot decide on
    tags = scope.tags or frozenset()
    asked = Hints(tag=next(iter(tags))) if len(tags) == 1 else NO_HINTS
    return rule.where.hints(planning.now) & asked


def _is_candidate(rule: ReplicationRule, artifact: Artifact, scope: Scope) -> bool:
    """Tell whether an artifact stands on its own: satellites belong to others (OCI-6.10)."""
    tag = artifact.tag
    if tag is None or (scope.tags is not None and tag not in scope.tags):
        return False
    return rule.satellites_as_candidates or tag.subject_prefix is None


def _decide(
    planning: Planning, rule: ReplicationRule, repository: str, candidates: list[Artifact]
) -> list[Artifact]:
    """Return what the filter lets through, asking only for what can still decide."""
    order = {artifact.tag: place for place, artifact in enumerate(candidates)}
    accepted: list[Artifact] = []
    undecided = candidates
    for _ in range(_ROUNDS):
        verdicts = [
            (each, rule.where.test(each, now=planning.now, missing=rule.missing))
            for each in undecided
        ]
        accepted += [each for each, verdict in verdicts if verdict]
        for each, verdict in verdicts:
            if verdict is not None:
                why = str(rule.where.explain(each, now=planning.now))
                planning.note(rule, each, why, chosen=verdict)
        undecided = [each for each, verdict in verdicts if verdict is None]
        if not undecided:
            break
        needs = partial(rule.where.needs, now=planning.now)
        undecided = list(_with_facts(planning, rule, repository, undecided, needs))
    if rule.keep is not None:
        accepted = list(_with_facts(planning, rule, repository, accepted, rule.keep.needs))
    return sorted(accepted, key=lambda artifact: order[artifact.tag])


def _with_facts(
    planning: Planning,
    rule: ReplicationRule,
    repository: str,
    artifacts: Iterable[Artifact],
    needs: Callable[[Artifact], frozenset[str]],
) -> Iterator[Artifact]:
    """Yield the artifacts with what each needs, asked for in as few batches as there are needs."""
    source = planning.warehouse.source(rule.source, repository)
    groups: dict[frozenset[str], list[Artifact]] = {}
    for artifact in artifacts:
        groups.setdefault(needs(artifact), []).append(artifact)
    for facts, members in groups.items():
        yield from fill_in(source, members, facts, planning.state) if facts else members
