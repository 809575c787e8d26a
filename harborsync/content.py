"""What a registry stores: blobs, and manifests that describe and join them.

A :class:`Manifest` keeps the bytes it was read from and is never written any other way
(OCI-3.5). Parsing refuses what two readers could understand in two ways (OCI-3.6, 3.12):
a document that is image and index at once, duplicate keys, sizes that are no whole numbers,
nesting without end.
"""

from __future__ import annotations

import base64
import binascii
import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self, cast

import attrs

from harborsync.errors import DigestMismatch, InvalidManifest, InvalidReference, InvalidValue
from harborsync.reference import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"
OCI_ARTIFACT: Final = "application/vnd.oci.artifact.manifest.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
#: What cosign's classic signatures sign.
COSIGN_PAYLOAD: Final = "application/vnd.dev.cosign.simplesigning.v1+json"

INDEX_TYPES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFEST_TYPES: Final = (OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST, OCI_ARTIFACT)
_SCHEMA1: Final = "application/vnd.docker.distribution.manifest.v1"
_NO_TYPE: Final = frozenset({"", "text/plain", "application/json", "application/octet-stream"})

# Image-spec layer.md and Docker's registry documentation: content that may not be pushed on.
_FOREIGN: Final = (
    "application/vnd.oci.image.layer.nondistributable.",
    "application/vnd.docker.image.rootfs.foreign.",
)
# Index entries that are layers, as BuildKit's cache export writes them (OCI-3.14).
_BLOBS_IN_INDEX: Final = (
    "application/vnd.oci.image.layer.",
    "application/vnd.docker.image.rootfs.",
    "application/vnd.buildkit.cacheconfig.",
)

MAX_MANIFEST_BYTES: Final = 8 * 2**20  # OCI-3.11
MAX_DEPTH: Final = 64  # OCI-3.12
MAX_ENTRIES: Final = 10_000  # OCI-3.12
_MAX_SIZE: Final = 2**63

EMPTY_CONTENT: Final = b"{}"  # OCI-3.16

# BuildKit's attestations hang on a sibling through these annotations (OCI-3.22).
ATTESTATION_TYPE: Final = "vnd.docker.reference.type"
ATTESTATION_SUBJECT: Final = "vnd.docker.reference.digest"

REF_NAME: Final = "org.opencontainers.image.ref.name"


# What kernels call amd64 and arm64; no image is for a platform of that name.
_KERNEL_WORDS: Final = frozenset({"x86_64", "x86-64", "aarch64"})


