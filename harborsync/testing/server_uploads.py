"""Uploads to the embedded registry: mounts, one POST, POST and PUT, chunks."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from harborsync.reference import Digest
from harborsync.testing.server_hub import digest_or_refuse
from harborsync.testing.server_wire import Refusal, Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.testing.server_hub import Hub
    from harborsync.testing.server_wire import Request
    from harborsync.testing.storage import StoredBlob, Upload

_CONTENT_RANGE: Final = re.compile(r"([0-9]+)-([0-9]+)", re.ASCII)
_OCTETS: Final = "application/octet-stream"


def start_upload(hub: Hub, request: Request, repository: str) -> Response:
    """Mount a blob, take it whole, or open a session (OCI-4.3, 4.7, 4.8)."""
    mount, digest = request.parameter("mount"), request.parameter("digest")
    if mount is not None:
        name = str(digest_or_refuse(mount))
        blob = _mountable(hub, name, request.parameter("from"))
        if blob is not None:
            hub.storage.link_blob(repository, name, blob)
            return _created(hub, request, repository, name)
    elif digest is not None and hub.quirks.single_post != "ignored":
        return _take_whole(hub, request, repository)
    upload = hub.storage.open_upload(repository, _algorithm(request))
    return _progress(hub, request, upload, 202)


def patch_upload(hub: Hub, request: Request, repository: str, upload_id: str) -> Response:
    """Take a piece (OCI-4.9, 4.13)."""
    odd = request.headers.get("content-type", _OCTETS) != _OCTETS
    if odd and hub.quirks.odd_patch_type != 202:  # noqa: PLR2004 - a status
        raise Refusal(hub.quirks.odd_patch_type, "UNKNOWN", "unknown error")
    with _held(hub, request, repository, upload_id) as upload:
        _receive(hub, request, upload)
        return _progress(hub, request, upload, 202)


def finish_upload(hub: Hub, request: Request, repository: str, upload_id: str) -> Response:
    """Take the last piece, if there is one, and name the blob."""
    with _held(hub, request, repository, upload_id) as upload:
        return _commit(hub, request, upload)


def upload_status(hub: Hub, request: Request, repository: str, upload_id: str) -> Response:
    """Tell how far a session has come (OCI-4.16)."""
    return _progress(hub, request, _find(hub, request, repository, upload_id), 204)


def cancel_upload(hub: Hub, request: Request, repository: str, upload_id: str) -> Response:
    """Throw a session away (OCI-4.22)."""
    with _held(hub, request, repository, upload_id) as upload:
        hub.storage.close_upload(upload)
        upload.discard()
    return Response(status=204)


def _algorithm(request: Request) -> str:
    algorithm = request.parameter("digest-algorithm") or "sha256"
    if algorithm not in {"sha256", "sha512"}:
        raise Refusal(400, "DIGEST_INVALID", "unsupported digest algorithm")
    return algorithm


def _mountable(hub: Hub, digest: str, source: str | None) -> StoredBlob | None:
    if hub.quirks.mounts == "refused":
        raise Refusal(405, "UNSUPPORTED", "blobs are not mounted here")
    if hub.quirks.mounts == "no":
        return None
    if source:
        return hub.storage.blob(source, digest)
    return hub.storage.blob_anywhere(digest) if hub.quirks.anonymous_mounts else None


def _take_whole(hub: Hub, request: Request, repository: str) -> Response:
    if hub.quirks.single_post == "refused":
        raise Refusal(405, "UNSUPPORTED", "open a session first")
    digest = digest_or_refuse(request.parameter("digest"))
    upload = hub.storage.open_upload(repository, digest.algorithm)
    with _at_work(upload):
        return _commit(hub, request, upload)


@contextmanager
def _held(hub: Hub, request: Request, repository: str, upload_id: str) -> Iterator[Upload]:
    """Find a session and keep others from it; one that ended while we waited is gone."""
    with _at_work(_find(hub, request, repository, upload_id)):
        yield _find(hub, request, repository, upload_id)


@contextmanager
def _at_work(upload: Upload) -> Iterator[None]:
    """Keep a session's bytes while they come, whoever forgets it meanwhile."""
    with upload.lock:
        try:
            yield
        finally:
            if upload.is_lost:
                upload.discard()


