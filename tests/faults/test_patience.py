"""A server that asks for patience gets it, from every worker."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from harborsync import Options
from harborsync.testing import FakeClock, faults
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from harborsync.cancel import Cancel
    from harborsync.testing.faults import Fault
    from harborsync.testing.server_wire import Request
    from tests.faults.conftest import MakeWay


class Timed:
    """Asks for five seconds, three times in a row, and notes when each request came.

    Args:
        clock: The clock of everything.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.refused: list[float] = []
        self.came: list[float] = []

    def __call__(self, request: Request) -> Fault | None:
        """Refuse the first of all, and what comes right after each pause."""
        if request.method != "PUT" or "/manifests/" not in request.path:
            return None
        with self._lock:
            now = self._clock.monotonic()
            self.came.append(now)
            if len(self.refused) < 3:
                self.refused.append(now)
                return faults.status(429, retry_after=5)
        return None


def test_retry_after_is_waited_for_each_time(make_way: MakeWay) -> None:
    """Three times five seconds, never less (OCI-7.8)."""
    way = make_way()
    way.seed(app=random_image(1))
    way.destination.faults = timed = Timed(way.clock)
    assert way.run().outcomes == (("copied", 1),)
    pauses = [after - before for before, after in zip(timed.came, timed.came[1:], strict=False)]
    assert len(pauses) == 3
    assert min(pauses) >= 5


class Halting(FakeClock):
    """A clock on which whoever sleeps stays asleep until the test goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep = threading.Semaphore(0)
        self.goes_on = threading.Event()

    def sleep(self, seconds: float, cancel: Cancel | None = None) -> None:
        """Tell that one more sleeps, and wait to be woken."""
        self.asleep.release()
        assert self.goes_on.wait(20)
        super().sleep(seconds, cancel)


def test_the_other_workers_of_the_host_wait_too(make_way: MakeWay) -> None:
    """One is refused; all others stand still before their next request (OCI-7.8)."""
    way = make_way(options=Options(artifacts_at_once=4, small_artifact=0))
    way.seed(**{f"app{number}": random_image(number, layers=1) for number in range(4)})
    clock, refused = Halting(), threading.Event()

    def script(request: Request) -> Fault | None:
        if "/team/app0/" not in request.path:
            if request.method == "POST":
                assert refused.wait(20)
        elif request.method == "PUT" and "/manifests/" in request.path and not refused.is_set():
            return faults.status(429, retry_after=5)
        return None

    way.destination.faults = script
    with way.replicator(clock=clock) as replicator, ThreadPoolExecutor(1) as pool:
        plan = replicator.plan()
        run = pool.submit(replicator.run, plan)
        assert clock.asleep.acquire(timeout=20)  # the one that was refused
        refused.set()
        for _ in range(3 * 2):  # config and layer of the three others, which had begun
            assert clock.asleep.acquire(timeout=20)
        assert [
            r for r in way.destination.requests if r.method == "PUT" and "app0" not in r.path
        ] == []
        clock.goes_on.set()
        assert run.result().outcomes == (("copied", 4),)
    assert min(clock.slept[:7]) >= 5
