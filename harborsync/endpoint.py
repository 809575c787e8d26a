"""Where a registry is, in one line of text that is safe to print, to pickle and to commit.

    >>> Endpoint.parse("harbor://harbor.example/team").provider
    'harbor'
    >>> str(Endpoint.parse("registry.example:5000"))
    'registry.example:5000'
    >>> Endpoint.parse("oci:./layouts/app").address
    './layouts/app'

==============================  ==========================================================
``registry.example[/prefix]``   the provider is found by the host's name
``registry://host[/prefix]``    any OCI or Docker registry, over https
``registry+http://host``        the same over plain http, only ever by this explicit word
``memory://NAME``               a place in this process, for tests
``oci:DIR``                     an OCI image layout directory
``docker-archive:FILE``         a ``docker save`` archive
``oci-archive:FILE``            an OCI layout in a tar archive
``NAME://ADDRESS``              what the provider of that name, such as a plug-in, makes of it
==============================  ==========================================================

Options follow as a query: ``registry://host?ca=/etc/ca.pem&connections=32``. A password in
the text is refused: credentials have a place of their own (:mod:`harborsync.credentials`).
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import parse_qsl, quote, urlencode

import attrs

from harborsync.errors import InvalidReference, InvalidValue
from harborsync.reference import check_host, check_repository

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SCHEME: Final = re.compile(r"([a-z][a-z0-9-]*)(\+http)?://(.*)", re.ASCII | re.DOTALL)
_ON_DISK: Final = re.compile(r"(oci|docker-archive|oci-archive):(?!//)(.+)", re.ASCII | re.DOTALL)
_NAME: Final = re.compile(r"(?!https?$)[a-z][a-z0-9-]*", re.ASCII)

# Options that would make an endpoint a secret.
_LOGINS: Final = frozenset({"password", "passwd", "secret", "token"})

#: The provider of an endpoint that names only a host; the gate finds the real one.
BY_HOST: Final = "auto"

PATH_PROVIDERS: Final = frozenset({"oci", "docker-archive", "oci-archive"})


def _options(value: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(dict(value).items()))


@attrs.frozen(kw_only=True, cache_hash=True)
class Endpoint:
    """The address of a registry, without any secret.

    Attributes:
        provider: Name of the provider that opens it; ``auto`` to find it by the host.
        address: What follows the scheme: ``host[:port][/prefix]``, a path, or what the
            provider defines.
        plain_http: Whether http is spoken instead of https. Never guessed (OCI-1.9).
        option_items: Options as sorted pairs; see :attr:`options`.
    """

    provider: str = BY_HOST
    address: str
    plain_http: bool = False
    option_items: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_options)

    def __attrs_post_init__(self) -> None:
        """Refuse what could not be written as one line.

        Raises:
            InvalidValue: A part is not acceptable.
        """
        if self._holds_a_login:
            msg = f"the endpoint for {self.address.rpartition('@')[2]!r} holds a login"
            raise InvalidValue(
                msg, hint="leave it out and name a credential source: ?credentials=NAME"
            )
        if not _NAME.fullmatch(self.provider) or not self._is_writable:
            msg = f"{self.address[:200]!r} with provider {self.provider!r} is no endpoint"
            raise InvalidValue(msg, hint=_HOW)
        if self.provider == BY_HOST:
            _check_host_and_prefix(self.address)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an endpoint.

        Raises:
            InvalidValue: The text is none, or holds a user name or password.
        """
        text = text.strip()
        on_disk = _ON_DISK.fullmatch(text)
        if on_disk:
            path, options = _split_options(on_disk[2])
            return cls(provider=on_disk[1], address=path, option_items=options)
        with_scheme = _SCHEME.fullmatch(text)
        rest, options = _split_options(with_scheme[3] if with_scheme else text)
        rest = rest.rstrip("/")
        if with_scheme is None:
            return cls(address=rest, option_items=options)
        if with_scheme[1] in _URL_WORDS:
            raise _is_a_url(with_scheme[1], rest)
        return cls(
            provider=with_scheme[1],
            address=rest,
            plain_http=bool(with_scheme[2]),
            option_items=options,
        )

    @property
    def _holds_a_login(self) -> bool:
        in_address = "@" in self.address and not self.is_path
        return in_address or not _LOGINS.isdisjoint(self.options)

    @property
    def _is_writable(self) -> bool:
        """Whether the address, written into one line, would be read as the same address."""
        address = self.address
        if not address or not address.isprintable() or address != address.strip():
            return False
        if "?" in address:
            return False
        if self.is_path:
            return not address.startswith("//") and not self.plain_http
        return not address.endswith("/")

    @property
    def options(self) -> dict[str, str]:
        """The options as a new dictionary."""
        return dict(self.option_items)

    @property
    def is_path(self) -> bool:
        """Whether this is a place on disk."""
        return self.provider in PATH_PROVIDERS

    @property
    def host(self) -> str:
        """``host[:port]``, for endpoints that begin with one."""
        return self.address.partition("/")[0]

    @property
    def prefix(self) -> str:
        """What follows the host, without slashes at its ends; mostly a prefix of repositories."""
        return self.address.partition("/")[2].strip("/")

    def __str__(self) -> str:
        """Return the canonical text, which parses back to an equal value."""
        return self._text

    @cached_property
    def _text(self) -> str:
        query = (
            f"?{urlencode(self.option_items, safe='/', quote_via=quote)}"
            if self.option_items
            else ""
        )
        if self.is_path:
            return f"{self.provider}:{self.address}{query}"
        if self.provider == BY_HOST and not self.plain_http:
            return f"{self.address}{query}"
        return f"{self.provider}{'+http' if self.plain_http else ''}://{self.address}{query}"


# What to write before the host, instead; the provider of a bare host is found by its name.
_URL_WORDS: Final = {"https": "", "http": "registry+http://"}
_HOW: Final = "write it like registry.example/prefix, registry+http://host or oci:DIR"


def _split_options(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    rest, _, query = text.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    if len(dict(pairs)) != len(pairs):
        msg = "an endpoint names an option twice"
        raise InvalidValue(msg)
    return rest, tuple(pairs)


def _is_a_url(scheme: str, rest: str) -> InvalidValue:
    rest = rest.rpartition("@")[2]
    msg = f"'{scheme}://{rest[:200]}' is a URL, not an endpoint"
    return InvalidValue(msg, hint=f"write {_URL_WORDS[scheme]}{rest[:200]}")


def _check_host_and_prefix(text: str) -> None:
    host, slash, prefix = text.partition("/")
    try:
        check_host(host)
        if slash:
            check_repository(prefix)
    except InvalidReference as error:
        msg = f"{text[:200]!r} is no endpoint: {error.message}"
        raise InvalidValue(msg, hint=error.hint or _HOW) from error
