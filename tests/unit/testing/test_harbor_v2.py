"""The ``/v2`` face of the emulated Harbor."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import pytest

from harborsync.content import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from harborsync.testing import faults
from harborsync.testing.content import (
    random_image,
    random_index,
    random_referrer,
    random_signature,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import LoopbackHarbor, LoopbackRegistry
    from harborsync.testing.harbor_state import HarborEvent

_ACCEPT: Final = {"Accept": OCI_MANIFEST}
_EMPTY_IMAGE: Final = (
    b'{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json",'
    b'"digest":"%b","size":2},"layers":[]}'
)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _push(client: Any, name: str, reference: str, config: bytes = b"{}") -> Any:
    """Push a small image over the wire and return the answer to its manifest."""
    client.push_blob(name, config)
    content = _EMPTY_IMAGE % _digest(config).encode()
    return client("PUT", f"/v2/{name}/manifests/{reference}", content, Content_Type=OCI_MANIFEST)


@pytest.fixture
def events(harbor: LoopbackHarbor) -> list[HarborEvent]:
    """Return what happens."""
    happened: list[HarborEvent] = []
    harbor.subscribe(happened.append)
    return happened


@pytest.mark.parametrize(
    "path",
    [
        "/v2/busybox/blobs/uploads/",
        "/v2/app/web/blobs/uploads/?from=busybox",
    ],
)
def test_a_repository_belongs_to_a_project(anybody: Any, path: str) -> None:
    """One of a single name is refused before anything else (HARBOR-4)."""
    reply = anybody("POST", path)
    assert (reply.status, reply.codes) == (400, ["BAD_REQUEST"])
    assert reply.headers["Set-Cookie"] is None


def test_a_method_that_is_not_meant_is_plain_text(admin: Any) -> None:
    """As the registry behind has it."""
    reply = admin("POST", "/v2/app/web/tags/list")
    assert (reply.status, reply.headers["Allow"]) == (405, "GET")


# --- blobs -----------------------------------------------------------------------------------


def test_a_blob_is_pushed_and_read(admin: Any) -> None:
    """In one piece; the answers say that it will not change."""
    digest = admin.push_blob("app/web", b"content")
    reply = admin("GET", f"/v2/app/web/blobs/{digest}")
    assert reply.body == b"content"
    assert reply.headers["Cache-Control"] == "max-age=31536000"
    assert reply.headers["Docker-Content-Digest"] == digest


def test_an_absent_blob_is_told_by_two_servers(admin: Any) -> None:
    """What never came by Harbor itself to a HEAD, else by the registry behind."""
    digest = _digest(b"absent")
    assert admin("HEAD", f"/v2/app/web/blobs/{digest}").status == 404
    reply = admin("GET", f"/v2/app/web/blobs/{digest}")
    assert reply.json["errors"][0] == {
        "code": "BLOB_UNKNOWN",
        "message": "blob unknown to registry",
        "detail": digest,
    }


def test_a_blob_is_deleted_though_it_is_needed(harbor: LoopbackHarbor, admin: Any) -> None:
    """That breaks its image without anybody noticing (HARBOR-6)."""
    _push(admin, "app/web", "1.0")
    assert admin("DELETE", f"/v2/app/web/blobs/{_digest(b'{}')}").status == 202
    assert admin("HEAD", "/v2/app/web/manifests/1.0", **_ACCEPT).status == 200
    head = admin("HEAD", f"/v2/app/web/blobs/{_digest(b'{}')}")
    assert (head.status, head.headers["X-Content-Type-Options"]) == (404, "nosniff")
    again = _EMPTY_IMAGE % _digest(b"{}").encode()
    reply = admin("PUT", "/v2/app/web/manifests/2", again, Content_Type=OCI_MANIFEST)
    assert reply.codes == ["MANIFEST_BLOB_UNKNOWN"]
    assert harbor.tags("app/web").keys() == {"1.0"}


def test_a_blob_is_mounted_across_projects(admin: Any) -> None:
    """If it is there; else a session opens, and for a POST with all of it too (HARBOR-6)."""
    digest = admin.push_blob("app/web", b"content")
    where = "/v2/library/web/blobs/uploads/"
    assert admin("POST", f"{where}?mount={digest}&from=app/web").status == 201
    assert admin("POST", f"{where}?mount={_digest(b'x')}&from=app/web").status == 202
    assert admin("POST", f"{where}?mount={digest}&from=app/absent").status == 202
    assert admin("POST", f"{where}?mount={digest}").status == 202
    assert admin("POST", f"{where}?digest={digest}", b"content").status == 202


def test_a_piece_at_the_wrong_place_is_appended(admin: Any) -> None:
    """The registry behind does not look; an old address is no good any more (HARBOR-6)."""
    where = admin("POST", "/v2/app/web/blobs/uploads/").headers["Location"]
    first = admin("PATCH", where, b"one", Content_Range="0-2")
    second = first.headers["Location"]
    reply = admin("PATCH", second, b"two", Content_Range="7-9")
    assert (reply.status, reply.headers["Range"]) == (202, "0-5")
    assert admin("GET", where).codes == ["BLOB_UPLOAD_INVALID"]
    third = reply.headers["Location"]
    assert admin("GET", third).headers["Range"] == "0-5"
    cancelled = admin("DELETE", third)
    assert cancelled.status == 204
    assert cancelled.headers["Docker-Upload-UUID"]
    assert admin("GET", third).codes == ["BLOB_UPLOAD_UNKNOWN"]
    assert admin("PUT", f"{third}&digest={_digest(b'')}").codes == ["BLOB_UPLOAD_UNKNOWN"]


def test_a_close_without_a_digest_is_refused(admin: Any) -> None:
    """It cannot be checked."""
    where = admin("POST", "/v2/app/web/blobs/uploads/").headers["Location"]
    assert admin("PUT", where).codes == ["DIGEST_INVALID"]


# --- manifests -------------------------------------------------------------------------------


def test_a_manifest_is_pushed_and_pulled(
    harbor: LoopbackHarbor, admin: Any, events: list[HarborEvent]
) -> None:
    """A GET counts as a pull and is told of; a HEAD does not (HARBOR-6)."""
    reply = _push(admin, "app/web", "1.0")
    assert reply.status == 201
    digest = reply.headers["Docker-Content-Digest"]
    assert reply.headers["Location"].endswith(f"/v2/app/web/manifests/{digest}")
    admin("HEAD", "/v2/app/web/manifests/1.0", **_ACCEPT)
    admin("GET", "/v2/app/web/manifests/1.0", **_ACCEPT)
    admin("GET", f"/v2/app/web/manifests/{digest}", **_ACCEPT)
    assert harbor.state.repository("app/web").pull_count == 2
    told = [(each.kind, each.tag, each.digest, each.operator) for each in events]
    assert told == [
        ("push", "1.0", digest, "admin"),
        ("pull", "1.0", digest, "admin"),
        ("pull", "", digest, "admin"),
    ]
    assert all(each.request_id for each in events)


def test_a_push_by_digest_has_no_tag(admin: Any, harbor: LoopbackHarbor) -> None:
    """And one by the wrong digest is refused."""
    content = _EMPTY_IMAGE % _digest(b"{}").encode()
    assert _push(admin, "app/web", _digest(content)).status == 201
    assert harbor.tags("app/web") == {}
    assert _push(admin, "app/web", _digest(b"other")).codes == ["DIGEST_INVALID"]


@pytest.mark.parametrize("reference", [".bad", "t" * 129, "sha256:bad"])
def test_a_tag_that_is_none_is_refused(admin: Any, reference: str) -> None:
    """By Harbor itself (HARBOR-14)."""
    assert _push(admin, "app/web", reference).codes == ["BAD_REQUEST"]


def test_a_tag_that_is_none_led_nowhere_before(
    make_harbor: Callable[..., LoopbackHarbor], log_in: Callable[..., Any]
) -> None:
    """In 2.12 it was a plain 404 (HARBOR-14)."""
    client = log_in(make_harbor(version="2.12"), "admin", "Harbor12345")
    assert _push(client, "library/web", ".bad").status == 404


def test_a_manifest_that_did_not_change_is_not_sent(harbor: LoopbackHarbor, admin: Any) -> None:
    """To whom names its digest, quoted or not; that is no pull either (HARBOR-6)."""
    digest = _push(admin, "app/web", "1.0").headers["Docker-Content-Digest"]
    for form in (digest, f'"{digest}"'):
        reply = admin("GET", "/v2/app/web/manifests/1.0", **_ACCEPT, If_None_Match=form)
        assert (reply.status, reply.headers["Etag"]) == (304, None)
    stale = admin("HEAD", "/v2/app/web/manifests/1.0", **_ACCEPT, If_None_Match=_digest(b"x"))
    assert (stale.status, stale.headers["Etag"]) == (200, f'"{digest}"')
    assert harbor.state.repository("app/web").pull_count == 0


@pytest.mark.parametrize("accept", ["*/*", DOCKER_MANIFEST, ""])
def test_an_oci_type_must_be_named_to_be_sent(
    harbor: LoopbackHarbor, admin: Any, accept: str
) -> None:
    """It is not enough to accept everything; Docker's own are always sent (HARBOR-6)."""
    _push(admin, "app/web", "1.0")
    harbor.push("app/web", random_index(1), "multi")
    manifest = admin("GET", "/v2/app/web/manifests/1.0", Accept=accept)
    index = admin("GET", "/v2/app/web/manifests/multi", Accept=accept)
    assert manifest.codes == index.codes == ["MANIFEST_UNKNOWN"]
    assert "OCI manifest found" in manifest.json["errors"][0]["message"]
    assert "OCI index found" in index.json["errors"][0]["message"]
    assert admin("GET", "/v2/app/web/manifests/multi", Accept=OCI_INDEX).status == 200


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v2/app/absent/manifests/1.0", "repository app/absent not found"),
        ("/v2/app/web/manifests/absent", "artifact app/web:absent not found"),
        (f"/v2/app/web/manifests/{_digest(b'x')}", "artifact app/web@sha256"),
    ],
)
def test_what_is_missing_is_told(admin: Any, path: str, words: str) -> None:
    """The repository, or the artifact in it."""
    _push(admin, "app/web", "1.0")
    reply = admin("GET", path, **_ACCEPT)
    assert reply.codes == ["NOT_FOUND"]
    assert words in reply.json["errors"][0]["message"]


