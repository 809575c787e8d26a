"""The Artifact Registry API: pages, tokens that end, operations that take their time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync.credentials.google_api import GoogleApi
from harborsync.credentials.google_cable import Cables
from harborsync.errors import CredentialsExpired, RegistryError, ServerError
from harborsync.provider import OpenContext
from harborsync.retry import RetryPolicy
from harborsync.testing.clock import FakeClock
from harborsync.testing.cloud_google import LoopbackGar
from harborsync.testing.scripted import Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.credentials.base import Credential

PARENT = "projects/acme/locations/europe-west1"


@pytest.fixture
def gar() -> Iterator[LoopbackGar]:
    """Return an emulator."""
    with LoopbackGar() as server:
        yield server


class Logins:
    """Buys a token whenever the last one was forgotten."""

    def __init__(self, gar: LoopbackGar, *, renews: bool = True) -> None:
        self.gar = gar
        self.renews = renews
        self.held = gar.sell("ann").login

    def get(self) -> Credential:
        """Return what is held."""
        return self.held

    def forget(self, refused: Credential) -> None:
        """Buy another than the one that was refused."""
        if self.renews and self.held == refused:
            self.held = self.gar.sell("ann").login


def _api(gar: LoopbackGar, *, url: str = "", **more: Any) -> GoogleApi:
    context = OpenContext(clock=FakeClock(), retry=RetryPolicy(attempts=2))
    logins = Logins(gar, **more)
    return GoogleApi(
        url=url or gar.api_url,
        cables=Cables(endpoint=gar.endpoint, context=context),
        login=logins.get,
        forget=logins.forget,
    )


def test_a_listing_is_read_to_its_end(gar: LoopbackGar) -> None:
    """Page by page."""
    for number in range(5):
        gar.create_repository(f"acme/r{number}")
    rows = list(_api(gar).pages("list", f"{PARENT}/repositories", "repositories", 2))
    assert len(rows) == 6
    assert [call.operation for call in gar.calls] == ["ListRepositories"] * 3


def test_a_page_that_leads_to_itself_is_told(gar: LoopbackGar) -> None:
    """The list would have no end."""
    page = b'{"repositories": [{"name": "a"}], "nextPageToken": "again"}'
    with ScriptedServer(lambda heard: Said(body=page)) as server:
        found = _api(gar, url=server.origin).pages("list", f"{PARENT}/x", "repositories", 2)
        with pytest.raises(RegistryError, match="leads to itself"):
            list(found)
        assert len(server.heard) == 2


def test_a_token_that_ended_is_bought_anew_once(gar: LoopbackGar) -> None:
    """And where there is no other, that is the answer."""
    api, stubborn = _api(gar), _api(gar, renews=False)
    gar.office.expire()
    assert list(api.pages("list", f"{PARENT}/repositories", "repositories", 10))
    gar.clear_log()
    with pytest.raises(CredentialsExpired, match="UNAUTHENTICATED"):
        stubborn.get("list", f"{PARENT}/repositories")
    assert len(gar.calls) == 1


@pytest.mark.parametrize(
    ("operation", "kind", "said"),
    [
        (
            b'{"name": "o", "done": true, "error": {"code": 7, "message": "no"}}',
            RegistryError,
            "PERM",
        ),
        (b'{"name": "o", "done": true, "error": {"code": 99}}', RegistryError, "99"),
        (b'{"name": "o"}', ServerError, "not done after 60 seconds"),
    ],
)
def test_an_operation_that_fails_or_never_ends_is_told(
    gar: LoopbackGar, operation: bytes, kind: type[Exception], said: str
) -> None:
    """It is asked about for a minute."""
    with ScriptedServer(lambda heard: Said(body=operation)) as server:
        api = _api(gar, url=server.origin)
        with pytest.raises(kind, match=said):
            api.create_repository("create team", PARENT, "team", {"format": "DOCKER"})


def test_an_operation_that_is_done_at_once_is_not_asked_about(gar: LoopbackGar) -> None:
    """Nobody waits."""
    with ScriptedServer(lambda heard: Said(body=b'{"done": true}')) as server:
        api = _api(gar, url=server.origin)
        before = api.cables.context.clock.monotonic()
        api.create_repository("create team", PARENT, "team", {})
        assert api.cables.context.clock.monotonic() == before
        assert [heard.target for heard in server.heard] == [
            f"/v1/{PARENT}/repositories?repositoryId=team"
        ]


def test_repositories_are_made_one_in_two_seconds(gar: LoopbackGar) -> None:
    """Which is what Google takes; everything else goes faster."""
    with ScriptedServer(lambda heard: Said(body=b'{"done": true}')) as server:
        api = _api(gar, url=server.origin)
        clock = api.cables.context.clock
        before = clock.monotonic()
        for number in range(5):
            api.create_repository("create it", PARENT, f"r{number}", {})
        assert clock.monotonic() - before == pytest.approx(8)
        before = clock.monotonic()
        for _ in range(5):
            api.get("list", f"{PARENT}/repositories")
        assert clock.monotonic() - before < 1
