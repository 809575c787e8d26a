"""Deliveries of a Harbor are read strictly where they matter, and kept out unless they may come."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harborsync.errors import ConfigurationError, InvalidDelivery
from harborsync.reference import ArtifactRef, Digest, Tag
from harborsync.secrets import Secret
from harborsync.triggers import (
    ArtifactEvent,
    Deleted,
    Delivered,
    Gatekeeper,
    Other,
    Pulled,
    Pushed,
    QuotaEvent,
    ReplicationChanged,
    ReplicationEnd,
    RetentionFinished,
    ScanEvent,
    Touched,
    read_delivery,
)

RECORDED = Path(__file__).parents[3] / "../shared/vectors/harbor/11-webhooks.json"
DIGEST = Digest.of(b"image")
PUSH: dict[str, Any] = {
    "type": "PUSH_ARTIFACT",
    "occur_at": 1795437639,
    "operator": "robot$ci",
    "event_data": {
        "resources": [
            {"digest": str(DIGEST), "tag": "1.0", "resource_url": "harbor.example/team/app:1.0"}
        ],
        "repository": {
            "date_created": 1795437639,
            "name": "app",
            "namespace": "team",
            "repo_full_name": "team/app",
            "repo_type": "private",
        },
    },
}
CLOUD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "71a45b61-e404-420d-a35e-eb645f29e342",
    "source": "/projects/10/webhook/policies/17",
    "type": "harbor.artifact.pushed",
    "datacontenttype": "application/json",
    "time": "2026-11-23T12:40:39Z",
    "data": PUSH["event_data"],
    "operator": "robot$ci",
    "requestid": "6f77b73e-3218-4e4d-b22e-d4d5339f7fd9",
}


def _read(document: object) -> Delivered:
    return read_delivery(json.dumps(document).encode())


def _with(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return a copy with one field changed, or taken out if the value is ``...``."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    at: Any = copy
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    for part in parents:
        at = at[part]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return copy


def _event(kind: str, **data: object) -> Delivered:
    return _read({"type": kind, "occur_at": 1795437639, "event_data": data})


# --- what was recorded -----------------------------------------------------------------------


def _recorded() -> list[tuple[str, dict[str, Any]]]:
    if not RECORDED.exists():
        return []
    exchanges = json.loads(RECORDED.read_text())["exchanges"]
    return [(e["name"], e["request"]) for e in exchanges if e["name"].startswith("delivery-")]


def _one(name: str) -> Any:
    found = dict(_recorded()).get(name)
    if found is None:
        pytest.skip(f"no recording of {name} at {RECORDED}")
    return _read(found["json"])


def test_every_recorded_delivery_is_read() -> None:
    """Each as the kind its name says, with nothing left unknown, at its time."""
    if not _recorded():
        pytest.skip(f"no recordings at {RECORDED}")
    for name, request in _recorded():
        event = _read(request["json"])
        assert not isinstance(event, Other), name
        assert event.at.year == 2026, name
        assert bool(event.id) is ("-cloud-" in name), name
        assert pickle.loads(pickle.dumps(event)) == event
        if isinstance(event, ArtifactEvent):
            assert event.repository is not None, name
            assert event.repository.startswith("hooks/"), name


def test_both_formats_tell_the_same() -> None:
    """But for what only CloudEvents have."""
    default, cloud = _one("delivery-push-digest-default-1"), _one("delivery-push-digest-cloud-1")
    assert (default.artifacts, default.at, default.operator) == (
        cloud.artifacts,
        cloud.at,
        cloud.operator,
    )
    assert cloud.origin == "/projects/10/webhook/policies/17"
    assert cloud.request_id == "6f77b73e-3218-4e4d-b22e-d4d5339f7fd9"


def test_a_recorded_push_by_digest_has_no_tag() -> None:
    """The digest stands in the tag's place there."""
    (artifact,) = _one("delivery-push-digest-default-1").artifacts
    assert artifact.tag is None
    assert str(artifact.digest).startswith("sha256:7d4cac34")


