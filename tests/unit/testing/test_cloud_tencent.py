"""Tencent's emulators are no pushovers: raw requests and the real SDK meet what Tencent would say."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import importlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.clock import SystemClock
from harborsync.testing import FakeClock
from harborsync.testing.clock import EPOCH
from harborsync.testing.cloud_tencent import INSTANCE, LoopbackTcr
from harborsync.testing.cloud_tencent_personal import PASSWORD, LoopbackTcrPersonal
from harborsync.testing.cloud_tencent_plane import (
    KEY_ID,
    REGION,
    SECRET_KEY,
    UIN,
    LoopbackCamRole,
)
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    Emulator = LoopbackTcr | LoopbackTcrPersonal

# The SDK has no types.
_PROFILES: Any = importlib.import_module("tencentcloud.common.profile.client_profile")
_HTTP: Any = importlib.import_module("tencentcloud.common.profile.http_profile")
_CREDENTIALS: Any = importlib.import_module("tencentcloud.common.credential")
_CLIENT: Any = importlib.import_module("tencentcloud.tcr.v20190924.tcr_client")
_MODELS: Any = importlib.import_module("tencentcloud.tcr.v20190924.models")
ROLE = "qcs::cam::uin/100000000001:roleName/mirror"


@pytest.fixture
def tcr() -> Iterator[LoopbackTcr]:
    """Return an instance with one repository of three images."""
    with LoopbackTcr() as server:
        _seed(server)
        yield server


@pytest.fixture
def personal() -> Iterator[LoopbackTcrPersonal]:
    """Return a personal edition with the same."""
    with LoopbackTcrPersonal() as server:
        _seed(server)
        yield server


def _seed(server: Emulator) -> None:
    server.create_repository("team/app")
    for number in range(3):
        content = random_image(number, layers=1).manifest.raw
        server.storage.put_manifest("team/app", content, tags=[f"v{number}"])


def _ask(
    server: Emulator,
    action: str,
    wish: dict[str, Any] | None = None,
    *,
    service: str = "tcr",
    version: str = "2019-09-24",
    region: str = REGION,
    at: float | None = None,
    key: tuple[str, str] = (KEY_ID, SECRET_KEY),
    **fields: str,
) -> dict[str, Any]:
    """Sign a request by hand, as the documents say, and return the answer."""
    moment = int(SystemClock().now().timestamp() if at is None else at)
    body = json.dumps(wish or {}).encode()
    host = server.api_url.removeprefix("http://")
    scope = f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}/{service}/tc3_request"
    signed = f"content-type:application/json\nhost:{host}\n"
    digest = hashlib.sha256(body).hexdigest()
    canonical = f"POST\n/\n\n{signed}\ncontent-type;host\n{digest}"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"TC3-HMAC-SHA256\n{moment}\n{scope}\n{hashed}"
    secret = f"TC3{key[1]}".encode()
    for part in scope.split("/"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    signature = hmac.new(secret, text.encode(), "sha256").hexdigest()
    headers = {
        "Authorization": (
            f"TC3-HMAC-SHA256 Credential={key[0]}/{scope}, SignedHeaders=content-type;host, "
            f"Signature={signature}"
        ),
        "Content-Type": "application/json",
        "X-TC-Action": action,
        "X-TC-Region": region,
        "X-TC-Timestamp": str(moment),
        "X-TC-Version": version,
        **fields,
    }
    connection = http.client.HTTPConnection(host)
    connection.request("POST", "/", body, headers)
    response = connection.getresponse()
    said: dict[str, Any] = json.loads(response.read())["Response"]
    connection.close()
    assert response.status == 200
    assert said["RequestId"]
    return said


def _on(server: Emulator, action: str, **wish: Any) -> dict[str, Any]:
    return _ask(server, action, {"RegistryId": INSTANCE, **wish})


def _code(said: dict[str, Any]) -> str:
    return str(said.get("Error", {}).get("Code", ""))


# --- signatures ----------------------------------------------------------------------------------


def test_a_request_signed_by_the_book_is_answered(tcr: LoopbackTcr) -> None:
    """By code that shares nothing with the SDK or the emulator."""
    said = _ask(tcr, "DescribeInstances", {"AllRegion": True})
    assert [each["RegistryName"] for each in said["Registries"]] == ["team-old", "team"]


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"key": (KEY_ID, "wrong")}, "AuthFailure.SignatureFailure"),
        ({"key": ("AKIDnobody", SECRET_KEY)}, "AuthFailure.SecretIdNotFound"),
        ({"Authorization": "TC3-HMAC-SHA256 nonsense"}, "AuthFailure.SignatureFailure"),
        ({"Authorization": "SKIP"}, "AuthFailure.SignatureFailure"),
        ({"X-TC-Token": "t"}, "AuthFailure.TokenFailure"),
        ({"X-TC-Timestamp": "yesterday"}, "AuthFailure.SignatureExpire"),
        ({"at": 1_700_000_000.0}, "AuthFailure.SignatureExpire"),
        ({"version": "2020-01-01"}, "NoSuchVersion"),
        ({"service": "cvm"}, "NoSuchVersion"),
        ({"action": "Fly"}, "InvalidAction"),
    ],
)
def test_a_request_that_is_not_right_is_refused(
    tcr: LoopbackTcr, wish: dict[str, Any], code: str
) -> None:
    """With status 200, in Tencent's words."""
    action = wish.pop("action", "DescribeInstances")
    assert _code(_ask(tcr, action, **wish)) == code
    assert [call.code for call in tcr.calls] == [code]


