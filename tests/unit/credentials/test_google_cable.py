"""Requests of google-auth and to Google's APIs go our way, and nowhere they should not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harborsync.credentials.google_cable import Bridge, Cables, said_error
from harborsync.endpoint import Endpoint
from harborsync.errors import AddressRefused, RateLimited, ServerError, TransportError
from harborsync.provider import OpenContext
from harborsync.testing.clock import FakeClock
from harborsync.testing.scripted import Said, ScriptedServer

if TYPE_CHECKING:
    from harborsync.testing.scripted import Heard

TO = Endpoint.parse("gar://europe-west1/acme?timeouts=connect:1s")


@pytest.fixture
def cables() -> Cables:
    """Return cables on which nobody waits."""
    return Cables(endpoint=TO, context=OpenContext(clock=FakeClock()))


def test_a_request_arrives_as_it_was_made(cables: Cables) -> None:
    """With its own login, and fields of the wire that are ours."""
    with ScriptedServer(lambda heard: Said(body=heard.target.encode())) as server:
        headers = {"Authorization": "Bearer x", "User-Agent": "google-auth", "X-Field": "1"}
        answer = cables.send("POST", f"{server.origin}/v1/token?a=b%2Fc", headers, b"body")
        (heard,) = server.heard
    assert answer.body == b"/v1/token?a=b%2Fc"
    assert (heard.method, heard.body, heard.headers["x-field"]) == ("POST", b"body", "1")
    assert heard.headers["authorization"] == "Bearer x"
    assert heard.headers["user-agent"].startswith("harborsync/")


@pytest.mark.parametrize(
    "url", ["http://oauth2.example/token", "http://10.0.0.1/token", "ftp://oauth2.example/"]
)
def test_nobody_is_asked_in_the_clear(cables: Cables, url: str) -> None:
    """A file of credentials may name any address; assertions are secrets."""
    with pytest.raises(AddressRefused, match="in the clear"):
        cables.send("POST", url, {})


def test_a_redirect_is_an_answer(cables: Cables) -> None:
    """A token server that leads elsewhere gets no second request."""
    with ScriptedServer(_elsewhere) as server:
        answer = cables.send("POST", f"{server.origin}/token", {})
        assert answer.status == 307
        with pytest.raises(AddressRefused, match="redirects to"):
            cables.send("GET", f"{server.origin}/v1/projects", {})
        assert len(server.heard) == 2


def _elsewhere(heard: Heard) -> Said:
    return Said(status=307, headers=(("Location", "http://127.0.0.1:1/"),))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Said(status=429), RateLimited),
        (Said(status=503), ServerError),
        (Said(status=400, body=b'{"error": "temporarily_unavailable"}'), ServerError),
        (None, TransportError),
    ],
)
def test_what_passes_is_raised_and_not_repeated(
    cables: Cables, said: Said | None, kind: type[Exception]
) -> None:
    """google-auth would sleep, and knows no cancel flag."""
    with ScriptedServer(lambda heard: said) as server:
        with pytest.raises(kind):
            Bridge(cables)(f"{server.origin}/token", method="POST", body="a=b")
        assert len(server.heard) == 1


def test_google_auth_reads_our_answers(cables: Cables) -> None:
    """Status, type and bytes."""
    kind = (("Content-Type", "application/json"),)
    with ScriptedServer(lambda heard: Said(headers=kind, body=b"{}")) as server:
        response = Bridge(cables)(server.origin, headers={"a": "b"}, timeout=7)
        assert (response.status, response.data) == (200, b"{}")
        assert response.headers["content-type"] == "application/json"
        assert server.heard[0].target == "/"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error": "invalid_grant"}', "invalid_grant"),
        (b"[]", ""),
        (b"x", ""),
        (b'{"error": {}}', ""),
    ],
)
def test_a_token_servers_code_is_read(body: bytes, code: str) -> None:
    """Or nothing, where it says it otherwise."""
    from harborsync.http.wire import Answer, Headers

    answer = Answer(method="POST", url="x", status=400, headers=Headers([]), body=body)
    assert said_error(answer) == code
    assert json.dumps(code)
