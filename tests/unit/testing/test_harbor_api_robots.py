"""Robot accounts in the API of the emulated Harbor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import LoopbackHarbor

_PULL: Final = [
    {
        "kind": "project",
        "namespace": "app",
        "access": [{"resource": "repository", "action": "pull"}],
    }
]
_SYSTEM: Final = [
    {"kind": "system", "namespace": "/", "access": [{"resource": "catalog", "action": "read"}]}
]


def _body(**change: Any) -> dict[str, Any]:
    return {"name": "ci", "level": "project", "duration": -1, "permissions": _PULL, **change}


def test_a_robot_is_made_and_its_secret_told_once(
    harbor: LoopbackHarbor, admin: Any, log_in: Callable[..., Any]
) -> None:
    """Its name has the prefix and the project; a second of that name is a conflict."""
    reply = admin("POST", "/robots", _body())
    assert (reply.status, reply.headers["Location"]) == (201, "/api/v2.0/robots/1")
    made = reply.json
    assert (made["name"], made["expires_at"]) == ("robot$app+ci", -1)
    assert log_in(harbor, made["name"], made["secret"])("GET", "/v2/").status == 200
    assert "secret" not in admin("GET", "/robots/1").json
    assert admin("POST", "/robots", _body()).codes == ["CONFLICT"]


def test_a_robot_of_the_system_has_both_kinds_of_permissions(admin: Any) -> None:
    """It expires after so many days."""
    body = _body(name="sync", level="system", duration=90, permissions=_PULL + _SYSTEM)
    made = admin("POST", "/robots", {**body, "description": "moves images"}).json
    assert made["name"] == "robot$sync"
    shown = admin("GET", f"/robots/{made['id']}").json
    assert shown["expires_at"] == made["expires_at"] == 1767225600 + 90 * 86_400
    assert (shown["description"], shown["level"]) == ("moves images", "system")
    assert shown["permissions"] == [
        {"access": each["access"], "kind": each["kind"], "namespace": each["namespace"]}
        for each in _PULL + _SYSTEM
    ]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"duration": 0}, 400),
        ({"duration": -2}, 400),
        ({"level": "galaxy"}, 400),
        ({"name": "Bad Name"}, 400),
        ({"permissions": []}, 400),
        ({"level": "system", "permissions": []}, 400),
        ({"permissions": [{**_PULL[0], "access": []}]}, 400),
        (
            {
                "permissions": [
                    {**_PULL[0], "access": [{"resource": "repository", "action": "fly"}]}
                ]
            },
            400,
        ),
        ({"permissions": [{**_PULL[0], "namespace": "absent"}]}, 404),
        ({"level": "system", "permissions": [{**_PULL[0], "namespace": "absent"}]}, 404),
        ({"permissions": [*_PULL, {**_PULL[0], "namespace": "library"}]}, 400),
        ({"permissions": [{**_PULL[0], "kind": "galaxy"}]}, 400),
    ],
)
def test_a_robot_that_cannot_be_is_refused(admin: Any, change: dict[str, Any], status: int) -> None:
    """By its duration, level, name or permissions."""
    assert admin("POST", "/robots", _body(**change)).status == status


def test_robots_are_listed_by_level(harbor: LoopbackHarbor, admin: Any) -> None:
    """Those of the system unless a query names a project."""
    harbor.add_robot("one")
    harbor.add_robot("two", project="app")
    harbor.add_robot("three")

    def names(query: str = "") -> list[str]:
        return [each["name"] for each in admin("GET", f"/robots{query}").json]

    assert names() == ["robot$three", "robot$one"]
    assert names("?q=Level%3Dsystem") == ["robot$three", "robot$one"]
    assert names("?q=Level%3Dproject,ProjectID%3D2") == ["robot$app+two"]
    assert admin("GET", "/robots?q=Level%3Dgalaxy").codes == ["BAD_REQUEST"]
    assert admin("GET", "/robots?q=Level%3Dproject").codes == ["BAD_REQUEST"]
    assert admin("GET", "/robots?q=Level%3Dproject,ProjectID%3D99").codes == ["NOT_FOUND"]


def test_a_secret_is_rotated(harbor: LoopbackHarbor, admin: Any) -> None:
    """To the one told, which must be strong, or to a new one, which is told."""
    robot = harbor.add_robot("ci", project="app")
    assert admin("PATCH", "/robots/1", {"secret": "Chosen-Secret-123"}).json == {}
    assert robot.secret == "Chosen-Secret-123"
    assert admin("PATCH", "/robots/1", {"secret": "weak"}).codes == ["BAD_REQUEST"]
    assert admin("PATCH", "/robots/1", {}).json == {"secret": robot.secret}
    assert robot.secret != "Chosen-Secret-123"


def test_a_robot_is_changed(harbor: LoopbackHarbor, admin: Any) -> None:
    """Disabled, described, given another term; its name stays."""
    robot = harbor.add_robot("ci", project="app")
    body = _body(name=robot.name, disable=True, description="old", duration=1)
    assert admin("PUT", "/robots/1", body).status == 200
    assert (robot.disabled, robot.description) == (True, "old")
    assert robot.expires == 1767225600 + 86_400
    assert admin("PUT", "/robots/1", _body(name=robot.name)).status == 200
    assert (robot.disabled, robot.expires) == (False, -1)
    for change in ({"name": "ci"}, {"name": robot.name, "level": "system"}):
        assert admin("PUT", "/robots/1", _body(**change)).codes == ["BAD_REQUEST"]


def test_a_robot_is_deleted(harbor: LoopbackHarbor, admin: Any, log_in: Any) -> None:
    """And can log in no more."""
    robot = harbor.add_robot("ci", project="app")
    assert admin("DELETE", "/robots/1").status == 200
    assert log_in(harbor, robot.name, robot.secret)("GET", "/v2/").status == 401
    assert admin("DELETE", "/robots/1").codes == ["NOT_FOUND"]
    assert admin("GET", "/robots/x").codes == ["NOT_FOUND"]


def test_who_may_keep_robots(harbor: LoopbackHarbor, log_in: Callable[..., Any]) -> None:
    """Those of a project its administrators, those of the system Harbor's."""
    harbor.add_user("ann", "Secret-1", roles={"app": "projectAdmin"})
    ann = log_in(harbor, "ann", "Secret-1")
    assert ann("POST", "/robots", _body()).status == 201
    assert ann("GET", "/robots/1").status == 200
    assert ann("POST", "/robots", _body(level="system")).status == 403
    assert ann("GET", "/robots").status == 403
    assert ann("GET", "/robots/99").status == 404
    assert log_in(harbor)("GET", "/robots/99").status == 401


