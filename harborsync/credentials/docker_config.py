"""The logins that ``docker login``, ``podman login`` and ``skopeo login`` have left behind.

Files are asked in this order, and the first that has an answer is right (OCI-2.24):
``$REGISTRY_AUTH_FILE``, ``$XDG_RUNTIME_DIR/containers/auth.json``,
``$XDG_CONFIG_HOME/containers/auth.json``, ``$DOCKER_CONFIG/config.json`` or
``~/.docker/config.json``, ``~/.dockercfg``. In a file, ``credHelpers`` go before ``auths``
and these before ``credsStore`` (OCI-2.25). They are read each time, so that a new login counts
at once, and never written.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.clock import SystemClock
from harborsync.credentials.base import Credential, Kind, Locks
from harborsync.credentials.command import read_login, run_program
from harborsync.credentials.hosts import canonical_host, canonical_key, server_name
from harborsync.credentials.static import most_special
from harborsync.errors import CredentialsError
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harborsync.clock import Clock

#: What the origin of a login begins with that stands in a file, as its user once typed it.
IN_A_FILE: Final = "auth file"
#: Seconds a helper's answer is used again; helpers are slow, and their tokens live longer.
HELPER_KEEP: Final = 300.0
_HELPER_NAME: Final = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_NOT_FOUND: Final = b"credentials not found"


class DockerConfig:
    """Reads the auth files of docker and podman, and asks the helpers they name.

    Args:
        environ: The variables that tell where the files are; those of this process if left out.
        path: The only file to read, in place of the usual ones.
        clock: Tells how old a helper's answer is.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._path = None if path is None else Path(path)
        self._helpers = _Helpers(self._environ, clock or SystemClock())

    def get(self, host: str, repository: str = "") -> Credential | None:
        """Return the login for a host, or None.

        Raises:
            CredentialsError: A file cannot be read, or a helper fails.
        """
        for path in self._paths():
            found = self._look_up(_read(path), path, host, repository)
            if found is not None:
                return found
        return None

    def forget(self, host: str, refused: Credential) -> None:
        """Ask a helper again next time, if what is held of it is what the registry refused."""
        self._helpers.forget(host, refused)

    def _paths(self) -> Iterator[Path]:
        if self._path is not None:
            yield self._path
        else:
            yield from _usual_paths(self._environ)

    def _look_up(
        self, config: _AuthFile, path: Path, host: str, repository: str
    ) -> Credential | None:
        helper = config.helpers.get(canonical_host(host))
        if helper:
            return self._helpers.ask(helper, host)
        entry = most_special(config.auths, host, repository)
        found = _credential(entry, path, host) if entry else None
        if found is None and config.store:
            found = self._helpers.ask(config.store, host)
        return found


def _usual_paths(environ: Mapping[str, str]) -> Iterator[Path]:
    def below(variable: str, *parts: str) -> Iterator[Path]:
        if environ.get(variable):
            yield Path(environ[variable], *parts)

    yield from below("REGISTRY_AUTH_FILE")
    yield from below("XDG_RUNTIME_DIR", "containers", "auth.json")
    has_config_home = bool(environ.get("XDG_CONFIG_HOME"))
    yield from (
        below("XDG_CONFIG_HOME", "containers", "auth.json")
        if has_config_home
        else below("HOME", ".config", "containers", "auth.json")
    )
    yield from (
        below("DOCKER_CONFIG", "config.json")
        if environ.get("DOCKER_CONFIG")
        else below("HOME", ".docker", "config.json")
    )
    yield from below("HOME", ".dockercfg")


# --- one file ------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class _AuthFile:
    """What we understand of an auth file; keys are canonical."""

    auths: Mapping[str, dict[str, Any]] = attrs.field(factory=dict, repr=False)
    helpers: Mapping[str, str] = attrs.field(factory=dict)
    store: str = ""


