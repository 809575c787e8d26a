"""The registries a run works with, opened once, and what it has read from them so far."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from functools import cache, cached_property
from typing import TYPE_CHECKING, Final

from harborsync.artifact import NOT_FETCHED, Artifact, Unknown
from harborsync.errors import CredentialsError, HarborsyncError, RegistryError
from harborsync.graph import Choice, Graph, ManifestCache, SourceRepository, read_graph
from harborsync.ledger import Ledger
from harborsync.provider import prefix_of_path
from harborsync.reference import Digest, Tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from harborsync.artifact import Hints
    from harborsync.endpoint import Endpoint
    from harborsync.registry import Registry

_log = logging.getLogger(__name__)

#: Graphs kept between plan and run, those used last; others are read again, their manifests
#: mostly from the cache.
_GRAPHS: Final = 2000


class Registries:
    """Opens each endpoint once and closes what it opened; thread-safe.

    Args:
        opener: Opens an endpoint; makes no request.
        prefix: Tells what the names of all repositories below an endpoint begin with.
    """

    def __init__(
        self,
        opener: Callable[[Endpoint], Registry],
        prefix: Callable[[Endpoint], str] = prefix_of_path,
    ) -> None:
        self._opener = opener
        self.prefix = cache(prefix)
        self._lock = threading.Lock()
        self._opened: dict[Endpoint, Registry] = {}

    def get(self, endpoint: Endpoint) -> Registry:
        """Return the registry at ``endpoint``.

        Raises:
            ConfigurationError: It cannot be opened as it is written.
        """
        found = self._opened.get(endpoint)
        if found is not None:
            return found
        with self._lock:
            if endpoint not in self._opened:
                self._opened[endpoint] = self._opener(endpoint)
            return self._opened[endpoint]

    def close(self) -> None:
        """Close everything that was opened; raises the first error after all are closed."""
        with self._lock:
            opened, self._opened = list(self._opened.values()), {}
        errors: list[HarborsyncError] = []
        for registry in opened:
            try:
                registry.close()
            except HarborsyncError as error:
                errors.append(error)
        if errors:
            raise errors[0]


class Listing:
    """Everything that a repository listed, by tag and by digest."""

    def __init__(self, artifacts: Iterable[Artifact]) -> None:
        self.artifacts = tuple(artifacts)
        self.by_tag = {each.tag: each for each in self.artifacts if each.tag is not None}

    @cached_property
    def tags(self) -> frozenset[Tag]:
        """Every tag there is."""
        return frozenset(self.by_tag)

    @cached_property
    def satellites(self) -> dict[Digest, frozenset[Digest]]:
        """What the listing tells of signatures and other referrers, by what they are about."""
        return {
            each.digest: each.satellites
            for each in self.artifacts
            if isinstance(each.digest, Digest) and not isinstance(each.satellites, Unknown)
        }

    @cached_property
    def digests(self) -> frozenset[Digest] | None:
        """The digests of all there is, or None if the listing does not tell them."""
        found = frozenset(a.digest for a in self.artifacts if isinstance(a.digest, Digest))
        told = all(isinstance(each.digest, Digest) for each in self.artifacts)
        return found if told and found else None

    @property
    def hides_tags(self) -> bool:
        """Whether tags that hang on a digest may be left out, as their subjects tell of them."""
        return bool(self.satellites)

    @cached_property
    def labels(self) -> dict[Digest, frozenset[str]]:
        """What the listing tells of labels, by what bears them."""
        return {
            each.digest: each.labels
            for each in self.artifacts
            if isinstance(each.digest, Digest) and not isinstance(each.labels, Unknown)
        }

    def get(self, tag: Tag | None) -> Artifact | None:
        """Return what is listed under ``tag``, or None."""
        return None if tag is None else self.by_tag.get(tag)


class Warehouse:
    """What one plan and its run have read: listings and manifests, each once; thread-safe.

    Args:
        registries: Where endpoints are opened.
        max_graphs: Graphs kept between plan and run.
    """

    def __init__(self, registries: Registries, max_graphs: int = _GRAPHS) -> None:
        self._registries = registries
        self._max_graphs = max_graphs
        self._flights = Ledger()
        self._lock = threading.Lock()
        self._listings: dict[tuple[Endpoint, str], Listing] = {}
        self._narrowed: dict[tuple[Endpoint, str], Listing] = {}
        self._texts: dict[tuple[Endpoint, str], str] = {}
        self._sources: dict[tuple[Endpoint, str], SourceRepository] = {}
        self._manifests = ManifestCache()
        self._graphs: OrderedDict[tuple[Endpoint, str, Digest, Choice], Graph] = OrderedDict()

    def registry(self, endpoint: Endpoint) -> Registry:
        """Return the registry at ``endpoint``."""
        return self._registries.get(endpoint)

    def prefix(self, endpoint: Endpoint) -> str:
        """Return what all repositories below ``endpoint`` begin with; often empty."""
        return self._registries.prefix(endpoint)

    def holds(self, endpoint: Endpoint, repository: str) -> bool:
        """Tell whether a repository lies below ``endpoint``."""
        prefix = self.prefix(endpoint)
        return not prefix or repository.startswith(f"{prefix}/")

    def listing(self, endpoint: Endpoint, repository: str) -> Listing:
        """Return what a repository lists; asked once."""
        key = (endpoint, repository)
        while (found := self._listings.get(key)) is None:
            self._flights.once(key, lambda: self._list(endpoint, repository))
        return found

    def list_all(self, endpoint: Endpoint, repositories: Iterable[str]) -> None:
        """List many repositories at once where the registry can; elsewhere do nothing.

        What goes wrong comes up again when the repository itself is asked for.
        """
        lacking = [name for name in repositories if (endpoint, name) not in self._listings]
        surveys = self.registry(endpoint).abilities.surveys
        if surveys is None or len(lacking) < 2:  # noqa: PLR2004 - one is no survey
            return
        try:
            for name, artifacts in surveys.survey(lacking):
                self._listings.setdefault((endpoint, name), Listing(artifacts))
        except HarborsyncError as error:
            _log.info("%s: listed one by one, as a survey failed: %s", endpoint, error.message)

    def matching(self, endpoint: Endpoint, repository: str, hints: Hints) -> tuple[Artifact, ...]:
        """Return what a repository has under tags, perhaps without what does not fulfil the hints.

        Without hints, that is everything.
        """
        narrowing = self.registry(endpoint).abilities.lists_narrowed
        if not hints.narrow or narrowing is None or self.known(endpoint, repository) is not None:
            return tuple(self.listing(endpoint, repository).by_tag.values())
        found = Listing(narrowing.list_matching(repository, hints))
        self._narrowed[endpoint, repository] = found
        self.source(endpoint, repository).learn(found.artifacts)
        return tuple(found.by_tag.values())

    def pays(self, endpoint: Endpoint, repositories: Sequence[str], hints: Hints) -> bool:
        """Tell whether it is cheaper to list only what fulfils the hints, where that can be."""
        narrowing = self.registry(endpoint).abilities.lists_narrowed
        return hints.narrow and narrowing is not None and narrowing.pays(repositories)

    def known(self, endpoint: Endpoint, repository: str) -> Listing | None:
        """Return what a repository lists if all of it was listed, else None; asks nobody."""
        return self._listings.get((endpoint, repository))

    def known_tags(self, endpoint: Endpoint, repository: str) -> frozenset[Tag] | None:
        """Return the tags a repository lists if it was listed, else None; asks nobody."""
        listing = self.known(endpoint, repository)
        return None if listing is None else listing.tags

    def known_labels(
        self, endpoint: Endpoint, repository: str, digest: Digest
    ) -> frozenset[str] | Unknown:
        """Return the labels of an artifact if a listing told them; asks nobody."""
        listing = self.known(endpoint, repository) or self._narrowed.get((endpoint, repository))
        return NOT_FETCHED if listing is None else listing.labels.get(digest, NOT_FETCHED)

    def catalog(self, endpoint: Endpoint) -> Iterable[str]:
        """Return all repositories; where the registry tells texts with them, keep those.

        Who may not read the texts may have the names all the same.
        """
        abilities = self.registry(endpoint).abilities
        try:
            told = (
                dict(abilities.descriptions.list_descriptions()) if abilities.descriptions else {}
            )
        except (RegistryError, CredentialsError):
            return abilities.catalog.list_repositories() if abilities.catalog else ()
        self._texts.update({(endpoint, name): text for name, text in told.items()})
        return told

    def descriptions(self, endpoint: Endpoint, repositories: frozenset[str]) -> dict[str, str]:
        """Return the texts about repositories; what the catalog told is not asked again."""
        told = {name for name in repositories if (endpoint, name) in self._texts}
        api = self.registry(endpoint).abilities.descriptions
        asked = api.get_descriptions(repositories - told) if api and repositories - told else {}
        return asked | {name: self._texts[endpoint, name] for name in told}

    def source(self, endpoint: Endpoint, repository: str) -> SourceRepository:
        """Return a repository to read from; what was listed of it is not listed again."""
        key = (endpoint, repository)
        found = self._sources.get(key)
        if found is not None:
            return found
        listing = self.known(endpoint, repository)
        with self._lock:
            if key not in self._sources:
                self._sources[key] = SourceRepository(
                    self.registry(endpoint),
                    repository,
                    self._manifests,
                    None if listing is None else listing.artifacts,
                )
            return self._sources[key]

    def graph(self, endpoint: Endpoint, repository: str, digest: Digest, choice: Choice) -> Graph:
        """Return everything that travels with a digest; read once while it is remembered."""
        key = (endpoint, repository, digest, choice)
        with self._lock:
            found = self._graphs.get(key)
            if found is not None:
                self._graphs.move_to_end(key)
        if found is None:
            found = read_graph(self.source(endpoint, repository), digest, choice)
            with self._lock:
                self._graphs[key] = found
                while len(self._graphs) > self._max_graphs:
                    self._graphs.popitem(last=False)
        return found

    def _list(self, endpoint: Endpoint, repository: str) -> None:
        listed = self.registry(endpoint).list_artifacts(repository)
        self._listings[endpoint, repository] = Listing(listed)
