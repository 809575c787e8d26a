"""A blob's content on its way out: counted, hashed, and held back at the end until it is right.

The last block leaves only after the whole content has proved to be what the descriptor says.
An upload of anything else stays short of its Content-Length, or of its commit, and nothing is
stored (OCI-4.30).
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from harborsync.errors import DigestMismatch, HarborsyncError, Side, SizeMismatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.content import Descriptor
    from harborsync.registry import BlobOpener

# How far apart the hash is noted at the least; so much is read again before going on (OCI-4.16).
_NOTE_EVERY: Final = 2**20
_MOST_NOTES: Final = 4096


class CheckedSource:
    """Hands out a blob's content in pieces that follow each other; one thread at a time.

    Args:
        blob: What the content must be.
        content: Opens it.
    """

    def __init__(self, blob: Descriptor, content: BlobOpener) -> None:
        self.failure: Exception | None = None
        self.handed_out = 0
        self._blob = blob
        self._content = content
        self._opened = ExitStack()
        self._position = -1
        self._left = b""
        self._hasher = blob.digest.hasher()
        self._notes = [(0, self._hasher.copy())]
        self._note_every = max(_NOTE_EVERY, blob.size // _MOST_NOTES)

    def close(self) -> None:
        """Close what is open."""
        self._opened.close()
        self._position = -1

    def restart(self) -> None:
        """Forget what was read, right or wrong; the next piece is of content opened anew."""
        self.close()
        self.failure = None
        self._notes = self._notes[:1]

    @property
    def at_end(self) -> bool:
        """Whether all of the content has been handed out, last."""
        return self._position == self._blob.size

    def seek(self, offset: int) -> None:
        """Open the content, so that the next piece begins at ``offset``."""
        if offset == self._position:
            return
        with self._noting_failures():
            self._open_at(offset)

    @contextmanager
    def piece(self, offset: int, length: int) -> Iterator[Iterator[bytes]]:
        """Give ``length`` bytes from ``offset`` on; going back opens the content again.

        Raises:
            SizeMismatch: The content is longer or shorter than the blob.
            DigestMismatch: The content is another.
        """
        self.seek(offset)
        yield self._take(length)

    def _take(self, length: int) -> Iterator[bytes]:
        while length:
            with self._noting_failures():
                block = self._next(length)
            length -= len(block)
            self.handed_out += len(block)
            yield block

    def _open_at(self, offset: int) -> None:
        """Begin at the last note before ``offset``, and read up to it for the hash's sake."""
        self.close()
        start, noted = max(note for note in self._notes if note[0] <= offset)
        self._blocks = self._opened.enter_context(self._content(start))
        self._position, self._left, self._hasher = start, b"", noted.copy()
        while self._position < offset:
            self._next(offset - self._position)
        if not self._blob.size:
            self._check_end()

    def _next(self, most: int) -> bytes:
        block = self._left or next(self._blocks, b"")
        block, self._left = block[:most], block[most:]
        if not block:
            raise self._wrong_size(self._position)
        self._hasher.update(block)
        self._position += len(block)
        if self.at_end:
            self._check_end()
        elif self._position - self._notes[-1][0] >= self._note_every:
            self._notes.append((self._position, self._hasher.copy()))
        return block

    def _check_end(self) -> None:
        if self._left or next(self._blocks, b""):
            raise self._wrong_size(None)
        if self._hasher.hexdigest() != self._blob.digest.encoded:
            msg = (
                f"the content of blob {self._blob.digest} has the digest {self._hasher.hexdigest()}"
            )
            raise DigestMismatch(msg, hint="the source holds damaged content, or is lying")

    def _wrong_size(self, found: int | None) -> SizeMismatch:
        length = "more" if found is None else f"only {found}"
        msg = f"blob {self._blob.digest} should have {self._blob.size} bytes and has {length}"
        return SizeMismatch(msg, hint="the source holds damaged content, or is lying")

    @contextmanager
    def _noting_failures(self) -> Iterator[None]:
        """Keep what failed here, so that it can be told from what fails at the destination."""
        try:
            yield
        except Exception as error:
            self.failure = error.at(Side.SOURCE) if isinstance(error, HarborsyncError) else error
            raise
