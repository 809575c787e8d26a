"""The walk to Google's registry and back, with the real google-auth, and what goes wrong."""

from __future__ import annotations

import json
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync import Options, open_registry
from harborsync.credentials import Chain, StaticCredentials
from harborsync.credentials.google import GoogleIdentity, json_key_login
from harborsync.provider import OpenContext
from harborsync.report import Outcome
from harborsync.retry import RetryPolicy
from harborsync.testing.cloud_google import LoopbackGar
from harborsync.testing.cloud_google_oauth import ACCOUNT
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harborsync.testing import FakeClock, LoopbackRegistry
    from tests.faults.conftest import Trip

PATIENCE = Options(retry=RetryPolicy(attempts=4, first_wait=0.1))
UPLOAD = "artifactregistry.repositories.uploadArtifacts"


@pytest.fixture
def gar(clock: FakeClock) -> Iterator[LoopbackGar]:
    """Return an empty project."""
    with LoopbackGar(clock=clock) as server:
        yield server


@pytest.fixture
def who(gar: LoopbackGar) -> GoogleIdentity:
    """Return who copies: the emulator's service account."""
    return gar.identity


def _operations(gar: LoopbackGar) -> Counter[str]:
    return Counter(call.operation for call in gar.calls)


# --- the walk ------------------------------------------------------------------------------------


def test_uploads_go_on_beside_the_api_with_the_login(
    harbor: LoopbackRegistry, gar: LoopbackGar, trip: Trip
) -> None:
    """Their addresses are of the same host, and want it (goharbor/harbor #15980)."""
    trip.seed(harbor)
    trip.run(harbor.endpoint, gar.endpoint)
    beside = [each for each in gar.requests if each.path.startswith("/artifacts-uploads/")]
    assert beside
    assert {each.status for each in beside} == {201}


def test_five_thousand_unchanged_tags_cost_four_requests(gar: LoopbackGar, trip: Trip) -> None:
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
        report = trip.run(source.endpoint, to, credentials=logins)
    assert report.outcomes == ((Outcome.SKIPPED, 5000),)
    assert [request.method for request in gar.requests] == ["GET", "GET", "GET"]
    assert _operations(gar) == {"jwt-bearer": 1}


def test_a_key_by_itself_needs_no_token_server(
    harbor: LoopbackRegistry, gar: LoopbackGar, trip: Trip
) -> None:
    """As ``_json_key``, and in base64; google-auth is not asked where nothing is to be made."""
    gar.create_repository("acme/team")
    trip.seed(harbor)
    for packed in (False, True):
        login = json_key_login(gar.key, packed=packed)
        logins = StaticCredentials({gar.host: login})
        trip.run(harbor.endpoint, gar.endpoint, credentials=logins)
        assert gar.storage.tags("acme/team/app")
        assert gar.calls == ()
        gar.storage.delete_tag("acme/team/app", "v0")


def test_a_key_by_itself_makes_repositories_too(
    harbor: LoopbackRegistry, gar: LoopbackGar, trip: Trip
) -> None:
    """The API wants a token, which the key can buy."""
    trip.seed(harbor)
    logins = StaticCredentials({gar.host: json_key_login(gar.key)})
    report = trip.run(harbor.endpoint, gar.endpoint, credentials=logins)
    assert report.outcomes == ((Outcome.COPIED, 1),)
    assert _operations(gar)["CreateRepository"] == 1


def test_a_machine_is_somebody_by_itself(
    harbor: LoopbackRegistry,
    gar: LoopbackGar,
    trip: Trip,
    monkeypatch: pytest.MonkeyPatch,
    bare_environment: Path,
) -> None:
    """No file and no word: the metadata service knows who, and here acts for another account."""
    for name, value in gar.environment.items():
        monkeypatch.setenv(name, value)
    assert gar.people.machine is not None
    gar.people.lends_to[ACCOUNT] = {gar.people.machine}
    trip.seed(harbor)
    to = trip.having(gar.endpoint, impersonate=ACCOUNT)
    assert trip.run(harbor.endpoint, to, credentials=None).outcomes == ((Outcome.COPIED, 1),)
    calls = {call.operation: call.who for call in gar.calls}
    assert calls["token"] == calls["generateAccessToken"] == gar.people.machine
    assert calls["CreateRepository"] == ACCOUNT


# --- logins that end -----------------------------------------------------------------------------


# --- what a user is told -------------------------------------------------------------------------


def _key_file(gar: LoopbackGar, folder: Path, **changed: str) -> str:
    path = folder / "key.json"
    path.write_text(json.dumps({**json.loads(gar.key), **changed}))
    return str(path)


