"""URLs taken apart once, and put together again byte for byte.

A path or query that a server gave is opaque: it is never parsed and re-encoded, since that
breaks signed URLs (OCI-4.11).
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final, Self
from urllib.parse import urljoin

import attrs

from harborsync.errors import AddressRefused, InvalidValue
from harborsync.secrets import redact_url

DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_HIGHEST_PORT: Final = 65535
_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>[^#]*)(?:#.*)?",
    re.ASCII,
)
_AUTHORITY: Final = re.compile(
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")


@attrs.frozen(order=False)
class Origin:
    """What credentials and connections are bound to (OCI-2.20).

    Attributes:
        scheme: ``https`` or ``http``.
        host: The host in lower case, an IPv6 address without brackets.
        port: The port, the scheme's own one filled in: ``:443`` and nothing are equal.
    """

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``scheme://host[:port]``.

        Raises:
            AddressRefused: The text is no http(s) origin.
        """
        return cls(*attrs.astuple(Url.parse(text).origin))

    @cached_property
    def netloc(self) -> str:
        """``host[:port]`` as the Host header wants it, without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @cached_property
    def _text(self) -> str:
        return f"{self.scheme}://{self.netloc}"

    def __str__(self) -> str:
        """Return ``scheme://host[:port]``."""
        return self._text


@attrs.frozen
class Url:
    """An absolute URL.

    Attributes:
        origin: Scheme, host and port.
        target: Path and query as they stand in the request line; may hold secrets.
    """

    origin: Origin
    target: str = attrs.field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take an absolute URL apart; a fragment is dropped.

        Raises:
            AddressRefused: It is not http(s), names a user, or holds what no URL may hold
                (OCI-9.1, 9.11).
        """
        found = _URL.fullmatch(text)
        authority = _AUTHORITY.fullmatch(found["authority"]) if found else None
        if found is None or authority is None or not _VISIBLE.fullmatch(text):
            raise _refused(text, "it is no plain absolute URL")
        scheme = found["scheme"].lower()
        if scheme not in DEFAULT_PORTS:
            raise _refused(text, "only http and https are spoken")
        port = int(authority["port"] or DEFAULT_PORTS[scheme])
        if not 0 < port <= _HIGHEST_PORT:
            raise _refused(text, "there is no such port")
        origin = Origin(scheme, authority["host"].strip("[]").lower(), port)
        rest = found["rest"]
        return cls(origin, rest if rest.startswith("/") else f"/{rest}")

    def join(self, reference: str) -> Url:
        """Resolve a reference that the answer from this URL carried (OCI-4.11).

        Raises:
            AddressRefused: It leads to no URL we speak to.
        """
        if not reference or not _VISIBLE.fullmatch(reference):
            raise _refused(reference, "it holds characters that no URL may hold")
        if reference.startswith("//"):
            return Url.parse(f"{self.origin.scheme}:{reference}")
        if reference.startswith("/"):
            return Url(self.origin, reference.partition("#")[0])
        if _URL.fullmatch(reference):
            return Url.parse(reference)
        return Url.parse(urljoin(str(self), reference))

    def with_scheme_of(self, home: Origin) -> Url:
        """Return this URL over https if it is plain http on the host of an https origin.

        Servers behind a proxy that ends TLS announce themselves so (OCI-4.11). The port goes
        with the scheme: ``http://host`` is ``home``'s port, any other port stays.
        """
        ours = self.origin.host == home.host and (home.scheme, self.origin.scheme) == (
            "https",
            "http",
        )
        if not ours:
            return self
        standard = self.origin.port == DEFAULT_PORTS["http"]
        port = home.port if standard else self.origin.port
        return Url(Origin("https", home.host, port), self.target)

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.target.partition("?")[0]

    def __str__(self) -> str:
        """Return the whole URL, query included."""
        return f"{self.origin}{self.target}"


def check_target(target: str) -> str:
    """Return a path with query of our own making if it can stand in a request line.

    Raises:
        InvalidValue: It cannot (OCI-9.11).
    """
    if target.startswith("/") and _VISIBLE.fullmatch(target) and "#" not in target:
        return target
    msg = f"{redact_url(target)[:200]!r} cannot stand in a request"
    raise InvalidValue(msg, hint="quote every part of a path before it is put into a URL")


def _refused(text: str, why: str) -> AddressRefused:
    return AddressRefused(f"a server pointed to {redact_url(text)[:200]!r}: {why}")
