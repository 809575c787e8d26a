"""Bytes go no faster than they may, and hardly slower, whoever sends them."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync.cancel import Cancel
from harborsync.errors import Cancelled, InvalidValue
from harborsync.limiter import Limiter, Limiters, Schedule, Window, as_schedule
from harborsync.testing.clock import EPOCH, FakeClock
from harborsync.units import Bandwidth

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.clock import Clock

MEGABIT = 125_000
RATE = Bandwidth.parse("20Mbps")


class SharedClock:
    """Time that goes on to the next deadline once all of so many threads sleep."""

    def __init__(self, threads: int) -> None:
        self._changed = threading.Condition()
        self._awake = threads
        self._elapsed = 0.0
        self._deadlines: list[float] = []

    def now(self) -> datetime:
        """Return the time."""
        return EPOCH + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Return the seconds since the start."""
        return self._elapsed

    def sleep(self, seconds: float, cancel: Cancel | None = None) -> None:
        """Wait for the others to sleep, or to be gone."""
        with self._changed:
            deadline = self._elapsed + seconds
            self._deadlines.append(deadline)
            self._leave()
            assert self._changed.wait_for(lambda: self._elapsed >= deadline, timeout=60)

    def leave(self) -> None:
        """Count one thread less."""
        with self._changed:
            self._leave()

    def _leave(self) -> None:
        self._awake -= 1
        if not self._awake and self._deadlines:
            self._elapsed = min(self._deadlines)
            self._awake = sum(each <= self._elapsed for each in self._deadlines)
            self._deadlines = [each for each in self._deadlines if each > self._elapsed]
            self._changed.notify_all()


@attrs.define
class Passage:
    """What went through a limiter, and when."""

    clock: Clock
    limiter: Limiter
    passed: list[tuple[float, int, str]] = attrs.field(factory=list)

    def send(self, blob: int, *, block: int = 2**20, name: str = "") -> None:
        """Send a blob of so many bytes in blocks."""
        for start in range(0, blob, block):
            for piece in self.limiter.pass_on(bytes(min(block, blob - start))):
                self.passed.append((self.clock.monotonic(), len(piece), name))

    def megabits(self, begin: float, end: float, name: str = "") -> float:
        """Return what passed in a span of time, by whom."""
        return (
            sum(n for at, n, who in self.passed if begin < at <= end and name in ("", who))
            / MEGABIT
        )


def _passage(limit: str = "20Mbps", clock: FakeClock | None = None) -> tuple[Passage, FakeClock]:
    clock = clock or FakeClock()
    passage = Passage(clock, Limiter(limit, clock=clock))
    clock.advance(60)
    return passage, clock


# --- how fast ------------------------------------------------------------------------------


def _one_large(passage: Passage) -> None:
    passage.send(30 * 10**6)


def _many_small(passage: Passage) -> None:
    for _ in range(500):
        passage.send(50_000)


def _odd_blocks(passage: Passage) -> None:
    for number in range(2000):
        passage.send(1 + 997 * (number % 31))


@pytest.mark.parametrize("work", [_one_large, _many_small, _odd_blocks])
def test_bytes_go_at_the_limit_from_the_first_second_on(work: Callable[[Passage], None]) -> None:
    """However they are cut, and although nothing was sent for a minute before."""
    passage, _ = _passage()
    work(passage)
    assert 19 <= passage.megabits(60, 61) <= 22
    whole = int(passage.passed[-1][0]) - 60
    assert 19 <= passage.megabits(60, 60 + whole) / whole <= 20.5


def test_the_time_it_takes_to_read_and_send_is_made_up_for() -> None:
    """A source with pauses below the length of a piece still gets the whole limit."""
    passage, clock = _passage()
    for number in range(400):
        passage.send(50_000)
        clock.advance(0.001 * (number % 30))
    assert 19 <= passage.megabits(60, 68) / 8 <= 20.5


def test_a_slow_source_gathers_no_burst() -> None:
    """What was not used a while ago is lost."""
    passage, clock = _passage()
    for _ in range(5):
        passage.send(50_000)
        clock.advance(10)
    before = clock.monotonic()
    passage.send(10 * MEGABIT)
    assert clock.monotonic() - before == pytest.approx(0.5 - 0.08, abs=0.01)


