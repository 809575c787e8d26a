"""Which tags of Harbor's projects are immutable: not written again, not deleted (HARBOR §13)."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read at run time
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.filters.globs import compile_glob
from harborsync.harbor.collection import Collection
from harborsync.harbor.mistakes import Mistake, glob_mistakes, refuse
from harborsync.harbor.query import projects
from harborsync.harbor.records import write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harborsync.harbor.api import HarborApi

_TAGS: Final = ("matches", "excludes")
_REPOSITORIES: Final = ("repoMatches", "repoExcludes")


@attrs.frozen(kw_only=True)
class Selector:
    """A glob that takes in or leaves out.

    Attributes:
        kind: ``doublestar``.
        decoration: ``matches`` or ``excludes`` for tags; ``repoMatches`` or ``repoExcludes``.
        pattern: The glob; of repositories, over the name without the project.
        extras: More, as a text that holds JSON.
    """

    kind: str = "doublestar"
    decoration: str = _TAGS[0]
    pattern: str = ""
    extras: str = ""

    def selects(self, text: str) -> bool:
        """Tell whether it takes a tag or repository in."""
        is_negative = self.decoration in {_TAGS[1], _REPOSITORIES[1]}
        return compile_glob(self.pattern).matches(text) is not is_negative


@attrs.frozen(kw_only=True)
class ImmutableRule:
    """Which tags cannot be written again, or deleted.

    Attributes:
        id: Its number, or None for one not made yet.
        priority: Nothing yet; Harbor keeps it.
        disabled: Whether it does not hold.
        action: ``immutable``.
        template: ``immutable_template``.
        tag_selectors: Which tags.
        scope_selectors: Which repositories, under ``repository``.
    """

    id: int | None = None
    priority: int = 0
    disabled: bool = False
    action: str = "immutable"
    template: str = "immutable_template"
    tag_selectors: tuple[Selector, ...] = ()
    scope_selectors: Mapping[str, tuple[Selector, ...]] = attrs.field(factory=dict)

    @classmethod
    def over(cls, *, tags: str, repositories: str = "**") -> ImmutableRule:
        """Make the rule that the tags of one glob are immutable in repositories of another."""
        scope = Selector(decoration=_REPOSITORIES[0], pattern=repositories)
        return cls(
            tag_selectors=(Selector(pattern=tags),), scope_selectors={"repository": (scope,)}
        )

    def covers(self, repository: str, tag: str) -> bool:
        """Tell whether a tag is immutable by this rule.

        Args:
            repository: The repository, without the project.
            tag: The tag.
        """
        scopes = self.scope_selectors.get("repository", ())
        return (
            not self.disabled
            and all(each.selects(repository) for each in scopes)
            and all(each.selects(tag) for each in self.tag_selectors)
        )


def immutable_mistakes(rule: ImmutableRule) -> Iterator[Mistake]:
    """Yield what is wrong with a rule that is to be made or changed."""
    scopes = rule.scope_selectors.get("repository", ())
    yield from _selector_mistakes(rule.tag_selectors, _TAGS, "tag_selectors")
    yield from _selector_mistakes(scopes, _REPOSITORIES, "scope_selectors.repository")


def _selector_mistakes(
    selectors: Iterable[Selector], decorations: tuple[str, ...], where: str
) -> Iterator[Mistake]:
    found = tuple(selectors)
    if not found:
        yield Mistake(where=where, what="there is none", remedy="write ** to select everything")
    for selector in found:
        yield from glob_mistakes(selector.pattern, where=where)
        if selector.decoration not in decorations:
            what = f"{selector.decoration!r} is no decoration here"
            yield Mistake(where=where, what=what, remedy=f"use {' or '.join(decorations)}")


class ImmutableRules:
    """The rules of one Harbor's projects about immutable tags; thread-safe.

    Args:
        api: Speaks to the Harbor.
    """

    def __init__(self, api: HarborApi) -> None:
        self._api = api

    def list(self, project: str) -> Iterator[ImmutableRule]:
        """Yield those of a project.

        Raises:
            NotFound: There is no such project.
        """
        return self._of(project).each()

    def create(self, project: str, rule: ImmutableRule) -> int:
        """Make one, and return its id.

        Raises:
            InvalidValue: Something in it cannot work; nothing was sent.
            NotFound: There is no such project.
        """
        refuse("make the immutable rule", immutable_mistakes(rule))
        return self._of(project).make(write(rule)).id

    def update(self, project: str, rule: ImmutableRule) -> None:
        """Change one to exactly what this says.

        Raises:
            InvalidValue: Something in it cannot work; nothing was sent.
            NotFound: There is none with its id.
        """
        refuse("change the immutable rule", immutable_mistakes(rule))
        self._of(project).replace(rule.id, {"id": rule.id, **write(rule)})

    def delete(self, project: str, rule_id: int) -> bool:
        """Delete one; tell whether it was there."""
        return self._of(project).delete(rule_id)

    def _of(self, project: str) -> Collection[ImmutableRule]:
        path = projects(project, "immutabletagrules")
        return Collection(
            self._api, ImmutableRule, path, noun="immutable rule", resource="immutable-tag"
        )
