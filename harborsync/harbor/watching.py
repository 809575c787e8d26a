"""Follows a run of Harbor's to its end, without being fooled by what lags behind.

    listing ──► copying ──► settling ──► over
    no tasks    counters    counters     the status
    yet         move        are full     says so

While the source is listed, there are no tasks and nothing to be seen, for many minutes at
times. Then the counters are right within a second, but the status follows only 24 to 30 s
after the last task (HARBOR §10). So the work is taken for done when the counters are full on
two looks and the list of tasks agrees; whoever must start again at once waits for the status.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

import attrs

from harborsync.cancel import Cancel
from harborsync.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.clock import Clock
    from harborsync.harbor.runs import Execution, ExecutionTask

_log = logging.getLogger(__name__)

_SHORTEST: Final = 1.0
_LONGEST: Final = 10.0
_SLOWER: Final = 1.5


class Phase(StrEnum):
    """How far a run is."""

    LISTING = "listing"
    COPYING = "copying"
    SETTLING = "settling"
    OVER = "over"


@attrs.frozen(kw_only=True)
class RunProgress:
    """How far a run is.

    Attributes:
        phase: What goes on.
        execution: The run.
        seconds: How long it has been watched.
    """

    phase: Phase
    execution: Execution
    seconds: float

    def __str__(self) -> str:
        """Return one line for people."""
        run = self.execution
        if self.phase is Phase.LISTING:
            return f"run {run.id}: listing the source"
        failed = f", {run.failed} failed" if run.failed else ""
        return f"run {run.id}: {self.phase}, {run.ended} of {run.total} repositories{failed}"


class Runs(Protocol):
    """What is asked while a run is followed."""

    def get(self, execution_id: int) -> Execution:
        """Return the run."""
        ...

    def tasks(self, execution_id: int) -> tuple[ExecutionTask, ...]:
        """Return its tasks."""
        ...

    def stop(self, execution_id: int) -> None:
        """Stop it."""
        ...


class Watch:
    """Follows one run; use it once.

    Args:
        runs: Tells how the run is.
        clock: Time and sleep.
        on_progress: Is told when something has changed.
        cancel: Stops the run in Harbor when it is set; it is then followed until it has ended.
        confirm: Whether to wait until the status says that it is over.
    """

    def __init__(
        self,
        runs: Runs,
        clock: Clock,
        *,
        on_progress: Callable[[RunProgress], object] | None = None,
        cancel: Cancel | None = None,
        confirm: bool = False,
    ) -> None:
        self._runs = runs
        self._clock = clock
        self._on_progress = on_progress
        self._cancel = cancel or Cancel()
        self._confirm = confirm
        self._started = clock.monotonic()
        self._wait = _SHORTEST

    @property
    def seconds(self) -> float:
        """How long the run has been followed."""
        return self._clock.monotonic() - self._started

    def follow(self, execution_id: int) -> tuple[Execution, tuple[ExecutionTask, ...]]:
        """Wait for the end of a run; return it with its tasks."""
        before: Execution | None = None
        while True:
            now = self._runs.get(execution_id)
            has_changed = now != before
            if has_changed:
                self._tell(now)
            elif self._is_done(now):
                tasks = self._runs.tasks(execution_id)
                if _agrees(now, tasks):
                    return now, tasks
            if now.is_over:
                return now, self._runs.tasks(execution_id)
            self._pause(execution_id, has_changed=has_changed)
            before = now

    def _is_done(self, run: Execution) -> bool:
        return run.has_no_work_left and not self._confirm

    def _pause(self, execution_id: int, *, has_changed: bool) -> None:
        """Wait, the longer the longer nothing happens; stop the run if that is asked for."""
        self._wait = _SHORTEST if has_changed else min(_LONGEST, self._wait * _SLOWER)
        try:
            self._clock.sleep(self._wait, self._cancel)
        except Cancelled:
            self._runs.stop(execution_id)
            self._cancel = Cancel()

    def _tell(self, run: Execution) -> None:
        if self._on_progress is None:
            return
        progress = RunProgress(phase=phase_of(run), execution=run, seconds=self.seconds)
        try:
            self._on_progress(progress)
        except Exception:  # noqa: BLE001 - it is a user's code and may do anything
            _log.exception("on_progress failed at %s", progress)


def phase_of(run: Execution) -> Phase:
    """Tell how far a run is."""
    if run.is_over:
        return Phase.OVER
    if not run.total:
        return Phase.LISTING
    return Phase.SETTLING if run.has_no_work_left else Phase.COPYING


def _agrees(run: Execution, tasks: tuple[ExecutionTask, ...]) -> bool:
    return len(tasks) == run.total and all(task.is_over for task in tasks)
