"""Turns an identity into access tokens: a file's, a machine's, and those of whom it acts for."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.credentials.calling import CloudApi, budget_of
from harborsync.credentials.google import EXTRA, AccessToken
from harborsync.credentials.google_cable import Bridge, Cables
from harborsync.credentials.google_refusals import HOW_TO_BE_SOMEBODY, Unsuccessful, error_of
from harborsync.credentials.hushed import load_sdk
from harborsync.credentials.refusals import Said
from harborsync.errors import (
    ConfigurationError,
    CredentialsError,
    HarborsyncError,
    NoCredentials,
    TransportError,
)
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harborsync.credentials.google import GoogleIdentity
    from harborsync.http.metadata import MetadataTransport
    from harborsync.http.wire import Answer
    from harborsync.provider import OpenContext

_PURPOSE: Final = "reading Google's credential files"
SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
IAM: Final = "https://iamcredentials.googleapis.com"
_PER_SECOND: Final = 5.0
_OK: Final = 200
_AWS_TOKEN: Final = "urn:ietf:params:aws:token-type:aws4_request"  # noqa: S105 - a kind
_FLAVOR: Final = {"Metadata-Flavor": "Google"}
_MACHINE: Final = "/computeMetadata/v1/instance/service-accounts/default/token"


@attrs.frozen(kw_only=True)
class TokenSource:
    """Gets access tokens.

    Attributes:
        identity: Whose.
        cables: The way to token servers.
        iam_url: Where service accounts lend their tokens.
        environ: The variables of this process.
    """

    identity: GoogleIdentity
    cables: Cables
    iam_url: str = IAM
    environ: Mapping[str, str] = attrs.field(default=os.environ, repr=False)

    def get(self) -> AccessToken:
        """Return a fresh token.

        Raises:
            CredentialsError: There is nobody, or who is there is not taken.
            HarborsyncError: It cannot be had for another reason.
        """
        token = self._own()
        return self._lent(token) if self.identity.impersonate else token

    @property
    def context(self) -> OpenContext:
        """Clock, policy, limits, cancel flag, listeners."""
        return self.cables.context

    # --- who we are ------------------------------------------------------------------------

    def _own(self) -> AccessToken:
        identity = self.identity
        if identity.token is not None:
            return identity.token()
        if identity.credentials is not None:
            return self.refreshed(identity.credentials, "google-auth")
        path = identity.key_file or self._configured()
        if path is not None:
            return self._of_file(path)
        return self._of_machine()

    def _configured(self) -> str | None:
        """Return the file that Google's own tools would read, or None."""
        named = self.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
        if named:
            return named
        home = self.environ.get("CLOUDSDK_CONFIG") or str(Path.home() / ".config" / "gcloud")
        usual = Path(home) / "application_default_credentials.json"
        return str(usual) if usual.is_file() else None

    def _of_file(self, path: str) -> AccessToken:
        return self.of_fields(read_fields(path), f"the file {path}")

    def of_fields(self, fields: Mapping[str, Any], origin: str) -> AccessToken:
        """Return a token for what stands in a file.

        Raises:
            HarborsyncError: It is not to be had.
            MissingDependency: google-auth is not installed.
        """
        load = loader_of(fields, origin)
        made = self._asking(f"read {origin}", lambda: load(dict(fields)))
        return self.refreshed(made, origin)

    def refreshed(self, credentials: Any, origin: str) -> AccessToken:
        """Return a token of google-auth's credentials, fetched now."""
        bridge = Bridge(self.cables, machine_of(self.environ))
        self._asking(f"get a token with {origin}", lambda: credentials.refresh(bridge))
        end: datetime | None = credentials.expiry
        return AccessToken(
            secret=Secret(credentials.token),
            expires_at=None if end is None else end.replace(tzinfo=UTC),
            origin=origin,
        )

    def _asking(self, what: str, action: Callable[[], Any]) -> Any:
        exceptions = load_sdk("google.auth.exceptions", extra=EXTRA, purpose=_PURPOSE)
        known = (exceptions.GoogleAuthError, HarborsyncError, ValueError, KeyError)
        return self._caller("Google's token server", known).call(what, action)

    def _of_machine(self) -> AccessToken:
        metadata = machine_of(self.environ)
        if metadata is None:
            raise NoCredentials(_NOBODY, hint=HOW_TO_BE_SOMEBODY)
        return MachineAccount(metadata=metadata, context=self.context)()

    # --- whom we act for -------------------------------------------------------------------

    def _lent(self, token: AccessToken) -> AccessToken:
        *between, account = self.identity.impersonate
        wish = {
            "scope": [SCOPE],
            "lifetime": "3600s",
            "delegates": [f"projects/-/serviceAccounts/{each}" for each in between],
        }
        caller = self._caller(self.iam_url, (Unsuccessful, HarborsyncError))
        what = f"act for {account}"
        said = caller.call(what, lambda: self._ask_to_lend(account, token, wish))
        return read_lent(said, account)

    def _ask_to_lend(
        self, account: str, token: AccessToken, wish: dict[str, Any]
    ) -> dict[str, Any]:
        url = f"{self.iam_url}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
        headers = {
            "Authorization": f"Bearer {token.secret.reveal()}",
            "Content-Type": "application/json",
        }
        answer = self.cables.send("POST", url, headers, json.dumps(wish).encode())
        return read_answer(answer, "generateAccessToken")

    def _caller(self, name: str, expected: tuple[type[Exception], ...]) -> CloudApi:
        return CloudApi(
            name=name,
            context=self.context,
            budget=budget_of(name, self.context.clock, _PER_SECOND),
            translate=error_of,
            expected=expected,
        )


