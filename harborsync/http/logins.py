"""The login for one registry, as its source knows it: asked for rarely, and told what was refused.

Many threads show one login, and are refused together when it ends. Whoever says so names the
login that was refused: by the time the second says it, the first may have got another one.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from harborsync.credentials.base import Credential, tell_refused

if TYPE_CHECKING:
    from harborsync.clock import Clock
    from harborsync.credentials.base import CredentialSource

#: How long a login is taken for the same without asking its source, which may read files.
LOGIN_KEEPS: Final = 1.0
#: How long a login that was refused is not shown to a token server again, nor fetched anew: a
#: wrong password sent by every worker locks its user out.
REFUSAL_LASTS: Final = 30.0


class Logins:
    """Asks a source for the logins of one host; thread-safe.

    Args:
        host: The host, as in the endpoint.
        source: Who knows its logins.
        clock: Tells how old an answer is.
    """

    def __init__(self, host: str, source: CredentialSource, clock: Clock) -> None:
        self._host = host
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[str, tuple[float, Credential | None]] = {}
        self._drops = 0
        self._telling = threading.Lock()
        self._told: dict[Credential, float] = {}

    def of(self, repository: str = "") -> Credential | None:
        """Return the login for a repository; its source is asked once a second at the most.

        Raises:
            CredentialsError: The source that is in charge is broken.
        """
        now = self._clock.monotonic()
        until, held = self._held.get(repository, (now, None))
        if now < until:
            return held
        drops = self._drops
        found = self._source.get(self._host, repository)
        with self._lock:
            if self._drops == drops:  # else it may be the very login that was refused meanwhile
                self._held[repository] = now + LOGIN_KEEPS, found
        return found

    def look_again(self, shown: Credential | None) -> None:
        """Ask the source again where ``shown`` is what it said last."""
        with self._lock:
            self._drops += 1
            self._held = {key: held for key, held in self._held.items() if held[1] != shown}

    def forget(self, refused: Credential) -> None:
        """Have a login that was refused fetched anew, once in a while."""
        with self._telling:
            if self._clock.monotonic() >= self._told.get(refused, float("-inf")):
                self._told[refused] = self._clock.monotonic() + REFUSAL_LASTS
                tell_refused(self._source, self._host, refused)
        self.look_again(refused)

    def instead_of(self, refused: Credential | None, repository: str) -> Credential | None:
        """Return the login if its source has another one by now, as one that has ended early.

        Raises:
            CredentialsError: The source that is in charge is broken.
        """
        if refused is None:
            self.look_again(None)
        else:
            self.forget(refused)
        found = self.of(repository)
        return None if found == refused else found
