"""Replication policies of an emulated Harbor: what they must look like, and the API to them.

The refusals and their words are those of the recordings (09-policies), as is what is taken
though it cannot work: patterns, labels and numbers of components are looked at by no one
before a run (HARBOR-9).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_cron import BadCron, Cron
from harborsync.testing.harbor_router import Route, route
from harborsync.testing.harbor_schema import typed
from harborsync.testing.harbor_wire import (
    created,
    date,
    done,
    full,
    ok,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from harborsync.testing.harbor_endpoints import Endpoints
    from harborsync.testing.harbor_executions import Executions
    from harborsync.testing.harbor_router import Context
    from harborsync.testing.harbor_state import HarborState
    from harborsync.testing.server_wire import Response

VENDOR: Final = "REPLICATION"
_LONGEST_NAME: Final = 256
_TRIGGERS: Final = frozenset({"manual", "scheduled", "event_based"})
_DECORATED: Final = frozenset({"tag", "label"})
_NAMESPACE: Final = re.compile(
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_BODY: Final = {
    "name": "string",
    "description": "string",
    "src_registry": "object",
    "dest_registry": "object",
    "dest_namespace": "string",
    "dest_namespace_replace_count": "int8",
    "trigger": "object",
    "filters": "objects",
    "replicate_deletion": "bool",
    "deletion": "bool",
    "override": "bool",
    "enabled": "bool",
    "speed": "int32",
    "copy_by_chunk": "bool",
    "single_active_replication": "bool",
}
#: Fields that came later than the first version emulated (HARBOR-14).
_SINCE: Final = {"single_active_replication": (2, 14)}


@attrs.define(kw_only=True, eq=False)
class Policy:
    """A rule by which one side is copied to the other.

    Attributes:
        id: Number.
        name: Its name.
        source: Number of the registry copied from; 0 is this Harbor.
        destination: Number of the registry copied to.
        filters: What is copied, as it was sent.
        trigger: When, as it was sent, or None.
        namespace: What takes the place of names' first components.
        replace: How many of them; -1 for all but the last.
        description: What it is for.
        enabled: Whether it may run.
        deletion: Whether events copy deletions.
        override: Whether tags at the destination are changed.
        speed: Kilobits a second for a task, or 0.
        by_chunk: Whether blobs go in pieces.
        single_active: Whether a run waits for none other, and is skipped.
        creator: Who made it.
        created: When it was made.
        updated: When it was changed.
    """

    id: int
    name: str
    source: int
    destination: int
    filters: list[dict[str, Any]]
    trigger: dict[str, Any] | None
    namespace: str
    replace: int
    description: str
    enabled: bool
    deletion: bool
    override: bool
    speed: int
    by_chunk: bool
    single_active: bool
    creator: str
    created: datetime
    updated: datetime

    @property
    def kind(self) -> str:
        """The type of its trigger."""
        return str(self.trigger["type"]) if self.trigger else "manual"

    @property
    def cron(self) -> Cron | None:
        """Its schedule, or None."""
        if self.kind != "scheduled" or self.trigger is None:
            return None
        return Cron.parse(self.trigger["trigger_settings"]["cron"])


class Policies:
    """The replication policies of one Harbor, and the API to them."""

    def __init__(self, state: HarborState, endpoints: Endpoints, executions: Executions) -> None:
        self._state = state
        self._endpoints = endpoints
        self._executions = executions
        self._rows: dict[int, Policy] = {}
        #: Called with each policy that is new or changed, so that its schedule begins anew.
        self.schedulers: list[Callable[[Policy], None]] = []
        endpoints.users.append(self._uses)
        self.routes: tuple[Route, ...] = (
            route("GET", "/replication/policies", self._list),
            route("POST", "/replication/policies", self._create),
            route("GET", "/replication/policies/{number}", self._get),
            route("PUT", "/replication/policies/{number}", self._update),
            route("DELETE", "/replication/policies/{number}", self._delete),
        )

    def __iter__(self) -> Iterator[Policy]:
        """Yield all policies."""
        return iter(list(self._rows.values()))

    def find(self, number: int) -> Policy:
        """Return the policy of a number.

        Raises:
            HarborError: There is none.
        """
        if number not in self._rows:
            refuse.not_found(f"replication policy {number} not found")
        return self._rows[number]

    def current(self, policy: Policy) -> bool:
        """Tell whether a policy has been neither changed nor deleted."""
        return self._rows.get(policy.id) is policy

    # --- the API -------------------------------------------------------------------------

    def _list(self, context: Context) -> Response:
        context.require_system("replication-policy", "list")
        wanted = context.query.get("name", "")
        rows = [row for row in self._rows.values() if wanted in row.name]
        fields: dict[str, Callable[[Policy], Any]] = {
            "id": lambda row: row.id,
            "name": lambda row: row.name,
            "description": lambda row: row.description,
            "creation_time": lambda row: row.created,
            "update_time": lambda row: row.updated,
        }
        return context.page(rows, self.shown, fields=fields)

    def _get(self, context: Context, number: str) -> Response:
        context.require_system("replication-policy", "read")
        return ok(self.shown(self._of(number)))

    def _create(self, context: Context) -> Response:
        context.require_system("replication-policy", "create")
        policy = self._read(context, 0)
        policy.id = self._state.next_id("replication_policy")
        self._put(policy)
        return created(f"/api/v2.0/replication/policies/{policy.id}")

    def _update(self, context: Context, number: str) -> Response:
        """Replace a policy: what is not sent is gone (recorded: 09)."""
        context.require_system("replication-policy", "update")
        old = self._of(number)
        policy = self._read(context, old.id)
        self._put(attrs.evolve(policy, created=old.created, creator=old.creator))
        return done()

    def _delete(self, context: Context, number: str) -> Response:
        context.require_system("replication-policy", "delete")
        policy = self._of(number)
        if any(run.open for run in self._executions.of(VENDOR, policy.id)):
            refuse.precondition(
                "contains executions that aren't in final status, stop the execution first"
            )
        self._executions.forget(VENDOR, policy.id)
        del self._rows[policy.id]
        return done()

    def shown(self, policy: Policy) -> dict[str, Any]:
        """Return a policy as the API shows it."""
        shown = full(
            description=policy.description,
            dest_namespace=policy.namespace,
            enabled=policy.enabled,
            override=policy.override,
            deletion=policy.deletion,
            replicate_deletion=policy.deletion,
            trigger=policy.trigger,
        )
        shown |= {
            "id": policy.id,
            "name": policy.name,
            "src_registry": self._endpoints.find(policy.source).shown(),
            "dest_registry": self._endpoints.find(policy.destination).shown(),
            "dest_namespace_replace_count": policy.replace,
            "filters": policy.filters or None,
            "speed": policy.speed,
            "copy_by_chunk": policy.by_chunk,
            "single_active_replication": policy.single_active,
            "creation_time": date(policy.created),
            "update_time": date(policy.updated),
        }
        return {name: value for name, value in shown.items() if self._has(name)}

    # --- the parts of that ---------------------------------------------------------------

    def _of(self, number: str) -> Policy:
        return self.find(int(number) if number.isdecimal() else -1)

    def _put(self, policy: Policy) -> None:
        self._rows[policy.id] = policy
        for scheduler in self.schedulers:
            scheduler(policy)

    def _has(self, field: str) -> bool:
        return self._state.since(*_SINCE.get(field, (2, 0)))

    def _uses(self, registry: int) -> str:
        rows = self._rows.values()
        used = any(registry in {row.source, row.destination} for row in rows)
        return "replication policies" if used else ""

    def _read(self, context: Context, number: int) -> Policy:
        """Return the policy that a body describes.

        Raises:
            HarborError: It describes none.
        """
        body = typed(context.body, "policy", "ReplicationPolicy", _BODY)
        body = {name: value for name, value in body.items() if self._has(name)}
        now = self._state.clock.now()
        policy = Policy(
            id=number,
            name=body.get("name", ""),
            source=_registry_id(body, "src_registry"),
            destination=_registry_id(body, "dest_registry"),
            filters=[_kept(each) for each in body.get("filters", [])],
            trigger=_trigger(body.get("trigger")),
            namespace=body.get("dest_namespace", ""),
            replace=body.get("dest_namespace_replace_count", -1),
            description=body.get("description", ""),
            enabled=body.get("enabled", False),
            deletion=body.get("deletion", False),
            override=body.get("override", False),
            speed=max(0, body.get("speed", 0)),
            by_chunk=body.get("copy_by_chunk", False),
            single_active=body.get("single_active_replication", False),
            creator=context.identity.name,
            created=now,
            updated=now,
        )
        _validate(policy)
        if policy.kind == "scheduled" and self._state.since(2, 9):
            _check_pace(policy)
        self._check_place(policy)
        return policy

    def _check_place(self, policy: Policy) -> None:
        """Refuse a policy whose registries are not there, or whose name is taken."""
        self._endpoints.find(policy.source or policy.destination)
        if policy.single_active and policy.kind == "event_based":
            refuse.internal()
        same = (row for row in self._rows.values() if row.name == policy.name)
        if any(row.id != policy.id for row in same):
            refuse.conflict(f"replication policy {policy.name} already exists")
        if len(policy.name) > _LONGEST_NAME:
            refuse.internal()


def _registry_id(body: Mapping[str, Any], name: str) -> int:
    return int(body.get(name, {}).get("id") or 0)


def _kept(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return a filter with the fields it has."""
    known = ((name, sent.get(name)) for name in ("type", "value", "decoration"))
    return {name: value for name, value in known if value not in (None, "") or name == "value"}


