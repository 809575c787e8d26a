"""Amazon ECR: private registries, one for each account and region.

    ecr://123456789012/eu-west-1/team
    123456789012.dkr.ecr.eu-west-1.amazonaws.com/team

Both name the repositories below ``team``. Bytes go the way of every registry; tags come with
their digests from DescribeImages, a thousand a request, and repositories that are lacking are
made as the options say.

==========================  ==================================================================
``profile=NAME``            a profile of the AWS configuration
``role_arn=ARN[,ARN…]``     roles to assume, one by the other; ``external_id``, ``role_session``,
                            ``role_duration`` and ``role_tags=key:value,…`` are of the last one
``create``, ``public``      see :mod:`harborsync.registries.creation`
``mutability=immutable``    tags of repositories that are made cannot be moved
``scan=yes``                what is pushed to them is scanned
``kms=KEY``                 they are encrypted with this key; ``kms=aws`` for the one of AWS
``repository_tags=k:v,…``   they get these tags
``region``, ``account_id``  where the host does not tell
``api=URL``, ``sts_api``    addresses of the APIs, such as those of VPC endpoints
==========================  ==================================================================
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import attrs

from harborsync.artifact import UNAVAILABLE, Artifact
from harborsync.clouds import recognise
from harborsync.credentials.aws import EXTRA, AwsApi, login_of, tags_of
from harborsync.credentials.cloud import with_cloud
from harborsync.errors import InvalidValue, NotFound, RegistryError
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
from harborsync.registries.clouds import CLOUD_OPTIONS, Preferring, at_host, push_taken
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

_MIB: Final = 2**20
_ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)
_REGION: Final = re.compile(r"[a-z]{2,}(?:-[a-z0-9]+)+", re.ASCII)

# Amazon's service quotas for ECR; the lengths of names are by the service's model.
_QUIRKS: Final = Quirks(
    max_name_length=256,
    max_layer_bytes=52_000 * _MIB,
    min_chunk_bytes=5 * _MIB,
    chunk_bytes=10 * _MIB,
    max_chunks=4200,
    resumes_uploads=False,  # not seen: a session that broke off is begun anew
)

# By botocore's table of partitions; all other regions are of the first.
_SUFFIXES: Final = (
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("us-iso-", "c2s.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("", "amazonaws.com"),
)


@attrs.frozen(kw_only=True)
class EcrPlace:
    """Which registry an endpoint means.

    Attributes:
        host: The registry's host.
        account: The account that owns it.
        region: The region it is in.
        fips: Whether FIPS endpoints are meant.
        dual_stack: Whether those with IPv6 are.
        prefix: What the names of all repositories begin with, or nothing.
    """

    host: str
    account: str
    region: str
    fips: bool = False
    dual_stack: bool = False
    prefix: str = ""

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """Read an endpoint: ``account/region[/prefix]``, or ``host[/prefix]``.

        Raises:
            InvalidValue: It names no registry of Amazon's.
        """
        account, _, rest = endpoint.address.partition("/")
        if _ACCOUNT.fullmatch(account):
            region, _, prefix = rest.partition("/")
            place = cls._by_words(account, region, prefix)
        else:
            place = cls._by_host(endpoint)
        _check_told_once(endpoint, place)
        return place

    @classmethod
    def _by_words(cls, account: str, region: str, prefix: str) -> Self:
        if not _REGION.fullmatch(region):
            msg = f"{region[:100]!r} is no region of AWS"
            raise InvalidValue(msg, hint="write it like ecr://123456789012/eu-west-1")
        suffix = next(suffix for start, suffix in _SUFFIXES if region.startswith(start))
        host = f"{account}.dkr.ecr.{region}.{suffix}"
        return cls(host=host, account=account, region=region, prefix=prefix.strip("/"))

    @classmethod
    def _by_host(cls, endpoint: Endpoint) -> Self:
        options, cloud = endpoint.options, recognise(endpoint.host)
        told = cloud if cloud is not None and cloud.kind == "ecr" else None
        account = told.account if told else options.get("account_id", "")
        region = told.region if told else options.get("region", "")
        if not _ACCOUNT.fullmatch(account) or not _REGION.fullmatch(region):
            msg = f"{endpoint.address[:200]!r} names no registry of Amazon ECR"
            raise InvalidValue(msg, hint=_HOW)
        return cls(
            host=endpoint.host,
            account=account,
            region=region,
            fips=told is not None and told.fips,
            dual_stack=told is not None and told.dual_stack,
            prefix=endpoint.prefix,
        )


def _check_told_once(endpoint: Endpoint, place: EcrPlace) -> None:
    """Refuse options that contradict the address.

    Raises:
        InvalidValue: One does.
    """
    for name, told in (("account_id", place.account), ("region", place.region)):
        option = endpoint.options.get(name, told)
        if option != told:
            msg = f"the option {name} cannot be {option[:100]!r}: {place.host} is of {told}"
            raise InvalidValue(msg, hint=f"leave {name} out, or change the address")


_ACTIVE: Final = "ACTIVE"
_ASLEEP: Final = (
    "it is {} and cannot be pulled until it is restored: aws ecr update-image-storage-class "
    "--target-storage-class STANDARD"
)
_HOW: Final = (
    "write ecr://ACCOUNT/REGION or ACCOUNT.dkr.ecr.REGION.amazonaws.com; for another host add "
    "account_id= and region="
)


class EcrRegistry:
    """Puts a registry of ECR together: the distribution API, and abilities of Amazon's own.

    Args:
        place: Which registry.
        api: Amazon's API beside it.
        endpoint: The endpoint, for its options.
        transport: The way to the distribution API.
        context: What comes from outside.
    """

    def __init__(
        self,
        place: EcrPlace,
        api: AwsApi,
        endpoint: Endpoint,
        transport: Transport,
        context: OpenContext,
    ) -> None:
        self._place = place
        self._api = api
        self._recipe = _recipe(endpoint)
        self._preferring = Preferring(place.host)
        self._maker = RepositoryMaker(
            Creation.of(endpoint).create,
            self._create,
            push_taken(place.host, transport, context),
        )
        self.registry = DistributionRegistry(
            place.host,
            transport,
            context,
            quirks=_QUIRKS,
            abilities=self._abilities,
            listing=self.list_artifacts,
        )
        self._proof = Proof(place.host, self.registry.resolve, context.state)

    def _abilities(self, offered: Abilities) -> Abilities:
        self._plain_catalog = offered.catalog
        return attrs.evolve(offered, catalog=self, creates=self._maker, deletes_tags=self)

    # --- reading ---------------------------------------------------------------------------

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        """Yield every tag of a repository; one that is not there has none."""
        return self._preferring.iterate(
            "tags are listed",
            lambda: self._proof.checked(repository, self._described(repository)),
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
        what = f"list the repositories of {self._place.host}"
        for page in self._pages(what, "describe_repositories", "repositories"):
            for each in page:
                self._maker.note(each["repositoryName"])
                yield each["repositoryName"]

    def _described(self, repository: str) -> Iterator[Artifact]:
        what = f"list the images of {repository} at {self._place.host}"
        wish = {"repositoryName": repository, "filter": self._wanted_images}
        try:
            for page in self._pages(what, "describe_images", "imageDetails", **wish):
                self._maker.note(repository)
                for image in page:
                    yield from artifacts_of(repository, image)
        except NotFound as error:
            if not says(error, "RepositoryNotFoundException"):
                raise
            self._maker.note_lacking(repository)

    @cached_property
    def _wanted_images(self) -> dict[str, str]:
        """Images with tags; those in the archive, too, which are left out unless asked for."""
        knows_archive = self._api.knows("DescribeImagesFilter", "imageStatus")
        return {"tagStatus": "TAGGED", **({"imageStatus": "ANY"} if knows_archive else {})}

    def _pages(
        self, what: str, operation: str, key: str, **arguments: Any
    ) -> Iterator[list[dict[str, Any]]]:
        account = self._place.account
        return pages(self._api, what, operation, key, registryId=account, **arguments)

    # --- writing ---------------------------------------------------------------------------

    def delete_tag(self, repository: str, tag: Tag) -> None:
        """Take the tag away; fine if it is not there. An image's last tag takes it along.

        Raises:
            RegistryError: ECR does not do it.
        """
        what = f"delete the tag {tag} of {repository} at {self._place.host}"
        answer = self._api.call(
            what,
            "batch_delete_image",
            registryId=self._place.account,
            repositoryName=repository,
            imageIds=[{"imageTag": str(tag)}],
        )
        check_deleted(answer, what)

    def _create(self, repository: str) -> bool:
        what = f"create the repository {repository} at {self._place.host}"
        try:
            self._api.call(
                what,
                "create_repository",
                registryId=self._place.account,
                repositoryName=repository,
                **self._recipe,
            )
        except RegistryError as error:
            if says(error, "RepositoryAlreadyExistsException"):
                return False
            raise
        return True


def artifacts_of(repository: str, image: dict[str, Any]) -> Iterator[Artifact]:
    """Yield an artifact for each tag of an entry of DescribeImages."""
    status = image.get("imageStatus", _ACTIVE)
    for tag in filter(None, map(tag_of, image.get("imageTags", []))):
        yield Artifact(
            repository=repository,
            tag=tag,
            digest=Digest.parse(image["imageDigest"]),
            media_type=image.get("imageManifestMediaType") or UNAVAILABLE,
            pushed_at=in_utc(image.get("imagePushedAt")),
            labels=UNAVAILABLE,
            immutable=UNAVAILABLE,
            unreadable="" if status == _ACTIVE else _ASLEEP.format(status.lower()),
        )


# --- options ---------------------------------------------------------------------------------

_MUTABILITY: Final = {"immutable": "IMMUTABLE", "mutable": "MUTABLE"}
_YES_NO: Final = {"no": False, "yes": True}
_OF_AWS: Final = "aws"
_OPTIONS: Final = (
    CLOUD_OPTIONS - {"instance_id"}
    | AMAZON_OPTIONS
    | {"kms", "mutability", "repository_tags", "scan"}
)


def _recipe(endpoint: Endpoint) -> dict[str, Any]:
    """Return how repositories are made, as arguments of CreateRepository.

    Raises:
        InvalidValue: An option cannot be read.
    """
    options = endpoint.options
    recipe: dict[str, Any] = {}
    if "mutability" in options:
        recipe["imageTagMutability"] = _word(options, "mutability", _MUTABILITY)
    if "scan" in options:
        recipe["imageScanningConfiguration"] = {"scanOnPush": _word(options, "scan", _YES_NO)}
    if "kms" in options:
        key = {} if options["kms"] == _OF_AWS else {"kmsKey": options["kms"]}
        recipe["encryptionConfiguration"] = {"encryptionType": "KMS", **key}
    if "repository_tags" in options:
        tags = tags_of(options["repository_tags"], "repository_tags")
        recipe["tags"] = [{"Key": name, "Value": value} for name, value in tags]
    if Creation.of(endpoint).public:
        msg = "repositories of a private registry cannot be public"
        raise InvalidValue(msg, hint="leave public=yes out, or write to ecr-public://ALIAS")
    return recipe


def _word(options: dict[str, str], name: str, words: dict[str, Any]) -> Any:
    if options[name] not in words:
        msg = f"the option {name} cannot be {options[name][:100]!r}"
        raise InvalidValue(msg, hint=f"write {' or '.join(words)}")
    return words[options[name]]


# --- the provider ----------------------------------------------------------------------------


def _always(credential: Credential) -> bool:  # noqa: ARG001 - the signature of Door.is_cheap
    return True


def _open(endpoint: Endpoint, context: OpenContext) -> Registry:
    from harborsync.http.doors import Door  # noqa: PLC0415 - loads requests
    from harborsync.http.options import check_names  # noqa: PLC0415
    from harborsync.http.session import open_transport  # noqa: PLC0415

    check_names(endpoint, _OPTIONS)
    place = EcrPlace.of(endpoint)
    api = open_api(
        "ecr",
        endpoint,
        context,
        region=place.region,
        fips=place.fips,
        dual_stack=place.dual_stack,
    )

    def log_in(host: str) -> Credential:
        return login_of(api.call(f"log in to {host}", "get_authorization_token"), host)

    logins = with_cloud(context.credentials, log_in, context.clock)
    context = attrs.evolve(context, credentials=logins)
    transport = open_transport(
        at_host(endpoint, place.host, place.prefix),
        context,
        expired_403=is_expired_login,
        door=Door(is_cheap=_always),  # there is no token server: ECR speaks Basic
    )
    return EcrRegistry(place, api, endpoint, transport, context).registry


PROVIDER: Final = Provider(
    name="ecr",
    open=_open,
    host=lambda endpoint: EcrPlace.of(endpoint).host,
    extra=EXTRA,
    prefix=lambda endpoint: EcrPlace.of(endpoint).prefix,
)
