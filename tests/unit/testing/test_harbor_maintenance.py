"""How an emulated Harbor is kept; see also test_harbor_recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import FakeClock, LoopbackHarbor, LoopbackRegistry


def test_schedules_of_all_kinds_are_listed(
    harbor: LoopbackHarbor, admin: Any, server: LoopbackRegistry
) -> None:
    """Those of the system, of retention and of replication."""
    body = {"name": "far", "type": "docker-registry", "url": f"http://{server.host}"}
    admin("POST", "/registries", body)
    cron = {"type": "scheduled", "trigger_settings": {"cron": "0 5 * * * *"}}
    policy = {"name": "p", "dest_registry": {"id": 1}, "trigger": cron}
    admin("POST", "/replication/policies", policy)
    rules = {
        "rules": [],
        "scope": {"level": "project", "ref": harbor.state.project("app").id},
        "trigger": {"settings": {"cron": "0 0 1 * * *"}},
    }
    admin("POST", "/retentions", rules)
    kinds = [each["vendor_type"] for each in admin("GET", "/schedules").json]
    assert kinds == ["SYSTEM_ARTIFACT_CLEANUP", "EXECUTION_SWEEP", "RETENTION", "REPLICATION"]
    assert admin("GET", "/schedules/all/paused").json == {"paused": False}


def test_garbage_is_collected_in_a_moment(admin: Any, harbor_clock: FakeClock) -> None:
    """The run is seen while it goes on, and afterwards."""
    body = {"schedule": {"type": "Manual"}, "parameters": {"dry_run": True}}
    assert admin("POST", "/system/gc/schedule", body).status == 201
    harbor_clock.advance(1.0)
    assert admin("GET", "/system/gc/1").json["job_status"] == "Running"
    harbor_clock.advance(5.0)
    assert admin("GET", "/system/gc/1").json["job_status"] == "Success"
    assert admin("GET", "/system/gc/9").codes == ["NOT_FOUND"]
    assert admin("GET", "/system/gc/x").codes == ["NOT_FOUND"]


def test_a_schedule_of_the_collection_must_be_one(admin: Any) -> None:
    """Daily needs a time of day."""
    body = {"schedule": {"type": "Daily", "cron": "daily"}}
    assert admin("POST", "/system/gc/schedule", body).codes == ["BAD_REQUEST"]


def test_the_job_service_came_with_27_and_audited_events_with_213(
    make_harbor: Callable[..., LoopbackHarbor], log_in: Callable[..., Any]
) -> None:
    """What a version does not have is not found."""
    admin = log_in(make_harbor(version="2.12"), "admin", "Harbor12345")
    assert admin("GET", "/jobservice/queues").status == 200
    assert admin("GET", "/auditlog-exts/events").codes == ["NOT_FOUND"]


def test_anybody_is_refused(anybody: Any) -> None:
    """Also where everybody who has logged in is not."""
    assert anybody("GET", "/schedules/all/paused").codes == ["UNAUTHORIZED"]
    assert anybody("GET", "/system/gc").codes == ["UNAUTHORIZED"]
