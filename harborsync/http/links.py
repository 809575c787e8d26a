"""The Link header, as servers write it and not only as they should (OCI-5.1, 5.2)."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

from harborsync.errors import AddressRefused
from harborsync.http.urls import Url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.http.wire import Answer

_log = logging.getLogger(__name__)

# `<url>; rel="next"`, and old servers' bare `url; rel=next`; a bare URL may hold commas.
_LINK: Final = re.compile(
    r"\s*(?:<(?P<url>[^>]*)>|(?P<bare>[^\s;<>]+))"
    r"(?P<parameters>(?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:\"[^\"]*\"|[^\s;,\"]*))?)*)\s*(?:,|$)"
)
_REL: Final = re.compile(
    r";\s*rel\s*=\s*(?:\"(?P<quoted>[^\"]*)\"|(?P<bare>[^\s;,\"]+))", re.IGNORECASE
)


def next_link(answer: Answer) -> str | None:
    """Return the path and query of the next page on our own origin, or None at the end.

    The target is opaque and kept byte for byte. If it names another origin, its path is asked
    of ours, since a list does not go on in another house.
    """
    target = next((url for url, rels in _links(answer) if "next" in rels), None)
    if target is None:
        return None
    here = Url.parse(answer.url)
    try:
        there = here.join(target)
    except AddressRefused as error:
        _log.warning("a listing of %s ends early: %s", here.origin, error.message)
        return None
    if there.with_scheme_of(here.origin).origin != here.origin:
        _log.warning("a listing of %s goes on at %s: asking here", here.origin, there.origin)
    return there.target


def _links(answer: Answer) -> Iterator[tuple[str, frozenset[str]]]:
    for value in answer.headers.all("link"):
        for found in _LINK.finditer(value):
            yield found["url"] or found["bare"] or "", _rels(found["parameters"])


def _rels(parameters: str) -> frozenset[str]:
    found = _REL.search(parameters)
    return (
        frozenset((found["quoted"] or found["bare"] or "").lower().split())
        if found
        else frozenset()
    )
