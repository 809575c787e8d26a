"""What a token server says of a login."""

from __future__ import annotations

from typing import Any

import pytest

from harborsync.credentials.base import Credential, Kind
from harborsync.errors import CredentialsRefused
from harborsync.http.claims import ask_claims, challenge_of, realm_of
from harborsync.http.session import ask_how_to_log_in
from harborsync.http.wire import Answer, Headers
from harborsync.provider import OpenContext
from harborsync.secrets import Secret
from harborsync.testing import BasicAuth, LoopbackRegistry, TokenAuth

USERS = {"ann": "pA55w0rd!"}
PULL, PUSH = "repository:a/b:pull", "repository:a/b:pull,push"


def answer_with(challenge: str) -> Answer:
    """Return a 401 with a challenge."""
    headers = Headers([("WWW-Authenticate", challenge)])
    return Answer(method="GET", url="https://r.example/v2/", status=401, headers=headers)


def test_a_token_tells_whom_it_is_for_and_what_it_grants() -> None:
    """All scopes are asked for in one token."""

    def only_pull(user: str | None, access: Any) -> Any:
        return access.actions & {"pull"}

    with LoopbackRegistry(auth=TokenAuth(users=USERS, grants=only_pull)) as server:
        context = OpenContext()
        answer = ask_how_to_log_in(server.endpoint, context)
        login = Credential(username="ann", secret=Secret("pA55w0rd!"))
        found = ask_claims(server.endpoint, context, answer, login, (PULL, PUSH))
        assert realm_of(answer) == f"http://{server.host}"
    assert found is not None
    assert found.subject == "ann"
    assert found.grants == {PULL: True, PUSH: False}


def test_a_wrong_login_is_refused() -> None:
    """As the transport would say it."""
    with LoopbackRegistry(auth=TokenAuth(users=USERS)) as server:
        context = OpenContext()
        answer = ask_how_to_log_in(server.endpoint, context)
        login = Credential(username="ann", secret=Secret("no"))
        with pytest.raises(CredentialsRefused):
            ask_claims(server.endpoint, context, answer, login, (PULL,))


def test_where_no_token_is_sold_there_are_no_claims() -> None:
    """Basic has none, and a bearer's token is his own."""
    with LoopbackRegistry(auth=BasicAuth(USERS)) as server:
        context = OpenContext()
        answer = ask_how_to_log_in(server.endpoint, context)
        assert ask_claims(server.endpoint, context, answer, None, (PULL,)) is None
        bearer = Credential(secret=Secret("t"), kind=Kind.BEARER)
        sold = answer_with('Bearer realm="https://r.example/token"')
        assert ask_claims(server.endpoint, context, sold, bearer, (PULL,)) is None


@pytest.mark.parametrize(
    ("challenge", "realm"),
    [
        ('Bearer realm="https://auth.example/token"', "https://auth.example"),
        ('Bearer realm="/token"', "https://r.example"),
        ('Bearer realm="ftp://auth.example"', None),
        ('Basic realm="r"', None),
        ("Negotiate", None),
    ],
)
def test_the_realm_is_the_origin_of_the_token_server(challenge: str, realm: str | None) -> None:
    """It may be relative (OCI-2.5), or none that can be asked."""
    assert realm_of(answer_with(challenge)) == realm


def test_an_answer_without_a_challenge_has_none() -> None:
    """An open registry."""
    answer = Answer(method="GET", url="https://r.example/v2/", status=200, headers=Headers([]))
    assert challenge_of(answer) is None
