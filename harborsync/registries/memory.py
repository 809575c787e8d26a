"""A registry in this process's memory: the contract of the house, written out once in full.

It does everything a registry can do, and refuses what a careful one refuses. Tests give it
quirks, take abilities away and count what was asked of it:

    >>> from harborsync.testing.content import random_image
    >>> registry = MemoryRegistry(without=["referrers"])
    >>> digest = random_image(1).push_to(registry, "team/app", "v1")
    >>> [str(artifact.tag) for artifact in registry.list_artifacts("team/app")]
    ['v1']
    >>> registry.operations.count("put_blob")
    3

The endpoint ``memory://NAME`` opens one that all of this process shares by its name; what is
in it stays until the process ends, however often it is closed.
"""

from __future__ import annotations

import itertools
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.artifact import Artifact, Label
from harborsync.clock import Clock, SystemClock
from harborsync.errors import (
    ContentMissing,
    DigestMismatch,
    InvalidValue,
    NotFound,
    RegistryError,
    SizeMismatch,
    TagImmutable,
    Unsupported,
)
from harborsync.events import BlobOutcome
from harborsync.provider import Provider
from harborsync.reference import Digest, Tag, check_repository
from harborsync.registry import Abilities, BlobPut, Quirks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from harborsync.content import Descriptor, Manifest
    from harborsync.endpoint import Endpoint
    from harborsync.provider import OpenContext
    from harborsync.registry import BlobOpener

_BLOCK: Final = 64 * 1024
_serial: Final = itertools.count(1)


@attrs.define
class _Repository:
    blobs: dict[Digest, bytes] = attrs.field(factory=dict)
    manifests: dict[Digest, Manifest] = attrs.field(factory=dict)
    tags: dict[Tag, Digest] = attrs.field(factory=dict)
    pushed_at: dict[Tag, datetime] = attrs.field(factory=dict)
    labels: dict[Digest, frozenset[str]] = attrs.field(factory=dict)
    description: str = ""

    def find(self, reference: Tag | Digest) -> Manifest | None:
        digest = reference if isinstance(reference, Digest) else self.tags.get(reference)
        return None if digest is None else self.manifests.get(digest)

    def lacking(self, manifest: Manifest, *, sparse: bool) -> list[Digest]:
        """Return what a manifest names and nobody has; foreign layers may be elsewhere."""
        blobs = [blob.digest for blob in manifest.blobs if not blob.is_foreign]
        children = [] if sparse else [child.digest for child in manifest.manifests]
        missing = [digest for digest in blobs if digest not in self.blobs]
        return missing + [d for d in children if d not in self.manifests and d not in self.blobs]


