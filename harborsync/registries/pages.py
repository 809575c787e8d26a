"""Reads listings that come page by page (OCI-5.1 to 5.5)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from harborsync.errors import RegistryError
from harborsync.http.links import next_link

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.http.wire import Answer
    from harborsync.registries.calls import Api

MAX_PAGES: Final = 10_000  # OCI-5.3
MAX_PAGE_BYTES: Final = 64 * 2**20  # OCI-5.7
_OK: Final = 200
_NO_SUCH_SIZE: Final = frozenset({400, 405})


def pages(api: Api, url: str, *, scopes: tuple[str, ...], what: str) -> Iterator[Answer]:
    """Yield the pages of a listing, whatever the first one's status; later ones must be 200.

    Ends where the server says so, or sends us to a page we have seen.

    Raises:
        RegistryError: A later page is refused, or there is no end to them.
    """
    seen: set[str] = set()
    following: str | None = url
    while following and following not in seen:
        if len(seen) >= MAX_PAGES:
            msg = f"cannot {what} at {api.name}: the list has no end"
            raise RegistryError(msg, method="GET")
        answer = api.send("GET", following, scopes=scopes, what=what, max_body=MAX_PAGE_BYTES)
        if seen and answer.status != _OK:
            raise api.refused(answer, what)
        seen.add(following)
        yield answer
        following = next_link(answer) if answer.status == _OK else None


def names(
    api: Api, url: str, key: str, *, scopes: tuple[str, ...], what: str, page_size: int
) -> Iterator[str]:
    """Yield the names in a listing, each once.

    Args:
        api: Who is asked.
        url: The listing.
        key: Where in its JSON the names stand.
        scopes: What is needed to read it.
        what: What is done, for messages.
        page_size: How many names to ask for at once.

    Raises:
        NotFound: There is no such listing.
    """
    known: set[str] = set()
    for answer in _pages_of_any_size(api, url, scopes, what, page_size):
        if answer.status != _OK:
            raise api.refused(answer, what)
        fresh = [name for name in _texts(api, answer, key, what) if name not in known]
        if not fresh and known:  # the first page again, or nothing for ever (OCI-5.3)
            return
        yield from dict.fromkeys(fresh)
        known.update(fresh)


def _pages_of_any_size(
    api: Api, url: str, scopes: tuple[str, ...], what: str, page_size: int
) -> Iterator[Answer]:
    """Ask for pages of a size, and again without one if the server minds (OCI-5.4)."""
    sized = pages(api, f"{url}?n={page_size}", scopes=scopes, what=what)
    first = next(sized)
    if first.status in _NO_SUCH_SIZE:
        yield from pages(api, url, scopes=scopes, what=what)
        return
    yield first
    yield from sized


def _texts(api: Api, answer: Answer, key: str, what: str) -> list[str]:
    """Return the texts under ``key``; lists hold nulls and may be null themselves (OCI-5.5)."""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        msg = f"cannot {what} at {api.name}: the answer is no JSON object"
        raise RegistryError(
            msg,
            method="GET",
            status=answer.status,
            hint="something that is no registry may have answered",
        )
    found = document.get(key)
    entries = found if isinstance(found, list) else []
    return [entry for entry in entries if isinstance(entry, str) and entry]
