"""The walk to Alibaba's registry and back, with the real SDK, and what goes wrong on the way."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync import Options, Secret, open_registry
from harborsync.credentials.aliyun import AliyunIdentity
from harborsync.provider import OpenContext
from harborsync.report import Outcome
from harborsync.retry import RetryPolicy
from harborsync.state import MemoryState
from harborsync.testing import FakeClock, LoopbackRegistry
from harborsync.testing.cloud_aliyun import ACCOUNT, KEY_ID, SECRET_KEY, AcrServers, LoopbackAcr
from harborsync.testing.cloud_aliyun_personal import LoopbackAcrPersonal
from harborsync.testing.cloud_aliyun_ram import LoopbackRamRole
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.conftest import Trip

PATIENCE = Options(retry=RetryPolicy(attempts=4, first_wait=0.1))
ROLE = f"acs:ram::{ACCOUNT}:role/mirror"


@pytest.fixture(params=[LoopbackAcr, LoopbackAcrPersonal], ids=["enterprise", "personal"])
def acr(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[AcrServers]:
    """Return an empty registry of each edition."""
    with request.param(clock=clock) as server:
        yield server


@pytest.fixture
def enterprise(clock: FakeClock) -> Iterator[LoopbackAcr]:
    """Return an empty instance of the enterprise edition."""
    with LoopbackAcr(clock=clock) as server:
        yield server


@pytest.fixture
def who() -> AliyunIdentity:
    """Return who copies: the emulators' first user."""
    return AliyunIdentity.of_key(KEY_ID, Secret(SECRET_KEY))


def _called(acr: AcrServers) -> Counter[str]:
    return Counter(call.operation for call in acr.calls)


# --- the walk ------------------------------------------------------------------------------------


def test_what_is_made_is_private(harbor: LoopbackRegistry, acr: AcrServers, trip: Trip) -> None:
    """And its namespace lets no push make repositories."""
    trip.seed(harbor)
    trip.run(harbor.endpoint, acr.endpoint)
    assert acr.found("team/app").settings["public"] is False
    assert acr.auto_create == set()


def test_five_thousand_unchanged_tags_cost_less_than_sixty_requests(
    enterprise: LoopbackAcr, trip: Trip
) -> None:
    """Fifty pages, the repository's id, a login, and one HEAD that proves the digests."""
    content = random_image(0).manifest.raw
    with LoopbackRegistry() as source:
        enterprise.create_repository("team/app")
        for storage in (source.storage, enterprise.storage):
            for number in range(5000):
                unlike = content.replace(b"{", b"{" + b" " * (number + 1), 1)
                storage.put_manifest("team/app", unlike, tags=[f"v{number}"])
        memory = MemoryState()
        first = trip.run(source.endpoint, enterprise.endpoint, state=memory)
        assert first.outcomes == ((Outcome.SKIPPED, 5000),)
        assert _called(enterprise) == {
            "GetRepository": 1,
            "ListRepoTag": 50,
            "GetAuthorizationToken": 1,
        }
        assert [request.method for request in enterprise.requests] == ["HEAD", "GET", "HEAD"]
        assert len(enterprise.calls) + len(enterprise.requests) <= 60
        enterprise.clear_log()
        trip.run(source.endpoint, enterprise.endpoint, state=memory)
        assert len(enterprise.calls) + len(enterprise.requests) == 51


def test_an_instance_behind_a_domain_of_ones_own_tells_its_id(
    harbor: LoopbackRegistry, enterprise: LoopbackAcr, trip: Trip
) -> None:
    """By what the registry says to somebody without a login."""
    trip.seed(harbor)
    options = enterprise.endpoint.options
    del options["instance_id"], options["region"]
    to = attrs.evolve(enterprise.endpoint, option_items=options)
    assert trip.run(harbor.endpoint, to).outcomes == ((Outcome.COPIED, 1),)


def test_who_copies_in_and_out_needs_no_more_than_the_policy(
    harbor: LoopbackRegistry, acr: AcrServers, trip: Trip
) -> None:
    """What the API saw is what the purposes allow."""
    from harborsync.permissions.aliyun import ACTIONS, OPERATIONS, AliyunPurpose

    trip.seed(harbor)
    trip.run(harbor.endpoint, acr.endpoint)
    with LoopbackRegistry() as back:
        trip.run(acr.endpoint, back.endpoint)
    allowed = {
        action
        for purpose in (AliyunPurpose.DISCOVER, AliyunPurpose.PUSH, AliyunPurpose.CREATE)
        for action in ACTIONS[purpose]
    }
    assert {OPERATIONS[call.operation] for call in acr.calls} <= {*allowed, "GetAuthorizationToken"}


