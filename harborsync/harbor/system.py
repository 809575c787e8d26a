"""What a Harbor tells of itself: version, health, settings that matter here (HARBOR §§1, 13)."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - read at run time
from typing import TYPE_CHECKING, Any

import attrs

from harborsync.harbor.collection import Collection
from harborsync.harbor.records import read, read_all
from harborsync.permissions.harbor import Access, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.harbor.api import HarborApi
    from harborsync.harbor.query import Q


@attrs.frozen(kw_only=True)
class SystemInfo:
    """What a Harbor tells of itself; to strangers it tells less.

    Attributes:
        harbor_version: Such as ``v2.15.2-1a2b3c4d``; empty for strangers.
        auth_mode: ``db_auth``, ``ldap_auth``, ``oidc_auth`` …
        external_url: What it calls itself.
        registry_url: What images begin with.
        read_only: Whether nothing can be written.
        notification_enable: Whether webhooks are sent.
        project_creation_restriction: ``everyone`` or ``adminonly``.
        registry_storage_provider_name: Where bytes are kept.
    """

    harbor_version: str = ""
    auth_mode: str = ""
    external_url: str = ""
    registry_url: str = ""
    read_only: bool = False
    notification_enable: bool = False
    project_creation_restriction: str = ""
    registry_storage_provider_name: str = ""


@attrs.frozen(kw_only=True)
class Component:
    """A part of Harbor.

    Attributes:
        name: Such as ``core``.
        status: ``healthy`` or ``unhealthy``.
        error: Why it is not.
    """

    name: str = ""
    status: str = ""
    error: str = ""


@attrs.frozen(kw_only=True)
class Health:
    """How a Harbor is.

    Attributes:
        status: ``healthy`` or ``unhealthy``.
        components: Its parts.
    """

    status: str = ""
    components: tuple[Component, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether all of it is well."""
        return self.status == "healthy"


@attrs.frozen(kw_only=True)
class AuditEntry:
    """Something that somebody did.

    Attributes:
        id: Its number.
        username: Who.
        resource: To what.
        resource_type: What that is.
        operation: What.
        operation_description: The same, for people.
        operation_result: Whether it worked.
        op_time: When.
    """

    id: int = 0
    username: str = ""
    resource: str = ""
    resource_type: str = ""
    operation: str = ""
    operation_description: str = ""
    operation_result: bool = False
    op_time: datetime | None = None


@attrs.frozen(kw_only=True)
class ScheduleEntry:
    """Something that Harbor does at times.

    Attributes:
        id: Its number.
        vendor_type: What: ``REPLICATION``, ``RETENTION``, ``GARBAGE_COLLECTION`` …
        vendor_id: Of which: the number of the policy, for example.
        cron: When.
        update_time: When it was set.
    """

    id: int = 0
    vendor_type: str = ""
    vendor_id: int = 0
    cron: str = ""
    update_time: datetime | None = None


@attrs.frozen(kw_only=True)
class WorkerPool:
    """Who does Harbor's jobs, and how many at a time.

    Attributes:
        worker_pool_id: Its name.
        concurrency: How many jobs at a time.
        pid: Its process.
        start_at: Since when.
        heartbeat_at: When it was last heard of.
    """

    worker_pool_id: str = ""
    concurrency: int = 0
    pid: int = 0
    start_at: datetime | None = None
    heartbeat_at: datetime | None = None


class System:
    """What one Harbor tells of itself; reads only, thread-safe.

    Args:
        api: Speaks to the Harbor.
    """

    def __init__(self, api: HarborApi) -> None:
        self._api = api

    def info(self) -> SystemInfo:
        """Return version and settings; a wrong password is answered like none."""
        return read(SystemInfo, self._api.get("/systeminfo", what="read the system info"))

    def health(self) -> Health:
        """Return how its parts are."""
        return read(Health, self._api.get("/health", what="read the health"))

    def grantable(self) -> dict[Kind, frozenset[Access]]:
        """Return what a robot can be allowed here; only administrators may ask, since 2.10."""
        told = self._api.get("/permissions", what="list the permissions there are")
        return {kind: frozenset(read_all(Access, told.get(kind))) for kind in Kind}

    def audit(self, question: Q | None = None, *, legacy: bool = False) -> Iterator[AuditEntry]:
        """Yield what was done, the newest first.

        Args:
            question: What is wanted of each entry.
            legacy: Whether Harbor is older than 2.13; a newer one tells nothing there.
        """
        path = "/audit-logs" if legacy else "/auditlog-exts"
        return Collection(
            self._api, AuditEntry, path, noun="audit entry", resource="audit-log"
        ).each(q=question)

    def schedules(self) -> Iterator[ScheduleEntry]:
        """Yield what is done at times, since 2.8."""
        return Collection(
            self._api, ScheduleEntry, "/schedules", noun="schedule", resource="jobservice-monitor"
        ).each()

    def workers(self) -> tuple[WorkerPool, ...]:
        """Return who does the jobs; their number times the speed of a policy is what it takes."""
        what, needs = "list the worker pools", "jobservice-monitor:list"
        return read_all(WorkerPool, self._api.get("/jobservice/pools", what=what, needs=needs))

    def settings(self) -> dict[str, Any]:
        """Return the settings, by name; only administrators may ask."""
        told = self._api.get("/configurations", what="read the settings")
        return {name: (entry or {}).get("value") for name, entry in told.items()}
