"""Events reach every listener, whatever another listener does."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync.events import SILENT, Dispatcher, Event, RunStarted

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_every_listener_is_told_in_order() -> None:
    """Listeners are called with the same event, first come, first told."""
    heard: list[tuple[str, Event]] = []

    def listener(name: str) -> Callable[[Event], None]:
        return lambda event: heard.append((name, event))

    event = RunStarted(at=NOON, steps=3)
    Dispatcher([listener("a"), listener("b")])(event)
    assert heard == [("a", event), ("b", event)]


def test_a_listener_that_raises_is_logged_and_passed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The next listener hears the event, and the log names listener and event."""
    heard: list[Event] = []

    def broken(event: Event) -> None:
        raise ZeroDivisionError

    Dispatcher([broken, heard.append])(RunStarted(at=NOON, steps=3))
    assert len(heard) == 1
    assert "broken" in caplog.text
    assert "RunStarted" in caplog.text


def test_a_dispatcher_knows_whether_anybody_listens() -> None:
    """Costly events need not be made for nobody."""
    assert not SILENT
    assert Dispatcher([print])
    SILENT(RunStarted(at=NOON, steps=3))


def test_an_interrupt_inside_a_listener_is_not_swallowed() -> None:
    """Ctrl-C ends the run wherever it strikes."""

    def interrupted(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Dispatcher([interrupted])(RunStarted(at=NOON, steps=3))


def test_events_are_frozen_and_travel() -> None:
    """They cross process borders unchanged."""
    event = RunStarted(at=NOON, steps=3)
    assert pickle.loads(pickle.dumps(event)) == event
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.steps = 4  # type: ignore[misc]
