"""What the embedded registry holds: blobs, manifests, tags, open uploads.

Small blobs stay in memory; from 1 MiB on they live in files, so that a registry in a test
can take a gigabyte and stay small. Tests reach in here to seed and to check:

    >>> storage = Storage()
    >>> digest = storage.put_blob("team/app", b"layer")
    >>> storage.blob("team/app", digest).read()
    b'layer'
    >>> storage.close()

Nothing here checks what a registry must check: content can be stored under a digest that is
not its own, for tests that need a liar.
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import tempfile
import threading
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import attrs

from harborsync.content import OCI_MANIFEST
from harborsync.reference import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable

#: From this size on a blob is kept in a file.
SPOOL_AT: Final = 2**20
_READ: Final = 256 * 1024


@attrs.frozen(kw_only=True)
class StoredBlob:
    """Bytes at rest, in memory or in a file.

    Attributes:
        size: How many they are.
        data: The bytes, or None if they are in a file.
        path: The file, or None.
    """

    size: int
    data: bytes | None = attrs.field(default=None, repr=False)
    path: Path | None = None

    def open(self) -> BinaryIO:
        """Open the bytes for reading."""
        return io.BytesIO(self.data or b"") if self.path is None else self.path.open("rb")

    def read(self) -> bytes:
        """Return all the bytes."""
        with self.open() as stream:
            return stream.read()


@attrs.frozen(kw_only=True)
class StoredManifest:
    """A manifest as it was pushed.

    Attributes:
        digest: The digest it is stored under.
        media_type: The type it was pushed with.
        content: Its bytes.
    """

    digest: Digest
    media_type: str
    content: bytes = attrs.field(repr=False)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The parsed bytes; empty if they are no JSON object."""
        with suppress(ValueError, RecursionError):
            parsed = json.loads(self.content)
            if isinstance(parsed, dict):
                return parsed
        return {}

    @property
    def subject(self) -> str | None:
        """The digest of the manifest this one refers to, or None."""
        subject = self.document.get("subject")
        return str(subject.get("digest")) if isinstance(subject, dict) else None

    @property
    def referrer(self) -> dict[str, Any]:
        """The descriptor that a list of referrers holds for this manifest."""
        document = self.document
        config = document.get("config")
        config_type = config.get("mediaType") if isinstance(config, dict) else None
        entry = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": len(self.content),
            "artifactType": document.get("artifactType") or config_type,
            "annotations": document.get("annotations"),
        }
        return {key: value for key, value in entry.items() if value is not None}


class Upload:
    """An upload session: bytes that come one after another, and no name yet.

    Attributes:
        id: Its name in URLs.
        repository: Where it was opened.
        offset: Bytes taken so far.
        state: How many requests have changed it, so that an old URL can be told.
        lock: Held by the request that works on it.
        is_lost: Whether the registry forgot it while a request worked on it.
    """

    def __init__(self, repository: str, algorithm: str, directory: Path) -> None:
        self.id = secrets.token_hex(16)
        self.repository = repository
        self.offset = 0
        self.state = 0
        self.lock = threading.Lock()
        self.is_lost = False
        self._algorithm = algorithm
        self._hasher = hashlib.new(algorithm)
        self._directory = directory
        self._blocks: list[bytes] = []
        self._file: BinaryIO | None = None

    def append(self, block: bytes) -> None:
        """Take the next bytes."""
        self._hasher.update(block)
        self.offset += len(block)
        if self._file is None and self.offset >= SPOOL_AT:
            self._file = self._path.open("w+b")
            self._file.writelines(self._blocks)
            self._blocks.clear()
        if self._file is None:
            self._blocks.append(block)
        else:
            self._file.write(block)

    def digest(self, algorithm: str) -> str:
        """Return the digest of what has come, reading it again for another algorithm."""
        if algorithm == self._algorithm:
            return f"{algorithm}:{self._hasher.hexdigest()}"
        hasher = hashlib.new(algorithm)
        for block in self._read():
            hasher.update(block)
        return f"{algorithm}:{hasher.hexdigest()}"

    def finish(self) -> StoredBlob:
        """Return what has come as a blob; the session is over."""
        if self._file is None:
            return StoredBlob(size=self.offset, data=b"".join(self._blocks))
        self._file.close()
        return StoredBlob(size=self.offset, path=self._path)

    def discard(self) -> None:
        """Throw away what has come; the session is over."""
        self._blocks.clear()
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)

    @property
    def _path(self) -> Path:
        return self._directory / self.id

    def _read(self) -> Iterable[bytes]:
        if self._file is None:
            yield from self._blocks
            return
        self._file.flush()
        with self._path.open("rb") as stream:
            while block := stream.read(_READ):
                yield block