def _trigger(sent: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if sent is None:
        return None
    cron = (sent.get("trigger_settings") or {}).get("cron", "")
    settings = {"trigger_settings": {"cron": cron}} if cron else {}
    return {"type": sent.get("type", ""), **settings}


def _validate(policy: Policy) -> None:
    """Refuse what Harbor refuses, in its order (src/controller/replication/model/model.go)."""
    if not policy.name:
        refuse.bad_request("empty name")
    if bool(policy.source) == bool(policy.destination):
        refuse.bad_request(
            "either src_registry or dest_registry should be empty and the other one shouldn't be empty"
        )
    for each in policy.filters:
        _check_filter(each)
    if policy.trigger is not None:
        _check_trigger(policy.trigger)
    if policy.namespace and not _NAMESPACE.fullmatch(policy.namespace):
        refuse.bad_request(f"invalid destination namespace: {policy.namespace}")


def _check_filter(each: Mapping[str, Any]) -> None:
    kind, value = each.get("type", ""), each["value"]
    if kind not in {"name", "tag", "label", "resource"}:
        refuse.bad_request("invalid filter type")
    if kind == "label":
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            refuse.bad_request("the type of label filter value isn't string slice")
    elif not isinstance(value, str):
        refuse.bad_request("the type of filter value isn't string")
    _check_decoration(kind, each.get("decoration", ""))
    if kind == "resource" and value not in {"image", "artifact"}:
        refuse.bad_request(f"invalid resource filter: {value}")


def _check_decoration(kind: str, decoration: str) -> None:
    if decoration and kind not in _DECORATED:
        refuse.bad_request("only tag and label filter support decoration")
    if decoration not in {"", "matches", "excludes"}:
        refuse.bad_request(f"invalid filter decoration, :{decoration}")


def _check_trigger(trigger: Mapping[str, Any]) -> None:
    if trigger["type"] not in _TRIGGERS:
        refuse.bad_request("invalid trigger type")
    if trigger["type"] != "scheduled":
        return
    text = trigger.get("trigger_settings", {}).get("cron", "")
    if not text:
        refuse.bad_request("the cron string cannot be empty when the trigger type is scheduled")
    try:
        Cron.parse(text)
    except BadCron:
        refuse.bad_request(f"invalid cron string for scheduled trigger: {text}")


def _check_pace(policy: Policy) -> None:
    """Refuse a schedule that fires more than once a minute, or that looks like it."""
    text = policy.trigger["trigger_settings"]["cron"] if policy.trigger else ""
    seconds, minutes = text.split(" ")[:2]
    if seconds != "0":
        refuse.bad_request(
            "the 1st field (indicating Seconds of time) of the cron setting must be 0"
        )
    if minutes == "*":
        refuse.bad_request(
            "* is not allowed for the Minutes field of the cron setting of replication policy"
        )
