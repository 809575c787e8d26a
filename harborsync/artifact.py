"""What is known about a candidate for copying, and what is not.

A fact is known, or not yet fetched (:attr:`Unknown.NOT_FETCHED`: a request would tell), or
not to be had at this registry (:attr:`Unknown.UNAVAILABLE`). A filter that needs a fact of
the last kind cannot decide; see :mod:`harborsync.filters`.
"""

from __future__ import annotations

from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.reference import ArtifactRef, Digest, Tag, check_repository

if TYPE_CHECKING:
    from datetime import datetime

    from harborsync.content import Descriptor, Platform


class Unknown(Enum):
    """Why a fact is not known."""

    NOT_FETCHED = "not fetched"
    UNAVAILABLE = "unavailable"

    def __repr__(self) -> str:
        """Read well inside other reprs."""
        return f"<{self.value}>"

    def __bool__(self) -> bool:
        """Count as nothing, so that ``fact or default`` reads well."""
        return False


NOT_FETCHED: Final = Unknown.NOT_FETCHED
UNAVAILABLE: Final = Unknown.UNAVAILABLE

#: The facts of an :class:`Artifact` that follow from its digest, whatever the tag.
DIGEST_FACTS: Final = ("media_type", "created_at", "annotations", "platforms", "size", "kind")


@attrs.frozen(kw_only=True)
class Artifact:
    """A tag of a repository, or an untagged digest, with what is known about it.

    All times are aware and in UTC.

    Attributes:
        repository: Full name of the repository in its registry.
        tag: The tag, or None for an artifact that has none.
        digest: The digest the tag points to.
        media_type: The manifest's media type.
        pushed_at: When the tag, else the digest, was pushed; None if the registry says never.
        created_at: When the image says that it was made; None if it does not say.
        labels: Names of the labels the registry keeps for the artifact.
        annotations: Annotations of the manifest.
        platforms: The platforms of an index, or the one of an image.
        size: Bytes of everything the artifact consists of, children included.
        kind: ``image``, ``chart``, ``signature``, ``sbom``, ``attestation`` or another
            artifact type.
        satellites: Digests of the first-level referrers and signatures, where a listing tells.
        immutable: Whether the registry refuses to move the tag.
        unreadable: Why it cannot be read at present, such as from an archive; empty if it can.
    """

    repository: str = attrs.field(converter=check_repository)
    tag: Tag | None
    digest: Digest | Unknown = NOT_FETCHED
    media_type: str | Unknown = NOT_FETCHED
    pushed_at: datetime | Unknown | None = NOT_FETCHED
    created_at: datetime | Unknown | None = NOT_FETCHED
    labels: frozenset[str] | Unknown = NOT_FETCHED
    annotations: tuple[tuple[str, str], ...] | Unknown = NOT_FETCHED
    platforms: frozenset[Platform] | Unknown = NOT_FETCHED
    size: int | Unknown = NOT_FETCHED
    kind: str | Unknown = NOT_FETCHED
    satellites: frozenset[Digest] | Unknown = NOT_FETCHED
    immutable: bool | Unknown = NOT_FETCHED
    unreadable: str = ""

    @cached_property
    def ref(self) -> ArtifactRef:
        """The artifact's name inside its registry, with all that is known of it."""
        digest = None if isinstance(self.digest, Unknown) else self.digest
        return ArtifactRef(self.repository, self.tag, digest)

    @property
    def reference(self) -> Tag | Digest:
        """What to ask the registry for: the digest if known, else the tag."""
        return self.ref.reference

    @property
    def descriptor(self) -> Descriptor | None:
        """A descriptor of the manifest, or None while digest or type are not known.

        Its size is 0: listings tell the size of everything, not of the manifest.
        """
        if isinstance(self.digest, Unknown) or isinstance(self.media_type, Unknown):
            return None
        from harborsync.content import Descriptor  # noqa: PLC0415 - only where one is made

        return Descriptor(media_type=self.media_type, digest=self.digest, size=0)

    def __str__(self) -> str:
        """Return ``repository[:tag][@digest]``."""
        return str(self.ref)


@attrs.frozen(kw_only=True)
class Label:
    """A label that a registry keeps; artifacts bear it by its name.

    Attributes:
        name: Its name, which is all that two registries know it by.
        color: What it is painted in, ``#RRGGBB``; empty where that is left to the registry.
        description: What it means, for people.
        is_global: Whether it is the whole registry's, not that of one part such as a project.
    """

    name: str = attrs.field(validator=attrs.validators.min_len(1))
    color: str = ""
    description: str = ""
    is_global: bool = False


@attrs.frozen(kw_only=True)
class Hints:
    """What everything that a filter wants has in common, so that a registry may list less.

    Each part that is known is true of all that is wanted; nothing is said of what is not.

    Attributes:
        tag: The one tag, or None if there may be others.
        tag_contains: A text that every tag contains; empty if there is none.
        pushed_after: A time after which each was pushed, or None; aware and in UTC.
        labels: Labels that each of them has.
    """

    tag: str | None = None
    tag_contains: str = ""
    pushed_after: datetime | None = None
    labels: frozenset[str] = frozenset()

    @property
    def narrow(self) -> bool:
        """Whether a registry can list less by them.

        A time alone does not suffice: registries look at when content was pushed, and a tag may
        be younger than what it points to.
        """
        return bool(self.tag or self.tag_contains or self.labels)

    def __and__(self, other: Hints) -> Hints:
        """Return what is known of things of which both are true."""
        return Hints(
            tag=other.tag if self.tag is None else self.tag,
            tag_contains=max(self.tag_contains, other.tag_contains, key=len),
            pushed_after=max(_known(self.pushed_after, other.pushed_after), default=None),
            labels=self.labels | other.labels,
        )

    def __or__(self, other: Hints) -> Hints:
        """Return what is known of things of which one or the other is true."""
        times = _known(self.pushed_after, other.pushed_after)
        return Hints(
            tag=self.tag if self.tag == other.tag else None,
            tag_contains=self._shared_fragment(other),
            pushed_after=min(times) if len(times) == 2 else None,  # noqa: PLR2004 - both
            labels=self.labels & other.labels,
        )

    def _shared_fragment(self, other: Hints) -> str:
        mine, theirs = (each.tag or each.tag_contains for each in (self, other))
        shorter, longer = sorted((mine, theirs), key=len)
        return shorter if shorter in longer else ""

    def fits(self, artifact: Artifact) -> bool:
        """Tell whether an artifact fulfils them, as far as its facts are known."""
        tag = "" if artifact.tag is None else str(artifact.tag)
        if self.tag not in {None, tag} or self.tag_contains not in tag:
            return False
        if not isinstance(artifact.labels, Unknown) and not self.labels <= artifact.labels:
            return False
        if self.pushed_after is None or isinstance(artifact.pushed_at, Unknown):
            return True
        return artifact.pushed_at is not None and artifact.pushed_at >= self.pushed_after


NO_HINTS: Final = Hints()


def _known(*times: datetime | None) -> list[datetime]:
    return [time for time in times if time is not None]
