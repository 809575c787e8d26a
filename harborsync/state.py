"""What is remembered between runs: hints, each checked against the registry before it counts.

Two things are worth remembering. Which digest a rule wrote to a tag last: a tag that still
points there and moved at the source is ours to update, any other difference is a conflict.
And facts that follow from a digest, which never change.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from datetime import datetime

    from harborsync.reference import ArtifactRef, Digest


@attrs.frozen(kw_only=True)
class Place:
    """A tag at a destination, as one rule sees it.

    Attributes:
        rule: Name of the rule.
        to: The destination endpoint as text.
        artifact: Repository and tag there, without a digest.
    """

    rule: str
    to: str
    artifact: ArtifactRef


@attrs.frozen(kw_only=True)
class Written:
    """What was written to a place last.

    Attributes:
        digest: The digest the tag was made to point to.
        at: When, aware and in UTC.
    """

    digest: Digest
    at: datetime


class State(Protocol):
    """A memory between runs; safe to use from many threads."""

    def written(self, place: Place) -> Written | None:
        """Return what was written to a place last, or None if that is not known."""
        ...

    def remember_written(self, place: Place, written: Written) -> None:
        """Remember what was written to a place."""
        ...

    def fact(self, digest: Digest, name: str) -> str | None:
        """Return a fact that follows from a digest, or None if it is not known."""
        ...

    def remember_fact(self, digest: Digest, name: str, value: str) -> None:
        """Remember a fact that follows from a digest."""
        ...


class MemoryState:
    """A state that lasts as long as its process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written: dict[Place, Written] = {}
        self._facts: dict[tuple[Digest, str], str] = {}

    def written(self, place: Place) -> Written | None:
        """Return what was written to a place last, or None."""
        with self._lock:
            return self._written.get(place)

    def remember_written(self, place: Place, written: Written) -> None:
        """Remember what was written to a place."""
        with self._lock:
            self._written[place] = written

    def fact(self, digest: Digest, name: str) -> str | None:
        """Return a fact that follows from a digest, or None."""
        with self._lock:
            return self._facts.get((digest, name))

    def remember_fact(self, digest: Digest, name: str, value: str) -> None:
        """Remember a fact that follows from a digest."""
        with self._lock:
            self._facts[digest, name] = value
