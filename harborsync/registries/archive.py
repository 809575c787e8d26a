"""Images in one file: what ``docker save`` writes, and OCI layouts in a tar archive.

    docker-archive:app.tar      from ``docker save``, and for ``docker load``
    oci-archive:app.tar         from and for ``skopeo copy oci-archive:``, ``podman``, BuildKit

An archive is read where it is, by the places of the files in it; nothing is unpacked. If it is
compressed by gzip it is decompressed into a temporary file first.

What is written waits in a directory beside the archive, and becomes the archive when the
registry is closed: a new file with the old content and the new, renamed into its place. A
reader sees the archive before or after, never in between; of two writers at once the one that
closes last wins. Equal content makes equal archives, byte for byte (OCI-10.10).

Either kind is written as an OCI layout, so digests are kept; ``docker-archive`` has docker's
``manifest.json`` beside it (OCI-10.14). An archive of docker before 25 has no manifests, so
they are made up: see :mod:`harborsync.registries.archive_docker`.
"""

from __future__ import annotations

import io
import itertools
import os
import shutil
import tarfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import attrs

from harborsync.content import MAX_MANIFEST_BYTES, Manifest
from harborsync.errors import InvalidManifest, InvalidReference, NotFound
from harborsync.provider import Provider
from harborsync.reference import Digest
from harborsync.registries.archive_docker import (
    LIST,
    SavedImage,
    as_layout,
    manifest_list,
    saved_images,
    with_names,
)
from harborsync.registries.archive_members import Member, Members
from harborsync.registries.layout import BLOBS, INDEX, MARK, MARK_CONTENT, LayoutDirectory
from harborsync.registries.layout_index import MAX_INDEX_BYTES, LayoutIndex
from harborsync.registries.ondisk import BLOCK, OnDiskRegistry, disk_errors, read_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harborsync.clock import Clock
    from harborsync.content import Descriptor
    from harborsync.endpoint import Endpoint
    from harborsync.provider import OpenContext

_DOCKER: Final = "docker-archive"
_OCI: Final = "oci-archive"
_serial: Final = itertools.count(1)


def open_archive(
    path: Path, *, docker: bool, home: str | None = None, clock: Clock | None = None
) -> OnDiskRegistry:
    """Open an archive as a registry; nothing is read or made yet.

    Args:
        path: The archive; need not be there to be written to.
        docker: Whether it is for docker; else it is an OCI layout and nothing more.
        home: The repository that plain tags belong to.
        clock: Time, for the directory in which content waits.
    """
    store = ArchiveStore(path, docker=docker, clock=clock)
    return OnDiskRegistry(_DOCKER if docker else _OCI, store, home=home)


