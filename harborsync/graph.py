"""Everything that travels with an artifact: its children, its blobs, and what is said about it.

A :class:`Graph` is read from the source before anything is written, so that the plan knows the
bytes and the copy knows the order (OCI-6.7): blobs, children, the root, then the satellites,
which are the signatures, SBOMs and attestations that point to it. Satellites are found through
the referrers API, through the fallback tag ``sha256-<hex>`` where there is no API, and through
cosign's tags ``sha256-<hex>.sig``, ``.att`` and ``.sbom`` (OCI-6.1, 6.3, 6.4).
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.artifact import Hints, Unknown
from harborsync.cancel import held
from harborsync.content import COSIGN_PAYLOAD, Descriptor, Manifest, Platform
from harborsync.errors import InvalidManifest, NotFound, Side
from harborsync.reference import Digest, Tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harborsync.artifact import Artifact
    from harborsync.registry import Registry

MAX_NESTING: Final = 8  # OCI-3.15
MAX_SATELLITE_DEPTH: Final = 4  # OCI-6.6
_CACHE_BYTES: Final = 32 * 2**20
_DIGEST_TAGS: Final = Hints(tag_contains="sha")  # sha256-…, sha512-…
_SIGNATURE: Final = "cosign.sig"


class Subset(StrEnum):
    """What becomes of an index of which only some platforms are wanted (OCI-3.21).

    Neither is ever chosen silently: the first keeps the digest, and many registries refuse it;
    the second makes a new index with another digest, and orphans the signatures of the old.
    """

    SPARSE = "sparse"
    REWRITTEN = "rewritten"


class Foreign(StrEnum):
    """What becomes of layers that may not be distributed (OCI-3.19)."""

    SKIP = "skip"
    COPY = "copy"
    FETCH = "fetch"


@attrs.frozen(kw_only=True)
class Choice:
    """What of an artifact is wanted.

    Attributes:
        platforms: The platforms wanted of an index; empty for all.
        subset: How an index with fewer platforms is written; needed with ``platforms``.
        foreign: What becomes of non-distributable layers.
        satellites: Globs over the artifact types of the satellites wanted; ``*`` is all, and
            cosign's tags have the types ``cosign.sig``, ``cosign.att``, ``cosign.sbom``.
    """

    platforms: tuple[Platform, ...] = ()
    subset: Subset | None = None
    foreign: Foreign = Foreign.SKIP
    satellites: tuple[str, ...] = ("*",)

    def wants_platform(self, entry: Descriptor) -> bool:
        """Tell whether an index entry is wanted; one without a platform is (OCI-3.22)."""
        if not self.platforms or entry.platform is None:
            return True
        return any(wanted.covers(entry.platform) for wanted in self.platforms)

    @property
    def wants_every_satellite(self) -> bool:
        """Whether satellites are wanted whatever their type, so that nobody needs to know it."""
        return "*" in self.satellites

    def wants_satellite(self, kind: str) -> bool:
        """Tell whether satellites of this artifact type are wanted."""
        return any(fnmatchcase(kind, glob) for glob in self.satellites)


EVERYTHING_OF_IT: Final = Choice()


@attrs.frozen(kw_only=True)
class Satellite:
    """Something said about another manifest.

    Attributes:
        graph: What it consists of.
        subject: The digest of what it is about.
        tag: The digest tag it is found under, or None for a referrer.
        listing: What the source's referrers list says of it, annotations included.
    """

    graph: Graph
    subject: Digest
    tag: Tag | None = None
    listing: Descriptor | None = None

    @property
    def is_referrer(self) -> bool:
        """Whether it is found by its subject, and not by its tag alone."""
        return self.tag is None or self.graph.manifest.subject is not None


@attrs.frozen(kw_only=True, slots=False)
class Graph:
    """A manifest and everything below it.

    Attributes:
        manifest: The manifest itself.
        children: The graphs of its child manifests that are wanted.
        blobs: Its own blobs, each digest once, without those left out by policy.
        satellites: What is said about this very manifest.
        source_digest: The digest at the source; differs from the manifest's only if an index
            was rewritten.
        notes: What could not be read and does not stand in the way, for people; on the root.
    """

    manifest: Manifest
    children: tuple[Graph, ...] = ()
    blobs: tuple[Descriptor, ...] = ()
    satellites: tuple[Satellite, ...] = ()
    source_digest: Digest
    notes: tuple[str, ...] = ()

    def nodes(self, seen: set[Digest] | None = None) -> Iterator[Graph]:
        """Yield this graph's manifests without satellites, children first, each digest once."""
        seen = set() if seen is None else seen
        if self.manifest.digest in seen:
            return
        seen.add(self.manifest.digest)
        for child in self.children:
            yield from child.nodes(seen)
        yield self

    def all_satellites(self) -> Iterator[Satellite]:
        """Yield the satellites of every manifest in here, subjects before what is about them."""
        for node in self.nodes():
            for satellite in node.satellites:
                yield satellite
                yield from satellite.graph.all_satellites()

    @cached_property
    def all_blobs(self) -> dict[Digest, Descriptor]:
        """Every blob, those of satellites included, each digest once."""
        graphs = (self, *(satellite.graph for satellite in self.all_satellites()))
        return {b.digest: b for graph in graphs for node in graph.nodes() for b in node.blobs}

    @property
    def is_rewritten(self) -> bool:
        """Whether another document is written than the one at the source."""
        return self.manifest.digest != self.source_digest

    @property
    def bytes_at_most(self) -> int:
        """Bytes of blobs that a copy moves at the most."""
        return sum(blob.size for blob in self.all_blobs.values())


