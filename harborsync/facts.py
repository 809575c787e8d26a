"""Fills in what a filter wants to know of artifacts, by as few requests as the registry allows.

A registry that can describe many artifacts at once does so. Elsewhere a HEAD tells digest and
type, and the manifest and the image's configuration, read by digest, tell the rest; what
follows from a digest is remembered in the state. Labels and push times are only known to
registries with an API of their own: elsewhere they are unavailable.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.artifact import DIGEST_FACTS, NOT_FETCHED, UNAVAILABLE, Artifact
from harborsync.content import (
    DOCKER_CONFIG,
    INDEX_TYPES,
    OCI_CONFIG,
    Descriptor,
    Manifest,
    Platform,
)
from harborsync.errors import DigestMismatch, InvalidManifest
from harborsync.graph import MAX_NESTING
from harborsync.mapping import from_mapping, to_mapping
from harborsync.reference import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harborsync.graph import SourceRepository
    from harborsync.state import State

_IMAGE_CONFIGS: Final = frozenset({OCI_CONFIG, DOCKER_CONFIG})
_MAX_CONFIG: Final = 8 * 2**20  # OCI-9.7
_HEAD_FACTS: Final = frozenset({"digest", "media_type"})
_REMEMBERED: Final = "facts"
_CREATED: Final = "org.opencontainers.image.created"

# Artifact types by what people call them; others stay as they are.
_KINDS: Final = (
    ("application/vnd.cncf.helm.config", "chart"),
    ("application/vnd.dev.cosign.", "signature"),
    ("application/vnd.dev.sigstore.bundle", "signature"),
    ("application/vnd.cncf.notary.signature", "signature"),
    ("application/spdx", "sbom"),
    ("text/spdx", "sbom"),
    ("application/vnd.cyclonedx", "sbom"),
    ("application/vnd.syft", "sbom"),
    ("application/vnd.in-toto", "attestation"),
)


def fill_in(
    source: SourceRepository, artifacts: Iterable[Artifact], facts: frozenset[str], state: State
) -> Iterator[Artifact]:
    """Yield the artifacts with ``facts`` filled in, in the order given; reads only.

    What cannot be had is UNAVAILABLE afterwards; a tag that is gone is left out.
    """
    describing = source.registry.abilities.describe
    if describing is not None:
        artifacts = describing.describe(artifacts, facts)
    for artifact in artifacts:
        lacking = frozenset(name for name in facts if getattr(artifact, name) is NOT_FETCHED)
        found = _one(source, artifact, lacking, state) if lacking else artifact
        if found is not None:
            yield found


def _one(
    source: SourceRepository, artifact: Artifact, lacking: frozenset[str], state: State
) -> Artifact | None:
    if artifact.descriptor is None:
        found = source.registry.resolve(source.name, artifact.reference)
        if found is None:
            return None
        artifact = attrs.evolve(artifact, digest=found.digest, media_type=found.media_type)
    if lacking & (frozenset(DIGEST_FACTS) - _HEAD_FACTS):
        artifact = attrs.evolve(artifact, **_digest_facts(source, artifact, state))
    unavailable: dict[str, Any] = {
        name: UNAVAILABLE for name in lacking if getattr(artifact, name) is NOT_FETCHED
    }
    return attrs.evolve(artifact, **unavailable)


def _digest_facts(source: SourceRepository, artifact: Artifact, state: State) -> dict[str, Any]:
    digest = artifact.ref.digest
    if digest is None:
        return {}
    remembered = state.fact(digest, _REMEMBERED)
    facts = _Facts.from_text(remembered) if remembered else _Reading(source).facts(digest)
    if not remembered:
        state.remember_fact(digest, _REMEMBERED, facts.to_text())
    return attrs.asdict(facts, recurse=False)


@attrs.frozen(kw_only=True)
class _Facts:
    """What follows from a digest."""

    created_at: datetime | None = None
    annotations: tuple[tuple[str, str], ...] = ()
    platforms: frozenset[Platform] = frozenset()
    size: int = 0
    kind: str = ""

    def to_text(self) -> str:
        return json.dumps(to_mapping(self))

    @classmethod
    def from_text(cls, text: str) -> _Facts:
        return from_mapping(cls, json.loads(text))


class _Reading:
    """Reads manifests and configurations, each once however many indexes list them."""

    def __init__(self, source: SourceRepository) -> None:
        self._source = source
        self._done: dict[Digest, _Facts] = {}

    def facts(self, digest: Digest, nesting: int = 0) -> _Facts:
        if nesting > MAX_NESTING:
            msg = f"indexes in {self._source.name} are nested deeper than {MAX_NESTING}"
            raise InvalidManifest(msg)
        if digest not in self._done:
            manifest = self._source.manifest(digest)
            self._done[digest] = self._of(manifest, nesting)
        return self._done[digest]

    def _of(self, manifest: Manifest, nesting: int) -> _Facts:
        return self._of_index(manifest, nesting) if manifest.is_index else self._of_image(manifest)

    def _of_image(self, manifest: Manifest) -> _Facts:
        config = _config(self._source, manifest)
        return _Facts(
            created_at=_created(config.get("created") or manifest.annotations.get(_CREATED)),
            annotations=tuple(sorted(manifest.annotations.items())),
            platforms=_platform_of(config),
            size=manifest.size + sum(blob.size for blob in manifest.blobs),
            kind=kind_of(manifest),
        )

    def _of_index(self, index: Manifest, nesting: int) -> _Facts:
        real = [entry for entry in index.manifests if entry.attests is None and entry.is_manifest]
        children = [self.facts(entry.digest, nesting + 1) for entry in real]
        declared = _created(index.annotations.get(_CREATED))
        times = [child.created_at for child in children if child.created_at is not None]
        return _Facts(
            created_at=declared or max(times, default=None),
            annotations=tuple(sorted(index.annotations.items())),
            platforms=frozenset(p for child in children for p in child.platforms)
            | frozenset(entry.platform for entry in real if entry.platform is not None),
            size=index.size + sum(child.size for child in children),
            kind=children[0].kind if children else kind_of(index),
        )


def kind_of(manifest: Manifest) -> str:
    """Return what people call this artifact: ``image``, ``chart``, ``signature``, ``sbom``."""
    types = (manifest.artifact_type, *(blob.media_type for blob in manifest.blobs[:2]))
    for prefix, kind in _KINDS:
        if any(each.startswith(prefix) for each in types):
            return kind
    is_image = manifest.media_type in INDEX_TYPES or manifest.artifact_type in _IMAGE_CONFIGS
    return "image" if is_image else manifest.artifact_type


def _config(source: SourceRepository, manifest: Manifest) -> dict[str, Any]:
    entry = manifest.document.get("config")
    if not isinstance(entry, dict) or entry.get("mediaType") not in _IMAGE_CONFIGS:
        return {}
    blob = Descriptor.from_json(entry)
    if blob.size > _MAX_CONFIG:
        return {}
    with source.registry.open_blob(source.name, blob) as blocks:
        content = b"".join(blocks)
    if not blob.digest.matches(content):
        msg = f"the configuration {blob.digest} in {source.name} is not what its digest says"
        raise DigestMismatch(msg)
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _created(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
        return None if found is None or found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _platform_of(config: dict[str, Any]) -> frozenset[Platform]:
    names = {key: config.get(key) or "" for key in ("os", "architecture", "variant", "os.version")}
    if not all(isinstance(value, str) for value in names.values()) or not names["os"]:
        return frozenset()
    return frozenset(
        {
            Platform(
                os=names["os"],
                architecture=names["architecture"],
                variant=names["variant"],
                os_version=names["os.version"],
            )
        }
    )
