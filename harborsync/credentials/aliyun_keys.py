"""Keys that sign requests to Alibaba Cloud: where they are found, and how they are renewed."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self
from urllib.parse import quote

import attrs

from harborsync.credentials.base import renewal_of
from harborsync.errors import ConfigurationError, CredentialsError, NoCredentials, TransportError
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harborsync.clock import Clock
    from harborsync.http.metadata import MetadataTransport
    from harborsync.http.wire import Answer

_NOBODY: Final = "there is no identity for Alibaba Cloud: no variables, no token of a pod"
_HOW_TO_BE_SOMEBODY: Final = (
    "set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, run where the pod "
    "(RRSA) or the machine has a role, or hand over an AliyunIdentity"
)


@attrs.frozen(kw_only=True)
class Keys:
    """A key that signs.

    Attributes:
        key_id: Its id.
        secret: Its secret.
        token: The security token that must come with it, if it is a session's.
        expires_at: When it ends, aware and in UTC, or None.
        origin: Where it came from, for people.
    """

    key_id: str
    secret: Secret
    token: Secret | None = None
    expires_at: datetime | None = None
    origin: str = "argument"

    @classmethod
    def of_session(cls, said: Any, origin: str) -> Self:
        """Read the credentials of a session, as STS and machines spell them.

        Raises:
            CredentialsError: They are something else.
        """
        try:
            return cls(
                key_id=said["AccessKeyId"],
                secret=Secret(said["AccessKeySecret"]),
                token=Secret(said["SecurityToken"]),
                expires_at=datetime.fromisoformat(said["Expiration"]).astimezone(UTC),
                origin=origin,
            )
        except (KeyError, TypeError, ValueError):
            msg = f"what {origin} gave are no credentials"
        raise CredentialsError(msg, hint="something else than Alibaba Cloud may have answered")


class RenewingKeys:
    """Renews keys ahead of their end; of many threads that ask, one fetches.

    Args:
        fetch: Gets keys; may take its time.
        clock: Tells when they are about to end.
    """

    def __init__(self, fetch: Callable[[], Keys], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Keys | None = None
        self._renew_at: datetime | None = None

    def get(self) -> Keys:
        """Return keys that are good for a while yet."""
        with self._lock:
            if self._held is None or self._is_due():
                self._held = None
                fresh = self._fetch()
                self._renew_at = renewal_of(fresh.expires_at, self._clock.now())
                self._held = fresh
            return self._held

    def forget(self, refused: Keys) -> None:
        """Drop keys that were refused, unless there are others by now."""
        with self._lock:
            if self._held == refused:
                self._held = None

    def _is_due(self) -> bool:
        return self._renew_at is not None and self._clock.now() >= self._renew_at


class Finding:
    """Finds keys, and remembers that there are none: a machine that is none keeps one waiting.

    Args:
        find: Finds them.
    """

    def __init__(self, find: Callable[[], Keys]) -> None:
        self._find = find
        self._nobody: NoCredentials | None = None

    def __call__(self) -> Keys:
        """Return the keys.

        Raises:
            NoCredentials: There are none.
        """
        if self._nobody is not None:
            raise NoCredentials(self._nobody.message, hint=self._nobody.hint)
        try:
            return self._find()
        except NoCredentials as error:
            self._nobody = error
            raise


# --- this process ------------------------------------------------------------------------------


def from_environment(environ: Mapping[str, str]) -> Keys | None:
    """Return the access key in the environment, or None.

    Raises:
        ConfigurationError: There is half of one.
    """
    current = _pair(environ, "ALIBABA_CLOUD_", token="ALIBABA_CLOUD_SECURITY_TOKEN")  # noqa: S106 - a name
    return current or _pair(environ, "ALIYUN_", token="")  # the old names know no token


def _pair(environ: Mapping[str, str], prefix: str, *, token: str) -> Keys | None:
    names = (f"{prefix}ACCESS_KEY_ID", f"{prefix}ACCESS_KEY_SECRET")
    key_id, secret = (environ.get(name, "") for name in names)
    if not key_id and not secret:
        return None
    if not key_id or not secret:
        msg = f"{names[0] if key_id else names[1]} is set, and the other half of the key is not"
        raise ConfigurationError(msg, hint=f"set both {names[0]} and {names[1]}, or neither")
    session = environ.get(token, "")
    return Keys(
        key_id=key_id,
        secret=Secret(secret),
        token=Secret(session) if session else None,
        origin=f"environment ({names[0]})",
    )


# --- a pod: RRSA -------------------------------------------------------------------------------

_OIDC: Final = (
    "ALIBABA_CLOUD_ROLE_ARN",
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
    "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
)


class Unsigned(Protocol):
    """Asks STS without a signature."""

    def __call__(self, what: str, action: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to an action, given the fields of its form."""
        ...


