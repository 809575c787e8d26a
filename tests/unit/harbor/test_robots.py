"""Robots may do what they are for and nothing else; their secrets show nowhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync.errors import ConfigurationError, InvalidValue, NotFound, RegistryError, Side
from harborsync.harbor.robots import (
    FOREVER,
    Permission,
    Robot,
    _told_secret,
    robot_for,
    robot_for_rule,
    robot_mistakes,
)
from harborsync.permissions.harbor import Access, Kind, Purpose, needed
from harborsync.rule import ReplicationRule
from harborsync.secrets import Secret
from harborsync.testing import faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.harbor.client import Harbor
    from harborsync.testing import FakeClock, LoopbackHarbor

READER = robot_for([Purpose.PULL], name="reader", projects=["app"])


def rule(**fields: object) -> ReplicationRule:
    """Make a rule from one Harbor to another."""
    wish: dict[str, object] = {
        "name": "Nightly_1",
        "source": "harbor://one.example/app/team",
        "destinations": ["harbor://two.example/mirror", "harbor://two.example/backup/app"],
        "where": "everything",
        **fields,
    }
    return ReplicationRule(**wish)  # type: ignore[arg-type]


def test_a_robot_of_one_project_is_a_robot_of_that_project() -> None:
    """Others cannot even see it."""
    assert READER.level is Kind.PROJECT
    assert READER.permissions == (
        Permission(namespace="app", access=(Access("repository", "pull"),)),
    )


@pytest.mark.parametrize(
    ("purposes", "projects"),
    [
        ([Purpose.PULL], ["app", "base"]),
        ([Purpose.PULL], ["*"]),
        ([Purpose.PULL, Purpose.CREATE_PROJECT], ["app"]),
        ([Purpose.REPLICATION], []),
    ],
)
def test_any_other_robot_is_one_of_the_system(purposes: list[Purpose], projects: list[str]) -> None:
    """Several projects, all of them, or rights of the system; none is faulty."""
    robot = robot_for(purposes, name="reader", projects=projects)
    assert robot.level is Kind.SYSTEM
    assert not list(robot_mistakes(robot))
    assert robot.is_broad is ("*" in projects)


def test_a_rules_reader_reads_its_source_and_nothing_else() -> None:
    """The project is the one its endpoint names."""
    robot = robot_for_rule(rule(), Side.SOURCE)
    assert robot.name == "nightly-1-reads"
    assert robot.level is Kind.PROJECT
    (permission,) = robot.permissions
    assert permission.namespace == "app"
    assert {access.action for access in permission.access} == {"pull", "list", "read"}
    assert not list(robot_mistakes(robot))


def test_a_rules_writer_writes_its_destinations_and_what_else_is_asked() -> None:
    """Deleting, labels and making projects are extras."""
    robot = robot_for_rule(
        rule(metadata=("labels",)),
        Side.DESTINATION,
        also=[Purpose.PRUNE, Purpose.CREATE_PROJECT],
        days=FOREVER,
    )
    assert [each.namespace for each in robot.permissions] == ["mirror", "backup", "/"]
    granted = set(robot.permissions[0].access)
    assert set(needed(Purpose.PUSH, Purpose.METADATA, Purpose.PRUNE)) <= granted
    assert robot.permissions[-1].access == (Access("project", "create"),)
    reader = robot_for_rule(rule(metadata=("labels",)), Side.SOURCE)
    assert not set(needed(Purpose.METADATA)) & {*reader.permissions[0].access} - {
        Access("label", "list")
    }
    plain = robot_for_rule(rule(), Side.DESTINATION)
    actions = {access.action for each in plain.permissions for access in each.access}
    assert actions == {"pull", "push", "list", "read"}


def test_a_rule_that_names_full_repositories_names_their_projects() -> None:
    """Where its endpoint does not."""
    wish = rule(source="harbor://one.example", repositories=("app/web", "app/api", "base/go"))
    robot = robot_for_rule(wish, Side.SOURCE)
    assert [each.namespace for each in robot.permissions] == ["app", "base"]


def test_a_rule_that_names_no_project_wants_them_said() -> None:
    """Every project is never taken silently."""
    wish = rule(source="harbor://one.example")
    with pytest.raises(ConfigurationError, match="does not name the projects at its source"):
        robot_for_rule(wish, Side.SOURCE)
    assert robot_for_rule(wish, Side.SOURCE, projects=["*"]).is_broad
    wish = rule(destinations=["harbor://two.example"], repositories=("app/team/web",))
    with pytest.raises(ConfigurationError, match="does not name the projects at its destination"):
        robot_for_rule(wish, Side.DESTINATION)


def may(access: str, *, kind: Kind = Kind.PROJECT, namespace: str = "app") -> dict[str, object]:
    """Change what a robot may do."""
    permission = Permission(kind=kind, namespace=namespace, access=(Access.parse(access),))
    return {"level": Kind.SYSTEM, "permissions": (permission,)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": ""}, "empty"),
        ({"name": "Bad Name"}, "no robot's name"),
        ({"name": "robot$reader"}, "no robot's name"),
        ({"duration": 0}, "no days"),
        ({"duration": -2}, "no days"),
        ({"permissions": ()}, "it may do nothing"),
        ({"permissions": READER.permissions * 2}, "in one project"),
        ({"permissions": (Permission(namespace="app"),)}, "it allows nothing"),
        (may("repository:pull", namespace=""), "names no project"),
        (may("repository:pull", namespace="/"), "names no project"),
        (may("registry:list", kind=Kind.SYSTEM), "the system is called '/'"),
        (may("repository:fly"), "repository:fly cannot be granted"),
        (may("teapot:brew"), "teapot:brew cannot be granted"),
        (may("registry:list"), "registry:list is granted for the system"),
        (may("tag:list", kind=Kind.SYSTEM, namespace="/"), "tag:list is granted for the project"),
    ],
)
def test_what_is_wrong_with_a_robot_is_told_before_any_request(
    harbor: Harbor, server: LoopbackHarbor, change: dict[str, object], said: str
) -> None:
    """And what to do instead."""
    wish = attrs.evolve(READER, **change)  # type: ignore[arg-type]
    (mistake,) = robot_mistakes(wish)
    assert said in mistake.what
    assert mistake.remedy
    with pytest.raises(InvalidValue, match="cannot make the robot"):
        harbor.robots.create(wish)
    assert server.requests == ()


def test_a_robot_is_made_and_can_do_what_it_is_for(
    harbor: Harbor, server: LoopbackHarbor, open_as: Callable[[str, str], Harbor]
) -> None:
    """Its secret is told once, and shown nowhere."""
    robot = harbor.robots.create(
        robot_for([Purpose.DISCOVER, Purpose.REPLICATION], name="reader", projects=["app"])
    )
    assert robot.name == "robot$reader"
    assert robot.secret is not None
    assert robot.secret.reveal() not in repr(robot)
    assert robot.id is not None
    assert harbor.robots.get(robot.id).secret is None
    assert list(open_as(robot.name, robot.secret.reveal()).registries.list()) == []


def test_a_robot_of_a_project_is_listed_with_it(harbor: Harbor) -> None:
    """Those of the system are a list of their own."""
    made = harbor.robots.create(READER)
    assert made.name == "robot$app+reader"
    assert [each.name for each in harbor.robots.list(project="app")] == [made.name]
    assert list(harbor.robots.list()) == []
    with pytest.raises(NotFound):
        list(harbor.robots.list(project="nobody"))


def test_a_secret_of_ones_own_is_taken(
    harbor: Harbor, open_as: Callable[[str, str], Harbor]
) -> None:
    """At the making and later; the one before is void."""
    first, second = Secret("Chosen-Secret-1"), Secret("Chosen-Secret-2")
    wish = robot_for([Purpose.REPLICATION], name="keeper", projects=[])
    robot = harbor.robots.create(wish, secret=first)
    assert robot.secret == first
    assert list(open_as(robot.name, first.reveal()).registries.list()) == []
    assert harbor.robots.rotate(robot, second) == second
    assert list(open_as(robot.name, second.reveal()).registries.list()) == []


def test_a_robot_that_does_not_get_its_secret_is_told_of(
    harbor: Harbor, server: LoopbackHarbor
) -> None:
    """It is there, and another of its name would be refused."""
    server.faults = faults.FaultScript(faults.on("PATCH", "/robots/", faults.status(403)))
    with pytest.raises(RegistryError, match="cannot change the secret of robot") as caught:
        harbor.robots.create(READER, secret=Secret("Chosen-Secret-1"))
    (robot,) = harbor.robots.list(project="app")
    assert f"{robot.name} is there all the same" in str(caught.value.hint)
    assert f"by id {robot.id}" in str(caught.value.hint)


def test_harbor_makes_a_secret_if_one_has_none(harbor: Harbor) -> None:
    """Another one each time."""
    robot = harbor.robots.create(READER)
    assert robot.id is not None
    assert harbor.robots.rotate(robot.id) != robot.secret
    with pytest.raises(InvalidValue, match="this robot is not known to"):
        harbor.robots.rotate(READER)
    with pytest.raises(InvalidValue, match="does not tell it"):
        _told_secret({})


@pytest.mark.parametrize(
    "secret", ["Short1a", "no-capital-1", "NO-SMALL-1", "No-digits", "Aa1" * 43]
)
def test_a_weak_secret_is_told_before_any_request(
    harbor: Harbor, server: LoopbackHarbor, secret: str
) -> None:
    """And is not repeated in the message."""
    for wrong in (
        lambda: harbor.robots.rotate(1, Secret(secret)),
        lambda: harbor.robots.create(READER, secret=Secret(secret)),
    ):
        with pytest.raises(InvalidValue, match="too weak") as caught:
            wrong()
        assert secret not in str(caught.value)
    assert server.requests == ()


def test_a_robot_is_changed_and_deleted(harbor: Harbor) -> None:
    """Disabled, for example, or given another right."""
    robot = harbor.robots.create(READER)
    assert robot.id is not None
    found = harbor.robots.get(robot.id)
    harbor.robots.update(attrs.evolve(found, disable=True))
    after = harbor.robots.get(robot.id)
    assert after.disable
    assert after.permissions == READER.permissions
    assert harbor.robots.delete(robot.id)
    assert not harbor.robots.delete(robot.id)


def test_robots_that_end_soon_are_told_the_first_first(harbor: Harbor, clock: FakeClock) -> None:
    """With those that have ended; without those that are disabled, or live for ever."""
    lives = {"week": 7, "month": 30, "ever": FOREVER, "day": 1, "asleep": 2}
    made = {
        name: harbor.robots.create(robot_for([Purpose.CATALOG], name=name, projects=[], days=days))
        for name, days in lives.items()
    }
    harbor.robots.create(attrs.evolve(READER, duration=3))
    asleep = made["asleep"].id
    assert asleep is not None
    harbor.robots.update(attrs.evolve(harbor.robots.get(asleep), disable=True))
    clock.advance(2 * 86_400)
    soon = harbor.robots.expiring(within=timedelta(days=6), projects=["app"])
    assert [each.name for each in soon] == ["robot$day", "robot$app+reader", "robot$week"]
    assert soon[0].expires_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert len(harbor.robots.expiring(within=timedelta(0))) == 1


def test_a_secret_hides_in_every_text() -> None:
    """Also when one is given by hand."""
    assert "hunter2" not in f"{Robot(name='x', secret=Secret('hunter2'))}"
