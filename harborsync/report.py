"""The ledger's last page: what became of every step, as a value that prints and serialises."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

import attrs

from harborsync.errors import ConfigurationError, ReplicationFailed
from harborsync.failure import Failure
from harborsync.mapping import from_mapping, to_mapping
from harborsync.plan import METADATA_COLUMNS, DescriptionChange, LabelChange, PlanFailure, Step
from harborsync.tables import html_table, human_bytes, text_table

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLUMNS: Final = ("outcome", "source", "destination", "sent", "mounted", "seconds", "reason")


class Outcome(StrEnum):
    """What became of a step."""

    COPIED = "copied"
    RELABELLED = "relabelled"  # the artifact was there; its labels were changed
    SKIPPED = "skipped"
    CONFLICT = "conflict"  # something else is under the name, and was left alone
    REFUSED = "refused"  # a policy said no
    FAILED = "failed"
    CANCELLED = "cancelled"


#: The outcomes after which the artifact is not at the destination as it was wished.
TROUBLE: Final = frozenset({Outcome.CONFLICT, Outcome.REFUSED, Outcome.FAILED, Outcome.CANCELLED})


@attrs.frozen(kw_only=True)
class StepResult:
    """What became of one artifact at one destination.

    Attributes:
        step: What was planned.
        outcome: What became of it.
        reason: Why, for people.
        at: When it ended, aware and in UTC.
        seconds: How long it took.
        bytes_sent: Bytes of blobs sent, repeated ones included.
        bytes_mounted: Bytes of blobs mounted from another repository there.
        bytes_present: Bytes of blobs that were there already.
        attempts: The most tries one of its blobs took.
        satellites: Number of signatures, SBOMs and other satellites now there.
        labels: What was changed of its labels, or None.
        warnings: What went wrong beside the artifact itself.
        failure: What went wrong, or None.
    """

    step: Step
    outcome: Outcome
    reason: str
    at: datetime
    seconds: float = 0.0
    bytes_sent: int = 0
    bytes_mounted: int = 0
    bytes_present: int = 0
    attempts: int = 1
    satellites: int = 0
    labels: LabelChange | None = None
    warnings: tuple[str, ...] = ()
    failure: Failure | None = None

    def to_row(self) -> tuple[str, ...]:
        """Return the result as texts, one for each column of the report's table."""
        _, source, destination, _, _ = self.step.to_row()
        return (
            self.outcome.value,
            source,
            destination,
            human_bytes(self.bytes_sent),
            human_bytes(self.bytes_mounted),
            f"{self.seconds:.1f}",
            str(self.failure or self.reason),
        )


@attrs.frozen(kw_only=True)
class DescriptionResult:
    """What became of the text about one repository at one destination.

    Attributes:
        change: What was planned.
        failure: What went wrong, or None; it makes no run fail.
    """

    change: DescriptionChange
    failure: Failure | None = None


