"""An emulator of Tencent's TCR, the enterprise edition, for tests: its API, STS, and a registry.

    >>> from harborsync.testing.cloud_tencent import LoopbackTcr
    >>> with LoopbackTcr() as tcr:
    ...     tcr.create_repository("team/app")
    ...     str(tcr.endpoint).startswith("tcr+http://127.0.0.1:")
    True
    True

What Tencent does otherwise than one would think is kept: offsets that are numbers of pages,
names that match what is like them, refusals with status 200.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from harborsync.clock import SystemClock
from harborsync.endpoint import Endpoint
from harborsync.testing.cloud_plane import ApiRefusal, CloudRepositories, PasswordDesk
from harborsync.testing.cloud_tencent_plane import (
    REGION,
    UIN,
    TencentServers,
    page_by_number,
    page_by_row,
)
from harborsync.testing.profiles import LoopbackQuirks
from harborsync.testing.server import LoopbackRegistry
from harborsync.testing.server_wire import Refusal
from harborsync.testing.tokens import TokenAuth

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from harborsync.clock import Clock
    from harborsync.reference import Digest
    from harborsync.testing.cloud_tencent_plane import Asked
    from harborsync.testing.server_wire import Request
    from harborsync.testing.tls import TestAuthority

INSTANCE: Final = "tcr-a1b2c3d4"
_TOKEN_LIFE: Final = 3600.0
_NAMESPACE: Final = re.compile(r"(?=.{2,30}$)[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)
#: Blobs come from COS by signed addresses, which refuse a second login; tokens are asked for by GET.
TENCENT_QUIRKS: Final = LoopbackQuirks(
    redirects="other_host", location="absolute", token_post=False, anonymous_mounts=False
)


class LoopbackTcr(TencentServers):
    """An instance of TCR in one region, and STS.

    Args:
        name: The instance's name; there is another one whose name begins like it.
        region: The region.
        status: The instance's status.
        keys: Secrets by the ids of keys.
        token_life: Seconds a login for docker is good.
        clock: The time by which logins and sessions end.
        signing_clock: The time that signatures are held against; the SDK signs by the real one.
        denied: Actions that nobody may do, such as ``tcr:DescribeImages``.
        largest_page: How many images a page has at the most, whatever is asked for.
        makes_on_push: Whether a push to a namespace makes a repository.
        most_namespaces: How many there may be.
        tls: Makes the control plane's certificate; plain HTTP if None.

    Attributes:
        says_exists: The code for what is there already; real ones depend on the layer.
    """

    def __init__(
        self,
        *,
        name: str = "team",
        region: str = REGION,
        status: str = "Running",
        keys: Mapping[str, str] | None = None,
        token_life: float = _TOKEN_LIFE,
        clock: Clock | None = None,
        signing_clock: Clock | None = None,
        denied: Collection[str] = (),
        largest_page: int = 100,
        makes_on_push: bool = True,
        most_namespaces: int = 1000,
        tls: TestAuthority | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self.says_exists = "InvalidParameter.ErrNamespaceExist"
        self._name = name
        self._region = region
        self._status = status
        self._token_life = token_life
        self._largest_page = largest_page
        self._most_namespaces = most_namespaces
        self._namespaces: dict[str, bool] = {}
        self._texts: dict[str, tuple[str, str]] = {}
        self.desk = PasswordDesk(UIN, clock, lambda: Refusal(401, "UNAUTHORIZED", "unauthorized"))
        self.auth = InstanceAuth(self.desk, clock)
        self.repositories = _Repositories(
            clock,
            unknown=self._unknown,
            immutable=_immutable,
            made_on_push=lambda name: makes_on_push and _parts(name)[0] in self._namespaces,
        )
        registry = LoopbackRegistry(
            auth=self.auth, quirks=TENCENT_QUIRKS, guard=self.repositories, clock=clock
        )
        self.repositories.storage = registry.storage
        operations = {
            "CreateInstanceToken": self._create_token,
            "CreateNamespace": self._create_namespace,
            "CreateRepository": self._create_repository,
            "DeleteImage": self._delete_image,
            "DescribeImages": self._describe_images,
            "DescribeInstances": self._describe_instances,
            "DescribeNamespaces": self._describe_namespaces,
            "DescribeRepositories": self._describe_repositories,
            "ModifyRepository": self._modify_repository,
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
        """Where it is, as an endpoint to open with a key."""
        options = {"instance_id": INSTANCE, "api": self.api_url, "sts_api": self.api_url}
        return Endpoint(provider="tcr", address=self.host, plain_http=True, option_items=options)

    @property
    def secrets(self) -> frozenset[str]:
        """Every secret there is, for tests that look for them where none may be."""
        return super().secrets | self.desk.passwords

    # --- for tests -------------------------------------------------------------------------

    @property
    def namespaces(self) -> dict[str, bool]:
        """The namespaces, and whether each is public."""
        return dict(self._namespaces)

    def create_repository(self, name: str) -> bool:
        """Make a repository, and its namespace; False if it is there."""
        self._namespaces.setdefault(_parts(name)[0], False)
        return self.repositories.create(name)

    def make_immutable(self, namespace: str, tags: str = "*") -> None:
        """Add a rule: tags of a namespace that fit a pattern cannot be written again."""
        self.repositories.rules.append((namespace, tags))

    def add_service_account(self, name: str, password: str) -> None:
        """Make a service account, whose name begins with ``tcr$``."""
        self.auth.accounts[name] = password

    def expire_logins(self) -> None:
        """End every login for docker there is, and what was given for it."""
        self.desk.expire()
        self.auth.expire()

    def text_of(self, repository: str) -> tuple[str, str]:
        """Return the brief and the whole description of a repository."""
        return self._texts.get(repository, ("", ""))

    # --- instances -------------------------------------------------------------------------

    def _describe_instances(self, asked: Asked) -> dict[str, Any]:
        rows = [
            row
            for row in (
                _instance("tcr-0000old0", f"{self._name}-old", "ap-guangzhou", "Running", ""),
                _instance(INSTANCE, self._name, self._region, self._status, self.host),
            )
            if _is_asked_for(row, asked)
        ]
        return {"Registries": page_by_row(rows, asked.wish), "TotalCount": len(rows)}

    def _create_token(self, asked: Asked) -> dict[str, Any]:
        self._check_instance(asked)
        is_lasting = asked.wish.get("TokenType") == "longterm"
        life = 10 * 365 * 86400.0 if is_lasting else self._token_life
        token = self.desk.sell(life)
        ends = int((self.clock.now().timestamp() + life) * 1000)
        answer = {"Username": UIN, "Token": token, "ExpTime": 0 if is_lasting else ends}
        return {**answer, "TokenId": "abc"} if is_lasting else answer

    # --- lists -----------------------------------------------------------------------------

    def _describe_namespaces(self, asked: Asked) -> dict[str, Any]:
        self._check_instance(asked)
        like = asked.wish.get("NamespaceName", "")
        rows = [
            {"Name": name, "Public": public}
            for name, public in sorted(self._namespaces.items())
            if like in name
        ]
        return self._page("NamespaceList", rows, asked)

    def _describe_repositories(self, asked: Asked) -> dict[str, Any]:
        self._check_instance(asked)
        rows = [self._described(name) for name in self._like(asked.wish, exact=False)]
        return self._page("RepositoryList", rows, asked)

    def _described(self, name: str) -> dict[str, Any]:
        brief, text = self.text_of(name)
        namespace = _parts(name)[0]
        return {
            "Name": name,
            "Namespace": namespace,
            "Public": self._namespaces.get(namespace, False),
            "BriefDescription": brief,
            "Description": text,
        }

    def _describe_images(self, asked: Asked) -> dict[str, Any]:
        self._check_instance(asked)
        names = self._like(asked.wish, exact=bool(asked.wish.get("ExactMatch")))
        rows = [
            self._image(name, tag, digest)
            for name in names
            for tag, digest in sorted(self.storage.tags(name).items())
        ]
        return self._page("ImageInfoList", rows, asked)

    def _image(self, repository: str, tag: str, digest: str) -> dict[str, Any]:
        pushed = self.repositories.pushed_at(repository, digest)
        return {
            "Digest": digest,
            "ImageVersion": tag,
            "Kind": "IMAGE",
            "Size": 1024,
            "UpdateTime": f"{pushed:%Y-%m-%d %H:%M:%S.%f} +0000 UTC",
        }

    def _like(self, wish: Mapping[str, Any], *, exact: bool) -> list[str]:
        """Return the repositories whose names are, or are like, what is asked for."""
        namespace, repository = wish.get("NamespaceName", ""), wish.get("RepositoryName", "")
        if exact:
            return [
                each for each in self.repositories.names() if each == f"{namespace}/{repository}"
            ]
        return [
            each
            for each in self.repositories.names()
            if namespace in _parts(each)[0] and repository in _parts(each)[1]
        ]

    def _page(self, key: str, rows: Sequence[Any], asked: Asked) -> dict[str, Any]:
        page = page_by_number(rows, asked.wish, self._largest_page)
        return {key: page, "TotalCount": len(rows)}

    # --- making ----------------------------------------------------------------------------

    def _create_namespace(self, asked: Asked) -> dict[str, Any]:
        self._check_instance(asked)
        name = asked.wish["NamespaceName"]
        if not _NAMESPACE.fullmatch(name):
            raise ApiRefusal(200, "InvalidParameter.ErrorNameIllegal", f"{name} is illegal")
        if name in self._namespaces:
            raise ApiRefusal(200, self.says_exists, f"namespace {name} already exists")
        if len(self._namespaces) >= self._most_namespaces:
            message = "the number of namespaces is over the limit"
            raise ApiRefusal(200, "LimitExceeded.ErrNamespaceMaxLimit", message)
        self._namespaces[name] = asked.wish["IsPublic"]
        return {}

    def _create_repository(self, asked: Asked) -> dict[str, Any]:
        self._check_instance(asked)
        name = _name_of(asked.wish)
        if _parts(name)[0] not in self._namespaces:
            raise ApiRefusal(200, "ResourceNotFound.ErrNoNamespace", "no such namespace")
        if not self.repositories.create(name):
            raise ApiRefusal(200, "InternalError.ErrorConflict", f"{name} already exists")
        return {}

    def _modify_repository(self, asked: Asked) -> dict[str, Any]:
        name = self._repository_of(asked)
        self._texts[name] = asked.wish["BriefDescription"], asked.wish["Description"]
        return {}

    def _delete_image(self, asked: Asked) -> dict[str, Any]:
        name, tag = self._repository_of(asked), asked.wish["ImageVersion"]
        if tag not in self.storage.tags(name):
            raise ApiRefusal(200, "ResourceNotFound.ErrNoTag", f"no such tag {tag}")
        self.repositories.check_rules(name, [tag])
        self.storage.delete_tag(name, tag)
        return {}

    def _repository_of(self, asked: Asked) -> str:
        self._check_instance(asked)
        name = _name_of(asked.wish)
        if self.repositories.get(name) is None:
            raise ApiRefusal(200, "ResourceNotFound.ErrNoRepo", f"no such repository {name}")
        return name

    def _check_instance(self, asked: Asked) -> None:
        """Let an action on the instance pass, if it is asked for in the right region."""
        if (asked.wish.get("RegistryId"), asked.region) != (INSTANCE, self._region):
            message = f"no such instance in {asked.region}"
            raise ApiRefusal(200, "ResourceNotFound.TcrResourceNotFound", message)

    # --- the data plane's refusals -----------------------------------------------------------

    def _unknown(self, name: str) -> Refusal:
        namespace = _parts(name)[0]
        if namespace not in self._namespaces:
            return Refusal(404, "NOT_FOUND", f"project {namespace} not found")
        return Refusal(404, "NAME_UNKNOWN", f"repository {name} not found")


class InstanceAuth(TokenAuth):
    """Gives tokens to who has bought a login, and to service accounts.

    Args:
        desk: Sells the logins.
        clock: Time.

    Attributes:
        accounts: Passwords by the names of service accounts.
    """

    def __init__(self, desk: PasswordDesk, clock: Clock) -> None:
        self.accounts: dict[str, str] = {}
        self._desk = desk
        super().__init__(users=self.accounts, clock=clock)

    def _basic_user(self, request: Request, quirks: LoopbackQuirks) -> str | None:
        try:
            return super()._basic_user(request, quirks)
        except Refusal:
            self._desk.admit(request, quirks)
            return UIN


class _Repositories(CloudRepositories):
    """Knows rules for tags that cannot be written again."""

    def __init__(self, clock: Clock, **more: Any) -> None:
        super().__init__(clock, **more)
        self.rules: list[tuple[str, str]] = []

    def check_tags(self, repository: str, tags: Sequence[str], digest: Digest) -> None:
        """Let a manifest be stored.

        Raises:
            Refusal: A tag is there, and under a rule.
        """
        held = self.storage.tags(repository) if self.storage is not None else {}
        for tag in tags:
            if tag in held and self._is_ruled(repository, tag):
                raise _immutable(repository, tag)
        super().check_tags(repository, tags, digest)

    def check_rules(self, repository: str, tags: Sequence[str]) -> None:
        """Let tags be deleted.

        Raises:
            ApiRefusal: One is under a rule.
        """
        for tag in tags:
            if self._is_ruled(repository, tag):
                message = f"{repository}:{tag} is immutable"
                raise ApiRefusal(200, "FailedOperation.PreconditionFailed", message)

    def _is_ruled(self, repository: str, tag: str) -> bool:
        namespace = _parts(repository)[0]
        return any(where == namespace and fnmatchcase(tag, which) for where, which in self.rules)


def _immutable(repository: str, tag: str) -> Refusal:
    message = (
        f"Failed to process request due to '{_parts(repository)[1]}:{tag}' configured as immutable."
    )
    return Refusal(412, "PRECONDITION", message)


def _instance(instance: str, name: str, region: str, status: str, domain: str) -> dict[str, Any]:
    return {
        "RegistryId": instance,
        "RegistryName": name,
        "RegistryType": "standard",
        "RegionName": region,
        "Status": status,
        "PublicDomain": domain or f"{name}.tencentcloudcr.com",
        "TokenValidTime": 1,
    }


def _is_asked_for(row: Mapping[str, Any], asked: Asked) -> bool:
    """Tell whether DescribeInstances tells of an instance: its filter finds similar names."""
    wish = asked.wish
    in_region = wish.get("AllRegion") or row["RegionName"] == asked.region
    wanted = wish.get("Registryids") or [row["RegistryId"]]
    names = [each for part in wish.get("Filters", []) for each in part["Values"]]
    is_like = not names or any(name in row["RegistryName"] for name in names)
    return bool(in_region and row["RegistryId"] in wanted and is_like)


def _name_of(wish: Mapping[str, Any]) -> str:
    return f"{wish['NamespaceName']}/{wish['RepositoryName']}"


def _parts(name: str) -> tuple[str, str]:
    namespace, _, rest = name.partition("/")
    return namespace, rest
