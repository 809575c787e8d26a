"""The ``index.json`` of an OCI image layout: which manifest is called what.

An entry's name is in its annotations, and tools differ in what they write (OCI-10.2)::

    org.opencontainers.image.ref.name   v1                    skopeo, umoci, oras: a tag
    org.opencontainers.image.ref.name   team/app:v1           a full name
    io.containerd.image.name            host/team/app:v1      containerd, docker: a full name

A full name decides the repository; the host in it is left out. A plain tag belongs to the
layout's *home*, if it has one; else to the repository of the full name beside it; and with no
full name beside it, to whichever repository is asked for: such a layout holds just one.

We write the tag alone as long as no other repository has taken it, and the full name where
one has; the full name always stands beside it, so that what was written is read the same way.
A repository whose first part would be read as a host gets ``localhost/`` before it.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.content import OCI_INDEX, REF_NAME, Descriptor
from harborsync.errors import InvalidManifest, InvalidReference
from harborsync.reference import ArtifactRef, Digest, Reference, Tag

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from harborsync.content import Manifest

_log = logging.getLogger(__name__)

CONTAINERD_NAME: Final = "io.containerd.image.name"
#: The longest index.json that is read.
MAX_INDEX_BYTES: Final = 64 * 2**20
EMPTY_INDEX: Final = f'{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[]}}'.encode()


@attrs.frozen(kw_only=True)
class Entry:
    """One line of the index.

    Attributes:
        raw: The JSON object as it stands there.
        descriptor: What it says.
        repository: The repository it belongs to, or None for any that is asked for.
        tag: Its tag, or None if it has no name.
    """

    raw: dict[str, Any]
    descriptor: Descriptor
    repository: str | None = None
    tag: Tag | None = None

    def is_called(self, repository: str, tag: Tag) -> bool:
        """Tell whether this is a tag of a repository."""
        return self.tag == tag and self.repository in {None, repository}


@attrs.frozen(kw_only=True)
class LayoutIndex:
    """All of an index.json, what we do not understand included.

    Attributes:
        document: The JSON object.
        home: The repository that plain tags belong to, or None.
        entries: The entries that can be read, in order.
    """

    document: dict[str, Any]
    home: str | None = None
    entries: tuple[Entry, ...] = ()

    @classmethod
    def parse(cls, raw: bytes, home: str | None = None) -> LayoutIndex:
        """Read an index.json; empty bytes are an empty index.

        Entries that are no descriptors are passed over, and kept when the index is written
        (OCI-10.3).

        Raises:
            InvalidManifest: It is no index.
        """
        document = _document(raw) if raw else {}
        listed = document.get("manifests")
        listed = [] if listed is None else listed
        if not isinstance(listed, list):
            msg = "'manifests' in index.json is no list"
            raise InvalidManifest(msg)
        entries = (_entry(value, home) for value in listed)
        return cls(document=document, home=home, entries=tuple(e for e in entries if e is not None))

    def find(self, repository: str, tag: Tag) -> Descriptor | None:
        """Return what a tag points to; of two entries of one name the first counts."""
        return self.tags(repository).get(tag)

    def find_digest(self, digest: Digest) -> Descriptor | None:
        """Return the first entry of a digest."""
        return next((e.descriptor for e in self.entries if e.descriptor.digest == digest), None)

    def tags(self, repository: str) -> dict[Tag, Descriptor]:
        """Return the tags of a repository."""
        found: dict[Tag, Descriptor] = {}
        for entry in self.entries:
            if entry.tag is not None and entry.is_called(repository, entry.tag):
                found.setdefault(entry.tag, entry.descriptor)
        return found

    def repositories(self) -> Iterator[str | None]:
        """Yield the repositories named here, each once, and None if a tag belongs to none."""
        yield from dict.fromkeys(e.repository for e in self.entries if e.tag is not None)

    def with_manifest(
        self,
        manifest: Manifest,
        repository: str,
        tag: Tag | None,
        *,
        reachable: Container[Digest] = (),
    ) -> bytes:
        """Return the index with one more manifest.

        A manifest without a tag gets an entry without a name, which goes as soon as a name or
        another manifest leads to it.

        Args:
            manifest: The manifest.
            repository: Its repository.
            tag: Its tag, taken away from whatever has it now, or None.
            reachable: Digests that need no entry of their own any more.
        """
        gone = {
            id(e.raw) for e in self.entries if e.tag is None and e.descriptor.digest in reachable
        }
        if tag is not None:
            gone |= self._named(repository, tag) | self._unnamed(manifest.digest)
        elif self.find_digest(manifest.digest) is not None:
            return self._written(gone)
        name = {} if tag is None else self._name(repository, tag)
        return self._written(gone, _line(manifest, name))

    def without_tag(self, repository: str, tag: Tag) -> bytes:
        """Return the index without a tag."""
        return self._written(self._named(repository, tag))

    def _named(self, repository: str, tag: Tag) -> set[int]:
        return {id(e.raw) for e in self.entries if e.is_called(repository, tag)}

    def _unnamed(self, digest: Digest) -> set[int]:
        return {id(e.raw) for e in self.entries if e.tag is None and e.descriptor.digest == digest}

    def _name(self, repository: str, tag: Tag) -> dict[str, str]:
        full = _full(repository, tag)
        is_taken = any(e.tag == tag and not e.is_called(repository, tag) for e in self.entries)
        is_plain = repository == self.home if self.home else not is_taken
        return {REF_NAME: tag if is_plain else full, CONTAINERD_NAME: full}

    def _written(self, gone: Container[int], *added: dict[str, Any]) -> bytes:
        listed = self.document.get("manifests") or []
        kept = [value for value in listed if id(value) not in gone]
        head = {"schemaVersion": 2, "mediaType": OCI_INDEX, **self.document}
        return json.dumps({**head, "manifests": [*kept, *added]}, separators=(",", ":")).encode()


def _document(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        msg = "index.json is no JSON"
        raise InvalidManifest(msg) from error
    if not isinstance(document, dict):
        msg = "index.json is no JSON object"
        raise InvalidManifest(msg)
    return document


def _entry(value: object, home: str | None) -> Entry | None:
    if not isinstance(value, dict):
        return None
    try:
        descriptor = Descriptor.from_json(value)
    except InvalidManifest as error:
        _log.debug("an entry of index.json is passed over: %s", error.message)
        return None
    repository, tag = _called(descriptor.annotations, home)
    return Entry(raw=value, descriptor=descriptor, repository=repository, tag=tag)


def _called(notes: dict[str, str], home: str | None) -> tuple[str | None, Tag | None]:
    """Return repository and tag; a name that is none is no name (OCI-9.18)."""
    name, full = notes.get(REF_NAME, ""), full_name(notes.get(CONTAINERD_NAME, ""))
    try:
        tag = Tag(name)
    except InvalidReference:
        full = full_name(name) or full
        return (full.repository, full.tag) if full is not None else (None, None)
    return home or (full.repository if full is not None else None), tag


def full_name(text: str) -> ArtifactRef | None:
    """Read ``[host/]repository:tag``; None if it is none."""
    with suppress(InvalidReference):
        return _if_tagged(Reference.parse(text).artifact)
    with suppress(InvalidReference):
        return _if_tagged(ArtifactRef.parse(text))
    return None


def _full(repository: str, tag: Tag) -> str:
    """Write a full name from which the same repository is read again."""
    name = f"{repository}:{tag}"
    found = full_name(name)
    is_read_again = found is not None and found.repository == repository
    return name if is_read_again else f"localhost/{name}"


def _if_tagged(found: ArtifactRef) -> ArtifactRef | None:
    return found if found.tag is not None else None


def _line(manifest: Manifest, name: dict[str, str]) -> dict[str, Any]:
    """Return the entry for a manifest; its own annotations stay out, they could name it."""
    kind = manifest.artifact_type if manifest.subject is not None else ""
    line = attrs.evolve(manifest.descriptor, annotation_items=name, artifact_type=kind)
    return line.to_json()
