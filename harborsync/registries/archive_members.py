"""The files in a tar archive, found once and read from where they are; nothing is unpacked.

The archive is taken for hostile (OCI-9.17): names that lead out of it, two different files of
one name, devices, sparse files, lengths beyond the end of the file and headers of absurd length
are refused. A link leads to one file inside the archive, one step far, or it is refused.

An archive compressed by gzip is first decompressed into a nameless temporary file, because
tar has no table of contents.
"""

from __future__ import annotations

import io
import os
import posixpath
import tarfile
import tempfile
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import attrs

from harborsync.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_GZIP: Final = b"\x1f\x8b"
_GZIP_BITS: Final = 16 + zlib.MAX_WBITS
_BLOCK: Final = 2**20
_MAX_HEADER: Final = 2**20
_MAX_MEMBERS: Final = 100_000
# A text of zeros shrinks by a thousand; nothing that people save gets near this.
_MAX_RATIO: Final = 200
_RATIO_COUNTS_FROM: Final = 256 * 2**20


@attrs.frozen(kw_only=True)
class Member:
    """A file in an archive.

    Attributes:
        offset: Where its content begins.
        size: How long it is.
    """

    offset: int
    size: int


class Members:
    """The files of an archive by their names; safe to read from many threads.

    Args:
        path: The archive.

    Raises:
        IntegrityError: It is no tar archive, or not one we take.
    """

    def __init__(self, path: Path) -> None:
        self._file = _plain(path)
        try:
            self._members = _index(self._file, self._is_same)
        except BaseException:
            self._file.close()
            raise

    def find(self, name: str) -> Member | None:
        """Return a file, or None if there is none of this name."""
        return self._members.get(name)

    def read(self, name: str, limit: int) -> bytes | None:
        """Return a file's content, or None if it is not there.

        Raises:
            IntegrityError: It is longer than ``limit``.
        """
        member = self.find(name)
        if member is None:
            return None
        if member.size > limit:
            msg = f"{name} in the archive has {member.size} bytes, and {limit} are too many"
            raise IntegrityError(msg)
        return self.open(member).read()

    def open(self, member: Member) -> BinaryIO:
        """Open a file's content."""
        return cast("BinaryIO", io.BufferedReader(_Part(self._file.fileno(), member), _BLOCK))

    def _is_same(self, one: Member, other: Member) -> bool:
        """Tell whether two files have the same content."""
        if one.size != other.size:
            return False
        first, second = self.open(one), self.open(other)
        blocks = iter(lambda: (first.read(_BLOCK), second.read(_BLOCK)), (b"", b""))
        return all(mine == its for mine, its in blocks)

    def __iter__(self) -> Iterator[str]:
        """Yield the names of all files."""
        return iter(self._members)

    def close(self) -> None:
        """Close the archive."""
        self._file.close()


class _Part(io.RawIOBase):
    """A stretch of a file, read without moving the file's own position."""

    def __init__(self, handle: int, member: Member) -> None:
        self._handle = handle
        self._member = member
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._member.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(0, self._member.size - self._at))
        found = os.pread(self._handle, wanted, self._member.offset + self._at)
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


# --- the table of contents ------------------------------------------------------------------


def _index(file: BinaryIO, is_same: Callable[[Member, Member], bool]) -> dict[str, Member]:
    try:
        with tarfile.open(fileobj=cast("BinaryIO", _Wary(file)), mode="r:") as archive:
            return _files(_named(archive), is_same)
    except (tarfile.TarError, RecursionError, ValueError, EOFError) as error:
        msg = f"this is no sound tar archive: {error}"
        raise IntegrityError(msg) from error


