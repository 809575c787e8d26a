"""The corridor: moves a graph from one registry to another, the user's tag last.

The order is that of OCI-6.7: blobs, child manifests, the root by its digest, then everything
that is said about it, then the tag. Whoever sees the tag finds the artifact complete and its
signatures in place. This module knows two :class:`~harborsync.registry.Registry` objects and
nothing of HTTP, rules or plans.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from harborsync.cancel import Cancel
from harborsync.clock import Clock, SystemClock
from harborsync.content import EMPTY, EMPTY_CONTENT, Descriptor, Manifest
from harborsync.errors import (
    ContentMissing,
    IntegrityError,
    NotFound,
    RegistryError,
    Side,
    VerificationError,
    on_side,
)
from harborsync.events import (
    SILENT,
    BlobEvent,
    BlobFinished,
    BlobOutcome,
    BlobStarted,
    BytesMoved,
    Dispatcher,
    ManifestWritten,
)
from harborsync.ledger import Ledger, Shelf
from harborsync.reference import ArtifactRef, Digest, Tag
from harborsync.referrers import entry_of, make_findable
from harborsync.registry import BlobPut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from harborsync.graph import Graph, Satellite, SourceRepository
    from harborsync.registry import Registry


# A repository without tags may hold what a run has brought that was killed before its first tag;
# blobs longer than this are worth asking for.
_SENT_UNASKED: Final = 2**20


class Spread(Protocol):
    """Runs work on many blobs, perhaps at once; raises the first error after all have ended."""

    def __call__(self, work: Callable[[Descriptor], None], blobs: Sequence[Descriptor], /) -> None:
        """Do ``work`` for every blob."""
        ...


def one_by_one(work: Callable[[Descriptor], None], blobs: Sequence[Descriptor], /) -> None:
    """Do ``work`` for every blob, in this thread."""
    for blob in blobs:
        work(blob)


def unmetered(block: bytes, /) -> Iterator[bytes]:
    """Let a block pass."""
    yield block


class BlobSource(Protocol):
    """Where the blobs of a source repository are read from."""

    def open(
        self, source: SourceRepository, blob: Descriptor, offset: int, /
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Open the blob's bytes from ``offset``."""
        ...

    def settled(self, blob: Descriptor, /) -> None:
        """Note that the destination has the blob, or has given up on it."""
        ...


