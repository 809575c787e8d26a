"""A look over a Harbor finds what cannot work, misleads or is dangerous, and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.errors import RegistryError
from harborsync.harbor.findings import Finding, Findings, Severity
from harborsync.harbor.inventory import Inventory, take_inventory
from harborsync.harbor.linting import lint, lint_inventory
from harborsync.harbor.policies import PolicyFilter, PolicyTrigger, ReplicationPolicy
from harborsync.harbor.registries import RegistryCredential, RemoteRegistry
from harborsync.harbor.robots import Permission, Robot
from harborsync.harbor.runs import Execution
from harborsync.permissions.harbor import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.harbor.client import Harbor
    from harborsync.testing import FakeClock, LoopbackHarbor

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FAR = RemoteRegistry(
    id=3, name="far", type="docker-registry", url="https://far.example", status="healthy"
)
NIGHTLY = PolicyTrigger(type="scheduled", cron="0 0 2 * * *")
POLICY = ReplicationPolicy(
    id=1,
    name="p",
    dest_registry=FAR,
    filters=(PolicyFilter(type="name", value="team/**"),),
    trigger=NIGHTLY,
    single_active_replication=True,
)
RAN = Execution(id=9, policy_id=1, status="Succeed", total=3, succeed=3)
FINE = Inventory(
    now=NOW,
    registries=(FAR,),
    policies=(POLICY,),
    runs={1: RAN},
    robots=(Robot(name="robot$sync", expires_at=NOW + timedelta(days=60)),),
    repositories=("team/app", "team/web", "lib/app"),
    labels=frozenset({"release"}),
    workers=10,
    settings={"audit_log_forward_endpoint": "syslog://log.example:514"},
)


def codes(inventory: Inventory) -> list[str]:
    """Return the codes of what is found."""
    return [finding.code for finding in lint_inventory(inventory).findings]


def with_policy(**fields: Any) -> Inventory:
    """Return the inventory with a policy that differs in some fields."""
    return attrs.evolve(FINE, policies=(attrs.evolve(POLICY, **fields),))


def with_filter(kind: str, value: Any, decoration: str = "", **fields: Any) -> Inventory:
    """Return the inventory with a filter more in its policy."""
    added = PolicyFilter(type=kind, value=value, decoration=decoration)
    return with_policy(filters=(*POLICY.filters, added), **fields)


def with_registry(**fields: Any) -> Inventory:
    """Return the inventory with a registry that differs in some fields."""
    return attrs.evolve(FINE, registries=(attrs.evolve(FAR, **fields),))


def with_robot(**fields: Any) -> Inventory:
    """Return the inventory with a robot that differs in some fields."""
    robot = Robot(name="robot$x", expires_at=NOW + timedelta(days=60))
    return attrs.evolve(FINE, robots=(attrs.evolve(robot, **fields),))


def test_a_harbor_in_order_has_no_findings() -> None:
    """Nothing is found for the sake of finding something."""
    found = lint_inventory(FINE)
    assert found == Findings()
    assert str(found) == "nothing to object to"
    assert found.ok


ON_EVENTS = PolicyTrigger(type="event_based")


@pytest.mark.parametrize(
    ("inventory", "code", "severity"),
    [
        (with_filter("resource", "image"), "inert-filter", "warning"),
        (with_filter("tag", "[a"), "unreadable-glob", "error"),
        (with_filter("tag", ("a",)), "unreadable-glob", "error"),
        (with_filter("tag", "v**"), "misleading-glob", "warning"),
        (
            with_policy(filters=(PolicyFilter(type="name", value="gone/**"),)),
            "matches-nothing",
            "warning",
        ),
        (with_filter("label", ("relase",)), "unknown-label", "warning"),
        (with_filter("label", ("relase",), "excludes"), "unknown-label", "warning"),
        (
            with_filter("label", ("release",), trigger=ON_EVENTS, single_active_replication=False),
            "label-on-event",
            "warning",
        ),
        (
            with_policy(
                src_registry=FAR,
                dest_registry=None,
                trigger=ON_EVENTS,
                single_active_replication=False,
            ),
            "event-on-remote",
            "error",
        ),
        (
            with_policy(filters=(), dest_namespace="m", dest_namespace_replace_count=1),
            "flatten-collision",
            "error",
        ),
        (
            with_policy(dest_namespace="m", dest_namespace_replace_count=2),
            "replace-count",
            "error",
        ),
        (with_policy(speed=1000), "speed-per-task", "notice"),
        (
            with_policy(trigger=PolicyTrigger(type="scheduled", cron="0 */1 * * * *")),
            "schedule-too-close",
            "warning",
        ),
        (with_policy(single_active_replication=False), "not-single-active", "warning"),
        (with_policy(enabled=False), "disabled", "notice"),
        (attrs.evolve(FINE, runs={}), "never-run", "notice"),
        (
            attrs.evolve(FINE, runs={1: attrs.evolve(RAN, status="Failed", failed=2)}),
            "last-run-failed",
            "error",
        ),
        (
            attrs.evolve(FINE, runs={1: attrs.evolve(RAN, total=0, succeed=0)}),
            "last-run-empty",
            "warning",
        ),
        (with_registry(url="http://far.example"), "plain-http", "warning"),
        (with_registry(insecure=True), "insecure", "warning"),
        (with_registry(status="unhealthy"), "unhealthy", "error"),
        (
            attrs.evolve(FINE, registries=(FAR, attrs.evolve(FAR, id=4, name="idle"))),
            "unused",
            "notice",
        ),
        (
            with_registry(type="harbor", credential=RegistryCredential(access_key="admin")),
            "user-login",
            "warning",
        ),
        (with_robot(expires_at=NOW), "expired-robot", "error"),
        (with_robot(expires_at=NOW + timedelta(days=13)), "ending-robot", "warning"),
        (with_robot(expires_at=None), "endless-robot", "notice"),
        (with_robot(permissions=(Permission(namespace="*"),)), "broad-robot", "warning"),
        (attrs.evolve(FINE, settings={}), "no-audit-forwarding", "notice"),
    ],
)
def test_each_thing_is_found_by_itself(inventory: Inventory, code: str, severity: str) -> None:
    """With what is the matter and what to do."""
    (found,) = lint_inventory(inventory).findings
    assert (found.code, found.severity) == (code, severity)
    assert found.why
    assert found.advice


@pytest.mark.parametrize(
    "inventory",
    [
        with_filter("label", ("release",)),
        with_filter("name", ""),
        with_filter("label", ("x",), "excludes", src_registry=FAR, dest_registry=None),
        with_filter(
            "label", ("x",), src_registry=attrs.evolve(FAR, type="harbor"), dest_registry=None
        ),
        with_robot(disable=True, expires_at=NOW, permissions=(Permission(namespace="*"),)),
        with_registry(type="harbor", credential=RegistryCredential(access_key="robot$sync")),
        with_registry(type="harbor", credential=RegistryCredential(access_key="bot+sync")),
        with_policy(speed=-5),
        with_policy(dest_namespace="m", dest_namespace_replace_count=1),
        with_policy(trigger=PolicyTrigger(), single_active_replication=False),
        attrs.evolve(FINE, workers=1, policies=(attrs.evolve(POLICY, speed=1000),)),
        attrs.evolve(FINE, runs={1: attrs.evolve(RAN, status="InProgress", total=0)}),
        attrs.evolve(
            FINE,
            runs={
                1: attrs.evolve(
                    RAN, status="Failed", total=0, status_text="Execution skipped: another runs"
                )
            },
        ),
        attrs.evolve(
            FINE,
            runs=None,
            robots=None,
            repositories=None,
            labels=None,
            workers=None,
            settings=None,
        ),
    ],
)
def test_what_is_in_order_or_unknown_is_not_found(inventory: Inventory) -> None:
    """Nothing is guessed about what could not be looked at."""
    assert codes(inventory) == []


def test_a_failed_run_is_told_by_its_reason_or_its_tasks() -> None:
    """Whichever there is."""
    failed = attrs.evolve(RAN, status="Failed", failed=2)
    (by_tasks,) = lint_inventory(attrs.evolve(FINE, runs={1: failed})).findings
    assert "2 of 3 tasks" in by_tasks.why
    said = attrs.evolve(failed, status_text="unauthorized")
    (by_text,) = lint_inventory(attrs.evolve(FINE, runs={1: said})).findings
    assert "unauthorized" in by_text.why


@pytest.mark.parametrize(
    ("fields", "overlap"),
    [
        ({}, True),
        ({"trigger": PolicyTrigger(type="scheduled", cron="0 30 2 * * *")}, False),
        ({"dest_registry": attrs.evolve(FAR, id=4)}, False),
        ({"dest_registry": None}, False),
        ({"trigger": PolicyTrigger()}, False),
        ({"trigger": PolicyTrigger(type="scheduled", cron="nonsense")}, False),
    ],
)
def test_schedules_overlap_at_one_registry_and_minute(
    fields: dict[str, Any], *, overlap: bool
) -> None:
    """Others may start together."""
    other = attrs.evolve(POLICY, id=2, name="q", **fields)
    inventory = attrs.evolve(FINE, policies=(POLICY, other), runs={1: RAN, 2: RAN})
    assert ("schedules-overlap" in codes(inventory)) is overlap


def test_many_repositories_are_told_in_short() -> None:
    """The first of them, and how many more."""
    names = tuple(f"team/x{number}/app" for number in range(5))
    inventory = attrs.evolve(
        with_policy(dest_namespace="m", dest_namespace_replace_count=-1), repositories=names
    )
    (found,) = lint_inventory(inventory).findings
    assert found.why == "team/x0/app, team/x1/app, team/x2/app and 2 more all become m/app"


def test_the_worst_stands_first() -> None:
    """And all can be had as text, as JSON and by code."""
    notice, error = (
        Finding(code=c, severity=s, what="w", why="y", advice="a")
        for c, s in (("b", Severity.NOTICE), ("a", Severity.ERROR))
    )
    found = Findings(findings=(notice, error), unseen=("robots: no",))
    assert found.findings == (error, notice)
    assert found.codes == ("a", "b")
    assert found.of("b") == (notice,)
    assert not found.ok
    assert str(found) == "error a w: y; a\nnotice b w: y; a\nnot looked at: robots: no"
    assert json.loads(found.to_json())["findings"][0]["severity"] == "error"


# --- at a Harbor -------------------------------------------------------------------------------


@pytest.fixture
def messy(harbor: Harbor, server: LoopbackHarbor) -> Harbor:
    """A Harbor of which much is to be said."""
    server.push_image("app/web", "v1")
    server.add_label("release", project="app")
    server.add_label("signed")
    server.add_robot("endless")
    server.add_robot("short", project="app", days=1)
    far = RemoteRegistry(name="itself", type="harbor", url=server.url)
    made = attrs.evolve(far, id=harbor.registries.create(far))
    harbor.policies.create(
        ReplicationPolicy(
            name="odd",
            src_registry=None,
            dest_registry=made,
            filters=(
                PolicyFilter(type="name", value="gone/**"),
                PolicyFilter(type="label", value=("nobody", "signed", "release")),
                PolicyFilter(type="resource", value="image"),
            ),
            trigger=NIGHTLY,
        )
    )
    return harbor


def test_a_harbor_is_looked_over(messy: Harbor, clock: FakeClock) -> None:
    """Live lists tell what its filters match."""
    found = lint(messy, clock=clock)
    expected = {
        "broad-robot",
        "ending-robot",
        "endless-robot",
        "inert-filter",
        "matches-nothing",
        "never-run",
        "not-single-active",
        "plain-http",
        "unknown-label",
    }
    assert expected <= set(found.codes)
    assert len(found.of("unknown-label")) == 1
    assert not found.of("unused")


def test_looking_writes_nothing(messy: Harbor, server: LoopbackHarbor, clock: FakeClock) -> None:
    """Not even a pull counter moves."""
    server.clear_log()
    lint(messy, clock=clock)
    assert {request.method for request in server.requests} == {"GET"}
    assert all(request.path.startswith("/api/v2.0/") for request in server.requests)


def test_labels_are_read_only_if_a_policy_asks_for_one(
    harbor: Harbor, server: LoopbackHarbor
) -> None:
    """They take two requests for each project."""
    take_inventory(harbor, now=NOW)
    assert not any("/labels" in request.path for request in server.requests)


def test_the_last_run_is_found(messy: Harbor) -> None:
    """The newest of each policy."""
    report = messy.executions.run_and_watch("odd")
    runs = take_inventory(messy, now=NOW).runs
    assert runs is not None
    assert [run.id for run in runs.values()] == [report.execution.id]


def test_what_may_not_be_read_is_told(
    open_as: Callable[[str, str], Harbor], server: LoopbackHarbor, messy: Harbor, clock: FakeClock
) -> None:
    """The rest is looked at all the same."""
    del messy
    robot = server.add_robot(
        "looker",
        access=(),
        system=("registry:list", "replication-policy:list"),
    )
    found = lint(open_as(robot.name, robot.secret), clock=clock)
    assert "inert-filter" in found.codes
    assert any(each.startswith("robots: ") for each in found.unseen)
    assert any(each.startswith("settings: ") for each in found.unseen)


def test_without_policies_there_is_nothing_to_look_at(
    open_as: Callable[[str, str], Harbor], server: LoopbackHarbor, clock: FakeClock
) -> None:
    """A login that may not even list them is told so."""
    robot = server.add_robot("stranger", project="app")
    with pytest.raises(RegistryError):
        lint(open_as(robot.name, robot.secret), clock=clock)
    assert robot.level == Kind.PROJECT
