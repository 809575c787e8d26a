"""What a run copied goes to the peer-to-peer networks of its projects, and how it went is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harborsync.endpoint import Endpoint
from harborsync.harbor.preheat import PreheatExecution
from harborsync.harbor.preheating import Preheated, preheat_after
from harborsync.plan import Action, Step
from harborsync.reference import ArtifactRef
from harborsync.report import Outcome, Report, StepResult

if TYPE_CHECKING:
    from harborsync.harbor.client import Harbor
    from harborsync.testing import LoopbackHarbor


def report(*ends: tuple[str, str, Outcome]) -> Report:
    """Make a report of what became of some repositories."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    steps = [
        Step(
            rule="r",
            to=Endpoint(provider="harbor", address=host, plain_http=True),
            source=ArtifactRef(repository="src/web"),
            destination=ArtifactRef(repository=repository),
            action=Action.COPY,
            reason="new",
        )
        for host, repository, _ in ends
    ]
    results = tuple(
        StepResult(step=step, outcome=outcome, reason="", at=now)
        for step, (_, _, outcome) in zip(steps, ends, strict=True)
    )
    return Report(started_at=now, seconds=1.0, results=results)


def test_what_was_copied_is_preheated_project_by_project(
    harbor: Harbor, server: LoopbackHarbor, warm: str
) -> None:
    """Each project once; what went elsewhere, or was there already, is passed over."""
    server.add_project("quiet")
    done = preheat_after(
        report(
            (server.host, "app/web", Outcome.COPIED),
            (server.host, "app/api", Outcome.COPIED),
            (server.host, "quiet/web", Outcome.SKIPPED),
            ("elsewhere.example", "other/web", Outcome.COPIED),
        ),
        harbor,
        warm,
    )
    assert [each.project for each in done] == ["app"]
    assert done[0].execution is not None
    assert done[0].ok == done[0].execution.ok
    assert str(done[0]).startswith(f"app/warm: {done[0].execution.status}")


def test_a_project_without_a_policy_is_passed_over_or_told(
    harbor: Harbor, server: LoopbackHarbor
) -> None:
    """Passed over if policies are named by project; told if it ought to have one."""
    copied = report((server.host, "app/web", Outcome.COPIED))
    assert preheat_after(copied, harbor, {"other": "warm"}) == ()
    (told,) = preheat_after(copied, harbor, {"app": "warm"})
    assert not told.ok
    assert str(told).startswith("app/warm: not preheated: cannot read preheat policy warm")


def test_a_run_says_why() -> None:
    """In Harbor's words, where there are any."""
    run = PreheatExecution(status="Error", status_message="no peer")
    assert str(Preheated(project="app", policy="warm", execution=run)) == (
        "app/warm: Error (no peer)"
    )
