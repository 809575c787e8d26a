"""Harbor's projects: whose repositories are whose, asked once each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import attrs

from harborsync.credentials.base import Locks
from harborsync.errors import CredentialsError, Denied, NotFound
from harborsync.harbor.query import Q, projects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.harbor.api import HarborApi


@attrs.frozen(kw_only=True)
class Project:
    """A project, as far as these credentials may see it.

    Attributes:
        name: Its name, which all its repositories begin with.
        id: Its id, by which labels and quotas are asked for.
        is_proxy: Whether it caches another registry: it takes no pushes, and its lists hold
            what is cached only (HARBOR §13).
        repositories: How many repositories it has.
    """

    name: str
    id: int
    is_proxy: bool = False
    repositories: int = 0

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """Read what the API says."""
        return cls(
            name=record["name"],
            id=record["project_id"],
            is_proxy=bool(record.get("registry_id")),
            repositories=record.get("repo_count") or 0,
        )


class Projects:
    """The projects of one Harbor; thread-safe.

    Args:
        api: Its API.
    """

    def __init__(self, api: HarborApi) -> None:
        self._api = api
        self._locks = Locks()
        self._known: dict[str, Project | None] = {}

    def get(self, name: str) -> Project | None:
        """Return a project, or None if it is not there or hidden from us; asked once.

        Who asks for another project does not wait for it.
        """
        with self._locks.of(name):
            if name not in self._known:
                self._known[name] = self._asked(name)
            return self._known[name]

    def all(self) -> Iterator[Project]:
        """Yield every project that these credentials may see."""
        query = {"with_detail": False}
        for record in self._api.pages("/projects", query, what="list projects"):
            project = Project.of(record)
            self._known[project.name] = project
            yield project

    def forget(self, name: str) -> None:
        """Ask for a project anew the next time, since it was made meanwhile."""
        with self._locks.of(name):
            self._known.pop(name, None)

    def _asked(self, name: str) -> Project | None:
        """Look among those we may see, which needs no permission, then for it by name.

        Old versions show robots only the public ones (HARBOR §7).
        """
        what = f"find the project {name}"
        query = {"q": Q(name=name), "with_detail": False}
        listed = self._api.page("/projects", query, what=what).items
        record = next((each for each in listed if each.get("name") == name), None)
        try:
            record = record or self._api.find(projects(name), what=what)
        except (CredentialsError, Denied, NotFound):
            return None
        return Project.of(record) if record else None
