"""An explicit login goes before what a cloud sells."""

from __future__ import annotations

from datetime import timedelta

import pytest

from harborsync.credentials import (
    Anonymous,
    CallableCredentials,
    Chain,
    Credential,
    Named,
    StaticCredentials,
)
from harborsync.credentials.aws import AwsIdentity
from harborsync.credentials.cloud import handed_over, with_cloud
from harborsync.secrets import Secret
from harborsync.testing.clock import FakeClock

HOST = "registry.example"


def _login(name: str, **more: object) -> Credential:
    return Credential(username=name, secret=Secret("s"), **more)  # type: ignore[arg-type]


def test_a_login_that_is_given_wins() -> None:
    """The cloud is not asked."""
    given = StaticCredentials({HOST: _login("given")})
    asked: list[str] = []

    def fetch(host: str) -> Credential:
        asked.append(host)
        return _login("bought")

    source = with_cloud(given, fetch, FakeClock())
    found, other = source.get(HOST), source.get("other.example")
    assert found is not None
    assert found.username == "given"
    assert other is not None
    assert other.username == "bought"
    assert asked == ["other.example"]


def test_what_is_bought_is_kept_until_it_ends_or_is_refused() -> None:
    """One login serves many requests."""
    clock, number = FakeClock(), iter(range(9))

    def fetch(host: str) -> Credential:
        return _login(f"n{next(number)}", expires_at=clock.now() + timedelta(hours=1))

    source = with_cloud(Anonymous(), fetch, clock)

    def name() -> str:
        found = source.get(HOST)
        assert found is not None
        return found.username

    assert [name(), name()] == ["n0", "n0"]
    refused = source.get(HOST)
    assert refused is not None
    for _ in range(2):  # by two who were refused together
        source.forget(HOST, refused)
        assert name() == "n1"
    clock.sleep(3600)
    assert name() == "n2"


@pytest.mark.parametrize(
    ("origin", "after"),
    [("auth file /root/.docker/config.json", "bought"), ("argument", "given")],
)
def test_a_stale_login_in_a_file_gives_way_and_one_that_was_handed_over_does_not(
    origin: str, after: str
) -> None:
    """Docker's files are full of logins that have ended; an argument is meant."""
    given = StaticCredentials({HOST: _login("given", origin=origin)})
    source = with_cloud(given, lambda host: _login("bought"), FakeClock())

    def name() -> str:
        found = source.get(HOST)
        assert found is not None
        return found.username

    assert name() == "given"
    source.forget(HOST, _login("given", origin=origin))
    assert name() == after


def test_a_source_that_keeps_answers_is_told_to_look_again() -> None:
    """Its next answer may be better than the cloud's."""
    number = iter(range(9))
    given = CallableCredentials(lambda host: _login(f"n{next(number)}"), clock=FakeClock())
    source = with_cloud(given, lambda host: None, FakeClock())
    assert source.get(HOST) == _login("n0")
    source.forget(HOST, _login("n0"))
    assert source.get(HOST) == _login("n1")


def test_an_identity_is_found_among_what_was_handed_over() -> None:
    """However deep in a chain it is, and behind a name; the first one counts."""
    mine = AwsIdentity(profile="mine")
    nested = Chain([Anonymous(), Chain([StaticCredentials({}), mine]), AwsIdentity()])
    assert handed_over(nested, AwsIdentity) is mine
    assert handed_over(mine, AwsIdentity) is mine
    assert handed_over(Named(nested, "puller", host=HOST), AwsIdentity) is mine
    assert handed_over(Anonymous(), AwsIdentity) is None
