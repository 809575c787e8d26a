"""Servers, certificates and transports for the tests of the cable."""

from __future__ import annotations

import random
import ssl
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import trustme

from harborsync.endpoint import Endpoint
from harborsync.http.session import open_transport
from harborsync.provider import OpenContext
from harborsync.retry import RetryPolicy
from harborsync.testing.clock import FakeClock
from harborsync.testing.scripted import Heard, Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harborsync.credentials.base import Credential
    from harborsync.http.wire import Transport


class Serve(Protocol):
    """Starts a server that is closed after the test."""

    def __call__(
        self, script: Callable[[Heard], Said | None], *, tls: ssl.SSLContext | None = None
    ) -> ScriptedServer:
        """Do so."""
        ...


class OpenTo(Protocol):
    """Opens a transport to a server that is closed after the test."""

    def __call__(
        self,
        server: ScriptedServer,
        options: str = "",
        *,
        login: Credential | None = None,
        **more: Any,
    ) -> Transport:
        """Do so."""
        ...


class OneLogin:
    """Knows one login for every host, or none; may be given another."""

    def __init__(self, credential: Credential | None) -> None:
        self.credential = credential

    def get(self, host: str, repository: str = "") -> Credential | None:
        """Return it."""
        return self.credential


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Close at the end what was opened."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def serve(stack: ExitStack) -> Serve:
    """Start servers."""

    def start(
        script: Callable[[Heard], Said | None], *, tls: ssl.SSLContext | None = None
    ) -> ScriptedServer:
        return stack.enter_context(ScriptedServer(script, tls=tls))

    return start


@pytest.fixture
def clock() -> FakeClock:
    """Stand still."""
    return FakeClock()


@pytest.fixture
def open_to(stack: ExitStack, clock: FakeClock) -> OpenTo:
    """Open transports that wait on the fake clock."""

    def open_one(
        server: ScriptedServer,
        options: str = "",
        *,
        login: Credential | None = None,
        **more: Any,
    ) -> Transport:
        word = "registry" if server.origin.startswith("https") else "registry+http"
        endpoint = Endpoint.parse(f"{word}://{server.host}{options}")
        keys = {"door", "expired_403", "origin", "resolve"}
        context = OpenContext(
            **{
                "clock": clock,
                "credentials": OneLogin(login),
                "rng": random.Random(7),
                "retry": RetryPolicy(attempts=3),
                **{name: value for name, value in more.items() if name not in keys},
            }
        )
        arguments = {name: value for name, value in more.items() if name in keys}
        transport = open_transport(endpoint, context, **arguments)
        stack.callback(transport.close)
        return transport

    return open_one


class Authority:
    """A certificate authority, its certificate in a file, and contexts for servers."""

    def __init__(self, directory: Path) -> None:
        self._ca = trustme.CA()
        self._directory = directory
        self.file = directory / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def server(self, *names: str) -> ssl.SSLContext:
        """Return the context of a server with a certificate for ``names``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(context)
        return context

    def wanting_clients(self) -> ssl.SSLContext:
        """Return the context of a server that wants a certificate of this authority."""
        context = self.server()
        self._ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self) -> tuple[Path, Path]:
        """Return the files of a client's certificate and key."""
        cert = self._ca.issue_cert("client.example")
        chain, key = self._directory / "client.pem", self._directory / "client.key"
        chain.write_bytes(b"".join(blob.bytes() for blob in cert.cert_chain_pems))
        cert.private_key_pem.write_to_path(key)
        return chain, key


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Make a certificate authority."""
    return Authority(tmp_path_factory.mktemp("authority"))
