"""Labels in the API of the emulated Harbor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import LoopbackHarbor


def _names(reply: Any) -> list[str]:
    return [each.get("name", "") for each in reply.json]


def test_labels_are_made_in_two_scopes(admin: Any, anybody: Any) -> None:
    """A name can be in both; global ones are for everybody to see (HARBOR-7)."""
    for body in (
        {"name": "release", "scope": "g", "color": "#0065AB", "description": "ready & able"},
        {"name": "release", "scope": "p", "project_id": 2},
    ):
        assert admin("POST", "/labels", body).status == 201
        assert admin("POST", "/labels", body).codes == ["CONFLICT"]
    (label,) = anybody("GET", "/labels?scope=g").json
    assert label["description"] == "ready & able"
    (own,) = admin("GET", "/labels?scope=p&project_id=2").json
    assert (own["scope"], own["project_id"]) == ("p", 2)
    assert anybody("GET", "/labels?scope=p&project_id=2").status == 401


def test_hardly_anything_is_looked_at(admin: Any) -> None:
    """An empty name and a project there is not are taken (HARBOR-4)."""
    assert admin("POST", "/labels", {"name": "", "scope": "g"}).status == 201
    assert admin("POST", "/labels", {"name": "x", "scope": "p", "project_id": 99}).status == 201
    assert admin("POST", "/labels", {"name": "x", "scope": "z"}).codes == ["BAD_REQUEST"]


def test_a_name_the_database_has_no_room_for_fails_blankly(admin: Any) -> None:
    """It is 128 letters wide (HARBOR-2)."""
    assert admin("POST", "/labels", {"name": "x" * 128, "scope": "g"}).status == 201
    assert admin("POST", "/labels", {"name": "x" * 129, "scope": "g"}).codes == ["UNKNOWN"]


@pytest.mark.parametrize("query", ["", "?scope=x", "?scope=p", "?scope=p&project_id=0"])
def test_a_list_wants_its_scope(admin: Any, query: str) -> None:
    """And that of a project the project (HARBOR-7)."""
    assert admin("GET", f"/labels{query}").codes == ["BAD_REQUEST"]


def test_a_list_finds_parts_of_names(harbor: LoopbackHarbor, admin: Any) -> None:
    """In the order they were last written."""
    for name in ("release", "rel-2", "other"):
        harbor.add_label(name)
    assert _names(admin("GET", "/labels?scope=g&name=rel")) == ["release", "rel-2"]
    admin("PUT", "/labels/1", {"name": "released"})
    assert _names(admin("GET", "/labels?scope=g")) == ["rel-2", "other", "released"]
    assert _names(admin("GET", "/labels?scope=g&sort=name")) == ["other", "rel-2", "released"]


def test_a_label_is_shown_changed_and_deleted(harbor: LoopbackHarbor, admin: Any) -> None:
    """It falls off everything it was attached to."""
    harbor.push_image("app/web", "1.0")
    label = harbor.add_label("team", project="app")
    harbor.artifact("app/web", "1.0").label_ids.append(label.id)
    harbor.push_image("app/web", "2.0", seed=1)
    assert admin("GET", "/labels/1").json["name"] == "team"
    body = {"name": "team", "description": "ours", "color": "#fff"}
    assert admin("PUT", "/labels/1", body).status == 200
    assert admin("GET", "/labels/1").json["description"] == "ours"
    assert admin("DELETE", "/labels/1").status == 200
    assert harbor.artifact("app/web", "1.0").label_ids == []
    assert admin("GET", "/labels/1").codes == ["NOT_FOUND"]
    assert admin("GET", "/labels/x").codes == ["NOT_FOUND"]


def test_a_label_cannot_take_anothers_name(harbor: LoopbackHarbor, admin: Any) -> None:
    """Not in its own scope."""
    harbor.add_label("a")
    harbor.add_label("b")
    assert admin("PUT", "/labels/2", {"name": "a"}).codes == ["CONFLICT"]


def test_who_may_make_labels(harbor: LoopbackHarbor, log_in: Callable[..., Any]) -> None:
    """Global ones administrators, those of a project whom it grants that."""
    robot = harbor.add_robot("r", project="app", access=["label:create", "label:read"])
    client = log_in(harbor, robot.name, robot.secret)
    body = {"name": "x", "scope": "p", "project_id": 2}
    assert client("POST", "/labels", body).status == 201
    assert client("GET", "/labels/1").status == 200
    assert client("POST", "/labels", {"name": "x", "scope": "g"}).status == 403
    assert client("DELETE", "/labels/1").status == 403
    harbor.add_label("all")
    assert client("GET", "/labels/2").status == 200
