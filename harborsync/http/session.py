"""The transport: one request from its call to its answer, through every layer of the cable.

    retries ─► login ─► redirects ─► gate ─► thin or broad path ─► socket
    retries.py  auth.py  redirects.py  pace.py  thin.py, bulk.py     lines.py, dial.py

Small requests go the thin path, large bodies the broad one; everything above the paths is
the same for both.
"""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import attrs

from harborsync import __version__
from harborsync.errors import AddressRefused
from harborsync.http.auth import NOBODY, Porter, Ticket
from harborsync.http.bulk import PLAIN_BLOCK, TLS_BLOCK
from harborsync.http.doors import USUAL, Door
from harborsync.http.exchange import Path, Reply, Request, check_headers
from harborsync.http.hosts import HOSTS, HostKey, HostTable
from harborsync.http.options import CableOptions
from harborsync.http.redirects import check_scheme, follow
from harborsync.http.retries import Retries
from harborsync.http.tokenserver import TOKEN_CAP, TokenServer
from harborsync.http.urls import Origin, Url, check_target
from harborsync.http.wire import ERROR_CAP, Answer, Body, Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.endpoint import Endpoint
    from harborsync.http.dial import Resolver
    from harborsync.http.wire import Stream
    from harborsync.limits import HostLimits
    from harborsync.provider import OpenContext

_log = logging.getLogger(__name__)

_ALWAYS: Final = {"User-Agent": f"harborsync/{__version__}", "Accept-Encoding": "identity"}
_FIRST_REFUSAL: Final = 400
_WITHOUT_CONTENT: Final = frozenset({"GET", "HEAD", "DELETE"})
_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def _never(answer: Answer) -> bool:  # noqa: ARG001 - the signature of expired_403
    return False


def open_transport(
    endpoint: Endpoint,
    context: OpenContext,
    *,
    origin: str | None = None,
    expired_403: Callable[[Answer], bool] = _never,
    door: Door = USUAL,
    resolve: Resolver = socket.getaddrinfo,
) -> HttpTransport:
    """Lay the cable to an endpoint; makes no request.

    Args:
        endpoint: Where to; its options say how.
        context: Clock, policy, limits, credentials, cancel flag, listeners.
        origin: Scheme, host and port, where they are not those of the endpoint.
        expired_403: Tells whether a 403 of this provider is about an expired login (OCI-2.19).
        door: How this provider lets people in, where that is special.
        resolve: Looks names up.

    Raises:
        InvalidValue: An option cannot be read, or a file it names cannot be used.
    """
    scheme = "http" if endpoint.plain_http else "https"
    home = Origin.parse(origin or f"{scheme}://{endpoint.host}")
    options = CableOptions.of(endpoint, context.limits)
    if options.tls.insecure:
        _warn_insecure(home)
    key = HostKey(origin=home, options=options, clock=context.clock, resolve=resolve)
    return HttpTransport(endpoint.host, context, key, expired_403=expired_403, door=door)


def ask_how_to_log_in(
    endpoint: Endpoint, context: OpenContext, *, resolve: Resolver = socket.getaddrinfo
) -> Answer:
    """Return what ``/v2/`` of an endpoint answers to somebody without a login (OCI-2.3).

    Raises:
        TransportError: Nobody answers.
    """
    transport = open_transport(endpoint, context, resolve=resolve)
    try:
        return transport.ping()
    finally:
        transport.close()


