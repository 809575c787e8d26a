"""Preheating of an emulated Harbor: instances of P2P networks, and what is sent to them.

Most mistakes are answered with a blank 500, and a dead instance is taken without a word
(recorded: 18-system). An instance is alive if something speaks HTTP at its address.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_cron import BadCron, Cron
from harborsync.testing.harbor_far import FarError, exchange
from harborsync.testing.harbor_resources import Item, Resource, chosen
from harborsync.testing.harbor_router import Route, route
from harborsync.testing.harbor_schema import typed
from harborsync.testing.harbor_webhooks import generic, seconds
from harborsync.testing.harbor_wire import HarborError, created, date, done, full, ok
from harborsync.testing.server_wire import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from harborsync.testing.harbor_executions import Execution, Executions, Task
    from harborsync.testing.harbor_jobs import Jobs
    from harborsync.testing.harbor_router import Context
    from harborsync.testing.harbor_state import (
        HarborArtifact,
        HarborEvent,
        HarborProject,
        HarborState,
    )

_VENDOR: Final = "P2P_PREHEAT"
_VENDORS: Final = ("dragonfly", "kraken")
_DELAY: Final = 0.2
_PATIENCE: Final = 3.0
_PROVIDERS: Final = (
    {
        "id": "dragonfly",
        "name": "Dragonfly",
        "icon": "https://raw.githubusercontent.com/dragonflyoss/Dragonfly2/master/docs/images/logo/dragonfly-linear.png",
        "maintainers": ["chlins.zhang@gmail.com", "gaius.qi@gmail.com"],
        "version": "2.1.59",
        "source": "https://github.com/dragonflyoss/Dragonfly2",
    },
    {
        "id": "kraken",
        "name": "Kraken",
        "icon": "https://github.com/uber/kraken/blob/master/assets/kraken-logo-color.svg",
        "maintainers": ["mmpei/peimingming@corp.netease.com"],
        "version": "0.1.3",
        "source": "https://github.com/uber/kraken",
    },
)
_INSTANCE: Final = {
    "name": "string",
    "description": "string",
    "vendor": "string",
    "endpoint": "string",
    "auth_mode": "string",
    "auth_info": "object",
    "enabled": "bool",
    "default": "bool",
    "insecure": "bool",
}
_POLICY: Final = {
    "name": "string",
    "description": "string",
    "provider_id": "int64",
    "filters": "string",
    "trigger": "string",
    "enabled": "bool",
    "scope": "string",
    "extra_attrs": "string",
}
_POLICIES: Final = "/projects/{project}/preheat/policies"
_RUNS: Final = f"{_POLICIES}/{{name}}/executions"


@attrs.define(kw_only=True, eq=False)
class Instance:
    """A P2P network.

    Attributes:
        id: Number.
        sent: What it was made with.
        since: When it was, as a Unix time.
    """

    id: int
    sent: dict[str, Any]
    since: int

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.sent["name"])


@attrs.define(kw_only=True, eq=False)
class Preheating:
    """A preheat policy.

    Attributes:
        id: Number.
        project: Where it belongs.
        sent: What it was made with, strings of JSON included.
        instance: Where it sends what it chooses.
        created: When it was made.
        updated: When it was changed.
    """

    id: int
    project: HarborProject
    sent: dict[str, Any]
    instance: Instance
    created: datetime
    updated: datetime

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.sent["name"])

    @property
    def filters(self) -> list[dict[str, Any]]:
        """The filters as those of a replication rule."""
        kinds = {"repository": "name", "tag": "tag", "label": "label"}
        found: list[dict[str, Any]] = json.loads(self.sent.get("filters") or "[]") or []
        return [
            {"type": kinds[each["type"]], "value": _value(each)}
            for each in found
            if each.get("type") in kinds
        ]

    @property
    def trigger(self) -> tuple[str, str]:
        """The kind of its trigger, and its schedule."""
        found = json.loads(self.sent.get("trigger") or "{}") or {}
        setting = found.get("trigger_setting") or {}
        return found.get("type", "manual"), setting.get("cron", "")


class Preheat:
    """Instances and preheat policies of one Harbor, and the API to them.

    Args:
        state: What else the Harbor knows.
        jobs: What runs are booked with.
        executions: Where runs are written down.
    """

    def __init__(self, state: HarborState, *, jobs: Jobs, executions: Executions) -> None:
        self._state = state
        self._jobs = jobs
        self._executions = executions
        self._instances: dict[str, Instance] = {}
        self._rows: dict[int, Preheating] = {}
        state.subscribers.append(self._react)
        self.routes: tuple[Route, ...] = (
            route("GET", "/p2p/preheat/providers", self._list_providers),
            route("GET", "/p2p/preheat/instances", self._list_instances, locked=False),
            route("POST", "/p2p/preheat/instances", self._create_instance),
            route("POST", "/p2p/preheat/instances/ping", self._ping, locked=False),
            route("GET", "/p2p/preheat/instances/{name}", self._get_instance, locked=False),
            route("PUT", "/p2p/preheat/instances/{name}", self._update_instance),
            route("DELETE", "/p2p/preheat/instances/{name}", self._delete_instance),
            route("GET", "/projects/{project}/preheat/providers", self._list_enabled),
            route("GET", _POLICIES, self._list),
            route("POST", _POLICIES, self._create),
            route("GET", f"{_POLICIES}/{{name}}", self._get),
            route("PUT", f"{_POLICIES}/{{name}}", self._update),
            route("POST", f"{_POLICIES}/{{name}}", self._start, locked=False),
            route("DELETE", f"{_POLICIES}/{{name}}", self._delete),
            route("GET", _RUNS, self._list_runs),
            route("GET", f"{_RUNS}/{{run}}", self._get_run),
            route("PATCH", f"{_RUNS}/{{run}}", self._stop),
            route("GET", f"{_RUNS}/{{run}}/tasks", self._list_tasks),
            route("GET", f"{_RUNS}/{{run}}/tasks/{{task}}/logs", self._log),
        )

    # --- instances -----------------------------------------------------------------------

    def _list_providers(self, context: Context) -> Response:
        context.require_system("preheat-instance", "list")
        return ok(list(_PROVIDERS))

    def _list_instances(self, context: Context) -> Response:
        context.require_system("preheat-instance", "list")
        fields: dict[str, Callable[[Instance], Any]] = {
            "id": lambda row: row.id,
            "name": lambda row: row.name,
            "vendor": lambda row: row.sent["vendor"],
        }
        return context.page(self._instances.values(), _shown_instance, fields=fields, default="id")

    def _create_instance(self, context: Context) -> Response:
        context.require_system("preheat-instance", "create")
        body = typed(context.body, "instance", "Instance", _INSTANCE)
        if body.get("vendor") not in _VENDORS or body.get("name") in {None, "", *self._instances}:
            refuse.internal()
        row = Instance(
            id=self._state.next_id("preheat_instance"),
            sent=body,
            since=int(self._state.clock.now().timestamp()),
        )
        self._instances[row.name] = row
        return created(f"/api/v2.0/p2p/preheat/instances/{row.name}")

    def _ping(self, context: Context) -> Response:
        context.require_system("preheat-instance", "read")
        body = typed(context.body, "instance", "Instance", {**_INSTANCE, "id": "int64"})
        if not _alive(body.get("endpoint", "")):
            refuse.internal()
        return done()

    def _get_instance(self, context: Context, name: str) -> Response:
        context.require_system("preheat-instance", "read")
        return ok(_shown_instance(self._instance(name)))

    def _update_instance(self, context: Context, name: str) -> Response:
        context.require_system("preheat-instance", "update")
        row = self._instance(name)
        row.sent |= typed(context.body, "instance", "Instance", _INSTANCE)
        return done()

    def _delete_instance(self, context: Context, name: str) -> Response:
        context.require_system("preheat-instance", "delete")
        row = self._instance(name)
        if any(each.instance is row for each in self._rows.values()):
            refuse.internal()
        del self._instances[name]
        return done()

    def _list_enabled(self, context: Context, project: str) -> Response:
        context.require(project, "preheat-policy", "list")
        return ok([_shown_enabled(row) for row in self._instances.values()])

    def _instance(self, name: str) -> Instance:
        if name not in self._instances:
            refuse.not_found(f"instance {name} not found")
        return self._instances[name]

    # --- policies ------------------------------------------------------------------------

    def _list(self, context: Context, project: str) -> Response:
        found = context.require(project, "preheat-policy", "list")
        rows = [row for row in self._rows.values() if row.project is found]
        fields: dict[str, Callable[[Preheating], Any]] = {
            "id": lambda row: row.id,
            "name": lambda row: row.name,
        }
        return context.page(rows, _shown, fields=fields)

    def _create(self, context: Context, project: str) -> Response:
        found = context.require(project, "preheat-policy", "create")
        row = self._read(context, found, self._state.next_id("preheat_policy"))
        self._put(row)
        return created(f"/api/v2.0/projects/{project}/preheat/policies/{row.name}")

    def _get(self, context: Context, project: str, name: str) -> Response:
        return ok(_shown(self._of(context, project, name, "read")))

    def _update(self, context: Context, project: str, name: str) -> Response:
        old = self._of(context, project, name, "update")
        row = self._read(context, old.project, old.id)
        self._put(attrs.evolve(row, created=old.created))
        return done()

    def _delete(self, context: Context, project: str, name: str) -> Response:
        row = self._of(context, project, name, "delete")
        self._executions.forget(_VENDOR, row.id)
        del self._rows[row.id]
        return done()

    def _of(self, context: Context, project: str, name: str, action: str) -> Preheating:
        found = context.require(project, "preheat-policy", action)
        rows = (row for row in self._rows.values() if row.project is found)
        row = next((row for row in rows if row.name == name), None)
        if row is None:
            refuse.not_found(f"policy {name} not found")
        return row

    def _read(self, context: Context, project: HarborProject, number: int) -> Preheating:
        """Return the policy that a body describes.

        Raises:
            HarborError: It describes none; a blank 500 for most of the reasons.
        """
        body = typed(context.body, "policy", "PreheatPolicy", _POLICY)
        name = body.get("name", "")
        same = (row for row in self._rows.values() if row.project is project and row.name == name)
        if any(row.id != number for row in same):
            refuse.conflict(f"policy {name} already exists")
        instances = {row.id: row for row in self._instances.values()}
        if not name or body.get("provider_id") not in instances or not _readable(body):
            refuse.internal()
        now = self._state.clock.now()
        instance = instances[body["provider_id"]]
        return Preheating(
            id=number, project=project, sent=body, instance=instance, created=now, updated=now
        )

    def _put(self, row: Preheating) -> None:
        self._rows[row.id] = row
        if row.trigger[0] == "scheduled":
            self._jobs.start(self._fire(row))

    # --- runs ----------------------------------------------------------------------------

    def _start(self, context: Context, project: str, name: str) -> Response:
        row = self._of(context, project, name, "read")  # so in its source, handler/preheat.go
        run = self._begin(row, self._artifacts(row))
        where = f"/api/v2.0/projects/{project}/preheat/policies/{name}"
        return created(f"{where}/executions/{run.id}")

    def _list_runs(self, context: Context, project: str, name: str) -> Response:
        row = self._of(context, project, name, "list")
        runs = self._executions.of(_VENDOR, row.id)
        return context.page(runs, generic, fields={"id": lambda run: run.id})

    def _get_run(self, context: Context, project: str, name: str, run: str) -> Response:
        return ok(generic(self._run(context, project, name, run)))

    def _stop(self, context: Context, project: str, name: str, run: str) -> Response:
        found = self._run(context, project, name, run, "update")
        if context.body.get("status") == "Stopped":
            self._executions.stop(found)
        return done()

    def _list_tasks(self, context: Context, project: str, name: str, run: str) -> Response:
        tasks = self._run(context, project, name, run, "list").tasks
        return context.page(tasks, _shown_task, fields={"id": lambda task: task.id})

    def _log(self, context: Context, project: str, name: str, run: str, task: str) -> Response:
        tasks = self._run(context, project, name, run).tasks
        found = next((each for each in tasks if str(each.id) == task), None)
        if found is None:
            refuse.not_found(f"task {task} not found")
        text = "".join(f"{line}\n" for line in found.log)
        return Response(status=200, headers={"Content-Type": "text/plain"}, body=text.encode())

    def _run(
        self, context: Context, project: str, name: str, run: str, action: str = "read"
    ) -> Execution:
        row = self._of(context, project, name, action)
        runs = self._executions.of(_VENDOR, row.id)
        found = next((each for each in runs if str(each.id) == run), None)
        if found is None:
            refuse.not_found(f"execution {run} not found")
        return found

    # --- working -------------------------------------------------------------------------

    def _begin(
        self, row: Preheating, artifacts: Iterable[tuple[str, str]], trigger: str = "MANUAL"
    ) -> Execution:
        """Send artifacts, by name and digest, to a policy's instance.

        Raises:
            HarborError: The policy is disabled, or the instance dead.
        """
        if not row.sent.get("enabled") or not _alive(row.instance.sent["endpoint"]):
            refuse.internal()
        run = self._executions.create(_VENDOR, row.id, trigger)
        for name, digest in artifacts:
            task = self._executions.add_task(run, artifact=name, digest=digest)
            self._jobs.start(self._work(row, run, task), _DELAY)
        if not run.tasks:
            self._executions.close(run, "Success", "no matched artifacts found")
        return run

    def _work(self, row: Preheating, run: Execution, task: Task) -> Iterator[float]:
        self._executions.begin(run, task)
        yield _DELAY
        if not task.open:
            return
        alive = _alive(row.instance.sent["endpoint"])
        moment = self._jobs.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        name = task.extra["artifact"]
        told = f"preheat {name}: {'done' if alive else 'the instance is not healthy'}"
        task.log.append(f"{moment} [{'INFO' if alive else 'ERROR'}] {told}")
        self._executions.finish(run, task, "Success" if alive else "Error")

    def _fire(self, row: Preheating) -> Iterator[float]:
        cron = Cron.parse(row.trigger[1])
        moment = cron.next_after(self._jobs.now())
        while moment is not None:
            yield (moment - self._jobs.now()).total_seconds()
            if self._rows.get(row.id) is not row:
                return
            self._try(row, self._artifacts(row), "SCHEDULE")
            moment = cron.next_after(moment)

    def _react(self, event: HarborEvent) -> None:
        if event.kind != "push":
            return
        for row in list(self._rows.values()):
            if row.project is event.project and row.trigger[0] == "event_based":
                wanted = [each for each in self._artifacts(row) if each[1] == event.digest]
                if wanted:
                    self._try(row, wanted, "EVENT")

    def _try(self, row: Preheating, artifacts: Iterable[tuple[str, str]], trigger: str) -> None:
        try:
            self._begin(row, artifacts, trigger)
        except HarborError:
            return  # nobody is there to be told

    def _artifacts(self, row: Preheating) -> list[tuple[str, str]]:
        """Return name and digest of what a policy chooses now."""
        with self._state.lock:
            return [
                (f"{repository.project.name}/{left.repository}:{tag}", item.digest)
                for repository in self._state.repositories_of(row.project)
                for left in [
                    chosen(
                        row.filters,
                        self._resource(repository.short_name, repository.artifacts.values()),
                    )
                ]
                if left is not None
                for item in left.items
                for tag in item.tags
            ]

    def _resource(self, name: str, artifacts: Iterable[HarborArtifact]) -> Resource:
        items = [
            Item(
                digest=each.digest,
                tags=tuple(each.tags),
                labels=tuple(label.name for label in self._state.labels_of(each)),
            )
            for each in artifacts
            if each.accessory is None
        ]
        return Resource(repository=name, items=tuple(items))


def _alive(endpoint: str) -> bool:
    try:
        exchange(endpoint, method="GET", timeout=_PATIENCE)
    except (FarError, ValueError):
        return False
    return True


def _readable(body: dict[str, Any]) -> bool:
    """Tell whether the strings of a body hold what they should."""
    try:
        filters = json.loads(body.get("filters") or "[]") or []
        trigger = json.loads(body.get("trigger") or "{}") or {}
        if trigger.get("type") == "scheduled":
            Cron.parse((trigger.get("trigger_setting") or {}).get("cron", ""))
    except (ValueError, AttributeError, BadCron):
        return False
    return isinstance(filters, list) and all(isinstance(each, dict) for each in filters)


def _value(sent: dict[str, Any]) -> Any:
    value = sent.get("value", "")
    if sent["type"] != "label":
        return value
    return value.split(",") if isinstance(value, str) and value else value or []


def _shown_instance(row: Instance) -> dict[str, Any]:
    alive = _alive(row.sent.get("endpoint", ""))
    return {
        **full(description=row.sent.get("description")),
        "id": row.id,
        "name": row.name,
        "vendor": row.sent["vendor"],
        "endpoint": row.sent.get("endpoint", ""),
        "auth_mode": row.sent.get("auth_mode", "NONE"),
        "enabled": row.sent.get("enabled", False),
        "default": row.sent.get("default", False),
        "insecure": row.sent.get("insecure", False),
        "setup_timestamp": row.since,
        "status": "Healthy" if alive else "Unknown",
    }


def _shown_enabled(row: Instance) -> dict[str, Any]:
    endpoint = row.sent.get("endpoint", "")
    return {
        **full(enabled=row.sent.get("enabled"), default=row.sent.get("default")),
        "id": row.id,
        "provider": f"{row.sent['vendor']} {row.name}-{endpoint}",
    }


def _shown(row: Preheating) -> dict[str, Any]:
    sent = row.sent
    return {
        **full(
            description=sent.get("description"),
            enabled=sent.get("enabled"),
            filters=sent.get("filters"),
            trigger=sent.get("trigger"),
            extra_attrs=sent.get("extra_attrs"),
        ),
        "id": row.id,
        "name": row.name,
        "project_id": row.project.id,
        "provider_id": row.instance.id,
        "provider_name": row.instance.name,
        "creation_time": date(row.created),
        "update_time": date(row.updated),
    }


def _shown_task(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "execution_id": task.execution_id,
        "status": task.status,
        "run_count": task.run_count,
        "extra_attrs": {**task.extra, "kind": "image"},
        "creation_time": seconds(task.created),
        "start_time": seconds(task.start),
        "update_time": seconds(task.end or task.start),
        "end_time": seconds(task.end),
    }
