"""Harbor's projects: the first part of every repository's name, and who may do what in it."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - read at run time
from datetime import datetime  # noqa: TC003 - read at run time
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.harbor.collection import Collection
from harborsync.harbor.mistakes import Mistake, refuse
from harborsync.harbor.query import projects
from harborsync.harbor.records import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.harbor.api import HarborApi

#: No limit to the bytes of a project.
UNLIMITED: Final = -1
_LONGEST_NAME: Final = 255
_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)


@attrs.frozen(kw_only=True)
class Project:
    """A project.

    Attributes:
        project_id: Its number.
        name: Its name.
        owner_name: Whose it is.
        registry_id: The far registry that it is a cache of; 0 for none.
        repo_count: How many repositories it holds.
        metadata: Its settings, all of them texts: ``public``, ``auto_scan``, ``retention_id`` …
        creation_time: When it was made.
        update_time: When it was changed last.
    """

    project_id: int = 0
    name: str = ""
    owner_name: str = ""
    registry_id: int = 0
    repo_count: int = 0
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    creation_time: datetime | None = None
    update_time: datetime | None = None

    @property
    def is_public(self) -> bool:
        """Whether everybody may pull from it."""
        return self.metadata.get("public") == "true"

    @property
    def is_proxy_cache(self) -> bool:
        """Whether it is a cache of another registry, which nobody can push to."""
        return self.registry_id > 0


@attrs.frozen(kw_only=True)
class StorageSize:
    """A number of bytes; -1 for no limit."""

    storage: int = 0


@attrs.frozen(kw_only=True)
class ProjectQuota:
    """How much room a project has.

    Attributes:
        hard: The most it may hold.
        used: What it holds.
    """

    hard: StorageSize = attrs.field(factory=lambda: StorageSize(storage=UNLIMITED))
    used: StorageSize = attrs.field(factory=StorageSize)


@attrs.frozen(kw_only=True)
class ProjectSummary:
    """What there is in a project.

    Attributes:
        repo_count: How many repositories.
        quota: How much room.
    """

    repo_count: int = 0
    quota: ProjectQuota = attrs.field(factory=ProjectQuota)


class Projects:
    """The projects of one Harbor; thread-safe.

    Args:
        api: Speaks to the Harbor.
    """

    def __init__(self, api: HarborApi) -> None:
        self._api = api
        self._all = Collection(api, Project, "/projects", noun="project", resource="project")

    def list(self) -> Iterator[Project]:
        """Yield those that the login may see, the public ones among them."""
        return self._all.each()

    def get(self, name: str) -> Project:
        """Return one.

        Raises:
            NotFound: There is none of this name, or it is hidden.
        """
        return self._all.get(name)

    def id_of(self, name: str) -> int:
        """Return the number of one.

        Raises:
            NotFound: There is none of this name, or it is hidden.
        """
        return self.get(name).project_id

    def exists(self, name: str) -> bool:
        """Tell whether there is one of this name."""
        query = {"project_name": name}
        return self._api.has("/projects", query, what=f"look for the project {name}")

    def create(self, name: str, *, public: bool = False, storage_limit: int = UNLIMITED) -> None:
        """Make one.

        Args:
            name: Its name.
            public: Whether everybody may pull from it.
            storage_limit: The most bytes it may hold; -1 for no limit.

        Raises:
            InvalidValue: No project can be called so; nothing was sent.
        """
        refuse(f"make the project {name!r}", project_mistakes(name))
        self._all.make(
            {
                "project_name": name,
                "metadata": {"public": "true" if public else "false"},
                "storage_limit": storage_limit,
            }
        )

    def delete(self, name: str) -> bool:
        """Delete one that holds no repository; tell whether it was there."""
        return self._all.delete(name)

    def summary(self, name: str) -> ProjectSummary:
        """Return what there is in one.

        Raises:
            NotFound: There is none of this name, or it is hidden.
        """
        what = f"read the summary of {name}"
        return read(ProjectSummary, self._api.get(projects(name, "summary"), what=what))


def project_mistakes(name: str) -> Iterator[Mistake]:
    """Yield what is wrong with the name of a project that is to be made."""
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        remedy = "use up to 255 small letters and digits, joined by single '.', '_' or '-'"
        yield Mistake(where="name", what=f"{name[:300]!r} is no project's name", remedy=remedy)
