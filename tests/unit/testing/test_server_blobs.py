"""Blobs of the embedded registry, as an independent client sees them."""

from __future__ import annotations

import hashlib
import http.client
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.testing import FakeClock, LoopbackQuirks

if TYPE_CHECKING:
    from harborsync.testing import LoopbackRegistry

CONTENT = bytes(range(256)) * 4
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
BLOB = f"/v2/team/app/blobs/{DIGEST}"
ABSENT = f"/v2/team/app/blobs/sha256:{'0' * 64}"


@pytest.fixture
def stored(server: LoopbackRegistry) -> LoopbackRegistry:
    """Return a registry that holds the blob."""
    server.storage.put_blob("team/app", CONTENT)
    return server


@pytest.mark.usefixtures("stored")
class TestReading:
    """GET and HEAD."""

    def test_a_blob_is_served(self, client: Any) -> None:
        """All bytes come, with their digest and length."""
        reply = client("GET", BLOB)
        assert (reply.status, reply.body) == (200, CONTENT)
        assert reply.headers["Docker-Content-Digest"] == DIGEST
        assert reply.headers["Accept-Ranges"] == "bytes"

    def test_head_is_get_without_the_body(self, client: Any) -> None:
        """The length is told and nothing follows; the connection stays in step."""
        reply = client("HEAD", BLOB)
        assert (reply.status, reply.body) == (200, b"")
        assert reply.headers["Content-Length"] == str(len(CONTENT))
        assert client("GET", BLOB).body == CONTENT

    @pytest.mark.parametrize(
        ("asked", "start", "end"),
        [
            pytest.param("bytes=10-19", 10, 20, id="middle"),
            pytest.param("bytes=1000-", 1000, 1024, id="to the end"),
            pytest.param("bytes=-24", 1000, 1024, id="last"),
            pytest.param("bytes=-9999", 0, 1024, id="more than there is"),
            pytest.param("bytes=1000-9999", 1000, 1024, id="past the end"),
        ],
    )
    def test_a_part_is_served(self, client: Any, asked: str, start: int, end: int) -> None:
        """A range is 206 with its place in the whole (OCI-4.31)."""
        reply = client("GET", BLOB, Range=asked)
        assert (reply.status, reply.body) == (206, CONTENT[start:end])
        assert reply.headers["Content-Range"] == f"bytes {start}-{end - 1}/1024"

    @pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=5000-6000", "bytes=20-10", "bytes=-0"])
    def test_a_part_that_is_not_there_is_416(self, client: Any, asked: str) -> None:
        """The answer says how long the blob is, and the connection serves on."""
        reply = client("GET", BLOB, Range=asked)
        assert (reply.status, reply.headers["Content-Range"]) == (416, "bytes */1024")
        assert client("GET", BLOB).status == 200

    @pytest.mark.parametrize("asked", ["bytes=-", "lines=1-2", "bytes=1-2,5-6"])
    def test_a_range_nobody_understands_is_ignored(self, client: Any, asked: str) -> None:
        """The whole blob comes."""
        assert client("GET", BLOB, Range=asked).status == 200

    def test_a_blob_that_is_not_there_is_404(self, client: Any) -> None:
        """The error names the digest."""
        reply = client("GET", ABSENT)
        assert (reply.status, reply.codes) == (404, ["BLOB_UNKNOWN"])

    def test_a_blob_of_another_repository_is_404(self, client: Any) -> None:
        """Blobs belong to repositories."""
        assert client("HEAD", BLOB.replace("app", "other")).status == 404

    def test_a_blob_can_be_deleted(self, client: Any) -> None:
        """It is gone, and a second time it is not found."""
        assert client("DELETE", BLOB).status == 202
        assert client("HEAD", BLOB).status == 404
        assert client("DELETE", BLOB).status == 404


def _serving(make: Any, **quirks: Any) -> LoopbackRegistry:
    server: LoopbackRegistry = make(quirks=LoopbackQuirks(**quirks))
    server.storage.put_blob("team/app", CONTENT)
    return server


