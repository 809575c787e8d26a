"""What is done for one step of a plan, and what is said of it afterwards.

Whatever goes wrong becomes a result, so that one artifact never stops another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from harborsync.cancel import Cancel, TimeLimit, limited
from harborsync.errors import (
    Cancelled,
    CopyError,
    HarborsyncError,
    PlanRefused,
    Side,
    TagImmutable,
    VerificationError,
    on_side,
)
from harborsync.events import SILENT, Dispatcher, StepFinished, StepStarted
from harborsync.failure import Failure
from harborsync.graph import Foreign
from harborsync.ledger import Ledger
from harborsync.metadata import relabel
from harborsync.options import Verify
from harborsync.plan import Action, Step
from harborsync.report import Outcome, StepResult
from harborsync.rule import OnConflict, OnMoved, ReplicationRule
from harborsync.transfer import (
    BlobSource,
    FetchForeign,
    FromRegistry,
    FromRegistryOrUrls,
    Spread,
    Tally,
    Target,
    Tools,
    copy_graph,
    restore_graph,
    unmetered,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from harborsync.clock import Clock
    from harborsync.endpoint import Endpoint
    from harborsync.graph import Graph, SourceRepository
    from harborsync.options import Options
    from harborsync.reference import ArtifactRef, Digest
    from harborsync.warehouse import Warehouse


@attrs.frozen(kw_only=True)
class Job:
    """What all steps of a run share.

    Attributes:
        rules: The rules by name.
        warehouse: The registries and what was read from them.
        planned_at: When the plan was made.
        options: How much at once, how careful.
        clock: Time.
        cancel: Stops everything.
        emit: Is told what happens.
        keep: Is given every result as soon as it stands, before the listeners hear of it.
        meter: Lets blocks of blobs pass, at the pace it likes.
        ledger: What is known to be where.
        fetch_foreign: Fetches content that lies outside of registries.
        twins: Repositories that held an artifact when the plan was made, by destination and
            digest.
    """

    rules: dict[str, ReplicationRule]
    warehouse: Warehouse
    planned_at: datetime
    options: Options
    clock: Clock
    cancel: Cancel = attrs.field(factory=Cancel)
    emit: Dispatcher = SILENT
    keep: Callable[[StepResult], None] | None = None
    meter: Callable[[bytes], Iterator[bytes]] = unmetered
    ledger: Ledger = attrs.field(factory=Ledger)
    fetch_foreign: FetchForeign | None = None
    twins: Mapping[tuple[Endpoint, Digest], tuple[str, ...]] = attrs.field(factory=dict)

    def started(self, step: Step) -> None:
        """Tell the listeners that work on a step began."""
        if self.emit:
            self.emit(
                StepStarted(
                    at=self.clock.now(),
                    rule=step.rule,
                    source=step.source,
                    destination=step.destination,
                    to=str(step.to),
                )
            )

    def finished(self, result: StepResult) -> None:
        """Keep the result of a step and tell the listeners."""
        if self.keep is not None:
            self.keep(result)
        if self.emit:
            self.emit(finished_event(result))


def finished_event(result: StepResult) -> StepFinished:
    """Return the event that tells what became of a step."""
    return StepFinished(
        at=result.at,
        rule=result.step.rule,
        source=result.step.source,
        destination=result.step.destination,
        to=str(result.step.to),
        outcome=result.outcome.value,
        seconds=result.seconds,
        bytes_sent=result.bytes_sent,
        error=result.failure.message if result.failure else None,
    )


def twins(steps: Iterable[Step]) -> dict[tuple[Endpoint, Digest], tuple[str, ...]]:
    """Return which repositories have what already, as far as the steps tell."""
    found: dict[tuple[Endpoint, Digest], dict[str, None]] = {}
    for step in steps:
        if step.found is not None:
            found.setdefault((step.to, step.found), {})[step.destination.repository] = None
    return {key: tuple(names) for key, names in found.items()}


def blob_source(job: Job, rule: ReplicationRule) -> BlobSource:
    """Return where a rule's blobs are read from."""
    if rule.foreign is Foreign.FETCH and job.fetch_foreign is not None:
        return FromRegistryOrUrls(job.fetch_foreign)
    return FromRegistry()


def attempt(job: Job, step: Step, spread: Spread, blobs: BlobSource | None = None) -> StepResult:
    """Do what a step says; never raises for what can go wrong with one artifact.

    Args:
        job: What all steps share.
        step: What to do.
        spread: Runs the blobs of the artifact.
        blobs: Where blobs are read from, if together with other destinations.
    """
    job.started(step)
    blobs = blobs or blob_source(job, job.rules[step.rule])
    with limited(_time_limit(job)):
        result = _outcome(_Attempt(job, step, spread, blobs))
    job.finished(result)
    return result


