"""An HTTP client that is not ours, and a registry to talk to."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from harborsync.testing import FakeClock, LoopbackHarbor, LoopbackRegistry

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator


class Reply(NamedTuple):
    """An answer, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)

    @property
    def codes(self) -> list[str]:
        """The error codes of the body."""
        return [error["code"] for error in self.json["errors"]]


class Client:
    """One connection that stays open."""

    def __init__(self, host: str, tls: ssl.SSLContext | None = None) -> None:
        self.connection = (
            http.client.HTTPConnection(host, timeout=20)
            if tls is None
            else http.client.HTTPSConnection(host, timeout=20, context=tls)
        )

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send a request; header names are written with underscores."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, fields)
        response = self.connection.getresponse()
        return Reply(response.status, response.headers, response.read())

    def push_blob(self, repository: str, content: bytes) -> str:
        """Upload a blob by POST and PUT and return its digest."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        location = self("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
        joint = "&" if "?" in location else "?"
        reply = self("PUT", f"{location}{joint}digest={digest}", content)
        assert reply.status == 201
        return digest


@pytest.fixture
def talk() -> Iterator[Callable[..., Client]]:
    """Return a function that opens a client to a registry or a host."""
    opened: list[Client] = []

    def open_client(to: LoopbackRegistry | str, tls: ssl.SSLContext | None = None) -> Client:
        opened.append(Client(to if isinstance(to, str) else to.host, tls))
        return opened[-1]

    yield open_client
    for client in opened:
        client.connection.close()


@pytest.fixture
def make() -> Iterator[Callable[..., LoopbackRegistry]]:
    """Return a function that makes registries."""
    made: list[LoopbackRegistry] = []

    def make_one(**arguments: Any) -> LoopbackRegistry:
        made.append(LoopbackRegistry(**arguments))
        return made[-1]

    yield make_one
    for server in made:
        server.close()


@pytest.fixture
def server(make: Callable[..., LoopbackRegistry]) -> LoopbackRegistry:
    """Return a registry in its default form."""
    return make()


@pytest.fixture
def client(server: LoopbackRegistry, talk: Callable[..., Client]) -> Client:
    """Return a client of ``server``."""
    return talk(server)


class HarborClient(Client):
    """Somebody who talks to a Harbor, JSON on the API."""

    def __init__(self, harbor: LoopbackHarbor, name: str = "", password: str = "") -> None:
        super().__init__(harbor.host)
        login = base64.b64encode(f"{name}:{password}".encode()).decode()
        self.login = {"Authorization": f"Basic {login}"} if name else {}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send a request; what is no bytes goes as JSON, and API paths may leave out its base."""
        kind = (
            {} if body is None or isinstance(body, bytes) else {"Content_Type": "application/json"}
        )
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        whole = path.startswith(("/v2", "/service", "/api", "/no", "http:"))
        fields = {**kind, **self.login, **headers}
        return super().__call__(method, path if whole else f"/api/v2.0{path}", data, **fields)


@pytest.fixture
def make_harbor() -> Iterator[Callable[..., LoopbackHarbor]]:
    """Return a function that makes Harbors."""
    made: list[LoopbackHarbor] = []

    def make_one(**arguments: Any) -> LoopbackHarbor:
        made.append(LoopbackHarbor(**{"clock": FakeClock(), **arguments}))
        return made[-1]

    yield make_one
    for harbor in made:
        harbor.close()


@pytest.fixture
def harbor_clock() -> FakeClock:
    """Return the time of ``harbor``."""
    return FakeClock()


@pytest.fixture
def harbor(make_harbor: Callable[..., LoopbackHarbor], harbor_clock: FakeClock) -> LoopbackHarbor:
    """Return a new Harbor with the project ``app``."""
    made = make_harbor(clock=harbor_clock)
    made.add_project("app")
    return made


@pytest.fixture
def log_in() -> Iterator[Callable[..., HarborClient]]:
    """Return a function that makes somebody talk to a Harbor."""
    opened: list[HarborClient] = []

    def open_client(to: LoopbackHarbor, name: str = "", password: str = "") -> HarborClient:
        opened.append(HarborClient(to, name, password))
        return opened[-1]

    yield open_client
    for client in opened:
        client.connection.close()


@pytest.fixture
def admin(harbor: LoopbackHarbor, log_in: Callable[..., HarborClient]) -> HarborClient:
    """Return the administrator of ``harbor``."""
    return log_in(harbor, "admin", "Harbor12345")


@pytest.fixture
def anybody(harbor: LoopbackHarbor, log_in: Callable[..., HarborClient]) -> HarborClient:
    """Return somebody without a login."""
    return log_in(harbor)
