"""What the error codes of Alibaba Cloud mean to us, and what to do about each."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import attrs

from harborsync.credentials.refusals import Meaning, Said, refusal
from harborsync.errors import (
    ConfigurationError,
    CredentialsExpired,
    CredentialsRefused,
    Denied,
    HarborsyncError,
    NotFound,
    QuotaExceeded,
    RateLimited,
    ServerError,
    TagImmutable,
    TransportError,
)

_REACHABLE: Final = (
    "see that the API's host is reachable from here: in a VPC without internet write the -vpc host "
    "of the registry, elsewhere see proxy= and ca="
)
_UNPARSED: Final = "SDK.UnknownServerError"
_RAW: Final = "ServerResponseBody: "
_NOT_MATCHED: Final = "SignatureDoesNotMatch"
# What follows is the text that was signed, security token and all.
_QUOTED: Final = re.compile(r"(?i)\s*server string to sign.*", re.DOTALL)
_AFTER_A_COLON: Final = re.compile(r"\s*:.*", re.DOTALL)

# Codes of the gateway and of STS by their documents; those of the registry in capitals by
# issues (aliyun/aliyun-cli #232, goharbor/harbor #21096) and by the providers for Terraform.
MEANINGS: Final = (
    # --- who we are
    Meaning(
        r"InvalidAccessKeyId.*",
        CredentialsRefused,
        "Alibaba does not know the access key, or it is disabled, or a session's whose security "
        "token is lacking: compare ALIBABA_CLOUD_ACCESS_KEY_ID and _SECURITY_TOKEN",
    ),
    Meaning(
        r"InvalidAccessKeySecret|SignatureDoesNotMatch|IncompleteSignature",
        CredentialsRefused,
        "the secret is not the one of the access key: compare ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    ),
    Meaning(
        r"InvalidTimeStamp.*|IllegalTimestamp|Forbidden\.Timestamp.*",
        CredentialsRefused,
        "the clock of this machine is wrong: Alibaba bears fifteen minutes; set it by NTP",
    ),
    Meaning(
        r"InvalidSecurityToken\.Expired|SecurityTokenExpired|AuthenticationFail\.OIDCToken\.Expired",
        CredentialsExpired,
        "the session has ended: renew it where it was made, or use a role, which renews itself",
    ),
    Meaning(
        r"(?:Invalid|Missing|Malformed)SecurityToken.*",
        CredentialsRefused,
        "the security token is not the one of this access key: set ALIBABA_CLOUD_SECURITY_TOKEN "
        "together with the key, and take it away where the key is no session's",
    ),
    Meaning(
        r"AuthenticationFail\..*",
        CredentialsRefused,
        "the role does not trust this pod: compare its trust policy with the token's issuer, "
        "audience (sts.aliyuncs.com) and subject (system:serviceaccount:NAMESPACE:NAME)",
    ),
    Meaning(
        r"EntityNotExist\.Role|InvalidParameter\.RoleArn",
        ConfigurationError,
        "there is no such role: see 'aliyun ram ListRoles'",
    ),
    Meaning(
        r"NoPermission|Forbidden\.RAM|Forbidden",
        Denied,
        "let the role's trust policy name who is asking, and let the caller's policy allow "
        "sts:AssumeRole (AliyunSTSAssumeRoleAccess)",
        words="assume",
    ),
    Meaning(
        r"Forbidden.*|NoPermission.*|Unauthorized.*|NOT_AUTHORIZED|NO_PERMISSION|USER_NOT_AUTHORIZED",
        Denied,
        "allow it in a policy of this identity: harborsync.permissions.aliyun writes one; "
        "AliyunContainerRegistryReadOnlyAccess does not allow to push",
    ),
    Meaning(
        r"USER_NOT_EXIST",
        Denied,
        "the personal edition does not know this RAM user yet: let the user open the console of "
        "the registry once and set a password there, or call CreateUserInfo",
    ),
    # --- what is there
    Meaning(
        r"INSTANCE_NOT_EXIST",
        NotFound,
        "see instance_id and region: 'aliyun cr ListInstance' names the instances there are",
    ),
    Meaning(
        r"NAMESPACE_NOT_EXIST|REPO(?:SITORY)?_NOT_EXIST",
        NotFound,
        "create the namespace and the repository, or open the registry with create=auto",
    ),
    Meaning(r".*_NOT_EXIST", NotFound),
    Meaning(
        r".*IMMUTAB.*",
        TagImmutable,
        "the repository's tags are immutable: choose another tag, or switch that off",
    ),
    # --- how much
    Meaning(
        r"Throttling.*|.*RequestLimit.*|TooManyRequests|.*\.QpsLimit.*|ServiceUnavailable\.Throttl.*",
        RateLimited,
        "others of this account ask the same API: run less at once",
    ),
    Meaning(
        r"(?i).*quota.*|.*_LIMIT.*|.*_EXCEED.*",
        QuotaExceeded,
        "delete what is no longer needed, ask for a larger quota, or take a larger instance: the "
        "personal edition has few namespaces",
    ),
    # A nonce may be told twice by the network; the next try has another one.
    Meaning(
        r"SignatureNonceUsed|ServiceUnavailable|InternalError|SYSTEM_ERROR|INTERNAL_ERROR|HTTP5..",
        ServerError,
    ),
    Meaning(
        r"InvalidParameter.*|Missing.*|.*_INVALID|INVALID_.*|.*ILLEGAL.*|InvalidVersion"
        r"|InvalidAction\.NotFound|SDK\.(?:Invalid|Missing).*",
        ConfigurationError,
        "the message tells which value Alibaba does not take",
    ),
)


@attrs.frozen
class Unsuccessful(Exception):
    """An answer that says of itself that it is none.

    Attributes:
        said: What it says.
    """

    said: Said


def error_of(error: Exception, what: str) -> HarborsyncError:
    """Return our error for an exception of the SDK, or for one of our cable below it.

    Args:
        error: The exception.
        what: What was tried, as it follows "cannot".
    """
    if isinstance(error, TransportError):
        error.hint = error.hint or _REACHABLE
    if isinstance(error, HarborsyncError):
        return error
    return refusal(_said(error), what, MEANINGS)


def _said(error: Exception) -> Said:
    if isinstance(error, Unsuccessful):
        return error.said
    told: Any = error
    code, message = str(told.get_error_code()), str(told.get_error_msg())
    if code == _UNPARSED:
        code, message = _reread(message)
    message = _QUOTED.sub("", message)
    if code == _NOT_MATCHED:
        message = _AFTER_A_COLON.sub("", message)
    return Said(
        code=code,
        message=message,
        status=int(getattr(told, "http_status", None) or 0),
        request_id=getattr(told, "request_id", None),
    )


def _reread(message: str) -> tuple[str, str]:
    """Read what the SDK could not: the personal edition writes its codes in small letters."""
    try:
        said: Any = json.loads(message.removeprefix(_RAW))
        return str(said["code"]), str(said.get("message", ""))
    except (ValueError, KeyError, TypeError):
        return _UNPARSED, message
