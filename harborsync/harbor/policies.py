"""Harbor's replication policies: what it copies by itself, from where to where and when."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - read at run time
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.errors import InvalidReference
from harborsync.harbor.collection import Collection
from harborsync.harbor.mistakes import (
    Mistake,
    alternatives,
    cron_mistakes,
    glob_mistakes,
    name_mistakes,
    refuse,
)
from harborsync.harbor.records import READ_ONLY, read, write
from harborsync.harbor.registries import RemoteRegistry  # noqa: TC001 - read at run time
from harborsync.reference import check_repository

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.harbor.api import HarborApi

#: The fastest speed, in kilobits a second, that does not run over in Harbor (HARBOR §9).
FASTEST: Final = 16_777_215
#: Replaces all of a repository's path but its last part.
KEEP_LAST: Final = -1
_DEEPEST: Final = 127
_LONGEST_NAME: Final = 256
_DECORATED: Final = frozenset({"tag", "label"})
_DECORATIONS: Final = frozenset({"", "matches", "excludes"})
_FILTERS: Final = frozenset({"name", "tag", "label", "resource"})
_RESOURCES: Final = frozenset({"image", "artifact"})
_TRIGGERS: Final = frozenset({"manual", "scheduled", "event_based"})


@attrs.frozen(kw_only=True)
class PolicyFilter:
    """One condition of a policy.

    Attributes:
        type: ``name``, ``tag``, ``label`` or ``resource``.
        value: A glob, or for labels the names of all that an artifact must have.
        decoration: ``excludes`` to turn it round, for tags and labels only.
    """

    type: str
    value: str | tuple[str, ...] = ""
    decoration: str = ""


@attrs.frozen(kw_only=True)
class PolicyTrigger:
    """When a policy runs.

    Attributes:
        type: ``manual``, ``scheduled`` or ``event_based``.
        cron: Six fields, seconds first, in the time zone of the server, which is UTC mostly.
    """

    type: str = "manual"
    cron: str = ""


@attrs.frozen(kw_only=True)
class ReplicationPolicy:
    """A policy.

    Attributes:
        id: Its number, or None for one not made yet.
        name: Its name.
        description: A text for people.
        enabled: Whether it runs at all, by hand included.
        src_registry: Where to copy from; None for the Harbor itself.
        dest_registry: Where to copy to; None for the Harbor itself.
        dest_namespace: What the replaced parts of a path become; empty to keep them.
        dest_namespace_replace_count: How many parts are replaced; -1 for all but the last.
        filters: What all must hold for an artifact to be copied.
        trigger: When it runs.
        deletion: Whether what is deleted at the source is deleted there, too.
        override: Whether a tag that is there already, with other content, is overwritten.
        speed: The most kilobits a second, of 1024 bits, that one task moves; 0 for no limit.
        copy_by_chunk: Whether blobs go in pieces.
        single_active_replication: Whether a start is skipped while a run is on, since 2.14.
        creation_time: When it was made.
        update_time: When it was changed last.
    """

    id: int | None = None
    name: str = ""
    description: str = ""
    enabled: bool = True
    src_registry: RemoteRegistry | None = None
    dest_registry: RemoteRegistry | None = None
    dest_namespace: str = ""
    dest_namespace_replace_count: int = KEEP_LAST
    filters: tuple[PolicyFilter, ...] = ()
    trigger: PolicyTrigger = attrs.field(factory=PolicyTrigger)
    deletion: bool = False
    override: bool = False
    speed: int = 0
    copy_by_chunk: bool = False
    single_active_replication: bool = False
    creation_time: datetime | None = None
    update_time: datetime | None = None

    @property
    def is_push(self) -> bool:
        """Whether it copies out of the Harbor."""
        return _is_local(self.src_registry)

    @property
    def remote(self) -> RemoteRegistry | None:
        """The far registry, or None if both sides are the Harbor itself."""
        far = self.dest_registry if self.is_push else self.src_registry
        return None if _is_local(far) else far


def read_policy(data: Any) -> ReplicationPolicy:
    """Read a policy from parsed JSON.

    Raises:
        RegistryError: It has another shape altogether.
    """
    if not isinstance(data, dict):
        return read(ReplicationPolicy, data)
    trigger = data.get("trigger") or {}
    settings = trigger.get("trigger_settings") or {}
    flat = {"type": trigger.get("type") or "manual", "cron": settings.get("cron")}
    return read(ReplicationPolicy, {**data, "trigger": flat})


def policy_body(policy: ReplicationPolicy) -> dict[str, Any]:
    """Return what to send for a policy: all of it, for Harbor forgets what is left out."""
    body: dict[str, Any] = write(policy)
    body["src_registry"] = _side(policy.src_registry)
    body["dest_registry"] = _side(policy.dest_registry)
    body["filters"] = [_filter(condition) for condition in policy.filters]
    settings = {"cron": policy.trigger.cron} if policy.trigger.cron else {}
    body["trigger"] = {"type": policy.trigger.type, "trigger_settings": settings}
    # The server reads the one and tells both (HARBOR §9).
    body["replicate_deletion"] = policy.deletion
    return body


def policy_mistakes(policy: ReplicationPolicy) -> Iterator[Mistake]:
    """Yield what is wrong with a policy that is to be made or changed."""
    yield from name_mistakes(policy.name, _LONGEST_NAME)
    yield from _side_mistakes(policy)
    yield from _trigger_mistakes(policy)
    yield from _speed_mistakes(policy.speed)
    yield from _depth_mistakes(policy)
    for number, condition in enumerate(policy.filters):
        yield from _filter_mistakes(condition, f"filters[{number}]")


def _is_local(registry: RemoteRegistry | None) -> bool:
    return registry is None or registry.is_local


def _side(registry: RemoteRegistry | None) -> dict[str, int | None] | None:
    return None if registry is None or registry.is_local else {"id": registry.id}


def _filter(condition: PolicyFilter) -> dict[str, Any]:
    body: dict[str, Any] = write(condition)
    if not condition.decoration:
        del body["decoration"]
    return body


def _side_mistakes(policy: ReplicationPolicy) -> Iterator[Mistake]:
    where = "src_registry, dest_registry"
    if policy.remote is None:
        what, remedy = "neither side is a far registry", "name the one to copy to, or from"
        yield Mistake(where=where, what=what, remedy=remedy)
    elif not policy.is_push and not _is_local(policy.dest_registry):
        what = "both sides are far registries"
        remedy = "leave one out: a policy copies to or from the Harbor it is in"
        yield Mistake(where=where, what=what, remedy=remedy)
    elif policy.remote.id is None:
        what = "the far registry has no id yet"
        yield Mistake(where=where, what=what, remedy="make the registry first")


def _trigger_mistakes(policy: ReplicationPolicy) -> Iterator[Mistake]:
    kind = policy.trigger.type
    if kind not in _TRIGGERS:
        remedy = f"use one of {', '.join(sorted(_TRIGGERS))}"
        yield Mistake(where="trigger.type", what=f"{kind!r} is no trigger", remedy=remedy)
    if kind == "scheduled":
        yield from cron_mistakes(policy.trigger.cron)
    if kind == "event_based" and not policy.is_push:
        what = "a far registry tells Harbor of no events, so it would never run"
        remedy = "use a schedule, or a policy in the other Harbor that pushes"
        yield Mistake(where="trigger.type", what=what, remedy=remedy)
    if kind == "event_based" and policy.single_active_replication:
        what = "single_active_replication and events exclude each other"
        remedy = "switch one of them off"
        yield Mistake(where="single_active_replication", what=what, remedy=remedy)


def _speed_mistakes(speed: int) -> Iterator[Mistake]:
    if speed < 0:
        yield Mistake(where="speed", what="it is negative", remedy="write 0 for no limit")
    elif speed > FASTEST:
        what = f"{speed} kilobits a second run over in Harbor"
        yield Mistake(
            where="speed", what=what, remedy=f"write at most {FASTEST}, or 0 for no limit"
        )


def _depth_mistakes(policy: ReplicationPolicy) -> Iterator[Mistake]:
    where, count = "dest_namespace_replace_count", policy.dest_namespace_replace_count
    if not KEEP_LAST <= count <= _DEEPEST:
        remedy = "write how many parts to replace, or -1 for all but the last"
        yield Mistake(where=where, what=f"{count} is no number of parts", remedy=remedy)
        return
    if not policy.dest_namespace:
        return
    yield from _namespace_mistakes(policy.dest_namespace)
    for pattern in _name_patterns(policy):
        shallow = [path for path in alternatives(pattern) if _is_at_most(path, count)]
        if shallow:
            what = f"{shallow[0]!r} has no more than {count} parts, and the last one must stay"
            remedy = f"write at most {shallow[0].count('/')}"
            yield Mistake(where=where, what=what, remedy=remedy)


def _namespace_mistakes(namespace: str) -> Iterator[Mistake]:
    try:
        check_repository(namespace)
    except InvalidReference as error:
        what = f"{namespace[:300]!r} cannot begin a repository's name"
        yield Mistake(where="dest_namespace", what=what, remedy=error.hint or "")


def _name_patterns(policy: ReplicationPolicy) -> Iterator[str]:
    for condition in policy.filters:
        if condition.type == "name" and isinstance(condition.value, str) and condition.value:
            yield condition.value


def _is_at_most(path: str, parts: int) -> bool:
    return "**" not in path and path.count("/") < parts


def _filter_mistakes(condition: PolicyFilter, where: str) -> Iterator[Mistake]:
    kind, value = condition.type, condition.value
    if kind not in _FILTERS:
        remedy = f"use one of {', '.join(sorted(_FILTERS))}"
        yield Mistake(where=where, what=f"there is no filter {kind!r}", remedy=remedy)
        return
    yield from _decoration_mistakes(condition, where)
    if kind == "label":
        yield from _label_mistakes(value, where)
    elif not isinstance(value, str):
        yield Mistake(where=where, what=f"a {kind} is one text", remedy="make a filter of each")
    elif kind == "resource":
        yield from _resource_mistakes(value, where)
    else:
        yield from glob_mistakes(value, where=where)


def _decoration_mistakes(condition: PolicyFilter, where: str) -> Iterator[Mistake]:
    if condition.decoration not in _DECORATIONS:
        what = f"{condition.decoration!r} is neither matches nor excludes"
        yield Mistake(where=where, what=what, remedy="use one of these, or none")
    elif condition.decoration and condition.type not in _DECORATED:
        what = f"a filter by {condition.type} cannot be turned round"
        yield Mistake(where=where, what=what, remedy="decorate filters by tag and label only")


def _label_mistakes(value: str | tuple[str, ...], where: str) -> Iterator[Mistake]:
    if isinstance(value, str):
        what, remedy = "labels are a list of names", f"write ({value!r},)"
        yield Mistake(where=where, what=what, remedy=remedy)
    elif not value or not all(value):
        yield Mistake(where=where, what="a label's name is empty", remedy="leave it out")


def _resource_mistakes(value: str, where: str) -> Iterator[Mistake]:
    if value not in _RESOURCES:
        what = f"{value!r} is no kind of resource"
        yield Mistake(
            where=where, what=what, remedy="leave the filter out: Harbor applies it to nothing"
        )


class Policies:
    """The replication policies of one Harbor; thread-safe.

    Args:
        api: Speaks to the Harbor.
    """

    def __init__(self, api: HarborApi) -> None:
        self._all = Collection(
            api,
            ReplicationPolicy,
            "/replication/policies",
            noun="replication policy",
            resource="replication-policy",
            reader=read_policy,
        )

    def list(self) -> Iterator[ReplicationPolicy]:
        """Yield them all."""
        return self._all.each()

    def get(self, policy_id: int) -> ReplicationPolicy:
        """Return one.

        Raises:
            NotFound: There is none with this id.
        """
        return self._all.get(policy_id)

    def named(self, name: str) -> ReplicationPolicy | None:
        """Return the one with exactly this name, or None."""
        # The server finds every name that contains this one.
        found = self._all.each(name=name)
        return next((policy for policy in found if policy.name == name), None)

    def create(self, policy: ReplicationPolicy) -> int:
        """Make one, and return its id.

        Raises:
            InvalidValue: Something in it cannot work; nothing was sent.
        """
        refuse(f"make the policy {policy.name!r}", policy_mistakes(policy))
        return self._all.make(policy_body(policy)).id

    def update(self, policy: ReplicationPolicy) -> None:
        """Change one to exactly what this says; its schedule starts anew.

        Fields that this package does not know are sent back as they are.

        Raises:
            InvalidValue: Something in it cannot work; nothing was sent.
            NotFound: There is none with its id.
        """
        refuse(f"change the policy {policy.name!r}", policy_mistakes(policy))
        before = self._all.raw(policy.id)
        unknown = {name: value for name, value in before.items() if name not in READ_ONLY}
        self._all.replace(policy.id, {**unknown, **policy_body(policy)})

    def delete(self, policy_id: int) -> bool:
        """Delete one with the history of its runs; tell whether it was there.

        Raises:
            RegistryError: A run of it is not over yet.
        """
        return self._all.delete(policy_id)