# --- logins that end -----------------------------------------------------------------------------


def test_a_roles_session_is_renewed_ahead_too(
    harbor: LoopbackRegistry, acr: AcrServers, trip: Trip
) -> None:
    """And the login that it bought does not outlive it."""
    user = f"acs:ram::{ACCOUNT}:user/{KEY_ID}"
    acr.sts.add_role(LoopbackRamRole(arn=ROLE, trusts=frozenset({user})))
    trip.seed(harbor)
    to = trip.having(acr.endpoint, role_arn=ROLE, role_duration="15m")
    wishes = {"where": "name is 'team/app'"}
    with trip.replicator(harbor.endpoint, to, wishes) as replicator:
        replicator.run()
        trip.clock.advance(880)
        acr.storage.delete_tag("team/app", "v0")
        assert dict(replicator.run().outcomes)[Outcome.COPIED] == 1
    assert _called(acr)["AssumeRole"] == 2
    assert _called(acr)["GetAuthorizationToken"] == 2
    assert {call.code for call in acr.calls if "NOT_EXIST" not in call.code} == {""}


# --- what a user is told -------------------------------------------------------------------------


def test_a_wrong_secret_is_told(harbor: LoopbackRegistry, acr: AcrServers, trip: Trip) -> None:
    """Neither as a missing right nor as a missing repository."""
    trip.seed(harbor)
    wrong = AliyunIdentity.of_key(KEY_ID, Secret("wr0ng"))
    told = trip.told(trip.run(harbor.endpoint, acr.endpoint, credentials=wrong))
    assert "the secret is not the one of the access key" in told
    assert "string to sign" not in told


def test_throttling_is_borne(harbor: LoopbackRegistry, enterprise: LoopbackAcr, trip: Trip) -> None:
    """And told where it does not end."""
    trip.seed(harbor)
    enterprise.throttle("GetRepository", 2)
    enterprise.throttle("CreateRepository", 1)
    assert trip.run(harbor.endpoint, enterprise.endpoint).outcomes == ((Outcome.COPIED, 1),)
    enterprise.throttle("ListRepoTag", 99)
    told = trip.told(trip.run(harbor.endpoint, enterprise.endpoint))
    assert "Throttling.User: Request was denied due to user flow control" in told
    assert "run less at once" in told


def test_a_repository_that_nobody_makes_is_told(
    harbor: LoopbackRegistry, acr: AcrServers, trip: Trip
) -> None:
    """The registry itself says no more than "denied"."""
    trip.seed(harbor)
    told = trip.told(trip.run(harbor.endpoint, trip.having(acr.endpoint, create="never")))
    assert "NAME_UNKNOWN" in told
    assert "its API knows no such repository" in told


def test_a_denial_that_nobody_can_explain_names_what_it_may_be(
    harbor: LoopbackRegistry, acr: AcrServers, trip: Trip
) -> None:
    """An identity that may only push cannot look what is there."""
    trip.seed(harbor)
    acr.keyring.denied |= {"cr:GetRepository", "cr:GetRepo"}
    told = trip.told(trip.run(harbor.endpoint, trip.having(acr.endpoint, create="never")))
    assert "the namespace or the repository may not exist" in told


def test_a_right_to_push_that_is_lacking_is_told_from_a_repository_that_is(
    harbor: LoopbackRegistry, acr: AcrServers, trip: Trip
) -> None:
    """As with the system's policy for readers."""
    trip.seed(harbor)
    acr.create_repository("team/app")
    acr.read_only = True
    told = trip.told(trip.run(harbor.endpoint, acr.endpoint))
    assert "the repository is there, and this identity lacks" in told
    assert "AliyunContainerRegistryReadOnlyAccess does not allow to push" in told


def test_an_immutable_tag_is_told(
    harbor: LoopbackRegistry, enterprise: LoopbackAcr, trip: Trip
) -> None:
    """The same bytes are fine; for others the plan says it, since the API tells."""
    (digest,) = trip.seed(harbor).values()
    to = trip.having(enterprise.endpoint, mutability="immutable")
    assert trip.run(harbor.endpoint, to).outcomes == ((Outcome.COPIED, 1),)
    assert trip.run(harbor.endpoint, to).outcomes == ((Outcome.SKIPPED, 1),)
    registry = open_registry(harbor.endpoint, OpenContext())
    random_image(77).push_to(registry, "team/app", "v0")
    registry.close()
    report = trip.run(harbor.endpoint, to, wishes={"on_conflict": "overwrite"})
    assert "the tag is immutable there" in str(report)
    assert enterprise.storage.tags("team/app") == {"v0": str(digest)}