def test_five_minutes_are_borne_and_no_more() -> None:
    """Either way."""
    now = EPOCH.timestamp()
    with LoopbackTcr(signing_clock=FakeClock(EPOCH)) as tcr:
        for apart in (-300, 300):
            assert not _code(_ask(tcr, "DescribeInstances", at=now + apart))
        for apart in (-301, 301):
            said = _ask(tcr, "DescribeInstances", at=now + apart)
            assert _code(said).endswith("SignatureExpire")


def test_a_body_that_was_changed_is_noticed(tcr: LoopbackTcr) -> None:
    """The signature covers it."""
    headers: dict[str, Any] = {
        "Authorization": (
            f"TC3-HMAC-SHA256 Credential={KEY_ID}/{SystemClock().now():%Y-%m-%d}/tcr/tc3_request, "
            f"SignedHeaders=content-type;host, Signature={'0' * 64}"
        )
    }
    assert _code(_ask(tcr, "DescribeInstances", **headers)) == "AuthFailure.SignatureFailure"


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcfromtimestamp:DeprecationWarning")
def test_the_real_sdk_is_understood(tcr: LoopbackTcr) -> None:
    """Its models, over its own network code."""
    profile = _PROFILES.ClientProfile(
        httpProfile=_HTTP.HttpProfile(
            protocol="http", endpoint=tcr.api_url.removeprefix("http://"), reqTimeout=60
        )
    )
    credential = _CREDENTIALS.Credential(KEY_ID, SECRET_KEY)
    client = _CLIENT.TcrClient(credential, REGION, profile)
    request = _MODELS.DescribeImagesRequest()
    request.RegistryId, request.NamespaceName, request.RepositoryName = INSTANCE, "team", "app"
    response = client.DescribeImages(request)
    assert response.TotalCount == 3
    assert response.ImageInfoList[0].ImageVersion == "v0"
    client.request.conn._session.close()


# --- rights and sessions -------------------------------------------------------------------------


def test_what_is_denied_is_refused_by_name(tcr: LoopbackTcr) -> None:
    """As CAM does."""
    tcr.denied.add("tcr:DescribeImages")
    said = _on(tcr, "DescribeImages")
    assert _code(said) == "AuthFailure.UnauthorizedOperation"
    assert "(tcr:DescribeImages)" in said["Error"]["Message"]


def test_a_role_gives_a_session_that_ends() -> None:
    """By the emulator's clock."""
    clock = FakeClock(SystemClock().now())
    with LoopbackTcr(clock=clock) as tcr:
        tcr.add_role(LoopbackCamRole(arn=ROLE, trusts=frozenset({KEY_ID}), external_id="acme"))
        sts: dict[str, Any] = {"service": "sts", "version": "2018-08-13"}
        wish = {"RoleArn": ROLE, "RoleSessionName": "x", "DurationSeconds": 900}
        assert _code(_ask(tcr, "AssumeRole", wish, **sts)).endswith("UnauthorizedOperation")
        said = _ask(tcr, "AssumeRole", {**wish, "ExternalId": "acme"}, **sts)["Credentials"]
        session: dict[str, Any] = {
            "key": (said["TmpSecretId"], said["TmpSecretKey"]),
            "X-TC-Token": said["Token"],
        }
        assert not _code(_ask(tcr, "DescribeInstances", **session))
        assert tcr.calls[-1].who == ROLE
        del session["X-TC-Token"]
        assert _code(_ask(tcr, "DescribeInstances", **session)).endswith("TokenFailure")
        session["X-TC-Token"] = said["Token"]
        clock.sleep(901)
        assert _code(_ask(tcr, "DescribeInstances", **session)).endswith("TokenFailure")
        assert {said["TmpSecretKey"], said["Token"]} <= tcr.secrets


