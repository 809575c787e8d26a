"""The way to TCR's registry, which does not answer at all to whom it does not let in."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.errors import ConnectionLost, Timeout
from harborsync.http.tokenserver import LoginRefused
from harborsync.registries.editions import Edition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.http.wire import Answer, Body, Call, Stream, Transport
    from harborsync.registries.tcr_place import TcrPlace

_CLOSED: Final = {
    "public": (
        "an instance lets nobody in from the internet until its public access is open and its "
        "allow-list has your address: see 'tccli tcr DescribeExternalEndpointStatus' and "
        "'DescribeSecurityPolicies'; in a VPC that is linked to it use NAME-vpc.tencentcloudcr.com"
    ),
    "vpc": (
        "this host answers only within a VPC that is linked to the instance: see "
        "'tccli tcr DescribeInternalEndpoints'; elsewhere use NAME.tencentcloudcr.com"
    ),
}
_NOT_TAKEN: Final = {
    Edition.ENTERPRISE: (
        "a login that was bought lasts an hour; of a service account see its end, its namespaces "
        "and that its name begins with tcr$; an API key is no login of the registry"
    ),
    Edition.PERSONAL: (
        "the user is the id of the account and the password the one set in the console of the "
        "personal edition; an API key is no login of the registry"
    ),
}
_WRITES: Final = frozenset({"PATCH", "POST", "PUT"})
_REFUSED: Final = frozenset({401, 403, 404})
_MAYBE: Final = (
    "the namespace may not exist: create it, or open the registry with create=auto; or this login "
    "lacks the right (harborsync.permissions.tencent)"
)


class TcrTransport:
    """A :class:`~harborsync.http.wire.Transport` that tells why nobody may have answered, or let one in.

    Args:
        inner: The way there.
        place: Where it leads.
        close: Is called when the way is closed.
    """

    def __init__(self, inner: Transport, place: TcrPlace, close: Callable[[], None]) -> None:
        self._inner = inner
        self._place = place
        self._close = close

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self._inner.origin

    def send(self, call: Call) -> Answer:
        """Send a small request and read the whole answer."""
        with self._explained():
            return _diagnosed(self._inner.send(call))

    def upload(self, call: Call, body: Body) -> Answer:
        """Send a large body once."""
        with self._explained():
            return _diagnosed(self._inner.upload(call, body))

    @contextmanager
    def stream(self, call: Call) -> Iterator[Stream]:
        """Send a GET whose answer is large."""
        with self._explained(), self._inner.stream(call) as stream:
            yield stream

    def close(self) -> None:
        """Close all connections, those to the API, too."""
        self._inner.close()
        self._close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (ConnectionLost, Timeout) as error:
            error.hint = error.hint or _CLOSED.get(self._place.net)
            raise
        except LoginRefused as error:
            error.hint = _NOT_TAKEN[self._place.edition]
            raise


def _diagnosed(answer: Answer) -> Answer:
    """Return an answer that says what a write which is refused may lack."""
    is_refused = answer.method in _WRITES and answer.status in _REFUSED
    if not is_refused or answer.diagnosis:
        return answer
    return attrs.evolve(answer, diagnosis=_MAYBE)
