"""Users and members in the API of the emulated Harbor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import LoopbackHarbor

_ANN: Final = {"username": "ann", "password": "Secret-1", "email": "ann@example.com"}


def test_a_user_is_told_who_they_are(
    harbor: LoopbackHarbor, admin: Any, anybody: Any, log_in: Callable[..., Any]
) -> None:
    """A robot is none (HARBOR-1)."""
    harbor.add_user("ann", "Secret-1")
    robot = harbor.add_robot("ci")
    assert admin("GET", "/users/current").json["sysadmin_flag"] is True
    assert log_in(harbor, "ann", "Secret-1")("GET", "/users/current").json["username"] == "ann"
    reply = log_in(harbor, robot.name, robot.secret)("GET", "/users/current")
    assert (reply.status, reply.codes) == (412, ["PRECONDITION"])
    assert anybody("GET", "/users/current").status == 401


def test_a_user_is_made_shown_and_deleted(
    harbor: LoopbackHarbor, admin: Any, log_in: Callable[..., Any]
) -> None:
    """With roles in projects, which end with the account."""
    reply = admin("POST", "/users", {**_ANN, "realname": "Ann", "comment": "new"})
    assert (reply.status, reply.headers["Location"]) == (201, "/api/v2.0/users/2")
    shown = admin("GET", "/users/2").json
    assert (shown["email"], shown["realname"], shown["comment"]) == (
        "ann@example.com",
        "Ann",
        "new",
    )
    ann = log_in(harbor, "ann", "Secret-1")
    assert ann("GET", "/users/2").status == 200
    assert ann("GET", "/users/1").status == 403
    admin("POST", "/projects/app/members", {"role_id": 3, "member_user": {"username": "ann"}})
    assert admin("DELETE", "/users/2").status == 200
    assert admin("GET", "/users/2").codes == ["NOT_FOUND"]
    assert "ann" not in harbor.state.project("app").members
    assert admin("DELETE", "/users/1").codes == ["FORBIDDEN"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"username": "admin"}, 409),
        ({"password": "weak"}, 400),
        ({"email": ""}, 400),
        ({"email": "nobody"}, 400),
    ],
)
def test_a_user_that_cannot_be_is_refused(admin: Any, change: dict[str, str], status: int) -> None:
    """By a name that is taken, a weak password, an address that is none."""
    assert admin("POST", "/users", {**_ANN, **change}).status == status


def test_users_are_listed_and_searched(
    harbor: LoopbackHarbor, admin: Any, anybody: Any, log_in: Callable[..., Any]
) -> None:
    """Listed to administrators, searched by whom is known."""
    admin("POST", "/users", _ANN)
    assert [each["username"] for each in admin("GET", "/users").json] == ["ann", "admin"]
    assert [each["username"] for each in admin("GET", "/users?email=example").json] == ["ann"]
    ann = log_in(harbor, "ann", "Secret-1")
    assert ann("GET", "/users").status == 403
    found = ann("GET", "/users/search?username=adm").json
    assert found == [{"user_id": 1, "username": "admin"}]
    assert anybody("GET", "/users/search?username=adm").status == 401
    assert anybody("GET", "/users/1").status == 401


def test_a_password_is_changed(
    harbor: LoopbackHarbor, admin: Any, log_in: Callable[..., Any]
) -> None:
    """One's own by telling the old one, another's by an administrator."""
    admin("POST", "/users", _ANN)
    ann = log_in(harbor, "ann", "Secret-1")
    wrong = {"old_password": "x", "new_password": "Secret-2"}
    assert ann("PUT", "/users/2/password", wrong).status == 403
    same = {"old_password": "Secret-1", "new_password": "Secret-1"}
    assert ann("PUT", "/users/2/password", same).status == 400
    assert admin("PUT", "/users/2/password", {"new_password": "Secret-2"}).status == 200
    assert log_in(harbor, "ann", "Secret-2")("GET", "/users/current").status == 200


def test_a_user_becomes_an_administrator(harbor: LoopbackHarbor, admin: Any) -> None:
    """And stops to be one."""
    admin("POST", "/users", _ANN)
    assert admin("PUT", "/users/2/sysadmin", {"sysadmin_flag": True}).status == 200
    assert harbor.state.users["ann"].admin
    assert admin("PUT", "/users/2/sysadmin", {"sysadmin_flag": False}).status == 200
    assert not harbor.state.users["ann"].admin


def test_a_member_has_a_role(
    harbor: LoopbackHarbor, admin: Any, log_in: Callable[..., Any]
) -> None:
    """Given, changed and taken away."""
    admin("POST", "/users", _ANN)
    body = {"role_id": 2, "member_user": {"username": "ann"}}
    reply = admin("POST", "/projects/app/members", body)
    where = reply.headers["Location"]
    assert reply.status == 201
    assert admin("POST", "/projects/app/members", body).codes == ["CONFLICT"]
    owner, ann = admin("GET", "/projects/app/members").json
    assert (owner["role_name"], ann["role_name"], ann["role_id"]) == (
        "projectAdmin",
        "developer",
        2,
    )
    assert admin("GET", where).json == ann
    client = log_in(harbor, "ann", "Secret-1")
    assert client("POST", "/v2/app/web/blobs/uploads/").status == 202
    assert admin("PUT", where, {"role_id": 3}).status == 200
    assert client("POST", "/v2/app/web/blobs/uploads/").status == 401
    assert client("POST", "/projects/app/members", body).status == 403
    assert admin("DELETE", where).status == 200
    assert admin("DELETE", where).codes == ["NOT_FOUND"]
    assert [each["entity_name"] for each in admin("GET", "/projects/app/members").json] == ["admin"]


def test_a_member_that_cannot_be_is_refused(admin: Any) -> None:
    """By a role or a user there is not."""
    nobody = {"role_id": 2, "member_user": {"username": "nobody"}}
    assert admin("POST", "/projects/app/members", nobody).codes == ["NOT_FOUND"]
    king = {"role_id": 9, "member_user": {"username": "admin"}}
    assert admin("POST", "/projects/app/members", king).codes == ["BAD_REQUEST"]
