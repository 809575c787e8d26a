"""What is shown at the door, and what a refusal leads to."""

from __future__ import annotations

import base64
import json
import threading
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from harborsync.credentials.base import Credential, Kind, Refreshing
from harborsync.errors import (
    AddressRefused,
    CredentialsExpired,
    CredentialsRefused,
    NoCredentials,
    RegistryError,
    ServerError,
)
from harborsync.http import doors
from harborsync.http.answers import error_from
from harborsync.http.auth import Memory
from harborsync.http.challenges import parse_challenges
from harborsync.http.wire import Body, Call
from harborsync.secrets import Secret
from harborsync.testing.scripted import Heard, Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.testing.clock import FakeClock

_LOGIN = Credential(username="user", secret=Secret("pw"), origin="docker config")
_PULL = ("repository:a:pull",)


def _get(url: str = "/v2/a/x", scopes: tuple[str, ...] = _PULL) -> Call:
    return Call(method="GET", url=url, scopes=scopes)


def _jwt(*actions: str, name: str = "a") -> str:
    access = [{"type": "repository", "name": name, "actions": list(actions)}]
    body = base64.urlsafe_b64encode(json.dumps({"access": access}).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Door:
    """A registry with a token server, each of whose habits can be changed."""

    def __init__(self) -> None:
        self.challenge = 'Bearer realm="/token",service="s"'
        self.admitted = {"Bearer t1"}
        self.tokens = ["t1", "t2", "t3", "t4"]
        self.expires_in: float | None = None
        self.token_answer: Said | None = None
        self.post = Said(status=405)
        self.refusal = Said(status=401)
        self.more: dict[str, Any] = {}
        self.server: ScriptedServer

    def __call__(self, heard: Heard) -> Said:
        """Answer as the habits are."""
        if heard.path == "/token":
            return self.post if heard.method == "POST" else self._token()
        if heard.headers.get("authorization") in self.admitted:
            return Said(body=b"in")
        headers = (("WWW-Authenticate", self.challenge),) if self.challenge else ()
        return Said(status=401, headers=headers, body=self.refusal.body)

    def _token(self) -> Said:
        if self.token_answer is not None:
            return self.token_answer
        fields: dict[str, Any] = {"token": self.tokens.pop(0), **self.more}
        if self.expires_in is not None:
            fields["expires_in"] = self.expires_in
        return Said(body=json.dumps(fields).encode())

    @property
    def asked(self) -> list[Heard]:
        """What the token server was asked."""
        return [heard for heard in self.server.heard if heard.path == "/token"]

    @property
    def knocked(self) -> list[str | None]:
        """What was shown at the registry itself."""
        entries = [heard for heard in self.server.heard if heard.path != "/token"]
        return [heard.headers.get("authorization") for heard in entries]


@pytest.fixture
def door(serve: Callable[..., ScriptedServer]) -> Door:
    """A door that wants a token."""
    door = Door()
    door.server = serve(door)
    return door


def test_a_token_is_asked_for_as_docker_does(door: Door, open_to: Any) -> None:
    """Service, one scope for each resource, account; the realm's own query is kept."""
    door.challenge = 'Bearer realm="/token?own=1",service="s p"'
    scopes = ("repository:b:pull,push", "repository:a:pull")
    open_to(door.server, login=_LOGIN).send(_get(scopes=scopes))
    (asked,) = door.asked
    assert asked.target == (
        "/token?own=1&service=s%20p&scope=repository:b:pull,push&scope=repository:a:pull"
        "&account=user"
    )
    assert asked.headers["authorization"] == _basic("user", "pw")


def test_nobody_gets_a_token_for_nobody(door: Door, open_to: Any) -> None:
    """Without a login the token server is asked without one (OCI-2.6)."""
    assert open_to(door.server).send(_get()).body == b"in"
    (asked,) = door.asked
    assert "authorization" not in asked.headers
    assert "account" not in asked.target


def test_a_password_is_sent_in_utf8(door: Door, open_to: Any) -> None:
    """Whatever letters it has."""
    login = Credential(username="jö", secret=Secret("pä€"))
    open_to(door.server, login=login).send(_get())
    assert door.asked[0].headers["authorization"] == _basic("jö", "pä€")


@pytest.mark.parametrize("spelling", ["token", "access_token"])
def test_both_spellings_of_a_token_are_read(door: Door, open_to: Any, spelling: str) -> None:
    """Docker's own and OAuth2's (OCI-2.8)."""
    door.token_answer = Said(body=json.dumps({"token": "", spelling: "t1"}).encode())
    assert open_to(door.server).send(_get()).status == 200


@pytest.mark.parametrize("body", [b"{}", b'{"token": ""}', b'{"token": 5}', b"[]", b"<html>"])
def test_an_answer_without_a_token_is_an_error(door: Door, open_to: Any, body: bytes) -> None:
    """A 200 alone is nothing."""
    door.token_answer = Said(body=body)
    with pytest.raises(RegistryError, match="without a token"):
        open_to(door.server).send(_get())


def test_a_token_server_that_redirects_gives_no_token(door: Door, open_to: Any) -> None:
    """A login is not carried elsewhere (OCI-9.2)."""
    door.token_answer = Said(status=302, headers=(("Location", "/other"),))
    with pytest.raises(RegistryError, match="302"):
        open_to(door.server, login=_LOGIN).send(_get())
    assert [heard.path for heard in door.server.heard] == ["/v2/a/x", "/token"]


def test_a_token_answer_is_capped(door: Door, open_to: Any) -> None:
    """At 128 KiB (OCI-9.7)."""
    door.token_answer = Said(body=b"x" * 200_000)
    with pytest.raises(RegistryError, match="longer than 131072"):
        open_to(door.server).send(_get())


# --- how long a token lasts ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expires_in", "good_for"),
    [(None, 54), (5, 54), (300, 270), (100, 90), (3600, 3570)],
)
def test_a_token_is_renewed_ahead_of_its_end(
    door: Door, open_to: Any, clock: FakeClock, expires_in: float | None, good_for: float
) -> None:
    """At least a minute is believed; the last tenth, at most 30 s, is not used (OCI-2.8, 2.9)."""
    door.expires_in = expires_in
    door.admitted = {"Bearer t1", "Bearer t2"}
    transport = open_to(door.server)
    transport.send(_get())
    clock.sleep(good_for - 1)
    transport.send(_get())
    assert len(door.asked) == 1
    clock.sleep(1)
    transport.send(_get())
    assert len(door.asked) == 2


