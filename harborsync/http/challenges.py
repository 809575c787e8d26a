"""WWW-Authenticate, in every shape that servers send it (OCI-2.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BEARER: Final = "bearer"
BASIC: Final = "basic"

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER: Final = re.compile(
    rf"[\s,]*(?P<name>{_WORD})\s*=\s*(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<bare>[^\s,\"]*))"
    r"\s*(?=,|$)",
    re.DOTALL,
)
_SCHEME: Final = re.compile(rf"[\s,]*(?P<scheme>{_WORD})(?:\s+|\s*(?=,)|$)")
_TOKEN68: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*\s*(?=,|$)")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


@attrs.frozen(kw_only=True)
class Challenge:
    """One way to log in that a server offers.

    Attributes:
        scheme: Its name in lower case.
        parameters: Names in lower case with their values, unquoted.
    """

    scheme: str
    parameters: dict[str, str] = attrs.field(factory=dict)

    @property
    def realm(self) -> str:
        """The realm; for Bearer the URL of the token server, possibly relative (OCI-2.5)."""
        return self.parameters.get("realm", "")

    @property
    def service(self) -> str:
        """The name the token server knows the registry by."""
        return self.parameters.get("service", "")

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes asked for."""
        return tuple(self.parameters.get("scope", "").split())


def parse_challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """Read all challenges of one or more header fields; what cannot be read ends a field.

    >>> [each.scheme for each in parse_challenges(['Negotiate, Basic realm="a, b"'])]
    ['negotiate', 'basic']
    """
    return tuple(challenge for value in values for challenge in _parse(value))


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """Return the Bearer challenge if there is one, else the Basic one, else None (OCI-2.2)."""
    known = {challenge.scheme: challenge for challenge in reversed(tuple(challenges))}
    return known.get(BEARER) or known.get(BASIC)


def _parse(value: str) -> Iterator[Challenge]:
    position = 0
    while scheme := _SCHEME.match(value, position):
        parameters, position = _parameters(value, scheme.end())
        yield Challenge(scheme=scheme["scheme"].lower(), parameters=parameters)


def _parameters(value: str, position: int) -> tuple[dict[str, str], int]:
    parameters: dict[str, str] = {}
    while found := _PARAMETER.match(value, position):
        quoted = found["quoted"]
        text = found["bare"] if quoted is None else _ESCAPED.sub(r"\1", quoted)
        parameters.setdefault(found["name"].lower(), text)
        position = found.end()
    opaque = None if parameters else _TOKEN68.match(value, position)
    return parameters, opaque.end() if opaque else position
