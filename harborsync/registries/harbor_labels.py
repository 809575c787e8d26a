"""Harbor's labels: known by name to people and by id to the API, in two scopes.

A project's own label goes before a global one of the same name. The ids are asked for once
in a while for each project, not for each artifact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harborsync.artifact import Label
from harborsync.credentials.base import Locks
from harborsync.errors import CredentialsError, Denied, NotFound, RegistryError
from harborsync.harbor.query import project_of, repository_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harborsync.clock import Clock
    from harborsync.harbor.api import HarborApi
    from harborsync.reference import Digest
    from harborsync.registries.harbor_lists import Lists
    from harborsync.registries.harbor_projects import Projects

_CONFLICT: Final = 409
#: Seconds for which the labels of a project are taken to be the same: those of one run.
_KNOWN_FOR: Final = 60.0
_GLOBAL: Final = "g"
_OF_PROJECT: Final = "p"

Record = dict[str, Any]


class Labels:
    """The labels of a Harbor; thread-safe.

    Args:
        api: Harbor's API.
        projects: Its projects.
        lists: Who knows which projects refuse their lists.
        clock: Tells when to ask again.
    """

    def __init__(self, api: HarborApi, projects: Projects, lists: Lists, clock: Clock) -> None:
        self._api = api
        self._projects = projects
        self._lists = lists
        self._clock = clock
        self._locks = Locks()
        self._known: dict[str, tuple[float, list[Record]]] = {}

    def get_labels(self, repository: str, digest: Digest) -> frozenset[str]:
        """Return the names of an artifact's labels, empty if it is not there.

        Raises:
            Denied: The login may not read them.
        """
        project = project_of(repository)
        what = f"read the labels of {repository}@{digest}"
        if not self._lists.is_told(project):
            msg = f"cannot {what} at {self._api.name}: its project does not list its artifacts"
            raise Denied(msg, hint="give the robot the permission artifact:read")
        path = repository_path(repository, "artifacts", digest)
        query = {"with_label": True, "with_tag": False, "with_accessory": False}
        record = self._api.find(path, query, what=what, needs="artifact:read") or {}
        return frozenset(each["name"] for each in record.get("labels") or () if each.get("name"))

    def find_labels(self, repository: str, names: frozenset[str]) -> tuple[Label, ...]:
        """Return the labels of these names that artifacts of a repository may bear."""
        known = self._of(project_of(repository))
        return tuple(_label(known[name]) for name in sorted(names & known.keys()))

    def ids(self, repository: str, names: Iterable[str]) -> list[int] | None:
        """Return the ids of labels, or None if one is not known."""
        known = self._of(project_of(repository))
        found = [known.get(name) for name in names]
        return [record["id"] for record in found if record] if all(found) else None

    def change_labels(
        self, repository: str, digest: Digest, *, attach: Sequence[Label], detach: frozenset[str]
    ) -> None:
        """Attach labels to an artifact and take others off; the rest of them stay.

        Raises:
            NotFound: The artifact is not there.
        """
        project = project_of(repository)
        for label in attach:
            self._attach(repository, digest, self._id_of(project, label), label.name)
        for name in sorted(detach):
            self._detach(repository, digest, name)

    def _attach(self, repository: str, digest: Digest, label: int, name: str) -> None:
        what = f"put the label {name!r} on {repository}@{digest}"
        path = repository_path(repository, "artifacts", digest, "labels")
        try:
            self._api.post(path, {"id": label}, what=what, needs="artifact-label:create")
        except RegistryError as error:
            if error.status != _CONFLICT:  # it has it already
                raise

    def _detach(self, repository: str, digest: Digest, name: str) -> None:
        """Take a label off; of two with one name, both."""
        what = f"take the label {name!r} off {repository}@{digest}"
        for record in self._records(project_of(repository)):
            if record["name"] == name:
                path = repository_path(repository, "artifacts", digest, "labels", record["id"])
                self._api.delete(path, what=what, needs="artifact-label:delete")

    def _id_of(self, project: str, label: Label) -> int:
        record = self._of(project).get(label.name)
        if record is None:
            record = self._made(project, label)
            self._records(project).append(record)
        found: int = record["id"]
        return found

    def _made(self, project: str, label: Label) -> Record:
        """Make a label: a global one for everybody where we may, else in the project."""
        fields = {"name": label.name, "color": label.color, "description": label.description}
        wanted: Record = {key: value for key, value in fields.items() if value}
        if label.is_global:
            try:
                return self._make({**wanted, "scope": _GLOBAL})
            except (CredentialsError, Denied):
                pass
        return self._make({**wanted, "scope": _OF_PROJECT, "project_id": self._project_id(project)})

    def _make(self, wanted: Record) -> Record:
        """Make a label, or find the one that another has made meanwhile."""
        what = f"make the label {wanted['name']!r}"
        try:
            made = self._api.post("/labels", wanted, what=what, needs="label:create")
        except RegistryError as error:
            if error.status != _CONFLICT:
                raise
            return self._there(wanted, error)
        return {**wanted, "id": made.id}

    def _there(self, wanted: Record, error: RegistryError) -> Record:
        found = self._scope(wanted["scope"], wanted.get("project_id"))
        record = next((each for each in found if each.get("name") == wanted["name"]), None)
        if record is None:
            raise error
        return record

    def _of(self, project: str) -> dict[str, Record]:
        """Return the labels that count in a project, by name: its own hide the global ones."""
        return {each["name"]: each for each in self._records(project)}

    def _records(self, project: str) -> list[Record]:
        """Return global labels, then those of a project; asked for once in a while."""
        with self._locks.of(project):
            until, known = self._known.get(project, (0.0, []))
            if project not in self._known or self._clock.monotonic() >= until:
                project_id = self._project_id(project)
                both = [*self._scope(_GLOBAL), *self._scope(_OF_PROJECT, project_id)]
                known = [each for each in both if each.get("name")]  # an empty name is taken, too
                self._known[project] = self._clock.monotonic() + _KNOWN_FOR, known
            return known

    def _scope(self, scope: str, project_id: int | None = None) -> list[Record]:
        what = "list labels"
        query = {"scope": scope, "project_id": project_id}
        return list(self._api.pages("/labels", query, what=what, needs="label:list"))

    def _project_id(self, project: str) -> int:
        """Return a project's id.

        Raises:
            NotFound: It is not there: a label for it would be made all the same (HARBOR §4).
        """
        found = self._projects.get(project)
        if found is None:
            msg = f"there is no project {project} at {self._api.name}, or it is hidden from us"
            raise NotFound(msg, hint="make it first, or ask for the permission project:read")
        return found.id


def _label(record: Record) -> Label:
    return Label(
        name=record["name"],
        color=record.get("color") or "",
        description=record.get("description") or "",
        is_global=record.get("scope") == _GLOBAL,
    )
