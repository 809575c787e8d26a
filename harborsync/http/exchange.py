"""One request and its answer on one connection: what both paths of the cable agree on.

A path connects, sends, and gives back a :class:`Reply` as soon as the header fields are in.
It knows nothing of logins, redirects or retries; those are written once, above both.
"""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Protocol

import attrs

from harborsync.clock import Clock, SystemClock
from harborsync.errors import InvalidValue, RegistryError, TransportError
from harborsync.http.steady import Steady
from harborsync.http.wire import ERROR_CAP, Answer, Body, Headers
from harborsync.secrets import redact_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harborsync.cancel import Cancel
    from harborsync.http.urls import Url

_PIECE: Final = 256 * 1024
_FIRST_REFUSAL: Final = 400
_RANGE_REFUSED: Final = 416
_LOOK_AT_CANCEL: Final = 0.25
# A block is passed on after so many seconds, full or not, so that a slow sender's bytes are
# seen, and the cancel flag looked at, while they come.
_GATHER_SECONDS: Final = 0.5
_CLOCK: Final = SystemClock()
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


@attrs.frozen(kw_only=True)
class Request:
    """What goes over one connection.

    Attributes:
        method: The HTTP method.
        url: Where to.
        headers: Every field but Host and Content-Length.
        body: What is sent, if anything.
        patience: Seconds until the answer must begin.
        repeatable: Whether it may be sent again on a fresh connection.
    """

    method: str
    url: Url
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes | Body | None = attrs.field(default=None, repr=False)
    patience: float
    repeatable: bool = True


class Reply:
    """An answer whose body is still on the wire; one thread reads it, then it is closed.

    Args:
        request: What it answers.
        status: The HTTP status.
        headers: The header fields.
        read: Returns what has come, at most so many bytes, nothing at the end; raises our errors.
        release: Gives the connection back; told whether it can be used again. None for an
            answer without a body, whose connection was given back already.
        clock: Tells whether the sender is too slow.
    """

    def __init__(
        self,
        *,
        request: Request,
        status: int,
        headers: Headers,
        read: Callable[[int], bytes],
        release: Callable[[bool], None] | None,
        clock: Clock | None = None,
    ) -> None:
        self.request = request
        self.status = status
        self.headers = headers
        self._clock = clock or _CLOCK
        self._read = Steady(read, self._clock).read
        self._broken: TransportError | None = None
        self._release = release
        self._body: bytes | None = None if release is not None else b""
        self._diagnosis = ""
        self._answer: Answer | None = None

    @property
    def answer(self) -> Answer:
        """The answer, with as much of its body as :meth:`finish` has read."""
        if self._answer is None:
            self._answer = Answer(
                method=self.request.method,
                url=str(self.request.url),
                status=self.status,
                headers=self.headers,
                body=self._body or b"",
                diagnosis=self._diagnosis,
            )
        return self._answer

    @property
    def diagnosis(self) -> str:
        """What our token tells about a refusal, or nothing."""
        return self._diagnosis

    @diagnosis.setter
    def diagnosis(self, text: str) -> None:
        self._diagnosis, self._answer = text, None

    def finish(self, cap: int) -> Answer:
        """Read the body, unless that is done, and let the connection go.

        Raises:
            RegistryError: The answer is longer than ``cap``.
            TransportError: It broke off.
        """
        try:
            if self._body is None:
                is_refusal = self.status >= _FIRST_REFUSAL
                self._body = self._read_refusal(cap) if is_refusal else self._read_all(cap)
                self._answer = None
            return self.answer
        finally:
            self.close()

    def blocks(self, size: int) -> Iterator[bytes]:
        """Yield the body as it comes over the wire, in blocks of ``size`` bytes or what is there.

        After :meth:`finish` it is what that has read.

        Raises:
            ConnectionLost: It broke off.
            Timeout: Nothing, or next to nothing, came for too long.
        """
        if self._body is not None:
            yield self._body
            return
        while block := self._gathered(size):
            yield block
        self._let_go(reusable=True)

    def close(self) -> None:
        """Let the connection go; what was not read is lost with it."""
        self._let_go(reusable=False)

    def discard(self) -> None:
        """Let the connection go, in a state to be used again if that is cheap."""
        with suppress(TransportError):
            self._read_at_most(ERROR_CAP)
        self.close()

    def _gathered(self, size: int) -> bytes:
        """Return a full block, or less of it if the rest is long in coming or never comes."""
        if self._broken is not None:
            raise self._broken
        piece = self._read(size)
        if len(piece) in {0, size}:
            return piece
        pieces, left = [piece], size - len(piece)
        until = self._clock.monotonic() + _GATHER_SECONDS
        with self._breaking_later():
            while left and self._clock.monotonic() < until and (piece := self._read(left)):
                pieces.append(piece)
                left -= len(piece)
        return b"".join(pieces)

    @contextmanager
    def _breaking_later(self) -> Iterator[None]:
        """Let what has come be used before its reader hears that the rest broke off."""
        try:
            yield
        except TransportError as error:
            self._broken = error

    def _read_all(self, cap: int) -> bytes:
        body = self._read_at_most(cap + 1)
        if len(body) > cap:
            raise self._too_long(cap)
        return body

    def _read_at_most(self, limit: int) -> bytes:
        pieces, left = [], limit
        while left > 0:
            piece = self._read(min(left, _PIECE))
            if not piece:
                self._let_go(reusable=True)
                break
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def _read_refusal(self, cap: int) -> bytes:
        """Read why; an explanation that breaks off does not hide the refusal."""
        if self.status == _RANGE_REFUSED:
            return b""  # its length may be announced as that of the blob (OCI-4.32)
        try:
            return self._read_at_most(min(cap, ERROR_CAP))
        except TransportError:
            return b""

    def _let_go(self, *, reusable: bool) -> None:
        release, self._release = self._release, None
        if release is not None:
            release(reusable)

    def _too_long(self, cap: int) -> RegistryError:
        url = redact_url(str(self.request.url))
        return RegistryError(
            f"{self.request.method} {url}: the answer is longer than {cap} bytes",
            method=self.request.method,
            url=url,
            status=self.status,
        )


class Path(Protocol):
    """A way to make one exchange; safe to use from many threads."""

    def start(self, request: Request, cancel: Cancel) -> Reply:
        """Send a request and return its reply as soon as the header fields are in.

        Raises:
            TransportError: The network broke.
            Cancelled: ``cancel`` was set while all connections were busy.
        """
        ...


class Berths:
    """A fixed number of places, waited for with an eye on the cancel flag."""

    def __init__(self, count: int) -> None:
        # A queue of tokens is written in C, and a semaphore of threading is not.
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(count):
            self._free.put(None)

    def take(self, cancel: Cancel) -> None:
        """Wait for a place and take it.

        Raises:
            Cancelled: ``cancel`` was set first.
        """
        while True:
            try:
                return self._free.get(timeout=_LOOK_AT_CANCEL)
            except Empty:
                cancel.check()

    def leave(self) -> None:
        """Give a place back."""
        self._free.put(None)


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse names and values that would end a header field early (OCI-9.11).

    Raises:
        InvalidValue: There is one.
    """
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            msg = f"the header field {name[:80]!r} holds characters that cannot be sent"
            raise InvalidValue(msg)