class FromRegistry:
    """Reads blobs from the registry that lists them, and nowhere else."""

    def open(
        self, source: SourceRepository, blob: Descriptor, offset: int, /
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Open the blob's bytes from ``offset``."""
        return source.registry.open_blob(source.name, blob, offset)

    def settled(self, blob: Descriptor, /) -> None:
        """Take no note."""


class FetchForeign(Protocol):
    """Fetches a blob from the URLs its descriptor names, from an offset."""

    def __call__(self, blob: Descriptor, offset: int, /) -> AbstractContextManager[Iterator[bytes]]:
        """Open the blob's bytes from ``offset``."""
        ...


@attrs.frozen
class FromRegistryOrUrls:
    """Reads blobs from the registry that lists them, else from their URLs (OCI-3.19, 3.20).

    Attributes:
        fetch: Fetches from URLs.
    """

    fetch: FetchForeign

    @contextmanager
    def open(
        self, source: SourceRepository, blob: Descriptor, offset: int, /
    ) -> Iterator[Iterator[bytes]]:
        """Open the blob's bytes from ``offset``."""
        with ExitStack() as stack:
            try:
                blocks = stack.enter_context(source.registry.open_blob(source.name, blob, offset))
            except NotFound:
                if not blob.urls:
                    raise
                blocks = stack.enter_context(self.fetch(blob, offset))
            yield blocks

    def settled(self, blob: Descriptor, /) -> None:
        """Take no note."""


@attrs.frozen(kw_only=True)
class Tools:
    """What a transfer works with, shared by all transfers of a run.

    Attributes:
        ledger: What is known to be where.
        cancel: Stops between two blocks.
        clock: Time, for the events.
        emit: Is told what happens.
        spread: Runs the blobs of one artifact.
        meter: Is given every block and yields it on, whole or in pieces, each when it may go.
        blobs: Where the source's blobs are read from.
    """

    ledger: Ledger = attrs.field(factory=Ledger)
    cancel: Cancel = attrs.field(factory=Cancel)
    clock: Clock = attrs.field(factory=SystemClock)
    emit: Dispatcher = SILENT
    spread: Spread = one_by_one
    meter: Callable[[bytes], Iterator[bytes]] = unmetered
    blobs: BlobSource = attrs.field(factory=FromRegistry)


@attrs.frozen(kw_only=True)
class Target:
    """Where a graph goes.

    Attributes:
        registry: The registry.
        repository: The repository's full name there.
        tag: The tag written last, or None to write by digest only.
        tags: The tags the repository is known to have, or None if nobody looked.
        is_fresh: Whether that is known so lately that a tag not among them is not asked for.
        digests: The manifests the repository is known to have, or None if nobody told.
        satellites: What the repository is known to have about which manifest; a digest tag may be
            there although it is not among the tags, unless nothing is about its subject.
        holds: Whether the artifact itself was seen there, under whatever tag.
        is_whole: Whether everything that belongs to the artifact is to be copied with it.
        strict: Whether to ask for everything, whatever was seen before.
        overwrite: Whether signatures that differ at the destination give way.
        twins: Other repositories of the registry that hold the same artifact, to mount from.
    """

    registry: Registry
    repository: str
    tag: Tag | None = None
    tags: frozenset[Tag] | None = None
    is_fresh: bool = True
    digests: frozenset[Digest] | None = None
    satellites: Mapping[Digest, frozenset[Digest]] = attrs.field(factory=dict)
    holds: bool = False
    is_whole: bool = False
    strict: bool = False
    overwrite: bool = False
    twins: tuple[str, ...] = ()

    @cached_property
    def shelf(self) -> Shelf:
        """The repository as the ledger knows it."""
        return Shelf(self.registry.identity, self.repository)

    @property
    def is_new(self) -> bool:
        """Whether nothing is there yet, so that nobody needs to ask what it has."""
        return not self.strict and self.tags is not None and not self.tags

    @property
    def lists_digests(self) -> bool:
        """Whether a manifest that is not known to be there most likely is not."""
        return self.is_fresh and self.digests is not None

    def lacks(self, tag: Tag, subject: Digest | None = None) -> bool:
        """Tell whether a tag, which may hang on a subject, is known not to be there."""
        if not self.is_fresh or self.tags is None or tag in self.tags:
            return False
        return subject is None or not self.satellites or self.satellites.get(subject) == frozenset()


@attrs.define
class Tally:
    """What one transfer moved; adds up under a lock.

    Attributes:
        bytes_sent: Bytes of blobs sent, repeated ones included.
        bytes_mounted: Bytes of blobs mounted from another repository.
        bytes_present: Bytes of blobs that were there already.
        attempts: The most tries a blob took.
        satellites: Number of satellites that are now at the destination.
        restored: Number of blobs and manifests that the destination had lost.
        written: Number of manifests written, each time anew.
        warnings: What went wrong beside the artifact itself, for people.
    """

    bytes_sent: int = 0
    bytes_mounted: int = 0
    bytes_present: int = 0
    attempts: int = 1
    satellites: int = 0
    restored: int = 0
    written: int = 0
    warnings: list[str] = attrs.field(factory=list)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, repr=False, eq=False)

    def add(self, blob: Descriptor, put: BlobPut) -> None:
        """Count one blob."""
        with self._lock:
            self.bytes_sent += put.bytes_sent
            self.attempts = max(self.attempts, put.attempts)
            if put.outcome is BlobOutcome.MOUNTED:
                self.bytes_mounted += blob.size
            elif put.outcome is BlobOutcome.PRESENT:
                self.bytes_present += blob.size

    def add_restored(self) -> None:
        """Count one thing that had been lost."""
        with self._lock:
            self.restored += 1

    def add_written(self) -> None:
        """Count one manifest that was written."""
        with self._lock:
            self.written += 1


def copy_graph(
    source: SourceRepository, graph: Graph, target: Target, tools: Tools, tally: Tally | None = None
) -> Tally:
    """Copy everything in ``graph``, then write the tag if there is one.

    Nothing is written that is there already, as far as that is known without asking twice.

    Args:
        source: Where from.
        graph: What.
        target: Where to.
        tools: What to work with.
        tally: Counts what is moved, also if the copy fails in the middle.

    Raises:
        HarborsyncError: The artifact did not arrive, and its tag was not written. The error
            tells the side. A satellite that a registry refuses only makes a warning; one that
            fails for another reason counts as the artifact's failure.
    """
    copy = _Copy(source, target, tools, tally or Tally())
    copy.everything(graph)
    return copy.tally


