"""Manifests of the embedded registry, as an independent client sees them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.content import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from harborsync.testing import LoopbackQuirks

if TYPE_CHECKING:
    from harborsync.testing import LoopbackRegistry

MANIFESTS = "/v2/team/app/manifests"
ABSENT = f"sha256:{'0' * 64}"


def _digest(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def _descriptor(content: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _image(**more: Any) -> bytes:
    """Return a manifest of the config and layer that every repository here holds."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor(b"{}", "application/vnd.oci.empty.v1+json"),
        "layers": [_descriptor(b"layer", "application/vnd.oci.image.layer.v1.tar")],
    }
    return json.dumps({**document, **more}).encode()


def _index(*children: bytes) -> bytes:
    entries = [_descriptor(child, OCI_MANIFEST) for child in children]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()


@pytest.fixture
def seeded(make: Any) -> Any:
    """Return a function that makes a registry with the blobs of an image."""

    def seed(**quirks: Any) -> LoopbackRegistry:
        server: LoopbackRegistry = make(quirks=LoopbackQuirks(**quirks))
        for content in (b"{}", b"layer"):
            server.storage.put_blob("team/app", content)
        return server

    return seed


@pytest.fixture
def server(seeded: Any) -> LoopbackRegistry:
    """Return a seeded registry in its default form."""
    found: LoopbackRegistry = seeded()
    return found


def _put(client: Any, reference: str, content: bytes, media_type: str = OCI_MANIFEST) -> Any:
    return client("PUT", f"{MANIFESTS}/{reference}", content, Content_Type=media_type)


def test_a_manifest_comes_back_byte_for_byte(client: Any) -> None:
    """What is pushed under a tag is served by tag and by digest."""
    content = _image(annotations={"b": "2", "a": "1"})
    pushed = _put(client, "v1", content)
    assert (pushed.status, pushed.headers["Docker-Content-Digest"]) == (201, _digest(content))
    for reference in ("v1", _digest(content)):
        found = client("GET", f"{MANIFESTS}/{reference}")
        assert (found.body, found.headers["Content-Type"]) == (content, OCI_MANIFEST)


@pytest.mark.parametrize("quote", ['"', ""])
def test_a_manifest_that_the_client_knows_is_not_sent_again(client: Any, quote: str) -> None:
    """Nor told of: 304 is all, as distribution says it; another digest changes nothing."""
    content = _image()
    _put(client, "v1", content)
    path, known = f"{MANIFESTS}/v1", f"{quote}{_digest(content)}{quote}"
    for method in ("HEAD", "GET"):
        found = client(method, path, If_None_Match=known)
        assert (found.status, found.body, "Etag" in found.headers) == (304, b"", False)
    assert client("HEAD", path, If_None_Match=f'"{ABSENT}"').status == 200


def test_a_manifest_can_be_named_by_sha512(client: Any) -> None:
    """The digest of the push is the one it is stored under."""
    content = _image()
    name = _digest(content, "sha512")
    assert _put(client, name, content).headers["Docker-Content-Digest"] == name
    assert client("HEAD", f"{MANIFESTS}/{name}").status == 200


def test_what_is_not_its_digest_is_refused(client: Any) -> None:
    """A manifest is checked against the digest it is pushed under."""
    refused = _put(client, ABSENT, _image())
    assert (refused.status, refused.codes) == (400, ["DIGEST_INVALID"])


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        pytest.param(b"{", OCI_MANIFEST, id="no JSON"),
        pytest.param(b"[" * 100_000, OCI_MANIFEST, id="deep"),
        pytest.param(b"[]", OCI_MANIFEST, id="no object"),
        pytest.param(_image(), DOCKER_MANIFEST, id="another type"),
        pytest.param(b"{}", "", id="no type"),
        pytest.param(_image(manifests=[]), OCI_MANIFEST, id="image and index"),
    ],
)
def test_what_is_no_manifest_is_refused(client: Any, content: bytes, media_type: str) -> None:
    """A document that two readers could read in two ways is not taken (OCI-3.6)."""
    assert _put(client, "v1", content, media_type).codes == ["MANIFEST_INVALID"]


