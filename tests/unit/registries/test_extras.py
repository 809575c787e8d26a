"""What a distribution server can do beyond reading and writing."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.content import OCI_INDEX, OCI_MANIFEST, Descriptor
from harborsync.errors import Denied, InvalidManifest, NoCredentials, RegistryError, Unsupported
from harborsync.reference import Digest, Tag

if TYPE_CHECKING:
    from harborsync.registries.distribution import DistributionRegistry
    from tests.unit.registries.conftest import ScriptedTransport

SUBJECT = Digest.of(b"subject")
JSON_404 = (404, {"Content-Type": "application/json"}, b'{"errors":[{"code":"NAME_UNKNOWN"}]}')


# --- the catalog ---------------------------------------------------------------------------


def _catalog(registry: DistributionRegistry) -> list[str]:
    catalog = registry.abilities.catalog
    assert catalog is not None
    return list(catalog.list_repositories())


def test_the_catalog_lists_names_that_can_be_names(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """With a scope of its own; what is no repository name is left out (OCI-8.2)."""
    names = ["team/app", "Team/App", "..", "team/app", "a" * 64]
    wire.on("GET", "/v2/_catalog", (200, {}, json.dumps({"repositories": names}).encode()))
    assert _catalog(registry) == ["team/app"]
    assert wire.asked[0].call.scopes == ("registry:catalog:*",)
    assert registry.abilities.catalog is not None


@pytest.mark.parametrize("reply", [401, 404, 405, NoCredentials("log in")])
def test_a_catalog_that_is_not_for_us_is_withdrawn(
    registry: DistributionRegistry, wire: ScriptedTransport, reply: Any
) -> None:
    """From then on the registry says by itself that it has none."""
    wire.on("GET", "/v2/_catalog", reply)
    with pytest.raises(Unsupported, match="one by one"):
        _catalog(registry)
    assert registry.abilities.catalog is None
    assert registry.abilities.mounts is not None


@pytest.mark.parametrize("status", [403, 500])
def test_other_refusals_of_the_catalog_are_told(
    registry: DistributionRegistry, wire: ScriptedTransport, status: int
) -> None:
    """They may pass."""
    wire.on("GET", "/v2/_catalog", status)
    with pytest.raises(RegistryError):
        _catalog(registry)
    assert registry.abilities.catalog is not None


# --- referrers -----------------------------------------------------------------------------


def _entry(name: str) -> Descriptor:
    return Descriptor.of(
        name.encode(), OCI_MANIFEST, artifact_type="x/y", annotation_items={"name": name}
    )


def _index(*names: str, link: str = "", kind: str = OCI_INDEX) -> tuple[int, dict[str, str], bytes]:
    body = {"schemaVersion": 2, "manifests": [_entry(name).to_json() for name in names]}
    headers = {"Content-Type": kind} | ({"Link": link} if link else {})
    return 200, headers, json.dumps(body).encode()


def _referrers(registry: DistributionRegistry) -> tuple[Descriptor, ...] | None:
    referrers = registry.abilities.referrers
    assert referrers is not None
    return referrers.list_referrers("a", SUBJECT)


def test_referrers_come_with_all_that_is_said_about_them(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Page by page, each once (OCI-6.2)."""
    wire.on("GET", f"/v2/a/referrers/{SUBJECT}$", _index("x", "y", link='</p2>; rel="next"'))
    wire.on("GET", "/p2", _index("y", "z", kind=f"{OCI_INDEX}; charset=utf-8"))
    assert _referrers(registry) == (_entry("x"), _entry("y"), _entry("z"))


