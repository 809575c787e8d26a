"""What can be wrong with replication policies, a check for each."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

from harborsync.errors import FilterSyntaxError, InvalidReference, InvalidValue
from harborsync.filters.globs import compile_glob
from harborsync.harbor.adapters import HARBOR
from harborsync.harbor.findings import Finding, Severity
from harborsync.harbor.placing import unplace
from harborsync.harbor.runs import RunStatus
from harborsync.harbor.timetable import Timetable
from harborsync.reference import ArtifactRef, Tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.harbor.inventory import Inventory
    from harborsync.harbor.policies import PolicyFilter, ReplicationPolicy

#: From how many starts a day on a schedule is too close.
_OFTEN: Final = 24 * 12
_SHOWN: Final = 3


def inert_filters(inventory: Inventory) -> Iterator[Finding]:
    """Filters that Harbor applies to nothing."""
    for policy, condition in _conditions(inventory):
        if condition.type == "resource":
            yield _about(
                policy,
                "inert-filter",
                Severity.WARNING,
                f"the filter resource={condition.value!r} is applied to nothing",
                "remove it; choose by name and tag",
            )


def unreadable_globs(inventory: Inventory) -> Iterator[Finding]:
    """Globs over which every run fails."""
    for policy, condition in _conditions(inventory):
        if condition.type in ("name", "tag") and not _is_readable(condition.value):
            yield _about(
                policy,
                "unreadable-glob",
                Severity.ERROR,
                f"{condition.value!r} is no glob, so every run fails",
                "close every bracket and brace",
            )


def misleading_globs(inventory: Inventory) -> Iterator[Finding]:
    """Globs that do not mean what they seem to."""
    for policy, condition in _conditions(inventory):
        if isinstance(condition.value, str) and condition.value and _is_readable(condition.value):
            for warning in compile_glob(condition.value).warnings:
                advice = "write ** as a path part of its own"
                yield _about(policy, "misleading-glob", Severity.WARNING, warning, advice)


def idle_names(inventory: Inventory) -> Iterator[Finding]:
    """Policies that push, of whose names there is no repository."""
    if inventory.repositories is None:
        return
    for policy in inventory.policies:
        if policy.is_push and not _pushed(inventory, policy):
            yield _about(
                policy,
                "matches-nothing",
                Severity.WARNING,
                "no repository that is there matches its names",
                "compare the filter on the name with project/repository",
            )


def unknown_labels(inventory: Inventory) -> Iterator[Finding]:
    """Labels that nobody has made, in policies that push."""
    if inventory.labels is None:
        return
    for policy, condition in _conditions(inventory):
        if condition.type != "label" or isinstance(condition.value, str) or not policy.is_push:
            continue
        for label in condition.value:
            if label not in inventory.labels:
                effect = "nothing" if condition.decoration == "excludes" else "everything"
                yield _about(
                    policy,
                    "unknown-label",
                    Severity.WARNING,
                    f"there is no label {label!r}, so the filter leaves out {effect}",
                    "make the label, or mend its name",
                )


def labels_elsewhere(inventory: Inventory) -> Iterator[Finding]:
    """Filters by label in policies that pull from what keeps no labels."""
    for policy, condition in _conditions(inventory):
        remote = policy.remote
        if condition.type != "label" or policy.is_push or remote is None or remote.type == HARBOR:
            continue
        if condition.decoration != "excludes":
            yield _about(
                policy,
                "label-elsewhere",
                Severity.ERROR,
                f"a registry of type {remote.type} tells no labels, so nothing is copied",
                "choose by name and tag",
            )


def labels_on_events(inventory: Inventory) -> Iterator[Finding]:
    """Filters by label in policies that run when something is pushed, which has none yet."""
    for policy, condition in _conditions(inventory):
        if condition.type == "label" and policy.trigger.type == "event_based":
            yield _about(
                policy,
                "label-on-event",
                Severity.WARNING,
                "what was just pushed bears no label yet, and a label given later starts no run",
                "use a schedule",
            )


def remote_events(inventory: Inventory) -> Iterator[Finding]:
    """Policies that wait for events of a far registry, which never come."""
    for policy in inventory.policies:
        if policy.trigger.type == "event_based" and not policy.is_push:
            yield _about(
                policy,
                "event-on-remote",
                Severity.ERROR,
                "a far registry tells of no events, so it never runs",
                "use a schedule, or let the other Harbor push",
            )


def flatten_collisions(inventory: Inventory) -> Iterator[Finding]:
    """Policies that write several repositories into one, each over the other."""
    for policy in inventory.policies:
        sources: dict[str, list[str]] = {}
        for repository in _pushed(inventory, policy):
            target = _target(policy, repository)
            if target is not None:
                sources.setdefault(target, []).append(repository)
        for target, those in sources.items():
            if len(those) > 1:
                yield _about(
                    policy,
                    "flatten-collision",
                    Severity.ERROR,
                    f"{_listed(those)} all become {target}",
                    "replace fewer parts, or make a policy for each",
                )


def too_deep(inventory: Inventory) -> Iterator[Finding]:
    """Policies that replace more parts than a repository can spare: all of the run fails."""
    for policy in inventory.policies:
        shallow = [r for r in _pushed(inventory, policy) if _target(policy, r) is None]
        if shallow:
            count = policy.dest_namespace_replace_count
            yield _about(
                policy,
                "replace-count",
                Severity.ERROR,
                f"{count} parts cannot be replaced in {_listed(shallow)}: every run fails",
                "replace fewer parts, or leave such names out",
            )


def speeds(inventory: Inventory) -> Iterator[Finding]:
    """Limits that hold for each task, where several run at a time."""
    workers = inventory.workers
    for policy in inventory.policies:
        if policy.speed > 0 and workers is not None and workers > 1:
            yield _about(
                policy,
                "speed-per-task",
                Severity.NOTICE,
                f"{policy.speed} kilobits a second are for each task, and {workers} run at a time: "
                f"up to {policy.speed * workers}",
                f"divide the limit that is meant by {workers}",
            )


def close_schedules(inventory: Inventory) -> Iterator[Finding]:
    """Schedules that start a run every few minutes."""
    for policy in inventory.policies:
        table = _timetable(policy)
        if table is not None and table.starts_a_day >= _OFTEN:
            yield _about(
                policy,
                "schedule-too-close",
                Severity.WARNING,
                f"it starts {table.starts_a_day} runs a day, and each lists all of the source",
                "start it by the hour, or on events",
            )


def unguarded_schedules(inventory: Inventory) -> Iterator[Finding]:
    """Schedules that start a run while one is on."""
    for policy in inventory.policies:
        if _timetable(policy) is not None and not policy.single_active_replication:
            yield _about(
                policy,
                "not-single-active",
                Severity.WARNING,
                "a run that takes longer than the time to the next is joined by that",
                "set single_active_replication, from Harbor 2.14 on",
            )


def overlapping_schedules(inventory: Inventory) -> Iterator[Finding]:
    """Policies that start at one minute, to or from one registry."""
    tables = [(policy, _timetable(policy)) for policy in inventory.policies]
    for (one, its), (other, others) in combinations(tables, 2):
        if its is None or others is None or not _share_registry(one, other):
            continue
        if its.meets(others):
            yield _about(
                one,
                "schedules-overlap",
                Severity.NOTICE,
                f"it starts together with {other.name}, at the same registry",
                "let one start later",
            )


def states(inventory: Inventory) -> Iterator[Finding]:
    """Policies that are switched off, have never run, or whose last run did not go well."""
    for policy in inventory.policies:
        if not policy.enabled:
            why, advice = (
                "it is switched off, and cannot be run by hand either",
                "delete or enable it",
            )
            yield _about(policy, "disabled", Severity.NOTICE, why, advice)
        elif inventory.runs is not None:
            yield from _run_findings(inventory, policy)


def _run_findings(inventory: Inventory, policy: ReplicationPolicy) -> Iterator[Finding]:
    last = (inventory.runs or {}).get(policy.id if policy.id is not None else -1)
    if last is None:
        why, advice = "it has not run", "run it once by hand and look"
        yield _about(policy, "never-run", Severity.NOTICE, why, advice)
    elif last.status == RunStatus.FAILED and not last.was_skipped:
        why = f"its last run failed: {last.status_text or f'{last.failed} of {last.total} tasks'}"
        yield _about(policy, "last-run-failed", Severity.ERROR, why, "read the logs of its tasks")
    elif last.status == RunStatus.SUCCEED and not last.total:
        why, advice = "its last run found nothing to copy", "compare its filters with what is there"
        yield _about(policy, "last-run-empty", Severity.WARNING, why, advice)


#: All of them.
CHECKS: Final[tuple[Callable[[Inventory], Iterator[Finding]], ...]] = (
    inert_filters,
    unreadable_globs,
    misleading_globs,
    idle_names,
    unknown_labels,
    labels_elsewhere,
    labels_on_events,
    remote_events,
    flatten_collisions,
    too_deep,
    speeds,
    close_schedules,
    unguarded_schedules,
    overlapping_schedules,
    states,
)


# --- what they look at -----------------------------------------------------------------------


def _about(
    policy: ReplicationPolicy, code: str, severity: Severity, why: str, advice: str
) -> Finding:
    what = f"policy {policy.name}"
    return Finding(code=code, severity=severity, what=what, why=why, advice=advice)


def _conditions(inventory: Inventory) -> Iterator[tuple[ReplicationPolicy, PolicyFilter]]:
    for policy in inventory.policies:
        for condition in policy.filters:
            yield policy, condition


def _is_readable(glob: object) -> bool:
    if not isinstance(glob, str):
        return False
    try:
        compile_glob(glob or "**")
    except FilterSyntaxError:
        return False
    return True


def _pushed(inventory: Inventory, policy: ReplicationPolicy) -> list[str]:
    """Return the repositories that are there and that a policy pushes."""
    globs = [each.value or "**" for each in policy.filters if each.type == "name"]
    if not policy.is_push or not all(map(_is_readable, globs)):
        return []
    matchers = [compile_glob(str(glob)) for glob in globs]
    return [
        repository
        for repository in inventory.repositories or ()
        if all(matcher.matches(repository) for matcher in matchers)
    ]


def _target(policy: ReplicationPolicy, repository: str) -> str | None:
    """Return what a repository becomes, or None if it has too few parts."""
    naming = unplace(policy.dest_namespace, policy.dest_namespace_replace_count)
    try:
        return naming.apply(ArtifactRef(repository, Tag("any"))).repository
    except InvalidReference:
        return None


def _timetable(policy: ReplicationPolicy) -> Timetable | None:
    """Return when a policy runs by the clock, if it does."""
    if policy.trigger.type != "scheduled" or not policy.enabled:
        return None
    try:
        return Timetable.parse(policy.trigger.cron)
    except InvalidValue:
        return None


def _share_registry(one: ReplicationPolicy, other: ReplicationPolicy) -> bool:
    return one.remote is not None and other.remote is not None and one.remote.id == other.remote.id


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
