"""The walk to Amazon ECR and back, with the real SDK, and what goes wrong on the way."""

from __future__ import annotations

import base64
import json
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from harborsync import Options, open_registry
from harborsync.credentials.aws import AwsIdentity
from harborsync.provider import OpenContext
from harborsync.report import Outcome
from harborsync.retry import RetryPolicy
from harborsync.state import MemoryState
from harborsync.testing import FakeClock, LoopbackRegistry
from harborsync.testing.cloud_aws import KEY_ID, LoopbackEcr
from harborsync.testing.content import random_image, random_referrer
from harborsync.testing.faults import status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harborsync.testing.faults import Fault
    from tests.faults.conftest import Trip

PATIENCE = Options(retry=RetryPolicy(attempts=4, first_wait=0.1))


@pytest.fixture
def ecr(clock: FakeClock) -> Iterator[LoopbackEcr]:
    """Return an empty registry of ECR."""
    with LoopbackEcr(clock=clock) as server:
        yield server


@pytest.fixture
def who(ecr: LoopbackEcr) -> AwsIdentity:
    """Return who copies: the emulator's first user."""
    return ecr.identity


# --- the walk ------------------------------------------------------------------------------------


def test_five_thousand_unchanged_tags_cost_eight_requests(ecr: LoopbackEcr, trip: Trip) -> None:
    """Five pages, a login, and one HEAD that proves the digests, which the state remembers."""
    content = random_image(0).manifest.raw
    with LoopbackEcr(region="us-east-1") as source:
        for server in (source, ecr):
            server.create_repository("team/app")
            for number in range(5000):
                unlike = content.replace(b"{", b"{" + b" " * (number + 1), 1)
                server.storage.put_manifest("team/app", unlike, tags=[f"v{number}"])
        memory = MemoryState()
        first = trip.run(source.endpoint, ecr.endpoint, state=memory)
        assert first.outcomes == ((Outcome.SKIPPED, 5000),)
        calls = Counter(call.operation for call in ecr.calls)
        assert calls == {"DescribeImages": 5, "GetAuthorizationToken": 1}
        assert [request.method for request in ecr.requests] == ["HEAD"]
        assert len(ecr.calls) + len(ecr.requests) <= 8
        ecr.clear_log()
        trip.run(source.endpoint, ecr.endpoint, state=memory)
        assert len(ecr.calls) + len(ecr.requests) == 5


def test_who_copies_in_and_out_needs_no_more_than_the_policy(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, trip: Trip
) -> None:
    """What the API saw is what the purposes allow."""
    from harborsync.permissions.aws import ACTIONS, AwsPurpose

    trip.seed(harbor)
    trip.run(harbor.endpoint, ecr.endpoint)
    with LoopbackRegistry() as back:
        trip.run(ecr.endpoint, back.endpoint)
    allowed = {
        action
        for purpose in (AwsPurpose.DISCOVER, AwsPurpose.PUSH, AwsPurpose.CREATE)
        for action in ACTIONS[purpose]
    }
    assert {call.operation for call in ecr.calls} - {"GetAuthorizationToken"} <= allowed


# --- logins that end -----------------------------------------------------------------------------


def test_a_login_that_was_ended_early_is_renewed_once(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, trip: Trip
) -> None:
    """A role's session may end before the login is said to."""
    ecr.create_repository("team/app")
    trip.seed(harbor)
    asked: list[str] = []

    def faults(request: Any) -> Fault | None:
        if not asked:
            asked.append(request.path)
            ecr.expire_logins()
        return None

    ecr.faults = faults
    assert trip.run(harbor.endpoint, ecr.endpoint).outcomes == ((Outcome.COPIED, 1),)


@pytest.mark.parametrize("life", [0, None], ids=["has ended", "unknown"])
def test_a_stale_login_of_docker_gives_way_to_the_clouds(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, trip: Trip, bare_environment: Path, life: int | None
) -> None:
    """Who once ran docker login need not run it again, nor log out."""
    password = "x" if life is None else ecr.desk.sell(life)
    auth = base64.b64encode(f"AWS:{password}".encode()).decode()
    config = bare_environment / ".docker" / "config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"auths": {ecr.host: {"auth": auth}}}))
    trip.seed(harbor)
    assert trip.run(harbor.endpoint, ecr.endpoint).outcomes == ((Outcome.COPIED, 1),)
    assert "GetAuthorizationToken" in {call.operation for call in ecr.calls}


# --- what a user is told -------------------------------------------------------------------------


def _identity(key: str, secret: str) -> AwsIdentity:
    session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret)
    return AwsIdentity(session=session)