def test_a_recorded_deletion_of_a_repository_is_read() -> None:
    """It does not say when the repository was made."""
    event = _one("delivery-repository-deleted-default-1")
    assert (type(event), event.repository, event.tags) == (Deleted, "hooks/multi", {Tag("2.0")})


def test_a_recorded_replication_tells_what_was_copied() -> None:
    """With both sides and the ids to look it up by."""
    event = _one("delivery-replication-push-cloud-2")
    assert isinstance(event, ReplicationChanged)
    assert (event.status, event.trigger) == ("Success", "MANUAL")
    assert (event.execution_id, event.task_id) == (172, 167)
    assert event.destination == ReplicationEnd(
        registry="hook-plain",
        registry_type="docker-registry",
        endpoint="http://127.0.0.1:5055",
        namespace="hooks",
    )
    (copied,) = event.copied
    assert (copied.name, copied.status, copied.references[:2]) == (
        "web/api",
        "Success",
        ("1.0-alias", "1.0"),
    )
    assert event.failed == ()


def test_a_recorded_retention_tells_what_it_deleted() -> None:
    """The references that are null are none."""
    event = _one("delivery-retention-default-3")
    assert isinstance(event, RetentionFinished)
    assert (event.project, event.policy_id, event.status) == ("hooks", 4, "SUCCESS")
    assert (event.total, event.retained) == (3, 1)
    assert event.deleted == (
        Touched(name="keep:k1", status="SUCCESS"),
        Touched(name="keep:k0", status="SUCCESS"),
    )


def test_a_recorded_quota_event_tells_what_is_used() -> None:
    """Exceeding it is told without an artifact."""
    event = _one("delivery-quota-exceeded-cloud-2")
    assert isinstance(event, QuotaEvent)
    assert (event.exceeded, event.artifacts) == (True, ())
    assert event.details.startswith("adding 195.6 KiB")
    assert _one("delivery-quota-warning-default-2").exceeded is False


# --- what is told ----------------------------------------------------------------------------


@pytest.mark.parametrize("document", [PUSH, CLOUD], ids=["default", "cloud"])
def test_a_push_is_read(document: dict[str, Any]) -> None:
    """Repository, tag, digest, time and who it was."""
    event = _read(document)
    assert isinstance(event, Pushed)
    assert event.repository == "team/app"
    assert event.artifacts == (ArtifactRef("team/app", Tag("1.0"), DIGEST),)
    assert event.tags == {"1.0"}
    assert event.digests == {DIGEST}
    assert event.at == datetime(2026, 11, 23, 12, 40, 39, tzinfo=UTC)
    assert event.operator == "robot$ci"


@pytest.mark.parametrize(
    ("kind", "cloud", "read"),
    [
        ("PUSH_ARTIFACT", "harbor.artifact.pushed", Pushed),
        ("PULL_ARTIFACT", "harbor.artifact.pulled", Pulled),
        ("DELETE_ARTIFACT", "harbor.artifact.deleted", Deleted),
        ("QUOTA_EXCEED", "harbor.quota.exceeded", QuotaEvent),
        ("QUOTA_WARNING", "harbor.quota.warned", QuotaEvent),
        ("SCANNING_COMPLETED", "harbor.scan.completed", ScanEvent),
        ("SCANNING_FAILED", "harbor.scan.failed", ScanEvent),
        ("SCANNING_STOPPED", "harbor.scan.stopped", ScanEvent),
        ("REPLICATION", "harbor.replication.status.changed", ReplicationChanged),
        ("TAG_RETENTION", "harbor.tag_retention.finished", RetentionFinished),
        ("TAG_CREATED", "harbor.tag.created", Other),
    ],
)
def test_each_kind_is_known_in_both_formats(kind: str, cloud: str, read: type) -> None:
    """Also with no data at all; what nobody has heard of is kept as it is."""
    for event in (_event(kind), _read({**_with(CLOUD, "data", None), "type": cloud})):
        assert type(event) is read
        assert event.kind in {kind, cloud}
        hash(event.key)