def test_a_token_does_not_outlive_its_login(door: Door, open_to: Any, clock: FakeClock) -> None:
    """A login of ten minutes gives no token of an hour (OCI-2.18)."""
    door.expires_in = 3600
    door.admitted = {"Bearer t1", "Bearer t2"}
    end = clock.now() + timedelta(minutes=10)
    transport = open_to(
        door.server, login=Credential(username="u", secret=Secret("p"), expires_at=end)
    )
    transport.send(_get())
    clock.sleep(600)
    transport.send(_get())
    assert len(door.asked) == 2


def test_a_token_is_for_its_scopes_only(door: Door, open_to: Any) -> None:
    """Another repository takes another token (OCI-2.13)."""
    door.admitted = {"Bearer t1", "Bearer t2"}
    transport = open_to(door.server)
    transport.send(_get())
    transport.send(_get("/v2/b/x", ("repository:b:pull",)))
    transport.send(_get())
    assert len(door.asked) == 2
    assert door.knocked == [None, "Bearer t1", "Bearer t2", "Bearer t1"]


def test_many_who_need_a_token_ask_for_it_once(door: Door, open_to: Any) -> None:
    """Single flight (OCI-2.14)."""
    transport = open_to(door.server)
    transport.send(_get(scopes=("repository:warm:pull",)))
    door.admitted.add("Bearer t2")
    threads = [threading.Thread(target=transport.send, args=(_get(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(door.asked) == 2


def test_a_token_refused_in_mid_run_is_replaced_once(door: Door, open_to: Any) -> None:
    """Revoked, or signed by a key that is no more (OCI-2.16)."""
    transport = open_to(door.server)
    transport.send(_get())
    door.admitted = {"Bearer t2"}
    assert transport.send(_get()).body == b"in"
    assert transport.send(_get()).body == b"in"
    assert len(door.asked) == 2


def test_a_second_refusal_is_final(door: Door, open_to: Any) -> None:
    """With a message that says who refused what; no third try."""
    door.admitted = set()
    door.refusal = Said(body=b'{"errors":[{"code":"UNAUTHORIZED","message":"go away"}]}')
    with pytest.raises(CredentialsRefused, match=r"docker config \(it offers bearer\).*go away"):
        open_to(door.server, login=_LOGIN).send(_get())
    assert len(door.knocked) == 2


# --- scopes ----------------------------------------------------------------------------------


def test_a_scope_the_registry_wants_beside_ours_is_learned(door: Door, open_to: Any) -> None:
    """The next request for the same asks for it from the start (OCI-2.15)."""
    door.challenge = 'Bearer realm="/token",service="s",scope="repository:b:pull"'
    transport = open_to(door.server)
    transport.send(_get())
    door.admitted = {"Bearer t2"}
    transport.send(_get())
    for asked in door.asked:
        query = parse_qs(asked.target.partition("?")[2])
        assert query["scope"] == ["repository:a:pull", "repository:b:pull"]


def test_a_token_that_grants_nothing_explains_a_refusal(door: Door, open_to: Any) -> None:
    """A 200 of the token server proves no login (OCI-2.10)."""
    door.tokens = [_jwt()]
    with pytest.raises(CredentialsRefused) as caught:
        open_to(door.server, login=_LOGIN).send(_get())
    assert "did not grant repository:a:pull to 'user'" in str(caught.value.hint)


def test_a_token_that_grants_too_little_explains_a_403(door: Door, open_to: Any) -> None:
    """The diagnosis goes with the answer into the error."""
    token = _jwt("pull")

    def script(heard: Heard) -> Said:
        if heard.headers.get("authorization") == f"Bearer {token}":
            return Said(status=403)
        return door(heard)

    door.tokens = [token]
    server = door.server = ScriptedServer(script)
    with server:
        answer = open_to(server).send(_get(scopes=("repository:a:pull,push",)))
    assert answer.status == 403
    hint = str(error_from(answer, "write").hint)
    assert "did not grant repository:a:pull,push to nobody" in hint
    assert len(door.knocked) == 2


# --- other shapes of challenges ----------------------------------------------------------------


def test_without_a_login_the_error_says_what_to_do(door: Door, open_to: Any) -> None:
    """It lists what the registry offers."""
    door.challenge = 'Negotiate, Basic realm="x"'
    with pytest.raises(NoCredentials, match="negotiate, basic") as caught:
        open_to(door.server).send(_get())
    assert "docker" in str(caught.value.hint)


def test_schemes_that_are_not_spoken_are_listed(door: Door, open_to: Any) -> None:
    """Negotiate and Digest are somebody else's (OCI-2.2)."""
    door.challenge = 'Negotiate, Digest realm="x"'
    with pytest.raises(CredentialsRefused, match="negotiate, digest"):
        open_to(door.server, login=_LOGIN).send(_get())


def test_a_bare_401_is_met_with_what_the_ping_says(serve: Any, open_to: Any) -> None:
    """Some send no challenge on a repository's path (OCI-2.3)."""

    def script(heard: Heard) -> Said:
        if heard.path == "/token":
            return Said(body=b'{"token": "t1"}')
        if heard.headers.get("authorization") == "Bearer t1":
            return Said(body=b"in")
        pinged = heard.path == "/v2/"
        headers = (("WWW-Authenticate", 'Bearer realm="/token"'),) if pinged else ()
        return Said(status=401, headers=headers)

    server = serve(script)
    assert open_to(server).send(_get()).body == b"in"
    assert [heard.path for heard in server.heard] == ["/v2/a/x", "/v2/", "/token", "/v2/a/x"]


@pytest.mark.parametrize("path", ["/v2/", "/v2/a/x", "/api/x"])
def test_a_401_without_any_challenge_is_an_answer(serve: Any, open_to: Any, path: str) -> None:
    """Nobody says how to log in."""
    server = serve(lambda heard: Said(status=401))
    assert open_to(server).send(_get(path)).status == 401


def test_a_401_about_a_name_is_an_answer(door: Door, open_to: Any) -> None:
    """Harbor says so of a project that is not there, to everybody."""
    door.challenge = ""
    door.refusal = Said(
        body=b'{"errors":[{"code":"UNAUTHORIZED","message":"project a not found"}]}'
    )
    answer = open_to(door.server, login=_LOGIN).send(_get())
    assert answer.status == 401
    assert "project a not found" in error_from(answer, "read a").message
    assert len(door.server.heard) == 1


def test_a_challenge_without_a_realm_is_an_error(door: Door, open_to: Any) -> None:
    """Not a reason to go on as nobody (OCI-2.5)."""
    door.challenge = 'Bearer service="s"'
    with pytest.raises(RegistryError, match="does not say where"):
        open_to(door.server).send(_get())


def test_a_basic_challenge_after_a_bad_token_does_not_end_tokens(door: Door, open_to: Any) -> None:
    """Harbor answers a token it does not like with a Basic challenge."""
    transport = open_to(door.server, login=_LOGIN)
    transport.send(_get())
    door.challenge = 'Basic realm="harbor"'
    door.admitted = {_basic("user", "pw"), "Bearer t2"}
    assert transport.send(_get()).body == b"in"
    assert transport.send(_get()).body == b"in"
    assert door.knocked[-3:] == ["Bearer t1", _basic("user", "pw"), "Bearer t2"]


def test_beside_the_api_a_password_is_shown_at_once(door: Door, open_to: Any) -> None:
    """A product's own API knows no token scopes."""
    door.admitted = {_basic("user", "pw")}
    open_to(door.server, login=_LOGIN).send(_get("/api/v2.0/projects", ()))
    assert door.knocked == [_basic("user", "pw")]


def test_a_password_that_was_refused_is_not_shown_again(door: Door, open_to: Any) -> None:
    """The same again would be refused again."""
    door.challenge = 'Basic realm="x"'
    door.admitted = set()
    transport = open_to(door.server, login=_LOGIN)
    with pytest.raises(CredentialsRefused):
        transport.send(_get())
    assert door.knocked == [None, _basic("user", "pw")]
    with pytest.raises(CredentialsRefused):
        transport.send(_get())
    assert len(door.knocked) == 3


# --- other kinds of logins -----------------------------------------------------------------------


def test_a_registry_token_is_shown_as_it_is(door: Door, open_to: Any) -> None:
    """From the first request on, and to nobody's token server."""
    login = Credential(secret=Secret("t1"), kind=Kind.BEARER)
    open_to(door.server, login=login).send(_get())
    assert door.knocked == ["Bearer t1"]
    door.admitted = set()
    with pytest.raises(CredentialsRefused):
        open_to(door.server, login=login).send(_get())
    assert len(door.asked) == 0


def test_an_identity_token_is_exchanged_by_post(door: Door, open_to: Any) -> None:
    """And what it is renewed to is used next time (OCI-2.7)."""
    body = {"access_token": "t1", "refresh_token": "renewed"}
    door.post = Said(body=json.dumps(body).encode())
    door.admitted = {"Bearer t1"}
    login = Credential(secret=Secret("identity"), kind=Kind.IDENTITY)
    transport = open_to(door.server, login=login)
    scopes = ("repository:a:pull,push", "repository:b:pull")
    transport.send(_get(scopes=scopes))
    transport.send(_get())
    first, second = (parse_qs(heard.body.decode()) for heard in door.asked)
    assert first == {
        "grant_type": ["refresh_token"],
        "client_id": ["harborsync"],
        "refresh_token": ["identity"],
        "service": ["s"],
        "scope": ["repository:a:pull,push repository:b:pull"],
    }
    assert second["refresh_token"] == ["renewed"]


@pytest.mark.parametrize("status", [401, 404, 405])
def test_a_client_secret_falls_back_to_get(door: Door, open_to: Any, status: int) -> None:
    """Not every token server has POST (OCI-2.7)."""
    door.post = Said(status=status)
    login = Credential(username="id", secret=Secret("secret"), kind=Kind.CLIENT)
    assert open_to(door.server, login=login).send(_get()).body == b"in"
    by_post, by_get = door.asked
    assert parse_qs(by_post.body.decode())["client_secret"] == ["secret"]
    assert by_get.headers["authorization"] == _basic("id", "secret")


def test_an_identity_token_has_nothing_to_fall_back_to(door: Door, open_to: Any) -> None:
    """It is no password; the error says that the login is of no use here."""
    login = Credential(secret=Secret("identity"), kind=Kind.IDENTITY)
    with pytest.raises(CredentialsRefused, match="405"):
        open_to(door.server, login=login).send(_get())


def test_an_identity_token_is_no_password(door: Door, open_to: Any) -> None:
    """A registry that speaks only Basic cannot take it."""
    door.challenge = 'Basic realm="x"'
    login = Credential(secret=Secret("identity"), kind=Kind.IDENTITY)
    with pytest.raises(CredentialsRefused):
        open_to(door.server, login=login).send(_get())
    assert door.knocked == [None]


# --- refused and expired logins --------------------------------------------------------------------


def test_a_login_refused_by_the_token_server_is_not_shown_again_for_a_while(
    door: Door, open_to: Any, clock: FakeClock
) -> None:
    """Every worker with a wrong password would lock its user out."""
    door.token_answer = Said(status=401, body=b"wrong password")
    transport = open_to(door.server, login=_LOGIN)
    for _ in range(3):
        with pytest.raises(CredentialsRefused, match="wrong password"):
            transport.send(_get())
    assert len(door.asked) == 1
    clock.sleep(31)
    with pytest.raises(CredentialsRefused):
        transport.send(_get())
    assert len(door.asked) == 2


def test_a_login_that_ended_early_is_asked_of_its_source_once_more(
    door: Door, open_to: Any, clock: FakeClock
) -> None:
    """What a cloud sells may end with the session that bought it."""
    logins = ["ended", "fresh", "never asked for"]

    def fetch(host: str) -> Credential:
        return Credential(username="user", secret=Secret(logins.pop(0)))

    def answer(heard: Heard) -> Said:
        is_ended = heard.headers.get("authorization") == _basic("user", "ended")
        return Said(status=401) if heard.path == "/token" and is_ended else door(heard)

    with ScriptedServer(answer) as server:
        door.server = server
        transport = open_to(server, credentials=Refreshing(fetch, clock))
        assert transport.send(_get()).body == b"in"
    assert logins == ["never asked for"]
    assert len(door.asked) == 2


class Overtaken:
    """A source whose first answer comes late: somebody else was refused with it meanwhile."""

    def __init__(self, source: Refreshing) -> None:
        self._source = source
        self.meanwhile: Callable[[], object] | None = None

    def get(self, host: str, repository: str = "") -> Credential | None:
        """Return the login as it was before the other one came."""
        found = self._source.get(host, repository)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return found

    def forget(self, host: str, refused: Credential) -> None:
        """Pass it on."""
        self._source.forget(host, refused)


def test_who_comes_late_with_a_login_that_was_refused_gets_the_new_one(
    door: Door, open_to: Any, clock: FakeClock
) -> None:
    """It is neither shown again nor taken for the last word."""
    logins = ["ended", "fresh", "never asked for"]
    source = Overtaken(
        Refreshing(lambda _: Credential(username="u", secret=Secret(logins.pop(0))), clock)
    )
    door.admitted = {"Bearer t1", "Bearer t2"}

    def answer(heard: Heard) -> Said:
        is_ended = heard.headers.get("authorization") == _basic("u", "ended")
        return Said(status=401) if heard.path == "/token" and is_ended else door(heard)

    with ScriptedServer(answer) as server:
        door.server = server
        transport = open_to(server, credentials=source)
        source.meanwhile = lambda: transport.send(_get("/v2/b/x", ("repository:b:pull",)))
        assert transport.send(_get()).body == b"in"
    assert logins == ["never asked for"]
    shown = [heard.headers.get("authorization") for heard in door.asked]
    assert shown == [_basic("u", "ended"), _basic("u", "fresh"), _basic("u", "fresh")]


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_two_who_are_refused_together_share_the_new_login(
    door: Door, open_to: Any, clock: FakeClock, scheme: str
) -> None:
    """What the second one says of the old login does not cost the first one's new one."""
    logins = ["ended", "fresh", "never asked for"]
    source = Refreshing(lambda _: Credential(username="u", secret=Secret(logins.pop(0))), clock)
    if scheme == "Basic":
        door.challenge = 'Basic realm="x"'
    door.admitted = {
        _basic("u", "ended"),
        _basic("u", "fresh"),
        *map("Bearer t{}".format, (1, 2, 3)),
    }
    others: list[bytes] = []
    has_ended = False

    def answer(heard: Heard) -> Said:
        if not has_ended or heard.headers.get("authorization") != _basic("u", "ended"):
            return door(heard)
        if not others:
            others.append(b"")
            others[0] = transport.send(_get("/v2/b/x", ("repository:b:pull",))).body
        return Said(status=401, headers=(("WWW-Authenticate", door.challenge),))

    with ScriptedServer(answer) as server:
        door.server = server
        transport = open_to(server, credentials=source)
        transport.send(_get("/v2/c/x", ("repository:c:pull",)))
        has_ended = True
        assert transport.send(_get()).body == b"in"
    assert others == [b"in"]
    assert logins == ["never asked for"]


def test_a_scope_refused_by_the_token_server_does_not_bar_the_login(
    door: Door, open_to: Any
) -> None:
    """GitLab answers 403 for one repository; the next may be fine."""
    door.token_answer = Said(status=403, body=b"access forbidden")
    transport = open_to(door.server, login=_LOGIN)
    with pytest.raises(CredentialsRefused, match="access forbidden"):
        transport.send(_get())
    door.token_answer = None
    assert transport.send(_get("/v2/b/x", ("repository:b:pull",))).body == b"in"


def test_a_failing_token_server_is_asked_again(door: Door, open_to: Any) -> None:
    """As any other server is."""
    door.token_answer = Said(status=503)
    with pytest.raises(ServerError):
        open_to(door.server).send(_get())
    assert len(door.asked) == 3


def test_a_login_is_fetched_anew_after_a_refusal(
    door: Door, open_to: Any, clock: FakeClock
) -> None:
    """A provider's password may have ended early (OCI-2.18)."""
    passwords = iter(["old", "new"])
    source = Refreshing(
        lambda host: Credential(username="u", secret=Secret(next(passwords))), clock
    )
    door.challenge = 'Basic realm="x"'
    door.admitted = {_basic("u", "old")}
    transport = open_to(door.server, credentials=source)
    transport.send(_get())
    door.admitted = {_basic("u", "new")}
    assert transport.send(_get()).body == b"in"


def test_a_provider_can_tell_a_403_of_an_expired_login(
    serve: Any, open_to: Any, clock: FakeClock
) -> None:
    """ECR answers so; the login is fetched anew and shown once more (OCI-2.19)."""
    passwords = iter(["old", "new"])
    source = Refreshing(
        lambda host: Credential(username="u", secret=Secret(next(passwords))), clock
    )
    good = _basic("u", "old")

    def script(heard: Heard) -> Said:
        shown = heard.headers.get("authorization")
        if shown is None:
            return Said(status=401, headers=(("WWW-Authenticate", 'Basic realm="x"'),))
        return Said(body=b"in") if shown == good else Said(status=403, body=b"token has expired")

    server = serve(script)
    transport = open_to(
        server, credentials=source, expired_403=lambda answer: b"expired" in answer.body
    )
    transport.send(_get())
    good = _basic("u", "new")
    assert transport.send(_get()).body == b"in"


def test_a_403_of_an_expired_login_is_a_401_to_who_uploads(
    serve: Any, open_to: Any, clock: FakeClock
) -> None:
    """An upload is not repeated here; whoever does repeat it finds a fresh login (OCI-2.19)."""
    passwords = iter(["old", "new"])
    source = Refreshing(
        lambda host: Credential(username="u", secret=Secret(next(passwords))), clock
    )

    def script(heard: Heard) -> Said:
        if heard.headers.get("authorization") == _basic("u", "new"):
            return Said(status=201)
        return Said(status=403, body=b"token has expired")

    transport = open_to(
        serve(script),
        credentials=source,
        expired_403=lambda answer: b"expired" in answer.body,
        door=doors.Door(is_cheap=lambda credential: True),
    )

    @contextmanager
    def content() -> Iterator[Iterator[bytes]]:
        yield iter([b"abc"])

    put = partial(transport.upload, Call(method="PUT", url="/v2/u"), Body(size=3, open=content))
    assert put().status == 401
    assert put().status == 201


def test_an_expired_login_is_called_so(door: Door, open_to: Any, clock: FakeClock) -> None:
    """It was good once, and must be renewed at its source."""
    door.challenge = 'Basic realm="x"'
    login = Credential(
        username="u", secret=Secret("p"), origin="aws", expires_at=clock.now() - timedelta(hours=1)
    )
    door.admitted = set()
    with pytest.raises(CredentialsExpired, match="from aws"):
        open_to(door.server, login=login).send(_get())


# --- who may see a login ---------------------------------------------------------------------------


def test_a_token_server_on_the_same_host_is_the_registrys_own(
    door: Door, serve: Any, open_to: Any
) -> None:
    """On whichever port it is; its tokens are still for the registry's origin only."""
    tokens = serve(lambda heard: Said(body=b'{"token": "t1"}'))
    door.challenge = f'Bearer realm="{tokens.origin}/t",service="s"'
    assert open_to(door.server, login=_LOGIN).send(_get()).body == b"in"
    assert "authorization" in tokens.heard[0].headers


def test_a_token_server_of_another_host_sees_no_login(door: Door, serve: Any, open_to: Any) -> None:
    """The error names the option that would let it (OCI-9.2)."""
    tokens = serve(lambda heard: Said(body=b'{"token": "t1"}'))
    door.challenge = f'Bearer realm="http://localhost:{tokens.port}/t",service="s"'
    with pytest.raises(AddressRefused) as caught:
        open_to(door.server, login=_LOGIN).send(_get())
    assert "trusted_realms=localhost" in str(caught.value.hint)
    assert tokens.heard == []
    assert open_to(door.server).send(_get()).body == b"in"


def test_a_trusted_token_server_sees_it(door: Door, serve: Any, open_to: Any) -> None:
    """Trust is by name, for every port."""
    tokens = serve(lambda heard: Said(body=b'{"token": "t1"}'))
    door.challenge = f'Bearer realm="http://localhost:{tokens.port}/t",service="s"'
    transport = open_to(door.server, "?trusted_realms=localhost", login=_LOGIN)
    assert transport.send(_get()).body == b"in"
    assert tokens.heard[0].headers["authorization"] == _basic("user", "pw")


@pytest.mark.parametrize(
    "changed", ['Bearer realm="/other",service="s"', 'Bearer realm="/token",service="evil"']
)
def test_a_token_server_does_not_change_in_mid_run(door: Door, open_to: Any, changed: str) -> None:
    """Neither its address nor what it is told that we want."""
    transport = open_to(door.server, login=_LOGIN)
    transport.send(_get())
    door.challenge = changed
    door.admitted = set()
    with pytest.raises(AddressRefused, match="changed its token server"):
        transport.send(_get())


def test_another_origin_is_no_reason_to_get_a_token(door: Door, serve: Any, open_to: Any) -> None:
    """A store that refuses gives its own answer (OCI-2.21)."""
    store = serve(lambda heard: Said(status=401))
    transport = open_to(door.server, login=_LOGIN)
    transport.send(_get())
    assert transport.send(_get(f"{store.origin}/x", ("repository:b:pull",))).status == 401
    assert len(door.asked) == 1


def test_the_repository_is_told_to_the_source(door: Door, open_to: Any) -> None:
    """Logins may differ by it (OCI-2.25)."""
    asked: list[tuple[str, str]] = []

    class Source:
        def get(self, host: str, repository: str = "") -> Credential | None:
            asked.append((host, repository))
            return None

    open_to(door.server, credentials=Source()).send(_get())
    assert set(asked) == {(door.server.host, "a")}


@pytest.mark.parametrize("kind", [Kind.BASIC, Kind.IDENTITY, Kind.CLIENT])
@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_token_server_that_quotes_the_secret_is_not_quoted(
    door: Door, open_to: Any, kind: Kind, status: int
) -> None:
    """Some say what they were sent; that must not get into an error."""
    said = Said(status=status, body=b'{"details": "no user with hunter2 here"}')
    door.token_answer = door.post = said
    login = Credential(username="user", secret=Secret("hunter2"), kind=kind)
    with pytest.raises((CredentialsRefused, RegistryError)) as caught:
        open_to(door.server, login=login).send(_get())
    assert "no user with *** here" in str(caught.value)


def test_a_changed_token_server_is_named_without_its_query(clock: FakeClock) -> None:
    """A realm is a URL from outside as any other."""
    memory = Memory(clock)
    first, second = parse_challenges(
        ['Bearer realm="https://u:pw@t.example/t?sig=hunter2"', 'Bearer realm="https://o.example"']
    )
    memory.learn(first)
    with pytest.raises(AddressRefused, match=r"from https://t\.example/t in mid-run"):
        memory.learn(second)
