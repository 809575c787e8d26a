"""Names of things in registries: digest, tag, repository, reference.

    >>> Reference.parse("registry.example:5000/team/app:v1").repository
    'team/app'
    >>> str(Reference.parse_familiar("nginx"))
    'docker.io/library/nginx:latest'

Grammar: OCI-1.1 to 1.7, that is distribution-spec "Pulling manifests" and image-spec
``descriptor.md``. Text is checked here once; inside the house these types are trusted.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Self

import attrs

from harborsync.errors import InvalidReference

if TYPE_CHECKING:
    from hashlib import _Hash

DOCKER_HUB: Final = "docker.io"
_HUB_ALIASES: Final = frozenset({"index.docker.io", "registry-1.docker.io", "docker.io"})

# OCI-1.5: lower-case hex of the algorithm's own length; others parse but cannot be verified.
_HEX_LENGTH: Final = {"sha256": 64, "sha512": 128}
_DIGEST: Final = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+", re.ASCII)
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII
)
_BARE_HEX: Final = re.compile(r"[0-9a-f]{64}")
_DIGEST_TAG: Final = re.compile(r"(sha256|sha512)-([0-9a-f]{64})(?:\.[A-Za-z0-9_.-]+)?")
_LONGEST_NAME: Final = 255


@attrs.frozen(order=True, cache_hash=True)
class Digest:
    """The name of some bytes: an algorithm and the bytes' hash in it.

    Attributes:
        algorithm: ``sha256``, ``sha512`` or another registered name.
        encoded: The hash, lower-case hex for the two above.
    """

    algorithm: str
    encoded: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``sha256:<64 hex>``, ``sha512:<128 hex>`` or another grammatical digest.

        Raises:
            InvalidReference: The text is no digest (OCI-1.5).
        """
        algorithm, _, encoded = text.partition(":")
        length = _HEX_LENGTH.get(algorithm)
        fits = _DIGEST.fullmatch(text) is not None
        if fits and length is not None:
            fits = len(encoded) == length and not set(encoded) - set("0123456789abcdef")
        if not fits:
            msg = f"{text[:200]!r} is no digest"
            raise InvalidReference(
                msg, hint="a digest looks like sha256:<64 lower-case hex digits>"
            )
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Self:
        """Return the digest of ``content``."""
        return cls(algorithm, hashlib.new(algorithm, content).hexdigest())

    @property
    def verifiable(self) -> bool:
        """Whether content can be checked against this digest here."""
        return self.algorithm in _HEX_LENGTH

    def hasher(self) -> _Hash:
        """Return a fresh hash object of this digest's algorithm.

        Raises:
            InvalidReference: The algorithm is not one we can compute.
        """
        if not self.verifiable:
            msg = f"content cannot be verified by {self.algorithm!r}"
            raise InvalidReference(msg, hint="only sha256 and sha512 digests can be fetched")
        return hashlib.new(self.algorithm)

    def matches(self, content: bytes) -> bool:
        """Tell whether ``content`` has this digest."""
        hasher = self.hasher()
        hasher.update(content)
        return hasher.hexdigest() == self.encoded

    @property
    def tag_prefix(self) -> str:
        """The tag under which signatures and referrers of this digest hang (OCI-6.3)."""
        return f"{self.algorithm[:32]}-{self.encoded[:64]}"

    def __str__(self) -> str:
        """Return ``algorithm:encoded``."""
        return f"{self.algorithm}:{self.encoded}"


class Tag(str):
    """A tag: at most 128 of ``A-Za-z0-9_.-``, not beginning with ``.`` or ``-``."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the text.

        Raises:
            InvalidReference: The text is no tag (OCI-1.1).
        """
        if not _TAG.fullmatch(text):
            msg = f"{text[:200]!r} is no tag"
            raise InvalidReference(
                msg, hint="a tag is at most 128 letters, digits, '_', '.', '-', not led by . or -"
            )
        return super().__new__(cls, text)

    @property
    def subject_prefix(self) -> str | None:
        """The ``sha256-<hex>`` this tag hangs on if it is a digest tag, else None.

        Digest tags are cosign's ``.sig``, ``.att``, ``.sbom`` and the referrers fallback
        index (OCI-6.3, 6.4): they belong to another manifest and are no user's tags.
        """
        found = _DIGEST_TAG.fullmatch(self)
        return f"{found[1]}-{found[2]}" if found else None


