"""The walk to Alibaba's registry and back, with the real SDK, and what goes wrong on the way."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import pytest

from harborsync import Options, ReplicationRule, Replicator, Secret, open_registry
from harborsync.credentials.aliyun import AliyunIdentity
from harborsync.plan import Action
from harborsync.provider import OpenContext
from harborsync.report import Outcome
from harborsync.retry import RetryPolicy
from harborsync.state import MemoryState
from harborsync.testing import FakeClock, LoopbackRegistry
from harborsync.testing.cloud_aliyun import ACCOUNT, KEY_ID, SECRET_KEY, AcrServers, LoopbackAcr
from harborsync.testing.cloud_aliyun_personal import LoopbackAcrPersonal
from harborsync.testing.cloud_aliyun_ram import LoopbackRamRole
from harborsync.testing.content import random_image, random_index, random_signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync import Report
    from harborsync.endpoint import Endpoint
    from harborsync.reference import Digest
    from harborsync.testing.faults import Fault

PATIENCE = Options(retry=RetryPolicy(attempts=4, first_wait=0.1))
ROLE = f"acs:ram::{ACCOUNT}:role/mirror"


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that nobody waits for, near enough to the real one for signatures."""
    return FakeClock(datetime.now(UTC).replace(microsecond=0))


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
def run(clock: FakeClock) -> Run:
    """Run a rule as the emulators' first user, in the time of the test."""
    somebody = AliyunIdentity.of_key(KEY_ID, Secret(SECRET_KEY))

    def run_one(source: Endpoint, to: Endpoint, **more: Any) -> Report:
        wishes = {"where": "name like '**'", **more.pop("wishes", {})}
        rule = ReplicationRule(name="mirror", source=source, destinations=to, **wishes)
        settings = {"credentials": somebody, "options": PATIENCE, "clock": clock, **more}
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


def _called(acr: AcrServers) -> Counter[str]:
    return Counter(call.operation for call in acr.calls)


# --- the walk ------------------------------------------------------------------------------------


def test_images_go_in_and_come_out_the_same(
    harbor: LoopbackRegistry, acr: AcrServers, run: Run
) -> None:
    """Indexes, signatures and all; namespace and repository are made on the way, in private."""
    digests = seed(harbor, 2)
    registry = open_registry(harbor.endpoint, OpenContext())
    index = random_index(9)
    digests["multi"] = index.push_to(registry, "team/app", "multi")
    subject = index.manifest.digest
    signature = random_signature(3, subject)
    signature.push_to(registry, "team/app", f"{subject.algorithm}-{subject.encoded}.sig")
    registry.close()
    assert run(harbor.endpoint, acr.endpoint).outcomes == ((Outcome.COPIED, 3),)
    there = acr.storage.tags("team/app")
    assert there.keys() - digests.keys() == {f"sha256-{subject.encoded}.sig"}
    assert {tag: there[tag] for tag in digests} == {t: str(d) for t, d in digests.items()}
    assert acr.found("team/app").settings["public"] is False
    assert acr.auto_create == set()
    with LoopbackRegistry() as back:
        assert run(acr.endpoint, back.endpoint).outcomes == ((Outcome.COPIED, 3),)
        assert back.storage.tags("team/app") == there


