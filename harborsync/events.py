"""What happens during a run, as frozen records for whoever listens.

    PlanReady → RunStarted → StepStarted → (BlobStarted → BytesMoved… → BlobFinished)…
    → ManifestWritten… → LabelsChanged → StepFinished → … → RepositoryDescribed…
    → RunFinished, and RetryScheduled in between

Progress bars, metrics and audit logs are listeners; nothing in the house knows them. A
listener that raises is logged and never stops a copy.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from harborsync.errors import Side
    from harborsync.reference import ArtifactRef, Digest

_log = logging.getLogger(__name__)


class BlobOutcome(StrEnum):
    """How a blob came to be at the destination."""

    UPLOADED = "uploaded"
    MOUNTED = "mounted"
    PRESENT = "present"


@attrs.frozen(kw_only=True)
class Event:
    """Anything that happened.

    Attributes:
        at: When, aware and in UTC.
    """

    at: datetime


@attrs.frozen(kw_only=True)
class RunStarted(Event):
    """A run began.

    Attributes:
        steps: Number of steps in its plan.
    """

    steps: int


@attrs.frozen(kw_only=True)
class PlanReady(Event):
    """A plan was made.

    Attributes:
        steps: Number of steps.
        to_copy: Number of steps that will write.
        bytes_at_most: What they will move at the most, or None if it was not asked.
    """

    steps: int
    to_copy: int
    bytes_at_most: int | None


@attrs.frozen(kw_only=True)
class StepEvent(Event):
    """Something about one step.

    Attributes:
        rule: Name of the rule.
        source: What is copied, with its digest.
        destination: Where to, inside the registry ``to``.
        to: The destination endpoint as text.
    """

    rule: str
    source: ArtifactRef
    destination: ArtifactRef
    to: str


@attrs.frozen(kw_only=True)
class StepStarted(StepEvent):
    """Work on a step began."""


@attrs.frozen(kw_only=True)
class StepFinished(StepEvent):
    """Work on a step ended.

    Attributes:
        outcome: The value of its :class:`~harborsync.report.Outcome`.
        seconds: How long it took.
        bytes_sent: Bytes of blobs sent for it.
        error: What went wrong, one line, or None.
    """

    outcome: str
    seconds: float
    bytes_sent: int
    error: str | None = None


@attrs.frozen(kw_only=True)
class BlobEvent(Event):
    """Something about one blob.

    Attributes:
        to: The destination registry's name.
        repository: The repository it goes to.
        digest: Its digest.
        size: Its length in bytes.
    """

    to: str
    repository: str
    digest: Digest
    size: int


@attrs.frozen(kw_only=True)
class BlobStarted(BlobEvent):
    """A blob is about to be sent, mounted or found present."""


@attrs.frozen(kw_only=True)
class BytesMoved(BlobEvent):
    """Some bytes of a blob went over.

    Attributes:
        count: How many since the last such event.
    """

    count: int


@attrs.frozen(kw_only=True)
class BlobFinished(BlobEvent):
    """A blob is at the destination.

    Attributes:
        outcome: How it came to be there.
    """

    outcome: BlobOutcome


@attrs.frozen(kw_only=True)
class ManifestWritten(Event):
    """A manifest was written.

    Attributes:
        to: The destination registry's name.
        artifact: Its repository, digest, and tag if it was written under one.
    """

    to: str
    artifact: ArtifactRef


@attrs.frozen(kw_only=True)
class LabelsChanged(Event):
    """Labels of an artifact were changed.

    Attributes:
        to: The destination registry's name.
        artifact: Its repository and digest.
        attached: Names of the labels it got.
        detached: Names of those taken off.
    """

    to: str
    artifact: ArtifactRef
    attached: tuple[str, ...] = ()
    detached: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class RepositoryDescribed(Event):
    """The text about a repository was replaced.

    Attributes:
        to: The destination registry's name.
        repository: The repository.
        old: What it was, when the plan was made.
        new: What it is.
    """

    to: str
    repository: str
    old: str
    new: str


@attrs.frozen(kw_only=True)
class RetryScheduled(Event):
    """A request will be repeated after a wait.

    Attributes:
        host: The host asked.
        side: On which side it is, where that is known.
        operation: What was tried, for people.
        attempt: The number of the try that failed, from 1.
        wait: Seconds until the next one.
        reason: Why it failed, one line.
    """

    host: str
    operation: str
    attempt: int
    wait: float
    reason: str
    side: Side | None = None


@attrs.frozen(kw_only=True)
class RunFinished(Event):
    """A run ended.

    Attributes:
        seconds: How long it took.
        outcomes: Number of steps by outcome, as pairs.
        bytes_sent: Bytes of blobs sent.
    """

    seconds: float
    outcomes: tuple[tuple[str, int], ...]
    bytes_sent: int


class Listener(Protocol):
    """Anything that can be called with an event; it may be called from several threads."""

    def __call__(self, event: Event, /) -> None:
        """Take note of ``event``."""
        ...


class Dispatcher:
    """Hands events to listeners; thread-safe as far as they are."""

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        self._listeners = tuple(listeners)

    def __bool__(self) -> bool:
        """Tell whether anybody listens, so that costly events need not be made."""
        return bool(self._listeners)

    def __call__(self, event: Event, /) -> None:
        """Tell every listener; one that raises is logged and passed over."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - a listener is a user's code and may do anything
                _log.exception("listener %r failed on %s", listener, type(event).__name__)


#: Tells nobody.
SILENT = Dispatcher()
