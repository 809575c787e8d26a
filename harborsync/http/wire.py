"""The words spoken on the cable: a call, an answer, a stream, a body that can be sent again.

Whoever speaks HTTP in this house speaks through a :class:`Transport`. The registries do not
know connections, tokens, redirects or retries: a call that comes back has been through all of
them, and any status is an answer, not an exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, Self

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

#: The longest answer read into memory unless a call says otherwise: 8 MiB (OCI-9.7).
BODY_CAP: Final = 8 * 2**20
#: How much of a refusal is kept (OCI-7.1).
ERROR_CAP: Final = 64 * 1024


#: Header fields by their names in small letters, the values of each in order.
Fields = dict[str, tuple[str, ...]]


class Headers:
    """Header fields of an answer, names without regard to case, repeated ones kept apart."""

    def __init__(self, pairs: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> None:
        self._values: Fields = {}
        for name, value in pairs:
            key = name.lower()
            self._values[key] = (*self._values[key], value) if key in self._values else (value,)

    @classmethod
    def of(cls, fields: Fields) -> Self:
        """Return what was read already."""
        found = cls([])
        found._values = fields
        return found

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of ``name``."""
        found = self._values.get(name.lower())
        return found[0] if found else default

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of ``name``, in order."""
        return self._values.get(name.lower(), ())

    def has_any(self, names: frozenset[str]) -> bool:
        """Tell whether there is a field of one of these names, given in small letters."""
        return not names.isdisjoint(self._values)

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a field."""
        return isinstance(name, str) and name.lower() in self._values


@attrs.frozen(kw_only=True)
class Call:
    """A request.

    Attributes:
        method: The HTTP method.
        url: A path on the endpoint's origin such as ``/v2/a/tags/list?n=9``, used byte for
            byte, or an absolute URL that a server gave.
        headers: Fields beside those the transport sets (Authorization, User-Agent, Host,
            Accept-Encoding, Content-Length).
        body: The body of a small request.
        scopes: Token scopes needed, push first (OCI-2.12), such as
            ``repository:a/b:pull,push``; empty for an endpoint that wants none.
        repeatable: Whether it may be sent again after a failure that leaves open whether the
            first one took effect (OCI-7.5).
        max_body: The longest answer read into memory.
        what: What is being done, for messages: ``list tags of a/b``.
        patient: The server may hash or store long before it answers (OCI-7.12).
    """

    method: str
    url: str
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes | None = attrs.field(default=None, repr=False)
    scopes: tuple[str, ...] = ()
    repeatable: bool = True
    max_body: int = BODY_CAP
    what: str = ""
    patient: bool = False


@attrs.frozen(kw_only=True)
class Answer:
    """What came back, whatever the status.

    Attributes:
        method: The method of the call.
        url: The URL that answered, after redirects; its query may hold secrets.
        status: The HTTP status.
        headers: The header fields.
        body: The body, capped; empty after HEAD.
        diagnosis: What the transport knows about why it is a refusal, or nothing.
    """

    method: str
    url: str = attrs.field(repr=False)
    status: int
    headers: Headers = attrs.field(repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    diagnosis: str = ""


class Stream(Protocol):
    """An answer whose body is read block by block, as it came over the wire (OCI-4.29)."""

    @property
    def answer(self) -> Answer:
        """Status and headers; for a refusal also the capped body."""
        ...

    def blocks(self) -> Iterator[bytes]:
        """Yield the body's blocks; raises ConnectionLost or Timeout if it breaks off."""
        ...


@attrs.frozen(kw_only=True)
class Body:
    """A large request body of known length that can be opened again.

    Attributes:
        size: Its length in bytes.
        open: Opens it from the start; yields blocks that add up to ``size``.
    """

    size: int
    open: Callable[[], AbstractContextManager[Iterator[bytes]]]


class Transport(Protocol):
    """The way to one registry: one origin, one TLS identity, one pool of connections.

    Safe to use from many threads. Every method raises
    :class:`~harborsync.errors.TransportError`, :class:`~harborsync.errors.CredentialsError`
    or, after the last try at a 429, :class:`~harborsync.errors.RateLimited`.
    """

    @property
    def origin(self) -> str:
        """Scheme, host and port, such as ``https://registry.example:5000``."""
        ...

    def send(self, call: Call) -> Answer:
        """Send a small request and read the whole answer; repeated as the policy says."""
        ...

    def stream(self, call: Call) -> AbstractContextManager[Stream]:
        """Send a GET whose answer is large; following redirects, repeated until it answers."""
        ...

    def upload(self, call: Call, body: Body) -> Answer:
        """Send a large body once, never again by itself: the caller knows what may be repeated.

        Raises:
            ConnectionLost: It broke off; whether the server took it is not known.
        """
        ...

    def close(self) -> None:
        """Close all connections; may be called again."""
        ...
