"""Uploads to the embedded registry, as an independent client sees them."""

from __future__ import annotations

import hashlib
import socket
from typing import Any

import pytest

from harborsync.testing import LoopbackQuirks, LoopbackRegistry

CONTENT = b"0123456789" * 50
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
SHA512 = f"sha512:{hashlib.sha512(CONTENT).hexdigest()}"
UPLOADS = "/v2/team/app/blobs/uploads/"


def _named(location: str, digest: str = DIGEST) -> str:
    return f"{location}{'&' if '?' in location else '?'}digest={digest}"


def test_post_and_put_store_a_blob(client: Any, server: LoopbackRegistry) -> None:
    """The plainest upload stores the bytes under their digest and says where."""
    opened = client("POST", UPLOADS)
    assert (opened.status, opened.headers["Range"]) == (202, "0-0")
    stored = client("PUT", _named(opened.headers["Location"]), CONTENT)
    assert (stored.status, stored.headers["Docker-Content-Digest"]) == (201, DIGEST)
    assert stored.headers["Location"] == f"/v2/team/app/blobs/{DIGEST}"
    blob = server.storage.blob("team/app", DIGEST)
    assert blob is not None
    assert blob.read() == CONTENT
    assert server.storage.open_uploads == 0


def test_an_upload_goes_on_beside_the_api(make: Any, talk: Any) -> None:
    """As at Google's registries; what was stored is at its usual place."""
    server = make(quirks=LoopbackQuirks(uploads="beside"))
    client = talk(server)
    location = client("POST", UPLOADS).headers["Location"]
    assert location.startswith("/artifacts-uploads/namespaces/team/app/uploads/")
    assert client("GET", location).status == 204
    stored = client("PUT", _named(location), CONTENT)
    assert (stored.status, stored.headers["Location"]) == (201, f"/v2/team/app/blobs/{DIGEST}")


def test_one_post_stores_a_blob(client: Any, server: LoopbackRegistry) -> None:
    """A POST that names the digest takes the body at once."""
    assert client("POST", _named(UPLOADS), CONTENT).status == 201
    assert server.storage.blobs("team/app") == {DIGEST}


def test_pieces_add_up(client: Any, server: LoopbackRegistry) -> None:
    """Pieces sent by PATCH in order, the last one by PUT, make the blob."""
    location = client("POST", UPLOADS).headers["Location"]
    first = client("PATCH", location, CONTENT[:200], Content_Range="0-199")
    assert (first.status, first.headers["Range"]) == (202, "0-199")
    state = client("GET", first.headers["Location"])
    assert (state.status, state.headers["Range"]) == (204, "0-199")
    last = client("PUT", _named(location), CONTENT[200:], Content_Range="200-499")
    assert last.status == 201
    assert server.storage.blobs("team/app") == {DIGEST}


@pytest.mark.parametrize(
    "told",
    [
        pytest.param("300-599", id="gap"),
        pytest.param("0-299", id="again"),
        pytest.param("200-300", id="wrong length"),
        pytest.param("bytes 200-499/500", id="wrong form"),
    ],
)
def test_a_piece_out_of_order_is_refused(client: Any, told: str) -> None:
    """A piece that does not follow the last one is 416, and the session goes on (OCI-4.17)."""
    location = client("POST", UPLOADS).headers["Location"]
    client("PATCH", location, CONTENT[:200], Content_Range="0-199")
    refused = client("PATCH", location, CONTENT[200:], Content_Range=told)
    assert (refused.status, refused.headers["Range"]) == (416, "0-199")
    assert client("PUT", _named(location), CONTENT[200:]).status == 201


def test_content_that_is_not_its_digest_is_refused(client: Any, server: LoopbackRegistry) -> None:
    """The commit checks what came; after a failure the session is over (OCI-4.20)."""
    location = client("POST", UPLOADS).headers["Location"]
    refused = client("PUT", _named(location), CONTENT + b"!")
    assert (refused.status, refused.codes) == (400, ["DIGEST_INVALID"])
    assert client("GET", location).codes == ["BLOB_UPLOAD_UNKNOWN"]
    assert server.storage.blobs("team/app") == frozenset()


