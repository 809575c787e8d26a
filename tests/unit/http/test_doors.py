"""At Harbor's door users show tokens, robots their secret, and 401 is understood."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync.credentials.base import Credential, Refreshing
from harborsync.credentials.static import StaticCredentials
from harborsync.errors import CredentialsRefused
from harborsync.http.answers import error_from
from harborsync.http.doors import Door, TokenGroups
from harborsync.http.session import open_transport
from harborsync.http.wire import Answer, Call
from harborsync.provider import OpenContext
from harborsync.secrets import Secret
from harborsync.testing import FakeClock, LoopbackHarbor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.http.wire import Transport

CAROL = Credential(username="carol", secret=Secret("Secret-123"), origin="argument")
NAMES = tuple(f"app/r{number:02}" for number in range(45))


# --- groups ----------------------------------------------------------------------------------


def scopes(*names: str, actions: str = "pull") -> tuple[str, ...]:
    """Return scopes of repositories."""
    return tuple(f"repository:{name}:{actions}" for name in names)


def test_a_group_has_twenty_members_at_the_most() -> None:
    """And who is in one stays there, so that its token serves until it ends."""
    groups = TokenGroups()
    groups.announce(reversed(NAMES))
    assert groups.together(scopes("app/r00")) == scopes(*NAMES[:20])
    assert groups.together(scopes("app/r19")) == scopes(*NAMES[:20])
    assert groups.together(scopes("app/r20")) == scopes(*NAMES[20:40])
    assert groups.together(scopes("app/r44")) == scopes(*NAMES[40:])
    groups.announce([*NAMES, "app/a"])
    assert groups.together(scopes("app/r00")) == scopes(*NAMES[:20])
    assert groups.together(scopes("app/a")) == scopes("app/a")


def test_long_names_make_small_groups() -> None:
    """The token stays below what proxies take for a header."""
    groups = TokenGroups()
    long = [f"app/{'n' * 240}{number}" for number in range(9)]
    groups.announce(long)
    asked = groups.together(scopes(long[0]))
    assert 1 < len(asked) < 9
    assert sum(map(len, asked)) < 2400


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (scopes("app/r00", actions="pull,push"), scopes(*NAMES[:20], actions="pull,push")),
        (
            (*scopes("app/r00", actions="pull,push"), *scopes("app/r01")),
            scopes(*NAMES[:20], actions="pull,push"),
        ),
        (scopes("app/r00", actions="delete"), scopes("app/r00", actions="delete")),
        (scopes("app/r00", "app/r30"), scopes("app/r00", "app/r30")),
        (scopes("app/unknown"), scopes("app/unknown")),
        (("registry:catalog:*",), ("registry:catalog:*",)),
        ((), ()),
    ],
)
def test_what_is_about_one_group_is_asked_for_together(
    asked: tuple[str, ...], given: tuple[str, ...]
) -> None:
    """Everything else is asked for as it is."""
    groups = TokenGroups()
    groups.announce(NAMES)
    assert groups.together(asked) == given


# --- at the door -----------------------------------------------------------------------------


@pytest.fixture
def clock() -> FakeClock:
    """Time that passes only when it is slept."""
    return FakeClock()


@pytest.fixture
def harbor(clock: FakeClock) -> Iterator[LoopbackHarbor]:
    """A Harbor with one image, and carol who may read and write it."""
    with LoopbackHarbor(clock=clock) as server:
        server.add_project("app")
        server.add_project("other")
        server.add_user("carol", "Secret-123", roles={"app": "developer"})
        server.push_image("app/web", "v1")
        server.push_image("other/web", "v1")
        yield server


@pytest.fixture
def open_as(
    harbor: LoopbackHarbor, clock: FakeClock
) -> Iterator[Callable[[Credential], Transport]]:
    """Open the way to it as somebody."""
    opened: list[Transport] = []
    groups = TokenGroups()
    groups.announce(["app/api", "app/web"])
    door = Door(
        is_cheap=lambda login: "$" in login.username,
        together=groups.together,
        says_401_for_rights=True,
        relents_after=2.0,
        if_not_taken="is the secret right?",
    )

    def open_as(login: Credential) -> Transport:
        context = OpenContext(clock=clock, credentials=StaticCredentials({harbor.host: login}))
        opened.append(open_transport(harbor.endpoint, context, door=door))
        return opened[-1]

    yield open_as
    for transport in opened:
        transport.close()


def ask(
    transport: Transport, name: str = "app/web", method: str = "GET", actions: str = "pull"
) -> Answer:
    """Ask for a manifest, or for an upload."""
    path = "blobs/uploads/" if method == "POST" else "manifests/v1"
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    return transport.send(
        Call(
            method=method,
            url=f"/v2/{name}/{path}",
            headers=accept,
            scopes=(f"repository:{name}:{actions}",),
        )
    )


push = partial(ask, method="POST", actions="pull,push")


def lines(harbor: LoopbackHarbor) -> list[str]:
    """Tell what was asked and shown, without the names."""
    return [
        " ".join((r.method, r.path.split("/")[1], r.headers.get("authorization", "-").split()[0]))
        for r in harbor.requests
    ]


def robot(harbor: LoopbackHarbor, *access: str) -> Credential:
    """Make a robot of the project."""
    made = harbor.add_robot("sync", project="app", access=access or ("repository:pull",))
    return Credential(username=made.name, secret=Secret(made.secret), origin="environment")


def test_a_robot_shows_its_secret_from_the_first_request_on(
    harbor: LoopbackHarbor, open_as: Callable[[Credential], Transport]
) -> None:
    """That costs Harbor less than a token (HARBOR §5)."""
    transport = open_as(robot(harbor))
    assert [ask(transport).status for _ in range(3)] == [200, 200, 200]
    assert lines(harbor) == ["GET v2 Basic"] * 3


def test_a_user_shows_a_token_for_the_whole_group(
    harbor: LoopbackHarbor, open_as: Callable[[Credential], Transport]
) -> None:
    """The password is looked at once, not with each request."""
    transport = open_as(CAROL)
    assert [ask(transport).status, ask(transport).status] == [200, 200]
    assert ask(transport, "app/api").status == 404
    assert lines(harbor) == ["GET v2 -", "GET service Basic", *["GET v2 Bearer"] * 3]
    assert harbor.requests[1].query.count("scope=") == 2


def test_a_right_that_is_lacking_is_named(
    harbor: LoopbackHarbor, open_as: Callable[[Credential], Transport]
) -> None:
    """Harbor says 401 to a robot without a right as to a stranger."""
    for login, start in ((robot(harbor), "'robot$app+sync' is known"), (CAROL, "'carol' is known")):
        transport = open_as(login)
        name = "app/web" if "$" in login.username else "other/web"
        answer = push(transport, name)
        assert answer.status == 401
        assert answer.diagnosis.startswith(
            f"{start}, and lacks repository:pull and repository:push"
        )
        assert answer.diagnosis.endswith(", or one of them") is (name == "app/web")
        error = error_from(answer, "write to it")
        assert type(error).__name__ == "Denied"
        assert f"in {name}" in (error.hint or "")


def test_only_what_a_token_lacks_is_named(
    harbor: LoopbackHarbor, open_as: Callable[[Credential], Transport]
) -> None:
    """A guest who may pull is told that pushing is what she may not."""
    harbor.add_user("guest", "Secret-123", roles={"app": "guest"})
    answer = push(open_as(attrs.evolve(CAROL, username="guest")))
    assert answer.diagnosis == "'guest' is known, and lacks repository:push in app/web"


@pytest.mark.parametrize("username", ["robot$app+nobody", "carol"])
def test_a_wrong_secret_is_told_from_a_lacking_right(
    harbor: LoopbackHarbor, open_as: Callable[[Credential], Transport], username: str
) -> None:
    """Though Harbor gives a token for nobody, and 401 to everything."""
    wrong = Credential(username=username, secret=Secret("Wrong-9"), origin="environment")
    told = f"refuses the login {username!r} from environment"
    with pytest.raises(CredentialsRefused, match=re.escape(told)) as caught:
        ask(open_as(wrong))
    assert "Wrong-9" not in str(caught.value)
    assert caught.value.hint == "is the secret right?"
    assert len(harbor.requests) == (2 if "$" in username else 3)


def test_a_robot_that_worked_and_is_refused_is_not_asked_again(
    harbor: LoopbackHarbor, open_as: Callable[[Credential], Transport]
) -> None:
    """Whether the login is good is found out once."""
    transport = open_as(robot(harbor))
    push(transport)
    before = len(harbor.requests)
    push(transport)
    assert lines(harbor)[before:] == ["POST v2 Basic"]


def test_a_user_whom_another_has_locked_waits_and_goes_on(
    harbor: LoopbackHarbor, open_as: Callable[[Credential], Transport], clock: FakeClock
) -> None:
    """A wrong password locks its user for everyone for a moment (HARBOR §5)."""
    transport = open_as(CAROL)
    assert ask(transport).status == 200
    with pytest.raises(CredentialsRefused):
        ask(open_as(attrs.evolve(CAROL, secret=Secret("Wrong-9"))))
    harbor.state.locked["carol"] = clock.now() + timedelta(seconds=1.5)
    before = clock.monotonic()
    assert push(transport).status == 202
    assert clock.monotonic() - before == 2.0


def test_a_token_that_ended_early_is_fetched_anew(
    harbor: LoopbackHarbor, open_as: Callable[[Credential], Transport]
) -> None:
    """The Basic challenge that follows does not mean that only passwords are taken."""
    transport = open_as(CAROL)
    ask(transport)
    harbor._tokens.expire()
    harbor.clear_log()
    assert ask(transport).status == 200
    assert lines(harbor) == ["GET v2 Bearer", "GET service Basic", "GET v2 Bearer"]


def test_a_challenge_for_the_catalog_is_for_the_catalog_only(
    harbor: LoopbackHarbor, open_as: Callable[[Credential], Transport]
) -> None:
    """It asks for a password, and everything else goes on with tokens."""
    admin = Credential(username="admin", secret=Secret("Harbor12345"))
    transport = open_as(admin)
    catalog = Call(method="GET", url="/v2/_catalog", scopes=("registry:catalog:*",))
    assert transport.send(catalog).status == 200
    harbor.clear_log()
    assert ask(transport).status == 200
    assert lines(harbor)[-1] == "GET v2 Bearer"


def test_what_is_no_want_of_a_right_is_not_called_so(
    harbor: LoopbackHarbor, open_as: Callable[[Credential], Transport]
) -> None:
    """A project that is not there is a 401 at Harbor's, and a Harbor in read-only mode a 403."""
    for login in (robot(harbor, "repository:pull", "repository:push"), CAROL):
        transport = open_as(login)
        absent = ask(transport, "absent/web")
        assert (absent.status, absent.diagnosis) == (401, "")
        assert type(error_from(absent, "read it")).__name__ == "NotFound"
        harbor.state.settings["read_only"] = True
        refused = push(transport)
        assert (refused.status, refused.diagnosis) == (403, "")
        harbor.state.settings["read_only"] = False


