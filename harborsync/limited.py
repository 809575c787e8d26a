"""A registry whose blobs come and go at a limit, for the one that must not be overrun."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harborsync.artifact import Artifact
    from harborsync.cancel import Cancel
    from harborsync.content import Descriptor, Manifest
    from harborsync.limiter import Limiter
    from harborsync.reference import Digest, Tag
    from harborsync.registry import Abilities, BlobOpener, BlobPut, Quirks, Registry


class LimitedRegistry:
    """Another registry, with every block of its blobs going through a limiter, either way.

    Args:
        registry: The registry; closed with this one.
        limiter: Lets blocks pass.
        cancel: Ends waits.
    """

    def __init__(self, registry: Registry, limiter: Limiter, cancel: Cancel) -> None:
        self._registry = registry
        self._limiter = limiter
        self._cancel = cancel

    # --- blobs ---------------------------------------------------------------------------

    @contextmanager
    def open_blob(
        self, repository: str, blob: Descriptor, offset: int = 0
    ) -> Iterator[Iterator[bytes]]:
        """Open a blob's bytes from ``offset``; they come at the limit."""
        with self._registry.open_blob(repository, blob, offset) as blocks:
            yield self._limited(blocks)

    def put_blob(
        self,
        repository: str,
        blob: Descriptor,
        content: BlobOpener,
        *,
        mount_from: Sequence[str] = (),
        absent: bool = False,
    ) -> BlobPut:
        """Make sure that a blob is there; what must be sent goes at the limit."""

        @contextmanager
        def limited(offset: int = 0, /) -> Iterator[Iterator[bytes]]:
            with content(offset) as blocks:
                yield self._limited(blocks)

        return self._registry.put_blob(
            repository, blob, limited, mount_from=mount_from, absent=absent
        )

    def _limited(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            yield from self._limiter.pass_on(block, self._cancel)

    # --- all else ------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """How people call it."""
        return self._registry.name

    @property
    def identity(self) -> str:
        """What it has in common with those it can mount from."""
        return self._registry.identity

    @property
    def abilities(self) -> Abilities:
        """What it can do beyond the core."""
        return self._registry.abilities

    @property
    def quirks(self) -> Quirks:
        """How it differs from the specification."""
        return self._registry.quirks

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        """Yield every tag of a repository."""
        return self._registry.list_artifacts(repository)

    def resolve(self, repository: str, reference: Tag | Digest) -> Descriptor | None:
        """Return what a tag or digest points to, or None."""
        return self._registry.resolve(repository, reference)

    def get_manifest(self, repository: str, reference: Tag | Digest) -> Manifest:
        """Return a manifest."""
        return self._registry.get_manifest(repository, reference)

    def has_blob(self, repository: str, blob: Descriptor) -> bool:
        """Tell whether a blob is there."""
        return self._registry.has_blob(repository, blob)

    def put_manifest(self, repository: str, manifest: Manifest, *, tag: Tag | None = None) -> bool:
        """Write a manifest."""
        return self._registry.put_manifest(repository, manifest, tag=tag)

    def close(self) -> None:
        """Close the registry."""
        self._registry.close()
