"""What can go wrong between a client and a registry, on purpose.

    >>> from harborsync.testing import LoopbackRegistry, faults
    >>> plan = faults.FaultScript(faults.on("GET", "/blobs/", faults.cut_response(1000)))
    >>> with LoopbackRegistry(faults=plan) as server:
    ...     server.host.startswith("127.0.0.1:")
    True

A fault is a value; the functions here make the usual ones. A :class:`FaultScript` lets them
happen at chosen requests, a :class:`FaultPlan` at random ones, the same ones for the same seed.
"""

from __future__ import annotations

import random
import re
import threading
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from harborsync.clock import Clock
    from harborsync.testing.server_wire import Request

_SESSION: Final = re.compile(r"(/blobs/uploads/)[^/]+")
_HTML: Final = b"<!doctype html><html><title>Bad gateway</title><h1>Bad gateway</h1></html>"
_LIE: Final = f"sha256:{'0' * 64}"


@attrs.frozen(kw_only=True)
class Fault:
    """What goes wrong with one request; parts can be combined.

    Attributes:
        delay: Seconds the server waits, on its clock, before it does anything.
        status: Answer this instead of doing what was asked, or None.
        headers: Header fields added to the answer, or replaced in it.
        body: Body of that answer.
        expire_tokens: Every token ends as soon as this request is answered.
        forget_uploads: Every upload session is lost before the request is looked at.
        cut_request_after: End the connection after so many bytes of the request body.
        lose_answer: Do what was asked and end the connection without a word.
        cut_response_after: End the connection after so many bytes of the response body.
        reset: End the connection by a reset, not cleanly.
        stall_after: Send so many bytes of the body, then nothing until the client leaves.
        drip_bytes: Send the body in pieces of so many bytes, or 0.
        drip_pause: Seconds between two pieces, on the server's clock.
        corrupt_at: Change the byte of the body at this place, or None.
        length_error: Add this to the length announced.
    """

    delay: float = 0.0
    status: int | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = attrs.field(default=b"", repr=False)
    expire_tokens: bool = False
    forget_uploads: bool = False
    cut_request_after: int | None = None
    lose_answer: bool = False
    cut_response_after: int | None = None
    reset: bool = False
    stall_after: int | None = None
    drip_bytes: int = 0
    drip_pause: float = 0.0
    corrupt_at: int | None = None
    length_error: int = 0

    @property
    def stops_after(self) -> int | None:
        """Bytes of the response body after which no more come, or None."""
        return self.cut_response_after if self.stall_after is None else self.stall_after

    def spoil(self, blocks: Iterable[bytes], clock: Clock) -> Iterator[bytes]:
        """Yield a body's blocks as they go out."""
        if self.corrupt_at is not None:
            blocks = _corrupted(blocks, self.corrupt_at)
        if self.drip_bytes:
            blocks = _dripped(blocks, self.drip_bytes, self.drip_pause, clock)
        return iter(blocks) if self.stops_after is None else _cut(blocks, self.stops_after)


#: Nothing goes wrong.
NONE: Final = Fault()


def _corrupted(blocks: Iterable[bytes], place: int) -> Iterator[bytes]:
    passed = 0
    for block in blocks:
        at = place - passed
        passed += len(block)
        if 0 <= at < len(block):
            yield block[:at] + bytes([block[at] ^ 0xFF]) + block[at + 1 :]
        else:
            yield block


def _dripped(blocks: Iterable[bytes], size: int, pause: float, clock: Clock) -> Iterator[bytes]:
    pieces = (block[at : at + size] for block in blocks for at in range(0, len(block), size))
    for number, piece in enumerate(pieces):
        if number:
            clock.sleep(pause)
        yield piece


def _cut(blocks: Iterable[bytes], count: int) -> Iterator[bytes]:
    for block in blocks:
        yield block[:count]
        count -= len(block)
        if count <= 0:
            return


# --- the usual ones --------------------------------------------------------------------------