class ArchiveStore:
    """The content of an archive; see :class:`~harborsync.registries.ondisk.Store`. Thread-safe.

    Args:
        path: The archive.
        docker: Whether it is for docker.
        clock: Time, for the directory in which content waits.
    """

    def __init__(self, path: Path, *, docker: bool, clock: Clock | None = None) -> None:
        self.path = path
        self._docker = docker
        self._clock = clock
        self._lock = threading.RLock()
        self._read: _Contents | None = None
        self._waiting: LayoutDirectory | None = None

    def read_index(self) -> bytes:
        """Return index.json with what was written since; empty if there is no archive."""
        if self._waiting is not None:
            return self._waiting.read_index()
        contents = self._contents()
        return contents.index if contents is not None else b""

    def edit_index(self, change: Callable[[bytes], bytes]) -> None:
        """Replace index.json by what ``change`` makes of it."""
        self._begun().edit_index(change)

    def blob_size(self, digest: Digest) -> int | None:
        """Return a blob's length, or None if it is not there."""
        size = self._waiting.blob_size(digest) if self._waiting is not None else None
        contents = self._contents() if size is None else None
        return contents.size(digest) if contents is not None else size

    @contextmanager
    def open_blob(self, digest: Digest) -> Iterator[BinaryIO]:
        """Open a blob; raises NotFound."""
        waiting, contents = self._waiting, self._contents()
        if waiting is not None and waiting.blob_size(digest) is not None:
            with waiting.open_blob(digest) as file:
                yield file
        elif contents is not None and contents.size(digest) is not None:
            with contents.open(digest) as file:
                yield file
        else:
            msg = f"{digest} is not in {self.path}"
            raise NotFound(msg)

    def add_blob(self, blob: Descriptor, blocks: Iterable[bytes]) -> None:
        """Keep a blob for the archive; raises DigestMismatch and SizeMismatch."""
        self._begun().add_blob(blob, blocks)

    def close(self) -> None:
        """Write the archive if there is anything to write, and give back all files."""
        with self._lock, disk_errors(self.path):
            try:
                if self._waiting is not None:
                    self._write(self._waiting)
            finally:
                self._forget()

    # --- what is there already ----------------------------------------------------------

    def _contents(self) -> _Contents | None:
        """Return what the archive holds, found out once, or None if there is no archive."""
        with self._lock:
            if self._read is None:
                with disk_errors(self.path):
                    if self.path.exists():
                        self._read = _contents_of(self.path, docker=self._docker)
            return self._read

    # --- what waits to be written -------------------------------------------------------

    def _begun(self) -> LayoutDirectory:
        """Return the directory in which content waits, made at the first write."""
        with self._lock:
            if self._waiting is None:
                contents = self._contents()
                with disk_errors(self.path):
                    place = _new_folder(self.path)
                waiting = LayoutDirectory(place, clock=self._clock)
                waiting.edit_index(lambda new: contents.index if contents is not None else new)
                self._waiting = waiting
            return self._waiting

    def _write(self, waiting: LayoutDirectory) -> None:
        """Write the new archive where its content waits, and rename it into its place."""
        draft = waiting.path / f".{self.path.name}"
        with draft.open("xb") as file:
            self._pack(file, waiting)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)
        _make_lasting(self.path.parent)

    def _pack(self, file: BinaryIO, waiting: LayoutDirectory) -> None:
        index = waiting.read_index()
        contents = self._contents()
        digests = {*waiting.digests(), *(contents.digests() if contents is not None else ())}
        whole = {INDEX: index, MARK: MARK_CONTENT}
        if self._docker:
            whole[LIST] = manifest_list(LayoutIndex.parse(index), self._manifest, _place)
        with tarfile.TarFile(
            fileobj=file, mode="w", format=tarfile.PAX_FORMAT, copybufsize=BLOCK
        ) as archive:
            for folder in (BLOBS, *sorted({f"{BLOBS}/{d.algorithm}" for d in digests})):
                archive.addfile(_header(folder, folder=True))
            for digest in sorted(digests):
                with self.open_blob(digest) as blob:
                    archive.addfile(_header(_place(digest), self.blob_size(digest)), blob)
            for name in sorted(whole):
                archive.addfile(_header(name, len(whole[name])), io.BytesIO(whole[name]))

    def _manifest(self, digest: Digest) -> Manifest | None:
        if self.blob_size(digest) is None:
            return None
        with self.open_blob(digest) as file, suppress(InvalidManifest):
            return Manifest.parse(file.read(MAX_MANIFEST_BYTES + 1), digest=digest)
        return None

    def _forget(self) -> None:
        if self._waiting is not None:
            shutil.rmtree(self._waiting.path, ignore_errors=True)
        if self._read is not None:
            self._read.members.close()
        self._waiting = self._read = None


# --- an archive as it was found -------------------------------------------------------------


@attrs.frozen(kw_only=True)
class _Contents:
    """What an archive holds.

    Attributes:
        members: The files in it.
        index: Its index.json, or one made for it.
        files: Where each blob is.
        made: Manifests that were made up.
    """

    members: Members
    index: bytes
    files: dict[Digest, Member]
    made: dict[Digest, bytes] = attrs.field(factory=dict)

    def digests(self) -> Iterator[Digest]:
        yield from self.files
        yield from self.made

    def size(self, digest: Digest) -> int | None:
        if digest in self.made:
            return len(self.made[digest])
        member = self.files.get(digest)
        return None if member is None else member.size

    def open(self, digest: Digest) -> BinaryIO:
        if digest in self.made:
            return io.BytesIO(self.made[digest])
        return self.members.open(self.files[digest])


