"""Google Artifact Registry, and the ``gcr.io`` hosts that it serves.

    gar://europe-west1/my-project/team
    europe-west1-docker.pkg.dev/my-project/team
    gcr.io/my-project

Bytes go the way of every registry. Tags come with their digests in one request, by Google's
extension of ``tags/list``; above ten thousand, where that tells only some, by the Artifact
Registry API. Repositories that are lacking are made as the options say.

========================  ====================================================================
``key_file=PATH``         who asks, as a file of Google's says; see
                          :mod:`harborsync.credentials.google`
``impersonate=ACCOUNT``   a service account to act for; of several with commas the last one
``create``                see :mod:`harborsync.registries.creation`
``mutability=immutable``  tags of repositories that are made cannot be moved
``kms=KEY``               they are encrypted with this key
``region``                the location, where the host does not tell
``api=URL``, ``iam_api``  addresses of the APIs
========================  ====================================================================
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.credentials.base import Credential, Refreshing, tell_refused
from harborsync.credentials.cloud import CloudCredentials, handed_over
from harborsync.credentials.google import (
    EXTRA,
    IDENTITY_OPTIONS,
    OAUTH_USER,
    GoogleIdentity,
    key_of,
)
from harborsync.credentials.google_api import ARTIFACT_REGISTRY, GoogleApi
from harborsync.credentials.google_cable import Cables
from harborsync.credentials.google_tokens import IAM, TokenSource
from harborsync.errors import CredentialsRefused, InvalidValue, RegistryError, Unsupported
from harborsync.provider import Provider
from harborsync.registries.calls import Api, path, pulling
from harborsync.registries.clouds import CLOUD_OPTIONS, Preferring, at_host, check_api, push_taken
from harborsync.registries.creation import Creation, RepositoryMaker
from harborsync.registries.distribution import DistributionRegistry
from harborsync.registries.gar_listing import MOST, Listing, artifact_of
from harborsync.registries.gar_place import GarPlace
from harborsync.registries.pages import pages
from harborsync.registry import Abilities, Quirks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.artifact import Artifact
    from harborsync.credentials.base import CredentialSource
    from harborsync.endpoint import Endpoint
    from harborsync.http.wire import Transport
    from harborsync.provider import OpenContext
    from harborsync.registry import Registry

_OK: Final = 200
_NOT_FOUND: Final = 404
#: The largest page of packages and tags (ListTagsRequest of the API's reference).
_PAGE: Final = 10_000
_PAGE_OF_REPOSITORIES: Final = 1000
_FORMAT: Final = "DOCKER"


class GarRegistry:
    """Puts a registry of Google's together: the distribution API, and Google's own beside it.

    Args:
        place: Which registry.
        api: The Artifact Registry API.
        endpoint: The endpoint, for its options.
        transport: The way to the distribution API.
        context: What comes from outside.
    """

    def __init__(
        self,
        place: GarPlace,
        api: GoogleApi,
        endpoint: Endpoint,
        transport: Transport,
        context: OpenContext,
    ) -> None:
        self._place = place
        self._api = api
        self._recipe = _recipe(endpoint)
        self._v2 = Api(name=place.host, transport=transport, context=context)
        self._preferring = Preferring(place.host)
        self._maker = RepositoryMaker(
            Creation.of(endpoint).create,
            self._create,
            push_taken(place.host, transport, context),
            unit=place.unit_of,
        )
        self.registry = DistributionRegistry(
            place.host,
            transport,
            context,
            quirks=Quirks(min_name_depth=place.depth),
            abilities=self._abilities,
            listing=self.list_artifacts,
        )

    def _abilities(self, offered: Abilities) -> Abilities:
        # Google's _catalog is an empty list, whatever there is.
        return attrs.evolve(offered, catalog=self, creates=self._maker)

    # --- listing ---------------------------------------------------------------------------

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        """Yield every tag of a repository; one that is not there has none.

        Raises:
            NotFound: No image can have this path.
        """
        self._place.check(repository)
        listing = self._told(repository)
        if listing is None:
            self._maker.note_lacking(repository)
            return
        self._maker.note(repository)
        if listing.may_lack_some:
            yield from self._tags_by_api(repository)
        else:
            yield from listing.artifacts(repository)

    def _told(self, repository: str) -> Listing | None:
        """Return what ``tags/list`` tells, or None if there is no such repository."""
        what = f"list tags of {repository}"
        url = f"{path(repository, 'tags', 'list')}?n={MOST}"
        listing = Listing()
        for answer in pages(self._v2, url, scopes=pulling(repository), what=what):
            if answer.status == _NOT_FOUND:
                return None
            if answer.status != _OK:
                raise self._v2.refused(answer, what)
            listing.add(answer, f"{what} at {self._place.host}")
        return listing

    def _tags_by_api(self, repository: str) -> Iterator[Artifact]:
        what = (
            f"list the tags of {repository} at {self._place.host}, of which the registry itself "
            f"tells {MOST:,} at the most"
        )
        package = self._place.package_of(repository)
        rows = self._api.pages(what, f"{package}/tags", "tags", _PAGE)
        return filter(None, (artifact_of(repository, row) for row in rows))

    def list_repositories(self) -> Iterator[str]:
        """Yield full repository names, in no order, each once.

        Raises:
            Unsupported: The endpoint does not say in which project.
        """
        if not self._place.prefix:
            msg = f"{self._place.host} does not list the repositories of all projects"
            hint = f"name the project in the endpoint, like {self._place.host}/PROJECT"
            raise Unsupported(msg, hint=hint)
        return self._preferring.iterate(
            "repositories are listed", self._packages, partial(self._below, self._place.prefix)
        )

    def _packages(self) -> Iterator[str]:
        place = self._place
        what = f"list the repositories below {place.prefix} at {place.host}"
        for repository in self._repositories(what):
            for row in self._api.pages(
                what, f"{repository}/packages", "packages", _PAGE_OF_REPOSITORIES
            ):
                yield place.image_of(row["name"])

    def _repositories(self, what: str) -> Iterator[str]:
        """Yield what the API calls the repositories that the endpoint is about."""
        place = self._place
        if place.repository_id_of(place.prefix):
            yield place.resource_of(place.prefix)
            return
        parent = f"{place.parent_of(place.prefix)}/repositories"
        for row in self._api.pages(what, parent, "repositories", _PAGE_OF_REPOSITORIES):
            if row.get("format") == _FORMAT:
                yield row["name"]

    def _below(self, name: str) -> Iterator[str]:
        """Walk down the children that ``tags/list`` tells."""
        listing = self._told(name)
        if listing is None:
            return
        if listing.tags or listing.manifests:
            yield name
        for child in sorted(listing.children):
            yield from self._below(f"{name}/{child}")

    # --- writing ---------------------------------------------------------------------------

    def _create(self, repository: str) -> bool:
        place = self._place
        what = f"create the repository {place.unit_of(repository)} at {place.host}"
        parent, name = place.parent_of(repository), place.repository_id_of(repository)
        try:
            self._api.create_repository(what, parent, name, self._recipe)
        except RegistryError as error:
            if "ALREADY_EXISTS" in error.codes:
                return False
            raise
        return True


# --- options ---------------------------------------------------------------------------------

_MUTABILITY: Final = {"immutable": True, "mutable": False}
_OPTIONS: Final = (
    CLOUD_OPTIONS - {"account_id", "instance_id"} | IDENTITY_OPTIONS | {"kms", "mutability"}
)


def _recipe(endpoint: Endpoint) -> dict[str, Any]:
    """Return how repositories are made, as the API takes it.

    Raises:
        InvalidValue: An option cannot be read.
    """
    options = endpoint.options
    recipe: dict[str, Any] = {"format": _FORMAT, "mode": "STANDARD_REPOSITORY"}
    if "mutability" in options:
        if options["mutability"] not in _MUTABILITY:
            msg = f"the option mutability cannot be {options['mutability'][:100]!r}"
            raise InvalidValue(msg, hint=f"write {' or '.join(_MUTABILITY)}")
        recipe["dockerConfig"] = {"immutableTags": _MUTABILITY[options["mutability"]]}
    if "kms" in options:
        recipe["kmsKeyName"] = options["kms"]
    if Creation.of(endpoint).public:
        msg = "a repository of Google's is not public by how it is made"
        hint = "leave public=yes out, and grant allUsers roles/artifactregistry.reader on it"
        raise InvalidValue(msg, hint=hint)
    return recipe


# --- who we are ------------------------------------------------------------------------------


class _Logins:
    """The logins of one registry, and the access tokens for the API beside it.

    Args:
        host: The registry's host.
        given: Who is asked for a login first.
        source: Gets tokens from Google.
    """

    def __init__(self, host: str, given: CredentialSource, source: TokenSource) -> None:
        self._host = host
        self._given = given
        self._source = source
        self._bought = Refreshing(self._buy, source.context.clock)
        self.registry = CloudCredentials(given, self._bought)

    def _buy(self, host: str) -> Credential:
        """Return a token: of the key that is the registry's login, else of who we are."""
        found = self._given.get(host)
        key = None if found is None else key_of(found)
        if found is None or key is None:
            return self._source.get().login
        try:
            return self._source.of_fields(key, "the key of a service account").login
        except CredentialsRefused:
            tell_refused(self._given, host, found)
            raise

    def for_the_api(self) -> Credential:
        """Return a login whose secret is an access token: the registry's own, if it is one."""
        found = self.registry.get(self._host)
        if found is None or found.username != OAUTH_USER:
            found = self._bought.get(self._host)
        assert found is not None  # noqa: S101 - who is nobody has raised
        return found

    def forget(self, refused: Credential) -> None:
        """Have a login that was refused fetched anew."""
        self.registry.forget(self._host, refused)


