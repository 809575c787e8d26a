"""The emulator of Alibaba's registry refuses what the real one is documented to refuse."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest

from harborsync.testing.cloud_aliyun import INSTANCE, KEY_ID, SECRET_KEY, LoopbackAcr
from harborsync.testing.cloud_aliyun_personal import LoopbackAcrPersonal

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def acr() -> Iterator[LoopbackAcr]:
    """Return an empty instance."""
    with LoopbackAcr() as server:
        yield server


@pytest.fixture
def personal() -> Iterator[LoopbackAcrPersonal]:
    """Return an empty registry of the personal edition."""
    with LoopbackAcrPersonal() as server:
        yield server


def _ask(
    server: Any, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(server.api_url.removeprefix("http://"))
    try:
        connection.request(method, target, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _mac(key: str, text: str) -> str:
    return base64.b64encode(hmac.digest(key.encode(), text.encode(), hashlib.sha1)).decode()


def _rpc(server: Any, secret: str = SECRET_KEY, **more: str) -> tuple[int, dict[str, Any]]:
    """Ask in RPC style, signed by a hand of our own."""
    told = {
        "AccessKeyId": KEY_ID,
        "Action": "ListRepository",
        "InstanceId": INSTANCE,
        "SignatureNonce": "n1",
        "Timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "Version": "2018-12-01",
        **more,
    }
    canonical = "&".join(f"{_encoded(name)}={_encoded(told[name])}" for name in sorted(told))
    signature = _mac(f"{secret}&", f"POST&%2F&{_encoded(canonical)}")
    return _ask(server, "POST", f"/?{urlencode({**told, 'Signature': signature})}")


def _code(answer: tuple[int, dict[str, Any]]) -> str:
    code: str = answer[1].get("Code") or answer[1].get("code") or ""
    return code


def test_a_request_that_is_signed_well_is_answered_once(acr: LoopbackAcr) -> None:
    """Its nonce is used up, whatever characters were signed."""
    odd = {"Odd": "a b*~'/\N{SNOWMAN}"}
    assert _code(_rpc(acr, **odd)) == "success"
    assert _code(_rpc(acr, **odd)) == "SignatureNonceUsed"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"secret": "another"}, "SignatureDoesNotMatch"),
        ({"AccessKeyId": "LTAInobody"}, "InvalidAccessKeyId.NotFound"),
        ({"Timestamp": "2020-01-01T00:00:00Z"}, "InvalidTimeStamp.Expired"),
        ({"Timestamp": "yesterday"}, "InvalidTimeStamp.Expired"),
        ({"SignatureNonce": ""}, "SignatureNonceUsed"),
        ({"SecurityToken": "x"}, "InvalidSecurityToken.Malformed"),
        ({"InstanceId": "cri-other"}, "INSTANCE_NOT_EXIST"),
        ({"PageSize": "101"}, "InvalidParameter"),
        ({"PageNo": "0"}, "InvalidParameter"),
        ({"Action": "ListInstance"}, "InvalidAction.NotFound"),
        ({"Action": "ListRepoTag", "RepoId": "crr-none"}, "REPO_NOT_EXIST"),
    ],
)
def test_a_request_that_is_not_is_refused(
    acr: LoopbackAcr, more: dict[str, str], code: str
) -> None:
    """Each in the words of the gateway or of the product."""
    assert _code(_rpc(acr, **more)) == code


def test_a_session_needs_its_token(acr: LoopbackAcr) -> None:
    """And not beyond its end."""
    key_id, key = acr.keyring.add_session("me", datetime.now(UTC).timestamp() - 1)
    session = {"AccessKeyId": key_id, "secret": key.secret}
    assert _code(_rpc(acr, **session)) == "MissingSecurityToken"
    again = {**session, "SecurityToken": key.token or "", "SignatureNonce": "n2"}
    assert _code(_rpc(acr, **again)) == "InvalidSecurityToken.Expired"


def test_a_refusal_of_the_product_is_a_success(acr: LoopbackAcr) -> None:
    """By its status."""
    status, said = _rpc(acr, InstanceId="cri-other")
    assert (status, said["IsSuccess"]) == (200, False)


def _roa(
    server: Any, method: str, path: str, body: bytes = b"", **more: str
) -> tuple[int, dict[str, Any]]:
    """Ask in ROA style, signed by a hand of our own."""
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    fields = {
        "Accept": "application/json",
        "Content-MD5": digest if body else "",
        "Content-Type": "application/json",
        "Date": format_datetime(datetime.now(UTC), usegmt=True),
        **more,
    }
    order = ("Accept", "Content-MD5", "Content-Type", "Date")
    text = "\n".join((method, *(fields[name] for name in order), "x-acs-version:2016-06-07", path))
    signed = {
        "x-acs-version": "2016-06-07",
        "Authorization": f"acs {KEY_ID}:{_mac(SECRET_KEY, text)}",
    }
    return _ask(server, method, path, {**fields, **signed}, body)


def test_the_personal_edition_is_asked_by_paths(personal: LoopbackAcrPersonal) -> None:
    """With a body that is signed by its digest."""
    status, said = _roa(personal, "GET", "/repos?Page=1&PageSize=100")
    assert (status, said["data"]["total"]) == (200, 0)
    wish = json.dumps({"Namespace": {"Namespace": "team"}}).encode()
    assert _roa(personal, "PUT", "/namespace", wish)[0] == 200
    assert personal.auto_create == {"team"}
    assert _code(_roa(personal, "PUT", "/namespace", wish)) == "NAMESPACE_ALREADY_EXIST"


def test_the_personal_edition_refuses_too(personal: LoopbackAcrPersonal) -> None:
    """In small letters where it is the product that does."""
    assert _code(_roa(personal, "GET", "/repos/team/app")) == "NAMESPACE_NOT_EXIST"
    assert _code(_roa(personal, "GET", "/regions")) == "InvalidAction.NotFound"
    assert _code(_roa(personal, "GET", "/repos", Date="yesterday")) == "InvalidTimeStamp.Expired"
    old = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    assert _code(_roa(personal, "GET", "/repos", Date=old)) == "InvalidTimeStamp.Expired"
    other = {"Content-MD5": base64.b64encode(b"0" * 16).decode()}
    assert _code(_roa(personal, "PUT", "/namespace", b"{}", **other)) == "ContentMD5NotMatched"
    broken = {"Authorization": "Bearer x"}
    assert _code(_ask(personal, "GET", "/repos", broken)) == "MissingAuthorization"
    repo = {"RepoNamespace": "a", "RepoName": "b/c", "RepoType": "PRIVATE", "Summary": "s"}
    wish = json.dumps({"Repo": repo}).encode()
    assert _code(_roa(personal, "PUT", "/repos", wish)) == "INVALID_PARAMETER"


def test_a_summary_must_be_there(personal: LoopbackAcrPersonal) -> None:
    """And not be too long."""
    personal.create_repository("team/web")
    for summary in ("", "x" * 101):
        repo = {"RepoNamespace": "team", "RepoName": "a", "RepoType": "PUBLIC", "Summary": summary}
        wish = json.dumps({"Repo": repo}).encode()
        assert _code(_roa(personal, "PUT", "/repos", wish)) == "MISSING_PARAMETER"


def test_all_that_is_secret_is_told_to_who_looks_for_it(acr: LoopbackAcr) -> None:
    """Passwords that were sold, secrets and tokens of sessions."""
    _, key = acr.keyring.add_session("me", 0)
    password = acr.desk.sell(60)
    assert {SECRET_KEY, key.secret, key.token, password} <= acr.secrets
