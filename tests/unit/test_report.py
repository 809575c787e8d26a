"""A report counts, prints, raises on demand, and travels."""

from __future__ import annotations

import json
import pickle
from typing import Any

import attrs
import pytest

from harborsync.endpoint import Endpoint
from harborsync.errors import ConfigurationError, ReplicationFailed, Side
from harborsync.failure import Failure
from harborsync.plan import Action, PlanFailure, Step
from harborsync.reference import ArtifactRef, Digest
from harborsync.report import Outcome, Report, StepResult
from harborsync.testing.clock import EPOCH

DIGEST = Digest.of(b"v1")


def _result(outcome: Outcome, **fields: Any) -> StepResult:
    step = Step(
        rule="r",
        to=Endpoint.parse("mirror.example"),
        source=ArtifactRef.parse(f"team/app:v1@{DIGEST}"),
        destination=ArtifactRef.parse(f"team/app:v1@{DIGEST}"),
        action=Action.COPY,
        reason="not there yet",
    )
    return StepResult(step=step, outcome=outcome, reason="because", at=EPOCH, **fields)


FAILURE = Failure(kind="QuotaExceeded", message="no room left", side=Side.DESTINATION, hint="tidy")
COPIED = _result(Outcome.COPIED, seconds=1.5, bytes_sent=2048, bytes_mounted=1024, satellites=1)
SKIPPED = _result(Outcome.SKIPPED)
FAILED = _result(Outcome.FAILED, failure=FAILURE, warnings=("a signature was refused",))
UNPLANNED = PlanFailure(rule="r", what="team/broken", failure=attrs.evolve(FAILURE, message="gone"))


def _report(*results: StepResult, unplanned: tuple[PlanFailure, ...] = ()) -> Report:
    return Report(started_at=EPOCH, seconds=2.0, results=results, unplanned=unplanned)


def test_results_are_told_apart_by_outcome() -> None:
    """Each has a view of its own, and together they are the report."""
    report = _report(COPIED, SKIPPED, FAILED)
    assert (len(report), tuple(report)) == (3, (COPIED, SKIPPED, FAILED))
    assert (report.copied, report.skipped, report.failed) == ((COPIED,), (SKIPPED,), (FAILED,))
    assert report.outcomes == (("copied", 1), ("skipped", 1), ("failed", 1))
    assert (report.bytes_sent, report.bytes_mounted) == (2048, 1024)


@pytest.mark.parametrize("outcome", Outcome)
def test_a_report_is_ok_if_everything_is_where_it_was_wished(outcome: Outcome) -> None:
    """Copied, relabelled and skipped are; conflict, refusal, failure, cancellation are not."""
    report = _report(_result(outcome))
    assert report.ok is (outcome in {Outcome.COPIED, Outcome.RELABELLED, Outcome.SKIPPED})
    assert bool(report.trouble) is not report.ok
    assert report


def test_what_could_not_be_planned_is_not_ok() -> None:
    """A repository nobody could read is not where it was wished."""
    assert not _report(COPIED, unplanned=(UNPLANNED,)).ok


def test_a_good_report_is_returned_and_a_bad_one_raised() -> None:
    """The error tells the first trouble and carries the whole report, also when it travels."""
    good = _report(COPIED)
    assert good.raise_for_failures() is good
    bad = _report(SKIPPED, FAILED)
    with pytest.raises(ReplicationFailed, match="first: no room left") as caught:
        bad.raise_for_failures()
    assert caught.value.hint == "tidy"
    assert pickle.loads(pickle.dumps(caught.value)).report == bad


def test_trouble_without_a_failure_is_told_by_its_reason() -> None:
    """A conflict has no error, and is named all the same; so is what was not planned."""
    with pytest.raises(ReplicationFailed, match="first: because"):
        _report(_result(Outcome.CONFLICT)).raise_for_failures()
    with pytest.raises(ReplicationFailed, match="first: gone"):
        _report(unplanned=(UNPLANNED,)).raise_for_failures()


def test_the_summary_is_one_line() -> None:
    """Counts, bytes and time; an empty run says so."""
    report = _report(COPIED, FAILED, unplanned=(UNPLANNED,))
    assert report.summary() == (
        "1 copied, 1 failed, 1 not planned; 2.0 KiB sent, 1.0 KiB mounted in 2.0 s"
    )
    assert str(_report()) == "nothing to do; 0 B sent, 0 B mounted in 2.0 s"


def test_a_report_prints_with_failures_and_warnings() -> None:
    """Whoever reads the terminal sees everything that went wrong."""
    lines = str(_report(COPIED, FAILED, unplanned=(UNPLANNED,))).splitlines()
    assert lines[0].split()[0] == "outcome"
    assert lines[1].endswith("because")
    assert lines[2].endswith("no room left")
    assert lines[3:5] == ["not planned: team/broken: gone", "  hint: tidy"]
    assert lines[5] == f"warning: team/app:v1@{DIGEST}: a signature was refused"


def test_a_report_repeats_what_the_plan_noted() -> None:
    """Who runs without looking at a plan would not hear of it else."""
    lines = str(attrs.evolve(_report(), notes=("look here",))).splitlines()
    assert lines[0] == "note: look here"


def test_a_report_gives_each_advice_once() -> None:
    """A thousand failures of one kind want one thing done."""
    other = _result(Outcome.FAILED, failure=attrs.evolve(FAILURE, hint="wait"))
    plain = _result(Outcome.FAILED, failure=attrs.evolve(FAILURE, hint=None))
    lines = str(_report(FAILED, FAILED, other, plain)).splitlines()
    assert [line for line in lines if line.startswith("hint: ")] == ["hint: tidy", "hint: wait"]


def test_a_notebook_gets_a_table() -> None:
    """Plain text and HTML, both of the whole report."""
    report = _report(COPIED, FAILED)
    shown = report._repr_mimebundle_()
    assert shown["text/plain"] == str(report)
    assert shown["text/html"].count("<tr>") == 3


def test_rows_are_flat_and_alike() -> None:
    """A data frame can be made of them: same keys, plain values."""
    good, bad = _report(COPIED, FAILED).to_rows()
    assert good.keys() == bad.keys()
    assert (good["outcome"], good["error"], good["side"], good["hint"]) == (
        "copied",
        None,
        None,
        None,
    )
    assert (bad["error"], bad["side"], bad["hint"]) == ("no room left", "destination", "tidy")
    assert json.loads(json.dumps([good, bad])) == [good, bad]


def test_a_report_comes_back_from_json_and_from_a_pickle() -> None:
    """What is filed today can be read tomorrow."""
    report = _report(COPIED, SKIPPED, FAILED, unplanned=(UNPLANNED,))
    assert Report.from_json(report.to_json()) == report
    assert pickle.loads(pickle.dumps(report)) == report


@pytest.mark.parametrize("text", ["{", "{}", "7"])
def test_what_is_no_report_is_refused(text: str) -> None:
    """A stranger's text is a mistake of configuration, whatever kind of text it is."""
    with pytest.raises(ConfigurationError):
        Report.from_json(text)
