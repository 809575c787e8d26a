"""Proxy-cache projects of an emulated Harbor; see also test_harbor_recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync.testing import FaultScript, faults
from harborsync.testing.content import random_image
from harborsync.testing.harbor_proxy import _sniffed

if TYPE_CHECKING:
    from harborsync.testing import FakeClock, LoopbackHarbor, LoopbackRegistry

_ACCEPT = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
_IMAGE = random_image(1, layers=1)


@pytest.fixture
def upstream(admin: Any, server: LoopbackRegistry) -> LoopbackRegistry:
    """Return a registry whose images the project ``cache`` of ``harbor`` serves."""
    for blob in _IMAGE.blobs:
        server.storage.put_blob("web", blob.content)
    server.storage.put_manifest("web", _IMAGE.manifest.raw, tags=["1"])
    body = {"name": "up", "type": "docker-registry", "url": f"http://{server.host}"}
    admin("POST", "/registries", body)
    made = admin("POST", "/projects", {"project_name": "cache", "registry_id": 1})
    assert made.status == 201
    return server


def _pull(admin: Any, reference: str = "1") -> int:
    status: int = admin("GET", f"/v2/cache/web/manifests/{reference}", **_ACCEPT).status
    return status


def _pull_all(admin: Any, clock: FakeClock) -> None:
    _pull(admin)
    for blob in _IMAGE.blobs:
        path = f"/v2/cache/web/blobs/{blob.descriptor.digest}"
        assert admin("GET", path).body == blob.content
    clock.advance(21.0)


@pytest.mark.usefixtures("upstream")
def test_a_cold_manifest_tells_its_digest_to_head_only(admin: Any) -> None:
    """By tag GET has empty headers, and what HEAD tells is unquoted (recorded: 17)."""
    path = "/v2/cache/web/manifests/1"
    head, get = (admin(method, path, **_ACCEPT).headers for method in ("HEAD", "GET"))
    digest = str(_IMAGE.manifest.digest)
    assert (head["Docker-Content-Digest"], head["Etag"]) == (digest, digest)
    assert (get["Docker-Content-Digest"], get["Etag"]) == ("", "")


@pytest.mark.usefixtures("upstream")
def test_an_image_is_kept_once_all_of_it_was_pulled(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, admin: Any
) -> None:
    """Not before its blobs are here, and not after a few minutes of waiting for them."""
    _pull(admin)
    harbor_clock.advance(3600.0)
    assert harbor.tags("cache/web") == {}
    harbor.settle()
    _pull_all(admin, harbor_clock)
    harbor.settle()
    assert harbor.tags("cache/web") == {"1": _IMAGE.manifest.digest}


def test_what_is_here_is_served_when_upstream_is_gone(
    harbor_clock: FakeClock, admin: Any, upstream: LoopbackRegistry
) -> None:
    """By tag and digest; what is not here is not to be had."""
    _pull_all(admin, harbor_clock)
    assert _pull(admin) == 200
    upstream.close()
    assert admin("GET", "/v2/cache/web/tags/list").json["tags"] == ["1"]
    assert _pull(admin) == 200
    assert _pull(admin, str(_IMAGE.manifest.digest)) == 200
    assert _pull(admin, "absent") == 404


def test_a_blob_that_upstream_cannot_give_is_a_server_fault(
    admin: Any, upstream: LoopbackRegistry
) -> None:
    """One that it does not have is not found."""
    upstream.faults = FaultScript(faults.on("GET", "/blobs/", faults.status(503)))
    path = f"/v2/cache/web/blobs/{_IMAGE.blobs[0].descriptor.digest}"
    assert admin("GET", path).codes == ["UNKNOWN"]
    assert admin("GET", f"/v2/cache/web/blobs/sha256:{'0' * 64}").codes == ["NOT_FOUND"]


def test_a_manifest_that_breaks_off_is_a_server_fault(
    admin: Any, upstream: LoopbackRegistry
) -> None:
    """It was there a moment ago."""
    upstream.faults = FaultScript(faults.on("GET", "/manifests/", faults.status(503)))
    assert _pull(admin) == 500


@pytest.mark.usefixtures("upstream")
def test_tags_are_those_of_both_sides(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, admin: Any
) -> None:
    """What was deleted upstream is still listed while it is here."""
    _pull_all(admin, harbor_clock)
    harbor.settle()
    harbor.push_image("cache/web", "kept")
    assert admin("GET", "/v2/cache/web/tags/list").json["tags"] == ["1", "kept"]


@pytest.mark.usefixtures("upstream")
def test_other_requests_are_the_registrys(admin: Any) -> None:
    """Referrers, and deletion of what was kept."""
    digest = _IMAGE.manifest.digest
    assert admin("GET", f"/v2/cache/web/referrers/{digest}").status in {200, 404}
    assert admin("DELETE", f"/v2/cache/web/manifests/{digest}").codes == ["NOT_FOUND"]
    assert admin("GET", "/projects/app/summary").status == 200


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x1f\x8b\x08\x00", "application/x-gzip"),
        (b"{}", "text/plain; charset=utf-8"),
        (b"\xff\xfe\x00", "application/octet-stream"),
    ],
)
def test_the_type_of_a_blob_is_guessed(content: bytes, kind: str) -> None:
    """As Go does it where nobody says (recorded: 17-proxy-cache)."""
    assert _sniffed(content) == kind
