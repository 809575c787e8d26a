"""The ``/v2`` face of the emulated Harbor: its checks before distribution's handlers, its books after.

Behind Harbor stands a distribution 2.8 registry; it does the work here too, by the handlers of
the embedded registry. Tags, though, are Harbor's own: lists come from its rows, and a manifest
asked for by tag is looked up there (HARBOR-6).
"""

from __future__ import annotations

import io
import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from urllib.parse import urlencode

import attrs

from harborsync.content import OCI_INDEX, OCI_MANIFEST
from harborsync.errors import InvalidReference
from harborsync.reference import Digest, Tag
from harborsync.testing import harbor_artifacts as artifacts
from harborsync.testing import harbor_limits as limits
from harborsync.testing import harbor_refusals as refuse
from harborsync.testing import server_blobs as blobs
from harborsync.testing import server_manifests as manifests
from harborsync.testing import server_uploads as uploads
from harborsync.testing.harbor_access import JOBSERVICE, Identity
from harborsync.testing.harbor_manifests import check_manifest, check_policy
from harborsync.testing.harbor_state import HarborEvent
from harborsync.testing.harbor_v2_access import authorize, identify_caller, refuse_access
from harborsync.testing.harbor_wire import HarborError
from harborsync.testing.server_wire import Refusal, RequestBody, Response, json_response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader

    from harborsync.testing.harbor_state import HarborArtifact, HarborState
    from harborsync.testing.harbor_tokens import TokenService
    from harborsync.testing.server_hub import Hub
    from harborsync.testing.server_wire import Request

_JSON: Final = "application/json; charset=utf-8"
_BACKEND: Final = {
    "Docker-Distribution-API-Version": "registry/2.0",
    "X-Content-Type-Options": "nosniff",
}
_PART: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NAME: Final = rf"/v2/(?P<repository>{_PART}(?:/{_PART})*)"
# What is said of a type that the caller did not name; Docker's own are always sent.
_OCI: Final = {
    OCI_MANIFEST: "OCI manifest found, but accept header does not support OCI manifests",
    OCI_INDEX: "OCI index found, but accept header does not support OCI indexes",
}


@attrs.frozen(kw_only=True)
class Call:
    """A request to ``/v2`` that has passed the checks.

    Attributes:
        state: What Harbor knows.
        hub: The registry behind it.
        request: The request.
        identity: Who it comes from.
        request_id: The value of X-Request-Id.
    """

    state: HarborState
    hub: Hub
    request: Request
    identity: Identity
    request_id: str


class Shape(NamedTuple):
    """A shape of paths and who answers for each method."""

    path: re.Pattern[str]
    handlers: dict[str, Callable[..., Response]]


def answer_v2(
    state: HarborState, hub: Hub, tokens: TokenService, request: Request, request_id: str
) -> Response:
    """Answer a request to ``/v2``."""
    try:
        shape, parts = _recognize(request)
        identity = identify_caller(state, tokens, request)
        with state.lock:
            authorize(state, request, identity, parts.get("repository", ""))
        handler = shape.handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            return _wrong_method(shape)
        for interceptor in state.interceptors:
            answered = interceptor(request, parts)
            if answered is not None:
                return answered
        call = Call(state=state, hub=hub, request=request, identity=identity, request_id=request_id)
        return handler(call, **parts)
    except HarborError as error:
        return error.response
    except Refusal as refusal:
        return _refusal_from_backend(refusal.response)


def check_names(request: Request) -> None:
    """Refuse a repository, or one to mount from, that belongs to no project (HARBOR-4).

    Raises:
        HarborError: It is one component long.
    """
    matching = (shape.path.fullmatch(request.path) for shape in _SHAPES)
    found = next((each for each in matching if each), None)
    repository = found.groupdict().get("repository") if found is not None else None
    source = request.parameter("from") if found and request.method == "POST" else None
    for name in (repository, source):
        if name and "/" not in name:
            refuse.bad_request(f"bad request: invalid repository name: {name}")


