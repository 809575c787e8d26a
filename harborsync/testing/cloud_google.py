"""Google Artifact Registry on loopback, for tests that take the real google-auth and no account.

    >>> from harborsync.testing.cloud_google import LoopbackGar
    >>> with LoopbackGar() as gar:
    ...     _ = gar.create_repository("acme/team")
    ...     gar.endpoint.provider, gar.endpoint.options["region"]
    ('gar', 'europe-west1')

Assertions are verified, tokens end; the registry lists as Google's does, lets uploads go on
beside ``/v2/``, serves blobs from a host that refuses a login, and knows only repositories that
were made.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from harborsync.clock import SystemClock
from harborsync.credentials.google import EXTRA, KEY_USERS, OAUTH_USER, AccessToken, GoogleIdentity
from harborsync.credentials.hushed import load_sdk
from harborsync.endpoint import Endpoint
from harborsync.secrets import Secret
from harborsync.testing.cloud_google_oauth import (
    GoogleLogin,
    People,
    TokenOffice,
    json_said,
    key_text,
    signing_key,
)
from harborsync.testing.cloud_plane import (
    ApiCall,
    ApiRefusal,
    CloudRepositories,
    CloudServers,
    page_of,
)
from harborsync.testing.profiles import LoopbackQuirks
from harborsync.testing.server import LoopbackRegistry
from harborsync.testing.server_wire import Refusal
from harborsync.testing.tokens import Access, TokenAuth

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from harborsync.clock import Clock
    from harborsync.testing.cloud_plane import CloudRepository
    from harborsync.testing.scripted import Heard, Said
    from harborsync.testing.server_wire import Request, Response

PROJECT: Final = "acme"
LOCATION: Final = "europe-west1"
_TOKEN_LIFE: Final = 3599.0
_LARGEST_PAGE: Final = 10_000
_UNIT: Final = 2
_READS: Final = frozenset({"GET", "HEAD"})
_LEND: Final = re.compile(r"/v1/projects/-/serviceAccounts/([^/:]+):generateAccessToken")
_PLACE: Final = r"/v1/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)"
_REPOSITORIES: Final = re.compile(rf"{_PLACE}/repositories")
_OPERATION: Final = re.compile(rf"{_PLACE}/operations/(?P<operation>[^/]+)")
_PACKAGES: Final = re.compile(rf"{_PLACE}/repositories/(?P<repository>[^/]+)/packages")
_TAGS: Final = re.compile(rf"{_PACKAGES.pattern}/(?P<package>[^/]+)/tags")
_QUIRKS: Final = LoopbackQuirks(
    redirects="other_host",
    location="absolute",
    uploads="beside",
    referrers="text_404",  # actions/attest-build-provenance #80
    pages="none",
    anonymous_mounts=False,
)


class _Repositories(CloudRepositories):
    """Keeps repositories, in each of which there are many images."""

    def __init__(self, clock: Clock, denied: set[str], **more: Any) -> None:
        super().__init__(clock, **more)
        self._denied = denied

    def get(self, name: str) -> CloudRepository | None:
        """Return the repository that a path lies in, or None."""
        return super().get(unit_of(name))

    def create(self, name: str, *, immutable: bool = False, **settings: Any) -> bool:
        """Make the repository that a path lies in; False if it is there."""
        return super().create(unit_of(name), immutable=immutable, **settings)

    def check_repository(self, request: Request, repository: str) -> None:
        """Let a request pass that is for the path of an image, and may be made.

        Raises:
            Refusal: The path is too short, the repository is not there, or a right is lacking.
        """
        is_short = repository.count("/") < _UNIT
        if is_short and not request.path.endswith("/tags/list"):
            raise Refusal(405, "UNSUPPORTED", "The operation is unsupported.")
        if not request.path.startswith("/storage/"):
            check_right(self._denied, request.method in _READS, repository)
        if not is_short:
            super().check_repository(request, repository)


class _Auth(TokenAuth):
    """Sells registry tokens to who shows an access token, or the key of the service account."""

    def __init__(
        self, office: TokenOffice, key: Callable[[], str], denied: set[str], **more: Any
    ) -> None:
        super().__init__(users={}, **more)
        self._office = office
        self._denied = denied
        self._account_key = key

    def issue(self, request: Request, quirks: LoopbackQuirks) -> Response:
        """Issue a token, unless a right for all of it is lacking: Google says so already here.

        Raises:
            Refusal: It is lacking, or the login is not good.
        """
        response = super().issue(request, quirks)
        for name, value in request.query:
            access = Access.parse(value) if name == "scope" else None
            if access is not None:
                check_right(self._denied, "push" not in access.actions, access.name)
        return response

    def _basic_user(self, request: Request, quirks: LoopbackQuirks) -> str | None:  # noqa: ARG002
        header = request.headers.get("authorization", "")
        if not header:
            return None
        user, _, password = base64.b64decode(header.partition(" ")[2]).decode().partition(":")
        if user in KEY_USERS:
            text = base64.b64decode(password).decode() if KEY_USERS[user] else password
            good = text == self._account_key()
        else:
            good = user == OAUTH_USER and self._office.who(password) is not None
        if not good:
            raise Refusal(401, "UNAUTHORIZED", "authentication failed")
        return user


class LoopbackGar(CloudServers):
    """A project's registry in one location, and Google's token servers.

    Args:
        project: The project.
        location: The location.
        made_on_push: Whether a push makes a repository, as at the ``gcr.io`` hosts.
        token_life: Seconds an access token is good.
        registry_token_life: Seconds a token of the registry's own is good.
        clock: The time by which tokens end.
        signing_clock: The time that assertions are held against; google-auth signs by the real one.
        denied: Permissions that nobody has, such as ``artifactregistry.tags.list``.
        most_listed: How many images and tags the registry itself lists.
        most_repositories: How many there may be.
    """

    def __init__(
        self,
        *,
        project: str = PROJECT,
        location: str = LOCATION,
        made_on_push: bool = False,
        token_life: float = _TOKEN_LIFE,
        registry_token_life: float = 300.0,
        clock: Clock | None = None,
        signing_clock: Clock | None = None,
        denied: Collection[str] = (),
        most_listed: int = 10_000,
        most_repositories: int = 1000,
    ) -> None:
        clock = clock or SystemClock()
        self.project = project
        self.location = location
        self.denied = set(denied)
        self.people = People()
        self.office = TokenOffice(clock, token_life)
        self._most_listed = most_listed
        self._most_repositories = most_repositories
        self._operations: dict[str, int] = {}
        self.repositories = _Repositories(
            clock,
            self.denied,
            unknown=_unknown_repository,
            immutable=_immutable_tag,
            made_on_push=lambda name: made_on_push,  # noqa: ARG005
        )
        self.auth = _Auth(
            self.office, lambda: self.key, self.denied, clock=clock, lifetime=registry_token_life
        )
        registry = LoopbackRegistry(
            auth=self.auth,
            quirks=_QUIRKS,
            guard=self.repositories,
            tells=self._tells,
            clock=clock,
        )
        self.repositories.storage = registry.storage
        super().__init__(self._answer, registry, clock=clock)
        self._login = GoogleLogin(
            self.people, self.office, self.log, signing_clock or SystemClock()
        )

    # --- to open it ------------------------------------------------------------------------

    @property
    def endpoint(self) -> Endpoint:
        """Where the project is, as an endpoint to open."""
        options = {"region": self.location, "api": self.api_url, "iam_api": self.api_url}
        return Endpoint(
            provider="gar",
            address=f"{self.host}/{self.project}",
            plain_http=True,
            option_items=options,
        )

    @property
    def key(self) -> str:
        """The key of the service account, as the text of a file."""
        fields = {
            "type": "service_account",
            "project_id": self.project,
            "private_key_id": "0123456789abcdef",
            "private_key": key_text(signing_key()),
            "client_email": self.people.account,
            "token_uri": f"{self.api_url}/token",
        }
        return json.dumps(fields)

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which a machine's account is found."""
        return {"GCE_METADATA_HOST": urlsplit(self.api_url).netloc}

    @property
    def identity(self) -> GoogleIdentity:
        """The service account, by google-auth, to hand over among the credentials."""
        sdk = load_sdk("google.oauth2.service_account", extra=EXTRA, purpose="emulating Google")
        scopes = ["https://www.googleapis.com/auth/cloud-platform"]
        made = sdk.Credentials.from_service_account_info(json.loads(self.key), scopes=scopes)
        return GoogleIdentity(credentials=made)

    def sell(self, who: str = "somebody") -> AccessToken:
        """Return a token without asking a server, as a program of one's own would have it."""
        return AccessToken(secret=Secret(self.office.sell(who)["access_token"]))

    @property
    def secrets(self) -> frozenset[str]:
        """Every secret there is, for tests that look for them where none may be."""
        body = json.loads(self.key)["private_key"].splitlines()[1]
        people = self.people
        return self.office.tokens | {body, *people.refresh_tokens, *people.subject_tokens}

    # --- for tests -------------------------------------------------------------------------

    def create_repository(self, name: str, *, immutable: bool = False) -> bool:
        """Make a repository, ``project/name``; False if it is there."""
        return self.repositories.create(name, immutable=immutable)

    def expire_logins(self) -> None:
        """End every access token, and every token of the registry's own."""
        self.office.expire()
        self.auth.expire()

    def throttle(self, operation: str, times: int = 1) -> None:
        """Have the next calls of an operation throttled."""
        message = "Quota exceeded for quota metric 'Requests' of service 'artifactregistry'."
        self.log.plan(operation, ApiRefusal(429, "RESOURCE_EXHAUSTED", message), times)

    # --- the registry ----------------------------------------------------------------------

    def _tells(self, repository: str) -> Mapping[str, Any]:
        """Return what Google tells beside the tags; of very many it tells some."""
        children = self._children(repository)
        found = self.storage.manifests(repository)
        if not found and not children and self.repositories.get(repository) is None:
            return {}
        tags = dict(sorted(self.storage.tags(repository).items())[: self._most_listed])
        rows = {
            str(each.digest): {
                "imageSizeBytes": str(len(each.content)),
                "mediaType": each.media_type,
                "timeUploadedMs": str(self._uploaded(repository, str(each.digest))),
                "timeCreatedMs": "0",
                "tag": [],
            }
            for each in found[: self._most_listed]
        }
        for tag, digest in tags.items():
            if digest in rows:
                rows[digest]["tag"].append(tag)  # type: ignore[attr-defined]
        return {"tags": list(tags), "manifest": rows, "child": children}

    def _uploaded(self, repository: str, digest: str) -> int:
        return int(self.repositories.pushed_at(repository, digest).timestamp() * 1000)

    def _children(self, path: str) -> list[str]:
        below = (name for name in self._images() if name.startswith(f"{path}/"))
        return sorted({name.removeprefix(f"{path}/").partition("/")[0] for name in below})

    def _images(self) -> list[str]:
        return [name for name in self.storage.repositories() if self.storage.manifests(name)]

    # --- the control plane -----------------------------------------------------------------

    def _answer(self, heard: Heard) -> Said:
        said = self._login.answer(heard)
        if said is not None:
            return said
        operation, serve = self._served_by(heard)
        try:
            who = self._admitted(heard)
            self.log.check(operation)
            answer = serve(heard, who)
        except ApiRefusal as refusal:
            self.log.note(ApiCall(operation=operation, code=refusal.code))
            error = {"code": refusal.status, "message": refusal.message, "status": refusal.code}
            return json_said(refusal.status, {"error": error})
        self.log.note(ApiCall(operation=operation, who=who))
        return json_said(200, answer)

    def _served_by(self, heard: Heard) -> tuple[str, Callable[[Heard, str], dict[str, Any]]]:
        routes: tuple[tuple[str, str, re.Pattern[str], Callable[..., dict[str, Any]]], ...] = (
            ("POST", "generateAccessToken", _LEND, self._lend),
            ("GET", "ListRepositories", _REPOSITORIES, self._list_repositories),
            ("POST", "CreateRepository", _REPOSITORIES, self._create),
            ("GET", "GetOperation", _OPERATION, self._get_operation),
            ("GET", "ListPackages", _PACKAGES, self._list_packages),
            ("GET", "ListTags", _TAGS, self._list_tags),
        )
        for method, operation, shape, serve in routes:
            found = shape.fullmatch(heard.path)
            if found is not None and heard.method == method:
                return operation, partial(serve, found)
        return "Unknown", partial(_nothing, heard.path)

    def _admitted(self, heard: Heard) -> str:
        token = heard.headers.get("authorization", "").partition(" ")[2]
        who = self.office.who(token)
        if who is None:
            message = (
                "Request had invalid authentication credentials. Expected OAuth 2 access token."
            )
            raise ApiRefusal(401, "UNAUTHENTICATED", message)
        return who

    def _check_right(self, right: str, resource: str) -> None:
        name = f"artifactregistry.{right}"
        if name in self.denied:
            raise ApiRefusal(403, "PERMISSION_DENIED", denied_text(name, resource))

    def _lend(self, found: re.Match[str], heard: Heard, who: str) -> dict[str, Any]:
        return self._login.lend(found[1], who, json.loads(heard.body))

    def _list_repositories(self, found: re.Match[str], heard: Heard, who: str) -> dict[str, Any]:  # noqa: ARG002
        self._check_right("repositories.list", found["project"])
        self._check_location(found)
        parent = found[0].removeprefix("/v1/")
        rows = [
            {"name": f"{parent}/{name.rpartition('/')[2]}", "format": "DOCKER"}
            for name in self.repositories.names()
            if name.startswith(f"{found['project']}/")
        ]
        rows.append({"name": f"{parent}/jars", "format": "MAVEN"})
        return _paged("repositories", rows, heard)

    def _create(self, found: re.Match[str], heard: Heard, who: str) -> dict[str, Any]:  # noqa: ARG002
        name = parse_qs(urlsplit(heard.target).query).get("repositoryId", [""])[0]
        unit = f"{found['project']}/{name}"
        self._check_right("repositories.create", unit)
        self._check_location(found)
        wish = json.loads(heard.body)
        if not re.fullmatch(r"[a-z](?:[a-z0-9.-]{0,61}[a-z0-9])?", name):
            message = f'"{name}" is not a valid repository ID'
            raise ApiRefusal(400, "INVALID_ARGUMENT", message)
        if len(self.repositories.names()) >= self._most_repositories:
            message = "Quota limit for repositories of this project is exceeded"
            raise ApiRefusal(429, "RESOURCE_EXHAUSTED", message)
        immutable = bool(wish.get("dockerConfig", {}).get("immutableTags"))
        if not self.repositories.create(unit, immutable=immutable, wish=wish):
            raise ApiRefusal(409, "ALREADY_EXISTS", "the repository already exists")
        operation = secrets.token_hex(8)
        self._operations[operation] = 1
        parent = found[0].removeprefix("/v1/").removesuffix("/repositories")
        return {"name": f"{parent}/operations/{operation}"}

    def _get_operation(self, found: re.Match[str], heard: Heard, who: str) -> dict[str, Any]:  # noqa: ARG002
        left = self._operations.get(found["operation"])
        if left is None:
            raise ApiRefusal(404, "NOT_FOUND", "no such operation")
        self._operations[found["operation"]] = left - 1
        name = found[0].removeprefix("/v1/")
        return {"name": name} if left > 0 else {"name": name, "done": True, "response": {}}

    def _list_packages(self, found: re.Match[str], heard: Heard, who: str) -> dict[str, Any]:  # noqa: ARG002
        unit = self._unit_of(found)
        self._check_right("packages.list", unit)
        parent = found[0].removeprefix("/v1/")
        rows = [
            {"name": f"{parent}/{quote(name.removeprefix(f'{unit}/'), safe='')}"}
            for name in self._images()
            if name.startswith(f"{unit}/")
        ]
        return _paged("packages", rows, heard)

    def _list_tags(self, found: re.Match[str], heard: Heard, who: str) -> dict[str, Any]:  # noqa: ARG002
        unit = self._unit_of(found)
        self._check_right("tags.list", unit)
        parent = found[0].removeprefix("/v1/")
        package = parent.removesuffix("/tags")
        tags = self.storage.tags(f"{unit}/{unquote(found['package'])}")
        rows = [
            {"name": f"{parent}/{tag}", "version": f"{package}/versions/{digest}"}
            for tag, digest in sorted(tags.items())
        ]
        return _paged("tags", rows, heard)

    def _unit_of(self, found: re.Match[str]) -> str:
        self._check_location(found)
        unit = f"{found['project']}/{found['repository']}"
        if self.repositories.get(unit) is None:
            raise ApiRefusal(404, "NOT_FOUND", "Requested entity was not found.")
        return unit

    def _check_location(self, found: re.Match[str]) -> None:
        if found["location"] != self.location:
            raise ApiRefusal(404, "NOT_FOUND", "Requested entity was not found.")


