"""Which requests the embedded registry answers at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync.testing import LoopbackQuirks

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import LoopbackRegistry


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_it_says_that_it_is_a_registry(client: Any, path: str) -> None:
    """The ping is 200 and names the API."""
    reply = client("GET", path)
    assert (reply.status, reply.json) == (200, {})
    assert reply.headers["Docker-Distribution-API-Version"] == "registry/2.0"


@pytest.mark.parametrize("path", ["/", "/v1/", "/v2/a", "/v2/_oci/ext/discover", "/token"])
def test_other_paths_are_404(client: Any, path: str) -> None:
    """There is nothing else, and no token server where there are no logins."""
    assert client("GET", path).status == 404


def test_other_methods_are_405(client: Any) -> None:
    """A path that exists for other methods says so."""
    assert client("PATCH", "/v2/a/tags/list").codes == ["UNSUPPORTED"]


@pytest.mark.parametrize("name", ["Team/app", "a//b", "a/-b", "a" * 256])
def test_a_bad_name_is_refused(client: Any, name: str) -> None:
    """Names are checked before anything else (OCI-1.1)."""
    assert client("GET", f"/v2/{name}/tags/list").codes == ["NAME_INVALID"]


def test_a_name_may_look_like_a_path(client: Any, server: LoopbackRegistry) -> None:
    """Components called blobs, tags or manifests are components."""
    server.storage.put_manifest("blobs/tags/list/manifests", b"{}", tags=["v1"])
    reply = client("GET", "/v2/blobs/tags/list/manifests/tags/list")
    assert reply.json["tags"] == ["v1"]


def test_head_can_be_refused(make: Callable[..., LoopbackRegistry], talk: Any) -> None:
    """Some registries and proxies answer 405 (OCI-3.9)."""
    client = talk(make(quirks=LoopbackQuirks(heads=False)))
    assert client("HEAD", "/v2/").status == 405
    assert client("GET", "/v2/").status == 200
