"""What is different at a Harbor from what is wanted there, object by object and field by field.

    >>> change = Change(action=Action.UPDATE, kind="policy", name="nightly",
    ...                 fields=(FieldChange(field="enabled", before="no", after="yes"),))
    >>> print(Changes(changes=(change,)))
    ~ policy nightly
        enabled: no -> yes

Secrets never stand in it: what secret a Harbor has is not to be known, only that one is sent.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.harbor.policies import KEEP_LAST, PolicyFilter, ReplicationPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.harbor.registries import RemoteRegistry

_SIGNS: Final = {"create": "+", "update": "~", "delete": "-"}
_NOTHING: Final = "-"


class Action(StrEnum):
    """What is to be done to an object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@attrs.frozen(kw_only=True)
class FieldChange:
    """A field that is to become another; never a secret.

    Attributes:
        field: Its name.
        before: What it is, as text.
        after: What it becomes, as text.
    """

    field: str
    before: str
    after: str

    def __str__(self) -> str:
        """Return it as one line."""
        became = self.after if self.before == _NOTHING else f"{self.before} -> {self.after}"
        return f"{self.field}: {became}"


@attrs.frozen(kw_only=True)
class Change:
    """An object that is to be made, changed or deleted.

    Attributes:
        action: Which of it.
        kind: ``registry`` or ``policy``.
        name: Its name.
        fields: The fields that change; of a new object, those that are set.
    """

    action: Action
    kind: str
    name: str
    fields: tuple[FieldChange, ...] = ()

    def __str__(self) -> str:
        """Return a line for it and one for each field."""
        head = f"{_SIGNS[self.action]} {self.kind} {self.name}"
        return "\n".join((head, *(f"    {field}" for field in self.fields)))


@attrs.frozen(kw_only=True)
class Changes:
    """What is to be done, or was done, in this order; empty if all is as wanted.

    Attributes:
        changes: The changes.
        are_done: Whether they were made, not only looked at.
        notes: What else there is to know.
    """

    changes: tuple[Change, ...] = ()
    are_done: bool = False
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self.changes)

    def to_json(self) -> str:
        """Return them as JSON; there is no secret in it."""
        return json.dumps(attrs.asdict(self), indent=2)

    def __str__(self) -> str:
        """Return them for people."""
        lines = [*map(str, self.changes)] or ["nothing to change"]
        return "\n".join((*lines, *(f"note: {note}" for note in self.notes)))


# --- what is compared ----------------------------------------------------------------------


def policy_changes(
    before: ReplicationPolicy | None, after: ReplicationPolicy
) -> tuple[FieldChange, ...]:
    """Return in what a policy differs from the wanted one; all of it, if there is none."""
    old = dict(_policy_fields(before)) if before is not None else {}
    return _differences(old, dict(_policy_fields(after)))


def registry_changes(
    before: RemoteRegistry | None, after: RemoteRegistry, *, renews: bool = False
) -> tuple[FieldChange, ...]:
    """Return in what a registry differs from the wanted one.

    What secret Harbor has is not to be known, so it counts as equal.

    Args:
        before: The registry as Harbor knows it, or None.
        after: The wanted one; without a login, the login is left alone.
        renews: Whether the secret is sent in any case.
    """
    old = dict(_registry_fields(before)) if before is not None else {}
    new = dict(_registry_fields(after))
    if after.credential is None:
        new["login"] = old.get("login", _NOTHING)
    found = _differences(old, new)
    sends = after.credential is not None and (renews or any(c.field == "login" for c in found))
    if not sends:
        return found
    return (*found, FieldChange(field="secret", before="unknown", after="changed"))


def _differences(old: dict[str, str], new: dict[str, str]) -> tuple[FieldChange, ...]:
    return tuple(
        FieldChange(field=field, before=old.get(field, _NOTHING), after=text)
        for field, text in new.items()
        if text != old.get(field, _NOTHING)
    )


def _registry_fields(registry: RemoteRegistry) -> Iterator[tuple[str, str]]:
    yield "type", registry.type
    yield "url", registry.url.rstrip("/")
    yield "insecure", _yes(registry.insecure)
    yield "description", registry.description or _NOTHING
    key = registry.credential.access_key if registry.credential else ""
    yield "login", key or _NOTHING


def _policy_fields(policy: ReplicationPolicy) -> Iterator[tuple[str, str]]:
    remote = policy.remote
    yield "direction", "push" if policy.is_push else "pull"
    yield "registry", remote.name if remote else _NOTHING
    yield "description", policy.description or _NOTHING
    yield "enabled", _yes(policy.enabled)
    yield "filters", ", ".join(map(_filter, policy.filters)) or _NOTHING
    yield "dest_namespace", policy.dest_namespace or _NOTHING
    count = policy.dest_namespace_replace_count if policy.dest_namespace else KEEP_LAST
    yield "dest_namespace_replace_count", str(count)
    yield "trigger", " ".join(filter(None, (policy.trigger.type, _cron(policy))))
    yield "deletion", _yes(policy.deletion)
    yield "override", _yes(policy.override)
    yield "speed", str(max(0, policy.speed))
    yield "copy_by_chunk", _yes(policy.copy_by_chunk)
    yield "single_active_replication", _yes(policy.single_active_replication)


def _cron(policy: ReplicationPolicy) -> str:
    return policy.trigger.cron if policy.trigger.type == "scheduled" else ""


def _filter(condition: PolicyFilter) -> str:
    turned = "not " if condition.decoration == "excludes" else ""
    if isinstance(condition.value, str):
        return f"{turned}{condition.type} {condition.value!r}"
    return f"{turned}{condition.type} {' and '.join(map(repr, condition.value))}"


def _yes(value: bool) -> str:  # noqa: FBT001 - a value, not a switch
    return "yes" if value else "no"
