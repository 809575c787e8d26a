"""Identities of Google: what they begin with, whom they act for, what travels."""

from __future__ import annotations

import base64
import json
import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harborsync.credentials.base import Credential
from harborsync.credentials.google import (
    AccessToken,
    GoogleIdentity,
    json_key_login,
    key_of,
)
from harborsync.errors import ConfigurationError, InvalidValue
from harborsync.secrets import Secret

ACCOUNT = "mirror@acme.iam.gserviceaccount.com"
KEY = json.dumps({"type": "service_account", "client_email": ACCOUNT, "private_key": "hush"})


def _token() -> AccessToken:
    return AccessToken(secret=Secret("ya29.x"), expires_at=datetime(2026, 1, 1, tzinfo=UTC))


def test_a_token_is_a_login() -> None:
    """With Google's user name, and its own end."""
    login = _token().login
    assert (login.username, login.secret) == ("oauth2accesstoken", Secret("ya29.x"))
    assert login.expires_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert "ya29" not in repr(_token())


@pytest.mark.parametrize(
    "parts",
    [
        {"key_file": "k.json", "token": _token},
        {"credentials": object(), "token": _token},
        {"credentials": object(), "key_file": "k.json"},
    ],
)
def test_an_identity_begins_with_one_thing(parts: dict[str, Any]) -> None:
    """Each would be somebody else."""
    with pytest.raises(ConfigurationError, match="one of them only"):
        GoogleIdentity(**parts)


def test_a_service_account_has_a_name() -> None:
    """What is none is refused before anybody is asked."""
    with pytest.raises(InvalidValue, match="no service account"):
        GoogleIdentity(impersonate=["mirror"])


def test_what_holds_no_secret_travels() -> None:
    """A function or credentials of google-auth stay in their process."""
    identity = GoogleIdentity(key_file=Path("/etc/key.json"), impersonate=[ACCOUNT])
    assert identity.key_file == "/etc/key.json"
    assert pickle.loads(pickle.dumps(identity)) == identity
    for held in (GoogleIdentity(token=_token), GoogleIdentity(credentials=object())):  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="cannot be handed to another process"):
            pickle.dumps(held)
        assert "token" not in repr(held)
        held.get("europe-west1-docker.pkg.dev")


def test_options_go_on_top_of_what_was_handed_over() -> None:
    """A file takes the place of what the identity began with."""
    given = GoogleIdentity(token=_token, impersonate=["first@p.iam.gserviceaccount.com"])
    assert given.with_options({}) == given
    asked = given.with_options({"impersonate": f"{ACCOUNT},"})
    assert asked.impersonate == ("first@p.iam.gserviceaccount.com", ACCOUNT)
    assert asked.token is _token
    named = given.with_options({"key_file": "k.json"})
    assert (named.token, named.key_file) == (None, "k.json")


@pytest.mark.parametrize("text", [KEY, KEY.encode()])
def test_a_key_is_a_login_by_itself(text: str | bytes) -> None:
    """As it is, or in base64; what is in it is found again."""
    plain, packed = json_key_login(text), json_key_login(text, packed=True)
    assert (plain.username, plain.secret.reveal()) == ("_json_key", KEY)
    assert packed.username == "_json_key_base64"
    assert base64.b64decode(packed.secret.reveal()).decode() == KEY
    assert key_of(plain) == key_of(packed) == json.loads(KEY)
    assert "hush" not in repr(plain)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"type": "authorized_user"}', "hunter2"])
def test_what_is_no_key_is_refused(text: str) -> None:
    """Without showing it."""
    with pytest.raises(InvalidValue) as caught:
        json_key_login(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("username", "secret"),
    [
        ("oauth2accesstoken", KEY),
        ("_json_key", "{}"),
        ("_json_key_base64", "!"),
        ("_json_key_base64", base64.b64encode(b"\xff").decode()),
    ],
)
def test_other_logins_are_no_keys(username: str, secret: str) -> None:
    """Whatever is in them."""
    assert key_of(Credential(username=username, secret=Secret(secret))) is None
