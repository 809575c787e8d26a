"""Who may do what on the ``/v2`` face of the emulated Harbor."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import pytest

from harborsync.content import OCI_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import LoopbackHarbor

_ACCEPT: Final = {"Accept": OCI_MANIFEST}
_EMPTY_IMAGE: Final = (
    b'{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json",'
    b'"digest":"%b","size":2},"layers":[]}'
)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_nobody_is_sent_to_the_token_service(anybody: Any) -> None:
    """At the address they came to; with the scope if there is one (HARBOR-5)."""
    host = anybody.connection.host
    root = anybody("GET", "/v2/").headers["WWW-Authenticate"]
    assert root.startswith(f'Bearer realm="http://{host}:')
    assert root.endswith('/service/token",service="harbor-registry"')
    for method, path, scope in (
        ("GET", "/v2/app/web/tags/list", "repository:app/web:pull"),
        ("HEAD", "/v2/library/web/manifests/1", "repository:library/web:pull"),
        ("POST", "/v2/app/web/blobs/uploads/", "repository:app/web:pull,push"),
        (
            "POST",
            f"/v2/app/web/blobs/uploads/?mount={_digest(b'x')}&from=library/a",
            "repository:app/web:pull,push repository:library/a:pull",
        ),
        ("DELETE", f"/v2/app/web/manifests/{_digest(b'x')}", "repository:app/web:delete"),
    ):
        reply = anybody(method, path)
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"].endswith(f'scope="{scope}"'), path


def test_who_has_tried_is_asked_for_a_password(
    harbor: LoopbackHarbor, log_in: Callable[..., Any]
) -> None:
    """It is a 401 for want of rights too, never a 403 (HARBOR-5)."""
    robot = harbor.add_robot("r", project="app", access=["repository:pull"])
    client = log_in(harbor, robot.name, robot.secret)
    for reply in (
        log_in(harbor, robot.name, "wrong")("GET", "/v2/"),
        client("POST", "/v2/app/web/blobs/uploads/"),
        client("GET", "/v2/_catalog"),
    ):
        assert (reply.status, reply.codes) == (401, ["UNAUTHORIZED"])
        assert reply.headers["WWW-Authenticate"] == 'Basic realm="harbor"'
    assert client("GET", "/v2/").json == {}


def test_the_catalog_never_asks_for_a_token(anybody: Any) -> None:
    """Its challenge is Basic to anybody (HARBOR-5)."""
    assert anybody("GET", "/v2/_catalog").headers["WWW-Authenticate"] == 'Basic realm="harbor"'


@pytest.mark.parametrize(
    "path",
    ["/v2/absent/web/blobs/uploads/", "/v2/app/Web/blobs/uploads/", "/v2/app/web/nonsense"],
)
def test_what_is_nowhere_is_a_matter_of_permission(admin: Any, path: str) -> None:
    """To everybody, with an empty challenge (HARBOR-2)."""
    reply = admin("POST", path)
    assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "")


def test_a_source_that_may_not_be_read_refuses_the_mount(
    harbor: LoopbackHarbor, log_in: Callable[..., Any]
) -> None:
    """The whole request, instead of opening a session (HARBOR-6)."""
    harbor.add_project("secret")
    robot = harbor.add_robot("r", project="app")
    client = log_in(harbor, robot.name, robot.secret)
    mount = f"/v2/app/web/blobs/uploads/?mount={_digest(b'x')}&from=secret/a"
    assert client("POST", mount).status == 401
    assert client("POST", "/v2/app/web/blobs/uploads/?from=secret/a").status == 202
