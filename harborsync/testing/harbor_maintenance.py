"""How an emulated Harbor is kept: garbage collection, schedules, its job service, no scanner.

There is what a client looks at (recorded: 18-system); nothing is collected for real.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_cron import BadCron, Cron
from harborsync.testing.harbor_router import Route, route
from harborsync.testing.harbor_schema import one_of, typed
from harborsync.testing.harbor_wire import NEVER, created, date, done, full, ok
from harborsync.testing.server_wire import Response

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from harborsync.testing.harbor_executions import Execution, Executions, Task
    from harborsync.testing.harbor_jobs import Jobs
    from harborsync.testing.harbor_policies import Policies
    from harborsync.testing.harbor_retention import Retentions
    from harborsync.testing.harbor_router import Context
    from harborsync.testing.harbor_state import HarborState

_VENDOR: Final = "GARBAGE_COLLECTION"
_DURATION: Final = 4.0
_KINDS: Final = ("Hourly", "Daily", "Weekly", "Custom", "Manual", "None", "Schedule")
_SCANS: Final = ("vulnerability", "sbom")
_POOL: Final = "ae310e6d0213d5f7e4a970fa"
_WORKERS: Final = 10
_QUEUES: Final = (
    "AUDIT_LOGS_GDPR_COMPLIANT",
    "EXECUTION_SWEEP",
    "GARBAGE_COLLECTION",
    "IMAGE_SCAN",
    "P2P_PREHEAT",
    "PURGE_AUDIT_LOG",
    "REPLICATION",
    "RETENTION",
    "SCAN_DATA_EXPORT",
    "SCHEDULER",
    "SLACK",
    "SYSTEM_ARTIFACT_CLEANUP",
    "WEBHOOK",
)
_AUDITED: Final = (
    "create_artifact",
    "delete_artifact",
    "pull_artifact",
    "create_project",
    "delete_project",
    "delete_repository",
    "login_user",
    "logout_user",
    "create_user",
    "delete_user",
    "update_user",
    "create_robot",
    "delete_robot",
    "update_configuration",
)
_PARAMETERS: Final = {"delete_untagged": False, "delete_tag": False, "workers": 0}
_NEW: Final = {"dry_run": False, "freed_space": 0, "purged_blobs": 0, "purged_manifests": 0}
_ARTIFACT: Final = "/projects/{project}/repositories/{repository}/artifacts/{reference}"


@attrs.define(kw_only=True, eq=False)
class Collection:
    """A schedule of the garbage collection.

    Attributes:
        id: Number.
        kind: ``Daily`` and so on.
        cron: When.
        parameters: How.
        made: When it was made.
    """

    id: int
    kind: str
    cron: str
    parameters: dict[str, Any]
    made: datetime


class Maintenance:
    """Schedules, collections and queues of one Harbor, and the API to them.

    Args:
        state: What else the Harbor knows.
        jobs: What collections are booked with.
        executions: Where they are written down.
        policies: Replication policies, some with a schedule.
        retentions: Retention policies, some with a schedule.
    """

    def __init__(
        self,
        state: HarborState,
        *,
        jobs: Jobs,
        executions: Executions,
        policies: Policies,
        retentions: Retentions,
    ) -> None:
        self._state = state
        self._jobs = jobs
        self._executions = executions
        self._policies = policies
        self._retentions = retentions
        self._started = state.clock.now()
        self._collection: Collection | None = None
        self.routes: tuple[Route, ...] = (
            route("GET", "/schedules", self._list_schedules, since=(2, 7)),
            route("GET", "/schedules/{kind}/paused", self._get_paused, since=(2, 7)),
            route("GET", "/jobservice/pools", self._list_pools, since=(2, 7)),
            route("GET", "/jobservice/pools/{pool}/workers", self._list_workers, since=(2, 7)),
            route("GET", "/jobservice/queues", self._list_queues, since=(2, 7)),
            route("GET", "/auditlog-exts/events", self._list_audited, since=(2, 13)),
            route("GET", "/internalconfig", self._get_internal),
            route("GET", "/system/gc", self._list_collections),
            route("GET", "/system/gc/schedule", self._get_collection),
            route("POST", "/system/gc/schedule", self._collect),
            route("PUT", "/system/gc/schedule", self._collect),
            route("GET", "/system/gc/{number}", self._get_run),
            route("GET", "/system/gc/{number}/log", self._log),
            route("GET", "/scanners", self._list_scanners),
            route("GET", "/projects/{project}/scanner", self._get_scanner),
            route("POST", "/system/scanAll/schedule", self._scan_all),
            route("POST", f"{_ARTIFACT}/scan", self._scan),
            route("GET", f"{_ARTIFACT}/additions/vulnerabilities", self._list_vulnerabilities),
        )

    # --- schedules and queues ------------------------------------------------------------

    def _list_schedules(self, context: Context) -> Response:
        context.require_system("jobservice-monitor", "list")
        rows = [(kind, 0, "0 0 0 * * *") for kind in ("SYSTEM_ARTIFACT_CLEANUP",)]
        rows.append(("EXECUTION_SWEEP", -1, "0 0 0 * * *"))
        rows += [("RETENTION", number, cron) for number, cron in self._retentions.schedules()]
        rows += [("REPLICATION", row.id, row.cron.text) for row in self._policies if row.cron]
        shown = [
            {
                **full(vendor_id=vendor),
                "id": number,
                "vendor_type": kind,
                "cron": cron,
                "update_time": date(self._started),
            }
            for number, (kind, vendor, cron) in enumerate(rows, 1)
        ]
        return context.show_page(shown, dict)

    def _get_paused(self, context: Context, kind: str) -> Response:  # noqa: ARG002 - all alike
        if not context.identity.known:
            refuse.unauthorized()
        return ok({"paused": False})

    def _list_pools(self, context: Context) -> Response:
        context.require_system("jobservice-monitor", "list")
        pool = {
            "worker_pool_id": _POOL,
            "pid": 1,
            "concurrency": _WORKERS,
            "start_at": date(self._started),
            "heartbeat_at": date(self._jobs.now()),
        }
        return ok([pool])

    def _list_workers(self, context: Context, pool: str) -> Response:  # noqa: ARG002 - there is one
        context.require_system("jobservice-monitor", "list")
        return ok([{"id": f"{number:024x}", "pool_id": _POOL} for number in range(_WORKERS)])

    def _list_queues(self, context: Context) -> Response:
        context.require_system("jobservice-monitor", "list")
        return ok([{"job_type": kind, "paused": False} for kind in _QUEUES])

    def _list_audited(self, context: Context) -> Response:
        context.require_system("audit-log", "list")
        return ok([{"event_type": kind} for kind in _AUDITED])

    def _get_internal(self, context: Context) -> Response:  # noqa: ARG002 - refused to all
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return Response(status=401, headers=headers)

    # --- garbage -------------------------------------------------------------------------

    def _collect(self, context: Context) -> Response:
        """Collect now, or set the schedule; both are the same request."""
        context.require_system("garbage-collection", "create")
        body = typed(
            context.body, "schedule", "Schedule", {"schedule": "object", "parameters": "object"}
        )
        schedule = body.get("schedule", {})
        one_of(schedule, "type", _KINDS, "schedule.type")
        kind = schedule.get("type", "None")
        parameters = {**_PARAMETERS, **body.get("parameters", {})}
        if kind == "Manual":
            run = self._begin(parameters)
            return created(f"/api/v2.0/system/gc/{run.id}")
        self._collection = None if kind == "None" else self._scheduled(schedule, parameters)
        if context.request.method == "PUT":
            return done()
        return created("/api/v2.0/system/gc/0")

    def _scheduled(self, schedule: dict[str, Any], parameters: dict[str, Any]) -> Collection:
        try:
            cron = Cron.parse(schedule.get("cron", ""))
        except BadCron as error:
            refuse.bad_request(f"invalid schedule: {error}")
        return Collection(
            id=self._state.next_id("gc_schedule"),
            kind=schedule["type"],
            cron=cron.text,
            parameters={name: parameters[name] for name in _PARAMETERS},
            made=self._jobs.now(),
        )

    def _begin(self, parameters: dict[str, Any]) -> Execution:
        kept = {**_NEW, **parameters, "time_window": 2}
        run = self._executions.create(_VENDOR, -1, parameters=kept)
        task = self._executions.add_task(run)
        self._jobs.start(self._work(run, task), 0.1)
        return run

    def _work(self, run: Execution, task: Task) -> Iterator[float]:
        self._executions.begin(run, task)
        moment = self._jobs.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        where = "[/jobservice/job/impl/gc/garbage_collection.go:179]"
        task.log.append(f"{moment} [INFO] {where}: start to run gc in job.")
        yield _DURATION
        self._executions.finish(run, task, "Success")

    def _list_collections(self, context: Context) -> Response:
        context.require_system("garbage-collection", "list")
        runs = self._executions.of(_VENDOR)
        return context.page(runs, _shown, fields={"id": lambda run: run.id})

    def _get_collection(self, context: Context) -> Response:
        context.require_system("garbage-collection", "read")
        found = self._collection
        if found is None:
            return Response(status=200, headers={"Content-Type": "application/json"})
        coming = Cron.parse(found.cron).next_after(self._jobs.now()) or NEVER
        schedule = {
            "type": found.kind,
            "cron": found.cron,
            "next_scheduled_time": date(coming),
        }
        shown = {
            "id": found.id,
            "job_kind": found.cron,
            "job_parameters": json.dumps(found.parameters, separators=(",", ":"), sort_keys=True),
            "job_status": "Running",
            "schedule": schedule,
            "creation_time": date(found.made),
            "update_time": date(found.made),
        }
        return ok(shown)

    def _get_run(self, context: Context, number: str) -> Response:
        return ok(_shown(self._of(context, number)))

    def _log(self, context: Context, number: str) -> Response:
        tasks = self._of(context, number).tasks
        text = "".join(f"{line}\n" for line in tasks[0].log)
        return Response(status=200, headers={"Content-Type": "text/plain"}, body=text.encode())

    def _of(self, context: Context, number: str) -> Execution:
        context.require_system("garbage-collection", "read")
        run = self._executions.find(_VENDOR, int(number) if number.isdecimal() else -1)
        if run is None:
            refuse.not_found(f"garbage collection execution {number} not found")
        return run

    # --- scanning ------------------------------------------------------------------------

    def _list_scanners(self, context: Context) -> Response:
        context.require_system("scanner", "list")
        return context.show_page([], dict)

    def _get_scanner(self, context: Context, project: str) -> Response:
        context.require(project, "scanner", "read")
        return Response(status=200, headers={"Content-Type": "application/json"})

    def _scan_all(self, context: Context) -> Response:
        context.require_system("scan-all", "create")
        refuse.precondition("no scanner is configured, it's not possible to scan")

    def _scan(self, context: Context, project: str, repository: str, reference: str) -> Response:
        found = context.require(project, "scan", "create")
        body = typed(context.body, "scan", "ScanType", {"scan_type": "string"})
        one_of(body, "scan_type", _SCANS, "scan_type")
        context.artifact(found, repository, reference)
        refuse.precondition(f"no available scanner for project: {found.id}")

    def _list_vulnerabilities(
        self, context: Context, project: str, repository: str, reference: str
    ) -> Response:
        found = context.require(project, "artifact-addition", "read")
        context.artifact(found, repository, reference)
        refuse.not_found(f"no scanner registration configured for project: {found.id}")


def _shown(run: Execution) -> dict[str, Any]:
    task = run.tasks[0]
    parameters = run.extra["parameters"]
    return {
        "id": run.id,
        "job_name": _VENDOR,
        "job_kind": run.trigger,
        "job_parameters": json.dumps(parameters, separators=(",", ":"), sort_keys=True),
        "job_status": task.status,
        "schedule": {"type": "Manual", "next_scheduled_time": date(NEVER)},
        "creation_time": date(run.start),
        "update_time": date(task.end or task.start or run.start),
    }
