"""The packing list: what would be copied where, and why, before anything is written.

Planning only reads. What a listing tells is not asked again; where no listing tells a digest,
one request a tag and side does: a HEAD, or, of a tag that a destination lacks, the GET that its
copy needs anyway. For steps that will copy, everything that travels is read from the source
once and kept for the run, unless the listing told its size; ``sizes=False`` leaves that to the
run.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

import attrs

from harborsync.artifact import Label
from harborsync.endpoint import Endpoint
from harborsync.errors import ConfigurationError, PlanRefused
from harborsync.failure import Failure
from harborsync.mapping import from_mapping, to_mapping
from harborsync.reference import ArtifactRef, Digest
from harborsync.rule import ReplicationRule
from harborsync.tables import html_table, human_bytes, one_line, shortened, text_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FORMAT: Final = 1
_COLUMNS: Final = ("action", "source", "destination", "bytes", "reason")
METADATA_COLUMNS: Final = ("what", "destination", "change")


class Action(StrEnum):
    """What a step will do."""

    COPY = "copy"
    SATELLITES = "satellites"  # the artifact is there; what is said about it is not
    RELABEL = "relabel"  # the artifact is there; its labels differ
    SKIP = "skip"
    CONFLICT = "conflict"


@attrs.frozen(kw_only=True)
class LabelChange:
    """What becomes of an artifact's labels at a destination.

    Attributes:
        attach: The labels it gets, as the source defines them.
        detach: The names of those taken off.
        make: The names of those attached that the destination lacks so far.
    """

    attach: tuple[Label, ...] = ()
    detach: tuple[str, ...] = ()
    make: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the change on one line: ``+ready (new), -draft``."""
        new = dict.fromkeys(self.make, " (new)")
        attached = (f"+{label.name}{new.get(label.name, '')}" for label in self.attach)
        return one_line(", ".join([*attached, *(f"-{name}" for name in self.detach)]))


@attrs.frozen(kw_only=True)
class DescriptionChange:
    """What becomes of the text about a repository at a destination.

    Attributes:
        rule: Name of the rule.
        to: The destination.
        source: The repository at the source.
        destination: The repository at the destination.
        old: The text it has there.
        new: The text it gets.
    """

    rule: str
    to: Endpoint
    source: str
    destination: str
    old: str
    new: str

    @property
    def where(self) -> str:
        """The repository at the destination, for people."""
        return place_of(self.to, self.destination)

    def __str__(self) -> str:
        """Return the change on one line, long texts cut in the middle."""
        return f"{_quoted(self.old)} → {_quoted(self.new)}"


@attrs.frozen(kw_only=True)
class Step:
    """One artifact and one destination.

    Attributes:
        rule: Name of the rule.
        to: The destination.
        source: What is copied: repository, tag if it has one, and always the digest.
        destination: Under what name: repository and tag; the digest it will have there.
        action: What will be done.
        reason: Why.
        found: The digest the destination's tag had, or None if it was not there.
        bytes_at_most: Bytes of blobs to move at the most, satellites included; None if that
            was not asked, 0 where nothing is copied. Where the source's listing tells the bytes
            of an artifact, nothing is read for this, and its satellites are not counted.
        labels: What becomes of its labels afterwards, or None if they stay as they are. Of
            several steps that bring one digest to one repository, one has it.
    """

    rule: str
    to: Endpoint
    source: ArtifactRef
    destination: ArtifactRef
    action: Action
    reason: str
    found: Digest | None = None
    bytes_at_most: int | None = None
    labels: LabelChange | None = None

    @property
    def writes(self) -> bool:
        """Whether content will be written for it."""
        return self.action in {Action.COPY, Action.SATELLITES}

    @property
    def wanted(self) -> Digest:
        """The digest that the destination is to have.

        Raises:
            ConfigurationError: The step was not made by a planner.
        """
        if self.destination.digest is None:
            msg = f"a step for {self.source} does not say which digest it wants"
            raise ConfigurationError(msg, hint="make the plan again")
        return self.destination.digest

    @property
    def where(self) -> str:
        """The name at the destination, for people."""
        return place_of(self.to, str(attrs.evolve(self.destination, digest=None)))

    @property
    def source_name(self) -> ArtifactRef:
        """Repository and tag at the source."""
        return attrs.evolve(self.source, digest=None)

    def to_row(self) -> tuple[str, ...]:
        """Return the step as texts, one for each column of the plan's table."""
        return (
            self.action.value,
            str(attrs.evolve(self.source, digest=None if self.source.tag else self.source.digest)),
            self.where,
            human_bytes(self.bytes_at_most),
            self.reason,
        )


