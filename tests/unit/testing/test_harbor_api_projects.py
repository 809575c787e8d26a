"""Projects in the API of the emulated Harbor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import LoopbackHarbor


def test_a_project_is_made_with_its_metadata(harbor: LoopbackHarbor, admin: Any) -> None:
    """All metadata are strings; where it is has the number, or the name if wanted (HARBOR-7)."""
    reply = admin(
        "POST", "/projects", {"project_name": "new", "metadata": {"auto_scan": "true", "x": "y"}}
    )
    assert (reply.status, reply.headers["Location"]) == (201, "/api/v2.0/projects/3")
    metadata = admin("GET", "/projects/new").json["metadata"]
    assert metadata == {"public": "false", "auto_scan": "true"}
    named = {"project_name": "old", "public": True, "storage_limit": 99}
    reply = admin("POST", "/projects", named, X_Resource_Name_In_Location="true")
    assert reply.headers["Location"] == "/api/v2.0/projects/old"
    assert harbor.state.project("old").public
    assert harbor.state.project("old").limit == 99


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("app", 409, "CONFLICT"),
        ("App", 400, "BAD_REQUEST"),
        ("a/b", 400, "BAD_REQUEST"),
        ("", 400, "BAD_REQUEST"),
        ("n" * 256, 422, "UNPROCESSABLE_ENTITY"),
    ],
)
def test_a_name_that_will_not_do_is_refused(admin: Any, name: str, status: int, code: str) -> None:
    """Taken, with capitals or a slash, empty, too long."""
    reply = admin("POST", "/projects", {"project_name": name})
    assert (reply.status, reply.codes) == (status, [code])


@pytest.mark.parametrize(
    "change",
    [
        {"project_name": 5},
        {"public": "yes"},
        {"storage_limit": "1"},
        {"metadata": {"public": False}},
        {"metadata": []},
    ],
)
def test_a_field_of_another_type_is_refused(admin: Any, change: dict[str, Any]) -> None:
    """Metadata are strings, whatever they say (HARBOR-7)."""
    reply = admin("POST", "/projects", {"project_name": "new", **change})
    assert (reply.status, reply.codes) == (422, ["UNPROCESSABLE_ENTITY"])


def test_what_a_new_project_cannot_be(
    harbor: LoopbackHarbor, admin: Any, log_in: Callable[..., Any]
) -> None:
    """Half public, or a cache made by somebody; no limit at all is the usual one."""
    half = {"project_name": "new", "metadata": {"public": "half"}}
    assert admin("POST", "/projects", half).codes == ["BAD_REQUEST"]
    robot = harbor.add_robot("sync")
    cache = {"project_name": "new", "registry_id": 1}
    assert log_in(harbor, robot.name, robot.secret)("POST", "/projects", cache).status == 403
    harbor.state.settings["storage_per_project"] = 5
    assert admin("POST", "/projects", {"project_name": "new", "storage_limit": 0}).status == 201
    assert harbor.state.project("new").limit == 5


def test_who_may_make_projects(
    harbor: LoopbackHarbor, anybody: Any, log_in: Callable[..., Any]
) -> None:
    """Everybody who is known, but no robot of a project (HARBOR-11)."""
    harbor.add_user("ann", "Secret-1")
    of_project = harbor.add_robot("ci", project="app")
    of_system = harbor.add_robot("sync")
    chosen = harbor.add_robot("maker", system=["project:create"])
    ann = log_in(harbor, "ann", "Secret-1")

    def make(client: Any, name: str) -> int:
        status: int = client("POST", "/projects", {"project_name": name}).status
        return status

    assert make(anybody, "a") == 401
    assert make(ann, "a") == 201
    assert harbor.state.project("a").owner.name == "ann"
    assert harbor.state.project("a").limit == -1
    assert make(log_in(harbor, of_project.name, of_project.secret), "b") == 403
    assert make(log_in(harbor, of_system.name, of_system.secret), "b") == 201
    harbor.state.settings["project_creation_restriction"] = "adminonly"
    assert make(ann, "c") == 403
    assert make(log_in(harbor, of_system.name, of_system.secret), "c") == 403
    assert make(log_in(harbor, chosen.name, chosen.secret), "c") == 201


def test_a_project_is_there_or_not(admin: Any, anybody: Any) -> None:
    """Whoever may see it can ask, with a HEAD (HARBOR-7)."""
    assert admin("HEAD", "/projects?project_name=app").status == 200
    assert anybody("HEAD", "/projects?project_name=library").status == 200
    assert anybody("HEAD", "/projects?project_name=absent").status == 401
    assert admin("HEAD", "/projects?project_name=absent").status == 404
    assert anybody("HEAD", "/projects?project_name=app").status == 401


def test_a_list_shows_what_one_may_see(
    harbor: LoopbackHarbor, admin: Any, anybody: Any, log_in: Callable[..., Any]
) -> None:
    """Public ones to everybody; a project's to its members and robots (HARBOR-7)."""
    harbor.add_project("other")
    harbor.add_user("ann", "Secret-1", roles={"other": "guest"})
    robot = harbor.add_robot("ci", project="app")

    def names(client: Any, query: str = "") -> list[str]:
        return [each["name"] for each in client("GET", f"/projects{query}").json]

    assert names(admin) == ["app", "library", "other"]
    assert names(anybody) == ["library"]
    assert names(log_in(harbor, "ann", "Secret-1")) == ["library", "other"]
    assert names(log_in(harbor, robot.name, robot.secret)) == ["app", "library"]
    assert names(admin, "?name=o") == ["other"]
    assert names(admin, "?public=true") == ["library"]
    assert names(admin, "?public=false&owner=admin") == ["app", "other"]
    assert names(admin, "?owner=ann") == []
    assert names(admin, "?q=name%3D~p&sort=-name") == ["app"]


