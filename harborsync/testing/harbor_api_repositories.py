"""Repositories in the API of the emulated Harbor: listed, described, deleted (HARBOR-7)."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final

from harborsync.testing import harbor_artifacts as books
from harborsync.testing.harbor_query import parse_q
from harborsync.testing.harbor_router import Context, Route, route
from harborsync.testing.harbor_schema import typed
from harborsync.testing.harbor_wire import date, done, full, ok

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harborsync.testing.harbor_state import HarborRepository
    from harborsync.testing.server_wire import Response

_FIELDS: Final[Mapping[str, Callable[[HarborRepository], Any]]] = {
    "id": lambda each: each.id,
    "name": lambda each: each.name,
    "project_id": lambda each: each.project.id,
    "creation_time": lambda each: each.created,
    "update_time": lambda each: each.updated,
    "pull_count": lambda each: each.pull_count,
}


def list_all_repositories(context: Context) -> Response:
    """List the repositories of every project the caller may see."""
    rows = [
        each for each in context.state.repositories.values() if context.identity.sees(each.project)
    ]
    return _repositories(context, rows)


def list_repositories(context: Context, project: str) -> Response:
    """List the repositories of a project."""
    found = context.require(project, "repository", "list")
    return _repositories(context, context.state.repositories_of(found))


def get_repository(context: Context, project: str, repository: str) -> Response:
    """Show a repository, to whom may list them (src/server/v2.0/handler/repository.go)."""
    found = context.require(project, "repository", "list")
    return ok(show_repository(context.repository(found, repository)))


def update_repository(context: Context, project: str, repository: str) -> Response:
    """Change a repository's description, which is stored HTML escaped (HARBOR-4)."""
    found = context.repository(context.require(project, "repository", "update"), repository)
    body = typed(context.body, "repository", "Repository", {"description": "string"})
    found.description = _escaped(body.get("description", ""))
    found.updated = context.state.clock.now()
    return done()


def delete_repository(context: Context, project: str, repository: str) -> Response:
    """Delete a repository with everything in it."""
    found = context.repository(context.require(project, "repository", "delete"), repository)
    books.delete_repository(
        context.state, found, by=context.identity.name, request_id=context.request_id
    )
    return done()


def show_repository(repository: HarborRepository) -> dict[str, Any]:
    """Return a repository as the API shows it."""
    return full(description=repository.description) | {
        "artifact_count": sum(map(books.is_listed, repository.artifacts.values())),
        "creation_time": date(repository.created),
        "id": repository.id,
        "name": repository.name,
        "project_id": repository.project.id,
        "pull_count": repository.pull_count,
        "update_time": date(repository.updated),
    }


def _repositories(context: Context, rows: list[HarborRepository]) -> Response:
    conditions = parse_q(context.query.get("q", ""))
    blob = conditions.get("blob_digest")
    if blob is not None:
        # Where a blob can be mounted from: what Harbor's own replication asks.
        rows = [each for each in rows if _holds(each, str(blob.value))]
    return context.page(rows, show_repository, fields=_FIELDS, default="-creation_time")


def _holds(repository: HarborRepository, digest: str) -> bool:
    return any(digest in each.sizes for each in repository.artifacts.values())


def _escaped(text: str) -> str:
    # Go writes the quotes as numbers.
    return html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


_REPOSITORY: Final = "/projects/{project}/repositories/{repository}"
ROUTES: Final[tuple[Route, ...]] = (
    route("GET", "/repositories", list_all_repositories),
    route("GET", "/projects/{project}/repositories", list_repositories),
    route("GET", _REPOSITORY, get_repository),
    route("PUT", _REPOSITORY, update_repository),
    route("DELETE", _REPOSITORY, delete_repository),
)
