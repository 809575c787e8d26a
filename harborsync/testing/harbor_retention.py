"""Tag retention of an emulated Harbor: what stays of a project when the rest is cleared away.

The rules work as Harbor's: an artifact stays if any rule that is meant for it keeps it, and is
deleted if none does, by the job service and so with an event of its own (recorded: 11, 18).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import attrs

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_cron import BadCron, Cron
from harborsync.testing.harbor_deliveries import Notice
from harborsync.testing.harbor_resources import BadRule, matches
from harborsync.testing.harbor_router import Route, route
from harborsync.testing.harbor_schema import typed
from harborsync.testing.harbor_webhooks import seconds
from harborsync.testing.harbor_wire import NEVER, created, done, full, ok
from harborsync.testing.server_wire import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from harborsync.testing.harbor_executions import Execution, Executions, Task
    from harborsync.testing.harbor_far import Line
    from harborsync.testing.harbor_jobs import Jobs
    from harborsync.testing.harbor_router import Context
    from harborsync.testing.harbor_state import (
        HarborArtifact,
        HarborProject,
        HarborRepository,
        HarborState,
    )

_VENDOR: Final = "RETENTION"
_DELAY: Final = 0.4
_CODES: Final = {"Pending": 0, "Running": 2, "Success": 3, "Error": 3, "Stopped": 3}
_BODY: Final = {"algorithm": "string", "rules": "objects", "trigger": "object", "scope": "object"}
_TEMPLATES: Final = frozenset(
    {
        "always",
        "latestPushedK",
        "latestPulledN",
        "nDaysSinceLastPush",
        "nDaysSinceLastPull",
    }
)
_TABLE: Final = (
    "|                                 Digest                                  | Tag | Kind  | Labels |     PushedTime      | PulledTime |     CreatedTime     | Retention |",
    "|-------------------------------------------------------------------------|-----|-------|--------|---------------------|------------|---------------------|-----------|",
)
_RUNS: Final = "/retentions/{number}/executions"


@attrs.define(kw_only=True, eq=False)
class Retention:
    """The rules of one project.

    Attributes:
        id: Number.
        project: Where they hold.
        algorithm: ``or``.
        rules: The rules, as sent.
        cron: When they are applied, or empty.
    """

    id: int
    project: HarborProject
    algorithm: str
    rules: list[dict[str, Any]]
    cron: str


class Retentions:
    """The retention policies of one Harbor, and the API to them.

    Args:
        state: What else the Harbor knows.
        jobs: What their runs are booked with.
        executions: Where the runs are written down.
        line: A line of the Harbor to itself.
        tell: Sends webhooks of a project.
        host: Tells where the Harbor is.
    """

    def __init__(
        self,
        state: HarborState,
        *,
        jobs: Jobs,
        executions: Executions,
        line: Callable[[], Line],
        tell: Callable[[HarborProject, Notice], None],
        host: Callable[[], str],
    ) -> None:
        self._state = state
        self._jobs = jobs
        self._executions = executions
        self._line = line
        self._tell = tell
        self._host = host
        self._rows: dict[int, Retention] = {}
        self.routes: tuple[Route, ...] = (
            route("POST", "/retentions", self._create),
            route("GET", "/retentions/{number}", self._get),
            route("PUT", "/retentions/{number}", self._update),
            route("DELETE", "/retentions/{number}", self._delete),
            route("GET", _RUNS, self._list_runs),
            route("POST", _RUNS, self._start),
            route("PATCH", f"{_RUNS}/{{run}}", self._stop),
            route("GET", f"{_RUNS}/{{run}}/tasks", self._list_tasks),
            route("GET", f"{_RUNS}/{{run}}/tasks/{{task}}", self._log),
            route("GET", "/projects/{project}/metadatas/{name}", self._get_metadata),
        )

    def schedules(self) -> list[tuple[int, str]]:
        """Return number and schedule of the policies that have one."""
        return [(row.id, row.cron) for row in self._rows.values() if row.cron]

    def add(self, project: HarborProject, rules: list[dict[str, Any]], cron: str) -> Retention:
        """Make the rules of a project."""
        row = Retention(
            id=self._state.next_id("retention"),
            project=project,
            algorithm="or",
            rules=rules,
            cron=cron,
        )
        self._put(row)
        project.metadata["retention_id"] = str(row.id)
        return row

    # --- the API -------------------------------------------------------------------------

    def _create(self, context: Context) -> Response:
        body = typed(context.body, "policy", "RetentionPolicy", _BODY)
        number = body.get("scope", {}).get("ref", 0)
        project = self._state.projects.get(number)
        if project is None:
            refuse.not_found(f"project {number} not found")
        context.require(project, "tag-retention", "create")
        held = project.metadata.get("retention_id")
        if held:
            refuse.bad_request(
                f"bad request: project {project.id} already has retention policy {held}"
            )
        rules, cron = _checked(body)
        row = self.add(project, rules, cron)
        return created(f"/api/v2.0/retentions/{row.id}")

    def _get(self, context: Context, number: str) -> Response:
        return ok(_shown(self._of(context, number, "read")))

    def _update(self, context: Context, number: str) -> Response:
        old = self._of(context, number, "update")
        body = typed(context.body, "policy", "RetentionPolicy", _BODY)
        rules, cron = _checked(body)
        self._put(attrs.evolve(old, rules=rules, cron=cron))
        return done()

    def _delete(self, context: Context, number: str) -> Response:
        row = self._of(context, number, "delete")
        del self._rows[row.id]
        row.project.metadata.pop("retention_id", None)
        return done()

    def _get_metadata(self, context: Context, project: str, name: str) -> Response:
        found = context.require(project, "metadata", "read")
        return ok({name: found.metadata[name]} if name in found.metadata else {})

    # --- runs ----------------------------------------------------------------------------

    def _start(self, context: Context, number: str) -> Response:
        row = self._of(context, number, "update")
        body = typed(context.body, "body", "TriggerRetention", {"dry_run": "bool"})
        operator = context.identity.name
        run = self._begin(row, operator=operator, dry=body.get("dry_run", False))
        return created(f"/api/v2.0/retentions/{row.id}/executions/{run.id}")

    def _stop(self, context: Context, number: str, run: str) -> Response:
        self._executions.stop(self._run(context, number, run, "update"))
        return done()

    def _list_runs(self, context: Context, number: str) -> Response:
        row = self._of(context, number, "list")
        runs = self._executions.of(_VENDOR, row.id)
        return context.page(runs, _shown_run, fields={"id": lambda run: run.id})

    def _list_tasks(self, context: Context, number: str, run: str) -> Response:
        found = self._run(context, number, run, "list")
        return context.page(found.tasks, _shown_task, fields={"id": lambda task: task.id})

    def _log(self, context: Context, number: str, run: str, task: str) -> Response:
        tasks = self._run(context, number, run, "read").tasks
        found = next((each for each in tasks if str(each.id) == task), None)
        if found is None:
            refuse.not_found(f"retention task {task} not found")
        text = "".join(f"{line}\n" for line in found.log)
        return Response(status=200, headers={"Content-Type": "text/plain"}, body=text.encode())

    def _of(self, context: Context, number: str, action: str) -> Retention:
        row = self._rows.get(int(number)) if number.isdecimal() else None
        if row is None:
            refuse.not_found(f"retention policy {number} not found")
        context.require(row.project, "tag-retention", action)
        return row

    def _run(self, context: Context, number: str, run: str, action: str) -> Execution:
        row = self._of(context, number, action)
        runs = self._executions.of(_VENDOR, row.id)
        found = next((each for each in runs if str(each.id) == run), None)
        if found is None:
            refuse.not_found(f"retention execution {run} not found")
        return found

    # --- working -------------------------------------------------------------------------

    def _put(self, row: Retention) -> None:
        self._rows[row.id] = row
        if row.cron:
            self._jobs.start(self._fire(row))

    def _fire(self, row: Retention) -> Iterator[float]:
        cron = Cron.parse(row.cron)
        moment = cron.next_after(self._jobs.now())
        while moment is not None:
            yield (moment - self._jobs.now()).total_seconds()
            if self._rows.get(row.id) is not row:
                return
            self._begin(row, operator="", dry=False, trigger="SCHEDULE")
            moment = cron.next_after(moment)

    def _begin(
        self, row: Retention, *, operator: str, dry: bool, trigger: str = "MANUAL"
    ) -> Execution:
        run = self._executions.create(_VENDOR, row.id, trigger, dry_run=dry, operator=operator)
        for repository in self._state.repositories_of(row.project):
            if any(_concerns(rule, repository) for rule in row.rules):
                task = self._executions.add_task(run, repository=repository.short_name)
                self._jobs.start(self._work(row, run, task, repository), _DELAY)
        if not run.tasks:
            self._executions.close(run, "Success", "")
        return run

    def _work(
        self, row: Retention, run: Execution, task: Task, repository: HarborRepository
    ) -> Iterator[float]:
        self._executions.begin(run, task)
        artifacts = [each for each in repository.artifacts.values() if each.accessory is None]
        kept = self._kept(row, repository, artifacts)
        gone = [each for each in artifacts if each.digest not in kept]
        task.extra |= {"total": len(artifacts), "retained": len(kept)}
        task.log += _report(self._jobs.now(), repository, artifacts, kept, run)
        names = [_name(each) for each in gone]
        if not run.extra["dry_run"]:
            self._clear(repository, gone)
        yield 0.1
        self._executions.finish(run, task, "Success")
        if not run.extra["dry_run"]:
            self._tell(row.project, self._notice(row, run, task, names))

    def _kept(
        self, row: Retention, repository: HarborRepository, artifacts: Sequence[HarborArtifact]
    ) -> frozenset[str]:
        """Return the digests of what stays."""
        kept: set[str] = set()
        for rule in row.rules:
            if not rule.get("disabled") and _concerns(rule, repository):
                wanted = [each for each in artifacts if _selected(rule, each)]
                kept |= {each.digest for each in _retained(rule, wanted, self._jobs.now())}
        return frozenset(kept)

    def _clear(self, repository: HarborRepository, gone: Sequence[HarborArtifact]) -> None:
        name = quote(quote(repository.short_name, safe=""), safe="")
        base = f"/api/v2.0/projects/{repository.project.name}/repositories/{name}/artifacts"
        for each in gone:
            self._line().send("DELETE", f"{base}/{each.digest}")

    def _notice(self, row: Retention, run: Execution, task: Task, names: Sequence[str]) -> Notice:
        deleted = [
            {"type": "image", "status": "SUCCESS", "name_tag": name, "references": None}
            for name in names
        ]
        retention = {
            "total": task.extra["total"],
            "retained": task.extra["retained"],
            "harbor_hostname": self._host().partition(":")[0],
            "project_name": row.project.name,
            "retention_policy_id": row.id,
            "retention_rule": [_told(rule) for rule in row.rules],
            "result": "SUCCESS",
            "deleted_artifact": deleted,
        }
        return Notice(
            kind="TAG_RETENTION",
            at=self._jobs.now(),
            operator=run.extra["operator"],
            request_id=task.job_id,
            data={"retention": retention},
        )


def _checked(body: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Return rules and schedule of a body.

    Raises:
        HarborError: A rule is of no known kind, or the schedule is none.
    """
    rules = [dict(rule) for rule in body.get("rules", ())]
    for rule in rules:
        if rule.get("template") not in _TEMPLATES:
            refuse.bad_request(f"bad request: unknown template: {rule.get('template')}")
    settings = (body.get("trigger") or {}).get("settings") or {}
    cron = str(settings.get("cron", ""))
    try:
        if cron:
            Cron.parse(cron)
    except BadCron:
        refuse.bad_request(f"bad request: invalid cron string: {cron}")
    return rules, cron


