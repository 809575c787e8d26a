"""How an emulated Harbor tells others what happened: the bodies of webhooks, and their sending.

Each delivery is a run with one task of up to three attempts. It is sent over HTTP, or handed to
a function that stands for the receiver; either way it is kept, to look at.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from harborsync.testing.harbor_far import FarError, exchange
from harborsync.testing.harbor_wire import NEVER

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from harborsync.testing.harbor_executions import Execution, Executions, Task
    from harborsync.testing.harbor_jobs import Jobs
    from harborsync.testing.harbor_state import HarborEvent, HarborState

#: Webhook events by what happened (HARBOR-12); tags made or deleted by the API have none.
EVENTS: Final = {
    "push": "PUSH_ARTIFACT",
    "pull": "PULL_ARTIFACT",
    "delete": "DELETE_ARTIFACT",
    "quota_exceeded": "QUOTA_EXCEED",
    "quota_warning": "QUOTA_WARNING",
}
_CLOUD_TYPES: Final = {
    "PUSH_ARTIFACT": "harbor.artifact.pushed",
    "PULL_ARTIFACT": "harbor.artifact.pulled",
    "DELETE_ARTIFACT": "harbor.artifact.deleted",
    "QUOTA_EXCEED": "harbor.quota.exceeded",
    "QUOTA_WARNING": "harbor.quota.warned",
    "REPLICATION": "harbor.replication.status.changed",
    "TAG_RETENTION": "harbor.tag_retention.finished",
}
_ATTEMPTS: Final = 3
#: Seconds between two attempts (recorded: 11-webhooks, where they are 65 to 119).
_PATIENCE: Final = 65.0
#: How long a receiver may take (JOBSERVICE_WEBHOOK_JOB_HTTP_CLIENT_TIMEOUT).
_TIMEOUT: Final = 3.0
_DELAY: Final = 0.1
_SOURCE_FILE: Final = "/jobservice/job/impl/notification/webhook_job.go"


@attrs.frozen(kw_only=True)
class Notice:
    """Something that webhooks tell.

    Attributes:
        kind: The event, such as ``PUSH_ARTIFACT``.
        at: When it happened.
        operator: Who did it.
        request_id: The request that did it.
        data: What both formats say about it.
    """

    kind: str
    at: datetime
    operator: str
    request_id: str
    data: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Target:
    """Where a notice goes.

    Attributes:
        address: The receiver.
        auth_header: Sent as ``Authorization``, if not empty.
        cloud: Whether it is sent as a CloudEvent.
        source: What a CloudEvent says it comes from.
    """

    address: str
    auth_header: str = attrs.field(default="", repr=False)
    cloud: bool = False
    source: str = ""


@attrs.frozen(kw_only=True)
class Delivery:
    """A notice as it was sent once.

    Attributes:
        address: The receiver.
        headers: Header fields.
        body: The body.
        at: When.
        status: What the receiver answered, or 0 if it did not.
    """

    address: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes
    at: datetime = NEVER
    status: int = 0

    @property
    def document(self) -> dict[str, Any]:
        """The parsed body."""
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


class Receiver(Protocol):
    """Stands for a program that receives webhooks."""

    def __call__(self, delivery: Delivery, /) -> int | None:
        """Take a delivery and return the status to answer it with; None is 200.

        Raises:
            OSError: Nobody is there, or they took too long.
        """
        ...


class Deliveries:
    """Sends notices; safe to use from threads.

    Attributes:
        sent: Every attempt so far, in order.
        receivers: Functions that stand for receivers, by address; ``*`` for all of them.
        copies: How often each notice is sent, for receivers that must know one twice.
        disorder: Where delays of up to a second come from, so that notices overtake each
            other, or None for all in order.
    """

    def __init__(self, jobs: Jobs, executions: Executions) -> None:
        self._jobs = jobs
        self._executions = executions
        self.sent: list[Delivery] = []
        self.receivers: dict[str, Receiver] = {}
        self.copies = 1
        self.disorder: random.Random | None = None

    def send(self, policy_id: int, target: Target, notice: Notice) -> None:
        """Send a notice a moment from now."""
        headers, body = _written(target, notice)
        kept = json.dumps(_default(notice), separators=(",", ":"), ensure_ascii=False)
        run = self._executions.create(
            "WEBHOOK", policy_id, "EVENT", event_type=notice.kind, payload=kept
        )
        task = self._executions.add_task(run)
        delivery = Delivery(address=target.address, headers=headers, body=body)
        for number in range(self.copies):
            late = self.disorder.random() if self.disorder else number * _DELAY
            if number == 0:
                self._jobs.start(self._work(run, task, delivery), _DELAY + late)
            else:
                self._jobs.start(self._repeat(delivery), _DELAY + late)

    def _repeat(self, delivery: Delivery) -> Iterator[float]:
        self._attempt(delivery)
        yield from ()

    def _work(self, run: Execution, task: Task, delivery: Delivery) -> Iterator[float]:
        for attempt in range(1, _ATTEMPTS + 1):
            task.run_count = attempt
            self._executions.begin(run, task)
            task.log.clear()
            self._say(task, "INFO", 73, "start to run webhook job")
            text = delivery.body.decode()
            self._say(task, "INFO", 118, f"send request to remote endpoint, body: {text}")
            problem = self._attempt(delivery)
            if not problem:
                self._say(task, "INFO", 80, "success to run webhook job")
                self._executions.finish(run, task, "Success")
                return
            self._say(task, "ERROR", 76, f"exit webhook job, error: {problem}")
            if attempt < _ATTEMPTS:
                yield _PATIENCE
        self._executions.finish(run, task, "Error")

    def _attempt(self, delivery: Delivery) -> str:
        """Send it once; return what went wrong, or nothing."""
        status, problem = 0, ""
        try:
            status, text = self._deliver(delivery)
            if not 200 <= status < 300:  # noqa: PLR2004 - that is what 2xx means
                problem = f"abnormal response code: {status}, body: {text}"
        except (FarError, OSError) as error:
            problem = f"error to send request: {error}"
        self.sent.append(attrs.evolve(delivery, at=self._jobs.now(), status=status))
        return problem

    def _deliver(self, delivery: Delivery) -> tuple[int, str]:
        receiver = self.receivers.get(delivery.address, self.receivers.get("*"))
        if receiver is not None:
            status = receiver(attrs.evolve(delivery, at=self._jobs.now()))
            return (200 if status is None else status), ""
        reply = exchange(
            delivery.address,
            method="POST",
            headers=delivery.headers,
            body=delivery.body,
            timeout=_TIMEOUT,
        )
        return reply.status, reply.body.decode("utf-8", "replace")

    def _say(self, task: Task, level: str, line: int, text: str) -> None:
        moment = self._jobs.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        task.log.append(f"{moment} [{level}] [{_SOURCE_FILE}:{line}]: {text}")


def notice_of(event: HarborEvent, state: HarborState, host: str) -> Notice | None:
    """Return what webhooks tell of an event, or None for nothing."""
    if event.kind not in EVENTS:
        return None
    quota = event.kind.startswith("quota")
    data: dict[str, Any] = {}
    if event.digest:
        data["resources"] = [_resource(event, "" if quota else host)]
    data["repository"] = _repository(event, state, dated=not quota)
    if quota:
        data["custom_attributes"] = {"Details": event.details}
    return Notice(
        kind=EVENTS[event.kind],
        at=event.at,
        operator=event.operator,
        request_id=event.request_id or str(uuid.uuid4()),
        data=data,
    )


def _resource(event: HarborEvent, host: str) -> dict[str, str]:
    """Return the one resource that is told: what was named, or its newest tag, or the digest."""
    named = event.tags[-1:] if event.kind == "delete" else (event.tag,)
    tag = next(iter(named), "") or event.digest
    found = {"digest": event.digest, "tag": tag}
    if host:
        mark = "@" if ":" in tag else ":"
        found["resource_url"] = f"{host}/{event.repository}{mark}{tag}"
    return found


def _repository(event: HarborEvent, state: HarborState, *, dated: bool) -> dict[str, Any]:
    row = state.repositories.get(event.repository)
    created = {"date_created": int(row.created.timestamp())} if dated and row is not None else {}
    return {
        **created,
        "name": event.repository.partition("/")[2],
        "namespace": event.project.name,
        "repo_full_name": event.repository,
        "repo_type": "public" if event.project.public else "private",
    }


def _default(notice: Notice) -> dict[str, Any]:
    return {
        "type": notice.kind,
        "occur_at": int(notice.at.timestamp()),
        "operator": notice.operator,
        "event_data": notice.data,
    }


def _cloud(target: Target, notice: Notice) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": target.source,
        "type": _CLOUD_TYPES[notice.kind],
        "datacontenttype": "application/json",
        "time": notice.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "data": notice.data,
        "operator": notice.operator,
        "requestid": notice.request_id,
    }


def _written(target: Target, notice: Notice) -> tuple[dict[str, str], bytes]:
    """Return header fields and body of a notice."""
    document = _cloud(target, notice) if target.cloud else _default(notice)
    kind = "application/cloudevents+json" if target.cloud else "application/json"
    headers = {"User-Agent": "Go-http-client/1.1", "Content-Type": kind}
    if target.auth_header:
        headers["Authorization"] = target.auth_header
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return headers, text.encode()
