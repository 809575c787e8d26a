"""What Harbor's projects keep, and what is deleted from them at times (HARBOR §13)."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read at run time
from datetime import datetime  # noqa: TC003 - read at run time
from typing import TYPE_CHECKING, Any

import attrs

from harborsync.harbor.collection import Collection
from harborsync.harbor.immutable_rules import Selector  # noqa: TC001 - read at run time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.harbor.api import HarborApi
    from harborsync.harbor.projects import Projects


@attrs.frozen(kw_only=True)
class RetentionRule:
    """Which artifacts are kept; what no rule keeps is deleted.

    Attributes:
        id: Its number.
        disabled: Whether it does not hold.
        action: ``retain``.
        template: What is counted, such as ``latestPushedK`` or ``always``.
        params: How many.
        tag_selectors: Of which tags.
        scope_selectors: In which repositories, under ``repository``.
    """

    id: int | None = None
    disabled: bool = False
    action: str = "retain"
    template: str = ""
    params: Mapping[str, Any] = attrs.field(factory=dict)
    tag_selectors: tuple[Selector, ...] = ()
    scope_selectors: Mapping[str, tuple[Selector, ...]] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class RetentionTrigger:
    """When a project is cleared up.

    Attributes:
        kind: ``Schedule``.
        settings: The time, under ``cron``; empty for by hand only.
    """

    kind: str = ""
    settings: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class RetentionPolicy:
    """What a project keeps.

    Attributes:
        id: Its number.
        algorithm: ``or``: what one rule keeps is kept.
        rules: The rules.
        trigger: When it is applied.
    """

    id: int = 0
    algorithm: str = ""
    rules: tuple[RetentionRule, ...] = ()
    trigger: RetentionTrigger = attrs.field(factory=RetentionTrigger)

    @property
    def cron(self) -> str:
        """When it is applied, empty for by hand only."""
        return str(self.trigger.settings.get("cron") or "")


@attrs.frozen(kw_only=True)
class RetentionExecution:
    """A clearing up.

    Attributes:
        id: Its number.
        policy_id: By which policy.
        status: ``Running``, ``Success``, ``Error`` or ``Stopped``.
        trigger: ``MANUAL`` or ``SCHEDULE``.
        dry_run: Whether nothing was deleted.
        start_time: When it began.
        end_time: When it ended, or None.
    """

    id: int = 0
    policy_id: int = 0
    status: str = ""
    trigger: str = ""
    dry_run: bool = False
    start_time: datetime | None = None
    end_time: datetime | None = None


class Retention:
    """What one Harbor's projects keep: read, and applied; written in Harbor. Thread-safe.

    A replication into a project whose retention deletes what came copies it again and again.

    Args:
        api: Speaks to the Harbor.
        projects: Knows its projects.
    """

    def __init__(self, api: HarborApi, projects: Projects) -> None:
        self._api = api
        self._projects = projects
        self._all = Collection(
            api, RetentionPolicy, "/retentions", noun="retention", resource="tag-retention"
        )

    def of(self, project: str) -> RetentionPolicy | None:
        """Return what a project keeps, or None if it keeps everything.

        Raises:
            NotFound: There is no such project.
        """
        found = self._projects.get(project).metadata.get("retention_id")
        return self._all.get(found) if found else None

    def run(self, policy_id: int, *, dry_run: bool) -> int:
        """Apply one now, and return the number of that.

        Args:
            policy_id: Which one.
            dry_run: Whether nothing is to be deleted.
        """
        path, body = f"/retentions/{policy_id}/executions", {"dry_run": dry_run}
        what, needs = f"apply the retention {policy_id}", "tag-retention:update"
        return self._api.post(path, body, what=what, needs=needs).id

    def executions(self, policy_id: int) -> Iterator[RetentionExecution]:
        """Yield when one was applied, the newest first."""
        path = f"/retentions/{policy_id}/executions"
        return Collection(
            self._api, RetentionExecution, path, noun="retention run", resource="tag-retention"
        ).each()
