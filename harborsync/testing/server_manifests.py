"""Manifests of the embedded registry: checked when pushed, served byte for byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from harborsync.content import INDEX_TYPES
from harborsync.reference import Digest
from harborsync.testing.server_hub import digest_or_refuse, tag_or_refuse
from harborsync.testing.server_wire import Refusal, Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.testing.server_hub import Hub
    from harborsync.testing.server_wire import Request

_FALLBACK: Final = ("sha256-", "sha512-")  # OCI-6.3
_FOREIGN: Final = ("nondistributable", "rootfs.foreign")


def get_manifest(hub: Hub, request: Request, repository: str, reference: str) -> Response:
    """Serve a manifest as it was pushed."""
    found = hub.storage.manifest(repository, _reference(hub, reference))
    if found is None or not _accepted(hub, request, found.media_type):
        detail = {"name": repository, "reference": reference}
        raise Refusal(404, "MANIFEST_UNKNOWN", "manifest unknown", detail=detail)
    if is_known(request, str(found.digest)):
        return Response(status=304)  # as distribution does, without the digest
    headers = {"Content-Type": found.media_type, "Etag": f'"{found.digest}"'}
    if hub.quirks.digest_header:
        headers["Docker-Content-Digest"] = str(found.digest)
    return Response(status=200, headers=headers, body=found.content)


def is_known(request: Request, digest: str) -> bool:
    """Tell whether the client names a digest as one that it has, quoted or not."""
    return request.headers.get("if-none-match", "") in {f'"{digest}"', digest}


def put_manifest(hub: Hub, request: Request, repository: str, reference: str) -> Response:
    """Check a manifest and store it, under its digest and under the tags it came with."""
    wanted = _reference(hub, reference)
    content = _read(hub, request)
    digest = wanted if isinstance(wanted, Digest) else Digest.of(content)
    if not digest.matches(content):
        raise Refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    document = _document(content, media_type)
    _check_references(hub, repository, document, media_type)
    asked = _asked_tags(hub, request)
    tags = asked if isinstance(wanted, Digest) else [wanted, *asked]
    if hub.guard is not None:
        hub.guard.check_tags(repository, tags, digest)
    before = hub.storage.tags(repository) if hub.quirks.fallback_race else {}
    hub.storage.put_manifest(repository, content, media_type=media_type, tags=tags, digest=digest)
    if hub.quirks.fallback_race:
        _lose_race(hub, repository, tags, before)
    return _created(hub, repository, digest, asked, document)


def delete_manifest(hub: Hub, request: Request, repository: str, reference: str) -> Response:  # noqa: ARG001
    """Delete a manifest with all its tags, or one tag (OCI-5.8)."""
    wanted = _reference(hub, reference)
    if isinstance(wanted, Digest):
        found = hub.storage.delete_manifest(repository, wanted)
    else:
        found = _delete_tag(hub, repository, wanted)
    if not found:
        raise Refusal(404, "MANIFEST_UNKNOWN", "manifest unknown")
    return Response(status=202)


def _reference(hub: Hub, text: str) -> str | Digest:
    """Return a digest, or a tag, or what this registry takes for one."""
    if ":" not in text:
        return tag_or_refuse(text)
    try:
        return digest_or_refuse(text)
    except Refusal:
        if hub.quirks.bad_digests == "tags":
            return text
        raise


def _delete_tag(hub: Hub, repository: str, tag: str) -> bool:
    if hub.quirks.tag_deletion == 400:  # noqa: PLR2004 - a status
        raise Refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
    if hub.quirks.tag_deletion == 405:  # noqa: PLR2004 - a status
        raise Refusal(405, "UNSUPPORTED", "tags are not deleted here")
    return hub.storage.delete_tag(repository, tag)


def _accepted(hub: Hub, request: Request, media_type: str) -> bool:
    if not hub.quirks.accept_sensitive:
        return True
    return any(
        part.partition(";")[0].strip() == media_type
        for part in request.headers.get("accept", "").split(",")
    )


def _read(hub: Hub, request: Request) -> bytes:
    content = b""
    for block in request.body.blocks():
        content += block
        if len(content) > hub.quirks.max_manifest_bytes:
            raise Refusal(hub.quirks.large_manifest_status, "MANIFEST_INVALID", "too large")
    return content


def _document(content: bytes, media_type: str) -> dict[str, Any]:
    """Return the parsed manifest; what two readers could read in two ways is refused (OCI-3.6)."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "MANIFEST_INVALID", "the manifest is no JSON") from error
    if not isinstance(document, dict):
        raise Refusal(400, "MANIFEST_INVALID", "the manifest is no object")
    told = document.get("mediaType", media_type)
    both = "manifests" in document and ("config" in document or "layers" in document)
    if told != media_type or not media_type or both:
        raise Refusal(400, "MANIFEST_INVALID", "the manifest's type is not clear")
    return document


