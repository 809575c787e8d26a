"""The owner of the house: walks the rooms from the rule to the report.

A plan reads only; the run after it writes what is lacking::

    from harborsync import Replicator, ReplicationRule

    rule = ReplicationRule(
        name="releases",
        source="registry.example",
        destinations="mirror.example/copies",
        where="name like 'team/**' and tag matches 'v.*'",
    )
    with Replicator([rule]) as replicator:
        plan = replicator.plan()
        print(plan)
        print(replicator.run(plan))
"""

from __future__ import annotations

import os
import pickle
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from harborsync.cancel import Cancel, CurrentCancel
from harborsync.clock import Clock, SystemClock
from harborsync.credentials import default_credentials
from harborsync.engine import Engine
from harborsync.errors import ConfigurationError
from harborsync.events import Dispatcher, Listener, PlanReady, RunFinished, RunStarted
from harborsync.failure import Failure
from harborsync.gate import open_registry, prefix_of
from harborsync.http.foreign import ForeignContent
from harborsync.limiter import Limiter
from harborsync.metadata import describe
from harborsync.options import Options
from harborsync.plan import Action, Plan, check_plan
from harborsync.planner import make_plan, make_plan_for
from harborsync.planning import Planning
from harborsync.provider import OpenContext
from harborsync.reference import ArtifactRef
from harborsync.report import DescriptionResult, Outcome, Report, StepResult
from harborsync.rule import ReplicationRule, check_rules
from harborsync.selection import EVERYWHERE, Scope
from harborsync.state import MemoryJournal, MemoryState, Place, SessionJournal, State, Written
from harborsync.steps import Job, finished_event, twins
from harborsync.warehouse import Registries, Warehouse
from harborsync.work import batches, run_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Executor, Future
    from types import TracebackType

    from harborsync.credentials import Credential, CredentialSource
    from harborsync.endpoint import Endpoint
    from harborsync.limiter import Schedule
    from harborsync.plan import Step
    from harborsync.reference import Tag
    from harborsync.registry import Registry
    from harborsync.units import Bandwidth

# How often, in seconds, whoever waits for another process looks at the cancel flag.
_LOOK_AGAIN: Final = 0.2


