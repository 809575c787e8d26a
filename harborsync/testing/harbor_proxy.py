"""Proxy-cache projects of an emulated Harbor: they serve what is upstream, and keep it later.

The oddities are those of the recording (17-proxy-cache): a manifest that is not here yet comes
with empty digest headers if it was asked for by tag, a blob that is not here yet is denied to
HEAD, and the artifact appears only some twenty seconds later, if all of its blobs were pulled.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from harborsync.content import INDEX_TYPES
from harborsync.testing import harbor_artifacts as books
from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_access import JOBSERVICE
from harborsync.testing.harbor_api_projects import create_project, get_summary
from harborsync.testing.harbor_far import FarError
from harborsync.testing.harbor_router import Route, route
from harborsync.testing.harbor_schema import typed
from harborsync.testing.harbor_wire import HarborError, ok
from harborsync.testing.server_wire import Response, json_response

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harborsync.testing.harbor_adapters import Manifest, PlainAdapter
    from harborsync.testing.harbor_endpoints import Endpoints
    from harborsync.testing.harbor_jobs import Jobs
    from harborsync.testing.harbor_retention import Retentions
    from harborsync.testing.harbor_router import Context
    from harborsync.testing.harbor_state import HarborProject, HarborState
    from harborsync.testing.server_wire import Request

_JSON: Final = "application/json; charset=utf-8"
_NOT_FOUND: Final = 404
_TOO_MANY: Final = 429
#: How often, and every how many seconds, it is looked whether a manifest's blobs are here.
_LOOKS: Final = 10
_PAUSE: Final = 20.0
_READS: Final = frozenset({"GET", "HEAD"})
#: What a new proxy cache keeps: what was pulled within a week.
_RULE: Final = {
    "action": "retain",
    "template": "nDaysSinceLastPull",
    "params": {"nDaysSinceLastPull": 7},
    "tag_selectors": [
        {
            "kind": "doublestar",
            "decoration": "matches",
            "pattern": "**",
            "extras": '{"untagged":true}',
        }
    ],
    "scope_selectors": {
        "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]
    },
}


class Proxy:
    """What stands between the clients of a proxy-cache project and its upstream.

    Args:
        state: What else the Harbor knows.
        jobs: What keeping is booked with.
        endpoints: The registries, upstreams among them.
        retentions: Where a new project gets its rules.
    """

    def __init__(
        self, state: HarborState, *, jobs: Jobs, endpoints: Endpoints, retentions: Retentions
    ) -> None:
        self._state = state
        self._jobs = jobs
        self._endpoints = endpoints
        self._retentions = retentions
        endpoints.users.append(self._uses)
        state.interceptors.append(self.answer)
        self.routes: tuple[Route, ...] = (
            route("POST", "/projects", self._create_project),
            route("GET", "/projects/{project}/summary", self._get_summary),
        )

    def answer(self, request: Request, parts: Mapping[str, str]) -> Response | None:
        """Answer a permitted request to ``/v2``, or leave it to the registry.

        Raises:
            HarborError: It writes, or upstream does not have what it wants.
        """
        repository = parts.get("repository", "")
        project = self._state.find_project(repository.partition("/")[0])
        if project is None or not project.registry_id:
            return None
        if request.method not in _READS:
            return self._refuse_write(request, project)
        upstream = self._endpoints.adapter(self._endpoints.find(project.registry_id))
        name = repository.partition("/")[2]
        if "reference" in parts:
            return self._manifest(request, upstream, repository, name, parts["reference"])
        if "/blobs/" in request.path:
            return self._blob(request, upstream, repository, name, parts["digest"])
        if request.path.endswith("/tags/list"):
            return self._tags(upstream, repository, name)
        return None

    # --- projects ------------------------------------------------------------------------

    def _create_project(self, context: Context) -> Response:
        """Make a project; one that is a proxy cache gets rules of retention with it."""
        number = typed(context.body, "project", "ProjectReq", {"registry_id": "int64"})
        upstream = number.get("registry_id", 0)
        if upstream and context.identity.admin:  # nobody else may, and is told so first
            self._require_upstream(upstream)
        made = create_project(context)
        if upstream:
            project = self._state.project(context.body["project_name"])
            self._retentions.add(project, [dict(_RULE)], "0 0 0 * * *")
        return made

    def _require_upstream(self, number: int) -> None:
        try:
            self._endpoints.find(number)
        except HarborError:
            refuse.internal()

    def _get_summary(self, context: Context, project: str) -> Response:
        shown = get_summary(context, project)
        found = context.find_project(project)
        if found is None or not found.registry_id:
            return shown
        registry = self._endpoints.find(found.registry_id).shown(credential=False)
        return ok({**_parsed(shown), "registry": registry})

    def _uses(self, registry: int) -> str:
        projects = self._state.projects.values()
        used = any(each.registry_id == registry for each in projects if each.registry_id)
        return "proxy cache project" if used else ""

    # --- reading -------------------------------------------------------------------------

    def _refuse_write(self, request: Request, project: HarborProject) -> Response | None:
        if request.method == "DELETE":
            return None
        refuse.denied(f"denied: can not push artifact to a proxy project: {project.name}")

    def _tags(self, upstream: PlainAdapter, repository: str, name: str) -> Response:
        with self._state.lock:
            row = self._state.repositories.get(repository)
            tags = set(row.tags) if row is not None else set()
        with suppress(FarError):  # what is here is listed all the same
            tags |= set(upstream.tags(name))
        document = {"name": repository, "tags": sorted(tags)}
        return json_response(200, document, {"Content-Type": _JSON})

    def _manifest(
        self, request: Request, upstream: PlainAdapter, repository: str, name: str, reference: str
    ) -> Response | None:
        """Serve a manifest from upstream, unless the very same is here already."""
        by_digest = ":" in reference
        if by_digest and self._digest_here(repository, reference):
            return None
        try:
            digest = upstream.head(name, reference)
        except FarError as error:
            if error.status == _TOO_MANY and not self._digest_here(repository, reference):
                raise HarborError(429, "TOO_MANY_REQUEST", str(error)) from error
            return None  # the registry of this Harbor serves what it has
        if digest is None:
            mark = "@" if by_digest else ", tag "
            refuse.not_found(f"resource not found: repo {repository}{mark}{reference} not found")
        if self._digest_here(repository, reference) == digest:
            return None
        try:
            found = upstream.manifest(name, reference)
        except FarError as error:
            raise HarborError(500, "UNKNOWN", str(error)) from error
        shown = digest if by_digest or request.method == "HEAD" else ""
        if request.method == "GET":
            tag = "" if by_digest else reference
            # An index is tried at once, an image when its blobs may have come (recorded: 17).
            after = 0.0 if found.media_type in INDEX_TYPES else _PAUSE
            self._jobs.start(self._keep(repository, tag, found), after)
        headers = {
            "Content-Type": found.media_type,
            "Docker-Content-Digest": shown,
            "Etag": shown,
        }
        return Response(status=200, headers=headers, body=found.content)

    def _digest_here(self, repository: str, reference: str) -> str:
        with self._state.lock:
            row = self._state.repositories.get(repository)
            artifact = row.find(reference) if row is not None else None
            return artifact.digest if artifact is not None else ""

    def _blob(
        self, request: Request, upstream: PlainAdapter, repository: str, name: str, digest: str
    ) -> Response | None:
        if self._state.storage.blob(repository, digest) is not None:
            return None
        if request.method == "HEAD":
            refuse.not_found(f"blob {digest} not found")
        try:
            content = upstream.blob(name, digest)
        except FarError as error:
            if error.status == _NOT_FOUND:
                refuse.not_found(str(error))
            raise HarborError(500, "UNKNOWN", str(error)) from error
        self._jobs.start(self._keep_blob(repository, content))
        return Response(status=200, headers={"Content-Type": _sniffed(content)}, body=content)

    # --- keeping -------------------------------------------------------------------------

    def _keep_blob(self, repository: str, content: bytes) -> Iterator[float]:
        self._state.storage.put_blob(repository, content)
        yield from ()

    def _keep(self, repository: str, tag: str, manifest: Manifest) -> Iterator[float]:
        """Keep a manifest as soon as all that it names is here; its repository at once."""
        with self._state.lock:
            books.ensure_repository(self._state, repository)
        for _ in range(_LOOKS):
            if all(self._is_here(repository, part) for part in manifest.parts):
                self._store(repository, tag, manifest)
                return
            yield _PAUSE

    def _is_here(self, repository: str, part: Mapping[str, Any]) -> bool:
        digest = part["digest"]
        stored = self._state.storage.blob(repository, digest)
        return stored is not None or bool(self._digest_here(repository, digest))

    def _store(self, repository: str, tag: str, manifest: Manifest) -> None:
        with self._state.lock:
            digest = self._state.storage.put_manifest(
                repository, manifest.content, media_type=manifest.media_type
            )
            books.record_push(self._state, repository, str(digest), tag, by=JOBSERVICE)
        self._state.tell_subscribers()


def _parsed(response: Response) -> dict[str, Any]:

    found: dict[str, Any] = json.loads(response.body)
    return found


def _sniffed(content: bytes) -> str:
    """Return the type that Go guesses for content that comes without one."""
    if content.startswith(b"\x1f\x8b\x08"):
        return "application/x-gzip"
    try:
        content[:512].decode()
    except UnicodeDecodeError:
        return "application/octet-stream"
    return "text/plain; charset=utf-8"
