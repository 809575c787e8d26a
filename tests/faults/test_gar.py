"""The walk to Google's registry and back, with the real google-auth, and what goes wrong."""

from __future__ import annotations

import json
import logging
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import pytest

from harborsync import Options, ReplicationRule, Replicator, open_registry
from harborsync.credentials import Chain, StaticCredentials
from harborsync.credentials.google import GoogleIdentity, json_key_login
from harborsync.plan import Action
from harborsync.provider import OpenContext
from harborsync.report import Outcome
from harborsync.retry import RetryPolicy
from harborsync.testing import FakeClock, LoopbackRegistry
from harborsync.testing.cloud_google import LoopbackGar
from harborsync.testing.cloud_google_oauth import ACCOUNT
from harborsync.testing.content import random_image, random_index, random_signature

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harborsync import Report
    from harborsync.endpoint import Endpoint
    from harborsync.reference import Digest
    from harborsync.testing.faults import Fault

PATIENCE = Options(retry=RetryPolicy(attempts=4, first_wait=0.1))
UPLOAD = "artifactregistry.repositories.uploadArtifacts"


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that nobody waits for, near enough to the real one for assertions."""
    return FakeClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def gar(clock: FakeClock) -> Iterator[LoopbackGar]:
    """Return an empty project."""
    with LoopbackGar(clock=clock) as server:
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
def run(gar: LoopbackGar, clock: FakeClock) -> Run:
    """Run a rule as the emulator's service account, in the time of the test."""

    def run_one(source: Endpoint, to: Endpoint, **more: Any) -> Report:
        wishes = {"where": "name like '**'", **more.pop("wishes", {})}
        rule = ReplicationRule(name="mirror", source=source, destinations=to, **wishes)
        settings = {"credentials": gar.identity, "options": PATIENCE, "clock": clock, **more}
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


def _operations(gar: LoopbackGar) -> Counter[str]:
    return Counter(call.operation for call in gar.calls)


# --- the walk ------------------------------------------------------------------------------------