@attrs.define
class _Repository:
    blobs: dict[str, StoredBlob] = attrs.field(factory=dict)
    manifests: dict[str, StoredManifest] = attrs.field(factory=dict)
    tags: dict[str, str] = attrs.field(factory=dict)
    referrers: dict[str, dict[str, StoredManifest]] = attrs.field(factory=dict)


class Storage:
    """Everything one embedded registry holds; safe to use from several threads.

    Args:
        directory: Where large blobs go; a temporary directory of its own if None.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._lock = threading.RLock()
        self._repositories: dict[str, _Repository] = {}
        self._uploads: dict[str, Upload] = {}
        self._given = directory
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    # --- blobs ---------------------------------------------------------------------------

    def put_blob(self, repository: str, content: bytes, *, digest: Digest | None = None) -> Digest:
        """Store ``content`` and return its digest, or ``digest`` if that is to be its name."""
        name = digest or Digest.of(content)
        self.link_blob(repository, str(name), StoredBlob(size=len(content), data=content))
        return name

    def link_blob(self, repository: str, digest: str, blob: StoredBlob) -> None:
        """Make a blob appear in a repository."""
        with self._lock:
            self._repository(repository).blobs[digest] = blob

    def blob(self, repository: str, digest: Digest | str) -> StoredBlob | None:
        """Return a blob of a repository, or None."""
        with self._lock:
            return self._peek(repository).blobs.get(str(digest))

    def blob_anywhere(self, digest: Digest | str) -> StoredBlob | None:
        """Return a blob of any repository, or None."""
        with self._lock:
            held = (each.blobs.get(str(digest)) for each in self._repositories.values())
            return next((blob for blob in held if blob is not None), None)

    def blobs(self, repository: str) -> frozenset[str]:
        """Return the digests of a repository's blobs."""
        with self._lock:
            return frozenset(self._peek(repository).blobs)

    def delete_blob(self, repository: str, digest: Digest | str) -> bool:
        """Take a blob out of a repository; tell whether it was there."""
        with self._lock:
            return self._peek(repository).blobs.pop(str(digest), None) is not None

    # --- manifests and tags --------------------------------------------------------------

    def put_manifest(
        self,
        repository: str,
        content: bytes,
        *,
        media_type: str = OCI_MANIFEST,
        tags: Iterable[str] = (),
        digest: Digest | None = None,
    ) -> Digest:
        """Store a manifest under its digest, or under ``digest``, and point tags to it."""
        name = digest or Digest.of(content)
        manifest = StoredManifest(digest=name, media_type=media_type, content=content)
        with self._lock:
            held = self._repository(repository)
            held.manifests[str(name)] = manifest
            if manifest.subject is not None:
                held.referrers.setdefault(manifest.subject, {})[str(name)] = manifest
            held.tags.update(dict.fromkeys(tags, str(name)))
        return name

    def manifest(self, repository: str, reference: Digest | str) -> StoredManifest | None:
        """Return the manifest of a tag or digest, or None."""
        with self._lock:
            held = self._peek(repository)
            name = str(reference)
            return held.manifests.get(held.tags.get(name, name))

    def manifests(self, repository: str) -> tuple[StoredManifest, ...]:
        """Return all manifests of a repository, in the order they were first pushed."""
        with self._lock:
            return tuple(self._peek(repository).manifests.values())

    def delete_manifest(self, repository: str, digest: Digest | str) -> bool:
        """Delete a manifest and all tags on it; tell whether it was there."""
        name = str(digest)
        with self._lock:
            held = self._peek(repository)
            for tag in [tag for tag, target in held.tags.items() if target == name]:
                del held.tags[tag]
            manifest = held.manifests.pop(name, None)
            if manifest is not None and manifest.subject is not None:
                del held.referrers[manifest.subject][name]
            return manifest is not None

    def tags(self, repository: str) -> dict[str, str]:
        """Return the tags of a repository with the digests they point to."""
        with self._lock:
            return dict(self._peek(repository).tags)

    def tag(self, repository: str, tag: str, digest: Digest | str) -> None:
        """Point a tag to a manifest, whether it is there or not."""
        with self._lock:
            self._repository(repository).tags[tag] = str(digest)

    def delete_tag(self, repository: str, tag: str) -> bool:
        """Take a tag away and leave its manifest; tell whether it was there."""
        with self._lock:
            return self._peek(repository).tags.pop(tag, None) is not None

    def referrers(self, repository: str, subject: Digest | str) -> list[dict[str, Any]]:
        """Return the descriptors of the manifests that name ``subject``."""
        with self._lock:
            found = tuple(self._peek(repository).referrers.get(str(subject), {}).values())
        return [each.referrer for each in found]

    def has_repository(self, repository: str) -> bool:
        """Tell whether anything was ever put into a repository."""
        with self._lock:
            return repository in self._repositories

    def repositories(self) -> tuple[str, ...]:
        """Return the names of all repositories, sorted."""
        with self._lock:
            return tuple(sorted(self._repositories))

    # --- uploads -------------------------------------------------------------------------

    def open_upload(self, repository: str, algorithm: str = "sha256") -> Upload:
        """Begin an upload session."""
        upload = Upload(repository, algorithm, self._directory())
        with self._lock:
            self._uploads[upload.id] = upload
        return upload

    def upload(self, repository: str, upload_id: str) -> Upload | None:
        """Return an open session of a repository, or None."""
        with self._lock:
            found = self._uploads.get(upload_id)
        return found if found is not None and found.repository == repository else None

    def close_upload(self, upload: Upload) -> None:
        """Forget a session; what became of its bytes is the caller's affair."""
        with self._lock:
            self._uploads.pop(upload.id, None)

    def forget_uploads(self) -> None:
        """Lose all open sessions, as a registry does that is restarted.

        What a request is at work on is thrown away by that request, which fails.
        """
        with self._lock:
            lost = list(self._uploads.values())
            self._uploads.clear()
            for upload in lost:
                upload.is_lost = True
        for upload in lost:
            if upload.lock.acquire(blocking=False):
                upload.discard()
                upload.lock.release()

    @property
    def open_uploads(self) -> int:
        """Number of sessions that were neither finished nor cancelled."""
        with self._lock:
            return len(self._uploads)

    def close(self) -> None:
        """Throw everything away; may be called again."""
        self.forget_uploads()
        with self._lock:
            self._repositories.clear()
            if self._temporary is not None:
                self._temporary.cleanup()
                self._temporary = None

    # --- inside --------------------------------------------------------------------------

    def _repository(self, name: str) -> _Repository:
        return self._repositories.setdefault(name, _Repository())

    def _peek(self, name: str) -> _Repository:
        return self._repositories.get(name) or _Repository()

    def _directory(self) -> Path:
        if self._given is not None:
            return self._given
        with self._lock:
            if self._temporary is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="harborsync-registry-")
            return Path(self._temporary.name)
