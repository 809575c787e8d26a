"""What the logins of all clouds have in common.

A provider of a cloud asks first whoever was handed over or is configured for the host, so that
an explicit login wins, and then the cloud itself, with whatever identity this machine has.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from harborsync.credentials.base import (
    Chain,
    Credential,
    CredentialSource,
    Refreshing,
    tell_refused,
)
from harborsync.credentials.defaults import Named
from harborsync.credentials.docker_config import IN_A_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.clock import Clock

_S = TypeVar("_S")


def with_cloud(
    given: CredentialSource, fetch: Callable[[str], Credential | None], clock: Clock
) -> CloudCredentials:
    """Return a source that asks ``given`` first, and the cloud where that has no login.

    Args:
        given: The sources of the user.
        fetch: Buys a login for a host from the cloud; None where it wants to be anonymous.
        clock: Tells when a login is about to end.
    """
    return CloudCredentials(given, Refreshing(fetch, clock))


class CloudCredentials:
    """Asks the user's sources, then the cloud; safe to use from many threads.

    Clouds' logins last for hours, and what ``docker login`` once left behind is mostly stale. So
    a login out of docker's files that the registry refuses gives way to the cloud's; one that was
    handed over on purpose does not.

    Args:
        given: The sources of the user.
        bought: The login that the cloud sells.
    """

    def __init__(self, given: CredentialSource, bought: Refreshing) -> None:
        self._given = given
        self._bought = bought
        self._lock = threading.Lock()
        self._stale: set[Credential] = set()

    def get(self, host: str, repository: str = "") -> Credential | None:
        """Return the login for a host, or None."""
        found = self._given.get(host, repository)
        if found is None or found in self._stale:
            return self._bought.get(host, repository)
        return found

    def forget(self, host: str, refused: Credential) -> None:
        """Look for another login next time than the one that the registry refused."""
        if refused.origin.startswith(IN_A_FILE):
            with self._lock:
                self._stale.add(refused)
        tell_refused(self._given, host, refused)
        self._bought.forget(host, refused)


def handed_over(given: CredentialSource, kind: type[_S]) -> _S | None:
    """Return the identity of a kind that the user handed over among the sources, if there is one.

    What buys logins for a registry asks the cloud's other APIs, too, and must be the same there.
    """
    if isinstance(given, kind):
        return given
    found = (handed_over(source, kind) for source in _behind(given))
    return next((each for each in found if each is not None), None)


def _behind(given: CredentialSource) -> tuple[CredentialSource, ...]:
    if isinstance(given, Named):
        return (given.source,)
    return given.sources if isinstance(given, Chain) else ()
