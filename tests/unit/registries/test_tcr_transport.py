"""The way to TCR tells why nobody may have answered, and what a write may lack."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from harborsync.errors import ConnectionLost, HarborsyncError, Timeout, TlsError
from harborsync.http.tokenserver import LoginRefused
from harborsync.http.wire import Answer, Call, Headers
from harborsync.registries.editions import Edition
from harborsync.registries.tcr_place import TcrPlace
from harborsync.registries.tcr_transport import TcrTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.clouds import Net
    from harborsync.http.wire import Body, Stream


class _Inner:
    """Fails, or answers with a status."""

    origin = "https://team.tencentcloudcr.com"

    def __init__(self, error: HarborsyncError | None = None, answer: Answer | None = None) -> None:
        self.error = error
        self.answer = answer
        self.closed = 0

    def send(self, call: Call) -> Answer:
        """Fail or answer."""
        if self.error is not None:
            raise self.error
        assert self.answer is not None
        return self.answer

    def upload(self, call: Call, body: Body) -> Answer:
        """Fail or answer."""
        return self.send(call)

    @contextmanager
    def stream(self, call: Call) -> Iterator[Stream]:
        """Fail."""
        self.send(call)
        yield None  # type: ignore[misc]

    def close(self) -> None:
        """Count."""
        self.closed += 1


def _way(inner: _Inner, net: Net = "public", closed: list[str] | None = None) -> TcrTransport:
    place = TcrPlace(host="h", edition=Edition.ENTERPRISE, net=net)
    calls = closed if closed is not None else []
    return TcrTransport(inner, place, lambda: calls.append("api"))


def _answer(method: str, status: int, diagnosis: str = "") -> Answer:
    return Answer(
        method=method, url="/", status=status, headers=Headers([]), body=b"", diagnosis=diagnosis
    )


CALL = Call(method="GET", url="/v2/", what="look")


@pytest.mark.parametrize(
    ("net", "hint"), [("public", "DescribeSecurityPolicies"), ("vpc", "DescribeInternalEndpoints")]
)
@pytest.mark.parametrize("error", [ConnectionLost("gone"), Timeout("late")])
def test_silence_has_a_reason(net: Net, hint: str, error: HarborsyncError) -> None:
    """Which is another one within a VPC."""
    error.hint = None
    way = _way(_Inner(error), net)
    with pytest.raises(type(error)) as caught:
        way.send(CALL)
    assert hint in str(caught.value.hint)
    error.hint = None
    with pytest.raises(type(error)), way.stream(CALL):
        pass
    assert hint in str(error.hint)
    error.hint = None
    with pytest.raises(type(error)):
        way.upload(CALL, None)  # type: ignore[arg-type]
    assert hint in str(error.hint)


@pytest.mark.parametrize("error", [ConnectionLost("gone", hint="known"), TlsError("bad")])
def test_what_is_explained_already_stays_so(error: HarborsyncError) -> None:
    """And so does what is no silence."""
    before = error.hint
    with pytest.raises(type(error)):
        _way(_Inner(error)).send(CALL)
    assert error.hint == before


@pytest.mark.parametrize(
    ("edition", "hint"), [(Edition.ENTERPRISE, "tcr$"), (Edition.PERSONAL, "id of the account")]
)
def test_a_login_that_is_not_taken_tells_what_is_one(edition: Edition, hint: str) -> None:
    """Many try the API key."""
    refused = LoginRefused("no", hint="look")
    way = TcrTransport(_Inner(refused), TcrPlace(host="h", edition=edition), lambda: None)
    with pytest.raises(LoginRefused) as caught:
        way.send(CALL)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_write_that_is_refused_may_lack_a_namespace(status: int) -> None:
    """Or a right; what is known better stays."""
    told = _way(_Inner(answer=_answer("POST", status))).send(CALL)
    assert "create=auto" in told.diagnosis
    told = _way(_Inner(answer=_answer("PUT", status, "stale"))).upload(CALL, None)  # type: ignore[arg-type]
    assert told.diagnosis == "stale"


@pytest.mark.parametrize(("method", "status"), [("GET", 404), ("POST", 202), ("PUT", 412)])
def test_other_answers_are_left_as_they_are(method: str, status: int) -> None:
    """A read that finds nothing lacks nothing."""
    answer = _answer(method, status)
    assert _way(_Inner(answer=answer)).send(CALL) is answer


def test_closing_closes_both_ways() -> None:
    """To the registry, and to the API beside it."""
    inner, closed = _Inner(), list[str]()
    way = _way(inner, closed=closed)
    assert way.origin == inner.origin
    way.close()
    assert (inner.closed, closed) == (1, ["api"])


def test_a_stream_that_works_is_passed_on() -> None:
    """Unchanged."""
    with _way(_Inner(answer=_answer("GET", 200))).stream(CALL) as stream:
        assert stream is None
