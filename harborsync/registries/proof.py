"""Whether the digests that a product's own listing tells are those of the manifests.

Products have listed digests of other things under that name. So a listing's digests count once
a HEAD of one of its tags agrees; that it did is remembered, so later runs need not ask.
"""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.artifact import NOT_FETCHED, Artifact
from harborsync.errors import Denied
from harborsync.reference import Digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from harborsync.content import Descriptor
    from harborsync.reference import Tag
    from harborsync.state import State

_log = logging.getLogger(__name__)

#: A tag may move between listing and HEAD; that two do so at once is not to be believed.
_TRIES: Final = 2
#: Among so many entries samples are looked for: a page, so that a listing stays a stream.
_LOOKED_AT: Final = 1000
_FACT: Final = "listed digests are those of manifests"


class Proof:
    """Lets digests of a listing through once one of them is proved; thread-safe.

    Args:
        registry: What the registry is called; digests are proved for each of its repositories.
        resolve: Asks by HEAD.
        state: Remembers what was proved.
    """

    def __init__(
        self,
        registry: str,
        resolve: Callable[[str, Tag | Digest], Descriptor | None],
        state: State,
    ) -> None:
        self._registry = registry
        self._resolve = resolve
        self._state = state

    def checked(self, repository: str, artifacts: Iterable[Artifact]) -> Iterator[Artifact]:
        """Yield the artifacts of a repository, without digests if these are not to be trusted."""
        listed = iter(artifacts)
        first = _up_to_samples(listed)
        is_proved = self._is_proved(repository, first)
        for artifact in (*first, *listed):
            yield artifact if is_proved else attrs.evolve(artifact, digest=NOT_FETCHED)

    def _is_proved(self, repository: str, samples: Sequence[Artifact]) -> bool:
        # A fact is remembered of a digest: here of that of the repository's name.
        key = Digest.of(f"{self._registry}/{repository}".encode())
        if self._state.fact(key, _FACT) is not None:
            return True
        verdicts: set[bool | None] = set()
        for artifact in samples:
            verdicts.add(self._agrees(artifact))
            if True in verdicts:
                self._state.remember_fact(key, _FACT, "yes")
                return True
        if False in verdicts:
            _log.warning(
                "%s lists other digests than those of the manifests in %s; each tag is asked for",
                self._registry,
                repository,
            )
        return False not in verdicts

    def _agrees(self, artifact: Artifact) -> bool | None:
        """Tell whether a HEAD tells the digest that was listed; None if it tells nothing."""
        if artifact.tag is None or not _can_be_asked_for(artifact):
            return None
        try:
            found = self._resolve(artifact.repository, artifact.tag)
        except Denied:
            return None  # who may push and not pull cannot ask for single tags, either
        return None if found is None else found.digest == artifact.digest


def _up_to_samples(listed: Iterator[Artifact]) -> list[Artifact]:
    """Take from a listing until there are enough entries that can be asked for."""
    taken, samples = [], 0
    for artifact in islice(listed, _LOOKED_AT):
        taken.append(artifact)
        samples += _can_be_asked_for(artifact)
        if samples == _TRIES:
            break
    return taken


def _can_be_asked_for(artifact: Artifact) -> bool:
    has_names = artifact.tag is not None and isinstance(artifact.digest, Digest)
    return has_names and not artifact.unreadable
