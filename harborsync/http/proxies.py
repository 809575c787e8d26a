"""Proxies: which one, by the user's word only, and how to get through it.

The environment is read here and nowhere else, and only for ``proxy=env`` (OCI-9.19).
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import unquote

import attrs

from harborsync.errors import AddressRefused, InvalidValue
from harborsync.http.faults import ConnectFailed
from harborsync.http.urls import Url
from harborsync.secrets import Secret

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from harborsync.http.urls import Origin

_USERINFO: Final = re.compile(r"(?P<before>http://)(?P<userinfo>[^/@]*)@(?P<after>.*)", re.DOTALL)
_NO_LOGIN: Final = Secret("")
_LONGEST_HEAD: Final = 16 * 1024
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n")


@attrs.frozen(kw_only=True)
class Proxy:
    """An HTTP proxy.

    Attributes:
        host: Its host.
        port: Its port.
        login: ``user:password``, or an empty secret.
    """

    host: str
    port: int
    login: Secret = _NO_LOGIN

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``http://[user:password@]host[:port]``.

        Raises:
            InvalidValue: It is none, or wants TLS to the proxy itself.
        """
        found = _USERINFO.fullmatch(text)
        bare = found["before"] + found["after"] if found else text
        try:
            origin = Url.parse(bare).origin
        except AddressRefused:
            origin = None
        if origin is None or origin.scheme != "http":
            msg = "the proxy is no http:// URL"
            raise InvalidValue(msg, hint="write it like http://proxy.example:3128")
        login = Secret(unquote(found["userinfo"])) if found else _NO_LOGIN
        return cls(host=origin.host, port=origin.port, login=login)

    def headers(self) -> dict[str, str]:
        """Return the header fields that the proxy itself wants to see."""
        if not self.login:
            return {}
        token = base64.b64encode(self.login.reveal().encode()).decode()
        return {"Proxy-Authorization": f"Basic {token}"}


@attrs.frozen(kw_only=True)
class Proxies:
    """Which proxy an origin is reached by.

    Attributes:
        by_scheme: The proxy for ``https`` and for ``http`` origins, where there is one.
        excepted: Hosts reached without: names that match themselves and their subdomains,
            with a port if one is given; ``*`` for all.
    """

    by_scheme: tuple[tuple[str, Proxy], ...] = ()
    excepted: tuple[str, ...] = ()

    @classmethod
    def all_through(cls, url: str) -> Self:
        """Send everything through one proxy.

        Raises:
            InvalidValue: The URL is none of a proxy.
        """
        proxy = Proxy.parse(url)
        return cls(by_scheme=(("https", proxy), ("http", proxy)))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read HTTPS_PROXY, HTTP_PROXY and NO_PROXY; lower-case names win, as in curl.

        HTTP_PROXY counts in lower case only: a CGI server sets the other from a request.

        Raises:
            InvalidValue: One of them is no proxy.
        """
        urls = {
            "https": environment.get("https_proxy") or environment.get("HTTPS_PROXY"),
            "http": environment.get("http_proxy")
            or ("" if "REQUEST_METHOD" in environment else environment.get("HTTP_PROXY")),
        }
        excepted = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
        return cls(
            by_scheme=tuple((scheme, Proxy.parse(url)) for scheme, url in urls.items() if url),
            excepted=tuple(filter(None, (name.strip().lower() for name in excepted.split(",")))),
        )

    def for_origin(self, origin: Origin) -> Proxy | None:
        """Return the proxy to reach ``origin`` by, or None to go straight."""
        if not self.by_scheme or any(_matches(name, origin) for name in self.excepted):
            return None
        return dict(self.by_scheme).get(origin.scheme)


def _matches(name: str, origin: Origin) -> bool:
    if name in {"*", origin.host}:
        return True
    host, colon, port = name.rpartition(":")
    if colon and port.isdigit() and host.count(":") == 0:
        return int(port) == origin.port and _matches(host, origin)
    domain = name.removeprefix("*").removeprefix(".")
    return origin.host == domain or origin.host.endswith(f".{domain}")


def open_tunnel(sock: socket.socket, origin: Origin, proxy: Proxy) -> None:
    """Ask the proxy at the other end of ``sock`` to connect us with ``origin``.

    Raises:
        ConnectFailed: The proxy would not.
    """
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    authority = f"{host}:{origin.port}"
    fields = {"Host": authority, **proxy.headers()}
    lines = [f"CONNECT {authority} HTTP/1.1", *(f"{name}: {v}" for name, v in fields.items())]
    sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
    status = _STATUS.match(_read_head(sock))
    if status is None or not status[1].startswith(b"2"):
        said = status[1].decode() if status else "nothing that is HTTP"
        msg = f"the proxy {proxy.host}:{proxy.port} would not connect us with {authority}: {said}"
        raise ConnectFailed(msg)


def _read_head(sock: socket.socket) -> bytes:
    """Read up to the empty line, byte by byte, since what follows belongs to TLS."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n") and len(head) < _LONGEST_HEAD:
        byte = sock.recv(1)
        if not byte:
            break
        head += byte
    return bytes(head)
