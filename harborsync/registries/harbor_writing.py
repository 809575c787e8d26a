"""What Harbor does at a destination without being sent any bytes.

Projects are made before the first push, since Harbor makes none by itself; tags are added and
artifacts copied by its API; how much room a project has left is asked before it is needed.
Whatever these credentials may not do this way is done by pushing, as at any registry.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from harborsync.credentials.base import Locks
from harborsync.errors import (
    CredentialsError,
    Denied,
    InvalidReference,
    RegistryError,
    TagImmutable,
    TransportError,
    Unsupported,
)
from harborsync.harbor.query import Q, project_of, projects, repository_path
from harborsync.registries.creation import Creation, RepositoryMaker
from harborsync.registry import Room

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.clock import Clock
    from harborsync.content import Descriptor
    from harborsync.harbor.api import HarborApi
    from harborsync.reference import Digest, Tag
    from harborsync.registries.harbor_projects import Projects

#: Options of an endpoint that are read for these.
WRITING_OPTIONS: Final = frozenset({"create", "public", "tags_by"})
_CREATED: Final = 201
_NO_RIGHT: Final = frozenset({401, 403})
_CONFLICT: Final = 409
_MAY_NOT_CREATE: Final = (
    "make the project in Harbor, or log in as a system robot with the permission project:create"
)
#: Seconds for which the room of a project counts: a plan's time, not the process's.
_ROOM_COUNTS: Final = 30.0


class Refusals:
    """Remembers what these credentials may not do in which project; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._projects: set[str] = set()

    def __contains__(self, project: str) -> bool:
        """Tell whether a project has refused before."""
        return project in self._projects

    def note(self, project: str, status: int) -> None:
        """Take note of a refusal for want of a right; of no other."""
        if status in _NO_RIGHT:
            with self._lock:
                self._projects.add(project)


class ProjectMaker:
    """Makes projects that are lacking, each looked for once; thread-safe.

    Args:
        api: Harbor's API.
        projects: Which there are.
        creation: When projects are made, and whether everybody may read them.
    """

    def __init__(self, api: HarborApi, projects: Projects, creation: Creation) -> None:
        self._api = api
        self._projects = projects
        self._creation = creation
        self._maker = RepositoryMaker(creation.create, self._make)

    def ensure_repository(self, repository: str) -> bool:
        """Make the repository's project if it is lacking; tell whether it was made now.

        Raises:
            Denied: It is lacking, and these credentials may make none.
            Unsupported: It caches another registry, and so takes no pushes.
        """
        return self._maker.ensure_repository(project_of(repository))

    def _make(self, project: str) -> bool:
        found = self._projects.get(project)
        if found is None:
            return self._made(project)
        if found.is_proxy:
            msg = f"the project {project} of {self._api.name} caches another registry"
            raise Unsupported(msg, hint="it takes no pushes: write to an ordinary project")
        return False

    def _made(self, project: str) -> bool:
        what = f"make the project {project}"
        public = "true" if self._creation.public else "false"
        body = {"project_name": project, "metadata": {"public": public}}
        try:
            self._api.post("/projects", body, what=what, needs="project:create")
        except RegistryError as error:
            if error.status == _CONFLICT:  # it is there, and hidden from us or made meanwhile
                return False
            if isinstance(error, Denied):
                error.hint = _MAY_NOT_CREATE
            raise
        finally:
            self._projects.forget(project)
        return True


