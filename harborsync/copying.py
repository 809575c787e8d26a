"""One artifact, from here to there: the short cut past rules and plans.

>>> from harborsync import copy, open_registry
>>> from harborsync.testing import LoopbackRegistry
>>> from harborsync.testing.content import random_image
>>> with LoopbackRegistry() as here, LoopbackRegistry() as there:
...     source = open_registry(here.endpoint)
...     digest = random_image(1).push_to(source, "team/app", "v1")
...     source.close()
...     result = copy(f"{here.endpoint}/team/app:v1", f"{there.endpoint}/copies/app:v1")
>>> result.outcome.value
'copied'
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.endpoint import Endpoint
from harborsync.errors import InvalidReference
from harborsync.filters import EVERYTHING
from harborsync.gate import find_provider
from harborsync.naming import Naming
from harborsync.reference import ArtifactRef, Digest, Reference, Tag
from harborsync.replicator import Replicator
from harborsync.rule import OnConflict, ReplicationRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harborsync.clock import Clock
    from harborsync.credentials import Credential, CredentialSource
    from harborsync.events import Listener
    from harborsync.report import StepResult

_SCHEME: Final = re.compile(r"([a-z][a-z0-9-]*(?:\+http)?://)([^/?]+)/([^?]+)(\?.*)?")
_ON_DISK: Final = re.compile(
    r"(oci|oci-archive|docker-archive):(?!//)([^?:]+)(?::([^?]*))?(\?.*)?", re.ASCII
)

#: Under which repository name a place on disk keeps its one artifact, unless it says so itself.
_ON_DISK_NAME: Final = "image"


def copy(
    source: str,
    destination: str,
    *,
    credentials: CredentialSource | Mapping[str, Credential] | None = None,
    listeners: Iterable[Listener] = (),
    clock: Clock | None = None,
    **wishes: Any,
) -> StepResult:
    """Copy one artifact with all its platforms and everything that is said about it.

    Args:
        source: ``host/repository:tag`` or ``…@digest``, with a scheme as endpoints have it, a
            familiar name such as ``nginx``, or ``oci:DIR:tag``, ``docker-archive:FILE:name:tag``.
        destination: The same; without a tag it gets the source's.
        credentials: Logins by host, or a source of them.
        listeners: Are told what happens.
        clock: Time.
        wishes: Further fields of :class:`~harborsync.rule.ReplicationRule`, such as
            ``platforms`` or ``satellites``; what is at the destination gives way.

    Raises:
        InvalidReference: One of the texts names no artifact.
        NotFound: The source has no such artifact.
        ReplicationFailed: It did not arrive; the error has the report.
    """
    here, origin = parse_location(source)
    there, target = _parse_destination(destination)
    rule = _rule(here, there, target, wishes)
    with Replicator(
        [rule], credentials=credentials, listeners=listeners, clock=clock
    ) as replicator:
        plan = replicator.plan_for(origin, tag=target.tag)
        return replicator.run(plan).raise_for_failures().results[0]


def parse_location(text: str) -> tuple[Endpoint, ArtifactRef]:
    """Read where an artifact is: its registry, and its name in there.

    Raises:
        InvalidReference: The text names no artifact.
        InvalidValue: What stands for the registry cannot be read.
    """
    on_disk = _ON_DISK.fullmatch(text)
    if on_disk:
        provider, path, name, options = on_disk.groups(default="")
        return _on_disk(Endpoint.parse(f"{provider}:{path}{options}"), name)
    with_scheme = _SCHEME.fullmatch(text)
    if with_scheme:
        scheme, host, name, options = with_scheme.groups(default="")
        return _at_provider(f"{scheme}{host}", ArtifactRef.parse(name), options)
    named = Reference.parse_familiar(text)
    return Endpoint.parse(named.host), named.artifact


def _at_provider(start: str, named: ArtifactRef, options: str) -> tuple[Endpoint, ArtifactRef]:
    """Tell registry and repository apart, as the provider does: a registry may be a path, too."""
    whole = Endpoint.parse(f"{start}/{named.repository}{options}")
    provider = find_provider(whole)
    repository = provider.prefix(whole)
    if not repository:
        msg = f"{start}/{named} names a registry and no artifact in it"
        raise InvalidReference(msg)
    rest = whole.address.removesuffix(repository).rstrip("/")
    registry = attrs.evolve(whole, address=rest or provider.host(whole))
    return registry, attrs.evolve(named, repository=repository)


def _on_disk(endpoint: Endpoint, name: str) -> tuple[Endpoint, ArtifactRef]:
    """Tell what is meant by a place on disk and a tag, a digest or a whole name in it.

    A tag alone is one of the only repository there, whatever that is called. A host before a
    whole name says nothing on a disk, and is left out as it is in what other tools wrote there.
    """
    is_digest = name.startswith("@")
    if not is_digest and set(name) & set("/:@"):
        return endpoint, _without_host(name)
    options = {"repository": _ON_DISK_NAME, **endpoint.options}
    repository = options["repository"]
    digest = Digest.parse(name[1:]) if is_digest else None
    tag = Tag(name) if name and not is_digest else None
    return attrs.evolve(endpoint, option_items=options), ArtifactRef(repository, tag, digest)


def _without_host(name: str) -> ArtifactRef:
    with suppress(InvalidReference):
        return Reference.parse(name).artifact
    return ArtifactRef.parse(name)


def _parse_destination(text: str) -> tuple[Endpoint, ArtifactRef]:
    """Read where an artifact goes; a familiar name without a tag does not mean ``latest`` here."""
    endpoint, named = parse_location(text)
    was_filled_in = named.tag == "latest" and ":latest" not in text
    return endpoint, attrs.evolve(named, tag=None) if was_filled_in else named


def _rule(
    here: Endpoint, there: Endpoint, target: ArtifactRef, wishes: dict[str, Any]
) -> ReplicationRule:
    """Return the rule that gives whatever it copies the name that is wanted."""
    tag = "{tag}" if target.tag is None else str(target.tag)
    wishes = {"on_conflict": OnConflict.OVERWRITE, **wishes}
    return ReplicationRule(
        name="copy",
        source=here,
        destinations=there,
        where=EVERYTHING,
        naming=Naming(target.repository, tag=tag),
        **wishes,
    )
