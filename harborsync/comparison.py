"""Holds what is wanted against what a destination has, and says what is to be done. Reads only."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.artifact import NOT_FETCHED, Artifact, Unknown
from harborsync.errors import RegistryError, Side, on_side
from harborsync.graph import Subset
from harborsync.plan import Action, Step
from harborsync.reference import ArtifactRef, Digest, Tag
from harborsync.rule import OnConflict, Rename, ReplicationRule
from harborsync.state import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.endpoint import Endpoint
    from harborsync.planning import Planning

_WRITING: Final = frozenset({Action.COPY, Action.SATELLITES})
_IMMUTABLE: Final = frozenset({"immutable"})


def compare(
    planning: Planning, rule: ReplicationRule, artifact: Artifact, *, reads: bool = False
) -> Iterator[Step]:
    """Yield a step for each destination that could be listed; none if the tag is gone by now.

    Args:
        planning: What to work with.
        rule: Who wants the artifact.
        artifact: What is compared.
        reads: Whether what will be copied is read from the source anyway.

    Raises:
        InvalidReference: A destination does not take the name.
    """
    digest = _source_digest(planning, rule, artifact, reads=reads)
    if digest is None:
        return
    source = ArtifactRef(artifact.repository, artifact.tag, digest)
    wanted = _wanted(planning, rule, source, digest)
    for to in rule.destinations:
        one = _Comparison(planning, rule, to, artifact, source, wanted)
        yield from planning.guarded(rule, partial("{} to {}".format, source, to), one.steps)


def _source_digest(
    planning: Planning, rule: ReplicationRule, artifact: Artifact, *, reads: bool
) -> Digest | None:
    if not isinstance(artifact.digest, Unknown):
        return artifact.digest
    if reads and artifact.tag is not None and _is_lacking(planning, rule, artifact):
        source = planning.warehouse.source(rule.source, artifact.repository)
        return source.digest_of(artifact.tag)
    registry = planning.warehouse.registry(rule.source)
    found = registry.resolve(artifact.repository, artifact.reference)
    return None if found is None else found.digest


def _is_lacking(planning: Planning, rule: ReplicationRule, artifact: Artifact) -> bool:
    """Tell whether a destination has no such tag, so that the artifact is sure to be copied."""
    for to in rule.destinations:
        name = planning.named(rule, to, artifact)
        tags = planning.warehouse.known_tags(to, name.repository)
        if tags is not None and name.tag not in tags:
            return True
    return False


def _wanted(
    planning: Planning, rule: ReplicationRule, source: ArtifactRef, digest: Digest
) -> Digest:
    """Return the digest the destination is to have: another one if an index is rewritten."""
    if not rule.platforms or rule.subset is not Subset.REWRITTEN:
        return digest
    fact = f"rewritten for {','.join(map(str, rule.platforms))}"
    remembered = planning.state.fact(digest, fact)
    if remembered is not None:
        return Digest.parse(remembered)
    rewritten = planning.graph(rule, source.repository, digest).manifest.digest
    planning.state.remember_fact(digest, fact, str(rewritten))
    return rewritten


class _Comparison:
    """One artifact held against one destination."""

    def __init__(
        self,
        planning: Planning,
        rule: ReplicationRule,
        to: Endpoint,
        artifact: Artifact,
        source: ArtifactRef,
        wanted: Digest,
    ) -> None:
        self._planning = planning
        self._rule = rule
        self._to = to
        self._artifact = artifact
        self._source = source
        self._wanted = wanted
        self._registry = planning.warehouse.registry(to)

    def steps(self) -> Iterator[Step]:
        """Yield what is to be done, or nothing if the destination could not be listed."""
        name = self._planning.named(self._rule, self._to, self._source)
        if self._planning.warehouse.known_tags(self._to, name.repository) is not None:
            self._rule.naming.check(name, self._registry.quirks)
            step = self.step(name)
            if step.writes and self._artifact.unreadable:
                msg = f"cannot read {self._source}: {self._artifact.unreadable}"
                raise RegistryError(msg, side=Side.SOURCE)
            yield step

    def step(self, name: ArtifactRef) -> Step:
        """Return what is to be done about the artifact under ``name``."""
        found = self._found(name)
        action, reason = self._verdict(name, found)
        if action is Action.CONFLICT and isinstance(self._rule.on_conflict, Rename) and name.tag:
            name = attrs.evolve(name, tag=self._rule.on_conflict.apply(name.tag))
            taken, found = found, self._found(name)
            action, reason = self._verdict(name, found)
            reason = f"{reason}; renamed, as the name has {taken}"
        return Step(
            rule=self._rule.name,
            to=self._to,
            source=self._source,
            destination=ArtifactRef(name.repository, name.tag, self._wanted),
            action=action,
            reason=reason,
            found=found,
            bytes_at_most=self._bytes_at_most(action),
        )

    def _bytes_at_most(self, action: Action) -> int | None:
        """Return the bytes to move if the source's listing tells them, or None."""
        if action not in _WRITING:
            return 0
        size = self._artifact.size
        is_told = action is Action.COPY and not self._rule.platforms
        return None if isinstance(size, Unknown) or not is_told else size

    # --- the artifact itself -------------------------------------------------------------

    def _listed(self, name: ArtifactRef) -> Artifact | None:
        return self._planning.warehouse.listing(self._to, name.repository).get(name.tag)

    def _found(self, name: ArtifactRef) -> Digest | None:
        """Return what is there under ``name``; a listing spares the request where it can."""
        if name.tag is None:
            return self._there(name.repository, self._wanted)
        listed = self._listed(name)
        if listed is None:
            return None
        if not isinstance(listed.digest, Unknown):
            return listed.digest
        return self._there(name.repository, name.tag)

    def _there(self, repository: str, reference: Tag | Digest) -> Digest | None:
        with on_side(Side.DESTINATION):
            found = self._registry.resolve(repository, reference)
        return None if found is None else found.digest

    def _verdict(self, name: ArtifactRef, found: Digest | None) -> tuple[Action, str]:
        if found is None:
            return Action.COPY, "not there yet"
        if found == self._wanted:
            lacking = self._lacking_satellites(name.repository)
            return (Action.SATELLITES, lacking) if lacking else (Action.SKIP, "identical")
        return self._differing(name, found)

    def _differing(self, name: ArtifactRef, found: Digest) -> tuple[Action, str]:
        """Say what to do about a name that another artifact has."""
        action, reason = self._by_rule(name, found)
        if action is Action.SKIP or not self._is_immutable(name, asking=action is Action.COPY):
            return action, reason
        if self._rule.on_conflict is OnConflict.SKIP:
            return Action.SKIP, f"left alone: the tag is immutable there and has {found}"
        advice = "change the rule that keeps it, or choose another tag"
        return Action.CONFLICT, f"the tag is immutable there and has {found}: {advice}"

    def _is_immutable(self, name: ArtifactRef, *, asking: bool) -> bool:
        """Tell whether the tag cannot be moved, as the listing tells or, if need be, a request."""
        listed, describing = self._listed(name), self._registry.abilities.describe
        if asking and listed and listed.immutable is NOT_FETCHED and describing is not None:
            with on_side(Side.DESTINATION):
                listed = next(iter(describing.describe([listed], _IMMUTABLE)), None)
        return listed is not None and listed.immutable is True

    def _by_rule(self, name: ArtifactRef, found: Digest) -> tuple[Action, str]:
        place = Place(rule=self._rule.name, to=str(self._to), artifact=name)
        written = self._planning.state.written(place)
        if written is not None and written.digest == found:
            return Action.COPY, "moved at the source; what is there is ours"
        if self._rule.on_conflict is OnConflict.OVERWRITE:
            return Action.COPY, f"overwrites {found}"
        if self._rule.on_conflict is OnConflict.SKIP:
            return Action.SKIP, f"left alone: another artifact is there, {found}"
        return Action.CONFLICT, f"another artifact is there, {found}"

    # --- what is said about it -----------------------------------------------------------

    def _lacking_satellites(self, repository: str) -> str:
        """Tell what an unchanged artifact lacks of what is said about it; empty for nothing.

        Listings decide: digest tags, and satellites where the registry lists them. Only
        ``deep`` asks further (OCI-6.14).
        """
        digest = self._source.digest
        if not self._rule.satellites or digest is None or self._wanted != digest:
            return ""
        if self._listed_satellites_lack(repository):
            if self._rule.choice.wants_every_satellite:
                return "a signature or another referrer is lacking"
            return self._lacking_deep(repository, digest)
        origin = self._planning.warehouse.source(self._rule.source, self._source.repository)
        for tag in origin.digest_tags(digest):
            if self._is_wanted(tag) and self._digest_tag_differs(repository, digest, tag):
                return f"{tag} is lacking or differs"
        return self._lacking_deep(repository, digest) if self._rule.deep else ""

    def _is_wanted(self, tag: Tag) -> bool:
        _, dot, ending = tag.partition(".")
        return not dot or self._rule.choice.wants_satellite(f"cosign.{ending}")

    def _listed_satellites_lack(self, repository: str) -> bool:
        """Compare what the source's listing tells with the destination's, or with what is there."""
        here, there = self._artifact.satellites, self._told_there(repository)
        if isinstance(here, Unknown):
            return False
        if there is not None:
            return not here <= there
        return any(self._satellite_there(repository, found) is None for found in here)

    def _told_there(self, repository: str) -> frozenset[Digest] | None:
        """Return what the destination's listing tells to be about the artifact."""
        listing = self._planning.warehouse.listing(self._to, repository)
        return listing.satellites.get(self._wanted)

    def _digest_tag_differs(self, repository: str, digest: Digest, tag: Tag) -> bool:
        warehouse = self._planning.warehouse
        here = warehouse.source(self._rule.source, self._source.repository).head(tag)
        if here is None or here.digest in (self._told_there(repository) or ()):
            return False
        tags = warehouse.known_tags(self._to, repository) or frozenset()
        if tag in tags and self._satellite_there(repository, tag) == here.digest:
            return False
        return "." in tag or self._referrers_lack(repository, digest)

    def _satellite_there(self, repository: str, reference: Tag | Digest) -> Digest | None:
        """Return what is there under a digest tag or digest; artifacts that share it ask once."""
        with on_side(Side.DESTINATION):
            found = self._planning.warehouse.source(self._to, repository).head(reference)
        return None if found is None else found.digest

    def _referrers_lack(self, repository: str, digest: Digest) -> bool:
        """Compare lists of referrers, kept by an API at one end and under a tag at the other."""
        warehouse = self._planning.warehouse
        here = warehouse.source(self._rule.source, self._source.repository).referrers(digest)
        there = self._told_there(repository)
        if there is None:
            with on_side(Side.DESTINATION):
                listed = warehouse.source(self._to, repository).referrers(digest)
            there = frozenset(entry.digest for entry in listed)
        wants = self._rule.choice.wants_satellite
        return not there.issuperset(e.digest for e in here if wants(e.artifact_type))

    def _lacking_deep(self, repository: str, digest: Digest) -> str:
        graph = self._planning.graph(self._rule, self._source.repository, digest)
        for satellite in graph.all_satellites():
            found = satellite.graph.manifest.digest
            if self._satellite_there(repository, found) is None:
                return f"{found}, which is about {satellite.subject}, is lacking"
        return ""
