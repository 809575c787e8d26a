"""What a look over a Harbor needs to know of it, read once; what may not be read is None."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from harborsync.errors import CredentialsError, RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from harborsync.harbor.client import Harbor
    from harborsync.harbor.policies import ReplicationPolicy
    from harborsync.harbor.registries import RemoteRegistry
    from harborsync.harbor.robots import Robot
    from harborsync.harbor.runs import Execution

_T = TypeVar("_T")


@attrs.frozen(kw_only=True)
class Inventory:
    """A Harbor at one moment.

    Attributes:
        now: The moment, aware.
        registries: Its far registries.
        policies: Its replication policies.
        runs: The last run of each policy that has run, by the policy's id; or None.
        robots: Its robots; or None.
        repositories: The full names of its repositories; or None.
        labels: The names of its labels, of all projects, if a policy asks for any; or None.
        workers: How many jobs it does at a time; or None.
        settings: Its settings; or None.
        unseen: What could not be read, and why.
    """

    now: datetime
    registries: tuple[RemoteRegistry, ...] = ()
    policies: tuple[ReplicationPolicy, ...] = ()
    runs: Mapping[int, Execution] | None = None
    robots: tuple[Robot, ...] | None = None
    repositories: tuple[str, ...] | None = None
    labels: frozenset[str] | None = None
    workers: int | None = None
    settings: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    unseen: tuple[str, ...] = ()


def take_inventory(harbor: Harbor, *, now: datetime) -> Inventory:
    """Read what there is to read; what these credentials may not see is noted.

    Raises:
        RegistryError: Not even registries and policies can be read.
    """
    policies = tuple(harbor.policies.list())
    seen = _Seen()
    return Inventory(
        now=now,
        registries=tuple(harbor.registries.list()),
        policies=policies,
        runs=seen.look("runs", lambda: dict(_last_runs(harbor, policies))),
        robots=seen.look("robots", lambda: tuple(_robots(harbor))),
        repositories=seen.look("repositories", lambda: tuple(_repositories(harbor))),
        labels=seen.look("labels", lambda: frozenset(_labels(harbor, policies))),
        workers=seen.look(
            "workers", lambda: sum(pool.concurrency for pool in harbor.system.workers())
        ),
        settings=seen.look("settings", harbor.system.settings),
        unseen=tuple(seen.unseen),
    )


class _Seen:
    """Looks, and remembers what it was not shown."""

    def __init__(self) -> None:
        self.unseen: list[str] = []

    def look(self, what: str, read: Callable[[], _T]) -> _T | None:
        try:
            return read()
        except (RegistryError, CredentialsError) as error:
            self.unseen.append(f"{what}: {error.message}")
            return None


def _last_runs(
    harbor: Harbor, policies: tuple[ReplicationPolicy, ...]
) -> Iterator[tuple[int, Execution]]:
    for policy in policies:
        if policy.id is not None:
            last = next(harbor.executions.list(policy_id=policy.id), None)
            if last is not None:
                yield policy.id, last


def _robots(harbor: Harbor) -> Iterator[Robot]:
    """Yield those of the system, then those of every project."""
    yield from harbor.robots.list()
    for project in harbor.projects.list():
        yield from harbor.robots.list(project=project.name)


def _repositories(harbor: Harbor) -> Iterator[str]:
    for item in harbor.api.pages("/repositories", {"sort": "id"}, what="list repositories"):
        yield item["name"]


def _labels(harbor: Harbor, policies: tuple[ReplicationPolicy, ...]) -> Iterator[str]:
    """Yield those of everybody and of every project, if some policy asks for labels at all."""
    if not any(condition.type == "label" for policy in policies for condition in policy.filters):
        return
    yield from (label.name for label in harbor.labels.list())
    for project in harbor.projects.list():
        yield from (label.name for label in harbor.labels.list(project=project.name))