def test_a_manifest_is_deleted_by_its_digest_only(harbor: LoopbackHarbor, admin: Any) -> None:
    """With all its tags (HARBOR-6)."""
    digest = _push(admin, "app/web", "1.0").headers["Docker-Content-Digest"]
    _push(admin, "app/web", "2.0")
    assert admin("DELETE", "/v2/app/web/manifests/1.0").codes == ["UNSUPPORTED"]
    assert admin("DELETE", f"/v2/app/web/manifests/{digest}").status == 202
    assert admin("DELETE", f"/v2/app/web/manifests/{digest}").codes == ["NOT_FOUND"]
    assert admin("GET", "/v2/app/web/tags/list").json == {"name": "app/web", "tags": []}
    assert harbor.tags("app/web") == {}


def test_an_immutable_tag_is_not_pushed_again(harbor: LoopbackHarbor, admin: Any) -> None:
    """Not even with the very same bytes (HARBOR-2)."""
    rule = {
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "v*"}],
        "scope_selectors": {
            "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]
        },
    }
    admin("POST", "/projects/app/immutabletagrules", rule)
    assert _push(admin, "app/web", "v1").status == 201
    reply = _push(admin, "app/web", "v1")
    assert reply.codes == ["PRECONDITION"]
    assert "'web:v1' configured as immutable" in reply.json["errors"][0]["message"]
    assert _push(admin, "app/web", "free").status == 201
    assert harbor.tags("app/web").keys() == {"v1", "free"}


