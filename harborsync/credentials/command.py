"""Logins that another program knows: docker's credential helpers, or a command of the operator.

The program is run directly, never through a shell, with a time limit. What it says on its
error output may hold secrets and is not shown (OCI-2.27).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.clock import SystemClock
from harborsync.credentials.base import Credential, Kind, Refreshing
from harborsync.credentials.static import credential_from_fields
from harborsync.errors import CredentialsError, InvalidValue
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harborsync.clock import Clock

#: Seconds a program may take; it may have to ask a cloud or a person.
PATIENCE: Final = 60.0
#: What docker's helpers give as user name when the secret is an identity token.
_IDENTITY_USER: Final = "<token>"
_LONGEST_OUTPUT: Final = 1 << 20


class CommandCredentials:
    """Asks a command for logins.

    The host stands on its standard input. It prints either what docker's credential helpers
    print (``{"Username": …, "Secret": …}``) or ``{"username": …, "password": …}``, with
    ``token``, ``identity_token`` or ``client_secret`` in place of ``password`` as it may be,
    and ``expires_at`` as an ISO time if the login ends. Printing ``{}`` says that it has none.

    Args:
        argv: The program and its arguments.
        environ: The environment it runs in; that of this process if left out.
        timeout: Seconds it may take.
        clock: Tells when a login is about to end.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str] | None = None,
        timeout: float = PATIENCE,
        clock: Clock | None = None,
    ) -> None:
        self._argv = tuple(argv)
        self._environ = os.environ if environ is None else environ
        self._timeout = timeout
        self._held = Refreshing(self._ask, clock or SystemClock())

    def get(self, host: str, repository: str = "") -> Credential | None:
        """Return the login for a host, or None.

        Raises:
            CredentialsError: The command failed, or said something else.
        """
        return self._held.get(host, repository)

    def forget(self, host: str, refused: Credential) -> None:
        """Ask the command again next time, if what is held is what the registry refused."""
        self._held.forget(host, refused)

    def _ask(self, host: str) -> Credential | None:
        name = self._argv[0]
        said = run_program(self._argv, host, environ=self._environ, timeout=self._timeout)
        if said.status:
            msg = f"the credential command {name!r} ended with status {said.status}"
            raise CredentialsError(msg, hint="run it by hand, with the host on standard input")
        return read_login(said.output, name, origin=f"command {name}")


@attrs.frozen(kw_only=True)
class Said:
    """What a program said.

    Attributes:
        status: Its exit status.
        output: Its standard output.
    """

    status: int
    output: bytes = attrs.field(repr=False)


def run_program(
    argv: Sequence[str], question: str, *, environ: Mapping[str, str], timeout: float = PATIENCE
) -> Said:
    """Run a program with ``question`` on its standard input.

    Raises:
        CredentialsError: It is not there, cannot be run, or takes too long.
    """
    name = argv[0]
    path = shutil.which(name, path=environ.get("PATH", ""))
    if path is None:
        msg = f"the credential program {name!r} is not installed"
        raise CredentialsError(msg, hint="install it, or take it out of the configuration")
    try:
        done = subprocess.run(  # noqa: S603 - an absolute path, no shell; named by the operator
            [path, *argv[1:]],
            input=question.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        msg = f"the credential program {name!r} took longer than {timeout:g} seconds"
        raise CredentialsError(msg) from None
    except OSError as error:
        msg = f"the credential program {name!r} cannot be run: {error.strerror}"
        raise CredentialsError(msg) from error
    return Said(status=done.returncode, output=done.stdout[:_LONGEST_OUTPUT])


def read_login(output: bytes, name: str, *, origin: str) -> Credential | None:
    """Read what a credential program printed.

    Raises:
        CredentialsError: It is neither of the two forms.
    """
    try:
        said = json.loads(output)
        if not isinstance(said, dict):
            raise InvalidValue(_NO_LOGIN)
        return _from_helper(said, origin) if "Secret" in said else _from_fields(said, name, origin)
    except (ValueError, TypeError) as error:
        # The text of the error may quote the output, and with it the secret.
        reason = error.message if isinstance(error, InvalidValue) else _NO_LOGIN
        msg = f"the credential program {name!r} printed something else than a login: {reason}"
        raise CredentialsError(msg) from None


_NO_LOGIN: Final = "it is no JSON object with a user name and a secret"


def _from_helper(said: dict[str, Any], origin: str) -> Credential | None:
    username, secret = said.get("Username", ""), said["Secret"]
    if not isinstance(username, str) or not isinstance(secret, str):
        raise InvalidValue(_NO_LOGIN)
    if not secret:
        return None
    is_identity = username == _IDENTITY_USER
    return Credential(
        username="" if is_identity else username,
        secret=Secret(secret),
        kind=Kind.IDENTITY if is_identity else Kind.BASIC,
        origin=origin,
    )


def _from_fields(said: dict[str, Any], name: str, origin: str) -> Credential | None:
    if not said:
        return None
    if not all(isinstance(value, str) for value in said.values()):
        raise InvalidValue(_NO_LOGIN)
    end = said.pop("expires_at", None)
    login = credential_from_fields(name, said, origin=origin)
    return attrs.evolve(login, expires_at=_aware(end)) if end else login


def _aware(text: str) -> datetime:
    end = datetime.fromisoformat(text)
    if end.tzinfo is None:
        msg = "expires_at has no time zone"
        raise InvalidValue(msg)
    return end
