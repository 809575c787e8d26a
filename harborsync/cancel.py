"""What stops work in the middle: a flag for a whole run, a time limit for one artifact.

Both are looked at in one place, :meth:`Cancel.check`: between blocks and before every wait.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.errors import Cancelled, OutOfTime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


# How often, in seconds, whoever waits for another thread looks at the time.
_LOOK_AGAIN: Final = 1.0


@attrs.frozen(kw_only=True)
class TimeLimit:
    """How long work on one artifact may take.

    Attributes:
        seconds: The limit.
        monotonic: Tells the seconds from an arbitrary start.
        started: When the work began, by that.
        name: What people call the limit.
    """

    seconds: float
    monotonic: Callable[[], float]
    started: float = attrs.field()
    name: str = "time limit"

    @started.default
    def _now(self) -> float:
        return self.monotonic()

    def check(self) -> None:
        """Do nothing while there is time.

        Raises:
            OutOfTime: There is no more.
        """
        if self.monotonic() - self.started >= self.seconds:
            msg = f"it took longer than {self.name} = {self.seconds:g} s"
            raise OutOfTime(msg, hint=f"run again to go on, or raise {self.name}")


# Registries outlive a step and serve many at a time, so what one step may take travels with the
# threads that work on it.
_LIMIT: Final[ContextVar[TimeLimit | None]] = ContextVar("time_limit", default=None)


class limited:  # noqa: N801 - read as what is done within
    """Hold what this thread does to a limit, in place of an outer one; None for no limit.

    A thread that helps has it too if it is started in a copy of this one's context.

    Args:
        limit: The limit.
    """

    __slots__ = ("_limit", "_token")

    def __init__(self, limit: TimeLimit | None) -> None:
        self._limit = limit

    def __enter__(self) -> None:
        """Put the limit in place."""
        self._token = _LIMIT.set(self._limit)

    def __exit__(self, *_: object) -> None:
        """Put the outer limit back."""
        _LIMIT.reset(self._token)


def check_time() -> None:
    """Do nothing while the work of this thread is within its limit.

    Raises:
        OutOfTime: It is not.
    """
    limit = _LIMIT.get()
    if limit is not None:
        limit.check()


def acquire_in_time(lock: threading.Lock) -> None:
    """Take a lock that another thread may hold over requests, as long as there is time.

    That thread sees the flag of the run by itself, so whoever waits need not look at it.

    Raises:
        OutOfTime: There is no more.
    """
    while not lock.acquire(timeout=_LOOK_AGAIN):
        check_time()


@contextmanager
def held(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock that others hold over requests, too.

    Raises:
        OutOfTime: The time of this thread's work was up before the lock was free.
    """
    acquire_in_time(lock)
    try:
        yield
    finally:
        lock.release()


class Cancel:
    """A thread-safe flag that can be set once.

    Example:
        >>> cancel = Cancel()
        >>> cancel.check()
        >>> cancel.set()
        >>> cancel.is_set()
        True
    """

    def __init__(self) -> None:
        """Start unset."""
        self._event = threading.Event()

    def set(self) -> None:
        """Ask everything that looks at this flag to stop."""
        self._event.set()

    def is_set(self) -> bool:
        """Tell whether the flag is set."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for the flag, at most ``seconds``; tell whether it is set."""
        return self._event.wait(seconds)

    def check(self) -> None:
        """Do nothing unless the flag is set, or the time of this thread's work is up.

        Raises:
            Cancelled: The flag is set.
            OutOfTime: The time is up.
        """
        if self.is_set():
            raise Cancelled
        check_time()


class CurrentCancel(Cancel):
    """Stands for the flag of whatever run is under way; long-lived connections look at it."""

    def __init__(self) -> None:
        """Start with a flag nobody sets."""
        self._current = Cancel()

    def use(self, cancel: Cancel) -> None:
        """Look at ``cancel`` from now on."""
        self._current = cancel

    def set(self) -> None:
        """Set the current flag."""
        self._current.set()

    def is_set(self) -> bool:
        """Tell whether the current flag is set."""
        return self._current.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for the current flag, at most ``seconds``; tell whether it is set."""
        return self._current.wait(seconds)
