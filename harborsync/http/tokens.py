"""Tokens: fetched once for all who wait, kept while they last, dropped when refused."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.errors import Cancelled, HarborsyncError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.clock import Clock
    from harborsync.credentials.base import Credential
    from harborsync.http.urls import Origin
    from harborsync.secrets import Secret

#: A token lives at least so long, whatever the server says (OCI-2.8).
SHORTEST_LIFE: Final = 60.0
#: A token is not used in the last part of its life (OCI-2.9).
_LARGEST_MARGIN: Final = 30.0
_MARGIN_SHARE: Final = 0.1


@attrs.frozen(kw_only=True)
class TokenKey:
    """What makes two tokens interchangeable (OCI-2.13)."""

    origin: Origin
    realm: str
    service: str
    username: str
    secret: Secret | None
    scopes: frozenset[str]


@attrs.frozen(kw_only=True)
class Token:
    """A token as received.

    Attributes:
        secret: The token itself.
        until: Monotonic time until which it is used.
        lacks: Scopes that were asked and are not in it, as far as it tells.
        asked_at: Monotonic time when its fetch began.
    """

    secret: Secret
    until: float
    lacks: tuple[str, ...] = ()
    asked_at: float = 0.0


class TokenCache:
    """Keeps tokens, and lets one thread fetch what many wait for; thread-safe (OCI-2.14).

    Args:
        clock: Tells when a token is about to end.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[TokenKey, Future[Token]] = {}

    def get(self, key: TokenKey, fetch: Callable[[], Token]) -> Token:
        """Return a token that is good for a while yet, fetching it if need be.

        Raises:
            HarborsyncError: The fetch failed, for all who waited for it.
        """
        with self._lock:
            flight = self._held.get(key)
            ours = flight is None or self._is_over(flight)
            if ours:
                self._drop_ended()
                flight = self._held[key] = Future()
        assert flight is not None  # noqa: S101 - one of the two branches has made it
        if ours:
            self._fly(key, flight, fetch)
        try:
            return flight.result()
        except HarborsyncError as error:
            if ours:
                raise
            if not isinstance(error, Cancelled):
                raise copy.copy(error) from None
        return self.get(key, fetch)  # whoever fetched was told to stop, and we were not

    def drop(self, key: TokenKey, token: Token) -> None:
        """Forget a token that was refused; one that another thread fetched since stays."""
        with self._lock:
            flight = self._held.get(key)
            if flight is not None and _landed(flight) is token:
                del self._held[key]

    def _fly(self, key: TokenKey, flight: Future[Token], fetch: Callable[[], Token]) -> None:
        try:
            flight.set_result(fetch())
        except BaseException as error:
            with self._lock:
                if self._held.get(key) is flight:
                    del self._held[key]
            flight.set_exception(error)
            if not isinstance(error, HarborsyncError):
                raise

    def _is_over(self, flight: Future[Token]) -> bool:
        token = _landed(flight)
        return token is not None and self._clock.monotonic() >= token.until

    def _drop_ended(self) -> None:
        """Keep the cache as small as the number of tokens in use."""
        for key in [key for key, flight in self._held.items() if self._is_over(flight)]:
            del self._held[key]


def _landed(flight: Future[Token]) -> Token | None:
    return flight.result() if flight.done() and flight.exception() is None else None


def life_of(expires_in: float | None, credential: Credential | None, clock: Clock) -> float:
    """Return the seconds for which a token is used (OCI-2.8, 2.9, 2.18).

    Args:
        expires_in: What the server said, counted from now; its own clock does not matter.
        credential: What the token was fetched with; the token does not outlive it.
        clock: Tells how long that is.
    """
    life = max(SHORTEST_LIFE, expires_in or 0.0)
    life -= min(_LARGEST_MARGIN, life * _MARGIN_SHARE)
    if credential is not None and credential.expires_at is not None:
        life = min(life, (credential.expires_at - clock.now()).total_seconds())
    return life
