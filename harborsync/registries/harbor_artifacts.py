"""What Harbor's lists say about an artifact, put into our words.

A list tells nearly everything that a filter asks; what it tells by halves is left open, so
that it is read from the manifest itself where somebody wants to know.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.artifact import NOT_FETCHED, Artifact, Unknown
from harborsync.content import ATTESTATION_TYPE, INDEX_TYPES, Platform
from harborsync.errors import InvalidReference
from harborsync.reference import Digest, Tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Record = dict[str, Any]

_NEVER: Final = "0001-"  # how the zero time begins
_CREATED: Final = "org.opencontainers.image.created"
_KINDS: Final = {"IMAGE": "image", "CHART": "chart"}
#: Of these the list leaves out what tells them apart: the variant, the version of Windows.
_HALF_TOLD: Final = frozenset({"arm", "windows"})


@attrs.frozen(kw_only=True)
class Listed:
    """An artifact of a list, whatever tags it has.

    Attributes:
        digest: Its digest.
        facts: What is said of it, by the names of :class:`~harborsync.artifact.Artifact`.
        tags: Its tags, with what is said of each.
        children: The digests of an index's children.
    """

    digest: Digest
    facts: Mapping[str, Any]
    tags: tuple[Record, ...]
    children: tuple[Digest, ...]

    @property
    def has_satellites(self) -> bool | None:
        """Whether anything points to it; None where the list does not tell."""
        satellites = self.facts["satellites"]
        return None if isinstance(satellites, Unknown) else bool(satellites)

    def artifacts(self, repository: str, *, with_immutable: bool = False) -> Iterator[Artifact]:
        """Yield an artifact for each tag."""
        for record in self.tags:
            tag = _tag(record.get("name"))
            if tag is None:
                continue
            immutable = bool(record.get("immutable")) if with_immutable else NOT_FETCHED
            yield Artifact(
                repository=repository,
                tag=tag,
                digest=self.digest,
                pushed_at=moment(record.get("push_time")),
                immutable=immutable,
                **self.facts,
            )


def listed(record: Record) -> Listed | None:
    """Read an artifact; None for one without a digest that is one."""
    digest = _digest(record.get("digest"))
    if digest is None:
        return None
    references = record.get("references") or []
    children = (_digest(each.get("child_digest")) for each in references)
    return Listed(
        digest=digest,
        facts=_facts(record, references),
        tags=tuple(record.get("tags") or ()),
        children=tuple(child for child in children if child is not None),
    )


def moment(text: object) -> datetime | None:
    """Read a time; None for the zero time, which means never."""
    if not isinstance(text, str) or text.startswith(_NEVER):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _facts(record: Record, references: list[Record]) -> dict[str, Any]:
    annotations = record.get("annotations") or {}
    is_index = record.get("manifest_media_type") in INDEX_TYPES
    return {
        "media_type": record.get("manifest_media_type") or NOT_FETCHED,
        "created_at": _created(record, annotations, is_index=is_index),
        "labels": _labels(record),
        "annotations": tuple(sorted(annotations.items())),
        "platforms": _of_children(references) if is_index else _of_image(record),
        "size": record.get("size", NOT_FETCHED),
        "kind": _KINDS.get(record.get("type", ""), NOT_FETCHED),
        "satellites": _satellites(record),
    }


def _labels(record: Record) -> frozenset[str] | Unknown:
    if "labels" not in record:
        return NOT_FETCHED
    return frozenset(each["name"] for each in record["labels"] or () if each.get("name"))


def _satellites(record: Record) -> frozenset[Digest] | Unknown:
    if "accessories" not in record:  # before 2.5
        return NOT_FETCHED
    found = (_digest(each.get("digest")) for each in record["accessories"] or ())
    return frozenset(digest for digest in found if digest is not None)


def _created(
    record: Record, annotations: Mapping[str, str], *, is_index: bool
) -> datetime | Unknown | None:
    """Return when an image was made; an index that does not say is as old as its children."""
    said = annotations.get(_CREATED)
    if is_index:
        return moment(said) or NOT_FETCHED
    return moment((record.get("extra_attrs") or {}).get("created") or said)


def _of_image(record: Record) -> frozenset[Platform] | Unknown:
    extra = record.get("extra_attrs") or {}
    found = _platform(extra)
    if found is None or found.os in _HALF_TOLD or found.architecture in _HALF_TOLD:
        return NOT_FETCHED
    return frozenset({found})


def _of_children(references: list[Record]) -> frozenset[Platform] | Unknown:
    """Return the platforms of an index, if each child has one; attestations have none."""
    real = [each for each in references if not _attests(each)]
    found = [_platform(each.get("platform") or {}) for each in real]
    told = frozenset(platform for platform in found if platform is not None)
    return told if len(real) == len([each for each in found if each]) else NOT_FETCHED


def _attests(reference: Record) -> bool:
    return ATTESTATION_TYPE in (reference.get("annotations") or {})


def _platform(said: Record) -> Platform | None:
    """Read a platform; its version has been seen under two names (HARBOR §7)."""
    names = (
        said.get("os"),
        said.get("architecture"),
        said.get("variant") or "",
        said.get("os.version") or said.get("OsVersion") or "",
    )
    if not all(isinstance(name, str) for name in names) or not names[0]:
        return None
    system, architecture, variant, version = map(str, names)
    return Platform(os=system, architecture=architecture, variant=variant, os_version=version)


def _digest(text: object) -> Digest | None:
    try:
        return Digest.parse(text) if isinstance(text, str) else None
    except InvalidReference:
        return None


def _tag(text: object) -> Tag | None:
    try:
        return Tag(text) if isinstance(text, str) else None
    except InvalidReference:
        return None
