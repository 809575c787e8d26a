"""Samples are what they say, the same for the same seed, and taken by a careful registry."""

from __future__ import annotations

import gzip
import json
import random
import tarfile
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from harborsync.content import EMPTY, OCI_INDEX
from harborsync.reference import Digest, Tag
from harborsync.registries.memory import MemoryRegistry
from harborsync.testing.content import (
    AMD64,
    ARM64,
    NOTATION,
    Blob,
    Sample,
    fallback_index,
    odd_artifact,
    random_artifact,
    random_blob,
    random_image,
    random_index,
    random_layer,
    random_referrer,
    random_signature,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_SUBJECT = random_image(99)
_MAKERS: dict[str, Callable[[int | random.Random], Sample]] = {
    "image": random_image,
    "docker image": lambda seed: random_image(seed, docker=True, labels={"a": "b"}),
    "index": lambda seed: random_index(seed, nested=1, attestations=True, annotations={"a": "b"}),
    "docker index": lambda seed: random_index(seed, docker=True, annotations={"a": "b"}),
    "chart": random_artifact,
    "odd": odd_artifact,
    "signature": lambda seed: random_signature(seed, _SUBJECT.digest),
    "referrer": lambda seed: random_referrer(seed, _SUBJECT.descriptor, artifact_type=NOTATION),
}


@pytest.mark.parametrize("make", _MAKERS.values(), ids=_MAKERS.keys())
def test_a_seed_decides_everything(make: Callable[[int | random.Random], Sample]) -> None:
    """Equal seeds give equal samples, other seeds others; a generator may be handed in."""
    assert make(1) == make(1) == make(random.Random(1))
    assert make(1).digest != make(2).digest


@pytest.mark.parametrize("make", _MAKERS.values(), ids=_MAKERS.keys())
def test_a_careful_registry_takes_every_sample(
    make: Callable[[int | random.Random], Sample],
) -> None:
    """All that is named is there, in an order that can be written."""
    registry, sample = MemoryRegistry(), make(3)
    assert sample.push_to(registry, "a", "v1") == sample.digest == sample.descriptor.digest
    assert registry.get_manifest("a", Tag("v1")) == sample.manifest
    for blob in sample.blobs:
        assert blob.descriptor.digest.matches(blob.content)


def test_layers_are_tars_and_match_the_config() -> None:
    """A program that unpacks them finds what the diff ids say."""
    image = random_image(1, layers=2, layer_bytes=5000, platform=ARM64)
    config = json.loads(image.blobs[0].content)
    assert (config["architecture"], config["variant"]) == ("arm64", "v8")
    for layer, diff_id in zip(image.blobs[1:], config["rootfs"]["diff_ids"], strict=True):
        plain = gzip.decompress(layer.content)
        assert str(Digest.of(plain)) == diff_id
        with tarfile.open(fileobj=BytesIO(plain)) as archive:
            assert [member.size for member in archive] == [5000]


def test_an_index_knows_its_platforms_and_attestations() -> None:
    """Each attestation speaks of one image."""
    index = random_index(1, attestations=True)
    images, said = index.manifest.entries[:2], index.manifest.entries[2:]
    assert [entry.platform for entry in images] == [AMD64, ARM64]
    assert [entry.attests for entry in said] == [str(entry.digest) for entry in images]


def test_nested_indexes_keep_annotations_outside() -> None:
    """The outermost has them, the inner ones have none."""
    index = random_index(1, nested=2, annotations={"a": "b"})
    indexes = [m for m in index.manifests if m.media_type == OCI_INDEX]
    assert [m.annotations for m in indexes] == [{}, {}, {"a": "b"}]


def test_a_signature_goes_under_its_own_tag() -> None:
    """Unless another is asked for."""
    registry, signature = MemoryRegistry(), random_signature(1, _SUBJECT.digest)
    signature.push_to(registry, "a")
    signature.push_to(registry, "a", "other")
    tag = f"{_SUBJECT.digest.tag_prefix}.sig"
    assert sorted(str(a.tag) for a in registry.list_artifacts("a")) == ["other", tag]


def test_the_fallback_index_lists_referrers_with_annotations() -> None:
    """Under the tag that belongs to the subject (OCI-6.3)."""
    sbom = random_referrer(1, _SUBJECT.descriptor, annotations={"note": "x"})
    index = fallback_index(_SUBJECT.digest, [sbom])
    assert index.tag == _SUBJECT.digest.tag_prefix
    assert [(e.digest, e.annotations) for e in index.manifest.entries] == [
        (sbom.digest, {"note": "x"})
    ]


def test_odd_content_is_odd() -> None:
    """Empty, carried along, listed twice, of no bytes."""
    odd = odd_artifact(1)
    layers = odd.manifest.document["layers"]
    assert odd.manifest.blobs[0].digest == EMPTY.digest
    assert layers[2] == layers[3]
    assert [blob.size for blob in odd.manifest.blobs if blob.size == 0] == [0]
    assert any(blob.data for blob in odd.manifest.blobs[1:])


def test_blobs_open_from_an_offset() -> None:
    """As a registry's opener does."""
    blob = random_blob(1, size=200_000)
    with blob.open(150_000) as blocks:
        assert b"".join(blocks) == blob.content[150_000:]


@pytest.mark.parametrize(
    ("layer", "ending"),
    [
        (random_layer(1), ".tar+gzip"),
        (random_layer(1, compressed=False), ".v1.tar"),
        (random_layer(1, docker=True), ".tar.gzip"),
    ],
    ids=["gzip", "plain", "docker"],
)
def test_layers_come_in_three_kinds(layer: Blob, ending: str) -> None:
    """Compressed or not, of OCI or of Docker."""
    assert layer.descriptor.media_type.endswith(ending)
