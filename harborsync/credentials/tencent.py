"""Who we are to Tencent Cloud: a key, a role assumed, a profile, a pod's or a machine's role.

Without a word from you it is what this process finds, in this order: ``TENCENTCLOUD_*`` variables,
a profile, a service account of TKE, the role of a CVM machine. A key and roles of yours go before
it::

    TencentIdentity.of_key("AKID…", Secret("…"), roles=[CamRole(arn="qcs::cam::uin/1:roleName/m")])

The SDK's own chain takes no session token from variables or profiles, and waits for a machine's
metadata without end.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Self

import attrs

from harborsync.credentials.keys import Keys
from harborsync.credentials.roles import roles_of
from harborsync.errors import ConfigurationError, InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harborsync.secrets import Secret

EXTRA: Final = "tencent"
_ROLE: Final = re.compile(r"qcs::cam::uin/[0-9]+:role(?:Name)?/[\w.@+=,-]+", re.ASCII)
_SESSION_NAME: Final = re.compile(r"[\w+=,.@-]{2,128}", re.ASCII)
_SHORTEST, _LONGEST = 60, 43_200  # of AssumeRole's DurationSeconds


@attrs.frozen(kw_only=True)
class CamRole:
    """A role to assume.

    Attributes:
        arn: Its name.
        external_id: What its trust policy asks for, or None.
        session_name: How the session is called in CloudAudit.
        duration: Seconds a session lasts; it is renewed before its end.
    """

    arn: str
    external_id: str | None = None
    session_name: str = "harborsync"
    duration: int = 7200

    def __attrs_post_init__(self) -> None:
        """Refuse what STS would refuse.

        Raises:
            InvalidValue: A part cannot be so.
        """
        if not _ROLE.fullmatch(self.arn):
            msg = f"{self.arn[:200]!r} is no role"
            raise InvalidValue(msg, hint="write it like qcs::cam::uin/100000000001:roleName/NAME")
        if not _SESSION_NAME.fullmatch(self.session_name):
            msg = f"{self.session_name[:200]!r} cannot name a session of a role"
            raise InvalidValue(msg, hint="use 2 to 128 letters, digits and +=,.@-_")
        if not _SHORTEST <= self.duration <= _LONGEST:
            msg = f"a role cannot be assumed for {self.duration} seconds"
            raise InvalidValue(msg, hint="a minute to 12 hours, and no more than the role allows")

    @property
    def request(self) -> dict[str, Any]:
        """The parameters of AssumeRole."""
        wish = {
            "RoleArn": self.arn,
            "RoleSessionName": self.session_name,
            "DurationSeconds": self.duration,
        }
        return wish if self.external_id is None else {**wish, "ExternalId": self.external_id}


def _roles(roles: Iterable[CamRole]) -> tuple[CamRole, ...]:
    return tuple(roles)


@attrs.frozen(kw_only=True)
class TencentIdentity:
    """Where an identity comes from; hand one over among the credentials, or name it by options.

    It answers for no host by itself: the provider of Tencent's registries asks for it.

    Attributes:
        source: Gives the keys to begin with, whenever they are wanted anew, in place of what
            this process finds; may take its time, may be called by several threads.
        profile: A section of ``~/.tencentcloud/credentials`` to begin with, or None.
        cvm_role: The role of the machine to begin with, or None.
        roles: Roles to assume, each by the one before.
    """

    source: Callable[[], Keys] | None = attrs.field(default=None, repr=False)
    profile: str | None = None
    cvm_role: str | None = None
    roles: tuple[CamRole, ...] = attrs.field(default=(), converter=_roles)

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot go together.

        Raises:
            ConfigurationError: It begins with more than one thing.
        """
        beginnings = (self.source, self.profile, self.cvm_role)
        if sum(each is not None for each in beginnings) > 1:
            msg = "an identity begins with keys, with a profile or with the role of a machine"
            raise ConfigurationError(msg, hint="choose one of them")

    @classmethod
    def of_key(cls, key_id: str, secret: Secret, token: Secret | None = None, **more: Any) -> Self:
        """Return the identity of a key.

        Args:
            key_id: The id of the key, ``AKID…`` or ``IKID…``.
            secret: Its secret.
            token: The token of STS, if the key is a session's.
            more: Roles to assume with it.
        """
        keys = Keys(key_id=key_id, secret=secret, token=token, origin="argument")
        return cls(source=lambda: keys, **more)

    def get(self, host: str, repository: str = "") -> None:
        """Return None: only a provider can make a login of this."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without keys.

        Raises:
            ConfigurationError: There are some.
        """
        if self.source is not None:
            msg = "keys of Tencent Cloud cannot be handed to another process"
            raise ConfigurationError(
                msg, hint="set TENCENTCLOUD_SECRET_ID and _SECRET_KEY there, or use a role"
            )
        return _identity, (self.profile, self.cvm_role, self.roles)

    def with_options(self, options: Mapping[str, str]) -> TencentIdentity:
        """Return the identity that the options of an endpoint ask for, beginning with this one.

        Raises:
            InvalidValue: An option cannot be read.
            ConfigurationError: The options name both a profile and a machine's role.
        """
        roles = (*self.roles, *roles_of(options, CamRole))
        profile, cvm_role = options.get("profile"), options.get("cvm_role")
        if profile is None and cvm_role is None:
            return attrs.evolve(self, roles=roles)
        return TencentIdentity(profile=profile, cvm_role=cvm_role, roles=roles)


def _identity(
    profile: str | None, cvm_role: str | None, roles: tuple[CamRole, ...]
) -> TencentIdentity:
    return TencentIdentity(profile=profile, cvm_role=cvm_role, roles=roles)


#: The options of an endpoint that say who asks.
IDENTITY_OPTIONS: Final = frozenset(
    {
        "cvm_role",
        "external_id",
        "profile",
        "role_arn",
        "role_duration",
        "role_session",
        "sts_api",
    }
)
