"""Whether an origin can be reached at all: its name, a connection, TLS. Nothing is asked of it."""

from __future__ import annotations

import socket
import ssl
from functools import partial
from typing import TYPE_CHECKING

import attrs

from harborsync.errors import TlsError, TransportError
from harborsync.http.addresses import AddressPolicy
from harborsync.http.faults import translated
from harborsync.http.lines import Lines
from harborsync.http.options import CableOptions
from harborsync.http.urls import Origin

if TYPE_CHECKING:
    from datetime import datetime

    from harborsync.endpoint import Endpoint
    from harborsync.http.dial import Resolver
    from harborsync.provider import OpenContext


@attrs.frozen(kw_only=True)
class Reached:
    """What became of a connection.

    Attributes:
        seconds: Until it stood, which is about a round trip; None if it never did.
        address: The numeric address at the other end, a proxy's if there is one.
        tls: The version of TLS, empty without.
        issuer: Who has signed the certificate.
        not_after: When the certificate ends.
        fault: Why the origin cannot be spoken to, or None.
    """

    seconds: float | None = None
    address: str = ""
    tls: str = ""
    issuer: str = ""
    not_after: datetime | None = None
    fault: TransportError | None = None


class Reaching:
    """Connects to origins as the transport of an endpoint would, and hangs up again.

    Args:
        endpoint: Whose options say how.
        context: Clock and limits.
        home: The registry's origin; places that it names are judged by where it is.
        resolve: Looks names up.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        context: OpenContext,
        home: str,
        *,
        resolve: Resolver = socket.getaddrinfo,
    ) -> None:
        self._options = CableOptions.of(endpoint, context.limits)
        self._clock = context.clock
        self._resolve = resolve
        trusted = (*self._options.trusted_hosts, *self._options.trusted_realms)
        self._named_by_home = AddressPolicy(Origin.parse(home).host, trusted)

    def reach(self, place: str, *, named_by_home: bool = False) -> Reached:
        """Connect to an origin, and return what became of it.

        Args:
            place: The origin.
            named_by_home: The registry points there, so not every address is fit.
        """
        try:
            origin = Origin.parse(place)
            started = self._clock.monotonic()
            sock = self._lines(origin, named_by_home=named_by_home).open(origin)
        except TransportError as fault:
            return Reached(fault=fault)
        with sock:
            seconds = self._clock.monotonic() - started
            reached = Reached(seconds=seconds, address=str(sock.getpeername()[0]))
            return self._secured(sock, origin, reached) if origin.scheme == "https" else reached

    def _lines(self, origin: Origin, *, named_by_home: bool) -> Lines:
        policy = self._named_by_home
        if not named_by_home and not policy.is_home(origin.host):
            policy = AddressPolicy(origin.host)
        options = self._options
        return Lines(
            limits=options.limits, policy=policy, proxies=options.proxies, resolve=self._resolve
        )

    def _secured(self, sock: socket.socket, origin: Origin, reached: Reached) -> Reached:
        try:
            tls, certificate = _shake_hands(sock, origin, self._options.tls.context())
        except TlsError as fault:
            issuer, not_after = self._unverified(origin)
            return attrs.evolve(reached, fault=fault, issuer=issuer, not_after=not_after)
        except TransportError as fault:
            return attrs.evolve(reached, fault=fault)
        issuer, not_after = _read(certificate)
        return attrs.evolve(reached, tls=tls, issuer=issuer, not_after=not_after)

    def _unverified(self, origin: Origin) -> tuple[str, datetime | None]:
        """Return what a certificate says that is not acceptable, for people to see why."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            with self._lines(origin, named_by_home=True).open(origin) as sock:
                _, certificate = _shake_hands(sock, origin, context)
        except TransportError:
            return "", None
        return _read(certificate)


def _shake_hands(sock: socket.socket, origin: Origin, context: ssl.SSLContext) -> tuple[str, bytes]:
    """Return the version of TLS, and the certificate of the other end."""
    wrap = partial(context.wrap_socket, sock, server_hostname=origin.host)
    with translated(wrap, str(origin)) as secured:
        return secured.version() or "", secured.getpeercert(binary_form=True) or b""


def _read(certificate: bytes) -> tuple[str, datetime | None]:
    from cryptography import x509  # noqa: PLC0415 - heavy

    try:
        found = x509.load_der_x509_certificate(certificate)
    except ValueError:
        return "", None
    return found.issuer.rfc4514_string(), found.not_valid_after_utc
