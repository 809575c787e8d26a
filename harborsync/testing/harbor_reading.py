"""What the emulated Harbor reads in a manifest when it is pushed, and shows of it ever after."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from harborsync.content import INDEX_TYPES
from harborsync.testing.harbor_state import HarborArtifact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harborsync.testing.harbor_state import HarborRepository, HarborState
    from harborsync.testing.storage import StoredManifest

_IMAGE_CONFIGS: Final = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)
# Kinds of artifacts by the type of their configuration, else the last word before "config".
_KINDS: Final = {
    "application/vnd.cncf.helm.config.v1+json": "CHART",
    "application/vnd.cnab.manifest.v1": "CNAB",
    "application/vnd.wasm.config.v1+json": "WASM",
    "application/vnd.goharbor.harbor.sbom.v1": "SBOM",
}
_NAMED_KIND: Final = re.compile(r"application/vnd\.[^.]*\.(\w+)\.config\.[^./]+\+json")
# What is shown of an image's configuration, and what if it does not say.
_SHOWN: Final[Mapping[str, Any]] = {
    "architecture": "",
    "author": "",
    "config": {},
    "created": None,
    "os": "",
}


def read_artifact(
    state: HarborState, repository: HarborRepository, manifest: StoredManifest
) -> HarborArtifact:
    """Return a manifest's row, not yet put anywhere."""
    return HarborArtifact(
        id=state.next_id("artifact"),
        repository=repository,
        digest=str(manifest.digest),
        manifest_type=manifest.media_type,
        media_type=_config_type(manifest),
        artifact_type="" if _is_index(manifest) else _artifact_type(manifest),
        kind=_kind(_config_type(manifest)),
        size=_size(repository, manifest),
        pushed=state.clock.now(),
        children=_children(manifest),
        attributes=_attributes(state, repository.name, manifest),
        annotations=manifest.document.get("annotations") or {},
        sizes=_sizes(manifest),
    )


def configuration(state: HarborState, artifact: HarborArtifact) -> dict[str, Any]:
    """Return the parsed configuration of an image."""
    manifest = state.storage.manifest(artifact.repository.name, artifact.digest)
    return _configuration(state, artifact.repository.name, manifest) if manifest else {}


def _sizes(manifest: StoredManifest) -> dict[str, int]:
    """Return the sizes of a manifest and what it is made of, by digest."""
    document = manifest.document
    parts = [document.get("config"), *(document.get("layers") or ())]
    found = {str(part["digest"]): int(part.get("size", 0)) for part in parts if part}
    return {str(manifest.digest): len(manifest.content), **found}


def _is_index(manifest: StoredManifest) -> bool:
    return manifest.media_type in INDEX_TYPES


def _config_type(manifest: StoredManifest) -> str:
    config = manifest.document.get("config") or {}
    return manifest.media_type if _is_index(manifest) else str(config.get("mediaType", ""))


def _artifact_type(manifest: StoredManifest) -> str:
    return str(manifest.document.get("artifactType") or _config_type(manifest))


def _kind(config_type: str) -> str:
    if config_type in _IMAGE_CONFIGS or config_type in INDEX_TYPES:
        return "IMAGE"
    named = _NAMED_KIND.fullmatch(config_type)
    return _KINDS.get(config_type) or (named[1].upper() if named else "UNKNOWN")


def _children(manifest: StoredManifest) -> tuple[Mapping[str, Any], ...]:
    return tuple(manifest.document.get("manifests") or ()) if _is_index(manifest) else ()


def _size(repository: HarborRepository, manifest: StoredManifest) -> int:
    """Return the bytes of a manifest and its blobs; those of an index are its children's too."""
    if not _is_index(manifest):
        return sum(_sizes(manifest).values())
    held = (repository.artifacts.get(str(each["digest"])) for each in _children(manifest))
    return len(manifest.content) + sum(each.size for each in held if each is not None)


def _attributes(state: HarborState, name: str, manifest: StoredManifest) -> dict[str, Any]:
    """Return what the configuration of an image says that Harbor shows."""
    if _config_type(manifest) not in _IMAGE_CONFIGS:
        return {}
    document = _configuration(state, name, manifest)
    return {key: document.get(key, value) for key, value in _SHOWN.items()}


def _configuration(state: HarborState, name: str, manifest: StoredManifest) -> dict[str, Any]:
    blob = state.storage.blob(name, str(manifest.document["config"]["digest"]))
    with suppress(ValueError):
        document = json.loads(blob.read()) if blob is not None else {}
        return document if isinstance(document, dict) else {}
    return {}
