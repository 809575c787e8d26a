"""Runs and tasks of an emulated Harbor."""

from __future__ import annotations

from harborsync.testing import FakeClock
from harborsync.testing.harbor_executions import KEPT, Execution, Executions, Task
from harborsync.testing.harbor_jobs import Jobs


def _book() -> tuple[FakeClock, Jobs, Executions]:
    clock = FakeClock()
    jobs = Jobs(clock)
    return clock, jobs, Executions(jobs)


def test_the_counts_change_at_once_and_the_status_at_a_tick() -> None:
    """A run whose last task has ended is still running until half a minute is full."""
    clock, jobs, book = _book()
    run = book.create("KIND", 1)
    task = book.add_task(run)
    book.begin(run, task)
    clock.advance(1.0)
    book.finish(run, task, "Success")
    assert (run.counts["Success"], run.status, run.end) == (1, "Running", None)
    clock.advance(29.0)
    jobs.settle()
    assert (run.status, run.end) == ("Success", task.end)


def test_a_run_is_as_bad_as_its_worst_task() -> None:
    """One error makes it one; with some still going on it is not worked out."""
    _, _, book = _book()
    run = book.create("KIND", 1)
    tasks = [book.add_task(run) for _ in range(3)]
    for task, status in zip(tasks, ("Success", "Error", "Stopped"), strict=True):
        run.work_out()
        assert run.open
        book.finish(run, task, status)
    run.work_out()
    assert run.status == "Error"


def test_a_stop_is_seen_at_once() -> None:
    """Open tasks and the run are stopped, ended ones stay; a second stop changes nothing."""
    _, _, book = _book()
    run = book.create("KIND", 1)
    over, going = book.add_task(run), book.add_task(run)
    book.finish(run, over, "Success")
    book.stop(run)
    assert (over.status, going.status, run.status) == ("Success", "Stopped", "Stopped")
    ended = run.end
    book.stop(run)
    assert run.end == ended


def test_a_run_without_tasks_can_be_stopped_and_closed() -> None:
    """It may be stopped while its source is being listed, or end with a reason."""
    _, _, book = _book()
    run = book.create("KIND", 1)
    book.stop(run)
    assert run.status == "Stopped"
    other = book.create("KIND", 1)
    book.close(other, "Error", "no way")
    assert (other.status, other.message) == ("Error", "no way")


def test_only_the_newest_runs_of_a_policy_are_kept() -> None:
    """Old ones go as new ones come, unless they are still going on; others' stay."""
    _, _, book = _book()
    other = book.create("KIND", 2)
    first = book.create("KIND", 1)
    for _ in range(KEPT + 5):
        book.close(book.create("KIND", 1), "Success", "")
    kept = book.of("KIND", 1)
    assert (len(kept), first in kept) == (KEPT + 1, True)
    assert book.of("KIND", 2) == [other]


def test_runs_are_found_by_kind_and_number() -> None:
    """Another kind has its numbers out of the same row, and forgetting takes one policy's."""
    _, _, book = _book()
    run, other = book.create("KIND", 1), book.create("OTHER", 1)
    assert (run.id, other.id) == (1, 2)
    assert (book.find("KIND", 1), book.find("KIND", 2), book.find("KIND", 3)) == (run, None, None)
    book.forget("KIND", 1)
    assert (book.of("KIND"), book.of("OTHER")) == ([], [other])


def test_listeners_hear_of_each_status() -> None:
    """Beginning, ending and stopping are told, each with its run."""
    _, _, book = _book()
    heard: list[str] = []

    def listen(run: Execution, task: Task) -> None:
        heard.append(f"{run.id} {task.status}")

    book.listeners.append(listen)
    run = book.create("KIND", 1)
    first, second = book.add_task(run), book.add_task(run)
    book.begin(run, first)
    book.finish(run, first, "Success")
    book.stop(run)
    assert second.status == "Stopped"
    assert heard == ["1 Running", "1 Success", "1 Stopped"]