def test_five_thousand_unchanged_tags_cost_less_than_sixty_requests(
    enterprise: LoopbackAcr, run: Run
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
        first = run(source.endpoint, enterprise.endpoint, state=memory)
        assert first.outcomes == ((Outcome.SKIPPED, 5000),)
        assert _called(enterprise) == {
            "GetRepository": 1,
            "ListRepoTag": 50,
            "GetAuthorizationToken": 1,
        }
        assert [request.method for request in enterprise.requests] == ["HEAD", "GET", "HEAD"]
        assert len(enterprise.calls) + len(enterprise.requests) <= 60
        enterprise.clear_log()
        run(source.endpoint, enterprise.endpoint, state=memory)
        assert len(enterprise.calls) + len(enterprise.requests) == 51


def test_an_instance_behind_a_domain_of_ones_own_tells_its_id(
    harbor: LoopbackRegistry, enterprise: LoopbackAcr, run: Run
) -> None:
    """By what the registry says to somebody without a login."""
    seed(harbor)
    options = enterprise.endpoint.options
    del options["instance_id"], options["region"]
    to = attrs.evolve(enterprise.endpoint, option_items=options)
    assert run(harbor.endpoint, to).outcomes == ((Outcome.COPIED, 1),)


def test_who_copies_in_and_out_needs_no_more_than_the_policy(
    harbor: LoopbackRegistry, acr: AcrServers, run: Run
) -> None:
    """What the API saw is what the purposes allow."""
    from harborsync.permissions.aliyun import ACTIONS, OPERATIONS, AliyunPurpose

    seed(harbor)
    run(harbor.endpoint, acr.endpoint)
    with LoopbackRegistry() as back:
        run(acr.endpoint, back.endpoint)
    allowed = {
        action
        for purpose in (AliyunPurpose.DISCOVER, AliyunPurpose.PUSH, AliyunPurpose.CREATE)
        for action in ACTIONS[purpose]
    }
    assert {OPERATIONS[call.operation] for call in acr.calls} <= {*allowed, "GetAuthorizationToken"}


def test_a_plan_is_made_without_writing(
    harbor: LoopbackRegistry, acr: AcrServers, clock: FakeClock
) -> None:
    """No namespace is made for it, and nothing is pushed."""
    seed(harbor)
    rule = ReplicationRule(
        name="mirror", source=harbor.endpoint, destinations=acr.endpoint, where="name like '**'"
    )
    with Replicator([rule], credentials=acr.identity, clock=clock) as replicator:
        plan = replicator.plan()
    assert [step.action for step in plan.steps] == [Action.COPY]
    assert acr.namespaces == set()
    assert acr.requests == ()


# --- logins that end -----------------------------------------------------------------------------


def test_a_login_that_ends_in_mid_layer_is_renewed(
    harbor: LoopbackRegistry, acr: AcrServers, run: Run
) -> None:
    """Token and password at once; the layer is sent again under fresh ones."""
    seed(harbor, layers=1, layer_bytes=3 * 2**20)
    expired: list[str] = []

    def faults(request: Any) -> Fault | None:
        is_long = int(request.headers.get("content-length", "0")) > 2**20
        if is_long and not expired:
            expired.append(request.path)
            acr.expire_logins()
        return None

    acr.faults = faults
    assert run(harbor.endpoint, acr.endpoint).outcomes == ((Outcome.COPIED, 1),)
    assert expired
    assert _called(acr)["GetAuthorizationToken"] == 2


def test_a_login_that_ends_between_two_artifacts_is_renewed_ahead(
    harbor: LoopbackRegistry, acr: AcrServers, clock: FakeClock
) -> None:
    """Nobody is asked with a password that has ended, since the end is known."""
    seed(harbor, 2)
    rule = ReplicationRule(
        name="mirror", source=harbor.endpoint, destinations=acr.endpoint, where="name is 'team/app'"
    )
    with Replicator([rule], credentials=acr.identity, clock=clock) as replicator:
        replicator.run()
        clock.advance(3590)
        acr.storage.delete_tag("team/app", "v0")
        acr.clear_log()
        assert dict(replicator.run().outcomes)[Outcome.COPIED] == 1
    assert _called(acr)["GetAuthorizationToken"] == 1
    tokens = [request for request in acr.requests if request.path == "/token"]
    assert {request.status for request in tokens} == {200}


def test_a_roles_session_is_renewed_ahead_too(
    harbor: LoopbackRegistry, acr: AcrServers, clock: FakeClock
) -> None:
    """And the login that it bought does not outlive it."""
    user = f"acs:ram::{ACCOUNT}:user/{KEY_ID}"
    acr.sts.add_role(LoopbackRamRole(arn=ROLE, trusts=frozenset({user})))
    seed(harbor)
    to = _with(acr.endpoint, role_arn=ROLE, role_duration="15m")
    rule = ReplicationRule(
        name="mirror", source=harbor.endpoint, destinations=to, where="name is 'team/app'"
    )
    with Replicator([rule], credentials=acr.identity, clock=clock) as replicator:
        replicator.run()
        clock.advance(880)
        acr.storage.delete_tag("team/app", "v0")
        assert dict(replicator.run().outcomes)[Outcome.COPIED] == 1
    assert _called(acr)["AssumeRole"] == 2
    assert _called(acr)["GetAuthorizationToken"] == 2
    assert {call.code for call in acr.calls if "NOT_EXIST" not in call.code} == {""}


# --- what a user is told -------------------------------------------------------------------------


def test_a_wrong_secret_is_told(harbor: LoopbackRegistry, acr: AcrServers, run: Run) -> None:
    """Neither as a missing right nor as a missing repository."""
    seed(harbor)
    wrong = AliyunIdentity.of_key(KEY_ID, Secret("wr0ng"))
    told = _messages(run(harbor.endpoint, acr.endpoint, credentials=wrong))
    assert "the secret is not the one of the access key" in told
    assert "string to sign" not in told


def test_a_clock_that_is_wrong_is_told(harbor: LoopbackRegistry, run: Run) -> None:
    """The remedy is not another key."""
    seed(harbor)
    with LoopbackAcr(signing_clock=FakeClock()) as acr:
        told = _messages(run(harbor.endpoint, acr.endpoint))
    assert "the clock of this machine is wrong: Alibaba bears fifteen minutes" in told


def test_throttling_is_borne(harbor: LoopbackRegistry, enterprise: LoopbackAcr, run: Run) -> None:
    """And told where it does not end."""
    seed(harbor)
    enterprise.throttle("GetRepository", 2)
    enterprise.throttle("CreateRepository", 1)
    assert run(harbor.endpoint, enterprise.endpoint).outcomes == ((Outcome.COPIED, 1),)
    enterprise.throttle("ListRepoTag", 99)
    told = _messages(run(harbor.endpoint, enterprise.endpoint))
    assert "Throttling.User: Request was denied due to user flow control" in told
    assert "run less at once" in told


def test_a_repository_that_nobody_makes_is_told(
    harbor: LoopbackRegistry, acr: AcrServers, run: Run
) -> None:
    """The registry itself says no more than "denied"."""
    seed(harbor)
    told = _messages(run(harbor.endpoint, _with(acr.endpoint, create="never")))
    assert "NAME_UNKNOWN" in told
    assert "its API knows no such repository" in told


def test_a_denial_that_nobody_can_explain_names_what_it_may_be(
    harbor: LoopbackRegistry, acr: AcrServers, run: Run
) -> None:
    """An identity that may only push cannot look what is there."""
    seed(harbor)
    acr.keyring.denied |= {"cr:GetRepository", "cr:GetRepo"}
    told = _messages(run(harbor.endpoint, _with(acr.endpoint, create="never")))
    assert "the namespace or the repository may not exist" in told


def test_a_right_to_push_that_is_lacking_is_told_from_a_repository_that_is(
    harbor: LoopbackRegistry, acr: AcrServers, run: Run
) -> None:
    """As with the system's policy for readers."""
    seed(harbor)
    acr.create_repository("team/app")
    acr.read_only = True
    told = _messages(run(harbor.endpoint, acr.endpoint))
    assert "the repository is there, and this identity lacks" in told
    assert "AliyunContainerRegistryReadOnlyAccess does not allow to push" in told


def test_an_immutable_tag_is_told(
    harbor: LoopbackRegistry, enterprise: LoopbackAcr, run: Run
) -> None:
    """The same bytes are fine; for others the plan says it, since the API tells."""
    (digest,) = seed(harbor).values()
    to = _with(enterprise.endpoint, mutability="immutable")
    assert run(harbor.endpoint, to).outcomes == ((Outcome.COPIED, 1),)
    assert run(harbor.endpoint, to).outcomes == ((Outcome.SKIPPED, 1),)
    registry = open_registry(harbor.endpoint, OpenContext())
    random_image(77).push_to(registry, "team/app", "v0")
    registry.close()
    report = run(harbor.endpoint, to, wishes={"on_conflict": "overwrite"})
    assert "the tag is immutable there" in str(report)
    assert enterprise.storage.tags("team/app") == {"v0": str(digest)}


def test_a_right_that_is_lacking_is_named(
    harbor: LoopbackRegistry, acr: AcrServers, run: Run
) -> None:
    """With the action, and where the policy comes from."""
    seed(harbor)
    acr.keyring.denied.add("cr:GetAuthorizationToken")
    told = _messages(run(harbor.endpoint, acr.endpoint))
    assert "(cr:GetAuthorizationToken)" in told
    assert "harborsync.permissions.aliyun" in told


def test_a_user_who_never_opened_the_console_is_told(harbor: LoopbackRegistry, run: Run) -> None:
    """The personal edition does not know such a one (goharbor/harbor #21096)."""
    seed(harbor)
    with LoopbackAcrPersonal() as acr:
        acr.is_open = False
        told = _messages(run(harbor.endpoint, acr.endpoint))
    assert "USER_NOT_EXIST: user is not exist" in told
    assert "open the console of the registry once" in told


def test_a_namespace_too_many_is_told(harbor: LoopbackRegistry, run: Run) -> None:
    """The personal edition has three."""
    seed(harbor)
    with LoopbackAcrPersonal(most_namespaces=0) as acr:
        told = _messages(run(harbor.endpoint, acr.endpoint))
    assert "NAMESPACE_QUOTA_EXCEED" in told
    assert "the personal edition has few namespaces" in told


# --- other people's keys, and secrets ------------------------------------------------------------


def test_a_session_handed_over_wins_over_another_accounts_variables(
    harbor: LoopbackRegistry,
    acr: AcrServers,
    run: Run,
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
    seed(harbor)
    report = run(harbor.endpoint, acr.endpoint, credentials=mine)
    assert report.outcomes == ((Outcome.COPIED, 1),)
    assert {call.who for call in acr.calls if not call.code} == {who}


def test_no_secret_is_logged_raised_or_reported(
    harbor: LoopbackRegistry,
    acr: AcrServers,
    run: Run,
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
    seed(harbor)
    to = _with(acr.endpoint, role_arn=ROLE)
    with caplog.at_level(logging.DEBUG):
        report = run(harbor.endpoint, to, credentials=None)
        assert report.outcomes == ((Outcome.COPIED, 1),)
        acr.keyring.denied |= {"cr:GetRepository", "cr:GetRepo", "cr:GetAuthorizationToken"}
        failed = run(harbor.endpoint, to, credentials=None)
    assert "aliyunsdkcore" in caplog.text
    printed = capfd.readouterr()
    told = f"{caplog.text}{report}{failed}{report!r}{failed!r}{_messages(failed)}{printed}"
    for secret in acr.secrets:
        assert secret not in told


def test_a_signature_that_is_refused_shows_no_security_token(
    harbor: LoopbackRegistry,
    acr: AcrServers,
    run: Run,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The refusal quotes all that was signed, and the SDK logs and raises it."""
    key_id, key = acr.keyring.add_session("x", clock.now().timestamp() + 3600)
    token = key.token or ""
    wrong = AliyunIdentity.of_key(key_id, Secret("wr0ng-s3cret"), Secret(token))
    seed(harbor)
    with caplog.at_level(logging.DEBUG):
        told = _messages(run(harbor.endpoint, acr.endpoint, credentials=wrong))
    assert "the secret is not the one of the access key" in told
    for secret in (token, "wr0ng-s3cret"):
        assert secret not in f"{told}{caplog.text}"