def status(code: int, *, retry_after: str | float | None = None) -> Fault:
    """Answer ``code`` in the form of the specification, with or without Retry-After."""
    headers = {"Content-Type": "application/json"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    body = b'{"errors": [{"code": "UNKNOWN", "message": "a fault of the test"}]}'
    return Fault(status=code, headers=headers, body=body)


def html_page(code: int = 502) -> Fault:
    """Answer with the page of a proxy that knows nothing of registries (OCI-7.1)."""
    return Fault(status=code, headers={"Content-Type": "text/html"}, body=_HTML)


def redirect(location: str, code: int = 307) -> Fault:
    """Send the client somewhere else: to a dead, foreign or forbidden address (OCI-9.1)."""
    return Fault(status=code, headers={"Location": location})


def delay(seconds: float) -> Fault:
    """Wait on the server's clock before anything else."""
    return Fault(delay=seconds)


def cut_request(after: int, *, reset: bool = False) -> Fault:
    """Take ``after`` bytes of the request body and end the connection."""
    return Fault(cut_request_after=after, reset=reset)


def cut_response(after: int, *, reset: bool = False) -> Fault:
    """Send ``after`` bytes of the response body and end the connection."""
    return Fault(cut_response_after=after, reset=reset)


def lose_answer(*, reset: bool = False) -> Fault:
    """Do what was asked and never say so: the client will do it twice (OCI-7.5)."""
    return Fault(lose_answer=True, reset=reset)


def stall(after: int = 0) -> Fault:
    """Send ``after`` bytes of the body, then nothing more until the client leaves."""
    return Fault(stall_after=after)


def drip(size: int, pause: float) -> Fault:
    """Send the body ``size`` bytes at a time with ``pause`` seconds between."""
    return Fault(drip_bytes=size, drip_pause=pause)


def corrupt(at: int = 0) -> Fault:
    """Change one byte of the body."""
    return Fault(corrupt_at=at)


def wrong_length(by: int) -> Fault:
    """Announce a body that is longer (or, below 0, shorter) than the one sent (OCI-4.28)."""
    return Fault(length_error=by)


def lying_digest(digest: str = _LIE) -> Fault:
    """Name another digest in Docker-Content-Digest (OCI-3.8)."""
    return Fault(headers={"Docker-Content-Digest": digest})


def endless_pages(location: str) -> Fault:
    """Say that ``location`` is the next page, however often it is asked for (OCI-5.3)."""
    return Fault(headers={"Link": f'<{location}>; rel="next"'})


def expire_tokens() -> Fault:
    """End every token once this request is answered (OCI-2.17)."""
    return Fault(expire_tokens=True)


def vanish_uploads() -> Fault:
    """Lose every upload session, as a restart without shared storage does (OCI-4.18)."""
    return Fault(forget_uploads=True)


# --- when they happen ------------------------------------------------------------------------


@attrs.frozen
class Cue:
    """A fault and the requests it happens to.

    Attributes:
        method: The method, or ``*`` for any.
        path: A regular expression found anywhere in the path.
        fault: What goes wrong.
        times: How often, counted over matching requests; None for always.
        skip: How many matching requests go well first.
    """

    method: str
    path: str
    fault: Fault
    times: int | None = attrs.field(default=1, kw_only=True)
    skip: int = attrs.field(default=0, kw_only=True)

    def matches(self, request: Request) -> bool:
        """Tell whether a request is one of those meant."""
        fits = self.method in {"*", request.method}
        return fits and re.search(self.path, request.path) is not None

    def is_due(self, nth: int) -> bool:
        """Tell whether it happens to the ``nth`` matching request, from 1."""
        return nth > self.skip and (self.times is None or nth <= self.skip + self.times)


on = Cue


class FaultScript:
    """Lets faults happen at chosen requests; the first cue that is due wins."""

    def __init__(self, *cues: Cue) -> None:
        self._cues = cues
        self._seen = [0] * len(cues)
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Fault | None:
        """Return what goes wrong with ``request``, or None."""
        for number, cue in enumerate(self._cues):
            if cue.matches(request):
                with self._lock:
                    self._seen[number] += 1
                    nth = self._seen[number]
                if cue.is_due(nth):
                    return cue.fault
        return None


class FaultPlan:
    """Lets faults happen at random requests.

    Whether the n-th request for a path is hit depends on the seed only, not on the order in
    which threads come.

    Args:
        seed: Equal seeds, equal faults.
        choices: What may go wrong.
        rate: Share of the requests that are hit, 0 to 1.
        at_most: Hits on one path in all, so that every retry ends well at last; None for any.
        matching: Which requests may be hit; all if None.
    """

    def __init__(
        self,
        seed: int,
        choices: Sequence[Fault],
        *,
        rate: float = 0.1,
        at_most: int | None = 2,
        matching: Callable[[Request], bool] | None = None,
    ) -> None:
        self._seed = seed
        self._choices = tuple(choices)
        self._rate = rate
        self._at_most = at_most
        self._matching = matching
        self._lock = threading.Lock()
        self._seen: dict[str, int] = {}
        self._hits: dict[str, int] = {}
        self._injected: list[tuple[str, Fault]] = []

    @property
    def injected(self) -> tuple[tuple[str, Fault], ...]:
        """What went wrong so far: method and path, and the fault."""
        with self._lock:
            return tuple(self._injected)

    def __call__(self, request: Request) -> Fault | None:
        """Return what goes wrong with ``request``, or None."""
        if self._matching is not None and not self._matching(request):
            return None
        path = _SESSION.sub(r"\1…", request.path)  # a session's name is never the same again
        key = f"{request.method} {path}"
        with self._lock:
            nth = self._seen[key] = self._seen.get(key, 0) + 1
            spent = self._at_most is not None and self._hits.get(key, 0) >= self._at_most
            fault = None if spent else self._drawn(f"{self._seed} {key} {nth}")
            if fault is not None:
                self._hits[key] = self._hits.get(key, 0) + 1
                self._injected.append((key, fault))
        return fault

    def _drawn(self, key: str) -> Fault | None:
        rng = random.Random(key)  # noqa: S311 - no secret hangs on it
        return rng.choice(self._choices) if rng.random() < self._rate else None


def network_weather() -> tuple[Fault, ...]:
    """Return the faults of bad networks and busy servers that a good client survives."""
    return (
        status(429, retry_after=1),
        status(429),
        status(500),
        status(502),
        status(503, retry_after=1),
        status(504),
        html_page(502),
        delay(2.0),
        cut_response(0),
        cut_response(1000),
        cut_response(1000, reset=True),
        cut_request(1000),
        cut_request(1000, reset=True),
        lose_answer(),
        lose_answer(reset=True),
        vanish_uploads(),
        expire_tokens(),
        corrupt(10),
        drip(4096, 0.01),
    )
