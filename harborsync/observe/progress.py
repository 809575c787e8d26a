"""How a run goes, line by line, for a terminal or a log.

>>> import sys
>>> from harborsync import ReplicationRule, Replicator
>>> from harborsync.observe import Progress
>>> rule = ReplicationRule(
...     name="all", source="memory://here", destinations="memory://there", where="everything"
... )
>>> with Replicator([rule], listeners=[Progress(sys.stdout)]) as replicator:
...     report = replicator.run()
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.events import (
    BytesMoved,
    Event,
    PlanReady,
    RetryScheduled,
    RunFinished,
    RunStarted,
    StepFinished,
)
from harborsync.tables import human_bytes, one_line

if TYPE_CHECKING:
    from typing import TextIO

    from harborsync.reference import ArtifactRef

#: What takes a terminal back to the start of an empty line.
_BLANK: Final = "\r\x1b[K"
_UNCHANGED: Final = "skipped"


class Progress:
    """A listener that writes a line for every step that did something, and for every retry.

    On a terminal, a line below them counts the bytes and changes in place; in a log there is
    no such line. Safe to call from several threads.

    Args:
        out: Where to write; standard error if left out.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stderr if out is None else out
        self._is_terminal = self._out.isatty()
        self._lock = threading.Lock()
        self._at_most: int | None = None
        self._moved = 0
        self._count = ""

    def __call__(self, event: Event, /) -> None:
        """Write what is worth a line."""
        with self._lock:
            self._tell(event)

    def _tell(self, event: Event) -> None:
        match event:
            case PlanReady():
                self._at_most = event.bytes_at_most
            case RunStarted():
                self._moved = 0
            case BytesMoved():
                self._moved += event.count
                self._show(f"{human_bytes(self._moved)} of {human_bytes(self._at_most)} at most")
            case RetryScheduled():
                self._line(_retry(event))
            case StepFinished() if event.outcome != _UNCHANGED:
                self._line(_step(event))
            case RunFinished():
                self._show("")

    def _line(self, text: str) -> None:
        """Write a line that stays, above the one that changes."""
        blank = _BLANK if self._count else ""
        self._out.write(f"{blank}{one_line(text)}\n{self._count}")
        self._out.flush()

    def _show(self, count: str) -> None:
        """Change the line that changes; blocks too small to change it are not worth a write."""
        if self._is_terminal and count != self._count:
            self._count = count
            self._out.write(f"{_BLANK}{count}")
            self._out.flush()


def _step(event: StepFinished) -> str:
    names = f"{_name(event.source)} -> {_name(event.destination)}"
    if event.error is not None:
        return f"{event.outcome}  {names}: {event.error}"
    return f"{event.outcome}  {names}  {human_bytes(event.bytes_sent)} in {event.seconds:.1f} s"


def _retry(event: RetryScheduled) -> str:
    return (
        f"waiting  {event.wait:.1f} s for {event.host}: try {event.attempt} to "
        f"{event.operation} failed: {event.reason}"
    )


def _name(artifact: ArtifactRef) -> str:
    """Return the tag's name where there is one: nobody reads digests that fly past."""
    return str(attrs.evolve(artifact, digest=None) if artifact.tag else artifact)
