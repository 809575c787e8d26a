"""How much room Harbor's projects have, and who set it (HARBOR §13)."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - read at run time
from typing import TYPE_CHECKING

import attrs

from harborsync.harbor.collection import Collection
from harborsync.harbor.projects import UNLIMITED, StorageSize
from harborsync.harbor.records import write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.harbor.api import HarborApi
    from harborsync.harbor.projects import Projects


@attrs.frozen(kw_only=True)
class QuotaOwner:
    """Whose quota it is.

    Attributes:
        id: The number of the project.
        name: Its name.
    """

    id: int = 0
    name: str = ""


@attrs.frozen(kw_only=True)
class Quota:
    """How much room a project has.

    Attributes:
        id: The number of the quota, which need not be the project's.
        ref: The project.
        hard: The most it may hold; -1 for no limit.
        used: What it holds.
        creation_time: When it was made.
        update_time: When either of them changed last.
    """

    id: int = 0
    ref: QuotaOwner = attrs.field(factory=QuotaOwner)
    hard: StorageSize = attrs.field(factory=lambda: StorageSize(storage=UNLIMITED))
    used: StorageSize = attrs.field(factory=StorageSize)
    creation_time: datetime | None = None
    update_time: datetime | None = None

    @property
    def left(self) -> int | None:
        """How many bytes still fit, or None for any number."""
        limit = self.hard.storage
        return None if limit == UNLIMITED else max(0, limit - self.used.storage)


class Quotas:
    """The quotas of one Harbor's projects; thread-safe.

    A robot of a project cannot read them; it can read
    :meth:`~harborsync.harbor.projects.Projects.summary`.

    Args:
        api: Speaks to the Harbor.
        projects: Knows its projects.
    """

    def __init__(self, api: HarborApi, projects: Projects) -> None:
        self._projects = projects
        self._all = Collection(api, Quota, "/quotas", noun="quota", resource="quota")

    def list(self) -> Iterator[Quota]:
        """Yield them all."""
        return self._all.each(reference="project")

    def of(self, project: str) -> Quota | None:
        """Return the quota of a project, or None if it has none.

        Raises:
            NotFound: There is no such project.
        """
        reference = self._projects.id_of(project)
        return next(self._all.each(reference="project", reference_id=reference), None)

    def set(self, quota: Quota, storage: int) -> None:
        """Let a project hold so many bytes; -1 for no limit."""
        self._all.replace(quota.id, {"hard": write(StorageSize(storage=storage))})
