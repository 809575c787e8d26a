"""Keys that sign requests to Tencent Cloud: where they are found in a process, pod or machine."""

from __future__ import annotations

import configparser
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import attrs

from harborsync.credentials.keys import Keys, token_of_pod
from harborsync.credentials.machines import Machine
from harborsync.errors import ConfigurationError, CredentialsError
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harborsync.http.metadata import MetadataTransport

_NOBODY: Final = (
    "there is no identity for Tencent Cloud: no variables, no profile, no token of a pod"
)
_HOW_TO_BE_SOMEBODY: Final = (
    "set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY, run where the pod (TKE) or the "
    "machine has a role, or hand over a TencentIdentity; a service account or a long-term token "
    "of the registry is a login like any other"
)


def session_of(credentials: Any, ends: Any, origin: str) -> Keys:
    """Read the keys of a session, as STS and machines spell them.

    Args:
        credentials: Where ids and secrets stand.
        ends: When they end, in seconds since 1970.
        origin: Who gave them, for people.

    Raises:
        CredentialsError: They are something else.
    """
    try:
        return Keys(
            key_id=credentials["TmpSecretId"],
            secret=Secret(credentials["TmpSecretKey"]),
            token=Secret(credentials["Token"]),
            expires_at=datetime.fromtimestamp(int(ends), UTC),
            origin=origin,
        )
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        msg = f"what {origin} gave are no credentials"
    raise CredentialsError(msg, hint="something else than Tencent Cloud may have answered")


# --- this process ------------------------------------------------------------------------------

_ID, _KEY = "TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"
_TOKEN: Final = "TENCENTCLOUD_TOKEN"  # noqa: S105 - a name


def from_environment(environ: Mapping[str, str]) -> Keys | None:
    """Return the key in the environment, or None.

    Raises:
        ConfigurationError: There is half of one.
    """
    key_id, secret, token = (environ.get(name, "").strip() for name in (_ID, _KEY, _TOKEN))
    if not key_id and not secret:
        return None
    if not key_id or not secret:
        msg = f"{_ID if key_id else _KEY} is set, and the other half of the key is not"
        raise ConfigurationError(msg, hint=f"set both {_ID} and {_KEY}, or neither")
    return _keys(key_id, secret, token, f"environment ({_ID})")


def _keys(key_id: str, secret: str, token: str, origin: str) -> Keys:
    return Keys(
        key_id=key_id,
        secret=Secret(secret),
        token=Secret(token) if token else None,
        origin=origin,
    )


# --- a profile ---------------------------------------------------------------------------------

_FILE: Final = Path(".tencentcloud", "credentials")
_SHARED: Final = Path("/etc/tencentcloud/credentials")
_DEFAULT: Final = "default"


def from_profile(
    environ: Mapping[str, str], name: str | None = None, *, shared: Path = _SHARED
) -> Keys | None:
    """Return the key of a profile, or None if nobody has asked for one and there is none.

    Args:
        environ: The variables of this process.
        name: The profile, or None for the default one.
        shared: The file that is read where the user has none.

    Raises:
        ConfigurationError: The profile that is asked for is not there, or there is half a key.
    """
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    file = next((each for each in (home / _FILE, shared) if each.is_file()), None)
    found = None if file is None else _section(file, name or _DEFAULT)
    if found is None or file is None:
        if name is None:
            return None
        msg = f"there is no profile {name[:100]!r}"
        raise ConfigurationError(msg, hint=f"write a section of this name into ~/{_FILE}")
    key_id, secret, token = (
        found.get(key, "").strip().strip("\"'") for key in ("secret_id", "secret_key", "token")
    )
    if not key_id or not secret:
        msg = f"the profile {name or _DEFAULT} in {file} does not hold a whole key"
        raise ConfigurationError(msg, hint="write secret_id= and secret_key= into it")
    return _keys(key_id, secret, token, f"profile {name or _DEFAULT} ({file})")


def _section(file: Path, name: str) -> Mapping[str, str] | None:
    # The texts of its errors quote lines, so they are not passed on.
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
        return dict(parser[name]) if parser.has_section(name) else None
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        kind = type(error).__name__
    msg = f"{file} cannot be read as profiles ({kind})"
    raise ConfigurationError(msg, hint="write [NAME], and secret_id= and secret_key= below it")


# --- a pod: TKE --------------------------------------------------------------------------------

_OIDC_TOKEN: Final = "TKE_WEB_IDENTITY_TOKEN_FILE"  # noqa: S105 - a name
_OIDC: Final = ("TKE_REGION", "TKE_PROVIDER_ID", "TKE_ROLE_ARN", _OIDC_TOKEN)


class Unsigned(Protocol):
    """Asks STS without a signature."""

    def __call__(
        self, what: str, action: str, fields: dict[str, Any], region: str
    ) -> dict[str, Any]:
        """Return the answer to an action in a region."""
        ...


@attrs.frozen(kw_only=True)
class OidcKeys:
    """The role of a service account of TKE.

    Attributes:
        region: Where the role is assumed.
        provider_id: The identity provider in CAM.
        role_arn: The role.
        token_file: Where the token is; it is rotated, and so read each time.
        ask: Asks STS.
    """

    region: str
    provider_id: str
    role_arn: str
    token_file: Path = attrs.field(converter=Path)
    ask: Unsigned

    @classmethod
    def of(cls, environ: Mapping[str, str], ask: Unsigned) -> Self | None:
        """Read the variables that TKE puts into a pod; None if they are not there.

        Raises:
            ConfigurationError: Some of them are lacking.
        """
        region, provider, role, token_file = (environ.get(name, "") for name in _OIDC)
        if not provider and not token_file:
            return None
        lacking = [name for name in _OIDC if not environ.get(name)]
        if lacking:
            msg = f"{lacking[0]} is lacking beside the other variables of TKE"
            raise ConfigurationError(msg, hint=f"set {', '.join(_OIDC)}, or none of them")
        return cls(
            region=region, provider_id=provider, role_arn=role, token_file=token_file, ask=ask
        )

    def __call__(self) -> Keys:
        """Return keys of a new session.

        Raises:
            CredentialsError: The token cannot be read, or is not taken.
        """
        fields = {
            "ProviderId": self.provider_id,
            "WebIdentityToken": token_of_pod(self.token_file, _OIDC_TOKEN),
            "RoleArn": self.role_arn,
            "RoleSessionName": "harborsync",
            "DurationSeconds": 7200,
        }
        what, action = f"become {self.role_arn} by TKE", "AssumeRoleWithWebIdentity"
        said = self.ask(what, action, fields, self.region)
        return session_of(said.get("Credentials"), said.get("ExpiredTime"), f"STS ({action})")


# --- a machine ---------------------------------------------------------------------------------

_ROLES: Final = "/latest/meta-data/cam/security-credentials/"


@attrs.frozen(kw_only=True)
class CvmKeys:
    """The role of a CVM machine, by its metadata service.

    Attributes:
        metadata: The way to the service.
        role: The role, or nothing for the one that the machine has.
    """

    metadata: MetadataTransport
    role: str = ""

    def __call__(self) -> Keys:
        """Return the keys that the machine has now.

        Raises:
            NoCredentials: This is no machine of Tencent's, or one without a role.
        """
        machine = Machine(
            metadata=self.metadata,
            roles=_ROLES,
            role=self.role,
            nobody=_NOBODY,
            remedy=_HOW_TO_BE_SOMEBODY,
        )
        role, said = machine.keys()
        ends = said.get("ExpiredTime") if isinstance(said, dict) else None
        return session_of(said, ends, f"the machine's role {role}")
