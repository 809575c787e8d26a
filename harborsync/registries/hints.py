"""What a tag probably points to: the digest its repository was heard to tell last.

Tags that lie beside each other often share a manifest: ``1.4.2``, ``1.4`` and ``latest``, or a
build and its release. A HEAD can name a digest (``If-None-Match``), and a registry for which it
holds answers 304 without reading the manifest. Measured at distribution 3.1.2: half the work;
Harbor has it since 2.6 (HARBOR §6). Who does not know the header answers as always.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from harborsync.content import Descriptor
    from harborsync.http.wire import Answer
    from harborsync.reference import Digest

#: Repositories a thread remembers; beyond that it forgets all of them.
_MOST: Final = 256


class Hints(threading.local):
    """The manifest that each repository told last; each thread knows what it heard itself.

    Threads work on tags that lie apart, and what another one heard last would mislead. Only a
    registry whose ETags are its digests is asked by one: there a 304 cannot mean anything else
    (RFC 9110, 13.1.2).
    """

    def __init__(self) -> None:
        self._last: dict[str, Descriptor] = {}

    def of(self, repository: str) -> Descriptor | None:
        """Return what a tag of a repository may well point to."""
        return self._last.get(repository)

    @property
    def can_be_asked(self) -> bool:
        """Whether the registry was seen to make its ETags of digests."""
        return bool(self._last)

    def learn(self, repository: str, found: Descriptor, answer: Answer) -> None:
        """Remember what an answer told, if its ETag allows to ask for it."""
        if answer.headers.get("ETag") != etag(found.digest):
            return
        if len(self._last) >= _MOST:
            self._last.clear()
        self._last[repository] = found


def etag(digest: Digest) -> str:
    """Return the entity tag of a manifest at a registry that makes them of digests."""
    return f'"{digest}"'