def _check_references(hub: Hub, repository: str, document: dict[str, Any], media_type: str) -> None:
    """Refuse a manifest that names what is not there, and say all of it; a subject may come later."""
    for subject in _named({"subject": [document.get("subject")]}, "subject"):
        digest_or_refuse(subject)
    if media_type in INDEX_TYPES:
        named = [] if hub.quirks.missing_children else list(_named(document, "manifests"))
        missing = [each for each in named if hub.storage.manifest(repository, each) is None]
    else:
        named = [] if hub.quirks.missing_blobs else _named_blobs(hub, document)
        missing = [each for each in named if hub.storage.blob(repository, each) is None]
    if missing:
        detail = [{"digest": each} for each in missing]
        raise Refusal(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", detail=detail)


def _named_blobs(hub: Hub, document: dict[str, Any]) -> list[str]:
    parts = ("layers", "blobs")
    named = [digest for part in parts for digest in _named(document, part, hub=hub)]
    return [*_named({"config": [document.get("config")]}, "config"), *named]


def _named(document: dict[str, Any], part: str, *, hub: Hub | None = None) -> Iterator[str]:
    """Yield the digests of a list of descriptors, foreign layers left out where they may be."""
    entries = document.get(part)
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        kind = str(entry.get("mediaType"))
        foreign = any(word in kind for word in _FOREIGN)
        if not (foreign and hub is not None and hub.quirks.foreign_layers):
            yield str(digest_or_refuse(str(entry.get("digest"))))


def _asked_tags(hub: Hub, request: Request) -> list[str]:
    if not hub.quirks.tag_parameters:
        return []
    return [tag_or_refuse(value) for name, value in request.query if name == "tag"]


def _created(
    hub: Hub, repository: str, digest: Digest, asked: list[str], document: dict[str, Any]
) -> Response:
    headers = {"Location": f"/v2/{repository}/manifests/{digest}"}
    if hub.quirks.digest_header:
        headers["Docker-Content-Digest"] = str(digest)
    if asked:
        headers["OCI-Tag"] = ", ".join(asked)
    subject = document.get("subject")
    if isinstance(subject, dict) and _tells_subject(hub):
        headers["OCI-Subject"] = str(subject.get("digest"))
    return Response(status=201, headers=headers)


def _lose_race(hub: Hub, repository: str, tags: list[str], before: dict[str, str]) -> None:
    """Undo the first write of a fallback tag, as another writer would (OCI-6.9)."""
    for tag in tags:
        if not tag.startswith(_FALLBACK) or (repository, tag) in hub.raced:
            continue
        hub.raced.add((repository, tag))
        if tag in before:
            hub.storage.tag(repository, tag, before[tag])
        else:
            hub.storage.delete_tag(repository, tag)


def _tells_subject(hub: Hub) -> bool:
    """Whether the answer says that the subject was indexed (OCI-6.8)."""
    if hub.quirks.subject_header == "lying":
        return True
    return hub.quirks.referrers == "api" and hub.quirks.subject_header == "true"
