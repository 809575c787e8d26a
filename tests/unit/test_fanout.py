"""One read for several destinations."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from harborsync import ReplicationRule, Replicator
from harborsync.cancel import TimeLimit, check_time, limited
from harborsync.errors import ConnectionLost
from harborsync.fanout import SharedBlob, Sharing
from harborsync.graph import ManifestCache, SourceRepository
from harborsync.registries.memory import MemoryRegistry
from harborsync.testing import FakeClock
from harborsync.testing.content import random_blob, random_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.content import Descriptor

BLOCKS = [bytes([number]) * 10 for number in range(20)]
BLOB = random_blob(1, size=5000)


class Source:
    """Counts how often a blob is opened, and from where."""

    def __init__(self, content: bytes = BLOB.content, block: int = 100) -> None:
        self.opened: list[int] = []
        self.closed = 0
        self._content = content
        self._block = block

    @contextmanager
    def open(
        self, source: SourceRepository, blob: Descriptor, offset: int, /
    ) -> Iterator[Iterator[bytes]]:
        """Open the content."""
        self.opened.append(offset)
        starts = range(offset, len(self._content), self._block)
        try:
            yield (self._content[at : at + self._block] for at in starts)
        finally:
            self.closed += 1

    def settled(self, blob: Descriptor, /) -> None:
        """Take no note."""


@contextmanager
def stream(blocks: list[bytes]) -> Iterator[Iterator[bytes]]:
    """Give some blocks."""
    yield iter(blocks)


@contextmanager
def broken(blocks: list[bytes]) -> Iterator[Iterator[bytes]]:
    """Give some blocks, then fail."""

    def run() -> Iterator[bytes]:
        yield from blocks
        msg = "cut"
        raise ConnectionLost(msg)

    yield run()


def nowhere() -> SourceRepository:
    """Return a repository that is never asked."""
    return SourceRepository(MemoryRegistry("source"), "a/b", ManifestCache())


def take_all(shared: SharedBlob, seat: int) -> list[bytes]:
    """Take every block there is for a seat."""
    found = []
    while (block := shared.next(seat)) is not None:
        found.append(block)
    return found


def test_everybody_gets_every_block() -> None:
    """Three readers at their own pace see the same blocks in the same order."""
    shared = SharedBlob(stream(BLOCKS), 3, clock=FakeClock())
    with ThreadPoolExecutor(3) as pool:
        taken = list(pool.map(lambda seat: take_all(shared, seat), range(3)))
    assert taken == [BLOCKS] * 3


def test_an_error_of_the_source_reaches_everybody() -> None:
    """Each reader is told, with an error of its own."""
    shared = SharedBlob(broken(BLOCKS[:2]), 2)
    errors = []
    for seat in range(2):
        with pytest.raises(ConnectionLost) as caught:
            take_all(shared, seat)
        errors.append(caught.value)
    assert errors[0] is not errors[1]


def test_a_shared_read_knows_no_time_limit() -> None:
    """It is everybody's, and one reader's time being up is no failure of the others."""
    clock = FakeClock()

    def slow() -> Iterator[bytes]:
        clock.advance(10)
        check_time()
        yield b"block"

    @contextmanager
    def opened() -> Iterator[Iterator[bytes]]:
        check_time()
        yield slow()

    shared = SharedBlob(opened(), 1)
    with limited(TimeLimit(seconds=5, monotonic=clock.monotonic)):
        assert take_all(shared, 0) == [b"block"]


def test_who_stands_still_too_long_loses_the_seat() -> None:
    """The other goes on as soon as its patience is over; until then it waits."""
    clock = FakeClock()
    shared = SharedBlob(stream(BLOCKS), 2, clock=clock, window=3, patience=1.0)
    assert [shared.next(0) for _ in range(3)] == BLOCKS[:3]
    waiting = threading.Thread(target=lambda: take_all(shared, 0))
    waiting.start()
    assert shared.has_seat(1)
    clock.advance(2.0)
    waiting.join()
    assert not shared.has_seat(1)
    assert shared.next(1) is None


def test_a_seat_given_up_holds_nobody_up() -> None:
    """Leaving twice is fine, and the last one out closes the stream."""
    source = Source()
    shared = SharedBlob(source.open(nowhere(), BLOB.descriptor, 0), 2, window=2)
    assert shared.next(0)
    shared.leave(1)
    shared.leave(1)
    assert len(take_all(shared, 0)) == 49
    assert source.closed == 0
    shared.leave(0)
    assert source.closed == 1


def read(sharing: Sharing, member: int, *, stop_after: int | None = None) -> bytes:
    """Read a blob as a destination does, perhaps giving up in the middle."""
    found = b""
    way = sharing.member(member)
    with way.open(nowhere(), BLOB.descriptor, 0) as blocks:
        for block in blocks:
            found += block
            if stop_after is not None and len(found) >= stop_after:
                break
    if stop_after is not None:
        with way.open(nowhere(), BLOB.descriptor, len(found)) as blocks:
            found += b"".join(blocks)
    way.settled(BLOB.descriptor)
    return found


def test_a_blob_is_read_once_for_all() -> None:
    """Four destinations at once open the source once."""
    source = Source()
    sharing = Sharing(source, 4, clock=FakeClock())
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda member: read(sharing, member), range(4)))
    assert found == [BLOB.content] * 4
    assert source.opened == [0]
    assert source.closed == 1


def test_a_destination_that_breaks_off_goes_on_alone() -> None:
    """It reads the rest by itself, from its own offset, and the other is not disturbed."""
    source = Source()
    sharing = Sharing(source, 2, clock=FakeClock())
    with ThreadPoolExecutor(2) as pool:
        broke = pool.submit(read, sharing, 0, stop_after=1000)
        other = pool.submit(read, sharing, 1)
        assert broke.result() == other.result() == BLOB.content
    assert sorted(source.opened) == [0, 1000]
    assert source.closed == 2


def test_a_destination_thrown_out_goes_on_alone() -> None:
    """Who was too slow gets the rest from a stream of its own."""
    clock = FakeClock()
    source = Source()
    sharing = Sharing(source, 2, clock=clock, patience=1.0)
    slow = sharing.member(1)
    with slow.open(nowhere(), BLOB.descriptor, 0) as blocks:
        first = next(blocks)
        quick = threading.Thread(target=lambda: read(sharing, 0))
        quick.start()
        while quick.is_alive():
            clock.advance(2.0)
            quick.join(0.01)
        assert first + b"".join(blocks) == BLOB.content
    assert source.opened == [0, 100]


def test_the_last_one_that_needs_a_blob_reads_alone() -> None:
    """Where the others have it already, or have left, nothing is shared."""
    source = Source()
    sharing = Sharing(source, 3)
    sharing.member(0).settled(BLOB.descriptor)
    sharing.leave(1)
    assert read(sharing, 2) == BLOB.content
    assert sharing.shared(2, nowhere(), BLOB.descriptor) is None


def test_a_second_read_from_the_start_is_alone() -> None:
    """An upload that starts over does not join again."""
    source = Source()
    sharing = Sharing(source, 2, clock=FakeClock())
    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(lambda member: read(sharing, member), range(2))) == {BLOB.content}
    assert read(sharing, 0) == BLOB.content
    assert source.opened == [0, 0]


class Counting(MemoryRegistry):
    """Counts the reads of each blob."""

    def __init__(self) -> None:
        super().__init__("source")
        self.reads: list[str] = []

    @contextmanager
    def open_blob(
        self, repository: str, blob: Descriptor, offset: int = 0
    ) -> Iterator[Iterator[bytes]]:
        """Open and count."""
        self.reads.append(str(blob.digest))
        with super().open_blob(repository, blob, offset) as blocks:
            yield blocks


class Refusing(MemoryRegistry):
    """Takes no blobs."""

    def put_blob(self, *_: object, **__: object) -> object:  # type: ignore[override]
        """Refuse."""
        msg = "no"
        raise ConnectionLost(msg)


def test_a_rule_with_several_destinations_reads_each_blob_once() -> None:
    """Three registries get the image, one refuses it, and the source is read once a blob."""
    source = Counting()
    random_image(1, layers=3, layer_bytes=300_000).push_to(source, "a/b", "v1")
    there: dict[str, MemoryRegistry] = {f"memory://{n}": MemoryRegistry(n) for n in "xyz"}
    there["memory://bad"] = Refusing("bad")
    rule = ReplicationRule(
        name="fan", source="memory://source", destinations=tuple(there), where="everything"
    )
    places = {"memory://source": source, **there}
    with Replicator(
        [rule], opener=lambda endpoint: places[str(endpoint)], clock=FakeClock()
    ) as replicator:
        report = replicator.run()
    assert dict(report.outcomes) == {"copied": 3, "failed": 1}
    assert len(source.reads) == len(set(source.reads)) == 4
