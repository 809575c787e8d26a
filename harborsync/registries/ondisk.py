"""A registry over a store on disk: names from an index.json, content from files by digest.

:class:`OnDiskRegistry` is the registry; where the bytes are is the business of a
:class:`Store`: a directory (:mod:`harborsync.registries.layout`) or a tar archive
(:mod:`harborsync.registries.archive`). All repositories of a store share its content: a blob
or manifest that is there is found by its digest under every repository's name.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from harborsync.artifact import NOT_FETCHED, Artifact
from harborsync.content import MAX_MANIFEST_BYTES, Descriptor, Manifest
from harborsync.errors import (
    ContentMissing,
    Denied,
    HarborsyncError,
    IntegrityError,
    InvalidManifest,
    InvalidReference,
    InvalidValue,
    NotFound,
    QuotaExceeded,
    ServerError,
    Side,
    SizeMismatch,
    on_side,
)
from harborsync.events import BlobOutcome
from harborsync.reference import Digest, Tag, check_repository
from harborsync.registries.layout_index import LayoutIndex
from harborsync.registry import Abilities, BlobPut, Quirks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from harborsync.endpoint import Endpoint
    from harborsync.registry import BlobOpener

_log = logging.getLogger(__name__)

BLOCK: Final = 2**20
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_ODD: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO})


class Store(Protocol):
    """Where the bytes of a layout are; safe to use from many threads."""

    @property
    def path(self) -> Path:
        """Where that is on disk."""
        ...

    def read_index(self) -> bytes:
        """Return index.json, empty if there is none yet."""
        ...

    def edit_index(self, change: Callable[[bytes], bytes]) -> None:
        """Replace index.json by what ``change`` makes of it, while nobody else does."""
        ...

    def blob_size(self, digest: Digest) -> int | None:
        """Return a blob's length, or None if it is not there."""
        ...

    def open_blob(self, digest: Digest) -> AbstractContextManager[BinaryIO]:
        """Open a blob; raises NotFound."""
        ...

    def add_blob(self, blob: Descriptor, blocks: Iterable[bytes]) -> None:
        """Store a blob whole or not at all; raises DigestMismatch and SizeMismatch."""
        ...

    def close(self) -> None:
        """Finish what is to be finished; may be called again."""
        ...


