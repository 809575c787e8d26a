"""Runs of replication policies in an emulated Harbor; see also test_harbor_recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import FakeClock, LoopbackHarbor, LoopbackRegistry

_ENOUGH = 61.0


class Rules:
    """Policies that copy ``harbor`` to a plain registry, and their runs."""

    def __init__(self, admin: Any, clock: FakeClock, far: LoopbackRegistry) -> None:
        self.admin, self.clock = admin, clock
        url = f"http://{far.host}"
        body = {"name": "far", "type": "docker-registry", "url": url}
        assert admin("POST", "/registries", body).status == 201

    def make(self, name: str = "p", **change: Any) -> int:
        """Make a policy and return its number."""
        body = {"name": name, "dest_registry": {"id": 1}, "enabled": True, **change}
        reply = self.admin("POST", "/replication/policies", body)
        assert reply.status == 201, reply.body
        return int(reply.headers["Location"].rpartition("/")[2])

    def start(self, policy: int) -> int:
        """Start a policy and return the number of the run."""
        reply = self.admin("POST", "/replication/executions", {"policy_id": policy})
        return int(reply.headers["Location"].rpartition("/")[2])

    def run(self, number: int, after: float = _ENOUGH) -> dict[str, Any]:
        """Return a run as it is seen so many seconds later."""
        self.clock.advance(after)
        seen: dict[str, Any] = self.admin("GET", f"/replication/executions/{number}").json
        return seen

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs, newest first."""
        seen: list[dict[str, Any]] = self.admin("GET", "/replication/executions").json
        return seen


@pytest.fixture
def rules(admin: Any, harbor_clock: FakeClock, server: LoopbackRegistry) -> Rules:
    """Return what makes policies towards ``server``."""
    return Rules(admin, harbor_clock, server)


def test_artifacts_arrive_once_time_goes_on(
    harbor: LoopbackHarbor, rules: Rules, server: LoopbackRegistry
) -> None:
    """Nothing is copied before the source is listed, all of it when the run is over."""
    harbor.push_image("app/web", "1.0", "2.0")
    number = rules.start(rules.make(dest_namespace="mirror"))
    assert rules.run(number, after=0.0)["status"] == "InProgress"
    assert server.storage.repositories() == ()
    assert rules.run(number)["status"] == "Succeed"
    assert server.storage.tags("mirror/web").keys() == {"1.0", "2.0"}


def test_a_pull_brings_another_harbor_here(
    harbor: LoopbackHarbor,
    make_harbor: Callable[..., LoopbackHarbor],
    rules: Rules,
    admin: Any,
) -> None:
    """The missing project is made, and what comes was pushed by the job service."""
    other = make_harbor()
    digest = other.push_image("library/web", "1")
    admin("POST", "/registries", {"name": "other", "type": "harbor", "url": other.url})
    policy = rules.make(
        dest_registry=None, src_registry={"id": 2}, dest_namespace="fresh", override=True
    )
    assert rules.run(rules.start(policy))["status"] == "Succeed"
    assert harbor.tags("fresh/web") == {"1": digest}
    logged = admin("GET", "/auditlog-exts?q=resource_type=artifact").json
    assert logged[0]["username"] == "harbor-jobservice"
    assert other.artifact("library/web", "1").repository.pull_count == 1


def test_copying_from_this_harbor_counts_no_pull(harbor: LoopbackHarbor, rules: Rules) -> None:
    """Its own client is exempt (HARBOR-6)."""
    harbor.push_image("app/web", "1")
    rules.run(rules.start(rules.make()))
    assert harbor.artifact("app/web", "1").repository.pull_count == 0


def test_a_schedule_fires_until_its_policy_is_changed(
    harbor: LoopbackHarbor, rules: Rules, admin: Any, harbor_clock: FakeClock
) -> None:
    """Every ten minutes, and no more once it is manual; a disabled one is passed over."""
    harbor.push_image("app/web", "1")
    timed = {"type": "scheduled", "trigger_settings": {"cron": "0 */10 * * * *"}}
    policy = rules.make(trigger=timed)
    off = rules.make(name="off", trigger=timed, enabled=False)
    harbor_clock.advance(1801)
    assert [run["trigger"] for run in rules.runs()] == ["scheduled"] * 3
    assert all(run["policy_id"] != off for run in rules.runs())
    body = {"name": "p", "dest_registry": {"id": 1}, "enabled": True}
    admin("PUT", f"/replication/policies/{policy}", body)
    harbor_clock.advance(1800)
    assert len(rules.runs()) == 3


