"""Amazon ECR Public: ``public.ecr.aws/ALIAS/NAME``.

    ecr-public://ALIAS
    public.ecr.aws/ALIAS

Everybody may pull, with or without an identity. To push, and to list with digests, the identity
must be of the account that has the alias; other people's repositories are listed like those of
any registry. The API is in us-east-1 whatever the region of the machine.
"""

from __future__ import annotations

import logging
import re
import threading
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.artifact import UNAVAILABLE, Artifact
from harborsync.clouds import recognise
from harborsync.credentials.aws import EXTRA, AwsApi, login_of
from harborsync.credentials.cloud import with_cloud
from harborsync.errors import (
    CredentialsError,
    CredentialsExpired,
    CredentialsRefused,
    Denied,
    InvalidValue,
    MissingDependency,
    NoCredentials,
    NotFound,
    RegistryError,
)
from harborsync.provider import Provider
from harborsync.reference import Digest
from harborsync.registries.amazon import (
    AMAZON_OPTIONS,
    check_deleted,
    in_utc,
    is_expired_login,
    open_api,
    pages,
    says,
    tag_of,
)
from harborsync.registries.clouds import CLOUD_OPTIONS, Preferring, at_host
from harborsync.registries.creation import Creation, RepositoryMaker
from harborsync.registries.distribution import DistributionRegistry
from harborsync.registries.proof import Proof
from harborsync.registry import Abilities, Quirks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.credentials.base import Credential
    from harborsync.endpoint import Endpoint
    from harborsync.http.wire import Transport
    from harborsync.provider import OpenContext
    from harborsync.reference import Tag
    from harborsync.registry import Registry

_log = logging.getLogger(__name__)

HOST: Final = "public.ecr.aws"
REGION: Final = "us-east-1"
_MIB: Final = 2**20
_ALIAS: Final = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*", re.ASCII)
_OPTIONS: Final = CLOUD_OPTIONS - {"account_id", "instance_id", "region"} | AMAZON_OPTIONS

# Amazon's service quotas for ECR Public. Names are an alias and what the model calls a name.
_QUIRKS: Final = Quirks(
    max_name_length=255,
    min_name_depth=2,
    max_layer_bytes=10_000 * _MIB,
    min_chunk_bytes=5 * _MIB,
    chunk_bytes=10 * _MIB,
    max_chunks=1000,
    resumes_uploads=False,  # not seen: a session that broke off is begun anew
)


class EcrPublicRegistry:
    """Puts ECR Public together: the distribution API, and Amazon's for what is our own.

    Args:
        host: The registry's host.
        api: Amazon's API.
        endpoint: The endpoint, for its options.
        transport: The way to the distribution API.
        context: What comes from outside.
    """

    def __init__(
        self,
        host: str,
        api: AwsApi,
        endpoint: Endpoint,
        transport: Transport,
        context: OpenContext,
    ) -> None:
        self._host = host
        self._alias = _prefix(endpoint).partition("/")[0]
        self._api = api
        self._preferring = Preferring(host)
        self._maker = RepositoryMaker(Creation.of(endpoint).create, self._create)
        self._lock = threading.Lock()
        self._aliases: frozenset[str] | None = None
        self.registry = DistributionRegistry(
            host,
            transport,
            context,
            quirks=_QUIRKS,
            abilities=self._abilities,
            listing=self.list_artifacts,
        )
        self._proof = Proof(host, self.registry.resolve, context.state)

    def _abilities(self, offered: Abilities) -> Abilities:
        return attrs.evolve(offered, catalog=self, creates=self._maker, deletes_tags=self)

    # --- reading ---------------------------------------------------------------------------

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        """Yield every tag of a repository; one that is not there has none."""
        return self._preferring.iterate(
            "tags are listed",
            lambda: self._listed(repository),
            lambda: self.registry.list_tags(repository),
            of=repository,
        )

    def list_repositories(self) -> Iterator[str]:
        """Yield the full names of our own repositories, in no order, each once.

        Raises:
            NotFound: The endpoint names somebody else's alias.
        """
        if self._alias and self._alias not in self._own_aliases():
            msg = f"the repositories of {self._alias} at {self._host} are listed for its owner only"
            raise NotFound(msg, hint="name them in the rule, each by its whole name")
        what = f"list our repositories at {self._host}"
        for page in pages(self._api, what, "describe_repositories", "repositories"):
            for each in page:
                name = each["repositoryUri"].partition("/")[2]
                self._maker.note(name)
                yield name

    def _listed(self, repository: str) -> Iterator[Artifact]:
        try:
            is_ours = self._name_of(repository) is not None
        except (CredentialsExpired, CredentialsRefused):
            is_ours = False  # nobody is needed to read, and the next run may be somebody again
        if not is_ours:
            return self.registry.list_tags(repository)
        return self._proof.checked(repository, self._described(repository))

    def _described(self, repository: str) -> Iterator[Artifact]:
        what = f"list the tags of {repository} at {self._host}"
        name = self._name_of(repository)
        try:
            for page in pages(
                self._api, what, "describe_image_tags", "imageTagDetails", repositoryName=name
            ):
                self._maker.note(repository)
                yield from filter(None, (artifact_of(repository, each) for each in page))
        except NotFound as error:
            if not says(error, "RepositoryNotFoundException"):
                raise
            self._maker.note_lacking(repository)

    def _name_of(self, repository: str) -> str | None:
        """Return what our API calls a repository: its path without the alias; None if not ours."""
        alias, _, name = repository.partition("/")
        return name if alias in self._own_aliases() else None

    def _own_aliases(self) -> frozenset[str]:
        with self._lock:
            if self._aliases is None:
                what = f"ask which aliases are ours at {self._host}"
                found = pages(self._api, what, "describe_registries", "registries")
                self._aliases = frozenset(
                    alias["name"] for page in found for each in page for alias in each["aliases"]
                )
            return self._aliases

    # --- writing ---------------------------------------------------------------------------

    def delete_tag(self, repository: str, tag: Tag) -> None:
        """Take the tag away; fine if it is not there. An image's last tag takes it along.

        Raises:
            RegistryError: It is not done.
        """
        what = f"delete the tag {tag} of {repository} at {self._host}"
        answer = self._api.call(
            what,
            "batch_delete_image",
            repositoryName=self._own_name_of(repository),
            imageIds=[{"imageTag": str(tag)}],
        )
        check_deleted(answer, what)

    def _create(self, repository: str) -> bool:
        name = self._own_name_of(repository)
        what = f"create the repository {repository} at {self._host}"
        try:
            self._api.call(what, "create_repository", repositoryName=name)
        except RegistryError as error:
            if says(error, "RepositoryAlreadyExistsException"):
                return False
            raise
        return True

    def _own_name_of(self, repository: str) -> str:
        name = self._name_of(repository)
        if name is None:
            msg = f"{repository} is below no alias of this account at {self._host}"
            aliases = ", ".join(sorted(self._own_aliases())) or "none"
            raise NotFound(msg, hint=f"aliases of this account are: {aliases}")
        return name


