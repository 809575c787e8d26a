"""The flag that stops a run: looked at between blocks and before every wait."""

from __future__ import annotations

import threading

from harborsync.errors import Cancelled


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
        """Do nothing unless the flag is set.

        Raises:
            Cancelled: The flag is set.
        """
        if self.is_set():
            raise Cancelled


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
