"""An emulator of the personal edition of Tencent's TCR (CCR), for tests.

It has no instances and sells no logins; its offsets count rows, and the ids that it tells of tags
are not the digests of their manifests.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from harborsync.clock import SystemClock
from harborsync.credentials.base import Chain, Credential
from harborsync.credentials.static import StaticCredentials
from harborsync.endpoint import Endpoint
from harborsync.secrets import Secret
from harborsync.testing.cloud_plane import ApiRefusal, CloudRepositories
from harborsync.testing.cloud_tencent import TENCENT_QUIRKS
from harborsync.testing.cloud_tencent_plane import UIN, TencentServers, page_by_row
from harborsync.testing.server import LoopbackRegistry
from harborsync.testing.server_wire import Refusal
from harborsync.testing.tokens import TokenAuth

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from harborsync.clock import Clock
    from harborsync.testing.cloud_tencent_plane import Asked
    from harborsync.testing.tls import TestAuthority

PASSWORD: Final = "ccr-Passw0rd"  # noqa: S105 - an example


class LoopbackTcrPersonal(TencentServers):
    """The personal edition as one account sees it, and STS.

    Args:
        keys: Secrets by the ids of keys.
        clock: The time by which sessions end.
        signing_clock: The time that signatures are held against; the SDK signs by the real one.
        denied: Actions that nobody may do, such as ``tcr:DescribeImagePersonal``.
        tls: Makes the control plane's certificate; plain HTTP if None.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        signing_clock: Clock | None = None,
        denied: Collection[str] = (),
        tls: TestAuthority | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._namespaces: set[str] = set()
        self._texts: dict[str, str] = {}
        self.repositories = CloudRepositories(
            clock,
            unknown=lambda name: Refusal(404, "NAME_UNKNOWN", f"repository {name} not found"),
            immutable=lambda name, tag: Refusal(412, "PRECONDITION", f"{name}:{tag} is immutable"),
            made_on_push=lambda name: name.partition("/")[0] in self._namespaces,
        )
        registry = LoopbackRegistry(
            auth=TokenAuth(users={UIN: PASSWORD}, clock=clock),
            quirks=TENCENT_QUIRKS,
            guard=self.repositories,
            clock=clock,
        )
        self.repositories.storage = registry.storage
        operations = {
            "CreateNamespacePersonal": self._create_namespace,
            "CreateRepositoryPersonal": self._create_repository,
            "DeleteImagePersonal": self._delete_image,
            "DescribeImagePersonal": self._describe_images,
            "DescribeNamespacePersonal": self._describe_namespaces,
            "DescribeRepositoryOwnerPersonal": self._describe_repositories,
            "DescribeRepositoryPersonal": self._describe_repository,
            "ModifyRepositoryInfoPersonal": self._modify_repository,
        }
        super().__init__(
            operations,
            registry,
            keys=keys,
            clock=clock,
            signing_clock=signing_clock,
            denied=denied,
            tls=tls,
        )

    @property
    def endpoint(self) -> Endpoint:
        """Where it is, as an endpoint to open with a key and a password."""
        options = {"edition": "personal", "api": self.api_url, "sts_api": self.api_url}
        return Endpoint(provider="tcr", address=self.host, plain_http=True, option_items=options)

    @property
    def credentials(self) -> Chain:
        """The password for the registry, and the first key for its API."""
        login = Credential(username=UIN, secret=Secret(PASSWORD))
        return Chain((self.identity, StaticCredentials({self.host: login})))

    @property
    def secrets(self) -> frozenset[str]:
        """Every secret there is, for tests that look for them where none may be."""
        return super().secrets | {PASSWORD}

    # --- for tests -------------------------------------------------------------------------

    @property
    def namespaces(self) -> frozenset[str]:
        """The namespaces of the account."""
        return frozenset(self._namespaces)

    def create_repository(self, name: str) -> bool:
        """Make a repository, and its namespace; False if it is there."""
        self._namespaces.add(name.partition("/")[0])
        return self.repositories.create(name)

    # --- lists -----------------------------------------------------------------------------

    def _describe_namespaces(self, asked: Asked) -> dict[str, Any]:
        like = asked.wish.get("Namespace", "")
        rows = [{"Namespace": name} for name in sorted(self._namespaces) if like in name]
        page = page_by_row(rows, asked.wish)
        return {"Data": {"NamespaceInfo": page, "NamespaceCount": len(rows)}}

    def _describe_repositories(self, asked: Asked) -> dict[str, Any]:
        rows = [self._described(name) for name in self.repositories.names()]
        return {"Data": {"RepoInfo": page_by_row(rows, asked.wish), "TotalCount": len(rows)}}

    def _describe_repository(self, asked: Asked) -> dict[str, Any]:
        return {"Data": self._described(self._repository_of(asked))}

    def _described(self, name: str) -> dict[str, Any]:
        found = self.repositories.get(name)
        public = found.settings.get("public", 0) if found is not None else 0
        return {"RepoName": name, "Public": public, "Description": self._texts.get(name, "")}

    def _describe_images(self, asked: Asked) -> dict[str, Any]:
        name = self._repository_of(asked)
        tags = sorted(self.storage.tags(name).items())
        rows = [self._tag(name, tag, digest) for tag, digest in tags]
        page = page_by_row(rows, asked.wish)
        return {"Data": {"RepoName": name, "TagInfo": page, "TagCount": len(rows)}}

    def _tag(self, repository: str, tag: str, digest: str) -> dict[str, Any]:
        other = hashlib.sha256(digest.encode()).hexdigest()
        pushed = self.repositories.pushed_at(repository, digest)
        return {
            "TagName": tag,
            "TagId": f"sha256:{other}",
            "ImageId": f"sha256:{other[::-1]}",
            "PushTime": f"{pushed:%Y-%m-%d %H:%M:%S}",
            "SizeByte": 1024,
        }

    # --- making ----------------------------------------------------------------------------

    def _create_namespace(self, asked: Asked) -> dict[str, Any]:
        name = asked.wish["Namespace"]
        if name in self._namespaces:
            raise ApiRefusal(200, "InvalidParameter.ErrNamespaceExist", f"{name} exists")
        self._namespaces.add(name)
        return {}

    def _create_repository(self, asked: Asked) -> dict[str, Any]:
        name = asked.wish["RepoName"]
        if name.partition("/")[0] not in self._namespaces:
            raise ApiRefusal(200, "ResourceNotFound.ErrNoNamespace", "no such namespace")
        if not self.repositories.create(name, public=asked.wish["Public"]):
            raise ApiRefusal(200, "InvalidParameter.ErrRepoExist", f"{name} exists")
        return {}

    def _modify_repository(self, asked: Asked) -> dict[str, Any]:
        self._texts[self._repository_of(asked)] = asked.wish["Description"]
        return {}

    def _delete_image(self, asked: Asked) -> dict[str, Any]:
        name, tag = self._repository_of(asked), asked.wish["Tag"]
        if tag not in self.storage.tags(name):
            raise ApiRefusal(200, "ResourceNotFound.ErrNoTag", f"no such tag {tag}")
        self.storage.delete_tag(name, tag)
        return {}

    def _repository_of(self, asked: Asked) -> str:
        name: str = asked.wish["RepoName"]
        if self.repositories.get(name) is None:
            raise ApiRefusal(200, "ResourceNotFound.ErrNoRepo", f"no such repository {name}")
        return name
