"""Harbor's lists of artifacts: one request for a hundred, where a tag list tells names only.

A robot that may only pull is refused these lists: its projects are listed by ``tags/list`` as
anywhere else, which is said once. So are projects that cache another registry, since their
lists hold only what somebody has pulled through them (HARBOR §13).
"""

from __future__ import annotations

import logging
import threading
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from harborsync.errors import CredentialsError, Denied, InvalidReference, NotFound
from harborsync.harbor.query import AnyOf, Q, project_of, repository_path
from harborsync.registries.harbor_artifacts import Listed, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harborsync.artifact import Artifact
    from harborsync.harbor.api import HarborApi
    from harborsync.reference import Digest
    from harborsync.registries.harbor_projects import Projects

_log = logging.getLogger(__name__)

#: What every list is asked to tell.
TOLD: Final = {"with_tag": True, "with_label": True, "with_accessory": True}
#: Only what has a tag; nothing else is a candidate.
TAGGED: Final = Q(tags="*")
#: What Harbor takes for "without a tag" where a tag could stand.
UNTAGGED: Final = "nil"
NEEDS: Final = "artifact:list"
#: Digests named in one request: a proxy takes no longer line than 8 KiB (nginx's default).
_DIGESTS: Final = 60


class Notes:
    """What lists have told of satellites and children, by repository; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._satellites: dict[str, dict[Digest, bool]] = {}
        self._siblings: dict[str, dict[Digest, tuple[Digest, ...]]] = {}
        self._children: dict[str, dict[Digest, tuple[Digest, ...]]] = {}

    def take(self, repository: str, one: Listed) -> None:
        """Remember what a list says of an artifact, and forget what was known of its children.

        They may have been signed since, and a new plan begins with a new list.
        """
        with self._lock:
            satellites = self._satellites.setdefault(repository, {})
            if one.has_satellites is not None:
                satellites[one.digest] = one.has_satellites
            for child in one.children:
                satellites.pop(child, None)
            if one.children:
                self._children.setdefault(repository, {})[one.digest] = one.children
                siblings = self._siblings.setdefault(repository, {})
                siblings.update(dict.fromkeys(one.children, one.children))

    def has_satellites(self, repository: str, digest: Digest) -> bool | None:
        """Tell whether anything points to a digest; None if no list has told."""
        return self._satellites.get(repository, {}).get(digest)

    def children(self, repository: str, digest: Digest) -> tuple[Digest, ...]:
        """Return the children of an index; empty for what is none, or is not known."""
        return self._children.get(repository, {}).get(digest, ())

    def siblings(self, repository: str, digest: Digest) -> tuple[Digest, ...]:
        """Return the children of the index that a child was listed under; empty if unknown."""
        return self._siblings.get(repository, {}).get(digest, ())


class Lists:
    """Lists artifacts; thread-safe.

    Args:
        api: Harbor's API.
        projects: Its projects.
        by_tags: Lists a repository by ``tags/list``.
    """

    def __init__(
        self, api: HarborApi, projects: Projects, by_tags: Callable[[str], Iterator[Artifact]]
    ) -> None:
        self.api = api
        self.notes = Notes()
        self._projects = projects
        self._by_tags = by_tags
        self._lock = threading.Lock()
        self._refused: set[str] = set()

    def is_told(self, project: str) -> bool:
        """Tell whether the API tells all of a project's artifacts, as far as it is known."""
        if project in self._refused:
            return False
        found = self._projects.get(project)
        return found is None or not found.is_proxy

    def refuse(self, project: str, why: str) -> None:
        """Remember that a project is not to be listed by the API, and say so once."""
        with self._lock:
            is_new = project not in self._refused
            self._refused.add(project)
        if is_new:
            _log.info(
                "%s: the tags of project %s are listed by name only: %s",
                self.api.name,
                project,
                why,
            )

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        """Yield every tag of a repository with what a list tells of it."""
        return self.matching(repository, TAGGED)

    def matching(
        self, repository: str, q: Q, *, with_immutable: bool = False
    ) -> Iterator[Artifact]:
        """Yield the tags of the artifacts that fulfil a question, or all tags."""
        try:
            project = project_of(repository)
        except InvalidReference:  # no repository of Harbor has such a name
            return
        if self.is_told(project):
            found = self._by_api(repository, q, with_immutable=with_immutable)
        else:
            found = None
        yield from self._by_tags(repository) if found is None else found

    def of_digests(self, repository: str, digests: Iterable[Digest]) -> Iterator[Listed]:
        """Yield what is known of untagged manifests, such as the children of an index.

        A digest that is not there, or is itself something said about another, is left out.
        """
        wanted = [str(digest) for digest in digests]
        for start in range(0, len(wanted), _DIGESTS):
            part = wanted[start : start + _DIGESTS]
            yield from self._read(repository, Q(base="*", digest=AnyOf(*part)))

    def of_everything(self, repository: str) -> Iterator[Listed]:
        """Yield all that is in a repository, the children of indexes too."""
        return self._read(repository, Q(base="*"))

    def _by_api(self, repository: str, q: Q, *, with_immutable: bool) -> Iterator[Artifact] | None:
        """Return the tags, or None if the API does not tell us."""
        records = self._read(repository, q, with_immutable=with_immutable)
        try:
            first = next(records, None)
        except NotFound:
            return iter(())
        except (CredentialsError, Denied) as error:
            self.refuse(project_of(repository), error.hint or error.message)
            return None
        return self._tags(repository, first, records, with_immutable=with_immutable)

    def _tags(
        self,
        repository: str,
        first: Listed | None,
        others: Iterator[Listed],
        *,
        with_immutable: bool,
    ) -> Iterator[Artifact]:
        for one in chain(() if first is None else (first,), others):
            yield from one.artifacts(repository, with_immutable=with_immutable)

    def _read(self, repository: str, q: Q, *, with_immutable: bool = False) -> Iterator[Listed]:
        query: dict[str, Any] = {**TOLD, "q": q}
        if with_immutable:  # dear: Harbor holds each tag against the project's rules
            query["with_immutable_status"] = True
        what = f"list artifacts of {repository}"
        path = repository_path(repository, "artifacts")
        for record in self.api.pages(path, query, what=what, needs=NEEDS):
            one = listed(record)
            if one is not None:
                self.notes.take(repository, one)
                yield one
