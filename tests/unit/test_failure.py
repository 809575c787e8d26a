"""Errors become records that travel and print."""

from __future__ import annotations

import pickle

from harborsync.errors import CopyError, NotFound, QuotaExceeded, RateLimited, Side
from harborsync.failure import Failure


def test_an_error_of_ours_keeps_all_it_says() -> None:
    """Class, message, side, hint and whether it may be repeated are all there."""
    error = RateLimited("too many requests", hint="wait", side=Side.SOURCE)
    assert Failure.of(error) == Failure(
        kind="RateLimited",
        message="too many requests",
        side=Side.SOURCE,
        retryable=True,
        hint="wait",
    )


def test_a_wrapped_error_is_called_by_its_cause() -> None:
    """Around a cause, the cause's class is what people can act on."""
    error = CopyError("copy", Side.DESTINATION, "team/app:v1", QuotaExceeded("no room left"))
    failure = Failure.of(error)
    assert failure.kind == "QuotaExceeded"
    assert "team/app:v1" in failure.message
    assert failure.side is Side.DESTINATION


def test_a_foreign_error_is_recorded_without_secrets() -> None:
    """A defect is told as one, and a token in its text is masked."""
    failure = Failure.of(ValueError("GET https://me:secret@h/p?sig=secret"))
    assert "secret" not in str(failure)
    assert failure.kind == "ValueError"
    assert failure.hint
    assert "defect" in failure.hint


def test_a_foreign_error_without_words_is_called_by_its_class() -> None:
    """There is always something to read."""
    assert str(Failure.of(RuntimeError())) == "RuntimeError"


def test_a_failure_is_its_message_and_travels() -> None:
    """One line for people, and equal after a journey to another process."""
    failure = Failure.of(NotFound("there is no v1", hint="look again"))
    assert str(failure) == "there is no v1"
    assert failure.in_full == "there is no v1\n  hint: look again"
    assert Failure.of(NotFound("there is no v1")).in_full == "there is no v1"
    assert pickle.loads(pickle.dumps(failure)) == failure