class Replicator:
    """Follows rules: plans, runs, reports.

    One plan or run at a time; listeners are called from several threads. Connections and
    threads live until :meth:`close`, which a ``with`` block calls.

    Args:
        rules: What is wished.
        credentials: Logins by host, or a source of them; asked before the environment and
            docker's files.
        executor: Runs the copying elsewhere, in batches: a process pool, a cluster. Such
            workers find logins themselves; secrets handed over in Python are refused.
        workers: How many batches the executor runs at once, so that each gets its share of all
            limits; as many as this machine has processors, if not given.
        listeners: Are told what happens.
        clock: Time.
        options: How much at once, how patiently.
        state: What is remembered between runs; without one, as long as this object lives. One
            that is a :class:`~harborsync.state.SessionJournal` remembers uploads, too.
        limiter: How fast bytes of blobs go, all copies together; a limit as
            :class:`~harborsync.limiter.Schedule` reads it, or a limiter to share with others.
        opener: Opens endpoints, in place of :func:`~harborsync.gate.open_registry`.

    Raises:
        ConfigurationError: The rules do not go together, or secrets cannot travel.
    """

    def __init__(
        self,
        rules: Iterable[ReplicationRule],
        *,
        credentials: CredentialSource | Mapping[str, Credential] | None = None,
        executor: Executor | None = None,
        workers: int | None = None,
        listeners: Iterable[Listener] = (),
        clock: Clock | None = None,
        options: Options | None = None,
        state: State | None = None,
        limiter: Limiter | Schedule | Bandwidth | str | None = None,
        opener: Callable[[Endpoint], Registry] | None = None,
    ) -> None:
        self._rules = check_rules(rules)
        self._options = options or Options()
        self._clock = clock or SystemClock()
        self._emit = Dispatcher(listeners)
        self._has_memory = state is not None
        self._state = state or MemoryState()
        self._journal = _journal_of(state)
        self._limiter = (
            limiter if isinstance(limiter, Limiter) else Limiter(limiter, clock=self._clock)
        )
        self._executor = executor
        self._workers = _checked_workers(workers)
        self._credentials = credentials
        if executor is not None:
            _check_that_it_travels(executor, credentials)
        self._cancel = CurrentCancel()
        self._registries = (
            Registries(partial(open_registry, context=self._context()), prefix_of)
            if opener is None
            else Registries(opener)
        )
        self._engine = Engine(self._options, self._clock)
        self._last: tuple[Plan, Warehouse] | None = None

    @property
    def limiter(self) -> Limiter:
        """How fast bytes go; may be changed while a run is under way."""
        return self._limiter

    def plan(self, scope: Scope = EVERYWHERE, *, sizes: bool = True) -> Plan:
        """Find out what would be done; reads only.

        Args:
            scope: The part of the world to plan for.
            sizes: Whether to read, once, what will be copied, to know its bytes. What was read
                is kept for the run.

        Raises:
            ConfigurationError: A rule cannot work as it is written. A repository or an
                artifact that cannot be read is a failure in the plan instead.
        """
        self._cancel.use(Cancel())
        return self._planned(scope, sizes=sizes)

    def plan_for(self, source: ArtifactRef, *, tag: Tag | None = None) -> Plan:
        """Find out what would be done about one artifact, whatever the filters say; reads only.

        Args:
            source: The artifact at the rules' sources, by tag or digest.
            tag: The tag to write where ``source`` has none.

        Raises:
            NotFound: A source has no such artifact.
        """
        self._cancel.use(Cancel())
        warehouse = Warehouse(self._registries)
        planning = self._planning(warehouse)
        plan = make_plan_for(planning, self._rules, source, tag)
        return self._made(plan, warehouse)

    def run(self, plan: Plan | None = None, *, cancel: Cancel | None = None) -> Report:
        """Do what a plan says, or make one and do it; writes.

        Nothing is raised for an artifact that fails: the report tells. Ctrl-C and ``cancel``
        stop within one block, and still give a report.

        Raises:
            ConfigurationError: A rule cannot work as it is written; nothing was written.
            PlanRefused: The plan was made from other rules, or is too old.
        """
        cancel = cancel or Cancel()
        self._cancel.use(cancel)
        plan = plan or self._planned()
        started_at, started = self._clock.now(), self._clock.monotonic()
        check_plan(plan, self._rules, started_at, self._options.plan_lifetime)
        self._emit(RunStarted(at=started_at, steps=len(plan)))
        results = self._results(plan, cancel)
        descriptions = tuple(self._described(plan, cancel))
        report = Report(
            started_at=started_at,
            seconds=self._clock.monotonic() - started,
            results=tuple(results),
            unplanned=plan.failures,
            descriptions=descriptions,
            notes=plan.notes,
        )
        self._emit(
            RunFinished(
                at=self._clock.now(),
                seconds=report.seconds,
                outcomes=report.outcomes,
                bytes_sent=report.bytes_sent,
            )
        )
        return report

    def close(self) -> None:
        """Give back threads, connections and files; may be called again."""
        stop = Cancel()
        stop.set()
        self._cancel.use(stop)
        self._engine.close()
        self._registries.close()

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    # --- inside --------------------------------------------------------------------------

    def _context(self) -> OpenContext:
        return OpenContext(
            clock=self._clock,
            retry=self._options.retry,
            limits=self._options.hosts,
            credentials=default_credentials(self._credentials),
            cancel=self._cancel,
            emit=self._emit,
            journal=self._journal,
            state=self._state,
        )

    def _planning(self, warehouse: Warehouse) -> Planning:
        return Planning(
            warehouse=warehouse, state=self._state, now=self._clock.now(), ask=self._engine.ask
        )

    def _planned(self, scope: Scope = EVERYWHERE, *, sizes: bool = True) -> Plan:
        warehouse = Warehouse(self._registries)
        planning = self._planning(warehouse)
        plan = make_plan(planning, self._rules, scope, sizes=sizes, has_memory=self._has_memory)
        return self._made(plan, warehouse)

    def _made(self, plan: Plan, warehouse: Warehouse) -> Plan:
        """Keep what was read for a plan, and tell that it is there."""
        self._last = (plan, warehouse)
        self._emit(
            PlanReady(
                at=self._clock.now(),
                steps=len(plan),
                to_copy=len(plan.to_copy),
                bytes_at_most=plan.bytes_at_most,
            )
        )
        return plan

    def _results(self, plan: Plan, cancel: Cancel) -> list[StepResult]:
        if self._executor is None:
            return self._engine.run(self._job(plan, cancel), plan.steps)
        return self._results_from(self._executor, plan, cancel)

    def _described(self, plan: Plan, cancel: Cancel) -> Iterator[DescriptionResult]:
        """Change the texts about repositories, last of all."""
        for change in plan.descriptions:
            if cancel.is_set():
                return
            registry = self._registries.get(change.to)
            failure = describe(registry, change, self._emit, self._clock)
            yield DescriptionResult(change=change, failure=failure)

    def _job(self, plan: Plan, cancel: Cancel) -> Job:
        return Job(
            rules={rule.name: rule for rule in self._rules},
            warehouse=self._warehouse_of(plan),
            planned_at=plan.made_at,
            options=self._options,
            clock=self._clock,
            cancel=cancel,
            emit=self._emit,
            keep=self._remember,
            meter=partial(self._limiter.pass_on, cancel=cancel),
            fetch_foreign=ForeignContent(self._context()).open,
            twins=twins(plan.steps),
        )

    def _warehouse_of(self, plan: Plan) -> Warehouse:
        """Return what was read for a plan, for its first run; later ones look for themselves."""
        last, self._last = self._last, None
        return last[1] if last is not None and last[0] is plan else Warehouse(self._registries)

    def _remember(self, result: StepResult) -> None:
        """Remember what a step wrote, at once: the process may be killed before the run ends."""
        is_written = result.outcome is Outcome.COPIED and result.step.action is Action.COPY
        written = result.step.destination
        if is_written and written.tag is not None:
            named = ArtifactRef(written.repository, written.tag)
            self._state.remember_written(
                Place(rule=result.step.rule, to=str(result.step.to), artifact=named),
                Written(digest=result.step.wanted, at=result.at),
            )

    # --- elsewhere -----------------------------------------------------------------------

    def _results_from(self, executor: Executor, plan: Plan, cancel: Cancel) -> list[StepResult]:
        """Hand batches to an executor; cancelling keeps back what has not begun."""
        futures: list[tuple[tuple[Step, ...], Future[tuple[StepResult, ...]]]] = [
            (batch.steps, executor.submit(run_batch, batch))
            for batch in batches(
                self._rules,
                plan.steps,
                planned_at=plan.made_at,
                options=self._options,
                workers=self._workers,
                limit=self._limiter.limit,
                credentials=self._credentials,
            )
        ]
        results: list[StepResult] = []
        for steps, future in futures:
            ended = _results_of(future, steps, cancel, self._clock)
            self._tell(ended, cancel)
            results += ended
        return results

    def _tell(self, results: Iterable[StepResult], cancel: Cancel) -> None:
        for result in results:
            self._remember(result)
            try:
                self._emit(finished_event(result))
            except KeyboardInterrupt:
                cancel.set()


