"""A transport whose answers the test writes down, and a registry that speaks through it."""

from __future__ import annotations

import random
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import attrs
import pytest

from harborsync.credentials.base import Anonymous, Credential
from harborsync.credentials.static import StaticCredentials
from harborsync.errors import ConnectionLost
from harborsync.events import Dispatcher, Event
from harborsync.gate import open_registry
from harborsync.http.wire import Answer, Headers
from harborsync.provider import OpenContext
from harborsync.registries.distribution import DistributionRegistry
from harborsync.secrets import Secret
from harborsync.testing import LoopbackHarbor
from harborsync.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.credentials.base import CredentialSource
    from harborsync.http.wire import Body, Call
    from harborsync.state import SessionJournal

Reply = int | tuple[Any, ...] | Exception
ORIGIN = "https://registry.example"


@attrs.define
class Asked:
    """A request as it arrived, with as much of its body as did."""

    call: Call
    body: bytes = b""
    was_large: bool = False

    @property
    def line(self) -> str:
        """Method and URL."""
        return f"{self.call.method} {self.call.url}"

    @property
    def query(self) -> dict[str, str]:
        """The parameters."""
        pairs = parse_qs(self.call.url.partition("?")[2], keep_blank_values=True)
        return {name: values[0] for name, values in pairs.items()}


