"""Makes referrers findable at a destination, with the referrers API and without.

A registry with the API lists a manifest that has a ``subject`` by itself. Where there is none,
the client keeps an index under the fallback tag ``sha256-<hex>`` (OCI-6.3, 6.8, 6.9): entries
that are there already are kept, whoever wrote them, and the entries' annotations travel.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.content import OCI_INDEX, Descriptor, Manifest
from harborsync.errors import NotFound, Side, VerificationError
from harborsync.reference import Digest, Tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harborsync.graph import Satellite
    from harborsync.registry import Registry

# Two writers of one fallback tag may overwrite each other; each looks again this often (OCI-6.9).
_MERGES: Final = 3


def entry_of(satellite: Satellite) -> Descriptor:
    """Return the entry that stands for a satellite in a list of referrers, annotations kept."""
    entry = satellite.graph.manifest.as_referrer()
    listing = satellite.listing
    if listing is None:
        return entry
    return attrs.evolve(
        entry,
        artifact_type=entry.artifact_type or listing.artifact_type,
        annotation_items={**listing.annotations, **entry.annotations},
    )


def make_findable(
    registry: Registry,
    repository: str,
    subject: Digest,
    wanted: Mapping[Digest, Descriptor],
    *,
    like: Manifest | None = None,
) -> bool:
    """See to it that everything in ``wanted`` is found as a referrer of ``subject``.

    Args:
        registry: Where.
        repository: The repository there.
        subject: What the referrers are about.
        wanted: Entries by digest; the manifests are there already.
        like: The source's fallback index; written byte for byte where it says just this.

    Returns:
        Whether anything was written.

    Raises:
        VerificationError: The fallback tag is taken by something that is no index.
    """
    lacking = _not_listed(registry, repository, subject, wanted)
    return bool(lacking) and _merge(registry, repository, subject, lacking, like)


def _not_listed(
    registry: Registry, repository: str, subject: Digest, wanted: Mapping[Digest, Descriptor]
) -> Mapping[Digest, Descriptor]:
    api = registry.abilities.referrers
    listed = api.list_referrers(repository, subject) if api is not None else None
    known = {entry.digest for entry in listed or ()}
    return {digest: entry for digest, entry in wanted.items() if digest not in known}


def _merge(
    registry: Registry,
    repository: str,
    subject: Digest,
    lacking: Mapping[Digest, Descriptor],
    like: Manifest | None,
) -> bool:
    tag = Tag(subject.tag_prefix)
    for attempt in range(_MERGES + 1):
        held = _fallback_index(registry, repository, tag)
        missing = (
            lacking.keys() - {entry.digest for entry in held.entries} if held else lacking.keys()
        )
        if not missing:
            return attempt > 0
        if attempt == _MERGES:
            break
        additions = [lacking[digest] for digest in lacking if digest in missing]
        registry.put_manifest(repository, _merged(held, additions, like), tag=tag)
    msg = f"others keep writing over the tag {tag} in {repository}, so referrers are not listed"
    raise VerificationError(msg, hint="run again when they are done", side=Side.DESTINATION)


def _fallback_index(registry: Registry, repository: str, tag: Tag) -> Manifest | None:
    try:
        held = registry.get_manifest(repository, tag)
    except NotFound:
        return None
    if held.media_type != OCI_INDEX:
        msg = f"the tag {tag} in {repository} is a {held.media_type}, not an index of referrers"
        raise VerificationError(msg, hint="move that tag away", side=Side.DESTINATION)
    return held


def _merged(held: Manifest | None, additions: list[Descriptor], like: Manifest | None) -> Manifest:
    if held is None and like is not None and says(like, additions):
        return like
    document = held.document if held else {"schemaVersion": 2, "mediaType": OCI_INDEX}
    listed = held.document["manifests"] if held and held.entries else []
    entries = [*listed, *(entry.to_json() for entry in additions)]
    raw = json.dumps({**document, "manifests": entries}, separators=(",", ":")).encode()
    return Manifest.parse(raw, OCI_INDEX)


def says(index: Manifest, entries: list[Descriptor]) -> bool:
    """Tell whether ``index`` lists just these digests."""
    is_index = index.media_type == OCI_INDEX
    return is_index and {e.digest for e in index.entries} == {e.digest for e in entries}
