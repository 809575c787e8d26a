"""Answers as they come over a kept connection: a head of a few lines, then the body.

http.client puts every header field through the parser of e-mails, which costs more than all
the rest of a small request; hence a reader of our own for the thin path. It takes what HTTP/1.1
allows a server to send (RFC 9112) and refuses what two readers could understand differently.
"""

from __future__ import annotations

import http.client
import re
from typing import TYPE_CHECKING, Final

from harborsync.http.wire import Fields, Headers

if TYPE_CHECKING:
    import socket

_STATUS_LINE: Final = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n]*)?", re.ASCII)
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
_FOLD: Final = re.compile(r"\n[ \t]+")  # a field over several lines (RFC 9112, 5.2)
_PIECE: Final = 256 * 1024
_LONGEST_HEAD: Final = 64 * 1024
_MOST_FIELDS: Final = 200
_LONGEST_LINE: Final = 16 * 1024
_MOST_INTERIM: Final = 10
_MOST_DIGITS: Final = 19  # of the longest length there can be, 2**63 - 1
_NO_BODY: Final = frozenset({204, 304})
_FIRST_FINAL: Final = 200
_UNTIL_CLOSED: Final = -1


class Inbox:
    """What has come over a socket and was not read yet; for one thread at a time.

    Args:
        sock: The socket; its timeout holds for every wait here.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._held = b""

    @property
    def is_empty(self) -> bool:
        """Whether nothing lies here that nobody asked for."""
        return not self._held

    def head(self) -> bytes:
        """Return everything up to a blank line.

        Raises:
            HTTPException: It never ends, or nothing came, or it broke off.
        """
        if not self._held:
            self._more(http.client.RemoteDisconnected)
        while (end := _END_OF_HEAD.search(self._held)) is None and len(self._held) <= _LONGEST_HEAD:
            self._more()
        if end is None or end.start() > _LONGEST_HEAD:
            msg = "head"
            raise http.client.LineTooLong(msg)
        head, self._held = self._held[: end.start()], self._held[end.end() :]
        return head

    def line(self) -> bytes:
        """Return the next line without its end.

        Raises:
            HTTPException: It is too long, or broke off.
        """
        while b"\n" not in self._held:
            if len(self._held) > _LONGEST_LINE:
                msg = "chunk"
                raise http.client.LineTooLong(msg)
            self._more()
        line, _, self._held = self._held.partition(b"\n")
        return line.rstrip(b"\r")

    def take(self, count: int) -> bytes:
        """Return some bytes, at most ``count``; none if the other end has closed."""
        if not self._held:
            return self._sock.recv(min(count, _PIECE))
        piece, self._held = self._held[:count], self._held[count:]
        return piece

    def _more(self, lack: type[http.client.HTTPException] | None = None) -> None:
        piece = self._sock.recv(_PIECE)
        if not piece:
            raise lack() if lack is not None else http.client.IncompleteRead(self._held[:80])
        self._held += piece


class Response:
    """One answer; read to its end, it leaves the connection ready for the next.

    Args:
        inbox: What comes over the connection.
        method: The method of the request.

    Attributes:
        status: The HTTP status.
        headers: The header fields.
        keeps: Whether the connection can be used again after the body.

    Raises:
        HTTPException: What comes is no HTTP.
    """

    def __init__(self, inbox: Inbox, method: str) -> None:
        self._inbox = inbox
        minor, self.status, fields = _head(inbox)
        self.headers = Headers.of(fields)
        self._chunked = "transfer-encoding" in fields
        self._left = self._length(method, fields)
        self.keeps = self._may_be_kept(minor, fields)

    def read(self, count: int) -> bytes:
        """Return some bytes of the body, at most ``count``; none at its end.

        Raises:
            HTTPException: It broke off (OCI-4.33).
        """
        if self._chunked and not self._left:
            self._next_chunk()
        if not self._left or not count:
            return b""
        if self._left == _UNTIL_CLOSED:
            return self._inbox.take(count)
        piece = self._inbox.take(min(count, self._left))
        if not piece:
            raise http.client.IncompleteRead(piece, self._left)
        self._left -= len(piece)
        if self._chunked and not self._left:
            self._inbox.line()
        return piece

    @property
    def is_over(self) -> bool:
        """Whether there is nothing, or nothing more, to read."""
        return not self._left and not self._chunked

    def _length(self, method: str, fields: Fields) -> int:
        if method == "HEAD" or self.status in _NO_BODY:
            self._chunked = False
            return 0
        if self._chunked:
            if fields["transfer-encoding"][-1].lower() != "chunked":
                msg = "an unknown transfer encoding"
                raise http.client.HTTPException(msg)
            return 0
        length, *others = fields.get("content-length", ("",))
        if not length and "content-length" not in fields:
            return _UNTIL_CLOSED
        if any(other != length for other in others):
            msg = "two lengths"
            raise http.client.HTTPException(msg)
        if not (length.isascii() and length.isdigit() and len(length) <= _MOST_DIGITS):
            msg = "a length that is no number"
            raise http.client.HTTPException(msg)
        return int(length)

    def _may_be_kept(self, minor: int, fields: Fields) -> bool:
        wishes = ",".join(fields.get("connection", ())).lower()
        is_ambiguous = self._chunked and "content-length" in fields
        if self._left == _UNTIL_CLOSED or "close" in wishes or is_ambiguous:
            return False
        return bool(minor) or "keep-alive" in wishes

    def _next_chunk(self) -> None:
        found = _CHUNK_SIZE.fullmatch(self._inbox.line())
        if found is None:
            msg = "a chunk without a size"
            raise http.client.HTTPException(msg)
        self._left = int(found[1], 16)
        if not self._left:
            self._chunked = False
            self._skip_trailers()

    def _skip_trailers(self) -> None:
        for _ in range(_MOST_FIELDS):
            if not self._inbox.line():
                return
        msg = "trailers without end"
        raise http.client.HTTPException(msg)


def _head(inbox: Inbox) -> tuple[int, int, Fields]:
    """Return the minor version, the status and the fields of the first answer that is final."""
    for _ in range(_MOST_INTERIM):
        text = inbox.head().decode("latin-1").rstrip("\r").replace("\r\n", "\n")
        if "\n " in text or "\n\t" in text:
            text = _FOLD.sub(" ", text)
        first, *lines = text.split("\n")
        found = _STATUS_LINE.fullmatch(first)
        if found is None:
            raise http.client.BadStatusLine(repr(first[:80]))
        status = int(found[2])
        if len(lines) > _MOST_FIELDS:
            break
        if status >= _FIRST_FINAL:
            return int(found[1]), status, _fields(lines)
    msg = "header fields or interim answers without end"
    raise http.client.HTTPException(msg)


def _fields(lines: list[str]) -> Fields:
    fields: Fields = {}
    for line in lines:
        name, colon, value = line.partition(":")
        key = name.lower()
        if not colon or not key or key.strip() != key:
            msg = "a header field that is none"
            raise http.client.HTTPException(msg)
        fields[key] = (*fields[key], value.strip()) if key in fields else (value.strip(),)
    return fields
