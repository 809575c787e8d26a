"""Webhook policies of an emulated Harbor; see also test_harbor_recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import FakeClock, LoopbackHarbor

_PATH = "/projects/app/webhook/policies"


def _body(**change: Any) -> dict[str, Any]:
    target = {"type": "http", "address": "http://there/"}
    kinds = ["PUSH_ARTIFACT"]
    return {"name": "h", "enabled": True, "event_types": kinds, "targets": [target], **change}


def test_what_is_disabled_or_not_meant_is_not_told(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, admin: Any
) -> None:
    """A policy can be off, want other events, or all of them can be off together."""
    harbor.deliveries.receivers["*"] = lambda _: None
    admin("POST", _PATH, _body(enabled=False))
    admin("POST", _PATH, _body(name="other", event_types=["DELETE_ARTIFACT"]))
    harbor.push_image("app/web", "1")
    admin("POST", _PATH, _body(name="on"))
    admin("PUT", "/configurations", {"notification_enable": False})
    harbor.push_image("app/web", "2")
    harbor_clock.advance(5.0)
    harbor.settle()
    assert harbor.deliveries.sent == []


def test_deliveries_can_be_looked_at(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, admin: Any
) -> None:
    """Each is a run with one task; what is not there is not found."""
    harbor.deliveries.receivers["*"] = lambda _: None
    admin("POST", _PATH, _body())
    harbor.push_image("app/web", "1")
    harbor_clock.advance(5.0)
    runs = admin("GET", f"{_PATH}/1/executions").json
    path = f"{_PATH}/1/executions/{runs[0]['id']}/tasks"
    task = admin("GET", path).json[0]
    assert task["status"] == "Success"
    assert b"success to run webhook job" in admin("GET", f"{path}/{task['id']}/log").body
    assert admin("GET", f"{path}/99/log").codes == ["NOT_FOUND"]
    assert admin("GET", f"{_PATH}/1/executions/99/tasks").codes == ["NOT_FOUND"]
    assert admin("GET", "/projects/app/webhook/jobs?policy_id=1").json[0]["status"] == "Success"
    for key in ("name", "creation_time"):
        assert len(admin("GET", f"{_PATH}?sort={key}").json) == 1


def test_the_last_delivery_of_each_event_is_told(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, admin: Any
) -> None:
    """Never is the year one."""
    harbor.deliveries.receivers["*"] = lambda _: None
    admin("POST", _PATH, _body(event_types=["PUSH_ARTIFACT", "PULL_ARTIFACT"]))
    harbor_clock.advance(5.0)
    harbor.push_image("app/web", "1")
    last = admin("GET", "/projects/app/webhook/lasttrigger").json
    assert {each["event_type"]: each["last_trigger_time"] for each in last} == {
        "PUSH_ARTIFACT": "2026-01-01T00:00:05.000Z",
        "PULL_ARTIFACT": "0001-01-01T00:00:00.000Z",
    }


def test_a_policy_of_another_project_is_not_found(harbor: LoopbackHarbor, admin: Any) -> None:
    """Its number counts in its own project only; the same name may be in both."""
    harbor.add_project("other")
    assert admin("POST", _PATH, _body()).status == 201
    assert admin("GET", "/projects/other/webhook/policies/1").codes == ["NOT_FOUND"]
    assert admin("POST", "/projects/other/webhook/policies", _body()).status == 201


def test_who_may_not_is_refused(harbor: LoopbackHarbor, log_in: Callable[..., Any]) -> None:
    """A robot needs the permission of the project."""
    robot = harbor.add_robot("hooks", project="app", access=["notification-policy:list"])
    client = log_in(harbor, robot.name, robot.secret)
    assert client("GET", _PATH).json == []
    assert client("POST", _PATH, _body()).codes == ["FORBIDDEN"]
    assert client("GET", "/projects/app/webhook/events").codes == ["FORBIDDEN"]