def test_all_that_is_missing_is_named(client: Any) -> None:
    """A manifest whose blobs are not there says which, one error each."""
    layers = [_descriptor(text, "application/x") for text in (b"one", b"two")]
    refused = _put(client, "v1", _image(layers=[*layers, "odd"]))
    assert refused.status == 400
    missing = [error["detail"]["digest"] for error in refused.json["errors"]]
    assert missing == [_digest(b"one"), _digest(b"two")]


def test_a_layer_that_may_not_be_distributed_need_not_be_there(client: Any, seeded: Any) -> None:
    """Foreign layers stay where they are (OCI-3.19)."""
    kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    assert _put(client, "v1", _image(layers=[_descriptor(b"far", kind)])).status == 201


def test_children_come_first(client: Any, talk: Any, seeded: Any) -> None:
    """An index is refused as long as a child is lacking, unless sparse ones are taken."""
    child = _image()
    index = _index(child)
    assert _put(client, "all", index, OCI_INDEX).codes == ["MANIFEST_BLOB_UNKNOWN"]
    _put(client, _digest(child), child)
    assert _put(client, "all", index, OCI_INDEX).status == 201
    sparse = talk(seeded(missing_children=True))
    assert _put(sparse, "all", index, OCI_INDEX).status == 201


def test_deleting_by_digest_takes_the_tags_along(client: Any, server: LoopbackRegistry) -> None:
    """A manifest goes with every tag on it (OCI-5.8)."""
    content = _image()
    _put(client, "v1", content)
    _put(client, "v2", content)
    assert client("DELETE", f"{MANIFESTS}/{_digest(content)}").status == 202
    assert server.storage.tags("team/app") == {}
    assert client("DELETE", f"{MANIFESTS}/{_digest(content)}").status == 404


def test_deleting_a_tag_leaves_the_manifest(client: Any, server: LoopbackRegistry) -> None:
    """Other tags of the same digest stay."""
    content = _image()
    _put(client, "v1", content)
    _put(client, "v2", content)
    assert client("DELETE", f"{MANIFESTS}/v1").status == 202
    assert server.storage.tags("team/app") == {"v2": _digest(content)}
    assert client("DELETE", f"{MANIFESTS}/v1").status == 404


def test_a_push_can_set_several_tags(client: Any, server: LoopbackRegistry) -> None:
    """Tags come as parameters and are named in the answer (OCI-5.10)."""
    content = _image()
    pushed = _put(client, f"{_digest(content)}?tag=v1&tag=v2", content)
    assert pushed.headers["OCI-Tag"] == "v1, v2"
    assert set(server.storage.tags("team/app")) == {"v1", "v2"}