class Tags:
    """Gives further tags by the API, at a quarter of what a push costs Harbor (HARBOR §7).

    No PUSH_ARTIFACT event is fired for such a tag. With a user's password, the API is the
    dearer way: there every request costs Harbor a tenth of a second (HARBOR §5).

    Args:
        api: Harbor's API.
        is_wanted: Whether tags are to be made so.
    """

    def __init__(self, api: HarborApi, is_wanted: Callable[[], bool]) -> None:
        self._api = api
        self._is_wanted = is_wanted
        self._refusals = Refusals()

    def add_tag(self, repository: str, digest: Digest, tag: Tag) -> bool:
        """Make a tag that is not there yet; False where the manifest must be sent instead.

        Raises:
            TagImmutable: A rule there forbids the tag.
        """
        project = project_of(repository)
        if project in self._refusals or not self._is_wanted():
            return False
        what = f"add the tag {tag} in {repository}"
        path = repository_path(repository, "artifacts", digest, "tags")
        try:
            answer = self._api.ask("POST", path, body={"name": tag}, what=what)
        except TransportError:
            return False  # it may be there by now, which a push finds out
        if answer.status == _CREATED:
            return True
        error = self._api.refused(answer, what, needs="tag:create")
        if isinstance(error, TagImmutable):
            raise error
        self._refusals.note(project, answer.status)
        return False


class Copies:
    """Copies between repositories of one Harbor by itself; thread-safe.

    Args:
        api: Harbor's API.
    """

    def __init__(self, api: HarborApi) -> None:
        self._api = api
        self._refusals = Refusals()

    def copy_within(self, from_repository: str, digest: Digest, repository: str) -> bool:
        """Copy an artifact with its accessories and all its tags; False where that cannot be.

        Harbor takes the tags along although it is named by its digest (recorded at 2.15.2).
        """
        project = project_of(repository)
        if project in self._refusals:
            return False
        path = repository_path(repository, "artifacts")
        query = {"from": f"{from_repository}@{digest}"}
        what = f"copy {from_repository}@{digest} to {repository}"
        try:
            answer = self._api.ask("POST", path, query, what=what)
        except TransportError:
            return False
        self._refusals.note(project, answer.status)
        return answer.status == _CREATED


class Quotas:
    """Asks how much more a project takes; thread-safe.

    Args:
        api: Harbor's API.
        clock: Tells how long ago that was.
    """

    def __init__(self, api: HarborApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._locks = Locks()
        self._known: dict[str, tuple[float, Room | None]] = {}

    def room(self, repository: str) -> Room | None:
        """Return the room that is left, or None if there is no limit or it is not told us."""
        try:
            project = project_of(repository)
        except InvalidReference:
            return None
        with self._locks.of(project):
            at, room = self._known.get(project, (float("-inf"), None))
            now = self._clock.monotonic()
            if now - at > _ROOM_COUNTS:
                room = self._asked(project)
                self._known[project] = (now, room)
            return room

    def _asked(self, project: str) -> Room | None:
        what = f"ask how much room the project {project} has"
        try:
            summary = self._api.find(projects(project, "summary"), what=what)
        except (CredentialsError, Denied):
            return None
        quota = (summary or {}).get("quota") or {}
        hard, used = (_bytes(quota.get(key)) for key in ("hard", "used"))
        return None if hard < 0 else Room(whose=f"project {project}", left=max(0, hard - used))


class Mounts:
    """Knows where in this Harbor a blob may be mounted from; thread-safe.

    Args:
        api: Harbor's API.
    """

    def __init__(self, api: HarborApi) -> None:
        self._api = api

    def may_mount(self, repository: str, from_repository: str) -> bool:  # noqa: ARG002
        """Tell whether trying is worth a request: for names that Harbor can have."""
        return "/" in from_repository

    def origins(self, repository: str, blob: Descriptor) -> tuple[str, ...]:
        """Return a repository that has a blob, as Harbor's own replication finds it (HARBOR §3)."""
        query = {"q": Q(blob_digest=str(blob.digest)), "page_size": 1}
        what = f"look for {blob.digest}"
        try:
            found = self._api.page("/repositories", query, what=what).items
        except (RegistryError, CredentialsError, TransportError):
            return ()
        names = (each.get("name") for each in found if isinstance(each, dict))
        return tuple(name for name in names if name and name != repository)


def _bytes(limits: Any) -> int:
    """Return the bytes of a quota; -1, as Harbor writes it, for no limit."""
    found = limits.get("storage", -1) if isinstance(limits, dict) else -1
    return found if isinstance(found, int) else -1