def test_a_caching_project_takes_no_push(harbor: LoopbackHarbor, admin: Any) -> None:
    """It is denied (HARBOR-2)."""
    admin.push_blob("app/web", b"{}")
    harbor.state.project("app").registry_id = 7
    content = _EMPTY_IMAGE % _digest(b"{}").encode()
    reply = admin("PUT", "/v2/app/web/manifests/1.0", content, Content_Type=OCI_MANIFEST)
    assert reply.codes == ["DENIED"]


def test_an_index_needs_its_children(admin: Any) -> None:
    """It is told which ones lack; an empty one is fine (HARBOR-6)."""
    child = _digest(b"child")
    index = b'{"schemaVersion":2,"manifests":[{"mediaType":"%b","digest":"%b","size":1}]}' % (
        OCI_MANIFEST.encode(),
        child.encode(),
    )
    reply = admin("PUT", "/v2/app/web/manifests/x", index, Content_Type=OCI_INDEX)
    assert (reply.codes, reply.json["errors"][0]["detail"]) == (["MANIFEST_BLOB_UNKNOWN"], child)
    empty = b'{"schemaVersion":2,"manifests":[]}'
    assert admin("PUT", "/v2/app/web/manifests/x", empty, Content_Type=OCI_INDEX).status == 201


def test_a_policy_wants_what_is_pulled_signed(harbor: LoopbackHarbor, admin: Any) -> None:
    """By whom it says; the signature itself can be pulled, and a HEAD is free (HARBOR-2)."""
    image = random_image(1)
    harbor.push("app/web", image, "1.0")
    harbor.state.project("app").metadata["enable_content_trust_cosign"] = "true"
    path = "/v2/app/web/manifests/1.0"
    refused = admin("GET", path, **_ACCEPT)
    assert (refused.status, refused.codes) == (412, ["PROJECTPOLICYVIOLATION"])
    assert admin("HEAD", path, **_ACCEPT).status == 200
    signature = random_signature(2, image.digest)
    harbor.push("app/web", signature)
    assert admin("GET", path, **_ACCEPT).status == 200
    assert admin("GET", f"/v2/app/web/manifests/{signature.tag}", **_ACCEPT).status == 200
    harbor.state.project("app").metadata["enable_content_trust"] = "true"
    assert "notation" in admin("GET", path, **_ACCEPT).json["errors"][0]["message"]


