"""What a replication rule of Harbor chooses and what it calls that at the destination.

A resource is a repository with some of its artifacts; it becomes one task. The filters work as
in Harbor's src/pkg/reg/filter and the names as in src/controller/replication/flow/stage.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.errors import FilterSyntaxError
from harborsync.filters.globs import compile_glob

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_TWO: Final = 2


class BadRule(Exception):
    """A rule cannot be carried out on what it met; the text is Harbor's."""


@attrs.frozen(kw_only=True)
class Item:
    """An artifact of a resource.

    Attributes:
        digest: Its digest, or empty if only the tag is known.
        tags: Its tags that are meant.
        labels: Names of its labels, or of those of the artifact it belongs to.
        parent_tags: Tags of the artifact it belongs to.
        accessory: Whether it belongs to another artifact.
    """

    digest: str = ""
    tags: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    parent_tags: tuple[str, ...] = ()
    accessory: bool = False

    @property
    def references(self) -> tuple[str, ...]:
        """What it is copied by: its tags, or its digest if it has none."""
        return self.tags or (self.digest,)


@attrs.frozen(kw_only=True)
class Resource:
    """A repository with the artifacts that are meant.

    Attributes:
        repository: Its name.
        kind: ``artifact`` from a Harbor, ``image`` from any other registry.
        items: The artifacts.
        public: Whether everybody may read it, in Harbor's words, or empty if that is not known.
        operation: ``copy``, ``deletion`` or ``tag deletion``.
    """

    repository: str
    kind: str = "artifact"
    items: tuple[Item, ...] = ()
    public: str = ""
    operation: str = "copy"

    @property
    def references(self) -> tuple[str, ...]:
        """What its artifacts are copied by, in order."""
        return tuple(each for item in self.items for each in item.references)

    @property
    def title(self) -> str:
        """How tasks name it."""
        return f"{self.repository} [{len(self.references)} item(s) in total]"


def matches(pattern: str, text: str) -> bool:
    """Tell whether a doublestar pattern matches; an empty one matches everything.

    Raises:
        BadRule: The pattern is malformed, which shows only now.
    """
    if not pattern:
        return True
    try:
        return compile_glob(pattern).matches(text)
    except FilterSyntaxError as error:
        msg = "syntax error in pattern"
        raise BadRule(msg) from error


def names_wanted(filters: Sequence[Mapping[str, Any]], names: Iterable[str]) -> list[str]:
    """Return the names of repositories that all name filters match.

    Raises:
        BadRule: A pattern is malformed.
    """
    patterns = [each["value"] for each in filters if each["type"] == "name"]
    return [name for name in names if all(matches(pattern, name) for pattern in patterns)]


def literal_names(filters: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """Return the only names that the first name filter can match, or None for too many."""
    pattern = next((each["value"] for each in filters if each["type"] == "name"), "")
    try:
        found = compile_glob(pattern).literals if pattern else None
    except FilterSyntaxError:
        return None
    return None if found is None else sorted(found)


def items_wanted(filters: Sequence[Mapping[str, Any]], items: Iterable[Item]) -> tuple[Item, ...]:
    """Return the artifacts that pass every tag and label filter, with the tags that do.

    Raises:
        BadRule: A pattern is malformed.
    """
    kept = tuple(items)
    for each in filters:
        excludes = each.get("decoration") == "excludes"
        if each["type"] == "label" and each["value"]:
            wanted = set(each["value"])
            kept = tuple(item for item in kept if (wanted <= set(item.labels)) != excludes)
        elif each["type"] == "tag" and each["value"]:
            found = (_by_tag(item, each["value"], excludes=excludes) for item in kept)
            kept = tuple(item for item in found if item is not None)
    return kept


def chosen(filters: Sequence[Mapping[str, Any]], resource: Resource) -> Resource | None:
    """Return what a rule's filters leave of a resource, or None for nothing.

    Raises:
        BadRule: A pattern is malformed.
    """
    if not names_wanted(filters, [resource.repository]):
        return None
    items = items_wanted(filters, resource.items)
    return attrs.evolve(resource, items=items) if items else None


def renamed(repository: str, namespace: str, replace: int, *, components: str = "any") -> str:
    """Return what a repository is called at the destination.

    Args:
        repository: Its name at the source.
        namespace: What takes the place of its first components, or empty to keep the name.
        replace: How many; -1 for all but the last.
        components: How many the destination takes: ``any`` or ``only_two``.

    Raises:
        BadRule: The name has too few components, or the new one too many.

    Example:
        >>> renamed("team/web/api", "mirror", 1)
        'mirror/web/api'
    """
    if not namespace:
        return repository
    *front, last = repository.split("/")
    if replace > len(front):
        msg = (
            f'the source repository "{repository}" contains only {len(front)} path components '
            f"{_listed(front)} excepting the last one, but the destination namespace "
            f"flattening level is {replace}"
        )
        raise BadRule(msg)
    kept = [] if replace < 0 else front[replace:]
    name = "/".join([namespace, *kept, last])
    _check_components(name, components)
    return name


def _by_tag(item: Item, pattern: str, *, excludes: bool) -> Item | None:
    """Return an artifact with the tags that pass, or None; an accessory follows its subject."""
    tags = item.parent_tags if item.accessory else item.tags
    passing = tuple(tag for tag in tags or ("",) if matches(pattern, tag) != excludes)
    if not passing:
        return None
    return item if item.accessory or not tags else attrs.evolve(item, tags=passing)


def _check_components(name: str, components: str) -> None:
    parts = name.split("/")
    if components == "only_two" and len(parts) != _TWO:
        msg = (
            f'the destination repository "{name}" contains {len(parts)} path components '
            f"{_listed(parts)}, but the destination registry only supports 2"
        )
        raise BadRule(msg)


def _listed(parts: Sequence[str]) -> str:
    return f"[{' '.join(parts)}]"
