"""After a copy into a Harbor: hand what arrived to its peer-to-peer networks, and tell how it went.

    report = replicator.run()
    for each in preheat_after(report, harbor, "warm"):
        print(each)

What fails here harms nothing: the artifacts are in Harbor, and nodes pull them from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from harborsync.errors import HarborsyncError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harborsync.harbor.client import Harbor
    from harborsync.harbor.preheat import PreheatExecution
    from harborsync.report import Report


@attrs.frozen(kw_only=True)
class Preheated:
    """What became of a project's preheating.

    Attributes:
        project: The project.
        policy: The policy that was run.
        execution: Its run, as it stood last, or None if it could not be started.
        failure: Why it could not, or None.
    """

    project: str
    policy: str
    execution: PreheatExecution | None = None
    failure: str | None = None

    @property
    def ok(self) -> bool:
        """Whether everything went to the network."""
        return self.execution is not None and self.execution.ok

    def __str__(self) -> str:
        """Return it for people, with what to do where it failed."""
        return f"{self.project}/{self.policy}: {self._outcome()}"

    def _outcome(self) -> str:
        run = self.execution
        if run is None:
            return f"not preheated: {self.failure}"
        words = f" ({run.status_message})" if run.status_message else ""
        return f"{run.status}{words}"


def preheat_after(
    report: Report, harbor: Harbor, policy: str | Mapping[str, str], *, at_most: float = 600.0
) -> tuple[Preheated, ...]:
    """Run the preheat policies of the projects that something was copied to.

    Args:
        report: What was copied.
        harbor: The Harbor; what went elsewhere is passed over.
        policy: The name of the policy in every such project, or its name by project; a project
            without one is passed over.
        at_most: How many seconds to follow each run.
    """
    names = dict.fromkeys(_projects(report, harbor.name), policy)
    if not isinstance(policy, str):
        names = {project: policy[project] for project in names if project in policy}
    return tuple(_run(harbor, project, str(name), at_most) for project, name in names.items())


def _projects(report: Report, host: str) -> tuple[str, ...]:
    """Return the projects of a Harbor that something was copied to, each once."""
    steps = [result.step for result in report.copied]
    there = [step.destination.repository for step in steps if step.to.host == host]
    return tuple(dict.fromkeys(repository.partition("/")[0] for repository in there))


def _run(harbor: Harbor, project: str, name: str, at_most: float) -> Preheated:
    try:
        run = harbor.preheat.run_and_watch(project, name, at_most=at_most)
    except HarborsyncError as error:
        return Preheated(project=project, policy=name, failure=str(error))
    return Preheated(project=project, policy=name, execution=run)
