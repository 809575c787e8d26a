"""Harbor's interface is spoken as Harbor wants it, and what it says is understood."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.credentials import Anonymous, Credential, StaticCredentials
from harborsync.endpoint import Endpoint
from harborsync.errors import CredentialsRefused, NoCredentials, NotFound, RegistryError
from harborsync.harbor.api import PAGE_SIZE, HarborApi, Made, Page
from harborsync.harbor.refusals import Refuser
from harborsync.http.session import open_transport
from harborsync.provider import OpenContext
from harborsync.secrets import Secret
from harborsync.testing import FakeClock
from harborsync.testing.scripted import Heard, Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

Script = Callable[[Heard], Said]
LOGIN = Credential(username="carol", secret=Secret("pw-carol"), origin="argument")


def say(body: object, status: int = 200, **headers: str) -> Said:
    """Answer with JSON."""
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Said(status=status, body=json.dumps(body).encode(), headers=fields)


@pytest.fixture
def clock() -> FakeClock:
    """Time that passes only when it is slept."""
    return FakeClock()


@pytest.fixture
def open_api(clock: FakeClock) -> Iterator[Callable[[Script], tuple[HarborApi, ScriptedServer]]]:
    """Open the API of a server that follows a script."""
    opened: list[Any] = []

    def open_api(script: Script) -> tuple[HarborApi, ScriptedServer]:
        server = ScriptedServer(script)
        context = OpenContext(clock=clock, credentials=StaticCredentials({server.host: LOGIN}))
        endpoint = Endpoint.parse(f"harbor+http://{server.host}")
        transport = open_transport(endpoint, context)
        opened.extend((transport, server))
        return HarborApi(server.host, transport, context), server

    yield open_api
    for each in opened:
        each.close()


Opener = Callable[[Script], tuple[HarborApi, ScriptedServer]]


def test_every_call_names_projects_by_name_and_keeps_no_cookie(open_api: Opener) -> None:
    """A project called 123 is not the one with that id, and no write needs a CSRF token."""
    api, server = open_api(lambda _: say({"ok": True}, Set_Cookie="sid=1; Path=/"))
    for _ in range(2):
        assert api.get("/projects/123", what="read a project") == {"ok": True}
    for heard in server.heard:
        assert heard.target == "/api/v2.0/projects/123"
        assert heard.headers["x-is-resource-name"] == "true"
        assert heard.headers["authorization"].startswith("Basic ")
        assert "cookie" not in heard.headers


def test_writes_say_what_they_hold(open_api: Opener) -> None:
    """Bodies are JSON; what was made is known by its Location."""
    made = say(None, 201, Location="/api/v2.0/labels/42")
    api, server = open_api(lambda heard: made if heard.method == "POST" else say(None))
    assert api.post("/labels", {"name": "é"}, {"a": 1}, what="make a label").id == 42
    api.put("/labels/42", {"name": "b"}, what="change a label")
    api.patch("/robots/1", {"secret": ""}, what="rotate")
    assert [(heard.method, heard.target) for heard in server.heard] == [
        ("POST", "/api/v2.0/labels?a=1"),
        ("PUT", "/api/v2.0/labels/42"),
        ("PATCH", "/api/v2.0/robots/1"),
    ]
    assert server.heard[0].headers["content-type"] == "application/json"
    assert json.loads(server.heard[0].body) == {"name": "é"}


def test_what_was_made_has_an_id_or_says_that_it_has_none() -> None:
    """A project is named in its Location where its name was asked for."""
    with pytest.raises(RegistryError, match="does not tell the id"):
        _ = Made(location="/api/v2.0/projects/small").id


def test_what_is_not_there_is_none_false_or_an_error_as_asked(open_api: Opener) -> None:
    """Whoever looks for something says what its absence means."""
    missing = say({"errors": [{"code": "NOT_FOUND", "message": "artifact not found"}]}, 404)
    api, _ = open_api(lambda _: missing)
    assert api.find("/x", what="find x") is None
    assert api.delete("/x", what="delete x") is False
    assert api.has("/x", what="look for x") is False
    with pytest.raises(NotFound):
        api.get("/x", what="read x")


def test_what_is_there_is_found(open_api: Opener) -> None:
    """So that absence means something; a log comes as it is."""
    api, _ = open_api(lambda _: Said(body=b'{"version":"v2.0"}\n'))
    assert api.find("/x", what="find x") == {"version": "v2.0"}
    assert api.delete("/x", what="delete x") is True
    assert api.has("/x", what="look for x") is True
    assert api.text("/x", what="read a log") == '{"version":"v2.0"}\n'


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b"[1", b"{"])
def test_nonsense_is_no_answer(open_api: Opener, body: bytes) -> None:
    """A proxy's page or half a document is told from Harbor's words."""
    api, _ = open_api(lambda _: Said(body=body))
    with pytest.raises(RegistryError, match="the answer is not Harbor's") as caught:
        api.get("/projects", what="list projects")
    assert caught.value.hint


def test_a_list_must_be_a_list(open_api: Opener) -> None:
    """An object where a list should be is nonsense; nothing at all is an empty list."""
    api, _ = open_api(lambda _: say({"a": 1}))
    with pytest.raises(RegistryError, match="not Harbor's"):
        list(api.pages("/x", what="list x"))
    api, _ = open_api(lambda _: say(None))
    assert list(api.pages("/x", what="list x")) == []


# --- pages -----------------------------------------------------------------------------------


class Shelf:
    """A list that may change while it is read."""

    def __init__(self, count: int) -> None:
        self.items = [{"id": number} for number in range(count, 0, -1)]
        self.meanwhile: list[Callable[[], None]] = []

    def __call__(self, heard: Heard) -> Said:
        """Answer with a page, then change."""
        number = int(heard.target.partition("?page=")[2].partition("&")[0])
        start = (number - 1) * PAGE_SIZE
        said = say(self.items[start : start + PAGE_SIZE], X_Total_Count=str(len(self.items)))
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return said

    def add(self) -> None:
        """Put a new object in front."""
        self.items.insert(0, {"id": len(self.items) + 1000})

    def remove(self) -> None:
        """Take one of the first away."""
        del self.items[3]


def ids(api: HarborApi) -> list[int]:
    """Read a list."""
    return [item["id"] for item in api.pages("/x", what="list x")]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200, 250])
def test_a_list_is_read_to_its_end_and_no_further(open_api: Opener, count: int) -> None:
    """As many requests as there are full pages, by the number of objects that is told."""
    api, server = open_api(Shelf(count))
    assert ids(api) == list(range(count, 0, -1))
    assert len(server.heard) == max(1, -(-count // PAGE_SIZE))
    assert server.heard[0].target == "/api/v2.0/x?page=1&page_size=100"


def test_what_moves_to_the_next_page_is_told_once(open_api: Opener) -> None:
    """New objects come first and push the others on."""
    shelf = Shelf(150)
    shelf.meanwhile = [shelf.add]
    assert ids(open_api(shelf)[0]) == list(range(150, 0, -1))


def test_what_moves_to_the_page_before_is_not_missed(open_api: Opener) -> None:
    """A deletion pulls the others back, so the page before is read again."""
    shelf = Shelf(250)
    shelf.meanwhile = [shelf.remove]
    api, server = open_api(shelf)
    assert set(ids(api)) >= set(range(250, 0, -1)) - {247}
    assert len(server.heard) == 5


def test_a_server_that_does_not_count_is_read_to_a_short_page(open_api: Opener) -> None:
    """X-Total-Count is a help, not a need."""
    pages = {1: [{"digest": f"d{n}"} for n in range(100)], 2: [{"name": "unknown"}] * 2}
    api, server = open_api(lambda heard: say(pages[int(heard.target.split("page=")[1][0])]))
    assert len(list(api.pages("/x", what="list x"))) == 102
    assert len(server.heard) == 2


def test_a_list_without_end_is_an_error(open_api: Opener) -> None:
    """A counter that goes up and down for ever ends all the same."""
    api, _ = open_api(Shelf(0))
    full = [{"id": number} for number in range(PAGE_SIZE)]
    totals = iter([10**9 - number for number in range(10**4 + 1)])
    api.page = lambda *_, **__: Page(items=full, total=next(totals))  # type: ignore[method-assign]
    with pytest.raises(RegistryError, match="the list has no end"):
        ids(api)


# --- logins ----------------------------------------------------------------------------------


def test_a_login_that_worked_is_tried_once_more_after_the_lock(
    open_api: Opener, clock: FakeClock
) -> None:
    """Somebody else's wrong password locks a user for 1.5 s (HARBOR §5)."""
    answers = iter([say({}), say({}, 401), say({"after": "all"})])
    api, server = open_api(lambda _: next(answers))
    api.get("/a", what="read a")
    before = clock.monotonic()
    assert api.get("/b", what="read b") == {"after": "all"}
    assert clock.monotonic() - before == 2.0
    assert len(server.heard) == 3


