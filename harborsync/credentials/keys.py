"""Keys that sign requests to a cloud: what they are, and how they are renewed.

Where they are found, and how a session's are spelt, is a matter of each cloud.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import attrs

from harborsync.credentials.base import renewal_of
from harborsync.errors import CredentialsError, CredentialsExpired, NoCredentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

    from harborsync.clock import Clock
    from harborsync.secrets import Secret

_T = TypeVar("_T")
_Role = TypeVar("_Role")


@attrs.frozen(kw_only=True)
class Keys:
    """A key that signs.

    Attributes:
        key_id: Its id.
        secret: Its secret.
        token: The security token that must come with it, if it is a session's.
        expires_at: When it ends, aware and in UTC, or None.
        origin: Where it came from, for people.
    """

    key_id: str
    secret: Secret
    token: Secret | None = None
    expires_at: datetime | None = None
    origin: str = "argument"


class RenewingKeys:
    """Renews keys ahead of their end; of many threads that ask, one fetches.

    Args:
        fetch: Gets keys; may take its time.
        clock: Tells when they are about to end.
    """

    def __init__(self, fetch: Callable[[], Keys], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Keys | None = None
        self._renew_at: datetime | None = None

    def get(self) -> Keys:
        """Return keys that are good for a while yet."""
        with self._lock:
            if self._held is None or self._is_due():
                self._held = None
                fresh = self._fetch()
                self._renew_at = renewal_of(fresh.expires_at, self._clock.now())
                self._held = fresh
            return self._held

    def forget(self, refused: Keys) -> None:
        """Drop keys that were refused, unless there are others by now."""
        with self._lock:
            if self._held == refused:
                self._held = None

    def use(self, call: Callable[[Keys], _T]) -> _T:
        """Return what a call by these keys gives; once more by others if they have ended early.

        Raises:
            CredentialsExpired: They have, and there are no others.
        """
        keys = self.get()
        try:
            return call(keys)
        except CredentialsExpired:
            self.forget(keys)
            renewed = self.get()
            if renewed == keys:
                raise
        return call(renewed)

    def _is_due(self) -> bool:
        return self._renew_at is not None and self._clock.now() >= self._renew_at


class Finding:
    """Finds keys, and remembers that there are none: a machine that is none keeps one waiting.

    Args:
        find: Finds them.
    """

    def __init__(self, find: Callable[[], Keys]) -> None:
        self._find = find
        self._nobody: NoCredentials | None = None

    def __call__(self) -> Keys:
        """Return the keys.

        Raises:
            NoCredentials: There are none.
        """
        if self._nobody is not None:
            raise NoCredentials(self._nobody.message, hint=self._nobody.hint)
        try:
            return self._find()
        except NoCredentials as error:
            self._nobody = error
            raise


def through_roles(
    find: Callable[[], Keys],
    roles: Iterable[_Role],
    assume: Callable[[_Role, RenewingKeys], Keys],
    clock: Clock,
) -> RenewingKeys:
    """Return the keys of the last role, each assumed by the one before; asks nobody yet.

    Args:
        find: Gets the keys to begin with.
        roles: The roles.
        assume: Gets keys of a role, by the keys of whoever may assume it.
        clock: Tells when they are about to end.
    """
    keys = RenewingKeys(find, clock)
    for role in roles:
        keys = RenewingKeys(partial(assume, role, keys), clock)
    return keys


def token_of_pod(file: Path, variable: str) -> str:
    """Read the token by which a pod proves who it is.

    Args:
        file: Where it is.
        variable: Which variable says so, for people.

    Raises:
        CredentialsError: It cannot be read.
    """
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"the token of the pod cannot be read from {file}: {error}"
        hint = f"see {variable}, and that the pod mounts the token"
        raise CredentialsError(msg, hint=hint) from None