def open_api(endpoint: Endpoint, context: OpenContext) -> tuple[GoogleApi, CredentialSource]:
    """Return the API beside a registry, and who knows the registry's own logins; asks nobody.

    Raises:
        InvalidValue: An option cannot be read.
    """
    check_api(endpoint, "api", "iam_api")
    options = endpoint.options
    cables = Cables(endpoint=endpoint, context=context)
    given = handed_over(context.credentials, GoogleIdentity) or GoogleIdentity()
    source = TokenSource(
        identity=given.with_options(options), cables=cables, iam_url=options.get("iam_api", IAM)
    )
    logins = _Logins(GarPlace.of(endpoint).host, context.credentials, source)
    api = GoogleApi(
        url=options.get("api", ARTIFACT_REGISTRY),
        cables=cables,
        login=logins.for_the_api,
        forget=logins.forget,
    )
    return api, logins.registry


def _open(endpoint: Endpoint, context: OpenContext) -> Registry:
    from harborsync.http.options import check_names  # noqa: PLC0415 - loads requests
    from harborsync.http.session import open_transport  # noqa: PLC0415

    check_names(endpoint, _OPTIONS)
    place = GarPlace.of(endpoint)
    api, logins = open_api(endpoint, context)
    context = attrs.evolve(context, credentials=logins)
    transport = open_transport(at_host(endpoint, place.host, place.prefix), context)
    return GarRegistry(place, api, endpoint, transport, context).registry


PROVIDER: Final = Provider(
    name="gar",
    open=_open,
    host=lambda endpoint: GarPlace.of(endpoint).host,
    extra=EXTRA,
    prefix=lambda endpoint: GarPlace.of(endpoint).prefix,
)
