"""Alibaba's STS and Container Registry on loopback, for tests that take the real SDK.

    >>> from harborsync.testing.cloud_aliyun import LoopbackAcr
    >>> with LoopbackAcr() as acr:
    ...     _ = acr.create_repository("team/app")
    ...     acr.endpoint.provider, acr.endpoint.options["instance_id"]
    ('acr', 'cri-0123456789abcdef')

Signatures, nonces and times are verified, logins and sessions end, pages have an end; and the
registry beside the API denies what is not there in the same words as what may not be used. What
is not emulated answers ``InvalidAction.NotFound``.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.clock import SystemClock
from harborsync.credentials.aliyun import AliyunIdentity
from harborsync.endpoint import Endpoint
from harborsync.secrets import Secret
from harborsync.testing.cloud_aliyun_ram import (
    STS_VERSION,
    RamKeyring,
    RamSts,
    refused,
    request_id,
    said,
)
from harborsync.testing.cloud_aliyun_sign import parameters
from harborsync.testing.cloud_plane import (
    ApiCall,
    ApiRefusal,
    CloudRepositories,
    CloudServers,
    PasswordDesk,
)
from harborsync.testing.profiles import LoopbackQuirks
from harborsync.testing.server import LoopbackRegistry
from harborsync.testing.server_wire import Refusal
from harborsync.testing.tokens import TokenAuth

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from harborsync.clock import Clock
    from harborsync.testing.cloud_plane import CloudRepository
    from harborsync.testing.scripted import Heard, Said
    from harborsync.testing.server_wire import Request
    from harborsync.testing.tls import TestAuthority
    from harborsync.testing.tokens import Access

ACCOUNT: Final = "1234567890123456"
REGION: Final = "cn-hangzhou"
INSTANCE: Final = "cri-0123456789abcdef"
#: The key everybody has who is given no other.
KEY_ID: Final = "LTAI5tEXAMPLEEXAMPLEKEY"
SECRET_KEY: Final = "wJalrXUtnFEMIEXAMPLEKEYALIYUN1"  # noqa: S105 - an example
USERNAME: Final = "cr_temp_user"
_LOGIN_LIFE: Final = 3600.0
_LARGEST_PAGE: Final = 100
_NAMESPACE: Final = re.compile(r"(?=.{2,120}$)[a-z0-9]+(?:[._-]+[a-z0-9]+)*", re.ASCII)
# Blobs come from OSS by signed addresses, which refuse a second login; there is no catalog.
_QUIRKS: Final = LoopbackQuirks(redirects="other_host", location="absolute", catalog=False)


class _Auth(TokenAuth):
    """Sells tokens to who shows a password that has not ended."""

    def __init__(self, desk: PasswordDesk, **more: Any) -> None:
        super().__init__(users={}, **more)
        self._desk = desk

    def _basic_user(self, request: Request, quirks: LoopbackQuirks) -> str | None:
        if "authorization" not in request.headers:
            return None
        self._desk.admit(request, quirks)
        return USERNAME


class AcrServers(CloudServers):
    """What both editions have in common.

    Args:
        service: What the token server calls the registry.
        keys: Secrets by the ids of access keys; each belongs to a user of that name.
        login_life: Seconds a login for docker is good.
        token_life: Seconds a token of the token server is good.
        clock: The time by which logins and sessions end.
        signing_clock: The time that signatures are held against; the SDK signs by the real one.
        denied: Actions that nobody may do, such as ``cr:ListRepoTag``.
        auto_create: Namespaces in which a push makes repositories.
        most_namespaces: How many there may be.
        bare_digests: Whether listings write digests without their algorithm.
        referrers: Whether the registry lists referrers.
        tls: Makes the control plane's certificate; plain HTTP if None.
    """

    def __init__(
        self,
        service: str,
        *,
        keys: Mapping[str, str] | None = None,
        login_life: float = _LOGIN_LIFE,
        token_life: float = 300.0,
        clock: Clock | None = None,
        signing_clock: Clock | None = None,
        denied: Collection[str] = (),
        auto_create: Collection[str] = (),
        most_namespaces: int = 100,
        bare_digests: bool = True,
        referrers: bool = True,
        tls: TestAuthority | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._login_life = login_life
        self._most_namespaces = most_namespaces
        self._bare_digests = bare_digests
        self._ca = tls.ca_file if tls else None
        self.auto_create = set(auto_create)
        self.namespaces = set(auto_create)
        self.read_only = False
        self.keyring = RamKeyring(
            ACCOUNT,
            keys or {KEY_ID: SECRET_KEY},
            clock=clock,
            signing_clock=signing_clock or SystemClock(),
            denied=denied,
        )
        self.desk = PasswordDesk(USERNAME, clock, _ended)
        self.repositories = CloudRepositories(
            clock,
            unknown=lambda name: _denied(),  # noqa: ARG005 - it does not tell
            immutable=lambda repository, tag: _denied(),  # noqa: ARG005
            made_on_push=self._is_made_on_push,
        )
        self.auth = _Auth(
            self.desk, clock=clock, lifetime=token_life, grants=self._granted, service=service
        )
        registry = LoopbackRegistry(
            auth=self.auth,
            quirks=_QUIRKS if referrers else attrs.evolve(_QUIRKS, referrers="text_404"),
            guard=self.repositories,
            clock=clock,
        )
        self.repositories.storage = registry.storage
        super().__init__(self._answer, registry, clock=clock, tls=tls)
        self.sts = RamSts(self.keyring, self.log, clock)

    @property
    def endpoint(self) -> Endpoint:
        """Where it is, as an endpoint to open with the access key in the environment."""
        return Endpoint(
            provider="acr", address=self.host, plain_http=True, option_items=self.options
        )

    @property
    def environment(self) -> dict[str, str]:
        """Variables that hold the first access key."""
        return self.keyring.environment

    @property
    def secrets(self) -> frozenset[str]:
        """Every secret there is, for tests that look for them where none may be."""
        return self.keyring.secrets | self.desk.passwords

    @property
    def identity(self) -> AliyunIdentity:
        """The first access key, to hand over among the credentials."""
        key_id, secret = self.environment.values()
        return AliyunIdentity.of_key(key_id, Secret(secret))

    def create_repository(self, name: str, *, immutable: bool = False, summary: str = "s") -> bool:
        """Make a repository and its namespace; False if it is there."""
        self.namespaces.add(name.partition("/")[0])
        return self.repositories.create(
            name,
            immutable=immutable,
            id=f"crr-{secrets.token_hex(8)}",
            summary=summary,
            public=False,
        )

    def expire_logins(self) -> None:
        """End every login for docker, and every token that was bought with one."""
        self.desk.expire()
        self.auth.expire()

    def throttle(self, operation: str, times: int = 1) -> None:
        """Have the next calls of an operation throttled."""
        message = "Request was denied due to user flow control."
        self.log.plan(operation, ApiRefusal(400, "Throttling.User", message), times)

    @property
    def options(self) -> dict[str, str]:
        """The options of an endpoint for it."""
        more = {} if self._ca is None else {"ca": str(self._ca)}
        return {"region": REGION, "api": self.api_url, "sts_api": self.api_url, **more}

    # --- the data plane --------------------------------------------------------------------

    def _granted(self, user: str | None, access: Access) -> Collection[str]:
        """Grant nothing on what is not there, as if it might not be used."""
        found = self.repositories.get(access.name)
        if found is None and not self._is_made_on_push(access.name):
            return ()
        if user is None:
            return {"pull"} if found is not None and found.settings["public"] else ()
        return {"pull"} if self.read_only else access.actions

    def _is_made_on_push(self, name: str) -> bool:
        return name.partition("/")[0] in self.auto_create

    # --- the control plane -----------------------------------------------------------------

    def _answer(self, heard: Heard) -> Said:
        is_sts = parameters(heard).get("Version") == STS_VERSION
        return self.sts.answer(heard) if is_sts else self.serve(heard)

    def serve(self, heard: Heard) -> Said:
        """Answer a request to the registry's API; each edition does."""
        raise NotImplementedError

    def admitted(self, heard: Heard, operation: str) -> str:
        """Return who asks for an operation, if he may.

        Raises:
            ApiRefusal: The request is not signed well, or he may not.
        """
        who = self.keyring.admitted(heard, "cr", operation)
        self.log.check(operation)
        return who

    def sell(self) -> tuple[str, int]:
        """Return a new password, and when it ends in milliseconds."""
        ends = self.clock.now().timestamp() + self._login_life
        return self.desk.sell(self._login_life), int(ends * 1000)

    def found(self, name: str) -> CloudRepository:
        """Return a repository.

        Raises:
            ApiRefusal: It is not there, or its namespace is not.
        """
        if name.partition("/")[0] not in self.namespaces:
            raise ApiRefusal(404, "NAMESPACE_NOT_EXIST", "namespace is not exist.")
        found = self.repositories.get(name)
        if found is None:
            raise ApiRefusal(404, "REPO_NOT_EXIST", "repo is not exist.")
        found.settings.setdefault("id", f"crr-{secrets.token_hex(8)}")  # one made on a push
        found.settings.setdefault("summary", "Automatically created repository")
        found.settings.setdefault("public", False)
        return found

    def all(self) -> list[CloudRepository]:
        """Return all repositories."""
        return [self.found(name) for name in self.repositories.names()]

    def add_namespace(self, name: str) -> None:
        """Make a namespace.

        Raises:
            ApiRefusal: It is there, or cannot be.
        """
        if not _NAMESPACE.fullmatch(name):
            raise ApiRefusal(400, "INVALID_PARAMETER", "namespace is invalid.")
        if name in self.namespaces:
            raise ApiRefusal(409, "NAMESPACE_ALREADY_EXIST", "namespace is already exist.")
        if len(self.namespaces) >= self._most_namespaces:
            raise ApiRefusal(400, "NAMESPACE_QUOTA_EXCEED", "namespace quota is exceeded.")
        self.namespaces.add(name)

    def add_repository(self, name: str, kind: str, summary: str, *, immutable: bool) -> None:
        """Make a repository.

        Raises:
            ApiRefusal: It is there, or cannot be.
        """
        if name.partition("/")[0] not in self.namespaces:
            raise ApiRefusal(404, "NAMESPACE_NOT_EXIST", "namespace is not exist.")
        if not 1 <= len(summary) <= 100:  # noqa: PLR2004 - by the documents
            raise ApiRefusal(400, "MISSING_PARAMETER", "summary is invalid.")
        if not self.create_repository(name, immutable=immutable, summary=summary):
            raise ApiRefusal(409, "REPO_ALREADY_EXIST", "repo is already exist.")
        self.found(name).settings["public"] = kind == "PUBLIC"

    def images(self, name: str) -> list[tuple[str, str, int, int]]:
        """Return tag, digest, size and time in milliseconds of each tag."""
        rows = []
        for tag, digest in sorted(self.storage.tags(name).items()):
            at = int(self.repositories.pushed_at(name, digest).timestamp() * 1000)
            written = digest.partition(":")[2] if self._bare_digests else digest
            manifest = self.storage.manifest(name, digest)
            rows.append((tag, written, len(manifest.content) if manifest else 0, at))
        return rows

    def delete(self, name: str, tag: str) -> None:
        """Take a tag away.

        Raises:
            ApiRefusal: It is not there.
        """
        if not self.storage.delete_tag(name, tag):
            raise ApiRefusal(404, "TAG_NOT_EXIST", "tag is not exist.")