def test_what_is_not_known_is_kept() -> None:
    """A newer Harbor may tell more."""
    event = _event("TAG_CREATED", b=[1], a=None)
    assert isinstance(event, Other)
    assert json.loads(event.data) == {"a": None, "b": [1]}


@pytest.mark.parametrize("outcome", ["completed", "failed", "stopped"])
def test_a_scan_tells_how_it_ended(outcome: str) -> None:
    """And of which kind it was, where that is told."""
    kind = f"SCANNING_{outcome.upper()}"
    event = _event(kind, **PUSH["event_data"], scan={"scan_type": "sbom"})
    assert isinstance(event, ScanEvent)
    assert (event.outcome, event.scan_type, event.repository) == (outcome, "sbom", "team/app")
    bare = _event(kind)
    assert isinstance(bare, ScanEvent)
    assert bare.scan_type == ""


def test_a_replication_that_failed_says_why() -> None:
    """No secret of an address is kept."""
    event = _event(
        "REPLICATION",
        replication={
            "job_status": "Error",
            "src_resource": {"endpoint": "https://robot:hunter2@harbor.example/x?token=hunter2"},
            "failed_artifact": [{"name_tag": "app:1", "status": "Error", "fail_reason": "full"}],
        },
    )
    assert isinstance(event, ReplicationChanged)
    assert event.failed == (Touched(name="app:1", status="Error", reason="full"),)
    assert event.source.endpoint == "https://harbor.example/x"
    assert (event.execution_id, event.task_id) == (None, None)


@pytest.mark.parametrize(
    ("resource", "tag", "digest"),
    [
        ({"tag": "1.0", "digest": str(DIGEST)}, "1.0", DIGEST),
        ({"tag": str(DIGEST), "digest": str(DIGEST)}, None, DIGEST),
        ({"tag": str(DIGEST)}, None, DIGEST),
        ({"tag": "1.0"}, "1.0", None),
        ({"tag": "", "digest": str(DIGEST)}, None, DIGEST),
        ({"tag": None, "digest": None}, None, None),
        ({}, None, None),
        (None, None, None),
    ],
)
def test_a_digest_may_stand_in_a_tag_s_place(
    resource: object, tag: str | None, digest: Digest | None
) -> None:
    """Then the artifact was meant by its digest; what is absent or null is nothing."""
    event = _read(_with(PUSH, "event_data.resources", [resource]))
    assert isinstance(event, Pushed)
    assert event.artifacts == (ArtifactRef("team/app", Tag(tag) if tag else None, digest),)


