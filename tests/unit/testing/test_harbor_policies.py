"""Replication policies of an emulated Harbor; what was recorded is in test_harbor_recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import LoopbackHarbor, LoopbackRegistry


def _body(**change: Any) -> dict[str, Any]:
    return {"name": "p", "dest_registry": {"id": 1}, "enabled": True, **change}


@pytest.fixture
def far(admin: Any, server: LoopbackRegistry) -> LoopbackRegistry:
    """Return a registry that ``harbor`` knows as number 1."""
    url = f"http://{server.host}"
    admin("POST", "/registries", {"name": "far", "type": "docker-registry", "url": url})
    return server


@pytest.mark.usefixtures("far")
def test_a_policy_is_replaced_by_what_is_sent(admin: Any) -> None:
    """What is not sent is gone, but for who made it and when."""
    admin("POST", "/replication/policies", _body(description="x", speed=8, override=True))
    made = admin("GET", "/replication/policies/1").json
    assert admin("PUT", "/replication/policies/1", _body(enabled=None)).status == 200
    after = admin("GET", "/replication/policies/1").json
    assert (after["speed"], after["creation_time"]) == (0, made["creation_time"])
    assert not {"description", "override", "enabled"} & after.keys()


@pytest.mark.usefixtures("far")
def test_one_at_a_time_is_known_since_214(
    make_harbor: Callable[..., LoopbackHarbor],
    log_in: Callable[..., Any],
    server: LoopbackRegistry,
) -> None:
    """Before that the field is ignored, also beside events."""
    admin = log_in(make_harbor(version="2.12"), "admin", "Harbor12345")
    url = f"http://{server.host}"
    admin("POST", "/registries", {"name": "far", "type": "docker-registry", "url": url})
    body = _body(single_active_replication=True, trigger={"type": "event_based"})
    assert admin("POST", "/replication/policies", body).status == 201
    assert "single_active_replication" not in admin("GET", "/replication/policies/1").json


@pytest.mark.parametrize(("version", "status"), [("2.8", 201), ("2.12", 400)])
def test_a_schedule_may_be_hasty_up_to_28(
    make_harbor: Callable[..., LoopbackHarbor],
    log_in: Callable[..., Any],
    server: LoopbackRegistry,
    version: str,
    status: int,
) -> None:
    """Since 2.9 seconds must be 0 and minutes no star (HARBOR-14)."""
    admin = log_in(make_harbor(version=version), "admin", "Harbor12345")
    url = f"http://{server.host}"
    admin("POST", "/registries", {"name": "far", "type": "docker-registry", "url": url})
    every_minute = {"type": "scheduled", "trigger_settings": {"cron": "30 * * * * *"}}
    reply = admin("POST", "/replication/policies", _body(trigger=every_minute))
    assert reply.status == status


@pytest.mark.usefixtures("far")
def test_lists_are_in_any_order(admin: Any) -> None:
    """The newest first, unless another order is asked for."""
    for name in ("a", "b"):
        admin("POST", "/replication/policies", _body(name=name))
    names = [each["name"] for each in admin("GET", "/replication/policies").json]
    assert names == ["b", "a"]
    for key in ("name", "creation_time", "update_time", "id", "description"):
        assert len(admin("GET", f"/replication/policies?sort={key}").json) == 2
    assert admin("GET", "/replication/policies?sort=name").json[0]["name"] == "a"


def test_who_may_not_is_refused(harbor: LoopbackHarbor, log_in: Callable[..., Any]) -> None:
    """Reading and writing are permissions of their own."""
    robot = harbor.add_robot("lister", system=["replication-policy:list"])
    client = log_in(harbor, robot.name, robot.secret)
    assert client("GET", "/replication/policies").json == []
    assert client("GET", "/replication/policies/1").codes == ["FORBIDDEN"]
    assert client("POST", "/replication/policies", {}).codes == ["FORBIDDEN"]