@attrs.frozen(kw_only=True, order=True)
class Platform:
    """What an image runs on.

    Attributes:
        os: Operating system, a Go ``GOOS`` value.
        architecture: Processor, a Go ``GOARCH`` value.
        variant: Processor variant such as ``v8``, or empty.
        os_version: Version of the operating system, or empty.

    Example:
        >>> str(Platform.parse("linux/arm64/v8"))
        'linux/arm64/v8'
    """

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``os/architecture[/variant][:os.version]``.

        Raises:
            InvalidValue: The text is no platform.
        """
        name, _, version = text.strip().partition(":")
        parts = name.split("/")
        is_other = name != name.lower() or not _KERNEL_WORDS.isdisjoint(parts)
        if len(parts) not in (2, 3) or not all(parts) or is_other:
            msg = f"{text!r} is no platform"
            raise InvalidValue(msg, hint="write it like linux/amd64 or linux/arm/v7")
        return cls(
            os=parts[0],
            architecture=parts[1],
            variant=parts[2] if len(parts) == 3 else "",  # noqa: PLR2004 - os, architecture, variant
            os_version=version,
        )

    def covers(self, other: Platform) -> bool:
        """Tell whether an image for ``other`` is what somebody who asks for ``self`` wants.

        ``arm64`` and ``arm64/v8`` are one platform; any other variant must be equal, and a
        Windows version is a prefix (OCI-3.23).
        """
        return (self.os, self.architecture, self._variant) == (
            other.os,
            other.architecture,
            other._variant,
        ) and f"{other.os_version}.".startswith(f"{self.os_version}." if self.os_version else "")

    @property
    def _variant(self) -> str:
        return "v8" if self.architecture == "arm64" and not self.variant else self.variant

    def __str__(self) -> str:
        """Return the canonical text, which parses back to an equal value."""
        variant = f"/{self.variant}" if self.variant else ""
        version = f":{self.os_version}" if self.os_version else ""
        return f"{self.os}/{self.architecture}{variant}{version}"


def _frozen_mapping(
    pairs: Mapping[str, str] | Iterable[tuple[str, str]],
) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(dict(pairs).items()))


@attrs.frozen(kw_only=True)
class Descriptor:
    """A pointer to content: its type, its digest, its size.

    Attributes:
        media_type: What the content is.
        digest: The content's digest.
        size: The content's length in bytes.
        platform: What an index entry runs on, or None.
        annotation_items: Annotations as sorted pairs; see :attr:`annotations`.
        artifact_type: What a referrer is, or empty.
        urls: Other places the content can be fetched from; never used unless asked for.
        data: The content itself where the descriptor carries it, or None (OCI-3.17).
    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotation_items: tuple[tuple[str, str], ...] = attrs.field(
        default=(), converter=_frozen_mapping
    )
    artifact_type: str = ""
    urls: tuple[str, ...] = ()
    data: bytes | None = attrs.field(default=None, repr=False)

    @property
    def annotations(self) -> dict[str, str]:
        """The annotations as a new dictionary."""
        return dict(self.annotation_items)

    @property
    def is_foreign(self) -> bool:
        """Whether the content is one that may not be distributed further (OCI-3.19)."""
        return self.media_type.startswith(_FOREIGN)

    @property
    def is_index(self) -> bool:
        """Whether the content is an index, also called a manifest list."""
        return self.media_type in INDEX_TYPES

    @property
    def is_manifest(self) -> bool:
        """Whether the content is a manifest of a known type, indexes included."""
        return self.media_type in MANIFEST_TYPES

    @property
    def attests(self) -> str | None:
        """The digest text of the sibling this BuildKit attestation speaks of, or None (OCI-3.22)."""
        notes = self.annotations
        is_attestation = notes.get(ATTESTATION_TYPE) == "attestation-manifest"
        return notes.get(ATTESTATION_SUBJECT) if is_attestation else None

    @classmethod
    def of(cls, content: bytes, media_type: str, **fields: Any) -> Self:
        """Describe ``content``."""
        digest = fields.pop("digest", None) or Digest.of(content)
        return cls(media_type=media_type, digest=digest, size=len(content), **fields)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read a descriptor out of a parsed manifest.

        Raises:
            InvalidManifest: It is none.
        """
        entry = _object(value, "a descriptor")
        size = entry.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < _MAX_SIZE:
            msg = f"a descriptor's size is {size!r}, not a whole number of bytes"
            raise InvalidManifest(msg)
        try:
            digest = Digest.parse(_text(entry, "digest"))
        except InvalidReference as error:
            raise InvalidManifest(error.message) from error
        urls = entry.get("urls") or []
        return cls(
            media_type=_text(entry, "mediaType"),
            digest=digest,
            size=size,
            platform=_platform(entry.get("platform")),
            annotation_items=_annotations(entry),
            artifact_type=_text(entry, "artifactType"),
            urls=tuple(url for url in urls if isinstance(url, str))
            if isinstance(urls, list)
            else (),
            data=_data(entry.get("data"), digest, size),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the descriptor as the JSON object that stands in a manifest."""
        entry: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.platform is not None:
            entry["platform"] = _platform_json(self.platform)
        if self.annotation_items:
            entry["annotations"] = self.annotations
        if self.artifact_type:
            entry["artifactType"] = self.artifact_type
        if self.urls:
            entry["urls"] = list(self.urls)
        if self.data is not None:
            entry["data"] = base64.b64encode(self.data).decode()
        return entry


EMPTY: Final = Descriptor.of(EMPTY_CONTENT, OCI_EMPTY, data=EMPTY_CONTENT)