class OnDiskRegistry:
    """A layout as a registry; it is its own ability for what it can do. Thread-safe.

    Args:
        kind: The word in front of the path in an endpoint.
        store: Where the bytes are.
        home: The repository that plain tags belong to, or None.
    """

    # A layout may hold an index some of whose children are elsewhere (OCI-10.9).
    quirks: Final = Quirks(sparse_indexes=True)

    def __init__(self, kind: str, store: Store, *, home: str | None = None) -> None:
        self.name = f"{kind}:{store.path}"
        self.identity = f"{kind}:{os.path.realpath(store.path)}"
        self._store = store
        self._home = home
        self._lock = threading.Lock()
        self._subjects: dict[Digest, tuple[Digest, Descriptor] | None] = {}

    @property
    def abilities(self) -> Abilities:
        """Lists repositories and referrers, and takes tags away."""
        return Abilities(catalog=self, referrers=self, deletes_tags=self)

    # --- reading ------------------------------------------------------------------------

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        """Yield every tag with its digest and, where the index tells it, its type."""
        for tag, found in self._index().tags(repository).items():
            yield Artifact(
                repository=repository,
                tag=tag,
                digest=found.digest,
                media_type=found.media_type or NOT_FETCHED,
            )

    def resolve(self, repository: str, reference: Tag | Digest) -> Descriptor | None:
        """Return what a tag or digest points to, or None if it or its content is not there."""
        found = self._load(repository, reference)
        return None if found is None else found.descriptor

    def get_manifest(self, repository: str, reference: Tag | Digest) -> Manifest:
        """Return a manifest, its bytes checked; raises NotFound."""
        found = self._load(repository, reference)
        if found is None:
            entry = (
                None if isinstance(reference, Digest) else self._index().find(repository, reference)
            )
            lost = f": {entry.digest} is not in the layout" if entry is not None else ""
            msg = f"there is no {reference} of {repository} in {self.name}{lost}"
            raise NotFound(msg)
        return found

    @contextmanager
    def open_blob(
        self,
        repository: str,  # noqa: ARG002 - shared by all
        blob: Descriptor,
        offset: int = 0,
    ) -> Iterator[Iterator[bytes]]:
        """Open a blob's bytes from ``offset``; raises NotFound and SizeMismatch."""
        with self._store.open_blob(blob.digest) as file:
            length = file.seek(0, os.SEEK_END)
            if length != blob.size:
                msg = f"{blob.digest} in {self.name} has {length} bytes, not {blob.size}"
                raise SizeMismatch(msg)
            file.seek(offset)
            yield _blocks(file, self._store.path)

    def has_blob(self, repository: str, blob: Descriptor) -> bool:  # noqa: ARG002 - shared by all
        """Tell whether a blob of this digest and size is there."""
        return self._store.blob_size(blob.digest) == blob.size

    # --- writing ------------------------------------------------------------------------

    def put_blob(
        self,
        repository: str,
        blob: Descriptor,
        content: BlobOpener,
        *,
        mount_from: Sequence[str] = (),  # noqa: ARG002 - what one repository has, all have
        absent: bool = False,  # noqa: ARG002 - a look costs less than a write
    ) -> BlobPut:
        """Make sure that a blob is there; raises DigestMismatch and SizeMismatch."""
        with on_side(Side.DESTINATION):
            is_there = self.has_blob(repository, blob)
        if is_there:
            return BlobPut(outcome=BlobOutcome.PRESENT)
        with content() as blocks:
            self._store.add_blob(blob, blocks)
        return BlobPut(outcome=BlobOutcome.UPLOADED, bytes_sent=blob.size, attempts=1)

    def put_manifest(self, repository: str, manifest: Manifest, *, tag: Tag | None = None) -> bool:
        """Write a manifest, then the index that leads to it (OCI-10.6); raises ContentMissing."""
        check_repository(repository)
        self._check_complete(manifest)
        if not self.has_blob(repository, manifest.descriptor):
            self._store.add_blob(manifest.descriptor, (manifest.raw,))
        reachable = self._children_without_subject(manifest)

        def change(raw: bytes) -> bytes:
            index = LayoutIndex.parse(raw, self._home)
            return index.with_manifest(manifest, repository, tag, reachable=reachable)

        self._store.edit_index(change)
        return manifest.subject is not None

    def close(self) -> None:
        """Finish what was begun; may be called again."""
        self._store.close()

    # --- abilities ----------------------------------------------------------------------

    def list_repositories(self) -> Iterator[str]:
        """Yield the repositories named in the index.

        Tags that belong to no repository are listed under the name of the file or directory.
        """
        index = self._index()
        yield from dict.fromkeys(
            name if name is not None else _nearest_name(self._store.path)
            for name in index.repositories()
        )

    def list_referrers(self, repository: str, subject: Digest) -> tuple[Descriptor, ...]:
        """Return the referrers among all entries of the index, and those of the fallback tag."""
        index = self._index()
        found = [self._as_referrer(entry.descriptor) for entry in index.entries]
        listed = [each[1] for each in found if each is not None and each[0] == subject]
        fallback = self._fallback(repository, subject, index)
        return tuple({entry.digest: entry for entry in (*fallback, *listed)}.values())

    def delete_tag(self, repository: str, tag: Tag) -> None:
        """Take a tag away; the manifest stays, and so do its other tags."""
        if self._index().find(repository, tag) is None:
            return
        self._store.edit_index(
            lambda raw: LayoutIndex.parse(raw, self._home).without_tag(repository, tag)
        )

    # --- underneath ---------------------------------------------------------------------

    def _index(self) -> LayoutIndex:
        return LayoutIndex.parse(self._store.read_index(), self._home)

    def _load(self, repository: str, reference: Tag | Digest) -> Manifest | None:
        index = self._index()
        if isinstance(reference, Tag):
            entry = index.find(repository, reference)
            return None if entry is None else self._read(entry.digest, entry.media_type)
        entry = index.find_digest(reference)
        if entry is not None:
            return self._read(reference, entry.media_type)
        found = self._read_unlisted(reference)
        return found if found is not None and _is_meant(found) else None

    def _read_unlisted(self, digest: Digest) -> Manifest | None:
        """Read what no entry calls a manifest; most such content is something else."""
        try:
            return self._read(digest, "")
        except InvalidManifest:
            return None

    def _read(self, digest: Digest, media_type: str) -> Manifest | None:
        """Read a manifest and check its bytes, though they are from a disk of ours (OCI-9.16)."""
        if self._store.blob_size(digest) is None:
            return None
        with self._store.open_blob(digest) as file:
            raw = file.read(MAX_MANIFEST_BYTES + 1)
        return Manifest.parse(raw, media_type, digest=digest)

    def _check_complete(self, manifest: Manifest) -> None:
        wanted = (blob for blob in manifest.blobs if not blob.is_foreign)
        missing = [str(b.digest) for b in wanted if self._store.blob_size(b.digest) is None]
        if missing:
            msg = f"{manifest.digest} names content that {self.name} does not have"
            raise ContentMissing(msg, digests=missing, method="put_manifest")

    def _children_without_subject(self, manifest: Manifest) -> frozenset[Digest]:
        """Return the children found through ``manifest`` alone; referrers are looked for."""
        digests = (child.digest for child in manifest.manifests)
        children = [self._read_unlisted(digest) for digest in digests]
        return frozenset(c.digest for c in children if c is not None and c.subject is None)

    def _as_referrer(self, entry: Descriptor) -> tuple[Digest, Descriptor] | None:
        """Return a manifest's subject and its line in a list of referrers; read once each."""
        with self._lock:
            if entry.digest in self._subjects:
                return self._subjects[entry.digest]
        try:
            manifest = self._read(entry.digest, entry.media_type)
        except (IntegrityError, InvalidReference) as error:
            _log.warning("%s is taken for no referrer: %s", entry.digest, error.message)
            manifest = None
        if manifest is None:
            return None
        subject = manifest.subject
        found = None if subject is None else (subject.digest, manifest.as_referrer())
        with self._lock:
            self._subjects[entry.digest] = found
        return found

    def _fallback(
        self, repository: str, subject: Digest, index: LayoutIndex
    ) -> tuple[Descriptor, ...]:
        entry = index.find(repository, Tag(subject.tag_prefix))
        found = None if entry is None else self._read(entry.digest, entry.media_type)
        return found.entries if found is not None else ()


