"""The two kinds of registries that an emulated Harbor copies from and to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harborsync.content import OCI_INDEX
from harborsync.testing import BasicAuth, FaultScript, LoopbackQuirks, faults
from harborsync.testing.content import random_image, random_index, random_signature
from harborsync.testing.harbor_adapters import HarborAdapter, PlainAdapter
from harborsync.testing.harbor_far import FarError, HttpLine, Reply
from harborsync.testing.harbor_resources import Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import LoopbackHarbor, LoopbackRegistry


@pytest.fixture
def plain(server: LoopbackRegistry) -> PlainAdapter:
    """Return what talks to a plain registry."""
    return PlainAdapter(HttpLine(f"http://{server.host}"))


@pytest.fixture
def far(harbor: LoopbackHarbor) -> HarborAdapter:
    """Return what talks to a Harbor as its administrator."""
    line = HttpLine(harbor.url, user="admin", secret="Harbor12345")
    return HarborAdapter(line, logs_in=True)


def test_health_is_an_answer_that_takes_the_login(make: Callable[..., LoopbackRegistry]) -> None:
    """Without a login a refusal counts as health: that is all Harbor asks (recorded: 08)."""
    url = f"http://{make(auth=BasicAuth({'user': 'secret'})).host}"
    assert PlainAdapter(HttpLine(url)).healthy()
    right, wrong = (HttpLine(url, user="user", secret=each) for each in ("secret", "wrong"))
    assert PlainAdapter(right, logs_in=True).healthy()
    assert not PlainAdapter(wrong, logs_in=True).healthy()
    assert not PlainAdapter(HttpLine("http://127.0.0.1:9")).healthy()


def test_a_harbor_that_is_not_there_is_no_matter_of_health() -> None:
    """Where others are unhealthy it fails, which becomes a blank 500."""
    with pytest.raises(FarError):
        HarborAdapter(HttpLine("http://127.0.0.1:9")).healthy()


def test_a_plain_registry_is_listed_tag_by_tag(
    server: LoopbackRegistry, plain: PlainAdapter
) -> None:
    """By its catalog, or not at all when the filter has the only name it can be."""
    for name in ("app/web", "app/api"):
        server.storage.put_manifest(name, b"{}", tags=["1", "2"])
    found = plain.fetch([{"type": "name", "value": "app/*"}])
    assert [(each.repository, each.references) for each in found] == [
        ("app/api", ("1", "2")),
        ("app/web", ("1", "2")),
    ]
    server.clear_log()
    assert plain.fetch([{"type": "name", "value": "app/{web,absent}"}])[0].kind == "image"
    assert not any(each.path == "/v2/_catalog" for each in server.requests)


def test_a_registry_that_cannot_be_listed_fails(make: Callable[..., LoopbackRegistry]) -> None:
    """Without a catalog, or with tags that nobody tells."""
    plan = FaultScript(faults.on("GET", "/tags/list", faults.status(503)))
    server = make(quirks=LoopbackQuirks(catalog=False), faults=plan)
    adapter = PlainAdapter(HttpLine(f"http://{server.host}"))
    with pytest.raises(FarError, match="404"):
        adapter.fetch([])
    with pytest.raises(FarError, match="503"):
        adapter.tags("app")
    assert adapter.tags("app") == []


def test_what_a_registry_does_not_have_is_told(plain: PlainAdapter) -> None:
    """A missing manifest is none to HEAD; reading it, or a blob, fails with the answer."""
    assert plain.head("app/web", "1") is None
    with pytest.raises(FarError, match="http status code: 404, body: ") as caught:
        plain.manifest("app/web", "1")
    assert caught.value.status == 404
    assert plain.mountable("sha256:0") is None
    with pytest.raises(FarError, match="isn't supported"):
        plain.delete_tag("app/web", "1")


def test_content_goes_in_and_out(server: LoopbackRegistry, plain: PlainAdapter) -> None:
    """Blobs by POST and PUT, manifests, a mount, and deletion by digest."""
    digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    plain.push_blob("app/web", digest, b"hello")
    assert (plain.has_blob("app/web", digest), plain.blob("app/web", digest)) == (True, b"hello")
    plain.mount("app/api", digest, "app/web")
    with pytest.raises(FarError, match="http status code: 202"):
        plain.mount("app/api", f"sha256:{'0' * 64}", "app/web")
    kept = server.storage.put_manifest("app/web", b'{"schemaVersion":2}')
    manifest = plain.manifest("app/web", str(kept))
    plain.push_manifest("app/api", "1", manifest)
    assert plain.head("app/api", "1") == manifest.digest
    plain.delete("app/api", manifest.digest)
    assert plain.head("app/api", "1") is None


def test_a_harbor_is_listed_with_all_that_belongs_to_an_artifact(
    harbor: LoopbackHarbor, far: HarborAdapter
) -> None:
    """Signatures follow their subject or, for one of a child, the index it is in."""
    index = random_index(1)
    harbor.push("app/web", index, "1.0")
    child = index.manifests[0].digest
    for seed, subject in enumerate((index.manifest.digest, child)):
        signature = random_signature(seed, subject)
        harbor.push("app/web", signature, str(signature.tag))
    (found,) = far.fetch([{"type": "name", "value": "app/**"}])
    assert [item.accessory for item in found.items] == [False, True, True]
    assert {item.parent_tags for item in found.items[1:]} == {("1.0",)}
    assert found.items[0].digest == str(index.manifest.digest)
    assert index.manifest.media_type == OCI_INDEX


def test_missing_projects_are_made_before_a_push(
    harbor: LoopbackHarbor, far: HarborAdapter
) -> None:
    """Public only if all that goes there is; a proxy cache is skipped."""
    harbor.state.add_project("cached", owner=harbor.state.users["admin"], registry_id=1)
    wanted = [
        Resource(repository="new/web", public="true"),
        Resource(repository="mixed/web", public="true"),
        Resource(repository="mixed/api", public="false"),
        Resource(repository="cached/web"),
    ]
    assert far.prepare(wanted) == [False, False, False, True]
    assert harbor.state.project("new").public
    assert not harbor.state.project("mixed").public


def test_a_project_made_meanwhile_is_no_failure(harbor: LoopbackHarbor) -> None:
    """Who may not make one fails with the answer."""
    robot = harbor.add_robot("puller", project="app", access=["repository:pull"])
    line = HttpLine(harbor.url, user=robot.name, secret=robot.secret)
    adapter = HarborAdapter(line, logs_in=True)
    with pytest.raises(FarError, match="http error: code 403"):
        adapter.prepare([Resource(repository="new/web")])


def test_a_harbor_knows_where_a_blob_is(harbor: LoopbackHarbor, far: HarborAdapter) -> None:
    """Any repository that has it will do."""
    image = random_image(1)
    harbor.push("app/web", image, "1")
    assert far.mountable(str(image.blobs[0].descriptor.digest)) == "app/web"
    assert far.mountable(f"sha256:{'0' * 64}") is None


def test_a_tag_of_a_harbor_is_deleted_alone(harbor: LoopbackHarbor, far: HarborAdapter) -> None:
    """A tag that is gone is told, not raised."""
    harbor.push_image("app/web/api", "1", "2")
    assert far.delete_tag("app/web/api", "1") is True
    assert far.delete_tag("app/web/api", "1") is False
    assert list(harbor.tags("app/web/api")) == ["2"]


def test_long_lists_are_read_page_by_page(harbor: LoopbackHarbor, far: HarborAdapter) -> None:
    """A full page has another one after it."""
    for number in range(101):
        harbor.add_label(f"label-{number}")
    assert len(far.labels()) == 101


def test_long_catalogs_are_read_page_by_page(server: LoopbackRegistry, plain: PlainAdapter) -> None:
    """Also of a server that sends everything each time it is asked."""
    for number in range(1005):
        server.storage.put_manifest(f"app/{number:04}", b"{}", tags=["1"])
    server.storage.put_manifest("app/0000", b"{}", tags=[f"t{number}" for number in range(1005)])
    assert len(plain.fetch([{"type": "name", "value": "app/1*"}])) == 5
    assert len(plain.tags("app/0000")) == 1006
    assert PlainAdapter(_Repeating()).tags("app") == [str(number) for number in range(1000)]


class _Repeating:
    """A server that knows no pages."""

    def send(self, method: str, target: str, headers: object = None, body: bytes = b"") -> Reply:
        """Answer with the same thousand tags."""
        tags = [str(number) for number in range(1000)]
        return Reply(status=200, headers={}, body=json.dumps({"tags": tags}).encode())