@attrs.frozen(eq=False, slots=False)
class Manifest:
    """A manifest exactly as it was read, and what it says.

    Two manifests are equal if their bytes and their media types are.

    Attributes:
        raw: The bytes; what is hashed and what is written (OCI-3.5).
        media_type: The type it is written with (OCI-3.7).
        digest: The digest of ``raw``.
    """

    raw: bytes = attrs.field(repr=False)
    media_type: str
    digest: Digest

    @classmethod
    def parse(
        cls,
        raw: bytes,
        media_type: str = "",
        *,
        digest: Digest | None = None,
        max_bytes: int = MAX_MANIFEST_BYTES,
    ) -> Self:
        """Read a manifest.

        Args:
            raw: The document.
            media_type: The Content-Type it came with, or the type its descriptor gives.
            digest: What it was asked for by, if by digest; checked against the bytes.
            max_bytes: The longest document accepted.

        Raises:
            InvalidManifest: It is no manifest, or two at once, or over a limit.
            DigestMismatch: The bytes are not those of ``digest``.
        """
        if len(raw) > max_bytes:
            msg = f"a manifest of {len(raw)} bytes is over the limit of {max_bytes}"
            raise InvalidManifest(msg)
        if digest is not None and not digest.matches(raw):
            msg = f"the content asked for as {digest} has the digest {Digest.of(raw, digest.algorithm)}"
            raise DigestMismatch(msg, hint="the registry or something before it altered the bytes")
        document = _document(raw)
        return cls(raw, _decide_type(document, media_type), digest or Digest.of(raw))

    @cached_property
    def document(self) -> dict[str, Any]:
        """The parsed document; never serialise it back."""
        return _document(self.raw)

    @property
    def size(self) -> int:
        """The length in bytes."""
        return len(self.raw)

    @property
    def descriptor(self) -> Descriptor:
        """A descriptor of this manifest, with type, digest and size."""
        return Descriptor(media_type=self.media_type, digest=self.digest, size=self.size)

    @property
    def is_index(self) -> bool:
        """Whether this is an index, also called a manifest list."""
        return self.media_type in INDEX_TYPES

    @cached_property
    def entries(self) -> tuple[Descriptor, ...]:
        """What an index lists, in order; empty for other manifests.

        Raises:
            InvalidManifest: An entry is no descriptor.
        """
        return _descriptors(self.document, "manifests")

    @cached_property
    def manifests(self) -> tuple[Descriptor, ...]:
        """The index entries that are manifests, or of a type nobody here knows (OCI-3.14)."""
        return tuple(e for e in self.entries if not e.media_type.startswith(_BLOBS_IN_INDEX))

    @cached_property
    def layers(self) -> tuple[Descriptor, ...]:
        """The layers, in order, doubled ones included.

        Raises:
            InvalidManifest: One of them is no descriptor.
        """
        return _descriptors(self.document, "layers")

    @cached_property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The blobs this manifest names, each digest once, config first.

        Raises:
            InvalidManifest: One of them is no descriptor.
        """
        config = self.document.get("config")
        found = (
            *((Descriptor.from_json(config),) if config is not None else ()),
            *self.layers,
            *_descriptors(self.document, "blobs"),
            *(e for e in self.entries if e.media_type.startswith(_BLOBS_IN_INDEX)),
        )
        return tuple({blob.digest: blob for blob in reversed(found)}.values())[::-1]

    @cached_property
    def subject(self) -> Descriptor | None:
        """What this manifest is about, or None; not a child (OCI-6)."""
        subject = self.document.get("subject")
        return None if subject is None else Descriptor.from_json(subject)

    @property
    def annotations(self) -> dict[str, str]:
        """The manifest's own annotations."""
        return dict(_annotations(self.document))

    @property
    def artifact_type(self) -> str:
        """What this artifact is: its artifactType, else its config's type (distribution-spec)."""
        declared = self.document.get("artifactType")
        if isinstance(declared, str) and declared:
            return declared
        config = self.document.get("config")
        kind = config.get("mediaType") if isinstance(config, dict) else None
        return kind if isinstance(kind, str) else ""

    def as_referrer(self) -> Descriptor:
        """The entry a referrers list has for this manifest, annotations kept (OCI-6.9)."""
        return attrs.evolve(
            self.descriptor,
            artifact_type=self.artifact_type,
            annotation_items=self.annotations,
        )

    def __eq__(self, other: object) -> bool:
        """Compare bytes and type."""
        if not isinstance(other, Manifest):
            return NotImplemented
        return (self.raw, self.media_type) == (other.raw, other.media_type)

    def __hash__(self) -> int:
        """Hash by digest."""
        return hash((self.digest, self.media_type))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the bytes only, not what was parsed from them."""
        return type(self), (self.raw, self.media_type, self.digest)


# --- reading documents nobody vouches for --------------------------------------------------


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a manifest names one key twice, which readers understand differently"
        raise InvalidManifest(msg)
    return found


def _refuse_number(text: str) -> float:
    msg = f"a manifest holds the number {text[:40]}, which is no whole number"
    raise InvalidManifest(msg)


def _check_depth(value: object, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        msg = f"a manifest is nested deeper than {MAX_DEPTH}"
        raise InvalidManifest(msg)
    if isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            _check_depth(child, depth + 1)


def _document(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_pairs, parse_constant=_refuse_number)
    except (ValueError, RecursionError) as error:
        msg = "the document is no JSON"
        raise InvalidManifest(msg) from error
    _check_depth(value)
    return _object(value, "a manifest")


def _decide_type(document: dict[str, Any], served: str) -> str:
    """Decide what a document is, or refuse one that is two things (OCI-3.4, 3.6, 3.7)."""
    served = served.partition(";")[0].strip().lower()
    declared = _text(document, "mediaType")
    if (
        served.startswith(_SCHEMA1)
        or declared.startswith(_SCHEMA1)
        or document.get("schemaVersion") == 1
    ):
        msg = "this is an image manifest of schema 1, which no current client can verify"
        raise InvalidManifest(msg, hint="pull the image and push it again with a current client")
    if "manifests" in document and document.keys() & {"config", "layers", "fsLayers"}:
        msg = "a manifest claims to be an index and an image at once"
        raise InvalidManifest(msg, hint="see CVE-2021-41190; do not trust where it came from")
    if served not in _NO_TYPE and declared and served != declared:
        msg = f"a manifest was served as {served!r} and says that it is {declared!r}"
        raise InvalidManifest(msg)
    decided = declared or ("" if served in _NO_TYPE else served) or _by_shape(document)
    is_shaped_otherwise = ("manifests" in document) != (decided in INDEX_TYPES)
    if is_shaped_otherwise and decided in MANIFEST_TYPES:
        msg = f"a manifest is called {decided!r} and has the shape of something else"
        raise InvalidManifest(msg)
    return decided


def _by_shape(document: dict[str, Any]) -> str:
    if "manifests" in document:
        return OCI_INDEX
    if "config" in document or "layers" in document:
        return OCI_MANIFEST
    msg = "the document is no manifest: it has neither a type nor layers nor manifests"
    raise InvalidManifest(msg)


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        msg = f"{what} is no JSON object"
        raise InvalidManifest(msg)
    return cast("dict[str, Any]", value)


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        msg = f"{key!r} in a manifest is no text"
        raise InvalidManifest(msg)
    return value


def _annotations(entry: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    notes = entry.get("annotations") or {}
    if not isinstance(notes, dict) or not all(isinstance(v, str) for v in notes.values()):
        msg = "annotations in a manifest are no mapping of texts"
        raise InvalidManifest(msg)
    return _frozen_mapping(notes)


def _descriptors(document: Mapping[str, Any], key: str) -> tuple[Descriptor, ...]:
    found = document.get(key)
    if found is None:
        return ()
    if not isinstance(found, list) or len(found) > MAX_ENTRIES:
        msg = f"{key!r} in a manifest is no list of at most {MAX_ENTRIES} descriptors"
        raise InvalidManifest(msg)
    return tuple(Descriptor.from_json(entry) for entry in found)


def _platform(value: object) -> Platform | None:
    if value is None:
        return None
    entry = _object(value, "a platform")
    return Platform(
        os=_text(entry, "os"),
        architecture=_text(entry, "architecture"),
        variant=_text(entry, "variant"),
        os_version=_text(entry, "os.version"),
    )


def _platform_json(platform: Platform) -> dict[str, str]:
    fields = {
        "architecture": platform.architecture,
        "os": platform.os,
        "os.version": platform.os_version,
        "variant": platform.variant,
    }
    return {key: value for key, value in fields.items() if value}


def _data(value: object, digest: Digest, size: int) -> bytes | None:
    """Return embedded content only if it is what the descriptor says it is."""
    if not isinstance(value, str):
        return None
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    honest = len(content) == size and digest.verifiable and digest.matches(content)
    return content if honest else None
