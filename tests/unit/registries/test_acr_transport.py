"""What ACR's "denied" means is found out, and only then."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.artifact import UNAVAILABLE
from harborsync.errors import CredentialsRefused, Denied, ServerError, TagImmutable
from harborsync.http.answers import error_from
from harborsync.http.tokenserver import LoginRefused
from harborsync.http.wire import Answer, Body, Call, Headers
from harborsync.registries.acr_api import AcrRepository
from harborsync.registries.acr_transport import AcrTransport, looking

if TYPE_CHECKING:
    from collections.abc import Iterator

PULL = ("repository:team/app:pull",)
APP = AcrRepository(name="team/app", immutable=False)
FIXED = AcrRepository(name="team/app", immutable=True)
REFUSED = CredentialsRefused("registry refuses the login")


class Way:
    """A transport that answers each request in one way."""

    origin = "https://registry.example"

    def __init__(self, outcome: int | Exception) -> None:
        self._outcome = outcome
        self.closed = 0

    def send(self, call: Call) -> Answer:
        """Answer."""
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return Answer(method=call.method, url=call.url, status=self._outcome, headers=Headers([]))

    def upload(self, call: Call, body: Body) -> Answer:
        """Answer."""
        return self.send(call)

    @contextmanager
    def stream(self, call: Call) -> Iterator[Any]:
        """Answer by a stream."""
        yield _Stream(self.send(call))

    def close(self) -> None:
        """Count."""
        self.closed += 1


class _Stream:
    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def blocks(self) -> Iterator[bytes]:
        """Yield a block."""
        yield b"block"


def _transport(outcome: int | Exception, found: Any, looked: list[str] | None = None) -> Any:
    def look(repository: str) -> Any:
        if looked is not None:
            looked.append(repository)
        return found

    return AcrTransport(Way(outcome), look, lambda: None)


def _call(method: str = "GET", url: str = "/v2/team/app/manifests/v1", **more: Any) -> Call:
    return Call(method=method, url=url, scopes=more.pop("scopes", PULL), what="do it", **more)


@pytest.mark.parametrize("status", [200, 404, 500])
def test_nobody_looks_unless_something_is_denied(status: int) -> None:
    """The API costs requests, and has a budget."""
    looked: list[str] = []
    assert _transport(status, APP, looked).send(_call()).status == status
    assert looked == []


def test_what_is_about_no_repository_stands() -> None:
    """Such as the root of the API."""
    looked: list[str] = []
    transport = _transport(401, APP, looked)
    assert transport.send(_call(url="/v2/", scopes=())).status == 401
    with pytest.raises(CredentialsRefused) as caught:
        _transport(REFUSED, APP, looked).send(_call(url="/v2/", scopes=()))
    assert "may not exist" in str(caught.value.hint)
    assert looked == []


@pytest.mark.parametrize("outcome", [401, 403, REFUSED])
def test_what_is_not_there_is_not_found(outcome: Any) -> None:
    """However it is asked for."""
    transport = _transport(outcome, None)
    body = Body(size=0, open=lambda: None)  # type: ignore[arg-type, return-value]
    answers = [transport.send(_call()), transport.upload(_call("PUT"), body)]
    with transport.stream(_call()) as stream:
        answers.append(stream.answer)
        assert b"NAME_UNKNOWN" in b"".join(stream.blocks())
    assert {answer.status for answer in answers} == {404}


def test_a_right_that_is_lacking_is_told() -> None:
    """By an answer as by an exception."""
    answer = _transport(403, APP).send(_call())
    assert "the repository is there" in str(error_from(answer, "do it").hint)
    with pytest.raises(Denied, match="cannot do it: registry refuses") as caught:
        _transport(REFUSED, APP).send(_call())
    assert "the repository is there" in str(caught.value.hint)


def test_what_nobody_knows_is_told_as_a_guess() -> None:
    """An identity may not look."""

    def find(repository: str) -> AcrRepository:
        msg = "no"
        raise ServerError(msg)

    look = looking(find)
    assert look("team/app") is UNAVAILABLE
    answer = AcrTransport(Way(403), look, lambda: None).send(_call())
    assert "may not exist" in str(error_from(answer, "do it").hint)


def test_a_login_that_is_not_taken_is_about_the_login() -> None:
    """Whatever the repository."""
    looked: list[str] = []
    with pytest.raises(LoginRefused):
        _transport(LoginRefused("wrong password"), None, looked).send(_call())
    assert looked == []


def test_a_tag_that_cannot_be_moved_is_told() -> None:
    """Only where a manifest is written, by somebody who may push."""
    with pytest.raises(TagImmutable):
        _transport(403, FIXED).send(_call("PUT"))
    with pytest.raises(Denied):
        _transport(REFUSED, FIXED).send(_call("PUT"))
    assert _transport(403, FIXED).send(_call()).status == 403


@pytest.mark.parametrize("outcome", [401, REFUSED])
def test_referrers_that_are_refused_are_not_offered(outcome: Any) -> None:
    """The fallback tag is read then."""
    answer = _transport(outcome, APP).send(_call(url="/v2/team/app/referrers/sha256:00"))
    assert (answer.status, b"UNSUPPORTED" in answer.body) == (404, True)


def test_a_stream_that_is_let_through_is_the_same() -> None:
    """Block by block."""
    with _transport(200, APP).stream(_call()) as stream:
        assert list(stream.blocks()) == [b"block"]


def test_closing_closes_the_way_to_the_api_too() -> None:
    """It has connections of its own."""
    closed: list[str] = []
    way = Way(200)
    transport = AcrTransport(way, lambda _: None, lambda: closed.append("api"))
    transport.close()
    assert (way.closed, closed) == (1, ["api"])
    assert transport.origin == way.origin