def test_eight_threads_share_the_limit_evenly() -> None:
    """Together they are as fast as one, and none is served before its turn."""
    clock = SharedClock(8)
    passage = Passage(clock, Limiter(RATE, clock=clock))

    def work(number: int) -> None:
        passage.send(30 * MEGABIT, name=str(number))
        clock.leave()

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work, number) for number in range(8)]:
            done.result(60)
    assert 19 <= passage.megabits(0, 10) / 10 <= 20.5
    assert passage.megabits(0, 1) <= 22
    shares = [passage.megabits(0, 10, str(number)) for number in range(8)]
    assert max(shares) - min(shares) <= 2


def test_a_small_blob_does_not_wait_for_large_ones() -> None:
    """It waits for a piece of each of those before it."""
    clock = SharedClock(5)
    passage = Passage(clock, Limiter(RATE, clock=clock))

    def large() -> None:
        passage.send(20 * MEGABIT)
        clock.leave()

    def small() -> None:
        clock.sleep(1.01)
        passage.send(10_000, name="small")
        clock.leave()

    with ThreadPoolExecutor(5) as pool:
        for done in [pool.submit(work) for work in (large, large, large, large, small)]:
            done.result(60)
    (at,) = [at for at, _, name in passage.passed if name == "small"]
    assert at < 1.4


def test_pieces_are_short_at_a_low_limit_and_whole_at_a_high_one() -> None:
    """No connection is idle for long, and no block is cut without need."""
    slow, _ = _passage("1Mbps")
    slow.send(2**20)
    assert {count for _, count, _ in slow.passed[:-1]} == {6250}
    slowest, _ = _passage("8kbps")
    slowest.send(10_000)
    assert [count for _, count, _ in slowest.passed] == [4096, 4096, 1808]
    fast, _ = _passage("10Gbps")
    fast.send(2**20)
    assert [count for _, count, _ in fast.passed] == [2**20]


def test_every_byte_comes_out_once_and_in_order() -> None:
    """A piece is a part of the block."""
    block = bytes(range(256)) * 4096
    limiter = Limiter("8Mbps", clock=FakeClock())
    assert b"".join(limiter.pass_on(block)) == block
    assert list(limiter.pass_on(b"")) == []


def test_without_a_limit_nothing_waits() -> None:
    """Nor is a block cut."""
    clock = FakeClock()
    limiter = Limiter(clock=clock)
    block = bytes(2**20)
    assert next(limiter.pass_on(block)) is block
    limiter.take(10**12)
    assert clock.slept == ()
    assert limiter.limit is None


# --- changing it ---------------------------------------------------------------------------


def test_the_limit_can_be_changed_at_any_time() -> None:
    """Up, away, and back again; no burst comes of it."""
    passage, clock = _passage("10Mbps")
    passage.send(10 * MEGABIT)
    passage.limiter.set("40Mbps")
    passage.send(40 * MEGABIT)
    assert clock.monotonic() == pytest.approx(62, abs=0.15)
    passage.limiter.set(None)
    passage.send(1000 * MEGABIT)
    assert clock.monotonic() == pytest.approx(62, abs=0.15)
    passage.limiter.set(RATE)
    passage.send(20 * MEGABIT)
    assert clock.monotonic() == pytest.approx(63, abs=0.15)


def test_credit_of_a_high_limit_does_not_count_at_a_low_one() -> None:
    """It is a span of time, not a number of bytes."""
    passage, clock = _passage("10Gbps")
    passage.limiter.take(0)
    passage.limiter.set("1Mbps")
    passage.limiter.take(MEGABIT)
    assert clock.monotonic() == pytest.approx(61, abs=0.1)


def test_whoever_waits_sees_the_new_limit() -> None:
    """An hour's wait is over as soon as somebody takes the limit away."""
    clock = FakeClock()
    limiter = Limiter("8bps", clock=clock)

    class Impatient(Cancel):
        def check(self) -> None:
            if clock.monotonic() > 2:
                limiter.set(None)

    limiter.take(3600, Impatient())
    assert clock.monotonic() < 4


def test_a_cancelled_wait_ends_at_once() -> None:
    """Before the first byte, and in the middle of a wait."""
    clock = FakeClock()
    limiter = Limiter("8bps", clock=clock)
    cancel = Cancel()

    class During(Cancel):
        def check(self) -> None:
            if clock.monotonic() > 2:
                raise Cancelled

    with pytest.raises(Cancelled):
        limiter.take(3600, During())
    assert clock.monotonic() < 4
    cancel.set()
    with pytest.raises(Cancelled):
        list(Limiter(clock=clock).pass_on(b"x", cancel))