class MemoryRegistry:
    """A registry whose repositories are dictionaries; safe to use from many threads.

    It is its own ability for everything it can do.

    Args:
        name: How people call it.
        quirks: How it differs from the specification; it keeps to the sizes in there, and to
            what is said about sha512 and sparse indexes.
        without: Names of the abilities it does not have, such as ``referrers``.
        creates_repositories: Repositories must be made before they can be written to.
        immutable_tags: A tag that exists cannot be moved.
        clock: Tells when a tag was pushed.
    """

    def __init__(
        self,
        name: str = "memory",
        *,
        quirks: Quirks | None = None,
        without: Iterable[str] = (),
        creates_repositories: bool = False,
        immutable_tags: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.identity = f"memory:{name}#{next(_serial)}"
        self.quirks = quirks or Quirks()
        self._without = frozenset(without) | (set() if creates_repositories else {"creates"})
        self._immutable_tags = immutable_tags
        self._clock = clock or SystemClock()
        self._lock = threading.RLock()
        self._repositories: dict[str, _Repository] = {}
        self._labels: dict[tuple[str, str], Label] = {}
        self._operations: list[str] = []

    @property
    def abilities(self) -> Abilities:
        """What this one can do: everything but what it was made without."""
        everything = Abilities(
            catalog=self,
            mounts=self,
            referrers=self,
            creates=self,
            deletes_tags=self,
            labels=self,
            descriptions=self,
        )
        return attrs.evolve(everything, **dict.fromkeys(self._without))

    @property
    def operations(self) -> tuple[str, ...]:
        """The names of all methods called so far, in order."""
        with self._lock:
            return tuple(self._operations)

    # --- reading ------------------------------------------------------------------------

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        """Yield every tag with its digest, type, labels and time of push."""
        with self._noted("list_artifacts"):
            held = self._peek(repository)
            listed = [self._artifact(repository, held, tag) for tag in held.tags]
        return iter(listed)

    def resolve(self, repository: str, reference: Tag | Digest) -> Descriptor | None:
        """Return what a tag or digest points to, or None."""
        with self._noted("resolve"):
            found = self._peek(repository).find(reference)
        return None if found is None else found.descriptor

    def get_manifest(self, repository: str, reference: Tag | Digest) -> Manifest:
        """Return a manifest; raises NotFound."""
        with self._noted("get_manifest"):
            found = self._peek(repository).find(reference)
        if found is None:
            raise self._not_found(repository, reference)
        return found

    @contextmanager
    def open_blob(
        self, repository: str, blob: Descriptor, offset: int = 0
    ) -> Iterator[Iterator[bytes]]:
        """Open a blob's bytes from ``offset``; raises NotFound and SizeMismatch."""
        with self._noted("open_blob"):
            content = self._peek(repository).blobs.get(blob.digest)
        if content is None:
            raise self._not_found(repository, blob.digest)
        if len(content) != blob.size:
            msg = f"{blob.digest} in {self.name}/{repository} has {len(content)} bytes, not {blob.size}"
            raise SizeMismatch(msg)
        starts = range(offset, len(content), _BLOCK)
        yield (content[start : start + _BLOCK] for start in starts)

    def has_blob(self, repository: str, blob: Descriptor) -> bool:
        """Tell whether a blob of this digest and size is there."""
        with self._noted("has_blob"):
            return self._holds(repository, blob)

    # --- writing ------------------------------------------------------------------------

    def put_blob(
        self,
        repository: str,
        blob: Descriptor,
        content: BlobOpener,
        *,
        mount_from: Sequence[str] = (),
        absent: bool = False,
    ) -> BlobPut:
        """Make sure that a blob is there; raises DigestMismatch and SizeMismatch."""
        with self._noted("put_blob"):
            self._check_blob(blob)
            held = self._writable(repository)
            if not absent and self._holds(repository, blob):
                return BlobPut(outcome=BlobOutcome.PRESENT)
            origin = self._mountable(blob, mount_from)
            if origin is not None:
                held.blobs[blob.digest] = origin.blobs[blob.digest]
                return BlobPut(outcome=BlobOutcome.MOUNTED, attempts=1)
        found = _read_checked(blob, content)
        with self._lock:
            held.blobs[blob.digest] = found
        return BlobPut(outcome=BlobOutcome.UPLOADED, bytes_sent=blob.size, attempts=1)

    def put_manifest(self, repository: str, manifest: Manifest, *, tag: Tag | None = None) -> bool:
        """Write a manifest; raises ContentMissing and TagImmutable."""
        with self._noted("put_manifest"):
            self._check_manifest(manifest)
            held = self._writable(repository)
            self._check_complete(repository, held, manifest)
            if tag is not None:
                self._move_tag(repository, held, tag, manifest.digest)
            held.manifests[manifest.digest] = manifest
        return manifest.subject is not None and self.abilities.referrers is not None

    def remove(self, repository: str, digest: Digest) -> None:
        """Lose a blob or manifest, as a garbage collection does that nobody expected."""
        with self._lock:
            held = self._peek(repository)
            held.blobs.pop(digest, None)
            held.manifests.pop(digest, None)

    def close(self) -> None:
        """Do nothing: what is stored stays."""
        with self._noted("close"):
            pass

    # --- abilities ----------------------------------------------------------------------

    def list_repositories(self) -> Iterator[str]:
        """Yield the names of all repositories."""
        with self._noted("list_repositories"):
            return iter(tuple(self._repositories))

    def may_mount(self, repository: str, from_repository: str) -> bool:
        """Tell that every repository can mount from every other."""
        return repository != from_repository

    def origins(self, repository: str, blob: Descriptor) -> tuple[str, ...]:
        """Return the other repositories that have a blob."""
        with self._noted("origins"):
            names = [name for name in self._repositories if name != repository]
            return tuple(name for name in names if self._holds(name, blob))

    def list_referrers(self, repository: str, subject: Digest) -> tuple[Descriptor, ...]:
        """Return the descriptors of all manifests whose subject this is."""
        with self._noted("list_referrers"):
            held = tuple(self._peek(repository).manifests.values())
        return tuple(
            m.as_referrer() for m in held if m.subject is not None and m.subject.digest == subject
        )

    def ensure_repository(self, repository: str) -> bool:
        """Make the repository if it is lacking; tell whether it was made now."""
        with self._noted("ensure_repository"):
            is_new = check_repository(repository) not in self._repositories
            self._repositories.setdefault(repository, _Repository())
        return is_new

    def delete_tag(self, repository: str, tag: Tag) -> None:
        """Take a tag away and nothing else; raises TagImmutable."""
        with self._noted("delete_tag"):
            held = self._peek(repository)
            if tag in held.tags and self._immutable_tags:
                raise self._immutable(repository, tag)
            held.tags.pop(tag, None)

    def get_labels(self, repository: str, digest: Digest) -> frozenset[str]:
        """Return the names of an artifact's labels."""
        with self._noted("get_labels"):
            return self._peek(repository).labels.get(digest, frozenset())

    def find_labels(self, repository: str, names: frozenset[str]) -> tuple[Label, ...]:
        """Return the labels of these names, the project's own before the global ones."""
        with self._noted("find_labels"):
            found = (self._label(repository, name) for name in sorted(names))
            return tuple(label for label in found if label is not None)

    def change_labels(
        self, repository: str, digest: Digest, *, attach: Sequence[Label], detach: frozenset[str]
    ) -> None:
        """Attach labels, made if they are lacking, and take others off; raises NotFound."""
        with self._noted("change_labels"):
            held = self._peek(repository)
            if digest not in held.manifests:
                raise self._not_found(repository, digest)
            for label in attach:
                if self._label(repository, label.name) is None:
                    self.make_label(repository, label)
            named = {label.name for label in attach}
            held.labels[digest] = (held.labels.get(digest, frozenset()) - detach) | named

    def make_label(self, repository: str, label: Label) -> None:
        """Define a label: everywhere if it is global, else in the repository's project.

        A project is all that begins with one first component, as in Harbor.
        """
        with self._noted("make_label"):
            self._labels[_project(repository, label), label.name] = label

    def list_descriptions(self) -> Iterator[tuple[str, str]]:
        """Yield each repository of the catalog with its text."""
        return ((name, self._peek(name).description) for name in self.list_repositories())

    def get_descriptions(self, repositories: frozenset[str]) -> dict[str, str]:
        """Return the texts about those repositories that are there."""
        with self._noted("get_descriptions"):
            there = sorted(repositories & self._repositories.keys())
            return {name: self._repositories[name].description for name in there}

    def set_description(self, repository: str, text: str) -> None:
        """Replace the text about a repository; raises NotFound."""
        with self._noted("set_description"):
            if repository not in self._repositories:
                raise self._no_repository(repository)
            self._repositories[repository].description = text

    # --- underneath; each is called with the lock held ----------------------------------

    @contextmanager
    def _noted(self, operation: str) -> Iterator[None]:
        """Note an operation down, and do it alone."""
        with self._lock:
            self._operations.append(operation)
            yield

    def _peek(self, repository: str) -> _Repository:
        """Return a repository to read; one that is not there looks empty."""
        return self._repositories.get(repository) or _Repository()

    def _writable(self, repository: str) -> _Repository:
        if repository not in self._repositories and self.abilities.creates is not None:
            raise self._no_repository(repository)
        return self._repositories.setdefault(check_repository(repository), _Repository())

    def _label(self, repository: str, name: str) -> Label | None:
        own = self._labels.get((repository.partition("/")[0], name))
        return own or self._labels.get(("", name))

    def _artifact(self, repository: str, held: _Repository, tag: Tag) -> Artifact:
        manifest = held.manifests.get(held.tags[tag])
        return Artifact(
            repository=repository,
            tag=tag,
            digest=held.tags[tag],
            media_type=manifest.media_type if manifest else "",
            pushed_at=held.pushed_at[tag],
            labels=held.labels.get(held.tags[tag], frozenset()),
            immutable=self._immutable_tags,
        )

    def _holds(self, repository: str, blob: Descriptor) -> bool:
        content = self._peek(repository).blobs.get(blob.digest)
        return content is not None and len(content) == blob.size

    def _mountable(self, blob: Descriptor, candidates: Iterable[str]) -> _Repository | None:
        if self.abilities.mounts is None:
            return None
        return next((self._peek(name) for name in candidates if self._holds(name, blob)), None)

    def _move_tag(self, repository: str, held: _Repository, tag: Tag, digest: Digest) -> None:
        if self._immutable_tags and held.tags.get(tag, digest) != digest:
            raise self._immutable(repository, tag)
        held.tags[tag] = digest
        held.pushed_at[tag] = self._clock.now()

    # --- refusals -----------------------------------------------------------------------

    def _check_blob(self, blob: Descriptor) -> None:
        self._check_algorithm(blob.digest)
        limit = self.quirks.max_layer_bytes
        if limit is not None and blob.size > limit:
            msg = f"{self.name} takes blobs of at most {limit} bytes, and this has {blob.size}"
            raise RegistryError(msg, method="put_blob")

    def _check_manifest(self, manifest: Manifest) -> None:
        self._check_algorithm(manifest.digest)
        limit = self.quirks.max_manifest_bytes
        if manifest.size > limit:
            msg = f"{self.name} takes manifests of at most {limit} bytes, and this has {manifest.size}"
            raise RegistryError(msg, method="put_manifest", codes=["MANIFEST_INVALID"])

    def _check_algorithm(self, digest: Digest) -> None:
        if digest.algorithm == "sha512" and not self.quirks.takes_sha512:
            msg = f"{self.name} takes no sha512 digests"
            raise Unsupported(msg)

    def _check_complete(self, repository: str, held: _Repository, manifest: Manifest) -> None:
        missing = held.lacking(manifest, sparse=self.quirks.sparse_indexes)
        if missing:
            msg = f"{manifest.digest} names content that {self.name}/{repository} does not have"
            digests = [str(digest) for digest in missing]
            raise ContentMissing(msg, digests=digests, method="put_manifest")

    def _not_found(self, repository: str, reference: Tag | Digest) -> NotFound:
        return NotFound(f"there is no {reference} in {self.name}/{repository}")

    def _no_repository(self, repository: str) -> NotFound:
        msg = f"there is no repository {repository!r} in {self.name}"
        return NotFound(msg, codes=["NAME_UNKNOWN"])

    def _immutable(self, repository: str, tag: Tag) -> TagImmutable:
        return TagImmutable(f"the tag {tag} in {self.name}/{repository} cannot be changed")


def _project(repository: str, label: Label) -> str:
    return "" if label.is_global else repository.partition("/")[0]


def _read_checked(blob: Descriptor, content: BlobOpener) -> bytes:
    """Read content to its end, or one byte too far, and hold it against its descriptor."""
    hasher, found = blob.digest.hasher(), bytearray()
    with content() as blocks:
        for block in blocks:
            hasher.update(block)
            found += block
            if len(found) > blob.size:
                break
    if len(found) != blob.size:
        msg = f"the content of {blob.digest} is not {blob.size} bytes long"
        raise SizeMismatch(msg)
    if hasher.hexdigest() != blob.digest.encoded:
        msg = f"the content for {blob.digest} hashes to {hasher.hexdigest()}"
        raise DigestMismatch(msg)
    return bytes(found)


# --- the provider ---------------------------------------------------------------------------

_shared: Final[dict[str, MemoryRegistry]] = {}
_shared_lock: Final = threading.Lock()


def shared(name: str) -> MemoryRegistry:
    """Return the registry that ``memory://name`` opens, made when it is first asked for."""
    with _shared_lock:
        return _shared.setdefault(name, MemoryRegistry(name))


def _open(endpoint: Endpoint, context: OpenContext) -> MemoryRegistry:  # noqa: ARG001 - a provider's signature
    if endpoint.option_items:
        msg = f"a registry in memory has no options, and {endpoint} names some"
        raise InvalidValue(msg)
    return shared(endpoint.address)


PROVIDER: Final = Provider(name="memory", open=_open)
