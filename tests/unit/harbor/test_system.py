"""A Harbor tells of itself: version, health, settings, and what was done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harborsync.harbor.client import Harbor
from harborsync.harbor.query import Q
from harborsync.permissions.harbor import GRANTABLE
from harborsync.testing.scripted import Said, ScriptedServer

if TYPE_CHECKING:
    from harborsync.testing import LoopbackHarbor


def test_a_harbor_tells_of_itself(harbor: Harbor, server: LoopbackHarbor) -> None:
    """Version, health, settings, what can be granted."""
    assert harbor.system.info().harbor_version.startswith("v2.15")
    assert harbor.system.info().auth_mode == "db_auth"
    assert harbor.system.health().ok
    assert harbor.system.settings()["read_only"] is False
    assert harbor.system.grantable() == GRANTABLE


def test_what_was_done_is_told_the_newest_first(harbor: Harbor, server: LoopbackHarbor) -> None:
    """As narrow as one likes."""
    harbor.projects.create("new")
    done = list(harbor.system.audit())
    assert done == sorted(done, key=lambda entry: -entry.id)
    projects = list(harbor.system.audit(Q(resource_type="project")))
    assert {entry.resource_type for entry in projects} <= {"project"}
    assert list(harbor.system.audit(legacy=True)) == []


def test_who_does_the_jobs_and_when_is_read() -> None:
    """As a real Harbor tells it."""
    path = Path(__file__).parents[3] / "../shared/vectors/harbor/18-system.json"
    if not path.exists():
        pytest.skip(f"the recordings are not here: {path}")
    said = {
        exchange["request"]["path"].partition("?")[0]: exchange["response"]["json"]
        for exchange in json.loads(path.read_text())["exchanges"]
        if exchange["name"] in {"schedules", "jobservice-pools"}
    }
    with (
        ScriptedServer(lambda heard: Said(body=json.dumps(said[heard.path]).encode())) as server,
        Harbor.open(f"harbor+http://{server.host}") as harbor,
    ):
        assert [pool.concurrency for pool in harbor.system.workers()] == [10]
        rules = {each.vendor_type: each.cron for each in harbor.system.schedules()}
        assert rules["REPLICATION"] == "0 */1 * * * *"