def _journal_of(state: object) -> SessionJournal:
    return state if isinstance(state, SessionJournal) else MemoryJournal()


def _checked_workers(workers: int | None) -> int:
    if workers is None:
        return os.cpu_count() or 1
    if workers < 1:
        msg = f"an executor has at least one worker, not {workers}"
        raise ConfigurationError(msg)
    return workers


def _results_of(
    future: Future[tuple[StepResult, ...]],
    steps: tuple[Step, ...],
    cancel: Cancel,
    clock: Clock,
) -> tuple[StepResult, ...]:
    """Return a batch's results, or what became of it if it has none."""
    _await(future, cancel)
    if future.cancelled():
        return _alike(steps, Outcome.CANCELLED, clock)
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001 - a worker that died must not take the report along
        return _alike(steps, Outcome.FAILED, clock, Failure.of(error))


def _await(future: Future[tuple[StepResult, ...]], cancel: Cancel) -> None:
    """Wait for a batch; one that has not begun is called back when the flag is set."""
    while not future.done():
        try:
            if cancel.is_set():
                future.cancel()
            wait([future], timeout=_LOOK_AGAIN)
        except KeyboardInterrupt:
            cancel.set()


def _alike(
    steps: tuple[Step, ...], outcome: Outcome, clock: Clock, failure: Failure | None = None
) -> tuple[StepResult, ...]:
    return tuple(
        StepResult(step=s, outcome=outcome, reason=outcome.value, at=clock.now(), failure=failure)
        for s in steps
    )


def _check_that_it_travels(
    executor: Executor, credentials: CredentialSource | Mapping[str, Credential] | None
) -> None:
    """Refuse secrets that would have to leave this process.

    Raises:
        ConfigurationError: They would.
    """
    if isinstance(executor, ThreadPoolExecutor) or credentials is None:
        return
    try:
        pickle.dumps(credentials)
    except ConfigurationError:
        raise
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        msg = "the credentials handed over cannot travel to the executor's workers"
        raise ConfigurationError(
            msg,
            hint="let the workers find them: in HARBORSYNC_* variables, in docker's config.json, "
            "or through a source defined at the top of a module",
        ) from error