def check_repository(name: str) -> str:
    """Return ``name`` if it is a repository name.

    Raises:
        InvalidReference: It is none (OCI-1.1, 1.2, 1.7).
    """
    if len(name) <= _LONGEST_NAME and _is_repository(name):
        return name
    hint = "a repository is a/b/c in lower-case letters and digits, joined by '.', '_', '__' or '-'"
    if _REPOSITORY.fullmatch(name.lower()) and name != name.lower():
        hint = f"repository names are lower-case; did you mean {name.lower()!r}?"
    msg = f"{name[:300]!r} is no repository name"
    raise InvalidReference(msg, hint=hint)


@lru_cache(maxsize=4096)  # few names, each met in many tags
def _is_repository(name: str) -> bool:
    return _REPOSITORY.fullmatch(name) is not None and _BARE_HEX.fullmatch(name) is None


def check_host(host: str) -> str:
    """Return ``host`` if it is a host with or without a port.

    Raises:
        InvalidReference: It is none.
    """
    port = host.rpartition("]")[2].partition(":")[2]
    if _HOST.fullmatch(host) and int(port or 1) in range(1, 65536):
        return host
    msg = f"{host[:300]!r} is no registry host"
    raise InvalidReference(msg, hint="write it like registry.example, 10.0.0.1:5000 or [::1]:5000")


def _tag_or_none(text: str | None) -> Tag | None:
    return None if text is None else Tag(text)


def _suffix(tag: Tag | None, digest: Digest | None) -> str:
    return (f":{tag}" if tag is not None else "") + (f"@{digest}" if digest is not None else "")


def _split(text: str) -> tuple[str, Tag | None, Digest | None]:
    """Split ``name[:tag][@digest]``; the name keeps its host."""
    name, at, digest = text.partition("@")
    slash = name.rfind("/")
    colon = name.find(":", slash + 1)
    tag = None
    if colon != -1:
        name, tag = name[:colon], name[colon + 1 :]
    return name, _tag_or_none(tag), Digest.parse(digest) if at else None


@attrs.frozen(order=False)
class ArtifactRef:
    """An artifact inside one registry.

    Attributes:
        repository: The full repository name in that registry.
        tag: The tag, or None.
        digest: The digest, or None. With both, the digest decides what is fetched (OCI-1.6).
    """

    repository: str = attrs.field(converter=check_repository)
    tag: Tag | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``repository[:tag][@digest]``.

        Raises:
            InvalidReference: The text is none.
        """
        return cls(*_split(text))

    @property
    def reference(self) -> Tag | Digest:
        """What to ask the registry for: the digest if known, else the tag.

        Raises:
            InvalidReference: There is neither.
        """
        found = self.digest or self.tag
        if found is None:
            msg = f"{self} names a repository, not an artifact"
            raise InvalidReference(msg, hint="add :tag or @digest")
        return found

    def __str__(self) -> str:
        """Return the canonical text, which parses back to an equal value."""
        return self.repository + _suffix(self.tag, self.digest)


@attrs.frozen(order=False)
class Reference:
    """An artifact anywhere: registry host, repository, and tag or digest or both or neither.

    Attributes:
        host: The registry's host, with a port if it is not the usual one.
        repository: The full repository name.
        tag: The tag, or None.
        digest: The digest, or None.
    """

    host: str = attrs.field(converter=check_host)
    repository: str = attrs.field(converter=check_repository)
    tag: Tag | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``host/repository[:tag][@digest]``; nothing is filled in.

        Raises:
            InvalidReference: The text is none, or has no host.
        """
        name, tag, digest = _split(text)
        host, slash, repository = name.partition("/")
        if not slash or not _looks_like_host(host):
            msg = f"{text[:300]!r} does not begin with a registry host"
            raise InvalidReference(
                msg, hint="write host/repository:tag; short names are read by parse_familiar()"
            )
        return cls(host, repository, tag, digest)

    @classmethod
    def parse_familiar(cls, text: str) -> Self:
        """Read what people type: ``nginx`` is ``docker.io/library/nginx:latest`` (OCI-1.3, 1.7).

        Raises:
            InvalidReference: The text is no reference.
        """
        name, tag, digest = _split(text)
        host, slash, repository = name.partition("/")
        if not slash or not _looks_like_host(host):
            host, repository = DOCKER_HUB, name
        if host in _HUB_ALIASES:
            host = DOCKER_HUB
            repository = repository if "/" in repository else f"library/{repository}"
        if tag is None and digest is None:
            tag = Tag("latest")
        return cls(host, repository, tag, digest)

    @property
    def artifact(self) -> ArtifactRef:
        """The same without the host."""
        return ArtifactRef(self.repository, self.tag, self.digest)

    def __str__(self) -> str:
        """Return the canonical text, which parses back to an equal value."""
        return f"{self.host}/{self.repository}{_suffix(self.tag, self.digest)}"


def _looks_like_host(text: str) -> bool:
    return "." in text or ":" in text or text == "localhost" or text.startswith("[")