def test_nothing_that_refers_is_not_the_same_as_no_such_api(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """An empty list is an answer (OCI-6.1)."""
    wire.on("GET", "/referrers/", _index())
    assert _referrers(registry) == ()


@pytest.mark.parametrize(
    "reply",
    [
        (404, {"Content-Type": "text/plain"}, b"404 page not found\n"),
        404,
        400,
        405,
        501,
        (200, {"Content-Type": "text/html"}, b"<html>"),
        (200, {}, b"{}"),
        _index("x", kind="application/json"),
    ],
)
def test_a_repository_without_the_api_is_remembered(
    registry: DistributionRegistry, wire: ScriptedTransport, reply: Any
) -> None:
    """Other statuses, other types: asked once per repository (OCI-6.1)."""
    wire.on("GET", "/v2/b/referrers/", _index())
    wire.on("GET", "/v2/a/referrers/", reply)
    assert _referrers(registry) is None
    assert _referrers(registry) is None
    assert len(wire.asked) == 1
    assert registry.abilities.referrers is not None
    assert registry.abilities.referrers.list_referrers("b", SUBJECT) == ()


def test_whether_there_is_an_api_is_asked_once_however_many_want_to_know(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Whoever comes while the first answer is on its way waits for it."""
    begun = threading.Semaphore(0)
    wire.on("GET", "/referrers/", 404)
    wire.before = lambda _: [begun.acquire(timeout=10) for _ in range(8)]

    def ask(_: int) -> object:
        begun.release()
        return _referrers(registry)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == [None] * 8
    assert len(wire.asked) == 1


def test_a_repository_that_is_not_there_says_nothing_about_the_api(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """It may be there later (OCI-6.1)."""
    wire.on("GET", "", JSON_404, _index("x"))
    assert _referrers(registry) is None
    assert _referrers(registry) == (_entry("x"),)


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_refusal_to_list_referrers_is_an_error(
    registry: DistributionRegistry, wire: ScriptedTransport, status: int
) -> None:
    """Signatures that we may not see are not signatures that are not there."""
    wire.on("GET", "", status)
    with pytest.raises(RegistryError):
        _referrers(registry)


def test_a_list_that_is_none_is_an_error(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """The type says index, the content does not."""
    wire.on("GET", "", (200, {"Content-Type": OCI_INDEX}, b"<html>"))
    with pytest.raises(InvalidManifest):
        _referrers(registry)


# --- deleting tags -------------------------------------------------------------------------


def _delete(registry: DistributionRegistry) -> None:
    deletes = registry.abilities.deletes_tags
    assert deletes is not None
    deletes.delete_tag("a", Tag("v1"))


@pytest.mark.parametrize("status", [202, 200, 204, 404])
def test_a_tag_is_deleted_by_its_name(
    registry: DistributionRegistry, wire: ScriptedTransport, status: int
) -> None:
    """One that is not there is fine (OCI-5.8)."""
    wire.on("DELETE", "/v2/a/manifests/v1$", status)
    _delete(registry)
    assert wire.asked[0].call.scopes == ("repository:a:delete",)


@pytest.mark.parametrize("status", [400, 405, 501])
def test_a_registry_that_cannot_delete_tags_is_never_asked_to_delete_digests(
    registry: DistributionRegistry, wire: ScriptedTransport, status: int
) -> None:
    """That would take every other tag of the digest along (OCI-5.8)."""
    wire.on("DELETE", "", status)
    with pytest.raises(Unsupported, match="without deleting what it points to"):
        _delete(registry)
    assert len(wire.asked) == 1
    assert registry.abilities.deletes_tags is None


def test_a_permission_that_is_lacking_is_told(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Another login may be able to."""
    wire.on("DELETE", "", 403)
    with pytest.raises(Denied):
        _delete(registry)
    assert registry.abilities.deletes_tags is not None


# --- probes --------------------------------------------------------------------------------


def test_an_upload_that_is_tried_is_cancelled(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """The session it opened is deleted, wherever it is told to be."""
    uploads = "/v2/team/app/blobs/uploads/"
    wire.on("POST", uploads, (202, {"Location": f"{uploads}s1"}, b""))
    wire.on("DELETE", f"{uploads}s1", 204)
    probes = registry.abilities.probes
    assert probes is not None
    probes.try_upload("team/app")
    assert [each.call.method for each in wire.asked] == ["POST", "DELETE"]
    assert wire.asked[1].call.url.endswith(f"{uploads}s1")


def test_an_upload_without_a_session_is_left_to_expire(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """There is nothing to cancel."""
    wire.on("POST", "/v2/team/app/blobs/uploads/", 202)
    probes = registry.abilities.probes
    assert probes is not None
    probes.try_upload("team/app")
    assert len(wire.asked) == 1


def test_an_upload_that_is_not_taken_is_told(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """By the error that a push would meet."""
    wire.on("POST", "/v2/team/app/blobs/uploads/", 403)
    probes = registry.abilities.probes
    assert probes is not None
    with pytest.raises(Denied):
        probes.try_upload("team/app")
