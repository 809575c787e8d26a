"""Runs, tasks and logs say of themselves what people want to know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harborsync.harbor.runs import Execution, ExecutionTask, TaskLog

VECTORS = Path(__file__).parents[3] / "../shared/vectors/harbor"


def recorded_log(entry: str) -> str:
    """Return a log that a real Harbor wrote."""
    path = VECTORS / "10-executions.json"
    if not path.exists():
        pytest.skip(f"the recordings are not here: {path}")
    exchanges = json.loads(path.read_text())["exchanges"]
    response = next(e["response"] for e in exchanges if e["name"] == entry)
    return str(response.get("body") or response.get("json"))


def test_what_made_a_task_fail_is_told_once() -> None:
    """Five tries with the same words are one error; where in the source it is, is left out."""
    log = TaskLog.parse(recorded_log("denied-task-log"))
    assert len(log.errors) == 3
    assert log.errors[0].startswith("failed to pushing the blob sha256:f0fe91d6")
    assert log.errors[-1] == "got error during the whole transfer period, mark the job failure"
    assert log.warnings == ()


def test_tags_left_alone_are_told_by_warnings_only() -> None:
    """The task succeeded; only its log says that a tag was there with other content."""
    log = TaskLog.parse(recorded_log("no-override-task-log"))
    assert log.errors == ()
    assert len(log.warnings) == 1
    assert '"override" is set to false, skip' in log.warnings[0]


def test_a_log_without_trouble_tells_nothing() -> None:
    """What went well is not repeated."""
    assert TaskLog.parse(recorded_log("push-task-log")) == TaskLog()


def test_a_log_shows_no_login() -> None:
    """Whatever the far registry put into its message."""
    line = (
        "2026-01-01T00:00:00Z [ERROR] [/a.go:1]: GET https://u:pw@far/?sig=abc: Bearer abcdefghij"
    )
    (error,) = TaskLog.parse(line).errors
    assert "pw" not in error
    assert "abc" not in error


def test_a_line_without_a_place_in_the_source_is_read_too() -> None:
    """And one that is endless is cut."""
    log = TaskLog.parse("2026-01-01T00:00:00Z [FATAL] " + "x" * 9000)
    assert log.errors == ("x" * 500,)


@pytest.mark.parametrize(
    ("resource", "name", "items"),
    [
        ("app/web/api [3 item(s) in total]", "app/web/api", 3),
        ("app/web", "app/web", None),
        ("", "", None),
    ],
)
def test_a_task_tells_its_repository_and_how_many_items(
    resource: str, name: str, items: int | None
) -> None:
    """Harbor writes both into one text."""
    task = ExecutionTask(src_resource=resource, dst_resource=resource)
    assert (task.source, task.destination, task.items) == (name, name, items)


@pytest.mark.parametrize(
    ("status", "over"),
    [
        ("InProgress", False),
        ("Pending", False),
        ("", False),
        ("Succeed", True),
        ("Failed", True),
        ("Stopped", True),
    ],
)
def test_some_words_mean_that_it_is_over(status: str, over: bool) -> None:
    """For runs and for tasks."""
    assert Execution(status=status).is_over is over
    assert ExecutionTask(status=status).is_over is over


def test_no_work_is_left_when_every_task_has_ended() -> None:
    """And while there are none, nobody knows."""
    assert not Execution(total=0).has_no_work_left
    assert not Execution(total=3, succeed=2).has_no_work_left
    assert Execution(total=3, succeed=1, failed=1, stopped=1).has_no_work_left


def test_a_skipped_run_is_not_a_failed_one() -> None:
    """Harbor calls it Failed and says in words that it was skipped."""
    words = "Execution skipped: active replication still in progress."
    assert Execution(status="Failed", status_text=words).was_skipped
    assert not Execution(status="Failed", status_text="no such host").was_skipped
    assert not Execution(status="Succeed", status_text=words).was_skipped
