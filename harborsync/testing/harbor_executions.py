"""Runs and their tasks, as Harbor's database has them: of replication, webhooks, retention, GC.

A task changes at once, and so do the counts of a run. The status of a run lags: it is worked
out anew only at a tick, half a minute apart (recorded: 10-executions), or when it is stopped.
"""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from harborsync.testing.harbor_jobs import Jobs

#: How many runs are kept of one policy (REPLICATION_EXECUTION_RETENTION_COUNT).
KEPT: Final = 50
_OPEN: Final = frozenset({"Pending", "Scheduled", "Running"})


@attrs.define(kw_only=True, eq=False)
class Task:
    """A piece of a run.

    Attributes:
        id: Its number, among all tasks.
        execution_id: The run it belongs to.
        job_id: The name of the job that does it.
        status: ``Pending``, ``Running``, ``Success``, ``Error`` or ``Stopped``.
        created: When it was made.
        start: When it began, or None.
        end: When it ended, or None.
        run_count: How often it was tried.
        extra: What the kind of work keeps with it.
        log: The lines of its log.
    """

    id: int
    execution_id: int
    job_id: str
    created: datetime
    status: str = "Pending"
    start: datetime | None = None
    end: datetime | None = None
    run_count: int = 1
    extra: dict[str, Any] = attrs.field(factory=dict)
    log: list[str] = attrs.field(factory=list)

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.status in _OPEN


@attrs.define(kw_only=True, eq=False)
class Execution:
    """A run.

    Attributes:
        id: Its number, among all runs.
        vendor: The kind of work, such as ``REPLICATION``.
        vendor_id: The policy it is a run of.
        trigger: ``MANUAL``, ``SCHEDULE`` or ``EVENT``.
        start: When it began.
        end: When it ended, or None.
        status: As it was last worked out; ``Running`` at first.
        message: Why it ended so.
        extra: What the kind of work keeps with it.
        tasks: Its pieces.
    """

    id: int
    vendor: str
    vendor_id: int
    trigger: str
    start: datetime
    end: datetime | None = None
    status: str = "Running"
    message: str = ""
    extra: dict[str, Any] = attrs.field(factory=dict)
    tasks: list[Task] = attrs.field(factory=list)

    @property
    def open(self) -> bool:
        """Whether its status says that it has not ended."""
        return self.status in _OPEN

    @property
    def counts(self) -> Counter[str]:
        """How many tasks have which status, as of now."""
        return Counter(task.status for task in self.tasks)

    def work_out(self) -> None:
        """Bring status and end up to date with the tasks, if all of them are over."""
        if not self.tasks or any(task.open for task in self.tasks):
            return
        counts = self.counts
        worst = (status for status in ("Error", "Stopped", "Success") if counts[status])
        self.status = next(worst)
        self.end = max(task.end for task in self.tasks if task.end is not None)


class Executions:
    """All runs of one Harbor.

    Args:
        jobs: Where the time comes from, and what the ticks are booked with.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._runs: dict[int, Execution] = {}
        self._numbers = count(1)
        self._task_numbers = count(1)
        #: Called with each run and task whose status has changed.
        self.listeners: list[Callable[[Execution, Task], None]] = []

    def create(
        self, vendor: str, vendor_id: int, trigger: str = "MANUAL", **extra: Any
    ) -> Execution:
        """Begin a run; the oldest ones of that policy that are over may go."""
        run = Execution(
            id=next(self._numbers),
            vendor=vendor,
            vendor_id=vendor_id,
            trigger=trigger,
            start=self._jobs.now(),
            extra=extra,
        )
        self._runs[run.id] = run
        self._sweep(vendor, vendor_id)
        return run

    def add_task(self, run: Execution, **extra: Any) -> Task:
        """Add a piece to a run."""
        number = next(self._task_numbers)
        task = Task(
            id=number,
            execution_id=run.id,
            job_id=f"{number * 0x9E3779B97F4A7C15 % 2**96:024x}",
            created=self._jobs.now(),
            extra=extra,
        )
        run.tasks.append(task)
        return task

    def begin(self, run: Execution, task: Task) -> None:
        """Say that a task is being worked on."""
        task.status = "Running"
        task.start = self._jobs.now()
        self._tell(run, task)

    def finish(self, run: Execution, task: Task, status: str) -> None:
        """Say how a task ended; the run follows at the next tick."""
        task.status = status
        task.end = self._jobs.now()
        self._tell(run, task)
        if not any(each.open for each in run.tasks):
            self._jobs.start(self._tick(run), self._jobs.until_tick())

    def close(self, run: Execution, status: str, message: str) -> None:
        """End a run for a reason that no task has."""
        run.status = status
        run.message = message
        run.end = self._jobs.now()

    def stop(self, run: Execution) -> None:
        """Stop a run and its tasks, at once; nothing if it is over."""
        if not run.open:
            return
        for task in run.tasks:
            if task.open:
                task.status = "Stopped"
                task.end = self._jobs.now()
                self._tell(run, task)
        run.work_out()
        if run.open:
            self.close(run, "Stopped", "")

    def find(self, vendor: str, number: int) -> Execution | None:
        """Return the run of that kind and number."""
        run = self._runs.get(number)
        return run if run is not None and run.vendor == vendor else None

    def of(self, vendor: str, vendor_id: int | None = None) -> list[Execution]:
        """Return the runs of that kind, newest first; of one policy only, if given."""
        return [
            run
            for run in reversed(list(self._runs.values()))
            if run.vendor == vendor and vendor_id in {None, run.vendor_id}
        ]

    def forget(self, vendor: str, vendor_id: int) -> None:
        """Throw away the runs of a policy that is no more."""
        for run in self.of(vendor, vendor_id):
            del self._runs[run.id]

    def _tick(self, run: Execution) -> Iterator[float]:
        run.work_out()
        yield from ()

    def _tell(self, run: Execution, task: Task) -> None:
        for listener in self.listeners:
            listener(run, task)

    def _sweep(self, vendor: str, vendor_id: int) -> None:
        over = [run for run in self.of(vendor, vendor_id)[KEPT:] if not run.open]
        for run in over:
            del self._runs[run.id]