@pytest.mark.parametrize("query", ["", "?digest-algorithm=sha512"])
def test_sha512_is_a_name_like_any_other(client: Any, server: LoopbackRegistry, query: str) -> None:
    """Content is stored under the digest asked for, hashed on the way or read again."""
    location = client("POST", UPLOADS + query).headers["Location"]
    assert client("PUT", _named(location, SHA512), CONTENT).status == 201
    assert server.storage.blobs("team/app") == {SHA512}


@pytest.mark.parametrize("digest", ["", "sha256:short", "md5:d41d8cd98f00b204e9800998ecf8427e"])
def test_a_digest_that_is_none_is_refused(client: Any, digest: str) -> None:
    """Nothing is stored under what cannot be checked."""
    location = client("POST", UPLOADS).headers["Location"]
    assert client("PUT", _named(location, digest), CONTENT).codes == ["DIGEST_INVALID"]


def test_an_unknown_algorithm_is_refused(client: Any) -> None:
    """A session is opened for sha256 or sha512 only."""
    assert client("POST", f"{UPLOADS}?digest-algorithm=md5").status == 400


def test_a_large_blob_goes_through_a_file(client: Any, server: LoopbackRegistry) -> None:
    """From a mebibyte on the bytes are kept in a file, and hashed again from there."""
    content = bytes(range(256)) * 8192 + b"a short last piece"
    digest = f"sha512:{hashlib.sha512(content).hexdigest()}"
    location = client("POST", UPLOADS).headers["Location"]
    client("PATCH", location, content[:500_000])
    client("PATCH", location, content[500_000:-18])
    assert client("PUT", _named(location, digest), content[-18:]).status == 201
    blob = server.storage.blob("team/app", digest)
    assert blob is not None
    assert blob.path is not None
    assert blob.read() == content


def test_a_session_can_be_cancelled(client: Any, server: LoopbackRegistry) -> None:
    """DELETE ends a session, whatever it holds (OCI-4.22)."""
    location = client("POST", UPLOADS).headers["Location"]
    client("PATCH", location, bytes(2 * 2**20))
    assert client("DELETE", location).status == 204
    assert client("DELETE", location).status == 404
    assert server.storage.open_uploads == 0


def test_a_session_that_is_forgotten_while_bytes_come_is_no_blob(server: LoopbackRegistry) -> None:
    """Whoever sends is told so, and nothing half is stored."""
    upload = server.storage.open_upload("a")
    path = f"/v2/a/blobs/uploads/{upload.id}?digest={DIGEST}"
    head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(CONTENT)}\r\n\r\n"
    address, port = server.host.split(":")
    with socket.create_connection((address, int(port))) as sock:
        sock.sendall(head.encode() + CONTENT[:1])
        while not upload.offset:
            pass
        server.storage.forget_uploads()
        sock.sendall(CONTENT[1:])
        assert sock.recv(100).startswith(b"HTTP/1.1 404 ")
    assert server.storage.blobs("a") == frozenset()


def test_a_session_belongs_to_its_repository(client: Any) -> None:
    """Another repository does not know it."""
    location = client("POST", UPLOADS).headers["Location"]
    assert client("GET", location.replace("team/app", "team/other")).status == 404


def test_a_blob_is_mounted(client: Any, server: LoopbackRegistry) -> None:
    """A blob of one repository appears in another without a byte moving (OCI-4.3)."""
    client.push_blob("team/base", CONTENT)
    mounted = client("POST", f"{UPLOADS}?mount={DIGEST}&from=team/base")
    assert (mounted.status, mounted.headers["Docker-Content-Digest"]) == (201, DIGEST)
    assert server.storage.blobs("team/app") == {DIGEST}


def test_a_mount_that_fails_opens_a_session(client: Any) -> None:
    """What is not there cannot be mounted; the 202 is an upload (OCI-4.3)."""
    opened = client("POST", f"{UPLOADS}?mount={DIGEST}&from=team/base")
    assert opened.status == 202
    assert client("PUT", _named(opened.headers["Location"]), CONTENT).status == 201


