"""Whom we ask for a login, in which order."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs
import pytest

import harborsync.credentials
from harborsync import Secret
from harborsync.credentials import (
    Anonymous,
    CallableCredentials,
    Credential,
    Named,
    StaticCredentials,
    default_credentials,
    explain,
)
from harborsync.errors import NoCredentials

if TYPE_CHECKING:
    from tests.unit.credentials.conftest import Home

ROBOT = Credential(username="robot", secret=Secret("hunter2"))


def test_the_argument_goes_before_the_environment_and_that_before_files(home: Home) -> None:
    """The order is argument, environment, docker's files, anonymous."""
    packed = base64.b64encode(b"file:s").decode()
    hosts = [f"{n}.example" for n in range(4)]
    home.write(".docker/config.json", {"auths": {host: {"auth": packed} for host in hosts[:3]}})
    environ = home.environ | {
        f"HARBORSYNC_{n}_EXAMPLE_{word}": "env" for n in (0, 1) for word in ("USERNAME", "PASSWORD")
    }
    chain = default_credentials({hosts[0]: ROBOT}, environ=environ)
    found = [chain.get(host) for host in hosts]
    assert [login and login.username for login in found] == ["robot", "env", "file", None]


def test_a_source_may_be_handed_over_in_place_of_a_table(home: Home) -> None:
    """Any source can stand first."""
    source = StaticCredentials({"r.example": ROBOT})
    assert default_credentials(source, environ=home.environ).get("r.example") == ROBOT
    assert default_credentials(Anonymous(), environ=home.environ).get("r.example") is None


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments the variables and the home of this process count."""
    monkeypatch.setenv("HARBORSYNC_R_EXAMPLE_TOKEN", "t")
    assert default_credentials().get("r.example") is not None


def test_a_named_login_is_for_one_host_only() -> None:
    """Whatever else is asked for, nothing is given away."""
    source = Named(StaticCredentials({"prod": ROBOT}), "prod", host="r.example")
    assert source.get("r.example") == ROBOT
    assert source.get("realm.example") is None


def test_a_refused_login_is_fetched_anew_wherever_it_came_from() -> None:
    """Chains and names pass it on to whoever keeps the answer."""
    answers = iter([ROBOT, None, ROBOT])
    kept = CallableCredentials(lambda _: next(answers))
    source = Named(default_credentials(kept, environ={}), "prod", host="r.example")
    assert source.get("r.example") == ROBOT
    source.forget("other.example", ROBOT)
    assert source.get("r.example") == ROBOT
    source.forget("r.example", ROBOT)
    with pytest.raises(NoCredentials):
        source.get("r.example")
    Named(Anonymous(), "prod", host="r.example").forget("r.example", ROBOT)


def test_a_name_nobody_knows_is_an_error_with_the_remedy() -> None:
    """It is not the same as being anonymous."""
    with pytest.raises(NoCredentials, match="HARBORSYNC_PROD_USERNAME"):
        Named(Anonymous(), "prod", host="r.example").get("r.example")


def test_explain_names_the_source_and_hides_the_secret() -> None:
    """One line for people."""
    end = datetime(2026, 1, 1, tzinfo=UTC)
    source = StaticCredentials(
        {"a.example": ROBOT, "b.example": attrs.evolve(ROBOT, username="", expires_at=end)}
    )
    assert explain(source, "a.example") == "a.example: basic login of robot from argument"
    assert explain(source, "b.example").endswith("from argument, until 2026-01-01T00:00:00+00:00")
    assert explain(source, "c.example") == "c.example: anonymous, no source has a login"


def test_every_public_name_can_be_had() -> None:
    """The names of the package are loaded when they are used."""
    for name in harborsync.credentials.__all__:
        assert getattr(harborsync.credentials, name).__name__ == name
