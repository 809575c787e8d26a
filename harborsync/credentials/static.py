"""Logins that the program itself hands over: a table, or a function that makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self, TypeVar

from harborsync.clock import SystemClock
from harborsync.credentials.base import Credential, Kind, Refreshing
from harborsync.credentials.hosts import canonical_key
from harborsync.errors import InvalidValue
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harborsync.clock import Clock

_Found = TypeVar("_Found")

#: Which field of a mapping holds the secret, and what that makes of it.
SECRET_FIELDS: Final = {
    "password": Kind.BASIC,
    "token": Kind.BEARER,
    "identity_token": Kind.IDENTITY,
    "client_secret": Kind.CLIENT,
}


class StaticCredentials:
    """A table of logins, by host or by the name an endpoint gives (``?credentials=NAME``).

    Args:
        logins: A credential for each ``host[:port]``, ``host/namespace`` or name. The most
            special key that fits is taken.
    """

    def __init__(self, logins: Mapping[str, Credential]) -> None:
        self._logins = {canonical_key(key): login for key, login in logins.items()}

    @classmethod
    def from_mapping(cls, entries: Mapping[str, Mapping[str, str]]) -> Self:
        """Read ``{host: {"username": …, "password": …}}`` as a configuration file gives it.

        In place of ``password`` there may be ``token``, ``identity_token`` or
        ``client_secret``.

        Raises:
            InvalidValue: An entry has no secret, two of them, or a field nobody knows.
        """
        return cls({key: credential_from_fields(key, entry) for key, entry in entries.items()})

    def get(self, host: str, repository: str = "") -> Credential | None:
        """Return the login for a host, or None."""
        return most_special(self._logins, host, repository)


class CallableCredentials:
    """Asks a function for logins, keeps them, and asks again ahead of their end.

    Args:
        fetch: Is given ``host[:port]``; returns None to let the next source answer.
        clock: Tells when a credential is about to end.
    """

    def __init__(
        self, fetch: Callable[[str], Credential | None], *, clock: Clock | None = None
    ) -> None:
        self._held = Refreshing(fetch, clock or SystemClock())

    def get(self, host: str, repository: str = "") -> Credential | None:
        """Return the login for a host, or None."""
        return self._held.get(host, repository)

    def forget(self, host: str, refused: Credential) -> None:
        """Ask the function again next time, if what is held is what the registry refused."""
        self._held.forget(host, refused)


def most_special(table: Mapping[str, _Found], host: str, repository: str = "") -> _Found | None:
    """Return the entry whose key is the longest prefix of ``host/repository``, by whole parts."""
    key = canonical_key(host)
    wanted = f"{key}/{repository}" if repository else key
    while wanted not in table and "/" in wanted:
        wanted = wanted.rpartition("/")[0]
    return table.get(wanted)


def credential_from_fields(
    name: str, fields: Mapping[str, str], *, origin: str = "argument"
) -> Credential:
    """Make a credential of ``username`` and one of the fields that hold a secret.

    Raises:
        InvalidValue: There is no secret, or several, or a field nobody knows.
    """
    given = [field for field in SECRET_FIELDS if fields.get(field)]
    strange = fields.keys() - SECRET_FIELDS.keys() - {"username"}
    if len(given) != 1 or strange:
        msg = f"the login for {name!r} must have exactly one of {', '.join(SECRET_FIELDS)}"
        raise InvalidValue(
            msg, hint=f"{', '.join(sorted(strange))} is not known here" if strange else None
        )
    return Credential(
        username=fields.get("username", ""),
        secret=Secret(fields[given[0]]),
        kind=SECRET_FIELDS[given[0]],
        origin=origin,
    )
