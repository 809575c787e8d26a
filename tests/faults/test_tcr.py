"""The walk to Tencent's TCR and back, with the real SDK, and what goes wrong on the way."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import pytest

from harborsync import Options, ReplicationRule, Replicator, Secret, open_registry
from harborsync.credentials import Chain, Credential, StaticCredentials
from harborsync.credentials.tencent import TencentIdentity
from harborsync.plan import Action
from harborsync.provider import OpenContext
from harborsync.report import Outcome
from harborsync.retry import RetryPolicy
from harborsync.state import MemoryState
from harborsync.testing import FakeClock, LoopbackRegistry
from harborsync.testing.cloud_tencent import LoopbackTcr
from harborsync.testing.cloud_tencent_personal import LoopbackTcrPersonal
from harborsync.testing.cloud_tencent_plane import KEY_ID, LoopbackCamRole
from harborsync.testing.content import random_image, random_index, random_signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync import Report
    from harborsync.endpoint import Endpoint
    from harborsync.reference import Digest
    from harborsync.testing.faults import Fault

PATIENCE = Options(retry=RetryPolicy(attempts=4, first_wait=0.1))
ROLE = "qcs::cam::uin/100000000001:roleName/mirror"


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that nobody waits for, near enough to the real one for signatures."""
    return FakeClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def tcr(clock: FakeClock) -> Iterator[LoopbackTcr]:
    """Return an empty instance of the enterprise edition."""
    with LoopbackTcr(clock=clock) as server:
        yield server


@pytest.fixture
def personal(clock: FakeClock) -> Iterator[LoopbackTcrPersonal]:
    """Return an empty personal edition."""
    with LoopbackTcrPersonal(clock=clock) as server:
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
def run(tcr: LoopbackTcr, clock: FakeClock) -> Run:
    """Run a rule as the emulator's first user, in the time of the test."""

    def run_one(source: Endpoint, to: Endpoint, **more: Any) -> Report:
        wishes = {"where": "name like '**'", **more.pop("wishes", {})}
        rule = ReplicationRule(name="mirror", source=source, destinations=to, **wishes)
        settings = {"credentials": tcr.identity, "options": PATIENCE, "clock": clock, **more}
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


def _asked(server: LoopbackTcr | LoopbackTcrPersonal) -> Counter[str]:
    return Counter(call.operation for call in server.calls)


# --- the walk ------------------------------------------------------------------------------------


def test_images_go_in_and_come_out_the_same(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, run: Run
) -> None:
    """Indexes, signatures and all; namespace and repository are made on the way."""
    digests = seed(harbor, 2)
    registry = open_registry(harbor.endpoint, OpenContext())
    index = random_index(9)
    digests["multi"] = index.push_to(registry, "team/app", "multi")
    subject = index.manifest.digest
    signature = random_signature(3, subject)
    signature.push_to(registry, "team/app", f"{subject.algorithm}-{subject.encoded}.sig")
    registry.close()
    assert run(harbor.endpoint, tcr.endpoint).outcomes == ((Outcome.COPIED, 3),)
    there = tcr.storage.tags("team/app")
    assert there.keys() - digests.keys() == {f"sha256-{subject.encoded}.sig"}
    assert {tag: there[tag] for tag in digests} == {t: str(d) for t, d in digests.items()}
    assert tcr.namespaces == {"team": False}
    with LoopbackRegistry() as back:
        assert run(tcr.endpoint, back.endpoint).outcomes == ((Outcome.COPIED, 3),)
        assert back.storage.tags("team/app") == there


def test_the_personal_edition_takes_and_gives_the_same(
    harbor: LoopbackRegistry, personal: LoopbackTcrPersonal, run: Run
) -> None:
    """Its own ids of tags are not taken for digests: each tag is asked for."""
    digests = seed(harbor, 3)
    logins = personal.credentials
    report = run(harbor.endpoint, personal.endpoint, credentials=logins)
    assert report.outcomes == ((Outcome.COPIED, 3),)
    assert personal.storage.tags("team/app") == {tag: str(d) for tag, d in digests.items()}
    assert personal.namespaces == {"team"}
    personal.clear_log()
    report = run(harbor.endpoint, personal.endpoint, credentials=logins)
    assert report.outcomes == ((Outcome.SKIPPED, 3),)
    assert _asked(personal) == {"DescribeImagePersonal": 1}
    assert Counter(each.method for each in personal.requests)["HEAD"] <= 6
    with LoopbackRegistry() as back:
        report = run(personal.endpoint, back.endpoint, credentials=logins)
        assert report.outcomes == ((Outcome.COPIED, 3),)
        assert back.storage.tags("team/app") == personal.storage.tags("team/app")


