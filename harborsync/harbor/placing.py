"""Under what name, in the words of a Harbor: a namespace, and how many parts it replaces.

    >>> from harborsync.naming import Naming
    >>> place(Naming(namespace="lib", flatten=1), prefix="mirror", name="team/**")
    Placed(namespace='mirror/lib', replaced=1, gaps=())

Harbor puts ``dest_namespace`` before what is left of a name when so many leading parts are
dropped, or all but the last at -1; without a namespace it drops nothing (HARBOR §9). At the
depth of a name or beyond, all of its run fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from harborsync.harbor.gaps import RUN_OURS, Effect, Gap
from harborsync.harbor.policies import KEEP_LAST
from harborsync.naming import Naming

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the last field of a template makes of a name.
_ENDINGS: Final = {"{repository}": 0, "{path}/{name}": 1, "{name}": KEEP_LAST}
_USE_LEVELS: Final = "use namespace and flatten"
_SPECIAL: Final = frozenset("*?[]{}\\")


@attrs.frozen(kw_only=True)
class Placed:
    """A naming in the words of a Harbor.

    Attributes:
        namespace: What stands before every name, or empty for the name as it is.
        replaced: How many leading parts of the name it replaces, -1 for all but the last.
        gaps: What could not be said.
    """

    namespace: str = ""
    replaced: int = KEEP_LAST
    gaps: tuple[Gap, ...] = ()


def place(naming: Naming, *, prefix: str = "", name: str | None = None, least: int = 1) -> Placed:
    """Return what a Harbor can say of a naming, and what it cannot.

    Args:
        naming: The naming.
        prefix: What the destination's address puts before every name.
        name: The glob that all names match, if there is one.
        least: The fewest path parts that a name has at the source.
    """
    gaps = [*_unsaid(naming)]
    shift = _moved(naming, name)
    if shift is None:
        gaps.append(_lacking("moved namespaces", "write a rule for each, with name like 'OLD/**'"))
    shift = _templated(_flattened(shift or _Shift(), naming), naming)
    if shift is None:
        gaps.append(_lacking(f"the name {naming.repository!r}", _USE_LEVELS))
    shift = (shift or _Shift()).below(prefix)
    gaps += _traps(shift, max(least, least_parts(name or "**")))
    if not shift.head:
        return Placed(gaps=tuple(gaps))
    return Placed(namespace=shift.head, replaced=shift.dropped, gaps=tuple(gaps))


def unplace(namespace: str, replaced: int) -> Naming:
    """Return the naming that a Harbor's namespace and count come to."""
    if not namespace:
        return Naming()
    return Naming(namespace=namespace, flatten=max(replaced, KEEP_LAST))


def least_parts(glob: str) -> int:
    """Return the fewest path parts of a name that matches a glob.

    >>> least_parts("team/**"), least_parts("**/app")
    (2, 1)
    """
    parts = glob.split("/")
    return max(1, sum(part != "**" for part in parts) + (parts[-1] == "**"))


def most_parts(glob: str) -> int | None:
    """Return the most path parts of a name that matches a glob, or None if any number will do."""
    parts = glob.split("/")
    return None if "**" in parts else len(parts)


def fixed_parts(glob: str) -> tuple[str, ...]:
    """Return the leading path parts that all names that match a glob have in common.

    >>> fixed_parts("team/web/**")
    ('team', 'web')
    """
    *parts, _ = glob.split("/")
    found: list[str] = []
    for part in parts:
        if not _SPECIAL.isdisjoint(part):
            break
        found.append(part)
    return tuple(found)


# --- one step of a naming after the other ---------------------------------------------------


@attrs.frozen(kw_only=True)
class _Shift:
    """A name without its first ``dropped`` parts, behind ``head``."""

    head: str = ""
    dropped: int = 0

    def below(self, head: str) -> _Shift:
        return attrs.evolve(self, head="/".join(filter(None, (head, self.head))))

    def without(self, count: int) -> _Shift:
        """Drop leading parts: of the head first, then of the name; -1 for all but the last."""
        if count == KEEP_LAST:
            return _Shift(dropped=KEEP_LAST)
        parts = self.head.split("/") if self.head else []
        left = 0 if self.dropped == KEEP_LAST else max(0, count - len(parts))
        return _Shift(head="/".join(parts[count:]), dropped=self.dropped + left)


def _moved(naming: Naming, name: str | None) -> _Shift | None:
    """Return what moving a namespace comes to, if every name is known to be in it."""
    if not naming.namespaces:
        return _Shift()
    old, new = naming.namespaces[0]
    parts = tuple(old.split("/"))
    if len(naming.namespaces) > 1 or fixed_parts(name or "")[: len(parts)] != parts:
        return None
    return _Shift(head=new, dropped=len(parts))


def _flattened(shift: _Shift, naming: Naming) -> _Shift:
    return shift.without(naming.flatten).below(naming.namespace.strip("/"))


def _templated(shift: _Shift, naming: Naming) -> _Shift | None:
    """Return what the template comes to, if it is a fixed beginning and one of the endings."""
    for ending, count in _ENDINGS.items():
        head = naming.repository.removesuffix(ending)
        if head != naming.repository and "{" not in head and head[-1:] in ("", "/"):
            return shift.without(count).below(head.strip("/"))
    return None


def _unsaid(naming: Naming) -> Iterator[Gap]:
    if naming.rewrites:
        yield _lacking("rewrites of names", _USE_LEVELS)
    if (naming.tag, naming.tag_prefix, naming.tag_suffix) != ("{tag}", "", ""):
        why = "Harbor's rules keep tags as they are"
        yield Gap(what="changed tags", why=why, effect=Effect.OTHER, advice=RUN_OURS)


def _traps(shift: _Shift, depth: int) -> Iterator[Gap]:
    if shift.dropped and not shift.head:
        yield _lacking(f"flatten={shift.dropped} without a namespace", "give a namespace, too")
    elif shift.dropped >= depth:
        yield Gap(
            what=f"flatten={shift.dropped}",
            why=f"all of Harbor's run fails over one repository of {shift.dropped} parts or fewer",
            effect=Effect.FAILS,
            advice=f"let the filter on the name want {shift.dropped + 1} parts or more",
        )


def _lacking(what: str, advice: str) -> Gap:
    why = "Harbor only puts a namespace in the place of leading parts"
    return Gap(what=what, why=why, effect=Effect.OTHER, advice=f"{advice}, or {RUN_OURS}")
