"""The walk to Amazon ECR and back, with the real SDK, and what goes wrong on the way."""

from __future__ import annotations

import base64
import json
import logging
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import boto3
import pytest

from harborsync import Options, ReplicationRule, Replicator, open_registry
from harborsync.credentials.aws import AwsIdentity
from harborsync.plan import Action
from harborsync.provider import OpenContext
from harborsync.report import Outcome
from harborsync.retry import RetryPolicy
from harborsync.state import MemoryState
from harborsync.testing import FakeClock, LoopbackRegistry
from harborsync.testing.cloud_aws import KEY_ID, LoopbackEcr
from harborsync.testing.content import random_image, random_index, random_referrer, random_signature
from harborsync.testing.faults import status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harborsync import Report
    from harborsync.endpoint import Endpoint
    from harborsync.reference import Digest
    from harborsync.testing.faults import Fault

PATIENCE = Options(retry=RetryPolicy(attempts=4, first_wait=0.1))


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that nobody waits for, near enough to the real one for signatures."""
    return FakeClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def ecr(clock: FakeClock) -> Iterator[LoopbackEcr]:
    """Return an empty registry of ECR."""
    with LoopbackEcr(clock=clock) as server:
        yield server


@pytest.fixture
def harbor() -> Iterator[LoopbackRegistry]:
    """Return the registry that is copied from."""
    with LoopbackRegistry() as server:
        yield server


class Run(Protocol):
    """Runs one rule."""

    def __call__(self, source: Endpoint, to: Endpoint, **more: Any) -> Report:
        """Plan and run."""
        ...


@pytest.fixture
def run(ecr: LoopbackEcr, clock: FakeClock) -> Run:
    """Run a rule as the emulator's first user, in the time of the test."""

    def run_one(source: Endpoint, to: Endpoint, **more: Any) -> Report:
        wishes = {"where": "name like '**'", **more.pop("wishes", {})}
        rule = ReplicationRule(name="mirror", source=source, destinations=to, **wishes)
        settings = {"credentials": ecr.identity, "options": PATIENCE, "clock": clock, **more}
        with Replicator([rule], **settings) as replicator:
            return replicator.run()

    return run_one


def seed(server: LoopbackRegistry, count: int = 1, **more: Any) -> dict[str, Digest]:
    """Put images at the source, as ``team/app:v<number>``."""
    registry = open_registry(server.endpoint, OpenContext())
    try:
        return {
            f"v{number}": random_image(number, **more).push_to(registry, "team/app", f"v{number}")
            for number in range(count)
        }
    finally:
        registry.close()


def _messages(report: Report) -> str:
    failures = [each.failure for each in report.results if each.failure is not None]
    unplanned = [each.failure for each in report.unplanned]
    return "\n".join(f"{each.message} / {each.hint}" for each in (*failures, *unplanned))


def _with(endpoint: Endpoint, **options: str) -> Endpoint:
    return attrs.evolve(endpoint, option_items={**endpoint.options, **options})


# --- the walk ------------------------------------------------------------------------------------


def test_images_go_in_and_come_out_the_same(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, run: Run
) -> None:
    """Indexes, signatures and all; the repository is made on the way."""
    digests = seed(harbor, 2)
    registry = open_registry(harbor.endpoint, OpenContext())
    index = random_index(9)
    digests["multi"] = index.push_to(registry, "team/app", "multi")
    subject = index.manifest.digest
    signature = random_signature(3, subject)
    signature.push_to(registry, "team/app", f"{subject.algorithm}-{subject.encoded}.sig")
    registry.close()
    assert run(harbor.endpoint, ecr.endpoint).outcomes == ((Outcome.COPIED, 3),)
    there = ecr.storage.tags("team/app")
    assert there.keys() - digests.keys() == {f"sha256-{subject.encoded}.sig"}
    assert {tag: there[tag] for tag in digests} == {t: str(d) for t, d in digests.items()}
    with LoopbackRegistry() as back:
        assert run(ecr.endpoint, back.endpoint).outcomes == ((Outcome.COPIED, 3),)
        assert back.storage.tags("team/app") == there


