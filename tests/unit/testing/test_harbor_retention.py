"""Tag retention of an emulated Harbor; see also test_harbor_recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import FakeClock, LoopbackHarbor

_DAY = 86_400


def _rule(template: str, number: int = 1, **change: Any) -> dict[str, Any]:
    tags = {"kind": "doublestar", "decoration": "matches", "pattern": "**"}
    scope = {"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}
    return {
        "template": template,
        "action": "retain",
        "params": {template: number},
        "tag_selectors": [{**tags, "extras": '{"untagged":true}', **change.pop("tags", {})}],
        "scope_selectors": {"repository": [{**scope, **change.pop("scope", {})}]},
        **change,
    }


class Keeper:
    """The rules of the project ``app`` and their runs."""

    def __init__(self, admin: Any, harbor: LoopbackHarbor, clock: FakeClock) -> None:
        self.admin, self.harbor, self.clock = admin, harbor, clock

    def set(self, *rules: dict[str, Any], cron: str = "") -> Any:
        """Make the rules."""
        trigger = {"kind": "Schedule", "settings": {"cron": cron}}
        scope = {"level": "project", "ref": self.harbor.state.project("app").id}
        body = {"algorithm": "or", "rules": list(rules), "trigger": trigger, "scope": scope}
        return self.admin("POST", "/retentions", body)

    def run(self, *, dry: bool = False) -> dict[str, Any]:
        """Apply the rules and return the run."""
        self.admin("POST", "/retentions/1/executions", {"dry_run": dry})
        self.clock.advance(60.0)
        seen: dict[str, Any] = self.admin("GET", "/retentions/1/executions").json[0]
        return seen

    def left(self, repository: str = "app/web") -> list[str]:
        """Return the tags that are left of a repository."""
        return sorted(self.harbor.tags(repository))


@pytest.fixture
def keeper(admin: Any, harbor: LoopbackHarbor, harbor_clock: FakeClock) -> Keeper:
    """Return a keeper of ``app`` with four images, pushed a day apart."""
    for number in range(4):
        harbor.push_image("app/web", f"v{number}", seed=number)
        harbor_clock.advance(_DAY)
    return Keeper(admin, harbor, harbor_clock)


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ([_rule("always")], ["v0", "v1", "v2", "v3"]),
        ([_rule("latestPushedK", 2)], ["v2", "v3"]),
        ([_rule("nDaysSinceLastPush", 3)], ["v2", "v3"]),
        ([_rule("latestPulledN", 1)], ["v0"]),
        ([_rule("nDaysSinceLastPull", 1)], ["v0"]),
        ([_rule("latestPulledN", 1), _rule("latestPushedK", 1)], ["v0", "v3"]),
        ([_rule("always", disabled=True)], []),
        ([_rule("always", tags={"pattern": "v1"})], ["v1"]),
        ([_rule("always", tags={"pattern": "v1", "decoration": "excludes"})], ["v0", "v2", "v3"]),
        ([_rule("always", tags={"pattern": "[z"})], []),
    ],
)
def test_what_a_rule_keeps(keeper: Keeper, rules: list[dict[str, Any]], left: list[str]) -> None:
    """Any rule that keeps an artifact saves it; those that are off or match nothing do not."""
    digest = str(keeper.harbor.tags("app/web")["v0"])
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    keeper.admin("GET", f"/v2/app/web/manifests/{digest}", **accept)
    assert keeper.set(*rules).status == 201
    assert keeper.run()["status"] == "Success"
    assert keeper.left() == left


def test_a_rule_is_for_some_repositories(keeper: Keeper) -> None:
    """What no rule is for is left alone, and has no task."""
    keeper.harbor.push_image("app/db", "1")
    excluded = {"pattern": "db", "decoration": "repoExcludes"}
    keeper.set(_rule("latestPushedK", 1, scope=excluded))
    keeper.run()
    assert (keeper.left(), keeper.left("app/db")) == (["v3"], ["1"])
    (task,) = keeper.admin("GET", "/retentions/1/executions/1/tasks").json
    assert (task["repository"], task["total"], task["retained"]) == ("web", 4, 1)


def test_untagged_artifacts_can_be_left_out(keeper: Keeper) -> None:
    """A rule that does not look at them does not keep them."""
    keeper.harbor.push_image("app/web", seed=9)
    keeper.set(_rule("always", tags={"extras": '{"untagged": false}'}))
    keeper.run()
    assert keeper.left() == ["v0", "v1", "v2", "v3"]
    assert len(keeper.harbor.state.repositories["app/web"].artifacts) == 4


def test_a_dry_run_only_tells(keeper: Keeper) -> None:
    """Its log says what would have stayed."""
    keeper.set(_rule("latestPushedK", 1))
    run = keeper.run(dry=True)
    assert (run["dry_run"], keeper.left()) == (True, ["v0", "v1", "v2", "v3"])
    path = "/retentions/1/executions/1/tasks"
    task = keeper.admin("GET", path).json[0]["id"]
    log = keeper.admin("GET", f"{path}/{task}").body.decode()
    assert (log.count("RETAIN"), log.count("DEL")) == (1, 3)
    assert keeper.admin("GET", f"{path}/99").codes == ["NOT_FOUND"]


def test_a_schedule_applies_the_rules_until_they_change(keeper: Keeper) -> None:
    """Every night, and no more once the schedule is taken away."""
    keeper.set(_rule("always"), cron="0 0 1 * * *")
    keeper.clock.advance(2 * _DAY)
    assert [each["trigger"] for each in keeper.admin("GET", "/retentions/1/executions").json] == [
        "SCHEDULE",
        "SCHEDULE",
    ]
    body = {"algorithm": "or", "rules": [_rule("always")]}
    assert keeper.admin("PUT", "/retentions/1", body).status == 200
    keeper.clock.advance(_DAY)
    assert len(keeper.admin("GET", "/retentions/1/executions").json) == 2


def test_rules_are_deleted_with_what_points_to_them(keeper: Keeper) -> None:
    """The project knows its rules by a piece of metadata."""
    keeper.set(_rule("always"))
    path = "/projects/app/metadatas/retention_id"
    assert keeper.admin("GET", path).json == {"retention_id": "1"}
    assert keeper.admin("DELETE", "/retentions/1").status == 200
    assert keeper.admin("GET", path).json == {}
    assert keeper.admin("GET", "/retentions/1").codes == ["NOT_FOUND"]


def test_a_run_can_be_stopped(keeper: Keeper) -> None:
    """What has not begun is not done; a project without repositories has nothing to do."""
    keeper.set(_rule("latestPushedK", 1))
    keeper.admin("POST", "/retentions/1/executions", {"dry_run": False})
    stop = {"action": "stop"}
    assert keeper.admin("PATCH", "/retentions/1/executions/1", stop).status == 200
    assert keeper.admin("GET", "/retentions/1/executions").json[0]["status"] == "Stopped"
    keeper.clock.advance(60.0)
    assert keeper.left() == ["v0", "v1", "v2", "v3"]
    assert keeper.admin("PATCH", "/retentions/1/executions/9", stop).codes == ["NOT_FOUND"]


def test_rules_for_nothing_are_over_at_once(
    admin: Any, harbor: LoopbackHarbor, harbor_clock: FakeClock
) -> None:
    """An empty project has no tasks."""
    keeper = Keeper(admin, harbor, harbor_clock)
    keeper.set(_rule("always"))
    admin("POST", "/retentions/1/executions", {})
    assert admin("GET", "/retentions/1/executions").json[0]["status"] == "Success"


@pytest.mark.parametrize(
    ("rule", "cron"), [({"template": "sometimes"}, ""), (_rule("always"), "daily")]
)
def test_what_makes_no_sense_is_refused(keeper: Keeper, rule: dict[str, Any], cron: str) -> None:
    """A rule of no known kind, a schedule that is none."""
    assert keeper.set(rule, cron=cron).codes == ["BAD_REQUEST"]


def test_who_may_not_is_refused(
    harbor: LoopbackHarbor, admin: Any, log_in: Callable[..., Any]
) -> None:
    """Rules are the project's; one that is not there has none."""
    robot = harbor.add_robot("keeper", project="app", access=["tag-retention:read"])
    client = log_in(harbor, robot.name, robot.secret)
    number = harbor.state.project("app").id
    body = {"rules": [], "scope": {"level": "project", "ref": number}}
    assert client("POST", "/retentions", body).codes == ["FORBIDDEN"]
    assert admin("POST", "/retentions", body).status == 201
    assert client("GET", "/retentions/1").status == 200
    body["scope"] = {"level": "project", "ref": 99}
    assert admin("POST", "/retentions", body).codes == ["NOT_FOUND"]