def test_hours_come_and_go_while_bytes_are_on_their_way() -> None:
    """At eight the limit begins to hold, and at nine it ends."""
    clock = FakeClock(datetime(2026, 1, 1, 7, 59, 59, tzinfo=UTC))
    limiter = Limiter("8Mbps 08:00-09:00, 80Mbps", clock=clock)
    for _ in range(200):
        limiter.take(100_000)
    assert clock.monotonic() == pytest.approx(1 + 10, abs=0.3)
    clock.advance(3600)
    before = clock.monotonic()
    limiter.take(10**7)
    assert clock.monotonic() - before == pytest.approx(1, abs=0.1)


def test_a_limiter_shows_its_limit() -> None:
    """As the text it can be made from."""
    assert repr(Limiter("50000kbps")) == "Limiter('50Mbps')"
    assert repr(Limiter()) == "Limiter(None)"
    limiter = Limiter(RATE)
    limiter.set(Schedule.parse("1Gbps"))
    assert limiter.limit == Schedule(otherwise=Bandwidth.parse("1Gbps"))
    with pytest.raises(InvalidValue):
        limiter.set("fast")


def test_endpoints_of_one_place_with_one_limit_share_a_limiter() -> None:
    """Another place or another limit has its own, and many processes share the limit."""
    limiters = Limiters(FakeClock(), among=4)
    limit = Schedule.parse("20Mbps")
    first = limiters.get("a.example", limit)
    assert limiters.get("a.example", Schedule.parse("20000kbps")) is first
    assert limiters.get("b.example", limit) is not first
    assert limiters.get("a.example", Schedule.parse("30Mbps")) is not first
    assert str(first.limit) == "5Mbps"


# --- schedules -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("50Mbps", "50Mbps"),
        (" 50 Mbps ", "50Mbps"),
        ("10MB/s", "80Mbps"),
        ("50Mbps 08:00-20:00", "50Mbps 08:00-20:00"),
        ("50 Mbps 08:00-20:00 UTC", "50Mbps 08:00-20:00"),
        ("50Mbps 08:00-20:00 Europe/Berlin", "50Mbps 08:00-20:00 Europe/Berlin"),
        ("1Gbps, 50Mbps 20:00-24:00,2Mbps  00:00-06:00", None),
        ("50Mbps 22:00-06:00, 5Mbps 06:00-22:00 Etc/GMT+1", None),
        ("1MiB/s 10:00-11:00, 50 Mbps America/Argentina/Buenos_Aires", None),
    ],
)
def test_a_schedule_is_read_and_written(text: str, canonical: str | None) -> None:
    """The canonical text has the windows in order and the whole days last."""
    expected = {
        "1Gbps, 50Mbps 20:00-24:00,2Mbps  00:00-06:00": (
            "2Mbps 00:00-06:00, 50Mbps 20:00-00:00, 1Gbps"
        ),
        "50Mbps 22:00-06:00, 5Mbps 06:00-22:00 Etc/GMT+1": (
            "5Mbps 06:00-22:00, 50Mbps 22:00-06:00 Etc/GMT+1"
        ),
        "1MiB/s 10:00-11:00, 50 Mbps America/Argentina/Buenos_Aires": (
            "8388608bps 10:00-11:00, 50Mbps America/Argentina/Buenos_Aires"
        ),
    }
    schedule = Schedule.parse(text)
    assert str(schedule) == (canonical or expected[text])
    assert Schedule.parse(str(schedule)) == schedule


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no bandwidth"),
        ("fast", "no bandwidth"),
        ("50", "no bandwidth"),
        ("0Mbps 08:00-20:00", "nothing through"),
        ("50Mbps,", "no bandwidth"),
        ("50Mbps 08:00-20:00 Mars/Base", "no time zone"),
        ("50Mbps ../../etc/passwd", "no time zone"),
        ("50Mbps America", "no time zone"),
        ("50Mbps 25:00-26:00", "no time of day"),
        ("50Mbps 08:00-08:00", "end when they begin"),
        ("50Mbps 00:00-24:00", "end when they begin"),
        ("50Mbps, 60Mbps", "2 limits without hours"),
        ("50Mbps 08:00-12:00, 60Mbps 11:59-13:00", "at the same time"),
        ("50Mbps 22:00-06:00, 60Mbps 05:00-07:00", "at the same time"),
        ("5Mbps 08:00-09:00, 6Mbps 12:00-13:00, 7Mbps 08:30-08:40", "at the same time"),
        ("08:00-20:00", "no bandwidth"),
    ],
)
def test_what_is_no_schedule_is_refused(text: str, told: str) -> None:
    """With a word of what is wrong."""
    with pytest.raises(InvalidValue, match=told):
        Schedule.parse(text)