@attrs.frozen(kw_only=True)
class PlanFailure:
    """Something that could not be planned; it stops nothing else.

    Attributes:
        rule: Name of the rule.
        what: The repository or artifact.
        failure: What went wrong.
    """

    rule: str
    what: str
    failure: Failure

    def concerns(self, name: ArtifactRef) -> bool:
        """Tell whether ``name`` is what failed, or lies in the repository that did."""
        return self.what.partition("@")[0] in {str(name), name.repository}


@attrs.frozen(kw_only=True)
class Verdict:
    """Whether a rule wants an artifact of its source, and why.

    Attributes:
        rule: Name of the rule.
        artifact: Repository and tag at the source.
        chosen: Whether it is wanted.
        why: The clauses that decided, with the facts they went by.
    """

    rule: str
    artifact: ArtifactRef
    chosen: bool
    why: str


@attrs.frozen(kw_only=True)
class Plan:
    """What a run will do, as a value that can be printed, stored, reviewed and run later.

    Attributes:
        rules: The rules it was made from.
        made_at: When planning began, aware and in UTC.
        steps: One for each artifact and destination, grouped by source digest.
        failures: What could not be planned.
        notes: What the reader of the plan should know.
        verdicts: What the rules said of every artifact they looked at.
        descriptions: What becomes of the texts about repositories, after all steps.
        sizes: Whether the bytes were asked for.
        version: Version of the plan's format.
    """

    rules: tuple[ReplicationRule, ...]
    made_at: datetime
    steps: tuple[Step, ...]
    failures: tuple[PlanFailure, ...] = ()
    notes: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = attrs.field(default=(), repr=False)
    descriptions: tuple[DescriptionChange, ...] = ()
    sizes: bool = True
    version: int = FORMAT

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        """Yield the steps."""
        return iter(self.steps)

    def __bool__(self) -> bool:
        """A plan is true even if there is nothing to do."""
        return True

    @property
    def to_copy(self) -> tuple[Step, ...]:
        """The steps that will write content."""
        return tuple(step for step in self.steps if step.writes)

    @property
    def to_label(self) -> tuple[Step, ...]:
        """The steps that will change labels, whatever else they do."""
        return tuple(step for step in self.steps if step.labels is not None)

    @property
    def bytes_at_most(self) -> int | None:
        """Bytes of blobs that a run moves at the most, or None if that was not asked."""
        sizes = [step.bytes_at_most for step in self.to_copy]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    def summary(self) -> str:
        """Return one line for people."""
        counts = Counter(step.action for step in self.steps)
        parts = [f"{counts[action]} to {action}" for action in Action if counts[action]]
        if self.descriptions:
            parts.append(f"{len(self.descriptions)} to describe")
        if self.failures:
            parts.append(f"{len(self.failures)} not planned")
        size = human_bytes(self.bytes_at_most)
        return f"{', '.join(parts) or 'nothing to do'}; at most {size}"

    def explain(self, reference: ArtifactRef | str) -> str:
        """Tell why an artifact of the source is, or is not, to be copied.

        Args:
            reference: Its repository and tag at the source.

        Raises:
            InvalidReference: The text is no such name.
        """
        asked = ArtifactRef.parse(reference) if isinstance(reference, str) else reference
        name = attrs.evolve(asked, digest=None)
        lines = [
            *(f"rule {each.rule}: {each.why}" for each in self.verdicts if each.artifact == name),
            *(_told(step) for step in self.steps if step.source_name == name),
            *(_in_vain(each) for each in self.failures if each.concerns(name)),
        ]
        return "\n".join(lines or [_not_looked_at(rule, name) for rule in self.rules])

    def __str__(self) -> str:
        """Return the whole plan as a table for people."""
        lines = [text_table(_COLUMNS, [step.to_row() for step in self.steps])] if self.steps else []
        lines += [": ".join(row) for row in self._metadata_rows()]
        lines += [f"not planned: {f.what}: {f.failure.in_full}" for f in self.failures]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join([*lines, self.summary()])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Show the plan in a notebook."""
        html = html_table(self.summary(), _COLUMNS, [step.to_row() for step in self.steps])
        if metadata := self._metadata_rows():
            html += html_table("metadata", METADATA_COLUMNS, metadata)
        return {"text/plain": str(self), "text/html": html}

    def _metadata_rows(self) -> list[tuple[str, str, str]]:
        labels = [("labels", step.where, str(step.labels)) for step in self.to_label]
        return labels + [("description", each.where, str(each)) for each in self.descriptions]

    def to_json(self) -> str:
        """Return the plan as JSON; it holds no secret."""
        return json.dumps(
            {"version": self.version, **to_mapping(self), "rules_hash": rules_hash(self.rules)},
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a plan.

        Raises:
            ConfigurationError: It is none, or was altered by hand.
            PlanRefused: It was written by another version of the format.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            msg = "the text is no JSON, so no plan"
            raise ConfigurationError(msg) from error
        if not isinstance(data, dict) or data.get("version") != FORMAT:
            msg = "the plan is of another version"
            raise PlanRefused(msg, hint="make it again with this version")
        noted = data.pop("rules_hash", None)
        plan = from_mapping(cls, data)
        if noted != rules_hash(plan.rules):
            msg = "the rules inside the plan are not those it was made from"
            raise PlanRefused(msg, hint="make the plan again instead of editing it")
        return plan


def _told(step: Step) -> str:
    labels = f"; labels: {step.labels}" if step.labels else ""
    what = f"{step.action} to {step.to}, as {step.destination}"
    return f"rule {step.rule}: {what}: {step.reason}{labels}"


def _in_vain(failed: PlanFailure) -> str:
    return f"rule {failed.rule}: {failed.failure.in_full}"


def place_of(to: Endpoint, name: str) -> str:
    """Return a name at a destination, for people; it begins with the endpoint's own path."""
    return f"{to.address}: {name}" if to.is_path else f"{to.host}/{name}"


