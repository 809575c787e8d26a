"""The one layer that repeats requests."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync.cancel import Cancel
from harborsync.errors import (
    ConnectionLost,
    CredentialsRefused,
    HarborsyncError,
    RateLimited,
    ServerError,
    Timeout,
    TlsError,
)
from harborsync.http.faults import ConnectFailed, ConnectTimeout
from harborsync.http.pace import HostGate
from harborsync.http.retries import Retries
from harborsync.http.wire import Answer, Call, Headers
from harborsync.provider import OpenContext
from harborsync.retry import RetryPolicy
from harborsync.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable


@attrs.frozen(kw_only=True)
class Result:
    """What a try came to."""

    answer: Answer


def _status(status: int, **headers: str) -> Result:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    url = "https://r.example/a?sig=SECRET"
    return Result(answer=Answer(method="GET", url=url, status=status, headers=Headers(pairs)))


def _gate_and_retries(clock: FakeClock, policy: RetryPolicy) -> tuple[HostGate, Retries]:
    context = OpenContext(clock=clock, rng=random.Random(3), retry=policy)
    gate = HostGate(clock)
    return gate, Retries(host="r.example", context=context, gate=gate)


def _run(
    outcomes: list[Result | HarborsyncError],
    clock: FakeClock | None = None,
    policy: RetryPolicy | None = None,
    *,
    repeatable: bool = True,
) -> int:
    """Run a call whose tries come to ``outcomes``; return the last status."""
    clock = clock or FakeClock()
    _, retries = _gate_and_retries(clock, policy or RetryPolicy(attempts=3))
    wanted = Call(method="GET", url="/a", repeatable=repeatable)
    return retries.run(wanted, _one_after_another(outcomes)).answer.status


def _one_after_another(outcomes: list[Result | HarborsyncError]) -> Callable[[], Result]:
    def once() -> Result:
        outcome = outcomes.pop(0)
        if isinstance(outcome, HarborsyncError):
            raise outcome
        return outcome

    return once


@pytest.mark.parametrize(
    "error", [ConnectionLost("x"), Timeout("x"), ServerError("x"), RateLimited("x")]
)
def test_what_may_pass_is_tried_again(error: HarborsyncError) -> None:
    """A broken network and a failing token server alike."""
    assert _run([error, _status(500), _status(200)]) == 200


@pytest.mark.parametrize("error", [TlsError("x"), CredentialsRefused("x")])
def test_what_does_not_pass_is_raised_at_once(error: HarborsyncError) -> None:
    """A certificate does not get better, nor does a password."""
    with pytest.raises(type(error)):
        _run([error])


@pytest.mark.parametrize(
    "error", [ConnectFailed("x"), ConnectTimeout("x"), ServerError("x"), RateLimited("x")]
)
def test_what_did_not_begin_is_tried_again_in_any_case(error: HarborsyncError) -> None:
    """No connection stood, or the token server was to blame."""
    assert _run([error, _status(201)], repeatable=False) == 201


@pytest.mark.parametrize("error", [ConnectionLost("x"), Timeout("x")])
def test_what_may_have_happened_is_not(error: HarborsyncError) -> None:
    """The caller knows what to look at first."""
    with pytest.raises(type(error)):
        _run([error], repeatable=False)


def test_the_last_error_is_raised() -> None:
    """After as many tries as there may be."""
    with pytest.raises(Timeout):
        _run([ConnectionLost("x"), ConnectionLost("x"), Timeout("x")])


def test_one_attempt_is_no_retry() -> None:
    """Nor a wait."""
    clock = FakeClock()
    assert _run([_status(503)], clock, RetryPolicy(attempts=1)) == 503
    assert clock.monotonic() == 0


@pytest.mark.parametrize(("status", "is_held"), [(429, True), (503, True), (500, False)])
def test_a_busy_host_is_left_alone_by_all(status: int, is_held: bool) -> None:
    """Also if it does not say for how long (OCI-7.7)."""
    clock = FakeClock()
    gate, retries = _gate_and_retries(clock, RetryPolicy(attempts=1))
    with suppress(RateLimited):
        retries.run(Call(method="GET", url="/a"), lambda: _status(status))
    gate.enter(Cancel())
    assert (clock.monotonic() > 0) is is_held


def test_a_token_servers_pause_is_kept() -> None:
    """Its error carries the seconds."""
    clock = FakeClock()
    _run([RateLimited("x", retry_after=40), _status(200)], clock)
    assert clock.monotonic() >= 40


def test_a_date_is_a_pause() -> None:
    """From now by our own clock."""
    clock = FakeClock()
    _run([_status(503, Retry_After="Thu, 01 Jan 2026 00:01:00 GMT"), _status(200)], clock)
    assert clock.monotonic() >= 60


@pytest.mark.parametrize(
    "outcome", [RateLimited("x", retry_after=500), _status(429, Retry_After="500")]
)
def test_a_pause_beyond_patience_is_named(outcome: Result | HarborsyncError) -> None:
    """And not waited for; the query of the URL is not told."""
    clock = FakeClock()
    with pytest.raises(RateLimited, match="500 s") as caught:
        _run([outcome], clock)
    assert caught.value.retry_after == 500
    assert "SECRET" not in f"{caught.value} {caught.value.url}"
    assert clock.monotonic() == 0


def test_a_quota_that_fills_up_too_late_is_not_waited_for() -> None:
    """The next request may be one that costs nothing, as a HEAD at Docker Hub."""
    clock = FakeClock()
    _run([_status(200, RateLimit_Remaining="0;w=21600", RateLimit_Reset="20000")], clock)
    gate_opens = clock.monotonic()
    assert gate_opens == 0
