"""What repositories there are in a Harbor, and what is written about each.

The API tells it project by project. A login that may not list a project gets its repositories
from ``_catalog``, if it may read that.
"""

from __future__ import annotations

import html
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from harborsync.errors import CredentialsError, Denied, NotFound, Unsupported
from harborsync.harbor.api import PAGE_SIZE
from harborsync.harbor.query import projects, repository_path
from harborsync.registries.extras import is_repository

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.harbor.api import HarborApi
    from harborsync.registries.harbor_projects import Projects
    from harborsync.registry import Cataloguing

_NEEDS: Final = "repository:list"


class Catalog:
    """The repositories of a Harbor, with the texts about them; thread-safe.

    Args:
        api: Harbor's API.
        projects: Its projects.
        project: The only project that counts, or nothing for all.
        otherwise: The catalog of the distribution API.

    Attributes:
        counts: How many artifacts a repository has, as far as lists have told.
    """

    def __init__(
        self, api: HarborApi, projects: Projects, project: str, otherwise: Cataloguing | None
    ) -> None:
        self.counts: dict[str, int] = {}
        self._api = api
        self._projects = projects
        self._project = project
        self._otherwise = otherwise

    def list_repositories(self) -> Iterator[str]:
        """Yield full repository names, in no order, each once.

        Raises:
            Unsupported: Neither the API nor ``_catalog`` is open to these credentials.
            CredentialsError: Neither takes them, or there are none.
        """
        refused: dict[str, CredentialsError | Denied] = {}
        for name in self._wanted():
            try:
                yield from (record["name"] for record in self._of_project(name))
            except (CredentialsError, Denied) as error:
                refused[name] = error
        if refused:
            yield from self._in_catalog(refused)

    def list_descriptions(self) -> Iterator[tuple[str, str]]:
        """Yield each repository with its text, in no more requests than its catalog takes."""
        for name in self._wanted():
            for record in self._of_project(name):
                yield record["name"], _text(record)

    def get_descriptions(self, repositories: frozenset[str]) -> dict[str, str]:
        """Return the texts about repositories; one that is not there is left out."""
        groups: dict[str, set[str]] = {}
        for repository in repositories:
            project, slash, _ = repository.partition("/")
            if slash:  # no repository of Harbor has a name without
                groups.setdefault(project, set()).add(repository)
        found: dict[str, str] = {}
        for project, names in groups.items():
            found |= self._texts(project, names)
        return found

    def set_description(self, repository: str, text: str) -> None:
        """Replace the text; Harbor makes it safe for HTML by itself (HARBOR §4).

        Raises:
            NotFound: The repository is not there.
        """
        what = f"describe {repository}"
        path = repository_path(repository)
        self._api.put(path, {"description": text}, what=what, needs="repository:update")

    def _wanted(self) -> Iterator[str]:
        if self._project:
            yield self._project
        else:
            yield from (each.name for each in self._projects.all() if each.repositories)

    def _of_project(self, project: str) -> Iterator[dict[str, Any]]:
        what = f"list repositories of the project {project}"
        try:
            for record in self._api.pages(
                projects(project, "repositories"), what=what, needs=_NEEDS
            ):
                if is_repository(record.get("name")):
                    self.counts[record["name"]] = record.get("artifact_count") or 0
                    yield record
        except NotFound:
            return

    def _in_catalog(self, refused: dict[str, CredentialsError | Denied]) -> Iterator[str]:
        """Yield what ``_catalog`` tells of projects that refused; else say why they did."""
        try:
            for name in self._otherwise.list_repositories() if self._otherwise else ():
                if name.partition("/")[0] in refused:
                    yield name
        except Unsupported as error:
            for refusal in refused.values():
                if isinstance(refusal, CredentialsError):
                    raise refusal from error
            projects = " and ".join(sorted(refused))
            error.hint = (
                f"the login lacks the permission {_NEEDS} in {projects}: give it that, "
                "or name the repositories one by one in the rule"
            )
            raise

    def _texts(self, project: str, names: set[str]) -> dict[str, str]:
        """Return texts of one project's repositories, one by one or all of them, as is cheaper."""
        known = self._projects.get(project)
        pages = ceil(known.repositories / PAGE_SIZE) if known and known.repositories else 1
        if pages < len(names):
            every = {record["name"]: _text(record) for record in self._of_project(project)}
            return {name: text for name, text in every.items() if name in names}
        found = {name: self._one(name) for name in sorted(names)}
        return {name: text for name, text in found.items() if text is not None}

    def _one(self, repository: str) -> str | None:
        what = f"read the description of {repository}"
        path = repository_path(repository)
        record = self._api.find(path, what=what, needs="repository:read")
        return None if record is None else _text(record)


def _text(record: dict[str, Any]) -> str:
    """Return a description as it was written: Harbor stores it escaped (HARBOR §4)."""
    return html.unescape(record.get("description") or "")