# --- files -------------------------------------------------------------------------------------

_KINDS: Final = {
    "authorized_user": ("google.oauth2.credentials", "from_authorized_user_info"),
    "external_account": ("google.auth.identity_pool", "from_info"),
    "external_account_authorized_user": (
        "google.auth.external_account_authorized_user",
        "from_info",
    ),
    "impersonated_service_account": (
        "google.auth.impersonated_credentials",
        "from_impersonated_service_account_info",
    ),
    "service_account": ("google.oauth2.service_account", "from_service_account_info"),
}


def read_fields(path: str) -> dict[str, Any]:
    """Return what stands in a credential file.

    Raises:
        CredentialsError: It cannot be read, or is no such file.
    """
    try:
        found = json.loads(Path(path).read_bytes())
    except OSError as error:
        msg = f"the file of Google credentials {path} cannot be read: {error.strerror}"
        raise CredentialsError(
            msg, hint="see GOOGLE_APPLICATION_CREDENTIALS, or key_file="
        ) from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        msg = f"{path} is no file of Google credentials"
        raise CredentialsError(msg, hint="it must be JSON as Google hands it out")
    return found


def loader_of(fields: Mapping[str, Any], origin: str) -> Callable[[dict[str, Any]], Any]:
    """Return what makes google-auth's credentials of the fields of a file.

    google-auth's own loader would first ask a Google host for the project, which nobody needs
    here and which is not reachable everywhere.

    Raises:
        ConfigurationError: Nobody knows such a file.
    """
    kind = fields.get("type")
    if kind not in _KINDS:
        msg = f"{origin} holds no credentials that are known here: its type is {str(kind)[:50]!r}"
        raise ConfigurationError(msg, hint=f"known are {', '.join(sorted(_KINDS))}")
    module, method = _KINDS[kind]
    if kind == "external_account":
        module = _federation_of(fields)
    known: Any = load_sdk(module, extra=EXTRA, purpose=_PURPOSE).Credentials
    return maker_of(known, method, origin)


def maker_of(known: Any, method: str, origin: str) -> Callable[[dict[str, Any]], Any]:
    """Return what makes credentials of a kind.

    Raises:
        ConfigurationError: The installed google-auth knows the kind, and not how to read it.
    """
    make: Callable[..., Any] | None = getattr(known, method, None)
    if make is None:
        msg = f"the installed google-auth is too old for {origin}"
        raise ConfigurationError(msg, hint="pip install --upgrade google-auth")
    return partial(make, scopes=[SCOPE])