def _blocks(file: BinaryIO, path: Path) -> Iterator[bytes]:
    while True:
        with disk_errors(path):
            block = file.read(BLOCK)
        if not block:
            return
        yield block


def _is_meant(found: Manifest) -> bool:
    """Tell a manifest from an image's config, which looks like one but for these keys."""
    return not found.document.keys().isdisjoint({"schemaVersion", "mediaType"})


def _nearest_name(path: Path) -> str:
    """Make a repository name out of a path's last component."""
    words = re.findall(r"[a-z0-9]+", path.absolute().name.lower())
    return check_repository("-".join(words)) if words else "layout"


def read_home(endpoint: Endpoint) -> str | None:
    """Return the repository that an endpoint on disk names as the home of its plain tags.

    Raises:
        InvalidValue: It has another option, or the name is none.
    """
    options = endpoint.options
    home = options.pop("repository", None)
    if options:
        msg = f"{endpoint} has the unknown option {min(options)!r}"
        raise InvalidValue(msg, hint="the one option is repository=NAME")
    try:
        return None if home is None else check_repository(home)
    except InvalidReference as error:
        raise InvalidValue(error.message, hint=error.hint) from error


@contextmanager
def disk_errors(path: Path, side: Side | None = None) -> Iterator[None]:
    """Turn what the operating system says about ``path`` into errors of this package.

    Args:
        path: Where that is.
        side: On which side of a copy, if that is known: where it is written.
    """
    try:
        yield
    except OSError as error:
        kind = next((kind for codes, kind in _ERRORS if error.errno in codes), ServerError)
        msg = f"{path}: {error.strerror or error}"
        if error.filename is not None and error.filename != str(path):
            msg = f"{path}: {error.filename}: {error.strerror}"
        raise kind(msg, side=side) from error


_ERRORS: Final[tuple[tuple[frozenset[int], type[HarborsyncError]], ...]] = (
    (_FULL, QuotaExceeded),
    (_REFUSED, Denied),
    (_ODD, IntegrityError),
    (frozenset({errno.ENOENT}), NotFound),
)
