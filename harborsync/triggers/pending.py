"""Waits until a repository is quiet, and makes one change of all that was told of it.

A push of an image for three platforms and its signature is told as five events and more, in any
order. What belongs together comes within seconds, so each repository is left alone until no
event has come for a while; busy ones are not left alone for ever.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import attrs

from harborsync.clock import SystemClock
from harborsync.errors import HarborsyncError, InvalidValue
from harborsync.selection import Scope
from harborsync.triggers.deliveries import Deleted, Delivered, Pushed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harborsync.clock import Clock
    from harborsync.reference import ArtifactRef, Digest, Tag

    #: Returns the digests that a manifest of a repository names, children of children included.
    Children = Callable[[str, Digest], Iterable[Digest]]

# More artifacts of one repository at once are no longer told apart.
_MOST = 1000


@attrs.frozen(kw_only=True)
class Change:
    """What has changed in one repository.

    Attributes:
        repository: Its full name.
        tags: The tags that were pushed, or None if any may have changed: something was deleted,
            which takes all tags of a digest away, or something was pushed that is about another
            artifact.
        deleted: The digests that were deleted.
    """

    repository: str
    tags: frozenset[Tag] | None
    deleted: frozenset[Digest] = frozenset()


def scopes(changes: Iterable[Change]) -> tuple[Scope, ...]:
    """Return what to plan for: as few scopes as tell exactly what has changed.

    Repositories in which the same tags have changed share a scope.
    """
    repositories: dict[frozenset[Tag] | None, set[str]] = {}
    for change in changes:
        repositories.setdefault(change.tags, set()).add(change.repository)
    return tuple(
        Scope(repositories=frozenset(names), tags=tags) for tags, names in repositories.items()
    )


@attrs.define
class _Told:
    """What was told of one repository since it was last taken."""

    first: float
    last: float
    tags: set[Tag] = attrs.field(factory=set)
    roots: set[Digest] = attrs.field(factory=set)
    parts: set[ArtifactRef] = attrs.field(factory=set)
    deleted: set[Digest] = attrs.field(factory=set)
    is_whole: bool = False

    def add(self, event: Pushed | Deleted) -> None:
        if isinstance(event, Deleted):
            self.deleted |= event.digests
            self.is_whole = True
        else:
            self.is_whole |= not event.artifacts
            for artifact in event.artifacts:
                self._push(artifact)
        if len(self.tags) + len(self.parts) + len(self.deleted) > _MOST:
            self._lose_count()

    def _push(self, artifact: ArtifactRef) -> None:
        """Tell what has a tag of its own from what may be part of it."""
        if artifact.tag is None or artifact.tag.subject_prefix is not None:
            self.parts.add(artifact)
            return
        self.tags.add(artifact.tag)
        if artifact.digest is not None:
            self.roots.add(artifact.digest)

    def _lose_count(self) -> None:
        self.is_whole = True
        for told in (self.tags, self.roots, self.parts, self.deleted):
            told.clear()


class Pending:
    """Collects what is told of repositories until each is quiet.

    Safe to use from many threads; owns none, and never waits.

    Args:
        clock: Time.
        quiet: Seconds without an event after which a repository is ready.
        longest: Seconds after which it is ready all the same.
        children: Returns the digests that a manifest names, so that a signature that was pushed
            by its digest is told from the children of an index. Without it, whatever is pushed
            by digest beside a tag counts as part of that. It may ask the registry.

    Raises:
        InvalidValue: The times do not go together.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        quiet: float = 5.0,
        longest: float = 60.0,
        children: Children | None = None,
    ) -> None:
        if not 0 <= quiet <= longest:
            msg = f"a quiet time of {quiet} s and a longest one of {longest} s do not go together"
            raise InvalidValue(msg)
        self._clock = clock or SystemClock()
        self._quiet = quiet
        self._longest = longest
        self._children = children
        self._lock = threading.Lock()
        self._told: dict[str, _Told] = {}

    def add(self, event: Delivered) -> None:
        """Take note of an event; what is neither a push nor a deletion changes nothing."""
        if not isinstance(event, Pushed | Deleted) or event.repository is None:
            return
        now = self._clock.monotonic()
        with self._lock:
            told = self._told.setdefault(event.repository, _Told(now, now))
            told.last = now
            told.add(event)

    def take(self) -> tuple[Change, ...]:
        """Return what has changed in the repositories that are ready, and forget it."""
        now = self._clock.monotonic()
        with self._lock:
            ready = sorted(name for name, told in self._told.items() if self._due(told) <= now)
            taken = [(name, self._told.pop(name)) for name in ready]
        return tuple(self._change(name, told) for name, told in taken)

    @property
    def wait(self) -> float | None:
        """Seconds until a repository is ready, or None if nothing was told of any."""
        now = self._clock.monotonic()
        with self._lock:
            dues = [self._due(told) for told in self._told.values()]
        return max(0.0, min(dues) - now) if dues else None

    def _due(self, told: _Told) -> float:
        return min(told.last + self._quiet, told.first + self._longest)

    # --- what belongs together -----------------------------------------------------------

    def _change(self, repository: str, told: _Told) -> Change:
        is_whole = told.is_whole or self._holds_strangers(repository, told)
        return Change(
            repository=repository,
            tags=None if is_whole else frozenset(told.tags),
            deleted=frozenset(told.deleted),
        )

    def _holds_strangers(self, repository: str, told: _Told) -> bool:
        """Tell whether something was pushed that is no part of what has a tag."""
        if not told.parts:
            return False
        ours = self._ours(repository, told)
        names = {digest.tag_prefix for digest in ours}
        return any(
            part.digest not in ours if part.tag is None else part.tag.subject_prefix not in names
            for part in told.parts
        )

    def _ours(self, repository: str, told: _Told) -> set[Digest]:
        """Return the digests of what has a tag, and of its parts."""
        if not told.tags:
            return set()
        if self._children is None:
            return told.roots | {part.digest for part in told.parts if part.digest is not None}
        try:
            return told.roots.union(*(self._children(repository, root) for root in told.roots))
        except HarborsyncError:
            return set()  # what cannot be told apart is all looked at