def artifact_of(repository: str, detail: dict[str, Any]) -> Artifact | None:
    """Return the artifact of an entry of DescribeImageTags; None for a tag that is none."""
    tag, image = tag_of(detail["imageTag"]), detail["imageDetail"]
    if tag is None:
        return None
    return Artifact(
        repository=repository,
        tag=tag,
        digest=Digest.parse(image["imageDigest"]),
        media_type=image.get("imageManifestMediaType") or UNAVAILABLE,
        pushed_at=in_utc(image.get("imagePushedAt")),
        labels=UNAVAILABLE,
        immutable=False,
    )


# --- the provider ----------------------------------------------------------------------------


def _host(endpoint: Endpoint) -> str:
    """Return the host: the only one there is, unless one is written or an API is named."""
    is_host = recognise(endpoint.host) is not None or "api" in endpoint.options
    return endpoint.host if is_host else HOST


def _prefix(endpoint: Endpoint) -> str:
    """Return the alias and what follows it.

    Raises:
        InvalidValue: What stands there can be no alias.
    """
    prefix = endpoint.prefix if _host(endpoint) == endpoint.host else endpoint.address.strip("/")
    alias = prefix.partition("/")[0]
    if alias and not _ALIAS.fullmatch(alias):
        msg = f"{alias[:100]!r} is no alias of ECR Public"
        raise InvalidValue(msg, hint="write it like ecr-public://ALIAS or public.ecr.aws/ALIAS")
    return prefix


def _open(endpoint: Endpoint, context: OpenContext) -> Registry:
    from harborsync.http.options import check_names  # noqa: PLC0415 - loads requests
    from harborsync.http.session import open_transport  # noqa: PLC0415

    check_names(endpoint, _OPTIONS)
    if endpoint.options.get("public") == "no":
        msg = "every repository of ECR Public is public"
        raise InvalidValue(msg, hint="leave public=no out, or write to ecr://ACCOUNT/REGION")
    host, prefix = _host(endpoint), _prefix(endpoint)
    api = open_api("ecr-public", endpoint, context, region=REGION)

    def log_in(host: str) -> Credential | None:
        try:
            return login_of(api.call(f"log in to {host}", "get_authorization_token"), host)
        except (MissingDependency, NoCredentials):
            return None  # everybody may pull
        except (CredentialsError, Denied) as error:
            # Whoever wants to push is told by the registry that a login is lacking.
            _log.warning("%s is asked without a login: %s", host, error)
            return None

    logins = with_cloud(context.credentials, log_in, context.clock)
    context = attrs.evolve(context, credentials=logins)
    transport = open_transport(
        at_host(endpoint, host, prefix), context, expired_403=is_expired_login
    )
    return EcrPublicRegistry(host, api, endpoint, transport, context).registry


PROVIDER: Final = Provider(name="ecr-public", open=_open, host=_host, extra=EXTRA, prefix=_prefix)
