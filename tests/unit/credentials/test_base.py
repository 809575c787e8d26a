"""Sources answer or pass; what ends is renewed ahead of its end, once for all threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from harborsync.credentials.base import RENEW_AHEAD, Anonymous, Chain, Credential, Kind, Refreshing
from harborsync.errors import CredentialsRefused, InvalidValue
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from harborsync.cancel import Cancel

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Hands:
    """A clock whose hands are moved by the test."""

    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        """Return what the hands show."""
        return self.time

    def monotonic(self) -> float:
        """Return the seconds since noon."""
        return (self.time - NOON).total_seconds()

    def sleep(self, seconds: float, cancel: Cancel | None = None) -> None:
        """Move the hands."""
        self.time += timedelta(seconds=seconds)


class Fixed:
    """A source that knows one host."""

    def __init__(self, host: str, secret: str) -> None:
        self.host = host
        self.credential = Credential(secret=Secret(secret))

    def get(self, host: str, repository: str = "") -> Credential | None:
        """Answer for that host."""
        return self.credential if host == self.host else None


class Broken:
    """A source that is in charge and cannot answer."""

    def get(self, host: str, repository: str = "") -> Credential | None:
        """Raise."""
        msg = "the helper failed"
        raise CredentialsRefused(msg)


def login(*, ends: timedelta | None) -> Credential:
    """Make a credential that ends some time after noon."""
    return Credential(secret=Secret("s"), expires_at=None if ends is None else NOON + ends)


def test_a_credential_is_a_password_unless_said_otherwise() -> None:
    """The defaults are those of a plain login, and its repr hides the secret."""
    credential = Credential(username="robot", secret=Secret("hunter2"))
    assert (credential.kind, credential.expires_at) == (Kind.BASIC, None)
    assert "hunter2" not in repr(credential)


def test_nobody_is_anonymous() -> None:
    """The anonymous source has no login for any host."""
    assert Anonymous().get("r.example", "a") is None


def test_the_first_answer_of_a_chain_is_right() -> None:
    """Sources that pass are passed over; later ones are not asked."""
    chain = Chain([Anonymous(), Fixed("a", "1"), Fixed("a", "2"), Broken()])
    found = chain.get("a")
    assert found is not None
    assert found.secret.reveal() == "1"


def test_a_chain_without_an_answer_has_none() -> None:
    """None lets an outer chain go on."""
    assert Chain([Anonymous(), Fixed("a", "1")]).get("b") is None


def test_a_broken_source_stops_the_chain() -> None:
    """It is in charge; going on would use somebody else's login."""
    with pytest.raises(CredentialsRefused):
        Chain([Broken(), Fixed("a", "1")]).get("a")


def test_a_login_is_fetched_once_while_it_is_good() -> None:
    """Each host has its own."""
    asked: list[str] = []

    def fetch(host: str) -> Credential:
        asked.append(host)
        return login(ends=None)

    source = Refreshing(fetch, Hands())
    for host in ("a", "a", "b", "a"):
        assert source.get(host) is not None
    assert asked == ["a", "b"]


@pytest.mark.parametrize(
    ("left", "fetches"),
    [(RENEW_AHEAD + timedelta(seconds=1), 1), (RENEW_AHEAD, 2), (timedelta(0), 2)],
    ids=["good for a while", "ends soon", "has ended"],
)
def test_a_login_is_renewed_ahead_of_its_end(left: timedelta, fetches: int) -> None:
    """Five minutes before, at the latest."""
    clock, asked = Hands(), []

    def fetch(host: str) -> Credential:
        asked.append(host)
        return login(ends=timedelta(hours=1))

    source = Refreshing(fetch, clock)
    source.get("a")
    clock.time = NOON + timedelta(hours=1) - left
    source.get("a")
    assert len(asked) == fetches


@pytest.mark.parametrize(
    ("life", "margin"),
    [(12 * 3600, 300), (3600, 300), (1200, 120), (600, 60), (180, 60)],
)
def test_a_short_life_is_renewed_by_a_tenth_of_it_but_a_minute_ahead(
    life: int, margin: int
) -> None:
    """A login of ten minutes is not fetched anew for half its life, nor in its last second."""
    clock, asked = Hands(), []

    def fetch(host: str) -> Credential:
        asked.append(host)
        return login(ends=timedelta(seconds=life))

    source = Refreshing(fetch, clock)
    source.get("a")
    clock.time = NOON + timedelta(seconds=life - margin - 1)
    source.get("a")
    assert len(asked) == 1
    clock.time = NOON + timedelta(seconds=life - margin)
    source.get("a")
    assert len(asked) == 2


def test_a_refused_login_is_forgotten() -> None:
    """The next to ask gets a new one; forgetting what is not held is fine."""
    asked: list[str] = []

    def fetch(host: str) -> Credential:
        asked.append(host)
        return login(ends=None)

    source = Refreshing(fetch, Hands())
    source.forget("a", login(ends=None))
    source.get("a")
    source.forget("a", login(ends=None))
    source.get("a")
    assert asked == ["a", "a"]


def test_of_two_who_were_refused_together_the_second_finds_what_the_first_got() -> None:
    """A login that was fetched since is not the one that was refused."""
    names = iter(["old", "new", "never asked for"])
    source = Refreshing(lambda _: Credential(username=next(names), secret=Secret("s")), Hands())
    old = source.get("a")
    assert old is not None
    source.forget("a", old)
    new = source.get("a")
    source.forget("a", old)
    assert source.get("a") is new
    assert next(names) == "never asked for"


def test_many_threads_ask_and_one_fetches() -> None:
    """The others wait for it and get the same login."""
    asked, found = [], []
    together = threading.Barrier(4)

    def fetch(host: str) -> Credential:
        asked.append(host)
        return login(ends=None)

    source = Refreshing(fetch, Hands())

    def ask() -> None:
        together.wait()
        found.append(source.get("a"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1
    assert len(set(map(id, found))) == 1


def test_a_login_that_is_not_to_be_had_is_asked_for_again() -> None:
    """None is passed on and not held."""
    answers = iter([None, login(ends=None)])
    source = Refreshing(lambda host: next(answers), Hands())
    assert source.get("a") is None
    assert source.get("a") is not None


def test_a_fetch_that_fails_is_tried_again_by_the_next() -> None:
    """The error reaches who asked; nothing broken is held."""
    asked: list[str] = []

    def fetch(host: str) -> Credential:
        asked.append(host)
        if len(asked) == 1:
            msg = "no"
            raise CredentialsRefused(msg)
        return login(ends=None)

    source = Refreshing(fetch, Hands())
    with pytest.raises(CredentialsRefused):
        source.get("a")
    assert source.get("a") is not None


def test_a_slow_fetch_holds_up_no_other_host() -> None:
    """Each of the two fetches ends only when both have begun."""
    both = threading.Barrier(2, timeout=10)

    def fetch(host: str) -> Credential:
        both.wait()
        return Credential(username=host, secret=Secret("s"))

    refreshing = Refreshing(fetch, Hands())
    with ThreadPoolExecutor(2) as threads:
        found = threads.map(refreshing.get, ("a.example", "b.example"))
        assert [each and each.username for each in found] == ["a.example", "b.example"]


@pytest.mark.parametrize(("user", "secret"), [("user\udce4", "hunter2"), ("user", "hunter2\udce4")])
def test_a_login_that_cannot_be_sent_is_refused_without_being_quoted(
    user: str, secret: str
) -> None:
    """So a variable looks whose bytes are not UTF-8."""
    with pytest.raises(InvalidValue, match="from argument holds bytes") as caught:
        Credential(username=user, secret=Secret(secret))
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
