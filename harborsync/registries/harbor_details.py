"""What lists leave open about artifacts, filled in by as few requests as Harbor allows.

No manifest is read for it: that would count as a pull, and keep alive what a retention rule
is to remove.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.artifact import NOT_FETCHED, UNAVAILABLE, Artifact, Unknown
from harborsync.errors import InvalidReference
from harborsync.harbor.query import Q, project_of
from harborsync.reference import Digest
from harborsync.registries.harbor_lists import TAGGED, UNTAGGED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from harborsync.content import Descriptor
    from harborsync.reference import Tag
    from harborsync.registries.harbor_lists import Lists

#: What only the API tells; a manifest does not say it.
_ONLY_TOLD: Final = ("pushed_at", "labels", "immutable")
#: So many tags are asked about one by one before the whole repository is listed again.
_FEW: Final = 3
#: So many children of indexes are asked for by digest before everything is.
_MANY: Final = 300


class Details:
    """Fills in what was left open; thread-safe.

    Args:
        lists: Lists artifacts.
        head: Asks what one tag points to, where lists are closed to us.
    """

    def __init__(
        self, lists: Lists, head: Callable[[str, Tag | Digest], Descriptor | None]
    ) -> None:
        self._lists = lists
        self._head = head

    def describe(self, artifacts: Iterable[Artifact], facts: frozenset[str]) -> Iterator[Artifact]:
        """Yield the artifacts with the wanted facts filled in, in the order given."""
        every = list(artifacts)
        groups: dict[str, list[Artifact]] = {}
        for artifact in every:
            groups.setdefault(artifact.repository, []).append(artifact)
        found: dict[tuple[str, Tag | Digest], Artifact] = {}
        for repository, members in groups.items():
            described = self._in_repository(repository, members, facts)
            found |= {_key(each): each for each in described}
        yield from (found[_key(each)] for each in every if _key(each) in found)

    def _in_repository(
        self, repository: str, members: list[Artifact], facts: frozenset[str]
    ) -> list[Artifact]:
        if not self._is_told(repository):
            return [_without(each, facts) for each in self._by_head(members)]
        members = self._listed(repository, members)
        if "immutable" in facts:
            members = self._with_immutable(repository, members)
        if "created_at" in facts:
            members = self._with_created(repository, members)
        return members

    def _is_told(self, repository: str) -> bool:
        try:
            return self._lists.is_told(project_of(repository))
        except InvalidReference:
            return True  # no repository of Harbor has such a name, as its lists will tell

    def _by_head(self, members: list[Artifact]) -> Iterator[Artifact]:
        """Yield the artifacts with digest and type, without those that are gone."""
        for each in members:
            if each.descriptor is not None:
                yield each
                continue
            there = self._head(each.repository, each.reference)
            if there is not None:
                yield attrs.evolve(each, digest=there.digest, media_type=there.media_type)

    def _listed(self, repository: str, members: list[Artifact]) -> list[Artifact]:
        """Put what a list says in the place of bare names, and leave out what is gone."""
        bare = [each.tag for each in members if each.tag and each.descriptor is None]
        listed = {each.tag: each for each in self._of_tags(repository, bare)}
        return [
            listed.get(each.tag, each)
            for each in members
            if each.descriptor is not None or each.tag in listed
        ]

    def _of_tags(
        self, repository: str, tags: list[Tag], *, with_immutable: bool = False
    ) -> Iterator[Artifact]:
        """Yield what is said of tags, asking one by one for a few and for all at once else."""
        is_askable = len(tags) <= _FEW and UNTAGGED not in tags
        questions = [Q(tags=tag) for tag in tags] if is_askable else [TAGGED]
        for question in questions:
            yield from self._lists.matching(repository, question, with_immutable=with_immutable)

    def _with_immutable(self, repository: str, members: list[Artifact]) -> list[Artifact]:
        """Ask whether the project's rules hold tags fast."""
        open_ones = [each.tag for each in members if each.tag and each.immutable is NOT_FETCHED]
        told = self._of_tags(repository, open_ones, with_immutable=True)
        rules = {each.tag: each.immutable for each in told}
        return [
            attrs.evolve(each, immutable=rules.get(each.tag, UNAVAILABLE))
            if each.immutable is NOT_FETCHED
            else each
            for each in members
        ]

    def _with_created(self, repository: str, members: list[Artifact]) -> list[Artifact]:
        """Give each index the time of its youngest child, as reading all of them would."""
        children: dict[Digest | None, tuple[Digest, ...]] = {
            each.digest: self._lists.notes.children(repository, each.digest)
            for each in members
            if isinstance(each.digest, Digest) and each.created_at is NOT_FETCHED
        }
        wanted = list(dict.fromkeys(child for group in children.values() for child in group))
        times = self._times(repository, wanted)
        return [_aged(each, children.get(each.ref.digest, ()), times) for each in members]

    def _times(self, repository: str, wanted: list[Digest]) -> dict[Digest, datetime | None]:
        if len(wanted) > _MANY:
            listed = self._lists.of_everything(repository)
        else:
            listed = self._lists.of_digests(repository, wanted)
        told = ((one.digest, one.facts["created_at"]) for one in listed)
        return {digest: time for digest, time in told if not isinstance(time, Unknown)}


def _key(artifact: Artifact) -> tuple[str, Tag | Digest]:
    return artifact.repository, artifact.tag or artifact.reference


def _aged(
    artifact: Artifact, children: tuple[Digest, ...], times: dict[Digest, datetime | None]
) -> Artifact:
    """Return an index with its age, if that of each child is known."""
    if artifact.created_at is not NOT_FETCHED or not children or not times.keys() >= set(children):
        return artifact
    known = [times[child] for child in children]
    youngest = max((time for time in known if time is not None), default=None)
    return attrs.evolve(artifact, created_at=youngest)


def _without(artifact: Artifact, facts: frozenset[str]) -> Artifact:
    """Say that what only the API tells is not to be had here."""
    closed: dict[str, Any] = {
        name: UNAVAILABLE
        for name in _ONLY_TOLD
        if name in facts and getattr(artifact, name) is NOT_FETCHED
    }
    return attrs.evolve(artifact, **closed)
