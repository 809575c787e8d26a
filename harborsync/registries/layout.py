"""An OCI image layout: a directory that is a registry, for air gaps, backups and other tools.

    oci:./layouts/app                    reads and writes ./layouts/app
    oci:./layouts/app?repository=team/app    plain tags in it belong to team/app

What is written is what ``skopeo copy oci:DIR:tag`` reads, and the other way round; which names
mean what is told in :mod:`harborsync.registries.layout_index`. A reader sees a whole state at
any time: content first, ``index.json`` last, each renamed into its place (OCI-10.5, 10.6). Any
number of processes may write at once; they take turns on the index by a lock file (OCI-10.7),
which wants a file system with working ``flock``: not every NFS has it.

Nothing outside of the directory is read or written, whatever links are in it (OCI-9.16).
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import stat
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from harborsync.cancel import Cancel
from harborsync.clock import Clock, SystemClock
from harborsync.errors import (
    DigestMismatch,
    IntegrityError,
    InvalidReference,
    NotFound,
    RegistryError,
    Side,
    SizeMismatch,
    Timeout,
    Unsupported,
)
from harborsync.provider import Provider
from harborsync.reference import Digest
from harborsync.registries.layout_index import EMPTY_INDEX, MAX_INDEX_BYTES
from harborsync.registries.ondisk import OnDiskRegistry, disk_errors, read_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harborsync.content import Descriptor
    from harborsync.endpoint import Endpoint
    from harborsync.provider import OpenContext

MARK: Final = "oci-layout"
INDEX: Final = "index.json"
BLOBS: Final = "blobs"
LOCK: Final = ".harborsync.lock"
MARK_CONTENT: Final = b'{"imageLayoutVersion":"1.0.0"}'
_TEMPORARY: Final = ".harborsync-"
_POLL: Final = 0.05
_STALE_AFTER: Final = 24 * 3600.0  # OCI-10.8
_serial: Final = itertools.count(1)


def open_layout(
    path: Path,
    *,
    home: str | None = None,
    clock: Clock | None = None,
    cancel: Cancel | None = None,
    patience: float = 60.0,
) -> OnDiskRegistry:
    """Open a layout as a registry; nothing is read or made yet.

    Args:
        path: The directory; made when it is first written to.
        home: The repository that plain tags belong to.
        clock: Time, for the wait for other writers.
        cancel: Ends that wait.
        patience: Seconds to wait for other writers.
    """
    store = LayoutDirectory(path, clock=clock, cancel=cancel, patience=patience)
    return OnDiskRegistry("oci", store, home=home)


class LayoutDirectory:
    """The files of a layout; see :class:`~harborsync.registries.ondisk.Store`. Thread-safe.

    Args:
        path: The directory; made when it is first written to.
        clock: Time, for the wait for other writers.
        cancel: Ends that wait.
        patience: Seconds to wait for other writers.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock | None = None,
        cancel: Cancel | None = None,
        patience: float = 60.0,
    ) -> None:
        self.path = path
        self._clock = clock or SystemClock()
        self._cancel = cancel or Cancel()
        self._patience = patience
        self._preparing = threading.Lock()
        self._is_prepared = False

    # --- reading ------------------------------------------------------------------------

    def read_index(self) -> bytes:
        """Return index.json, empty if the directory is not there or has nothing in it.

        Raises:
            RegistryError: The directory holds something else.
        """
        with disk_errors(self.path):
            found = self._read(INDEX)
            if found is None:
                self._check_is_new()
        return found or b""

    def blob_size(self, digest: Digest) -> int | None:
        """Return a blob's length, or None if it is not there."""
        with disk_errors(self.path), self._opened(BLOBS, digest.algorithm, digest.encoded) as file:
            return None if file is None else os.fstat(file.fileno()).st_size

    @contextmanager
    def open_blob(self, digest: Digest) -> Iterator[BinaryIO]:
        """Open a blob; raises NotFound."""
        with self._opened(BLOBS, digest.algorithm, digest.encoded) as file:
            if file is None:
                msg = f"{digest} is not in {self.path}"
                raise NotFound(msg)
            yield file

    def digests(self) -> Iterator[Digest]:
        """Yield the digests of all blobs."""
        for file in self.path.glob(f"{BLOBS}/*/*"):
            with suppress(InvalidReference):
                yield Digest.parse(f"{file.parent.name}:{file.name}")

    # --- writing ------------------------------------------------------------------------

    def edit_index(self, change: Callable[[bytes], bytes]) -> None:
        """Replace index.json by what ``change`` makes of it, while nobody else does.

        Raises:
            Timeout: Another writer holds the lock for too long.
        """
        self._prepare()
        with disk_errors(self.path, Side.DESTINATION), self._locked():
            self._replace((), INDEX, (change(self._read(INDEX) or b""),))

    def add_blob(self, blob: Descriptor, blocks: Iterable[bytes]) -> None:
        """Store a blob whole or not at all; raises DigestMismatch and SizeMismatch."""
        self._prepare()
        folder = (BLOBS, blob.digest.algorithm)
        with disk_errors(self.path, Side.DESTINATION):
            self._replace(folder, blob.digest.encoded, checked(blob, blocks))

    def close(self) -> None:
        """Do nothing: no file is kept open."""

    # --- a directory becomes a layout ---------------------------------------------------

    def _prepare(self) -> None:
        """See once to it that the directory is a layout, and that no old rubbish is in it."""
        with self._preparing:
            if self._is_prepared:
                return
            with disk_errors(self.path, Side.DESTINATION):
                self.read_index()
                self.path.mkdir(parents=True, exist_ok=True)
                self._check_mark()
                with self._locked():
                    self._found()
                    self._sweep()
            self._is_prepared = True

    def _found(self) -> None:
        if self._read(INDEX) is None:
            self._replace((), INDEX, (EMPTY_INDEX,))
        if self._read(MARK) is None:
            self._replace((), MARK, (MARK_CONTENT,))
        with self._folder(BLOBS, make=True):
            pass

    def _check_is_new(self) -> None:
        """Refuse a directory that has other things in it and no index."""
        with suppress(FileNotFoundError):
            names = {entry.name for entry in self.path.iterdir()}
            if {name for name in names if not name.startswith(".harborsync")} - {MARK, BLOBS}:
                msg = f"{self.path} is no OCI layout: it has no {INDEX}"
                raise RegistryError(msg, hint="name an empty directory, or one that is a layout")

    def _check_mark(self) -> None:
        mark = self._read(MARK)
        if mark is not None and not _is_version_one(mark):
            msg = f"{self.path} is a layout of a version that is not known here"
            raise Unsupported(msg)

    def _sweep(self) -> None:
        """Remove what writers that died have left behind, long after they did (OCI-10.8)."""
        stale = self._clock.now().timestamp() - _STALE_AFTER
        with self._folder() as root:
            for name in (entry.name for entry in self.path.glob(f"{_TEMPORARY}*")):
                with suppress(FileNotFoundError):
                    if _age(name, root) < stale:
                        os.unlink(name, dir_fd=root)

    # --- files, never through a link ----------------------------------------------------

    @contextmanager
    def _folder(self, *names: str, make: bool = False) -> Iterator[int]:
        """Open a directory inside the layout, step by step."""
        held = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in names:
                inner = _step(held, name, make=make)
                os.close(held)
                held = inner
            yield held
        finally:
            os.close(held)

    @contextmanager
    def _opened(self, *names: str) -> Iterator[BinaryIO | None]:
        """Open a regular file, or give None if it is not there."""
        try:
            with disk_errors(self.path), self._folder(*names[:-1]) as folder:
                file = _regular(names[-1], folder)
        except NotFound:
            yield None
            return
        with file:
            yield file

    def _read(self, name: str) -> bytes | None:
        with self._opened(name) as file:
            raw = None if file is None else file.read(MAX_INDEX_BYTES + 1)
        if raw is not None and len(raw) > MAX_INDEX_BYTES:
            msg = f"{self.path / name} is longer than {MAX_INDEX_BYTES} bytes"
            raise IntegrityError(msg)
        return raw

    def _replace(self, folder: tuple[str, ...], name: str, blocks: Iterable[bytes]) -> None:
        """Write a file beside its place, make it lasting, then rename it there (OCI-10.5)."""
        with self._folder() as root, self._folder(*folder, make=True) as place:
            temporary, handle = _new_file(root)
            try:
                with os.fdopen(handle, "wb") as file:
                    for block in blocks:
                        file.write(block)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename(temporary, name, src_dir_fd=root, dst_dir_fd=place)
            except BaseException:
                os.unlink(temporary, dir_fd=root)
                raise
            os.fsync(place)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock file; other threads wait as other processes do."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with self._folder() as root:
            handle = os.open(LOCK, flags, 0o666, dir_fd=root)
        try:
            self._wait_for(handle)
            yield
        finally:
            os.close(handle)

    def _wait_for(self, handle: int) -> None:
        give_up = self._clock.monotonic() + self._patience
        while not _try_lock(handle):
            if self._clock.monotonic() >= give_up:
                msg = f"another writer has held {self.path / LOCK} for {self._patience:g} seconds"
                raise Timeout(msg)
            self._clock.sleep(_POLL, self._cancel)