@pytest.mark.parametrize(
    ("repository", "name"),
    [
        ({"repo_full_name": "a/b/c"}, "a/b/c"),
        ({"namespace": "a", "name": "b/c"}, "a/b/c"),
        ({"name": "b/c"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_repository_is_told_whole_or_in_parts(repository: object, name: str | None) -> None:
    """Without it there is no telling whose the artifacts are."""
    event = _read(_with(PUSH, "event_data.repository", repository))
    assert isinstance(event, Pushed)
    assert event.repository == name
    assert len(event.artifacts) == (name is not None)


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("type", ..., "type of the delivery is not there"),
        ("type", 7, "type of the delivery is not a text"),
        ("occur_at", ..., "occur_at of the delivery is not there"),
        ("occur_at", "1795437639", "occur_at of the delivery is not a whole number"),
        ("occur_at", True, "occur_at of the delivery is not a whole number"),
        ("occur_at", 1.5, "occur_at of the delivery is not a whole number"),
        ("occur_at", 10**18, "occur_at of the delivery is not a time"),
        ("operator", ["admin"], "operator of the delivery is not a text"),
        ("operator", "\ud800", "operator of the delivery is not a text that can be written"),
        ("event_data", [], "event_data of the delivery is not an object"),
        ("event_data.resources", {}, "event_data.resources of the delivery is not a list"),
        ("event_data.resources.0", "x", "event_data.resources.0 of the delivery is not an object"),
        ("event_data.resources.0.tag", 1.0, "resources.0.tag of the delivery is not a text"),
        ("event_data.resources.0.tag", "a b", "'a b' is no tag"),
        ("event_data.resources.0", {"tag": "sha256:abc"}, "'sha256:abc' is no digest"),
        ("event_data.resources.0.digest", "sha256:abc", "'sha256:abc' is no digest"),
        ("event_data.repository", "app", "event_data.repository of the delivery is not an object"),
        ("event_data.repository.repo_full_name", "../x", "'../x' is no repository name"),
    ],
)
def test_what_is_of_the_wrong_type_is_refused(path: str, value: object, message: str) -> None:
    """The place is told, and no number becomes a text by itself."""
    with pytest.raises(InvalidDelivery) as refused:
        _read(_with(PUSH, path, value))
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("specversion", "0.3", "specversion of the delivery is not of a version"),
        ("specversion", 1, "specversion of the delivery is not a text"),
        ("id", ..., "id of the delivery is not there"),
        ("time", ..., "time of the delivery is not there"),
        ("time", "noon", "time of the delivery is not a time"),
        ("time", "2026-11-23T12:40:45", "time of the delivery is not a time with its zone"),
        ("data", "x", "data of the delivery is not an object"),
    ],
)
def test_a_cloud_event_that_is_none_is_refused(path: str, value: object, message: str) -> None:
    """It must say what it is, which one, and when it was."""
    with pytest.raises(InvalidDelivery, match=message):
        _read(_with(CLOUD, path, value))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b'{"type": ',
        b'{"type": NaN}',
        b"[" * 100_000,
        b'{"type": "PUSH_ARTIFACT", "occur_at": ' + b"9" * 5000 + b"}",
        b'{"text": "what another chat program is sent"}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_delivery_is_refused(body: bytes) -> None:
    """Whatever is posted, nothing else is raised."""
    with pytest.raises(InvalidDelivery):
        read_delivery(body)


def test_what_is_too_long_is_refused_unread() -> None:
    """The limit can be set."""
    body = json.dumps(PUSH).encode()
    read_delivery(body, most_bytes=len(body))
    with pytest.raises(InvalidDelivery, match="longer than"):
        read_delivery(body, most_bytes=len(body) - 1)
    with pytest.raises(InvalidDelivery, match="longer than"):
        read_delivery(b" " * (2**20 + 1))


# --- who may come in -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "admitted"),
    [
        ("Bearer old", True),
        ("Bearer new", True),
        ("Bearer ne", False),
        ("bearer new", False),
        ("Bearer new ", False),
        ("", False),
        (None, False),
        ("Bearer n\xe9w", False),
        ("\udc80", False),
    ],
)
def test_only_accepted_headers_come_in(header: str | None, admitted: bool) -> None:
    """Any of several, whole and letter for letter."""
    gatekeeper = Gatekeeper([Secret("Bearer old"), Secret("Bearer new")])
    assert gatekeeper.admits(header) is admitted


@pytest.mark.parametrize("headers", [[], [""], [" "], ["Bearer x", ""], ["Bearer \xfc"]])
def test_a_webhook_that_lets_everybody_in_is_refused(headers: list[str]) -> None:
    """So is a header that could never come."""
    with pytest.raises(ConfigurationError, match="Authorization"):
        Gatekeeper([Secret(text) for text in headers])


def test_a_gatekeeper_does_not_show_what_it_accepts() -> None:
    """Nor does what it refuses."""
    assert "hunter2" not in repr(Gatekeeper([Secret("Bearer hunter2")]))
