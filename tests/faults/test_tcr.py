"""The walk to Tencent's TCR and back, with the real SDK, and what goes wrong on the way."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from harborsync import Options, Secret, open_registry
from harborsync.credentials import Chain, Credential, StaticCredentials
from harborsync.credentials.tencent import TencentIdentity
from harborsync.provider import OpenContext
from harborsync.report import Outcome
from harborsync.retry import RetryPolicy
from harborsync.state import MemoryState
from harborsync.testing import FakeClock, LoopbackRegistry
from harborsync.testing.cloud_tencent import LoopbackTcr
from harborsync.testing.cloud_tencent_personal import LoopbackTcrPersonal
from harborsync.testing.cloud_tencent_plane import KEY_ID, LoopbackCamRole
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.testing.faults import Fault
    from tests.faults.conftest import Trip

PATIENCE = Options(retry=RetryPolicy(attempts=4, first_wait=0.1))
ROLE = "qcs::cam::uin/100000000001:roleName/mirror"


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
def who(tcr: LoopbackTcr) -> TencentIdentity:
    """Return who copies: the emulator's first user."""
    return tcr.identity


def _asked(server: LoopbackTcr | LoopbackTcrPersonal) -> Counter[str]:
    return Counter(call.operation for call in server.calls)


# --- the walk ------------------------------------------------------------------------------------


def test_what_is_made_is_private(harbor: LoopbackRegistry, tcr: LoopbackTcr, trip: Trip) -> None:
    """As its namespace says."""
    trip.seed(harbor)
    trip.run(harbor.endpoint, tcr.endpoint)
    assert tcr.namespaces == {"team": False}


def test_the_personal_edition_takes_and_gives_the_same(
    harbor: LoopbackRegistry, personal: LoopbackTcrPersonal, trip: Trip
) -> None:
    """Its own ids of tags are not taken for digests: each tag is asked for."""
    digests = trip.seed(harbor, 3)
    logins = personal.credentials
    report = trip.run(harbor.endpoint, personal.endpoint, credentials=logins)
    assert report.outcomes == ((Outcome.COPIED, 3),)
    assert personal.storage.tags("team/app") == {tag: str(d) for tag, d in digests.items()}
    assert personal.namespaces == {"team"}
    personal.clear_log()
    report = trip.run(harbor.endpoint, personal.endpoint, credentials=logins)
    assert report.outcomes == ((Outcome.SKIPPED, 3),)
    assert _asked(personal) == {"DescribeImagePersonal": 1}
    assert Counter(each.method for each in personal.requests)["HEAD"] <= 6
    with LoopbackRegistry() as back:
        report = trip.run(personal.endpoint, back.endpoint, credentials=logins)
        assert report.outcomes == ((Outcome.COPIED, 3),)
        assert back.storage.tags("team/app") == personal.storage.tags("team/app")


def test_five_thousand_unchanged_tags_cost_sixty_requests(tcr: LoopbackTcr, trip: Trip) -> None:
    """Fifty pages and an empty one, a login, and one HEAD that proves the digests."""
    content = random_image(0).manifest.raw
    with LoopbackRegistry() as source:
        tcr.create_repository("team/app")
        for number in range(5000):
            unlike = content.replace(b"{", b"{" + b" " * (number + 1), 1)
            for server in (source, tcr):
                server.storage.put_manifest("team/app", unlike, tags=[f"v{number}"])
        memory = MemoryState()
        first = trip.run(source.endpoint, tcr.endpoint, state=memory)
        assert first.outcomes == ((Outcome.SKIPPED, 5000),)
        assert _asked(tcr) == {
            "DescribeImages": 51,
            "DescribeInstances": 1,
            "CreateInstanceToken": 1,
        }
        assert len(tcr.calls) + len(tcr.requests) <= 60
        print(f"first: {len(tcr.calls)} calls, {len(tcr.requests)} requests")
        tcr.clear_log()
        trip.run(source.endpoint, tcr.endpoint, state=memory)
        assert _asked(tcr) == {"DescribeImages": 51, "DescribeInstances": 1}
        assert tcr.requests == ()


def test_who_copies_in_and_out_needs_no_more_than_the_policy(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, trip: Trip
) -> None:
    """What the API saw is what the purposes allow."""
    from harborsync.permissions.tencent import ACTIONS, LOGIN, TencentPurpose

    trip.seed(harbor)
    trip.run(harbor.endpoint, tcr.endpoint)
    with LoopbackRegistry() as back:
        trip.run(tcr.endpoint, back.endpoint)
    allowed = set(LOGIN).union(
        *(ACTIONS[each] for each in (TencentPurpose.DISCOVER, TencentPurpose.CREATE))
    )
    assert set(_asked(tcr)) <= allowed