def _contents_of(path: Path, *, docker: bool) -> _Contents:
    members = Members(path)
    try:
        return _understood(members, docker=docker)
    except BaseException:
        members.close()
        raise


def _understood(members: Members, *, docker: bool) -> _Contents:
    """Read an archive as a layout if it is one (OCI-10.12), else as docker's older form."""
    index = members.read(INDEX, MAX_INDEX_BYTES) if members.find(MARK) is not None else None
    has_list = members.find(LIST) is not None
    if index is not None and (LayoutIndex.parse(index).entries or not has_list):
        contents = _Contents(members=members, index=index, files=_blob_files(members))
        return _with_repo_tags(contents) if has_list else contents
    if not docker and index is None:
        msg = f"the archive is no OCI layout: it has no {MARK} and {INDEX}"
        raise InvalidManifest(msg, hint="if docker made it, name it docker-archive:FILE")
    saved = as_layout(members)
    return _Contents(members=members, index=saved.index, files=saved.files, made=saved.manifests)


def _blob_files(members: Members) -> dict[Digest, Member]:
    found: dict[Digest, Member] = {}
    for name in members:
        folder, _, rest = name.partition("/")
        member = members.find(name)
        if folder == BLOBS and member is not None:
            with suppress(InvalidReference):
                found[Digest.parse(rest.replace("/", ":", 1))] = member
    return found


def _with_repo_tags(contents: _Contents) -> _Contents:
    """Take names from docker's list where the index has none at all."""
    entries = LayoutIndex.parse(contents.index).entries
    if any(entry.tag is not None for entry in entries):
        return contents
    index = contents.index
    for image in saved_images(contents.members):
        for entry in entries:
            manifest = _image_of(contents, entry.descriptor, image)
            if manifest is not None:
                index = with_names(index, manifest, image.names)
    return attrs.evolve(contents, index=index)


def _image_of(contents: _Contents, entry: Descriptor, image: SavedImage) -> Manifest | None:
    """Return the manifest of an entry if it is that of a saved image."""
    size = contents.size(entry.digest)
    if size is None or size > MAX_MANIFEST_BYTES:
        return None
    manifest = Manifest.parse(
        contents.open(entry.digest).read(), entry.media_type, digest=entry.digest
    )
    is_that = bool(manifest.blobs) and _place(manifest.blobs[0].digest) == image.config
    return manifest if is_that else None


# --- an archive as it is written ------------------------------------------------------------


def _place(digest: Digest) -> str:
    return f"{BLOBS}/{digest.algorithm}/{digest.encoded}"


def _header(name: str, size: int | None = None, *, folder: bool = False) -> tarfile.TarInfo:
    """Make a header that says nothing about when and by whom it was made."""
    header = tarfile.TarInfo(name)
    header.type = tarfile.DIRTYPE if folder else tarfile.REGTYPE
    header.mode = 0o755 if folder else 0o644
    header.size = size or 0
    return header


def _new_folder(path: Path) -> Path:
    """Make a hidden directory beside an archive; what a dead process left is not taken up."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        name = f".{path.name}.harborsync-{os.getpid()}-{next(_serial)}"
        with suppress(FileExistsError):
            path.with_name(name).mkdir(mode=0o700)
            return path.with_name(name)


def _make_lasting(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _open_docker(endpoint: Endpoint, context: OpenContext) -> OnDiskRegistry:
    path, home = Path(endpoint.address), read_home(endpoint)
    return open_archive(path, docker=True, home=home, clock=context.clock)


def _open_oci(endpoint: Endpoint, context: OpenContext) -> OnDiskRegistry:
    path, home = Path(endpoint.address), read_home(endpoint)
    return open_archive(path, docker=False, home=home, clock=context.clock)


DOCKER_ARCHIVE: Final = Provider(name=_DOCKER, open=_open_docker)
OCI_ARCHIVE: Final = Provider(name=_OCI, open=_open_oci)
