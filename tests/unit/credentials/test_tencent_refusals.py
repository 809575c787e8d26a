"""What the error codes of Tencent Cloud mean."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from harborsync.credentials.tencent_refusals import error_of, says_it_is_there
from harborsync.errors import (
    ConfigurationError,
    ConnectionLost,
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

# The SDK has no types.
_SDK: Any = importlib.import_module("tencentcloud.common.exception.tencent_cloud_sdk_exception")
TencentCloudSDKException = _SDK.TencentCloudSDKException
errorcodes = importlib.import_module("tencentcloud.tcr.v20190924.errorcodes")


def _error(code: str, message: str = "no") -> HarborsyncError:
    return error_of(TencentCloudSDKException(code, message, "req-1"), "do it")


@pytest.mark.parametrize(
    ("code", "kind", "hint"),
    [
        ("AuthFailure.SecretIdNotFound", CredentialsRefused, "TENCENTCLOUD_SECRET_ID"),
        ("AuthFailure.InvalidSecretId", CredentialsRefused, "TENCENTCLOUD_SECRET_ID"),
        ("AuthFailure.SignatureFailure", CredentialsRefused, "TENCENTCLOUD_SECRET_KEY"),
        ("AuthFailure.SignatureExpire", CredentialsRefused, "clock"),
        ("AuthFailure.TokenFailure", CredentialsExpired, "TENCENTCLOUD_TOKEN"),
        ("AuthFailure.MFAFailure", CredentialsRefused, "second factor"),
        ("AuthFailure.UnauthorizedOperation", Denied, "harborsync.permissions.tencent"),
        ("UnauthorizedOperation.ErrorTcrUnauthorized", Denied, "permissions"),
        ("FailedOperation.ErrorTcrUnauthorized", Denied, "permissions"),
        ("InternalError.ErrUnauthorized", Denied, "permissions"),
        ("AuthFailure", CredentialsRefused, "CAM or STS"),
        ("InvalidCredential", CredentialsRefused, "CAM or STS"),
        ("UnsupportedOperation.ErrNoUserInitialized", Denied, "CreateUserPersonal"),
        ("ResourceNotFound.ErrNoUser", Denied, "CreateUserPersonal"),
        ("ResourceNotFound.ErrNoRepo", NotFound, "create=auto"),
        ("ResourceNotFound.ErrNoNamespace", NotFound, "create=auto"),
        ("InternalError.ErrNotExist", NotFound, "create=auto"),
        ("FailedOperation.PreconditionFailed", TagImmutable, "DescribeImmutableTagRules"),
        ("ResourceInsufficient.ErrorInstanceNotRunning", RegistryError, "start the instance"),
        ("RequestLimitExceeded", RateLimited, "run less"),
        ("RequestLimitExceeded.UinLimitExceeded", RateLimited, "run less"),
        ("LimitExceeded.ErrNamespaceMaxLimit", QuotaExceeded, "larger instance"),
        ("OperationDenied.QuotaOverLimit", QuotaExceeded, "larger instance"),
        ("InternalError.ErrorOverLimit", QuotaExceeded, "larger instance"),
        ("InvalidParameter.ErrorNameIllegal", ConfigurationError, "2 to 30"),
        ("InvalidParameter.ErrNamespaceReserved", ConfigurationError, "Tencent's own"),
        ("InvalidParameter.WebIdentityTokenError", CredentialsRefused, "subject"),
        ("InvalidParameter.ErrorRegistryName", ConfigurationError, "which value"),
        ("MissingParameter", ConfigurationError, "which value"),
        ("UnsupportedRegion", ConfigurationError, "which value"),
        ("InternalError.DbError", ServerError, "None"),
        ("FailedOperation.DependenceError", ServerError, "None"),
        ("SomethingNew", RegistryError, "None"),
    ],
)
def test_a_code_means_an_error_and_a_remedy(
    code: str, kind: type[HarborsyncError], hint: str
) -> None:
    """A row for each."""
    error = _error(code)
    assert type(error) is kind
    assert hint in str(error.hint)
    assert error.message == f"cannot do it: {code}: no"


def test_every_code_of_the_sdk_means_something() -> None:
    """What is there already is the only thing that its caller must know."""
    codes = [text for name, text in vars(errorcodes).items() if name.isupper()]
    assert len(codes) > 60
    plain = {code for code in codes if type(_error(code)) is RegistryError}
    plain -= {code for code in plain if code.endswith(("Exist", "Exists", "Conflict"))}
    assert plain == {"ResourceInsufficient.ErrorInstanceNotRunning"}


@pytest.mark.parametrize(
    "code",
    [
        "InvalidParameter.ErrNamespaceExist",
        "InvalidParameter.ErrRepoExist",
        "InvalidParameter.ErrorNameExists",
        "InternalError.ErrorConflict",
        "InternalError.ErrConflict",
        "InternalError.ErrorTcrResourceConflict",
        "FailedOperation.ErrorTcrResourceConflict",
    ],
)
def test_already_there_has_many_spellings(code: str) -> None:
    """All of the SDK's list; nothing is repeated or taken for a mistake of the user's."""
    error = _error(code)
    assert isinstance(error, RegistryError)
    assert not error.retryable
    assert says_it_is_there(error)


def test_what_is_lacking_is_not_there() -> None:
    """Nor is a name that is only wrong."""
    error = _error("ResourceNotFound.ErrNoRepo")
    assert isinstance(error, RegistryError)
    assert not says_it_is_there(error)
    assert (error.codes, error.request_id) == (("ResourceNotFound.ErrNoRepo",), "req-1")


def test_a_role_that_may_not_be_assumed_has_its_own_remedy() -> None:
    """The policy of the registry would not help."""
    error = _error("AuthFailure.UnauthorizedOperation", "operation (sts:AssumeRole) not allowed")
    assert "trust policy" in str(error.hint)


def test_an_error_of_our_cable_comes_through_the_sdk_as_it_was() -> None:
    """The SDK makes a text of it; other errors in flight are not taken for it."""
    lost = ConnectionLost("gone")

    def fail(code: str) -> None:
        try:
            raise lost
        except ConnectionLost as error:
            raise TencentCloudSDKException(code, str(error))  # noqa: B904 - as the SDK does

    with pytest.raises(TencentCloudSDKException) as below:
        fail("ClientNetworkError")
    with pytest.raises(TencentCloudSDKException) as beside:
        fail("InternalError")
    assert error_of(below.value, "do it") is lost
    assert type(error_of(beside.value, "do it")) is ServerError
    assert error_of(lost, "do it") is lost


def test_secrets_in_messages_are_masked() -> None:
    """Whatever the API quotes."""
    assert "hunter2" not in str(_error("InvalidParameter", "Token: hunter2 is wrong"))