def _read(path: Path) -> _AuthFile:
    try:
        document = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return _AuthFile()
    except OSError as error:
        msg = f"the auth file {path} cannot be read: {error.strerror}"
        raise CredentialsError(msg) from error
    except ValueError:
        document = None
    if not isinstance(document, dict):
        msg = f"the auth file {path} is no JSON object"
        raise CredentialsError(msg, hint="mend it, or log in again")
    # The oldest form, .dockercfg, is nothing but what later stood under "auths".
    auths = document if path.name == ".dockercfg" else document.get("auths")
    store = document.get("credsStore")
    return _AuthFile(
        auths=_table(auths, dict),
        helpers=_table(document.get("credHelpers"), str),
        store=store if isinstance(store, str) else "",
    )


def _table(value: Any, kind: type) -> dict[str, Any]:
    entries = value.items() if isinstance(value, dict) else ()
    return {canonical_key(key): entry for key, entry in entries if isinstance(entry, kind)}


def _credential(entry: Mapping[str, Any], path: Path, host: str) -> Credential | None:
    """Read one entry; an empty one only marks that a helper holds the login (OCI-2.26)."""
    origin = f"{IN_A_FILE} {path}"
    username, password = _user_and_password(entry, path, host)
    for field, kind in (("identitytoken", Kind.IDENTITY), ("registrytoken", Kind.BEARER)):
        token = entry.get(field)
        if isinstance(token, str) and token:
            return Credential(username=username, secret=Secret(token), kind=kind, origin=origin)
    if not password:
        return None
    return Credential(username=username, secret=Secret(password), origin=origin)


def _user_and_password(entry: Mapping[str, Any], path: Path, host: str) -> tuple[str, str]:
    packed = entry.get("auth")
    if not packed:
        return str(entry.get("username") or ""), str(entry.get("password") or "")
    try:
        text = base64.b64decode(packed, validate=True).decode()
    except (TypeError, ValueError, binascii.Error):
        text = ""
    username, colon, password = text.partition(":")
    if not colon:
        msg = f"the login for {host} in {path} is not base64 of user:password"
        raise CredentialsError(msg, hint="log in again") from None
    return username, password.rstrip("\0")


# --- helpers -------------------------------------------------------------------------------


class _Helpers:
    """Asks ``docker-credential-…`` programs, each at most once in a while."""

    def __init__(self, environ: Mapping[str, str], clock: Clock) -> None:
        self._environ = environ
        self._clock = clock
        self._locks = Locks()
        self._held: dict[str, dict[str, tuple[float, Credential | None]]] = {}

    def ask(self, name: str, host: str) -> Credential | None:
        """Return what the helper ``name`` knows about ``host``."""
        with self._locks.of(host):
            held = self._held.setdefault(host, {})
            good_until, login = held.get(name, (float("-inf"), None))
            if self._clock.monotonic() >= good_until:
                login = self._run(name, host)
                held[name] = (self._clock.monotonic() + HELPER_KEEP, login)
            return login

    def forget(self, host: str, refused: Credential) -> None:
        """Drop what was refused, whichever helper said it about ``host``."""
        with self._locks.of(host):
            held = self._held.get(host, {})
            self._held[host] = {name: said for name, said in held.items() if said[1] != refused}

    def _run(self, name: str, host: str) -> Credential | None:
        if not _HELPER_NAME.fullmatch(name):
            msg = f"{name[:80]!r} cannot be the name of a credential helper"
            raise CredentialsError(msg, hint="see credHelpers and credsStore in the auth file")
        program = f"docker-credential-{name}"
        said = run_program((program, "get"), server_name(host), environ=self._environ)
        if said.status and _NOT_FOUND in said.output.lower():
            return None
        if said.status:
            msg = f"the credential helper {program!r} ended with status {said.status} for {host}"
            raise CredentialsError(msg, hint=f"try: echo {server_name(host)} | {program} get")
        return read_login(said.output, program, origin=f"helper {program}")
