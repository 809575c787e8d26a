"""A secret is a type that hides itself, so that no log, repr or pickle can show it.

>>> from harborsync import Secret
>>> password = Secret("hunter2")
>>> password
Secret('***')
>>> f"{password}"
'***'
>>> password.reveal()
'hunter2'
"""

from __future__ import annotations

import hmac
import re
from typing import Final, NoReturn

from harborsync.errors import ConfigurationError

MASK: Final = "***"
_QUERY: Final = re.compile(r"\?[^\s'\"<>)]+")
_USERINFO: Final = re.compile(r"(?<=://)[^/\s]*@")
_HEADER: Final = re.compile(r"(?i)\b(basic|bearer)\s+[A-Za-z0-9._~+/=-]{8,}")


class Secret:
    """A text that must not be seen; compare in constant time, reveal on purpose only."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Take the text in."""
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; the only way to it."""
        return self._text

    def __repr__(self) -> str:
        """Hide the text."""
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        """Hide the text."""
        return MASK

    def __format__(self, spec: str) -> str:
        """Hide the text, whatever the format."""
        return MASK

    def __bool__(self) -> bool:
        """Tell whether there is any text."""
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        """Compare without telling by the time taken how much agrees."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        """Hash like the text, so that a secret can be part of a cache key."""
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        """Refuse to travel.

        Raises:
            ConfigurationError: Always.
        """
        msg = "a secret cannot be pickled or handed to another process"
        raise ConfigurationError(
            msg,
            hint="name a credential source that the worker can resolve itself, "
            "such as an environment variable or a docker config.json",
        )


def redact_url(url: str) -> str:
    """Return ``url`` without user info and query: both carry tokens and signatures (OCI-9.12)."""
    return _USERINFO.sub("", url).partition("?")[0].partition("#")[0]


def redact(text: str) -> str:
    """Return ``text`` of foreign origin with URLs' queries, user info and credentials masked."""
    text = _USERINFO.sub("", text)
    text = _QUERY.sub(f"?{MASK}", text)
    return _HEADER.sub(rf"\1 {MASK}", text)