def test_images_go_in_and_come_out_the_same(
    harbor: LoopbackRegistry, gar: LoopbackGar, run: Run
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
    assert run(harbor.endpoint, gar.endpoint).outcomes == ((Outcome.COPIED, 3),)
    there = gar.storage.tags("acme/team/app")
    assert there.keys() - digests.keys() == {f"sha256-{subject.encoded}.sig"}
    assert {tag: there[tag] for tag in digests} == {t: str(d) for t, d in digests.items()}
    with LoopbackRegistry() as back:
        assert run(gar.endpoint, back.endpoint).outcomes == ((Outcome.COPIED, 3),)
        assert back.storage.tags("acme/team/app") == there


def test_uploads_go_on_beside_the_api_with_the_login(
    harbor: LoopbackRegistry, gar: LoopbackGar, run: Run
) -> None:
    """Their addresses are of the same host, and want it (goharbor/harbor #15980)."""
    seed(harbor)
    run(harbor.endpoint, gar.endpoint)
    beside = [each for each in gar.requests if each.path.startswith("/artifacts-uploads/")]
    assert beside
    assert {each.status for each in beside} == {201}


def test_five_thousand_unchanged_tags_cost_four_requests(gar: LoopbackGar, run: Run) -> None:
    """One to be told how to log in, two tokens, and the list, whose digests need no proof."""
    content = random_image(0).manifest.raw
    with LoopbackGar() as source:
        for server in (source, gar):
            server.create_repository("acme/team")
            for number in range(5000):
                unlike = content.replace(b"{", b"{" + b" " * (number + 1), 1)
                server.storage.put_manifest("acme/team/app", unlike, tags=[f"v{number}"])
        logins = Chain(
            [StaticCredentials({source.host: source.sell().login}), gar.identity],
        )
        to = attrs.evolve(gar.endpoint, address=gar.host)
        report = run(source.endpoint, to, credentials=logins)
    assert report.outcomes == ((Outcome.SKIPPED, 5000),)
    assert [request.method for request in gar.requests] == ["GET", "GET", "GET"]
    assert _operations(gar) == {"jwt-bearer": 1}


def test_a_plan_is_made_without_writing(
    harbor: LoopbackRegistry, gar: LoopbackGar, clock: FakeClock
) -> None:
    """No repository is made for it, and nothing is pushed."""
    seed(harbor)
    rule = ReplicationRule(
        name="mirror", source=harbor.endpoint, destinations=gar.endpoint, where="name like '**'"
    )
    with Replicator([rule], credentials=gar.identity, clock=clock) as replicator:
        plan = replicator.plan()
    assert [step.action for step in plan.steps] == [Action.COPY]
    assert gar.repositories.names() == []
    assert {request.method for request in gar.requests} == {"GET"}


def test_a_key_by_itself_needs_no_token_server(
    harbor: LoopbackRegistry, gar: LoopbackGar, run: Run
) -> None:
    """As ``_json_key``, and in base64; google-auth is not asked where nothing is to be made."""
    gar.create_repository("acme/team")
    seed(harbor)
    for packed in (False, True):
        login = json_key_login(gar.key, packed=packed)
        logins = StaticCredentials({gar.host: login})
        run(harbor.endpoint, gar.endpoint, credentials=logins)
        assert gar.storage.tags("acme/team/app")
        assert gar.calls == ()
        gar.storage.delete_tag("acme/team/app", "v0")


def test_a_key_by_itself_makes_repositories_too(
    harbor: LoopbackRegistry, gar: LoopbackGar, run: Run
) -> None:
    """The API wants a token, which the key can buy."""
    seed(harbor)
    logins = StaticCredentials({gar.host: json_key_login(gar.key)})
    report = run(harbor.endpoint, gar.endpoint, credentials=logins)
    assert report.outcomes == ((Outcome.COPIED, 1),)
    assert _operations(gar)["CreateRepository"] == 1


def test_a_machine_is_somebody_by_itself(
    harbor: LoopbackRegistry,
    gar: LoopbackGar,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    bare_environment: Path,
) -> None:
    """No file and no word: the metadata service knows who, and here acts for another account."""
    for name, value in gar.environment.items():
        monkeypatch.setenv(name, value)
    assert gar.people.machine is not None
    gar.people.lends_to[ACCOUNT] = {gar.people.machine}
    seed(harbor)
    to = _with(gar.endpoint, impersonate=ACCOUNT)
    assert run(harbor.endpoint, to, credentials=None).outcomes == ((Outcome.COPIED, 1),)
    calls = {call.operation: call.who for call in gar.calls}
    assert calls["token"] == calls["generateAccessToken"] == gar.people.machine
    assert calls["CreateRepository"] == ACCOUNT


# --- logins that end -----------------------------------------------------------------------------


def test_a_login_that_ends_in_mid_layer_is_renewed(
    harbor: LoopbackRegistry, gar: LoopbackGar, run: Run
) -> None:
    """The layer is sent again under a fresh one."""
    seed(harbor, layers=1, layer_bytes=3 * 2**20)
    ended: list[str] = []

    def faults(request: Any) -> Fault | None:
        is_long = int(request.headers.get("content-length", "0")) > 2**20
        if is_long and not ended:
            ended.append(request.path)
            gar.expire_logins()
        return None

    gar.faults = faults
    report = run(harbor.endpoint, gar.endpoint)
    assert report.outcomes == ((Outcome.COPIED, 1),)
    assert ended
    assert _operations(gar)["jwt-bearer"] == 2


def test_a_login_that_ends_between_two_artifacts_is_renewed_ahead(
    harbor: LoopbackRegistry, gar: LoopbackGar, clock: FakeClock
) -> None:
    """Nothing is refused, since the end is known."""
    seed(harbor, 2)
    rule = ReplicationRule(
        name="mirror", source=harbor.endpoint, destinations=gar.endpoint, where="name is 'team/app'"
    )
    with Replicator([rule], credentials=gar.identity, clock=clock) as replicator:
        replicator.run()
        gar.storage.delete_tag("acme/team/app", "v0")
        gar.clear_log()
        clock.sleep(3550)
        assert dict(replicator.run().outcomes)[Outcome.COPIED] == 1
    assert _operations(gar)["jwt-bearer"] == 1
    assert 401 not in {request.status for request in gar.requests}


# --- what a user is told -------------------------------------------------------------------------


def _key_file(gar: LoopbackGar, folder: Path, **changed: str) -> str:
    path = folder / "key.json"
    path.write_text(json.dumps({**json.loads(gar.key), **changed}))
    return str(path)


def test_a_key_that_was_revoked_is_told(
    harbor: LoopbackRegistry, gar: LoopbackGar, run: Run, tmp_path: Path
) -> None:
    """Neither as a missing right nor as a missing repository."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    from harborsync.testing.cloud_google_oauth import key_text

    other = key_text(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    seed(harbor)
    to = _with(gar.endpoint, key_file=_key_file(gar, tmp_path, private_key=other))
    told = _messages(run(harbor.endpoint, to, credentials=None))
    assert "Invalid JWT Signature" in told
    assert "the key is not one that the service account has" in told


def test_a_clock_that_is_wrong_is_told(harbor: LoopbackRegistry, run: Run) -> None:
    """The remedy is not another key."""
    seed(harbor)
    with LoopbackGar(signing_clock=FakeClock()) as gar:
        told = _messages(run(harbor.endpoint, gar.endpoint, credentials=gar.identity))
    assert "reasonable timeframe" in told
    assert "the clock of this machine is wrong" in told


def test_throttling_is_borne(harbor: LoopbackRegistry, gar: LoopbackGar, run: Run) -> None:
    """And told where it does not end."""
    seed(harbor)
    gar.throttle("CreateRepository", 2)
    assert run(harbor.endpoint, gar.endpoint).outcomes == ((Outcome.COPIED, 1),)
    gar.throttle("CreateRepository", 99)
    other = attrs.evolve(gar.endpoint, address=f"{gar.host}/acme2")
    told = _messages(run(harbor.endpoint, other))
    assert "status 429" in told
    assert "run less at once" in told


def test_a_repository_that_nobody_makes_is_told(
    harbor: LoopbackRegistry, gar: LoopbackGar, run: Run
) -> None:
    """With create=never."""
    seed(harbor)
    told = _messages(run(harbor.endpoint, _with(gar.endpoint, create="never")))
    assert 'NAME_UNKNOWN: Repository "team" not found' in told


def test_a_repository_that_may_not_be_made_is_told(
    harbor: LoopbackRegistry, gar: LoopbackGar, run: Run
) -> None:
    """With the permission, and where the roles are named."""
    gar.denied.add("artifactregistry.repositories.create")
    seed(harbor)
    told = _messages(run(harbor.endpoint, gar.endpoint))
    assert "artifactregistry.repositories.create" in told
    assert "harborsync.permissions.google" in told


def test_an_immutable_tag_is_told_from_a_conflict(
    harbor: LoopbackRegistry, gar: LoopbackGar, run: Run
) -> None:
    """The same bytes are fine; others are refused by the registry, and nothing is repeated."""
    (digest,) = seed(harbor).values()
    to = _with(gar.endpoint, mutability="immutable")
    assert run(harbor.endpoint, to).outcomes == ((Outcome.COPIED, 1),)
    assert run(harbor.endpoint, to).outcomes == ((Outcome.SKIPPED, 1),)
    registry = open_registry(harbor.endpoint, OpenContext())
    random_image(77).push_to(registry, "team/app", "v0")
    registry.close()
    told = _messages(run(harbor.endpoint, to, wishes={"on_conflict": "overwrite"}))
    assert "has enabled tag immutability" in told
    assert "choose another tag" in told
    assert gar.storage.tags("acme/team/app") == {"v0": str(digest)}


def test_a_right_that_is_lacking_is_named(
    harbor: LoopbackRegistry, gar: LoopbackGar, run: Run
) -> None:
    """Google says so at the token server already; it is no wrong login."""
    gar.create_repository("acme/team")
    gar.denied.add(UPLOAD)
    seed(harbor)
    told = _messages(run(harbor.endpoint, gar.endpoint))
    assert f'Permission "{UPLOAD}" denied' in told
    assert "harborsync.permissions.google" in told
    assert "password" not in told


def test_a_path_that_is_too_short_is_told_when_a_plan_is_made(
    harbor: LoopbackRegistry, gar: LoopbackGar, run: Run
) -> None:
    """Google would answer 405 to each request."""
    registry = open_registry(harbor.endpoint, OpenContext())
    random_image(1).push_to(registry, "app", "v1")
    registry.close()
    told = _messages(run(harbor.endpoint, gar.endpoint))
    assert "must have at least 3" in told or "PROJECT/REPOSITORY/IMAGE" in told
    assert {each.method for each in gar.requests} <= {"GET"}


# --- secrets -------------------------------------------------------------------------------------


def test_no_secret_is_logged_raised_or_reported(
    harbor: LoopbackRegistry,
    gar: LoopbackGar,
    run: Run,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """With everything at DEBUG, google-auth's own loggers too."""
    seed(harbor)
    gar.people.lends_to["writer@acme.iam.gserviceaccount.com"] = {ACCOUNT}
    to = _with(
        gar.endpoint,
        key_file=_key_file(gar, tmp_path),
        impersonate="writer@acme.iam.gserviceaccount.com",
    )
    with caplog.at_level(logging.DEBUG):
        report = run(harbor.endpoint, to, credentials=None)
        assert report.outcomes == ((Outcome.COPIED, 1),)
        gar.people.account = "nobody"
        failed = run(harbor.endpoint, to, credentials=None)
        key = StaticCredentials({gar.host: json_key_login(gar.key)})
        refused = run(harbor.endpoint, gar.endpoint, credentials=key)
    shown = (report, failed, refused)
    told = caplog.text + "".join(f"{each}{each!r}{_messages(each)}" for each in shown)
    assert _messages(failed)
    for secret in gar.secrets:
        assert secret not in told


def test_an_identity_that_is_a_token_of_ones_own_is_asked_again(
    harbor: LoopbackRegistry, gar: LoopbackGar, run: Run
) -> None:
    """Whoever has tokens from elsewhere hands a function over."""
    seed(harbor)
    asked: list[int] = []

    def token() -> Any:
        asked.append(1)
        return gar.sell("program")

    report = run(harbor.endpoint, gar.endpoint, credentials=GoogleIdentity(token=token))
    assert report.outcomes == ((Outcome.COPIED, 1),)
    assert len(asked) == 1
    assert "jwt-bearer" not in _operations(gar)
