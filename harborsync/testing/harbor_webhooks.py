"""Webhook policies of an emulated Harbor, and the API to them and their deliveries (HARBOR-12)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_deliveries import Target, notice_of
from harborsync.testing.harbor_router import Route, route
from harborsync.testing.harbor_schema import typed
from harborsync.testing.harbor_wire import (
    NEVER,
    created,
    date,
    done,
    full,
    ok,
)
from harborsync.testing.server_wire import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from harborsync.testing.harbor_deliveries import Deliveries, Notice
    from harborsync.testing.harbor_executions import Execution, Executions, Task
    from harborsync.testing.harbor_router import Context
    from harborsync.testing.harbor_state import HarborEvent, HarborProject, HarborState

EVENT_TYPES: Final = (
    "PUSH_ARTIFACT",
    "PULL_ARTIFACT",
    "DELETE_ARTIFACT",
    "QUOTA_EXCEED",
    "QUOTA_WARNING",
    "SCANNING_FAILED",
    "SCANNING_STOPPED",
    "SCANNING_COMPLETED",
    "REPLICATION",
    "TAG_RETENTION",
)
_VENDOR: Final = "WEBHOOK"
_KINDS: Final = ("http", "slack")
_FORMATS: Final = ("Default", "CloudEvents")
_SCHEME: Final = re.compile(r"(.*?)://")
_BODY: Final = {
    "name": "string",
    "description": "string",
    "enabled": "bool",
    "event_types": "list",
    "targets": "objects",
}
_POLICIES: Final = "/projects/{project}/webhook/policies"
_EXECUTIONS: Final = f"{_POLICIES}/{{number}}/executions"


@attrs.define(kw_only=True, eq=False)
class Hook:
    """A webhook policy.

    Attributes:
        id: Number.
        project: Where it belongs.
        name: Its name, which may be empty.
        description: What it is for.
        enabled: Whether it tells anything.
        event_types: What it tells.
        targets: Whom, as sent.
        created: When it was made; never, once it was changed (recorded: 11).
        updated: When it was changed.
    """

    id: int
    project: HarborProject
    name: str
    description: str
    enabled: bool
    event_types: tuple[str, ...]
    targets: tuple[Mapping[str, Any], ...]
    created: datetime
    updated: datetime

    def addressees(self) -> list[Target]:
        """Return where its notices go."""
        return [
            Target(
                address=each["address"],
                auth_header=each.get("auth_header", ""),
                cloud=each.get("payload_format") == "CloudEvents",
                source=f"/projects/{self.project.id}/webhook/policies/{self.id}",
            )
            for each in self.targets
        ]


class Webhooks:
    """The webhook policies of one Harbor, and the API to them.

    Args:
        state: What else the Harbor knows.
        executions: Where deliveries are written down.
        deliveries: What sends them.
        host: Tells where the Harbor is.
    """

    def __init__(
        self,
        state: HarborState,
        *,
        executions: Executions,
        deliveries: Deliveries,
        host: Callable[[], str],
    ) -> None:
        self._state = state
        self._executions = executions
        self._deliveries = deliveries
        self._host = host
        self._rows: dict[int, Hook] = {}
        state.subscribers.append(self._react)
        self.routes: tuple[Route, ...] = (
            route("GET", "/projects/{project}/webhook/events", self._list_events),
            route("GET", "/projects/{project}/webhook/lasttrigger", self._list_last),
            route("GET", "/projects/{project}/webhook/jobs", self._list_jobs),
            route("GET", _POLICIES, self._list),
            route("POST", _POLICIES, self._create),
            route("GET", f"{_POLICIES}/{{number}}", self._get),
            route("PUT", f"{_POLICIES}/{{number}}", self._update),
            route("DELETE", f"{_POLICIES}/{{number}}", self._delete),
            route("GET", _EXECUTIONS, self._list_runs, since=(2, 8)),
            route("GET", f"{_EXECUTIONS}/{{run}}/tasks", self._list_tasks, since=(2, 8)),
            route("GET", f"{_EXECUTIONS}/{{run}}/tasks/{{task}}/log", self._log, since=(2, 8)),
        )

    def tell(self, project: HarborProject, notice: Notice) -> None:
        """Send a notice to whom a project's policies name."""
        if not self._state.settings["notification_enable"]:
            return
        for hook in self._of_project(project):
            if hook.enabled and notice.kind in hook.event_types:
                for target in hook.addressees():
                    self._deliveries.send(hook.id, target, notice)

    def _react(self, event: HarborEvent) -> None:
        notice = notice_of(event, self._state, self._host())
        if notice is not None:
            self.tell(event.project, notice)

    # --- policies ------------------------------------------------------------------------

    def _list_events(self, context: Context, project: str) -> Response:
        context.require(project, "notification-policy", "read")
        shown = {
            "event_type": list(EVENT_TYPES),
            "notify_type": list(_KINDS),
            "payload_formats": [{"notify_type": "http", "formats": list(_FORMATS)}],
        }
        return ok(shown)

    def _list(self, context: Context, project: str) -> Response:
        found = context.require(project, "notification-policy", "list")
        fields: dict[str, Callable[[Hook], Any]] = {
            "id": lambda hook: hook.id,
            "name": lambda hook: hook.name,
            "creation_time": lambda hook: hook.created,
        }
        return context.page(self._of_project(found), _shown, fields=fields)

    def _create(self, context: Context, project: str) -> Response:
        found = context.require(project, "notification-policy", "create")
        hook = self._read(context, found, self._state.next_id("webhook_policy"))
        self._rows[hook.id] = hook
        return created(f"/api/v2.0/projects/{project}/webhook/policies/{hook.id}")

    def _get(self, context: Context, project: str, number: str) -> Response:
        found = context.require(project, "notification-policy", "read")
        return ok(_shown(self._of(found, number)))

    def _update(self, context: Context, project: str, number: str) -> Response:
        found = context.require(project, "notification-policy", "update")
        old = self._of(found, number)
        changed = self._read(context, found, old.id)
        self._rows[old.id] = attrs.evolve(changed, created=NEVER)
        return done()

    def _delete(self, context: Context, project: str, number: str) -> Response:
        found = context.require(project, "notification-policy", "delete")
        hook = self._of(found, number)
        self._executions.forget(_VENDOR, hook.id)
        del self._rows[hook.id]
        return done()

    # --- deliveries ----------------------------------------------------------------------

    def _list_runs(self, context: Context, project: str, number: str) -> Response:
        found = context.require(project, "notification-policy", "read")
        runs = self._executions.of(_VENDOR, self._of(found, number).id)
        return context.page(runs, _shown_run, fields={"id": lambda run: run.id})

    def _list_tasks(self, context: Context, project: str, number: str, run: str) -> Response:
        found = self._run(context, project, number, run)
        return context.page(found.tasks, _shown_task, fields={"id": lambda task: task.id})

    def _log(self, context: Context, project: str, number: str, run: str, task: str) -> Response:
        tasks = self._run(context, project, number, run).tasks
        found = next((each for each in tasks if str(each.id) == task), None)
        if found is None:
            refuse.not_found(f"task {task} not found")
        text = "".join(f"{line}\n" for line in found.log)
        return Response(status=200, headers={"Content-Type": "text/plain"}, body=text.encode())

    def _list_last(self, context: Context, project: str) -> Response:
        found = context.require(project, "notification-policy", "read")
        hooks = reversed(self._of_project(found))
        return ok([self._last(hook, kind) for hook in hooks for kind in hook.event_types])

    def _list_jobs(self, context: Context, project: str) -> Response:
        found = context.require(project, "notification-policy", "list")
        hook = self._of(found, context.query.get("policy_id", ""))
        runs = self._executions.of(_VENDOR, hook.id)
        return context.page(runs, _shown_job, fields={"id": lambda run: run.id})

    def _last(self, hook: Hook, kind: str) -> dict[str, Any]:
        runs = self._executions.of(_VENDOR, hook.id)
        times = (run.start for run in runs if run.extra["event_type"] == kind)
        return {
            "policy_name": hook.name,
            "enabled": hook.enabled,
            "event_type": kind,
            "creation_time": date(hook.created),
            "last_trigger_time": date(next(times, NEVER)),
        }

    def _run(self, context: Context, project: str, number: str, run: str) -> Execution:
        found = context.require(project, "notification-policy", "read")
        hook = self._of(found, number)
        runs = self._executions.of(_VENDOR, hook.id)
        kept = next((each for each in runs if str(each.id) == run), None)
        if kept is None:
            refuse.not_found(f"execution {run} not found")
        return kept

    # --- the parts of that ---------------------------------------------------------------

    def _of_project(self, project: HarborProject) -> list[Hook]:
        return [hook for hook in self._rows.values() if hook.project is project]

    def _of(self, project: HarborProject, number: str) -> Hook:
        hook = self._rows.get(int(number)) if number.isdecimal() else None
        if hook is None or hook.project is not project:
            refuse.not_found(f"notificationPolicy {number} not found")
        return hook

    def _read(self, context: Context, project: HarborProject, number: int) -> Hook:
        """Return the policy that a body describes.

        Raises:
            HarborError: It describes none.
        """
        body = typed(context.body, "policy", "WebhookPolicy", _BODY)
        name = body.get("name", "")
        now = self._state.clock.now()
        _check_events(body.get("event_types", []))
        _check_targets(name, body.get("targets", []))
        same = (hook for hook in self._of_project(project) if hook.name == name)
        if any(hook.id != number for hook in same):
            refuse.conflict(f"notification policy named {name} already exists")
        return Hook(
            id=number,
            project=project,
            name=name,
            description=body.get("description", ""),
            enabled=body.get("enabled", False),
            event_types=tuple(body["event_types"]),
            targets=tuple(_kept(each) for each in body["targets"]),
            created=now,
            updated=now,
        )


