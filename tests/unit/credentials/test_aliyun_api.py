"""Alibaba's APIs through the SDK: signed there, sent here, read with care."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.credentials import aliyun_api
from harborsync.credentials.aliyun import AliyunIdentity, RamRole
from harborsync.credentials.aliyun_api import AliyunApi, Wish
from harborsync.credentials.aliyun_sts import Sts
from harborsync.credentials.cable import ApiAddress, Bridge, Cable
from harborsync.credentials.keys import Keys, RenewingKeys
from harborsync.endpoint import Endpoint
from harborsync.errors import (
    AddressRefused,
    ConnectionLost,
    CredentialsExpired,
    CredentialsRefused,
    Denied,
    NoCredentials,
    RateLimited,
    RegistryError,
    ServerError,
)
from harborsync.http.metadata import MetadataTransport
from harborsync.provider import OpenContext
from harborsync.retry import RetryPolicy
from harborsync.secrets import Secret
from harborsync.testing.clock import FakeClock
from harborsync.testing.cloud_aliyun import ACCOUNT, INSTANCE, KEY_ID, REGION, LoopbackAcr
from harborsync.testing.cloud_aliyun_ram import LoopbackRamRole
from harborsync.testing.scripted import Heard, Said, ScriptedServer
from harborsync.testing.tls import TestAuthority

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

USER = f"acs:ram::{ACCOUNT}:user/{KEY_ID}"
ROLE = f"acs:ram::{ACCOUNT}:role/pod"
PROVIDER = f"acs:ram::{ACCOUNT}:oidc-provider/ack"
LOOK = Wish(version="2018-12-01", action="ListRepository", query={"InstanceId": INSTANCE})

BY_PATH = Wish(version="2016-06-07", action="GetRepoList", path="/repos", method="GET")


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still, near enough to the real one for signatures."""
    return FakeClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def acr(clock: FakeClock) -> Iterator[LoopbackAcr]:
    """Return an emulator in the time of the test."""
    with LoopbackAcr(clock=clock) as server:
        yield server


def _context(clock: FakeClock) -> OpenContext:
    return OpenContext(clock=clock, retry=RetryPolicy(attempts=3))


def _sts(acr: LoopbackAcr, clock: FakeClock, environ: Mapping[str, str] | None = None) -> Sts:
    return Sts(
        url=acr.api_url,
        region=REGION,
        endpoint=acr.endpoint,
        context=_context(clock),
        environ=environ or {},
    )


@contextmanager
def _api(acr: LoopbackAcr, clock: FakeClock, keys: RenewingKeys) -> Iterator[AliyunApi]:
    context = _context(clock)
    api = AliyunApi(acr.api_url, REGION, keys, acr.endpoint, context, per_second=1000.0)
    try:
        yield api
    finally:
        api.close()


