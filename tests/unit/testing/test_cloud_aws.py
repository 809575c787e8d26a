"""Amazon's emulator is no pushover: the real SDK and raw requests meet what AWS would say."""

from __future__ import annotations

import base64
import http.client
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from harborsync.testing import FakeClock, TestAuthority
from harborsync.testing.cloud_aws import ACCOUNT, KEY_ID, SECRET_KEY, LoopbackEcr
from harborsync.testing.cloud_aws_json import paged
from harborsync.testing.cloud_plane import ApiRefusal, page_of
from harborsync.testing.cloud_sts import LoopbackRole
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPOSITORY = "team/app"


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    """Return one session for all tests, since making one takes its time."""
    return boto3.Session(aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET_KEY)


@pytest.fixture
def ecr() -> Iterator[LoopbackEcr]:
    """Return an emulator with one repository of three images."""
    with LoopbackEcr() as server:
        server.create_repository(REPOSITORY)
        for number in range(3):
            content = random_image(number, layers=1).manifest.raw
            server.storage.put_manifest(REPOSITORY, content, tags=[f"v{number}"])
        yield server


def _client(session: boto3.Session, ecr: LoopbackEcr, service: str = "ecr", **more: Any) -> Any:
    make: Any = session.client
    return make(
        service,
        endpoint_url=ecr.api_url,
        region_name=ecr.region,
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
        **more,
    )


def _code(error: pytest.ExceptionInfo[ClientError]) -> str:
    code: str = error.value.response["Error"]["Code"]
    return code


def _raw(ecr: LoopbackEcr, headers: dict[str, str], body: bytes = b"{}") -> tuple[int, Any]:
    connection = http.client.HTTPConnection(ecr.api_url.removeprefix("http://"))
    try:
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


# --- signatures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "MissingAuthenticationTokenException"),
        ({"Authorization": "Basic eA=="}, "MissingAuthenticationTokenException"),
    ],
)
def test_who_does_not_sign_is_refused(ecr: LoopbackEcr, headers: dict[str, str], code: str) -> None:
    """In Amazon's words and form."""
    target = {"X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.DescribeImages"}
    status, answer = _raw(ecr, {**target, **headers})
    assert (status, answer["__type"]) == (400, code)


def _signed(
    date: str, *, signed: str = "host;x-amz-date", signature: str = "0" * 64
) -> dict[str, str]:
    scope = "20260101/eu-west-1/ecr/aws4_request"
    return {
        "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.DescribeImages",
        "X-Amz-Date": date,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope}, SignedHeaders={signed}, "
        f"Signature={signature}",
    }


def test_a_date_that_is_none_is_refused(ecr: LoopbackEcr) -> None:
    """And so is one that is hours away."""
    assert _raw(ecr, _signed("yesterday"))[1]["__type"] == "IncompleteSignature"
    _, answer = _raw(ecr, _signed("20200101T000000Z"))
    assert "Signature expired" in answer["message"]


def test_a_signature_that_is_none_is_refused(ecr: LoopbackEcr) -> None:
    """With the text that should have been signed; the date must be part of it."""
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    _, answer = _raw(ecr, _signed(now))
    assert answer["__type"] == "InvalidSignatureException"
    assert "Canonical String" in answer["message"]
    assert _raw(ecr, _signed(now, signed="host"))[1]["__type"] == "InvalidSignatureException"


def test_a_signature_is_for_one_service(session: boto3.Session, ecr: LoopbackEcr) -> None:
    """What is signed for another opens nothing."""
    public = _client(session, ecr, "ecr-public")
    with pytest.raises(ClientError) as caught:
        public.get_authorization_token()
    assert _code(caught) == "AccessDeniedException"


