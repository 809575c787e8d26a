"""Progress tells of steps, retries and bytes, and leaves logs without control characters."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harborsync.events import (
    BytesMoved,
    Event,
    PlanReady,
    RetryScheduled,
    RunFinished,
    RunStarted,
    StepFinished,
)
from harborsync.observe import Progress
from harborsync.reference import ArtifactRef, Digest

if TYPE_CHECKING:
    import pytest

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DIGEST = Digest.of(b"image")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def finished(**changes: Any) -> StepFinished:
    """Make the event of a step that ended."""
    fields: dict[str, Any] = {
        "at": NOW,
        "rule": "releases",
        "source": ArtifactRef.parse(f"team/app:v1@{DIGEST}"),
        "destination": ArtifactRef.parse(f"mirror/app:v1@{DIGEST}"),
        "to": "registry.example",
        "outcome": "copied",
        "seconds": 1.25,
        "bytes_sent": 2048,
    }
    return StepFinished(**{**fields, **changes})


def moved(count: int) -> BytesMoved:
    """Make the event of some bytes that went over."""
    return BytesMoved(
        at=NOW, to="registry.example", repository="app", digest=DIGEST, size=4096, count=count
    )


def told(out: io.StringIO, *events: Event) -> str:
    """Return what is written about some events."""
    progress = Progress(out)
    for event in events:
        progress(event)
    return out.getvalue()


def test_a_copied_artifact_is_a_line_with_its_names_and_bytes() -> None:
    """Without the digests, which nobody reads as they fly past."""
    line = told(io.StringIO(), finished())
    assert line == "copied  team/app:v1 -> mirror/app:v1  2.0 KiB in 1.2 s\n"


def test_an_artifact_without_a_tag_is_named_by_its_digest() -> None:
    """It has no other name."""
    untagged = ArtifactRef.parse(f"team/app@{DIGEST}")
    assert str(DIGEST) in told(io.StringIO(), finished(source=untagged))


def test_a_failed_artifact_is_a_line_with_the_reason() -> None:
    """On one line, whatever the server put into its message."""
    line = told(io.StringIO(), finished(outcome="failed", error="no\nroom \x1b[31mleft"))
    assert line == "failed  team/app:v1 -> mirror/app:v1: no room  [31mleft\n"


def test_an_unchanged_artifact_goes_without_a_word() -> None:
    """There may be ten thousand of them."""
    assert told(io.StringIO(), finished(outcome="skipped")) == ""


def test_a_wait_says_for_whom_and_why() -> None:
    """So that nobody takes it for a standstill."""
    retry = RetryScheduled(
        at=NOW, host="registry.example", operation="GET blob", attempt=2, wait=3.0, reason="503"
    )
    line = told(io.StringIO(), retry)
    assert line == "waiting  3.0 s for registry.example: try 2 to GET blob failed: 503\n"


def test_a_log_has_no_line_that_changes() -> None:
    """Bytes are counted on terminals only."""
    assert told(io.StringIO(), moved(100)) == ""


def test_a_terminal_counts_the_bytes_in_place() -> None:
    """Each count replaces the one before, and the last one is taken away."""
    events = (
        PlanReady(at=NOW, steps=1, to_copy=1, bytes_at_most=4096),
        RunStarted(at=NOW, steps=1),
        moved(1024),
        moved(1024),
        RunFinished(at=NOW, seconds=1.0, outcomes=(("copied", 1),), bytes_sent=2048),
    )
    assert told(Terminal(), *events).split("\r\x1b[K") == [
        "",
        "1.0 KiB of 4.0 KiB at most",
        "2.0 KiB of 4.0 KiB at most",
        "",
    ]


def test_a_block_that_changes_nothing_is_not_written() -> None:
    """A terminal is slower than a network."""
    out = Terminal()
    assert told(out, moved(2 * 2**20), moved(1)).count("\r") == 1


def test_a_line_stands_above_the_one_that_changes() -> None:
    """The count is wiped, the line written, the count written again."""
    text = told(Terminal(), moved(10), finished())
    count, line = "10 B of ? at most", "copied  team/app:v1 -> mirror/app:v1  2.0 KiB in 1.2 s"
    assert text == f"\r\x1b[K{count}\r\x1b[K{line}\n{count}"


def test_a_second_run_counts_from_nothing() -> None:
    """One listener may see many runs."""
    text = told(Terminal(), moved(10), RunStarted(at=NOW, steps=1), moved(20))
    assert text.endswith("20 B of ? at most")


def test_it_writes_to_standard_error_unless_told_otherwise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Standard output is for results."""
    Progress()(finished())
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith("copied")
