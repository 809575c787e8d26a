"""Reads what a Harbor posts to a webhook, and tells whether it may (HARBOR §12).

    >>> from harborsync import Secret
    >>> from harborsync.triggers import Gatekeeper, read_delivery
    >>> gatekeeper = Gatekeeper([Secret("Bearer hook-secret-2"), Secret("Bearer hook-secret-1")])
    >>> gatekeeper.admits("Bearer hook-secret-1")
    True
    >>> body = (
    ...     b'{"type": "PUSH_ARTIFACT", "occur_at": 1795437639, "operator": "robot$ci",'
    ...     b' "event_data": {"resources": [{"tag": "1.0"}],'
    ...     b' "repository": {"repo_full_name": "team/app"}}}'
    ... )
    >>> event = read_delivery(body)
    >>> type(event).__name__, event.operator, str(event.artifacts[0])
    ('Pushed', 'robot$ci', 'team/app:1.0')

Nothing here opens a port or keeps a thread: whoever receives hands in header and body. Both of
Harbor's formats are read, Default and CloudEvents. What is absent or null is nothing; what has
the wrong type is refused, as is what is too long.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

import attrs

from harborsync.errors import ConfigurationError, InvalidDelivery, InvalidReference
from harborsync.reference import ArtifactRef, Digest, Tag
from harborsync.secrets import Secret, redact_url
from harborsync.triggers.deliveries import (
    ArtifactEvent,
    Deleted,
    Delivered,
    Other,
    Pulled,
    Pushed,
    QuotaEvent,
    ReplicationChanged,
    ReplicationEnd,
    RetentionFinished,
    ScanEvent,
    Touched,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: The most bytes that a delivery may have; what Harbor sends has some hundred.
MOST_BYTES: Final = 2**20
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_COUNTED: Final = re.compile(r" \[\d+ item\(s\) in total\]\Z")


class Gatekeeper:
    """Tells whether a delivery may come in, by its Authorization header.

    That header is all that a Harbor proves itself with: it sends what its webhook is given as
    ``auth_header``, letter for letter. Several are accepted, so that one can be replaced.

    Args:
        headers: What may stand in the header, whole: ``Bearer …``, ``Basic …`` or any text.

    Raises:
        ConfigurationError: There is none, or one that no header can hold.
    """

    def __init__(self, headers: Iterable[Secret]) -> None:
        self._headers = tuple(headers)
        texts = [header.reveal() for header in self._headers]
        if not texts or not all(text.strip() and text.isascii() for text in texts):
            msg = "a webhook needs at least one Authorization header to accept, in ASCII letters"
            raise ConfigurationError(msg, hint="take the auth_header of the webhook in Harbor")

    def admits(self, header: str | None) -> bool:
        """Tell whether the header is one of those accepted, in the same time for all."""
        if header is None or not header.isascii():
            return False
        given = Secret(header)
        return any([given == accepted for accepted in self._headers])  # noqa: C419 - all are compared


def read_delivery(body: bytes, *, most_bytes: int = MOST_BYTES) -> Delivered:
    """Read the body of one delivery.

    Args:
        body: The bytes as they came.
        most_bytes: What is longer is refused unread.

    Raises:
        InvalidDelivery: It is none, or not as it should be.
    """
    if len(body) > most_bytes:
        msg = f"a delivery of {len(body)} bytes is longer than the {most_bytes} it may have"
        raise InvalidDelivery(msg)
    given = _Record(_document(body), "")
    return _from_cloud(given) if given.has("specversion") else _from_default(given)


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        msg = "the delivery is no JSON"
        raise InvalidDelivery(msg) from error
    if not isinstance(found, dict):
        msg = "the delivery is no JSON object"
        raise InvalidDelivery(msg)
    return found


def _refuse_constant(text: str) -> float:
    msg = f"{text} is no JSON"
    raise ValueError(msg)


# --- the two envelopes -----------------------------------------------------------------------


def _from_default(given: _Record) -> Delivered:
    about = {
        "kind": given.needed("type"),
        "at": given.seconds("occur_at"),
        "operator": given.text("operator"),
    }
    return _event(about, given.record("event_data"))


def _from_cloud(given: _Record) -> Delivered:
    if given.text("specversion").partition(".")[0] != "1":
        given.refuse("specversion", "of a version that is read here")
    about = {
        "kind": given.needed("type"),
        "at": given.time("time"),
        "operator": given.text("operator"),
        "id": given.needed("id"),
        "origin": given.text("source"),
        "request_id": given.text("requestid"),
    }
    return _event(about, given.record("data"))


def _event(about: Mapping[str, Any], data: _Record) -> Delivered:
    make = _KINDS.get(about["kind"], _other)
    try:
        return make(about, data)
    except InvalidReference as error:
        msg = f"the delivery names what cannot be: {error.message}"
        raise InvalidDelivery(msg) from error


# --- the kinds -------------------------------------------------------------------------------


def _artifacts(
    kind: type[ArtifactEvent], about: Mapping[str, Any], data: _Record, **more: Any
) -> ArtifactEvent:
    repository = _repository(data.record("repository"))
    artifacts = (
        tuple(_artifact(repository, each) for each in data.records("resources"))
        if repository is not None
        else ()
    )
    return kind(**about, repository=repository, artifacts=artifacts, **more)


def _repository(given: _Record) -> str | None:
    """Return the full name; ``name`` is without the project, ``namespace`` is the project."""
    whole = given.text("repo_full_name")
    parts = (given.text("namespace"), given.text("name"))
    return whole or ("/".join(parts) if all(parts) else None)


def _artifact(repository: str, given: _Record) -> ArtifactRef:
    """Read an artifact; one that is meant by its digest has the digest in place of a tag."""
    digest, tag = given.text("digest"), given.text("tag")
    if ":" in tag:
        digest, tag = digest or tag, ""
    return ArtifactRef(
        repository, Tag(tag) if tag else None, Digest.parse(digest) if digest else None
    )


def _quota(exceeded: bool, about: Mapping[str, Any], data: _Record) -> Delivered:  # noqa: FBT001 - bound by a table
    details = data.record("custom_attributes").text("Details")
    return _artifacts(QuotaEvent, about, data, exceeded=exceeded, details=details)


def _scan(outcome: str, about: Mapping[str, Any], data: _Record) -> Delivered:
    scan_type = data.record("scan").text("scan_type")
    return _artifacts(ScanEvent, about, data, outcome=outcome, scan_type=scan_type)


def _replication(about: Mapping[str, Any], data: _Record) -> Delivered:
    given = data.record("replication")
    return ReplicationChanged(
        **about,
        status=given.text("job_status"),
        trigger=given.text("trigger_type"),
        execution_id=given.number("execution_id"),
        task_id=given.number("task_id"),
        source=_end(given.record("src_resource")),
        destination=_end(given.record("dest_resource")),
        copied=_touched(given.records("successful_artifact")),
        failed=_touched(given.records("failed_artifact")),
    )


def _end(given: _Record) -> ReplicationEnd:
    return ReplicationEnd(
        registry=given.text("registry_name"),
        registry_type=given.text("registry_type"),
        endpoint=redact_url(given.text("endpoint")),
        namespace=given.text("namespace"),
    )


def _touched(given: Iterable[_Record]) -> tuple[Touched, ...]:
    return tuple(
        Touched(
            name=_COUNTED.sub("", each.text("name_tag")),
            status=each.text("status"),
            references=each.texts("references"),
            reason=each.text("fail_reason"),
        )
        for each in given
    )


def _retention(about: Mapping[str, Any], data: _Record) -> Delivered:
    given = data.record("retention")
    return RetentionFinished(
        **about,
        project=given.text("project_name"),
        policy_id=given.number("retention_policy_id"),
        status=given.text("result"),
        total=given.number("total") or 0,
        retained=given.number("retained") or 0,
        deleted=_touched(given.records("deleted_artifact")),
    )


def _other(about: Mapping[str, Any], data: _Record) -> Delivered:
    return Other(**about, data=json.dumps(data.fields, sort_keys=True))


_MAKERS: Final[Mapping[tuple[str, str], Callable[[Mapping[str, Any], _Record], Delivered]]] = {
    ("PUSH_ARTIFACT", "harbor.artifact.pushed"): partial(_artifacts, Pushed),
    ("PULL_ARTIFACT", "harbor.artifact.pulled"): partial(_artifacts, Pulled),
    ("DELETE_ARTIFACT", "harbor.artifact.deleted"): partial(_artifacts, Deleted),
    ("QUOTA_EXCEED", "harbor.quota.exceeded"): partial(_quota, True),
    ("QUOTA_WARNING", "harbor.quota.warned"): partial(_quota, False),
    ("SCANNING_COMPLETED", "harbor.scan.completed"): partial(_scan, "completed"),
    ("SCANNING_FAILED", "harbor.scan.failed"): partial(_scan, "failed"),
    ("SCANNING_STOPPED", "harbor.scan.stopped"): partial(_scan, "stopped"),
    ("REPLICATION", "harbor.replication.status.changed"): _replication,
    ("TAG_RETENTION", "harbor.tag_retention.finished"): _retention,
}
_KINDS: Final = {name: make for names, make in _MAKERS.items() for name in names}


# --- fields ----------------------------------------------------------------------------------


@attrs.frozen
class _Record:
    """A JSON object whose fields are asked for by type; absent and null are nothing."""

    fields: Mapping[str, Any]
    path: str

    def has(self, key: str) -> bool:
        return self.fields.get(key) is not None

    def text(self, key: str) -> str:
        found: str = self._typed(key, str, "a text", "")
        if _SURROGATE.search(found):
            self.refuse(key, "a text that can be written")
        return found

    def needed(self, key: str) -> str:
        return self.text(key) or self.refuse(key, "there")

    def number(self, key: str) -> int | None:
        found: int | None = self._typed(key, int, "a whole number", None)
        return found

    def record(self, key: str) -> _Record:
        return _Record(self._typed(key, dict, "an object", {}), f"{self.path}{key}.")

    def records(self, key: str) -> list[_Record]:
        items = self._items(key)
        return [items.record(place) for place in items.fields]

    def texts(self, key: str) -> tuple[str, ...]:
        items = self._items(key)
        return tuple(items.text(place) for place in items.fields)

    def _items(self, key: str) -> _Record:
        items = enumerate(self._typed(key, list, "a list", []))
        return _Record({str(place): item for place, item in items}, f"{self.path}{key}.")

    def seconds(self, key: str) -> datetime:
        """Read seconds since 1970."""
        found = self.number(key)
        if found is None:
            self.refuse(key, "there")
        try:
            return datetime.fromtimestamp(found, UTC)
        except (OverflowError, ValueError, OSError):
            self.refuse(key, "a time")

    def time(self, key: str) -> datetime:
        """Read a time as CloudEvents write it."""
        try:
            found = datetime.fromisoformat(self.needed(key))
        except ValueError:
            self.refuse(key, "a time")
        return found.astimezone(UTC) if found.tzinfo else self.refuse(key, "a time with its zone")

    def _typed(self, key: str, kind: type, name: str, otherwise: Any) -> Any:
        found = self.fields.get(key)
        if found is None:
            return otherwise
        return found if type(found) is kind else self.refuse(key, name)

    def refuse(self, key: str, name: str) -> NoReturn:
        msg = f"{self.path}{key} of the delivery is not {name}"
        raise InvalidDelivery(msg)