def test_five_thousand_unchanged_tags_cost_eight_requests(ecr: LoopbackEcr, run: Run) -> None:
    """Five pages, a login, and one HEAD that proves the digests, which the state remembers."""
    content = random_image(0).manifest.raw
    with LoopbackEcr(region="us-east-1") as source:
        for server in (source, ecr):
            server.create_repository("team/app")
            for number in range(5000):
                unlike = content.replace(b"{", b"{" + b" " * (number + 1), 1)
                server.storage.put_manifest("team/app", unlike, tags=[f"v{number}"])
        memory = MemoryState()
        first = run(source.endpoint, ecr.endpoint, state=memory)
        assert first.outcomes == ((Outcome.SKIPPED, 5000),)
        calls = Counter(call.operation for call in ecr.calls)
        assert calls == {"DescribeImages": 5, "GetAuthorizationToken": 1}
        assert [request.method for request in ecr.requests] == ["HEAD"]
        assert len(ecr.calls) + len(ecr.requests) <= 8
        ecr.clear_log()
        run(source.endpoint, ecr.endpoint, state=memory)
        assert len(ecr.calls) + len(ecr.requests) == 5


def test_who_copies_in_and_out_needs_no_more_than_the_policy(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, run: Run
) -> None:
    """What the API saw is what the purposes allow."""
    from harborsync.permissions.aws import ACTIONS, AwsPurpose

    seed(harbor)
    run(harbor.endpoint, ecr.endpoint)
    with LoopbackRegistry() as back:
        run(ecr.endpoint, back.endpoint)
    allowed = {
        action
        for purpose in (AwsPurpose.DISCOVER, AwsPurpose.PUSH, AwsPurpose.CREATE)
        for action in ACTIONS[purpose]
    }
    assert {call.operation for call in ecr.calls} - {"GetAuthorizationToken"} <= allowed


# --- logins that end -----------------------------------------------------------------------------


def test_a_login_that_ends_in_mid_layer_is_renewed(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, run: Run
) -> None:
    """ECR calls it a 403; the layer is sent again under a fresh one."""
    seed(harbor, layers=1, layer_bytes=3 * 2**20)
    expired: list[str] = []

    def faults(request: Any) -> Fault | None:
        is_long = int(request.headers.get("content-length", "0")) > 2**20
        if is_long and not expired:
            expired.append(request.path)
            ecr.expire_logins()
        return None

    ecr.faults = faults
    report = run(harbor.endpoint, ecr.endpoint)
    assert report.outcomes == ((Outcome.COPIED, 1),)
    assert expired
    assert Counter(call.operation for call in ecr.calls)["GetAuthorizationToken"] == 2
    assert 403 in {request.status for request in ecr.requests}


def test_a_login_that_ends_between_two_artifacts_is_renewed_ahead(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, run: Run, clock: FakeClock
) -> None:
    """Nothing is refused, since the end is known."""
    seed(harbor, 2)
    rule = ReplicationRule(
        name="mirror", source=harbor.endpoint, destinations=ecr.endpoint, where="name is 'team/app'"
    )
    with Replicator([rule], credentials=ecr.identity, clock=clock) as replicator:
        replicator.run()
        clock.sleep(11.95 * 3600)
        ecr.storage.delete_tag("team/app", "v0")
        assert dict(replicator.run().outcomes)[Outcome.COPIED] == 1
    assert Counter(call.operation for call in ecr.calls)["GetAuthorizationToken"] == 2
    assert 403 not in {request.status for request in ecr.requests}


