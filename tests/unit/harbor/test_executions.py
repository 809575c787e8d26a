"""Runs are started, followed to their end, stopped and explained, at a Harbor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync.cancel import Cancel
from harborsync.credentials.base import Credential
from harborsync.credentials.static import StaticCredentials
from harborsync.errors import ConfigurationError, NotFound
from harborsync.harbor.client import Harbor
from harborsync.harbor.policies import PolicyFilter, ReplicationPolicy
from harborsync.harbor.registries import RemoteRegistry
from harborsync.harbor.runreport import RunOutcome
from harborsync.harbor.runs import RunStatus
from harborsync.permissions.harbor import Kind, Purpose, needed
from harborsync.provider import OpenContext
from harborsync.secrets import Secret
from harborsync.testing import LoopbackHarbor, LoopbackRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.testing import FakeClock


@pytest.fixture
def far() -> Iterator[LoopbackRegistry]:
    """A far registry."""
    with LoopbackRegistry() as far:
        yield far


@pytest.fixture
def policy(harbor: Harbor, server: LoopbackHarbor, far: LoopbackRegistry) -> ReplicationPolicy:
    """A policy that copies two repositories."""
    server.push_image("app/web", "1.0", "1.1")
    server.push_image("app/api", "1.0", seed=1)
    wish = RemoteRegistry(name="far", type="docker-registry", url=f"http://{far.host}")
    made = harbor.policies.create(
        ReplicationPolicy(
            name="nightly",
            dest_registry=RemoteRegistry(id=harbor.registries.create(wish)),
            dest_namespace="mirror",
            dest_namespace_replace_count=1,
            filters=(PolicyFilter(type="name", value="app/**"),),
            override=True,
            single_active_replication=True,
        )
    )
    return harbor.policies.get(made)


def test_a_run_is_followed_until_its_artifacts_are_there(
    harbor: Harbor,
    server: LoopbackHarbor,
    policy: ReplicationPolicy,
    far: LoopbackRegistry,
    clock: FakeClock,
) -> None:
    """Half a minute before Harbor itself says so; where nothing failed, no log is read."""
    report = harbor.executions.run_and_watch("nightly")
    assert report.ok
    assert not any(request.path.endswith("/log") for request in server.requests)
    assert sorted(each.task.destination for each in report.tasks) == ["mirror/api", "mirror/web"]
    assert set(far.storage.repositories()) == {"mirror/api", "mirror/web"}
    assert not report.confirmed
    assert clock.monotonic() < 20


def test_a_run_is_followed_until_harbor_says_so_if_that_is_asked(
    harbor: Harbor, policy: ReplicationPolicy
) -> None:
    """Then the next one is not skipped."""
    assert harbor.executions.run_and_watch(policy, confirm=True).confirmed
    assert harbor.executions.run_and_watch(policy, confirm=True).ok


def test_a_start_too_early_is_told_as_skipped(harbor: Harbor, policy: ReplicationPolicy) -> None:
    """The status of the run before has not caught up: Harbor makes a run that never ran."""
    assert policy.id is not None
    harbor.executions.run_and_watch(policy.id)
    report = harbor.executions.run_and_watch(policy.id)
    assert report.outcome is RunOutcome.SKIPPED
    assert not report.ok
    assert "the run before was not over" in str(report)


def test_a_run_that_matches_nothing_is_no_success(
    harbor: Harbor, policy: ReplicationPolicy
) -> None:
    """Harbor calls it one."""
    nothing = PolicyFilter(type="name", value="apps/**")
    harbor.policies.update(attrs.evolve(policy, filters=(nothing,)))
    report = harbor.executions.run_and_watch(policy)
    assert report.outcome is RunOutcome.NOTHING
    assert "a filter is mistaken" in report.notes[-1]


def test_a_disabled_policy_says_what_to_do(harbor: Harbor, policy: ReplicationPolicy) -> None:
    """Harbor answers 412."""
    harbor.policies.update(attrs.evolve(policy, enabled=False))
    with pytest.raises(ConfigurationError, match="is disabled") as caught:
        harbor.executions.run_and_watch(policy)
    assert "enabled=True" in str(caught.value.hint)


@pytest.mark.parametrize("policy", ["nobody", 99], ids=str)
def test_a_policy_that_is_not_there_is_told(harbor: Harbor, policy: str | int) -> None:
    """By name and by id."""
    with pytest.raises(NotFound):
        harbor.executions.run_and_watch(policy)
    with pytest.raises(NotFound):
        harbor.executions.start(99)


def test_the_logs_of_failed_tasks_are_read(
    harbor: Harbor, policy: ReplicationPolicy, far: LoopbackRegistry
) -> None:
    """Only there does Harbor say why; those of good ones are read if that is asked."""
    report = harbor.executions.run_and_watch(policy, confirm=True, all_logs=True)
    assert report.ok
    assert all(not each.log.errors for each in report.tasks)
    far.close()
    report = harbor.executions.run_and_watch(policy, confirm=True)
    assert report.outcome is RunOutcome.FAILED
    told = [*report.notes, *(e for each in report.failed for e in each.log.errors)]
    assert told


def test_cancelling_stops_the_run_in_harbor(harbor: Harbor, policy: ReplicationPolicy) -> None:
    """It does not go on behind the back of whoever gave up."""
    cancel = Cancel()
    cancel.set()
    report = harbor.executions.run_and_watch(policy, cancel=cancel)
    assert harbor.executions.get(report.execution.id).is_over or report.ok


def test_runs_are_listed_by_policy_and_status(harbor: Harbor, policy: ReplicationPolicy) -> None:
    """The newest first."""
    first = harbor.executions.run_and_watch(policy, confirm=True).execution.id
    second = harbor.executions.run_and_watch(policy, confirm=True).execution.id
    assert [each.id for each in harbor.executions.list(policy_id=policy.id)] == [second, first]
    found = harbor.executions.list(policy_id=policy.id, status=RunStatus.FAILED)
    assert list(found) == []
    assert len(list(harbor.executions.list(trigger="manual"))) == 2


def test_a_run_of_somebody_else_is_followed_too(harbor: Harbor, policy: ReplicationPolicy) -> None:
    """By its id; without a name the policy is called by its number."""
    assert policy.id is not None
    report = harbor.executions.watch(harbor.executions.start(policy.id))
    assert report.policy == f"policy {policy.id}"
    with pytest.raises(NotFound):
        harbor.executions.watch(999)


def test_a_run_can_be_stopped_twice(harbor: Harbor, policy: ReplicationPolicy) -> None:
    """The second time changes nothing; one that is not there is told."""
    assert policy.id is not None
    run = harbor.executions.start(policy.id)
    harbor.executions.stop(run)
    harbor.executions.stop(run)
    with pytest.raises(NotFound):
        harbor.executions.stop(999)


def test_a_log_that_is_gone_explains_nothing(harbor: Harbor, policy: ReplicationPolicy) -> None:
    """Logs are cleared away after a time; the report stands without."""
    run = harbor.executions.run_and_watch(policy).execution.id
    with pytest.raises(NotFound):
        harbor.executions.log(run, 9999)
    task = attrs.evolve(harbor.executions.tasks(run)[0], id=9999, status="Failed")
    (result,) = harbor.executions._explained((task,), all_logs=False)
    assert result.log.errors == ()


@pytest.mark.parametrize("version", ["2.8", "2.12", "2.15", "2.16"])
def test_every_version_is_made_run_and_read_by_a_robot(
    version: str, clock: FakeClock, far: LoopbackRegistry
) -> None:
    """With nothing but the permissions that replication takes."""
    with LoopbackHarbor(version=version, clock=clock) as server:
        server.add_project("app")
        server.push_image("app/web", "1.0")
        rights = [str(access) for access in needed(Purpose.REPLICATION, kind=Kind.SYSTEM)]
        robot = server.add_robot("keeper", system=rights)
        login = Credential(username=robot.name, secret=Secret(robot.secret))
        context = OpenContext(credentials=StaticCredentials({server.host: login}), clock=clock)
        wish = RemoteRegistry(name="far", type="docker-registry", url=f"http://{far.host}")
        with Harbor.open(server.endpoint, context) as harbor:
            made = RemoteRegistry(id=harbor.registries.create(wish))
            policy = ReplicationPolicy(name="nightly", dest_registry=made, dest_namespace="copy")
            harbor.policies.create(policy)
            report = harbor.executions.run_and_watch("nightly", confirm=True)
    assert report.ok, str(report)
    assert far.storage.repositories() == ("copy/web",)