class HttpTransport:
    """A :class:`~harborsync.http.wire.Transport` over HTTP; safe to use from many threads.

    Args:
        host: The endpoint's host, by which its login is known.
        context: Clock, policy, credentials, cancel flag, listeners.
        key: Where to and how.
        expired_403: Tells whether a 403 is about an expired login.
        door: How people are let in.
        hosts: Who shares connections with whom.
    """

    def __init__(
        self,
        host: str,
        context: OpenContext,
        key: HostKey,
        *,
        expired_403: Callable[[Answer], bool] = _never,
        door: Door = USUAL,
        hosts: HostTable = HOSTS,
    ) -> None:
        self._context = context
        self._key = key
        self._origin = str(key.origin)
        self._hosts = hosts
        self._closing = threading.Lock()
        self._is_open = True
        self._host = hosts.take(key)
        self._retries = Retries(host=host, context=context, gate=self._host.gate)
        self._porter = Porter(
            home=key.origin,
            host=host,
            source=context.credentials,
            clock=context.clock,
            trusted_realms=key.options.trusted_realms,
            server=TokenServer(self._ask_token_server, context.clock),
            memory=self._host.memory,
            ping=self._ping,
            is_expiry=expired_403,
            door=door,
            cancel=context.cancel,
        )

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self._origin

    def send(self, call: Call) -> Answer:
        """Send a small request and read the whole answer; repeated as the policy says.

        Raises:
            TransportError: The network broke, or a server pointed us to a forbidden place.
            CredentialsError: There is no login, or it was refused.
            RateLimited: The host is busy beyond the policy's patience.
            RegistryError: The answer is longer than the call allows.
        """
        check_headers(call.headers)
        url = self._url_of(call)
        return self._retries.run(call, partial(self._send_once, call, url)).answer

    @contextmanager
    def stream(self, call: Call) -> Iterator[Stream]:
        """Send a GET whose answer is large; following redirects, repeated until it answers.

        Raises:
            TransportError: The network broke, or a server pointed us to a forbidden place.
            CredentialsError: There is no login, or it was refused.
            RateLimited: The host is busy beyond the policy's patience.
        """
        check_headers(call.headers)
        url = self._url_of(call)
        with self._host.broad.downloading(self._context.cancel):
            stream = self._retries.run(call, partial(self._stream_once, call, url))
            try:
                yield stream
            finally:
                stream.close()

    def upload(self, call: Call, body: Body) -> Answer:
        """Send a large body once; a refusal of the login is an answer as any other.

        That a login has expired is a 401, whatever the server called it.

        Raises:
            ConnectionLost: It broke off; whether the server took it is not known.
        """
        check_headers(call.headers)
        call = attrs.evolve(call, repeatable=False)
        url = self._url_of(call)
        ticket = self._porter.ticket(call, url)
        reply = self._converse(self._host.broad, call, url, ticket, body)
        if reply.status in _REFUSED:
            reply.diagnosis = self._porter.diagnosis(ticket, call, reply.answer)
        if reply.status == HTTPStatus.UNAUTHORIZED:
            self._porter.drop(ticket)
        answer = reply.finish(call.max_body)
        self._retries.heed(answer)
        if self._porter.takes_as_expired(ticket, answer):
            return attrs.evolve(answer, status=HTTPStatus.UNAUTHORIZED)
        return answer

    def ping(self) -> Answer:
        """Return what the API's root answers to somebody without a login."""
        return self._ping(NOBODY)

    def close(self) -> None:
        """Let go of the connections; the last transport of a host closes them."""
        with self._closing:
            was_open, self._is_open = self._is_open, False
        if was_open:
            self._hosts.leave(self._key)

    def _url_of(self, call: Call) -> Url:
        home = self._key.origin
        if call.url.startswith("/") and not call.url.startswith("//"):
            return Url(home, check_target(call.url))
        url = Url.parse(call.url).with_scheme_of(home)
        check_scheme(home, url)
        if call.method not in _WITHOUT_CONTENT:
            self._check_who_gets_content(url.origin.host)
        return url

    def _check_who_gets_content(self, host: str) -> None:
        """Send content to nobody but the registry, and hosts that its endpoint names (OCI-9.3)."""
        home = self._key.origin.host
        if host != home and host not in self._key.options.trusted_hosts:
            msg = f"{home} wants its uploads sent to another host, {host}"
            hint = f"if that is right, add trusted_hosts={host} to the endpoint's options"
            raise AddressRefused(msg, hint=hint)

    def _send_once(self, call: Call, url: Url) -> Reply:
        reply = self._admitted(self._host.thin, call, url)
        reply.finish(call.max_body)
        return reply

    def _stream_once(self, call: Call, url: Url) -> BlockStream:
        reply = self._admitted(self._host.broad, call, url)
        if reply.status >= _FIRST_REFUSAL:
            reply.finish(call.max_body)
        is_tls = reply.request.url.origin.scheme == "https"
        return BlockStream(reply, TLS_BLOCK if is_tls else PLAIN_BLOCK)

    def _admitted(self, path: Path, call: Call, url: Url) -> Reply:
        """Converse with the login that is wanted; a refusal is answered once.

        A token that others had asked for already may have ended together with the first one,
        and is no answer.
        """
        ticket = self._porter.ticket(call, url)
        reply = self._converse(path, call, url, ticket)
        if reply.status not in _REFUSED or reply.request.url.origin != self._key.origin:
            return reply
        refused_at = self._context.clock.monotonic()
        second = self._porter.second_ticket(call, url, ticket, reply.finish(ERROR_CAP))
        while second is not None:
            ticket, second = second, None
            reply = self._converse(path, call, url, ticket)
            if reply.status == HTTPStatus.UNAUTHORIZED:
                answer = reply.finish(ERROR_CAP)
                if ticket.token is not None and ticket.token.asked_at < refused_at:
                    second = self._porter.second_ticket(call, url, ticket, answer)
                elif self._porter.is_final(ticket, answer):
                    raise self._porter.refusal(ticket, answer)
        reply.diagnosis = self._porter.diagnosis(ticket, call, reply.answer)
        return reply

    def _converse(
        self, path: Path, call: Call, url: Url, ticket: Ticket, body: Body | None = None
    ) -> Reply:
        """Send a call with a ticket, and follow where the answers lead."""
        headers = {**_ALWAYS, **call.headers}
        if url.origin != self._key.origin:
            headers = {k: v for k, v in headers.items() if k.lower() != "authorization"}
        elif ticket.header is not None:
            headers["Authorization"] = ticket.header
        request = Request(
            method=call.method,
            url=url,
            headers=headers,
            body=call.body if body is None else body,
            patience=_patience(self._key.options.limits, call),
            repeatable=call.repeatable,
        )
        elsewhere = self._key.options.goes_elsewhere
        return follow(partial(self._start, path), request, elsewhere=elsewhere)

    def _start(self, path: Path, request: Request) -> Reply:
        if request.url.origin == self._key.origin:
            self._host.gate.enter(self._context.cancel)
        reply = path.start(request, self._context.cancel)
        if "warning" in reply.headers and request.url.origin == self._key.origin:
            self._host.notices.take(reply.headers)
        return reply

    def _ping(self, ticket: Ticket) -> Answer:
        call = Call(method="GET", url="/v2/", what="ask how to log in")
        url = Url(self._key.origin, call.url)
        return self._converse(self._host.thin, call, url, ticket).finish(ERROR_CAP)

    def _ask_token_server(
        self, method: str, url: Url, headers: dict[str, str], body: bytes | None
    ) -> Answer:
        """Ask once, along no redirect: who redirects a login gets an answer that is no token."""
        check_headers(headers)
        request = Request(
            method=method,
            url=url,
            headers={**_ALWAYS, **headers},
            body=body,
            patience=self._key.options.limits.first_byte_timeout,
        )
        return self._start(self._host.thin, request).finish(TOKEN_CAP)


class BlockStream:
    """An answer whose body is read block by block.

    Args:
        reply: What is on the wire.
        size: Length of a block.
    """

    def __init__(self, reply: Reply, size: int) -> None:
        self._reply = reply
        self._size = size

    @property
    def answer(self) -> Answer:
        """Status and headers; for a refusal also the capped body."""
        return self._reply.answer

    def blocks(self) -> Iterator[bytes]:
        """Yield the body's blocks.

        Raises:
            ConnectionLost: It broke off.
            Timeout: Nothing was heard for too long.
        """
        return self._reply.blocks(self._size)

    def close(self) -> None:
        """Let the connection go."""
        self._reply.close()


def _patience(limits: HostLimits, call: Call) -> float:
    return limits.patient_timeout if call.patient else limits.first_byte_timeout


_insecure_told: Final[set[Origin]] = set()


def _warn_insecure(origin: Origin) -> None:
    """Say once for each origin that its certificate is not looked at (OCI-9.14)."""
    if origin not in _insecure_told:
        _insecure_told.add(origin)
        _log.warning("%s: certificates are not verified, since its endpoint says insecure", origin)
