"""Warnings that a registry sends along with good answers (OCI-8.1): logged once, never obeyed."""

from __future__ import annotations

import logging
import re
import threading
from typing import TYPE_CHECKING, Final

from harborsync.http.answers import printable

if TYPE_CHECKING:
    from harborsync.http.wire import Headers

_log = logging.getLogger(__name__)

_WARNING: Final = re.compile(r'299 - "((?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_LONGEST: Final = 4096
_MOST: Final = 1000


class Notices:
    """Remembers what was said; thread-safe.

    Args:
        host: Who says it.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._said: set[str] = set()

    def take(self, headers: Headers) -> None:
        """Log the warnings that are new."""
        for text in parse_warnings(headers):
            if self._is_new(text):
                _log.warning("%s warns: %s", self._host, text)

    def _is_new(self, text: str) -> bool:
        with self._lock:
            is_new = text not in self._said and len(self._said) < _MOST
            if is_new:
                self._said.add(text)
            return is_new


def parse_warnings(headers: Headers) -> tuple[str, ...]:
    """Return the texts of well-formed ``Warning: 299 - "text"`` fields, fit to print."""
    values = headers.all("warning")
    if sum(map(len, values)) > _LONGEST:
        return ()
    found = (text for value in values for text in _WARNING.findall(value))
    return tuple(printable(_ESCAPED.sub(r"\1", text)) for text in found)
