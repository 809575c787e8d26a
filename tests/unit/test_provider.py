"""What a plug-in supplies, and what it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from harborsync.clock import SystemClock
from harborsync.credentials.base import Anonymous
from harborsync.endpoint import Endpoint
from harborsync.limiter import Schedule
from harborsync.provider import OpenContext, Provider
from harborsync.state import SessionJournal
from harborsync.testing.clock import FakeClock

if TYPE_CHECKING:
    from harborsync.registry import Registry


def test_a_context_has_good_defaults() -> None:
    """Real time, no logins, nobody listening, nothing cancelled."""
    context = OpenContext()
    assert isinstance(context.clock, SystemClock)
    assert isinstance(context.credentials, Anonymous)
    assert not context.emit
    assert not context.cancel.is_set()


def test_a_context_limits_and_remembers_for_itself() -> None:
    """Limiters go by its clock, and uploads are remembered while it lives."""
    clock = FakeClock()
    context = OpenContext(clock=clock)
    context.limiters.get("r.example", Schedule.parse("8bps")).take(60)
    assert clock.monotonic() > 50
    assert isinstance(context.journal, SessionJournal)


def test_two_contexts_share_no_state() -> None:
    """One run's cancellation is not another's."""
    first, second = OpenContext(), OpenContext()
    first.cancel.set()
    assert not second.cancel.is_set()
    assert first.journal is not second.journal


def test_a_provider_claims_no_host_unless_it_says_so() -> None:
    """Only its name leads to it, and it needs no extra."""
    opened: list[Endpoint] = []

    def open_it(endpoint: Endpoint, context: OpenContext) -> Registry:
        opened.append(endpoint)
        return cast("Registry", None)

    provider = Provider(name="mine", open=open_it)
    provider.open(Endpoint.parse("mine://h"), OpenContext())
    assert [str(endpoint) for endpoint in opened] == ["mine://h"]
    assert not provider.recognises("registry.example")
    assert provider.extra is None