def test_five_thousand_unchanged_tags_cost_sixty_requests(tcr: LoopbackTcr, run: Run) -> None:
    """Fifty pages and an empty one, a login, and one HEAD that proves the digests."""
    content = random_image(0).manifest.raw
    with LoopbackRegistry() as source:
        tcr.create_repository("team/app")
        for number in range(5000):
            unlike = content.replace(b"{", b"{" + b" " * (number + 1), 1)
            for server in (source, tcr):
                server.storage.put_manifest("team/app", unlike, tags=[f"v{number}"])
        memory = MemoryState()
        first = run(source.endpoint, tcr.endpoint, state=memory)
        assert first.outcomes == ((Outcome.SKIPPED, 5000),)
        assert _asked(tcr) == {
            "DescribeImages": 51,
            "DescribeInstances": 1,
            "CreateInstanceToken": 1,
        }
        assert len(tcr.calls) + len(tcr.requests) <= 60
        print(f"first: {len(tcr.calls)} calls, {len(tcr.requests)} requests")
        tcr.clear_log()
        run(source.endpoint, tcr.endpoint, state=memory)
        assert _asked(tcr) == {"DescribeImages": 51, "DescribeInstances": 1}
        assert tcr.requests == ()


def test_who_copies_in_and_out_needs_no_more_than_the_policy(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, run: Run
) -> None:
    """What the API saw is what the purposes allow."""
    from harborsync.permissions.tencent import ACTIONS, LOGIN, TencentPurpose

    seed(harbor)
    run(harbor.endpoint, tcr.endpoint)
    with LoopbackRegistry() as back:
        run(tcr.endpoint, back.endpoint)
    allowed = set(LOGIN).union(
        *(ACTIONS[each] for each in (TencentPurpose.DISCOVER, TencentPurpose.CREATE))
    )
    assert set(_asked(tcr)) <= allowed


def test_a_plan_is_made_without_writing(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, clock: FakeClock
) -> None:
    """No namespace is made for it, and nothing is pushed."""
    seed(harbor)
    rule = ReplicationRule(
        name="mirror", source=harbor.endpoint, destinations=tcr.endpoint, where="name like '**'"
    )
    with Replicator([rule], credentials=tcr.identity, clock=clock) as replicator:
        plan = replicator.plan()
    assert [step.action for step in plan.steps] == [Action.COPY]
    assert (tcr.namespaces, tcr.requests) == ({}, ())


