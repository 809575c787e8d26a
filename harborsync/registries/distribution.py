"""Any registry that speaks the OCI distribution API: the one way bytes go over HTTP.

    >>> from harborsync.gate import open_registry
    >>> registry = open_registry("registry+http://127.0.0.1:5000")  # no request yet
    >>> registry.name
    '127.0.0.1:5000'

A cloud's registry is this one with other :class:`~harborsync.registry.Quirks` and with
abilities of its own put in through ``abilities``; nobody derives a class from it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.artifact import UNAVAILABLE, Artifact
from harborsync.content import MANIFEST_TYPES, MAX_MANIFEST_BYTES, Descriptor, Manifest
from harborsync.errors import DigestMismatch, InvalidReference, NotFound, RegistryError, Side
from harborsync.provider import Provider
from harborsync.reference import DOCKER_HUB, Digest, Tag
from harborsync.registries import downloads
from harborsync.registries.calls import (
    Api,
    path,
    pulling,
    pushing,
    said_digest,
    said_length,
)
from harborsync.registries.extras import Catalog, Mounts, Probes, Referrers, TagDeletion
from harborsync.registries.hints import Hints, etag
from harborsync.registries.pages import names
from harborsync.registries.uploads import Uploader
from harborsync.registry import Abilities, BlobPut, Quirks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from harborsync.endpoint import Endpoint
    from harborsync.http.wire import Answer, Transport
    from harborsync.provider import OpenContext
    from harborsync.registry import BlobOpener, Registry

#: Where Docker Hub's API is; its name is another (OCI-1.4).
DOCKER_HUB_ORIGIN: Final = "https://registry-1.docker.io"
_HUB_NAMES: Final = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})

_ACCEPT: Final = ", ".join(MANIFEST_TYPES)  # OCI-3.2, 3.3
_NO_TYPE: Final = frozenset(
    {"", "text/plain", "text/html", "application/json", "application/octet-stream"}
)
_SCHEMA1: Final = "application/vnd.docker.distribution.manifest.v1"
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_NOT_FOUND: Final = 404
_TELLING: Final = frozenset({_OK, _NOT_FOUND})
_NOT_ALLOWED: Final = 405
_WRITTEN: Final = frozenset({200, 201, 202})  # OCI-3.10
_SERVER_FAILED: Final = 500


def _as_they_are(abilities: Abilities) -> Abilities:
    return abilities


class DistributionRegistry:
    """A registry behind a distribution API; safe to use from many threads.

    Args:
        name: What people call it.
        transport: The way to it; closed with the registry.
        context: Clock, policy, cancel flag, listeners and the memory for upload sessions.
        quirks: How it differs from the specification.
        abilities: Changes what it can do, given what the API offers.
        listing: Lists a repository, where the product has a better way than ``tags/list``.
    """

    def __init__(
        self,
        name: str,
        transport: Transport,
        context: OpenContext,
        *,
        quirks: Quirks | None = None,
        abilities: Callable[[Abilities], Abilities] = _as_they_are,
        listing: Callable[[str], Iterator[Artifact]] | None = None,
    ) -> None:
        self._api = Api(name=name, transport=transport, context=context)
        quirks = quirks or Quirks()
        self._referrers = Referrers(self._api)
        self._uploader = Uploader(
            self._api,
            quirks=quirks,
            has_blob=self.has_blob,
            journal=context.journal,
        )
        self._abilities = abilities(self._offered_abilities())
        self._listing = listing or self.list_tags
        self._lock = threading.Lock()
        self._no_head: set[str] = set()
        self._hints = Hints(context.clock.monotonic)

    # --- what it is ------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """How people call it."""
        return self._api.name

    @property
    def identity(self) -> str:
        """The origin of its API: within one, blobs can be mounted."""
        return self._api.transport.origin

    @property
    def abilities(self) -> Abilities:
        """What it can do, without what it has refused to do."""
        return self._abilities

    @property
    def quirks(self) -> Quirks:
        """How it differs from the specification, as far as it has not shown otherwise."""
        return self._uploader.quirks

    def close(self) -> None:
        """Close all connections; may be called again."""
        self._api.transport.close()

    def _offered_abilities(self) -> Abilities:
        return Abilities(
            catalog=Catalog(
                self._api,
                page_size=self.quirks.page_size,
                withdraw=lambda: self._withdraw(catalog=None),
            ),
            mounts=Mounts(),
            referrers=self._referrers,
            deletes_tags=TagDeletion(self._api, withdraw=lambda: self._withdraw(deletes_tags=None)),
            probes=Probes(self._api),
        )

    def _withdraw(self, **gone: None) -> None:
        with self._lock:
            self._abilities = attrs.evolve(self._abilities, **gone)

    # --- reading ---------------------------------------------------------------------------

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        """Yield every tag of a repository with what the best listing tells of it."""
        return self._listing(repository)

    def list_tags(self, repository: str) -> Iterator[Artifact]:
        """Yield every tag by ``tags/list``; a repository that is not there has none (OCI-5.5)."""
        listed = names(
            self._api,
            path(repository, "tags", "list"),
            "tags",
            scopes=pulling(repository),
            what=f"list tags of {repository}",
            page_size=self.quirks.page_size,
        )
        # A listing tells names only; what no ability can add later is not to be had.
        lacking: dict[str, Any] = {} if self._abilities.describe else _NOT_TO_BE_HAD
        try:
            for tag in filter(None, map(_tag, listed)):
                yield Artifact(repository=repository, tag=tag, **lacking)
        except NotFound:
            return

    def resolve(self, repository: str, reference: Tag | Digest) -> Descriptor | None:
        """Return what a tag or digest points to, or None if it is not there."""
        hint = self._hints.of(repository) if isinstance(reference, Tag) else None
        head = self._head_manifest(repository, reference, hint.digest if hint else None)
        if head is not None and head.status == _NOT_MODIFIED:
            return hint
        if head is not None and head.status == _NOT_FOUND:
            return None
        found = head and self._described(head, reference)
        if head and found:
            self._hints.learn(repository, found, head)
            return found
        answer = self._get_manifest(repository, reference)
        if answer.status == _NOT_FOUND:
            return None
        return self._read_manifest(answer, repository, reference).descriptor

    def get_manifest(self, repository: str, reference: Tag | Digest) -> Manifest:
        """Return a manifest, checked against its digest (OCI-3.8); a wrong one is read again once."""
        try:
            return self._manifest(repository, reference)
        except DigestMismatch:
            return self._manifest(repository, reference)

    def open_blob(
        self, repository: str, blob: Descriptor, offset: int = 0
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Open a blob's bytes from ``offset``; goes on by itself after a cut (OCI-4.31)."""
        return downloads.open_blob(self._api, repository, blob, offset)

    def has_blob(self, repository: str, blob: Descriptor) -> bool:
        """Tell whether a blob of this digest and size is there (OCI-4.1)."""
        return downloads.has_blob(self._api, repository, blob, no_head=self._no_head)

    # --- writing ---------------------------------------------------------------------------

    def put_blob(
        self,
        repository: str,
        blob: Descriptor,
        content: BlobOpener,
        *,
        mount_from: Sequence[str] = (),
        absent: bool = False,
    ) -> BlobPut:
        """Make sure that a blob is there, by the cheapest way."""
        return self._uploader.put(
            repository,
            blob,
            content,
            mount_from=mount_from,
            mounting=self._abilities.mounts,
            absent=absent,
        )

    def put_manifest(self, repository: str, manifest: Manifest, *, tag: Tag | None = None) -> bool:
        """Write a manifest byte for byte, under its digest or a tag (OCI-3.5, 3.10)."""
        reference = tag or manifest.digest
        what = f"write manifest {reference} to {repository}"
        answer = self._api.send(
            "PUT",
            path(repository, "manifests", reference),
            headers={"Content-Type": manifest.media_type},
            body=manifest.raw,
            scopes=pushing(repository),
            what=what,
            patient=True,
        )
        if answer.status not in _WRITTEN:
            raise self._api.refused(answer, what).at(Side.DESTINATION)
        self._check_stored(answer, repository, manifest, reference)
        return self._is_indexed(answer, repository, manifest)

    def _check_stored(
        self, answer: Answer, repository: str, manifest: Manifest, reference: Tag | Digest
    ) -> None:
        """See that the manifest is there, as it was sent; 200 is also what a proxy's page says."""
        if answer.headers.get("Docker-Content-Digest") == str(manifest.digest):
            return
        said = said_digest(answer)
        if said is None and answer.status == _OK:
            found = self.resolve(repository, reference)
            said = None if found is None else found.digest
            if said is None:
                msg = f"{self.name} took manifest {manifest.digest} and does not have it"
                hint = "something that is no registry may have answered"
                raise RegistryError(
                    msg, method="PUT", status=answer.status, side=Side.DESTINATION, hint=hint
                )
        if said and said.verifiable and not said.matches(manifest.raw):
            msg = f"{self.name} stored {said} when sent manifest {manifest.digest}"
            raise DigestMismatch(
                msg, side=Side.DESTINATION, hint="the registry altered the manifest"
            )

    def _is_indexed(self, answer: Answer, repository: str, manifest: Manifest) -> bool:
        """Tell whether the subject is indexed, by what the API does: the header has lied (OCI-6.8)."""
        subject = manifest.subject
        if subject is None:
            return False
        if self._abilities.referrers is not self._referrers:
            return answer.headers.get("OCI-Subject") == str(subject.digest)
        return self._referrers.indexes(repository, subject.digest)

    # --- manifests in detail ---------------------------------------------------------------

    def _head_manifest(
        self, repository: str, reference: Tag | Digest, guess: Digest | None
    ) -> Answer | None:
        """Ask by HEAD, or return None where only a GET will tell (OCI-3.9, 7.2).

        304 is an answer only to a guess.
        """
        if "manifests" in self._no_head or not self.quirks.digest_header_trusted:
            return None
        what = f"resolve {reference} of {repository}"
        answer = self._ask_manifest("HEAD", repository, reference, what, guess)
        if answer.status == _NOT_ALLOWED:
            self._no_head.add("manifests")
        if answer.status >= _SERVER_FAILED:
            raise self._api.refused(answer, what)
        if guess is not None and answer.status == _NOT_MODIFIED:
            return answer
        return answer if answer.status in _TELLING else None

    def _manifest(self, repository: str, reference: Tag | Digest) -> Manifest:
        answer = self._get_manifest(repository, reference)
        return self._read_manifest(answer, repository, reference)

    def _get_manifest(self, repository: str, reference: Tag | Digest) -> Answer:
        what = f"read manifest {reference} of {repository}"
        return self._ask_manifest("GET", repository, reference, what)

    def _ask_manifest(
        self,
        method: str,
        repository: str,
        reference: Tag | Digest,
        what: str,
        guess: Digest | None = None,
    ) -> Answer:
        unless = {} if guess is None else {"If-None-Match": etag(guess)}
        return self._api.send(
            method,
            path(repository, "manifests", reference),
            headers={"Accept": _ACCEPT, **unless},
            scopes=pulling(repository),
            max_body=MAX_MANIFEST_BYTES,
            what=what,
        )

    def _described(self, answer: Answer, reference: Tag | Digest) -> Descriptor | None:
        """Read a descriptor off an answer's header, or None where it lacks a part (OCI-3.9)."""
        media_type = _media_type(answer)
        digest, size = said_digest(answer), said_length(answer)
        if digest is None or not size or media_type in _NO_TYPE:
            return None
        if isinstance(reference, Digest):
            if digest.algorithm == reference.algorithm and digest != reference:
                return None
            digest = reference
        return Descriptor(media_type=media_type, digest=digest, size=size)

    def _read_manifest(self, answer: Answer, repository: str, reference: Tag | Digest) -> Manifest:
        if answer.status != _OK:
            raise self._api.refused(answer, f"read manifest {reference} of {repository}")
        media_type = _media_type(answer)
        expected = reference if isinstance(reference, Digest) else self._trusted_digest(answer)
        if media_type.startswith(_SCHEMA1):
            expected = None  # its digest is not that of its bytes; parsing refuses it (OCI-3.4)
        try:
            return Manifest.parse(answer.body, media_type, digest=expected)
        except DigestMismatch as error:
            encoding = answer.headers.get("Content-Encoding")
            if encoding:
                error.hint = f"something on the way encoded it as {encoding[:40]!r} (OCI-4.29)"
            raise

    def _trusted_digest(self, answer: Answer) -> Digest | None:
        digest = said_digest(answer) if self.quirks.digest_header_trusted else None
        return digest if digest and digest.verifiable else None


_NOT_TO_BE_HAD: Final[dict[str, Any]] = {
    "pushed_at": UNAVAILABLE,
    "labels": UNAVAILABLE,
    "immutable": UNAVAILABLE,
}


def _media_type(answer: Answer) -> str:
    return answer.headers.get("Content-Type").partition(";")[0].strip().lower()


def _tag(name: str) -> Tag | None:
    """Return the tag, or None: some registries list digests with the tags (OCI-5.5)."""
    try:
        return Tag(name)
    except InvalidReference:
        return None


# Seen at docker-registry 2.8.2 and distribution 3; a registry that refuses is asked by HEAD.
_QUIRKS: Final = Quirks(mount_tells_presence=True)


def _open(endpoint: Endpoint, context: OpenContext) -> Registry:
    from harborsync.http.options import check_names  # noqa: PLC0415 - loads requests
    from harborsync.http.session import open_transport  # noqa: PLC0415

    check_names(endpoint)
    origin = DOCKER_HUB_ORIGIN if endpoint.host in _HUB_NAMES else None
    transport = open_transport(endpoint, context, origin=origin)
    return DistributionRegistry(endpoint.host, transport, context, quirks=_QUIRKS)


PROVIDER: Final = Provider(name="registry", open=_open)