class _Wary:
    """Hands a file to the tar reader, which otherwise believes every length in it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_HEADER:
            msg = f"a header in the archive claims {size} bytes"
            raise IntegrityError(msg)
        return self._file.read(size)

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, position: int) -> int:
        return self._file.seek(position)


def _named(archive: tarfile.TarFile) -> Iterator[tuple[str, tarfile.TarInfo]]:
    for number, info in enumerate(archive):
        if number >= _MAX_MEMBERS:
            msg = f"the archive has more than {_MAX_MEMBERS} members"
            raise IntegrityError(msg)
        if not info.isdir():
            yield _inside(info.name), info


def _files(
    named: Iterator[tuple[str, tarfile.TarInfo]], is_same: Callable[[Member, Member], bool]
) -> dict[str, Member]:
    files: dict[str, Member] = {}
    links: dict[str, str] = {}
    again: list[tuple[str, Member]] = []
    for name, info in named:
        is_link = info.issym() or info.islnk()
        if name in links or (is_link and name in files):
            raise _two_files(name)
        if is_link:
            links[name] = _target(name, info)
        elif name in files:
            again.append((name, _member(name, info)))
        else:
            files[name] = _member(name, info)
    _refuse_differences(files, again, is_same)
    return files | {name: _followed(name, target, files) for name, target in links.items()}


def _refuse_differences(
    files: dict[str, Member],
    again: Iterable[tuple[str, Member]],
    is_same: Callable[[Member, Member], bool],
) -> None:
    """Let a file be there twice, as crane writes what two images share, if both are the same."""
    for name, member in again:
        if not is_same(files[name], member):
            raise _two_files(name)


def _two_files(name: str) -> IntegrityError:
    msg = f"the archive has two files named {name!r}"
    return IntegrityError(msg)


def _member(name: str, info: tarfile.TarInfo) -> Member:
    if not info.isreg() or info.issparse():
        msg = f"{name!r} in the archive is no ordinary file"
        raise IntegrityError(msg)
    if info.size < 0:
        msg = f"{name!r} in the archive claims {info.size} bytes"
        raise IntegrityError(msg)
    return Member(offset=info.offset_data, size=info.size)


def _inside(name: str) -> str:
    """Return the name as it is used here, if it stays inside the archive."""
    path = posixpath.normpath(name)
    if not name or "\0" in name or path.startswith(("/", "../")) or path in {".", ".."}:
        msg = f"the name {name!r} leads out of the archive"
        raise IntegrityError(msg)
    return path


def _target(name: str, info: tarfile.TarInfo) -> str:
    base = posixpath.dirname(name) if info.issym() else ""
    return _inside(posixpath.join(base, info.linkname))


def _followed(name: str, target: str, files: dict[str, Member]) -> Member:
    if target not in files:
        msg = f"the link {name!r} leads to {target!r}, which is no file in the archive"
        raise IntegrityError(msg)
    return files[target]


# --- compressed archives --------------------------------------------------------------------


def _plain(path: Path) -> BinaryIO:
    """Open an archive for reading anywhere in it."""
    file = path.open("rb")
    magic = file.read(len(_GZIP)) if file.seekable() else _GZIP
    if magic != _GZIP:
        file.seek(0)
        return file
    with file:
        if file.seekable():
            file.seek(0)
        return _spooled(gunzipped(iter(lambda: file.read(_BLOCK), b"")))


def _spooled(blocks: Iterator[bytes]) -> BinaryIO:
    held = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - closed by Members
    try:
        for block in blocks:
            held.write(block)
        held.seek(0)
    except BaseException:
        held.close()
        raise
    return held


def gunzipped(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress gzip, one stream after another, and refuse what swells beyond reason.

    Raises:
        IntegrityError: It is no gzip, breaks off, or is a bomb.
    """
    taken = given = 0
    inflater = _Inflater()
    for block in blocks:
        taken += len(block)
        for piece in inflater.feed(block):
            given += len(piece)
            if given > max(_RATIO_COUNTS_FROM, _MAX_RATIO * taken):
                msg = f"{taken} compressed bytes have become {given}, which is too many"
                raise IntegrityError(msg)
            yield piece
    if not inflater.is_complete:
        msg = "the compressed data breaks off"
        raise IntegrityError(msg)


class _Inflater:
    """Decompresses gzip streams that follow each other, a bounded piece at a time."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=_GZIP_BITS)

    @property
    def is_complete(self) -> bool:
        """Whether the data may end here."""
        return self._stream.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take some data and give what it becomes."""
        while data:
            if self._stream.eof:
                self._stream = zlib.decompressobj(wbits=_GZIP_BITS)
            piece = self._inflate(data)
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if piece:
                yield piece

    def _inflate(self, data: bytes) -> bytes:
        try:
            return self._stream.decompress(data, _BLOCK)
        except zlib.error as error:
            msg = f"this is no gzip: {error}"
            raise IntegrityError(msg) from error
