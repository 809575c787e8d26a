"""What keeps a push out of the emulated Harbor, or a tag in its place: quotas, immutable tags.

Everything here is called with the state's lock held (HARBOR-13).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_resources import BadRule, matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harborsync.testing.harbor_state import (
        HarborEvent,
        HarborProject,
        HarborRepository,
        HarborState,
    )

_WARNING_SHARE: Final = 0.85
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_KIBI: Final = 1024


def check_mutable(repository: HarborRepository, tag: str, *, doing: str = "push") -> None:
    """Refuse to change a tag that a rule protects (HARBOR-13).

    Raises:
        HarborError: It is there and immutable.
    """
    if tag not in repository.tags or not is_immutable(repository, tag):
        return
    if doing == "delete":
        refuse.precondition(f"the tag {tag} configured as immutable, cannot be deleted")
    msg = (
        f"Failed to process request due to '{repository.short_name}:{tag}' configured as immutable."
    )
    refuse.precondition(msg)


def is_immutable(repository: HarborRepository, tag: str) -> bool:
    """Tell whether a rule of the project protects a tag."""
    return any(
        not rule.get("disabled")
        and _selects(rule["scope_selectors"].get("repository", ()), repository.short_name)
        and _selects(rule["tag_selectors"], tag)
        for rule in repository.project.immutable_rules.values()
    )


def check_room(state: HarborState, cause: HarborEvent, sizes: Mapping[str, int]) -> None:
    """Refuse bytes that are more than a project may hold.

    Args:
        state: Where the refusal is noted.
        cause: What brings them.
        sizes: The bytes, by digest.

    Raises:
        HarborError: They are.
    """
    project = cause.project
    size = sum(size for digest, size in sizes.items() if digest not in project.sizes)
    if not 0 <= project.limit < project.used + size:
        return
    msg = (
        f"adding {readable(size)} of storage resource, which when updated to current usage of"
        f" {readable(project.used)} will exceed the configured upper limit of"
        f" {readable(project.limit)}."
    )
    warn(state, cause)
    state.emit(attrs.evolve(cause, kind="quota_exceeded", details=msg))
    refuse.denied(msg)


def charge(state: HarborState, project: HarborProject, sizes: Mapping[str, int]) -> None:
    """Count bytes that have come into a project, each digest once."""
    new = {digest: size for digest, size in sizes.items() if digest not in project.sizes}
    project.sizes.update(new)
    _use(state, project, sum(new.values()))


def release(state: HarborState, project: HarborProject, sizes: Iterable[str]) -> None:
    """Count bytes that an artifact needed and perhaps nothing needs any more."""
    project.uses.subtract(list(sizes))
    gone = [digest for digest in sizes if project.uses[digest] <= 0]
    _use(state, project, -sum(project.sizes.pop(digest, 0) for digest in gone))


def readable(size: float) -> str:
    """Return a size as Harbor's messages have it.

    Example:
        >>> readable(833), readable(40960)
        ('833 B', '40.0 KiB')
    """
    unit = 0
    while size >= _KIBI and unit + 1 < len(_UNITS):
        size /= _KIBI
        unit += 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{size:.0f} B"


def _use(state: HarborState, project: HarborProject, size: int) -> None:
    if size:
        project.used += size
        project.quota_updated = state.clock.now()


def warn(state: HarborState, cause: HarborEvent) -> None:
    """Tell of a project that is nearly full."""
    project = cause.project
    if 0 < project.limit * _WARNING_SHARE <= project.used:
        held = f"{readable(project.used)} of {readable(project.limit)}"
        details = f"quota usage reach 85%: resource storage used {held}"
        state.emit(attrs.evolve(cause, kind="quota_warning", details=details))


def _selects(selectors: Iterable[Mapping[str, Any]], name: str) -> bool:
    """Tell whether every selector of a rule takes a name; a bad pattern fails blankly."""
    try:
        return all(
            matches(each["pattern"], name) != each["decoration"].lower().endswith("excludes")
            for each in selectors
        )
    except BadRule:
        refuse.internal()
