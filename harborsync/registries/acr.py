"""Alibaba Cloud's Container Registry (ACR), the enterprise edition and the personal one.

    acr://team-registry.cn-hangzhou.cr.aliyuncs.com/apps
    team-registry-vpc.cn-hangzhou.cr.aliyuncs.com/apps
    registry.cn-hangzhou.aliyuncs.com/my-namespace

Bytes go the way of every registry. Tags come with their digests from ACR's own API, a hundred a
request, and namespaces and repositories that are lacking are made as the options say. A ``-vpc``
host is asked from within a VPC, and its APIs there, too.

===========================  =================================================================
``role_arn=ARN[,ARN…]``      roles to assume, one by the other; ``external_id``, ``role_session``
                             and ``role_duration`` are of the last one
``ecs_role=NAME``            the role of the machine to begin with
``create``, ``public``       see :mod:`harborsync.registries.creation`
``mutability=immutable``     tags of repositories that are made cannot be moved (enterprise)
``edition``                  ``enterprise`` or ``personal``, where the host does not tell
``region``, ``instance_id``  where neither the host nor the registry's login tells
``api=URL``, ``sts_api``     addresses of the APIs
===========================  =================================================================
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.credentials.aliyun import EXTRA, IDENTITY_OPTIONS, AliyunIdentity
from harborsync.credentials.cloud import handed_over, with_cloud
from harborsync.errors import InvalidValue, NotFound
from harborsync.provider import Provider
from harborsync.registries.acr_api import AcrApi, Recipe, artifact_of, says_it_is_lacking
from harborsync.registries.acr_enterprise import EnterpriseEdition
from harborsync.registries.acr_personal import PersonalEdition
from harborsync.registries.acr_place import AcrPlace
from harborsync.registries.clouds import CLOUD_OPTIONS, Preferring, at_host, check_api, push_taken
from harborsync.registries.creation import Creation, RepositoryMaker
from harborsync.registries.distribution import DistributionRegistry
from harborsync.registries.editions import Edition
from harborsync.registries.proof import Proof
from harborsync.registry import Abilities, Quirks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.artifact import Artifact
    from harborsync.endpoint import Endpoint
    from harborsync.http.wire import Transport
    from harborsync.provider import OpenContext
    from harborsync.reference import Tag
    from harborsync.registries.acr_api import AcrEdition, AcrRepository
    from harborsync.registry import Registry

# Names: Alibaba's documents on ALIYUN::CR::Namespace and ALIYUN::CR::Repository, and for the
# enterprise edition aliyun/terraform-provider-alicloud #7131. Summaries have 1 to 100 characters.
_QUIRKS: Final = {
    Edition.ENTERPRISE: Quirks(max_name_length=241, min_name_depth=2, max_description=100),
    Edition.PERSONAL: Quirks(
        max_name_length=95, min_name_depth=2, max_name_depth=2, max_description=100
    ),
}
_OPTIONS: Final = CLOUD_OPTIONS - {"account_id"} | IDENTITY_OPTIONS | {"edition", "mutability"}
_MUTABILITY: Final = {"mutable": False, "immutable": True}
#: Up to so many repositories are asked for one by one, more by the list of all.
_FEW: Final = 3
#: Token servers, by Alibaba's documents on the hosts that a cluster must reach.
# Below ``oss-…`` everybody can have a host of his own.
_TOKEN_SERVER: Final = re.compile(
    r"dockerauth[a-z0-9-]*(?:\.(?!oss-)[a-z0-9-]+)?\.aliyuncs\.com", re.ASCII
)


class AcrCatalog:
    """The repositories of a registry, remembered as they were last told; thread-safe.

    Args:
        edition: The API.
    """

    def __init__(self, edition: AcrEdition) -> None:
        self._edition = edition
        self._known: dict[str, AcrRepository] = {}

    def all(self) -> Iterator[AcrRepository]:
        """Yield all repositories, each once: a page moves on while others make some."""
        seen: set[str] = set()
        for repository in self._edition.repositories():
            self._known[repository.name] = repository
            if repository.name not in seen:
                seen.add(repository.name)
                yield repository

    def find(self, name: str) -> AcrRepository | None:
        """Return a repository, or None if it is not there."""
        return self._known.get(name) or self.look(name)

    def forget(self, name: str) -> None:
        """Remember a repository no longer: it was deleted meanwhile."""
        self._known.pop(name, None)

    def look(self, name: str) -> AcrRepository | None:
        """Return a repository as it is now, or None if it is not there."""
        found = self._edition.find(name)
        if found is None:
            self.forget(name)
        else:
            self._known[name] = found
        return found


class AcrRegistry:
    """Puts a registry of ACR together: the distribution API, and abilities of Alibaba's own.

    Args:
        place: Which registry.
        edition: Its API.
        catalog: Its repositories.
        endpoint: The endpoint, for its options.
        transport: The way to the distribution API.
        context: What comes from outside.
    """

    def __init__(
        self,
        place: AcrPlace,
        edition: AcrEdition,
        catalog: AcrCatalog,
        endpoint: Endpoint,
        transport: Transport,
        context: OpenContext,
    ) -> None:
        self._edition = edition
        self._catalog = catalog
        self._recipe = recipe_of(endpoint, place.edition)
        self._preferring = Preferring(place.host)
        self._maker = RepositoryMaker(
            Creation.of(endpoint).create,
            lambda repository: edition.create(repository, self._recipe),
            push_taken(place.host, transport, context),
        )
        self.registry = DistributionRegistry(
            place.host,
            transport,
            context,
            quirks=_QUIRKS[place.edition],
            abilities=self._abilities,
            listing=self.list_artifacts,
        )
        self._proof = Proof(place.host, self.registry.resolve, context.state)

    def _abilities(self, offered: Abilities) -> Abilities:
        return attrs.evolve(
            offered,
            catalog=self,
            creates=self._maker,
            deletes_tags=self,
            descriptions=AcrDescriptions(self._edition, self._catalog),
        )

    # --- reading ---------------------------------------------------------------------------

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        """Yield every tag of a repository; one that is not there has none."""
        return self._preferring.iterate(
            "tags are listed",
            lambda: self._proof.checked(repository, self._listed(repository)),
            lambda: self.registry.list_tags(repository),
            of=repository,
        )

    def list_repositories(self) -> Iterator[str]:
        """Yield full repository names, in no order, each once; ACR's ``_catalog`` does not."""
        for repository in self._catalog.all():
            self._maker.note(repository.name)
            yield repository.name

    def _listed(self, repository: str) -> Iterator[Artifact]:
        """Yield the tags, each once: a page moves on while others push."""
        found = self._catalog.find(repository)
        if found is None:
            self._maker.note_lacking(repository)
            return
        self._maker.note(repository)
        seen: set[Tag | None] = set()
        try:
            for image in self._edition.tags(found):
                artifact = artifact_of(found, image)
                if artifact is not None and artifact.tag not in seen:
                    seen.add(artifact.tag)
                    yield artifact
        except NotFound as error:
            if not says_it_is_lacking(error):
                raise
            self._catalog.forget(repository)
            self._maker.note_lacking(repository)

    # --- writing ---------------------------------------------------------------------------

    def delete_tag(self, repository: str, tag: Tag) -> None:
        """Take the tag away; fine if it is not there.

        Raises:
            RegistryError: ACR does not do it.
        """
        found = self._catalog.find(repository)
        if found is None:
            return
        try:
            self._edition.delete_tag(found, tag)
        except NotFound:
            return