class TestQuirks:
    """Each switch, seen from outside."""

    def test_ranges_can_be_unknown(self, make: Any, talk: Any) -> None:
        """The whole comes with 200 and no word of ranges (OCI-4.31)."""
        reply = talk(_serving(make, ranges=False))("GET", BLOB, Range="bytes=10-19")
        assert (reply.status, reply.body) == (200, CONTENT)
        assert "Accept-Ranges" not in reply.headers

    def test_a_416_can_lie_about_its_length(self, make: Any, talk: Any) -> None:
        """The blob's length is announced, a short text comes, and the connection ends."""
        client = talk(_serving(make, unsatisfiable_range="lies"))
        with pytest.raises(http.client.IncompleteRead):
            client("GET", BLOB, Range="bytes=5000-")

    @pytest.mark.parametrize("asked", ["bytes=5000-", "bytes=20-10"])
    def test_a_416_can_be_everything(self, make: Any, talk: Any, asked: str) -> None:
        """A range that cannot be had is answered by the whole."""
        client = talk(_serving(make, unsatisfiable_range="whole"))
        assert client("GET", BLOB, Range=asked).body == CONTENT

    def test_a_backward_range_can_be_everything(self, make: Any, talk: Any) -> None:
        """Only a range that ends before it starts is ignored."""
        client = talk(_serving(make, backward_range=200))
        assert client("GET", BLOB, Range="bytes=20-10").status == 200
        assert client("GET", BLOB, Range="bytes=5000-").status == 416

    def test_the_digest_can_be_untold(self, make: Any, talk: Any) -> None:
        """Docker-Content-Digest is missing."""
        reply = talk(_serving(make, digest_header=False))("HEAD", BLOB)
        assert "Docker-Content-Digest" not in reply.headers

    def test_blobs_can_be_labelled_as_encoded(self, make: Any, talk: Any) -> None:
        """Content-Encoding is a lie: the bytes are what they were (OCI-4.29)."""
        reply = talk(_serving(make, content_encoding="gzip"))("GET", BLOB)
        assert (reply.headers["Content-Encoding"], reply.body) == ("gzip", CONTENT)

    def test_the_length_can_be_untold(self, make: Any, talk: Any) -> None:
        """The body comes in chunks and the connection serves on (OCI-4.28)."""
        server = _serving(make, content_length=False)
        client = talk(server)
        for _ in range(2):
            reply = client("GET", BLOB)
            assert reply.body == CONTENT
            assert "Content-Length" not in reply.headers
        assert client("HEAD", BLOB).status == 200
        assert server.connections_opened == 1


class TestRedirects:
    """Blobs that come from somewhere else."""

    def test_a_blob_can_come_from_another_host(self, make: Any, talk: Any) -> None:
        """The address is on another port, and needs no login (OCI-4.26)."""
        server = _serving(make, redirects="other_host")
        sent = talk(server)("GET", BLOB)
        assert (sent.status, sent.body) == (307, b"")
        location = sent.headers["Location"]
        assert location.startswith(f"http://{server.other_host}/storage/team/app/")
        assert talk(server.other_host)("GET", location).body == CONTENT

    def test_a_login_beside_the_signature_is_refused(self, make: Any, talk: Any) -> None:
        """A client that sends credentials where they do not belong gets a 400."""
        client = talk(_serving(make, redirects="same_host"))
        location = client("GET", BLOB).headers["Location"]
        assert client("GET", location).body == CONTENT
        refused = client("GET", location, Authorization="Basic eDp5")
        assert (refused.status, refused.codes) == (400, ["InvalidArgument"])

    def test_the_address_expires(self, make: Any, talk: Any) -> None:
        """After its time the address is no good, and the registry gives a new one (OCI-4.27)."""
        clock = FakeClock()
        quirks = LoopbackQuirks(redirects="same_host", redirect_seconds=60)
        server = make(quirks=quirks, clock=clock)
        server.storage.put_blob("team/app", CONTENT)
        client = talk(server)
        location = client("GET", BLOB).headers["Location"]
        clock.advance(61)
        assert client("GET", location).status == 403
        assert client("GET", client("GET", BLOB).headers["Location"]).status == 200

    def test_the_address_is_for_one_blob(self, make: Any, talk: Any) -> None:
        """The signature covers what it was given for."""
        server = _serving(make, redirects="same_host")
        client = talk(server)
        location = client("GET", BLOB).headers["Location"]
        assert client("GET", location.replace("team/app", "team/other")).status == 403
        server.storage.delete_blob("team/app", DIGEST)
        assert client("GET", location).status == 404
