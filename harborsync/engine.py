"""Runs steps in one process: long-lived threads, one ledger, one order of importance.

Each kind of thread does one kind of work, and no thread ever waits for work of its own kind:
*askers* send the small requests of planning, a *leader* hands out the steps of a run, *walkers*
each bring one artifact over, *branches* help a walker whose artifact goes to several registries,
and *carriers* move the blobs they wait for. All are started when first needed and live as long as
the engine.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sized
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from harborsync.clock import SystemClock
from harborsync.fanout import Sharing
from harborsync.steps import attempt, blob_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from harborsync.clock import Clock
    from harborsync.content import Descriptor
    from harborsync.options import Options
    from harborsync.plan import Step
    from harborsync.report import StepResult
    from harborsync.steps import Job

_A = TypeVar("_A")
_B = TypeVar("_B")

# More would be idle: a walker's further destinations mostly wait for bytes to share.
_MOST_BRANCHES = 64
# One leads at a time, unless an engine is given several runs at once.
_MOST_RUNS = 64
# Seconds after which a waiting thread is sure to notice Ctrl-C, whichever thread got the signal.
_LOOK_AGAIN = 1.0
# How many steps of one artifact a walker takes at once; they share what the first one brought.
_BATCH = 64
# How many questions an asker takes at once of a long list.
_MOST_QUESTIONS = 16
# Python runs one thread at a time: with a registry so near that these are kept busy, more would
# only get in each other's way. Measured with 10,000 HEADs at a server on the same machine: 32
# askers take a third more processor time than 8.
_FEW_ASKERS = 8
# Askers that an answer's latency of one second keeps busy.
_ASKERS_PER_SECOND = 2000


class Crowd:
    """How many askers are at it: all where answers are long under way, few where they are not.

    Args:
        most: How many there are.
        monotonic: Tells the seconds from an arbitrary start.
    """

    def __init__(self, most: int, monotonic: Callable[[], float]) -> None:
        self._most = self._wanted = most
        self._monotonic = monotonic
        self._busy = 0
        self._changed = threading.Condition()

    @property
    def has_place(self) -> bool:
        """Whether one more may join now."""
        return self._busy < self._wanted

    @contextmanager
    def joined(self, questions: int) -> Iterator[None]:
        """Be one of them for so many questions, as soon as there is a place."""
        with self._changed:
            self._changed.wait_for(lambda: self.has_place)
            self._busy += 1
        started = self._monotonic()
        try:
            yield
        finally:
            self._leave((self._monotonic() - started) / questions)

    def _leave(self, latency: float) -> None:
        with self._changed:
            self._busy -= 1
            self._wanted = min(self._most, max(_FEW_ASKERS, int(latency * _ASKERS_PER_SECOND)))
            self._changed.notify(max(1, self._wanted - self._busy))


class Engine:
    """The threads of one process.

    Args:
        options: How much at once.
        clock: Tells how long answers take.
    """

    def __init__(self, options: Options, clock: Clock | None = None) -> None:
        self._options = options
        self._crowd = Crowd(options.requests_at_once, (clock or SystemClock()).monotonic)
        self._lock = threading.Lock()
        self._waiting = 0
        self._pools: dict[str, ThreadPoolExecutor] = {}

    # --- threads -------------------------------------------------------------------------

    def _askers(self) -> ThreadPoolExecutor:
        return self._pool("ask", self._options.requests_at_once)

    def _walkers(self) -> ThreadPoolExecutor:
        return self._pool("walk", self._options.artifacts_at_once)

    def _leaders(self) -> ThreadPoolExecutor:
        return self._pool("lead", _MOST_RUNS)

    def _branches(self) -> ThreadPoolExecutor:
        return self._pool("branch", _MOST_BRANCHES)

    def _carriers(self, lane: int) -> ThreadPoolExecutor:
        """Return the carriers of a lane; destinations that share a read have one each."""
        return self._pool(f"carry-{lane}", self._options.blobs_at_once)

    def _pool(self, kind: str, size: int) -> ThreadPoolExecutor:
        """Return the threads of a kind, made when they are first needed."""
        with self._lock:
            if kind not in self._pools:
                self._pools[kind] = ThreadPoolExecutor(size, f"harborsync-{kind}")
            return self._pools[kind]

    def close(self) -> None:
        """End all threads; may be called again."""
        with self._lock:
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.shutdown(wait=True, cancel_futures=True)

    # --- many small things ---------------------------------------------------------------

    def ask(self, work: Callable[[_A], _B], items: Iterable[_A]) -> Iterator[_B]:
        """Yield ``work(item)`` for every item in order; several run at once, few are ahead."""
        at_once = self._options.requests_at_once
        length = len(items) // (8 * at_once) if isinstance(items, Sized) else 1
        ahead: deque[Future[list[_B]]] = deque()
        try:
            for some in _cut(items, min(max(1, length), _MOST_QUESTIONS)):
                ahead.append(self._askers().submit(self._answers, work, some))
                if len(ahead) > 4 * at_once:
                    yield from ahead.popleft().result()
            while ahead:
                yield from ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()

    def _answers(self, work: Callable[[_A], _B], items: list[_A]) -> list[_B]:
        with self._crowd.joined(len(items)):
            return [work(item) for item in items]

    # --- steps ---------------------------------------------------------------------------

    def run(self, job: Job, steps: Sequence[Step]) -> list[StepResult]:
        """Run steps; a failure of one stops no other.

        Ctrl-C and ``job.cancel`` stop within one block; what was not done is CANCELLED.

        Returns:
            One result for each step, in their order.
        """
        groups = list(_grouped(steps))
        results: dict[int, StepResult] = {}
        with self._lock:
            self._waiting = len(groups)
        for walked in self._walked(job, groups):
            results.update(walked)
        return [results[place] for place in range(len(steps))]

    def _walked(
        self, job: Job, groups: Sequence[Sequence[tuple[int, Step]]]
    ) -> list[dict[int, StepResult]]:
        """Have every group walked; Ctrl-C, whenever it comes, sets the flag and waits on."""
        # Handing over thousands of groups takes a while, and an interrupt in the midst of it would
        # leave the pool's own locks in disorder. So another thread does that: none but the main
        # one is ever interrupted.
        walked: Future[list[dict[int, StepResult]]] = Future()
        is_handed_over = False
        while not walked.done():
            try:
                if not is_handed_over:
                    self._leaders().submit(self._lead, walked, job, groups)
                    is_handed_over = True
                wait([walked], timeout=_LOOK_AGAIN)
            except KeyboardInterrupt:
                job.cancel.set()
        return walked.result()

    def _lead(
        self,
        walked: Future[list[dict[int, StepResult]]],
        job: Job,
        groups: Sequence[Sequence[tuple[int, Step]]],
    ) -> None:
        """Hand the groups to the walkers and gather what they bring, once."""
        with self._lock:
            if walked.running() or walked.done():
                return  # Ctrl-C came right after this was handed over, so it was again
            walked.set_running_or_notify_cancel()
        try:
            futures = [self._walkers().submit(self._walk, job, group) for group in groups]
            wait(futures)
            walked.set_result([future.result() for future in futures])
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
            walked.set_exception(error)

    def _walk(self, job: Job, group: Sequence[tuple[int, Step]]) -> dict[int, StepResult]:
        with self._lock:
            self._waiting -= 1
        ways = _ways(job, group)
        if len(ways) == 1:
            spread = partial(self._spread, 0)
            return {place: attempt(job, step, spread) for place, step in group}
        plain = blob_source(job, job.rules[group[0][1].rule])
        sharing = Sharing(plain, len(ways), clock=job.clock)
        work = partial(self._branch, job, sharing)
        others = [self._branches().submit(work, lane, way) for lane, way in enumerate(ways) if lane]
        results = work(0, ways[0])
        for other in others:
            results |= other.result()
        return results

    def _branch(
        self, job: Job, sharing: Sharing, lane: int, way: Sequence[tuple[int, Step]]
    ) -> dict[int, StepResult]:
        """Bring an artifact to one of several registries, reading its blobs with the others."""
        spread, blobs = partial(self._spread, lane), sharing.member(lane)
        try:
            return {place: attempt(job, step, spread, blobs) for place, step in way}
        finally:
            sharing.leave(lane)

    def _spread(
        self, lane: int, work: Callable[[Descriptor], None], blobs: Sequence[Descriptor]
    ) -> None:
        """Do ``work`` for every blob: here while others wait and it is little, else by carriers."""
        is_little = sum(blob.size for blob in blobs) <= self._options.small_artifact
        if len(blobs) < 2 or (is_little and self._waiting):  # noqa: PLR2004 - one needs no help
            for blob in blobs:
                work(blob)
            return
        carriers = self._carriers(lane)
        # Each carrier works in a copy of our context, and so within the artifact's time limit.
        futures = [carriers.submit(copy_context().run, work, blob) for blob in blobs]
        done, pending = wait(futures, return_when="FIRST_EXCEPTION")
        for future in pending:
            future.cancel()
        wait(pending)
        for future in (*done, *pending):
            if not future.cancelled():
                future.result()


def _cut(items: Iterable[_A], length: int) -> Iterator[list[_A]]:
    """Yield lists of at most ``length`` items; handing over many small ones costs more."""
    left = iter(items)
    while some := list(islice(left, length)):
        yield some


def _grouped(steps: Sequence[Step]) -> Iterator[Sequence[tuple[int, Step]]]:
    """Yield runs of neighbours that copy one digest from one place, with their places."""
    group: list[tuple[int, Step]] = []
    for place, step in enumerate(steps):
        same = group and _origin(group[-1][1]) == _origin(step) and len(group) < _BATCH
        if group and not same:
            yield group
            group = []
        group.append((place, step))
    if group:
        yield group


def _ways(job: Job, group: Sequence[tuple[int, Step]]) -> list[list[tuple[int, Step]]]:
    """Split a group by the registry it goes to; there one repository's copy serves the others."""
    ways: dict[str, list[tuple[int, Step]]] = {}
    for place, step in group:
        way = job.warehouse.registry(step.to).identity if step.writes else ""
        ways.setdefault(way, []).append((place, step))
    idle = ways.pop("", [])
    if not ways:
        return [idle]
    found = list(ways.values())
    found[0] = [*idle, *found[0]]
    return found


def _origin(step: Step) -> tuple[str, str, str]:
    return (step.rule, step.source.repository, str(step.source.digest))