def test_a_policy_wants_what_is_pulled_scanned(harbor: LoopbackHarbor, admin: Any) -> None:
    """An index is not looked at, its children are (HARBOR-2)."""
    harbor.push("app/web", random_index(1), "multi")
    harbor.push_image("app/web", "1.0", seed=2)
    harbor.state.project("app").metadata |= {"prevent_vul": "true", "severity": "high"}
    refused = admin("GET", "/v2/app/web/manifests/1.0", **_ACCEPT)
    assert refused.codes == ["PROJECTPOLICYVIOLATION"]
    assert 'severity of "high"' in refused.json["errors"][0]["message"]
    assert admin("GET", "/v2/app/web/manifests/multi", Accept=OCI_INDEX).status == 200


def test_an_upstream_that_has_enough_is_passed_on(
    harbor: LoopbackHarbor, admin: Any, make: Callable[..., LoopbackRegistry]
) -> None:
    """By a project that caches it, until it has something to serve itself (HARBOR-2)."""
    upstream = make()
    endpoint = {"name": "up", "type": "docker-registry", "url": f"http://{upstream.host}"}
    assert admin("POST", "/registries", endpoint).status == 201
    assert admin("POST", "/projects", {"project_name": "cache", "registry_id": 1}).status == 201
    upstream.faults = lambda _: faults.status(429)
    reply = admin("GET", "/v2/cache/library/web/manifests/1.0", **_ACCEPT)
    assert (reply.status, reply.codes) == (429, ["TOO_MANY_REQUEST"])
    harbor.push_image("cache/library/web", "1.0")
    assert admin("GET", "/v2/cache/library/web/manifests/1.0", **_ACCEPT).status == 200


# --- quotas ----------------------------------------------------------------------------------


def test_a_quota_bites_at_the_close(
    harbor: LoopbackHarbor, admin: Any, events: list[HarborEvent]
) -> None:
    """Of an upload, at a mount, at a manifest; a piece is taken before (HARBOR-6)."""
    harbor.add_project("small", limit=400)
    assert _push(admin, "small/web", "1.0", b"{}").status == 201
    used = harbor.state.project("small").used
    where = admin("POST", "/v2/small/web/blobs/uploads/").headers["Location"]
    piece = admin("PATCH", where, b"x" * 500)
    assert piece.status == 202
    second = piece.headers["Location"]
    refused = admin("PUT", f"{second}&digest={_digest(b'x' * 500)}")
    assert refused.codes == ["DENIED"]
    assert "adding 500 B of storage resource" in refused.json["errors"][0]["message"]
    digest = admin.push_blob("app/web", b"y" * 500)
    mount = f"/v2/small/web/blobs/uploads/?mount={digest}&from=app/web"
    assert admin("POST", mount).codes == ["DENIED"]
    config = b"z" * (400 - used - 10)
    assert _push(admin, "small/web", "2.0", config).codes == ["DENIED"]
    assert harbor.state.project("small").used == used + len(config)
    kinds = [each.kind for each in events if each.project.name == "small"]
    assert kinds == [
        "push",
        "quota_exceeded",
        "quota_exceeded",
        "quota_warning",
        "quota_exceeded",
    ]
    assert events[-1].details.endswith("configured upper limit of 400 B.")