@attrs.define
class _Stream:
    """An answer in pieces: blocks, exceptions to raise there, and functions to call there."""

    answer: Answer
    pieces: tuple[Any, ...]

    def blocks(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            if callable(piece):
                piece()
            else:
                yield piece


class ScriptedTransport:
    """Gives the answers that were written down for a method and a pattern of URL.

    A reply is a status, ``(status, headers)``, ``(status, headers, body)`` or an exception to
    raise; the last one of a route is given again and again.
    """

    origin = ORIGIN

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.cut_uploads: list[int] = []
        self.answer_url: str | None = None
        self.closed = 0
        self.before: Callable[[Call], object] = lambda _: None
        self._routes: list[tuple[str, re.Pattern[str], list[Reply]]] = []

    def on(self, method: str, pattern: str, *replies: Reply) -> None:
        """Write down what is answered; later routes go before earlier ones."""
        self._routes.insert(0, (method, re.compile(pattern), list(replies)))

    @property
    def lines(self) -> list[str]:
        """Methods and URLs asked so far."""
        return [asked.line for asked in self.asked]

    def named(self, method: str) -> list[Asked]:
        """What was asked by a method."""
        return [asked for asked in self.asked if asked.call.method == method]

    def send(self, call: Call) -> Answer:
        """Answer a small request."""
        return self._answer(Asked(call, call.body or b""))[0]

    @contextmanager
    def stream(self, call: Call) -> Iterator[_Stream]:
        """Answer a request for something large."""
        answer, body = self._answer(Asked(call))
        yield _Stream(answer, body if isinstance(body, tuple) else (body,))

    def upload(self, call: Call, body: Body) -> Answer:
        """Take a large body, or cut it off where ``cut_uploads`` says."""
        received = bytearray()
        most = self.cut_uploads.pop(0) if self.cut_uploads else body.size + 1
        try:
            with body.open() as blocks:
                for block in blocks:
                    received += block[: most - len(received)]
                    if len(received) >= most:
                        msg = "the connection was cut"
                        raise ConnectionLost(msg)
        except Exception:
            self.asked.append(Asked(call, bytes(received), was_large=True))
            raise
        assert len(received) == body.size
        return self._answer(Asked(call, bytes(received), was_large=True))[0]

    def close(self) -> None:
        """Note that we were closed."""
        self.closed += 1

    def _answer(self, asked: Asked) -> tuple[Answer, Any]:
        self.asked.append(asked)
        self.before(asked.call)
        reply = self._reply(asked.call)
        if isinstance(reply, Exception):
            raise reply
        status, headers, body = (*((reply,) if isinstance(reply, int) else reply), {}, b"")[:3]
        url = asked.call.url if "://" in asked.call.url else f"{self.origin}{asked.call.url}"
        answer = Answer(
            method=asked.call.method,
            url=self.answer_url or url,
            status=status,
            headers=Headers(list(headers.items())),
            body=body if isinstance(body, bytes) else b"",
        )
        return answer, body

    def _reply(self, call: Call) -> Reply:
        for method, pattern, replies in self._routes:
            if method == call.method and pattern.search(call.url):
                return replies.pop(0) if len(replies) > 1 else replies[0]
        msg = f"nothing is written down for {call.method} {call.url}"
        raise AssertionError(msg)


@pytest.fixture
def wire() -> ScriptedTransport:
    """The transport."""
    return ScriptedTransport()


@pytest.fixture
def clock() -> FakeClock:
    """Time that only passes when somebody sleeps."""
    return FakeClock()


@pytest.fixture
def events() -> list[Event]:
    """What was told to listeners."""
    return []


@pytest.fixture
def context(clock: FakeClock, events: list[Event]) -> OpenContext:
    """What the registry takes from outside."""
    return OpenContext(clock=clock, rng=random.Random(7), emit=Dispatcher([events.append]))


@pytest.fixture
def open_with(wire: ScriptedTransport, context: OpenContext) -> Callable[..., DistributionRegistry]:
    """Open the registry with quirks, abilities or a journal."""

    def opened(*, journal: SessionJournal | None = None, **more: Any) -> DistributionRegistry:
        outside = attrs.evolve(context, journal=journal or context.journal)
        return DistributionRegistry("registry.example", wire, outside, **more)

    return opened


@pytest.fixture
def registry(open_with: Callable[..., DistributionRegistry]) -> DistributionRegistry:
    """The registry, without quirks."""
    return open_with()


# What a robot gets that reads and writes everything of a project, but makes none.
WORKER = (
    *("repository:pull", "repository:push", "repository:list", "repository:read"),
    *("repository:update", "artifact:list", "artifact:read", "artifact:create"),
    *("artifact-label:create", "artifact-label:delete", "accessory:list", "project:read"),
    *("label:create", "label:list", "tag:create", "tag:delete", "tag:list"),
)


@pytest.fixture
def harbor(clock: FakeClock) -> Iterator[LoopbackHarbor]:
    """A Harbor with the project ``app``."""
    with LoopbackHarbor(clock=clock) as server:
        server.add_project("app")
        yield server


class HarborOpener:
    """Opens a Harbor as somebody; its log begins anew each time.

    Args:
        server: The Harbor.
        clock: The time of both.
    """

    def __init__(self, server: LoopbackHarbor, clock: FakeClock) -> None:
        self._server = server
        self._clock = clock
        self.opened: list[DistributionRegistry] = []

    def __call__(
        self, *access: str, login: Credential | None = None, path: str = "", **options: str
    ) -> DistributionRegistry:
        """Open it with a login, or as a robot with these permissions, or one that may all."""
        server = self._server
        if login is None:
            robot = server.add_robot(f"r{len(self.opened)}", access=access or WORKER)
            login = Credential(username=robot.name, secret=Secret(robot.secret))
        return self._open(StaticCredentials({server.host: login}), path, options)

    def anonymously(self, path: str = "") -> DistributionRegistry:
        """Open it as nobody."""
        return self._open(Anonymous(), path, {})

    def _open(
        self, source: CredentialSource, path: str, options: dict[str, str]
    ) -> DistributionRegistry:
        context = OpenContext(clock=self._clock, credentials=source, rng=random.Random(7))
        endpoint = attrs.evolve(
            self._server.endpoint, address=f"{self._server.host}{path}", option_items=options
        )
        registry = open_registry(endpoint, context)
        assert isinstance(registry, DistributionRegistry)
        self.opened.append(registry)
        self._server.clear_log()
        return registry

    @property
    def lines(self) -> list[str]:
        """Methods and paths asked since, without the API's own beginning and queries."""
        return [f"{r.method} {r.path.removeprefix('/api/v2.0')}" for r in self._server.requests]


@pytest.fixture
def open_harbor(harbor: LoopbackHarbor, clock: FakeClock) -> Iterator[HarborOpener]:
    """Open the Harbor as somebody."""
    opener = HarborOpener(harbor, clock)
    yield opener
    for registry in opener.opened:
        registry.close()
