"""Errors say what happened, what to do, and whether trying again makes sense."""

from __future__ import annotations

import re

import pytest

from harborsync import errors
from harborsync.errors import (
    Cancelled,
    ConfigurationError,
    ContentMissing,
    CopyError,
    FilterSyntaxError,
    HarborsyncError,
    InvalidReference,
    InvalidValue,
    MissingDependency,
    NotFound,
    RateLimited,
    RegistryError,
    ReplicationFailed,
    ServerError,
    Side,
    Timeout,
    TlsError,
)


def test_the_message_and_the_hint_stand_on_lines_of_their_own() -> None:
    """``str`` shows both; ``message`` is the message alone."""
    error = HarborsyncError("it broke", hint="mend it")
    assert str(error) == "it broke\n  hint: mend it"
    assert error.message == "it broke"


def test_without_a_hint_the_message_stands_alone() -> None:
    """Nothing is shown for a hint that is not there."""
    assert str(HarborsyncError("it broke")) == "it broke"


def test_a_side_once_known_is_not_overwritten() -> None:
    """The innermost frame knows best, and the error itself is returned for raising."""
    error = HarborsyncError("it broke")
    assert error.at(Side.SOURCE) is error
    assert error.at(Side.DESTINATION).side is Side.SOURCE


@pytest.mark.parametrize("kind", [InvalidReference, InvalidValue])
def test_a_wrong_text_is_also_a_value_error(kind: type[HarborsyncError]) -> None:
    """People who catch ValueError catch it."""
    with pytest.raises(ValueError, match="no such"):
        raise kind("no such thing")


def test_a_missing_package_is_also_an_import_error() -> None:
    """People who catch ImportError catch it."""
    assert issubclass(MissingDependency, ImportError)
    assert issubclass(MissingDependency, ConfigurationError)


def test_a_filter_fault_is_shown_with_a_caret_under_it() -> None:
    """The caret stands under the first character that does not fit."""
    error = FilterSyntaxError("no filter", text="name liek 'x'", position=5, expected="like")
    lines = str(error).splitlines()
    assert lines[1].index("liek") == lines[2].index("^")
    assert lines[2].endswith("expected like")
    assert (error.text, error.position, error.expected) == ("name liek 'x'", 5, "like")


def test_a_refusal_carries_what_an_operator_asks_for() -> None:
    """Method, URL, status, codes and request id are fields."""
    error = NotFound(
        "gone", method="GET", url="https://r/v2/a", status=404, codes=["NAME_UNKNOWN"],
        request_id="r-1", hint="look again", side=Side.SOURCE,
    )  # fmt: skip
    assert (error.method, error.url, error.status) == ("GET", "https://r/v2/a", 404)
    assert (error.codes, error.request_id) == (("NAME_UNKNOWN",), "r-1")
    assert (error.hint, error.side) == ("look again", Side.SOURCE)


def test_a_rate_limit_tells_the_wait_the_server_asked_for() -> None:
    """The wait is a field; the fields of every refusal are there, too."""
    error = RateLimited("slowly", retry_after=3.5, status=429)
    assert (error.retry_after, error.status) == (3.5, 429)


def test_missing_content_is_named_by_its_digests() -> None:
    """Exactly that can be sent again."""
    assert ContentMissing("lacking", digests=["sha256:a"], status=400).digests == ("sha256:a",)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (HarborsyncError("x"), False),
        (RegistryError("x"), False),
        (RateLimited("x"), True),
        (ServerError("x"), True),
        (Timeout("x"), True),
        (TlsError("x"), False),
        (errors.AddressRefused("x"), False),
        (errors.DigestMismatch("x"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_may_succeed_later_says_so(error: HarborsyncError, *, retryable: bool) -> None:
    """The server's trouble and the network's pass; ours do not."""
    assert error.retryable is retryable


def test_a_copy_error_says_what_was_tried_where_and_keeps_the_advice() -> None:
    """Operation, artifact and side are told; hint and retryable come from the cause."""
    cause = ServerError("503 from r", hint="wait")
    error = CopyError("resolve", Side.DESTINATION, "r/a:v1", cause)
    assert error.message == "cannot resolve r/a:v1 at the destination: 503 from r"
    assert (error.operation, error.artifact, error.side) == ("resolve", "r/a:v1", Side.DESTINATION)
    assert (error.cause, error.hint, error.retryable) == (cause, "wait", True)


def test_cancelled_needs_no_words() -> None:
    """It can be raised as a bare class."""
    assert str(Cancelled()) == "cancelled"


def test_a_failed_replication_carries_its_report() -> None:
    """Whoever catches it sees what did arrive."""
    report = object()
    assert ReplicationFailed("1 of 2 failed", report).report is report


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    """Every class is drawn under its parent, and nothing else is drawn."""
    drawn, above = {"HarborsyncError": ""}, ["HarborsyncError"]
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"    ([ │]*)[├└]─ (\w+)", line):
            depth = len(found[1]) // 3 + 1
            above[depth:] = [found[2]]
            drawn[found[2]] = above[depth - 1]
    real = {
        name: value.__bases__[0].__name__
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, HarborsyncError)
    }
    real["HarborsyncError"] = ""
    assert drawn == real


def test_a_slow_pattern_names_itself_and_the_way_out() -> None:
    """It is never taken for "does not match"."""
    error = errors.PatternTimeout("(a+)+")
    assert error.pattern == "(a+)+"
    assert error.message == "the regular expression '(a+)+' takes too long"
    assert error.hint


def test_a_missing_fact_names_the_clause_that_needs_it() -> None:
    """Artifact, clause and fact are fields, too."""
    error = errors.MissingFact(artifact="a:v1", clause="size < 1MB", fact="size")
    assert "cannot decide on a:v1: 'size < 1MB' needs size" in error.message
    assert (error.artifact, error.clause, error.fact) == ("a:v1", "size < 1MB", "size")
