"""One task of an emulated replication: copies the artifacts of a resource, or deletes them.

The steps, their order and the lines of the log are those of Harbor's
src/controller/replication/transfer/image/transfer.go, which the recordings show at work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.content import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
)
from harborsync.testing.harbor_far import FarError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harborsync.testing.harbor_adapters import Manifest, PlainAdapter
    from harborsync.testing.harbor_resources import Resource

_MANIFESTS: Final = frozenset({OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST})
_FOREIGN: Final = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
_ATTEMPTS: Final = 5
#: Seconds that looking at an artifact takes, and copying it when nothing slows it down.
_LOOK: Final = 0.05
_COPY: Final = 0.1
#: Bytes of each blob that pass before the limit is felt (recorded: 10-replication-stop).
_UNHINDERED: Final = 1_024_000
_CHUNK: Final = 10 * 2**20
_BITS: Final = 1024 / 8


class Stopped(Exception):
    """The task was stopped by hand."""


@attrs.frozen(kw_only=True)
class Transfer:
    """What one task does.

    Attributes:
        source: Where from.
        destination: Where to.
        resource: What, by its names at the source.
        name: The repository at the destination.
        override: Whether a tag that points elsewhere there is changed.
        speed: Kilobits a second, or 0 for no limit.
        by_chunk: Whether blobs go in pieces.
        log: Writes a line: its level, the line of Harbor's source, what it says.
        stopped: Whether the task was stopped.
    """

    source: PlainAdapter
    destination: PlainAdapter
    resource: Resource
    name: str
    override: bool = True
    speed: int = 0
    by_chunk: bool = False
    log: Callable[[str, int, str], None]
    stopped: Callable[[], bool]

    def run(self) -> Iterator[float]:
        """Do it, yielding the seconds that each piece takes.

        Raises:
            FarError: Something of it failed.
            Stopped: It was stopped.
        """
        if self.resource.operation == "deletion":
            return self._delete()
        if self.resource.operation == "tag deletion":
            return self._delete_tags()
        return self._copy()

    def _copy(self) -> Iterator[float]:
        listed = ",".join(self.resource.references)
        both = f"{self._here(f'[{listed}]')} to {self._there(f'[{listed}]')}"
        self.log("INFO", 183, f"copying {both}...")
        if self.speed:
            self.log("INFO", 186, f"limit network speed at {self.speed} kb/s")
        failed = False
        for reference in self.resource.references:
            yield _LOOK
            try:
                yield from self._copy_artifact(reference, override=self.override)
            except FarError as error:
                self.log("ERROR", 195, str(error))
                failed = True
        if failed:
            msg = "got error during the whole transfer period, mark the job failure"
            self.log("ERROR", 201, msg)
            raise FarError(msg)
        self.log("INFO", 205, f"copy {both} completed")

    def _copy_artifact(self, reference: str, *, override: bool) -> Iterator[float]:
        both = f"{self._here(reference)} to {self._there(reference)}"
        self.log("INFO", 211, f"copying {both}...")
        manifest = self._pull(reference)
        if self._settled(manifest, reference, override=override):
            return
        yield _COPY
        for part in manifest.parts:
            yield from self._copy_part(part)
        self._push(manifest, reference)
        self.log("INFO", 254, f"copy {both} completed")

    def _settled(self, manifest: Manifest, reference: str, *, override: bool) -> bool:
        """Tell whether what is at the destination stays as it is."""
        there = self.destination.head(self.name, reference)
        target = f"{self.name}:{reference}"
        if there is None:
            return False
        if there == manifest.digest:
            text = f"the artifact {target} already exists on the destination registry, skip"
            self.log("INFO", 227, text)
            return True
        text = f'the same name artifact {target} exists on the destination registry, but the "override" is set to false, skip'
        if override:
            text = f'the same name artifact {target} exists on the destination registry and the "override" is set to true, continue...'
        self.log("WARNING", 238 if override else 233, text)
        return not override

    def _copy_part(self, part: Mapping[str, Any]) -> Iterator[float]:
        if part.get("mediaType") in _MANIFESTS:
            yield from self._copy_artifact(part["digest"], override=True)
        elif part.get("mediaType") == _FOREIGN:
            self.log("INFO", 276, f"the layer {part['digest']} is a foreign layer, skip")
        else:
            yield from self._copy_blob(part["digest"], part["size"])

    def _copy_blob(self, digest: str, size: int) -> Iterator[float]:
        """Copy a blob, with five attempts and longer pauses between them each time."""
        how = f" by chunk(chunkSize: {_CHUNK})" if self.by_chunk else ""
        for attempt in range(1, _ATTEMPTS + 1):
            lines = (314, 316, 322) if self.by_chunk else (290, 292, 298)
            self.log(
                "INFO", lines[0], f"copying the blob {digest}{how}(the {attempt}th running)..."
            )
            try:
                yield from self._send_blob(digest, size)
            except FarError:
                if attempt == _ATTEMPTS:
                    raise
                self.log("INFO", lines[2], f"will retry {2**attempt}s later")
                yield float(2**attempt)
            else:
                self.log("INFO", lines[1], f"copy the blob {digest}{how[:9]} completed")
                return

    def _send_blob(self, digest: str, size: int) -> Iterator[float]:
        self._check_stop()
        if self._is_there(digest):
            return
        if self.speed:
            yield max(0, size - _UNHINDERED) / (self.speed * _BITS)
        content = self.source.blob(self.resource.repository, digest)
        try:
            self.destination.push_blob(self.name, digest, content)
        except FarError as error:
            text = f"failed to pushing the blob {digest}, size {len(content)}: {error}"
            self.log("ERROR", 396, text)
            raise

    def _is_there(self, digest: str) -> bool:
        if self.destination.has_blob(self.name, digest):
            text = f"the blob {digest} already exists on the destination registry, skip"
            self.log("INFO", 338, text)
            return True
        source = self.destination.mountable(digest)
        if source is None:
            return False
        try:
            self.destination.mount(self.name, digest, source)
        except FarError as error:
            text = f"failed to mount the blob {digest} on the destination registry: {error}"
            self.log("ERROR", 352, text)
            raise
        text = f"the blob {digest} mounted from the repository {source} on the destination registry directly"
        self.log("INFO", 355, text)
        return True

    def _pull(self, reference: str) -> Manifest:
        self._check_stop()
        name = f"{self.resource.repository}:{reference}"
        self.log("INFO", 465, f"pulling the manifest of artifact {name} ...")
        try:
            manifest = self.source.manifest(self.resource.repository, reference)
        except FarError as error:
            self.log("ERROR", 468, f"failed to pull the manifest of artifact {name}: {error}")
            raise
        self.log("INFO", 471, f"the manifest of artifact {name} pulled")
        return manifest

    def _push(self, manifest: Manifest, reference: str) -> None:
        self._check_stop()
        name = f"{self.name}:{reference}"
        self.log("INFO", 494, f"pushing the manifest of artifact {name} ...")
        try:
            self.destination.push_manifest(self.name, reference, manifest)
        except FarError as error:
            self.log("ERROR", 502, f"failed to push manifest of artifact {name}: {error}")
            raise
        self.log("INFO", 506, f"the manifest of artifact {name} pushed")

    def _delete(self) -> Iterator[float]:
        for reference in self.resource.references:
            yield _LOOK
            self._check_stop()
            name = f"{self.name}:{reference}"
            digest = self.destination.head(self.name, reference)
            if digest is None:
                text = f"the artifact {name} doesn't exist on the destination registry, skip"
                self.log("INFO", 525, text)
                continue
            self.destination.delete(self.name, digest)
            self.log("INFO", 534, f"the manifest of artifact {name} is deleted")

    def _delete_tags(self) -> Iterator[float]:
        for tag in self.resource.references:
            yield _LOOK
            self._check_stop()
            name = f"{self.name}:{tag}"
            if self.destination.delete_tag(self.name, tag):
                self.log("INFO", 555, f"the tag {name} is deleted")
            else:
                text = f"the tag {name} doesn't exist on the destination registry, skip"
                self.log("INFO", 547, text)

    def _check_stop(self) -> None:
        if self.stopped():
            self.log("INFO", 175, "the job is stopped")
            raise Stopped

    def _here(self, reference: str) -> str:
        return f"{self.resource.repository}:{reference}(source registry)"

    def _there(self, reference: str) -> str:
        return f"{self.name}:{reference}(destination registry)"
