"""The runs of a Harbor's replication policies: started, followed, stopped, explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harborsync.errors import ConfigurationError, NotFound, RegistryError
from harborsync.harbor.collection import Collection
from harborsync.harbor.records import read
from harborsync.harbor.runreport import RunReport, TaskResult
from harborsync.harbor.runs import Execution, ExecutionTask, RunStatus, TaskLog
from harborsync.harbor.watching import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.cancel import Cancel
    from harborsync.clock import Clock
    from harborsync.harbor.api import HarborApi
    from harborsync.harbor.policies import Policies, ReplicationPolicy
    from harborsync.harbor.watching import RunProgress

_PATH: Final = "/replication/executions"
_NEEDS: Final = "replication:read"
#: Logs are large: of so many tasks at the most are they read.
_MOST_LOGS: Final = 20
_PRECONDITION: Final = 412


class Executions:
    """The runs of one Harbor's policies; thread-safe.

    Harbor keeps the newest 50 of each policy only, and none of a policy that is deleted.

    Args:
        api: Speaks to the Harbor.
        policies: Knows its policies by name.
        clock: Time and sleep.
    """

    def __init__(self, api: HarborApi, policies: Policies, clock: Clock) -> None:
        self._api = api
        self._policies = policies
        self._clock = clock
        self._all = Collection(
            api, Execution, _PATH, noun="replication run", resource="replication"
        )

    def list(
        self,
        *,
        policy_id: int | None = None,
        status: RunStatus | None = None,
        trigger: str | None = None,
    ) -> Iterator[Execution]:
        """Yield them, the newest first.

        Args:
            policy_id: Only those of this policy.
            status: Only those that stand so.
            trigger: Only those that ``manual``, ``scheduled`` or ``event_based`` began.
        """
        return self._all.each(policy_id=policy_id, status=status, trigger=trigger)

    def get(self, execution_id: int) -> Execution:
        """Return one.

        Raises:
            NotFound: There is none with this id, or its policy was deleted.
        """
        return self._all.get(execution_id)

    def start(self, policy_id: int) -> int:
        """Start a run, and return its id; it may have been skipped, see :meth:`get`.

        Raises:
            NotFound: There is no such policy.
            ConfigurationError: The policy is disabled.
        """
        try:
            return self._all.make({"policy_id": policy_id}).id
        except RegistryError as error:
            if error.status != _PRECONDITION:
                raise
            msg = f"the policy {policy_id} is disabled, so it cannot be run"
            raise ConfigurationError(
                msg, hint="enable it: attrs.evolve(…, enabled=True)"
            ) from error

    def stop(self, execution_id: int) -> None:
        """Stop one; it says so at once, and writes on until its blobs have ended.

        Raises:
            NotFound: There is none with this id.
        """
        what = f"stop the replication run {execution_id}"
        self._api.put(f"{_PATH}/{execution_id}", what=what, needs="replication:create")

    def tasks(self, execution_id: int) -> tuple[ExecutionTask, ...]:
        """Return its tasks, one for each repository.

        Raises:
            NotFound: There is no run with this id.
        """
        what, path = f"list the tasks of run {execution_id}", f"{_PATH}/{execution_id}/tasks"
        items = self._api.pages(path, what=what, needs=_NEEDS)
        return tuple(read(ExecutionTask, item) for item in items)

    def log(self, execution_id: int, task_id: int) -> str:
        """Return the log of a task, of which Harbor tells at most 10 MB.

        Raises:
            NotFound: It has not begun yet, or its log was cleared away.
        """
        path = f"{_PATH}/{execution_id}/tasks/{task_id}/log"
        return self._api.text(path, what=f"read the log of task {task_id}", needs=_NEEDS)

    def run_and_watch(
        self,
        policy: ReplicationPolicy | str | int,
        *,
        on_progress: Callable[[RunProgress], object] | None = None,
        cancel: Cancel | None = None,
        confirm: bool = False,
        all_logs: bool = False,
    ) -> RunReport:
        """Start a run and follow it to its end.

        Args:
            policy: The policy, its name or its id.
            on_progress: Is told when something has changed.
            cancel: Stops the run in Harbor when it is set.
            confirm: Whether to wait until Harbor says that the run is over, up to half a minute
                after its work: until then another start may be skipped.
            all_logs: Whether to read the logs of successful tasks, too: only there does Harbor
                tell which tags it left alone because they were there already.

        Raises:
            NotFound: There is no such policy.
            ConfigurationError: The policy is disabled.
        """
        found = self._policy(policy)
        assert found.id is not None, "Harbor tells ids"  # noqa: S101 - for the type checker
        execution_id = self.start(found.id)
        return self.watch(
            execution_id,
            name=found.name,
            on_progress=on_progress,
            cancel=cancel,
            confirm=confirm,
            all_logs=all_logs,
        )

    def watch(
        self,
        execution_id: int,
        *,
        name: str = "",
        on_progress: Callable[[RunProgress], object] | None = None,
        cancel: Cancel | None = None,
        confirm: bool = False,
        all_logs: bool = False,
    ) -> RunReport:
        """Follow a run that was started before; see :meth:`run_and_watch`.

        Raises:
            NotFound: There is none with this id.
        """
        watch = Watch(self, self._clock, on_progress=on_progress, cancel=cancel, confirm=confirm)
        run, tasks = watch.follow(execution_id)
        return RunReport(
            policy=name or f"policy {run.policy_id}",
            execution=run,
            tasks=self._explained(tasks, all_logs=all_logs),
            seconds=watch.seconds,
        )

    def _policy(self, policy: ReplicationPolicy | str | int) -> ReplicationPolicy:
        if isinstance(policy, int):
            return self._policies.get(policy)
        if not isinstance(policy, str):
            return policy
        found = self._policies.named(policy)
        if found is None:
            msg = f"{self._api.name} has no replication policy {policy!r}"
            raise NotFound(msg, method="GET")
        return found

    def _explained(
        self, tasks: tuple[ExecutionTask, ...], *, all_logs: bool
    ) -> tuple[TaskResult, ...]:
        wanted = [task for task in tasks if all_logs or task.status == RunStatus.FAILED]
        logs = {task.id: self._what_matters(task) for task in wanted[:_MOST_LOGS]}
        return tuple(TaskResult(task=task, log=logs.get(task.id, TaskLog())) for task in tasks)

    def _what_matters(self, task: ExecutionTask) -> TaskLog:
        try:
            return TaskLog.parse(self.log(task.execution_id, task.id))
        except NotFound:
            return TaskLog()