def test_a_login_that_never_worked_is_not_tried_again(open_api: Opener, clock: FakeClock) -> None:
    """A wrong password is sent once, since each try locks its user for everyone."""
    api, server = open_api(lambda _: say({"errors": [{"code": "UNAUTHORIZED"}]}, 401))
    before = clock.monotonic()
    with pytest.raises(CredentialsRefused, match="it refuses the login 'carol' from argument"):
        api.get("/a", what="read a")
    assert clock.monotonic() == before
    assert len(server.heard) == 1


def test_a_login_that_ends_is_tried_again_only_once(open_api: Opener, clock: FakeClock) -> None:
    """After the wait has shown that it is no lock, nobody waits again."""
    answers = iter([say({}), *[say({}, 401)] * 3])
    api, _ = open_api(lambda _: next(answers))
    api.get("/a", what="read a")
    for _ in range(2):
        with pytest.raises(CredentialsRefused):
            api.get("/b", what="read b")
    assert clock.monotonic() == 2.0


@pytest.mark.parametrize(
    ("proof", "waits"), [(("GET", 200), 1), (("GET", 403), 2), (("POST", 201), 2)]
)
def test_what_a_wrong_login_is_told_too_is_no_proof_of_it(
    open_api: Opener, clock: FakeClock, proof: tuple[str, int], waits: int
) -> None:
    """Lists of public projects are; a run would wait at every step, and lock the user each time."""
    method, status = proof
    answers = iter([say({}), *[say({}, 401)] * 2, say({}, status), *[say({}, 401)] * 2])
    api, _ = open_api(lambda _: next(answers))
    api.ask("GET", "/public", what="read what is public")
    assert api.ask("GET", "/a", what="read a").status == 401
    assert api.ask(method, "/b", what="do b").status == status
    assert api.ask("GET", "/a", what="read a").status == 401
    assert clock.monotonic() == 2.0 * waits


def test_nobody_is_not_locked(open_api: Opener, clock: FakeClock) -> None:
    """Without a login, 401 means that there must be one."""
    answers = iter([say({}), say({}, 401)])
    api, _ = open_api(lambda _: next(answers))
    api._context = OpenContext(clock=clock)
    api._refuser = Refuser(api.name, Anonymous())
    api.get("/public", what="read it")
    with pytest.raises(NoCredentials, match="it wants a login"):
        api.get("/private", what="read it")
    assert clock.monotonic() == 0.0
