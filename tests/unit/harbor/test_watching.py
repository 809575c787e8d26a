"""A run is followed to its end, however Harbor's own words lag behind."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync.cancel import Cancel, TimeLimit, limited
from harborsync.errors import OutOfTime
from harborsync.harbor.records import read
from harborsync.harbor.runs import Execution, ExecutionTask
from harborsync.harbor.watching import Phase, RunProgress, Watch
from harborsync.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

VECTORS = Path(__file__).parents[3] / "../shared/vectors/harbor"


@attrs.define
class Timeline:
    """A run that goes as it is told to, on a clock that stands still between looks."""

    clock: FakeClock
    stations: list[tuple[float, Execution]]
    listed: tuple[ExecutionTask, ...] = ()
    looks: int = 0
    lists: int = 0
    stopped_at: float | None = None
    stops: int = 0

    def get(self, execution_id: int) -> Execution:
        """Return the station that time has come to."""
        self.looks += 1
        assert self.looks < 1000, "nobody looks that often"
        if self.stopped_at is not None and self.clock.monotonic() > self.stopped_at + 5:
            return attrs.evolve(self.stations[-1][1], status="Stopped", stopped=1)
        past = [run for at, run in self.stations if at <= self.clock.monotonic()]
        return past[-1]

    def tasks(self, execution_id: int) -> tuple[ExecutionTask, ...]:
        """Return the tasks."""
        self.lists += 1
        return self.listed

    def stop(self, execution_id: int) -> None:
        """Take note of when that was asked for."""
        self.stops += 1
        self.stopped_at = self.clock.monotonic()


def run(**fields: object) -> Execution:
    """Make a run."""
    return read(Execution, {"id": 9, "policy_id": 2, "status": "InProgress", **fields})


def ended(count: int, status: str = "Succeed") -> tuple[ExecutionTask, ...]:
    """Make so many tasks that are over."""
    return tuple(ExecutionTask(id=number, status=status) for number in range(1, count + 1))


LISTING = run()
COPYING = run(total=2, in_progress=2)
FULL = run(total=2, succeed=2)
CONFIRMED = run(total=2, succeed=2, status="Succeed")


@pytest.fixture
def clock() -> FakeClock:
    """Time that goes by only while somebody sleeps."""
    return FakeClock()


def recorded(entry: str) -> list[tuple[float, Execution]]:
    """Return what a real run was seen to say, and when."""
    path = VECTORS / "10-executions.json"
    if not path.exists():
        pytest.skip(f"the recordings are not here: {path}")
    exchanges = json.loads(path.read_text())["exchanges"]
    seen = [e for e in exchanges if e["name"].startswith(f"{entry}-execution-")]
    return [
        (0.0 if not i else e["after_s"], read(Execution, e["json"])) for i, e in enumerate(seen)
    ]


def test_a_recorded_run_is_over_long_before_its_status_says_so(clock: FakeClock) -> None:
    """The counters are full at 0.9 s and the status follows at 24.3 s."""
    runs = Timeline(clock, recorded("push"), ended(2))
    found, tasks = Watch(runs, clock).follow(9)
    assert (found.succeed, found.total, found.status) == (2, 2, "InProgress")
    assert len(tasks) == 2
    assert clock.monotonic() < 5


def test_a_confirmed_run_is_followed_until_the_status_says_so(clock: FakeClock) -> None:
    """For whoever must start again at once: until then Harbor skips a start."""
    runs = Timeline(clock, recorded("push"), ended(2))
    found, _ = Watch(runs, clock, confirm=True).follow(9)
    assert found.status == "Succeed"
    assert clock.monotonic() >= 24.3


def test_listing_for_an_hour_is_not_the_end(clock: FakeClock) -> None:
    """There are no tasks yet and nothing to be seen; the looks become rarer, not too rare."""
    runs = Timeline(clock, [(0, LISTING), (3600, COPYING), (3700, FULL)], ended(2))
    found, _ = Watch(runs, clock).follow(9)
    assert found.succeed == 2
    assert 3600 / 10 <= runs.looks < 3600 / 10 + 60
    assert max(clock.slept) == 10


def test_no_look_is_hurried_and_a_change_is_followed_soon(clock: FakeClock) -> None:
    """One second after something has changed, longer while nothing does."""
    runs = Timeline(clock, [(0, LISTING), (20, COPYING), (21, FULL)], ended(2))
    Watch(runs, clock).follow(9)
    assert min(clock.slept) == 1
    assert clock.slept[:4] == (1, 1.5, 2.25, 3.375)


def test_full_counters_on_one_look_are_not_enough(clock: FakeClock) -> None:
    """The tasks are made one after another: one of one may become one of two."""
    stations = [(0.0, run(total=1, succeed=1)), (1.0, COPYING), (60.0, FULL)]
    runs = Timeline(clock, stations, ended(2))
    found, _ = Watch(runs, clock).follow(9)
    assert found.total == 2
    assert clock.monotonic() >= 60


def test_full_counters_that_the_tasks_deny_are_not_enough(clock: FakeClock) -> None:
    """A task that still runs is believed; then the status has to tell."""
    stations = [(0.0, FULL), (28.0, CONFIRMED)]
    runs = Timeline(clock, stations, (*ended(1), ExecutionTask(id=2, status="InProgress")))
    found, _ = Watch(runs, clock).follow(9)
    assert found.status == "Succeed"
    assert runs.lists > 1


def test_a_list_of_tasks_that_is_too_short_is_not_enough(clock: FakeClock) -> None:
    """All tasks that there are must be over, and all must be there."""
    runs = Timeline(clock, [(0.0, FULL), (28.0, CONFIRMED)], ended(1))
    found, _ = Watch(runs, clock).follow(9)
    assert found.status == "Succeed"


@pytest.mark.parametrize("entry", ["no-resources", "bad-pattern", "too-deep", "stale-credential"])
def test_a_run_that_ends_without_tasks_is_over_when_it_says_so(
    clock: FakeClock, entry: str
) -> None:
    """Nothing matched, a pattern that is none, a login that is void."""
    runs = Timeline(clock, recorded(entry), ())
    found, tasks = Watch(runs, clock).follow(9)
    assert found.is_over
    assert tasks == ()


def test_cancelling_stops_the_run_and_follows_it_to_its_end(clock: FakeClock) -> None:
    """It is not left running, and the report tells what became of it."""
    cancel = Cancel()
    cancel.set()
    runs = Timeline(clock, [(0, COPYING)])
    found, _ = Watch(runs, clock, cancel=cancel).follow(9)
    assert (runs.stopped_at, runs.stops) == (0, 1)
    assert found.status == "Stopped"


def test_a_time_limit_ends_the_watch_and_not_the_run(clock: FakeClock) -> None:
    """Who has no more time stops looking; the run goes on in Harbor."""
    runs = Timeline(clock, [(0, LISTING)])
    with (
        limited(TimeLimit(seconds=60, monotonic=clock.monotonic)),
        pytest.raises(OutOfTime),
    ):
        Watch(runs, clock).follow(9)
    assert runs.stopped_at is None


def test_progress_is_told_when_something_changes_only(clock: FakeClock) -> None:
    """Listing, copying, settling: three calls, however many looks it takes."""
    told: list[RunProgress] = []
    runs = Timeline(clock, [(0, LISTING), (50, COPYING), (90, FULL)], ended(2))
    Watch(runs, clock, on_progress=told.append).follow(9)
    assert [each.phase for each in told] == [Phase.LISTING, Phase.COPYING, Phase.SETTLING]
    assert [str(each) for each in told] == [
        "run 9: listing the source",
        "run 9: copying, 0 of 2 repositories",
        "run 9: settling, 2 of 2 repositories",
    ]


def test_the_last_word_is_told_too(clock: FakeClock) -> None:
    """A run that is over says so, with what failed."""
    told: list[str] = []
    over = run(total=2, succeed=1, failed=1, status="Failed")
    Watch(Timeline(clock, [(0, over)]), clock, on_progress=lambda p: told.append(str(p))).follow(9)
    assert told == ["run 9: over, 2 of 2 repositories, 1 failed"]


def test_a_callback_that_raises_is_logged_and_harms_nothing(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a user's code, and may do anything."""

    def broken(progress: RunProgress) -> None:
        raise RuntimeError(str(progress))

    callback: Callable[[RunProgress], None] = broken
    with caplog.at_level(logging.ERROR):
        Watch(Timeline(clock, [(0, CONFIRMED)]), clock, on_progress=callback).follow(9)
    assert "on_progress failed" in caplog.text
