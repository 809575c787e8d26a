"""Redirects, followed by hand (OCI-4.26): requests would re-send bodies and change methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from harborsync.errors import AddressRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.http.exchange import Reply, Request
    from harborsync.http.urls import Origin, Url

_MOST_HOPS: Final = 10
_READING: Final = frozenset({"GET", "HEAD"})
_FOR_READING: Final = frozenset({301, 302, 303, 307, 308})
_FOR_WRITING: Final = frozenset({307, 308})
#: All that another origin gets to see: no login, no cookie, nothing of a product's own.
_HARMLESS: Final = frozenset({"accept", "accept-encoding", "range", "user-agent"})


def follow(start: Callable[[Request], Reply], request: Request, *, elsewhere: bool = True) -> Reply:
    """Send a request and follow where its answers lead.

    Reading is followed everywhere, without the login as soon as the first origin is left.
    Writing is followed only within its origin, by a status that keeps the method.

    Args:
        start: Sends one request.
        request: The first one.
        elsewhere: Whether reading may leave the origin, for a CDN or an object store.

    Raises:
        AddressRefused: The way leads from https to http, in a circle, on and on, or elsewhere
            although it may not.
    """
    seen: set[Url] = set()
    while True:
        reply = start(request)
        if reply.status not in _FOR_READING:
            return reply
        following = _next(request, reply, elsewhere=elsewhere)
        if following is None:
            return reply
        seen.add(request.url)
        reply.discard()
        if following.url in seen or len(seen) > _MOST_HOPS:
            msg = f"{request.url.origin} redirects in a circle, or more than {_MOST_HOPS} times"
            raise AddressRefused(msg)
        request = following


def _next(request: Request, reply: Reply, *, elsewhere: bool) -> Request | None:
    """Return the request that the reply asks for, or None if it is to be taken as it is."""
    reading = request.method in _READING
    location = reply.headers.get("location")
    if not location or reply.status not in (_FOR_READING if reading else _FOR_WRITING):
        return None
    try:
        url = request.url.join(location)
        check_scheme(request.url.origin, url)
        if reading and not elsewhere:
            _check_origin(request.url.origin, url)
    except AddressRefused:
        reply.close()
        raise
    if url.origin == request.url.origin:
        return attrs.evolve(request, url=url)
    return _stripped(request, url) if reading else None


def check_scheme(here: Origin, there: Url) -> None:
    """Refuse to go from https to plain http, wherever a server points (OCI-9.1).

    Raises:
        AddressRefused: That would be so.
    """
    if here.scheme == "https" and there.origin.scheme == "http":
        msg = f"{here} points from https to plain http, {there.origin}"
        raise AddressRefused(msg)


def _check_origin(here: Origin, there: Url) -> None:
    if there.origin != here:
        msg = f"{here} redirects to {there.origin}, and its endpoint says redirects=refuse"
        hint = "write redirects=follow, or have the registry serve its content itself"
        raise AddressRefused(msg, hint=hint)


def _stripped(request: Request, url: Url) -> Request:
    kept = {name: text for name, text in request.headers.items() if name.lower() in _HARMLESS}
    return attrs.evolve(request, url=url, headers=kept)