def test_planned_refusals_come_and_go(tcr: LoopbackTcr) -> None:
    """One for each."""
    tcr.throttle("DescribeInstances")
    assert _code(_ask(tcr, "DescribeInstances")) == "RequestLimitExceeded"
    assert not _code(_ask(tcr, "DescribeInstances"))


# --- the enterprise edition's lists --------------------------------------------------------------


def test_offsets_are_numbers_of_pages(tcr: LoopbackTcr) -> None:
    """From 1; who counts rows gets the wrong page."""

    def tags(**wish: int) -> list[str]:
        said = _on(tcr, "DescribeImages", NamespaceName="team", RepositoryName="app", **wish)
        assert said["TotalCount"] == 3
        return [each["ImageVersion"] for each in said["ImageInfoList"]]

    assert tags(Limit=2) == tags(Limit=2, Offset=0) == tags(Limit=2, Offset=1) == ["v0", "v1"]
    assert tags(Limit=2, Offset=2) == ["v2"]
    assert tags(Limit=2, Offset=3) == []


def test_names_match_what_is_like_them(tcr: LoopbackTcr) -> None:
    """Unless an exact match is asked for, which only images have."""
    tcr.create_repository("team2/app-old")
    names = _on(tcr, "DescribeRepositories", NamespaceName="team", RepositoryName="app")
    assert [each["Name"] for each in names["RepositoryList"]] == ["team/app", "team2/app-old"]
    spaces = _on(tcr, "DescribeNamespaces", NamespaceName="team")
    assert [each["Name"] for each in spaces["NamespaceList"]] == ["team", "team2"]
    like = {"NamespaceName": "te", "RepositoryName": "a"}
    assert _on(tcr, "DescribeImages", **like)["TotalCount"] == 3
    assert _on(tcr, "DescribeImages", **like, ExactMatch=True)["TotalCount"] == 0


def test_an_instance_is_known_in_its_region_only(tcr: LoopbackTcr) -> None:
    """But for the list of all regions."""
    said = _ask(tcr, "DescribeImages", {"RegistryId": INSTANCE}, region="ap-tokyo")
    assert _code(said) == "ResourceNotFound.TcrResourceNotFound"
    assert _ask(tcr, "DescribeInstances", region="ap-tokyo")["TotalCount"] == 0
    filters = [{"Name": "RegistryName", "Values": ["team"]}]
    found = _ask(tcr, "DescribeInstances", {"AllRegion": True, "Filters": filters})
    assert found["TotalCount"] == 2
    wish = {"AllRegion": True, "Registryids": [INSTANCE]}
    assert _ask(tcr, "DescribeInstances", wish)["TotalCount"] == 1
    assert _code(_ask(tcr, "DescribeInstances", {"Limit": 101})) == "InvalidParameter"


def test_tokens_are_temporary_or_lasting(tcr: LoopbackTcr) -> None:
    """Both are logins; a lasting one has an id by which it can be revoked."""
    short = _on(tcr, "CreateInstanceToken", TokenType="temp")
    lasting = _on(tcr, "CreateInstanceToken", TokenType="longterm")
    assert (short["Username"], lasting["Username"]) == (UIN, UIN)
    assert short["ExpTime"] > 10**12
    assert lasting["TokenId"]
    assert {short["Token"], lasting["Token"]} <= tcr.secrets


# --- making and changing -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "wish", "code"),
    [
        ("CreateNamespace", {"NamespaceName": "A", "IsPublic": False}, "ErrorNameIllegal"),
        ("CreateNamespace", {"NamespaceName": "team", "IsPublic": False}, "ErrNamespaceExist"),
        ("CreateNamespace", {"NamespaceName": "new", "IsPublic": True}, ""),
        (
            "CreateRepository",
            {"NamespaceName": "none", "RepositoryName": "app"},
            "ErrNoNamespace",
        ),
        ("CreateRepository", {"NamespaceName": "team", "RepositoryName": "app"}, "ErrorConflict"),
        ("CreateRepository", {"NamespaceName": "team", "RepositoryName": "new"}, ""),
        (
            "DeleteImage",
            {"NamespaceName": "team", "RepositoryName": "app", "ImageVersion": "x"},
            "ErrNoTag",
        ),
        (
            "DeleteImage",
            {"NamespaceName": "team", "RepositoryName": "x", "ImageVersion": "x"},
            "ErrNoRepo",
        ),
        (
            "ModifyRepository",
            {
                "NamespaceName": "team",
                "RepositoryName": "x",
                "BriefDescription": "",
                "Description": "",
            },
            "ErrNoRepo",
        ),
    ],
)
def test_what_is_made_and_changed_is_checked(
    tcr: LoopbackTcr, action: str, wish: dict[str, Any], code: str
) -> None:
    """In the spelling of whichever layer notices."""
    assert _code(_on(tcr, action, **wish)).rpartition(".")[2] == code