def unit_of(path: str) -> str:
    """Return the path of the repository that a path lies in: ``project/name``."""
    return "/".join(path.split("/")[:_UNIT])


def check_right(denied: Collection[str], reads: bool, repository: str) -> None:  # noqa: FBT001
    """Let a request pass that may be made.

    Raises:
        Refusal: The right for it is lacking.
    """
    right = f"artifactregistry.repositories.{'download' if reads else 'upload'}Artifacts"
    if right in denied:
        raise Refusal(403, "DENIED", denied_text(right, unit_of(repository)))


def denied_text(right: str, resource: str) -> str:
    """Return Google's words for a right that is lacking."""
    return f'Permission "{right}" denied on resource "{resource}" (or it may not exist)'


def _nothing(path: str, heard: Heard, who: str) -> dict[str, Any]:  # noqa: ARG001
    raise ApiRefusal(404, "NOT_FOUND", f"The requested URL {path} was not found on this server.")


def _paged(key: str, rows: list[dict[str, Any]], heard: Heard) -> dict[str, Any]:
    query = {name: values[0] for name, values in parse_qs(urlsplit(heard.target).query).items()}
    size = min(int(query.get("pageSize", "100")), _LARGEST_PAGE)
    page, token = page_of(rows, size, query.get("pageToken"))
    return {key: list(page), **({"nextPageToken": token} if token else {})}


def _unknown_repository(name: str) -> Refusal:
    return Refusal(404, "NAME_UNKNOWN", f'Repository "{name.split("/")[-2]}" not found')


def _immutable_tag(repository: str, tag: str) -> Refusal:
    # The status and the words are not seen, but for what the documents call it.
    message = (
        f"cannot update tag {tag} of {repository}. The repository has enabled tag immutability"
    )
    return Refusal(400, "MANIFEST_INVALID", message)
