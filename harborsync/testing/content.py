"""Artifacts made up for tests: images, indexes, charts, signatures, SBOMs, oddities.

Everything follows from a seed, so a test that fails fails again:

    >>> from harborsync.registries.memory import MemoryRegistry
    >>> registry = MemoryRegistry()
    >>> image = random_image(1, layers=2)
    >>> image.push_to(registry, "team/app", "v1") == image.digest
    True
    >>> random_image(1, layers=2) == image
    True

Layers are real tar archives and configs real configs, so real programs take them, too.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.content import (
    ATTESTATION_SUBJECT,
    ATTESTATION_TYPE,
    COSIGN_PAYLOAD,
    DOCKER_CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    EMPTY,
    EMPTY_CONTENT,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    Platform,
)
from harborsync.reference import Digest, Tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harborsync.registry import Registry

AMD64: Final = Platform(os="linux", architecture="amd64")
ARM64: Final = Platform(os="linux", architecture="arm64", variant="v8")
_NOWHERE: Final = Platform(os="unknown", architecture="unknown")

HELM_CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
HELM_CHART: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
COSIGN_SIGNATURE: Final = "dev.cosignproject.cosign/signature"
IN_TOTO: Final = "application/vnd.in-toto+json"
SPDX: Final = "application/spdx+json"
NOTATION: Final = "application/vnd.cncf.notary.signature"
UNHEARD_OF: Final = "application/vnd.example.nobody-knows.v7+cbor"

_DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_CREATED: Final = "2026-01-01T00:00:00Z"
_BLOCK: Final = 64 * 1024


@attrs.frozen(kw_only=True)
class Blob:
    """Some bytes and what they are called.

    Attributes:
        descriptor: Their type, digest and size.
        content: The bytes.
    """

    descriptor: Descriptor
    content: bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, content: bytes, media_type: str, *, algorithm: str = "sha256") -> Blob:
        """Describe ``content``."""
        digest = Digest.of(content, algorithm)
        return cls(descriptor=Descriptor.of(content, media_type, digest=digest), content=content)

    @contextmanager
    def open(self, offset: int = 0, /) -> Iterator[Iterator[bytes]]:
        """Open the bytes, as a :class:`~harborsync.registry.BlobOpener` does."""
        starts = range(offset, len(self.content), _BLOCK)
        yield (self.content[start : start + _BLOCK] for start in starts)


@attrs.frozen(kw_only=True)
class Sample:
    """An artifact with everything it consists of.

    Attributes:
        manifests: Its manifests in the order in which a registry takes them; the last is the
            artifact itself.
        blobs: Every blob the manifests name.
        tag: The tag it belongs under if that follows from what it is: a signature's.
    """

    manifests: tuple[Manifest, ...]
    blobs: tuple[Blob, ...] = ()
    tag: Tag | None = None

    @property
    def manifest(self) -> Manifest:
        """The artifact's own manifest."""
        return self.manifests[-1]

    @property
    def digest(self) -> Digest:
        """The digest of the artifact's own manifest."""
        return self.manifest.digest

    @property
    def descriptor(self) -> Descriptor:
        """A descriptor of the artifact's own manifest."""
        return self.manifest.descriptor

    def push_to(self, registry: Registry, repository: str, tag: str | None = None) -> Digest:
        """Write everything to a registry: blobs, then manifests, then the tag.

        Args:
            registry: Where to.
            repository: The repository there.
            tag: The tag; the sample's own one if left out, and none if it has none.

        Returns:
            The artifact's digest.
        """
        for blob in self.blobs:
            registry.put_blob(repository, blob.descriptor, blob.open)
        for manifest in self.manifests[:-1]:
            registry.put_manifest(repository, manifest)
        name = self.tag if tag is None else Tag(tag)
        registry.put_manifest(repository, self.manifest, tag=name)
        return self.digest


def random_blob(
    seed: int | random.Random,
    *,
    size: int = 1000,
    media_type: str = UNHEARD_OF,
    algorithm: str = "sha256",
) -> Blob:
    """Make up a blob of ``size`` bytes."""
    return Blob.of(_rng(seed).randbytes(size), media_type, algorithm=algorithm)


def random_layer(
    seed: int | random.Random, *, size: int = 1000, compressed: bool = True, docker: bool = False
) -> Blob:
    """Make up a layer: a tar archive with one file of ``size`` random bytes."""
    content = _tar(_rng(seed), size)
    if docker:
        return Blob.of(_gzip(content), _DOCKER_LAYER)
    if compressed:
        return Blob.of(_gzip(content), f"{OCI_LAYER}+gzip")
    return Blob.of(content, OCI_LAYER)


