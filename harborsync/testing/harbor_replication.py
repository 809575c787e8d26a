"""Runs of replication policies in an emulated Harbor, and the API to them (HARBOR-10).

A run lists its source a moment after it was started, then has one task for each repository,
which copies for real: to and from whatever is at the addresses of the endpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_far import FarError
from harborsync.testing.harbor_policies import VENDOR, Policy
from harborsync.testing.harbor_resources import BadRule, Item, Resource, chosen, renamed
from harborsync.testing.harbor_router import Route, route
from harborsync.testing.harbor_schema import typed
from harborsync.testing.harbor_transfer import Stopped, Transfer
from harborsync.testing.harbor_wire import (
    NEVER,
    created,
    date,
    ok,
)
from harborsync.testing.server_wire import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from harborsync.testing.harbor_endpoints import Endpoints
    from harborsync.testing.harbor_executions import Execution, Executions, Task
    from harborsync.testing.harbor_jobs import Jobs
    from harborsync.testing.harbor_policies import Policies
    from harborsync.testing.harbor_router import Context
    from harborsync.testing.harbor_state import HarborEvent, HarborState

#: Seconds until a source is listed, and until there are tasks (recorded: 10-executions).
_LISTING: Final = 0.15
_QUEUEING: Final = 0.2
_STATUSES: Final = {
    "Pending": "InProgress",
    "Scheduled": "InProgress",
    "Running": "InProgress",
    "Success": "Succeed",
    "Error": "Failed",
    "Stopped": "Stopped",
}
_TRIGGERS: Final = {"MANUAL": "manual", "SCHEDULE": "scheduled", "EVENT": "event_based"}
_OPERATIONS: Final = {
    "push": "copy",
    "tag_create": "copy",
    "delete": "deletion",
    "tag_delete": "tag deletion",
}
_SOURCE_FILE: Final = "/controller/replication/transfer/image/transfer.go"


class Replication:
    """Starts and stops runs, and tells how they are.

    Args:
        state: What else the Harbor knows.
        jobs: What the runs are booked with.
        executions: Where they are written down.
        endpoints: The registries.
        policies: The policies.
    """

    def __init__(
        self,
        state: HarborState,
        *,
        jobs: Jobs,
        executions: Executions,
        endpoints: Endpoints,
        policies: Policies,
    ) -> None:
        self._state = state
        self._jobs = jobs
        self._executions = executions
        self._endpoints = endpoints
        self._policies = policies
        policies.schedulers.append(self._schedule)
        state.subscribers.append(self._react)
        self.routes: tuple[Route, ...] = (
            route("GET", "/replication/executions", self._list),
            route("POST", "/replication/executions", self._start),
            route("GET", "/replication/executions/{number}", self._get),
            route("PUT", "/replication/executions/{number}", self._stop),
            route("GET", "/replication/executions/{number}/tasks", self._list_tasks),
            route("GET", "/replication/executions/{number}/tasks/{task}/log", self._log),
        )

    # --- the API -------------------------------------------------------------------------

    def _list(self, context: Context) -> Response:
        context.require_system("replication", "list")
        policy = context.query.get("policy_id", "")
        wanted = int(policy) if policy.isdecimal() else None
        rows = [
            run
            for run in self._executions.of(VENDOR, wanted)
            if _asked(context, "status", _STATUSES[run.status])
            and _asked(context, "trigger", _TRIGGERS[run.trigger])
        ]
        fields: dict[str, Callable[[Execution], Any]] = {
            "id": lambda run: run.id,
            "policy_id": lambda run: run.vendor_id,
            "start_time": lambda run: run.start,
            "end_time": lambda run: run.end or NEVER,
        }
        return context.page(rows, _shown, fields=fields)

    def _start(self, context: Context) -> Response:
        context.require_system("replication", "create")
        fields = {"policy_id": "int64"}
        body = typed(context.body, "execution", "StartReplicationExecution", fields)
        policy = self._policies.find(body.get("policy_id", 0))
        run = self.start(policy, operator=context.identity.name)
        return created(f"/api/v2.0/replication/executions/{run.id}")

    def _get(self, context: Context, number: str) -> Response:
        context.require_system("replication", "read")
        return ok(_shown(self._of(number)))

    def _stop(self, context: Context, number: str) -> Response:
        context.require_system("replication", "create")
        self._executions.stop(self._of(number))
        return ok(None)

    def _list_tasks(self, context: Context, number: str) -> Response:
        context.require_system("replication", "list")
        rows = [
            task
            for task in self._of(number).tasks
            if _asked(context, "status", _task_status(task))
            and _asked(context, "resource_type", task.extra["resource_type"])
        ]
        fields: dict[str, Callable[[Task], Any]] = {
            "id": lambda task: task.id,
            "start_time": lambda task: task.start or task.created,
        }
        return context.page(rows, _shown_task, fields=fields)

    def _log(self, context: Context, number: str, task: str) -> Response:
        context.require_system("replication", "read")
        run = self._of(number)
        found = next((each for each in run.tasks if str(each.id) == task), None)
        if found is None:
            refuse.not_found(f"replication task {task} not found")
        if found.start is None:
            refuse.not_found(f"the log of task {task} not found")
        text = "".join(f"{line}\n" for line in found.log)
        return Response(status=200, headers={"Content-Type": "text/plain"}, body=text.encode())

    def _of(self, number: str) -> Execution:
        run = self._executions.find(VENDOR, int(number) if number.isdecimal() else -1)
        if run is None:
            refuse.not_found(f"replication execution {number} not found")
        return run

    # --- starting ------------------------------------------------------------------------

    def start(
        self,
        policy: Policy,
        *,
        trigger: str = "MANUAL",
        operator: str = "",
        resource: Resource | None = None,
    ) -> Execution:
        """Begin a run of a policy.

        Args:
            policy: Which one.
            trigger: What set it off: ``MANUAL``, ``SCHEDULE`` or ``EVENT``.
            operator: Who did.
            resource: What is to be done, if that is known without listing the source.

        Raises:
            HarborError: The policy is disabled.
        """
        if not policy.enabled:
            refuse.precondition(f"the policy {policy.id} is disabled")
        busy = any(run.open for run in self._executions.of(VENDOR, policy.id))
        run = self._executions.create(VENDOR, policy.id, trigger, operator=operator)
        if policy.single_active and busy:
            text = "Execution skipped: active replication still in progress."
            self._executions.close(run, "Error", text)
        else:
            self._jobs.start(self._run(policy, run, resource), _LISTING)
        return run

    def _schedule(self, policy: Policy) -> None:
        if policy.cron is not None:
            self._jobs.start(self._fire(policy))

    def _fire(self, policy: Policy) -> Iterator[float]:
        """Start a scheduled policy time and again, until it is changed or deleted."""
        cron = policy.cron
        moment = cron.next_after(self._jobs.now()) if cron else None
        while cron is not None and moment is not None:
            yield (moment - self._jobs.now()).total_seconds()
            if not self._policies.current(policy):
                return
            if policy.enabled:
                self.start(policy, trigger="SCHEDULE", operator=policy.creator)
            moment = cron.next_after(moment)

    def _react(self, event: HarborEvent) -> None:
        """Start the event-based policies that want to know of what has just happened."""
        operation = _OPERATIONS.get(event.kind)
        if operation is None:
            return
        resource = self._resource_of(event, operation)
        for policy in self._policies:
            # With a remote source it is taken and never fires (recorded: 09).
            wanted = policy.enabled and policy.source == 0 and policy.kind == "event_based"
            if not wanted or (operation != "copy" and not policy.deletion):
                continue
            left = self._left_of(policy, resource)
            if left is not None:
                self.start(policy, trigger="EVENT", operator=event.operator, resource=left)

    def _left_of(self, policy: Policy, resource: Resource) -> Resource | None:
        try:
            return chosen(policy.filters, resource)
        except BadRule:
            return None

    def _resource_of(self, event: HarborEvent, operation: str) -> Resource:
        tag = event.tag if ":" not in event.tag else ""
        # An artifact's tags are told the newest first (recorded: 10-replication-events).
        tags = event.tags[::-1] if operation == "deletion" else (tag,) if tag else ()
        item = Item(digest=event.digest, tags=tags, labels=self._labels(event))
        return Resource(
            repository=event.repository,
            items=(item,),
            public=str(event.project.public).lower(),
            operation=operation,
        )

    def _labels(self, event: HarborEvent) -> tuple[str, ...]:
        repository = self._state.repositories.get(event.repository)
        artifact = repository.find(event.digest) if repository is not None else None
        if artifact is None:
            return ()
        return tuple(label.name for label in self._state.labels_of(artifact))

    # --- running -------------------------------------------------------------------------

    def _run(self, policy: Policy, run: Execution, resource: Resource | None) -> Iterator[float]:
        try:
            resources = [resource] if resource is not None else self._fetch(policy)
            names = self._names(policy, resources)
            skipped = self._prepare(policy, resources, names)
        except (FarError, BadRule) as error:
            self._executions.close(run, "Error", str(error))
            return
        yield _QUEUEING
        if not run.open:
            return
        for each, name, skip in zip(resources, names, skipped, strict=True):
            if not skip:
                self._add(policy, run, each, name)
        if not run.tasks:
            self._executions.close(run, "Success", "no resources need to be replicated")

    def _fetch(self, policy: Policy) -> list[Resource]:
        source = self._endpoints.adapter(self._endpoints.recall(policy.source))
        try:
            return source.fetch(policy.filters)
        except (FarError, BadRule) as error:
            msg = f"failed to fetch artifacts: {error}"
            raise FarError(msg) from error

    def _names(self, policy: Policy, resources: Sequence[Resource]) -> list[str]:
        destination = self._endpoints.adapter(self._endpoints.recall(policy.destination))
        kind = destination.components
        namespace, replace = policy.namespace, policy.replace
        return [renamed(each.repository, namespace, replace, components=kind) for each in resources]

    def _prepare(
        self, policy: Policy, resources: Sequence[Resource], names: Sequence[str]
    ) -> list[bool]:
        copied = [each.operation == "copy" for each in resources]
        if not resources or not all(copied):
            return [False] * len(resources)
        destination = self._endpoints.adapter(self._endpoints.recall(policy.destination))
        moved = [
            attrs.evolve(each, repository=name) for each, name in zip(resources, names, strict=True)
        ]
        try:
            return destination.prepare(moved)
        except FarError as error:
            msg = f"failed to do the prepare work for pushing/uploading resources: {error}"
            raise FarError(msg) from error

    def _add(self, policy: Policy, run: Execution, resource: Resource, name: str) -> None:
        task = self._executions.add_task(
            run,
            operation=resource.operation,
            resource_type=resource.kind,
            source=resource.title,
            destination=attrs.evolve(resource, repository=name).title,
            references=resource.references,
            policy=policy,
        )
        self._jobs.start(self._work(policy, run, task, resource, name))

    def _work(
        self, policy: Policy, run: Execution, task: Task, resource: Resource, name: str
    ) -> Iterator[float]:
        self._executions.begin(run, task)
        status = "Success"
        try:
            yield from self._transfer(policy, task, resource, name).run()
        except FarError:
            status = "Error"
        except Stopped:
            return
        if task.open:
            self._executions.finish(run, task, status)

    def _transfer(self, policy: Policy, task: Task, resource: Resource, name: str) -> Transfer:
        def log(level: str, line: int, text: str) -> None:
            moment = self._jobs.now().strftime("%Y-%m-%dT%H:%M:%SZ")
            told = text.removesuffix("\n")
            task.log.append(f"{moment} [{level}] [{_SOURCE_FILE}:{line}]: {told}")

        ends = [self._endpoints.recall(each) for each in (policy.source, policy.destination)]
        for side, line, row in zip(("source", "destination"), (140, 150), ends, strict=True):
            insecure = str(row.insecure).lower()
            told = f"[type: {row.kind}, URL: {row.url}, insecure: {insecure}] created"
            log("INFO", line, f"client for {side} registry {told}")
        return Transfer(
            source=self._endpoints.adapter(ends[0]),
            destination=self._endpoints.adapter(ends[1]),
            resource=resource,
            name=name,
            override=policy.override,
            speed=policy.speed,
            by_chunk=policy.by_chunk,
            log=log,
            stopped=lambda: not task.open,
        )


def _asked(context: Context, name: str, value: str) -> bool:
    return (context.query.get(name) or value) == value


def _shown(run: Execution) -> dict[str, Any]:
    counts = run.counts
    return {
        "id": run.id,
        "policy_id": run.vendor_id,
        "status": _STATUSES[run.status],
        "status_text": run.message,
        "trigger": _TRIGGERS[run.trigger],
        "start_time": date(run.start),
        "end_time": date(_whole(run.end) if run.tasks else run.end or NEVER),
        "total": len(run.tasks),
        "succeed": counts["Success"],
        "failed": counts["Error"],
        "in_progress": sum(task.open for task in run.tasks),
        "stopped": counts["Stopped"],
    }


def _shown_task(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "execution_id": task.execution_id,
        "status": _task_status(task),
        "job_id": task.job_id,
        "operation": task.extra["operation"],
        "resource_type": task.extra["resource_type"],
        "src_resource": task.extra["source"],
        "dst_resource": task.extra["destination"],
        "start_time": date(_whole(task.start or task.created)),
        "end_time": date(_whole(task.end)),
    }


def _task_status(task: Task) -> str:
    return "Pending" if task.status == "Pending" else _STATUSES[task.status]


def _whole(moment: datetime | None) -> datetime:
    """Return a moment of a task, which has whole seconds (recorded: 10-executions)."""
    return (moment or NEVER).replace(microsecond=0)