def test_a_mount_without_from_looks_everywhere(client: Any) -> None:
    """An anonymous mount finds the blob in any repository (OCI-4.4)."""
    client.push_blob("team/base", CONTENT)
    assert client("POST", f"{UPLOADS}?mount={DIGEST}").status == 201


def test_a_body_without_a_length_is_taken(client: Any, server: LoopbackRegistry) -> None:
    """A chunked body is read to its end."""
    location = client("POST", UPLOADS).headers["Location"]
    pieces = iter([CONTENT[:100], CONTENT[100:]])
    assert client("PUT", _named(location), pieces).status == 201
    assert server.storage.blobs("team/app") == {DIGEST}


class TestQuirks:
    """Each switch, seen from outside."""

    @pytest.mark.parametrize(("mounts", "status"), [("no", 202), ("refused", 405)])
    def test_mounts_can_be_off(self, make: Any, talk: Any, mounts: Any, status: int) -> None:
        """A registry without mounts opens a session, or says so."""
        client = talk(make(quirks=LoopbackQuirks(mounts=mounts)))
        client.push_blob("team/base", CONTENT)
        assert client("POST", f"{UPLOADS}?mount={DIGEST}&from=team/base").status == status

    def test_anonymous_mounts_can_be_off(self, make: Any, talk: Any) -> None:
        """A mount without from is then an upload."""
        client = talk(make(quirks=LoopbackQuirks(anonymous_mounts=False)))
        client.push_blob("team/base", CONTENT)
        assert client("POST", f"{UPLOADS}?mount={DIGEST}").status == 202

    @pytest.mark.parametrize(("single_post", "status"), [("ignored", 202), ("refused", 405)])
    def test_one_post_can_be_off(self, make: Any, talk: Any, single_post: Any, status: int) -> None:
        """The body of a POST is thrown away, or refused; the connection serves on (OCI-4.8)."""
        server = make(quirks=LoopbackQuirks(single_post=single_post))
        client = talk(server)
        assert client("POST", _named(UPLOADS), CONTENT).status == status
        assert client("GET", "/v2/").status == 200
        assert server.connections_opened == 1
        assert server.storage.blobs("team/app") == frozenset()

    def test_offsets_can_be_ignored(self, make: Any, talk: Any) -> None:
        """A lax registry takes any offset, and fails only at the commit (OCI-4.15)."""
        client = talk(make(quirks=LoopbackQuirks(content_range="lax")))
        location = client("POST", UPLOADS).headers["Location"]
        assert client("PATCH", location, CONTENT, Content_Range="7-506").status == 202
        assert client("PUT", _named(location)).status == 201

    def test_the_range_can_stick(self, make: Any, talk: Any) -> None:
        """Range says 0-0 although there is more (OCI-4.14)."""
        client = talk(make(quirks=LoopbackQuirks(range_header="stuck")))
        location = client("POST", UPLOADS).headers["Location"]
        assert client("PATCH", location, CONTENT).headers["Range"] == "0-0"

    @pytest.mark.parametrize(
        ("form", "begins"),
        [("absolute", "http://{host}/v2/"), ("http", "http://{host}/v2/"), ("query", "/v2/")],
    )
    def test_locations_have_many_forms(self, make: Any, talk: Any, form: Any, begins: str) -> None:
        """Every form of a Location leads to the session (OCI-4.11)."""
        server = make(quirks=LoopbackQuirks(location=form))
        client = talk(server)
        location = client("POST", UPLOADS).headers["Location"]
        assert location.startswith(begins.format(host=server.host))
        assert ("?_state=" in location) == (form == "query")
        assert client.push_blob("team/app", CONTENT) == DIGEST

    def test_a_location_can_be_on_another_host(self, make: Any, talk: Any) -> None:
        """The other host takes the bytes without a login."""
        server = make(quirks=LoopbackQuirks(location="other_host"))
        location = talk(server)("POST", UPLOADS).headers["Location"]
        assert server.other_host != server.host
        assert location.startswith(f"http://{server.other_host}/")
        stored = talk(server.other_host)("PUT", _named(location), CONTENT)
        assert stored.status == 201
        assert server.storage.blobs("team/app") == {DIGEST}

    def test_an_old_location_can_be_stale(self, make: Any, talk: Any) -> None:
        """Only the Location of the latest answer is good (OCI-4.12)."""
        client = talk(make(quirks=LoopbackQuirks(stale_location=True)))
        old = client("POST", UPLOADS).headers["Location"]
        new = client("PATCH", old, CONTENT).headers["Location"]
        assert client("PATCH", old, CONTENT).codes == ["BLOB_UPLOAD_INVALID"]
        assert client("PUT", _named(new)).status == 201

    def test_bodies_without_a_length_can_be_refused(self, make: Any, talk: Any) -> None:
        """A chunked body is 411 (OCI-4.10)."""
        client = talk(make(quirks=LoopbackQuirks(chunked_requests=False)))
        location = client("POST", UPLOADS).headers["Location"]
        assert client("PUT", _named(location), iter([CONTENT])).status == 411

    def test_bodies_can_be_too_long(self, make: Any, talk: Any) -> None:
        """A body over the limit is 413 (OCI-4.24)."""
        client = talk(make(quirks=LoopbackQuirks(max_body_bytes=100)))
        location = client("POST", UPLOADS).headers["Location"]
        assert client("PATCH", location, CONTENT[:100]).status == 202
        assert client("PATCH", location, CONTENT).status == 413

    def test_a_least_piece_can_be_announced(self, make: Any, talk: Any) -> None:
        """OCI-Chunk-Min-Length comes with every state of a session (OCI-4.13)."""
        client = talk(make(quirks=LoopbackQuirks(min_chunk_bytes=4096)))
        assert client("POST", UPLOADS).headers["OCI-Chunk-Min-Length"] == "4096"

    def test_a_commit_can_name_another_digest(self, make: Any, talk: Any) -> None:
        """The answer names a digest that was not asked for (OCI-4.19)."""
        client = talk(make(quirks=LoopbackQuirks(commit_digest="wrong")))
        location = client("POST", UPLOADS).headers["Location"]
        stored = client("PUT", _named(location), CONTENT)
        assert stored.status == 201
        assert stored.headers["Docker-Content-Digest"] != DIGEST

    def test_a_commit_can_name_no_digest(self, make: Any, talk: Any) -> None:
        """Docker-Content-Digest is missing."""
        client = talk(make(quirks=LoopbackQuirks(digest_header=False)))
        location = client("POST", UPLOADS).headers["Location"]
        assert "Docker-Content-Digest" not in client("PUT", _named(location), CONTENT).headers

    def test_sha512_can_be_renamed(self, make: Any, talk: Any) -> None:
        """The content is checked by sha512 and kept under sha256 (OCI-4.19)."""
        server = make(quirks=LoopbackQuirks(sha512="renamed"))
        client = talk(server)
        location = client("POST", UPLOADS).headers["Location"]
        stored = client("PUT", _named(location, SHA512), CONTENT)
        assert (stored.status, stored.headers["Docker-Content-Digest"]) == (201, DIGEST)
        assert server.storage.blobs("team/app") == {DIGEST}

    def test_sha512_can_be_refused(self, make: Any, talk: Any) -> None:
        """A registry may know sha256 only."""
        client = talk(make(quirks=LoopbackQuirks(sha512="refused")))
        location = client("POST", UPLOADS).headers["Location"]
        assert client("PUT", _named(location, SHA512), CONTENT).status == 400

    def test_an_odd_type_of_a_piece_can_be_a_500(self, make: Any, talk: Any) -> None:
        """A PATCH that is no octet stream fails like a broken server (OCI-7.4)."""
        client = talk(make(quirks=LoopbackQuirks(odd_patch_type=500)))
        location = client("POST", UPLOADS).headers["Location"]
        refused = client("PATCH", location, CONTENT, Content_Type="text/plain")
        assert (refused.status, refused.codes) == (500, ["UNKNOWN"])
        stored = client("PATCH", location, CONTENT, Content_Type="application/octet-stream")
        assert stored.status == 202