def test_events_start_only_what_wants_them(
    harbor: LoopbackHarbor, rules: Rules, admin: Any, harbor_clock: FakeClock
) -> None:
    """By filters that may be malformed, labels, deletion; never with a remote source."""
    event = {"trigger": {"type": "event_based"}}
    wanted = rules.make(name="wanted", **event)
    rules.make(name="elsewhere", filters=[{"type": "name", "value": "lib/**"}], **event)
    rules.make(name="malformed", filters=[{"type": "name", "value": "app/[z"}], **event)
    labelled = [{"type": "label", "value": ["release"]}]
    label = rules.make(name="labelled", filters=labelled, deletion=True, **event)
    admin("POST", "/registries", {"name": "self", "type": "harbor", "url": harbor.url})
    rules.make(name="remote", dest_registry=None, src_registry={"id": 2}, **event)
    harbor.push_image("app/web", "1")
    release = harbor.add_label("release")
    path = "/projects/app/repositories/web/artifacts/1"
    admin("POST", f"{path}/labels", {"id": release.id})
    admin("POST", f"{path}/tags", {"name": "2"})
    harbor_clock.advance(1.0)
    assert sorted(run["policy_id"] for run in rules.runs()) == sorted([wanted, wanted, label])
    assert admin("DELETE", path).status == 200
    assert len(rules.runs()) == 3


def test_a_run_stopped_while_listing_has_no_tasks(harbor: LoopbackHarbor, rules: Rules) -> None:
    """It stays stopped when the list is there."""
    harbor.push_image("app/web", "1")
    number = rules.start(rules.make())
    rules.run(number, after=0.2)
    assert rules.admin("PUT", f"/replication/executions/{number}").status == 200
    seen = rules.run(number)
    assert (seen["status"], seen["total"]) == ("Stopped", 0)


def test_a_task_is_pending_until_its_worker_takes_it(harbor: LoopbackHarbor, rules: Rules) -> None:
    """Before that it has no log."""
    harbor.push_image("app/web", "1")
    number = rules.start(rules.make())
    rules.run(number)
    run = harbor._backstage.executions.find("REPLICATION", number)
    assert run is not None
    run.tasks[0].status, run.tasks[0].start = "Pending", None
    path = f"/replication/executions/{number}/tasks"
    assert rules.admin("GET", f"{path}?status=Pending").json[0]["status"] == "Pending"
    assert rules.admin("GET", f"{path}/1/log").codes == ["NOT_FOUND"]


def test_tasks_are_found_by_kind_and_in_order(harbor: LoopbackHarbor, rules: Rules) -> None:
    """A resource type that no task has gives an empty list."""
    for name in ("a", "b"):
        harbor.push_image(f"app/{name}", "1")
    number = rules.start(rules.make())
    rules.run(number)
    path = f"/replication/executions/{number}/tasks"
    assert len(rules.admin("GET", f"{path}?resource_type=artifact&sort=start_time").json) == 2
    assert rules.admin("GET", f"{path}?resource_type=image").json == []
    for key in ("policy_id", "start_time", "end_time"):
        assert len(rules.admin("GET", f"/replication/executions?sort={key}").json) == 1


def test_what_goes_into_a_proxy_cache_is_skipped(
    harbor: LoopbackHarbor,
    make_harbor: Callable[..., LoopbackHarbor],
    rules: Rules,
    admin: Any,
) -> None:
    """With nothing else to do the run says so."""
    other = make_harbor()
    other.state.add_project("cached", owner=other.state.users["admin"], registry_id=1)
    harbor.push_image("app/web", "1")
    credential = {"type": "basic", "access_key": "admin", "access_secret": "Harbor12345"}
    body = {"name": "other", "type": "harbor", "url": other.url, "credential": credential}
    admin("POST", "/registries", body)
    policy = rules.make(name="q", dest_registry={"id": 2}, dest_namespace="cached")
    seen = rules.run(rules.start(policy))
    assert (seen["status"], seen["status_text"]) == (
        "Succeed",
        "no resources need to be replicated",
    )


