"""Whom to ask when nothing else is said, and how to tell who answered."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harborsync.credentials.base import Chain, Credential, CredentialSource, tell_refused
from harborsync.credentials.docker_config import DockerConfig
from harborsync.credentials.env import EnvironmentCredentials, variable_prefix
from harborsync.credentials.hosts import canonical_host
from harborsync.credentials.static import StaticCredentials
from harborsync.errors import NoCredentials

if TYPE_CHECKING:
    from harborsync.clock import Clock


def default_credentials(
    explicit: CredentialSource | Mapping[str, Credential] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> Chain:
    """Return a chain: what is handed over, the environment, docker's and podman's files.

    Args:
        explicit: A source, or a table of logins by host.
        environ: The variables to read; those of this process if left out.
        clock: Tells how old a helper's answer is.
    """
    environ = os.environ if environ is None else environ
    first = StaticCredentials(explicit) if isinstance(explicit, Mapping) else explicit
    return Chain(
        (
            *((first,) if first is not None else ()),
            EnvironmentCredentials(environ),
            DockerConfig(environ, clock=clock),
        )
    )


class Named:
    """Answers for one host with the login of a given name: ``?credentials=NAME``.

    Args:
        source: Knows the login under ``name``.
        name: The name.
        host: The only host it is for.

    Attributes:
        source: The same.
    """

    def __init__(self, source: CredentialSource, name: str, *, host: str) -> None:
        self.source = source
        self._name = name
        self._host = canonical_host(host)

    def get(self, host: str, repository: str = "") -> Credential | None:  # noqa: ARG002
        """Return the named login if ``host`` is the one it is for.

        Raises:
            NoCredentials: Nobody knows a login of that name.
        """
        if canonical_host(host) != self._host:
            return None
        found = self.source.get(self._name)
        if found is None:
            msg = f"there is no login named {self._name!r}, which {self._host} is to be opened with"
            prefix = variable_prefix(self._name)
            raise NoCredentials(
                msg, hint=f"set {prefix}USERNAME and {prefix}PASSWORD, or hand the login over"
            )
        return found

    def forget(self, host: str, refused: Credential) -> None:
        """Have the named login fetched anew, if ``host`` is the one it is for."""
        if canonical_host(host) == self._host:
            tell_refused(self.source, self._name, refused)


def explain(source: CredentialSource, host: str, repository: str = "") -> str:
    """Tell in one line which source answers for a host; never a secret."""
    found = source.get(host, repository)
    if found is None:
        return f"{host}: anonymous, no source has a login"
    who = f" of {found.username}" if found.username else ""
    until = f", until {found.expires_at.isoformat()}" if found.expires_at else ""
    return f"{host}: {found.kind} login{who} from {found.origin}{until}"
