"""A line to an origin: straight or through the proxy, the same for both paths."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from harborsync.http.dial import Dialer, Resolver
from harborsync.http.proxies import Proxies, open_tunnel

if TYPE_CHECKING:
    from harborsync.http.addresses import AddressPolicy
    from harborsync.http.urls import Origin, Url
    from harborsync.limits import HostLimits


class Lines:
    """Opens sockets to origins; thread-safe.

    Args:
        limits: Their timeouts.
        policy: Judges where to.
        proxies: Which proxy to go through, if any; its own address is the user's choice.
        resolve: Looks names up.
    """

    def __init__(
        self,
        *,
        limits: HostLimits,
        policy: AddressPolicy,
        proxies: Proxies,
        resolve: Resolver = socket.getaddrinfo,
    ) -> None:
        self._policy = policy
        self._proxies = proxies
        self._dial = Dialer(limits=limits, policy=policy, resolve=resolve)
        self._dial_proxy = Dialer(limits=limits, policy=None, resolve=resolve)

    def open(self, origin: Origin) -> socket.socket:
        """Return a socket on which ``origin`` answers, TLS not yet begun.

        Raises:
            AddressRefused: The origin is at an address we do not connect to.
            ConnectionLost: It, or the proxy, does not answer.
            Timeout: The same in time.
        """
        proxy = self._proxies.for_origin(origin)
        if proxy is None:
            return self._dial(origin.host, origin.port)
        self._policy.admit_literal(origin.host)
        sock = self._dial_proxy(proxy.host, proxy.port)
        if origin.scheme == "https":
            try:
                open_tunnel(sock, origin, proxy)
            except BaseException:
                sock.close()
                raise
        return sock

    def request_target(self, url: Url) -> str:
        """Return what stands in the request line: a proxy of plain http wants the whole URL."""
        plain = url.origin.scheme == "http"
        return str(url) if plain and self._proxies.for_origin(url.origin) else url.target

    def hop_headers(self, origin: Origin) -> dict[str, str]:
        """Return the fields for a proxy that sees the request itself."""
        proxy = self._proxies.for_origin(origin) if origin.scheme == "http" else None
        return proxy.headers() if proxy is not None else {}
