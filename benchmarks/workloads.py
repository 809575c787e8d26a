"""What is copied: made up, and the same in every run.

A  one image of four large layers
B  images that share most of their layers across repositories
C  many tiny tags
D  an index of four platforms with a signature and a referrer
E  many tags on few manifests in one repository
L  C through relays that stand for a distance
"""

from __future__ import annotations

import hashlib
import json
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from harborsync import Digest, Platform, Tag, open_registry
from harborsync.content import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Descriptor, Manifest
from harborsync.testing.content import (
    fallback_index,
    random_index,
    random_referrer,
    random_signature,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync import Endpoint
    from harborsync.registry import Registry

KIB = 1024
MIB = 1024 * KIB
PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/ppc64le")


@attrs.frozen
class Noise:
    """Bytes that cannot be compressed and are made anew each time they are read.

    Attributes:
        seed: What they follow from.
        size: How many.
    """

    seed: str
    size: int

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes."""
        rng = random.Random(self.seed)
        for start in range(0, self.size, MIB):
            yield rng.randbytes(min(MIB, self.size - start))

    @property
    def descriptor(self) -> Descriptor:
        """What a manifest says of them."""
        hashed = hashlib.sha256()
        for block in self.blocks():
            hashed.update(block)
        digest = Digest("sha256", hashed.hexdigest())
        return Descriptor(media_type=OCI_LAYER, digest=digest, size=self.size)

    @contextmanager
    def open(self, offset: int = 0, /) -> Iterator[Iterator[bytes]]:
        """Open the bytes from their start."""
        if offset:
            msg = "the source is written to in one go"
            raise NotImplementedError(msg)
        yield self.blocks()


@attrs.frozen(kw_only=True)
class Image:
    """An image of one platform.

    Attributes:
        repository: Where it is.
        tags: Its tags.
        layers: Its layers.
    """

    repository: str
    tags: tuple[str, ...]
    layers: tuple[Noise, ...]

    def push_to(self, registry: Registry) -> None:
        """Write it: its blobs, and its manifest under each tag."""
        descriptors = []
        for layer in self.layers:
            descriptors.append(layer.descriptor)
            registry.put_blob(self.repository, descriptors[-1], layer.open)
        config = json.dumps({"os": "linux", "architecture": "amd64", "of": self.tags[0]}).encode()
        described = Descriptor.of(config, OCI_CONFIG)
        registry.put_blob(self.repository, described, _opener(config))
        manifest = _manifest(described, descriptors)
        for tag in self.tags:
            registry.put_manifest(self.repository, manifest, tag=Tag(tag))


def _opener(content: bytes) -> Any:
    @contextmanager
    def open_it(offset: int = 0, /) -> Iterator[Iterator[bytes]]:
        yield iter((content[offset:],))

    return open_it


def _manifest(config: Descriptor, layers: list[Descriptor]) -> Manifest:
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    return Manifest.parse(json.dumps(document, separators=(",", ":")).encode())


# --- the workloads ---------------------------------------------------------------------------


def large() -> Iterator[Image]:
    """One image of 4 x 256 MiB."""
    layers = tuple(Noise(f"large-{n}", 256 * MIB) for n in range(4))
    yield Image(repository="bench/large", tags=("v1",), layers=layers)


def sharing() -> Iterator[Image]:
    """100 images over 10 repositories that share three of five layers."""
    base = tuple(Noise(f"base-{n}", 256 * KIB) for n in range(3))
    for n in range(100):
        own = tuple(Noise(f"own-{n}-{layer}", 256 * KIB) for layer in range(2))
        yield Image(repository=f"bench/sharing-{n % 10}", tags=(f"v{n}",), layers=base + own)


def tiny() -> Iterator[Image]:
    """1,000 tags over 20 repositories, each an image of its own."""
    for n in range(1000):
        layer = Noise(f"tiny-{n}", KIB)
        yield Image(repository=f"bench/tiny-{n % 20}", tags=(f"v{n}",), layers=(layer,))


def tags() -> Iterator[Image]:
    """10,000 tags on 200 manifests in one repository."""
    for n in range(200):
        names = tuple(f"v{n}.{m}" for m in range(50))
        yield Image(repository="bench/tags", tags=names, layers=(Noise(f"tags-{n}", KIB),))


def push_images(images: Callable[[], Iterator[Image]], registry: Registry) -> None:
    """Write many images, some at once."""
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda image: image.push_to(registry), images()):
            pass


def push_index(registry: Registry) -> None:
    """Write an index of four platforms with a signature and a referrer."""
    repository = "bench/index"
    platforms = tuple(map(Platform.parse, PLATFORMS))
    index = random_index(1, platforms=platforms, layers=3, layer_bytes=MIB)
    index.push_to(registry, repository, "v1")
    random_signature(2, index.digest).push_to(registry, repository)
    referrer = random_referrer(3, index.descriptor)
    referrer.push_to(registry, repository)
    fallback_index(index.digest, [referrer]).push_to(registry, repository)


@attrs.frozen(kw_only=True)
class Workload:
    """Something to copy, and how.

    Attributes:
        what: What it is, for people.
        push: Writes it to the source.
        repositories: Their names.
        modes: ``cold`` into an empty registry, ``unchanged`` once everything is there.
        latency: Seconds that a round trip to either end takes beside its own time.
        jobs: What crane is told about how much at once, if anything.
        skopeo_runs: How often skopeo is run at the most, or None.
    """

    what: str
    push: Callable[[Registry], None]
    repositories: tuple[str, ...]
    modes: tuple[str, ...] = ("cold", "unchanged")
    latency: float = 0.0
    jobs: int | None = None
    skopeo_runs: int | None = None

    def seed(self, endpoint: Endpoint) -> None:
        """Write everything to a registry."""
        registry = open_registry(endpoint)
        self.push(registry)
        registry.close()


_TINY = tuple(f"bench/tiny-{n}" for n in range(20))

WORKLOADS = {
    "A": Workload(
        what="one image of 4 x 256 MiB",
        push=lambda registry: push_images(large, registry),
        repositories=("bench/large",),
    ),
    "B": Workload(
        what="100 images over 10 repositories, sharing 3 of 5 layers of 256 KiB",
        push=lambda registry: push_images(sharing, registry),
        repositories=tuple(f"bench/sharing-{n}" for n in range(10)),
    ),
    "C": Workload(
        what="1,000 tiny tags over 20 repositories",
        push=lambda registry: push_images(tiny, registry),
        repositories=_TINY,
    ),
    "D": Workload(
        what="an index of 4 platforms with a signature and a referrer",
        push=push_index,
        repositories=("bench/index",),
    ),
    "E": Workload(
        what="10,000 tags on 200 manifests in one repository",
        push=lambda registry: push_images(tags, registry),
        repositories=("bench/tags",),
        skopeo_runs=1,
    ),
    "L": Workload(
        what="C with 20 ms per round trip",
        push=lambda registry: push_images(tiny, registry),
        repositories=_TINY,
        modes=("unchanged",),
        latency=0.020,
        jobs=32,
        skopeo_runs=0,
    ),
}
