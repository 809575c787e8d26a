"""Keys for Alibaba Cloud: of variables, pods and machines."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.credentials.aliyun_keys import (
    EcsKeys,
    OidcKeys,
    from_environment,
    nobody,
)
from harborsync.errors import ConfigurationError, CredentialsError, NoCredentials
from harborsync.http.metadata import MetadataTransport
from harborsync.secrets import Secret
from harborsync.testing.scripted import Heard, Said, ScriptedServer

if TYPE_CHECKING:
    from pathlib import Path

SESSION = {
    "AccessKeyId": "STS.1",
    "AccessKeySecret": "s3cr3t",
    "SecurityToken": "t0ken",
    "Expiration": "2026-11-25T04:00:00Z",
    "Code": "Success",
}


# --- the environment -----------------------------------------------------------------------------


def test_the_current_variables_go_before_the_older_ones() -> None:
    """The token belongs to the current ones only."""
    old = {"ALIYUN_ACCESS_KEY_ID": "old", "ALIYUN_ACCESS_KEY_SECRET": "o"}
    new = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "new",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "n",
        "ALIBABA_CLOUD_SECURITY_TOKEN": "t",
    }
    assert from_environment({}) is None
    found = from_environment({**old, "ALIBABA_CLOUD_SECURITY_TOKEN": "t"})
    assert found is not None
    assert (found.key_id, found.token) == ("old", None)
    found = from_environment({**old, **new})
    assert found is not None
    assert (found.key_id, found.token) == ("new", Secret("t"))


@pytest.mark.parametrize("name", ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIYUN_ACCESS_KEY_SECRET"])
def test_half_a_key_is_a_mistake(name: str) -> None:
    """It is not somebody else who is to be looked for."""
    with pytest.raises(ConfigurationError, match=f"{name} is set, and the other half"):
        from_environment({name: "x"})


# --- a pod ---------------------------------------------------------------------------------------


def _pod(token_file: Path) -> dict[str, str]:
    return {
        "ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/pod",
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/ack",
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE": str(token_file),
    }


def test_a_pods_token_is_read_each_time(tmp_path: Path) -> None:
    """The cluster writes a new one every hour or so."""
    token_file = tmp_path / "token"
    sent: list[dict[str, Any]] = []

    def ask(what: str, action: str, fields: dict[str, Any]) -> dict[str, Any]:
        assert action == "AssumeRoleWithOIDC"
        sent.append(fields)
        return {"Credentials": SESSION}

    pod = OidcKeys.of(_pod(token_file), ask)
    assert pod is not None
    for text in ("eyJ.first", "eyJ.second\n"):
        token_file.write_text(text)
        keys = pod()
    assert [fields["OIDCToken"] for fields in sent] == ["eyJ.first", "eyJ.second"]
    assert keys.expires_at == datetime(2026, 11, 25, 4, tzinfo=UTC)
    assert keys.origin == "STS (AssumeRoleWithOIDC)"


def test_a_role_alone_is_no_pod(tmp_path: Path) -> None:
    """But half of a pod's variables is a mistake."""

    def ask(what: str, action: str, fields: dict[str, Any]) -> dict[str, Any]:
        raise AssertionError

    told = _pod(tmp_path)
    assert OidcKeys.of({"ALIBABA_CLOUD_ROLE_ARN": "x"}, ask) is None
    del told["ALIBABA_CLOUD_OIDC_PROVIDER_ARN"]
    with pytest.raises(ConfigurationError, match="OIDC_PROVIDER_ARN is lacking"):
        OidcKeys.of(told, ask)
    pod = OidcKeys.of(_pod(tmp_path / "none"), ask)
    assert pod is not None
    with pytest.raises(CredentialsError, match="cannot be read"):
        pod()


# --- a machine -----------------------------------------------------------------------------------

ROLES = "/latest/meta-data/ram/security-credentials/"


def _machine(roles: str = "node") -> ScriptedServer:
    """Return a metadata service that wants its second version spoken."""

    def answer(heard: Heard) -> Said:
        if heard.method == "PUT" and "x-aliyun-ecs-metadata-token-ttl-seconds" in heard.headers:
            return Said(body=b"session")
        if heard.headers.get("x-aliyun-ecs-metadata-token") != "session":
            return Said(status=403)
        if heard.path == ROLES and roles:
            return Said(body=roles.encode())
        if heard.path == f"{ROLES}node":
            return Said(body=json.dumps(SESSION).encode())
        return Said(status=404)

    return ScriptedServer(answer)


def _metadata(server: ScriptedServer) -> MetadataTransport:
    return MetadataTransport("127.0.0.1", server.port, timeout=60)


@pytest.mark.parametrize("role", ["", "node"])
def test_a_machine_gives_the_keys_of_its_role(role: str) -> None:
    """By the service's second version; its role is found if it is not named."""
    with _machine() as server:
        keys = EcsKeys(metadata=_metadata(server), role=role)()
    assert (keys.key_id, keys.origin) == ("STS.1", "the machine's role node")


@pytest.mark.parametrize("role", ["", "other"])
def test_a_machine_without_the_role_says_so(role: str) -> None:
    """It is not taken for a machine of somebody else's."""
    with _machine(roles="") as server:
        machine = EcsKeys(metadata=_metadata(server), role=role)
        with pytest.raises(NoCredentials, match="does not have"):
            machine()


def test_a_machine_of_somebody_else_is_nobody(closed_port: int) -> None:
    """Nothing listens there; the remedy names all ways to be somebody."""
    with pytest.raises(NoCredentials, match="no role of a machine") as caught:
        EcsKeys(metadata=MetadataTransport("127.0.0.1", closed_port))()
    assert "RRSA" in str(caught.value.hint)
    with pytest.raises(NoCredentials):
        nobody()


@pytest.mark.parametrize("said", [b"no json", b"[]", b"{}", b'{"AccessKeyId": "x"}'])
def test_what_are_no_credentials_is_told(said: bytes) -> None:
    """Something else may listen at that address."""

    def answer(heard: Heard) -> Said:
        return Said(body=b"token" if heard.method == "PUT" else said)

    with ScriptedServer(answer) as server:
        machine = EcsKeys(metadata=_metadata(server), role="node")
        with pytest.raises(CredentialsError, match="no credentials"):
            machine()