def random_image(
    seed: int | random.Random,
    *,
    layers: int = 2,
    layer_bytes: int = 1000,
    platform: Platform = AMD64,
    docker: bool = False,
    annotations: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    created: str = _CREATED,
) -> Sample:
    """Make up an image of one platform.

    Args:
        seed: What it follows from.
        layers: How many layers.
        layer_bytes: Random bytes in each layer.
        platform: What its config says it runs on.
        docker: Use Docker's media types instead of OCI's.
        annotations: The manifest's annotations.
        labels: The config's labels.
        created: When its config says it was made.
    """
    rng = _rng(seed)
    tars = [_tar(rng, layer_bytes) for _ in range(layers)]
    layer_type = _DOCKER_LAYER if docker else f"{OCI_LAYER}+gzip"
    stored = [Blob.of(_gzip(tar), layer_type) for tar in tars]
    config = _image_config(tars, platform, labels or {}, created)
    return _artifact(
        Blob.of(_json(config), DOCKER_CONFIG if docker else OCI_CONFIG),
        stored,
        media_type=DOCKER_MANIFEST if docker else OCI_MANIFEST,
        annotations=annotations,
    )


def random_index(
    seed: int | random.Random,
    *,
    platforms: Sequence[Platform] = (AMD64, ARM64),
    layers: int = 1,
    layer_bytes: int = 500,
    nested: int = 0,
    attestations: bool = False,
    docker: bool = False,
    annotations: Mapping[str, str] | None = None,
) -> Sample:
    """Make up an image of several platforms.

    Args:
        seed: What it follows from.
        platforms: One image is made for each.
        layers: Layers of each image.
        layer_bytes: Random bytes in each layer.
        nested: How many indexes are wrapped around the inner one (OCI-3.15).
        attestations: Add a BuildKit attestation for each image (OCI-3.22).
        docker: Use Docker's media types.
        annotations: Annotations of the outermost index.
    """
    rng = _rng(seed)
    entries: list[tuple[Sample, Mapping[str, Any]]] = []
    for platform in platforms:
        image = random_image(
            rng, layers=layers, layer_bytes=layer_bytes, platform=platform, docker=docker
        )
        entries.append((image, {"platform": platform}))
    if attestations:
        entries += [random_attestation(rng, image) for image, _ in entries]
    index = join(entries, annotations=None if nested else annotations, docker=docker)
    for level in range(nested):
        is_last = level == nested - 1
        index = join([(index, {})], annotations=annotations if is_last else None)
    return index


def join(
    entries: Iterable[tuple[Sample, Mapping[str, Any]]],
    *,
    annotations: Mapping[str, str] | None = None,
    docker: bool = False,
) -> Sample:
    """Make an index of samples; beside each stand the further fields of its descriptor."""
    listed = [
        (sample, attrs.evolve(sample.descriptor, **fields).to_json()) for sample, fields in entries
    ]
    kind = DOCKER_LIST if docker else OCI_INDEX
    document: dict[str, Any] = {"schemaVersion": 2, "mediaType": kind}
    document["manifests"] = [entry for _, entry in listed]
    if annotations:
        document["annotations"] = dict(annotations)
    below = {m.digest: m for sample, _ in listed for m in sample.manifests}
    blobs = {b.descriptor.digest: b for sample, _ in listed for b in sample.blobs}
    return Sample(
        manifests=(*below.values(), Manifest.parse(_json(document))), blobs=tuple(blobs.values())
    )


def random_attestation(
    seed: int | random.Random, image: Sample
) -> tuple[Sample, Mapping[str, Any]]:
    """Make up BuildKit's attestation for an image, and the fields of its index entry."""
    rng = _rng(seed)
    statement = Blob.of(
        _json({"_type": "https://in-toto.io/Statement/v0.1", "n": _hex(rng)}), IN_TOTO
    )
    config = _image_config([statement.content], _NOWHERE, {}, _CREATED)
    notes = {ATTESTATION_TYPE: "attestation-manifest", ATTESTATION_SUBJECT: str(image.digest)}
    sample = _artifact(Blob.of(_json(config), OCI_CONFIG), [statement])
    return sample, {"platform": _NOWHERE, "annotation_items": notes}


def random_artifact(
    seed: int | random.Random,
    *,
    artifact_type: str = "",
    config_type: str = HELM_CONFIG,
    layer_type: str = HELM_CHART,
    size: int = 1000,
    annotations: Mapping[str, str] | None = None,
) -> Sample:
    """Make up an artifact that is no image; a Helm chart unless other types are given."""
    rng = _rng(seed)
    config = {"name": f"chart-{_hex(rng)}", "version": "1.2.3", "apiVersion": "v2"}
    return _artifact(
        Blob.of(_json(config), config_type),
        [Blob.of(_gzip(_tar(rng, size)), layer_type)],
        artifact_type=artifact_type,
        annotations=annotations,
    )