def test_a_list_can_leave_the_details_out(admin: Any) -> None:
    """Metadata and the owner's name are such (HARBOR-7)."""
    whole = admin("GET", "/projects").json[0]
    bare = admin("GET", "/projects?with_detail=false").json[0]
    assert whole["metadata"] == {"public": "false"}
    assert {"metadata", "owner_name"} & bare.keys() == set()
    assert (whole["current_user_role_id"], whole["current_user_role_ids"]) == (1, [1])


def test_a_project_is_changed_by_its_metadata(admin: Any) -> None:
    """Those that are named; the others stay."""
    assert admin("PUT", "/projects/app", {"metadata": {"public": "true"}}).status == 200
    assert admin("GET", "/projects/app").json["metadata"] == {"public": "true"}


def test_an_entry_of_the_metadata_is_set_by_itself(admin: Any) -> None:
    """Changed and taken away, too; not every one can be, and not to everything."""
    where = "/projects/app/metadatas"
    assert admin("POST", f"{where}/", {"severity": "High"}).status == 200
    assert admin("PUT", f"{where}/public", {"public": "true"}).status == 200
    assert admin("GET", where).json == {"public": "true", "severity": "high"}
    assert admin("DELETE", f"{where}/severity").status == 200
    assert admin("GET", where).json == {"public": "true"}
    for body in (
        {"public": "yes"},
        {"retention_id": "1"},
        {},
        {"public": "true", "auto_scan": "1"},
    ):
        assert admin("POST", where, body).codes == ["BAD_REQUEST"]


def test_a_project_goes_only_when_it_is_empty(harbor: LoopbackHarbor, admin: Any) -> None:
    """One can ask before (HARBOR-2)."""
    harbor.push_image("app/web", "1.0")
    assert admin("GET", "/projects/app/_deletable").json["deletable"] is False
    reply = admin("DELETE", "/projects/app")
    assert (reply.status, reply.codes) == (412, ["PRECONDITION"])
    admin("DELETE", "/projects/app/repositories/web")
    assert admin("GET", "/projects/app/_deletable").json == {"deletable": True}
    assert admin("DELETE", "/projects/app").status == 200


def test_a_project_takes_its_robots_and_labels_along(harbor: LoopbackHarbor, admin: Any) -> None:
    """So that their names are free for the next one."""
    harbor.add_robot("ci", project="app")
    kept = harbor.add_robot("sync")
    harbor.add_label("team", project="app")
    assert admin("DELETE", "/projects/app").status == 200
    assert list(harbor.state.robots.values()) == [kept]
    assert harbor.state.labels == {}
    harbor.add_project("app")
    assert harbor.add_robot("ci", project="app").name == "robot$app+ci"


def test_a_summary_counts(harbor: LoopbackHarbor, admin: Any, log_in: Callable[..., Any]) -> None:
    """Members are for those who may list them; everybody sees the repositories."""
    harbor.push_image("app/web", "1.0")
    summary = admin("GET", "/projects/app/summary").json
    assert (summary["repo_count"], summary["project_admin_count"]) == (1, 1)
    assert summary["quota"]["used"]["storage"] == harbor.state.project("app").used > 0
    robot = harbor.add_robot("r", project="app", access=["project:read"])
    seen = log_in(harbor, robot.name, robot.secret)("GET", "/projects/app/summary").json
    assert "project_admin_count" not in seen
    public = log_in(harbor)("GET", "/projects/library/summary").json
    assert public == {"repo_count": 0}
