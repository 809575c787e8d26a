"""A run's report says what became of it, in words, in JSON and in a notebook."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from harborsync.errors import ReplicationFailed
from harborsync.harbor.runreport import RunOutcome, RunReport, TaskResult
from harborsync.harbor.runs import Execution, ExecutionTask, TaskLog

SKIPPED = "Execution skipped: active replication still in progress."


def report(**fields: Any) -> RunReport:
    """Make the report of a run without tasks."""
    start = datetime(2026, 1, 2, tzinfo=UTC)
    return RunReport(
        policy="nightly",
        execution=attrs.evolve(Execution(id=9, start_time=start), **fields),
        seconds=12.4,
    )


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"status": "Succeed", "total": 2, "succeed": 2}, RunOutcome.SUCCEEDED),
        ({"status": "InProgress", "total": 2, "succeed": 2}, RunOutcome.SUCCEEDED),
        ({"status": "InProgress", "total": 2, "succeed": 1, "failed": 1}, RunOutcome.FAILED),
        ({"status": "Failed", "status_text": "no such host"}, RunOutcome.FAILED),
        ({"status": "Failed", "status_text": SKIPPED}, RunOutcome.SKIPPED),
        ({"status": "Stopped", "total": 1, "stopped": 1}, RunOutcome.STOPPED),
        ({"status": "InProgress", "total": 2, "succeed": 1, "stopped": 1}, RunOutcome.STOPPED),
        ({"status": "Stopped"}, RunOutcome.STOPPED),
        ({"status": "Succeed", "total": 0}, RunOutcome.NOTHING),
    ],
)
def test_the_outcome_is_told_by_counters_where_the_status_lags(
    fields: dict[str, Any], outcome: RunOutcome
) -> None:
    """Only a run that copied something, and everything, is well."""
    found = report(**fields)
    assert found.outcome is outcome
    assert found.ok is (outcome is RunOutcome.SUCCEEDED)


def test_a_success_without_tasks_is_told_as_a_mistaken_filter() -> None:
    """Harbor calls it a success."""
    found = report(status="Succeed", status_text="no resources need to be replicated")
    assert found.notes[0] == "no resources need to be replicated"
    assert "a filter is mistaken" in found.notes[1]
    assert "note: nothing matched" in str(found)


def test_a_skipped_start_says_what_to_do() -> None:
    """In the notes, beside Harbor's own words."""
    assert "the run before was not over" in report(status="Failed", status_text=SKIPPED).notes[1]


def test_a_run_is_confirmed_when_its_status_has_caught_up() -> None:
    """Until then a new start may be skipped."""
    assert not report(status="InProgress", total=1, succeed=1).confirmed
    assert report(status="Succeed", total=1, succeed=1).confirmed


def failed_report() -> RunReport:
    """Make the report of a run with a task that failed and one that succeeded."""
    good = ExecutionTask(id=1, status="Succeed", operation="copy", src_resource="app/web")
    bad = ExecutionTask(
        id=2,
        status="Failed",
        operation="copy",
        src_resource="app/api [2 item(s) in total]",
        dst_resource="mirror/api [2 item(s) in total]",
    )
    return RunReport(
        policy="nightly",
        execution=Execution(id=9, status="Failed", total=2, succeed=1, failed=1),
        tasks=(
            TaskResult(task=good, log=TaskLog(warnings=("skip \x1b[2J",))),
            TaskResult(task=bad, log=TaskLog(errors=("push denied",))),
        ),
        seconds=61,
    )


def test_the_text_tells_each_repository_and_why_one_failed() -> None:
    """Without what would steer a terminal."""
    assert str(failed_report()).splitlines() == [
        "status   operation  source   destination  items",
        "Succeed  copy       app/web               ?",
        "Failed   copy       app/api  mirror/api   2",
        "warning: app/web: skip  [2J",
        "error: app/api: push denied",
        "nightly: failed (1 of 2 repositories, 1 failed) in 61 s",
    ]
    assert [each.task.id for each in failed_report().failed] == [2]


def test_the_json_holds_everything() -> None:
    """With the outcome and the notes, which are worked out."""
    data = json.loads(failed_report().to_json())
    assert data["outcome"] == "failed"
    assert data["tasks"][1]["log"]["errors"] == ["push denied"]
    assert json.loads(report().to_json())["execution"]["start_time"] == "2026-01-02T00:00:00+00:00"


def test_a_notebook_shows_a_table() -> None:
    """And the text where there is none."""
    shown = failed_report()._repr_mimebundle_()
    assert "<td>mirror/api</td>" in shown["text/html"]
    assert shown["text/plain"] == str(failed_report())


def test_a_report_of_trouble_raises_with_the_first_reason() -> None:
    """From a log where there is one, else in Harbor's words, else none."""
    good = report(status="Succeed", total=1, succeed=1)
    assert good.raise_for_failures() is good
    with pytest.raises(ReplicationFailed, match="in 61 s; first: push denied") as caught:
        failed_report().raise_for_failures()
    assert caught.value.report == failed_report()
    with pytest.raises(ReplicationFailed, match="first: no such host"):
        report(status="Failed", status_text="no such host").raise_for_failures()
    with pytest.raises(ReplicationFailed, match=r"in 12 s$"):
        report(status="Stopped").raise_for_failures()
