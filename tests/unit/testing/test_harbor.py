"""A Harbor inside a test."""

from __future__ import annotations

import hashlib
import ssl
from typing import TYPE_CHECKING, Any, Final

import pytest

from harborsync.content import OCI_MANIFEST
from harborsync.errors import InvalidValue
from harborsync.reference import Digest
from harborsync.secrets import MASK
from harborsync.testing import FakeClock, FaultScript, LoopbackHarbor, TestAuthority, faults
from harborsync.testing.content import random_image, random_signature
from harborsync.testing.harbor_wire import HarborError

if TYPE_CHECKING:
    from collections.abc import Callable

_PULL: Final = "/service/token?service=harbor-registry&scope=repository:app/web:pull"


def test_a_new_harbor_has_what_every_one_has(make_harbor: Callable[..., LoopbackHarbor]) -> None:
    """An administrator and the public project library."""
    with make_harbor() as harbor:
        assert harbor.state.users.keys() == {"admin"}
        assert harbor.state.project("library").public
        assert str(harbor.endpoint) == f"harbor+http://{harbor.host}"
        assert harbor.url == f"http://{harbor.host}"
        assert harbor.other_host is None


def test_a_version_there_is_not_is_refused() -> None:
    """With those there are."""
    with pytest.raises(InvalidValue, match="no version") as raised:
        LoopbackHarbor(version="3.0")
    assert "2.15" in str(raised.value.hint)


def test_content_is_seeded_as_if_it_had_been_pushed(harbor: LoopbackHarbor) -> None:
    """With its blobs; a signature goes under its own tag unless told."""
    image = random_image(1)
    assert harbor.push("app/web", image, "1.0", "latest") == image.digest
    harbor.push("app/web", random_signature(2, image.digest))
    assert harbor.tags("app/web").keys() == {
        "1.0",
        "latest",
        f"sha256-{image.digest.encoded}.sig",
    }
    assert harbor.storage.blobs("app/web") >= {str(blob.descriptor.digest) for blob in image.blobs}
    assert harbor.artifact("app/web", "1.0").digest == str(image.digest)
    with pytest.raises(HarborError):
        harbor.artifact("app/web", "absent")
    assert harbor.tags("app/absent") == {}


def test_thousands_of_artifacts_are_seeded_and_listed(harbor: LoopbackHarbor, admin: Any) -> None:
    """Fast enough for tests of scale: neither seeding nor a page looks at everything."""
    for number in range(3000):
        harbor.push_manifest("app/many", b'{"n":%d}' % number, f"t{number}")
    page = admin("GET", "/projects/app/repositories/many/artifacts?page_size=100&page=30")
    assert page.headers["X-Total-Count"] == "3000"
    assert page.json[-1]["tags"][0]["name"] == "t0"
    assert len(admin("GET", "/v2/app/many/tags/list").json["tags"]) == 3000


def test_users_have_roles_there_are(harbor: LoopbackHarbor) -> None:
    """Others are refused."""
    harbor.add_user("ann", "Secret-1", roles={"app": "guest"})
    assert harbor.state.project("app").members["ann"].role == "guest"
    with pytest.raises(InvalidValue, match="no role"):
        harbor.add_user("bob", "Secret-1", roles={"app": "king"})


def test_two_robots_cannot_have_one_name(harbor: LoopbackHarbor) -> None:
    """In a project or in the system."""
    harbor.add_robot("ci", project="app")
    harbor.add_robot("ci")
    for project in ("app", None):
        with pytest.raises(HarborError, match="already exists"):
            harbor.add_robot("ci", project=project)


def test_requests_are_logged_without_secrets(harbor: LoopbackHarbor, admin: Any) -> None:
    """Until the log is cleared."""
    admin("GET", "/projects")
    (line,) = harbor.requests
    assert (line.method, line.path, line.status) == ("GET", "/api/v2.0/projects", 200)
    assert line.headers["authorization"] == f"Basic {MASK}"
    harbor.clear_log()
    assert harbor.requests == ()


def test_a_failure_can_be_arranged(
    make_harbor: Callable[..., LoopbackHarbor], log_in: Callable[..., Any]
) -> None:
    """For this request or that."""
    script = FaultScript(faults.on("GET", "/projects", faults.status(503)))
    client = log_in(make_harbor(faults=script), "admin", "Harbor12345")
    assert client("GET", "/projects").status == 503
    assert client("GET", "/projects").status == 200