def test_a_robot_can_make_robots(harbor: LoopbackHarbor, log_in: Callable[..., Any]) -> None:
    """If it was given that; the new one has no user for its maker."""
    maker = harbor.add_robot("maker", project="app", access=["robot:create"])
    client = log_in(harbor, maker.name, maker.secret)
    assert client("POST", "/robots", _body()).status == 201
    assert harbor.state.robots[2].creator == 0


def test_administrators_see_what_can_be_granted(
    harbor: LoopbackHarbor, admin: Any, anybody: Any, log_in: Callable[..., Any]
) -> None:
    """Those of a project too, robots not (HARBOR-11)."""
    shown = admin("GET", "/permissions").json
    assert {"action": "pull", "resource": "repository"} in shown["project"]
    assert {"action": "list", "resource": "registry"} in shown["system"]
    harbor.add_user("ann", "Secret-1", roles={"app": "projectAdmin"})
    assert log_in(harbor, "ann", "Secret-1")("GET", "/permissions").status == 200
    robot = harbor.add_robot("ci", project="app")
    assert log_in(harbor, robot.name, robot.secret)("GET", "/permissions").status == 403
    assert anybody("GET", "/permissions").status == 401


def test_an_older_harbor_does_not_say_what_can_be_granted(
    make_harbor: Callable[..., LoopbackHarbor], log_in: Callable[..., Any]
) -> None:
    """Since 2.10 only (HARBOR-14)."""
    client = log_in(make_harbor(version="2.8"), "admin", "Harbor12345")
    assert client("GET", "/permissions").status == 404
