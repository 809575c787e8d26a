"""The roles to assume that the options of an endpoint name; of Alibaba, Amazon and Tencent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from harborsync.errors import InvalidValue
from harborsync.units import Duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_Role = TypeVar("_Role")


def _seconds(text: str) -> int:
    return round(Duration.parse(text).seconds)


#: What an option says of a role, and how it is read.
OF_ROLES: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "external_id": ("external_id", str),
    "role_duration": ("duration", _seconds),
    "role_session": ("session_name", str),
}


def roles_of(
    options: Mapping[str, str],
    make: Callable[..., _Role],
    known: Mapping[str, tuple[str, Callable[[str], Any]]] = OF_ROLES,
) -> tuple[_Role, ...]:
    """Read ``role_arn=ARN[,ARN…]``; what else is said of roles is said of the last one.

    Args:
        options: The options of the endpoint.
        make: Makes a role of ``arn=`` and what is said of it.
        known: The options that say something of a role, the argument that each is, how it is read.

    Raises:
        InvalidValue: An option cannot be read, or there is no role that it could be about.
    """
    arns = [arn for arn in options.get("role_arn", "").split(",") if arn]
    given = {name: read(options[key]) for key, (name, read) in known.items() if key in options}
    if given and not arns:
        msg = "the endpoint says how to assume a role, and not which"
        raise InvalidValue(msg, hint="add role_arn=ARN")
    return tuple(
        make(arn=arn, **(given if number == len(arns) else {}))
        for number, arn in enumerate(arns, start=1)
    )