def _check_not_lost(upload: Upload) -> None:
    if upload.is_lost:
        raise Refusal(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")


def _find(hub: Hub, request: Request, repository: str, upload_id: str) -> Upload:
    upload = hub.storage.upload(repository, upload_id)
    if upload is None:
        raise Refusal(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
    if hub.quirks.stale_location and request.parameter("_state") != str(upload.state):
        raise Refusal(404, "BLOB_UPLOAD_INVALID", "blob upload invalid")
    return upload


def _receive(hub: Hub, request: Request, upload: Upload) -> None:
    _check_offset(hub, request, upload)
    upload.state += 1
    for block in request.body.blocks():
        upload.append(block)
    _check_not_lost(upload)


def _check_offset(hub: Hub, request: Request, upload: Upload) -> None:
    """Refuse a piece that does not follow the last one (OCI-4.13, 4.17)."""
    told = request.headers.get("content-range")
    if told is None or hub.quirks.content_range == "lax":
        return
    found = _CONTENT_RANGE.fullmatch(told)
    length = request.body.length
    fits = found is not None and int(found[1]) == upload.offset
    if fits and found is not None and length is not None:
        fits = int(found[2]) - int(found[1]) + 1 == length
    if not fits:
        headers = _progress(hub, request, upload, 416).headers
        raise Refusal(416, "BLOB_UPLOAD_INVALID", "the piece is out of order", headers=headers)


def _commit(hub: Hub, request: Request, upload: Upload) -> Response:
    """Check what has come against the digest and store it; a session that fails is over."""
    digest = digest_or_refuse(request.parameter("digest"))
    if digest.algorithm == "sha512" and hub.quirks.sha512 == "refused":
        raise Refusal(400, "DIGEST_INVALID", "unsupported digest algorithm")
    _receive(hub, request, upload)
    hub.storage.close_upload(upload)
    _check_not_lost(upload)  # nobody can forget it any more
    if upload.digest(digest.algorithm) != str(digest):
        upload.discard()
        raise Refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
    name = upload.digest("sha256") if hub.quirks.sha512 == "renamed" else str(digest)
    hub.storage.link_blob(upload.repository, name, upload.finish())
    return _created(hub, request, upload.repository, name)


def _created(hub: Hub, request: Request, repository: str, digest: str) -> Response:
    if hub.quirks.commit_digest == "wrong":
        digest = str(Digest.of(digest.encode()))
    headers = {"Location": f"{_base(hub, request)}/v2/{repository}/blobs/{digest}"}
    if hub.quirks.digest_header:
        headers["Docker-Content-Digest"] = digest
    return Response(status=201, headers=headers)


def _progress(hub: Hub, request: Request, upload: Upload, status: int) -> Response:
    last = 0 if hub.quirks.range_header == "stuck" else max(0, upload.offset - 1)
    path = f"/v2/{upload.repository}/blobs/uploads/{upload.id}"
    query = hub.quirks.stale_location or hub.quirks.location == "query"
    headers = {
        "Location": f"{_base(hub, request)}{path}{f'?_state={upload.state}' if query else ''}",
        "Range": f"0-{last}",
        "Docker-Upload-UUID": upload.id,
    }
    if hub.quirks.min_chunk_bytes:
        headers["OCI-Chunk-Min-Length"] = str(hub.quirks.min_chunk_bytes)
    return Response(status=status, headers=headers)


def _base(hub: Hub, request: Request) -> str:
    """Return what stands before the path of a Location (OCI-4.11)."""
    if hub.quirks.location == "absolute":
        return request.origin
    if hub.quirks.location == "http":
        return f"http://{request.headers.get('host', '')}"
    return hub.storage_origin if hub.quirks.location == "other_host" else ""
