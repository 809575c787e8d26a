"""Work that an emulated Harbor does later, on the clock it was given."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from harborsync.testing import FakeClock
from harborsync.testing.harbor_jobs import TICK, Jobs

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_a_job_runs_when_its_time_has_come() -> None:
    """Nothing happens before, and each pause is counted from the moment before it."""
    clock = FakeClock()
    jobs, seen = Jobs(clock), []

    def work() -> Iterator[float]:
        for _ in range(3):
            seen.append((jobs.now() - clock.now()).total_seconds())
            yield 2.0

    jobs.start(work(), after=1.0)
    jobs.settle()
    assert seen == []
    clock.advance(4.0)
    jobs.settle()
    assert seen == [-3.0, -1.0]
    clock.advance(1.0)
    jobs.settle()
    assert seen == [-3.0, -1.0, 0.0]


def test_jobs_run_in_the_order_of_their_moments() -> None:
    """Two that were started in one order run in that of their times, equal ones as started."""
    clock = FakeClock()
    jobs, seen = Jobs(clock), []

    def work(name: str) -> Iterator[float]:
        seen.append(name)
        yield from ()

    for name, after in (("late", 2.0), ("early", 1.0), ("also early", 1.0)):
        jobs.start(work(name), after=after)
    clock.advance(5.0)
    jobs.settle()
    assert seen == ["early", "also early", "late"]


def test_a_job_that_starts_another_counts_from_its_own_moment() -> None:
    """A chain of jobs is caught up with in one go."""
    clock = FakeClock()
    jobs, seen = Jobs(clock), []

    def chain(left: int) -> Iterator[float]:
        seen.append(left)
        if left:
            jobs.start(chain(left - 1), after=1.0)
        yield from ()

    jobs.start(chain(3))
    clock.advance(2.5)
    jobs.settle()
    assert seen == [3, 2, 1]


def test_who_comes_while_work_is_done_does_not_wait() -> None:
    """A job that asks for a settlement, or another thread that does, goes on at once."""
    jobs, seen = Jobs(FakeClock()), []

    def work() -> Iterator[float]:
        jobs.settle()
        other = threading.Thread(target=jobs.settle)
        other.start()
        other.join(timeout=60)
        seen.append(other.is_alive())
        yield from ()

    jobs.start(work())
    jobs.settle()
    assert seen == [False]


def test_ticks_are_half_a_minute_apart() -> None:
    """The next one is told from wherever the clock stands."""
    clock = FakeClock()
    jobs = Jobs(clock)
    assert jobs.until_tick() == TICK
    clock.advance(40.0)
    assert jobs.until_tick() == 20.0
