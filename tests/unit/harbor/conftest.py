"""A Harbor of the tests, and its control plane opened as its first administrator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.credentials.base import Credential
from harborsync.credentials.static import StaticCredentials
from harborsync.harbor.client import Harbor
from harborsync.harbor.preheat import PreheatFilter, PreheatInstance, PreheatPolicy
from harborsync.provider import OpenContext
from harborsync.secrets import Secret
from harborsync.testing import FakeClock, LoopbackHarbor
from harborsync.testing.scripted import Said, ScriptedServer

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


@pytest.fixture
def network() -> Iterator[str]:
    """The address of something that answers like a network."""
    with ScriptedServer(lambda heard: Said(body=b"{}")) as server:
        yield f"http://{server.host}"


@pytest.fixture
def warm(harbor: Harbor, server: LoopbackHarbor, network: str) -> str:
    """A policy that sends everything of the project to a network."""
    server.push_image("app/web", "1.0")
    dragonfly = PreheatInstance(name="dragonfly-1", vendor="dragonfly", endpoint=network)
    harbor.preheat.create_instance(dragonfly)
    everything = tuple(PreheatFilter(type=kind, value="**") for kind in ("repository", "tag"))
    found = harbor.preheat.instance(dragonfly.name)
    policy = PreheatPolicy(name="warm", provider_id=found.id, filters=everything)
    harbor.preheat.create_policy("app", policy)
    return policy.name