def _time_limit(job: Job) -> TimeLimit | None:
    seconds = job.options.artifact_timeout
    if seconds is None:
        return None
    return TimeLimit(
        seconds=seconds, monotonic=job.clock.monotonic, name="Options.artifact_timeout"
    )


def _outcome(one: _Attempt) -> StepResult:
    try:
        return one.relabelled(one.result())
    except Cancelled as error:
        return one.say(Outcome.CANCELLED, error.message)
    except VerificationError as error:
        return one.failed(Outcome.REFUSED, error)
    except Exception as error:  # noqa: BLE001 - a defect with one artifact must not stop the others
        return one.failed(Outcome.FAILED, error)


class _Attempt:
    """One step being done."""

    def __init__(self, job: Job, step: Step, spread: Spread, blobs: BlobSource) -> None:
        self._job = job
        self._step = step
        self._spread = spread
        self._blobs = blobs
        self._rule = job.rules[step.rule]
        self._tally = Tally()
        self._started = job.clock.monotonic()

    def result(self) -> StepResult:
        """Do it.

        Raises:
            HarborsyncError: It could not be done.
        """
        self._job.cancel.check()
        step = self._step
        if step.action in {Action.SKIP, Action.RELABEL}:
            return self._restored() or self.say(Outcome.SKIPPED, step.reason)
        if step.action is Action.CONFLICT:
            return self.say(Outcome.CONFLICT, step.reason)
        self._check_source()
        return self._met() or self._copied()

    def say(self, outcome: Outcome, reason: str, failure: Failure | None = None) -> StepResult:
        """Return a result with what has been moved so far."""
        tally = self._tally
        return StepResult(
            step=self._step,
            outcome=outcome,
            reason=reason,
            at=self._job.clock.now(),
            seconds=self._job.clock.monotonic() - self._started,
            bytes_sent=tally.bytes_sent,
            bytes_mounted=tally.bytes_mounted,
            bytes_present=tally.bytes_present,
            attempts=tally.attempts,
            satellites=tally.satellites,
            warnings=tuple(tally.warnings),
            failure=failure,
        )

    def failed(self, outcome: Outcome, error: Exception) -> StepResult:
        """Return a result that tells what went wrong, on which side and with what."""
        if isinstance(error, HarborsyncError):
            side = error.side or Side.LOCAL
            what = self._step.source if side is Side.SOURCE else self._step.destination
            error = CopyError("copy", side, str(what), error)
        return self.say(outcome, outcome.value, Failure.of(error))

    # --- before --------------------------------------------------------------------------

    def _check_source(self) -> None:
        """Refuse to copy a tag that has moved, if the rule says so (OCI-3.26)."""
        source = self._step.source
        if self._rule.on_moved is not OnMoved.REFUSE or source.tag is None:
            return
        found = self._source_digest()
        if found != source.digest:
            msg = f"the tag now points to {found or 'nothing'}"
            raise PlanRefused(msg, side=Side.SOURCE, hint="plan again")

    def _met(self) -> StepResult | None:
        """Look at the destination's tag again if the plan is old; tell what was met, if anything.

        A tag that is neither as planned nor as wanted was written by somebody else meanwhile.
        """
        if self._is_fresh or self._step.destination.tag is None:
            return None
        if self._step.action is not Action.COPY:
            return None
        found = self._destination_digest()
        if found == self._step.wanted:
            return self._supplemented("identical by now")
        if found == self._step.found or self._rule.on_conflict is OnConflict.OVERWRITE:
            return None
        return self.say(Outcome.CONFLICT, f"somebody else wrote {found} there meanwhile")

    @property
    def _is_fresh(self) -> bool:
        """Whether what the plan saw at the destination still counts."""
        age = (self._job.clock.now() - self._job.planned_at).total_seconds()
        return age <= self._job.options.recheck_after and not self._job.options.strict

    def _source_digest(self) -> Digest | None:
        with on_side(Side.SOURCE):
            return self._resolve(self._rule.source, self._step.source)

    def _destination_digest(self) -> Digest | None:
        with on_side(Side.DESTINATION):
            return self._resolve(self._step.to, self._step.destination)

    def _resolve(self, endpoint: Endpoint, named: ArtifactRef) -> Digest | None:
        """Return what a tag points to by now; of what has none, whether it is there."""
        registry = self._job.warehouse.registry(endpoint)
        found = registry.resolve(named.repository, named.tag or named.reference)
        return None if found is None else found.digest

    # --- the copy ------------------------------------------------------------------------

    def _copied(self) -> StepResult:
        step = self._step
        self._restored()
        try:
            copy_graph(self._source, self._graph(), self._target(), self._tools(), self._tally)
        except TagImmutable:
            if self._destination_digest() != step.wanted:
                raise
            return self._supplemented("identical, and the tag is immutable")
        self._look_back()
        return self.say(Outcome.COPIED, step.reason)

    def _supplemented(self, reason: str) -> StepResult:
        """Bring what is lacking of what is said about an artifact whose tag is as wanted."""
        if self._rule.satellites:
            before = self._tally.written
            target = attrs.evolve(self._target(), tag=None, holds=True)
            copy_graph(self._source, self._graph(), target, self._tools(), self._tally)
            if self._tally.written > before:
                self._step = attrs.evolve(self._step, action=Action.SATELLITES)
                return self.say(Outcome.COPIED, f"{reason}; what is said about it was lacking")
        return self.say(Outcome.SKIPPED, reason)

    def relabelled(self, result: StepResult) -> StepResult:
        """Change the labels after all else; what goes wrong with them is only a warning."""
        step = self._step
        if step.labels is None or result.outcome not in {Outcome.COPIED, Outcome.SKIPPED}:
            return result
        try:
            relabel(self._job.warehouse.registry(step.to), step, self._job.emit, self._job.clock)
        except HarborsyncError as error:
            warning = f"its labels could not be changed: {error}"
            return attrs.evolve(result, warnings=(*result.warnings, warning))
        was_there = result.outcome is Outcome.SKIPPED
        outcome = Outcome.RELABELLED if was_there else result.outcome
        return attrs.evolve(result, outcome=outcome, labels=step.labels)

    def _restored(self) -> StepResult | None:
        """With ``verify="blobs"``, bring what was lost of an artifact that is there by its digest."""
        step = self._step
        if self._job.options.verify is not Verify.BLOBS or step.found != step.wanted:
            return None
        restore_graph(self._source, self._graph(), self._target(), self._tools(), self._tally)
        if not self._tally.restored:
            return None
        return self.say(Outcome.COPIED, f"{self._tally.restored} parts of it were lost there")

    @property
    def _source(self) -> SourceRepository:
        return self._job.warehouse.source(self._rule.source, self._step.source.repository)

    def _graph(self) -> Graph:
        step = self._step
        if step.source.digest is None:
            msg = "the step has no source digest"
            raise PlanRefused(msg, hint="plan again")
        with on_side(Side.SOURCE):
            graph = self._job.warehouse.graph(
                self._rule.source, step.source.repository, step.source.digest, self._rule.choice
            )
        if graph.manifest.digest != step.wanted:
            msg = f"the plan wants {step.wanted}, and the rule makes {graph.manifest.digest}"
            raise PlanRefused(msg, hint="plan again")
        return graph

    def _target(self) -> Target:
        """Return where the graph goes; the repository is made if it may be lacking."""
        step, warehouse = self._step, self._job.warehouse
        registry, repository = warehouse.registry(step.to), step.destination.repository
        listing = warehouse.known(step.to, repository)
        is_sure = listing is not None and bool(listing.tags)
        if registry.abilities.creates is not None and not is_sure:
            with on_side(Side.DESTINATION):
                registry.abilities.creates.ensure_repository(repository)
        twins = self._job.twins.get((step.to, step.wanted), ())
        return Target(
            registry=registry,
            repository=repository,
            tag=step.destination.tag if step.action is Action.COPY else None,
            tags=None if listing is None else listing.tags,
            digests=None if listing is None else listing.digests,
            satellites=listing.satellites if listing else {},
            is_fresh=self._is_fresh,
            is_whole=not self._rule.platforms and self._rule.choice.wants_every_satellite,
            holds=repository in twins,
            strict=self._job.options.strict,
            overwrite=self._rule.on_conflict is OnConflict.OVERWRITE,
            twins=twins,
        )

    def _tools(self) -> Tools:
        job = self._job
        return Tools(
            ledger=job.ledger,
            cancel=job.cancel,
            clock=job.clock,
            emit=job.emit,
            spread=self._spread,
            meter=job.meter,
            blobs=self._blobs,
        )

    def _look_back(self) -> None:
        """If wanted, tell whether somebody moved the tag meanwhile, at either end (OCI-3.26)."""
        options = self._job.options
        if options.strict or options.verify is not Verify.NONE:
            there = self._destination_digest()
            if there != self._step.wanted:
                self._tally.warnings.append(
                    f"overtaken: the tag was made to point to {there} meanwhile"
                )
        if options.strict:
            here = self._source_digest()
            if here != self._step.source.digest:
                self._tally.warnings.append(f"the source's tag was moved to {here} meanwhile")
