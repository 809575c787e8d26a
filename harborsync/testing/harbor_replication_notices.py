"""What webhooks tell of the tasks of replication: each change of their status (HARBOR-12)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from harborsync.testing.harbor_deliveries import Notice
from harborsync.testing.harbor_policies import VENDOR
from harborsync.testing.harbor_wire import full

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing.harbor_endpoints import Endpoints
    from harborsync.testing.harbor_executions import Execution, Task
    from harborsync.testing.harbor_jobs import Jobs
    from harborsync.testing.harbor_policies import Policy
    from harborsync.testing.harbor_state import HarborProject, HarborState


class ReplicationNotices:
    """Tells the project on this side what becomes of a task.

    Args:
        state: What else the Harbor knows.
        jobs: Where the time comes from.
        endpoints: The registries.
        tell: Sends webhooks of a project.
        host: Tells where the Harbor is.
    """

    def __init__(
        self,
        state: HarborState,
        *,
        jobs: Jobs,
        endpoints: Endpoints,
        tell: Callable[[HarborProject, Notice], None],
        host: Callable[[], str],
    ) -> None:
        self._state = state
        self._jobs = jobs
        self._endpoints = endpoints
        self._tell = tell
        self._host = host

    def changed(self, run: Execution, task: Task) -> None:
        """Tell that a task has another status."""
        if run.vendor != VENDOR:
            return
        policy: Policy = task.extra["policy"]
        local = task.extra["source" if policy.source == 0 else "destination"]
        project = self._state.find_project(_namespace(local))
        if project is not None:
            self._tell(project, self._notice(policy, run, task))

    def _notice(self, policy: Policy, run: Execution, task: Task) -> Notice:
        remote = self._endpoints.recall(policy.source or policy.destination)
        replication = full(
            harbor_hostname=self._host().partition(":")[0],
            job_status=task.status,
            description=policy.description,
            policy_creator=policy.creator,
            artifact_type=task.extra["resource_type"],
            authentication_type=remote.credential_type,
            override_mode=policy.override,
            trigger_type=run.trigger,
            execution_timestamp=int(run.start.timestamp()),
            src_resource=self._end(policy, task, policy.source),
            dest_resource=self._end(policy, task, policy.destination),
        )
        replication |= self._outcome(task)
        if self._state.since(2, 13):
            replication |= {"execution_id": run.id, "task_id": task.id}
        return Notice(
            kind="REPLICATION",
            at=self._jobs.now(),
            operator=run.extra["operator"],
            request_id=str(uuid.uuid4()),
            data={"replication": replication},
        )

    def _end(self, policy: Policy, task: Task, number: int) -> dict[str, Any]:
        """Return one end of a policy; the remote one is told with the source's namespace.

        That is how Harbor does it when it pushes, too, where it is the wrong one.
        """
        row = self._endpoints.recall(number)
        local = number == 0
        titles = task.extra["destination" if local else "source"]
        namespace = policy.namespace if local and policy.namespace else _namespace(titles)
        return full(
            registry_name="" if local else row.name,
            registry_type=row.kind,
            endpoint=row.url,
            namespace=namespace,
        )

    def _outcome(self, task: Task) -> dict[str, Any]:
        names = {"Success": "successful_artifact", "Error": "failed_artifact"}
        if task.status not in names:
            return {}
        artifact = {
            "type": task.extra["resource_type"],
            "status": task.status,
            "name_tag": task.extra["source"].partition("/")[2],
        }
        if self._state.since(2, 10):
            artifact["references"] = list(task.extra["references"])
        return {names[task.status]: [artifact]}


def _namespace(title: str) -> str:
    return title.partition("/")[0]
