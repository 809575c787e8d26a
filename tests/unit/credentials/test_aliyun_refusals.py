"""Each code of Alibaba's has a meaning and, where one helps, a remedy."""

from __future__ import annotations

import pytest

from harborsync.credentials.aliyun_refusals import Unsuccessful, error_of
from harborsync.credentials.hushed import load_sdk
from harborsync.credentials.refusals import Said
from harborsync.errors import (
    Cancelled,
    ConfigurationError,
    CredentialsExpired,
    CredentialsRefused,
    Denied,
    HarborsyncError,
    NotFound,
    QuotaExceeded,
    RateLimited,
    RegistryError,
    ServerError,
    TagImmutable,
)

# Code, message, our error, a word of the remedy.
ROWS: tuple[tuple[str, str, type[HarborsyncError], str], ...] = (
    ("InvalidAccessKeyId.NotFound", "", CredentialsRefused, "does not know the access key"),
    ("InvalidAccessKeySecret", "", CredentialsRefused, "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
    ("SignatureDoesNotMatch", "", CredentialsRefused, "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
    ("InvalidTimeStamp.Expired", "", CredentialsRefused, "NTP"),
    ("InvalidSecurityToken.Expired", "", CredentialsExpired, "renew"),
    ("InvalidSecurityToken.Malformed", "", CredentialsRefused, "ALIBABA_CLOUD_SECURITY_TOKEN"),
    ("MissingSecurityToken", "", CredentialsRefused, "ALIBABA_CLOUD_SECURITY_TOKEN"),
    ("AuthenticationFail.OIDCToken.Expired", "", CredentialsExpired, "renew"),
    ("AuthenticationFail.OIDCToken.AudienceNotMatch", "", CredentialsRefused, "audience"),
    ("EntityNotExist.Role", "", ConfigurationError, "ListRoles"),
    ("NoPermission", "should be authorized to assume", Denied, "AliyunSTSAssumeRoleAccess"),
    ("NoPermission", "", Denied, "harborsync.permissions.aliyun"),
    ("Forbidden.RAM", "", Denied, "ReadOnlyAccess does not allow to push"),
    ("USER_NOT_EXIST", "", Denied, "console"),
    ("INSTANCE_NOT_EXIST", "", NotFound, "ListInstance"),
    ("NAMESPACE_NOT_EXIST", "", NotFound, "create=auto"),
    ("REPO_NOT_EXIST", "", NotFound, "create=auto"),
    ("TAG_NOT_EXIST", "", NotFound, ""),
    ("TAG_IMMUTABILITY", "", TagImmutable, "another tag"),
    ("Throttling.User", "", RateLimited, "run less"),
    ("Throttling", "", RateLimited, "run less"),
    ("NAMESPACE_QUOTA_EXCEED", "", QuotaExceeded, "few namespaces"),
    ("REPO_LIMIT_EXCEED", "", QuotaExceeded, "few namespaces"),
    ("SignatureNonceUsed", "", ServerError, ""),
    ("ServiceUnavailable", "", ServerError, ""),
    ("InvalidParameter", "", ConfigurationError, "which value"),
    ("InvalidAction.NotFound", "", ConfigurationError, "which value"),
    ("SOMETHING_NEW", "", RegistryError, ""),
)


@pytest.mark.parametrize(("code", "message", "kind", "remedy"), ROWS)
def test_a_code_means_what_can_be_done_about_it(
    code: str, message: str, kind: type[HarborsyncError], remedy: str
) -> None:
    """One row of the table each, whether the SDK raises it or a success holds it."""
    exceptions = load_sdk(
        "aliyunsdkcore.acs_exception.exceptions", extra="aliyun", purpose="a test"
    )
    raised = exceptions.ServerException(code, message, http_status=400, request_id="R1")
    for error in (raised, Unsuccessful(Said(code=code, message=message))):
        found = error_of(error, "look")
        assert type(found) is kind
        assert code in found.message
        assert remedy in str(found.hint or "")


def test_what_the_sdk_cannot_read_is_read_here() -> None:
    """The personal edition writes its codes in small letters."""
    exceptions = load_sdk(
        "aliyunsdkcore.acs_exception.exceptions", extra="aliyun", purpose="a test"
    )
    said = 'ServerResponseBody: {"code":"USER_NOT_EXIST","message":"user is not exist."}'
    error = exceptions.ServerException("SDK.UnknownServerError", said, http_status=404)
    found = error_of(error, "log in")
    assert isinstance(found, Denied)
    assert found.message == "cannot log in: USER_NOT_EXIST: user is not exist."
    for text in ("ServerResponseBody: <html>", "ServerResponseBody: []"):
        odd = exceptions.ServerException("SDK.UnknownServerError", text, http_status=502)
        assert "UnknownServerError" in error_of(odd, "log in").message


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "IncompleteSignature"])
def test_what_was_signed_is_not_quoted(code: str) -> None:
    """It holds the security token."""
    exceptions = load_sdk(
        "aliyunsdkcore.acs_exception.exceptions", extra="aliyun", purpose="a test"
    )
    text = "not matched. server string to sign is:POST&%2F&SecurityToken%3Dt0ken%26"
    found = error_of(exceptions.ServerException(code, text), "look")
    assert found.message == f"cannot look: {code}: not matched."


def test_our_own_errors_stay_what_they_are() -> None:
    """As those of our cable, and a run that is stopped."""
    error = Cancelled()
    assert error_of(error, "look") is error
    exceptions = load_sdk(
        "aliyunsdkcore.acs_exception.exceptions", extra="aliyun", purpose="a test"
    )
    mistake = exceptions.ClientException("SDK.InvalidRegionId", "no such region")
    assert isinstance(error_of(mistake, "look"), ConfigurationError)