def checked(blob: Descriptor, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass blocks on, and raise at the end if they were not what ``blob`` says."""
    hasher, length = blob.digest.hasher(), 0
    for block in blocks:
        length += len(block)
        if length > blob.size:
            break
        hasher.update(block)
        yield block
    if length != blob.size:
        msg = f"the content of {blob.digest} is not {blob.size} bytes long"
        raise SizeMismatch(msg)
    if hasher.hexdigest() != blob.digest.encoded:
        msg = f"the content for {blob.digest} hashes to {hasher.hexdigest()}"
        raise DigestMismatch(msg)


def _is_version_one(mark: bytes) -> bool:
    try:
        version: Any = json.loads(mark)["imageLayoutVersion"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return False
    return isinstance(version, str) and version.startswith("1.")


def _step(folder: int, name: str, *, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=folder)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, dir_fd=folder)


def _regular(name: str, folder: int) -> BinaryIO:
    """Open a file without following a link or waiting at a pipe."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = os.fdopen(os.open(name, flags, dir_fd=folder), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        msg = f"{name} is no regular file"
        raise IntegrityError(msg)
    return file


def _new_file(folder: int) -> tuple[str, int]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        name = f"{_TEMPORARY}{os.getpid()}-{next(_serial)}.tmp"
        with suppress(FileExistsError):
            return name, os.open(name, flags, 0o666, dir_fd=folder)


def _age(name: str, folder: int) -> float:
    return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(endpoint: Endpoint, context: OpenContext) -> OnDiskRegistry:
    home = read_home(endpoint)
    return open_layout(
        Path(endpoint.address), home=home, clock=context.clock, cancel=context.cancel
    )


PROVIDER: Final = Provider(name="oci", open=_open)
