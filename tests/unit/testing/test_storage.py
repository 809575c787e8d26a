"""What the embedded registry holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.reference import Digest
from harborsync.testing import Storage

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def storage() -> Iterator[Storage]:
    """Return an empty storage."""
    made = Storage()
    yield made
    made.close()


def test_what_is_put_can_be_had(storage: Storage) -> None:
    """Blobs and manifests are found by digest, manifests by tag as well."""
    digest = storage.put_blob("a", b"x")
    blob = storage.blob("a", digest)
    assert blob is not None
    assert blob.read() == b"x"
    named = storage.put_manifest("a", b"{}", media_type="text/plain", tags=["v1", "v2"])
    for reference in ("v1", named, str(named)):
        found = storage.manifest("a", reference)
        assert found is not None
        assert (found.content, found.media_type) == (b"{}", "text/plain")
    assert storage.tags("a") == {"v1": str(named), "v2": str(named)}
    assert storage.manifests("a") == (found,)


def test_content_can_lie_about_its_name(storage: Storage) -> None:
    """A digest can be given that is not the content's own."""
    lie = Digest.of(b"other")
    assert storage.put_blob("a", b"x", digest=lie) == lie
    assert storage.put_manifest("a", b"{}", digest=lie) == lie
    manifest = storage.manifest("a", lie)
    assert manifest is not None
    assert manifest.content == b"{}"


def test_looking_makes_nothing(storage: Storage) -> None:
    """A repository that was only asked for is not there."""
    assert storage.blob("a", Digest.of(b"")) is None
    assert storage.manifest("a", "v1") is None
    assert storage.tags("a") == {}
    assert storage.repositories() == ()


def test_a_tag_can_point_to_nothing(storage: Storage) -> None:
    """A dangling tag is listed and leads nowhere."""
    storage.tag("a", "v1", Digest.of(b""))
    assert list(storage.tags("a")) == ["v1"]
    assert storage.manifest("a", "v1") is None


@pytest.mark.parametrize("content", [b"{", b"[]", b"[" * 100_000, b"{}", b'{"subject": 1}'])
def test_any_bytes_are_a_manifest_here(storage: Storage, content: bytes) -> None:
    """What cannot be read has no subject."""
    digest = storage.put_manifest("a", content)
    manifest = storage.manifest("a", digest)
    assert manifest is not None
    assert manifest.subject is None


def test_an_upload_is_its_repositorys(storage: Storage) -> None:
    """Sessions are found by repository and id, and forgotten at once."""
    upload = storage.open_upload("a")
    assert storage.upload("a", upload.id) is upload
    assert storage.upload("b", upload.id) is None
    storage.forget_uploads()
    assert (storage.upload("a", upload.id), storage.open_uploads) == (None, 0)
