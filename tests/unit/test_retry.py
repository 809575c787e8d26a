"""How often and how patiently something is tried again."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from harborsync.retry import RetryPolicy, may_repeat, parse_retry_after

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_wait_doubles_and_is_bounded() -> None:
    """Full jitter: anything up to the bound."""
    policy = RetryPolicy(first_wait=1.0, longest_wait=5.0)
    rng = random.Random(1)
    for attempt, bound in ((2, 1.0), (3, 2.0), (4, 4.0), (5, 5.0), (40, 5.0)):
        waits = [policy.wait_before(attempt, rng) for _ in range(200)]
        assert 0 <= min(waits) <= max(waits) <= bound
        assert max(waits) > 0.9 * bound


def test_tries_and_time_are_limited() -> None:
    """Both ends are inclusive."""
    policy = RetryPolicy(attempts=3, deadline=10.0)
    assert policy.allows(3, 10.0)
    assert not policy.allows(4, 0.0)
    assert not policy.allows(2, 10.1)
    assert RetryPolicy(deadline=None).allows(2, 1e9)


def test_a_deadline_before_the_start_is_refused() -> None:
    """None is no deadline; 0 lets one try start."""
    assert RetryPolicy(deadline=None).deadline is None
    assert RetryPolicy(deadline=0).allows(1, 0.0)
    with pytest.raises(ValueError, match="deadline"):
        RetryPolicy(deadline=-1)


def test_a_policy_without_tries_is_refused() -> None:
    """One try is the least."""
    with pytest.raises(ValueError, match="attempts"):
        RetryPolicy(attempts=0)


@pytest.mark.parametrize("status", [408, 429, 499, 500, 502, 503, 504, 520, 527])
def test_transient_answers_are_repeated(status: int) -> None:
    """If the request may be repeated at all."""
    assert may_repeat(status, repeatable=True)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 412, 416, 501, 505, 519, 528])
def test_other_answers_are_not(status: int) -> None:
    """They would be the same again."""
    assert not may_repeat(status, repeatable=True)


def test_what_may_have_happened_is_not_repeated() -> None:
    """Only 429 says for sure that nothing was done."""
    assert may_repeat(429, repeatable=False)
    assert not may_repeat(503, repeatable=False)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("9" * 400, float("inf")),
        ("Thu, 01 Jan 2026 00:02:00 GMT", 120.0),
        ("Thu, 01 Jan 2026 00:02:00", 120.0),
        ("Thu, 01 Jan 2025 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(text: str, seconds: float | None) -> None:
    """What is neither is no wish."""
    assert parse_retry_after(text, _NOW) == seconds


@pytest.mark.parametrize(
    "text",
    [
        f"Thu, 01 Jan {'9' * 30} 00:01:00 GMT",
        f"Thu, 01 Jan 2026 {'9' * 30}:01:00 GMT",
        f"Thu, 01 Jan 2026 00:01:00 +{'9' * 30}",
    ],
)
def test_a_date_of_absurd_numbers_is_no_date(text: str) -> None:
    """No header that a server sends may look like a defect of ours."""
    assert parse_retry_after(text, _NOW) is None