def test_a_login_that_was_ended_early_is_renewed_once(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, run: Run
) -> None:
    """A role's session may end before the login is said to."""
    ecr.create_repository("team/app")
    seed(harbor)
    asked: list[str] = []

    def faults(request: Any) -> Fault | None:
        if not asked:
            asked.append(request.path)
            ecr.expire_logins()
        return None

    ecr.faults = faults
    assert run(harbor.endpoint, ecr.endpoint).outcomes == ((Outcome.COPIED, 1),)


@pytest.mark.parametrize("life", [0, None], ids=["has ended", "unknown"])
def test_a_stale_login_of_docker_gives_way_to_the_clouds(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, run: Run, bare_environment: Path, life: int | None
) -> None:
    """Who once ran docker login need not run it again, nor log out."""
    password = "x" if life is None else ecr.desk.sell(life)
    auth = base64.b64encode(f"AWS:{password}".encode()).decode()
    config = bare_environment / ".docker" / "config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"auths": {ecr.host: {"auth": auth}}}))
    seed(harbor)
    assert run(harbor.endpoint, ecr.endpoint).outcomes == ((Outcome.COPIED, 1),)
    assert "GetAuthorizationToken" in {call.operation for call in ecr.calls}


# --- what a user is told -------------------------------------------------------------------------


def _identity(key: str, secret: str) -> AwsIdentity:
    session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret)
    return AwsIdentity(session=session)


def test_a_wrong_secret_is_told(harbor: LoopbackRegistry, ecr: LoopbackEcr, run: Run) -> None:
    """Neither as a missing right nor as a missing repository."""
    seed(harbor)
    report = run(harbor.endpoint, ecr.endpoint, credentials=_identity(KEY_ID, "wr0ng"))
    told = _messages(report)
    assert "InvalidSignatureException" in told
    assert "the secret access key is not the one of the access key" in told


def test_a_clock_that_is_wrong_is_told(harbor: LoopbackRegistry, run: Run) -> None:
    """The remedy is not another key."""
    seed(harbor)
    behind = FakeClock()
    with LoopbackEcr(signing_clock=behind) as ecr:
        told = _messages(run(harbor.endpoint, ecr.endpoint))
    assert "the clock of this machine is wrong: AWS bears five minutes; set it by NTP" in told


def test_throttling_is_borne(harbor: LoopbackRegistry, ecr: LoopbackEcr, run: Run) -> None:
    """And told where it does not end."""
    seed(harbor)
    ecr.throttle("DescribeImages", 2)
    ecr.throttle("CreateRepository", 1)
    assert run(harbor.endpoint, ecr.endpoint).outcomes == ((Outcome.COPIED, 1),)
    ecr.throttle("DescribeImages", 99)
    told = _messages(run(harbor.endpoint, ecr.endpoint))
    assert "ThrottlingException: Rate exceeded" in told
    assert "run less at once" in told


def test_a_repository_that_nobody_makes_is_told(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, run: Run
) -> None:
    """With create=never."""
    seed(harbor)
    told = _messages(run(harbor.endpoint, _with(ecr.endpoint, create="never")))
    assert "NAME_UNKNOWN" in told
    assert "The repository with name 'team/app' does not exist" in told


def test_an_immutable_tag_is_told_from_a_conflict(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, run: Run
) -> None:
    """The same bytes are fine; others are refused by the registry, and nothing is repeated."""
    (digest,) = seed(harbor).values()
    to = _with(ecr.endpoint, mutability="immutable")
    assert run(harbor.endpoint, to).outcomes == ((Outcome.COPIED, 1),)
    assert run(harbor.endpoint, to).outcomes == ((Outcome.SKIPPED, 1),)
    registry = open_registry(harbor.endpoint, OpenContext())
    random_image(77).push_to(registry, "team/app", "v0")
    registry.close()
    report = run(harbor.endpoint, to, wishes={"on_conflict": "overwrite"})
    assert "cannot be overwritten because the repository is immutable" in _messages(report)
    assert ecr.storage.tags("team/app") == {"v0": str(digest)}


