"""Harbor's webhooks: where a project tells of what happens in it (HARBOR §12)."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - read at run time
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.harbor.collection import Collection
from harborsync.harbor.mistakes import Mistake, name_mistakes, refuse, url_mistakes
from harborsync.harbor.query import projects
from harborsync.harbor.records import read_all, write
from harborsync.secrets import Secret, redact_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.harbor.api import HarborApi

#: What Harbor tells of.
EVENT_TYPES: Final = frozenset(
    {
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
    }
)
_LONGEST_NAME: Final = 128
_HTTP: Final = "http"
_TYPES: Final = frozenset({_HTTP, "slack"})


class PayloadFormat(StrEnum):
    """How an event is written."""

    DEFAULT = "Default"
    CLOUD_EVENTS = "CloudEvents"


def _host(address: str) -> str:
    """Return an address as it may be shown: what is behind the host is a secret of many services."""
    start, _, rest = redact_url(address).partition("://")
    host, slash, _ = rest.partition("/")
    return repr(f"{start}://{host}/…" if slash else redact_url(address))


@attrs.frozen(kw_only=True)
class WebhookTarget:
    """A place that is told.

    Attributes:
        type: ``http`` or ``slack``.
        address: Where it is; no text shows more of it than the host.
        auth_header: What is sent as the Authorization header, word for word: all there is to
            know Harbor by. Whoever may read the policy can read it.
        skip_cert_verify: Whether its certificate is not checked.
        payload_format: ``Default`` or ``CloudEvents``, empty for slack and before 2.8.
    """

    type: str = _HTTP
    address: str = attrs.field(default="", repr=_host)
    auth_header: Secret | None = None
    skip_cert_verify: bool = False
    payload_format: str = ""


@attrs.frozen(kw_only=True)
class WebhookPolicy:
    """What a project tells, and whom.

    Attributes:
        id: Its number, or None for one not made yet.
        name: Its name.
        description: A text for people.
        enabled: Whether it tells anything.
        event_types: What is told, of :data:`EVENT_TYPES`.
        targets: Who is told.
        project_id: The project.
        creator: Who made it.
        creation_time: When it was made.
        update_time: When it was changed last.
    """

    id: int | None = None
    name: str = ""
    description: str = ""
    enabled: bool = True
    event_types: tuple[str, ...] = ()
    targets: tuple[WebhookTarget, ...] = ()
    project_id: int | None = None
    creator: str = ""
    creation_time: datetime | None = None
    update_time: datetime | None = None


@attrs.frozen(kw_only=True)
class Delivery:
    """An event that was told, or is about to be, since 2.8.

    Attributes:
        id: Its number.
        vendor_type: ``WEBHOOK`` or ``SLACK``.
        status: ``Pending``, ``Running``, ``Success``, ``Error`` or ``Stopped``.
        status_message: Why.
        extra_attrs: Of what: the type of event and the policy, among others.
        start_time: When it began.
        end_time: When it ended, or None.
    """

    id: int = 0
    vendor_type: str = ""
    status: str = ""
    status_message: str = ""
    extra_attrs: dict[str, Any] = attrs.field(factory=dict)
    start_time: datetime | None = None
    end_time: datetime | None = None


def webhook_mistakes(policy: WebhookPolicy) -> Iterator[Mistake]:
    """Yield what is wrong with a policy: Harbor takes empty names, and addresses of no scheme."""
    yield from name_mistakes(policy.name, _LONGEST_NAME)
    unknown = sorted(set(policy.event_types) - EVENT_TYPES)
    if unknown or not policy.event_types:
        what = f"{', '.join(unknown)} are no events" if unknown else "it tells of nothing"
        remedy = f"use some of {', '.join(sorted(EVENT_TYPES))}"
        yield Mistake(where="event_types", what=what, remedy=remedy)
    if not policy.targets:
        yield Mistake(where="targets", what="it tells nobody", remedy="give it a target")
    for number, target in enumerate(policy.targets):
        yield from _target_mistakes(target, f"targets[{number}]")


def _target_mistakes(target: WebhookTarget, where: str) -> Iterator[Mistake]:
    yield from url_mistakes(target.address, where=f"{where}.address")
    if target.type not in _TYPES:
        remedy = f"use one of {', '.join(sorted(_TYPES))}"
        yield Mistake(where=where, what=f"{target.type!r} is no type of target", remedy=remedy)
    if target.payload_format and target.type != _HTTP:
        what = f"a target of type {target.type} has a format of its own"
        yield Mistake(where=where, what=what, remedy="leave payload_format out")
    elif target.payload_format and target.payload_format not in set(PayloadFormat):
        remedy = f"use one of {', '.join(PayloadFormat)}"
        yield Mistake(where=where, what=f"{target.payload_format!r} is no format", remedy=remedy)


class Webhooks:
    """The webhooks of one Harbor's projects; thread-safe.

    Args:
        api: Speaks to the Harbor.
    """

    def __init__(self, api: HarborApi) -> None:
        self._api = api

    def list(self, project: str) -> Iterator[WebhookPolicy]:
        """Yield those of a project.

        Raises:
            NotFound: There is no such project.
        """
        return self._of(project).each()

    def get(self, project: str, policy_id: int) -> WebhookPolicy:
        """Return one.

        Raises:
            NotFound: There is none with this id.
        """
        return self._of(project).get(policy_id)

    def create(self, project: str, policy: WebhookPolicy) -> int:
        """Make one, and return its id; Harbor does not try whether it reaches the targets.

        Raises:
            InvalidValue: Something in it cannot work; nothing was sent.
            NotFound: There is no such project.
        """
        refuse(f"make the webhook {policy.name!r}", webhook_mistakes(policy))
        return self._of(project).make(_body(policy)).id

    def update(self, project: str, policy: WebhookPolicy) -> None:
        """Change one to exactly what this says.

        Raises:
            InvalidValue: Something in it cannot work; nothing was sent.
            NotFound: There is none with its id.
        """
        refuse(f"change the webhook {policy.name!r}", webhook_mistakes(policy))
        self._of(project).replace(policy.id, _body(policy))

    def delete(self, project: str, policy_id: int) -> bool:
        """Delete one; tell whether it was there."""
        return self._of(project).delete(policy_id)

    def events(self, project: str) -> frozenset[str]:
        """Return what this Harbor can tell of.

        Raises:
            NotFound: There is no such project.
        """
        path = projects(project, "webhook", "events")
        told = self._api.get(path, what=f"list the webhook events of {project}")
        return frozenset(told.get("event_type") or ())

    def deliveries(self, project: str, policy_id: int) -> tuple[Delivery, ...]:
        """Return what was told, or is about to be.

        Raises:
            NotFound: There is none with this id, or Harbor is older than 2.8.
        """
        path = projects(project, "webhook", "policies", policy_id, "executions")
        what, needs = f"list the deliveries of webhook {policy_id}", "notification-policy:read"
        return read_all(Delivery, self._api.pages(path, what=what, needs=needs))

    def _of(self, project: str) -> Collection[WebhookPolicy]:
        path = projects(project, "webhook", "policies")
        return Collection(
            self._api, WebhookPolicy, path, noun="webhook", resource="notification-policy"
        )


def _body(policy: WebhookPolicy) -> dict[str, Any]:
    body: dict[str, Any] = write(policy)
    for target in body["targets"]:
        if not target["payload_format"]:
            del target["payload_format"]
    return body