def test_a_key_that_was_revoked_is_told(
    harbor: LoopbackRegistry, gar: LoopbackGar, trip: Trip, tmp_path: Path
) -> None:
    """Neither as a missing right nor as a missing repository."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    from harborsync.testing.cloud_google_oauth import key_text

    other = key_text(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    trip.seed(harbor)
    to = trip.having(gar.endpoint, key_file=_key_file(gar, tmp_path, private_key=other))
    told = trip.told(trip.run(harbor.endpoint, to, credentials=None))
    assert "Invalid JWT Signature" in told
    assert "the key is not one that the service account has" in told


def test_throttling_is_borne(harbor: LoopbackRegistry, gar: LoopbackGar, trip: Trip) -> None:
    """And told where it does not end."""
    trip.seed(harbor)
    gar.throttle("CreateRepository", 2)
    assert trip.run(harbor.endpoint, gar.endpoint).outcomes == ((Outcome.COPIED, 1),)
    gar.throttle("CreateRepository", 99)
    other = attrs.evolve(gar.endpoint, address=f"{gar.host}/acme2")
    told = trip.told(trip.run(harbor.endpoint, other))
    assert "status 429" in told
    assert "run less at once" in told


def test_a_repository_that_nobody_makes_is_told(
    harbor: LoopbackRegistry, gar: LoopbackGar, trip: Trip
) -> None:
    """With create=never."""
    trip.seed(harbor)
    told = trip.told(trip.run(harbor.endpoint, trip.having(gar.endpoint, create="never")))
    assert 'NAME_UNKNOWN: Repository "team" not found' in told


def test_a_repository_that_may_not_be_made_is_told(
    harbor: LoopbackRegistry, gar: LoopbackGar, trip: Trip
) -> None:
    """With the permission, and where the roles are named."""
    gar.denied.add("artifactregistry.repositories.create")
    trip.seed(harbor)
    told = trip.told(trip.run(harbor.endpoint, gar.endpoint))
    assert "artifactregistry.repositories.create" in told
    assert "harborsync.permissions.google" in told


def test_an_immutable_tag_is_told_from_a_conflict(
    harbor: LoopbackRegistry, gar: LoopbackGar, trip: Trip
) -> None:
    """The same bytes are fine; others are refused by the registry, and nothing is repeated."""
    (digest,) = trip.seed(harbor).values()
    to = trip.having(gar.endpoint, mutability="immutable")
    assert trip.run(harbor.endpoint, to).outcomes == ((Outcome.COPIED, 1),)
    assert trip.run(harbor.endpoint, to).outcomes == ((Outcome.SKIPPED, 1),)
    registry = open_registry(harbor.endpoint, OpenContext())
    random_image(77).push_to(registry, "team/app", "v0")
    registry.close()
    told = trip.told(trip.run(harbor.endpoint, to, wishes={"on_conflict": "overwrite"}))
    assert "has enabled tag immutability" in told
    assert "choose another tag" in told
    assert gar.storage.tags("acme/team/app") == {"v0": str(digest)}


def test_a_right_that_is_lacking_is_named(
    harbor: LoopbackRegistry, gar: LoopbackGar, trip: Trip
) -> None:
    """Google says so at the token server already; it is no wrong login."""
    gar.create_repository("acme/team")
    gar.denied.add(UPLOAD)
    trip.seed(harbor)
    told = trip.told(trip.run(harbor.endpoint, gar.endpoint))
    assert f'Permission "{UPLOAD}" denied' in told
    assert "harborsync.permissions.google" in told
    assert "password" not in told


def test_a_path_that_is_too_short_is_told_when_a_plan_is_made(
    harbor: LoopbackRegistry, gar: LoopbackGar, trip: Trip
) -> None:
    """Google would answer 405 to each request."""
    registry = open_registry(harbor.endpoint, OpenContext())
    random_image(1).push_to(registry, "app", "v1")
    registry.close()
    told = trip.told(trip.run(harbor.endpoint, gar.endpoint))
    assert "must have at least 3" in told or "PROJECT/REPOSITORY/IMAGE" in told
    assert {each.method for each in gar.requests} <= {"GET"}


# --- secrets -------------------------------------------------------------------------------------


def test_no_secret_is_logged_raised_or_reported(
    harbor: LoopbackRegistry,
    gar: LoopbackGar,
    trip: Trip,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """With everything at DEBUG, google-auth's own loggers too."""
    trip.seed(harbor)
    gar.people.lends_to["writer@acme.iam.gserviceaccount.com"] = {ACCOUNT}
    to = trip.having(
        gar.endpoint,
        key_file=_key_file(gar, tmp_path),
        impersonate="writer@acme.iam.gserviceaccount.com",
    )
    with caplog.at_level(logging.DEBUG):
        report = trip.run(harbor.endpoint, to, credentials=None)
        assert report.outcomes == ((Outcome.COPIED, 1),)
        gar.people.account = "nobody"
        failed = trip.run(harbor.endpoint, to, credentials=None)
        key = StaticCredentials({gar.host: json_key_login(gar.key)})
        refused = trip.run(harbor.endpoint, gar.endpoint, credentials=key)
    shown = (report, failed, refused)
    told = caplog.text + "".join(f"{each}{each!r}{trip.told(each)}" for each in shown)
    assert trip.told(failed)
    for secret in gar.secrets:
        assert secret not in told


def test_an_identity_that_is_a_token_of_ones_own_is_asked_again(
    harbor: LoopbackRegistry, gar: LoopbackGar, trip: Trip
) -> None:
    """Whoever has tokens from elsewhere hands a function over."""
    trip.seed(harbor)
    asked: list[int] = []

    def token() -> Any:
        asked.append(1)
        return gar.sell("program")

    report = trip.run(harbor.endpoint, gar.endpoint, credentials=GoogleIdentity(token=token))
    assert report.outcomes == ((Outcome.COPIED, 1),)
    assert len(asked) == 1
    assert "jwt-bearer" not in _operations(gar)