def test_a_session_that_has_ended_is_refused(session: boto3.Session) -> None:
    """By the emulator's clock."""
    clock = FakeClock()
    with LoopbackEcr(clock=clock) as ecr:
        role = f"arn:aws:iam::{ACCOUNT}:role/r"
        trusts = frozenset({f"arn:aws:iam::{ACCOUNT}:user/{KEY_ID}"})
        ecr.sts.add_role(LoopbackRole(arn=role, trusts=trusts))
        sts = _client(session, ecr, "sts")
        found = sts.assume_role(RoleArn=role, RoleSessionName="s1", DurationSeconds=900)
        key = found["Credentials"]
        assumed = boto3.Session(
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key["SessionToken"],
        )
        client = _client(assumed, ecr)
        client.describe_repositories()
        clock.sleep(901)
        with pytest.raises(ClientError) as caught:
            client.describe_repositories()
    assert _code(caught) == "ExpiredTokenException"


# --- STS -----------------------------------------------------------------------------------------


def test_sts_tells_who_asks(session: boto3.Session, ecr: LoopbackEcr) -> None:
    """The user of the key."""
    who = _client(session, ecr, "sts").get_caller_identity()
    assert who["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{KEY_ID}"
    assert who["Account"] == ACCOUNT


def test_sts_refuses_whom_no_role_trusts(session: boto3.Session, ecr: LoopbackEcr) -> None:
    """Unknown roles, wrong tokens, operations that are not emulated."""
    sts = _client(session, ecr, "sts")
    with pytest.raises(ClientError) as unknown:
        sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/none", RoleSessionName="s1")
    assert _code(unknown) == "AccessDenied"
    with pytest.raises(ClientError) as stranger:
        sts.assume_role_with_web_identity(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/none",
            RoleSessionName="s1",
            WebIdentityToken="eyJ.x",
        )
    assert _code(stranger) == "AccessDenied"
    with pytest.raises(ClientError) as strange:
        sts.get_session_token()
    assert _code(strange) == "InvalidAction"


def test_a_denied_action_of_sts_is_denied(session: boto3.Session) -> None:
    """With the status that STS has for it."""
    denied = ["sts:GetCallerIdentity"]
    with LoopbackEcr(denied=denied) as ecr, pytest.raises(ClientError) as caught:
        _client(session, ecr, "sts").get_caller_identity()
    assert _code(caught) == "AccessDenied"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


# --- ECR -----------------------------------------------------------------------------------------


def test_pages_are_as_long_as_asked_for(session: boto3.Session, ecr: LoopbackEcr) -> None:
    """Each once, whatever their length."""
    pages = (
        _client(session, ecr)
        .get_paginator("describe_images")
        .paginate(repositoryName=REPOSITORY, PaginationConfig={"PageSize": 2})
    )
    found = [[tag for row in page["imageDetails"] for tag in row["imageTags"]] for page in pages]
    assert [len(page) for page in found] == [2, 1]
    assert sorted(tag for page in found for tag in page) == ["v0", "v1", "v2"]


def test_a_page_of_another_length_is_refused(session: boto3.Session, ecr: LoopbackEcr) -> None:
    """So is a token that is none."""
    for token in ("?", "eA=="):
        with pytest.raises(ClientError) as caught:
            _client(session, ecr).describe_images(repositoryName=REPOSITORY, nextToken=token)
        assert _code(caught) == "InvalidParameterException"
    with pytest.raises(ApiRefusal, match="between 1 and 1000"):
        paged("rows", [], {"maxResults": 1001})


def test_images_are_told_with_and_without_tags(session: boto3.Session, ecr: LoopbackEcr) -> None:
    """And listed by tag."""
    untagged = ecr.storage.put_manifest(REPOSITORY, random_image(9).manifest.raw)
    client = _client(session, ecr)

    def digests(**wanted: str) -> set[str]:
        rows = client.describe_images(repositoryName=REPOSITORY, filter=wanted)["imageDetails"]
        return {row["imageDigest"] for row in rows}

    assert digests(tagStatus="UNTAGGED") == {str(untagged)}
    assert len(digests(tagStatus="TAGGED")) == 3
    assert len(digests()) == 4
    ecr.archive(REPOSITORY, untagged)
    assert len(digests()) == 3
    assert digests(imageStatus="ARCHIVED") == {str(untagged)}
    assert len(digests(imageStatus="ANY")) == 4
    ids = client.list_images(repositoryName=REPOSITORY)["imageIds"]
    assert sorted(each["imageTag"] for each in ids) == ["v0", "v1", "v2"]


def test_images_are_deleted_by_tag_and_by_digest(session: boto3.Session, ecr: LoopbackEcr) -> None:
    """The last tag takes the image along."""
    client = _client(session, ecr)
    tags = ecr.storage.tags(REPOSITORY)
    ecr.storage.tag(REPOSITORY, "also", tags["v0"])
    ids = [{"imageTag": "also"}, {"imageTag": "v1"}, {"imageDigest": tags["v2"]}, {"imageTag": "x"}]
    answer = client.batch_delete_image(repositoryName=REPOSITORY, imageIds=ids)
    assert len(answer["imageIds"]) == 3
    assert [each["failureCode"] for each in answer["failures"]] == ["ImageNotFound"]
    assert ecr.storage.tags(REPOSITORY) == {"v0": tags["v0"]}
    assert [str(each.digest) for each in ecr.storage.manifests(REPOSITORY)] == [tags["v0"]]


@pytest.mark.parametrize(
    ("operation", "wish", "code"),
    [
        ("describe_images", {"repositoryName": "none"}, "RepositoryNotFoundException"),
        ("describe_repositories", {"repositoryNames": ["none"]}, "RepositoryNotFoundException"),
        (
            "describe_images",
            {"repositoryName": REPOSITORY, "registryId": "210987654321"},
            "RegistryNotFoundException",
        ),
        ("create_repository", {"repositoryName": REPOSITORY}, "RepositoryAlreadyExistsException"),
        ("create_repository", {"repositoryName": "Team"}, "InvalidParameterException"),
        ("get_account_setting", {"name": "BLOB_MOUNTING"}, "UnknownOperationException"),
    ],
)
def test_what_cannot_be_is_refused_in_amazons_words(
    session: boto3.Session, ecr: LoopbackEcr, operation: str, wish: dict[str, Any], code: str
) -> None:
    """By the codes of the service's model."""
    with pytest.raises(ClientError) as caught:
        getattr(_client(session, ecr), operation)(**wish)
    assert _code(caught) == code
    assert ecr.calls[-1].code == code


def test_a_repository_is_described_by_its_name(session: boto3.Session, ecr: LoopbackEcr) -> None:
    """With its address and whether its tags may move."""
    found = _client(session, ecr).describe_repositories(repositoryNames=[REPOSITORY])
    (repository,) = found["repositories"]
    assert repository["repositoryUri"] == f"{ecr.host}/{REPOSITORY}"
    assert repository["imageTagMutability"] == "MUTABLE"


def test_the_control_plane_speaks_tls_if_wanted(session: boto3.Session, tmp_path: Path) -> None:
    """For tests of trust."""
    authority = TestAuthority(tmp_path)
    with LoopbackEcr(tls=authority) as ecr:
        client = _client(session, ecr, verify=str(authority.ca_file))
        client.describe_repositories()
    assert ecr.api_url.startswith("https://")


def test_a_login_for_docker_is_good_until_it_ends(session: boto3.Session) -> None:
    """Then the registry says so, with Amazon's status for it; strangers get a challenge."""
    clock = FakeClock()
    with LoopbackEcr(clock=clock, token_life=600) as ecr:
        data = _client(session, ecr).get_authorization_token()["authorizationData"][0]
        token = data["authorizationToken"]
        other = base64.b64encode(b"me:x").decode()

        def status(shown: str | None) -> int:
            connection = http.client.HTTPConnection(ecr.host)
            try:
                headers = {} if shown is None else {"Authorization": f"Basic {shown}"}
                connection.request("GET", "/v2/", headers=headers)
                return connection.getresponse().status
            finally:
                connection.close()

        assert [status(token), status(None), status(other), status("%")] == [200, 401, 401, 401]
        clock.sleep(600)
        assert status(token) == 403
        connection = http.client.HTTPConnection(ecr.host)
        connection.request("GET", "/token")
        assert connection.getresponse().status == 404
        connection.close()


def test_pages_end_and_tokens_lead_on() -> None:
    """Each row once."""
    first, token = page_of([1, 2, 3], 2, None)
    second, end = page_of([1, 2, 3], 2, token)
    assert (list(first), list(second), end) == ([1, 2], [3], None)
