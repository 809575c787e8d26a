"""What webhooks tell of the tasks of replication; see also test_harbor_recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import FakeClock, LoopbackHarbor, LoopbackRegistry


def _hook(admin: Any) -> None:
    target = {"type": "http", "address": "http://there/"}
    body = {"name": "h", "enabled": True, "event_types": ["REPLICATION"], "targets": [target]}
    assert admin("POST", "/projects/app/webhook/policies", body).status == 201


def _replicate(
    admin: Any, far: LoopbackRegistry, clock: FakeClock, *, after: float = 100.0
) -> None:
    url = f"http://{far.host}"
    admin("POST", "/registries", {"name": "far", "type": "docker-registry", "url": url})
    body = {"name": "p", "dest_registry": {"id": 1}, "enabled": True, "description": "why"}
    admin("POST", "/replication/policies", body)
    admin("POST", "/replication/executions", {"policy_id": 1})
    clock.advance(after)


@pytest.mark.parametrize(
    ("version", "known"),
    [("2.8", set()), ("2.12", {"references"}), ("2.15", {"references", "task_id"})],
)
def test_what_is_told_grows_with_the_version(
    make_harbor: Callable[..., LoopbackHarbor],
    harbor_clock: FakeClock,
    log_in: Callable[..., Any],
    server: LoopbackRegistry,
    version: str,
    known: set[str],
) -> None:
    """References came with 2.10, the numbers of run and task with 2.13 (HARBOR-12)."""
    harbor = make_harbor(version=version, clock=harbor_clock)
    harbor.add_project("app")
    harbor.push_image("app/web", "1")
    harbor.deliveries.receivers["*"] = lambda _: None
    admin = log_in(harbor, "admin", "Harbor12345")
    _hook(admin)
    _replicate(admin, server, harbor_clock)
    harbor.settle()
    told = [each.document["event_data"]["replication"] for each in harbor.deliveries.sent]
    assert [each["job_status"] for each in told] == ["Running", "Success"]
    (artifact,) = told[1]["successful_artifact"]
    assert (told[0]["description"], artifact["name_tag"]) == ("why", "web [1 item(s) in total]")
    assert {"references", "task_id"} & {*artifact, *told[1]} == known


def test_a_failed_task_is_told_as_one(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, admin: Any, server: LoopbackRegistry
) -> None:
    """The artifacts stand under another name; a task of another project is not told."""
    harbor.push_image("app/web", "1")
    harbor.push_image("library/web", "1")
    harbor.deliveries.receivers["*"] = lambda _: None
    _hook(admin)
    url = f"http://{server.host}"
    admin("POST", "/registries", {"name": "far", "type": "docker-registry", "url": url})
    body = {"name": "p", "dest_registry": {"id": 1}, "enabled": True}
    admin("POST", "/replication/policies", body)
    admin("POST", "/replication/executions", {"policy_id": 1})
    server.close()
    harbor_clock.advance(200.0)
    harbor.settle()
    told = [each.document["event_data"]["replication"] for each in harbor.deliveries.sent]
    assert [each["job_status"] for each in told] == ["Running", "Error"]
    assert told[1]["failed_artifact"][0]["status"] == "Error"


def test_a_stopped_task_is_told_without_artifacts(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, admin: Any, server: LoopbackRegistry
) -> None:
    """And a project that is not there is not told at all."""
    harbor.push_image("app/web", "1")
    harbor.deliveries.receivers["*"] = lambda _: None
    _hook(admin)
    _replicate(admin, server, harbor_clock, after=0.4)
    admin("PUT", "/replication/executions/1")
    harbor_clock.advance(10.0)
    harbor.settle()
    told = [each.document["event_data"]["replication"] for each in harbor.deliveries.sent]
    assert told[-1]["job_status"] == "Stopped"
    assert not {"successful_artifact", "failed_artifact"} & told[-1].keys()
