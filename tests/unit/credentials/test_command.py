"""Logins that a command knows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.credentials import CommandCredentials, Credential, Kind
from harborsync.errors import CredentialsError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.credentials.conftest import Home


def _saying(home: Home, answer: Any) -> CommandCredentials:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    home.program("logins", f"print({text!r})")
    return CommandCredentials(["logins"], environ=home.environ)


def _get(source: CommandCredentials) -> Credential:
    found = source.get("r.example")
    assert found is not None
    return found


def test_the_host_stands_on_its_input_and_arguments_are_passed_as_they_are(home: Home) -> None:
    """No shell looks at the arguments."""
    home.program(
        "logins",
        "print(json.dumps({'username': sys.argv[1], 'password': sys.stdin.read()}))",
    )
    source = CommandCredentials(["logins", "$(id); a b"], environ=home.environ)
    found = _get(source)
    assert (found.username, found.secret.reveal()) == ("$(id); a b", "r.example")
    assert found.origin == "command logins"


def test_it_may_speak_like_a_docker_helper(home: Home) -> None:
    """Username and Secret are understood, and <token> marks an identity token (OCI-2.27)."""
    basic = _get(_saying(home, {"ServerURL": "r.example", "Username": "robot", "Secret": "s"}))
    assert (basic.username, basic.kind) == ("robot", Kind.BASIC)
    token = _get(_saying(home, {"Username": "<token>", "Secret": "s"}))
    assert (token.username, token.kind) == ("", Kind.IDENTITY)


def test_a_login_may_end(home: Home) -> None:
    """expires_at is an ISO time with a zone."""
    found = _get(_saying(home, {"token": "t", "expires_at": "2026-01-01T00:00:00Z"}))
    assert (found.kind, found.expires_at) == (Kind.BEARER, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("answer", [{}, {"Username": "", "Secret": ""}])
def test_it_may_have_no_login(home: Home, answer: dict[str, str]) -> None:
    """An empty object lets the next source answer."""
    assert _saying(home, answer).get("r.example") is None


@pytest.mark.parametrize(
    "answer",
    [
        "hunter2",
        '["hunter2"]',
        {"username": "u", "password": 2, "token": "hunter2"},
        {"Username": 7, "Secret": "hunter2"},
        {"username": "u", "pass": "hunter2"},
        {"token": "hunter2", "expires_at": "soon"},
        {"token": "hunter2", "expires_at": "2026-01-01T00:00:00"},
    ],
)
def test_nonsense_is_refused_and_never_shown(home: Home, answer: Any) -> None:
    """What was printed may be a secret: neither message nor cause quotes it."""
    with pytest.raises(CredentialsError, match="logins") as caught:
        _saying(home, answer).get("r.example")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_failing_command_is_an_error_without_its_words(home: Home) -> None:
    """Status and name are told, its error output is not."""
    home.program("logins", "print('hunter2', file=sys.stderr); sys.exit(3)")
    with pytest.raises(CredentialsError, match="status 3") as caught:
        CommandCredentials(["logins"], environ=home.environ).get("r.example")
    assert "hunter2" not in str(caught.value)


def test_a_command_that_takes_too_long_is_stopped(home: Home) -> None:
    """The time limit counts."""
    home.program("logins", "sys.stdin.read(); import threading; threading.Event().wait()")
    source = CommandCredentials(["logins"], environ=home.environ, timeout=0.2)
    with pytest.raises(CredentialsError, match=r"longer than 0\.2 seconds"):
        source.get("r.example")


def test_a_command_that_is_not_there_is_told(home: Home) -> None:
    """A missing program is an error, not an anonymous login."""
    with pytest.raises(CredentialsError, match="not installed"):
        CommandCredentials(["logins"], environ=home.environ).get("r.example")


def test_a_command_that_cannot_be_run_is_told(home: Home) -> None:
    """A file the system cannot execute is an error of ours."""
    home.program("logins", "").write_text("#!/no/such/interpreter\n")
    with pytest.raises(CredentialsError, match="cannot be run"):
        CommandCredentials(["logins"], environ=home.environ).get("r.example")


def test_its_answer_is_kept_until_it_is_forgotten(home: Home, tmp_path: Path) -> None:
    """The command runs once for many questions."""
    log = tmp_path / "log"
    home.program(
        "logins",
        f"open({str(log)!r}, 'a').write('x'); print(json.dumps({{'token': 't'}}))",
    )
    source = CommandCredentials(["logins"], environ=home.environ)
    login = _get(source)
    assert _get(source) == login
    source.forget("r.example", login)
    _get(source)
    assert log.read_text() == "xx"


def test_the_environment_of_the_process_is_the_default(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an argument the command runs in our environment."""
    home.program("logins", "import os; print(json.dumps({'token': os.environ['MARK']}))")
    monkeypatch.setenv("MARK", "seen")
    monkeypatch.setenv("PATH", home.environ["PATH"])
    assert _get(CommandCredentials(["logins"])).secret.reveal() == "seen"