def test_a_failed_upload_counts_nothing(harbor: LoopbackHarbor, admin: Any) -> None:
    """Only what is stored does, each blob once in a project."""
    where = admin("POST", "/v2/app/web/blobs/uploads/").headers["Location"]
    assert admin("PUT", f"{where}&digest={_digest(b'no')}", b"yes").status == 400
    assert harbor.state.project("app").used == 0
    admin.push_blob("app/web", b"content")
    admin.push_blob("app/other", b"content")
    assert harbor.state.project("app").used == 7


def test_a_blob_of_unknown_length_is_counted_too(harbor: LoopbackHarbor, admin: Any) -> None:
    """By what was stored, not by what was announced."""
    where = admin("POST", "/v2/app/web/blobs/uploads/").headers["Location"]
    digest = _digest(b"one, two")
    admin.connection.request(
        "PUT",
        f"{where}&digest={digest}",
        iter([b"one, ", b"two"]),
        admin.login,
        encode_chunked=True,
    )
    response = admin.connection.getresponse()
    response.read()
    assert (response.status, harbor.state.project("app").used) == (201, 8)


def test_a_project_that_gets_full_is_warned_of(
    harbor: LoopbackHarbor, admin: Any, events: list[HarborEvent]
) -> None:
    """From 85 % on, with the push that did it (HARBOR-12)."""
    harbor.add_project("small", limit=210)
    _push(admin, "small/web", "1.0")
    assert [each.kind for each in events] == ["push", "quota_warning"]
    assert events[1].details.startswith("quota usage reach 85%: resource storage used ")
    assert (events[1].tag, events[1].repository) == ("1.0", "small/web")


# --- lists -----------------------------------------------------------------------------------


def test_tags_come_in_order_and_page_by_page(harbor: LoopbackHarbor, admin: Any) -> None:
    """All of them without ``n``; after one there is not, too (HARBOR-6)."""
    harbor.push_image("app/web", "c", "a", "b")
    where = "/v2/app/web/tags/list"
    assert admin("GET", where).json == {"name": "app/web", "tags": ["a", "b", "c"]}
    page = admin("GET", f"{where}?n=2")
    assert page.json["tags"] == ["a", "b"]
    assert page.headers["Link"] == f'<{where}?last=b&n=2>; rel="next"'
    last = admin("GET", f"{where}?n=2&last=aa")
    assert (last.json["tags"], last.headers["Link"]) == (["b", "c"], None)
    assert admin("GET", f"{where}?n=0").json["tags"] == []
    assert admin("GET", f"{where}?n=-1").codes == ["BAD_REQUEST"]
    assert admin("GET", "/v2/app/absent/tags/list").codes == ["NOT_FOUND"]


def test_the_catalog_goes_on_after_a_name_there_is(harbor: LoopbackHarbor, admin: Any) -> None:
    """Else it is refused (HARBOR-6)."""
    for name in ("app/a", "app/b"):
        harbor.push_image(name, "1")
    first = admin("GET", "/v2/_catalog?n=1")
    assert first.json == {"repositories": ["app/a"]}
    assert first.headers["Link"] == '</v2/_catalog?last=app%2Fa&n=1>; rel="next"'
    assert admin("GET", "/v2/_catalog?n=1&last=app/a").json == {"repositories": ["app/b"]}
    assert admin("GET", "/v2/_catalog?last=app/x").codes == ["BAD_REQUEST"]


def test_referrers_are_listed(harbor: LoopbackHarbor, admin: Any) -> None:
    """The count ignores the filter; an unknown subject has them too (HARBOR-6)."""
    image = random_image(1)
    harbor.push("app/web", random_referrer(2, image.descriptor))
    where = f"/v2/app/web/referrers/{image.digest}"
    found = admin("GET", where)
    assert (found.headers["Content-Type"], found.headers["X-Total-Count"]) == (OCI_INDEX, "1")
    (entry,) = found.json["manifests"]
    kind = entry["artifactType"].replace("+", "%2B")
    assert admin("GET", f"{where}?artifactType={kind}").json["manifests"] == [entry]
    none = admin("GET", f"{where}?artifactType=x")
    assert none.headers["OCI-Filters-Applied"] == "artifactType"
    assert (none.json["manifests"], none.headers["X-Total-Count"]) == ([], "1")
    assert admin("GET", f"/v2/app/absent/referrers/{image.digest}").json["manifests"] == []
    assert admin("GET", "/v2/app/web/referrers/1.0").codes == ["BAD_REQUEST"]
