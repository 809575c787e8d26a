"""Every code of Amazon's has an error and, where one helps, a remedy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore import exceptions

from harborsync import errors
from harborsync.credentials.aws_refusals import MEANINGS, error_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)

# The error a service sends, what we make of it, and a word of the remedy.
SENT = (
    ("ExpiredTokenException", "", errors.CredentialsExpired, "renew it"),
    ("ExpiredToken", "", errors.CredentialsExpired, "renew it"),
    ("InvalidSignatureException", "Signature expired: …", errors.CredentialsRefused, "clock"),
    ("SignatureDoesNotMatch", "Signature not yet current", errors.CredentialsRefused, "clock"),
    ("InvalidSignatureException", "does not match", errors.CredentialsRefused, "secret access key"),
    ("UnrecognizedClientException", "", errors.CredentialsRefused, "get-caller-identity"),
    ("InvalidClientTokenId", "", errors.CredentialsRefused, "get-caller-identity"),
    ("InvalidIdentityToken", "", errors.CredentialsRefused, "trust policy"),
    (
        "AccessDenied",
        "User: x is not authorized to perform: sts:AssumeRole on resource: y",
        errors.Denied,
        "external id",
    ),
    (
        "AccessDeniedException",
        "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: ecr:DescribeImages",
        errors.Denied,
        "harborsync.permissions.aws",
    ),
    ("RepositoryNotFoundException", "", errors.NotFound, "create=auto"),
    ("RegistryNotFoundException", "", errors.NotFound, "account and region"),
    ("ImageNotFoundException", "", errors.NotFound, None),
    ("ImageTagAlreadyExistsException", "", errors.TagImmutable, "immutable"),
    ("KmsException", "", errors.Denied, "kms:"),
    ("LimitExceededException", "", errors.QuotaExceeded, "quota"),
    ("TooManyTagsException", "", errors.QuotaExceeded, "quota"),
    ("ThrottlingException", "", errors.RateLimited, "less at once"),
    ("TooManyRequestsException", "", errors.RateLimited, "less at once"),
    ("RequestLimitExceeded", "", errors.RateLimited, "less at once"),
    ("ServerException", "", errors.ServerError, None),
    ("InternalFailure", "", errors.ServerError, None),
    ("503", "", errors.ServerError, None),
    ("InvalidParameterException", "", errors.RegistryError, "which value"),
    ("SomethingNewException", "", errors.RegistryError, None),
)

# What botocore raises by itself.
RAISED: tuple[tuple[Exception, type[errors.HarborsyncError], str], ...] = (
    (exceptions.NoCredentialsError(), errors.NoCredentials, "aws sso login"),
    (
        exceptions.MissingDependencyException(msg="pip install botocore[crt]"),
        errors.ConfigurationError,
        "install what",
    ),
    (EOFError(), errors.NoCredentials, "MFA"),
    (PermissionError(13, "no", "/run/token"), errors.ConfigurationError, "file of a token"),
    (
        exceptions.PartialCredentialsError(provider="env", cred_var="x"),
        errors.ConfigurationError,
        "AWS_SECRET_ACCESS_KEY",
    ),
    (exceptions.ProfileNotFound(profile="p"), errors.ConfigurationError, "list-profiles"),
    (
        exceptions.UnauthorizedSSOTokenError(),
        errors.CredentialsExpired,
        "aws sso login",
    ),
    (
        exceptions.TokenRetrievalError(provider="sso", error_msg="x"),
        errors.CredentialsExpired,
        "aws sso login",
    ),
    (
        exceptions.CredentialRetrievalError(provider="p", error_msg="x"),
        errors.NoCredentials,
        "get-caller-identity",
    ),
    (
        exceptions.EndpointConnectionError(endpoint_url="https://x"),
        errors.ConnectionLost,
        "com.amazonaws.REGION.ecr.api",
    ),
    (
        exceptions.ProxyConnectionError(proxy_url="http://user:s3cr3t@p"),
        errors.ConnectionLost,
        "NO_PROXY",
    ),
    (exceptions.ConnectTimeoutError(endpoint_url="https://x"), errors.Timeout, "reachable"),
    (exceptions.ReadTimeoutError(endpoint_url="https://x"), errors.Timeout, "reachable"),
    (
        exceptions.SSLError(endpoint_url="https://x", error=OSError("y")),
        errors.TlsError,
        "AWS_CA_BUNDLE",
    ),
    (exceptions.NoRegionError(), errors.ConfigurationError, "region"),
    (exceptions.ParamValidationError(report="x"), errors.RegistryError, "which value"),
)


def _sent(code: str, message: str, **headers: str) -> exceptions.ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {
            "HTTPStatusCode": 400,
            "RequestId": "r-1",
            "HTTPHeaders": {name.replace("_", "-"): value for name, value in headers.items()},
        },
    }
    return exceptions.ClientError(response, "DescribeImages")


@pytest.mark.parametrize(
    ("code", "message", "kind", "remedy"), SENT, ids=[f"{row[0]} {row[1][:12]}" for row in SENT]
)
def test_what_the_service_says_is_told_with_its_remedy(
    code: str, message: str, kind: type[errors.HarborsyncError], remedy: str | None
) -> None:
    """By the code, and by the words where one code means two things."""
    error = error_of(_sent(code, message), "ask", NOW)
    assert type(error) is kind
    assert code in error.message
    if remedy is None:
        assert error.hint is None
    else:
        assert error.hint is not None
        assert remedy in error.hint


@pytest.mark.parametrize(
    ("raised", "kind", "remedy"), RAISED, ids=[type(row[0]).__name__ for row in RAISED]
)
def test_what_the_sdk_says_is_told_with_its_remedy(
    raised: Exception, kind: type[errors.HarborsyncError], remedy: str
) -> None:
    """By the name of the exception."""
    error = error_of(raised, "ask", NOW)
    assert type(error) is kind
    assert error.hint is not None
    assert remedy in error.hint
    assert "s3cr3t" not in str(error)


def test_a_refusal_carries_operation_status_and_request() -> None:
    """AWS's support asks for them."""
    error = error_of(_sent("SomethingNewException", "no"), "ask", NOW)
    assert isinstance(error, errors.RegistryError)
    assert (error.method, error.status, error.request_id) == ("DescribeImages", 400, "r-1")
    assert error.codes == ("SomethingNewException",)


def test_a_pause_that_is_asked_for_is_kept() -> None:
    """In seconds, whichever form it has."""
    error = error_of(_sent("ThrottlingException", "Rate exceeded", retry_after="9"), "ask", NOW)
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after == 9.0


def test_a_hard_limit_is_not_repeated() -> None:
    """Botocore takes it for throttling."""
    assert not error_of(_sent("LimitExceededException", ""), "ask", NOW).retryable
    assert error_of(_sent("ThrottlingException", ""), "ask", NOW).retryable


def test_an_answer_without_anything_is_still_an_error() -> None:
    """A proxy may have answered."""
    bare = exceptions.ClientError({}, "DescribeImages")
    assert error_of(bare, "ask", NOW).message == "cannot ask: Unknown"


def test_every_row_that_is_not_passing_has_a_remedy() -> None:
    """Or says by itself what is lacking."""
    bare = {row.error for row in MEANINGS if row.remedy is None}
    assert bare <= {errors.NotFound, errors.ServerError}
