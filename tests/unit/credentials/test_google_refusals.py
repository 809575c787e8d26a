"""Every code of Google's has an error and, where one helps, a remedy."""

from __future__ import annotations

from typing import Any

import pytest
from google.auth import exceptions as untyped

from harborsync import errors
from harborsync.credentials.google_refusals import MEANINGS, Unsuccessful, error_of
from harborsync.credentials.refusals import Said

exceptions: Any = untyped

# What an API says, what we make of it, and a word of the remedy.
SAID = (
    ("UNAUTHENTICATED", "", errors.CredentialsExpired, "log in again"),
    (
        "PERMISSION_DENIED",
        "API has not been used in project 1",
        errors.ConfigurationError,
        "enable",
    ),
    (
        "PERMISSION_DENIED",
        "Permission 'iam.serviceAccounts.getAccessToken' denied",
        errors.Denied,
        "serviceAccountTokenCreator",
    ),
    ("PERMISSION_DENIED", "", errors.Denied, "harborsync.permissions.google"),
    ("NOT_FOUND", "", errors.NotFound, "location"),
    ("FAILED_PRECONDITION", "tags are immutable", errors.TagImmutable, "another tag"),
    ("FAILED_PRECONDITION", "", errors.RegistryError, "which value"),
    ("INVALID_ARGUMENT", "", errors.RegistryError, "which value"),
    ("RESOURCE_EXHAUSTED", "", errors.RateLimited, "less at once"),
    ("UNAVAILABLE", "", errors.ServerError, None),
    ("500", "", errors.ServerError, None),
    ("ALREADY_EXISTS", "", errors.RegistryError, None),
)

# What a token server says.
TOLD = (
    ("invalid_grant", "Invalid JWT Signature.", errors.CredentialsRefused, "revoked"),
    ("invalid_grant", "Invalid grant: account not found", errors.CredentialsRefused, "revoked"),
    ("invalid_grant", "Check your iat and exp values", errors.CredentialsRefused, "clock"),
    (
        "invalid_grant",
        "Token has been expired or revoked.",
        errors.CredentialsExpired,
        "gcloud auth",
    ),
    (
        "invalid_grant",
        "reauth related error (invalid_rapt)",
        errors.CredentialsExpired,
        "gcloud auth",
    ),
    (
        "unauthorized_client",
        "rejected by the attribute condition",
        errors.CredentialsRefused,
        "federation",
    ),
    ("invalid_client", "", errors.CredentialsRefused, "new key"),
    ("something_new", "", errors.RegistryError, None),
)


@pytest.mark.parametrize(("code", "message", "kind", "remedy"), SAID)
def test_a_refusal_of_an_api_has_a_meaning(
    code: str, message: str, kind: type[errors.HarborsyncError], remedy: str | None
) -> None:
    """The code decides, and where it says too little the words."""
    error = error_of(Unsuccessful(Said(code=code, message=message)), "list")
    assert type(error) is kind
    assert str(error).startswith(f"cannot list: {code}")
    assert error.hint is None if remedy is None else remedy in str(error.hint)


@pytest.mark.parametrize(("code", "message", "kind", "remedy"), TOLD)
def test_a_refusal_of_a_token_server_has_a_meaning(
    code: str, message: str, kind: type[errors.HarborsyncError], remedy: str | None
) -> None:
    """google-auth keeps what was said as a mapping, or as the text of one."""
    fields = {"error": code, "error_description": message}
    for args in ((f"{code}: {message}", fields), (f"Error code {code}", _json(fields))):
        error = error_of(exceptions.RefreshError(*args), "log in")
        assert type(error) is kind
        assert error.hint is None if remedy is None else remedy in str(error.hint)


def _json(value: Any) -> str:
    import json

    return json.dumps(value)


def test_an_api_behind_google_auth_is_understood_as_well() -> None:
    """As where an identity acts for another one by itself."""
    body = b'{"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "getAccessToken"}}'
    error = error_of(exceptions.RefreshError("Unable to acquire", body), "log in")
    assert isinstance(error, errors.Denied)
    assert "TokenCreator" in str(error.hint)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (exceptions.DefaultCredentialsError("no file"), errors.ConfigurationError),
        (exceptions.MalformedError("odd file"), errors.ConfigurationError),
        (exceptions.RefreshError("it does not say"), errors.NoCredentials),
        (exceptions.RefreshError(), errors.NoCredentials),
        (exceptions.InvalidValue("audience"), errors.InvalidValue),
        (exceptions.ReauthFailError("again"), errors.CredentialsExpired),
        (KeyError("client_email"), errors.RegistryError),
    ],
)
def test_what_google_auth_raises_by_itself_has_a_meaning(
    raised: Exception, kind: type[errors.HarborsyncError]
) -> None:
    """By the name of its class."""
    assert isinstance(error_of(raised, "log in"), kind)


def test_an_error_of_ours_stays_as_it_is() -> None:
    """Our cable has said already what there is to say."""
    error = errors.ServerError("it failed")
    assert error_of(error, "log in") is error
    assert error.hint is None
    busy = errors.RateLimited("busy")
    assert error_of(busy, "log in") is busy
    assert "run less at once" in str(busy.hint)


def test_no_secret_comes_through() -> None:
    """Whatever the server quotes."""
    fields = {"error": "invalid_grant", "error_description": "assertion=eyJhbGciOi.eyJpc3Mi.c2ln"}
    error = error_of(exceptions.RefreshError("x", fields), "log in")
    assert "eyJhbGciOi" not in f"{error}{error!r}"
    assert error.__cause__ is None


def test_each_row_can_be_reached() -> None:
    """No row stands behind one that takes all of its codes."""
    assert len({(row.codes, row.words) for row in MEANINGS}) == len(MEANINGS)