def _recognize(request: Request) -> tuple[Shape, dict[str, str]]:
    """Return what a path means; one that means nothing is a matter of permission (HARBOR-2)."""
    matching = ((shape, shape.path.fullmatch(request.path)) for shape in _SHAPES)
    shape, found = next((pair for pair in matching if pair[1]), (None, None))
    if shape is None or found is None:
        refuse_access(f"un-recognized request: {request.method} {request.target}", "")
    return shape, found.groupdict()


# --- answers of the registry behind ----------------------------------------------------------


def _from_backend(response: Response) -> Response:
    """Return an answer of the registry behind as it passes through Harbor."""
    headers = {**_BACKEND, **response.headers}
    if headers.get("Content-Type") == "application/json":
        headers["Content-Type"] = _JSON
    return attrs.evolve(response, headers=headers)


def _refusal_from_backend(response: Response) -> Response:
    """Return a refusal of the registry behind, its details as distribution 2.8 has them."""
    document = json.loads(response.body)
    for error in document["errors"]:
        if error["code"] in {"BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN"} and "detail" in error:
            error["detail"] = error["detail"]["digest"]
    return _from_backend(attrs.evolve(response, body=json.dumps(document).encode()))


def _wrong_method(shape: Shape) -> Response:
    headers = {
        **_BACKEND,
        "Allow": ", ".join(shape.handlers),
        "Content-Type": "text/plain; charset=utf-8",
    }
    return Response(status=405, headers=headers, body=b"Method not allowed\n")


def _ping(call: Call) -> Response:  # noqa: ARG001 - a handler
    return _from_backend(json_response(200, {}))


def _get_blob(call: Call, repository: str, digest: str) -> Response:
    with call.state.lock:
        known = digest in call.state.project(repository.partition("/")[0]).sizes
    known = known or call.hub.storage.blob(repository, digest) is not None
    if call.request.method == "HEAD" and not known:
        # What never came into the project is not even asked for behind.
        refuse.not_found(f"blob {digest} not found")
    found = blobs.get_blob(call.hub, call.request, repository, digest)
    named = {
        "Cache-Control": "max-age=31536000",
        "Docker-Content-Digest": digest,
        "Etag": f'"{digest}"',
    }
    return _from_backend(attrs.evolve(found, headers={**named, **found.headers}))


def _delete_blob(call: Call, repository: str, digest: str) -> Response:
    return _from_backend(blobs.delete_blob(call.hub, call.request, repository, digest))


# --- uploads ---------------------------------------------------------------------------------


def _start_upload(call: Call, repository: str) -> Response:
    """Open an upload, or mount a blob, which a quota can refuse (HARBOR-6)."""
    mount, source = call.request.parameter("mount"), call.request.parameter("from")
    blob = call.hub.storage.blob(source, mount) if mount and source else None
    sizes = {mount: blob.size} if mount and blob is not None else {}
    with _room_for(call, repository, sizes):
        return _from_backend(uploads.start_upload(call.hub, call.request, repository))


def _patch_upload(call: Call, repository: str, upload: str) -> Response:
    return _from_backend(uploads.patch_upload(call.hub, call.request, repository, upload))


def _finish_upload(call: Call, repository: str, upload: str) -> Response:
    """Close an upload; it is here that a quota bites (HARBOR-6)."""
    session = call.hub.storage.upload(repository, upload)
    digest = call.request.parameter("digest")
    size = session.offset + (call.request.body.length or 0) if session is not None else 0
    with _room_for(call, repository, {digest: size} if digest else {}):
        return _from_backend(uploads.finish_upload(call.hub, call.request, repository, upload))


def _upload_status(call: Call, repository: str, upload: str) -> Response:
    return _from_backend(uploads.upload_status(call.hub, call.request, repository, upload))


def _cancel_upload(call: Call, repository: str, upload: str) -> Response:
    done = uploads.cancel_upload(call.hub, call.request, repository, upload)
    return _from_backend(attrs.evolve(done, headers={"Docker-Upload-UUID": upload}))


