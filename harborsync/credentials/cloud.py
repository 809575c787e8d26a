"""What the logins of all clouds have in common.

A provider of a cloud asks first whoever was handed over or is configured for the host, so that
an explicit login wins, and then the cloud itself, with whatever identity this machine has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from harborsync.credentials.base import Chain, Credential, CredentialSource, Refreshing

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.clock import Clock

_S = TypeVar("_S")


def with_cloud(
    given: CredentialSource, fetch: Callable[[str], Credential | None], clock: Clock
) -> Chain:
    """Return a source that asks ``given`` first, and the cloud where that has no login.

    Args:
        given: The sources of the user.
        fetch: Buys a login for a host from the cloud; None where it wants to be anonymous.
        clock: Tells when a login is about to end.
    """
    return Chain((given, Refreshing(fetch, clock)))


def handed_over(given: CredentialSource, kind: type[_S]) -> _S | None:
    """Return the identity of a kind that the user handed over among the sources, if there is one.

    What buys logins for a registry asks the cloud's other APIs, too, and must be the same there.
    """
    if isinstance(given, kind):
        return given
    sources = given.sources if isinstance(given, Chain) else ()
    found = (handed_over(source, kind) for source in sources)
    return next((each for each in found if each is not None), None)
