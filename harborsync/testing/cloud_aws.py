"""Amazon's STS and ECR on loopback, for tests that take the real SDK and no account.

    >>> from harborsync.testing.cloud_aws import LoopbackEcr
    >>> with LoopbackEcr() as ecr:
    ...     _ = ecr.create_repository("team/app")
    ...     ecr.endpoint.provider, ecr.endpoint.options["region"]
    ('ecr', 'eu-west-1')

Requests are verified by SigV4, tokens and sessions end, roles trust whom they are told to, pages
have an end, limits are counted; and the registry beside it knows only repositories that were
made. What is not emulated answers ``UnknownOperationException``.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.clock import SystemClock
from harborsync.credentials.aws import EXTRA, AwsIdentity
from harborsync.credentials.hushed import load_sdk
from harborsync.endpoint import Endpoint
from harborsync.testing.cloud_aws_json import JsonApi, is_form, login_for, paged
from harborsync.testing.cloud_plane import (
    ApiRefusal,
    CloudRepositories,
    CloudServers,
    PasswordDesk,
    tags_by_digest,
)
from harborsync.testing.cloud_sts import Keyring, Sts
from harborsync.testing.profiles import LoopbackQuirks
from harborsync.testing.server import LoopbackRegistry
from harborsync.testing.server_wire import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from boto3.session import Session

    from harborsync.clock import Clock
    from harborsync.reference import Digest
    from harborsync.testing.scripted import Heard, Said
    from harborsync.testing.server_wire import Request
    from harborsync.testing.storage import StoredManifest
    from harborsync.testing.tls import TestAuthority

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-west-1"
#: The key everybody has who is given no other; both are AWS's own examples.
KEY_ID: Final = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY: Final = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105 - an example
_TOKEN_LIFE: Final = 12 * 3600.0
_NAME: Final = re.compile(
    r"(?=.{2,256}$)(?:[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*/)*[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*",
    re.ASCII,
)
_MANIFEST: Final = re.compile(r"/v2/.+/manifests/([^/]+)")
_ECR_TARGET: Final = "AmazonEC2ContainerRegistry_V20150921."

# What ECR was seen or is documented to do: blobs come from S3 by signed addresses, sessions are
# not told how far they are, and a mount opens a session unless the account has opted in.
_QUIRKS: Final = LoopbackQuirks(
    redirects="other_host", location="absolute", mounts="no", anonymous_mounts=False, catalog=False
)


class LoopbackEcr(CloudServers):
    """An account's registry in one region, and STS.

    Args:
        account: The account.
        region: The region.
        keys: Secrets by the ids of access keys; each belongs to a user of that name.
        token_life: Seconds a login for docker is good.
        clock: The time by which logins and sessions end.
        signing_clock: The time that signatures are held against; the SDK signs by the real one.
        denied: Actions that nobody may do, such as ``ecr:DescribeImages``.
        made_on_push: Beginnings of the names of repositories that a template makes.
        most_repositories: How many there may be.
        mounts: Whether the account has opted in to mounting blobs.
        tls: Makes the control plane's certificate; plain HTTP if None.
    """

    def __init__(
        self,
        *,
        account: str = ACCOUNT,
        region: str = REGION,
        keys: Mapping[str, str] | None = None,
        token_life: float = _TOKEN_LIFE,
        clock: Clock | None = None,
        signing_clock: Clock | None = None,
        denied: Collection[str] = (),
        made_on_push: Collection[str] = (),
        most_repositories: int = 100_000,
        mounts: bool = False,
        tls: TestAuthority | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self.account = account
        self.region = region
        self._token_life = token_life
        self._most_repositories = most_repositories
        self.keyring = Keyring(
            account,
            keys or {KEY_ID: SECRET_KEY},
            clock=clock,
            signing_clock=signing_clock or SystemClock(),
            denied=denied,
        )
        self.desk = PasswordDesk("AWS", clock, _expired_login)
        self.repositories = _Repositories(
            clock,
            unknown=self._unknown_repository,
            immutable=self._immutable_tag,
            made_on_push=lambda name: any(name.startswith(start) for start in made_on_push),
        )
        registry = LoopbackRegistry(
            auth=self.desk,
            quirks=attrs.evolve(_QUIRKS, mounts="yes" if mounts else "no"),
            guard=self.repositories,
            clock=clock,
        )
        self.repositories.storage = registry.storage
        super().__init__(self._answer, registry, clock=clock, tls=tls)
        self.sts = Sts(account, self.keyring, self.log, clock)
        operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "BatchDeleteImage": self._delete_images,
            "CreateRepository": self._create,
            "DescribeImages": self._describe_images,
            "DescribeRepositories": self._describe_repositories,
            "GetAuthorizationToken": self._authorize,
            "ListImages": self._list_images,
        }
        self._json = JsonApi("ecr", _ECR_TARGET, operations, self.keyring, self.log)

    @property
    def endpoint(self) -> Endpoint:
        """Where it is, as an endpoint to open with the access key in the environment."""
        options = {
            "account_id": self.account,
            "region": self.region,
            "api": self.api_url,
            "sts_api": self.api_url,
        }
        return Endpoint(provider="ecr", address=self.host, plain_http=True, option_items=options)

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which the SDK finds the first access key."""
        return self.keyring.environment

    @property
    def secrets(self) -> frozenset[str]:
        """Every secret there is, for tests that look for them where none may be."""
        return self.keyring.secrets | self.desk.passwords

    @property
    def identity(self) -> AwsIdentity:
        """The first access key, to hand over among the credentials."""
        return identity_of(self.keyring)

    # --- for tests -------------------------------------------------------------------------

    def create_repository(self, name: str, *, immutable: bool = False) -> bool:
        """Make a repository; False if it is there."""
        return self.repositories.create(name, immutable=immutable)

    def archive(self, repository: str, digest: Digest | str) -> None:
        """Put an image into the archive, from where it cannot be pulled."""
        self.repositories.archived.add((repository, str(digest)))

    def expire_logins(self) -> None:
        """End every login for docker there is."""
        self.desk.expire()

    def throttle(self, operation: str, times: int = 1) -> None:
        """Have the next calls of an operation throttled."""
        self.log.plan(operation, ApiRefusal(400, "ThrottlingException", "Rate exceeded"), times)

    # --- the control plane -----------------------------------------------------------------

    def _answer(self, heard: Heard) -> Said:
        return self.sts.answer(heard) if is_form(heard) else self._json.answer(heard)

    # --- ECR: logins and repositories --------------------------------------------------------

    def _authorize(self, wish: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        password = self.desk.sell(self._token_life)
        ends = self.clock.now().timestamp() + self._token_life
        login = login_for(password, ends)
        return {"authorizationData": [{**login, "proxyEndpoint": f"http://{self.host}"}]}

    def _describe_repositories(self, wish: dict[str, Any]) -> dict[str, Any]:
        self._check_registry(wish)
        asked = wish.get("repositoryNames")
        names = self.repositories.names() if asked is None else asked
        return paged("repositories", [self._described(name) for name in names], wish)

    def _described(self, name: str) -> dict[str, Any]:
        found = self.repositories.get(name)
        if found is None:
            raise self._no_repository(name)
        return {
            "repositoryArn": f"arn:aws:ecr:{self.region}:{self.account}:repository/{name}",
            "registryId": self.account,
            "repositoryName": name,
            "repositoryUri": f"{self.host}/{name}",
            "createdAt": found.created_at.timestamp(),
            "imageTagMutability": "IMMUTABLE" if found.immutable else "MUTABLE",
            **found.settings,
        }

    def _create(self, wish: dict[str, Any]) -> dict[str, Any]:
        self._check_registry(wish)
        name = wish["repositoryName"]
        if not _NAME.fullmatch(name):
            message = (
                f"Invalid parameter at 'repositoryName' failed to satisfy constraint: '{name}'"
            )
            raise ApiRefusal(400, "InvalidParameterException", message)
        if len(self.repositories.names()) >= self._most_repositories:
            message = f"The repository quota of {self._most_repositories} is reached"
            raise ApiRefusal(400, "LimitExceededException", message)
        kept = ("encryptionConfiguration", "imageScanningConfiguration", "tags")
        settings = {key: wish[key] for key in kept if key in wish}
        is_fixed = wish.get("imageTagMutability") == "IMMUTABLE"
        if not self.repositories.create(name, immutable=is_fixed, **settings):
            message = (
                f"The repository with name '{name}' already exists in the registry with id "
                f"'{self.account}'"
            )
            raise ApiRefusal(400, "RepositoryAlreadyExistsException", message)
        return {"repository": self._described(name)}

    # --- ECR: images -------------------------------------------------------------------------

    def _describe_images(self, wish: dict[str, Any]) -> dict[str, Any]:
        repository = self._repository_of(wish)
        tags = tags_by_digest(self.storage, repository)
        rows = [
            self._image(repository, manifest, tags.get(str(manifest.digest), []))
            for manifest in self.storage.manifests(repository)
        ]
        wanted = wish.get("filter", {})
        return paged("imageDetails", [row for row in rows if _is_wanted(row, wanted)], wish)

    def _image(self, repository: str, manifest: StoredManifest, tags: list[str]) -> dict[str, Any]:
        digest = str(manifest.digest)
        is_archived = (repository, digest) in self.repositories.archived
        image = {
            "registryId": self.account,
            "repositoryName": repository,
            "imageDigest": digest,
            "imageSizeInBytes": len(manifest.content),
            "imagePushedAt": self.repositories.pushed_at(repository, digest).timestamp(),
            "imageManifestMediaType": manifest.media_type,
            "imageStatus": "ARCHIVED" if is_archived else "ACTIVE",
        }
        return {**image, "imageTags": tags} if tags else image

    def _list_images(self, wish: dict[str, Any]) -> dict[str, Any]:
        repository = self._repository_of(wish)
        rows = [
            {"imageTag": tag, "imageDigest": digest}
            for tag, digest in sorted(self.storage.tags(repository).items())
        ]
        return paged("imageIds", rows, wish)

    def _delete_images(self, wish: dict[str, Any]) -> dict[str, Any]:
        repository = self._repository_of(wish)
        deleted, failures = [], []
        for each in wish["imageIds"]:
            if self._deleted(repository, each):
                deleted.append(each)
            else:
                reason = "Requested image not found"
                failure = {"failureCode": "ImageNotFound", "failureReason": reason}
                failures.append({"imageId": each, **failure})
        return {"imageIds": deleted, "failures": failures}

    def _deleted(self, repository: str, image: dict[str, str]) -> bool:
        tag, tags = image.get("imageTag"), self.storage.tags(repository)
        if tag is None:
            return self.storage.delete_manifest(repository, image["imageDigest"])
        if tag not in tags:
            return False
        self.storage.delete_tag(repository, tag)
        if tags[tag] not in self.storage.tags(repository).values():
            self.storage.delete_manifest(repository, tags[tag])  # its last tag takes it along
        return True

    # --- what many operations need -------------------------------------------------------------

    def _check_registry(self, wish: dict[str, Any]) -> None:
        if wish.get("registryId", self.account) != self.account:
            message = f"The registry with id '{wish['registryId']}' does not exist"
            raise ApiRefusal(400, "RegistryNotFoundException", message)

    def _repository_of(self, wish: dict[str, Any]) -> str:
        self._check_registry(wish)
        name: str = wish["repositoryName"]
        if self.repositories.get(name) is None:
            raise self._no_repository(name)
        return name

    def _no_repository(self, name: str) -> ApiRefusal:
        return ApiRefusal(400, "RepositoryNotFoundException", self._does_not_exist(name))

    def _does_not_exist(self, name: str) -> str:
        return (
            f"The repository with name '{name}' does not exist in the registry with id "
            f"'{self.account}'"
        )

    # --- the data plane's refusals -----------------------------------------------------------

    def _unknown_repository(self, name: str) -> Refusal:
        return Refusal(404, "NAME_UNKNOWN", self._does_not_exist(name))

    def _immutable_tag(self, repository: str, tag: str) -> Refusal:
        message = (
            f"The image tag '{tag}' already exists in the '{repository}' repository and cannot be "
            "overwritten because the repository is immutable."
        )
        return Refusal(400, "TAG_INVALID", message)


class _Repositories(CloudRepositories):
    """Keeps images in the archive from being pulled."""

    def __init__(self, clock: Clock, **more: Any) -> None:
        super().__init__(clock, **more)
        self.archived: set[tuple[str, str]] = set()

    def check_repository(self, request: Request, repository: str) -> None:
        """Let a request to a repository pass, unless it wants what is in the archive.

        Raises:
            Refusal: The repository is not there, or the image must be restored first.
        """
        super().check_repository(request, repository)
        found = _MANIFEST.fullmatch(request.path)
        if found is None or request.method not in {"GET", "HEAD"} or self.storage is None:
            return
        manifest = self.storage.manifest(repository, found[1])
        if manifest is not None and (repository, str(manifest.digest)) in self.archived:
            # So Amazon's guide has it; a push restores the image.
            raise Refusal(404, "MANIFEST_UNKNOWN", "Requested image not found")

    def check_tags(self, repository: str, tags: Sequence[str], digest: Digest) -> None:
        """Let a manifest be stored, which takes it out of the archive.

        Raises:
            Refusal: A tag may not be moved.
        """
        super().check_tags(repository, tags, digest)
        self.archived.discard((repository, str(digest)))


def identity_of(keyring: Keyring) -> AwsIdentity:
    """Return an identity that holds the first key."""
    held = keyring.environment
    session = _session(held["AWS_ACCESS_KEY_ID"], held["AWS_SECRET_ACCESS_KEY"])
    return AwsIdentity(session=session)


@cache
def _session(key: str, secret: str) -> Session:
    """Return a session of the SDK; making one takes a tenth of a second."""
    boto3 = load_sdk("boto3", extra=EXTRA, purpose="emulating Amazon")
    session: Session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret)
    return session


def _expired_login() -> Refusal:
    message = "Your authorization token has expired. Reauthenticate and try again."
    return Refusal(403, "DENIED", message)


def _is_wanted(image: dict[str, Any], wanted: Mapping[str, str]) -> bool:
    """Tell whether DescribeImages' filter lets an image through; by default only active ones."""
    tagged = wanted.get("tagStatus", "ANY")
    status = wanted.get("imageStatus", "ACTIVE")
    has_tags = tagged == "ANY" or (tagged == "TAGGED") == ("imageTags" in image)
    return has_tags and status in {"ANY", image["imageStatus"]}
