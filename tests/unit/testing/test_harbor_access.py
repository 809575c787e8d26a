"""Who calls the emulated Harbor, and what they may do."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.testing.harbor_access import ANYBODY, LOCK_SECONDS, ROLES, Identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import FakeClock, LoopbackHarbor


def _user(harbor: LoopbackHarbor, role: str) -> Identity:
    user = harbor.add_user(role, "Secret-1", roles={"app": role})
    return Identity(name=role, user=user)


@pytest.mark.parametrize(
    ("resource", "action", "allowed"),
    [
        ("repository", "pull", ROLES),
        ("repository", "push", ROLES[:3]),
        ("artifact", "delete", ROLES[:2]),
        ("member", "create", ROLES[:1]),
        ("label", "list", ROLES[:4]),
        ("project", "read", ROLES),
    ],
)
def test_a_role_grants_what_it_grants(
    harbor: LoopbackHarbor, resource: str, action: str, allowed: tuple[str, ...]
) -> None:
    """The roles are an order: each may what the next one may, and more."""
    project = harbor.state.project("app")
    granted = tuple(role for role in ROLES if _user(harbor, role).may(project, resource, action))
    assert granted == allowed


def test_an_administrator_may_everything(harbor: LoopbackHarbor) -> None:
    """In every project and in the system."""
    admin = Identity(name="admin", user=harbor.state.users["admin"])
    assert admin.may(harbor.state.project("app"), "anything", "at all")
    assert admin.may_in_system("registry", "create")
    assert admin.admin


def test_anybody_may_read_what_is_public(harbor: LoopbackHarbor) -> None:
    """But neither write there nor see what is private."""
    public, private = harbor.state.project("library"), harbor.state.project("app")
    assert ANYBODY.may(public, "repository", "pull")
    assert not ANYBODY.may(public, "repository", "push")
    assert not ANYBODY.may(private, "repository", "pull")
    assert not ANYBODY.may_in_system("catalog", "read")
    assert ANYBODY.sees(public)
    assert not ANYBODY.sees(private)


def test_a_robot_may_what_its_blocks_say(harbor: LoopbackHarbor) -> None:
    """In its own project, in none of the others, and in the system only if told."""
    harbor.add_project("other")
    robot = harbor.add_robot("ci", project="app", access=["tag:list"], system=["catalog:read"])
    identity = Identity(name=robot.name, robot=robot)
    assert identity.may(harbor.state.project("app"), "tag", "list")
    assert not identity.may(harbor.state.project("app"), "tag", "delete")
    assert not identity.may(harbor.state.project("other"), "tag", "list")
    assert identity.may_in_system("catalog", "read")
    assert not identity.may_in_system("registry", "list")
    assert identity.sees(harbor.state.project("app"))
    assert not identity.sees(harbor.state.project("other"))


def test_a_robot_of_the_system_can_have_all_projects(harbor: LoopbackHarbor) -> None:
    """Their namespace is a star."""
    robot = harbor.add_robot("reader", access=["repository:pull"])
    assert Identity(robot=robot).may(harbor.state.project("app"), "repository", "pull")


def test_a_right_password_logs_in(harbor: LoopbackHarbor, log_in: Callable[..., Any]) -> None:
    """A wrong one, an unknown name and a garbled header make it nobody."""
    client = log_in(harbor, "admin", "Harbor12345")
    assert client("GET", "/users/current").status == 200
    for name, password in (("admin", "wrong"), ("nobody", "x")):
        client = log_in(harbor, name, password)
        assert client("GET", "/users/current").status == 401


@pytest.mark.parametrize("header", ["Basic a", f"Basic {base64.b64encode(b'x').decode()}", "Other"])
def test_a_header_that_says_nothing_logs_nobody_in(
    harbor: LoopbackHarbor, log_in: Callable[..., Any], header: str
) -> None:
    """It is as if it were not there."""
    client = log_in(harbor)
    assert client("GET", "/users/current", Authorization=header).status == 401


def test_a_wrong_password_locks_its_user(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, log_in: Callable[..., Any]
) -> None:
    """Its answer is held, and till then the right password is refused too (HARBOR-5)."""
    right, wrong = log_in(harbor, "admin", "Harbor12345"), log_in(harbor, "admin", "wrong")
    assert wrong("GET", "/users/current").status == 401
    assert harbor_clock.slept == (LOCK_SECONDS,)
    harbor.state.locked["admin"] = harbor_clock.now() + timedelta(seconds=LOCK_SECONDS)
    assert right("GET", "/users/current").status == 401
    assert harbor_clock.slept == (LOCK_SECONDS,), "a locked user is refused at once"
    harbor_clock.advance(LOCK_SECONDS)
    assert right("GET", "/users/current").status == 200


def test_a_robots_wrong_secret_locks_nobody(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, log_in: Callable[..., Any]
) -> None:
    """Nor is it answered late (HARBOR-5)."""
    robot = harbor.add_robot("ci", project="app")
    assert log_in(harbor, robot.name, "wrong")("GET", "/v2/").status == 401
    assert harbor_clock.slept == ()
    assert log_in(harbor, robot.name, robot.secret)("GET", "/v2/").status == 200


def test_a_robot_that_is_disabled_or_expired_is_nobody(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, log_in: Callable[..., Any]
) -> None:
    """With the right secret all the same."""
    robot = harbor.add_robot("ci", project="app", days=1)
    client = log_in(harbor, robot.name, robot.secret)
    assert client("GET", "/v2/").status == 200
    harbor_clock.advance(86_400)
    assert client("GET", "/v2/").status == 401
    robot.expires = -1
    robot.disabled = True
    assert client("GET", "/v2/").status == 401


def test_the_prefix_of_robots_is_a_setting(
    harbor: LoopbackHarbor, log_in: Callable[..., Any]
) -> None:
    """Never take it for granted (HARBOR-5)."""
    harbor.state.settings["robot_name_prefix"] = "bot-"
    robot = harbor.add_robot("ci", project="app")
    assert robot.name == "bot-app+ci"
    assert log_in(harbor, robot.name, robot.secret)("GET", "/v2/").status == 200


def test_a_role_that_is_none_grants_nothing(harbor: LoopbackHarbor) -> None:
    """Nor does being a user without any."""
    stranger = Identity(name="x", user=harbor.add_user("x", "y"))
    assert stranger.role(harbor.state.project("app")) == ""
    assert not stranger.may(harbor.state.project("app"), "project", "read")
    assert stranger.known
