"""The tags of many repositories at once, or only those that may be wanted.

Since 2.12 Harbor lists a whole project in one walk, which is cheaper than a list for each of
many small repositories. Whether it can is found out by trying.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple

from harborsync.errors import (
    CredentialsError,
    Denied,
    InvalidReference,
    InvalidValue,
    NotFound,
    RegistryError,
)
from harborsync.harbor.api import PAGE_SIZE
from harborsync.harbor.query import AllOf, Like, Q, project_of, projects
from harborsync.registries.harbor_artifacts import listed
from harborsync.registries.harbor_lists import NEEDS, TAGGED, TOLD, UNTAGGED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Executor

    from harborsync.artifact import Artifact, Hints
    from harborsync.harbor.query import Term
    from harborsync.reference import Tag
    from harborsync.registries.harbor_artifacts import Listed
    from harborsync.registries.harbor_catalog import Catalog
    from harborsync.registries.harbor_labels import Labels
    from harborsync.registries.harbor_lists import Lists

#: Lists read at once; Harbor answers a page in some 20 ms of its time (HARBOR §5).
_AT_ONCE: Final = 8
#: Fewer repositories are not worth a walk.
_SEVERAL: Final = 2

_Surveyed = tuple[str, tuple["Artifact", ...]]
_Told = tuple["str | None", "Listed | None"]
_Tags = dict[str, tuple["Artifact", ...]]


class _Page(NamedTuple):
    """A page of a project's artifacts: what is told, and how many artifacts there are."""

    told: tuple[_Told, ...]
    total: int | None


class Surveys:
    """Lists many repositories the cheaper way; thread-safe.

    Args:
        lists: Lists one.
        catalog: Knows how much there is in each.
        announce: Is told which repositories will be worked with.
    """

    def __init__(
        self, lists: Lists, catalog: Catalog, announce: Callable[[Iterable[str]], None]
    ) -> None:
        self._lists = lists
        self._catalog = catalog
        self._announce = announce
        self._walks = True

    def survey(self, repositories: Sequence[str]) -> Iterator[_Surveyed]:
        """Yield each repository with all its tags, each once, in no order; reads only."""
        self._announce(repositories)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for project, members in _by_project(repositories).items():
                walked = self._walked(project, members, pool)
                if walked is None:
                    yield from pool.map(self._one, members)
                else:
                    yield from walked.items()

    def pages(self, repositories: Iterable[str]) -> int | None:
        """Return the pages it takes to list all tags of some, or None if no catalog has told."""
        total = 0
        for project, members in _by_project(repositories).items():
            each = self._pages_of_each(members)
            if each is None:
                return None
            walk = self._pages_of_project(project) if self._walks else each
            total += min(walk, each)
        return total

    def _one(self, repository: str) -> _Surveyed:
        return repository, tuple(self._lists.list_artifacts(repository))

    def _walked(self, project: str, members: list[str], pool: Executor) -> _Tags | None:
        """Return the tags of a project's repositories, or None where a list each is better."""
        if not self._walks or len(members) < _SEVERAL or not self._lists.is_told(project):
            return None
        each = self._pages_of_each(members)
        if each is not None and self._pages_of_project(project) >= each:
            return None
        try:
            return self._walk(project, members, pool)
        except (CredentialsError, Denied):
            return None  # listing one by one will find out, and remember
        except NotFound as error:
            if f"project {project} not found" in error.message:
                return dict.fromkeys(members, ())
            self._walks = False  # before 2.12
            return None

    def _pages_of_each(self, members: list[str]) -> int | None:
        """Return the pages of all their own lists, or None if the catalog has not told."""
        counts = self._catalog.counts
        if not counts.keys() >= set(members):
            return None
        return sum(max(1, ceil(counts[name] / PAGE_SIZE)) for name in members)

    def _pages_of_project(self, project: str) -> int:
        counts = self._catalog.counts.copy()  # others may be listing it
        of_project = (n for name, n in counts.items() if name.startswith(f"{project}/"))
        return ceil(sum(of_project) / PAGE_SIZE)

    def _walk(self, project: str, members: list[str], pool: Executor) -> _Tags | None:
        """Walk through a project, unless its first page shows that it is longer than the lists."""
        page = partial(self._page, project)
        first = page(1)
        if first.total is None:
            return None
        last = ceil(first.total / PAGE_SIZE)
        if last > (self._pages_of_each(members) or len(members)):
            return None
        pages = (first, *pool.map(page, range(2, last + 1)))
        if any(each.total != first.total for each in pages):
            return None  # it changed meanwhile, and pages read at once do not fit together then
        return self._sorted(members, chain.from_iterable(each.told for each in pages))

    def _page(self, project: str, number: int) -> _Page:
        """Read a page at once: as it came, it would be several times as large."""
        what = f"list artifacts of the project {project}"
        path, query = projects(project, "artifacts"), {**TOLD, "q": TAGGED}
        found = self._lists.api.page(path, query, number, what=what, needs=NEEDS)
        told = tuple((record.get("repository_name"), listed(record)) for record in found.items)
        return _Page(told, found.total)

    def _sorted(self, members: list[str], told: Iterable[_Told]) -> _Tags:
        """Put each artifact into its repository, once however often it is listed."""
        found: dict[str, dict[Tag | None, Artifact]] = {name: {} for name in members}
        for repository, one in told:
            if one is not None and repository in found:
                self._lists.notes.take(repository, one)
                found[repository] |= {each.tag: each for each in one.artifacts(repository)}
        return {name: tuple(artifacts.values()) for name, artifacts in found.items()}


class Narrowing:
    """Lets Harbor leave out what cannot be wanted; thread-safe.

    Args:
        lists: Lists a repository.
        labels: Knows the ids of labels.
        surveys: Knows what it takes to list everything.
    """

    def __init__(self, lists: Lists, labels: Labels, surveys: Surveys) -> None:
        self._lists = lists
        self._labels = labels
        self._surveys = surveys

    def pays(self, repositories: Sequence[str]) -> bool:
        """Tell whether two narrowed lists of each are fewer pages than all there is."""
        everything = self._surveys.pages(repositories)
        return everything is None or everything > 2 * len(repositories)

    def list_matching(self, repository: str, hints: Hints) -> Iterator[Artifact]:
        """Yield at least every tag that fulfils the hints, perhaps others too; reads only."""
        try:
            project = project_of(repository)
            told = self._lists.is_told(project)
            q = Q(**self._terms(repository, hints)) if told else TAGGED
        except (InvalidReference, InvalidValue):  # which Harbor cannot be asked for
            q = TAGGED
        return self._lists.matching(repository, q)

    def _terms(self, repository: str, hints: Hints) -> dict[str, Term]:
        """Say it in Harbor's words: labels by their ids.

        Push times are left out: Harbor holds that of the artifact against a range, and a tag
        may be younger than what it points to.
        """
        terms: dict[str, Term] = {"tags": "*"}
        if hints.tag and hints.tag != UNTAGGED:
            terms["tags"] = hints.tag
        elif hints.tag_contains:
            terms["tags"] = Like(hints.tag_contains)
        ids = self._labels_of(repository, hints)
        if ids:
            terms["labels"] = AllOf(*ids)
        return terms

    def _labels_of(self, repository: str, hints: Hints) -> list[int]:
        """Return the ids of the labels wanted; none if they cannot be had."""
        try:
            return self._labels.ids(repository, sorted(hints.labels)) or []
        except (CredentialsError, RegistryError):
            return []


def _by_project(repositories: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for repository in dict.fromkeys(repositories):
        found.setdefault(repository.partition("/")[0], []).append(repository)
    return found
