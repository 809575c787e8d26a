"""One row, one error, one remedy."""

from __future__ import annotations

import pytest

from harborsync.credentials.refusals import Meaning, Said, printable, refusal
from harborsync.errors import CredentialsExpired, Denied, RateLimited, RegistryError

TABLE = (
    Meaning("Denied", CredentialsExpired, "log in again", words="expired"),
    Meaning("Denied", Denied, "allow it"),
    Meaning("Slow.*", RateLimited),
)


def test_the_first_row_that_fits_counts() -> None:
    """Code and words must both fit."""
    expired = refusal(Said(code="Denied", message="it has Expired"), "ask", TABLE)
    assert isinstance(expired, CredentialsExpired)
    assert expired.hint == "log in again"
    assert str(expired) == "cannot ask: Denied: it has Expired\n  hint: log in again"
    denied = refusal(Said(code="Denied"), "ask", TABLE)
    assert isinstance(denied, Denied)
    assert denied.message == "cannot ask: Denied"


def test_a_code_fits_as_a_whole() -> None:
    """What only begins like a known code is another one."""
    error = refusal(Said(code="DeniedLater", message="no"), "ask", TABLE)
    assert type(error) is RegistryError
    assert error.hint is None


def test_an_error_carries_what_the_vendors_support_will_ask_for() -> None:
    """Operation, status, code and the id of the request."""
    said = Said(
        code="Denied", message="no", status=400, request_id="r-1", operation="DescribeImages"
    )
    error = refusal(said, "ask", TABLE)
    assert isinstance(error, Denied)
    assert (error.method, error.status) == ("DescribeImages", 400)
    assert (error.codes, error.request_id) == (("Denied",), "r-1")


def test_a_complaint_about_the_rate_keeps_its_pause() -> None:
    """Whoever repeats the call waits at least as long."""
    error = refusal(Said(code="SlowDown", retry_after=7.0), "ask", TABLE)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 7.0


def test_words_are_one_short_line_without_secrets() -> None:
    """They may come from anywhere."""
    assert printable("a\n  b token=s3cr3t") == "a b token=***"
    assert len(printable("x" * 10_000)) < 600


@pytest.mark.parametrize("text", ["Signature=s3cr3t", "https://h/?Signature=s3cr3t"])
def test_no_error_quotes_a_secret(text: str) -> None:
    """Neither in its message nor in its fields."""
    error = refusal(Said(code="Denied", message=text), "ask", TABLE)
    assert "s3cr3t" not in str(error)
    assert "s3cr3t" not in repr(vars(error))
    assert "s3cr3t" not in repr(Said(code="Denied", message=text))