@contextmanager
def _room_for(call: Call, repository: str, sizes: dict[str, int]) -> Iterator[None]:
    """Check the quota before something is stored, and count it once it is."""
    with call.state.lock:
        cause = _cause(call, repository)
        limits.check_room(call.state, cause, sizes)
    yield
    stored = {digest: call.hub.storage.blob(repository, digest) for digest in sizes}
    with call.state.lock:
        held = {digest: blob.size for digest, blob in stored.items() if blob is not None}
        limits.charge(call.state, cause.project, held)


def _cause(call: Call, repository: str, digest: str = "", tag: str = "") -> HarborEvent:
    """Return what a request is about to do, for what a quota tells of it."""
    return HarborEvent(
        kind="push",
        project=call.state.project(repository.partition("/")[0]),
        repository=repository,
        digest=digest,
        tag=tag,
        operator=call.identity.name,
        at=call.state.clock.now(),
        request_id=call.request_id,
    )


# --- manifests -------------------------------------------------------------------------------


def _get_manifest(call: Call, repository: str, reference: str) -> Response:
    with call.state.lock:
        artifact = call.state.artifact(repository, reference)
    if manifests.is_known(call.request, artifact.digest):
        return Response(status=304)
    if call.request.method == "GET":
        check_policy(artifact)
    found = manifests.get_manifest(call.hub, call.request, repository, artifact.digest)
    _check_accepted(call.request, found.headers["Content-Type"])
    if call.request.method == "GET" and call.identity.name != JOBSERVICE:
        _note_pull(call, artifact, reference)
    return _from_backend(found)


def _check_accepted(request: Request, media_type: str) -> None:
    """Refuse an OCI manifest to whom has not named its type; ``*/*`` does not (HARBOR-6)."""
    accepted = {
        part.partition(";")[0].strip() for part in request.headers.get("accept", "").split(",")
    }
    if media_type in _OCI and media_type not in accepted:
        raise Refusal(404, "MANIFEST_UNKNOWN", _OCI[media_type])


def _note_pull(call: Call, artifact: HarborArtifact, reference: str) -> None:
    tag = "" if ":" in reference else reference
    with call.state.lock:
        artifacts.record_pull(
            call.state, artifact, tag, by=call.identity.name, request_id=call.request_id
        )


def _put_manifest(call: Call, repository: str, reference: str) -> Response:
    """Store a manifest, and keep the books on it (HARBOR-6)."""
    content = call.request.body.read()
    tag = "" if _is_digest(reference) else _tag(call.state, reference)
    check_manifest(call.state, content, call.request.headers.get("content-type", ""))
    _check_limits(call, repository, tag, content)
    request = attrs.evolve(call.request, body=_replayed(content))
    done = manifests.put_manifest(call.hub, request, repository, reference)
    with call.state.lock:
        artifacts.record_push(
            call.state,
            repository,
            done.headers["Docker-Content-Digest"],
            tag,
            by=call.identity.name,
            request_id=call.request_id,
        )
    base = request.origin if call.hub.quirks.location == "absolute" else ""
    headers = {**done.headers, "Location": f"{base}{done.headers['Location']}"}
    return _from_backend(attrs.evolve(done, headers=headers))


def _check_limits(call: Call, repository: str, tag: str, content: bytes) -> None:
    """Refuse a manifest that an immutable tag or a quota keeps out."""
    state = call.state
    with state.lock:
        if tag and repository in state.repositories:
            limits.check_mutable(state.repositories[repository], tag)
        digest = str(Digest.of(content))
        limits.check_room(state, _cause(call, repository, digest, tag), {digest: len(content)})


def _delete_manifest(call: Call, repository: str, reference: str) -> Response:
    if ":" not in reference:
        msg = f"unsupported digest {reference}: invalid checksum digest format"
        raise HarborError(400, "UNSUPPORTED", msg)
    with call.state.lock:
        artifact = call.state.artifact(repository, reference)
        artifacts.delete_artifact(
            call.state, artifact, by=call.identity.name, request_id=call.request_id
        )
    return Response(status=202)


def _is_digest(text: str) -> bool:
    try:
        return bool(Digest.parse(text))
    except InvalidReference:
        return False


