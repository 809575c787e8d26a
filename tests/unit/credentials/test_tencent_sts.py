"""Identities of Tencent Cloud become keys, by what a process has and by STS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync.clock import SystemClock
from harborsync.credentials.tencent import CamRole, TencentIdentity
from harborsync.credentials.tencent_sts import Sts
from harborsync.errors import ConfigurationError, CredentialsRefused, Denied, NoCredentials
from harborsync.http.metadata import MetadataTransport
from harborsync.provider import OpenContext
from harborsync.retry import RetryPolicy
from harborsync.testing import FakeClock
from harborsync.testing.cloud_tencent import LoopbackTcr
from harborsync.testing.cloud_tencent_plane import KEY_ID, LoopbackCamRole
from harborsync.testing.scripted import Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ARN = "qcs::cam::uin/100000000001:roleName/mirror"
NEXT = "qcs::cam::uin/100000000001:roleName/next"


@pytest.fixture
def tcr() -> Iterator[LoopbackTcr]:
    """Return an emulator with a chain of roles."""
    with LoopbackTcr(clock=FakeClock(SystemClock().now())) as server:
        server.add_role(LoopbackCamRole(arn=ARN, trusts=frozenset({KEY_ID})))
        server.add_role(LoopbackCamRole(arn=NEXT, trusts=frozenset({ARN}), external_id="acme"))
        yield server


def _sts(tcr: LoopbackTcr, environ: dict[str, str], **more: Any) -> Sts:
    context = OpenContext(clock=tcr.clock, retry=RetryPolicy(attempts=1))
    return Sts(
        url=tcr.api_url,
        region="ap-guangzhou",
        endpoint=tcr.endpoint,
        context=context,
        environ=environ,
        **more,
    )


def _asked(tcr: LoopbackTcr) -> list[str]:
    return [call.operation for call in tcr.calls]


def test_nobody_is_asked_before_keys_are_wanted(tcr: LoopbackTcr) -> None:
    """Opening a registry makes no request."""
    _sts(tcr, {}).keys_of(TencentIdentity(roles=[CamRole(arn=ARN)]))
    assert tcr.calls == ()


def test_roles_are_assumed_one_by_the_other(tcr: LoopbackTcr) -> None:
    """And kept until they are about to end."""
    roles = [CamRole(arn=ARN), CamRole(arn=NEXT, external_id="acme", duration=900)]
    keys = _sts(tcr, tcr.environment).keys_of(TencentIdentity(roles=roles))
    first = keys.get()
    assert keys.get() == first
    assert _asked(tcr) == ["AssumeRole", "AssumeRole"]
    tcr.clock.sleep(850)
    assert keys.get() != first
    assert _asked(tcr) == ["AssumeRole"] * 3


def test_a_role_that_trusts_others_is_told(tcr: LoopbackTcr) -> None:
    """With what to do about it."""
    roles = [CamRole(arn=NEXT)]
    with pytest.raises(Denied) as caught:
        _sts(tcr, tcr.environment).keys_of(TencentIdentity(roles=roles)).get()
    assert "trust policy" in str(caught.value.hint)


def test_variables_come_before_profiles_and_profiles_before_pods(
    tcr: LoopbackTcr, tmp_path: Path
) -> None:
    """A profile that is named comes before variables."""
    file = tmp_path / ".tencentcloud" / "credentials"
    file.parent.mkdir()
    file.write_text("[default]\nsecret_id=AKIDp\nsecret_key=k\n")
    token = tmp_path / "token"
    token.write_text("pod-token")
    pod = {
        "HOME": str(tmp_path),
        "TKE_REGION": "ap-tokyo",
        "TKE_PROVIDER_ID": "cls-1",
        "TKE_ROLE_ARN": ARN,
        "TKE_WEB_IDENTITY_TOKEN_FILE": str(token),
    }
    tcr.add_role(LoopbackCamRole(arn=ARN, web_tokens=frozenset({"pod-token"})))
    default, named = TencentIdentity(), TencentIdentity(profile="default")
    assert _sts(tcr, {**pod, **tcr.environment}).keys_of(default).get().key_id == KEY_ID
    assert _sts(tcr, {**pod, **tcr.environment}).keys_of(named).get().key_id == "AKIDp"
    assert _sts(tcr, pod).keys_of(default).get().key_id == "AKIDp"
    file.unlink()
    assert _sts(tcr, pod).keys_of(default).get().origin == "STS (AssumeRoleWithWebIdentity)"
    assert _asked(tcr) == ["AssumeRoleWithWebIdentity"]


def test_a_pod_that_is_not_trusted_is_told(tcr: LoopbackTcr, tmp_path: Path) -> None:
    """With what a trust policy compares."""
    token = tmp_path / "token"
    token.write_text("other")
    pod = {
        "HOME": str(tmp_path),
        "TKE_REGION": "ap-tokyo",
        "TKE_PROVIDER_ID": "cls-1",
        "TKE_ROLE_ARN": ARN,
        "TKE_WEB_IDENTITY_TOKEN_FILE": str(token),
    }
    with pytest.raises(CredentialsRefused) as caught:
        _sts(tcr, pod).keys_of(TencentIdentity()).get()
    assert "subject" in str(caught.value.hint)


def test_a_machine_is_asked_last_and_once(tcr: LoopbackTcr, tmp_path: Path) -> None:
    """One that is none of Tencent's keeps every listing waiting otherwise."""
    with ScriptedServer(lambda heard: Said(status=404)) as server:
        metadata = MetadataTransport("127.0.0.1", server.port, timeout=60)
        keys = _sts(tcr, {"HOME": str(tmp_path)}, metadata=metadata).keys_of(TencentIdentity())
        for _ in range(2):
            with pytest.raises(NoCredentials, match="does not have a role"):
                keys.get()
        assert len(server.heard) == 1


def test_a_machines_role_can_be_named(tcr: LoopbackTcr) -> None:
    """It comes before variables then."""
    body = b'{"TmpSecretId": "AKIDm", "TmpSecretKey": "k", "Token": "t", "ExpiredTime": 1900000000}'
    with ScriptedServer(lambda heard: Said(body=body)) as server:
        metadata = MetadataTransport("127.0.0.1", server.port, timeout=60)
        keys = _sts(tcr, tcr.environment, metadata=metadata).keys_of(
            TencentIdentity(cvm_role="reader")
        )
        assert keys.get().key_id == "AKIDm"


def test_a_mistake_in_variables_is_told_each_time(tcr: LoopbackTcr) -> None:
    """It is no missing identity."""
    keys = _sts(tcr, {"TENCENTCLOUD_SECRET_ID": "x"}).keys_of(TencentIdentity())
    for _ in range(2):
        with pytest.raises(ConfigurationError):
            keys.get()
