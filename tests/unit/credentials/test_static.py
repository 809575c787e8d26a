"""Logins handed over by the program."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from harborsync import Secret
from harborsync.credentials import CallableCredentials, Credential, Kind, StaticCredentials
from harborsync.errors import InvalidValue
from harborsync.testing.clock import FakeClock

ROBOT = Credential(username="robot", secret=Secret("hunter2"))
OTHER = Credential(username="other", secret=Secret("hunter3"))


@pytest.mark.parametrize("spelling", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_docker_hub_is_found_under_each_of_its_names(spelling: str) -> None:
    """One login serves every spelling of Docker Hub."""
    source = StaticCredentials({"https://index.docker.io/v1/": ROBOT})
    assert source.get(spelling, "library/nginx") == ROBOT


def test_the_most_special_key_wins() -> None:
    """A namespace's login goes before the host's, by whole path parts."""
    source = StaticCredentials({"r.example": ROBOT, "r.example/team": OTHER})
    assert source.get("r.example", "team/app") == OTHER
    assert source.get("r.example", "teams/app") == ROBOT
    assert source.get("r.example") == ROBOT


def test_another_host_gets_nothing() -> None:
    """A login is for its host and port alone."""
    source = StaticCredentials({"r.example": ROBOT})
    assert source.get("r.example:5000") is None
    assert source.get("evil-r.example") is None


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("password", Kind.BASIC),
        ("token", Kind.BEARER),
        ("identity_token", Kind.IDENTITY),
        ("client_secret", Kind.CLIENT),
    ],
)
def test_a_mapping_says_what_its_secret_is(field: str, kind: Kind) -> None:
    """The name of the field decides the kind."""
    source = StaticCredentials.from_mapping({"r.example": {"username": "robot", field: "s"}})
    found = source.get("r.example")
    assert found is not None
    assert (found.username, found.kind, found.secret.reveal()) == ("robot", kind, "s")


@pytest.mark.parametrize(
    "entry",
    [
        {"username": "robot"},
        {"password": "hunter2", "token": "hunter2"},
        {"username": "robot", "password": "hunter2", "passphrase": "hunter2"},
    ],
)
def test_an_entry_that_is_no_login_is_refused_without_its_secret(entry: dict[str, str]) -> None:
    """None, two, or an unknown field: the message names fields, never values."""
    with pytest.raises(InvalidValue) as caught:
        StaticCredentials.from_mapping({"r.example": entry})
    assert "hunter2" not in str(caught.value)
    assert "r.example" in str(caught.value)


def test_a_function_is_asked_again_only_when_its_answer_ends() -> None:
    """What it returned is kept until five minutes before its end."""
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    asked: list[str] = []

    def fetch(host: str) -> Credential:
        asked.append(host)
        return Credential(secret=Secret("t"), expires_at=clock.now() + timedelta(hours=1))

    source = CallableCredentials(fetch, clock=clock)
    assert source.get("r.example") == source.get("r.example")
    clock.advance(3600 - 299)
    source.get("r.example")
    assert asked == ["r.example"] * 2


def test_a_function_that_has_no_login_lets_the_next_source_answer() -> None:
    """None is passed on, and nothing is kept of it."""
    answers = [None, ROBOT]
    source = CallableCredentials(lambda _: answers.pop(0))
    assert source.get("r.example") is None
    assert source.get("r.example") == ROBOT


def test_a_refused_login_can_be_forgotten() -> None:
    """After forget() the function is asked again."""
    answers = [ROBOT, OTHER]
    source = CallableCredentials(lambda _: answers.pop(0))
    assert source.get("r.example") == ROBOT
    source.forget("r.example", ROBOT)
    assert source.get("r.example") == OTHER
