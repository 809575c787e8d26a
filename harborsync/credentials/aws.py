"""Who we are to Amazon: the SDK's own chain of identities, and roles assumed on top of it.

Without a word from you it is whatever boto3 finds: variables, a profile with SSO or a process, a
service account of EKS (IRSA or Pod Identity), a task's or a machine's role. A profile, roles and
a session of yours go before it::

    AwsIdentity(roles=[AwsRole(arn="arn:aws:iam::123456789012:role/mirror", external_id="acme")])
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs

from harborsync import __version__
from harborsync.credentials.aws_refusals import error_of
from harborsync.credentials.base import Credential
from harborsync.credentials.calling import CloudApi, budget_of
from harborsync.credentials.hosts import is_loopback
from harborsync.credentials.hushed import load_sdk
from harborsync.credentials.roles import OF_ROLES, roles_of
from harborsync.errors import ConfigurationError, CredentialsError, InvalidValue
from harborsync.secrets import Secret, redact_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from boto3.session import Session

    from harborsync.endpoint import Endpoint
    from harborsync.provider import OpenContext

EXTRA: Final = "aws"
_PURPOSE: Final = "speaking to Amazon's registries"
_ROLE: Final = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:role/[\w+=,.@/-]+", re.ASCII)
_SESSION_NAME: Final = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_SHORTEST, _LONGEST = 900, 43_200  # of AssumeRole's DurationSeconds
_LONGEST_CHAINED: Final = 3600  # AWS lets a role that was assumed by a role last no longer


@attrs.frozen(kw_only=True)
class AwsRole:
    """A role to assume.

    Attributes:
        arn: Its name.
        external_id: What its trust policy asks for, or None.
        session_name: How the session is called in CloudTrail.
        duration: Seconds a session lasts; it is renewed before its end.
        tags: Session tags.
    """

    arn: str
    external_id: str | None = None
    session_name: str = "harborsync"
    duration: int = 3600
    tags: tuple[tuple[str, str], ...] = ()

    def __attrs_post_init__(self) -> None:
        """Refuse what STS would refuse.

        Raises:
            InvalidValue: A part cannot be so.
        """
        if not _ROLE.fullmatch(self.arn):
            msg = f"{self.arn[:200]!r} is no role"
            raise InvalidValue(msg, hint="write it like arn:aws:iam::123456789012:role/NAME")
        if not _SESSION_NAME.fullmatch(self.session_name):
            msg = f"{self.session_name[:100]!r} cannot name a session of a role"
            raise InvalidValue(msg, hint="use 2 to 64 letters, digits and +=,.@-_")
        if not _SHORTEST <= self.duration <= _LONGEST:
            msg = f"a role cannot be assumed for {self.duration} seconds"
            raise InvalidValue(msg, hint="15 minutes to 12 hours, and no more than the role allows")

    @property
    def request(self) -> dict[str, Any]:
        """The arguments of AssumeRole."""
        wish: dict[str, Any] = {
            "RoleArn": self.arn,
            "RoleSessionName": self.session_name,
            "DurationSeconds": self.duration,
        }
        if self.external_id is not None:
            wish["ExternalId"] = self.external_id
        if self.tags:
            wish["Tags"] = [{"Key": key, "Value": value} for key, value in self.tags]
        return wish


def _roles(roles: Iterable[AwsRole]) -> tuple[AwsRole, ...]:
    return tuple(roles)


@attrs.frozen(kw_only=True)
class AwsIdentity:
    """Where an identity comes from; hand one over among the credentials, or name it by options.

    It answers for no host by itself: the providers of Amazon's registries ask for it.

    Attributes:
        profile: A profile of the AWS configuration files, or None.
        roles: Roles to assume, each by the one before.
        session: A boto3 session to begin with, in place of a profile; it cannot travel to another
            process.
    """

    profile: str | None = None
    roles: tuple[AwsRole, ...] = attrs.field(default=(), converter=_roles)
    session: Session | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot go together.

        Raises:
            ConfigurationError: There are a profile and a session, or a chained role lasts too long.
        """
        if self.profile is not None and self.session is not None:
            msg = "an identity begins with a profile or with a session, not with both"
            raise ConfigurationError(msg)
        if any(role.duration > _LONGEST_CHAINED for role in self.roles[1:]):
            msg = "a role assumed by a role lasts an hour at the most"
            raise ConfigurationError(msg, hint="leave its duration out: it is renewed by itself")

    def get(self, host: str, repository: str = "") -> None:
        """Return None: only a provider can make a login of this."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without a session.

        Raises:
            ConfigurationError: There is a session, which holds secrets and connections.
        """
        if self.session is not None:
            msg = "a boto3 session cannot be handed to another process"
            raise ConfigurationError(msg, hint="name a profile or roles instead")
        return _identity, (self.profile, self.roles)

    def with_options(self, options: Mapping[str, str]) -> AwsIdentity:
        """Return the identity that the options of an endpoint ask for, beginning with this one.

        Raises:
            InvalidValue: An option cannot be read.
        """
        roles = (*self.roles, *roles_of(options, AwsRole, _OF_ROLES))
        profile = options.get("profile")
        if profile is None:
            return attrs.evolve(self, roles=roles)
        return attrs.evolve(self, profile=profile, session=None, roles=roles)


