"""The table of the emulated Harbor's API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync.testing.harbor_router import route
from harborsync.testing.harbor_wire import done

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import LoopbackHarbor


def test_a_route_exists_in_its_versions() -> None:
    """From the first that has it to the last."""
    one = route("GET", "/x/{name}", done, since=(2, 8), until=(2, 13))
    assert [one.exists(each) for each in ((2, 7), (2, 8), (2, 12), (2, 13))] == [
        False,
        True,
        True,
        False,
    ]
    found = one.path.fullmatch("/api/v2.0/x/a%2Fb")
    assert found is not None
    assert found["name"] == "a%2Fb"


def test_an_unknown_path_is_told_in_json_below_the_api(admin: Any) -> None:
    """Anywhere else it is a page (HARBOR-1)."""
    assert admin("GET", "/no-such").headers["Content-Type"].startswith("text/html")
    for path in ("/api/v2.0/no-such", "/api/other"):
        reply = admin("GET", path)
        assert (reply.status, reply.codes) == (404, ["NOT_FOUND"])


def test_a_method_is_told_which_ones_there_are(admin: Any) -> None:
    """In the message, as Harbor does."""
    reply = admin("PATCH", "/projects", {})
    assert (reply.status, reply.codes) == (405, ["METHOD_NOT_ALLOWED"])
    assert "[HEAD,POST,GET]" in reply.json["errors"][0]["message"]


def test_slashes_are_merged_and_one_at_the_end_is_ignored(admin: Any) -> None:
    """Before a path is looked up (HARBOR-4)."""
    assert admin("GET", "/api/v2.0//projects///app").status == 200
    assert admin("GET", "/projects/app/metadatas/").status == 200


def test_a_semicolon_in_a_query_is_refused(admin: Any) -> None:
    """So early that the answer has neither session nor number (HARBOR-3)."""
    reply = admin("GET", "/projects?a=1;b=2")
    assert (reply.status, reply.codes) == (400, ["BAD_REQUEST"])
    assert reply.headers["Set-Cookie"] is None
    assert reply.headers["X-Request-Id"] is None


def test_a_cookie_wants_a_proof_with_a_write(admin: Any) -> None:
    """Credentials beside it do not help; reading is free (HARBOR-5)."""
    cookie = admin("GET", "/systeminfo").headers["Set-Cookie"].partition(";")[0]
    reply = admin("POST", "/projects", {"project_name": "x"}, Cookie=cookie)
    assert (reply.status, reply.codes) == (403, ["FORBIDDEN"])
    assert admin("GET", "/projects", Cookie=cookie).status == 200


def test_a_requests_number_is_given_back(admin: Any) -> None:
    """Or made, if there is none."""
    assert admin("GET", "/ping", X_Request_Id="mine").headers["X-Request-Id"] == "mine"
    assert len(admin("GET", "/ping").headers["X-Request-Id"]) == 36


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"{nope", "application/json"), (b"[]", "application/json"), (b"{}", "text/plain")],
)
def test_a_body_must_be_json_and_say_so(admin: Any, body: bytes, kind: str) -> None:
    """Else it does not fit the API's description."""
    reply = admin("POST", "/projects", body, Content_Type=kind)
    assert (reply.status, reply.codes) == (422, ["UNPROCESSABLE_ENTITY"])


def test_a_page_that_is_too_large_is_refused_before_anything_else(admin: Any, anybody: Any) -> None:
    """Even by a project that is not there, and to nobody."""
    assert admin("GET", "/projects/absent/repositories?page_size=101").status == 422
    assert anybody("GET", "/projects/app/repositories?page_size=101").status == 422


def test_pages_are_linked(harbor: LoopbackHarbor, admin: Any) -> None:
    """By addresses without host, whose query is not escaped as it should be (HARBOR-3)."""
    for name in "abc":
        harbor.add_project(f"p-{name}")
    first = admin("GET", "/projects?page_size=1&q=name%3D~p-&with_detail=false")
    assert first.headers["X-Total-Count"] == "3"
    assert first.headers["Link"] == (
        '</api/v2.0/projects?page=2&page_size=1&q=name=~p-&with_detail=false>; rel="next"'
    )
    middle = admin("GET", "/projects?page=2&page_size=1&q=name%3D~p-")
    assert middle.headers["Link"].count(" , ") == 1
    assert 'rel="prev"' in middle.headers["Link"]
    last = admin("GET", "/projects?page=3&page_size=1&q=name%3D~p-")
    assert 'rel="next"' not in last.headers["Link"]
    past = admin("GET", "/projects?page=9&page_size=1&q=name%3D~p-")
    assert (past.json, past.headers["Link"]) == ([], None)


def test_a_name_of_digits_is_a_number_unless_told(harbor: LoopbackHarbor, admin: Any) -> None:
    """A header tells (HARBOR-4)."""
    harbor.add_project("123")
    assert admin("GET", "/projects/123").status == 404
    assert admin("GET", "/projects/123", X_Is_Resource_Name="true").json["name"] == "123"
    assert admin("GET", "/projects/1").json["name"] == "library"


def test_who_is_not_known_is_told_to_log_in(
    harbor: LoopbackHarbor, admin: Any, anybody: Any, log_in: Callable[..., Any]
) -> None:
    """Whether there is a project or not; others are told which it is (HARBOR-2)."""
    robot = harbor.add_robot("ci", project="app", access=["repository:pull"])
    client = log_in(harbor, robot.name, robot.secret)
    for path in ("/projects/app/repositories", "/projects/absent/repositories", "/quotas"):
        assert anybody("GET", path).status == 401
    assert client("GET", "/projects/app/repositories").codes == ["FORBIDDEN"]
    assert client("GET", "/quotas").json["errors"][0]["message"] == robot.name
    assert admin("GET", "/projects/absent/repositories").codes == ["NOT_FOUND"]


def test_nothing_is_written_in_read_only_mode(harbor: LoopbackHarbor, admin: Any) -> None:
    """On both faces; only the mode itself can be changed (HARBOR-6)."""
    assert admin("PUT", "/configurations", {"read_only": True}).status == 200
    for method, path in (
        ("POST", "/labels"),
        ("POST", "/v2/app/web/blobs/uploads/"),
        ("DELETE", "/projects/app"),
    ):
        reply = admin(method, path, {})
        assert (reply.status, reply.codes) == (403, ["DENIED"])
    assert admin("GET", "/projects/app").status == 200
    assert admin("PUT", "/configurations", {"read_only": False}).status == 200
    assert admin("DELETE", "/projects/app").status == 200
    assert harbor.state.find_project("app") is None
