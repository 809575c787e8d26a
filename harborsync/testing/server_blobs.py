"""Blobs of the embedded registry: reading, ranges, redirects to a storage host, deletion."""

from __future__ import annotations

import hmac
import re
import secrets
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.testing.server_hub import digest_or_refuse
from harborsync.testing.server_wire import Refusal, Response

if TYPE_CHECKING:
    from harborsync.testing.server_hub import Hub
    from harborsync.testing.server_wire import Request
    from harborsync.testing.storage import StoredBlob

_RANGE: Final = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.ASCII)
_SIGNING_KEY: Final = secrets.token_bytes(16)


def get_blob(hub: Hub, request: Request, repository: str, digest: str) -> Response:
    """Serve a blob, or say where it is (OCI-4.26)."""
    name = str(digest_or_refuse(digest))
    blob = hub.storage.blob(repository, name)
    if blob is None:
        raise Refusal(404, "BLOB_UNKNOWN", "blob unknown to registry", detail={"digest": name})
    if hub.quirks.redirects != "no":
        return _redirect(hub, request, repository, name)
    return _serve(hub, request, blob, name)


def get_from_storage(hub: Hub, request: Request, repository: str, digest: str) -> Response:
    """Serve a blob by a signed address, which suffers no login beside it (OCI-4.26, 4.27)."""
    if "authorization" in request.headers:
        raise Refusal(400, "InvalidArgument", "only one auth mechanism allowed")
    expires = request.parameter("Expires") or "0"
    signature = request.parameter("Signature") or ""
    good = hmac.compare_digest(signature, _signature(repository, digest, expires))
    if not good or float(expires) < hub.clock.now().timestamp():
        raise Refusal(403, "AccessDenied", "the address has expired")
    blob = hub.storage.blob(repository, digest)
    if blob is None:
        raise Refusal(404, "NoSuchKey")
    return _serve(hub, request, blob, digest)


def delete_blob(hub: Hub, request: Request, repository: str, digest: str) -> Response:  # noqa: ARG001
    """Take a blob out of a repository."""
    if not hub.storage.delete_blob(repository, digest_or_refuse(digest)):
        raise Refusal(404, "BLOB_UNKNOWN", "blob unknown to registry")
    return Response(status=202)


def _redirect(hub: Hub, request: Request, repository: str, digest: str) -> Response:
    expires = str(hub.clock.now().timestamp() + hub.quirks.redirect_seconds)
    other = hub.quirks.redirects == "other_host"
    origin = hub.storage_origin if other else request.origin
    query = f"Expires={expires}&Signature={_signature(repository, digest, expires)}"
    return Response(
        status=307, headers={"Location": f"{origin}/storage/{repository}/{digest}?{query}"}
    )


def _signature(repository: str, digest: str, expires: str) -> str:
    message = f"{repository}\n{digest}\n{expires}".encode()
    return hmac.new(_SIGNING_KEY, message, "sha256").hexdigest()


def _serve(hub: Hub, request: Request, blob: StoredBlob, digest: str) -> Response:
    headers = {"Content-Type": "application/octet-stream", "Etag": f'"{digest}"'}
    if hub.quirks.digest_header:
        headers["Docker-Content-Digest"] = digest
    if hub.quirks.content_encoding:
        headers["Content-Encoding"] = hub.quirks.content_encoding
    whole = Response(status=200, headers=headers, blob=blob)
    if not hub.quirks.ranges:
        return whole
    whole = attrs.evolve(whole, headers={**headers, "Accept-Ranges": "bytes"})
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    return _part(hub, whole, blob.size, found) if found and found[0] != "bytes=-" else whole


def _part(hub: Hub, whole: Response, size: int, found: re.Match[str]) -> Response:
    """Return the asked part of a blob, or 416."""
    if not found[1]:
        start, end = max(0, size - int(found[2])), size - 1
    else:
        start, end = int(found[1]), min(int(found[2] or size - 1), size - 1)
    if start > end or start >= size:
        backward = found[1] and found[2] and int(found[2]) < int(found[1])
        return _unsatisfiable(hub, whole, size, backward=bool(backward))
    headers = {**whole.headers, "Content-Range": f"bytes {start}-{end}/{size}"}
    return attrs.evolve(whole, status=206, headers=headers, start=start, length=end - start + 1)


def _unsatisfiable(hub: Hub, whole: Response, size: int, *, backward: bool) -> Response:
    if backward and hub.quirks.backward_range == 200:  # noqa: PLR2004 - a status
        return whole
    if hub.quirks.unsatisfiable_range == "whole":
        return whole
    body = b"invalid range: failed to overlap\n"
    headers = {"Content-Range": f"bytes */{size}", "Content-Type": "text/plain; charset=utf-8"}
    if hub.quirks.unsatisfiable_range == "lies":
        headers["Content-Length"] = str(size)
    return Response(status=416, headers=headers, body=body)
