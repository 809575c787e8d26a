"""Preheating of an emulated Harbor; see also test_harbor_recordings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import FakeClock, LoopbackHarbor, LoopbackRegistry

_PATH = "/projects/app/preheat/policies"


def _policy(filters: Any = (), trigger: Any = None, **change: Any) -> dict[str, Any]:
    return {
        "name": "warm",
        "provider_id": 1,
        "enabled": True,
        "filters": json.dumps(list(filters)),
        "trigger": json.dumps(trigger or {"type": "manual"}),
        **change,
    }


@pytest.fixture
def network(admin: Any, server: LoopbackRegistry) -> LoopbackRegistry:
    """Return what stands for a P2P network that ``harbor`` knows as number 1."""
    body = {
        "name": "p2p",
        "vendor": "dragonfly",
        "endpoint": f"http://{server.host}",
        "auth_mode": "NONE",
        "enabled": True,
    }
    assert admin("POST", "/p2p/preheat/instances", body).status == 201
    return server


@pytest.mark.usefixtures("network")
def test_a_run_has_a_task_for_each_tag_it_chose(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, admin: Any
) -> None:
    """Repositories are named without their project; labels may be a list or text."""
    for name, tag in (("web/a", "v1"), ("web/a", "x"), ("db", "v1")):
        harbor.push_image(f"app/{name}", tag)
    filters = [
        {"type": "repository", "value": "web/**"},
        {"type": "tag", "value": "v*"},
        {"type": "label", "value": ""},
        {"type": "unheard-of", "value": ""},
    ]
    admin("POST", _PATH, _policy(filters))
    reply = admin("POST", f"{_PATH}/warm", {})
    path = reply.headers["Location"].removeprefix("/api/v2.0")
    assert (reply.status, path) == (201, f"{_PATH}/warm/executions/1")
    harbor_clock.advance(40.0)
    run = admin("GET", path).json
    assert (run["status"], run["metrics"]["success_task_count"]) == ("Success", 1)
    (task,) = admin("GET", f"{path}/tasks").json
    assert task["extra_attrs"]["artifact"] == "app/web/a:v1"
    assert b"done" in admin("GET", f"{path}/tasks/{task['id']}/logs").body
    assert admin("GET", f"{path}/tasks/99/logs").codes == ["NOT_FOUND"]
    assert admin("GET", f"{_PATH}/warm/executions/99").codes == ["NOT_FOUND"]


@pytest.mark.usefixtures("network")
def test_a_run_without_artifacts_ends_at_once(harbor: LoopbackHarbor, admin: Any) -> None:
    """It says so, and succeeded; labels in a list are all wanted."""
    harbor.push_image("app/web", "1")
    admin("POST", _PATH, _policy([{"type": "label", "value": ["gold", "new"]}]))
    admin("POST", f"{_PATH}/warm", {})
    run = admin("GET", f"{_PATH}/warm/executions").json[0]
    assert (run["status"], run["status_message"]) == ("Success", "no matched artifacts found")


def test_a_network_that_dies_fails_its_tasks(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, admin: Any, network: LoopbackRegistry
) -> None:
    """And no new run can be started: a blank 500."""
    harbor.push_image("app/web", "1")
    admin("POST", _PATH, _policy())
    assert admin("GET", "/p2p/preheat/instances/p2p").json["status"] == "Healthy"
    admin("POST", f"{_PATH}/warm", {})
    network.close()
    harbor_clock.advance(40.0)
    assert admin("GET", f"{_PATH}/warm/executions/1").json["status"] == "Error"
    assert admin("POST", f"{_PATH}/warm", {}).codes == ["UNKNOWN"]


@pytest.mark.usefixtures("network")
def test_a_stopped_run_stays_stopped(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, admin: Any
) -> None:
    """Its task too; any other status is ignored."""
    harbor.push_image("app/web", "1")
    admin("POST", _PATH, _policy())
    admin("POST", f"{_PATH}/warm", {})
    harbor_clock.advance(0.3)
    path = f"{_PATH}/warm/executions/1"
    assert admin("PATCH", path, {"status": "Running"}).status == 200
    assert admin("GET", path).json["status"] == "Running"
    assert admin("PATCH", path, {"status": "Stopped"}).status == 200
    harbor_clock.advance(40.0)
    assert admin("GET", path).json["status"] == "Stopped"


@pytest.mark.usefixtures("network")
def test_pushes_and_schedules_start_runs(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, admin: Any
) -> None:
    """A push only what was pushed, a schedule everything; a disabled policy nothing."""
    harbor.push_image("app/old", "1")
    hourly = {"type": "scheduled", "trigger_setting": {"cron": "0 0 * * * *"}}
    admin("POST", _PATH, _policy(trigger={"type": "event_based"}, name="pushed"))
    admin("POST", _PATH, _policy(trigger=hourly, name="timed"))
    admin("POST", _PATH, _policy(trigger={"type": "event_based"}, name="off", enabled=False))
    harbor.push_image("app/web", "1", seed=2)
    harbor_clock.advance(3601)
    counts = {
        name: [
            run["metrics"]["task_count"] for run in admin("GET", f"{_PATH}/{name}/executions").json
        ]
        for name in ("pushed", "timed", "off")
    }
    assert counts == {"pushed": [1], "timed": [2], "off": []}
    admin("DELETE", f"{_PATH}/timed")
    harbor_clock.advance(3600)
    assert admin("GET", f"{_PATH}/timed").codes == ["NOT_FOUND"]


@pytest.mark.usefixtures("network")
def test_policies_and_instances_are_changed_and_deleted(admin: Any) -> None:
    """An instance in use stays."""
    admin("POST", _PATH, _policy(description="x", extra_attrs="{}"))
    assert admin("PUT", f"{_PATH}/warm", _policy(enabled=False)).status == 200
    shown = admin("GET", f"{_PATH}/warm").json
    assert not {"enabled", "description"} & shown.keys()
    assert admin("DELETE", "/p2p/preheat/instances/p2p").codes == ["UNKNOWN"]
    assert admin("DELETE", f"{_PATH}/warm").status == 200
    assert admin("PUT", "/p2p/preheat/instances/p2p", {"description": "y"}).status == 200
    assert admin("GET", "/p2p/preheat/instances?sort=vendor").json[0]["description"] == "y"
    assert admin("GET", "/p2p/preheat/instances?sort=name").status == 200
    assert admin("DELETE", "/p2p/preheat/instances/p2p").status == 200
    assert admin("GET", "/p2p/preheat/instances/p2p").codes == ["NOT_FOUND"]


def test_a_ping_reaches_what_is_there(admin: Any, server: LoopbackRegistry) -> None:
    """Any answer will do, and no address at all is a blank 500."""
    body = {"vendor": "dragonfly", "endpoint": f"http://{server.host}"}
    assert admin("POST", "/p2p/preheat/instances/ping", body).status == 200
    assert admin("POST", "/p2p/preheat/instances/ping", {}).codes == ["UNKNOWN"]


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"provider_id": 9},
        {"filters": '"text"'},
        {"filters": "[1]"},
        {"trigger": "[1]"},
        {"trigger": '{"type":"scheduled","trigger_setting":{"cron":"daily"}}'},
    ],
)
def test_most_mistakes_are_a_blank_500(admin: Any, change: dict[str, Any]) -> None:
    """Whatever it is, nobody is told (recorded: 18-system)."""
    reply = admin("POST", _PATH, _policy(**{"trigger": None, **change}) | change)
    assert reply.codes == ["UNKNOWN"]


def test_who_may_not_is_refused(harbor: LoopbackHarbor, log_in: Callable[..., Any]) -> None:
    """Instances are the system's, policies the project's."""
    robot = harbor.add_robot("heater", project="app", access=["preheat-policy:list"])
    client = log_in(harbor, robot.name, robot.secret)
    assert client("GET", f"{_PATH}?sort=name").json == []
    assert client("GET", "/projects/app/preheat/providers").json == []
    assert client("POST", _PATH, _policy()).codes == ["FORBIDDEN"]
    assert client("GET", "/p2p/preheat/instances").codes == ["FORBIDDEN"]


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("POST", "/warm", "read"),
        ("GET", "/warm/executions", "list"),
        ("GET", "/warm/executions/1", "read"),
        ("GET", "/warm/executions/1/tasks", "list"),
        ("PATCH", "/warm/executions/1", "update"),
    ],
)
def test_each_question_takes_one_right(
    harbor: LoopbackHarbor,
    admin: Any,
    log_in: Callable[..., Any],
    method: str,
    path: str,
    action: str,
) -> None:
    """That of its source (handler/preheat.go): to start a run takes no more than reading."""
    harbor.push_image("app/web", "1")
    admin("POST", _PATH, _policy())
    admin("POST", f"{_PATH}/warm", {})
    others = {"read", "list", "update", "create", "delete"} - {action}
    for name, actions, ok in (("one", {action}, True), ("rest", others, False)):
        access = [f"preheat-policy:{each}" for each in actions]
        robot = harbor.add_robot(name, project="app", access=access)
        reply = log_in(harbor, robot.name, robot.secret)(method, f"{_PATH}{path}", {})
        assert (reply.status != 403) is ok
