"""What a login is, and who is asked for one.

A :class:`CredentialSource` answers for a host or passes; a :class:`Chain` asks one after
another. An answer that expires is renewed ahead of its end, by one thread for all.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import attrs

from harborsync.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from harborsync.clock import Clock
    from harborsync.secrets import Secret

#: How long before its end a credential is renewed, at the most; a short-lived one by a tenth of
#: its life, and never less than a request may take.
RENEW_AHEAD: Final = timedelta(minutes=5)
RENEW_AHEAD_AT_LEAST: Final = timedelta(seconds=60)


class Kind(StrEnum):
    """What a secret is used as."""

    BASIC = "basic"  # a password, sent as HTTP Basic or to the token server
    BEARER = "bearer"  # a registry token, sent as it is
    IDENTITY = "identity"  # a refresh token, exchanged at the token server (OCI-2.7)
    CLIENT = "client"  # an OAuth2 client id and secret, exchanged at the token server


@attrs.frozen(kw_only=True)
class Credential:
    """A login for one registry.

    Attributes:
        username: The user, robot or client id; empty where the secret says it all.
        secret: The password or token.
        kind: What the secret is used as.
        expires_at: When it ends, aware and in UTC, or None if that is not known.
        origin: Which source it came from, for people: ``environment``, ``docker config`` …
    """

    username: str = ""
    secret: Secret
    kind: Kind = Kind.BASIC
    expires_at: datetime | None = None
    origin: str = "argument"

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot be sent.

        Raises:
            InvalidValue: User name or secret are no text that UTF-8 can hold.
        """
        try:
            f"{self.username}{self.secret.reveal()}".encode()
        except UnicodeEncodeError:
            msg = f"the login from {self.origin} holds bytes that are not UTF-8"
            raise InvalidValue(msg, hint="write it down in UTF-8") from None  # which quotes it


class CredentialSource(Protocol):
    """Somebody who may know a login."""

    def get(self, host: str, repository: str = "") -> Credential | None:
        """Return the login for a registry host, or None to let the next source answer.

        Args:
            host: ``host[:port]`` as in the endpoint.
            repository: The repository in question, where logins differ by it (OCI-2.25).

        Raises:
            CredentialsError: This source is in charge, and is broken.
        """
        ...


@runtime_checkable
class Forgetful(Protocol):
    """A source that keeps answers, and can be told that one was refused."""

    def forget(self, host: str, refused: Credential) -> None:
        """Drop what is kept for ``host`` if it is still ``refused``, so that it is fetched anew.

        Many threads show one login, and say so one after another when it ends. Whatever was
        fetched since the first of them is to stay.

        Args:
            host: ``host[:port]`` as in the endpoint.
            refused: The login that was refused, as the source gave it.
        """
        ...


def tell_refused(source: CredentialSource, host: str, refused: Credential) -> None:
    """Have a login that was refused fetched anew, where ``source`` keeps answers at all.

    Args:
        source: Who gave the login.
        host: ``host[:port]`` as in the endpoint.
        refused: The login.
    """
    if isinstance(source, Forgetful):
        source.forget(host, refused)


class Anonymous:
    """Knows that no login is wanted, and says so by None."""

    def get(self, host: str, repository: str = "") -> Credential | None:  # noqa: ARG002
        """Return None."""
        return None


class Chain:
    """Asks sources in order; the first that answers is right.

    Attributes:
        sources: The sources, in order.
    """

    def __init__(self, sources: Iterable[CredentialSource]) -> None:
        self.sources = tuple(sources)

    def get(self, host: str, repository: str = "") -> Credential | None:
        """Return the first answer, or None if nobody has one."""
        for source in self.sources:
            found = source.get(host, repository)
            if found is not None:
                return found
        return None

    def forget(self, host: str, refused: Credential) -> None:
        """Let every source that keeps answers drop the one that was refused."""
        for source in self.sources:
            tell_refused(source, host, refused)


class Locks:
    """A lock for each name: fetching may take its time, and holds up only who asks the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_name: dict[str, threading.Lock] = {}

    def of(self, name: str) -> threading.Lock:
        """Return the lock of a name, the same each time."""
        with self._lock:
            return self._by_name.setdefault(name, threading.Lock())


class Refreshing:
    """Renews a login ahead of its end; of many threads that ask for one host, one fetches.

    Args:
        fetch: Gets a new credential, or None if it has none for that host; may take its time,
            may raise CredentialsError.
        clock: Tells when a credential is about to end.
    """

    def __init__(self, fetch: Callable[[str], Credential | None], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._locks = Locks()
        self._held: dict[str, tuple[Credential, datetime | None]] = {}

    def get(self, host: str, repository: str = "") -> Credential | None:  # noqa: ARG002
        """Return a credential that is good for a while yet, or None."""
        with self._locks.of(host):
            held, renew_at = self._held.get(host, (None, None))
            if held is None or (renew_at is not None and self._clock.now() >= renew_at):
                self._held.pop(host, None)
                held = self._fetch(host)
                if held is not None:
                    self._held[host] = held, renewal_of(held.expires_at, self._clock.now())
            return held

    def forget(self, host: str, refused: Credential) -> None:
        """Drop what is held for ``host`` if it is still what the registry refused."""
        with self._locks.of(host):
            held, _ = self._held.get(host, (None, None))
            if held == refused:
                del self._held[host]


def renewal_of(end: datetime | None, now: datetime) -> datetime | None:
    """Return when what has just come and ends then is to be renewed, or None for never."""
    if end is None:
        return None
    return end - max(RENEW_AHEAD_AT_LEAST, min(RENEW_AHEAD, (end - now) / 10))