def _federation_of(fields: Mapping[str, Any]) -> str:
    """Return the module for where the subject's token of a federation comes from."""
    if fields.get("subject_token_type") == _AWS_TOKEN:
        return "google.auth.aws"
    source = fields.get("credential_source")
    runs = isinstance(source, dict) and "executable" in source
    return "google.auth.pluggable" if runs else "google.auth.identity_pool"


# --- machines ----------------------------------------------------------------------------------

_NOBODY: Final = "there is no identity for Google Cloud: no file, and no machine's account"
_TRUE: Final = "true"


def machine_of(environ: Mapping[str, str]) -> MetadataTransport | None:
    """Return the way to the metadata service, or None where it is not to be asked.

    Raises:
        ConfigurationError: A variable leads elsewhere by a name.
    """
    from harborsync.http.metadata import LINK_LOCAL, MetadataTransport  # noqa: PLC0415

    if environ.get("NO_GCE_CHECK", "").lower() == _TRUE:
        return None
    named = environ.get("GCE_METADATA_HOST", "")
    host, _, port = named.partition(":")
    if host in {"", "metadata.google.internal"}:
        host = LINK_LOCAL
    try:
        return MetadataTransport(host, int(port or "80"))
    except ValueError:
        msg = f"GCE_METADATA_HOST is {named[:100]!r}, which is no numeric address"
    raise ConfigurationError(msg, hint="leave it unset, or write ADDRESS or ADDRESS:PORT")


@attrs.frozen(kw_only=True)
class MachineAccount:
    """The service account of a machine of Compute Engine, or of a pod of GKE.

    Attributes:
        metadata: The way to the metadata service.
        context: Tells the time.
    """

    metadata: MetadataTransport
    context: OpenContext

    def __call__(self) -> AccessToken:
        """Return the token that the machine has now.

        Raises:
            NoCredentials: This is no machine of Google's, or one without an account.
        """
        try:
            answer = self.metadata.ask(_MACHINE, headers=_FLAVOR)
        except TransportError:
            answer = None
        if answer is None or answer.headers.get("Metadata-Flavor") != "Google":
            raise NoCredentials(_NOBODY, hint=HOW_TO_BE_SOMEBODY)
        if answer.status != _OK:
            msg = f"this machine has no service account (its metadata answers {answer.status})"
            raise NoCredentials(
                msg, hint="attach one, with the scope cloud-platform; in GKE see Workload Identity"
            )
        return self._read(answer)

    def _read(self, answer: Answer) -> AccessToken:
        try:
            said = json.loads(answer.body)
            end = self.context.clock.now() + timedelta(seconds=int(said["expires_in"]))
            secret = Secret(str(said["access_token"]))
        except (KeyError, TypeError, ValueError):
            msg = "what the metadata service gave is no access token"
        else:
            return AccessToken(secret=secret, expires_at=end, origin="the machine's account")
        raise CredentialsError(msg, hint="something else than Google may have answered")


# --- answers -----------------------------------------------------------------------------------


def read_lent(said: Mapping[str, Any], account: str) -> AccessToken:
    """Read what generateAccessToken gave.

    Raises:
        CredentialsError: It is something else.
    """
    try:
        return AccessToken(
            secret=Secret(str(said["accessToken"])),
            expires_at=datetime.fromisoformat(said["expireTime"]).astimezone(UTC),
            origin=f"acting for {account}",
        )
    except (KeyError, TypeError, ValueError):
        msg = f"what was lent by {account} is no access token"
    raise CredentialsError(msg, hint="something else than Google may have answered")


def read_answer(answer: Answer, operation: str) -> dict[str, Any]:
    """Return the JSON of an API's answer.

    Raises:
        Unsuccessful: It is a refusal, or no JSON.
    """
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    if answer.status == _OK and isinstance(found, dict):
        return found
    error = found.get("error") if isinstance(found, dict) else None
    fields: dict[str, Any] = error if isinstance(error, dict) else {}
    raise Unsuccessful(
        Said(
            code=str(fields.get("status") or answer.status),
            message=str(fields.get("message") or ""),
            status=answer.status,
            operation=operation,
        )
    )