def test_tokens_and_uploads_can_be_lost(
    make_harbor: Callable[..., LoopbackHarbor], log_in: Callable[..., Any]
) -> None:
    """In the middle of something."""
    harbor = make_harbor()
    harbor.add_project("app")
    client = log_in(harbor, "admin", "Harbor12345")
    token = client("GET", _PULL).json["token"]
    start = client("POST", "/v2/app/web/blobs/uploads/").headers["Location"]
    harbor.faults = lambda _: faults.Fault(expire_tokens=True, forget_uploads=True)
    client("GET", "/ping")
    harbor.faults = None
    assert client("GET", "/v2/", Authorization=f"Bearer {token}").status == 401
    assert client("GET", start).codes == ["BLOB_UPLOAD_UNKNOWN"]


def test_blobs_can_be_served_elsewhere(
    make_harbor: Callable[..., LoopbackHarbor], log_in: Callable[..., Any], talk: Any
) -> None:
    """By a host that wants no login, and suffers none (HARBOR-6)."""
    harbor = make_harbor(redirects=True)
    digest = harbor.storage.put_blob("library/web", b"content")
    client = log_in(harbor, "admin", "Harbor12345")
    moved = client("GET", f"/v2/library/web/blobs/{digest}")
    assert moved.status == 307
    host = str(harbor.other_host)
    path = moved.headers["Location"].partition(host)[2]
    other = talk(host)
    assert other("GET", path).body == b"content"
    assert other("GET", path, Authorization="Basic x").status == 400
    assert other("GET", "/storage/library/web/nothing").status == 403


def test_where_an_upload_goes_on_can_be_told_without_host(
    make_harbor: Callable[..., LoopbackHarbor], log_in: Callable[..., Any]
) -> None:
    """As a Harbor behind a proxy may be told to (HARBOR-6)."""
    client = log_in(make_harbor(relative_locations=True), "admin", "Harbor12345")
    where = client("POST", "/v2/library/web/blobs/uploads/").headers["Location"]
    assert where.startswith("/v2/library/web/blobs/uploads/")
    assert client.push_blob("library/web", b"{}")
    body = {"schemaVersion": 2, "layers": []}
    reply = client("PUT", "/v2/library/web/manifests/1", body, Content_Type=OCI_MANIFEST)
    assert reply.headers["Location"].startswith("/v2/library/web/manifests/sha256:")


def test_slashes_are_merged_on_both_faces(harbor: LoopbackHarbor, admin: Any) -> None:
    """In the path, not in the query (HARBOR-4)."""
    harbor.push_image("app/web", "1.0")
    assert admin("GET", "/v2//app///web/tags/list").json["tags"] == ["1.0"]


def test_it_speaks_tls(make_harbor: Callable[..., LoopbackHarbor], talk: Any) -> None:
    """With a certificate of the authority it was given."""
    with TestAuthority() as authority:
        harbor = make_harbor(tls=authority, redirects=True)
        assert harbor.url == f"https://{harbor.host}"
        assert harbor.endpoint.options["ca"] == str(authority.ca_file)
        trusting = ssl.create_default_context(cafile=str(authority.ca_file))
        client = talk(harbor.host, trusting)
        challenge = client("GET", "/v2/").headers["WWW-Authenticate"]
    assert challenge.startswith(f'Bearer realm="https://{harbor.host}/service/token"')


def test_events_are_told_after_the_answer(harbor: LoopbackHarbor) -> None:
    """Without the lock, so that a subscriber can look at everything."""
    seen: list[dict[str, Digest]] = []
    harbor.subscribe(lambda event: seen.append(harbor.tags(event.repository)))
    digest = harbor.push_image("app/web", "1.0")
    assert seen == [{"1.0": digest}]


def test_time_is_the_clocks(make_harbor: Callable[..., LoopbackHarbor]) -> None:
    """So that dates can be foretold."""
    clock = FakeClock()
    harbor = make_harbor(clock=clock)
    clock.advance(60)
    harbor.push_image("library/web", "1.0")
    assert harbor.artifact("library/web", "1.0").pushed == clock.now()
    assert harbor.clock is clock


def test_a_blob_pushed_over_the_wire_is_held(harbor: LoopbackHarbor, admin: Any) -> None:
    """And its manifest is what the state tells of."""
    digest = admin.push_blob("app/web", b"{}")
    assert digest == f"sha256:{hashlib.sha256(b'{}').hexdigest()}"
    config = {"mediaType": "text/plain", "digest": digest, "size": 2}
    body = {"schemaVersion": 2, "config": config, "layers": []}
    reply = admin("PUT", "/v2/app/web/manifests/1.0", body, Content_Type=OCI_MANIFEST)
    assert harbor.tags("app/web")["1.0"] == Digest.parse(reply.headers["Docker-Content-Digest"])