def test_a_run_keeps_what_it_began_with(
    harbor: LoopbackHarbor, rules: Rules, admin: Any, make: Callable[..., LoopbackRegistry]
) -> None:
    """Its policy may go elsewhere meanwhile, and its destination may be deleted."""
    harbor.push_image("app/web", "1")
    other = make()
    url = f"http://{other.host}"
    admin("POST", "/registries", {"name": "other", "type": "docker-registry", "url": url})
    policy = rules.make(name="moves", dest_registry={"id": 2})
    number = rules.start(policy)
    body = {"name": "moves", "dest_registry": {"id": 1}, "enabled": True}
    assert admin("PUT", f"/replication/policies/{policy}", body).status == 200
    assert admin("DELETE", "/registries/2").status == 200
    assert rules.run(number)["status"] == "Succeed"
    assert list(other.storage.tags("app/web")) == ["1"]


def test_an_empty_filter_filters_nothing(rules: Rules) -> None:
    """As if it had not been sent."""
    rules.start(rules.make())
    assert len(rules.admin("GET", "/replication/executions?status=&trigger=").json) == 1


def test_only_fifty_runs_of_a_policy_are_kept(rules: Rules) -> None:
    """The oldest go first."""
    policy = rules.make()
    numbers = []
    for _ in range(53):
        numbers.append(rules.start(policy))
        rules.clock.advance(1.0)
    reply = rules.admin("GET", "/replication/executions?page_size=100")
    assert [run["id"] for run in reply.json] == numbers[::-1][:50]


def test_who_may_not_is_refused(harbor: LoopbackHarbor, log_in: Callable[..., Any]) -> None:
    """Listing, reading and starting are permissions of their own."""
    robot = harbor.add_robot("lister", system=["replication:list"])
    client = log_in(harbor, robot.name, robot.secret)
    assert client("GET", "/replication/executions").json == []
    assert client("GET", "/replication/executions/1").codes == ["FORBIDDEN"]
    assert client("POST", "/replication/executions", {"policy_id": 1}).codes == ["FORBIDDEN"]
    assert client("PUT", "/replication/executions/1").codes == ["FORBIDDEN"]


def test_blobs_are_taken_from_where_the_far_harbor_has_them(
    harbor: LoopbackHarbor, rules: Rules, admin: Any
) -> None:
    """A copy within one Harbor moves no bytes; its own robot must see the source."""
    harbor.push_image("app/web", "1")
    robot = harbor.add_robot("pusher", project="app")
    credential = {"type": "basic", "access_key": robot.name, "access_secret": robot.secret}
    body = {"name": "self", "type": "harbor", "url": harbor.url, "credential": credential}
    admin("POST", "/registries", body)
    policy = rules.make(
        name="within", dest_registry={"id": 2}, dest_namespace="app/mirror", override=True
    )
    number = rules.start(policy)
    assert rules.run(number)["status"] == "Succeed"
    log = admin("GET", f"/replication/executions/{number}/tasks/1/log").body.decode()
    assert log.count("mounted from the repository app/web") == 3


def test_a_deletion_of_a_tag_that_is_gone_is_skipped(
    harbor: LoopbackHarbor,
    make_harbor: Callable[..., LoopbackHarbor],
    rules: Rules,
    admin: Any,
    harbor_clock: FakeClock,
) -> None:
    """The far Harbor never had it; the task succeeds and says so."""
    other = make_harbor()
    credential = {"type": "basic", "access_key": "admin", "access_secret": "Harbor12345"}
    body = {"name": "other", "type": "harbor", "url": other.url, "credential": credential}
    admin("POST", "/registries", body)
    harbor.push_image("app/web", "1", "2")
    rules.make(name="e", dest_registry={"id": 2}, trigger={"type": "event_based"}, deletion=True)
    admin("DELETE", "/projects/app/repositories/web/artifacts/1/tags/1")
    harbor_clock.advance(_ENOUGH)
    (run,) = rules.runs()
    assert run["status"] == "Succeed"
    task = admin("GET", f"/replication/executions/{run['id']}/tasks").json[0]
    log = admin("GET", f"/replication/executions/{run['id']}/tasks/{task['id']}/log").body
    assert b"doesn't exist on the destination registry, skip" in log