def _shown(row: Retention) -> dict[str, Any]:
    return {
        "id": row.id,
        "algorithm": row.algorithm,
        "rules": [_shown_rule(rule) for rule in row.rules],
        "scope": {"level": "project", "ref": row.project.id},
        "trigger": {"kind": "Schedule", "settings": {"cron": row.cron}},
    }


def _shown_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in rule.items() if value not in (False, 0, "", None)}


def _told(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule as a webhook tells it."""
    scopes = rule.get("scope_selectors") or {}
    return {
        "template": rule["template"],
        "params": rule.get("params"),
        "tag_selectors": rule.get("tag_selectors"),
        "scope_selectors": {
            name: [{"extras": "", **each} for each in selectors]
            for name, selectors in scopes.items()
        },
    }


def _shown_run(run: Execution) -> dict[str, Any]:
    start = run.start.replace(tzinfo=None).isoformat(timespec="microseconds")
    return {
        **full(dry_run=run.extra["dry_run"]),
        "id": run.id,
        "policy_id": run.vendor_id,
        "status": run.status,
        "trigger": run.trigger,
        "start_time": f"{start}Z",
        "end_time": seconds(run.end),
    }


def _shown_task(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "execution_id": task.execution_id,
        "repository": task.extra["repository"],
        "job_id": task.job_id,
        "status": task.status,
        "status_code": _CODES[task.status],
        "total": task.extra.get("total", 0),
        "retained": task.extra.get("retained", 0),
        "start_time": seconds(task.start),
        "end_time": seconds(task.end),
    }


def _concerns(rule: Mapping[str, Any], repository: HarborRepository) -> bool:
    """Tell whether a rule is for a repository."""
    selectors = (rule.get("scope_selectors") or {}).get("repository") or ()
    return all(_passes(each, repository.short_name, "repoExcludes") for each in selectors)


def _selected(rule: Mapping[str, Any], artifact: HarborArtifact) -> bool:
    """Tell whether a rule looks at an artifact: by any of its tags, or without one."""
    for each in rule.get("tag_selectors") or ():
        if not artifact.tags and '"untagged":false' in each.get("extras", "").replace(" ", ""):
            return False
        if artifact.tags and not any(_passes(each, tag, "excludes") for tag in artifact.tags):
            return False
    return True


def _passes(selector: Mapping[str, Any], name: str, negation: str) -> bool:
    try:
        found = matches(selector["pattern"], name)
    except BadRule:
        return False
    return bool(found != (selector["decoration"] == negation))


def _retained(
    rule: Mapping[str, Any], artifacts: Sequence[HarborArtifact], now: datetime
) -> Sequence[HarborArtifact]:
    """Return what a rule keeps of the artifacts it looks at."""
    template = rule["template"]
    if template == "always":
        return artifacts
    number = int((rule.get("params") or {}).get(template, 0))
    pulled = "Pull" in template

    def last(artifact: HarborArtifact) -> datetime:
        return artifact.pulled if pulled else artifact.pushed

    if template.startswith("latest"):
        order = sorted(artifacts, key=lambda each: (last(each), each.id), reverse=True)
        return [each for each in order if last(each) != NEVER][:number]
    return [each for each in artifacts if now - last(each) <= timedelta(days=number)]


def _name(artifact: HarborArtifact) -> str:
    tag = next(iter(artifact.tags), "")
    mark = f":{tag}" if tag else f"@{artifact.digest}"
    return f"{artifact.repository.short_name}{mark}"


def _report(
    now: datetime,
    repository: HarborRepository,
    artifacts: Sequence[HarborArtifact],
    kept: frozenset[str],
    run: Execution,
) -> list[str]:
    """Return the log of a task, with its table of what stays."""
    start = f"{now.strftime('%Y-%m-%dT%H:%M:%SZ')} [INFO] [/pkg/retention/job.go"
    dry = str(run.extra["dry_run"]).lower()
    rows = sorted(artifacts, key=lambda each: each.digest not in kept)
    return [
        f"{start}:86]: Run retention process.",
        f" Repository: {repository.name} ",
        " Rule Algorithm: or ",
        f" Dry Run: {dry}",
        f"{start}:101]: Load {len(artifacts)} candidates from repository {repository.name}",
        f"{start}:212]: ",
        *_TABLE,
        *(_row(each, stays=each.digest in kept) for each in rows),
    ]


def _row(artifact: HarborArtifact, *, stays: bool) -> str:
    tags = ",".join(artifact.tags)
    pushed, pulled = (_day(each) for each in (artifact.pushed, artifact.pulled))
    verdict = "RETAIN" if stays else "DEL"
    cells = (artifact.digest, f"{tags:>3}", "image", " " * 6, pushed, f"{pulled:10}", pushed)
    return f"| {' | '.join(cells)} | {verdict:9} |"


def _day(moment: datetime) -> str:
    return "" if moment == NEVER else moment.strftime("%Y/%m/%d %H:%M:%S")
