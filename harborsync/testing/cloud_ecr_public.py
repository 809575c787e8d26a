"""Amazon ECR Public on loopback: everybody may pull, and who owns an alias may push to it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from harborsync.clock import SystemClock
from harborsync.endpoint import Endpoint
from harborsync.testing.cloud_aws import ACCOUNT, KEY_ID, SECRET_KEY, identity_of
from harborsync.testing.cloud_aws_json import JsonApi, login_for, paged
from harborsync.testing.cloud_plane import ApiRefusal, CloudRepositories, CloudServers
from harborsync.testing.cloud_sts import Keyring
from harborsync.testing.server import LoopbackRegistry
from harborsync.testing.server_wire import Refusal
from harborsync.testing.tokens import TokenAuth

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from harborsync.clock import Clock
    from harborsync.credentials.aws import AwsIdentity
    from harborsync.testing.scripted import Heard, Said
    from harborsync.testing.tokens import Access

_TARGET: Final = "SpencerFrontendService."
_TOKEN_LIFE: Final = 12 * 3600.0


class LoopbackEcrPublic(CloudServers):
    """The public registry, as the owner of one alias sees it.

    Args:
        alias: The alias of the account.
        keys: Secrets by the ids of access keys; each belongs to a user of that name.
        clock: The time by which logins end.
        denied: Actions that nobody may do, such as ``ecr-public:DescribeRegistries``.
    """

    def __init__(
        self,
        *,
        alias: str = "acme",
        keys: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        denied: Collection[str] = (),
    ) -> None:
        clock = clock or SystemClock()
        self.alias = alias
        self._users: dict[str, str] = {}
        self.keyring = Keyring(
            ACCOUNT,
            keys or {KEY_ID: SECRET_KEY},
            clock=clock,
            signing_clock=SystemClock(),
            denied=denied,
        )
        self.repositories = CloudRepositories(
            clock, unknown=_unknown_repository, immutable=_never_immutable
        )
        registry = LoopbackRegistry(
            auth=TokenAuth(users=self._users, clock=clock, grants=_everybody_may_pull),
            guard=self.repositories,
            clock=clock,
        )
        self.repositories.storage = registry.storage
        super().__init__(self._answer, registry, clock=clock)
        operations = {
            "BatchDeleteImage": self._delete_images,
            "CreateRepository": self._create,
            "DescribeImageTags": self._describe_image_tags,
            "DescribeRegistries": self._describe_registries,
            "DescribeRepositories": self._describe_repositories,
            "GetAuthorizationToken": self._authorize,
        }
        self._json = JsonApi("ecr-public", _TARGET, operations, self.keyring, self.log)

    @property
    def endpoint(self) -> Endpoint:
        """Where the alias is, as an endpoint to open."""
        return Endpoint(
            provider="ecr-public",
            address=f"{self.host}/{self.alias}",
            plain_http=True,
            option_items={"api": self.api_url},
        )

    @property
    def identity(self) -> AwsIdentity:
        """The first access key, to hand over among the credentials."""
        return identity_of(self.keyring)

    def create_repository(self, name: str) -> bool:
        """Make a repository of any alias, by its full name; False if it is there."""
        return self.repositories.create(name)

    def _answer(self, heard: Heard) -> Said:
        return self._json.answer(heard)

    def _authorize(self, wish: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        self._users["AWS"] = secrets.token_urlsafe(48)
        ends = self.clock.now().timestamp() + _TOKEN_LIFE
        return {"authorizationData": login_for(self._users["AWS"], ends)}

    def _describe_registries(self, wish: dict[str, Any]) -> dict[str, Any]:
        alias = {"name": self.alias, "status": "ACTIVE", "primaryRegistryAlias": True}
        return paged("registries", [{"registryId": ACCOUNT, "aliases": [alias]}], wish)

    def _describe_repositories(self, wish: dict[str, Any]) -> dict[str, Any]:
        names = (name for name in self.repositories.names() if name.startswith(f"{self.alias}/"))
        return paged("repositories", [self._described(name) for name in names], wish)

    def _described(self, full_name: str) -> dict[str, Any]:
        uri = f"{self.host}/{full_name}"
        return {"repositoryName": full_name.partition("/")[2], "repositoryUri": uri}

    def _create(self, wish: dict[str, Any]) -> dict[str, Any]:
        full_name = self._full_name(wish)
        if not self.repositories.create(full_name):
            message = f"The repository with name '{wish['repositoryName']}' already exists"
            raise ApiRefusal(400, "RepositoryAlreadyExistsException", message)
        return {"repository": self._described(full_name)}

    def _describe_image_tags(self, wish: dict[str, Any]) -> dict[str, Any]:
        repository = self._existing(wish)
        rows = [
            self._tag(repository, tag, digest)
            for tag, digest in sorted(self.storage.tags(repository).items())
        ]
        return paged("imageTagDetails", rows, wish)

    def _tag(self, repository: str, tag: str, digest: str) -> dict[str, Any]:
        manifest = self.storage.manifest(repository, digest)
        pushed_at = self.repositories.pushed_at(repository, digest).timestamp()
        image = {
            "imageDigest": digest,
            "imagePushedAt": pushed_at,
            "imageManifestMediaType": manifest.media_type if manifest is not None else "",
        }
        return {"imageTag": tag, "createdAt": pushed_at, "imageDetail": image}

    def _delete_images(self, wish: dict[str, Any]) -> dict[str, Any]:
        repository = self._existing(wish)
        lacking = [
            each
            for each in wish["imageIds"]
            if not self.storage.delete_tag(repository, each["imageTag"])
        ]
        failures = [{"imageId": each, "failureCode": "ImageNotFound"} for each in lacking]
        return {"imageIds": [], "failures": failures}

    def _full_name(self, wish: dict[str, Any]) -> str:
        return f"{self.alias}/{wish['repositoryName']}"

    def _existing(self, wish: dict[str, Any]) -> str:
        full_name = self._full_name(wish)
        if self.repositories.get(full_name) is None:
            message = f"The repository with name '{wish['repositoryName']}' does not exist"
            raise ApiRefusal(400, "RepositoryNotFoundException", message)
        return full_name


def _everybody_may_pull(user: str | None, access: Access) -> Collection[str]:
    return access.actions if user is not None else {"pull"}


def _unknown_repository(name: str) -> Refusal:
    return Refusal(404, "NAME_UNKNOWN", f"The repository with name '{name}' does not exist")


def _never_immutable(repository: str, tag: str) -> Refusal:
    return Refusal(400, "TAG_INVALID", f"{repository}:{tag} cannot be overwritten")
