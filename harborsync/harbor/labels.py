"""Harbor's labels: names with a colour, for everybody or for one project (HARBOR §7)."""

from __future__ import annotations

import re
from datetime import datetime  # noqa: TC003 - read at run time
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.harbor.collection import Collection
from harborsync.harbor.mistakes import Mistake, name_mistakes, refuse
from harborsync.harbor.records import write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.harbor.api import HarborApi
    from harborsync.harbor.projects import Projects

_GLOBAL: Final = "g"
_PROJECT: Final = "p"
_LONGEST_NAME: Final = 128
_COLOR: Final = re.compile(r"#[0-9A-Fa-f]{6}")


@attrs.frozen(kw_only=True)
class HarborLabel:
    """A label.

    Attributes:
        id: Its number, or None for one not made yet.
        name: Its name, unique within its scope only.
        description: A text for people.
        color: Such as ``#0065AB``, or empty.
        scope: ``g`` for everybody, ``p`` for one project.
        project_id: The project, for those of one.
        creation_time: When it was made.
        update_time: When it was changed last.
    """

    id: int | None = None
    name: str = ""
    description: str = ""
    color: str = ""
    scope: str = _GLOBAL
    project_id: int | None = None
    creation_time: datetime | None = None
    update_time: datetime | None = None

    @property
    def is_global(self) -> bool:
        """Whether it is for every project."""
        return self.scope == _GLOBAL


def label_mistakes(label: HarborLabel) -> Iterator[Mistake]:
    """Yield what is wrong with a label: Harbor takes empty names, too."""
    yield from name_mistakes(label.name, _LONGEST_NAME)
    if label.color and not _COLOR.fullmatch(label.color):
        remedy = "write it like #0065AB"
        yield Mistake(where="color", what=f"{label.color!r} is no color", remedy=remedy)


class HarborLabels:
    """The labels of one Harbor; thread-safe.

    Args:
        api: Speaks to the Harbor.
        projects: Knows its projects.
    """

    def __init__(self, api: HarborApi, projects: Projects) -> None:
        self._projects = projects
        self._all = Collection(api, HarborLabel, "/labels", noun="label", resource="label")

    def list(self, *, project: str | None = None) -> Iterator[HarborLabel]:
        """Yield those for everybody, or those of one project.

        Raises:
            NotFound: There is no such project.
        """
        if project is None:
            return self._all.each(scope=_GLOBAL)
        return self._all.each(scope=_PROJECT, project_id=self._projects.id_of(project))

    def get(self, label_id: int) -> HarborLabel:
        """Return one.

        Raises:
            NotFound: There is none with this id.
        """
        return self._all.get(label_id)

    def create(self, label: HarborLabel, *, project: str | None = None) -> int:
        """Make one, for everybody or for one project, and return its id.

        Raises:
            InvalidValue: Something in it cannot work; nothing was sent.
            NotFound: There is no such project; Harbor itself would not mind.
        """
        refuse(f"make the label {label.name!r}", label_mistakes(label))
        where: dict[str, object] = {"scope": _GLOBAL}
        if project is not None:
            where = {"scope": _PROJECT, "project_id": self._projects.id_of(project)}
        return self._all.make({**write(label), **where}).id

    def update(self, label: HarborLabel) -> None:
        """Change name, description and color of one.

        Raises:
            InvalidValue: Something in it cannot work; nothing was sent.
            NotFound: There is none with its id.
        """
        refuse(f"change the label {label.name!r}", label_mistakes(label))
        self._all.replace(label.id, write(label))

    def delete(self, label_id: int) -> bool:
        """Delete one, from every artifact that has it; tell whether it was there."""
        return self._all.delete(label_id)
