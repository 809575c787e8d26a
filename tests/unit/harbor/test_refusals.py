"""A refusal of Harbor's says what happened and what to do about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harborsync.credentials import Anonymous, Credential, StaticCredentials
from harborsync.errors import (
    CredentialsRefused,
    Denied,
    HarborsyncError,
    NoCredentials,
    NotFound,
    QuotaExceeded,
    RegistryError,
    ServerError,
    TagImmutable,
    Unsupported,
)
from harborsync.harbor.refusals import Refuser
from harborsync.http.answers import error_from
from harborsync.http.wire import Answer, Headers
from harborsync.secrets import Secret

VECTORS = Path(__file__).parents[3] / "../shared/vectors/harbor"
LOGIN = Credential(username="robot$sync", secret=Secret("s3cret"), origin="environment")


def answer(status: int, body: bytes, *, method: str = "GET", url: str = "/api/v2.0/x") -> Answer:
    """Make an answer of Harbor's."""
    return Answer(
        method=method,
        url=url,
        status=status,
        headers=Headers([("X-Request-Id", "id-7"), ("Content-Type", "text/plain")]),
        body=body,
    )


def errors(code: str, message: str) -> bytes:
    """Write errors down as Harbor does."""
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def refused(status: int, code: str, message: str, needs: str = "") -> HarborsyncError:
    """Read a refusal."""
    refuser = Refuser("harbor.example", StaticCredentials({"harbor.example": LOGIN}))
    return refuser.error(answer(status, errors(code, message)), "do it", needs)


@pytest.mark.parametrize(
    ("status", "code", "message", "kind", "hint"),
    [
        (400, "BAD_REQUEST", "bad request", RegistryError, None),
        (401, "UNAUTHORIZED", "project x not found: project x not found", NotFound, "made first"),
        (401, "UNAUTHORIZED", "unauthorized", CredentialsRefused, "use a robot account"),
        (403, "FORBIDDEN", "forbidden", Denied, "lacks the permission tag:create"),
        (403, "DENIED", "The system is in read only mode.", Denied, "read-only for now"),
        (403, "DENIED", "can not push artifact to a proxy project", Denied, "takes no pushes"),
        (
            403,
            "DENIED",
            "adding 58.6 KiB of storage resource … will exceed the configured upper limit",
            QuotaExceeded,
            "raise its quota",
        ),
        (404, "NOT_FOUND", "artifact not found", NotFound, "may not see"),
        (405, "METHOD_NOT_ALLOWED", "for a proxy cache project", Denied, "takes no pushes"),
        (405, "METHOD_NOT_ALLOWED", "method PATCH is not allowed", Unsupported, None),
        (400, "BAD_REQUEST", "the registry is unhealthy", RegistryError, "does not reach it"),
        (409, "CONFLICT", "label release already exists", RegistryError, "another name"),
        (412, "PRECONDITION", "'web:v1' configured as immutable.", TagImmutable, "immutability"),
        (412, "PRECONDITION", "the policy 33 is disabled", RegistryError, None),
        (412, "PROJECTPOLICYVIOLATION", "cannot be pulled", Denied, "vulnerable or unsigned"),
        (422, "UNPROCESSABLE_ENTITY", "page_size in query", RegistryError, None),
        (500, "UNKNOWN", "internal server error", ServerError, "by the request id"),
    ],
)
def test_each_code_is_an_error_with_its_remedy(
    status: int, code: str, message: str, kind: type[HarborsyncError], hint: str | None
) -> None:
    """The classes are those of any registry; the hints are Harbor's."""
    error = refused(status, code, message, needs="tag:create")
    assert type(error) is kind
    assert hint is None or hint in (error.hint or "")
    assert "(request id id-7)" in str(error)
    assert "s3cret" not in str(error)


def test_a_403_that_says_nothing_more_is_left_as_it_is() -> None:
    """Without a known permission nothing is made up."""
    assert "may not see" in (refused(403, "FORBIDDEN", "forbidden").hint or "")


def test_nobody_is_asked_to_log_in() -> None:
    """A 401 without a login is no wrong password."""
    error = Refuser("harbor.example", Anonymous()).error(
        answer(401, errors("UNAUTHORIZED", "unauthorized")), "list projects"
    )
    assert type(error) is NoCredentials
    assert "it wants a login" in str(error)


@pytest.mark.parametrize("status", [403, 404, 502])
def test_a_page_is_blamed_on_what_stands_in_between(status: int) -> None:
    """Some firewalls refuse the doubly encoded slash (HARBOR §4)."""
    refuser = Refuser("harbor.example", Anonymous())
    error = refuser.error(answer(status, b"\n<html><h1>No</h1></html>"), "list artifacts")
    assert "web application firewall" in (error.hint or "")
    assert "%252F" in (error.hint or "")
    assert "firewall" in (refuser.nonsense(answer(200, b"<html/>"), "list").hint or "")


def _recorded() -> list[Any]:
    if not VECTORS.exists():
        return []
    exchanges = [
        (path.stem, each)
        for path in sorted(VECTORS.glob("*.json"))
        for each in json.loads(path.read_text())["exchanges"]
    ]
    return [
        pytest.param(each, id=f"{name}-{each['name']}")
        for name, each in exchanges
        if each.get("response", {}).get("status", 0) >= 400 and "request" in each
    ]


@pytest.mark.skipif(not VECTORS.exists(), reason="the recordings are not beside the checkout")
def test_every_recorded_refusal_is_understood() -> None:
    """No refusal that a real Harbor gave is an error without a message of its own."""
    kinds: dict[str, set[str]] = {}
    for parameter in _recorded():
        exchange = parameter.values[0]
        said = exchange["response"]
        body = json.dumps(said["json"]).encode() if "json" in said else b""
        found = answer(
            said["status"],
            body,
            method=exchange["request"]["method"],
            url=exchange["request"]["path"],
        )
        kinds.setdefault(exchange["name"], set()).add(type(error_from(found, "do it")).__name__)
    assert len(kinds) > 100
    assert kinds["quota-blob-too-large"] == {"QuotaExceeded"}
    assert kinds["immutable-overwrite"] == {"TagImmutable"}
    assert kinds["read-only-upload"] == {"Denied"}
    assert kinds["push-manifest-refused"] == {"Denied"}
    assert kinds["admin-missing-project"] == {"NotFound"}
    assert kinds["project-delete-not-empty"] == {"RegistryError"}
