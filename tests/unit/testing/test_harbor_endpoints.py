"""Replication endpoints of an emulated Harbor; what was recorded is in test_harbor_recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync.testing import BasicAuth

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import FakeClock, LoopbackHarbor, LoopbackRegistry


def _body(server: LoopbackRegistry, **change: Any) -> dict[str, Any]:
    return {"name": "far", "type": "docker-registry", "url": f"http://{server.host}", **change}


def test_the_white_list_hides_types_from_lists_only(
    make_harbor: Callable[..., LoopbackHarbor], log_in: Callable[..., Any]
) -> None:
    """Since 2.14; before that all are listed."""
    for version, listed in (("2.12", True), ("2.15", False)):
        admin = log_in(make_harbor(version=version), "admin", "Harbor12345")
        assert ("quay" in admin("GET", "/replication/adapters").json) is listed


def test_who_may_not_is_refused(harbor: LoopbackHarbor, log_in: Callable[..., Any]) -> None:
    """A robot needs the permission of the system, and only that one."""
    robot = harbor.add_robot("lister", system=["registry:list"])
    client = log_in(harbor, robot.name, robot.secret)
    assert client("GET", "/registries").json == []
    for method, path in (("GET", "/registries/0"), ("GET", "/replication/adapters")):
        assert client(method, path).codes == ["FORBIDDEN"]
    assert client("POST", "/registries", {}).codes == ["FORBIDDEN"]


@pytest.mark.parametrize(("version", "kept"), [("2.15", True), ("2.16", False)])
def test_a_moved_endpoint_keeps_its_secret_up_to_215(
    make_harbor: Callable[..., LoopbackHarbor],
    make: Callable[..., LoopbackRegistry],
    log_in: Callable[..., Any],
    version: str,
    kept: object,
) -> None:
    """Since 2.16 a new address without a secret is one without a secret (HARBOR-8)."""
    server = make(auth=BasicAuth({"user": "secret"}))
    admin = log_in(make_harbor(version=version), "admin", "Harbor12345")
    credential = {"type": "basic", "access_key": "user", "access_secret": "secret"}
    assert admin("POST", "/registries", _body(server, credential=credential)).status == 201
    moved = {"url": f"http://{server.host.replace('127.0.0.1', 'localhost')}"}
    assert (admin("PUT", "/registries/1", moved).status == 200) is kept


@pytest.mark.parametrize(("version", "status"), [("2.15", 400), ("2.16", 200)])
def test_a_ping_by_number_takes_the_rest_of_its_body_up_to_215(
    make_harbor: Callable[..., LoopbackHarbor],
    server: LoopbackRegistry,
    log_in: Callable[..., Any],
    version: str,
    status: int,
) -> None:
    """Since 2.16 only the number counts (HARBOR-8)."""
    admin = log_in(make_harbor(version=version), "admin", "Harbor12345")
    admin("POST", "/registries", _body(server))
    body = {"id": 1, "url": "http://127.0.0.1:9"}
    assert admin("POST", "/registries/ping", body).status == status


def test_certificates_are_known_since_215(
    make_harbor: Callable[..., LoopbackHarbor],
    server: LoopbackRegistry,
    log_in: Callable[..., Any],
) -> None:
    """Before that the field is ignored, wrong or not."""
    admin = log_in(make_harbor(version="2.12"), "admin", "Harbor12345")
    assert admin("POST", "/registries", _body(server, ca_certificate="none")).status == 201
    assert "ca_certificate" not in admin("GET", "/registries/1").json


def test_a_registry_that_goes_away_is_found_unhealthy(
    harbor_clock: FakeClock, server: LoopbackRegistry, admin: Any
) -> None:
    """It is looked at anew when the last time is some minutes ago."""
    admin("POST", "/registries", _body(server))
    server.close()
    assert admin("GET", "/registries/1").json["status"] == "healthy"
    harbor_clock.advance(301)
    assert admin("GET", "/registries").json[0]["status"] == "unhealthy"


def test_a_harbor_that_goes_away_cannot_tell_its_labels(
    make_harbor: Callable[..., LoopbackHarbor], harbor_clock: FakeClock, admin: Any
) -> None:
    """It is unhealthy, and its info a blank 500."""
    far = make_harbor()
    admin("POST", "/registries", {"name": "far", "type": "harbor", "url": far.url})
    far.close()
    harbor_clock.advance(301)
    assert admin("GET", "/registries/1").json["status"] == "unhealthy"
    assert admin("GET", "/registries/1/info").codes == ["UNKNOWN"]


def test_only_this_harbor_has_events_and_only_others_their_labels(
    harbor: LoopbackHarbor, make_harbor: Callable[..., LoopbackHarbor], admin: Any
) -> None:
    """The info of an endpoint tells what a rule with it can have."""
    far = make_harbor()
    for each, label in ((harbor, "ours"), (far, "theirs")):
        each.add_label(label)
    admin("POST", "/registries", {"name": "far", "type": "harbor", "url": far.url})
    local, other = (admin("GET", f"/registries/{number}/info").json for number in (0, 1))
    assert "event_based" in local["supported_triggers"]
    assert "event_based" not in other["supported_triggers"]
    labels = [each["supported_resource_filters"][2]["values"] for each in (local, other)]
    assert labels == [None, ["theirs"]]


def test_an_address_without_a_host_is_refused(admin: Any) -> None:
    """So is a number that is none."""
    body = {"name": "x", "type": "harbor", "url": "http:///path"}
    assert admin("POST", "/registries", body).codes == ["BAD_REQUEST"]
    assert admin("GET", "/registries/x").codes == ["NOT_FOUND"]


def test_docker_hub_takes_two_components(admin: Any, server: LoopbackRegistry) -> None:
    """A run whose names have more fails before its first task."""
    admin("POST", "/registries", _body(server, type="docker-hub"))
    policy = {"name": "p", "dest_registry": {"id": 1}, "enabled": True, "dest_namespace": "a/b"}
    assert admin("POST", "/replication/policies", policy).status == 201
