"""Foreign content: fetched as by a stranger, from public places only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync.credentials import Credential, StaticCredentials
from harborsync.errors import NotFound
from harborsync.graph import ManifestCache, SourceRepository
from harborsync.http.addresses import Zone
from harborsync.http.foreign import ForeignContent
from harborsync.provider import OpenContext
from harborsync.reference import Digest
from harborsync.registries.memory import MemoryRegistry
from harborsync.retry import RetryPolicy
from harborsync.secrets import Secret
from harborsync.testing import LoopbackRegistry
from harborsync.testing.content import Blob, random_blob
from harborsync.transfer import FromRegistryOrUrls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.content import Descriptor

HERE = frozenset({Zone.PUBLIC, Zone.LOOPBACK})
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def blob_server() -> Iterator[tuple[LoopbackRegistry, bytes, Descriptor]]:
    """Give a server that holds a blob, and the blob with its URL."""
    blob = random_blob(1, size=300_000)
    with LoopbackRegistry() as server:
        server.storage.put_blob("a/b", blob.content)
        url = f"http://{server.host}/v2/a/b/blobs/{blob.descriptor.digest}"
        yield server, blob.content, attrs.evolve(blob.descriptor, urls=(url,))


def test_content_is_fetched_from_its_url(
    blob_server: tuple[LoopbackRegistry, bytes, Descriptor],
) -> None:
    """From the start and from an offset, all bytes come."""
    _, content, blob = blob_server
    foreign = ForeignContent(OpenContext(retry=ONCE), zones=HERE)
    with foreign.open(blob) as blocks:
        assert b"".join(blocks) == content
    with foreign.open(blob, 1000) as blocks:
        assert b"".join(blocks) == content[1000:]


def test_no_login_goes_along(blob_server: tuple[LoopbackRegistry, bytes, Descriptor]) -> None:
    """A login for that very host is not sent (OCI-9.5)."""
    server, _, blob = blob_server
    login = Credential(username="robot", secret=Secret("hunter2"))
    context = OpenContext(retry=ONCE, credentials=StaticCredentials({server.host: login}))
    with ForeignContent(context, zones=HERE).open(blob) as blocks:
        assert list(blocks)
    assert not any("authorization" in dict(request.headers) for request in server.requests)


def test_private_addresses_are_never_connected_to(
    blob_server: tuple[LoopbackRegistry, bytes, Descriptor],
) -> None:
    """A loopback URL is refused before anything is sent."""
    server, _, blob = blob_server
    with (
        pytest.raises(NotFound, match="never fetched"),
        ForeignContent(OpenContext(retry=ONCE)).open(blob),
    ):
        pass
    assert not server.requests


def test_the_first_url_that_has_it_is_taken(
    blob_server: tuple[LoopbackRegistry, bytes, Descriptor],
) -> None:
    """URLs that are no URLs or have nothing are passed over."""
    server, content, blob = blob_server
    missing = f"http://{server.host}/v2/a/b/blobs/{Digest.of(b'other')}?X-Signature=hunter2"
    blob = attrs.evolve(blob, urls=("ftp://example/x", missing, *blob.urls))
    with ForeignContent(OpenContext(retry=ONCE), zones=HERE).open(blob) as blocks:
        assert b"".join(blocks) == content


def test_what_is_nowhere_is_not_found_and_no_secret_is_told(
    blob_server: tuple[LoopbackRegistry, bytes, Descriptor],
) -> None:
    """The error says what each URL answered, without its query; and when there are none."""
    server, _, blob = blob_server
    missing = f"http://{server.host}/v2/a/b/blobs/{Digest.of(b'other')}?X-Signature=hunter2"
    foreign = ForeignContent(OpenContext(retry=ONCE), zones=HERE)
    with (
        pytest.raises(NotFound, match="404") as caught,
        foreign.open(attrs.evolve(blob, urls=(missing,))),
    ):
        pass
    assert "hunter2" not in str(caught.value)
    with pytest.raises(NotFound, match="names none"), foreign.open(attrs.evolve(blob, urls=())):
        pass


def test_a_copy_fetches_foreign_layers_only_where_the_source_lacks_them(
    blob_server: tuple[LoopbackRegistry, bytes, Descriptor],
) -> None:
    """With such a way to open blobs, the registry is asked first, then the URLs."""
    server, content, blob = blob_server
    registry = MemoryRegistry("source")
    source = SourceRepository(registry, "a/b", ManifestCache())
    opener = FromRegistryOrUrls(ForeignContent(OpenContext(retry=ONCE), zones=HERE).open)
    with opener.open(source, blob, 0) as blocks:
        assert b"".join(blocks) == content
    with pytest.raises(NotFound), opener.open(source, attrs.evolve(blob, urls=()), 0):
        pass
    server.clear_log()
    registry.put_blob("a/b", blob, Blob.of(content, blob.media_type).open)
    with opener.open(source, blob, 10) as blocks:
        assert b"".join(blocks) == content[10:]
    assert not server.requests
