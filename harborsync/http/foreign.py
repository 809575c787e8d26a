"""Content that lies elsewhere: the ``urls`` of a descriptor, fetched as by any stranger.

A manifest from a source nobody vouches for may name any address here, so no login ever goes
along, only public addresses are connected to, and what comes is believed only if its digest is
right (OCI-3.19, 9.5).
"""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.credentials.base import Anonymous
from harborsync.endpoint import Endpoint
from harborsync.errors import AddressRefused, HarborsyncError, NotFound
from harborsync.http.addresses import Zone, zone_of
from harborsync.http.urls import Url
from harborsync.http.wire import Call
from harborsync.secrets import redact_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.content import Descriptor
    from harborsync.http.dial import Resolver
    from harborsync.provider import OpenContext

_OK: Final = 200
_PARTIAL: Final = 206


class ForeignContent:
    """Fetches blobs from their ``urls``; safe to use from many threads.

    Args:
        context: Clock, policy, limits, cancel flag; its logins are never used.
        zones: Where may be connected to; tests add the loopback zone.
        resolve: Looks names up.
    """

    def __init__(
        self,
        context: OpenContext,
        *,
        zones: frozenset[Zone] = frozenset({Zone.PUBLIC}),
        resolve: Resolver = socket.getaddrinfo,
    ) -> None:
        self._context = attrs.evolve(context, credentials=Anonymous())
        self._zones = zones
        self._resolve = resolve

    @contextmanager
    def open(self, blob: Descriptor, offset: int = 0) -> Iterator[Iterator[bytes]]:
        """Open a blob at the first of its URLs that has it, from ``offset``.

        Raises:
            NotFound: None of them has it; the message says what each answered.
        """
        refusals: list[str] = []
        with ExitStack() as stack:
            for url in blob.urls:
                try:
                    blocks = stack.enter_context(self._open(url, offset))
                except HarborsyncError as error:
                    refusals.append(f"{redact_url(url)}: {error.message}")
                else:
                    yield blocks
                    return
        msg = f"{blob.digest} is at none of its URLs; {'; '.join(refusals) or 'it names none'}"
        raise NotFound(msg)

    @contextmanager
    def _open(self, url: str, offset: int) -> Iterator[Iterator[bytes]]:
        from harborsync.http.session import open_transport  # noqa: PLC0415 - loads requests

        origin = Url.parse(url).origin
        endpoint = Endpoint(provider="registry", address=origin.netloc)
        transport = open_transport(
            endpoint, self._context, origin=str(origin), resolve=self._admitted
        )
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        call = Call(method="GET", url=url, headers=headers, what="fetch foreign content")
        try:
            with transport.stream(call) as stream:
                status = stream.answer.status
                if status != (_PARTIAL if offset else _OK):
                    msg = f"the answer was {status}"
                    raise NotFound(msg, method="GET", url=redact_url(url), status=status)
                yield stream.blocks()
        finally:
            transport.close()

    def _admitted(self, host: str, port: int, *, type: int) -> list[tuple[Any, ...]]:  # noqa: A002
        """Look a name up, and refuse it if it is anywhere we do not go."""
        found = self._resolve(host, port, type=type)
        for *_, address in found:
            if zone_of(str(address[0])) not in self._zones:
                msg = f"{host} is at {address[0]}, where foreign content is never fetched"
                raise AddressRefused(msg)
        return found
