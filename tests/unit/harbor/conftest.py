"""A Harbor of the tests, and its control plane opened as its first administrator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.credentials.base import Credential
from harborsync.credentials.static import StaticCredentials
from harborsync.harbor.client import Harbor
from harborsync.provider import OpenContext
from harborsync.secrets import Secret
from harborsync.testing import FakeClock, LoopbackHarbor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def clock() -> FakeClock:
    """Time that both sides go by."""
    return FakeClock()


@pytest.fixture
def server(clock: FakeClock) -> Iterator[LoopbackHarbor]:
    """A Harbor with the project ``app``."""
    with LoopbackHarbor(clock=clock) as server:
        server.add_project("app")
        yield server


@pytest.fixture
def open_as(server: LoopbackHarbor, clock: FakeClock) -> Iterator[Callable[[str, str], Harbor]]:
    """Open the control plane with a login."""
    opened: list[Harbor] = []

    def open_as(username: str, password: str) -> Harbor:
        login = Credential(username=username, secret=Secret(password))
        context = OpenContext(credentials=StaticCredentials({server.host: login}), clock=clock)
        opened.append(Harbor.open(server.endpoint, context))
        return opened[-1]

    yield open_as
    for harbor in opened:
        harbor.close()


@pytest.fixture
def harbor(open_as: Callable[[str, str], Harbor]) -> Harbor:
    """The control plane, as the administrator sees it."""
    return open_as("admin", "Harbor12345")
