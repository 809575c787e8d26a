"""What Google's error codes mean to us, and what to do about each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from harborsync.credentials.refusals import Meaning, Said, refusal
from harborsync.errors import (
    ConfigurationError,
    CredentialsExpired,
    CredentialsRefused,
    Denied,
    HarborsyncError,
    InvalidValue,
    NoCredentials,
    NotFound,
    QuotaExceeded,
    RateLimited,
    RegistryError,
    ServerError,
    TagImmutable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

HOW_TO_BE_SOMEBODY: Final = (
    "run where the machine or pod has a service account, log in with 'gcloud auth "
    "application-default login', set GOOGLE_APPLICATION_CREDENTIALS, or give the endpoint "
    "key_file=PATH"
)
_LESS_AT_ONCE: Final = (
    "others of this project ask the same API: run less at once, or ask for a higher quota"
)
_GRANT: Final = (
    "grant the identity a role that has it: harborsync.permissions.google names them; what is "
    "not there looks the same"
)

# Codes of OAuth2 (RFC 6749), of google.rpc.Code, and names of google-auth's exceptions. The words
# are those that Google's token server uses.
MEANINGS: Final = (
    # --- who we are
    Meaning(
        "invalid_grant",
        CredentialsRefused,
        "the clock of this machine is wrong: Google bears a few minutes; set it by NTP",
        words="reasonable timeframe|iat and exp|short-lived token",
    ),
    Meaning(
        "invalid_grant",
        CredentialsRefused,
        "the key is not one that the service account has: it was revoked, or the file is damaged",
        words="signature|account not found",
    ),
    Meaning(
        "invalid_grant|invalid_rapt",
        CredentialsExpired,
        "log in again: gcloud auth application-default login",
        words="expired or revoked|reauth|rapt",
    ),
    Meaning(
        "invalid_grant|invalid_target|invalid_request|unauthorized_client|access_denied",
        CredentialsRefused,
        "see the pool and provider of the workload identity federation: whose tokens they take, "
        "for which audience, under which condition",
        words="audience|subject|attribute|issuer|id token|pool|provider|condition",
    ),
    Meaning(
        "invalid_grant|invalid_client|unauthorized_client|deleted_client|disabled_client"
        "|access_denied",
        CredentialsRefused,
        "the account or client was deleted, disabled or changed: make a new key, or log in again",
    ),
    Meaning("UNAUTHENTICATED", CredentialsExpired, "log in again, or look at who asks"),
    Meaning("DefaultCredentialsError|MalformedError", ConfigurationError, HOW_TO_BE_SOMEBODY),
    Meaning(
        "UserAccessTokenError|ReauthFailError|ReauthSamlChallengeFailError",
        CredentialsExpired,
        "log in again: gcloud auth application-default login",
    ),
    # --- what we may do
    Meaning(
        "PERMISSION_DENIED",
        ConfigurationError,
        "enable the API: gcloud services enable artifactregistry.googleapis.com",
        words="has not been used|is disabled|SERVICE_DISABLED",
    ),
    Meaning(
        "PERMISSION_DENIED",
        Denied,
        "grant the caller roles/iam.serviceAccountTokenCreator on that service account",
        words="getAccessToken|iam.serviceAccounts",
    ),
    Meaning("PERMISSION_DENIED", Denied, _GRANT),
    # --- what is there
    Meaning("NOT_FOUND", NotFound, "see project, location and name of the repository"),
    Meaning(
        "FAILED_PRECONDITION",
        TagImmutable,
        "choose another tag, or make the repository's tags mutable",
        words="immutab",
    ),
    # --- too much
    Meaning("RESOURCE_EXHAUSTED|rate_limit_exceeded", RateLimited, _LESS_AT_ONCE),
    Meaning("quota_exceeded", QuotaExceeded, "ask Google for a higher quota"),
    Meaning("INTERNAL|UNAVAILABLE|DEADLINE_EXCEEDED|ABORTED|5[0-9][0-9]", ServerError),
    Meaning(
        "INVALID_ARGUMENT|FAILED_PRECONDITION",
        RegistryError,
        "the message tells which value Google does not take",
    ),
    Meaning("InvalidValue|InvalidType|InvalidResource", InvalidValue, "see the file's fields"),
    Meaning("RefreshError|OAuthError|TransportError", NoCredentials, HOW_TO_BE_SOMEBODY),
)


class Unsuccessful(Exception):
    """An API of Google's said no.

    Args:
        said: What it said.
    """

    def __init__(self, said: Said) -> None:
        super().__init__(said.code)
        self.said = said


def error_of(error: Exception, what: str) -> HarborsyncError:
    """Return our error for one of google-auth, of an API, or of our own cable.

    Args:
        error: The exception.
        what: What was tried, as it follows "cannot".
    """
    if isinstance(error, RateLimited):
        error.hint = error.hint or _LESS_AT_ONCE
    if isinstance(error, HarborsyncError):
        return error
    said = error.said if isinstance(error, Unsuccessful) else _said(error)
    return refusal(said, what, MEANINGS)


def _said(error: Exception) -> Said:
    """Read an exception of google-auth, which holds what the token server said somewhere."""
    fields = _fields(error.args)
    code = fields.get("error")
    if isinstance(code, dict):  # so the APIs of Google's tell it
        return Said(code=str(code.get("status") or "RefreshError"), message=_text(code, "message"))
    text = _text(fields, "error_description") or str(error.args[0] if error.args else "")
    return Said(code=str(code or type(error).__name__), message=text)


def _fields(parts: Iterable[Any]) -> dict[str, Any]:
    for part in parts:
        found = part
        if isinstance(part, str | bytes):
            try:
                found = json.loads(part)
            except ValueError:
                continue
        if isinstance(found, dict):
            return found
    return {}


def _text(fields: dict[str, Any], name: str) -> str:
    return str(fields.get(name) or "")
