"""One login for many threads: rarely asked for, and dropped by whoever names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.credentials.base import Credential
from harborsync.http.logins import LOGIN_KEEPS, REFUSAL_LASTS, Logins
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing.clock import FakeClock

HOST = "registry.example"
OLD, NEW = (Credential(username=name, secret=Secret("s")) for name in ("old", "new"))


class Source:
    """Knows one login, counts who asks, and keeps what it was told."""

    def __init__(self) -> None:
        self.login: Credential | None = OLD
        self.asked: list[tuple[str, str]] = []
        self.told: list[tuple[str, Credential]] = []
        self.on_ask: Callable[[], None] = lambda: None

    def get(self, host: str, repository: str = "") -> Credential | None:
        """Return the login that was right when it was asked."""
        self.asked.append((host, repository))
        found = self.login
        self.on_ask()
        return found

    def forget(self, host: str, refused: Credential) -> None:
        """Note it."""
        self.told.append((host, refused))


@pytest.fixture
def source() -> Source:
    """Return a source that knows the old login."""
    return Source()


@pytest.fixture
def logins(source: Source, clock: FakeClock) -> Logins:
    """Return what asks it."""
    return Logins(HOST, source, clock)


def test_a_source_is_asked_once_a_second_for_each_repository(
    source: Source, logins: Logins, clock: FakeClock
) -> None:
    """It may read files."""
    for name in ("a", "a", "b", "b"):
        assert logins.of(name) == OLD
    assert source.asked == [(HOST, "a"), (HOST, "b")]
    clock.advance(LOGIN_KEEPS)
    logins.of("a")
    assert source.asked == [(HOST, "a"), (HOST, "b"), (HOST, "a")]


def test_that_nobody_has_a_login_is_kept_as_well(source: Source, logins: Logins) -> None:
    """Until it turns out that one is wanted."""
    source.login = None
    assert logins.of() is None
    assert logins.of() is None
    assert len(source.asked) == 1
    source.login = NEW
    assert logins.instead_of(None, "") == NEW
    assert source.told == []


def test_another_login_than_the_refused_one_stays(source: Source, logins: Logins) -> None:
    """Who comes second with the old one costs nobody anything."""
    logins.of()
    source.login = NEW
    assert logins.instead_of(OLD, "") == NEW
    assert logins.instead_of(OLD, "") == NEW
    assert len(source.asked) == 2
    assert source.told == [(HOST, OLD)]


def test_a_login_that_is_wrong_for_good_is_fetched_anew_once_in_a_while(
    source: Source, logins: Logins, clock: FakeClock
) -> None:
    """However many are refused with it."""
    for _ in range(3):
        assert logins.instead_of(OLD, "") is None
    assert source.told == [(HOST, OLD)]
    clock.advance(REFUSAL_LASTS)
    logins.forget(OLD)
    assert source.told == [(HOST, OLD)] * 2


def test_what_a_source_said_before_a_refusal_is_not_kept_after_it(
    source: Source, logins: Logins
) -> None:
    """A slow answer may be the login that was refused meanwhile."""

    def refuse() -> None:
        source.login = NEW
        source.on_ask = lambda: None
        logins.forget(OLD)

    source.on_ask = refuse
    assert logins.of() == OLD
    assert logins.of() == NEW


def test_a_source_that_keeps_nothing_is_only_asked_again(clock: FakeClock) -> None:
    """There is nothing that it could forget."""

    class Plain:
        def get(self, host: str, repository: str = "") -> Credential | None:
            return OLD

    logins = Logins(HOST, Plain(), clock)
    logins.forget(OLD)
    assert logins.of() == OLD