@attrs.frozen(kw_only=True)
class Report:
    """What became of a plan.

    Attributes:
        started_at: When the run began, aware and in UTC.
        seconds: How long it took.
        results: One for each step of the plan, in its order.
        unplanned: What could not even be planned.
        descriptions: What became of the texts about repositories.
        notes: What the reader of the plan should know.
    """

    started_at: datetime
    seconds: float
    results: tuple[StepResult, ...]
    unplanned: tuple[PlanFailure, ...] = ()
    descriptions: tuple[DescriptionResult, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of results."""
        return len(self.results)

    def __iter__(self) -> Iterator[StepResult]:
        """Yield the results."""
        return iter(self.results)

    def __bool__(self) -> bool:
        """A report is true whatever is in it; see :attr:`ok`."""
        return True

    def of(self, outcome: Outcome) -> tuple[StepResult, ...]:
        """Return the results with this outcome."""
        return tuple(result for result in self.results if result.outcome is outcome)

    @property
    def copied(self) -> tuple[StepResult, ...]:
        """What was copied."""
        return self.of(Outcome.COPIED)

    @property
    def labelled(self) -> tuple[StepResult, ...]:
        """That of which labels were changed, whether it was copied or there already."""
        return tuple(result for result in self.results if result.labels is not None)

    @property
    def described(self) -> tuple[DescriptionChange, ...]:
        """The texts about repositories that were changed."""
        return tuple(each.change for each in self.descriptions if each.failure is None)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong beside the artifacts themselves, and makes no run fail."""
        found = [f"{r.step.source}: {text}" for r in self.results for text in r.warnings]
        described = ((each.change, each.failure) for each in self.descriptions)
        return (*found, *(_undescribed(change, why) for change, why in described if why))

    @property
    def skipped(self) -> tuple[StepResult, ...]:
        """What was left as it was."""
        return self.of(Outcome.SKIPPED)

    @property
    def failed(self) -> tuple[StepResult, ...]:
        """What failed."""
        return self.of(Outcome.FAILED)

    @property
    def trouble(self) -> tuple[StepResult, ...]:
        """Everything that is not at its destination as it was wished."""
        return tuple(result for result in self.results if result.outcome in TROUBLE)

    @property
    def ok(self) -> bool:
        """Whether everything is where it was wished."""
        return not self.trouble and not self.unplanned

    @property
    def bytes_sent(self) -> int:
        """Bytes of blobs sent."""
        return sum(result.bytes_sent for result in self.results)

    @property
    def bytes_mounted(self) -> int:
        """Bytes of blobs mounted instead of sent."""
        return sum(result.bytes_mounted for result in self.results)

    @property
    def outcomes(self) -> tuple[tuple[str, int], ...]:
        """Number of results by outcome."""
        counts = Counter(result.outcome for result in self.results)
        return tuple((outcome.value, counts[outcome]) for outcome in Outcome if counts[outcome])

    def raise_for_failures(self) -> Self:
        """Return this report if all is well.

        Raises:
            ReplicationFailed: Something is not where it was wished; the error has the report.
        """
        if self.ok:
            return self
        first = self.trouble[0].failure if self.trouble else self.unplanned[0].failure
        why = first.message if first else self.trouble[0].reason
        error = ReplicationFailed(f"{self.summary()}; first: {why}", self)
        error.hint = first.hint if first else None
        raise error

    def summary(self) -> str:
        """Return one line for people."""
        parts = [f"{count} {outcome}" for outcome, count in self.outcomes]
        if self.described:
            parts.append(f"{len(self.described)} described")
        if self.unplanned:
            parts.append(f"{len(self.unplanned)} not planned")
        moved = f"{human_bytes(self.bytes_sent)} sent, {human_bytes(self.bytes_mounted)} mounted"
        return f"{', '.join(parts) or 'nothing to do'}; {moved} in {self.seconds:.1f} s"

    def to_rows(self) -> tuple[dict[str, str | int | float | None], ...]:
        """Return one flat mapping for each result, for tables and data frames."""
        return tuple(_flat(result) for result in self.results)

    def to_json(self) -> str:
        """Return the report as JSON; it holds no secret."""
        return json.dumps(to_mapping(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a report.

        Raises:
            ConfigurationError: It is none.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            msg = "the text is no JSON, so no report"
            raise ConfigurationError(msg) from error
        return from_mapping(cls, data)

    def __str__(self) -> str:
        """Return the whole report as a table for people."""
        lines = [text_table(_COLUMNS, [r.to_row() for r in self.results])] if self.results else []
        lines += [": ".join(row) for row in self._metadata_rows()]
        lines += [f"not planned: {each.what}: {each.failure.in_full}" for each in self.unplanned]
        lines += [f"warning: {warning}" for warning in self.warnings]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"hint: {hint}" for hint in self._hints()]
        return "\n".join([*lines, self.summary()])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Show the report in a notebook."""
        html = html_table(self.summary(), _COLUMNS, [result.to_row() for result in self.results])
        if metadata := self._metadata_rows():
            html += html_table("metadata", METADATA_COLUMNS, metadata)
        return {"text/plain": str(self), "text/html": html}

    def _hints(self) -> dict[str, None]:
        """Return what to do about the failures, each advice once."""
        found = (result.failure.hint for result in self.results if result.failure)
        return dict.fromkeys(hint for hint in found if hint)

    def _metadata_rows(self) -> list[tuple[str, str, str]]:
        labels = [("labels", r.step.where, str(r.labels)) for r in self.labelled]
        return labels + [("description", each.where, str(each)) for each in self.described]


def _undescribed(change: DescriptionChange, failure: Failure) -> str:
    return f"{change.where}: its description could not be changed: {failure.in_full}"


def _flat(result: StepResult) -> dict[str, str | int | float | None]:
    step, failure = result.step, result.failure
    return {
        "rule": step.rule,
        "source": str(step.source),
        "to": str(step.to),
        "destination": str(step.destination),
        "outcome": result.outcome.value,
        "reason": result.reason,
        "at": result.at.isoformat(),
        "seconds": result.seconds,
        "bytes_sent": result.bytes_sent,
        "bytes_mounted": result.bytes_mounted,
        "bytes_present": result.bytes_present,
        "attempts": result.attempts,
        "satellites": result.satellites,
        "labels": str(result.labels or ""),
        "error": failure.message if failure else None,
        "side": failure.side.value if failure and failure.side else None,
        "hint": failure.hint if failure else None,
    }
