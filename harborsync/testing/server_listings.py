"""Lists of the embedded registry: tags, repositories, referrers, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from harborsync.content import OCI_INDEX
from harborsync.testing.server_hub import digest_or_refuse
from harborsync.testing.server_wire import Refusal, Response, json_response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harborsync.testing.server_hub import Hub
    from harborsync.testing.server_wire import Request

_NOT_HERE: Final = b"404 page not found\n"


def ping(hub: Hub, request: Request) -> Response:  # noqa: ARG001 - a handler
    """Say that this is a registry."""
    return json_response(200, {})


def list_tags(hub: Hub, request: Request, repository: str) -> Response:
    """Serve the tags of a repository."""
    told = hub.tells(repository) if hub.tells is not None else {}
    if not hub.storage.has_repository(repository) and not told:
        raise Refusal(404, "NAME_UNKNOWN", "repository name not known to registry")
    tags = list(hub.storage.tags(repository))
    if not tags and hub.quirks.untagged_list_status == 404:  # noqa: PLR2004 - a status
        raise Refusal(404, "NAME_UNKNOWN", "repository name not known to registry")
    page, link = _page(hub, request, sorted(tags) if hub.quirks.sorted_tags else tags)
    listed = {"name": repository, "tags": _shaped(hub, repository, page)}
    return json_response(200, {**listed, **told}, link)


def list_repositories(hub: Hub, request: Request) -> Response:
    """Serve the names of the repositories (OCI-8.2)."""
    if not hub.quirks.catalog:
        raise Refusal(404, "UNSUPPORTED", "there is no catalog")
    page, link = _page(hub, request, hub.storage.repositories())
    return json_response(200, {"repositories": page}, link)


def list_referrers(hub: Hub, request: Request, repository: str, digest: str) -> Response:
    """Serve the manifests that name ``digest`` as their subject (OCI-6.1, 6.2)."""
    if hub.quirks.referrers != "api":
        return _no_referrers(hub)
    found = hub.storage.referrers(repository, digest_or_refuse(digest))
    headers = {"Content-Type": OCI_INDEX}
    wanted = request.parameter("artifactType")
    if wanted:
        found = [entry for entry in found if entry.get("artifactType") == wanted]
        headers["OCI-Filters-Applied"] = "artifactType"
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}
    return json_response(200, document, headers)


def _no_referrers(hub: Hub) -> Response:
    if hub.quirks.referrers == "json_404":
        raise Refusal(404, "NOT_FOUND", "not found")
    html = hub.quirks.referrers == "html"
    return Response(
        status=200 if html else 404,
        headers={"Content-Type": f"text/{'html' if html else 'plain'}; charset=utf-8"},
        body=b"<!doctype html><title>Welcome</title>" if html else _NOT_HERE,
    )


def _shaped(hub: Hub, repository: str, tags: list[str]) -> Any:
    """Return the tags in the shape of one server or another (OCI-5.5)."""
    if hub.quirks.tags == "null":
        return tags or None
    if hub.quirks.tags == "with_nulls":
        return [*tags, None, ""]
    if hub.quirks.tags == "with_digests":
        return [*tags, *(str(each.digest) for each in hub.storage.manifests(repository))]
    return tags


def _page(hub: Hub, request: Request, entries: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return what follows ``last``, at most ``n``, and the link to the rest."""
    if hub.quirks.pages == "none":
        return list(entries), {}
    size = _page_size(hub, request)
    last = request.parameter("last") or ""
    rest = [entry for entry in entries if entry > last] if last else list(entries)
    page = rest if size is None else rest[:size]
    looped = hub.quirks.pages == "loop"
    if len(page) == len(rest) and not looped:
        return page, {}
    return page, {"Link": _link(hub, request, size, last if looped else page[-1:])}


def _page_size(hub: Hub, request: Request) -> int | None:
    asked, limit = request.parameter("n"), hub.quirks.max_page
    if asked is None:
        return limit
    if not asked.isdecimal():
        raise Refusal(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested")
    if limit is not None and int(asked) > limit:
        if hub.quirks.large_page_status == 400:  # noqa: PLR2004 - a status
            raise Refusal(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested")
        return limit
    return int(asked)


def _link(hub: Hub, request: Request, size: int | None, last: str | list[str]) -> str:
    after = "".join(last)
    path = f"{request.path}?{urlencode({'last': after, 'n': size or 0})}"
    if hub.quirks.pages == "bare":
        return f'{path}; rel="next"'
    origins = {"absolute": request.origin, "other_host": hub.storage_origin}
    return f'<{origins.get(hub.quirks.pages, "")}{path}>; rel="next"'
