"""The ledger knows what is where, and lets one thread do what many want."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from harborsync.cancel import TimeLimit, limited
from harborsync.errors import OutOfTime, QuotaExceeded, ServerError
from harborsync.ledger import Ledger, Shelf
from harborsync.reference import Digest
from harborsync.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

APP, WEB, API, DB = (Shelf("mirror", name) for name in ("app", "web", "api", "db"))
ELSEWHERE = Shelf("another", "app")
BLOB = Digest.of(b"blob")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Four threads that end with the test."""
    with ThreadPoolExecutor(4) as threads:
        yield threads


class _Gate:
    """Work that says when it began and goes on when it is let."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun, self.open = threading.Event(), threading.Event()
        self.calls: list[tuple[str, ...]] = []
        self._error = error

    def __call__(self, mount_from: tuple[str, ...] = ()) -> None:
        self.calls.append(mount_from)
        self.begun.set()
        assert self.open.wait(20)
        if self._error is not None:
            raise self._error


class _Watched(Ledger):
    """A ledger that tells when somebody has found work under way."""

    def __init__(self) -> None:
        super().__init__()
        self.somebody_waits = threading.Event()

    def _take_off(self, keys: tuple[object, ...]) -> object:  # type: ignore[override]
        found = super()._take_off(keys)
        if found is not None:
            self.somebody_waits.set()
        return found


def test_what_was_noted_is_known_until_it_is_forgotten() -> None:
    """A note is for one repository; striking out twice does no harm."""
    ledger = Ledger()
    ledger.note(APP, BLOB)
    ledger.note(APP, BLOB)
    assert ledger.has(APP, BLOB)
    assert not ledger.has(WEB, BLOB)
    ledger.forget(APP, BLOB)
    ledger.forget(APP, BLOB)
    assert not ledger.has(APP, BLOB)
    assert ledger.holders(WEB, BLOB) == ()


def test_the_others_of_a_registry_that_hold_a_digest_are_few_candidates() -> None:
    """Neither the repository itself, nor another registry, nor more than two (OCI-4.5)."""
    ledger = Ledger()
    for shelf in (ELSEWHERE, APP, WEB, API, DB):
        ledger.note(shelf, BLOB)
    assert ledger.holders(APP, BLOB) == ("web", "api")


def test_what_is_there_is_not_delivered() -> None:
    """Nothing is sent for a digest that is known to be in the repository."""
    ledger = Ledger()
    ledger.note(APP, BLOB)
    sent: list[tuple[str, ...]] = []
    assert ledger.deliver(APP, BLOB, sent.append) is False
    assert sent == []


def test_the_second_repository_mounts_from_the_first() -> None:
    """The first gets the bytes, and every other a place to mount from."""
    ledger = Ledger()
    sent: list[tuple[str, ...]] = []
    assert ledger.deliver(APP, BLOB, sent.append)
    assert ledger.deliver(WEB, BLOB, sent.append)
    assert sent == [(), ("app",)]


class _Overtaken(Ledger):
    """A ledger where another thread begins and ends right before a claim."""

    def __init__(self, other: Shelf) -> None:
        super().__init__()
        self._others: list[Shelf] = [other]

    def _take_off(self, keys: tuple[object, ...]) -> object:  # type: ignore[override]
        while self._others:
            self.deliver(self._others.pop(), BLOB, lambda _: None)
        return super()._take_off(keys)


def test_what_came_since_the_last_look_is_not_sent_again() -> None:
    """A thread that has just ended leaves nothing to wait for, and nothing to do."""
    sent: list[tuple[str, ...]] = []
    assert _Overtaken(APP).deliver(APP, BLOB, sent.append) is False
    assert sent == []


def test_what_another_repository_got_since_the_last_look_is_mounted() -> None:
    """The bytes do not move again."""
    sent: list[tuple[str, ...]] = []
    assert _Overtaken(APP).deliver(WEB, BLOB, sent.append)
    assert sent == [("app",)]


def _meanwhile(
    pool: ThreadPoolExecutor,
    ledger: _Watched,
    first: _Gate,
    deliveries: Sequence[Callable[[], object]],
) -> list[object]:
    """Start the first delivery, then the second while it is under way; let it go; gather both."""
    futures = [pool.submit(deliveries[0])]
    assert first.begun.wait(20)
    futures.append(pool.submit(deliveries[1]))
    assert ledger.somebody_waits.wait(20)
    first.open.set()
    return [future.exception(20) or future.result() for future in futures]


def test_one_thread_sends_and_the_other_waits(pool: ThreadPoolExecutor) -> None:
    """Two who want one digest in one repository make one sending."""
    ledger, gate = _Watched(), _Gate()
    work = [lambda: ledger.deliver(APP, BLOB, gate)] * 2
    assert _meanwhile(pool, ledger, gate, work) == [True, False]
    assert gate.calls == [()]


def test_who_waited_gets_the_error_as_well(pool: ThreadPoolExecutor) -> None:
    """A sending that failed has failed for all, each with an error of its own."""
    ledger, gate = _Watched(), _Gate(QuotaExceeded("no room left", hint="make room"))
    work = [lambda: ledger.deliver(APP, BLOB, gate)] * 2
    first, second = _meanwhile(pool, ledger, gate, work)
    assert isinstance(first, QuotaExceeded)
    assert isinstance(second, QuotaExceeded)
    assert first is not second
    assert second.hint == "make room"
    assert not ledger.has(APP, BLOB)


def test_another_repository_waits_to_mount(pool: ThreadPoolExecutor) -> None:
    """While the bytes are on their way to one repository, no second stream of them begins."""
    ledger, gate = _Watched(), _Gate()
    later: list[tuple[str, ...]] = []
    work: list[Callable[[], object]] = [
        lambda: ledger.deliver(APP, BLOB, gate),
        lambda: ledger.deliver(WEB, BLOB, later.append),
    ]
    assert _meanwhile(pool, ledger, gate, work) == [True, True]
    assert later == [("app",)]


def test_another_repository_tries_itself_after_a_failure(pool: ThreadPoolExecutor) -> None:
    """What failed in one repository need not fail in another."""
    ledger, gate = _Watched(), _Gate(ServerError("went away"))
    later: list[tuple[str, ...]] = []
    work: list[Callable[[], object]] = [
        lambda: ledger.deliver(APP, BLOB, gate),
        lambda: ledger.deliver(WEB, BLOB, later.append),
    ]
    first, second = _meanwhile(pool, ledger, gate, work)
    assert isinstance(first, ServerError)
    assert second is True
    assert later == [()]


def test_work_is_done_once_for_all_who_want_it_now(pool: ThreadPoolExecutor) -> None:
    """The second asks while the first is at it, waits, and is told that it was not the one."""
    ledger, gate = _Watched(), _Gate()
    work = [lambda: ledger.once("key", gate)] * 2
    assert _meanwhile(pool, ledger, gate, work) == [True, False]
    assert len(gate.calls) == 1


def test_work_that_failed_has_failed_for_who_waited(pool: ThreadPoolExecutor) -> None:
    """Both get the error; the next one to ask tries anew."""
    ledger, gate = _Watched(), _Gate(ServerError("went away"))
    work = [lambda: ledger.once("key", gate)] * 2
    assert all(isinstance(r, ServerError) for r in _meanwhile(pool, ledger, gate, work))
    assert ledger.once("key", lambda: None)


def test_one_thread_at_a_time_is_alone_with_a_key(pool: ThreadPoolExecutor) -> None:
    """A second thread comes in only after the first has left; another key is another door."""
    ledger, inside = Ledger(), 0
    most = 0

    def visit(_: int) -> None:
        nonlocal inside, most
        with ledger.alone("tag"):
            inside += 1
            most = max(most, inside)
            with ledger.alone("other"):
                inside -= 1

    list(pool.map(visit, range(40)))
    assert most == 1


def test_time_that_was_up_for_another_is_no_failure_of_ours(pool: ThreadPoolExecutor) -> None:
    """Who waited does the work itself: a blob, and anything else that is done once."""
    ledger, gate, done = _Watched(), _Gate(OutOfTime("too long")), []
    for begin, after in (
        (
            lambda: ledger.deliver(APP, BLOB, gate),
            lambda: ledger.deliver(APP, BLOB, lambda _: done.append(1)),
        ),
        (lambda: ledger.once("key", gate), lambda: ledger.once("key", lambda: done.append(2))),
    ):
        gate.begun.clear()
        gate.open.clear()
        ledger.somebody_waits.clear()
        first = pool.submit(begin)
        assert gate.begun.wait(20)
        second = pool.submit(after)
        assert ledger.somebody_waits.wait(20)
        gate.open.set()
        assert isinstance(first.exception(20), OutOfTime)
        assert second.result(20)
    assert done == [1, 2]


def test_nobody_waits_for_another_beyond_the_own_time(pool: ThreadPoolExecutor) -> None:
    """The other one goes on."""
    ledger, gate, clock = Ledger(), _Gate(), FakeClock()
    first = pool.submit(ledger.deliver, APP, BLOB, gate)
    assert gate.begun.wait(20)
    with limited(TimeLimit(seconds=5, monotonic=clock.monotonic)):
        clock.advance(5)
        with pytest.raises(OutOfTime):
            ledger.deliver(APP, BLOB, gate)
    gate.open.set()
    assert first.result(20)


def test_what_another_thread_is_at_is_busy() -> None:
    """In the same repository, and in another one while the registry gets the bytes first."""
    ledger = Ledger()
    here, there = Shelf("registry", "a/b"), Shelf("registry", "c/d")
    seen: list[list[bool]] = []

    def look(_: tuple[str, ...]) -> None:
        elsewhere = Shelf("other", "a/b")
        seen.append([ledger.is_busy(shelf, BLOB) for shelf in (here, there, elsewhere)])

    ledger.deliver(here, BLOB, look)
    ledger.deliver(there, BLOB, look)
    assert seen == [[True, True, False], [False, True, False]]
    assert not ledger.is_busy(here, BLOB)


def test_what_a_listing_told_is_learnt_once() -> None:
    """What is struck out afterwards stays struck out, however often the old list is shown."""
    ledger = Ledger()
    ledger.learn(APP, [BLOB])
    assert ledger.has(APP, BLOB)
    ledger.forget(APP, BLOB)
    ledger.learn(APP, [BLOB])
    assert not ledger.has(APP, BLOB)