class LoopbackAcr(AcrServers):
    """An instance of the enterprise edition, and STS; see the base class for its arguments."""

    def __init__(self, **more: Any) -> None:
        super().__init__(f"registry.aliyuncs.com:{REGION}:china:{INSTANCE}:2a", **more)
        self._actions: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
            "CreateNamespace": self._create_namespace,
            "CreateRepository": self._create_repository,
            "DeleteRepoTag": self._delete_tag,
            "GetAuthorizationToken": self._authorize,
            "GetRepository": self._get_repository,
            "ListRepoTag": self._list_tags,
            "ListRepository": self._list_repositories,
            "UpdateRepository": self._update_repository,
        }

    @property
    def options(self) -> dict[str, str]:
        """The options of an endpoint for it."""
        return {"instance_id": INSTANCE, **super().options}

    def serve(self, heard: Heard) -> Said:
        """Answer a request to the registry's API."""
        told = parameters(heard)
        action = told.get("Action", "")
        try:
            who = self.admitted(heard, action)
            answer = self._result(action, told)
        except ApiRefusal as refusal:
            self.log.note(ApiCall(operation=action, code=refusal.code))
            return _in_two_ways(refusal)
        self.log.note(ApiCall(operation=action, who=who))
        more = {"RequestId": request_id(), "IsSuccess": True, "Code": "success"}
        return said(200, {**more, **answer})

    def _result(self, action: str, told: dict[str, str]) -> dict[str, Any]:
        if action not in self._actions:
            raise ApiRefusal(404, "InvalidAction.NotFound", "Specified api is not found.")
        if told.get("InstanceId") != INSTANCE:
            raise ApiRefusal(200, "INSTANCE_NOT_EXIST", "instance is not exist.")
        return self._actions[action](told)

    def _authorize(self, told: dict[str, str]) -> dict[str, Any]:  # noqa: ARG002 - one signature for all
        password, ends = self.sell()
        return {"AuthorizationToken": password, "TempUsername": USERNAME, "ExpireTime": ends}

    def _list_repositories(self, told: dict[str, str]) -> dict[str, Any]:
        rows = [self._described(found) for found in self.all()]
        return _paged("Repositories", rows, told)

    def _get_repository(self, told: dict[str, str]) -> dict[str, Any]:
        return self._described(self.found(_full_name(told)))

    def _described(self, found: CloudRepository) -> dict[str, Any]:
        namespace, _, name = found.name.partition("/")
        return {
            "InstanceId": INSTANCE,
            "RepoId": found.settings["id"],
            "RepoNamespaceName": namespace,
            "RepoName": name,
            "RepoStatus": "NORMAL",
            "RepoType": "PUBLIC" if found.settings["public"] else "PRIVATE",
            "Summary": found.settings["summary"],
            "TagImmutability": found.immutable,
        }

    def _list_tags(self, told: dict[str, str]) -> dict[str, Any]:
        rows = [
            {
                "Tag": tag,
                "Digest": digest,
                "ImageId": digest,
                "ImageSize": size,
                "ImageCreate": str(at),
                "ImageUpdate": str(at),
                "Status": "NORMAL",
            }
            for tag, digest, size, at in self.images(self._by_id(told).name)
        ]
        return _paged("Images", rows, told)

    def _create_namespace(self, told: dict[str, str]) -> dict[str, Any]:
        self.add_namespace(told["NamespaceName"])
        if told.get("AutoCreateRepo") != "false":
            self.auto_create.add(told["NamespaceName"])
        return {}

    def _create_repository(self, told: dict[str, str]) -> dict[str, Any]:
        name, is_fixed = _full_name(told), told.get("TagImmutability") == "true"
        self.add_repository(name, told["RepoType"], told.get("Summary", ""), immutable=is_fixed)
        return {"RepoId": self.found(name).settings["id"]}

    def _update_repository(self, told: dict[str, str]) -> dict[str, Any]:
        found = self._by_id(told)
        found.settings["summary"] = told["Summary"]
        found.settings["public"] = told["RepoType"] == "PUBLIC"
        found.immutable = told.get("TagImmutability") == "true"
        return {}

    def _delete_tag(self, told: dict[str, str]) -> dict[str, Any]:
        self.delete(self._by_id(told).name, told["Tag"])
        return {}

    def _by_id(self, told: dict[str, str]) -> CloudRepository:
        for found in self.all():
            if found.settings["id"] == told.get("RepoId"):
                return found
        raise ApiRefusal(200, "REPO_NOT_EXIST", "repo is not exist.")


