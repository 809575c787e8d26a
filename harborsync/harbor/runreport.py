"""What became of a run of a replication policy, as a value that prints and serialises."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from itertools import chain
from typing import Any, Final, Self

import attrs

from harborsync.errors import ReplicationFailed
from harborsync.harbor.runs import Execution, ExecutionTask, RunStatus, TaskLog
from harborsync.tables import html_table, one_line, text_table

_COLUMNS: Final = ("status", "operation", "source", "destination", "items")
_NOTHING_MATCHED: Final = (
    "nothing matched: Harbor calls that a success, and mostly a filter is mistaken. A name "
    "filter is held against project/repository as a whole; labels must all be there"
)


class RunOutcome(StrEnum):
    """What became of a run."""

    SUCCEEDED = "succeeded"
    NOTHING = "nothing matched"
    FAILED = "failed"
    STOPPED = "stopped"
    SKIPPED = "skipped"  # another run of the policy was under way


@attrs.frozen(kw_only=True)
class TaskResult:
    """What became of one repository.

    Attributes:
        task: The task, as Harbor told of it last.
        log: What its log says, where it was read.
    """

    task: ExecutionTask
    log: TaskLog = attrs.field(factory=TaskLog)

    def to_row(self) -> tuple[str, ...]:
        """Return it as texts, one for each column of the report's table."""
        task = self.task
        items = "?" if task.items is None else str(task.items)
        return (task.status, task.operation, task.source, task.destination, items)


@attrs.frozen(kw_only=True)
class RunReport:
    """What became of a run.

    Attributes:
        policy: Name of the policy.
        execution: The run, as Harbor told of it last.
        tasks: Its tasks.
        seconds: How long it was watched.
    """

    policy: str
    execution: Execution
    tasks: tuple[TaskResult, ...] = ()
    seconds: float = 0.0

    @property
    def outcome(self) -> RunOutcome:
        """What became of it, by its counters where the status lags behind them."""
        run = self.execution
        if run.was_skipped:
            return RunOutcome.SKIPPED
        if run.failed or run.status == RunStatus.FAILED:
            return RunOutcome.FAILED
        if run.stopped or run.status == RunStatus.STOPPED:
            return RunOutcome.STOPPED
        return RunOutcome.SUCCEEDED if run.total else RunOutcome.NOTHING

    @property
    def ok(self) -> bool:
        """Whether everything that matched is at the destination, and something did."""
        return self.outcome is RunOutcome.SUCCEEDED

    @property
    def confirmed(self) -> bool:
        """Whether the status has caught up; until then a new start may be skipped."""
        return self.execution.is_over

    @property
    def failed(self) -> tuple[TaskResult, ...]:
        """The tasks that failed."""
        return tuple(each for each in self.tasks if each.task.status == RunStatus.FAILED)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know beside the outcome, for people."""
        notes = [self.execution.status_text] if self.execution.status_text else []
        if self.outcome is RunOutcome.NOTHING:
            notes.append(_NOTHING_MATCHED)
        if self.outcome is RunOutcome.SKIPPED:
            notes.append("the run before was not over: wait for it, or stop it")
        return tuple(one_line(note) for note in notes)

    def raise_for_failures(self) -> Self:
        """Return this report if everything that matched, and something, is at the destination.

        Raises:
            ReplicationFailed: It is not; the error has the report.
        """
        if self.ok:
            return self
        errors = (error for each in self.failed for error in each.log.errors)
        first = next(chain(errors, self.notes), "")
        msg = f"{self.summary()}; first: {first}" if first else self.summary()
        raise ReplicationFailed(msg, self)

    def summary(self) -> str:
        """Return one line for people."""
        run = self.execution
        counts = f"{run.succeed} of {run.total} repositories, {run.failed} failed"
        return f"{self.policy}: {self.outcome} ({counts}) in {self.seconds:.0f} s"

    def to_json(self) -> str:
        """Return the report as JSON; it holds no secret."""
        fields = attrs.asdict(self, value_serializer=_plain)
        return json.dumps({**fields, "outcome": self.outcome.value, "notes": self.notes}, indent=1)

    def __str__(self) -> str:
        """Return the whole report for people."""
        rows = [each.to_row() for each in self.tasks]
        lines = [text_table(_COLUMNS, rows)] if rows else []
        for each in self.tasks:
            lines += [f"error: {each.task.source}: {one_line(e)}" for e in each.log.errors]
            lines += [f"warning: {each.task.source}: {one_line(w)}" for w in each.log.warnings]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join([*lines, self.summary()])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Show the report in a notebook."""
        rows = [each.to_row() for each in self.tasks]
        return {"text/plain": str(self), "text/html": html_table(self.summary(), _COLUMNS, rows)}


def _plain(_: type, __: attrs.Attribute[Any], value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
