"""One read, several destinations: the blocks of a blob are read once and handed to all.

Each destination's upload pulls at its own pace out of a small window of blocks. One that stands
still for longer than the others' patience leaves the shared stream and goes on from its own
offset with a stream of its own, so a slow or broken destination delays nobody for long.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.cancel import limited
from harborsync.clock import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from harborsync.content import Descriptor
    from harborsync.graph import SourceRepository
    from harborsync.reference import Digest
    from harborsync.transfer import BlobSource

#: Blocks held for those who lag behind; a block is 1 MiB at the most.
WINDOW: Final = 4
#: Seconds a destination may hold up the others.
PATIENCE: Final = 1.0
_LOOK_AGAIN: Final = 0.05


@attrs.define(eq=False)
class _Seat:
    """One destination at a shared stream.

    Attributes:
        place: Number of the block it wants next.
        offset: Bytes it has had.
        moved_at: When it last took a block, on the monotonic clock.
    """

    place: int = 0
    offset: int = 0
    moved_at: float = 0.0


class SharedBlob:
    """A blob on its way from one source to several destinations; thread-safe.

    Args:
        opened: The stream at the source, from the blob's start, not entered yet.
        seats: Who is expected.
        clock: Measures patience.
        window: Blocks held for those who lag behind.
        patience: Seconds one may hold up the others.
    """

    def __init__(
        self,
        opened: AbstractContextManager[Iterator[bytes]],
        seats: int,
        *,
        clock: Clock | None = None,
        window: int = WINDOW,
        patience: float = PATIENCE,
    ) -> None:
        self._opened = opened
        self._clock = clock or SystemClock()
        self._window = window
        self._patience = patience
        self._changed = threading.Condition()
        now = self._clock.monotonic()
        self._seats = {number: _Seat(moved_at=now) for number in range(seats)}
        self._held: deque[bytes] = deque()
        self._first = 0
        self._blocks: Iterator[bytes] | None = None
        self._is_reading = False
        self._has_ended = False
        self._error: Exception | None = None

    def has_seat(self, number: int) -> bool:
        """Tell whether a destination is still at the shared stream."""
        with self._changed:
            return number in self._seats

    def offset(self, number: int) -> int:
        """Return how many bytes a destination has had, if it still is at the stream."""
        with self._changed:
            seat = self._seats.get(number)
            return 0 if seat is None else seat.offset

    def leave(self, number: int) -> None:
        """Give up a seat; the last one closes the stream. Fine if it was given up already."""
        with self._changed:
            self._seats.pop(number, None)
            self._trim()
            self._changed.notify_all()
            is_last = not self._seats and not self._is_reading and self._blocks is not None
            if is_last:
                self._blocks = None
        if is_last:
            self._opened.__exit__(None, None, None)

    def next(self, number: int) -> bytes | None:
        """Return the next block for a destination; None at the end, or if its seat is gone.

        Raises:
            HarborsyncError: The source failed; everybody at the stream is told.
        """
        while True:
            with self._changed:
                seat = self._seats.get(number)
                if seat is None:
                    return None
                block = self._held_for(seat)
                if block is not None:
                    return block
                if self._error is not None:
                    raise copy(self._error)
                if self._has_ended:
                    return None
                may_read = not self._is_reading and self._has_room(seat)
                self._is_reading = self._is_reading or may_read
                if not may_read:
                    self._changed.wait(_LOOK_AGAIN)
            if may_read:
                self._read()

    def _held_for(self, seat: _Seat) -> bytes | None:
        place = seat.place - self._first
        if place >= len(self._held):
            return None
        block = self._held[place]
        seat.place += 1
        seat.offset += len(block)
        seat.moved_at = self._clock.monotonic()
        self._trim()
        self._changed.notify_all()
        return block

    def _has_room(self, asking: _Seat) -> bool:
        """Tell whether one more block may be read; who stands still too long loses the seat."""
        if len(self._held) < self._window:
            return True
        now = self._clock.monotonic()
        late = [
            number
            for number, seat in self._seats.items()
            if seat.place == self._first and now - seat.moved_at > self._patience
        ]
        for number in late:
            if self._seats[number] is not asking:
                del self._seats[number]
        self._trim()
        return len(self._held) < self._window

    def _trim(self) -> None:
        """Drop blocks that everybody has had."""
        slowest = min((seat.place for seat in self._seats.values()), default=self._first)
        while self._first < slowest and self._held:
            self._held.popleft()
            self._first += 1

    def _read(self) -> None:
        """Read one block for everybody; only one thread at a time comes here.

        The time limit of whoever reads is not that of the others; each looks at its own.
        """
        block, error = None, None
        try:
            with limited(None):
                if self._blocks is None:
                    self._blocks = self._opened.__enter__()
                block = next(self._blocks, None)
        except Exception as found:  # noqa: BLE001 - it is raised again in every waiting thread
            error = found
        with self._changed:
            self._is_reading = False
            self._error = error
            if block is not None:
                self._held.append(block)
            else:
                self._has_ended = error is None
            self._changed.notify_all()


class Sharing:
    """The blobs that the destinations of one artifact read together; thread-safe.

    Args:
        plain: Opens a blob at the source for one reader.
        members: How many destinations there are.
        clock: Measures patience.
        patience: Seconds one destination may hold up the others.
    """

    def __init__(
        self,
        plain: BlobSource,
        members: int,
        *,
        clock: Clock | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._plain = plain
        self._clock = clock
        self._patience = patience
        self._lock = threading.Lock()
        self._present = set(range(members))
        self._shared: dict[Digest, SharedBlob] = {}
        self._settled: dict[Digest, set[int]] = {}

    def member(self, number: int) -> Member:
        """Return the way to blobs for one destination."""
        return Member(self, number)

    def shared(self, number: int, source: SourceRepository, blob: Descriptor) -> SharedBlob | None:
        """Return the stream a destination may join, or None if it must read for itself."""
        with self._lock:
            waiting = self._present - self._settled.get(blob.digest, set())
            found = self._shared.get(blob.digest)
            if found is None and waiting > {number}:
                opened = self._plain.open(source, blob, 0)
                found = SharedBlob(
                    opened, max(waiting) + 1, clock=self._clock, patience=self._patience
                )
                self._shared[blob.digest] = found
                absent = set(range(max(waiting) + 1)) - waiting
            else:
                absent = set()
        if found is not None:
            for each in absent:
                found.leave(each)
        return found

    def alone(
        self, source: SourceRepository, blob: Descriptor, offset: int
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Open a blob for one reader."""
        return self._plain.open(source, blob, offset)

    def settle(self, number: int, blob: Descriptor) -> None:
        """Note that a destination has the blob or has given up on it."""
        with self._lock:
            settled = self._settled.setdefault(blob.digest, set())
            settled.add(number)
            found = self._shared.get(blob.digest)
        if found is not None:
            found.leave(number)

    def leave(self, number: int) -> None:
        """Note that a destination needs nothing more."""
        with self._lock:
            self._present.discard(number)
            streams = tuple(self._shared.values())
        for stream in streams:
            stream.leave(number)


