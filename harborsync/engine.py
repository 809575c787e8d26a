"""Runs steps in one process: long-lived threads, one ledger, one order of importance.

Three kinds of threads do three kinds of work, and no thread ever waits for work of its own
kind: *askers* send the small requests of planning, *walkers* each bring one artifact over, and
*carriers* move the blobs the walkers wait for. They are started when first needed and live as
long as the engine.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from harborsync.steps import attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from harborsync.content import Descriptor
    from harborsync.options import Options
    from harborsync.plan import Step
    from harborsync.report import StepResult
    from harborsync.steps import Job

_A = TypeVar("_A")
_B = TypeVar("_B")

# How many steps of one artifact a walker takes at once; they share what the first one brought.
_BATCH = 16


class Engine:
    """The threads of one process.

    Args:
        options: How much at once.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._waiting = 0

    # --- threads -------------------------------------------------------------------------

    @cached_property
    def _askers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._options.requests_at_once, "harborsync-ask")

    @cached_property
    def _walkers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._options.artifacts_at_once, "harborsync-walk")

    @cached_property
    def _carriers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._options.blobs_at_once, "harborsync-carry")

    def close(self) -> None:
        """End all threads; may be called again."""
        for name in ("_askers", "_walkers", "_carriers"):
            pool = self.__dict__.pop(name, None)
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)

    # --- many small things ---------------------------------------------------------------

    def ask(self, work: Callable[[_A], _B], items: Iterable[_A]) -> Iterator[_B]:
        """Yield ``work(item)`` for every item in order; several run at once, few are ahead."""
        ahead: deque[Future[_B]] = deque()
        try:
            for item in items:
                ahead.append(self._askers.submit(work, item))
                if len(ahead) > 4 * self._options.requests_at_once:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()

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
        for future in self._walked(job, groups):
            results.update(future.result())
        return [results[place] for place in range(len(steps))]

    def _walked(
        self, job: Job, groups: Sequence[Sequence[tuple[int, Step]]]
    ) -> list[Future[dict[int, StepResult]]]:
        """Have every group walked; Ctrl-C, whenever it comes, sets the flag and waits on."""
        futures: list[Future[dict[int, StepResult]]] = []
        while True:
            try:
                futures.extend(
                    self._walkers.submit(self._walk, job, group) for group in groups[len(futures) :]
                )
                wait(futures)
            except KeyboardInterrupt:
                job.cancel.set()
            else:
                return futures

    def _walk(self, job: Job, group: Sequence[tuple[int, Step]]) -> dict[int, StepResult]:
        with self._lock:
            self._waiting -= 1
        return {place: attempt(job, step, self._spread) for place, step in group}

    def _spread(self, work: Callable[[Descriptor], None], blobs: Sequence[Descriptor]) -> None:
        """Do ``work`` for every blob: here while others wait and it is little, else by carriers."""
        is_little = sum(blob.size for blob in blobs) <= self._options.small_artifact
        if len(blobs) < 2 or (is_little and self._waiting):  # noqa: PLR2004 - one needs no help
            for blob in blobs:
                work(blob)
            return
        futures = [self._carriers.submit(work, blob) for blob in blobs]
        done, pending = wait(futures, return_when="FIRST_EXCEPTION")
        for future in pending:
            future.cancel()
        wait(pending)
        for future in (*done, *pending):
            if not future.cancelled():
                future.result()


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


def _origin(step: Step) -> tuple[str, str, str]:
    return (step.rule, step.source.repository, str(step.source.digest))
