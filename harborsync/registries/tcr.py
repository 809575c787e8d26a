"""Tencent Cloud's Container Registry (TCR), the enterprise edition and the personal one (CCR).

    tcr://team.tencentcloudcr.com/apps
    team-vpc.tencentcloudcr.com/apps
    ccr.ccs.tencentyun.com/my-namespace

Bytes go the way of every registry. In the enterprise edition tags come with their digests from
TCR's own API, a hundred a request, the login is bought and renewed, and the instance is found in
whatever region it is. The personal edition tells no digests, so each tag is asked for, and its
login is the account's id with a password that was set in its console.

==========================  ==================================================================
``profile=NAME``            a section of ``~/.tencentcloud/credentials``
``role_arn=ARN[,ARN…]``     roles to assume, one by the other; ``external_id``, ``role_session``
                            and ``role_duration`` are of the last one
``cvm_role=NAME``           the role of the machine to begin with
``create``, ``public``      see :mod:`harborsync.registries.creation`; namespaces are made, too
``edition``                 ``enterprise`` or ``personal``, where the host does not tell
``instance_id``             the enterprise's instance, for a domain of your own
``region``                  spares the request that finds it, together with ``instance_id``
``api=URL``, ``sts_api``    addresses of the APIs
==========================  ==================================================================
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.credentials.cloud import handed_over, with_cloud
from harborsync.credentials.tencent import EXTRA, IDENTITY_OPTIONS, TencentIdentity
from harborsync.errors import Denied, MissingDependency, NoCredentials, NotFound
from harborsync.provider import Provider
from harborsync.registries.clouds import CLOUD_OPTIONS, Preferring, at_host, check_api, push_taken
from harborsync.registries.creation import Creation, RepositoryMaker
from harborsync.registries.distribution import DistributionRegistry
from harborsync.registries.editions import Edition
from harborsync.registries.proof import Proof
from harborsync.registries.tcr_api import TcrApi
from harborsync.registries.tcr_enterprise import EnterpriseEdition
from harborsync.registries.tcr_personal import PersonalEdition
from harborsync.registries.tcr_place import TcrPlace, check_name, parts_of
from harborsync.registry import Abilities, Quirks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.artifact import Artifact
    from harborsync.endpoint import Endpoint
    from harborsync.http.wire import Transport
    from harborsync.provider import OpenContext
    from harborsync.reference import Tag
    from harborsync.registries.tcr_api import TcrEdition
    from harborsync.registry import Registry

# Lengths of names by the documents on CreateNamespace (30) and CreateRepository (244); the
# personal edition has names of two parts (document 1141/41597). How long a description may be is
# not written down; a thousand is what the console takes.
_QUIRKS: Final = {
    Edition.ENTERPRISE: Quirks(max_name_length=275, min_name_depth=2, max_description=1000),
    Edition.PERSONAL: Quirks(min_name_depth=2, max_name_depth=2, max_description=1000),
}
_OPTIONS: Final = CLOUD_OPTIONS - {"account_id"} | IDENTITY_OPTIONS | {"edition"}
#: Up to so many repositories are asked for one by one, more by the list of all.
_FEW: Final = 3


class TcrMaker:
    """Makes namespaces and repositories that are lacking; safe to use from many threads.

    Args:
        creation: When and how.
        edition: The API.
        taken: Tells by a first push whether a repository is there or made by it.
    """

    def __init__(
        self, creation: Creation, edition: TcrEdition, taken: Callable[[str], bool]
    ) -> None:
        self._public = creation.public
        self._edition = edition
        self._taken = taken
        self._maker = RepositoryMaker(creation.create, self._make, self._takes_a_push)
        self._lock = threading.Lock()
        self._namespaces: set[str] = set()

    def note(self, repository: str) -> None:
        """Remember that a repository is there, as a listing has told."""
        self._namespaces.add(parts_of(repository)[0])
        self._maker.note(repository)

    def note_lacking(self, repository: str) -> None:
        """Remember no longer that a repository and its namespace are there."""
        self._namespaces.discard(parts_of(repository)[0])
        self._maker.note_lacking(repository)

    def ensure_repository(self, repository: str) -> bool:
        """Make the repository if it is lacking; tell whether it was made now.

        Raises:
            RegistryError: It cannot be made.
        """
        return self._maker.ensure_repository(repository)

    def _takes_a_push(self, repository: str) -> bool:
        """Tell whether a push makes the repository, which it does only in a namespace."""
        return self._is_in_a_namespace(repository) and self._taken(repository)

    def _is_in_a_namespace(self, repository: str) -> bool:
        namespace, _ = parts_of(repository)
        with self._lock:
            if namespace in self._namespaces:
                return True
            try:
                is_there = self._edition.has_namespace(namespace)
            except (Denied, NoCredentials, MissingDependency):
                return True  # who may not look pushes, and is told then
            if is_there:
                self._namespaces.add(namespace)
            return is_there

    def _make(self, repository: str) -> bool:
        namespace, _ = parts_of(repository)
        with self._lock:
            if namespace not in self._namespaces:
                self._edition.create_namespace(namespace, public=self._public)
                self._namespaces.add(namespace)
        return self._edition.create(repository, public=self._public)


class EnterpriseMaker(TcrMaker):
    """The same, which refuses names that the enterprise edition does not take."""

    def ensure_repository(self, repository: str) -> bool:
        """Make the repository if it is lacking; tell whether it was made now.

        Raises:
            InvalidReference: There can be none of this name.
            RegistryError: It cannot be made.
        """
        check_name(repository)
        return super().ensure_repository(repository)


class TcrRegistry:
    """Puts a registry of TCR together: the distribution API, and abilities of Tencent's own.

    Args:
        place: Which registry.
        edition: Its API.
        endpoint: The endpoint, for its options.
        transport: The way to the distribution API.
        context: What comes from outside.
    """

    def __init__(
        self,
        place: TcrPlace,
        edition: TcrEdition,
        endpoint: Endpoint,
        transport: Transport,
        context: OpenContext,
    ) -> None:
        is_personal = place.edition is Edition.PERSONAL
        self._edition = edition
        self._preferring = Preferring(place.host)
        self._maker = (TcrMaker if is_personal else EnterpriseMaker)(
            Creation.of(endpoint), edition, push_taken(place.host, transport, context)
        )
        self.registry = DistributionRegistry(
            place.host,
            transport,
            context,
            quirks=_QUIRKS[place.edition],
            abilities=self._abilities,
            listing=self.list_artifacts,
        )
        self._proof = (
            None if is_personal else Proof(place.host, self.registry.resolve, context.state)
        )

    def _abilities(self, offered: Abilities) -> Abilities:
        self._plain_catalog = offered.catalog
        return attrs.evolve(
            offered,
            catalog=self,
            creates=self._maker,
            deletes_tags=self,
            descriptions=TcrDescriptions(self._edition),
        )

    # --- reading ---------------------------------------------------------------------------

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        """Yield every tag of a repository; one that is not there has none."""
        return self._preferring.iterate(
            "tags are listed",
            lambda: self._proved(repository, self._listed(repository)),
            lambda: self.registry.list_tags(repository),
            of=repository,
        )

    def list_repositories(self) -> Iterator[str]:
        """Yield full repository names, in no order, each once."""
        return self._preferring.iterate(
            "repositories are listed", self._repositories, self._catalogued
        )

    def _catalogued(self) -> Iterator[str]:
        return iter(()) if self._plain_catalog is None else self._plain_catalog.list_repositories()

    def _repositories(self) -> Iterator[str]:
        seen: set[str] = set()
        for repository in self._edition.repositories():
            if repository.name not in seen:
                seen.add(repository.name)
                self._maker.note(repository.name)
                yield repository.name

    def _proved(self, repository: str, artifacts: Iterator[Artifact]) -> Iterator[Artifact]:
        return artifacts if self._proof is None else self._proof.checked(repository, artifacts)

    def _listed(self, repository: str) -> Iterator[Artifact]:
        """Yield the tags, each once: a page moves on while others push."""
        seen: set[Tag | None] = set()
        try:
            for artifact in self._edition.tags(repository):
                if artifact.tag not in seen:
                    self._maker.note(repository)
                    seen.add(artifact.tag)
                    yield artifact
        except NotFound:
            self._maker.note_lacking(repository)

    # --- writing ---------------------------------------------------------------------------

    def delete_tag(self, repository: str, tag: Tag) -> None:
        """Take the tag away; fine if it is not there.

        Raises:
            RegistryError: TCR does not do it.
        """
        try:
            self._edition.delete_tag(repository, tag)
        except NotFound:
            return


class TcrDescriptions:
    """The texts about repositories.

    Args:
        edition: The API.
    """

    def __init__(self, edition: TcrEdition) -> None:
        self._edition = edition

    def list_descriptions(self) -> Iterator[tuple[str, str]]:
        """Yield each repository with its text."""
        return ((each.name, each.text) for each in self._edition.repositories())

    def get_descriptions(self, repositories: frozenset[str]) -> dict[str, str]:
        """Return the texts about repositories; one that is not there is left out."""
        if len(repositories) > _FEW:
            return {name: text for name, text in self.list_descriptions() if name in repositories}
        found = filter(None, map(self._edition.find, repositories))
        return {each.name: each.text for each in found}

    def set_description(self, repository: str, text: str) -> None:
        """Replace the text.

        Raises:
            NotFound: The repository is not there.
        """
        self._edition.describe(repository, text)


# --- the provider ----------------------------------------------------------------------------


def _open(endpoint: Endpoint, context: OpenContext) -> Registry:
    from harborsync.http.options import check_names  # noqa: PLC0415 - loads requests
    from harborsync.http.session import open_transport  # noqa: PLC0415
    from harborsync.registries.tcr_transport import TcrTransport  # noqa: PLC0415

    check_names(endpoint, _OPTIONS)
    check_api(endpoint, "api", "sts_api")
    place = TcrPlace.of(endpoint)
    given = handed_over(context.credentials, TencentIdentity) or TencentIdentity()
    api = TcrApi(place, given.with_options(endpoint.options), endpoint, context)
    is_personal = place.edition is Edition.PERSONAL
    edition: TcrEdition = PersonalEdition(api) if is_personal else EnterpriseEdition(api)
    logins = with_cloud(context.credentials, edition.log_in, context.clock)
    context = attrs.evolve(context, credentials=logins)
    way = open_transport(at_host(endpoint, place.host, place.prefix), context)
    transport = TcrTransport(way, place, api.close)
    return TcrRegistry(place, edition, endpoint, transport, context).registry


PROVIDER: Final = Provider(name="tcr", open=_open, extra=EXTRA)
