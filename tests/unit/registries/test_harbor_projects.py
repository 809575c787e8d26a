"""Projects are found by name with whatever right there is, and asked for once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.credentials.base import Credential
from harborsync.credentials.static import StaticCredentials
from harborsync.harbor.api import HarborApi
from harborsync.http.session import open_transport
from harborsync.provider import OpenContext
from harborsync.registries.harbor_projects import Project, Projects
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.http.wire import Transport
    from harborsync.testing import LoopbackHarbor
    from harborsync.testing.server_wire import Request

ADMIN = Credential(username="admin", secret=Secret("Harbor12345"))


@pytest.fixture
def open_projects(harbor: LoopbackHarbor) -> Iterator[Callable[[Credential | None], Projects]]:
    """Open the projects as somebody."""
    opened: list[Transport] = []

    def open_projects(login: Credential | None) -> Projects:
        source = StaticCredentials({harbor.host: login} if login else {})
        context = OpenContext(credentials=source)
        opened.append(open_transport(harbor.endpoint, context))
        harbor.clear_log()
        return Projects(HarborApi(harbor.host, opened[-1], context))

    yield open_projects
    for transport in opened:
        transport.close()


def test_a_project_is_asked_for_once(
    harbor: LoopbackHarbor, open_projects: Callable[[Credential | None], Projects]
) -> None:
    """One of digits only is found by its name, too."""
    made = harbor.add_project("123")
    projects = open_projects(ADMIN)
    for _ in range(2):
        assert projects.get("123") == Project(name="123", id=made.id)
    assert len(harbor.requests) == 1


def test_who_asks_for_one_project_does_not_wait_for_another(
    harbor: LoopbackHarbor, open_projects: Callable[[Credential | None], Projects]
) -> None:
    """While the answer about the first is on its way, the second is asked for and found."""
    for name in ("slow", "quick"):
        harbor.add_project(name)
    projects = open_projects(ADMIN)
    with ThreadPoolExecutor(1) as pool:

        def meanwhile(request: Request) -> None:
            if "name%3Dslow" in request.target:
                assert pool.submit(projects.get, "quick").result(timeout=30)

        harbor.faults = meanwhile
        assert projects.get("slow")


def test_one_that_is_not_there_is_none_until_it_is_made(
    harbor: LoopbackHarbor, open_projects: Callable[[Credential | None], Projects]
) -> None:
    """Whoever makes it says so."""
    projects = open_projects(ADMIN)
    assert projects.get("later") is None
    harbor.add_project("later")
    assert projects.get("later") is None
    projects.forget("later")
    assert projects.get("later") is not None


def test_a_hidden_one_is_none(
    harbor: LoopbackHarbor, open_projects: Callable[[Credential | None], Projects]
) -> None:
    """A 401 and a 403 say so, and so does an empty list."""
    assert open_projects(None).get("app") is None
    robot = harbor.add_robot("sync", project="app", access=["repository:pull"])
    login = Credential(username=robot.name, secret=Secret(robot.secret))
    harbor.add_project("secret")
    assert open_projects(login).get("secret") is None
    assert open_projects(login).get("app") is not None


def test_all_are_listed_with_what_they_are(
    harbor: LoopbackHarbor, open_projects: Callable[[Credential | None], Projects]
) -> None:
    """One with a registry behind it caches that."""
    harbor.push_image("app/web", "v1")
    harbor.add_project("cache").registry_id = 7
    projects = open_projects(ADMIN)
    found = {each.name: each for each in projects.all()}
    assert found.keys() == {"app", "cache", "library"}
    assert (found["app"].repositories, found["app"].is_proxy) == (1, False)
    assert found["cache"].is_proxy
    harbor.clear_log()
    assert projects.get("cache") == found["cache"]
    assert harbor.requests == ()


def test_another_project_is_not_taken_for_it(wire: Any, context: OpenContext) -> None:
    """A server that overlooks the question answers with whatever comes first."""
    wire.on("GET", "/projects\\?", (200, {}, b'[{"name": "other", "project_id": 1}]'))
    wire.on("GET", "/projects/app$", (200, {}, b'{"name": "app", "project_id": 2}'))
    projects = Projects(HarborApi("harbor.example", wire, context))
    assert projects.get("app") == Project(name="app", id=2)
