"""What a project keeps is read, and applied on demand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harborsync.harbor.client import Harbor
from harborsync.testing.scripted import Heard, Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_a_project_without_retention_keeps_everything(harbor: Harbor) -> None:
    """There is nothing to read."""
    assert harbor.retention.of("app") is None


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    """A server that says of retention what a real Harbor was recorded to say."""
    path = Path(__file__).parents[3] / "../shared/vectors/harbor/18-system.json"
    if not path.exists():
        pytest.skip(f"the recordings are not here: {path}")
    said = {e["name"]: e for e in json.loads(path.read_text())["exchanges"]}
    project = {"project_id": 6, "name": "sysproj", "metadata": {"retention_id": "3"}}
    answers = {
        "GET /api/v2.0/projects/sysproj": project,
        "GET /api/v2.0/retentions/3": said["retention-get"]["response"]["json"],
        "GET /api/v2.0/retentions/3/executions": said["retention-executions-2"]["json"],
        "POST /api/v2.0/retentions/3/executions": None,
    }

    def answer(heard: Heard) -> Said:
        body = answers[f"{heard.method} {heard.path}"]
        if body is None:
            assert json.loads(heard.body) == {"dry_run": True}
            place = "/api/v2.0/retentions/3/executions/109"
            return Said(status=201, headers=(("Location", place),))
        return Said(body=json.dumps(body).encode())

    with ScriptedServer(answer) as server:
        yield server


def test_what_a_project_keeps_is_read_and_applied(scripted: ScriptedServer) -> None:
    """As a real Harbor tells it."""
    with Harbor.open(f"harbor+http://{scripted.host}") as harbor:
        policy = harbor.retention.of("sysproj")
        assert policy is not None
        assert policy.rules[0].template == "latestPushedK"
        assert policy.rules[0].params == {"latestPushedK": 1}
        assert policy.cron == ""
        assert harbor.retention.run(policy.id, dry_run=True) == 109
        (run,) = harbor.retention.executions(policy.id)
        assert run.dry_run
        assert run.status == "Success"