class ManifestCache:
    """Manifests read by digest, each once, up to a number of bytes; thread-safe."""

    def __init__(self, max_bytes: int = _CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._held: OrderedDict[Digest, Manifest] = OrderedDict()
        self._bytes = 0

    def get(self, digest: Digest) -> Manifest | None:
        """Return the manifest if it is held."""
        with self._lock:
            if digest in self._held:
                self._held.move_to_end(digest)
            return self._held.get(digest)

    def put(self, manifest: Manifest) -> None:
        """Hold a manifest; the ones used longest ago make room."""
        with self._lock:
            if manifest.digest in self._held:
                return
            self._held[manifest.digest] = manifest
            self._bytes += manifest.size
            while self._bytes > self._max_bytes and len(self._held) > 1:
                self._bytes -= self._held.popitem(last=False)[1].size


class SourceRepository:
    """One repository at the source, read as little as possible; thread-safe.

    Args:
        registry: Where it is.
        name: Its full name.
        cache: Manifests already read.
        listed: Everything the repository lists, where that has been asked already.
    """

    def __init__(
        self,
        registry: Registry,
        name: str,
        cache: ManifestCache,
        listed: Iterable[Artifact] | None = None,
    ) -> None:
        self.registry = registry
        self.name = name
        self._cache = cache
        self._listing = threading.Lock()
        self._digest_tags: dict[str, tuple[Tag, ...]] | None = None
        self._lock = threading.Lock()
        self._told: dict[Digest, frozenset[Digest]] = {}
        self._has_shared = False
        self._heads: dict[Tag | Digest, Descriptor | None] = {}
        self._tags: dict[Digest, set[Tag]] | None = None
        self._asking: dict[Tag | Digest, threading.Lock] = {}
        if listed is not None:
            listed = tuple(listed)
            self._digest_tags = self.learn(listed)
            self._tags = _by_digest(listed)

    def learn(self, listed: Iterable[Artifact]) -> dict[str, tuple[Tag, ...]]:
        """Note what a listing tells, so that nobody asks for it again.

        Returns:
            The digest tags in it, by the beginning that those of one subject share.
        """
        tags: dict[str, list[Tag]] = {}
        for each in listed:
            prefix = None if each.tag is None else each.tag.subject_prefix
            if each.tag is not None and prefix is not None:
                tags.setdefault(prefix, []).append(each.tag)
                if each.descriptor is not None:
                    self._heads.setdefault(each.tag, each.descriptor)
            if isinstance(each.digest, Digest) and not isinstance(each.satellites, Unknown):
                self._told[each.digest] = each.satellites
        return {prefix: tuple(sorted(hanging)) for prefix, hanging in tags.items()}

    def manifest(self, reference: Tag | Digest) -> Manifest:
        """Return a manifest; one asked for by digest is read at most once."""
        held = self._cache.get(reference) if isinstance(reference, Digest) else None
        if held is None:
            held = self.registry.get_manifest(self.name, reference)
            self._cache.put(held)
        return held

    def digest_of(self, tag: Tag) -> Digest | None:
        """Return what a tag that is to be copied points to, or None; its manifest is read along.

        That saves a request a tag. Where a tag turns out to share its manifest with another,
        further ones are only asked for, since reading a manifest again saves nothing.
        """
        if self._has_shared:
            found = self.registry.resolve(self.name, tag)
            return None if found is None else found.digest
        try:
            manifest = self.registry.get_manifest(self.name, tag)
        except NotFound:
            return None
        self._has_shared = self._cache.get(manifest.digest) is not None
        self._cache.put(manifest)
        return manifest.digest

    def head(self, reference: Tag | Digest) -> Descriptor | None:
        """Return what a digest tag or a satellite's digest points to; each is asked for once."""
        with self._lock:
            asking = self._asking.setdefault(reference, threading.Lock())
        with held(asking):
            if reference not in self._heads:
                self._heads[reference] = self.registry.resolve(self.name, reference)
            return self._heads[reference]

    def digest_tags(self, subject: Digest) -> tuple[Tag, ...]:
        """Return the digest tags that hang on ``subject``; lists the repository's tags once.

        Those that a registry hides, as it tells by itself what hangs on them, are not among them.
        """
        with held(self._listing):
            if self._digest_tags is None:
                self._digest_tags = self.learn(self._listed_digest_tags())
        return self._digest_tags.get(subject.tag_prefix, ())

    def _listed_digest_tags(self) -> Iterator[Artifact]:
        narrowing = self.registry.abilities.lists_narrowed
        if narrowing is not None:
            return narrowing.list_matching(self.name, _DIGEST_TAGS)
        return self.registry.list_artifacts(self.name)

    def tags_of(self, digest: Digest) -> frozenset[Tag] | None:
        """Return all tags of a digest, or None if that is not known."""
        found = None if self._tags is None else self._tags.get(digest)
        return None if found is None else frozenset(found)

    def told(self, subject: Digest) -> frozenset[Digest] | None:
        """Return what a listing told to be about ``subject``, or None if none did."""
        return self._told.get(subject)

    def referrers(self, subject: Digest, *, types: bool = True) -> tuple[Descriptor, ...]:
        """Return what refers to ``subject``: by the API, and by the fallback tag (OCI-6.4).

        The API is not asked about what a listing has told to have none.

        Args:
            subject: The digest.
            types: Whether types matter; else what a listing told is left out, too.
        """
        api, told = self.registry.abilities.referrers, self.told(subject)
        is_told = told is not None and not (types and told)
        found: tuple[Descriptor, ...] = ()
        if api is not None and not is_told:
            found = api.list_referrers(self.name, subject) or ()
        fallback = self.fallback_index(subject)
        if fallback is not None:
            found = (*found, *fallback.entries)
        return tuple({entry.digest: entry for entry in reversed(found)}.values())[::-1]

    def fallback_index(self, subject: Digest) -> Manifest | None:
        """Return the index under the fallback tag of ``subject``, or None if there is none.

        Raises:
            InvalidManifest: The tag is something else.
        """
        tag = Tag(subject.tag_prefix)
        if tag not in self.digest_tags(subject):
            return None
        found = self.head(tag)
        if found is None:
            return None
        index = self.manifest(found.digest)
        if not index.is_index:
            msg = f"the tag {tag} in {self.name} is no index, so referrers cannot be read from it"
            raise InvalidManifest(msg, side=Side.SOURCE)
        return index


def _by_digest(listed: Iterable[Artifact]) -> dict[Digest, set[Tag]]:
    found: dict[Digest, set[Tag]] = {}
    for each in listed:
        if isinstance(each.digest, Digest) and each.tag is not None:
            found.setdefault(each.digest, set()).add(each.tag)
    return found


def read_graph(source: SourceRepository, root: Digest, choice: Choice = EVERYTHING_OF_IT) -> Graph:
    """Read everything that travels with ``root``; reads only.

    Raises:
        InvalidManifest: Something is no manifest, nested too deep, or asks for a subset of
            platforms without saying how.
        NotFound: A manifest is lacking at the source.
    """
    reader = _Reader(source, choice)
    graph = reader.graph(root, nesting=0, depth=0)
    return attrs.evolve(graph, notes=tuple(reader.notes))


class _Reader:
    """Reads one graph; remembers where it has been."""

    def __init__(self, source: SourceRepository, choice: Choice) -> None:
        self._source = source
        self._choice = choice
        self._done: dict[Digest, Graph] = {}
        self._satellites_seen: set[tuple[Digest, Digest]] = set()
        self.notes: list[str] = []

    def graph(self, digest: Digest, *, nesting: int, depth: int) -> Graph:
        if digest in self._done:
            return self._done[digest]
        if nesting > MAX_NESTING:
            msg = f"indexes in {self._source.name} are nested deeper than {MAX_NESTING}"
            raise InvalidManifest(msg, side=Side.SOURCE)
        original = self._source.manifest(digest)
        wanted = self._wanted_entries(original)
        children = self._children(original, wanted, nesting=nesting, depth=depth)
        graph = Graph(
            manifest=self._written(original, wanted, children),
            children=children,
            blobs=self._blobs(original, wanted),
            source_digest=digest,
        )
        if not graph.is_rewritten:  # a rewritten index has no signatures (OCI-6.12)
            graph = attrs.evolve(graph, satellites=self._satellites(digest, depth))
        self._done[digest] = graph
        return graph

    def _wanted_entries(self, index: Manifest) -> tuple[Descriptor, ...]:
        kept = [e for e in index.manifests if e.attests is None and self._choice.wants_platform(e)]
        names = {str(entry.digest) for entry in kept}
        attested = [e for e in index.manifests if e.attests is not None]
        everything = not self._choice.platforms
        return tuple(
            e
            for e in index.manifests
            if e in kept or (e in attested and (everything or e.attests in names))
        )

    def _written(
        self, original: Manifest, wanted: tuple[Descriptor, ...], children: tuple[Graph, ...]
    ) -> Manifest:
        """Return what is written for ``original``: itself, unless something below it is not."""
        changed = {c.source_digest: c.manifest for c in children if c.is_rewritten}
        if len(wanted) == len(original.manifests) and not changed:
            return original
        if not wanted:
            asked = ", ".join(map(str, self._choice.platforms))
            msg = f"the index {original.digest} has none of the platforms {asked}"
            raise InvalidManifest(
                msg, hint="ask for a platform it has, or leave it out by a filter"
            )
        if self._choice.subset is Subset.SPARSE:
            return original
        if self._choice.subset is None:
            msg = "some platforms of an index were asked for, but not how to write it"
            raise InvalidManifest(msg, hint="choose subset='sparse' or subset='rewritten'")
        return rewrite_index(original, frozenset(entry.digest for entry in wanted), changed)

    def _children(
        self, index: Manifest, wanted: tuple[Descriptor, ...], *, nesting: int, depth: int
    ) -> tuple[Graph, ...]:
        children = (self._child(index, entry, nesting=nesting, depth=depth) for entry in wanted)
        return tuple(child for child in children if child is not None)

    def _child(
        self, index: Manifest, entry: Descriptor, *, nesting: int, depth: int
    ) -> Graph | None:
        try:
            return self.graph(entry.digest, nesting=nesting + 1, depth=depth)
        except (NotFound, InvalidManifest) as error:
            if not entry.is_manifest:
                return None  # an unknown type that is no manifest is a blob (OCI-3.14)
            error.at(Side.SOURCE)
            error.message = f"{entry.digest}, listed by {index.digest}: {error.message}"
            raise

    def _blobs(self, manifest: Manifest, wanted: tuple[Descriptor, ...]) -> tuple[Descriptor, ...]:
        unknown = (e for e in wanted if not e.is_manifest and e.digest not in self._done)
        found = (*manifest.blobs, *unknown)
        skip_foreign = self._choice.foreign is Foreign.SKIP
        return tuple(blob for blob in found if not (skip_foreign and blob.is_foreign))

    def _satellites(self, subject: Digest, depth: int) -> tuple[Satellite, ...]:
        if not self._choice.satellites or depth > MAX_SATELLITE_DEPTH:
            return ()
        # Tags first: Harbor's API lists what hangs on cosign's tags as well, and the tag is needed.
        return (*self._tagged(subject, depth), *self._referrers(subject, depth))

    def _referrers(self, subject: Digest, depth: int) -> Iterator[Satellite]:
        hidden: list[Satellite] = []
        wants_signatures = self._choice.wants_satellite(_SIGNATURE)
        for digest, entry in self._listed(subject).items():
            is_wanted = entry is None or self._choice.wants_satellite(entry.artifact_type)
            if is_wanted or wants_signatures:
                for found in self._satellite(subject, digest, depth, listing=entry):
                    if _has_hidden_tag(found.graph.manifest):
                        hidden.append(found)
                    elif is_wanted:
                        yield found
        if wants_signatures:
            yield from self._under_its_tag(subject, hidden)

    def _under_its_tag(self, subject: Digest, hidden: list[Satellite]) -> Iterator[Satellite]:
        """Yield the signature that a hidden tag leads to; of several, the tag tells which."""
        tag = Tag(f"{subject.tag_prefix}.sig")
        if len(hidden) > 1:
            found = self._source.head(tag)
            hidden = [s for s in hidden if found and s.graph.source_digest == found.digest]
        for satellite in hidden:
            yield attrs.evolve(satellite, tag=tag, listing=None)

    def _listed(self, subject: Digest) -> dict[Digest, Descriptor | None]:
        """Return what is about ``subject``, with what a list of referrers says of it, if any did."""
        types = not self._choice.wants_every_satellite
        found: dict[Digest, Descriptor | None] = {}
        if not types:
            found.update(dict.fromkeys(sorted(self._source.told(subject) or (), key=str)))
        try:
            listed = self._source.referrers(subject, types=types)
            found.update((entry.digest, entry) for entry in listed)
        except InvalidManifest as error:
            self.notes.append(f"the referrers of {subject} are left out: {error.message}")
        return found

    def _tagged(self, subject: Digest, depth: int) -> Iterator[Satellite]:
        for tag in self._source.digest_tags(subject):
            ending = tag.partition(".")[2]
            if not ending or not self._choice.wants_satellite(f"cosign.{ending}"):
                continue
            found = self._source.head(tag)
            if found is not None:
                yield from self._satellite(subject, found.digest, depth, tag=tag)

    def _satellite(
        self,
        subject: Digest,
        digest: Digest,
        depth: int,
        *,
        tag: Tag | None = None,
        listing: Descriptor | None = None,
    ) -> Iterator[Satellite]:
        if not self._first_time(subject, digest):
            return
        try:
            graph = self.graph(digest, nesting=0, depth=depth + 1)
        except (NotFound, InvalidManifest) as error:
            self.notes.append(f"{digest}, said to be about {subject}, is left out: {error.message}")
            return
        yield Satellite(graph=graph, subject=subject, tag=tag, listing=listing)

    def _first_time(self, subject: Digest, satellite: Digest) -> bool:
        """Tell loops apart: a pair of subject and satellite is followed once (OCI-6.6)."""
        pair = (subject, satellite)
        if pair in self._satellites_seen or satellite == subject:
            return False
        self._satellites_seen.add(pair)
        return True


def _has_hidden_tag(referrer: Manifest) -> bool:
    """Tell whether it is a signature that only cosign's tag leads to, which Harbor hides.

    Harbor lists by itself what it is about, though it names no subject (HARBOR §6).
    """
    is_signature = any(layer.media_type == COSIGN_PAYLOAD for layer in referrer.layers)
    return referrer.subject is None and is_signature


def rewrite_index(
    index: Manifest, keep: frozenset[Digest], changed: Mapping[Digest, Manifest]
) -> Manifest:
    """Return a new index: another document, another digest.

    Args:
        index: The original.
        keep: The entries that stay.
        changed: What stands in the place of entries that were rewritten themselves.
    """
    document: Mapping[str, object] = index.document
    entries = []
    for entry in index.document["manifests"]:
        digest = Digest.parse(entry["digest"])
        new = changed.get(digest)
        if digest in keep:
            exact = {"digest": str(new.digest), "size": new.size} if new else {}
            entries.append({**entry, **exact})
    raw = json.dumps({**document, "manifests": entries}, separators=(",", ":")).encode()
    return Manifest.parse(raw, index.media_type)