def test_a_rule_makes_tags_immutable(tcr: LoopbackTcr) -> None:
    """For writing and for deleting."""
    tcr.make_immutable("team", "v1*")
    wish = {"NamespaceName": "team", "RepositoryName": "app"}
    said = _on(tcr, "DeleteImage", **wish, ImageVersion="v1")
    assert _code(said) == "FailedOperation.PreconditionFailed"
    assert not _code(_on(tcr, "DeleteImage", **wish, ImageVersion="v0"))
    assert sorted(tcr.storage.tags("team/app")) == ["v1", "v2"]


# --- the personal edition ------------------------------------------------------------------------


def test_offsets_of_the_personal_edition_count_rows(personal: LoopbackTcrPersonal) -> None:
    """From 0."""

    def tags(**wish: int) -> list[str]:
        said = _ask(personal, "DescribeImagePersonal", {"RepoName": "team/app", **wish})
        return [each["TagName"] for each in said["Data"]["TagInfo"]]

    assert tags() == ["v0", "v1", "v2"]
    assert tags(Offset=1, Limit=1) == ["v1"]


def test_ids_of_the_personal_edition_are_no_digests(personal: LoopbackTcrPersonal) -> None:
    """Although they look like some."""
    said = _ask(personal, "DescribeImagePersonal", {"RepoName": "team/app"})
    told = {each[key] for each in said["Data"]["TagInfo"] for key in ("TagId", "ImageId")}
    assert told.isdisjoint(personal.storage.tags("team/app").values())


@pytest.mark.parametrize(
    ("action", "wish", "code"),
    [
        ("CreateNamespacePersonal", {"Namespace": "team"}, "ErrNamespaceExist"),
        ("CreateNamespacePersonal", {"Namespace": "new"}, ""),
        ("CreateRepositoryPersonal", {"RepoName": "none/app", "Public": 0}, "ErrNoNamespace"),
        ("CreateRepositoryPersonal", {"RepoName": "team/app", "Public": 0}, "ErrRepoExist"),
        ("DescribeRepositoryPersonal", {"RepoName": "team/none"}, "ErrNoRepo"),
        ("DeleteImagePersonal", {"RepoName": "team/app", "Tag": "x"}, "ErrNoTag"),
        ("DeleteImagePersonal", {"RepoName": "team/app", "Tag": "v0"}, ""),
        ("DescribeImagePersonal", {"RepoName": "team/app", "Limit": 101}, "InvalidParameter"),
    ],
)
def test_what_the_personal_edition_is_asked_is_checked(
    personal: LoopbackTcrPersonal, action: str, wish: dict[str, Any], code: str
) -> None:
    """As in the other edition."""
    assert _code(_ask(personal, action, wish)).rpartition(".")[2] == code


# --- the data plane ------------------------------------------------------------------------------


def _get(server: Emulator, path: str, login: tuple[str, str] | None = None) -> int:
    connection = http.client.HTTPConnection(server.host)
    headers = {}
    if login is not None:
        packed = base64.b64encode(":".join(login).encode()).decode()
        headers["Authorization"] = f"Basic {packed}"
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def test_only_logins_that_were_sold_get_a_token(tcr: LoopbackTcr) -> None:
    """And service accounts; an API key is none."""
    sold = _on(tcr, "CreateInstanceToken")["Token"]
    tcr.add_service_account("tcr$ci", "s3rvice")
    assert _get(tcr, "/token", (UIN, sold)) == 200
    assert _get(tcr, "/token", ("tcr$ci", "s3rvice")) == 200
    assert _get(tcr, "/token", (KEY_ID, SECRET_KEY)) == 401
    assert _get(tcr, "/v2/") == 401
    tcr.expire_logins()
    assert _get(tcr, "/token", (UIN, sold)) == 401


def test_the_personal_edition_has_a_password(personal: LoopbackTcrPersonal) -> None:
    """Of its own."""
    assert _get(personal, "/token", (UIN, PASSWORD)) == 200
    assert _get(personal, "/token", (KEY_ID, SECRET_KEY)) == 401
    assert PASSWORD in personal.secrets
    login = personal.credentials.get(personal.host)
    assert login is not None
    assert login.username == UIN
    assert personal.credentials.get("elsewhere.example") is None
