"""A registry in memory that lists as Harbor does: many at once, with all it knows of each.

    >>> from harborsync.testing.content import random_image, random_signature
    >>> registry = BulkRegistry()
    >>> digest = random_image(1).push_to(registry, "team/app", "v1")
    >>> signature = random_signature(2, digest)
    >>> _ = signature.push_to(registry, "team/app")
    >>> [(str(each.tag), len(each.satellites)) for each in registry.list_artifacts("team/app")]
    [('v1', 1)]

Its lists tell sizes and satellites, and hide what hangs on a subject: cosign's ``.sig`` tags
and whatever tag a referrer has. It can narrow a list, add a tag, copy within itself, and has
room for so many bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from harborsync.content import COSIGN_PAYLOAD
from harborsync.reference import Tag
from harborsync.registries.memory import MemoryRegistry
from harborsync.registry import Abilities, Room

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harborsync.artifact import Artifact, Hints
    from harborsync.content import Descriptor, Manifest
    from harborsync.reference import Digest


class BulkRegistry(MemoryRegistry):
    """A registry with the abilities of one that has an API of its own; thread-safe.

    Args:
        name: How people call it.
        room: Bytes that are left in each project, or None for no limit.
        further: What a ``MemoryRegistry`` takes besides.
    """

    def __init__(self, name: str = "bulk", *, room: int | None = None, **further: Any) -> None:
        super().__init__(name, **further)
        self._room = room

    @property
    def abilities(self) -> Abilities:
        """Everything, but for what it was made without."""
        more = attrs.evolve(
            super().abilities,
            surveys=self,
            lists_narrowed=self,
            tags=self,
            copies=self,
            room=None if self._room is None else self,
        )
        return attrs.evolve(more, **dict.fromkeys(self._without))

    # --- listing ------------------------------------------------------------------------

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        """Yield every tag that does not hang on a subject, with all that is known of it."""
        with self._noted("list_artifacts"):
            return iter(self._listed(repository))

    def survey(self, repositories: Sequence[str]) -> Iterator[tuple[str, tuple[Artifact, ...]]]:
        """Yield each repository with its tags."""
        with self._noted("survey"):
            return iter([(name, self._listed(name)) for name in repositories])

    def list_matching(self, repository: str, hints: Hints) -> Iterator[Artifact]:
        """Yield the tags that fulfil the hints."""
        with self._noted("list_matching"):
            return filter(hints.fits, self._listed(repository))

    def pays(self, repositories: Sequence[str]) -> bool:  # noqa: ARG002 - always
        """Tell that narrowing is always worth it."""
        return True

    def list_referrers(self, repository: str, subject: Digest) -> tuple[Descriptor, ...]:
        """Return what names the subject, and the signature that hangs on its tag."""
        found = super().list_referrers(repository, subject)
        hanging = self._hanging(repository, subject)
        return found if hanging is None else (*found, hanging.as_referrer())

    # --- writing ------------------------------------------------------------------------

    def add_tag(self, repository: str, digest: Digest, tag: Tag) -> bool:
        """Make a tag; False if it is there or what it is to point to is not."""
        with self._noted("add_tag"):
            held = self._peek(repository)
            if tag in held.tags or digest not in held.manifests:
                return False
            self._move_tag(repository, held, tag, digest)
        return True

    def copy_within(self, from_repository: str, digest: Digest, repository: str) -> bool:
        """Copy an artifact with its blobs, its children, what is said about them, and all tags."""
        with self._noted("copy_within"):
            origin, target = self._peek(from_repository), self._writable(repository)
            for found in self._with_company(from_repository, digest):
                target.manifests[found.digest] = found
                wanted = {blob.digest for blob in found.blobs} & origin.blobs.keys()
                target.blobs.update((each, origin.blobs[each]) for each in wanted)
                for tag in [tag for tag, held in origin.tags.items() if held == found.digest]:
                    self._move_tag(repository, target, tag, found.digest)
        return True

    def room(self, repository: str) -> Room | None:
        """Return what is left for a project."""
        with self._noted("room"):
            project = repository.partition("/")[0]
            return None if self._room is None else Room(whose=f"project {project}", left=self._room)

    # --- underneath; each is called with the lock held ----------------------------------

    def _listed(self, repository: str) -> tuple[Artifact, ...]:
        held = self._peek(repository)
        return tuple(
            attrs.evolve(
                self._artifact(repository, held, tag),
                size=sum(self._sizes(repository, manifest.digest)),
                satellites=self._satellites(repository, manifest.digest),
            )
            for tag, digest in held.tags.items()
            for manifest in (held.manifests[digest],)
            if manifest.subject is None and not _hangs(tag, manifest)
        )

    def _satellites(self, repository: str, subject: Digest) -> frozenset[Digest]:
        found = (each.digest for each in self._about(repository, subject))
        return frozenset(found)

    def _about(self, repository: str, subject: Digest) -> Iterator[Manifest]:
        for each in self._peek(repository).manifests.values():
            if each.subject is not None and each.subject.digest == subject:
                yield each
        hanging = self._hanging(repository, subject)
        if hanging is not None:
            yield hanging

    def _hanging(self, repository: str, subject: Digest) -> Manifest | None:
        tag = Tag(f"{subject.tag_prefix}.sig")
        found = self._peek(repository).find(tag)
        return found if found is not None and _hangs(tag, found) else None

    def _sizes(self, repository: str, digest: Digest) -> Iterator[int]:
        manifest = self._peek(repository).manifests[digest]
        yield manifest.size
        yield from (blob.size for blob in manifest.blobs)
        for child in manifest.manifests:
            yield from self._sizes(repository, child.digest)

    def _with_company(self, repository: str, digest: Digest) -> Iterator[Manifest]:
        manifest = self._peek(repository).manifests[digest]
        yield manifest
        for child in manifest.manifests:
            yield from self._with_company(repository, child.digest)
        for satellite in self._about(repository, digest):
            yield from self._with_company(repository, satellite.digest)


def _hangs(tag: Tag, manifest: Manifest) -> bool:
    """Tell whether a tag is one that Harbor's lists hide, as cosign's signatures have it."""
    is_signature = any(layer.media_type == COSIGN_PAYLOAD for layer in manifest.layers)
    return is_signature and tag.subject_prefix is not None and tag.endswith(".sig")