def _tag(state: HarborState, text: str) -> str:
    """Return a tag; what is none leads nowhere before 2.15 (HARBOR-14)."""
    try:
        return Tag(text)
    except InvalidReference:
        if not state.since(2, 15):
            raise Refusal(404, "NOT_FOUND", "404 page not found") from None
        refuse.bad_request(f"bad request: invalid tag name: {text}")


def _replayed(content: bytes) -> RequestBody:
    return RequestBody(cast("BufferedReader", io.BufferedReader(io.BytesIO(content))), len(content))


# --- lists -----------------------------------------------------------------------------------


def _list_tags(call: Call, repository: str) -> Response:
    with call.state.lock:
        names = sorted(call.state.repository(repository).tags)
    page, link = _page(call.request, names)
    return json_response(200, {"name": repository, "tags": page}, {"Content-Type": _JSON, **link})


def _list_repositories(call: Call) -> Response:
    with call.state.lock:
        names = sorted(call.state.repositories)
    last = call.request.parameter("last")
    if last and last not in names:
        refuse.bad_request(f"the last: {last} should be a valid repository name")
    page, link = _page(call.request, names)
    return json_response(200, {"repositories": page}, {"Content-Type": _JSON, **link})


def _page(request: Request, names: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return what follows ``last``, at most ``n``; without ``n`` that is all (HARBOR-6)."""
    last, asked = request.parameter("last"), request.parameter("n")
    rest = [name for name in names if last is None or name > last]
    if asked is None:
        return rest, {}
    if not asked.isdecimal():
        refuse.bad_request("the N must be a positive int type")
    page = rest[: int(asked)]
    if not page or len(page) == len(rest):
        return page, {}
    query = urlencode({"last": page[-1], "n": asked})
    return page, {"Link": f'<{request.path}?{query}>; rel="next"'}


def _list_referrers(call: Call, repository: str, digest: str) -> Response:
    """List what belongs to a digest; the count tells of all kinds, asked for or not (HARBOR-6)."""
    try:
        Digest.parse(digest)
    except InvalidReference:
        refuse.bad_request(f"unsupported digest {digest}: invalid checksum digest format")
    with call.state.lock:
        found = _referrers(call.state, repository, digest)
    headers = {"Content-Type": OCI_INDEX, "X-Total-Count": str(len(found))}
    wanted = call.request.parameter("artifactType")
    if wanted:
        found = [each for each in found if each.get("artifactType") == wanted]
        headers["OCI-Filters-Applied"] = "artifactType"
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}
    return json_response(200, document, headers)


def _referrers(state: HarborState, repository: str, digest: str) -> list[dict[str, Any]]:
    held = state.repositories.get(repository)
    attached = held.accessories.get(digest, ()) if held is not None else ()
    stored = (state.storage.manifest(repository, each.digest) for each in attached)
    return [each.referrer for each in stored if each is not None]


_MANIFESTS: Final = {"GET": _get_manifest, "PUT": _put_manifest, "DELETE": _delete_manifest}
_UPLOAD: Final = {
    "GET": _upload_status,
    "PATCH": _patch_upload,
    "PUT": _finish_upload,
    "DELETE": _cancel_upload,
}
_SHAPES: Final = (
    Shape(re.compile(r"/v2/?"), {"GET": _ping}),
    Shape(re.compile(r"/v2/_catalog"), {"GET": _list_repositories}),
    Shape(re.compile(rf"{_NAME}/tags/list"), {"GET": _list_tags}),
    Shape(re.compile(rf"{_NAME}/referrers/(?P<digest>[^/]+)"), {"GET": _list_referrers}),
    Shape(re.compile(rf"{_NAME}/blobs/uploads/?"), {"POST": _start_upload}),
    Shape(re.compile(rf"{_NAME}/blobs/uploads/(?P<upload>[^/]+)"), _UPLOAD),
    Shape(
        re.compile(rf"{_NAME}/blobs/(?P<digest>[^/]+)"), {"GET": _get_blob, "DELETE": _delete_blob}
    ),
    Shape(re.compile(rf"{_NAME}/manifests/(?P<reference>[^/]+)"), _MANIFESTS),
)