@attrs.frozen
class Member:
    """One destination's way to the blobs of an artifact.

    Attributes:
        sharing: What the destinations read together.
        number: Which one this is.
    """

    sharing: Sharing
    number: int

    @contextmanager
    def open(
        self, source: SourceRepository, blob: Descriptor, offset: int, /
    ) -> Iterator[Iterator[bytes]]:
        """Open a blob: at its start together with the others, else alone."""
        shared = None if offset else self.sharing.shared(self.number, source, blob)
        if shared is None or not shared.has_seat(self.number) or shared.offset(self.number):
            with self.sharing.alone(source, blob, offset) as blocks:
                yield blocks
            return
        yield self._together(shared, source, blob)

    def settled(self, blob: Descriptor) -> None:
        """Note that this destination has the blob, or has given up on it."""
        self.sharing.settle(self.number, blob)

    def _together(
        self, shared: SharedBlob, source: SourceRepository, blob: Descriptor
    ) -> Iterator[bytes]:
        had = 0
        try:
            while (block := shared.next(self.number)) is not None:
                had += len(block)
                yield block
            is_over = shared.has_seat(self.number)
        finally:
            shared.leave(self.number)
        if not is_over and had < blob.size:
            with self.sharing.alone(source, blob, had) as blocks:
                yield from blocks
