"""Logins in environment variables."""

from __future__ import annotations

import pytest

from harborsync.credentials import EnvironmentCredentials, Kind
from harborsync.errors import CredentialsError


@pytest.mark.parametrize(
    ("host", "prefix"),
    [
        ("registry.example", "HARBORSYNC_REGISTRY_EXAMPLE_"),
        ("registry.example:5000", "HARBORSYNC_REGISTRY_EXAMPLE_5000_"),
        ("registry-1.docker.io", "HARBORSYNC_DOCKER_IO_"),
        ("prod-mirror", "HARBORSYNC_PROD_MIRROR_"),
    ],
)
def test_a_login_stands_under_the_name_of_its_host(host: str, prefix: str) -> None:
    """Everything but letters and digits becomes an underscore; Docker Hub is docker.io."""
    source = EnvironmentCredentials({f"{prefix}USERNAME": "robot", f"{prefix}PASSWORD": "s:e"})
    found = source.get(host)
    assert found is not None
    assert (found.username, found.secret.reveal(), found.kind) == ("robot", "s:e", Kind.BASIC)
    assert found.origin == f"environment ({prefix}PASSWORD)"


@pytest.mark.parametrize(
    ("word", "kind"), [("TOKEN", Kind.BEARER), ("IDENTITY_TOKEN", Kind.IDENTITY)]
)
def test_a_token_needs_no_user_name(word: str, kind: Kind) -> None:
    """The variable's name says what the token is for."""
    found = EnvironmentCredentials({f"HARBORSYNC_R_EXAMPLE_{word}": "t"}).get("r.example")
    assert found is not None
    assert (found.username, found.kind) == ("", kind)


def test_a_login_for_every_host_does_not_exist() -> None:
    """Generic variables are not read: they would go to any host a rule names (OCI-2.20)."""
    source = EnvironmentCredentials({"HARBORSYNC_USERNAME": "u", "HARBORSYNC_PASSWORD": "p"})
    assert source.get("r.example") is None


@pytest.mark.parametrize(
    "given",
    [
        {"USERNAME": "robot"},
        {"PASSWORD": "hunter2"},
        {"USERNAME": "robot", "PASSWORD": "hunter2", "TOKEN": "hunter2"},
    ],
)
def test_variables_that_contradict_each_other_are_refused(given: dict[str, str]) -> None:
    """Half a login or two of them is a mistake, and the message names variables, no values."""
    source = EnvironmentCredentials({f"HARBORSYNC_R_{word}": text for word, text in given.items()})
    with pytest.raises(CredentialsError, match="HARBORSYNC_R_") as caught:
        source.get("r")
    assert "hunter2" not in str(caught.value)


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument the variables of this process count."""
    monkeypatch.setenv("HARBORSYNC_R_EXAMPLE_TOKEN", "t")
    assert EnvironmentCredentials().get("r.example") is not None