def _identity(profile: str | None, roles: tuple[AwsRole, ...]) -> AwsIdentity:
    return AwsIdentity(profile=profile, roles=roles)


#: The options of an endpoint that say who asks.
IDENTITY_OPTIONS: Final = frozenset(
    {
        "external_id",
        "profile",
        "role_arn",
        "role_duration",
        "role_session",
        "role_tags",
        "sts_api",
    }
)


def tags_of(text: str, option: str) -> tuple[tuple[str, str], ...]:
    """Read ``name:value,name:value``.

    Args:
        text: The value of an option.
        option: The name of the option, for messages.

    Raises:
        InvalidValue: It is something else.
    """
    pairs = [part.partition(":") for part in text.split(",")]
    if not all(name and colon for name, colon, _ in pairs):
        msg = f"the option {option} cannot be {text[:200]!r}"
        raise InvalidValue(msg, hint="write it like team:core,stage:prod")
    return tuple((name, value) for name, _, value in pairs)


# What an option says of a role, and how it is read.
_OF_ROLES: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    **OF_ROLES,
    "role_tags": ("tags", partial(tags_of, option="role_tags")),
}


# --- asking ------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class AwsPlace:
    """Where an API of Amazon is.

    Attributes:
        region: The region.
        fips: Whether FIPS endpoints are asked.
        dual_stack: Whether those with IPv6 are.
        url: The API's address where it is not the usual one, such as a VPC endpoint's, or None.
        sts_url: The same for STS.
        proxy: The proxy to go through, ``none``, or None for what the environment says.
    """

    region: str
    fips: bool = False
    dual_stack: bool = False
    url: str | None = None
    sts_url: str | None = None
    proxy: str | None = None


