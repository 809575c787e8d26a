"""What the emulators of clouds have in common: an API of theirs beside a registry on loopback.

An emulator is two servers over one storage. The *data plane* is an embedded registry that lets in
who has bought a login, knows which repositories there are, and which tags may not be moved. The
*control plane* is the vendor's API: it verifies how each request is signed, sells those logins,
makes repositories and lists images. The vendor's own SDK talks to it.
"""

from __future__ import annotations

import base64
import secrets
import threading
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.clock import SystemClock
from harborsync.testing.closing import Closing
from harborsync.testing.scripted import ScriptedServer
from harborsync.testing.server_wire import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from harborsync.clock import Clock
    from harborsync.reference import Digest
    from harborsync.testing.faults import Fault
    from harborsync.testing.profiles import LoopbackQuirks
    from harborsync.testing.scripted import Heard, Said
    from harborsync.testing.server import LoopbackRegistry
    from harborsync.testing.server_connection import LoggedRequest
    from harborsync.testing.server_wire import Request, Response
    from harborsync.testing.storage import Storage
    from harborsync.testing.tls import TestAuthority

_READS: Final = frozenset({"GET", "HEAD"})


class ApiRefusal(Exception):
    """The control plane says no.

    Args:
        status: The HTTP status.
        code: The vendor's error code.
        message: Its words.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


@attrs.frozen(kw_only=True)
class ApiCall:
    """One line of the control plane's log; holds no secret.

    Attributes:
        operation: What was asked for.
        who: Who asked, as far as that is known.
        code: The error code of the answer, or nothing.
    """

    operation: str
    who: str = ""
    code: str = ""


class ApiLog:
    """The log of a control plane, and what is to go wrong with its next calls; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[ApiCall] = []
        self._planned: dict[str, list[ApiRefusal]] = {}

    @property
    def calls(self) -> tuple[ApiCall, ...]:
        """Every call since the start or the last ``clear()``, in order."""
        with self._lock:
            return tuple(self._calls)

    def note(self, call: ApiCall) -> None:
        """Write a line."""
        with self._lock:
            self._calls.append(call)

    def clear(self) -> None:
        """Forget the calls so far."""
        with self._lock:
            self._calls.clear()

    def plan(self, operation: str, refusal: ApiRefusal, times: int = 1) -> None:
        """Have the next calls of an operation refused."""
        with self._lock:
            self._planned.setdefault(operation, []).extend([refusal] * times)

    def check(self, operation: str) -> None:
        """Let a call pass.

        Raises:
            ApiRefusal: It was planned to be refused.
        """
        with self._lock:
            planned = self._planned.get(operation)
            refusal = planned.pop(0) if planned else None
        if refusal is not None:
            raise refusal


@attrs.define
class CloudRepository:
    """A repository as the control plane keeps it.

    Attributes:
        name: Its name.
        created_at: When it was made.
        immutable: Whether its tags cannot be moved.
        settings: What else it was made with, in the vendor's words.
    """

    name: str
    created_at: datetime
    immutable: bool = False
    settings: dict[str, Any] = attrs.field(factory=dict)


