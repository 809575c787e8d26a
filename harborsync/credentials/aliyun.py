"""Who we are to Alibaba Cloud: an access key, a role assumed, a pod's or a machine's role.

Without a word from you it is what this process finds, in this order: ``ALIBABA_CLOUD_*``
variables, the older ``ALIYUN_*`` ones, a service account of ACK (RRSA), the role of an ECS
machine. A key and roles of yours go before it::

    AliyunIdentity.of_key("LTAI…", Secret("…"), roles=[RamRole(arn="acs:ram::1:role/mirror")])

The SDK's own order is another one: its variables win over credentials handed to it.
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

EXTRA: Final = "aliyun"
_ROLE: Final = re.compile(r"acs:ram::[0-9]+:role/[\w.@-]+", re.ASCII)
_SESSION_NAME: Final = re.compile(r"[\w.@-]{2,64}", re.ASCII)
_SHORTEST, _LONGEST = 900, 43_200  # of AssumeRole's DurationSeconds


@attrs.frozen(kw_only=True)
class RamRole:
    """A role to assume.

    Attributes:
        arn: Its name.
        external_id: What its trust policy asks for, or None.
        session_name: How the session is called in ActionTrail.
        duration: Seconds a session lasts; it is renewed before its end.
    """

    arn: str
    external_id: str | None = None
    session_name: str = "harborsync"
    duration: int = 3600

    def __attrs_post_init__(self) -> None:
        """Refuse what STS would refuse.

        Raises:
            InvalidValue: A part cannot be so.
        """
        if not _ROLE.fullmatch(self.arn):
            msg = f"{self.arn[:200]!r} is no role"
            raise InvalidValue(msg, hint="write it like acs:ram::1234567890123456:role/NAME")
        if not _SESSION_NAME.fullmatch(self.session_name):
            msg = f"{self.session_name[:100]!r} cannot name a session of a role"
            raise InvalidValue(msg, hint="use 2 to 64 letters, digits and .@-_")
        if not _SHORTEST <= self.duration <= _LONGEST:
            msg = f"a role cannot be assumed for {self.duration} seconds"
            raise InvalidValue(msg, hint="15 minutes to 12 hours, and no more than the role allows")

    @property
    def request(self) -> dict[str, Any]:
        """The parameters of AssumeRole."""
        return {
            "RoleArn": self.arn,
            "RoleSessionName": self.session_name,
            "DurationSeconds": self.duration,
            "ExternalId": self.external_id,
        }


def _roles(roles: Iterable[RamRole]) -> tuple[RamRole, ...]:
    return tuple(roles)


@attrs.frozen(kw_only=True)
class AliyunIdentity:
    """Where an identity comes from; hand one over among the credentials, or name it by options.

    It answers for no host by itself: the provider of Alibaba's registries asks for it.

    Attributes:
        source: Gives the keys to begin with, whenever they are wanted anew, in place of what
            this process finds; may take its time, may be called by several threads.
        ecs_role: The role of the machine to begin with, or None.
        roles: Roles to assume, each by the one before.
    """

    source: Callable[[], Keys] | None = attrs.field(default=None, repr=False)
    ecs_role: str | None = None
    roles: tuple[RamRole, ...] = attrs.field(default=(), converter=_roles)

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot go together.

        Raises:
            ConfigurationError: There are keys and a machine's role.
        """
        if self.source is not None and self.ecs_role is not None:
            msg = "an identity begins with keys or with the role of a machine, not with both"
            raise ConfigurationError(msg)

    @classmethod
    def of_key(cls, key_id: str, secret: Secret, token: Secret | None = None, **more: Any) -> Self:
        """Return the identity of an access key.

        Args:
            key_id: The id of the key.
            secret: Its secret.
            token: The security token of STS, if the key is a session's.
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
            msg = "access keys cannot be handed to another process"
            raise ConfigurationError(
                msg, hint="set ALIBABA_CLOUD_ACCESS_KEY_ID and _SECRET there, or use a role"
            )
        return _identity, (self.ecs_role, self.roles)

    def with_options(self, options: Mapping[str, str]) -> AliyunIdentity:
        """Return the identity that the options of an endpoint ask for, beginning with this one.

        Raises:
            InvalidValue: An option cannot be read.
        """
        roles = (*self.roles, *roles_of(options, RamRole))
        ecs_role = options.get("ecs_role")
        if ecs_role is None:
            return attrs.evolve(self, roles=roles)
        return attrs.evolve(self, ecs_role=ecs_role, source=None, roles=roles)


def _identity(ecs_role: str | None, roles: tuple[RamRole, ...]) -> AliyunIdentity:
    return AliyunIdentity(ecs_role=ecs_role, roles=roles)


#: The options of an endpoint that say who asks.
IDENTITY_OPTIONS: Final = frozenset(
    {"ecs_role", "external_id", "role_arn", "role_duration", "role_session", "sts_api"}
)
