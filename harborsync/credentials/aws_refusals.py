"""What Amazon's error codes mean to us, and what to do about each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harborsync.credentials.refusals import Meaning, Said, refusal
from harborsync.errors import (
    ConfigurationError,
    ConnectionLost,
    CredentialsExpired,
    CredentialsRefused,
    Denied,
    NoCredentials,
    NotFound,
    QuotaExceeded,
    RateLimited,
    RegistryError,
    ServerError,
    TagImmutable,
    Timeout,
    TlsError,
)
from harborsync.retry import parse_retry_after

if TYPE_CHECKING:
    from datetime import datetime

    from harborsync.errors import HarborsyncError

_IN_TIME: Final = "expired|not yet current|too skewed|must be in the future"
_HOW_TO_LOG_IN: Final = (
    "run where the machine has a role, log in with 'aws sso login', set AWS_PROFILE or the AWS_* "
    "variables, or give the endpoint profile=NAME or role_arn=ARN"
)

# Codes of the service's model, of the common errors of AWS, and names of botocore's exceptions.
MEANINGS: Final = (
    # --- who we are
    Meaning("NoCredentialsError", NoCredentials, _HOW_TO_LOG_IN),
    Meaning(
        "PartialCredentialsError",
        ConfigurationError,
        "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither",
    ),
    Meaning(
        "ProfileNotFound|ConfigNotFound|ConfigParseError|InvalidConfigError|InfiniteLoopConfigError",
        ConfigurationError,
        "see ~/.aws/config: 'aws configure list-profiles' names the profiles there are",
    ),
    Meaning(
        "(?:Unauthorized)?SSO.*|TokenRetrievalError|Login.*",
        CredentialsExpired,
        "log in again: aws sso login, with the same profile",
    ),
    Meaning(
        "CredentialRetrievalError|MetadataRetrievalError",
        NoCredentials,
        "the source that is configured gives no credentials: ask it by hand with "
        "'aws sts get-caller-identity'",
    ),
    Meaning(
        "(?:FileNotFound|IsADirectory|NotADirectory|Permission|OS|UnicodeDecode|JSONDecode|Value)"
        "Error",
        ConfigurationError,
        "see what ~/.aws/config and the AWS_* variables name: the program of credential_process "
        "and its output, the file of a token or of authorities, the address of an API",
    ),
    Meaning(
        "EOFError",
        NoCredentials,
        "the profile wants a code of an MFA device, and nobody is here to type it: buy a session "
        "by hand with 'aws sts get-session-token', or name a role that does without",
    ),
    Meaning(
        "MissingDependencyException",
        ConfigurationError,
        "install what the message names beside harborsync, or choose another profile",
    ),
    Meaning(
        "ExpiredToken(?:Exception)?|RequestExpired|ExpiredTokenException",
        CredentialsExpired,
        "the session has ended: renew it where it was made, or use a role, which renews itself",
    ),
    Meaning(
        "InvalidSignatureException|SignatureDoesNotMatch|RequestTimeTooSkewed",
        CredentialsRefused,
        "the clock of this machine is wrong: AWS bears five minutes; set it by NTP",
        words=_IN_TIME,
    ),
    Meaning(
        "InvalidSignatureException|SignatureDoesNotMatch|IncompleteSignature",
        CredentialsRefused,
        "the secret access key is not the one of the access key: compare AWS_SECRET_ACCESS_KEY",
    ),
    Meaning(
        "UnrecognizedClientException|InvalidClientTokenId|InvalidAccessKeyId"
        "|MissingAuthenticationToken(?:Exception)?",
        CredentialsRefused,
        "AWS does not know the access key, or it is of another partition, or its session token "
        "is lacking: 'aws sts get-caller-identity' tells who is asking",
    ),
    Meaning(
        "InvalidIdentityToken(?:Exception)?|IDPRejectedClaim|IDPCommunicationError",
        CredentialsRefused,
        "the role does not trust this token: compare its trust policy with the token's issuer, "
        "audience and subject",
    ),
    Meaning(
        "AccessDenied(?:Exception)?",
        Denied,
        "let the role's trust policy name who is asking, with the same external id, and let the "
        "caller's policy allow sts:AssumeRole; role_tags take sts:TagSession in both",
        words="sts:(?:Assume|Tag)",
    ),
    Meaning(
        "AccessDenied(?:Exception)?|UnauthorizedException|UnauthorizedOperation",
        Denied,
        "allow the action that is named in the policy of this identity, and for another account "
        "in the policy of the repository, too: harborsync.permissions.aws writes them",
    ),
    # --- what is there
    Meaning(
        "RepositoryNotFoundException",
        NotFound,
        "create the repository, or open the registry with create=auto; see that account and "
        "region are those you mean",
    ),
    Meaning(
        "RegistryNotFoundException",
        NotFound,
        "see that account and region of the endpoint are those you mean",
    ),
    Meaning("ImageNotFoundException|LayersNotFoundException", NotFound),
    Meaning(
        "ImageTagAlreadyExistsException|ImageAlreadyExistsException",
        TagImmutable,
        "the repository's tags are immutable: choose another tag, or exempt it by a filter of "
        "the repository",
    ),
    Meaning(
        "KmsException",
        Denied,
        "let this identity use the key of the repository (kms:GenerateDataKey, kms:Decrypt), and "
        "see that the key is enabled",
    ),
    # --- how much. A hard limit is no throttling, although botocore repeats it as such.
    Meaning(
        "LimitExceededException|TooManyTagsException",
        QuotaExceeded,
        "ask AWS for a higher service quota, or delete what is no longer needed",
    ),
    Meaning(
        "Throttl.*|TooManyRequests.*|RequestLimitExceeded|ProvisionedThroughputExceeded.*|SlowDown"
        "|RequestThrottled.*|PriorRequestNotComplete|BandwidthLimitExceeded",
        RateLimited,
        "others of this account ask the same API: run less at once, or ask AWS for a higher rate",
    ),
    Meaning(
        "ServerException|InternalFailure|InternalServer.*|ServiceUnavailable.*|5[0-9][0-9]"
        "|RequestTimeout.*",
        ServerError,
    ),
    Meaning(
        "InvalidParameterException|ValidationException|InvalidTagParameterException"
        "|ParamValidationError",
        RegistryError,
        "the message tells which value AWS does not take",
    ),
    # --- the network
    Meaning(
        "EndpointConnectionError|ConnectionClosedError|ConnectionError|HTTPClientError"
        "|ResponseStreamingError|IncompleteReadError",
        ConnectionLost,
        "see that the API's host is reachable from here: in a VPC without internet it takes the "
        "interface endpoint com.amazonaws.REGION.ecr.api",
    ),
    Meaning(
        "ProxyConnectionError",
        ConnectionLost,
        "see the endpoint's proxy=URL, or HTTPS_PROXY and NO_PROXY, which the AWS SDK obeys",
    ),
    Meaning(
        "ConnectTimeoutError|ReadTimeoutError",
        Timeout,
        "see that the API's host is reachable from here, through a security group that lets 443 in",
    ),
    Meaning(
        "SSLError",
        TlsError,
        "if something on the way has an authority of its own, name its file in AWS_CA_BUNDLE",
    ),
    Meaning(
        "NoRegionError|InvalidRegionError|UnknownRegionError|UnknownServiceError"
        "|EndpointVariantError|UnknownEndpointError",
        ConfigurationError,
        "see the endpoint's region, and that the installed boto3 is not too old for it",
    ),
)


def error_of(error: Exception, what: str, now: datetime) -> HarborsyncError:
    """Return our error for an exception of boto3.

    Args:
        error: The exception.
        what: What was tried, as it follows "cannot".
        now: The time, for a Retry-After that is a date.
    """
    return refusal(_said(error, now), what, MEANINGS)


def _said(error: Exception, now: datetime) -> Said:
    response: Any = getattr(error, "response", None)
    if not isinstance(response, dict):
        return Said(code=type(error).__name__, message=str(error))
    told, around = response.get("Error", {}), response.get("ResponseMetadata", {})
    after = around.get("HTTPHeaders", {}).get("retry-after")
    return Said(
        code=str(told.get("Code") or "Unknown"),
        message=str(told.get("Message") or ""),
        status=int(around.get("HTTPStatusCode") or 0),
        request_id=around.get("RequestId"),
        operation=str(getattr(error, "operation_name", "")),
        retry_after=parse_retry_after(after, now) if after else None,
    )