def _quoted(text: str) -> str:
    return f"“{shortened(one_line(text))}”" if text else "nothing"


def _not_looked_at(rule: ReplicationRule, name: ArtifactRef) -> str:
    """Say why a rule never came to an artifact, as far as its name tells."""
    if not rule.where.may_match_repository(name.repository):
        return f"rule {rule.name}: no repository {name.repository} is wanted by: {rule.where}"
    if name.tag is not None and name.tag.subject_prefix is not None:
        return f"rule {rule.name}: {name.tag} belongs to another artifact and travels with it"
    return f"rule {rule.name}: {rule.source} listed no {name}"


def rules_hash(rules: Iterable[ReplicationRule]) -> str:
    """Return a text that is equal for equal rules, whatever the process."""
    text = json.dumps([to_mapping(rule) for rule in rules], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def check_plan(
    plan: Plan, rules: tuple[ReplicationRule, ...], now: datetime, lifetime: float
) -> None:
    """Refuse a plan that no longer stands for what is wished.

    Args:
        plan: The plan.
        rules: The rules at hand.
        now: The time.
        lifetime: Seconds a plan is good for.

    Raises:
        PlanRefused: The rules have changed, or the plan is too old.
    """
    if rules_hash(plan.rules) != rules_hash(rules):
        msg = "the plan was made from other rules"
        raise PlanRefused(msg, hint="make the plan again")
    strangers = {step.rule for step in plan} - {rule.name for rule in rules}
    if strangers:
        msg = f"the plan has steps of rules that are not in it: {', '.join(sorted(strangers))}"
        raise PlanRefused(msg, hint="make the plan again instead of editing it")
    age = (now - plan.made_at).total_seconds()
    if age > lifetime:
        msg = f"the plan is {age:.0f} s old, and plans are good for {lifetime:.0f} s"
        raise PlanRefused(msg, hint="make the plan again, or let plans live longer by an option")
