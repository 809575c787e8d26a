"""Which handler answers which request of the embedded registry, and what is on every answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import attrs

from harborsync.testing import server_blobs as blobs
from harborsync.testing import server_listings as listings
from harborsync.testing import server_manifests as manifests
from harborsync.testing import server_uploads as uploads
from harborsync.testing.server_hub import repository_name
from harborsync.testing.server_wire import Refusal, Response
from harborsync.testing.tokens import TOKEN_PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harborsync.testing.server_hub import Hub
    from harborsync.testing.server_wire import Request


class Route(NamedTuple):
    """A shape of paths and who answers for each method."""

    path: re.Pattern[str]
    handlers: Mapping[str, Callable[..., Response]]


_STORAGE: Final = "/storage/"
_NAME: Final = r"/v2/(?P<repository>.+)"
_UPLOAD: Final = re.compile(r"/v2/(.+)/blobs/uploads/([^/]+)")
#: Where uploads go on at Google's registries (goharbor/harbor #15980).
_BESIDE: Final = r"/artifacts-uploads/namespaces/\1/uploads/\2"
_UPLOADING: Final = {
    "GET": uploads.upload_status,
    "PATCH": uploads.patch_upload,
    "PUT": uploads.finish_upload,
    "DELETE": uploads.cancel_upload,
}

# Longer shapes first: a repository may have a component called "blobs" or "tags".
_ROUTES: Final = (
    Route(re.compile(r"/v2/?"), {"GET": listings.ping}),
    Route(re.compile(r"/v2/_catalog"), {"GET": listings.list_repositories}),
    Route(re.compile(rf"{_NAME}/tags/list"), {"GET": listings.list_tags}),
    Route(re.compile(rf"{_NAME}/referrers/(?P<digest>[^/]+)"), {"GET": listings.list_referrers}),
    Route(re.compile(rf"{_NAME}/blobs/uploads/?"), {"POST": uploads.start_upload}),
    Route(
        re.compile(rf"{_NAME}/blobs/uploads/(?P<upload_id>[^/]+)"),
        _UPLOADING,
    ),
    Route(
        re.compile(
            r"/artifacts-uploads/namespaces/(?P<repository>.+)/uploads/(?P<upload_id>[^/]+)"
        ),
        _UPLOADING,
    ),
    Route(
        re.compile(rf"{_NAME}/blobs/(?P<digest>[^/]+)"),
        {"GET": blobs.get_blob, "DELETE": blobs.delete_blob},
    ),
    Route(
        re.compile(rf"{_NAME}/manifests/(?P<reference>[^/]+)"),
        {
            "GET": manifests.get_manifest,
            "PUT": manifests.put_manifest,
            "DELETE": manifests.delete_manifest,
        },
    ),
    Route(
        re.compile(r"/storage/(?P<repository>.+)/(?P<digest>[^/]+)"),
        {"GET": blobs.get_from_storage},
    ),
)


def answer(hub: Hub, request: Request) -> Response:
    """Answer a request to the registry, or to the token server beside it."""
    try:
        if hub.auth is not None and request.path == TOKEN_PATH:
            return hub.auth.issue(request, hub.quirks)
        if hub.auth is not None and not request.path.startswith(_STORAGE):
            hub.auth.admit(request, hub.quirks)
        response = _dispatch(hub, request)
    except Refusal as refusal:
        response = refusal.response
    return _decorated(hub, request, response)


def _dispatch(hub: Hub, request: Request) -> Response:
    _check_body(hub, request)
    handler, parts = _find(request)
    if request.method == "HEAD" and not hub.quirks.heads:
        raise Refusal(405, "UNSUPPORTED", "HEAD is not answered here")
    if "repository" in parts:
        repository_name(parts["repository"])
        if hub.guard is not None:
            hub.guard.check_repository(request, parts["repository"])
    return handler(hub, request, **parts)


def _decorated(hub: Hub, request: Request, response: Response) -> Response:
    """Put on an answer what this registry puts on every one."""
    headers: dict[str, str] = {"Docker-Distribution-API-Version": "registry/2.0"}
    if hub.quirks.warnings:
        headers["Warning"] = ", ".join(f'299 - "{text}"' for text in hub.quirks.warnings)
    if hub.quirks.cookies:
        headers["Set-Cookie"] = "sid=0123456789abcdef; Path=/; HttpOnly"
    headers |= response.headers
    if hub.quirks.uploads == "beside" and "Location" in headers:
        headers["Location"] = _UPLOAD.sub(_BESIDE, headers["Location"])
    chunked = not hub.quirks.content_length and request.method in {"GET", "HEAD"}
    return attrs.evolve(response, headers=headers, chunked=chunked)


def _find(request: Request) -> tuple[Callable[..., Response], dict[str, Any]]:
    for route in _ROUTES:
        found = route.path.fullmatch(request.path)
        if found is None:
            continue
        handler = route.handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            raise Refusal(405, "UNSUPPORTED", "the operation is unsupported")
        return handler, found.groupdict()
    raise Refusal(404, "NOT_FOUND", "404 page not found")


def _check_body(hub: Hub, request: Request) -> None:
    length = request.body.length
    if length is None and not hub.quirks.chunked_requests:
        raise Refusal(411, "UNKNOWN", "a length is required")
    limit = hub.quirks.max_body_bytes
    if length is not None and limit is not None and length > limit:
        raise Refusal(413, "UNKNOWN", "request entity too large")