def _check_events(kinds: list[Any]) -> None:
    if not kinds:
        refuse.bad_request("empty event type")
    for kind in kinds:
        if kind not in EVENT_TYPES:
            refuse.bad_request(f"unsupported event type {kind}")


def _check_targets(name: str, targets: list[Any]) -> None:
    if not targets:
        refuse.bad_request(f"empty notification target with policy {name}")
    for each in targets:
        scheme = _SCHEME.match(each.get("address", ""))
        if scheme is not None and scheme[1] not in {"http", "https"}:
            refuse.bad_request(f"invalid scheme: {scheme[1]}")
        kind, layout = each.get("type", ""), each.get("payload_format", "")
        if kind not in _KINDS:
            refuse.bad_request(f"unsupported target type {kind} with policy {name}")
        if layout and kind == "slack":
            refuse.bad_request("set payload format is not allowed for slack")
        if layout and layout not in _FORMATS:
            refuse.bad_request(f"unsupported payload format type: {layout}")


def _kept(sent: Mapping[str, Any]) -> dict[str, Any]:
    names = ("type", "address", "auth_header", "skip_cert_verify", "payload_format")
    return full(**{name: sent.get(name) for name in names})


def _shown(hook: Hook) -> dict[str, Any]:
    return {
        **full(name=hook.name, description=hook.description),
        "id": hook.id,
        "project_id": hook.project.id,
        "enabled": hook.enabled,
        "event_types": list(hook.event_types),
        "targets": list(hook.targets),
        "creation_time": date(hook.created),
        "update_time": date(hook.updated),
    }


