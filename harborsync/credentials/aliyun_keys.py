"""Keys that sign requests to Alibaba Cloud: where they are found in a process, pod or machine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import attrs

from harborsync.credentials.keys import Keys, token_of_pod
from harborsync.credentials.machines import Machine
from harborsync.errors import ConfigurationError, CredentialsError, NoCredentials
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harborsync.http.metadata import MetadataTransport

_NOBODY: Final = "there is no identity for Alibaba Cloud: no variables, no token of a pod"
_HOW_TO_BE_SOMEBODY: Final = (
    "set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, run where the pod "
    "(RRSA) or the machine has a role, or hand over an AliyunIdentity"
)


def session_of(said: Any, origin: str) -> Keys:
    """Read the credentials of a session, as STS and machines spell them.

    Args:
        said: Where they stand.
        origin: Who gave them, for people.

    Raises:
        CredentialsError: They are something else.
    """
    try:
        return Keys(
            key_id=said["AccessKeyId"],
            secret=Secret(said["AccessKeySecret"]),
            token=Secret(said["SecurityToken"]),
            expires_at=datetime.fromisoformat(said["Expiration"]).astimezone(UTC),
            origin=origin,
        )
    except (KeyError, TypeError, ValueError):
        msg = f"what {origin} gave are no credentials"
    raise CredentialsError(msg, hint="something else than Alibaba Cloud may have answered")


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

_OIDC_TOKEN: Final = "ALIBABA_CLOUD_OIDC_TOKEN_FILE"  # noqa: S105 - a name
_OIDC: Final = ("ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", _OIDC_TOKEN)


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
            "OIDCToken": token_of_pod(self.token_file, _OIDC_TOKEN),
            "RoleSessionName": self.session_name,
            "DurationSeconds": "3600",
        }
        said = self.ask(f"become {self.role_arn} by RRSA", "AssumeRoleWithOIDC", fields)
        return session_of(said.get("Credentials"), "STS (AssumeRoleWithOIDC)")


# --- a machine ---------------------------------------------------------------------------------

_TOKEN_PATH: Final = "/latest/api/token"  # noqa: S105 - a path
_TOKEN_LIFE: Final = {"X-aliyun-ecs-metadata-token-ttl-seconds": "60"}
_TOKEN_FIELD: Final = "X-aliyun-ecs-metadata-token"  # noqa: S105 - a name
_ROLES: Final = "/latest/meta-data/ram/security-credentials/"


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
        machine = Machine(
            metadata=self.metadata,
            roles=_ROLES,
            role=self.role,
            nobody=_NOBODY,
            remedy=_HOW_TO_BE_SOMEBODY,
        )
        token = machine.ask(_TOKEN_PATH, method="PUT", headers=_TOKEN_LIFE)
        role, said = machine.keys({_TOKEN_FIELD: token})
        return session_of(said, f"the machine's role {role}")


def nobody() -> Keys:
    """Say that there is nobody, where a machine's role is not to be asked for.

    Raises:
        NoCredentials: Always.
    """
    raise NoCredentials(_NOBODY, hint=_HOW_TO_BE_SOMEBODY)
