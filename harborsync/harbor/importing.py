"""Turns what a Harbor does by itself into rules of ours.

Each policy becomes a rule, and the :class:`~harborsync.harbor.terms.Terms` that no rule of ours
has. What has no equal, is done otherwise or is written otherwise is told as a
:class:`~harborsync.harbor.gaps.Gap`; a policy without any comes back unchanged from
:func:`~harborsync.harbor.compiling.compile_rule`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.endpoint import Endpoint
from harborsync.errors import ConfigurationError, FilterSyntaxError, InvalidValue
from harborsync.filters import EVERYTHING, Filter
from harborsync.filters import label as label_field
from harborsync.filters import name as name_field
from harborsync.filters import tag as tag_field
from harborsync.filters.globs import compile_glob
from harborsync.harbor.adapters import HARBOR, to_endpoint, to_registry
from harborsync.harbor.gaps import Effect, Gap
from harborsync.harbor.ownership import unmarked
from harborsync.harbor.placing import unplace
from harborsync.harbor.policies import KEEP_LAST, PolicyFilter, PolicyTrigger, ReplicationPolicy
from harborsync.harbor.rates import to_bandwidth
from harborsync.harbor.terms import Terms
from harborsync.rule import OnConflict, ReplicationRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.harbor.client import Harbor

_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_NAME: Final = 64
# The order in which filters are written.
_ORDER: Final = ("name", "tag", "label")


@attrs.frozen(kw_only=True)
class Imported:
    """A policy as a rule of ours.

    Attributes:
        policy: The policy.
        rule: The rule.
        terms: When and how fast Harbor followed it.
        notes: What of the policy the rule does not do, does otherwise or says otherwise.
    """

    policy: ReplicationPolicy
    rule: ReplicationRule
    terms: Terms
    notes: tuple[Gap, ...] = ()

    def __str__(self) -> str:
        """Return the rule in short, then a line for each note."""
        head = f"{self.rule.name}: {self.rule.source} -> {self.rule.destinations[0]}"
        return "\n".join(
            (head, f"  where {self.rule.where}", *(f"  {note}" for note in self.notes))
        )


@attrs.frozen(kw_only=True)
class Refused:
    """A policy that cannot be said as a rule.

    Attributes:
        policy: The policy.
        why: What is the matter, and what to do about it.
    """

    policy: ReplicationPolicy
    why: str

    def __str__(self) -> str:
        """Return it for people."""
        return f"{self.policy.name}: {self.why}"


def import_policies(harbor: Harbor, *, here: Endpoint | str) -> tuple[Imported | Refused, ...]:
    """Return every policy of a Harbor as a rule, as far as it can be; reads only.

    Args:
        harbor: The Harbor.
        here: The endpoint that stands for it in the rules.
    """
    return tuple(_imported(policy, here) for policy in harbor.policies.list())


def _imported(policy: ReplicationPolicy, here: Endpoint | str) -> Imported | Refused:
    try:
        return import_policy(policy, here=here)
    except ConfigurationError as error:
        return Refused(policy=policy, why=str(error))


def import_policy(policy: ReplicationPolicy, *, here: Endpoint | str) -> Imported:
    """Return a policy as a rule; asks nobody.

    Args:
        policy: The policy, with its far registry.
        here: The endpoint that stands for its Harbor in the rule.

    Raises:
        ConfigurationError: It cannot be said as a rule at all.
    """
    place = Endpoint.parse(here) if isinstance(here, str) else here
    far = _far(policy)
    rule = ReplicationRule(
        name=_rule_name(policy.name),
        source=place if policy.is_push else far,
        destinations=far if policy.is_push else place,
        where=_where(policy),
        naming=unplace(policy.dest_namespace, policy.dest_namespace_replace_count),
        on_conflict=OnConflict.OVERWRITE if policy.override else OnConflict.SKIP,
    )
    return Imported(
        policy=policy, rule=rule, terms=_terms(policy), notes=tuple(_notes(policy, rule))
    )


def _far(policy: ReplicationPolicy) -> Endpoint:
    if policy.remote is None:
        msg = f"the policy {policy.name!r} leads to no far registry"
        raise ConfigurationError(msg)
    return to_endpoint(policy.remote)


def _rule_name(name: str) -> str:
    plain = _NOT_IN_A_NAME.sub("-", name).strip("-.")[:_LONGEST_NAME]
    return plain or "policy"


def _terms(policy: ReplicationPolicy) -> Terms:
    cron = policy.trigger.cron if policy.trigger.type == "scheduled" else ""
    return Terms(
        trigger=PolicyTrigger(type=policy.trigger.type, cron=cron),
        bandwidth=to_bandwidth(policy.speed),
        deletion=policy.deletion,
        enabled=policy.enabled,
        single_active=policy.single_active_replication,
        by_chunk=policy.copy_by_chunk,
        description=unmarked(policy.description),
    )


# --- which artifacts -------------------------------------------------------------------------


def _where(policy: ReplicationPolicy) -> Filter:
    """Return what all filters come to; those that are applied to nothing are left out."""
    found = EVERYTHING
    for condition in policy.filters:
        clause = _clause(policy, condition)
        if clause is not None:
            found = clause if found == EVERYTHING else found & clause
    return found


def _clause(policy: ReplicationPolicy, condition: PolicyFilter) -> Filter | None:
    """Return what one filter comes to, or None if it is applied to nothing."""
    if not condition.value or condition.type == "resource":
        return None
    try:
        clause = _positive(condition)
    except FilterSyntaxError as error:
        msg = f"the policy {policy.name!r} has a pattern that cannot be read: {error.message}"
        raise InvalidValue(msg, hint="every run of it fails over this, too: mend it") from error
    return ~clause if condition.decoration == "excludes" else clause


def _positive(condition: PolicyFilter) -> Filter:
    if isinstance(condition.value, str):
        field = name_field if condition.type == "name" else tag_field
        return field.like(condition.value)
    first, *others = map(label_field.has, condition.value)
    for other in others:
        first = first & other
    return first


# --- what is lost or changed -----------------------------------------------------------------


def _notes(policy: ReplicationPolicy, rule: ReplicationRule) -> Iterator[Gap]:
    yield from _name_notes(policy, rule)
    yield from _filter_notes(policy)
    yield from _switch_notes(policy)
    yield from _speed_notes(policy)
    yield from _travel_notes(policy)


def _name_notes(policy: ReplicationPolicy, rule: ReplicationRule) -> Iterator[Gap]:
    if rule.name != policy.name:
        yield _rewritten(f"the name {policy.name!r}", f"a rule is called {rule.name!r}")
    if not policy.dest_namespace and policy.dest_namespace_replace_count != KEEP_LAST:
        count = policy.dest_namespace_replace_count
        yield _rewritten(f"dest_namespace_replace_count={count}", "without a namespace it is idle")
    if policy.remote and to_registry(_far(policy)).type != policy.remote.type:
        why = "ours speaks to it as to any registry"
        yield _otherwise(f"type={policy.remote.type}", why, "check what of it was needed")


def _filter_notes(policy: ReplicationPolicy) -> Iterator[Gap]:
    idle = [each for each in policy.filters if not each.value or each.type == "resource"]
    for condition in idle:
        what = f"the filter {condition.type}={condition.value!r}"
        yield _rewritten(what, "Harbor applies it to nothing")
    kinds = [each.type for each in policy.filters if each not in idle]
    if kinds != sorted(kinds, key=_ORDER.index):
        yield _rewritten("filters", "their order does not matter")
    wanted = [each.type for each in policy.filters if each.decoration != "excludes"]
    if kinds.count("name") > 1 or wanted.count("label") > 1:
        yield _rewritten("filters", "several of a kind are joined")
    if _is_from_harbor(policy) and all(map(_takes_untagged, policy.filters)):
        why = "ours copies what has a tag"
        advice = "tag what is needed"
        yield Gap(what="untagged artifacts", why=why, effect=Effect.LESS, advice=advice)


def _switch_notes(policy: ReplicationPolicy) -> Iterator[Gap]:
    if policy.deletion:
        yield _otherwise("deletion", "a rule of ours deletes nothing", "prune apart from it")
    if not policy.enabled:
        yield _otherwise("enabled=false", "a rule of ours has no such switch", "do not run it")
    if policy.trigger.type == "event_based":
        why = "Harbor runs it by itself when something is pushed"
        yield _otherwise("event_based", why, "run ours by the clock, or by a webhook")
    if policy.trigger.cron and policy.trigger.type != "scheduled":
        yield _rewritten("cron", "without a schedule it is idle")
    if not policy.override:
        why = "ours leaves alone what others wrote, and moves the tags it wrote itself"
        yield _otherwise("override=false", why, "say on_conflict='overwrite' if others' may go")


def _speed_notes(policy: ReplicationPolicy) -> Iterator[Gap]:
    if policy.speed < 0:
        yield _rewritten(f"speed={policy.speed}", "Harbor takes it for no limit")
    if policy.speed > 0:
        limit = to_bandwidth(policy.speed)
        why = "ours is one limit for all that runs, not one for each task"
        advice = f"say limiter='{limit}', times the tasks that ran at once"
        yield _otherwise(f"speed={policy.speed}", why, advice)


def _travel_notes(policy: ReplicationPolicy) -> Iterator[Gap]:
    """Yield what ours takes along and Harbor leaves behind."""
    if not _is_from_harbor(policy):
        why = "ours takes along what refers to an artifact"
        advice = "say satellites=() if that is not wanted"
        yield Gap(what="signatures and SBOMs", why=why, effect=Effect.MORE, advice=advice)
    elif policy.remote is not None and policy.remote.type == HARBOR:
        why = "ours takes them along"
        advice = "say metadata=() if that is not wanted"
        yield Gap(what="labels and descriptions", why=why, effect=Effect.MORE, advice=advice)


def _is_from_harbor(policy: ReplicationPolicy) -> bool:
    return policy.is_push or (policy.remote is not None and policy.remote.type == HARBOR)


def _takes_untagged(condition: PolicyFilter) -> bool:
    """Tell whether a filter lets untagged artifacts through; a tag of theirs is an empty text."""
    if condition.type != "tag" or not isinstance(condition.value, str) or not condition.value:
        return True
    return compile_glob(condition.value).matches("") is (condition.decoration != "excludes")


def _rewritten(what: str, why: str) -> Gap:
    return Gap(what=what, why=why, effect=Effect.NONE, advice="there is nothing to do")


def _otherwise(what: str, why: str, advice: str) -> Gap:
    return Gap(what=what, why=why, effect=Effect.OTHER, advice=advice)