@attrs.frozen(kw_only=True)
class OidcKeys:
    """The role of a service account of ACK (RRSA), or of a job of a CI.

    Attributes:
        role_arn: The role.
        provider_arn: The identity provider in RAM.
        token_file: Where the token is; it is rotated, and so read each time.
        ask: Asks STS.
        session_name: How the session is called in ActionTrail.
    """

    role_arn: str
    provider_arn: str
    token_file: Path = attrs.field(converter=Path)
    ask: Unsigned
    session_name: str = "harborsync"

    @classmethod
    def of(cls, environ: Mapping[str, str], ask: Unsigned) -> Self | None:
        """Read the variables that ACK puts into a pod; None if they are not there.

        Raises:
            ConfigurationError: Some of them are lacking.
        """
        role, provider, token_file = (environ.get(name, "") for name in _OIDC)
        if not provider and not token_file:
            return None  # a role alone is for somebody else, who assumes it by a key
        if not role or not provider or not token_file:
            lacking = next(name for name in _OIDC if not environ.get(name))
            msg = f"{lacking} is lacking beside the other variables of RRSA"
            raise ConfigurationError(msg, hint=f"set {', '.join(_OIDC)}, or none of them")
        name = environ.get("ALIBABA_CLOUD_ROLE_SESSION_NAME", "harborsync")
        return cls(
            role_arn=role, provider_arn=provider, token_file=token_file, ask=ask, session_name=name
        )

    def __call__(self) -> Keys:
        """Return keys of a new session.

        Raises:
            CredentialsError: The token cannot be read, or is not taken.
        """
        fields = {
            "RoleArn": self.role_arn,
            "OIDCProviderArn": self.provider_arn,
            "OIDCToken": self._token(),
            "RoleSessionName": self.session_name,
            "DurationSeconds": "3600",
        }
        said = self.ask(f"become {self.role_arn} by RRSA", "AssumeRoleWithOIDC", fields)
        return Keys.of_session(said.get("Credentials"), "STS (AssumeRoleWithOIDC)")

    def _token(self) -> str:
        try:
            return self.token_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            msg = f"the token of the pod cannot be read from {self.token_file}: {error}"
            raise CredentialsError(
                msg, hint="see ALIBABA_CLOUD_OIDC_TOKEN_FILE, and that the pod mounts the token"
            ) from None


# --- a machine ---------------------------------------------------------------------------------

_TOKEN_PATH: Final = "/latest/api/token"  # noqa: S105 - a path
_TOKEN_LIFE: Final = {"X-aliyun-ecs-metadata-token-ttl-seconds": "60"}
_TOKEN_FIELD: Final = "X-aliyun-ecs-metadata-token"  # noqa: S105 - a name
_ROLES: Final = "/latest/meta-data/ram/security-credentials/"
_OK: Final = 200


@attrs.frozen(kw_only=True)
class EcsKeys:
    """The role of an ECS machine, by the second version of its metadata service.

    Attributes:
        metadata: The way to the service.
        role: The role, or nothing for the one that the machine has.
    """

    metadata: MetadataTransport
    role: str = ""

    def __call__(self) -> Keys:
        """Return the keys that the machine has now.

        Raises:
            NoCredentials: This is no machine of Alibaba's, or one without a role.
        """
        try:
            return self._keys()
        except TransportError:
            msg = f"{_NOBODY}, and no role of a machine"
        raise NoCredentials(msg, hint=_HOW_TO_BE_SOMEBODY)

    def _keys(self) -> Keys:
        token = self._said(self.metadata.ask(_TOKEN_PATH, method="PUT", headers=_TOKEN_LIFE))
        headers = {_TOKEN_FIELD: token}
        role = self.role or self._said(self.metadata.ask(_ROLES, headers=headers)).split("\n")[0]
        text = self._said(self.metadata.ask(f"{_ROLES}{quote(role, safe='')}", headers=headers))
        try:
            said = json.loads(text)
        except ValueError:
            said = None
        return Keys.of_session(said, f"the machine's role {role}")

    def _said(self, answer: Answer) -> str:
        text = answer.body.decode(errors="replace").strip()
        if answer.status == _OK and text:
            return text
        named = f"the role {self.role!r}" if self.role else "a role"
        msg = f"this machine does not have {named} (its metadata service answers {answer.status})"
        raise NoCredentials(
            msg, hint=f"attach the role to the machine, or else {_HOW_TO_BE_SOMEBODY}"
        )


def nobody() -> Keys:
    """Say that there is nobody, where a machine's role is not to be asked for.

    Raises:
        NoCredentials: Always.
    """
    raise NoCredentials(_NOBODY, hint=_HOW_TO_BE_SOMEBODY)