def test_a_service_account_is_a_login_like_any_other(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """Beside an identity that may do nothing the registry's own API does, and the log says so."""
    seed(harbor, 2)
    tcr.create_repository("team/app")
    tcr.add_service_account("tcr$mirror", "s3rvice")
    login = Credential(username="tcr$mirror", secret=Secret("s3rvice"))
    tcr.denied |= {"tcr:DescribeInstances"}
    sources = Chain((tcr.identity, StaticCredentials({tcr.host: login})))
    with caplog.at_level(logging.WARNING):
        report = run(harbor.endpoint, tcr.endpoint, credentials=sources)
    assert report.outcomes == ((Outcome.COPIED, 2),)
    assert "CreateInstanceToken" not in _asked(tcr)
    assert "tags are listed by a slower way" in caplog.text


# --- logins that end -----------------------------------------------------------------------------


def test_a_login_that_ends_in_mid_layer_is_renewed(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, run: Run
) -> None:
    """The layer is sent again under a fresh one."""
    seed(harbor, layers=1, layer_bytes=3 * 2**20)
    expired: list[str] = []

    def faults(request: Any) -> Fault | None:
        is_long = int(request.headers.get("content-length", "0")) > 2**20
        if is_long and not expired:
            expired.append(request.path)
            tcr.expire_logins()
        return None

    tcr.faults = faults
    one_by_one = attrs.evolve(PATIENCE, blobs_at_once=1)  # nobody else is refused meanwhile
    report = run(harbor.endpoint, tcr.endpoint, options=one_by_one)
    assert report.outcomes == ((Outcome.COPIED, 1),), _messages(report)
    assert expired
    assert _asked(tcr)["CreateInstanceToken"] == 2
    assert 401 in {request.status for request in tcr.requests}


def test_a_login_that_ends_between_two_artifacts_is_renewed_ahead(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, clock: FakeClock
) -> None:
    """Its end is known, so the token server refuses nobody."""
    seed(harbor, 2)
    rule = ReplicationRule(
        name="mirror", source=harbor.endpoint, destinations=tcr.endpoint, where="name is 'team/app'"
    )
    with Replicator([rule], credentials=tcr.identity, clock=clock) as replicator:
        replicator.run()
        tcr.clear_log()
        clock.sleep(3590)
        tcr.storage.delete_tag("team/app", "v0")
        assert dict(replicator.run().outcomes)[Outcome.COPIED] == 1
    assert _asked(tcr)["CreateInstanceToken"] == 1
    assert {each.status for each in tcr.requests if each.path == "/token"} == {200}


def test_a_session_that_was_ended_early_is_renewed(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, run: Run
) -> None:
    """A role's session is refused once, and assumed again."""
    seed(harbor)
    tcr.add_role(LoopbackCamRole(arn=ROLE, trusts=frozenset({KEY_ID})))
    ended: list[str] = []

    def faults(request: Any) -> Fault | None:
        if not ended and request.path.startswith("/v2/team"):
            ended.append(request.path)
            tcr.end_sessions()
        return None

    tcr.faults = faults
    report = run(harbor.endpoint, _with(tcr.endpoint, role_arn=ROLE, create="always"))
    assert report.outcomes == ((Outcome.COPIED, 1),)
    assert ended
    with LoopbackRegistry() as back:
        rule = _with(tcr.endpoint, role_arn=ROLE)
        assert run(rule, back.endpoint).outcomes == ((Outcome.COPIED, 1),)
    assert _asked(tcr)["AssumeRole"] == 2


# --- what a user is told -------------------------------------------------------------------------


def test_a_wrong_secret_is_told(harbor: LoopbackRegistry, tcr: LoopbackTcr, run: Run) -> None:
    """Neither as a missing right nor as a missing repository."""
    seed(harbor)
    wrong = TencentIdentity.of_key(KEY_ID, Secret("wr0ng"))
    told = _messages(run(harbor.endpoint, tcr.endpoint, credentials=wrong))
    assert "AuthFailure.SignatureFailure" in told
    assert "the secret is not the one of the key" in told


def test_an_unknown_key_is_told(harbor: LoopbackRegistry, tcr: LoopbackTcr, run: Run) -> None:
    """By the name of the variable that holds it."""
    seed(harbor)
    wrong = TencentIdentity.of_key("AKIDnobody", Secret("x"))
    told = _messages(run(harbor.endpoint, tcr.endpoint, credentials=wrong))
    assert "compare TENCENTCLOUD_SECRET_ID" in told


def test_a_clock_that_is_wrong_is_told(harbor: LoopbackRegistry, run: Run) -> None:
    """The remedy is not another key."""
    seed(harbor)
    with LoopbackTcr(signing_clock=FakeClock()) as tcr:
        told = _messages(run(harbor.endpoint, tcr.endpoint))
    assert "the clock of this machine is wrong: Tencent bears five minutes; set it by NTP" in told


def test_throttling_is_borne(harbor: LoopbackRegistry, tcr: LoopbackTcr, run: Run) -> None:
    """Although it comes with status 200; and told where it does not end."""
    seed(harbor)
    tcr.throttle("DescribeImages", 2)
    tcr.throttle("CreateNamespace", 1)
    assert run(harbor.endpoint, tcr.endpoint).outcomes == ((Outcome.COPIED, 1),)
    tcr.throttle("DescribeImages", 99)
    told = _messages(run(harbor.endpoint, tcr.endpoint))
    assert "RequestLimitExceeded" in told
    assert "run less at once" in told


def test_a_namespace_that_nobody_makes_is_told(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, run: Run
) -> None:
    """With create=never."""
    seed(harbor)
    told = _messages(run(harbor.endpoint, _with(tcr.endpoint, create="never")))
    assert "project team not found" in told
    assert "open the registry with create=auto" in told


def test_a_name_that_tcr_does_not_take_is_told(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, run: Run
) -> None:
    """Before anything is sent."""
    registry = open_registry(harbor.endpoint, OpenContext())
    random_image(1).push_to(registry, f"{'n' * 31}/app", "v1")
    random_image(1).push_to(registry, "team/ab", "v1")
    registry.close()
    told = _messages(run(harbor.endpoint, tcr.endpoint))
    assert "cannot be a namespace of TCR" in told
    assert "'ab' cannot be a repository of TCR: it has 2 characters" in told
    assert {request.method for request in tcr.requests} <= {"GET", "HEAD"}


def test_an_immutable_tag_is_told_from_a_conflict(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, run: Run
) -> None:
    """The same bytes are fine; others are refused by the registry, and nothing is repeated."""
    (digest,) = seed(harbor).values()
    assert run(harbor.endpoint, tcr.endpoint).outcomes == ((Outcome.COPIED, 1),)
    tcr.make_immutable("team", "v*")
    assert run(harbor.endpoint, tcr.endpoint).outcomes == ((Outcome.SKIPPED, 1),)
    registry = open_registry(harbor.endpoint, OpenContext())
    random_image(77).push_to(registry, "team/app", "v0")
    registry.close()
    tcr.clear_log()
    report = run(harbor.endpoint, tcr.endpoint, wishes={"on_conflict": "overwrite"})
    told = _messages(report)
    assert "configured as immutable" in told
    assert "immutability rule" in told
    puts = [each for each in tcr.requests if each.method == "PUT" and "/manifests/" in each.path]
    assert len(puts) == 1
    assert tcr.storage.tags("team/app") == {"v0": str(digest)}


def test_a_right_that_is_lacking_is_named(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, run: Run
) -> None:
    """With the action, and where the policy comes from."""
    seed(harbor)
    tcr.denied.add("tcr:CreateInstanceToken")
    told = _messages(run(harbor.endpoint, tcr.endpoint))
    assert "not authorized to perform operation (tcr:CreateInstanceToken)" in told
    assert "harborsync.permissions.tencent" in told


def test_an_instance_that_is_not_to_be_seen_is_told(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, run: Run
) -> None:
    """It is of another account, or the id is wrong."""
    seed(harbor)
    told = _messages(run(harbor.endpoint, _with(tcr.endpoint, instance_id="tcr-zzzz")))
    assert "this identity sees no instance 'tcr-zzzz' of TCR in any region" in told


def test_an_instance_that_does_not_run_is_told(harbor: LoopbackRegistry, run: Run) -> None:
    """By its status."""
    seed(harbor)
    with LoopbackTcr(status="Isolate") as tcr:
        told = _messages(run(harbor.endpoint, tcr.endpoint))
    assert "is Isolate" in told


def test_a_full_account_is_told(harbor: LoopbackRegistry, clock: FakeClock, run: Run) -> None:
    """A limit is no throttling: nothing is repeated."""
    seed(harbor)
    with LoopbackTcr(clock=clock, most_namespaces=0) as tcr:
        told = _messages(run(harbor.endpoint, tcr.endpoint))
        assert _asked(tcr)["CreateNamespace"] == 1
    assert "LimitExceeded.ErrNamespaceMaxLimit" in told
    assert "take a larger instance" in told


# --- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("edition", ["enterprise", "personal"])
def test_no_secret_is_logged_raised_or_reported(
    harbor: LoopbackRegistry,
    tcr: LoopbackTcr,
    personal: LoopbackTcrPersonal,
    run: Run,
    caplog: pytest.LogCaptureFixture,
    edition: str,
) -> None:
    """With everything at DEBUG, the SDK's own loggers too, and through a role's session."""
    server: LoopbackTcr | LoopbackTcrPersonal = tcr if edition == "enterprise" else personal
    logins = tcr.identity if edition == "enterprise" else personal.credentials
    server.add_role(LoopbackCamRole(arn=ROLE, trusts=frozenset({KEY_ID})))
    seed(harbor)
    with caplog.at_level(logging.DEBUG):
        to = _with(server.endpoint, role_arn=ROLE)
        report = run(harbor.endpoint, to, credentials=logins)
        assert report.outcomes == ((Outcome.COPIED, 1),)
        server.denied |= {"tcr:CreateInstanceToken", "tcr:DescribeImagePersonal"}
        failed = run(harbor.endpoint, to, credentials=logins)
    told = f"{caplog.text}{report}{failed}{report!r}{failed!r}{_messages(failed)}"
    assert "tencentcloud_sdk_common" in caplog.text
    assert "X-TC-Token: ***" in caplog.text
    for secret in server.secrets:
        assert secret not in told
