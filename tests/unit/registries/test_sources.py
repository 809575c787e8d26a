"""Content on its way out, checked before its last block leaves."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync.content import Descriptor
from harborsync.errors import ConnectionLost, DigestMismatch, IntegrityError, Side, SizeMismatch
from harborsync.reference import Digest
from harborsync.registries.sources import CheckedSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

CONTENT = bytes(range(256)) * 4
BLOB = Descriptor.of(CONTENT, "x/y")


@attrs.define
class Opener:
    """Opens content in blocks, and keeps where it was opened."""

    content: bytes = CONTENT
    block: int = 100
    offsets: list[int] = attrs.field(factory=list)
    closed: int = 0
    fails_at: int | None = None

    @contextmanager
    def __call__(self, offset: int = 0) -> Iterator[Iterator[bytes]]:
        """Open from an offset."""
        self.offsets.append(offset)
        try:
            yield self._blocks(offset)
        finally:
            self.closed += 1

    def _blocks(self, offset: int) -> Iterator[bytes]:
        for start in range(offset, len(self.content), self.block):
            if self.fails_at is not None and start >= self.fails_at:
                msg = "the source broke"
                raise ConnectionLost(msg)
            yield self.content[start : start + self.block]


def _piece(source: CheckedSource, offset: int, length: int) -> bytes:
    with source.piece(offset, length) as blocks:
        return b"".join(blocks)


def test_pieces_that_follow_each_other_open_the_content_once() -> None:
    """Blocks are cut where pieces end."""
    opener = Opener()
    source = CheckedSource(BLOB, opener)
    pieces = [_piece(source, 0, 250), _piece(source, 250, 600), _piece(source, 850, 174)]
    assert b"".join(pieces) == CONTENT
    assert (opener.offsets, source.at_end, source.handed_out) == ([0], True, 1024)
    source.close()
    assert opener.closed == 1


def test_going_back_hashes_again_from_the_last_note() -> None:
    """What the server has is read again for the hash, and not handed out again (OCI-4.16)."""
    opener = Opener()
    source = CheckedSource(BLOB, opener)
    _piece(source, 0, 700)
    assert _piece(source, 321, 703) == CONTENT[321:]
    assert (opener.offsets, source.at_end) == ([0, 0], True)
    assert source.handed_out == 700 + 703


def test_a_long_content_is_not_read_again_from_its_start() -> None:
    """The hash is noted on the way."""
    content = b"\0" * (130 * 2**20)
    opener = Opener(content=content, block=2**20)
    source = CheckedSource(Descriptor.of(content, "x/y"), opener)
    with source.piece(0, len(content)) as blocks:
        for _ in range(129):
            next(blocks)
    with source.piece(100 * 2**20, 30 * 2**20) as blocks:
        assert sum(map(len, blocks)) == 30 * 2**20
    assert opener.offsets == [0, 100 * 2**20]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (CONTENT[:-1] + b"x", DigestMismatch),
        (b"x" + CONTENT[1:], DigestMismatch),
        (CONTENT[:-1], SizeMismatch),
        (CONTENT[:-200], SizeMismatch),
        (CONTENT + b"x", SizeMismatch),
        (b"", SizeMismatch),
    ],
)
@pytest.mark.parametrize("block", [100, 128, 2000])
def test_wrong_content_is_noticed_before_its_last_block_leaves(
    content: bytes, kind: type[IntegrityError], block: int
) -> None:
    """The receiver never gets as many bytes as it waits for (OCI-4.30)."""
    source = CheckedSource(BLOB, Opener(content=content, block=block))
    received: list[bytes] = []
    with source.piece(0, BLOB.size) as blocks, pytest.raises(kind) as caught:
        received.extend(blocks)
    assert len(b"".join(received)) < BLOB.size
    assert caught.value.side is Side.SOURCE
    assert source.failure is caught.value


def test_empty_content_is_checked_too() -> None:
    """Nothing has a digest as well."""
    empty = Descriptor.of(b"", "x/y")
    assert _piece(CheckedSource(empty, Opener(content=b"")), 0, 0) == b""
    with pytest.raises(SizeMismatch):
        _piece(CheckedSource(empty, Opener()), 0, 0)
    wrong = attrs.evolve(empty, digest=Digest.of(b"x"))
    with pytest.raises(DigestMismatch):
        _piece(CheckedSource(wrong, Opener(content=b"")), 0, 0)


def test_other_algorithms_are_checked_by_themselves() -> None:
    """A sha512 blob is hashed by sha512 (OCI-9.9)."""
    blob = Descriptor.of(CONTENT, "x/y", digest=Digest.of(CONTENT, "sha512"))
    assert _piece(CheckedSource(blob, Opener()), 0, 1024) == CONTENT


def test_a_source_that_breaks_off_is_told_from_a_destination_that_does() -> None:
    """Its error is marked, and kept."""
    source = CheckedSource(BLOB, Opener(fails_at=300))
    with pytest.raises(ConnectionLost) as caught:
        _piece(source, 0, 1024)
    assert source.failure is caught.value
    assert caught.value.side is Side.SOURCE


def test_an_error_of_another_kind_is_kept_as_it_is() -> None:
    """A disk may fail, too."""

    def broken(offset: int = 0) -> AbstractContextManager[Iterator[bytes]]:
        raise OSError(5, "Input/output error")

    source = CheckedSource(BLOB, broken)
    with pytest.raises(OSError, match="Input/output"):
        source.seek(0)
    assert isinstance(source.failure, OSError)