def _in_two_ways(refusal: ApiRefusal) -> Said:
    """Return a refusal: the gateway's by its status, the product's as a success that is none."""
    if not refusal.code.isupper():
        return refused(refusal)
    value = {"RequestId": request_id(), "IsSuccess": False, "Code": refusal.code}
    return said(200, {**value, "Message": refusal.message})


def _full_name(told: Mapping[str, str]) -> str:
    return f"{told['RepoNamespaceName']}/{told['RepoName']}"


def _paged(key: str, rows: Sequence[Any], told: Mapping[str, str]) -> dict[str, Any]:
    page, size = int(told.get("PageNo", "1")), int(told.get("PageSize", "30"))
    return {key: page_of_number(rows, page, size), "TotalCount": str(len(rows)), "PageNo": page}


def page_of_number(rows: Sequence[Any], page: int, size: int) -> list[Any]:
    """Return a page.

    Raises:
        ApiRefusal: It is too long, or has no number.
    """
    if page < 1 or not 1 <= size <= _LARGEST_PAGE:
        raise ApiRefusal(400, "InvalidParameter", "PageSize must be between 1 and 100.")
    return list(rows[(page - 1) * size : page * size])


def _denied() -> Refusal:
    return Refusal(403, "DENIED", "requested access to the resource is denied")


def _ended() -> Refusal:
    return Refusal(401, "UNAUTHORIZED", "authentication required")