def test_a_right_that_is_lacking_is_named(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, run: Run
) -> None:
    """With the action, and where the policy comes from."""
    seed(harbor)
    ecr.keyring.denied.add("ecr:GetAuthorizationToken")
    told = _messages(run(harbor.endpoint, ecr.endpoint))
    assert "not authorized to perform: ecr:GetAuthorizationToken" in told
    assert "harborsync.permissions.aws" in told


def test_an_archived_image_is_told_when_a_plan_is_made(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, run: Run, clock: FakeClock
) -> None:
    """It is reported, and the others are copied; where it is there already nobody minds."""
    digests = seed(harbor, 2)
    run(harbor.endpoint, ecr.endpoint)
    ecr.archive("team/app", digests["v0"])
    assert run(harbor.endpoint, ecr.endpoint).outcomes == ((Outcome.SKIPPED, 2),)
    with LoopbackRegistry() as back:
        report = run(ecr.endpoint, back.endpoint)
        assert report.outcomes == ((Outcome.COPIED, 1),)
        assert "cannot be pulled until it is restored" in _messages(report)


def test_a_referrer_that_is_refused_is_a_warning(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, run: Run
) -> None:
    """ECR has answered 405 to some (aws/containers-roadmap #2783); the image itself arrives."""
    image = random_image(5)
    registry = open_registry(harbor.endpoint, OpenContext())
    image.push_to(registry, "team/app", "v0")
    referrer = random_referrer(6, image.manifest.descriptor)
    referrer.push_to(registry, "team/app")
    registry.close()

    def faults(request: Any) -> Fault | None:
        is_push = request.method == "PUT" and request.path.endswith(str(referrer.digest))
        return status(405) if is_push else None

    ecr.faults = faults
    report = run(harbor.endpoint, ecr.endpoint)
    assert report.outcomes == ((Outcome.COPIED, 1),)
    assert ecr.storage.tags("team/app") == {"v0": str(image.digest)}
    (result,) = report.results
    assert any("405" in warning for warning in result.warnings)


# --- secrets -------------------------------------------------------------------------------------


def test_no_secret_is_logged_raised_or_reported(
    harbor: LoopbackRegistry,
    ecr: LoopbackEcr,
    run: Run,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With everything at DEBUG, the SDK's own loggers too, and through a role's session."""
    from harborsync.testing.cloud_sts import LoopbackRole

    role = "arn:aws:iam::123456789012:role/mirror"
    user = f"arn:aws:iam::123456789012:user/{KEY_ID}"
    ecr.sts.add_role(LoopbackRole(arn=role, trusts=frozenset({user})))
    for name, value in ecr.environment.items():
        monkeypatch.setenv(name, value)
    seed(harbor)
    with caplog.at_level(logging.DEBUG):
        to = _with(ecr.endpoint, role_arn=role)
        report = run(harbor.endpoint, to, credentials=None)
        assert report.outcomes == ((Outcome.COPIED, 1),)
        ecr.keyring.denied.add("ecr:DescribeImages")
        ecr.keyring.denied.add("ecr:GetAuthorizationToken")
        failed = run(harbor.endpoint, to, credentials=None)
    told = f"{caplog.text}{report}{failed}{report!r}{failed!r}{_messages(failed)}"
    assert "botocore" in caplog.text
    for secret in ecr.secrets:
        assert secret not in told


def test_a_plan_is_made_without_writing(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, clock: FakeClock
) -> None:
    """No repository is made for it, and nothing is pushed."""
    seed(harbor)
    rule = ReplicationRule(
        name="mirror", source=harbor.endpoint, destinations=ecr.endpoint, where="name like '**'"
    )
    with Replicator([rule], credentials=ecr.identity, clock=clock) as replicator:
        plan = replicator.plan()
    assert [step.action for step in plan.steps] == [Action.COPY]
    assert ecr.repositories.names() == []
    assert ecr.requests == ()