def test_a_service_account_is_a_login_like_any_other(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, trip: Trip, caplog: pytest.LogCaptureFixture
) -> None:
    """Beside an identity that may do nothing the registry's own API does, and the log says so."""
    trip.seed(harbor, 2)
    tcr.create_repository("team/app")
    tcr.add_service_account("tcr$mirror", "s3rvice")
    login = Credential(username="tcr$mirror", secret=Secret("s3rvice"))
    tcr.denied |= {"tcr:DescribeInstances"}
    sources = Chain((tcr.identity, StaticCredentials({tcr.host: login})))
    with caplog.at_level(logging.WARNING):
        report = trip.run(harbor.endpoint, tcr.endpoint, credentials=sources)
    assert report.outcomes == ((Outcome.COPIED, 2),)
    assert "CreateInstanceToken" not in _asked(tcr)
    assert "tags are listed by a slower way" in caplog.text


# --- logins that end -----------------------------------------------------------------------------


def test_a_session_that_was_ended_early_is_renewed(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, trip: Trip
) -> None:
    """A role's session is refused once, and assumed again."""
    trip.seed(harbor)
    tcr.add_role(LoopbackCamRole(arn=ROLE, trusts=frozenset({KEY_ID})))
    ended: list[str] = []

    def faults(request: Any) -> Fault | None:
        if not ended and request.path.startswith("/v2/team"):
            ended.append(request.path)
            tcr.end_sessions()
        return None

    tcr.faults = faults
    report = trip.run(harbor.endpoint, trip.having(tcr.endpoint, role_arn=ROLE, create="always"))
    assert report.outcomes == ((Outcome.COPIED, 1),)
    assert ended
    with LoopbackRegistry() as back:
        rule = trip.having(tcr.endpoint, role_arn=ROLE)
        assert trip.run(rule, back.endpoint).outcomes == ((Outcome.COPIED, 1),)
    assert _asked(tcr)["AssumeRole"] == 2


# --- what a user is told -------------------------------------------------------------------------


def test_a_wrong_secret_is_told(harbor: LoopbackRegistry, tcr: LoopbackTcr, trip: Trip) -> None:
    """Neither as a missing right nor as a missing repository."""
    trip.seed(harbor)
    wrong = TencentIdentity.of_key(KEY_ID, Secret("wr0ng"))
    told = trip.told(trip.run(harbor.endpoint, tcr.endpoint, credentials=wrong))
    assert "AuthFailure.SignatureFailure" in told
    assert "the secret is not the one of the key" in told


def test_an_unknown_key_is_told(harbor: LoopbackRegistry, tcr: LoopbackTcr, trip: Trip) -> None:
    """By the name of the variable that holds it."""
    trip.seed(harbor)
    wrong = TencentIdentity.of_key("AKIDnobody", Secret("x"))
    told = trip.told(trip.run(harbor.endpoint, tcr.endpoint, credentials=wrong))
    assert "compare TENCENTCLOUD_SECRET_ID" in told


def test_throttling_is_borne(harbor: LoopbackRegistry, tcr: LoopbackTcr, trip: Trip) -> None:
    """Although it comes with status 200; and told where it does not end."""
    trip.seed(harbor)
    tcr.throttle("DescribeImages", 2)
    tcr.throttle("CreateNamespace", 1)
    assert trip.run(harbor.endpoint, tcr.endpoint).outcomes == ((Outcome.COPIED, 1),)
    tcr.throttle("DescribeImages", 99)
    told = trip.told(trip.run(harbor.endpoint, tcr.endpoint))
    assert "RequestLimitExceeded" in told
    assert "run less at once" in told


def test_a_namespace_that_nobody_makes_is_told(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, trip: Trip
) -> None:
    """With create=never."""
    trip.seed(harbor)
    told = trip.told(trip.run(harbor.endpoint, trip.having(tcr.endpoint, create="never")))
    assert "project team not found" in told
    assert "open the registry with create=auto" in told


def test_a_name_that_tcr_does_not_take_is_told(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, trip: Trip
) -> None:
    """Before anything is sent."""
    registry = open_registry(harbor.endpoint, OpenContext())
    random_image(1).push_to(registry, f"{'n' * 31}/app", "v1")
    random_image(1).push_to(registry, "team/ab", "v1")
    registry.close()
    told = trip.told(trip.run(harbor.endpoint, tcr.endpoint))
    assert "cannot be a namespace of TCR" in told
    assert "'ab' cannot be a repository of TCR: it has 2 characters" in told
    assert {request.method for request in tcr.requests} <= {"GET", "HEAD"}