def odd_artifact(seed: int | random.Random) -> Sample:
    """Make up an artifact of all that is legal and rare.

    Its config is the empty one and carries its own content, as does a layer; one layer has no
    bytes at all, one has a media type that nobody knows, and one is listed twice.
    """
    rng = _rng(seed)
    small = random_blob(rng, size=20)
    carried = Blob(
        descriptor=attrs.evolve(small.descriptor, data=small.content), content=small.content
    )
    unknown = random_blob(rng)
    return _artifact(
        Blob(descriptor=EMPTY, content=EMPTY_CONTENT),
        [carried, Blob.of(b"", UNHEARD_OF), unknown, unknown],
        artifact_type="application/vnd.example.odd",
    )


def random_signature(seed: int | random.Random, subject: Digest, *, name: str = "app") -> Sample:
    """Make up a signature as cosign keeps it: an image under the tag ``sha256-<hex>.sig``.

    It has the form of one and signs nothing.
    """
    rng = _rng(seed)
    payload = {
        "critical": {
            "identity": {"docker-reference": name},
            "image": {"docker-manifest-digest": str(subject)},
            "type": "cosign container image signature",
        },
        "optional": None,
    }
    signed = Blob.of(_json(payload), COSIGN_PAYLOAD)
    noted = attrs.evolve(signed.descriptor, annotation_items={COSIGN_SIGNATURE: _hex(rng)})
    config = _image_config([signed.content], Platform(os="", architecture=""), {}, _CREATED)
    sample = _artifact(
        Blob.of(_json(config), OCI_CONFIG),
        [Blob(descriptor=noted, content=signed.content)],
    )
    return attrs.evolve(sample, tag=Tag(f"{subject.tag_prefix}.sig"))


def random_referrer(
    seed: int | random.Random,
    subject: Descriptor,
    *,
    artifact_type: str = SPDX,
    annotations: Mapping[str, str] | None = None,
) -> Sample:
    """Make up something said about ``subject``: an SBOM, or by its type a signature."""
    rng = _rng(seed)
    content = Blob.of(_json({"SPDXID": "SPDXRef-DOCUMENT", "name": _hex(rng)}), artifact_type)
    notes = {"org.opencontainers.image.created": _CREATED} if annotations is None else annotations
    return _artifact(
        Blob(descriptor=EMPTY, content=EMPTY_CONTENT),
        [content],
        artifact_type=artifact_type,
        subject=subject,
        annotations=notes,
    )


def fallback_index(subject: Digest, referrers: Iterable[Sample]) -> Sample:
    """Make the index that lists referrers where there is no API for it (OCI-6.3)."""
    entries = [referrer.manifest.as_referrer().to_json() for referrer in referrers]
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return Sample(manifests=(Manifest.parse(_json(document)),), tag=Tag(subject.tag_prefix))


# --- parts ----------------------------------------------------------------------------------


def _rng(seed: int | random.Random) -> random.Random:
    if isinstance(seed, random.Random):
        return seed
    return random.Random(seed)  # noqa: S311 - made-up content keeps no secret


def _hex(rng: random.Random) -> str:
    return rng.randbytes(8).hex()


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _gzip(content: bytes) -> bytes:
    """Compress not at all, so that every zlib writes the same bytes."""
    return gzip.compress(content, compresslevel=0, mtime=0)


def _tar(rng: random.Random, size: int) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo(f"file-{_hex(rng)}")
        member.size = size
        archive.addfile(member, io.BytesIO(rng.randbytes(size)))
    return held.getvalue()


def _image_config(
    tars: Iterable[bytes], platform: Platform, labels: Mapping[str, str], created: str
) -> dict[str, Any]:
    diff_ids = [str(Digest.of(tar)) for tar in tars]
    config: dict[str, Any] = {
        "created": created,
        "architecture": platform.architecture,
        "os": platform.os,
        "config": {"Labels": dict(labels)} if labels else {},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": created, "created_by": "made up"} for _ in diff_ids],
    }
    if platform.variant:
        config["variant"] = platform.variant
    return config


def _artifact(
    config: Blob,
    layers: Sequence[Blob],
    *,
    media_type: str = OCI_MANIFEST,
    artifact_type: str = "",
    subject: Descriptor | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Sample:
    document: dict[str, Any] = {"schemaVersion": 2, "mediaType": media_type}
    if artifact_type:
        document["artifactType"] = artifact_type
    document["config"] = config.descriptor.to_json()
    document["layers"] = [layer.descriptor.to_json() for layer in layers]
    if subject is not None:
        document["subject"] = subject.to_json()
    if annotations:
        document["annotations"] = dict(annotations)
    blobs = {blob.descriptor.digest: blob for blob in (config, *layers)}
    return Sample(manifests=(Manifest.parse(_json(document)),), blobs=tuple(blobs.values()))
