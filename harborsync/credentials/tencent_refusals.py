"""What the error codes of Tencent Cloud mean to us, and what to do about each."""

from __future__ import annotations

from typing import Any, Final

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
    RegistryError,
    ServerError,
    TagImmutable,
)

# The codes of the gateway by Tencent's document on common error codes; those of the registry by
# errorcodes.py of its SDK. How "it is there" is spelt depends on which layer notices.
_THERE: Final = frozenset(
    {
        "FailedOperation.ErrorTcrResourceConflict",
        "InternalError.ErrConflict",
        "InternalError.ErrorConflict",
        "InternalError.ErrorTcrResourceConflict",
        "InvalidParameter.ErrNamespaceExist",
        "InvalidParameter.ErrRepoExist",
        "InvalidParameter.ErrorNameExists",
    }
)

#: What the SDK makes of every exception below it; the first one hangs on it.
_BELOW: Final = "ClientNetworkError"

MEANINGS: Final = (
    # What is there already; whoever makes something knows that by the code.
    Meaning(r"(?!.*Not).*(?:Exists?|Conflict)", RegistryError),
    # --- who we are
    Meaning(
        r"AuthFailure\.(?:SecretIdNotFound|InvalidSecretId)",
        CredentialsRefused,
        "Tencent does not know the key, or it is disabled: compare TENCENTCLOUD_SECRET_ID with "
        "the keys in the console of CAM",
    ),
    Meaning(
        r"AuthFailure\.SignatureFailure",
        CredentialsRefused,
        "the secret is not the one of the key: compare TENCENTCLOUD_SECRET_KEY",
    ),
    Meaning(
        r"AuthFailure\.SignatureExpire",
        CredentialsRefused,
        "the clock of this machine is wrong: Tencent bears five minutes; set it by NTP",
    ),
    Meaning(
        r"AuthFailure\.TokenFailure",
        CredentialsExpired,
        "the session has ended, or its token is of another key: set TENCENTCLOUD_TOKEN together "
        "with the key, or use a role, which renews itself",
    ),
    Meaning(
        r"AuthFailure\.MFAFailure",
        CredentialsRefused,
        "this key wants a second factor, which a program has not: use a role",
    ),
    Meaning(
        r"AuthFailure\.UnauthorizedOperation|UnauthorizedOperation.*",
        Denied,
        "let the role's trust policy name who is asking, with the same external id, and let the "
        "caller's policy allow sts:AssumeRole",
        words=r"sts:AssumeRole|assume",
    ),
    Meaning(
        r"InvalidParameter\.(?:WebIdentityTokenError|OverTimeError)"
        r"|UnauthorizedOperation\.WebIdentity.*",
        CredentialsRefused,
        "the role does not trust this pod: compare its trust policy with the token's issuer, "
        "audience (sts.cloud.tencent.com) and subject (system:serviceaccount:NAMESPACE:NAME)",
    ),
    Meaning(
        r"InvalidParameter\.(?:RoleNotExist|ParamError)|ResourceNotFound\.RoleNotFound",
        ConfigurationError,
        "there is no such role: see 'tccli cam DescribeRoleList'",
        words="role",
    ),
    Meaning(
        r"UnsupportedOperation\.ErrNoUserInitialized|ResourceNotFound\.ErrNoUser",
        Denied,
        "the personal edition does not know this account yet: open its console once and set a "
        "password there, or call CreateUserPersonal",
    ),
    Meaning(
        r"AuthFailure\.UnauthorizedOperation|.*Unauthorized.*",
        Denied,
        "allow it in a policy of this identity: harborsync.permissions.tencent writes one; "
        "QcloudTCRReadOnlyAccess does not allow to push",
    ),
    Meaning(
        r"AuthFailure.*|InvalidCredential",
        CredentialsRefused,
        "compare TENCENTCLOUD_SECRET_ID, _SECRET_KEY and _TOKEN with what CAM or STS gave",
    ),
    # --- what is there
    Meaning(
        r"ResourceNotFound.*|InternalError\.ErrNotExist",
        NotFound,
        "create the namespace and the repository, or open the registry with create=auto",
    ),
    Meaning(
        r"FailedOperation\.PreconditionFailed",
        TagImmutable,
        "the tag falls under a rule of the namespace: see 'tccli tcr DescribeImmutableTagRules'",
    ),
    Meaning(
        r"ResourceInsufficient\.ErrorInstanceNotRunning",
        RegistryError,
        "start the instance, or pay for it: 'tccli tcr DescribeInstances' tells its status",
    ),
    # --- how much
    Meaning(
        r"RequestLimitExceeded.*",
        RateLimited,
        "others of this account ask the same API: run less at once",
    ),
    Meaning(
        r"LimitExceeded.*|OperationDenied.*|.*OverLimit.*",
        QuotaExceeded,
        "delete what is no longer needed, or take a larger instance: each edition has so many "
        "namespaces and repositories",
    ),
    Meaning(
        r"InvalidParameter\.ErrorNameIllegal|InvalidParameter\.Err(?:or)?Name(?:space)?Reserved",
        ConfigurationError,
        "namespaces have 2 to 30 and repositories 3 to 244 small letters, digits and single . _ - "
        "between them; some names are Tencent's own",
    ),
    Meaning(
        r"InvalidParameter.*|MissingParameter.*|UnknownParameter.*|Unsupported.*|InvalidAction"
        r"|NoSuchVersion|NoSuchProduct|ClientParamsError|InvalidRequest",
        ConfigurationError,
        "the message tells which value Tencent does not take",
    ),
    Meaning(r"InternalError.*|FailedOperation.*|ServiceUnavailable|Resource.*", ServerError),
)


def error_of(error: Exception, what: str) -> HarborsyncError:
    """Return our error for an exception of the SDK, or for one of our cable below it.

    Args:
        error: The exception.
        what: What was tried, as it follows "cannot".
    """
    if isinstance(error, HarborsyncError):
        return error
    told: Any = error
    code = str(told.get_code() or "Unknown")
    if code == _BELOW and isinstance(error.__context__, HarborsyncError):
        return error.__context__
    said = Said(
        code=code,
        message=str(told.get_message() or ""),
        request_id=told.get_request_id(),
    )
    return refusal(said, what, MEANINGS)


def says_it_is_there(error: RegistryError) -> bool:
    """Tell whether something cannot be made because it is there."""
    return not _THERE.isdisjoint(error.codes)