def generic(run: Execution) -> dict[str, Any]:
    """Return a run as the parts of the API show it that know all kinds of runs."""
    counts = run.counts
    metrics = full(
        task_count=len(run.tasks),
        success_task_count=counts["Success"],
        error_task_count=counts["Error"],
        stopped_task_count=counts["Stopped"],
        running_task_count=counts["Running"],
        pending_task_count=counts["Pending"],
    )
    return {
        **full(status_message=run.message),
        "id": run.id,
        "vendor_type": run.vendor,
        "vendor_id": run.vendor_id,
        "status": run.status,
        "trigger": run.trigger,
        "metrics": metrics,
        "start_time": seconds(run.start),
        "end_time": seconds(run.end),
    }


def seconds(moment: datetime | None) -> str:
    """Return a date as those parts write it, with whole seconds.

    Example:
        >>> seconds(None)
        '0001-01-01T00:00:00Z'
    """
    return f"{(moment or NEVER).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def _shown_run(run: Execution) -> dict[str, Any]:
    extra = {"event_type": run.extra["event_type"], "payload": run.extra["payload"]}
    return {**generic(run), "extra_attrs": extra}


def _shown_task(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "execution_id": task.execution_id,
        "status": task.status,
        "run_count": task.run_count,
        "creation_time": seconds(task.created),
        "start_time": seconds(task.start),
        "update_time": seconds(task.end or task.start),
        "end_time": seconds(task.end),
    }


def _shown_job(run: Execution) -> dict[str, Any]:
    task = run.tasks[0]
    return {
        "id": run.id,
        "policy_id": run.vendor_id,
        "event_type": run.extra["event_type"],
        "notify_type": "http",
        "status": task.status,
        "job_detail": run.extra["payload"],
        "creation_time": date(run.start),
        "update_time": date((task.end or run.start).replace(microsecond=0)),
    }