def test_an_immutable_tag_is_told_from_a_conflict(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, trip: Trip
) -> None:
    """The same bytes are fine; others are refused by the registry, and nothing is repeated."""
    (digest,) = trip.seed(harbor).values()
    assert trip.run(harbor.endpoint, tcr.endpoint).outcomes == ((Outcome.COPIED, 1),)
    tcr.make_immutable("team", "v*")
    assert trip.run(harbor.endpoint, tcr.endpoint).outcomes == ((Outcome.SKIPPED, 1),)
    registry = open_registry(harbor.endpoint, OpenContext())
    random_image(77).push_to(registry, "team/app", "v0")
    registry.close()
    tcr.clear_log()
    report = trip.run(harbor.endpoint, tcr.endpoint, wishes={"on_conflict": "overwrite"})
    told = trip.told(report)
    assert "configured as immutable" in told
    assert "immutability rule" in told
    puts = [each for each in tcr.requests if each.method == "PUT" and "/manifests/" in each.path]
    assert len(puts) == 1
    assert tcr.storage.tags("team/app") == {"v0": str(digest)}


def test_a_right_that_is_lacking_is_named(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, trip: Trip
) -> None:
    """With the action, and where the policy comes from."""
    trip.seed(harbor)
    tcr.denied.add("tcr:CreateInstanceToken")
    told = trip.told(trip.run(harbor.endpoint, tcr.endpoint))
    assert "not authorized to perform operation (tcr:CreateInstanceToken)" in told
    assert "harborsync.permissions.tencent" in told


def test_an_instance_that_is_not_to_be_seen_is_told(
    harbor: LoopbackRegistry, tcr: LoopbackTcr, trip: Trip
) -> None:
    """It is of another account, or the id is wrong."""
    trip.seed(harbor)
    told = trip.told(trip.run(harbor.endpoint, trip.having(tcr.endpoint, instance_id="tcr-zzzz")))
    assert "this identity sees no instance 'tcr-zzzz' of TCR in any region" in told


def test_an_instance_that_does_not_run_is_told(harbor: LoopbackRegistry, trip: Trip) -> None:
    """By its status."""
    trip.seed(harbor)
    with LoopbackTcr(status="Isolate") as tcr:
        told = trip.told(trip.run(harbor.endpoint, tcr.endpoint))
    assert "is Isolate" in told


def test_a_full_account_is_told(harbor: LoopbackRegistry, clock: FakeClock, trip: Trip) -> None:
    """A limit is no throttling: nothing is repeated."""
    trip.seed(harbor)
    with LoopbackTcr(clock=clock, most_namespaces=0) as tcr:
        told = trip.told(trip.run(harbor.endpoint, tcr.endpoint))
        assert _asked(tcr)["CreateNamespace"] == 1
    assert "LimitExceeded.ErrNamespaceMaxLimit" in told
    assert "take a larger instance" in told


# --- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("edition", ["enterprise", "personal"])
def test_no_secret_is_logged_raised_or_reported(
    harbor: LoopbackRegistry,
    tcr: LoopbackTcr,
    personal: LoopbackTcrPersonal,
    trip: Trip,
    caplog: pytest.LogCaptureFixture,
    edition: str,
) -> None:
    """With everything at DEBUG, the SDK's own loggers too, and through a role's session."""
    server: LoopbackTcr | LoopbackTcrPersonal = tcr if edition == "enterprise" else personal
    logins = tcr.identity if edition == "enterprise" else personal.credentials
    server.add_role(LoopbackCamRole(arn=ROLE, trusts=frozenset({KEY_ID})))
    trip.seed(harbor)
    with caplog.at_level(logging.DEBUG):
        to = trip.having(server.endpoint, role_arn=ROLE)
        report = trip.run(harbor.endpoint, to, credentials=logins)
        assert report.outcomes == ((Outcome.COPIED, 1),)
        server.denied |= {"tcr:CreateInstanceToken", "tcr:DescribeImagePersonal"}
        failed = trip.run(harbor.endpoint, to, credentials=logins)
    told = f"{caplog.text}{report}{failed}{report!r}{failed!r}{trip.told(failed)}"
    assert "tencentcloud_sdk_common" in caplog.text
    assert "X-TC-Token: ***" in caplog.text
    for secret in server.secrets:
        assert secret not in told
