"""What was met a moment ago: deliveries that come again, and our own writes that come back.

Both forget what is old, and hold so much and no more.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from harborsync.clock import SystemClock
from harborsync.events import Event, ManifestWritten
from harborsync.triggers.deliveries import ArtifactEvent, Deleted, Delivered, Pushed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from harborsync.clock import Clock

# Harbor tries a delivery three times within four minutes unless it is told otherwise.
_LIFETIME = 3600.0
_MOST = 10_000


class _Recent:
    """Keys with the time they were last noted at; the oldest make room. Thread-safe."""

    def __init__(self, clock: Clock, lifetime: float, most: int) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._most = most
        self._lock = threading.Lock()
        self._noted: OrderedDict[Hashable, float] = OrderedDict()

    def note(self, key: Hashable) -> bool:
        """Note a key; tell whether it was new."""
        with self._lock:
            is_new = not self._holds(key)
            self._noted[key] = self._clock.monotonic()
            self._noted.move_to_end(key)
            if len(self._noted) > self._most:
                self._noted.popitem(last=False)
            return is_new

    def holds(self, key: Hashable) -> bool:
        """Tell whether a key was noted of late."""
        with self._lock:
            return self._holds(key)

    def _holds(self, key: Hashable) -> bool:
        self._forget()
        return key in self._noted

    def _forget(self) -> None:
        before = self._clock.monotonic() - self._lifetime
        while self._noted and next(iter(self._noted.values())) <= before:
            self._noted.popitem(last=False)


class Repeats:
    """Tells deliveries that were seen already: Harbor delivers at least once (HARBOR §12).

    Safe to use from many threads.

    Args:
        clock: Time.
        lifetime: Seconds after which a delivery is forgotten.
        most: The most deliveries remembered.
    """

    def __init__(
        self, *, clock: Clock | None = None, lifetime: float = _LIFETIME, most: int = _MOST
    ) -> None:
        self._seen = _Recent(clock or SystemClock(), lifetime, most)

    def is_repeat(self, event: Delivered) -> bool:
        """Tell whether an event was asked about before, and remember it."""
        key = repr(event.key).encode(errors="backslashreplace")
        return not self._seen.note(hashlib.sha256(key).digest())  # a key may be long


class Echoes:
    """Tells events that we have caused ourselves, so that a sync does not chase its own tail.

    It is a listener: give it to the :class:`~harborsync.replicator.Replicator` that writes, and
    it knows what was written. A push counts as ours if repository, tag and digest are what we
    wrote; one of the same digest under another tag is somebody else's.

    Safe to use from many threads.

    Args:
        operators: Who else is us: names of robots that only we use. Harbor's own replication
            and retention are called ``harbor-jobservice``.
        registry: Name of the registry whose events come in; None for any.
        clock: Time.
        lifetime: Seconds after which a write is forgotten.
        most: The most writes remembered.
    """

    def __init__(
        self,
        operators: Iterable[str] = (),
        *,
        registry: str | None = None,
        clock: Clock | None = None,
        lifetime: float = _LIFETIME,
        most: int = _MOST,
    ) -> None:
        self._operators = frozenset(operators)
        self._registry = registry
        self._written = _Recent(clock or SystemClock(), lifetime, most)

    def __call__(self, event: Event, /) -> None:
        """Take note of what a run wrote."""
        if isinstance(event, ManifestWritten) and self._registry in {None, event.to}:
            self._written.note(event.artifact)

    def is_echo(self, event: Delivered) -> bool:
        """Tell whether an event is of our own doing."""
        if not isinstance(event, Pushed | Deleted):
            return False
        return event.operator in self._operators or self._wrote(event)

    def _wrote(self, event: ArtifactEvent) -> bool:
        is_push = isinstance(event, Pushed) and bool(event.artifacts)
        return is_push and all(self._written.holds(each) for each in event.artifacts)
