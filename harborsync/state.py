"""What is remembered between runs: hints, each checked against the registry before it counts.

Three things are worth remembering. Which digest a rule wrote to a tag last: a tag that still
points there and moved at the source is ours to update, any other difference is a conflict.
Facts that follow from a digest, which never change. And where the uploads that broke off go on.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import attrs

if TYPE_CHECKING:
    from datetime import datetime

    from harborsync.reference import ArtifactRef, Digest
    from harborsync.secrets import Secret


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


# --- uploads that broke off ----------------------------------------------------------------


@attrs.frozen(kw_only=True)
class SessionKey:
    """Which upload a session is for.

    Attributes:
        registry: The origin of the registry's API.
        repository: The repository it goes to.
        digest: What is uploaded.
    """

    registry: str
    repository: str
    digest: Digest


@runtime_checkable
class SessionJournal(Protocol):
    """Remembers open upload sessions, so that an upload goes on where it broke off.

    A session's URL may let anybody write to it, so it is a secret. A session has one writer:
    whoever wants to remember or recall claims the key first.
    """

    def claim(self, key: SessionKey) -> bool:
        """Become the one who uploads ``key``; False if somebody alive does so already."""
        ...

    def release(self, key: SessionKey) -> None:
        """Let others claim ``key``; what is remembered stays."""
        ...

    def remember(self, key: SessionKey, session: Secret) -> None:
        """Remember the URL of the session for ``key``, in place of an older one."""
        ...

    def recall(self, key: SessionKey) -> Secret | None:
        """Return the URL last remembered, or None."""
        ...

    def forget(self, key: SessionKey) -> None:
        """Forget the session; fine if there is none."""
        ...


class MemoryJournal:
    """A journal that lasts as long as its process; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._claimed: set[SessionKey] = set()
        self._sessions: dict[SessionKey, Secret] = {}

    def claim(self, key: SessionKey) -> bool:
        """Become the one who uploads ``key``; False if another thread does so already."""
        with self._lock:
            is_free = key not in self._claimed
            self._claimed.add(key)
            return is_free

    def release(self, key: SessionKey) -> None:
        """Let others claim ``key``; what is remembered stays."""
        with self._lock:
            self._claimed.discard(key)

    def remember(self, key: SessionKey, session: Secret) -> None:
        """Remember the URL of the session for ``key``, in place of an older one."""
        with self._lock:
            self._sessions[key] = session

    def recall(self, key: SessionKey) -> Secret | None:
        """Return the URL last remembered, or None."""
        with self._lock:
            return self._sessions.get(key)

    def forget(self, key: SessionKey) -> None:
        """Forget the session; fine if there is none."""
        with self._lock:
            self._sessions.pop(key, None)