def restore_graph(
    source: SourceRepository, graph: Graph, target: Target, tools: Tools, tally: Tally | None = None
) -> Tally:
    """Look for everything below a manifest that is at the destination; bring what was lost there.

    That a registry has a manifest is no proof that it still has what the manifest names. Each
    blob is looked for once as long as the ledger lives; no tag is written.

    Args:
        source: Where from.
        graph: What; its satellites count as far as the destination has their manifests.
        target: Where to.
        tools: What to work with.
        tally: Counts what is moved and restored.

    Raises:
        HarborsyncError: Something is lacking and did not arrive.
    """
    copy = _Copy(source, target, tools, tally or Tally())
    copy.restore(graph)
    for satellite in graph.all_satellites():
        if copy.has(satellite.graph):
            copy.restore(satellite.graph)
    return copy.tally


class _Copy:
    """One graph on its way to one place."""

    def __init__(
        self, source: SourceRepository, target: Target, tools: Tools, tally: Tally
    ) -> None:
        self._source = source
        self._target = target
        self._tools = tools
        self._indexed: set[Digest] = set()
        self._written: set[Digest] = set()
        self._is_copied = False
        self.tally = tally

    # --- the order of things ------------------------------------------------------------

    def everything(self, graph: Graph) -> None:
        """Bring over the graph, what is said about it, and last the tag (OCI-6.7)."""
        self.tally.warnings.extend(graph.notes)
        tag = self._target.tag
        self._learn(graph)
        satellites = tuple(graph.all_satellites())
        if self._may_copy_within(graph, tag):
            self._copy_within(graph)
        if not satellites or not self._target.registry.quirks.manifests_by_digest_first:
            self._bring(graph, tag, is_likely=self._target.holds)
            self._satellites(satellites)
            return
        self._bring(graph, is_likely=self._target.holds)
        self._satellites(satellites)
        if tag is not None:
            self._name(graph, tag)

    def _learn(self, graph: Graph) -> None:
        """Note what was seen at the destination, if that is not too long ago."""
        target, ledger = self._target, self._tools.ledger
        if not target.is_fresh:
            return
        ledger.learn(target.shelf, target.digests or ())
        for known in target.satellites.get(graph.manifest.digest, ()):
            ledger.note(target.shelf, known)
        if target.holds:
            ledger.note(target.shelf, graph.manifest.digest)

    def _may_copy_within(self, graph: Graph, tag: Tag | None) -> bool:
        """Tell whether the registry holds it already and may copy it as it is, tags included.

        The tag is seen before what is said about children and satellites, so there is to be none.
        """
        source, target = self._source, self._target
        is_here = source.registry.identity == target.registry.identity
        if not is_here or not target.is_whole or source.name == target.repository:
            return False
        if self._tools.ledger.has(target.shelf, graph.manifest.digest):
            return False
        is_flat = len(tuple(graph.all_satellites())) == len(graph.satellites)
        if tag is None or not target.lacks(tag) or not is_flat:
            return False
        return source.tags_of(graph.source_digest) == frozenset({tag})

    def _copy_within(self, graph: Graph) -> None:
        """Let a registry copy by itself what it holds, if it can; what came is then looked for."""
        copies, target = self._target.registry.abilities.copies, self._target
        if copies is None:
            return
        with on_side(Side.DESTINATION):
            came = copies.copy_within(self._source.name, graph.source_digest, target.repository)
        if came:
            self._is_copied = True
            for node in graph.nodes():
                self._tools.ledger.note(target.shelf, node.manifest.digest)
            for satellite in graph.satellites:
                self.has(satellite.graph)

    def _bring(self, graph: Graph, tag: Tag | None = None, *, is_likely: bool = False) -> None:
        """Bring one graph over, once for all who want it under this tag at the same time.

        The tag counts, since a refusal of one tag says nothing about another.

        Args:
            graph: What.
            tag: The tag to write, if any.
            is_likely: Whether it may well be there: others than ``tag`` lead to it, too.
        """
        if self._tools.ledger.has(self._target.shelf, graph.manifest.digest):
            if tag is not None:
                self._name(graph, tag)
            return
        key = (self._target.shelf, graph.manifest.digest, tag)
        self._tools.ledger.once(key, partial(self._bring_now, graph, tag, is_likely=is_likely))

    def _bring_now(self, graph: Graph, tag: Tag | None, *, is_likely: bool) -> None:
        if self._is_there(graph, is_likely=is_likely):
            if tag is not None:
                self._name(graph, tag)
            return
        for child in graph.children:
            self._bring(child, is_likely=not self._target.lists_digests)
        self._tools.cancel.check()
        self._all_blobs(graph.blobs)
        self._put(graph, tag)

    def _is_there(self, graph: Graph, *, is_likely: bool) -> bool:
        """Tell whether a manifest is known, or found, at the destination."""
        if self._tools.ledger.has(self._target.shelf, graph.manifest.digest):
            return True
        return self._may_be_there(graph, is_likely=is_likely) and self.has(graph)

    def _may_be_there(self, graph: Graph, *, is_likely: bool) -> bool:
        """Tell whether it is worth a request to ask for a manifest by its digest.

        An image that nobody has seen there is mostly new; where a mount tells for each blob
        whether it is there, asking for the image as well only costs. So it does for whatever a
        listing of all digests does not tell of.
        """
        target = self._target
        if target.is_new:
            return False
        if is_likely or target.strict or (graph.children and not target.lists_digests):
            return True
        return not target.registry.quirks.mount_tells_presence

    def has(self, graph: Graph) -> bool:
        """Tell whether a manifest is at the destination; what is there is asked for once."""
        digest, shelf = graph.manifest.digest, self._target.shelf
        if self._tools.ledger.has(shelf, digest):
            return True
        with on_side(Side.DESTINATION):
            found = self._target.registry.resolve(self._target.repository, digest)
        if found is None:
            return False
        self._tools.ledger.note(shelf, digest)
        return True

    # --- manifests ----------------------------------------------------------------------

    def _name(self, graph: Graph, tag: Tag) -> None:
        """Give a tag to what is there, without sending the manifest again where that can be."""
        tagging, target = self._target.registry.abilities.tags, self._target
        if self._is_copied and self._leads_to(tag, graph.manifest.digest):
            self._note_written(graph.manifest, tag)
            return
        if tagging is None or tag.subject_prefix is not None or not target.lacks(tag):
            self._put(graph, tag)
            return
        self._tools.cancel.check()
        with on_side(Side.DESTINATION):
            is_made = tagging.add_tag(target.repository, graph.manifest.digest, tag)
        if is_made:
            self._note_written(graph.manifest, tag)
        else:
            self._put(graph, tag)

    def _leads_to(self, tag: Tag, digest: Digest) -> bool:
        with on_side(Side.DESTINATION):
            found = self._target.registry.resolve(self._target.repository, tag)
        return found is not None and found.digest == digest

    def _put(self, graph: Graph, tag: Tag | None = None) -> None:
        """Write a manifest; what the destination then says is lacking is sent once more."""
        try:
            self._write(graph.manifest, tag)
        except ContentMissing as error:
            self._send_again(graph, frozenset(error.digests))
            with _explained(graph):
                self._write(graph.manifest, tag)

    def _write(self, manifest: Manifest, tag: Tag | None) -> None:
        self._tools.cancel.check()
        with on_side(Side.DESTINATION):
            if self._target.registry.put_manifest(self._target.repository, manifest, tag=tag):
                self._indexed.add(manifest.digest)
        self._written.add(manifest.digest)
        self.tally.add_written()
        self._note_written(manifest, tag)

    def _note_written(self, manifest: Manifest, tag: Tag | None) -> None:
        self._tools.ledger.note(self._target.shelf, manifest.digest)
        if tag is not None:
            self._tools.ledger.note_tag(self._target.shelf, tag, manifest.digest)
        if self._tools.emit:
            artifact = ArtifactRef(self._target.repository, tag, manifest.digest)
            name = self._target.registry.name
            self._tools.emit(
                ManifestWritten(at=self._tools.clock.now(), to=name, artifact=artifact)
            )

    def _send_again(self, graph: Graph, named: frozenset[str]) -> None:
        """Send what the destination says it lacks, or everything if it does not say what."""
        shelf, ledger = self._target.shelf, self._tools.ledger
        for child in graph.children:
            if not named or str(child.manifest.digest) in named:
                ledger.forget(shelf, child.manifest.digest)
                self._bring(child, is_likely=True)
        lacking = [blob for blob in graph.blobs if not named or str(blob.digest) in named]
        for blob in lacking:
            ledger.forget(shelf, blob.digest)
        self._all_blobs(lacking)

    # --- blobs --------------------------------------------------------------------------

    def _all_blobs(self, blobs: Sequence[Descriptor]) -> None:
        """Bring blobs: first those that nobody is at, so that no carrier waits for another's work."""
        busy: list[Descriptor] = []

        def bring(blob: Descriptor) -> None:
            if self._tools.ledger.is_busy(self._target.shelf, blob.digest):
                busy.append(blob)
            else:
                self._blob(blob)

        self._tools.spread(bring, blobs)
        for blob in busy:
            self._blob(blob)

    def _blob(self, blob: Descriptor) -> None:
        """See to it that a blob is there, by whoever sends it first."""
        try:
            sent_here = self._tools.ledger.deliver(
                self._target.shelf, blob.digest, partial(self._send, blob)
            )
        finally:
            self._tools.blobs.settled(blob)
        if not sent_here:
            self.tally.add(blob, BlobPut(outcome=BlobOutcome.PRESENT))

    def _send(self, blob: Descriptor, mount_from: tuple[str, ...]) -> None:
        self._tools.cancel.check()
        self._tell(BlobStarted, blob)
        # Wrong bytes are the source's fault, though the destination is who finds them.
        with on_side(Side.DESTINATION), on_side(Side.SOURCE, IntegrityError):
            put = self._target.registry.put_blob(
                self._target.repository,
                blob,
                partial(self._open, blob),
                mount_from=self._origins(mount_from),
                absent=self._target.is_new and blob.size <= _SENT_UNASKED,
            )
        self.tally.add(blob, put)
        self._tell(BlobFinished, blob, outcome=put.outcome)

    def _origins(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """Return where to mount from, first the source if that is in this registry (OCI-4.6)."""
        is_here = self._source.registry.identity == self._target.registry.identity
        return (*((self._source.name,) if is_here else ()), *(known or self._target.twins))

    @contextmanager
    def _open(self, blob: Descriptor, offset: int = 0) -> Iterator[Iterator[bytes]]:
        """Open a blob at the source, every block watched, metered and told about."""
        known = _known_content(blob)
        if known is not None:
            yield iter((known[offset:],)) if offset < len(known) else iter(())
            return
        with on_side(Side.SOURCE):
            opened = self._tools.blobs.open(self._source, blob, offset)
            blocks = opened.__enter__()
        try:
            yield self._watched(blob, blocks)
        finally:
            opened.__exit__(None, None, None)

    def _watched(self, blob: Descriptor, blocks: Iterator[bytes]) -> Iterator[bytes]:
        while True:
            self._tools.cancel.check()
            with on_side(Side.SOURCE):
                block = next(blocks, None)
            if block is None:
                return
            for piece in self._tools.meter(block):
                self._tell(BytesMoved, blob, count=len(piece))
                yield piece

    def _tell(self, kind: type[BlobEvent], blob: Descriptor, **fields: Any) -> None:
        if self._tools.emit:
            self._tools.emit(
                kind(
                    at=self._tools.clock.now(),
                    to=self._target.registry.name,
                    repository=self._target.repository,
                    digest=blob.digest,
                    size=blob.size,
                    **fields,
                )
            )

    # --- what was lost ------------------------------------------------------------------

    def restore(self, graph: Graph) -> None:
        """Bring whatever the destination has lost below a manifest that it has."""
        for child in graph.children:
            self.restore(child)
            if not self.has(child):
                self._put(child)
                self.tally.add_restored()
        self._tools.spread(self._look_for, graph.blobs)

    def _look_for(self, blob: Descriptor) -> None:
        key = (self._target.shelf, blob.digest, "look for")
        self._tools.ledger.once(key, partial(self._restore_blob, blob))

    def _restore_blob(self, blob: Descriptor) -> None:
        self._tools.cancel.check()
        shelf, ledger = self._target.shelf, self._tools.ledger
        if ledger.has(shelf, blob.digest):
            return
        with on_side(Side.DESTINATION):
            is_there = self._target.registry.has_blob(self._target.repository, blob)
        if is_there:
            ledger.note(shelf, blob.digest)
            return
        self._blob(blob)
        self.tally.add_restored()

    # --- what is said about it ----------------------------------------------------------

    def _satellites(self, satellites: Sequence[Satellite]) -> None:
        arrived = [
            each for each in satellites if self._survives(each, partial(self._satellite, each))
        ]
        by_subject: dict[Digest, list[Satellite]] = {}
        for satellite in arrived:
            if satellite.is_referrer and satellite.graph.manifest.digest not in self._indexed:
                by_subject.setdefault(satellite.subject, []).append(satellite)
        for subject, referrers in by_subject.items():
            self._survives(referrers[0], partial(self._list, subject, referrers))
        self.tally.satellites = len(arrived)

    def _survives(self, satellite: Satellite, work: Callable[[], None]) -> bool:
        """Do something for a satellite; a refusal is a warning and stops nothing (OCI-3.25).

        Anything else fails the artifact: its tag must not be seen before what belongs to it.
        """
        try:
            work()
        except (RegistryError, VerificationError) as error:
            if error.retryable:
                raise
            what = satellite.tag or satellite.graph.manifest.digest
            self.tally.warnings.append(f"{what}, about {satellite.subject}: {error.message}")
            return False
        return True

    def _satellite(self, satellite: Satellite) -> None:
        if satellite.tag is None:
            is_new = self._target.lists_digests and satellite.subject in self._written
            self._bring(satellite.graph, is_likely=not is_new)
            return
        with self._tools.ledger.alone((self._target.shelf, satellite.tag)):
            if self._may_write(satellite.tag, satellite):
                self._bring(satellite.graph, satellite.tag)

    def _may_write(self, tag: Tag, satellite: Satellite) -> bool:
        """Tell whether a digest tag is to be written; what only grew is, a conflict is not.

        Raises:
            VerificationError: The destination has other signatures there, which are kept.
        """
        manifest = satellite.graph.manifest
        written = self._tools.ledger.tagged(self._target.shelf, tag)
        if written == manifest.digest:
            return False
        if written is None and self._target.lacks(tag, satellite.subject):
            return True
        registry, repository = self._target.registry, self._target.repository
        with on_side(Side.DESTINATION):
            found = registry.resolve(repository, tag)
            if found is None or self._target.overwrite:
                return found is None or found.digest != manifest.digest
            if found.digest == manifest.digest:
                return False
            held = registry.get_manifest(repository, found.digest)
        if _said(held) <= _said(manifest):
            return True
        msg = "the destination has other signatures under this tag, which are kept"
        raise VerificationError(msg, side=Side.DESTINATION)

    def _list(self, subject: Digest, referrers: list[Satellite]) -> None:
        """Make referrers findable where the registry did not do it by itself."""
        wanted = {each.graph.manifest.digest: entry_of(each) for each in referrers}
        key = (self._target.shelf, subject.tag_prefix)
        with self._tools.ledger.alone(key), on_side(Side.DESTINATION):
            make_findable(
                self._target.registry,
                self._target.repository,
                subject,
                wanted,
                like=self._source.fallback_index(subject),
            )


def _said(manifest: Manifest) -> set[Descriptor]:
    """Return what a digest tag's manifest holds: one layer, or one entry, for each statement.

    Two keys sign one payload, so the digest does not tell signatures apart; annotations do.
    """
    return {*manifest.layers, *manifest.entries}


def _known_content(blob: Descriptor) -> bytes | None:
    """Return content that needs no fetching: empty, ``{}``, or carried by the descriptor."""
    if blob.size == 0:
        return b""
    return EMPTY_CONTENT if blob.digest == EMPTY.digest else blob.data


@contextmanager
def _explained(graph: Graph) -> Iterator[None]:
    """Say why a destination may refuse a manifest whose content was left out on purpose."""
    try:
        yield
    except ContentMissing as error:
        if len(graph.children) < len(graph.manifest.manifests):
            error.hint = "this registry takes no sparse index; choose subset='rewritten'"
        elif len(graph.blobs) < len(graph.manifest.blobs):
            error.hint = "this registry wants non-distributable layers too; choose foreign='copy'"
        raise
