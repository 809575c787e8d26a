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
    from collections.abc import Callable

    from harborsync.content import Descriptor
    from harborsync.http.wire import Answer
    from harborsync.reference import Digest

#: Repositories a thread remembers; beyond that it forgets all of them.
_MOST: Final = 256
#: Seconds for which a manifest that was there is taken to be there.
_GOOD_FOR: Final = 30.0


class Hints(threading.local):
    """The manifest that each repository told last; each thread knows what it heard itself.

    Threads work on tags that lie apart, and what another one heard last would mislead. Only a
    manifest that was told in full a moment ago is named: 304 says what the tag points to, and not
    that the registry still has it. And only one whose ETag was its digest: then 304 cannot mean
    anything else (RFC 9110, 13.1.2).

    Args:
        monotonic: Tells the seconds from an arbitrary start.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last: dict[str, tuple[Descriptor, float]] = {}

    def of(self, repository: str) -> Descriptor | None:
        """Return what a tag of a repository may well point to."""
        found, told_at = self._last.get(repository, (None, 0.0))
        return found if self._monotonic() - told_at <= _GOOD_FOR else None

    def learn(self, repository: str, found: Descriptor, answer: Answer) -> None:
        """Remember what an answer told, if its ETag allows to ask for it."""
        if answer.headers.get("ETag") != etag(found.digest):
            return
        if len(self._last) >= _MOST:
            self._last.clear()
        self._last[repository] = found, self._monotonic()


def etag(digest: Digest) -> str:
    """Return the entity tag of a manifest at a registry that makes them of digests."""
    return f'"{digest}"'