def test_a_robot_that_ends_in_mid_run_is_told_from_one_without_rights(
    harbor: LoopbackHarbor, open_as: Callable[[Credential], Transport], clock: FakeClock
) -> None:
    """Whether a login is good is found out anew after a while."""
    transport = open_as(robot(harbor))
    assert push(transport).status == 401
    next(iter(harbor.state.robots.values())).disabled = True
    clock.sleep(31.0)
    with pytest.raises(CredentialsRefused):
        push(transport)


def test_a_secret_that_was_changed_is_fetched_anew(
    harbor: LoopbackHarbor, clock: FakeClock
) -> None:
    """A source that has another one by now is asked before anybody is blamed."""
    login = robot(harbor)
    stale = attrs.evolve(login, secret=Secret("Stale-1"))
    logins = iter([stale, login])
    source = Refreshing(lambda _: next(logins), clock)
    door = Door(is_cheap=lambda _: True, says_401_for_rights=True)
    context = OpenContext(clock=clock, credentials=source)
    transport = open_transport(harbor.endpoint, context, door=door)
    assert ask(transport).status == 200
    transport.close()


def test_a_token_is_no_use_beside_the_registry(
    harbor: LoopbackHarbor, open_as: Callable[[Credential], Transport]
) -> None:
    """Harbor's own interface takes the login itself, and a refusal there stands."""
    wrong = attrs.evolve(CAROL, secret=Secret("Wrong-9"))
    transport = open_as(wrong)
    with pytest.raises(CredentialsRefused):
        ask(transport)
    harbor.clear_log()
    assert transport.send(Call(method="GET", url="/api/v2.0/projects/app")).status == 401
    assert lines(harbor) == ["GET api Basic"]


def test_a_robot_that_lacks_the_only_right_it_takes_is_told_so(
    harbor: LoopbackHarbor, open_as: Callable[[Credential], Transport]
) -> None:
    """There is no other it could be."""
    login = robot(harbor)
    answer = ask(open_as(login), "other/web")
    assert (
        answer.diagnosis == f"{login.username!r} is known, and lacks repository:pull in other/web"
    )