def test_a_subject_is_acknowledged(client: Any) -> None:
    """The answer names the subject, whether it is there or not (OCI-6.8)."""
    content = _image(subject={"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 2})
    assert _put(client, _digest(content), content).headers["OCI-Subject"] == ABSENT


def test_a_subject_that_is_no_digest_is_refused(client: Any) -> None:
    """It would end up in a header."""
    content = _image(subject={"mediaType": OCI_MANIFEST, "digest": "a\r\nb: c", "size": 2})
    assert _put(client, _digest(content), content).codes == ["DIGEST_INVALID"]


@pytest.mark.parametrize("reference", ["-v1", "sha256:short", f"sha384:{'0' * 96}"])
def test_what_is_neither_tag_nor_digest_is_refused(client: Any, reference: str) -> None:
    """A malformed reference is 400, for reading as for writing."""
    assert client("GET", f"{MANIFESTS}/{reference}").status == 400
    assert _put(client, reference, _image()).status == 400


class TestQuirks:
    """Each switch, seen from outside."""

    def test_a_type_that_is_not_accepted_can_be_hidden(self, seeded: Any, talk: Any) -> None:
        """Without the right Accept an existing manifest is 404 (OCI-3.2)."""
        client = talk(seeded(accept_sensitive=True))
        _put(client, "v1", _image())
        url = f"{MANIFESTS}/v1"
        assert client("HEAD", url).status == 404
        assert client("HEAD", url, Accept=DOCKER_MANIFEST).status == 404
        assert client("HEAD", url, Accept=f"{OCI_INDEX}, {OCI_MANIFEST};q=0.5").status == 200

    @pytest.mark.parametrize("status", [400, 413])
    def test_a_manifest_can_be_too_large(self, seeded: Any, talk: Any, status: Any) -> None:
        """Over the limit the push is refused, and the connection serves on (OCI-3.11)."""
        server = seeded(max_manifest_bytes=1000, large_manifest_status=status)
        client = talk(server)
        content = _image(annotations={"fill": "x" * 1000})
        assert _put(client, "v1", content).status == status
        assert _put(client, "v1", iter([content[:900], content[900:]])).status == status  # type: ignore[arg-type]
        assert _put(client, "v1", _image()).status == 201
        assert server.connections_opened == 1

    def test_blobs_can_be_missing(self, seeded: Any, talk: Any) -> None:
        """A registry may not look whether blobs are there."""
        content = _image(layers=[_descriptor(b"absent", "application/x")])
        assert _put(talk(seeded(missing_blobs=True)), "v1", content).status == 201

    def test_foreign_layers_can_be_wanted(self, seeded: Any, talk: Any) -> None:
        """Distribution wants even what may not be distributed."""
        kind = "application/vnd.oci.image.layer.nondistributable.v1.tar"
        content = _image(layers=[_descriptor(b"far", kind)])
        assert _put(talk(seeded(foreign_layers=False)), "v1", content).status == 400

    def test_a_malformed_digest_can_be_a_tag(self, seeded: Any, talk: Any) -> None:
        """An old registry takes it for one and stores it."""
        client = talk(seeded(bad_digests="tags"))
        assert _put(client, "sha256:short", _image()).status == 201
        assert client("GET", f"{MANIFESTS}/sha256:short").status == 200

    @pytest.mark.parametrize("status", [400, 405])
    def test_tags_may_stay_for_ever(self, seeded: Any, talk: Any, status: Any) -> None:
        """Deleting a tag is refused (OCI-5.8)."""
        client = talk(seeded(tag_deletion=status))
        _put(client, "v1", _image())
        assert client("DELETE", f"{MANIFESTS}/v1").status == status
        assert client("GET", f"{MANIFESTS}/v1").status == 200

    def test_tag_parameters_can_be_unknown(self, seeded: Any, talk: Any) -> None:
        """They are ignored without a word."""
        server = seeded(tag_parameters=False)
        content = _image()
        pushed = _put(talk(server), f"{_digest(content)}?tag=v1", content)
        assert (pushed.status, pushed.headers["OCI-Tag"]) == (201, None)
        assert server.storage.tags("team/app") == {}

    @pytest.mark.parametrize(
        ("quirks", "told"),
        [
            ({"subject_header": "absent"}, None),
            ({"referrers": "json_404"}, None),
            ({"referrers": "json_404", "subject_header": "lying"}, ABSENT),
        ],
    )
    def test_the_subject_header_can_be_wrong(
        self, seeded: Any, talk: Any, quirks: Any, told: str | None
    ) -> None:
        """It can be absent although there is an API, or there without one (OCI-6.8)."""
        content = _image(subject={"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 2})
        pushed = _put(talk(seeded(**quirks)), _digest(content), content)
        assert pushed.headers["OCI-Subject"] == told

    def test_the_digest_can_be_untold(self, seeded: Any, talk: Any) -> None:
        """Docker-Content-Digest is missing on push and pull."""
        client = talk(seeded(digest_header=False))
        assert "Docker-Content-Digest" not in _put(client, "v1", _image()).headers
        assert "Docker-Content-Digest" not in client("GET", f"{MANIFESTS}/v1").headers

    def test_somebody_else_can_win_the_race_for_a_fallback_tag(
        self, seeded: Any, talk: Any
    ) -> None:
        """The first write of each fallback tag is undone, the second stays (OCI-6.9)."""
        server = seeded(fallback_race=True)
        client = talk(server)
        tag = ABSENT.replace(":", "-")
        _put(client, "v1", _image())
        assert _put(client, tag, _image()).status == 201
        assert set(server.storage.tags("team/app")) == {"v1"}
        _put(client, tag, _image())
        assert set(server.storage.tags("team/app")) == {"v1", tag}

    def test_who_loses_the_race_finds_what_was_before(self, seeded: Any, talk: Any) -> None:
        """An older fallback index comes back."""
        server = seeded(fallback_race=True)
        tag = ABSENT.replace(":", "-")
        older = server.storage.put_manifest("team/app", _image(annotations={}), tags=[tag])
        _put(talk(server), tag, _image())
        assert server.storage.tags("team/app") == {tag: str(older)}
