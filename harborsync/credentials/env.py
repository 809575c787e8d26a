"""Logins in environment variables, each named after the host it is for.

==========================================  ==============================================
``HARBORSYNC_<HOST>_USERNAME`` with
``HARBORSYNC_<HOST>_PASSWORD``              user name and password
``HARBORSYNC_<HOST>_TOKEN``                 a registry token, sent as it is
``HARBORSYNC_<HOST>_IDENTITY_TOKEN``        a refresh token
==========================================  ==============================================

``<HOST>`` is ``host[:port]`` in capitals with ``_`` for everything that is neither letter nor
digit: ``HARBORSYNC_REGISTRY_EXAMPLE_5000_PASSWORD``. A name given by ``?credentials=NAME``
takes the host's place. There is no variable for "any host": a login must not go to a
registry that a rule happens to name (OCI-2.20).
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from harborsync.credentials.base import Credential, Kind
from harborsync.credentials.hosts import canonical_host
from harborsync.errors import CredentialsError
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECRETS: Final = {
    "PASSWORD": Kind.BASIC,
    "TOKEN": Kind.BEARER,
    "IDENTITY_TOKEN": Kind.IDENTITY,
}
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Z0-9]")


class EnvironmentCredentials:
    """Reads logins from variables named after hosts.

    Args:
        environ: The variables; those of this process if left out.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    def get(self, host: str, repository: str = "") -> Credential | None:  # noqa: ARG002
        """Return the login for a host, or None.

        Raises:
            CredentialsError: The variables for this host contradict each other.
        """
        prefix = variable_prefix(host)
        given = {word: text for word in _SECRETS if (text := self._environ.get(prefix + word))}
        username = self._environ.get(f"{prefix}USERNAME", "")
        if not given and not username:
            return None
        _check(prefix, given, username)
        word, secret = next(iter(given.items()))
        return Credential(
            username=username,
            secret=Secret(secret),
            kind=_SECRETS[word],
            origin=f"environment ({prefix}{word})",
        )


def variable_prefix(host: str) -> str:
    """Return how the names of the variables for ``host`` begin."""
    return f"HARBORSYNC_{_NOT_IN_A_NAME.sub('_', canonical_host(host).upper())}_"


def _check(prefix: str, given: Mapping[str, str], username: str) -> None:
    if len(given) != 1:
        what = " and ".join(prefix + word for word in given) or f"{prefix}USERNAME alone"
        msg = f"{what} cannot be a login"
        raise CredentialsError(msg, hint=f"set {prefix}USERNAME and {prefix}PASSWORD, or one token")
    if "PASSWORD" in given and not username:
        msg = f"{prefix}PASSWORD is set without {prefix}USERNAME"
        raise CredentialsError(msg, hint=f"set {prefix}USERNAME as well")
