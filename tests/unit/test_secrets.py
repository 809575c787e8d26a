"""Secrets hide themselves, and foreign text is cleaned before it is shown."""

from __future__ import annotations

import copy
import logging
import pickle

import pytest

from harborsync.errors import ConfigurationError
from harborsync.secrets import MASK, Secret, redact, redact_url


@pytest.mark.parametrize(
    "show", [str, repr, "{}".format, "{!r}".format, "{:>40}".format, "%s".__mod__]
)
def test_no_way_of_showing_a_secret_shows_it(show: object) -> None:
    """``str``, ``repr``, ``format`` and ``%`` give the mask."""
    assert callable(show)
    shown = show(Secret("hunter2"))
    assert "hunter2" not in shown
    assert MASK in shown


def test_a_logged_secret_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    """A log line gets the mask, as argument and inside other values."""
    logging.getLogger("test").warning("%s %r", Secret("hunter2"), {"password": Secret("hunter2")})
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("travel", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_refuses_to_travel(travel: object) -> None:
    """It cannot be pickled or copied, and the hint says what to do instead."""
    assert callable(travel)
    with pytest.raises(ConfigurationError, match="credential source"):
        travel(Secret("hunter2"))


def test_a_secret_is_revealed_on_purpose_only() -> None:
    """There is one way to the text."""
    assert Secret("hunter2").reveal() == "hunter2"
    assert not hasattr(Secret("hunter2"), "__dict__")


def test_secrets_compare_and_hash_by_their_text() -> None:
    """So they can be part of a key; nothing else equals one."""
    assert Secret("é") == Secret("é")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert {Secret("a"): 1}[Secret("a")] == 1


def test_an_empty_secret_counts_as_nothing() -> None:
    """Truth says whether there is any text."""
    assert Secret("x")
    assert not Secret("")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@h/a", "https://h/a"),
        ("https://u:p@ss@h/a", "https://h/a"),
        ("https://h/a?token=t", "https://h/a"),
        ("https://h/a#t", "https://h/a"),
        ("/v2/a?token=t", "/v2/a"),
        ("https://h/v2/a@sha256:0", "https://h/v2/a@sha256:0"),
    ],
)
def test_a_url_is_shown_without_login_and_query(url: str, shown: str) -> None:
    """Both carry tokens and signatures (OCI-9.12)."""
    assert redact_url(url) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://u:p@h/a?X-Amz-Signature=abc, please", f"see https://h/a?{MASK} please"),
        ('location "https://h/a?sig=abc" refused', f'location "https://h/a?{MASK}" refused'),
        ("Authorization: Bearer abcdefghijkl", f"Authorization: Bearer {MASK}"),
        ("basic dXNlcjpwYXNz", f"basic {MASK}"),
        ("Really? Yes, a basic need.", "Really? Yes, a basic need."),
        ("", ""),
    ],
)
def test_foreign_text_is_cleaned(text: str, shown: str) -> None:
    """Queries, logins and credentials are masked; prose is left alone."""
    assert redact(text) == shown