def _who(
    acr: LoopbackAcr,
    clock: FakeClock,
    identity: AliyunIdentity,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Return who the emulator takes an identity for."""
    acr.clear_log()
    with _api(acr, clock, _sts(acr, clock, environ).keys_of(identity)) as api:
        api.call("look", LOOK)
    return acr.calls[-1].who


# --- who asks ------------------------------------------------------------------------------------


def test_variables_are_the_first_that_is_looked_at(acr: LoopbackAcr, clock: FakeClock) -> None:
    """Of what this process has."""
    assert _who(acr, clock, AliyunIdentity(), acr.environment) == USER


def test_a_pod_becomes_its_role(acr: LoopbackAcr, clock: FakeClock, tmp_path: Path) -> None:
    """RRSA: the names of role and provider, and a token in a file, are all it has."""
    tokens = frozenset({"eyJ.pod"})
    acr.sts.add_role(LoopbackRamRole(arn=ROLE, oidc_provider=PROVIDER, oidc_tokens=tokens))
    token_file = tmp_path / "token"
    token_file.write_text("eyJ.pod")
    environ = {
        "ALIBABA_CLOUD_ROLE_ARN": ROLE,
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": PROVIDER,
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE": str(token_file),
        "ALIBABA_CLOUD_ROLE_SESSION_NAME": "nightly",
    }
    who = f"acs:ram::{ACCOUNT}:assumed-role/pod/nightly"
    assert _who(acr, clock, AliyunIdentity(), environ) == who
    token_file.write_text("eyJ.old")
    with pytest.raises(CredentialsExpired, match="This JsonWebToken is expired"):
        _who(acr, clock, AliyunIdentity(), environ)
    other = {**environ, "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": f"{PROVIDER}x"}
    with pytest.raises(CredentialsRefused) as caught:
        _who(acr, clock, AliyunIdentity(), other)
    assert "trust policy" in str(caught.value.hint)


def test_roles_are_assumed_one_by_the_other(acr: LoopbackAcr, clock: FakeClock) -> None:
    """Each trusts the one before, and may want an external id."""
    first = f"acs:ram::{ACCOUNT}:role/first"
    session = f"acs:ram::{ACCOUNT}:assumed-role/first/harborsync"
    acr.sts.add_role(LoopbackRamRole(arn=first, trusts=frozenset({USER})))
    acr.sts.add_role(LoopbackRamRole(arn=ROLE, trusts=frozenset({session}), external_id="acme"))
    roles = [RamRole(arn=first), RamRole(arn=ROLE, external_id="acme")]
    identity = AliyunIdentity(source=acr.identity.source, roles=roles)
    assert _who(acr, clock, identity) == f"acs:ram::{ACCOUNT}:assumed-role/pod/harborsync"
    wrong = AliyunIdentity(source=acr.identity.source, roles=[RamRole(arn=ROLE)])
    with pytest.raises(Denied) as caught:
        _who(acr, clock, wrong)
    assert "AliyunSTSAssumeRoleAccess" in str(caught.value.hint)


@pytest.mark.parametrize("identity", [AliyunIdentity(), AliyunIdentity(ecs_role="node")])
def test_a_machine_is_the_last_that_is_asked(clock: FakeClock, identity: AliyunIdentity) -> None:
    """Unless its role is named."""
    session = {
        "AccessKeyId": "STS.node",
        "AccessKeySecret": "s",
        "SecurityToken": "t",
        "Expiration": "2099-01-01T00:00:00Z",
    }

    def answer(heard: Heard) -> Said:
        is_role = heard.path.endswith("/node")
        return Said(body=json.dumps(session).encode() if is_role else b"node")

    with ScriptedServer(answer) as server:
        sts = Sts(
            url="https://sts.example",
            region=REGION,
            endpoint=Endpoint(provider="acr", address="x.example"),
            context=_context(clock),
            environ={},
            metadata=MetadataTransport("127.0.0.1", server.port, timeout=60),
        )
        assert sts.keys_of(identity).get().key_id == "STS.node"


def test_a_machine_that_is_nobody_is_asked_once(clock: FakeClock) -> None:
    """One that is none of Alibaba's keeps every listing waiting otherwise."""
    with ScriptedServer(lambda heard: Said(status=404)) as server:
        keys = Sts(
            url="https://sts.example",
            region=REGION,
            endpoint=Endpoint(provider="acr", address="x.example"),
            context=_context(clock),
            environ={},
            metadata=MetadataTransport("127.0.0.1", server.port, timeout=60),
        ).keys_of(AliyunIdentity())
        for _ in range(2):
            with pytest.raises(NoCredentials, match="does not have a role"):
                keys.get()
        assert len(server.heard) == 1


def test_where_machines_are_not_to_be_asked_there_is_nobody(
    acr: LoopbackAcr, clock: FakeClock
) -> None:
    """As on a developer's own machine, where looking takes its time."""
    with pytest.raises(NoCredentials, match="no identity"):
        _who(acr, clock, AliyunIdentity(), {"ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"})


def test_a_session_signs_although_the_older_variables_are_set(
    acr: LoopbackAcr, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK would take those for the keys, and leave the session's out without a word."""
    monkeypatch.setenv("ALIYUN_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("ALIYUN_ACCESS_KEY_SECRET", "another")
    key_id, key = acr.keyring.add_session("somebody", clock.now().timestamp() + 60)
    identity = AliyunIdentity.of_key(key_id, Secret(key.secret), Secret(key.token or ""))
    assert _who(acr, clock, identity) == "somebody"


def test_a_session_that_ended_early_is_renewed_once(acr: LoopbackAcr, clock: FakeClock) -> None:
    """One that cannot be renewed is told."""
    ends = clock.now().timestamp()
    sessions = [acr.keyring.add_session("me", end) for end in (ends - 1, ends + 60)]
    ended, good = (
        Keys(key_id=key_id, secret=Secret(key.secret), token=Secret(key.token or ""))
        for key_id, key in sessions
    )
    queue = [ended, good]
    with _api(acr, clock, RenewingKeys(lambda: queue.pop(0), clock)) as api:
        api.call("look", LOOK)
    assert [call.who for call in acr.calls] == ["", "me"]
    with (
        _api(acr, clock, RenewingKeys(lambda: ended, clock)) as api,
        pytest.raises(CredentialsExpired),
    ):
        api.call("look", LOOK)


# --- how it is asked -----------------------------------------------------------------------------


def test_no_request_can_be_made_that_would_go_in_the_clear() -> None:
    """All are made in one place, from an address that is https or this machine."""
    for wish in (LOOK, Wish(version="2016-06-07", action="GetRepo", path="/repos/a/b")):
        request = aliyun_api._request(wish, ApiAddress.of("https://cr.cn-hangzhou.aliyuncs.com"))
        assert request.get_protocol_type() == "https"
        assert request.endpoint == "cr.cn-hangzhou.aliyuncs.com"


def test_the_api_is_asked_over_tls_by_the_certificates_of_the_endpoint(
    clock: FakeClock, tmp_path: Path
) -> None:
    """And not by those that the SDK brings."""
    authority = TestAuthority(tmp_path)
    with LoopbackAcr(clock=clock, tls=authority) as acr:
        assert acr.api_url.startswith("https://")
        assert _who(acr, clock, acr.identity) == USER


def test_throttling_is_waited_for_and_slows_down(acr: LoopbackAcr, clock: FakeClock) -> None:
    """Each try is signed anew; one too many is told."""
    acr.throttle("ListRepository", 2)
    with _api(acr, clock, _sts(acr, clock).keys_of(acr.identity)) as api:
        api.call("look", LOOK)
        codes = [call.code for call in acr.calls]
        assert codes == ["Throttling.User", "Throttling.User", ""]
        acr.throttle("ListRepository", 3)
        with pytest.raises(RateLimited):
            api.call("look", LOOK)


def _answering(said: Said | None, clock: FakeClock, wish: Wish = LOOK) -> Any:
    """Return what calling an API that always answers so comes to."""

    def script(heard: Heard) -> Said | None:
        return said

    with ScriptedServer(script) as server:
        keys = RenewingKeys(lambda: Keys(key_id="AK", secret=Secret("s3cr3t")), clock)
        endpoint = Endpoint(provider="acr", address="x.example")
        api = AliyunApi(server.origin, REGION, keys, endpoint, _context(clock), per_second=1000.0)
        try:
            return api.call("look", wish)
        finally:
            api.close()


def test_a_success_that_is_none_is_a_failure(clock: FakeClock) -> None:
    """HTTP 200 says nothing."""
    body = {"IsSuccess": False, "Code": "SOMETHING_ODD", "Message": "no", "RequestId": "R1"}
    with pytest.raises(RegistryError, match="SOMETHING_ODD: no") as caught:
        _answering(Said(body=json.dumps(body).encode()), clock)
    assert caught.value.request_id == "R1"


@pytest.mark.parametrize("body", [b"<html>", b"[]"])
def test_an_answer_of_somebody_else_is_told(clock: FakeClock, body: bytes) -> None:
    """Such as a proxy's page."""
    with pytest.raises(RegistryError, match="none of Alibaba Cloud's"):
        _answering(Said(body=body), clock)


def test_a_server_that_fails_is_asked_again(clock: FakeClock) -> None:
    """As often as the policy says."""
    body = {"Code": "ServiceUnavailable", "Message": "busy", "RequestId": "R"}
    with pytest.raises(ServerError, match="busy"):
        _answering(Said(status=503, body=json.dumps(body).encode()), clock)


def test_a_connection_that_breaks_shows_no_signed_address(clock: FakeClock) -> None:
    """The SDK's own message would quote all of it."""
    with pytest.raises(ConnectionLost) as caught:
        _answering(None, clock)
    assert "Signature" not in f"{caught.value!r}{caught.value.__context__!r}"
    assert "-vpc host" in str(caught.value.hint)


@pytest.mark.parametrize("wish", [LOOK, BY_PATH], ids=["rpc", "roa"])
def test_a_redirect_is_not_followed(clock: FakeClock, wish: Wish) -> None:
    """What is signed goes to nobody else."""
    with ScriptedServer(lambda heard: Said(body=b"{}")) as elsewhere:
        said = Said(status=302, headers=(("Location", f"{elsewhere.origin}/"),))
        with pytest.raises((RegistryError, AddressRefused)):
            _answering(said, clock, wish)
        assert elsewhere.heard == []


def test_the_sdk_prints_nothing_by_itself(acr: LoopbackAcr, clock: FakeClock) -> None:
    """It adds a handler when it is loaded."""
    _who(acr, clock, acr.identity)
    talker = logging.getLogger("aliyunsdkcore.http.http_response")
    assert talker.handlers == []
    assert talker.level == logging.NOTSET


def test_the_sdk_is_still_as_we_know_it(acr: LoopbackAcr, clock: FakeClock) -> None:
    """Its signer is replaced, which it offers no way for."""
    keys = Keys(key_id="STS.1", secret=Secret("s"), token=Secret("t"))
    address = ApiAddress.of(acr.api_url)
    cable = Cable(address, acr.endpoint, _context(clock))
    client = aliyun_api._client(keys, REGION, address, cable)
    assert type(client._signer).__name__ == "StsTokenSigner"
    for scheme in ("http://x", "https://x"):
        assert isinstance(client.session.get_adapter(scheme), Bridge)
    client.session.close()
    cable.close()


def test_an_unsigned_refusal_without_words_is_told_by_its_status(
    clock: FakeClock, tmp_path: Path
) -> None:
    """As from something between us and STS."""
    token_file = tmp_path / "token"
    token_file.write_text("eyJ")
    environ = {
        "ALIBABA_CLOUD_ROLE_ARN": ROLE,
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": PROVIDER,
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE": str(token_file),
    }
    with ScriptedServer(lambda heard: Said(status=418, body=b"teapot")) as server:
        endpoint = Endpoint(provider="acr", address="x.example")
        sts = Sts(
            url=server.origin,
            region=REGION,
            endpoint=endpoint,
            context=_context(clock),
            environ=environ,
        )
        with pytest.raises(RegistryError, match="HTTP418"):
            sts.keys_of(AliyunIdentity()).get()
        assert b"eyJ" in server.heard[0].body
        assert "eyJ" not in server.heard[0].target
