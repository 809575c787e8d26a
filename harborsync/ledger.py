"""What is known to be at each destination, and what is on its way there.

One ledger serves every rule, artifact and thread of a run, so that a blob is sent to a
registry once however many tags and repositories want it: the first repository gets the bytes,
the others a mount.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from harborsync.cancel import acquire_in_time, held
from harborsync.errors import OutOfTime

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from harborsync.reference import Digest, Tag

_T = TypeVar("_T")

# More candidates than this are not worth a request each (OCI-4.5).
_MOUNT_CANDIDATES: Final = 2


@attrs.frozen(cache_hash=True)
class Shelf:
    """A repository of a registry, as the ledger knows it.

    Attributes:
        registry: The registry's identity.
        repository: The repository's full name.
    """

    registry: str
    repository: str


class _Flight:
    """Work that one thread does and others wait for."""

    def __init__(self) -> None:
        self._ended = threading.Lock()
        self._ended.acquire()
        self.error: BaseException | None = None

    def await_end(self) -> None:
        """Wait until the work has ended, as long as there is time.

        Raises:
            OutOfTime: The time of whoever waits is up.
        """
        acquire_in_time(self._ended)
        self._ended.release()

    def end(self) -> None:
        """Let all who wait go on."""
        self._ended.release()

    def pass_on_failure(self) -> None:
        """Raise what the work raised; that only its own time was up is no failure of others."""
        if self.error is not None and not isinstance(self.error, OutOfTime):
            raise copy(self.error)


class Ledger:
    """Remembers what is where; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._present: defaultdict[Shelf, set[Digest]] = defaultdict(set)
        self._tags: dict[tuple[Shelf, Tag], Digest] = {}
        self._holders: defaultdict[tuple[str, Digest], list[str]] = defaultdict(list)
        self._flights: dict[Hashable, _Flight] = {}
        self._locks: dict[Hashable, threading.Lock] = {}
        self._learnt: set[Shelf] = set()

    def learn(self, shelf: Shelf, digests: Iterable[Digest]) -> None:
        """Note what a listing told to be in ``shelf``, the first time; later it is outdated."""
        with self._lock:
            if shelf not in self._learnt:
                self._learnt.add(shelf)
                self._present[shelf].update(digests)

    def has(self, shelf: Shelf, digest: Digest) -> bool:
        """Tell whether ``digest`` is known to be in ``shelf``."""
        return digest in self._present.get(shelf, ())

    def note(self, shelf: Shelf, digest: Digest) -> None:
        """Note that ``digest`` is in ``shelf``."""
        with self._lock:
            if digest not in self._present[shelf]:
                self._present[shelf].add(digest)
                self._holders[shelf.registry, digest].append(shelf.repository)

    def tagged(self, shelf: Shelf, tag: Tag) -> Digest | None:
        """Return what ``tag`` was made to point to in this run, or None if nobody wrote it."""
        with self._lock:
            return self._tags.get((shelf, tag))

    def note_tag(self, shelf: Shelf, tag: Tag, digest: Digest) -> None:
        """Note that ``tag`` was made to point to ``digest``."""
        with self._lock:
            self._tags[shelf, tag] = digest

    def forget(self, shelf: Shelf, digest: Digest) -> None:
        """Strike out ``digest``: the registry says that it is not in ``shelf``."""
        with self._lock:
            self._present[shelf].discard(digest)
            holders = self._holders[shelf.registry, digest]
            if shelf.repository in holders:
                holders.remove(shelf.repository)

    def holders(self, shelf: Shelf, digest: Digest) -> tuple[str, ...]:
        """Return other repositories of the same registry that hold ``digest``, few at most."""
        with self._lock:
            found = self._holders[shelf.registry, digest]
            return tuple(name for name in found if name != shelf.repository)[:_MOUNT_CANDIDATES]

    def is_busy(self, shelf: Shelf, digest: Digest) -> bool:
        """Tell whether :meth:`deliver` would have to wait for another thread now."""
        with self._lock:
            if digest in self._present[shelf]:
                return False
            first = (shelf.registry, digest)
            is_first = first in self._flights and not self._holders[shelf.registry, digest]
            return is_first or (shelf, digest) in self._flights

    def deliver(
        self, shelf: Shelf, digest: Digest, send: Callable[[tuple[str, ...]], None]
    ) -> bool:
        """See to it that ``digest`` is in ``shelf``, once for all who ask at the same time.

        ``send`` is given the repositories to mount from. While another repository of the same
        registry is being given the same digest for the first time, this waits for that one,
        to mount from it instead of moving the bytes again.

        Returns:
            Whether ``send`` was called here; False if it was there or another thread sent it.

        Raises:
            HarborsyncError: What ``send`` raised, here or in the thread that was waited for.
        """
        while not self.has(shelf, digest):
            keys: tuple[Hashable, ...] = ((shelf, digest),)
            if not self.holders(shelf, digest):
                keys = ((shelf, digest), (shelf.registry, digest))
            waiting_for = self._take_off(keys)
            if waiting_for is None:
                return self._fly(keys, partial(self._send, shelf, digest, send))
            key, flight = waiting_for
            flight.await_end()
            if key == (shelf, digest):
                flight.pass_on_failure()
        return False

    def _send(self, shelf: Shelf, digest: Digest, send: Callable[[tuple[str, ...]], None]) -> bool:
        # Looked at again: between our last look and our claim, another thread may have ended.
        if self.has(shelf, digest):
            return False
        send(self.holders(shelf, digest))
        self.note(shelf, digest)
        return True

    def once(self, key: Hashable, work: Callable[[], None]) -> bool:
        """Do ``work`` unless another thread is at it; then wait for that one.

        Returns:
            Whether it was done here.

        Raises:
            HarborsyncError: What the work raised, here or there.
        """
        while (waiting_for := self._take_off((key,))) is not None:
            flight = waiting_for[1]
            flight.await_end()
            flight.pass_on_failure()
            if flight.error is None:
                return False
        self._fly((key,), work)
        return True

    @contextmanager
    def alone(self, key: Hashable) -> Iterator[None]:
        """Let one thread at a time work on ``key``, such as a tag that is read and rewritten.

        Raises:
            OutOfTime: The time of whoever waits was up before the others were done.
        """
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with held(lock):
            yield

    def _take_off(self, keys: tuple[Hashable, ...]) -> tuple[Hashable, _Flight] | None:
        """Claim all keys, or return the first that is in flight."""
        with self._lock:
            for key in keys:
                if key in self._flights:
                    return key, self._flights[key]
            flight = _Flight()
            self._flights.update(dict.fromkeys(keys, flight))
            return None

    def _fly(self, keys: tuple[Hashable, ...], work: Callable[[], _T]) -> _T:
        flight = self._flights[keys[0]]
        try:
            return work()
        except BaseException as error:
            flight.error = error
            raise
        finally:
            with self._lock:
                for key in keys:
                    del self._flights[key]
            flight.end()
