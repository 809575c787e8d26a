"""HTTP/1.1 as the embedded registry speaks it: requests, their bodies, responses, refusals."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from io import BufferedReader

    from harborsync.testing.storage import StoredBlob

_BLOCK: Final = 256 * 1024
_LONGEST_LINE: Final = 64 * 1024
#: How much of a body nobody asked for is read, so that the connection can serve on.
_DRAIN: Final = 4 * 2**20
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})\s*(?:;.*)?\r?\n")


class Hangup(Exception):
    """The connection must end now, in a clean way or by a reset."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__("the connection ends here")
        self.reset = reset


@attrs.frozen(kw_only=True)
class Response:
    """An answer, complete before its first byte is sent.

    Attributes:
        status: HTTP status.
        headers: Header fields; Content-Length is added.
        body: The bytes, if they are few.
        blob: The stored bytes to send instead, or None.
        start: First byte of the blob to send.
        length: Bytes of the blob to send, or None for all from ``start``.
        chunked: Send the body without telling its length.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = attrs.field(default=b"", repr=False)
    blob: StoredBlob | None = None
    start: int = 0
    length: int | None = None
    chunked: bool = False

    @property
    def size(self) -> int:
        """Length of the body that is sent."""
        if self.blob is None:
            return len(self.body)
        return self.blob.size - self.start if self.length is None else self.length

    @property
    def honest(self) -> bool:
        """Whether the length announced is the one that is sent, so that more can follow."""
        return self.headers.get("Content-Length", str(self.size)) == str(self.size)

    def blocks(self) -> Iterator[bytes]:
        """Yield the body."""
        if self.blob is None:
            yield self.body
            return
        with self.blob.open() as stream:
            stream.seek(self.start)
            left = self.size
            while left and (block := stream.read(min(_BLOCK, left))):
                left -= len(block)
                yield block


def json_response(status: int, value: object, headers: Mapping[str, str] | None = None) -> Response:
    """Return ``value`` as a JSON answer."""
    fields = {"Content-Type": "application/json", **(headers or {})}
    return Response(status=status, headers=fields, body=json.dumps(value).encode())


class Refusal(Exception):
    """An answer that is an error, in the form of the distribution specification."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str = "",
        *,
        detail: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or code)
        entry = {"code": code, "message": message or code.lower().replace("_", " ")}
        details = detail if isinstance(detail, list) else [detail]
        errors = [entry if each is None else {**entry, "detail": each} for each in details]
        self.response = json_response(status, {"errors": errors}, headers)


class RequestBody:
    """The body of a request, read from the connection as it is asked for.

    Attributes:
        length: The length announced, or None for a chunked body.
        taken: Bytes handed on so far.
    """

    def __init__(
        self, stream: BufferedReader, length: int | None, proceed: Callable[[], None] | None = None
    ) -> None:
        self._stream = stream
        self._proceed = proceed
        self._source = self._chunked() if length is None else self._sized(length)
        self._done = length == 0
        self._cut: tuple[int, bool] | None = None
        self.length = length
        self.taken = 0

    def cut_after(self, count: int, *, reset: bool) -> None:
        """End the connection after ``count`` bytes of this body."""
        self._cut = (count, reset)

    def read(self) -> bytes:
        """Return all that is left."""
        return b"".join(self.blocks())

    def blocks(self) -> Iterator[bytes]:
        """Yield the body's blocks as they come; goes on where an earlier reader stopped.

        Raises:
            Hangup: The body ended early, or was to be cut here.
        """
        if self._proceed is not None and not self._done:
            self._proceed()
            self._proceed = None
        self._check_cut()
        for block in self._source:
            self.taken += len(block)
            yield block
            self._check_cut()
        self._done = True

    def drain(self) -> bool:
        """Skip what nobody read, if it is not much; tell whether the next request can follow."""
        if self._done:
            return True
        if self._proceed is not None or (self.length or 0) - self.taken > _DRAIN:
            return False
        limit = self.taken + _DRAIN
        return all(self.taken < limit for _ in self.blocks())

    def _sized(self, length: int) -> Iterator[bytes]:
        left = length
        while left:
            block = self._stream.read1(min(_BLOCK, left, self._room()))
            if not block:
                raise Hangup
            left -= len(block)
            yield block

    def _chunked(self) -> Iterator[bytes]:
        while length := self._chunk_length():
            yield from self._sized(length)
            self._stream.readline(_LONGEST_LINE)
        while self._stream.readline(_LONGEST_LINE).strip():
            pass  # trailers

    def _chunk_length(self) -> int:
        found = _CHUNK_SIZE.fullmatch(self._stream.readline(_LONGEST_LINE))
        if found is None:
            raise Hangup
        return int(found[1], 16)

    def _room(self) -> int:
        return _BLOCK if self._cut is None else self._cut[0] - self.taken

    def _check_cut(self) -> None:
        if self._cut is not None and self.taken >= self._cut[0] and self.length != 0:
            raise Hangup(reset=self._cut[1])


@attrs.frozen(kw_only=True)
class Request:
    """A request.

    Attributes:
        method: The HTTP method.
        target: Path and query as sent.
        headers: Header fields by lower-case name.
        body: The body, not yet read.
        connection: Number of the connection it came over, from 1.
        secure: Whether that connection is TLS.
    """

    method: str
    target: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: RequestBody = attrs.field(repr=False)
    connection: int = 0
    secure: bool = False

    @property
    def path(self) -> str:
        """The decoded path."""
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The decoded query, in order."""
        text = self.target.partition("?")[2]
        return tuple(parse_qsl(text, keep_blank_values=True)) if text else ()

    def parameter(self, name: str) -> str | None:
        """Return the first value of a query parameter, or None."""
        return next((value for key, value in self.query if key == name), None)

    @property
    def origin(self) -> str:
        """Scheme and host as the client sees them."""
        return f"{'https' if self.secure else 'http'}://{self.headers.get('host', '')}"