def test_a_schedule_cannot_be_made_that_could_not_be_written() -> None:
    """Values are checked as texts are."""
    with pytest.raises(InvalidValue, match="says nothing"):
        Schedule()
    with pytest.raises(InvalidValue, match="whole minutes"):
        Window(limit=RATE, begin=time(8, 0, 1), end=time(9))
    with pytest.raises(InvalidValue, match="no time zone"):
        Schedule(otherwise=RATE, zone="nowhere")


@pytest.mark.parametrize(
    ("moment", "limit"),
    [
        ("07:59:59.999", "1Gbps"),
        ("08:00", "20Mbps"),
        ("17:59:59", "20Mbps"),
        ("18:00", "1Gbps"),
        ("21:59", "1Gbps"),
        ("22:00", "50Mbps"),
        ("00:00", "50Mbps"),
        ("05:59", "50Mbps"),
        ("06:00", "1Gbps"),
    ],
)
def test_a_limit_holds_from_its_first_minute_to_before_its_last(moment: str, limit: str) -> None:
    """Over midnight, too."""
    schedule = Schedule.parse("20Mbps 08:00-18:00, 50Mbps 22:00-06:00, 1Gbps")
    at = datetime.fromisoformat(f"2026-01-01T{moment}+00:00")
    assert schedule.at(at) == Bandwidth.parse(limit)


def test_outside_of_all_hours_there_is_no_limit() -> None:
    """Unless the schedule names one for the rest of the day."""
    schedule = Schedule.parse("20Mbps 08:00-18:00")
    assert schedule.at(datetime(2026, 1, 1, 7, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        # Winter: Berlin is one hour ahead.
        ("2026-01-15T06:59Z", False),
        ("2026-01-15T07:00Z", True),
        # Summer: two hours.
        ("2026-07-15T06:00Z", True),
        ("2026-07-15T18:00Z", False),
    ],
)
def test_hours_are_those_of_the_zone(moment: str, holds: bool) -> None:
    """Also after the clocks were changed."""
    schedule = Schedule.parse("20Mbps 08:00-20:00 Europe/Berlin")
    assert (schedule.at(datetime.fromisoformat(moment)) is not None) == holds


def test_an_hour_that_comes_twice_counts_twice_and_one_that_is_left_out_never() -> None:
    """When the clocks are put back at three, and forward at two."""
    schedule = Schedule.parse("20Mbps 02:00-03:00 Europe/Berlin")

    def minutes(day: str) -> int:
        start = datetime.fromisoformat(f"{day}T00:00Z") - timedelta(hours=3)
        moments = (start + timedelta(minutes=each) for each in range(24 * 60))
        return sum(schedule.at(each) is not None for each in moments)

    assert minutes("2026-10-25") == 120
    assert minutes("2026-03-29") == 0
    assert minutes("2026-06-01") == 60


def test_a_schedule_can_be_divided_and_travels() -> None:
    """A worker takes its share, which is never nothing."""
    schedule = Schedule.parse("20Mbps 08:00-20:00, 3bps Europe/Berlin")
    assert str(schedule.divided(4)) == "5Mbps 08:00-20:00, 1bps Europe/Berlin"
    assert str(Schedule.parse("20Mbps 08:00-20:00").divided(2)) == "10Mbps 08:00-20:00"
    assert pickle.loads(pickle.dumps(schedule)) == schedule


def test_a_limit_is_what_it_says_however_it_is_given() -> None:
    """A text, a bandwidth, a schedule, or none."""
    schedule = Schedule(otherwise=RATE)
    assert as_schedule("20Mbps") == as_schedule(RATE) == as_schedule(schedule) == schedule
    assert as_schedule(None) is None