class AcrDescriptions:
    """The texts about repositories, which ACR calls summaries.

    Args:
        edition: The API.
        catalog: The repositories.
    """

    def __init__(self, edition: AcrEdition, catalog: AcrCatalog) -> None:
        self._edition = edition
        self._catalog = catalog

    def list_descriptions(self) -> Iterator[tuple[str, str]]:
        """Yield each repository with its text."""
        return ((each.name, each.text) for each in self._catalog.all())

    def get_descriptions(self, repositories: frozenset[str]) -> dict[str, str]:
        """Return the texts about repositories; one that is not there is left out."""
        if len(repositories) > _FEW:
            return {name: text for name, text in self.list_descriptions() if name in repositories}
        found = filter(None, map(self._catalog.look, repositories))
        return {each.name: each.text for each in found}

    def set_description(self, repository: str, text: str) -> None:
        """Replace the text.

        Raises:
            NotFound: The repository is not there.
        """
        found = self._catalog.look(repository)
        if found is None:
            msg = f"cannot describe {repository}: there is no such repository"
            raise NotFound(msg, method="UpdateRepository", hint="copy something to it first")
        self._edition.set_summary(found, text)


def recipe_of(endpoint: Endpoint, edition: Edition) -> Recipe:
    """Return how repositories are made, by the options of an endpoint.

    Raises:
        InvalidValue: An option cannot be read, or is nothing for this edition.
    """
    text = endpoint.options.get("mutability", "mutable")
    if text not in _MUTABILITY:
        msg = f"the option mutability cannot be {text[:100]!r}"
        raise InvalidValue(msg, hint=f"write {' or '.join(_MUTABILITY)}")
    if _MUTABILITY[text] and edition is Edition.PERSONAL:
        msg = "the personal edition of ACR has no immutable tags"
        raise InvalidValue(msg, hint="leave mutability= out")
    return Recipe(public=Creation.of(endpoint).public, immutable=_MUTABILITY[text])


# --- the provider ----------------------------------------------------------------------------


def _is_token_server(host: str) -> bool:
    return _TOKEN_SERVER.fullmatch(host) is not None


def _open(endpoint: Endpoint, context: OpenContext) -> Registry:
    from harborsync.http.doors import Door  # noqa: PLC0415 - loads requests
    from harborsync.http.options import check_names  # noqa: PLC0415
    from harborsync.http.session import open_transport  # noqa: PLC0415
    from harborsync.registries.acr_transport import AcrTransport, looking  # noqa: PLC0415

    check_names(endpoint, _OPTIONS)
    check_api(endpoint, "api", "sts_api")
    place = AcrPlace.of(endpoint)
    given = handed_over(context.credentials, AliyunIdentity) or AliyunIdentity()
    api = AcrApi(place, given.with_options(endpoint.options), endpoint, context)
    is_personal = place.edition is Edition.PERSONAL
    edition: AcrEdition = PersonalEdition(api) if is_personal else EnterpriseEdition(api)
    catalog = AcrCatalog(edition)
    logins = with_cloud(context.credentials, edition.log_in, context.clock)
    context = attrs.evolve(context, credentials=logins)
    way = open_transport(
        at_host(endpoint, place.host, place.prefix),
        context,
        door=Door(owns_realm=_is_token_server),
    )
    transport = AcrTransport(way, looking(catalog.look), api.close)
    return AcrRegistry(place, edition, catalog, endpoint, transport, context).registry


PROVIDER: Final = Provider(name="acr", open=_open, extra=EXTRA)