def test_a_right_that_is_lacking_is_named(
    harbor: LoopbackRegistry, acr: AcrServers, trip: Trip
) -> None:
    """With the action, and where the policy comes from."""
    trip.seed(harbor)
    acr.keyring.denied.add("cr:GetAuthorizationToken")
    told = trip.told(trip.run(harbor.endpoint, acr.endpoint))
    assert "(cr:GetAuthorizationToken)" in told
    assert "harborsync.permissions.aliyun" in told


def test_a_user_who_never_opened_the_console_is_told(harbor: LoopbackRegistry, trip: Trip) -> None:
    """The personal edition does not know such a one (goharbor/harbor #21096)."""
    trip.seed(harbor)
    with LoopbackAcrPersonal() as acr:
        acr.is_open = False
        told = trip.told(trip.run(harbor.endpoint, acr.endpoint))
    assert "USER_NOT_EXIST: user is not exist" in told
    assert "open the console of the registry once" in told


def test_a_namespace_too_many_is_told(harbor: LoopbackRegistry, trip: Trip) -> None:
    """The personal edition has three."""
    trip.seed(harbor)
    with LoopbackAcrPersonal(most_namespaces=0) as acr:
        told = trip.told(trip.run(harbor.endpoint, acr.endpoint))
    assert "NAMESPACE_QUOTA_EXCEED" in told
    assert "the personal edition has few namespaces" in told


# --- other people's keys, and secrets ------------------------------------------------------------


def test_a_session_handed_over_wins_over_another_accounts_variables(
    harbor: LoopbackRegistry,
    acr: AcrServers,
    trip: Trip,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The SDK alone would sign by the variables."""
    for prefix in ("ALIYUN_", "ALIBABA_CLOUD_"):
        monkeypatch.setenv(f"{prefix}ACCESS_KEY_ID", "LTAIanother")
        monkeypatch.setenv(f"{prefix}ACCESS_KEY_SECRET", "another")
    who = f"acs:ram::{ACCOUNT}:assumed-role/mirror/me"
    key_id, key = acr.keyring.add_session(who, clock.now().timestamp() + 3600)
    mine = AliyunIdentity.of_key(key_id, Secret(key.secret), Secret(key.token or ""))
    trip.seed(harbor)
    report = trip.run(harbor.endpoint, acr.endpoint, credentials=mine)
    assert report.outcomes == ((Outcome.COPIED, 1),)
    assert {call.who for call in acr.calls if not call.code} == {who}


def test_no_secret_is_logged_raised_or_reported(
    harbor: LoopbackRegistry,
    acr: AcrServers,
    trip: Trip,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With everything at DEBUG, the SDK's own loggers too, and through a role's session."""
    user = f"acs:ram::{ACCOUNT}:user/{KEY_ID}"
    acr.sts.add_role(LoopbackRamRole(arn=ROLE, trusts=frozenset({user})))
    for name, value in acr.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DEBUG", "sdk")  # has the SDK log fields of requests and answers
    trip.seed(harbor)
    to = trip.having(acr.endpoint, role_arn=ROLE)
    with caplog.at_level(logging.DEBUG):
        report = trip.run(harbor.endpoint, to, credentials=None)
        assert report.outcomes == ((Outcome.COPIED, 1),)
        acr.keyring.denied |= {"cr:GetRepository", "cr:GetRepo", "cr:GetAuthorizationToken"}
        failed = trip.run(harbor.endpoint, to, credentials=None)
    assert "aliyunsdkcore" in caplog.text
    printed = capfd.readouterr()
    told = f"{caplog.text}{report}{failed}{report!r}{failed!r}{trip.told(failed)}{printed}"
    for secret in acr.secrets:
        assert secret not in told


def test_a_signature_that_is_refused_shows_no_security_token(
    harbor: LoopbackRegistry,
    acr: AcrServers,
    trip: Trip,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The refusal quotes all that was signed, and the SDK logs and raises it."""
    key_id, key = acr.keyring.add_session("x", clock.now().timestamp() + 3600)
    token = key.token or ""
    wrong = AliyunIdentity.of_key(key_id, Secret("wr0ng-s3cret"), Secret(token))
    trip.seed(harbor)
    with caplog.at_level(logging.DEBUG):
        told = trip.told(trip.run(harbor.endpoint, acr.endpoint, credentials=wrong))
    assert "the secret is not the one of the access key" in told
    for secret in (token, "wr0ng-s3cret"):
        assert secret not in f"{told}{caplog.text}"
