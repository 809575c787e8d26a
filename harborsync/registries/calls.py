"""How a request of the distribution API is put: its path, its token scopes, its refusals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import attrs

from harborsync.errors import InvalidReference, RateLimited
from harborsync.events import RetryScheduled
from harborsync.http.answers import error_from
from harborsync.http.wire import Call
from harborsync.reference import Digest, check_repository

if TYPE_CHECKING:
    from harborsync.errors import HarborsyncError, RegistryError
    from harborsync.http.wire import Answer, Transport
    from harborsync.provider import OpenContext

#: Content up to this many bytes is held in memory and sent or read in one call.
SMALL: Final = 2**20
#: So many bytes since the last failure count as progress: the tries begin anew (OCI-4.31).
PROGRESS: Final = 2**20
_PLAIN: Final = re.compile(r"[A-Za-z0-9._:-]*", re.ASCII)
_DIGITS: Final = 19  # of the longest length there can be, 2**63 - 1


@attrs.frozen(kw_only=True)
class Api:
    """One registry's distribution API.

    Attributes:
        name: What the registry is called in messages.
        transport: The way to it.
        context: Clock, policy, cancel flag and listeners.
    """

    name: str
    transport: Transport
    context: OpenContext

    def send(
        self, method: str, url: str, *, scopes: tuple[str, ...], what: str, **more: Any
    ) -> Answer:
        """Send a small request and return the answer, whatever it is."""
        return self.transport.send(self.call(method, url, scopes=scopes, what=what, **more))

    def call(
        self, method: str, url: str, *, scopes: tuple[str, ...], what: str, **more: Any
    ) -> Call:
        """Put a request."""
        return Call(method=method, url=url, scopes=scopes, what=f"{what} at {self.name}", **more)

    def refused(self, answer: Answer, what: str) -> RegistryError:
        """Return the error that an unwanted answer stands for."""
        return error_from(answer, f"{what} at {self.name}")

    def is_elsewhere(self, answer: Answer) -> bool:
        """Tell whether another host than the registry answered, as storage behind it does."""
        return urlsplit(answer.url).netloc != urlsplit(self.transport.origin).netloc


def path(repository: str, *parts: object) -> str:
    """Return ``/v2/<repository>/<parts>`` from parts that cannot be anything else (OCI-1.8)."""
    tail = "/".join(_quoted(str(part)) for part in parts)
    return f"/v2/{check_repository(repository)}/{tail}"


def _quoted(part: str) -> str:
    return part if _PLAIN.fullmatch(part) else quote(part, safe=":")


def pulling(repository: str) -> tuple[str, ...]:
    """Return the scopes to read from a repository (OCI-2.11)."""
    return (f"repository:{repository}:pull",)


def pushing(repository: str, *, mounting_from: str = "") -> tuple[str, ...]:
    """Return the scopes to write to a repository; that scope goes first (OCI-2.12)."""
    scopes = (f"repository:{repository}:pull,push",)
    is_foreign = mounting_from and mounting_from != repository
    return (*scopes, *pulling(mounting_from)) if is_foreign else scopes


def said_digest(answer: Answer) -> Digest | None:
    """Return Docker-Content-Digest, or None where it is not a digest (OCI-9.9)."""
    try:
        return Digest.parse(answer.headers.get("Docker-Content-Digest"))
    except InvalidReference:
        return None


def said_length(answer: Answer) -> int | None:
    """Return Content-Length, or None where it is not a number."""
    return whole_number(answer.headers.get("Content-Length"))


def whole_number(text: str) -> int | None:
    """Read a whole number out of a header, or return None."""
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if is_number else None


class Tries:
    """Counts the tries of one transfer and waits between them; one thread each.

    Args:
        api: Whose clock, policy and listeners count.
        operation: What is tried, for people.
    """

    def __init__(self, api: Api, operation: str) -> None:
        self.made = 1
        self._context = api.context
        self._host = urlsplit(api.transport.origin).netloc
        self._operation = operation
        self._fruitless = 0
        self._failing_since = 0.0

    def again(self, error: HarborsyncError, *, moved: int) -> None:
        """Wait until the next try, or raise ``error`` if there is to be none.

        Args:
            error: Why the last one failed.
            moved: Bytes that came across since the failure before.
        """
        if moved >= PROGRESS:
            self._fruitless = 0
        if not self._fruitless:
            self._failing_since = self._context.clock.monotonic()
        self._fruitless += 1
        wait = self._wait_after(error)
        if wait is None:
            raise error
        self._announce(error, wait)
        self._context.clock.sleep(wait, self._context.cancel)
        self.made += 1

    def _wait_after(self, error: HarborsyncError) -> float | None:
        policy = self._context.retry
        passed = self._context.clock.monotonic() - self._failing_since
        out_of_time = policy.deadline is not None and passed >= policy.deadline
        asked = (error.retry_after or 0.0) if isinstance(error, RateLimited) else 0.0
        if self._fruitless >= policy.attempts or out_of_time or asked > policy.retry_after_cap:
            return None
        return max(asked, policy.wait_before(self._fruitless + 1, self._context.rng))

    def _announce(self, error: HarborsyncError, wait: float) -> None:
        self._context.emit(
            RetryScheduled(
                at=self._context.clock.now(),
                host=self._host,
                operation=self._operation,
                attempt=self.made,
                wait=wait,
                reason=error.message,
                side=error.side,
            )
        )