def test_a_wrong_secret_is_told(harbor: LoopbackRegistry, ecr: LoopbackEcr, trip: Trip) -> None:
    """Neither as a missing right nor as a missing repository."""
    trip.seed(harbor)
    report = trip.run(harbor.endpoint, ecr.endpoint, credentials=_identity(KEY_ID, "wr0ng"))
    told = trip.told(report)
    assert "InvalidSignatureException" in told
    assert "the secret access key is not the one of the access key" in told


def test_throttling_is_borne(harbor: LoopbackRegistry, ecr: LoopbackEcr, trip: Trip) -> None:
    """And told where it does not end."""
    trip.seed(harbor)
    ecr.throttle("DescribeImages", 2)
    ecr.throttle("CreateRepository", 1)
    assert trip.run(harbor.endpoint, ecr.endpoint).outcomes == ((Outcome.COPIED, 1),)
    ecr.throttle("DescribeImages", 99)
    told = trip.told(trip.run(harbor.endpoint, ecr.endpoint))
    assert "ThrottlingException: Rate exceeded" in told
    assert "run less at once" in told


def test_a_repository_that_nobody_makes_is_told(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, trip: Trip
) -> None:
    """With create=never."""
    trip.seed(harbor)
    told = trip.told(trip.run(harbor.endpoint, trip.having(ecr.endpoint, create="never")))
    assert "NAME_UNKNOWN" in told
    assert "The repository with name 'team/app' does not exist" in told


def test_an_immutable_tag_is_told_from_a_conflict(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, trip: Trip
) -> None:
    """The same bytes are fine; others are refused by the registry, and nothing is repeated."""
    (digest,) = trip.seed(harbor).values()
    to = trip.having(ecr.endpoint, mutability="immutable")
    assert trip.run(harbor.endpoint, to).outcomes == ((Outcome.COPIED, 1),)
    assert trip.run(harbor.endpoint, to).outcomes == ((Outcome.SKIPPED, 1),)
    registry = open_registry(harbor.endpoint, OpenContext())
    random_image(77).push_to(registry, "team/app", "v0")
    registry.close()
    report = trip.run(harbor.endpoint, to, wishes={"on_conflict": "overwrite"})
    assert "cannot be overwritten because the repository is immutable" in trip.told(report)
    assert ecr.storage.tags("team/app") == {"v0": str(digest)}


def test_a_right_that_is_lacking_is_named(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, trip: Trip
) -> None:
    """With the action, and where the policy comes from."""
    trip.seed(harbor)
    ecr.keyring.denied.add("ecr:GetAuthorizationToken")
    told = trip.told(trip.run(harbor.endpoint, ecr.endpoint))
    assert "not authorized to perform: ecr:GetAuthorizationToken" in told
    assert "harborsync.permissions.aws" in told


def test_an_archived_image_is_told_when_a_plan_is_made(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, trip: Trip, clock: FakeClock
) -> None:
    """It is reported, and the others are copied; where it is there already nobody minds."""
    digests = trip.seed(harbor, 2)
    trip.run(harbor.endpoint, ecr.endpoint)
    ecr.archive("team/app", digests["v0"])
    assert trip.run(harbor.endpoint, ecr.endpoint).outcomes == ((Outcome.SKIPPED, 2),)
    with LoopbackRegistry() as back:
        report = trip.run(ecr.endpoint, back.endpoint)
        assert report.outcomes == ((Outcome.COPIED, 1),)
        assert "cannot be pulled until it is restored" in trip.told(report)


def test_a_referrer_that_is_refused_is_a_warning(
    harbor: LoopbackRegistry, ecr: LoopbackEcr, trip: Trip
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
    report = trip.run(harbor.endpoint, ecr.endpoint)
    assert report.outcomes == ((Outcome.COPIED, 1),)
    assert ecr.storage.tags("team/app") == {"v0": str(image.digest)}
    (result,) = report.results
    assert any("405" in warning for warning in result.warnings)


# --- secrets -------------------------------------------------------------------------------------


def test_no_secret_is_logged_raised_or_reported(
    harbor: LoopbackRegistry,
    ecr: LoopbackEcr,
    trip: Trip,
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
    trip.seed(harbor)
    with caplog.at_level(logging.DEBUG):
        to = trip.having(ecr.endpoint, role_arn=role)
        report = trip.run(harbor.endpoint, to, credentials=None)
        assert report.outcomes == ((Outcome.COPIED, 1),)
        ecr.keyring.denied.add("ecr:DescribeImages")
        ecr.keyring.denied.add("ecr:GetAuthorizationToken")
        failed = trip.run(harbor.endpoint, to, credentials=None)
    told = f"{caplog.text}{report}{failed}{report!r}{failed!r}{trip.told(failed)}"
    assert "botocore" in caplog.text
    for secret in ecr.secrets:
        assert secret not in told