class CloudRepositories:
    """The repositories there are, and the checks of the data plane that follow; thread-safe.

    Args:
        clock: Time.
        unknown: Makes the data plane's refusal of a repository that is not there.
        immutable: Makes its refusal to move a tag, given repository and tag.
        made_on_push: Tells whether a repository is made by the first push to it.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        unknown: Callable[[str], Refusal],
        immutable: Callable[[str, str], Refusal],
        made_on_push: Callable[[str], bool] = lambda name: False,  # noqa: ARG005
    ) -> None:
        self._clock = clock
        self._unknown = unknown
        self._immutable = immutable
        self._made_on_push = made_on_push
        self._lock = threading.Lock()
        self._by_name: dict[str, CloudRepository] = {}
        self._pushed_at: dict[tuple[str, str], datetime] = {}
        self.storage: Storage | None = None

    def create(self, name: str, *, immutable: bool = False, **settings: Any) -> bool:
        """Make a repository; False if it is there."""
        with self._lock:
            if name in self._by_name:
                return False
            self._by_name[name] = CloudRepository(
                name, self._clock.now(), immutable=immutable, settings=settings
            )
            return True

    def get(self, name: str) -> CloudRepository | None:
        """Return a repository, or None."""
        with self._lock:
            return self._by_name.get(name)

    def names(self) -> list[str]:
        """Return all names, sorted."""
        with self._lock:
            return sorted(self._by_name)

    def pushed_at(self, repository: str, digest: str) -> datetime:
        """Return when a manifest was pushed; one that was put there by a test was so just now."""
        with self._lock:
            return self._pushed_at.setdefault((repository, digest), self._clock.now())

    # --- what the data plane asks ----------------------------------------------------------

    def check_repository(self, request: Request, repository: str) -> None:
        """Let a request to a repository that is there pass; a push may make one.

        Raises:
            Refusal: It is not there.
        """
        if request.path.startswith("/storage/") or self.get(repository) is not None:
            return
        if request.method in _READS or not self._made_on_push(repository):
            raise self._unknown(repository)
        self.create(repository)

    def check_tags(self, repository: str, tags: Sequence[str], digest: Digest) -> None:
        """Let a manifest be stored, and note when.

        Raises:
            Refusal: A tag may not be moved.
        """
        found = self.get(repository)
        held = self.storage.tags(repository) if self.storage is not None else {}
        for tag in tags if found is not None and found.immutable else ():
            if held.get(tag, str(digest)) != str(digest):
                raise self._immutable(repository, tag)
        with self._lock:
            self._pushed_at.setdefault((repository, str(digest)), self._clock.now())


class PasswordDesk:
    """Sells passwords that end, and asks for one with every request to the data plane.

    Args:
        username: The only user.
        clock: Tells when a password has ended.
        expired: Makes the refusal of a password that was good once.
    """

    def __init__(self, username: str, clock: Clock, expired: Callable[[], Refusal]) -> None:
        self._username = username
        self._clock = clock
        self._expired = expired
        self._lock = threading.Lock()
        self._ends: dict[str, float] = {}

    @property
    def passwords(self) -> frozenset[str]:
        """Every password sold so far."""
        with self._lock:
            return frozenset(self._ends)

    def sell(self, lifetime: float) -> str:
        """Return a new password that is good for ``lifetime`` seconds."""
        password = secrets.token_urlsafe(48)
        with self._lock:
            self._ends[password] = self._clock.now().timestamp() + lifetime
        return password

    def expire(self) -> None:
        """End every password there is."""
        with self._lock:
            self._ends = dict.fromkeys(self._ends, 0.0)

    def admit(self, request: Request, quirks: LoopbackQuirks) -> None:  # noqa: ARG002
        """Let a request with a good password pass.

        Raises:
            Refusal: It has none, one of somebody else, or one that has ended.
        """
        end = self._end_of(request.headers.get("authorization", ""))
        if end is None:
            headers = {"WWW-Authenticate": f'Basic realm="{request.origin}/",service="loopback"'}
            raise Refusal(401, "UNAUTHORIZED", "authentication required", headers=headers)
        if end <= self._clock.now().timestamp():
            raise self._expired()

    def issue(self, request: Request, quirks: LoopbackQuirks) -> Response:  # noqa: ARG002
        """Say that there is no token server.

        Raises:
            Refusal: Always.
        """
        raise Refusal(404, "NOT_FOUND", "404 page not found")

    def _end_of(self, header: str) -> float | None:
        scheme, _, packed = header.partition(" ")
        try:
            user, _, password = base64.b64decode(packed, validate=True).decode().partition(":")
        except ValueError:
            return None
        if scheme.lower() != "basic" or user != self._username:
            return None
        with self._lock:
            return self._ends.get(password)


class CloudServers(Closing):
    """The two servers of an emulator, which subclasses give their vendor's ways.

    Args:
        answer: Answers the control plane's requests.
        registry: The data plane.
        clock: Time.
        tls: Makes the control plane's certificate; plain HTTP if None.
    """

    def __init__(
        self,
        answer: Callable[[Heard], Said],
        registry: LoopbackRegistry,
        *,
        clock: Clock | None = None,
        tls: TestAuthority | None = None,
    ) -> None:
        self.registry = registry
        self.clock = clock or SystemClock()
        self.log = ApiLog()
        self._api = ScriptedServer(answer, tls=tls.server_context() if tls else None)

    @property
    def api_url(self) -> str:
        """Where the control plane listens."""
        return self._api.origin

    @property
    def host(self) -> str:
        """Where the data plane listens."""
        return self.registry.host

    @property
    def storage(self) -> Storage:
        """What the registry holds, to seed and to check."""
        return self.registry.storage

    @property
    def requests(self) -> tuple[LoggedRequest, ...]:
        """Every request to the data plane since the start or the last ``clear_log()``."""
        return self.registry.requests

    @property
    def calls(self) -> tuple[ApiCall, ...]:
        """Every call of the control plane since the start or the last ``clear_log()``."""
        return self.log.calls

    def clear_log(self) -> None:
        """Forget the requests and calls so far."""
        self.registry.clear_log()
        self.log.clear()

    @property
    def faults(self) -> Callable[[Request], Fault | None] | None:
        """Asked for every request to the data plane what is to go wrong with it."""
        return self.registry.faults

    @faults.setter
    def faults(self, faults: Callable[[Request], Fault | None] | None) -> None:
        self.registry.faults = faults

    def close(self) -> None:
        """Close both servers."""
        self._api.close()
        self.registry.close()


def page_of(rows: Sequence[Any], size: int, token: str | None) -> tuple[Sequence[Any], str | None]:
    """Return a page of a listing, and the token of the next one or None.

    Raises:
        ValueError: The token is none of ours.
    """
    start = int(base64.b64decode(token, validate=True)) if token else 0
    end = start + size
    following = base64.b64encode(str(end).encode()).decode() if end < len(rows) else None
    return rows[start:end], following


def tags_by_digest(storage: Storage, repository: str) -> dict[str, list[str]]:
    """Return the tags of each digest that has some, sorted."""
    found: dict[str, list[str]] = {}
    for tag, digest in sorted(storage.tags(repository).items()):
        found.setdefault(digest, []).append(tag)
    return found
