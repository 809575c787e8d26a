"""The walk to each cloud's registry and back, with the vendor's SDK: what is the same for all."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync import Options, open_registry
from harborsync.plan import Action
from harborsync.provider import OpenContext
from harborsync.report import Outcome
from harborsync.retry import RetryPolicy
from harborsync.testing import FakeClock, LoopbackRegistry
from harborsync.testing.cloud_aliyun import LoopbackAcr
from harborsync.testing.cloud_aliyun_personal import LoopbackAcrPersonal
from harborsync.testing.cloud_aws import LoopbackEcr
from harborsync.testing.cloud_google import LoopbackGar
from harborsync.testing.cloud_tencent import LoopbackTcr
from harborsync.testing.content import random_index, random_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.credentials.base import CredentialSource
    from harborsync.testing.faults import Fault
    from tests.faults.conftest import Trip


def _was_refused_a_token(request: Any) -> bool:
    return bool(request.path == "/token" and request.status != 200)


@attrs.frozen(kw_only=True)
class Cloud:
    """What differs among the clouds.

    Attributes:
        serve: Makes an emulator.
        login: The call by which a login is bought.
        life: Seconds after which a login is about to end.
        repository: Where ``team/app`` arrives.
        expired: How the registry answers to a login that has ended.
        refused: Tells whether a request was made with a login that had ended.
        bears: What is said of a clock that is wrong.
    """

    serve: Callable[..., Any]
    login: str
    life: float
    repository: str = "team/app"
    expired: int = 401
    refused: Callable[[Any], bool] = _was_refused_a_token
    bears: str


CLOUDS = {
    "acr": Cloud(
        serve=LoopbackAcr,
        login="GetAuthorizationToken",
        life=3590,
        bears="Alibaba bears fifteen minutes; set it by NTP",
    ),
    "acr-personal": Cloud(
        serve=LoopbackAcrPersonal,
        login="GetAuthorizationToken",
        life=3590,
        bears="Alibaba bears fifteen minutes; set it by NTP",
    ),
    "ecr": Cloud(
        serve=LoopbackEcr,
        login="GetAuthorizationToken",
        life=11.95 * 3600,
        expired=403,
        refused=lambda request: request.status == 403,
        bears="AWS bears five minutes; set it by NTP",
    ),
    "gar": Cloud(
        serve=LoopbackGar,
        login="jwt-bearer",
        life=3550,
        repository="acme/team/app",
        refused=lambda request: request.status == 401,
        bears="Google bears a few minutes; set it by NTP",
    ),
    "tcr": Cloud(
        serve=LoopbackTcr,
        login="CreateInstanceToken",
        life=3590,
        bears="Tencent bears five minutes; set it by NTP",
    ),
}


@pytest.fixture(params=CLOUDS.values(), ids=list(CLOUDS))
def cloud(request: pytest.FixtureRequest) -> Cloud:
    """Return each cloud."""
    found: Cloud = request.param
    return found


@pytest.fixture
def server(cloud: Cloud, clock: FakeClock) -> Iterator[Any]:
    """Return an empty emulator of it."""
    with cloud.serve(clock=clock) as server:
        yield server


@pytest.fixture
def who(server: Any) -> CredentialSource:
    """Return who copies: the emulator's first user."""
    identity: CredentialSource = server.identity
    return identity


def _called(server: Any) -> Counter[str]:
    return Counter(call.operation for call in server.calls)


def test_images_go_in_and_come_out_the_same(
    harbor: LoopbackRegistry, cloud: Cloud, server: Any, trip: Trip
) -> None:
    """Indexes, signatures and all; what is lacking is made on the way."""
    digests = trip.seed(harbor, 2)
    registry = open_registry(harbor.endpoint, OpenContext())
    index = random_index(9)
    digests["multi"] = index.push_to(registry, "team/app", "multi")
    subject = index.manifest.digest
    signature = random_signature(3, subject)
    signature.push_to(registry, "team/app", f"{subject.algorithm}-{subject.encoded}.sig")
    registry.close()
    assert trip.run(harbor.endpoint, server.endpoint).outcomes == ((Outcome.COPIED, 3),)
    there = server.storage.tags(cloud.repository)
    assert there.keys() - digests.keys() == {f"sha256-{subject.encoded}.sig"}
    assert {tag: there[tag] for tag in digests} == {t: str(d) for t, d in digests.items()}
    with LoopbackRegistry() as back:
        assert trip.run(server.endpoint, back.endpoint).outcomes == ((Outcome.COPIED, 3),)
        assert back.storage.tags(cloud.repository) == there


def test_a_plan_is_made_without_writing(harbor: LoopbackRegistry, server: Any, trip: Trip) -> None:
    """Nothing is made for it, and nothing is pushed."""
    trip.seed(harbor)
    wishes = {"where": "name like '**'"}
    with trip.replicator(harbor.endpoint, server.endpoint, wishes) as replicator:
        plan = replicator.plan()
    assert [step.action for step in plan.steps] == [Action.COPY]
    assert not [name for name in _called(server) if name.startswith("Create")]
    assert {request.method for request in server.requests} <= {"GET"}


def test_a_login_that_ends_in_mid_layer_is_renewed(
    harbor: LoopbackRegistry, cloud: Cloud, server: Any, trip: Trip
) -> None:
    """The layer is sent again under a fresh one."""
    trip.seed(harbor, layers=1, layer_bytes=3 * 2**20)
    ended: list[str] = []

    def faults(request: Any) -> Fault | None:
        is_long = int(request.headers.get("content-length", "0")) > 2**20
        if is_long and not ended:
            ended.append(request.path)
            server.expire_logins()
        return None

    server.faults = faults
    options = Options(retry=RetryPolicy(attempts=4, first_wait=0.1))
    report = trip.run(harbor.endpoint, server.endpoint, options=options)
    assert report.outcomes == ((Outcome.COPIED, 1),), trip.told(report)
    assert ended
    assert _called(server)[cloud.login] == 2
    assert cloud.expired in {request.status for request in server.requests}


def test_a_login_that_ends_between_two_artifacts_is_renewed_ahead(
    harbor: LoopbackRegistry, cloud: Cloud, server: Any, trip: Trip
) -> None:
    """Nobody is asked with one that has ended, since the end is known."""
    trip.seed(harbor, 2)
    wishes = {"where": "name is 'team/app'"}
    with trip.replicator(harbor.endpoint, server.endpoint, wishes) as replicator:
        replicator.run()
        trip.clock.advance(cloud.life)
        server.storage.delete_tag(cloud.repository, "v0")
        server.clear_log()
        assert dict(replicator.run().outcomes)[Outcome.COPIED] == 1
    assert _called(server)[cloud.login] == 1
    assert not [request for request in server.requests if cloud.refused(request)]


def test_a_clock_that_is_wrong_is_told(harbor: LoopbackRegistry, cloud: Cloud, trip: Trip) -> None:
    """The remedy is not another key."""
    trip.seed(harbor)
    with cloud.serve(signing_clock=FakeClock()) as server:
        report = trip.run(harbor.endpoint, server.endpoint, credentials=server.identity)
    assert f"the clock of this machine is wrong: {cloud.bears}" in trip.told(report)