class AwsApi:
    """One service's API, asked as one identity; safe to use from many threads.

    Loads the SDK at the first call.

    Args:
        service: Its name in boto3, such as ``ecr``.
        identity: Who asks.
        place: Where.
        context: Clock, policy, limits, cancel flag, listeners.
        per_second: How many calls start a second.
    """

    def __init__(
        self,
        service: str,
        identity: AwsIdentity,
        place: AwsPlace,
        context: OpenContext,
        *,
        per_second: float,
    ) -> None:
        self._service = service
        self._identity = identity
        self._place = place
        self._context = context
        self._per_second = per_second
        self._client: Any = None

    def call(self, what: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to an operation, tried as often as the policy says.

        Args:
            what: What is done, as it follows "cannot".
            operation: Its name in boto3, such as ``describe_images``.
            arguments: Its parameters; those that are None are left out.

        Raises:
            HarborsyncError: It was refused, or cannot be reached.
            MissingDependency: The SDK is not installed.
        """
        wish = {name: value for name, value in arguments.items() if value is not None}
        # The client is made within a call: what it finds wrong is an answer, too.
        return self._caller().call(what, lambda: getattr(self._made(), operation)(**wish))

    def knows(self, shape: str, member: str) -> bool:
        """Tell whether the installed SDK is new enough to know a part of a request; asks nobody.

        Raises:
            HarborsyncError: There is no such profile, or something else is set up wrong.
            MissingDependency: The SDK is not installed.
        """

        def look() -> bool:
            return member in self._made().meta.service_model.shape_for(shape).members

        return self._caller().call(f"set up {self._service}", look)

    def _caller(self) -> CloudApi:
        clock = self._context.clock
        name = self._place.url or f"{self._service}.{self._place.region}"
        exceptions = load_sdk("botocore.exceptions", extra=EXTRA, purpose=_PURPOSE)
        return CloudApi(
            name=name,
            context=self._context,
            budget=budget_of(name, clock, self._per_second),
            translate=lambda error, what: error_of(error, what, clock.now()),
            expected=(exceptions.BotoCoreError, exceptions.ClientError, *_SET_UP_WRONG),
        )

    def _made(self) -> Any:
        """Return the client; using it is thread-safe, making one is not."""
        with _making:
            if self._client is None:
                session = _session(self._identity, self._place, self._context)
                self._client = _client(
                    session, self._service, self._place.url, self._place, self._context
                )
            return self._client


# What the SDK lets through when its configuration names a file, a program or an address that is
# none, or a code is to be typed where nobody sits.
_SET_UP_WRONG: Final = (OSError, ValueError, EOFError)

# A session may be shared by several registries.
_making: Final = threading.Lock()


def _session(identity: AwsIdentity, place: AwsPlace, context: OpenContext) -> Session:
    """Return a boto3 session of an identity; asks nobody yet."""
    boto3 = load_sdk("boto3", extra=EXTRA, purpose=_PURPOSE)
    session: Session = identity.session or boto3.Session(profile_name=identity.profile)
    for role in identity.roles:
        session = _assumed(session, role, place, context)
    return session


def _assumed(base: Session, role: AwsRole, place: AwsPlace, context: OpenContext) -> Session:
    """Return a session that assumes a role when it is first used, and again before it ends."""
    boto3 = load_sdk("boto3", extra=EXTRA, purpose=_PURPOSE)
    core = load_sdk("botocore.session", extra=EXTRA, purpose=_PURPOSE).get_session()
    credentials = load_sdk("botocore.credentials", extra=EXTRA, purpose=_PURPOSE)
    sts = _client(base, "sts", place.sts_url, place, context)
    lasting = credentials.DeferredRefreshableCredentials(
        refresh_using=partial(_assume, sts, role),
        method="assume-role",
        time_fetcher=context.clock.now,
    )
    core.register_component("credential_provider", _Only(lasting))
    session: Session = boto3.Session(botocore_session=core)
    return session


def _assume(sts: Any, role: AwsRole) -> dict[str, str]:
    """Assume a role; return it in the form that botocore's refreshable credentials take."""
    found = sts.assume_role(**role.request)["Credentials"]
    return {
        "access_key": found["AccessKeyId"],
        "secret_key": found["SecretAccessKey"],
        "token": found["SessionToken"],
        "expiry_time": found["Expiration"].isoformat(),
    }


class _Only:
    """Stands in for botocore's chain of credential providers."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Any:
        """Return the only credentials there are."""
        return self._credentials


def _client(
    session: Session, service: str, url: str | None, place: AwsPlace, context: OpenContext
) -> Any:
    """Return a client that repeats nothing by itself and obeys our timeouts.

    Raises:
        ConfigurationError: It would speak in the clear.
    """
    config = load_sdk("botocore.config", extra=EXTRA, purpose=_PURPOSE)
    limits = context.limits
    make: Any = session.client
    client = make(
        service,
        region_name=place.region,
        endpoint_url=url,
        config=config.Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=limits.connect_timeout,
            read_timeout=limits.first_byte_timeout,
            max_pool_connections=limits.connections,
            user_agent_extra=f"harborsync/{__version__}",
            proxies=_proxies(place, url),
            # An address of one's own is the address: nothing is to be derived from it.
            use_fips_endpoint=place.fips if url is None else None,
            use_dualstack_endpoint=place.dual_stack if url is None else None,
        ),
    )
    _check_is_private(service, client.meta.endpoint_url)
    return client


def _check_is_private(service: str, url: str) -> None:
    """Refuse an address in the clear, which variables and profiles may name as well as we.

    Raises:
        ConfigurationError: It is one, of another machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https" and host != "localhost" and not is_loopback(host):
        msg = f"the API of {service} cannot be asked in the clear, at {redact_url(url)}"
        raise ConfigurationError(
            msg, hint="see AWS_ENDPOINT_URL and endpoint_url of the profile: write https://"
        )


def _proxies(place: AwsPlace, url: str | None) -> dict[str, str] | None:
    """Return the proxies, none at all to this machine, or None for what the environment says."""
    if place.proxy == "none" or (url is not None and url.startswith("http://")):
        return {}
    return None if place.proxy is None else {"http": place.proxy, "https": place.proxy}


# --- logging in ----------------------------------------------------------------------------------


def login_of(answer: Mapping[str, Any], host: str) -> Credential:
    """Read what GetAuthorizationToken gave for docker: base64 of ``user:password``, and its end.

    Raises:
        CredentialsError: It is something else.
    """
    data = answer.get("authorizationData")
    entry: Any = data[0] if isinstance(data, list) and data else data
    try:
        packed = entry["authorizationToken"]
        username, _, password = base64.b64decode(packed, validate=True).decode().partition(":")
    except (KeyError, TypeError, ValueError, binascii.Error):
        username = password = ""
    if not username or not password:
        msg = f"the token for {host} that AWS gave is no login"
        raise CredentialsError(msg, hint="something else than AWS may have answered") from None
    end = entry.get("expiresAt")
    return Credential(
        username=username,
        secret=Secret(password),
        expires_at=None if end is None else end.astimezone(UTC),
        origin="AWS (GetAuthorizationToken)",
    )


def place_options(endpoint: Endpoint) -> dict[str, str | None]:
    """Return what the options of an endpoint say of the addresses of APIs and the way there."""
    options = endpoint.options
    proxy = options.get("proxy")
    return {
        "url": options.get("api"),
        "sts_url": options.get("sts_api"),
        "proxy": None if proxy == "env" else proxy,
    }
