"""Who we are to Google Cloud: what this machine is, a file, a token of yours, an impersonation.

Without a word from you it is what Google's own tools would use: the file that
``GOOGLE_APPLICATION_CREDENTIALS`` names, the login of ``gcloud auth application-default``, or the
service account of the machine or pod. What you name goes before it::

    GoogleIdentity(impersonate=["mirror@acme.iam.gserviceaccount.com"])

Files are read by google-auth, which comes with the extra ``gcp``. Machines, tokens of yours and
``_json_key`` logins need no package.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.credentials.base import Credential
from harborsync.errors import ConfigurationError, InvalidValue
from harborsync.secrets import Secret

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from google.auth.credentials import Credentials

EXTRA: Final = "gcp"
#: The user name that stands beside an access token.
OAUTH_USER: Final = "oauth2accesstoken"
#: The user names that stand beside the key of a service account, and whether it is in base64.
KEY_USERS: Final = {"_json_key": False, "_json_key_base64": True}
_ACCOUNT: Final = re.compile(r"[a-z0-9._-]+@[a-z0-9.-]+", re.ASCII)


@attrs.frozen(kw_only=True)
class AccessToken:
    """A token of Google's OAuth2.

    Attributes:
        secret: The token.
        expires_at: When it ends, aware and in UTC, or None if that is not known.
        origin: Where it came from, for people.
    """

    secret: Secret
    expires_at: datetime | None = None
    origin: str = "argument"

    @property
    def login(self) -> Credential:
        """The token as a registry takes it."""
        return Credential(
            username=OAUTH_USER, secret=self.secret, expires_at=self.expires_at, origin=self.origin
        )


def _accounts(accounts: Iterable[str]) -> tuple[str, ...]:
    return tuple(accounts)


def _path(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else str(path)


@attrs.frozen(kw_only=True)
class GoogleIdentity:
    """Where an identity comes from; hand one over among the credentials, or name it by options.

    It answers for no host by itself: the provider of Google's registries asks for it.

    Attributes:
        key_file: A file as Google hands them out: the key of a service account, a user's login,
            a workload identity federation, or None.
        token: Gives an access token whenever one is wanted anew, or None; may take its time.
        credentials: Credentials of google-auth to begin with, or None.
        impersonate: Service accounts to act for; the last one is who asks, those before it
            stand between.
    """

    key_file: str | None = attrs.field(default=None, converter=_path)
    token: Callable[[], AccessToken] | None = attrs.field(default=None, repr=False)
    credentials: Credentials | None = attrs.field(default=None, repr=False)
    impersonate: tuple[str, ...] = attrs.field(default=(), converter=_accounts)

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot be, or cannot go together.

        Raises:
            ConfigurationError: It begins with several things.
            InvalidValue: A service account has no such name.
        """
        if sum(each is not None for each in (self.key_file, self.token, self.credentials)) > 1:
            msg = "an identity begins with a file, a token or credentials, with one of them only"
            raise ConfigurationError(msg)
        for account in self.impersonate:
            if not _ACCOUNT.fullmatch(account):
                msg = f"{account[:200]!r} is no service account"
                raise InvalidValue(msg, hint="write it like NAME@PROJECT.iam.gserviceaccount.com")

    def get(self, host: str, repository: str = "") -> None:
        """Return None: only a provider can make a login of this."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without secrets.

        Raises:
            ConfigurationError: There are some.
        """
        if self.token is not None or self.credentials is not None:
            msg = "tokens and credentials of google-auth cannot be handed to another process"
            raise ConfigurationError(msg, hint="name a file, or run where the machine is somebody")
        return _identity, (self.key_file, self.impersonate)

    def with_options(self, options: Mapping[str, str]) -> GoogleIdentity:
        """Return the identity that the options of an endpoint ask for, beginning with this one.

        Raises:
            InvalidValue: An option cannot be read.
        """
        named = tuple(name for name in options.get("impersonate", "").split(",") if name)
        impersonate = (*self.impersonate, *named)
        key_file = options.get("key_file")
        if key_file is None:
            return attrs.evolve(self, impersonate=impersonate)
        return GoogleIdentity(key_file=key_file, impersonate=impersonate)


def _identity(key_file: str | None, impersonate: tuple[str, ...]) -> GoogleIdentity:
    return GoogleIdentity(key_file=key_file, impersonate=impersonate)


#: The options of an endpoint that say who asks.
IDENTITY_OPTIONS: Final = frozenset({"iam_api", "impersonate", "key_file"})


def json_key_login(key: str | bytes, *, packed: bool = False) -> Credential:
    """Return the login that the key of a service account is by itself, for ever.

    Whoever reads such a key can be that account until somebody revokes it: prefer an identity
    that the machine has.

    Args:
        key: The text of the file.
        packed: Whether to hand it on in base64, for what sits in between and minds JSON.

    Raises:
        InvalidValue: It is no such key.
    """
    text = key.decode(errors="replace") if isinstance(key, bytes) else key
    if key_fields(text) is None:
        msg = "this is no key of a service account"
        raise InvalidValue(msg, hint="give the text of the JSON file that Google made, as it is")
    secret = base64.b64encode(text.encode()).decode() if packed else text
    username = next(user for user, is_packed in KEY_USERS.items() if is_packed is packed)
    return Credential(username=username, secret=Secret(secret), origin="key of a service account")


def key_fields(text: str) -> dict[str, Any] | None:
    """Return what is in the key of a service account, or None if it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    is_key = isinstance(found, dict) and found.get("type") == "service_account"
    return found if is_key else None


def key_of(login: Credential) -> dict[str, Any] | None:
    """Return what is in a login that is the key of a service account, or None."""
    is_packed = KEY_USERS.get(login.username)
    if is_packed is None:
        return None
    try:
        text = login.secret.reveal()
        return key_fields(base64.b64decode(text).decode() if is_packed else text)
    except ValueError:
        return None
