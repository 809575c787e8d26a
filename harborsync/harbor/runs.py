"""A run of a replication policy, its tasks and its log, as Harbor tells of them (HARBOR §10)."""

from __future__ import annotations

import re
from datetime import datetime  # noqa: TC003 - read at run time
from enum import StrEnum
from typing import Final

import attrs

from harborsync.secrets import redact

_SKIPPED: Final = "execution skipped"
_ITEMS: Final = re.compile(r"(.*?)(?: \[(\d+) item\(s\) in total\])?", re.DOTALL)
_LOG_LINE: Final = re.compile(r"\S+ \[(ERROR|FATAL|WARNING)\] (?:\[[^\]]*\]: ?)?(.*)")
_LONGEST_LINE: Final = 500


class RunStatus(StrEnum):
    """How a run or a task stands."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    SUCCEED = "Succeed"
    FAILED = "Failed"
    STOPPED = "Stopped"


_OVER: Final = frozenset({RunStatus.SUCCEED, RunStatus.FAILED, RunStatus.STOPPED})


@attrs.frozen(kw_only=True)
class Execution:
    """A run of a policy.

    The counters are right within a second; the status follows them by up to half a minute.

    Attributes:
        id: Its number.
        policy_id: The policy it is of.
        status: A word of :class:`RunStatus`.
        status_text: Why it failed or did nothing, in Harbor's words.
        trigger: ``manual``, ``scheduled`` or ``event_based``.
        start_time: When it began.
        end_time: When it ended, in whole seconds, or None.
        total: How many tasks it has; 0 while the source is still being listed.
        succeed: How many succeeded.
        failed: How many failed.
        in_progress: How many are under way.
        stopped: How many were stopped.
    """

    id: int = 0
    policy_id: int = 0
    status: str = ""
    status_text: str = ""
    trigger: str = ""
    start_time: datetime | None = None
    end_time: datetime | None = None
    total: int = 0
    succeed: int = 0
    failed: int = 0
    in_progress: int = 0
    stopped: int = 0

    @property
    def is_over(self) -> bool:
        """Whether its status says so."""
        return self.status in _OVER

    @property
    def ended(self) -> int:
        """How many tasks are over."""
        return self.succeed + self.failed + self.stopped

    @property
    def has_no_work_left(self) -> bool:
        """Whether its counters say that all of its tasks are over."""
        return 0 < self.total <= self.ended

    @property
    def was_skipped(self) -> bool:
        """Whether it did not begin, because another run of the policy was under way."""
        return self.status == RunStatus.FAILED and self.status_text.lower().startswith(_SKIPPED)


@attrs.frozen(kw_only=True)
class ExecutionTask:
    """A part of a run: one repository with all of its tags that match.

    Attributes:
        id: Its number.
        execution_id: The run it is of.
        status: A word of :class:`RunStatus`.
        job_id: What the job service calls it.
        operation: ``copy``, ``deletion`` or ``tag deletion``.
        resource_type: ``artifact`` or ``image``.
        src_resource: Repository at the source, and how many items.
        dst_resource: Repository at the destination, and how many items.
        start_time: When it began.
        end_time: When it ended, in whole seconds, or None.
    """

    id: int = 0
    execution_id: int = 0
    status: str = ""
    job_id: str = ""
    operation: str = ""
    resource_type: str = ""
    src_resource: str = ""
    dst_resource: str = ""
    start_time: datetime | None = None
    end_time: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status in _OVER

    @property
    def source(self) -> str:
        """The repository at the source."""
        return _split(self.src_resource)[0]

    @property
    def destination(self) -> str:
        """The repository at the destination."""
        return _split(self.dst_resource)[0]

    @property
    def items(self) -> int | None:
        """How many artifacts it is about, or None if Harbor does not tell."""
        return _split(self.src_resource)[1]


@attrs.frozen(kw_only=True)
class TaskLog:
    """What matters in the log of a task; the same words twice stand once.

    Attributes:
        errors: Why it failed.
        warnings: What it left out, such as tags that were there already.
    """

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> TaskLog:
        """Read the text of a log."""
        lines = [found for line in text.splitlines() if (found := _LOG_LINE.fullmatch(line))]
        said = {(line[1], redact(line[2].strip())[:_LONGEST_LINE]): None for line in lines}
        return cls(
            errors=tuple(words for level, words in said if level != "WARNING"),
            warnings=tuple(words for level, words in said if level == "WARNING"),
        )


def _split(resource: str) -> tuple[str, int | None]:
    found = _ITEMS.fullmatch(resource)
    assert found, "the pattern matches everything"  # noqa: S101 - for the type checker
    return found[1], int(found[2]) if found[2] else None
