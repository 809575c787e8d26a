"""Many at once, in order, and a stop that stops."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.cancel import Cancel
from harborsync.endpoint import Endpoint
from harborsync.engine import Crowd, Engine
from harborsync.events import Dispatcher, Event, StepFinished, StepStarted
from harborsync.options import Options
from harborsync.plan import Action, Step
from harborsync.reference import ArtifactRef, Tag
from harborsync.registries.memory import MemoryRegistry
from harborsync.report import Outcome
from harborsync.rule import ReplicationRule
from harborsync.steps import Job
from harborsync.testing.clock import FakeClock
from harborsync.testing.content import Sample, random_image
from harborsync.warehouse import Registries, Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harborsync.content import Descriptor
    from harborsync.registry import BlobOpener, BlobPut

SOURCE = Endpoint.parse("source.example")
MIRROR, BACKUP = Endpoint.parse("mirror.example"), Endpoint.parse("backup.example")
HERE = "team/app"


class _Slow(MemoryRegistry):
    """A destination whose uploads can be held up, and be waited for."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.begun, self.goes_on = threading.Semaphore(0), threading.Event()
        self.goes_on.set()
        self.broken: set[str] = set()

    def put_blob(
        self,
        repository: str,
        blob: Descriptor,
        content: BlobOpener,
        *,
        mount_from: Sequence[str] = (),
        absent: bool = False,
    ) -> BlobPut:
        self.begun.release()
        assert self.goes_on.wait(20)
        if str(blob.digest) in self.broken:
            raise RuntimeError("a defect")
        return super().put_blob(repository, blob, content, mount_from=mount_from, absent=absent)


@attrs.define
class _Run:
    engine: Engine
    source: MemoryRegistry = attrs.field(factory=lambda: MemoryRegistry("source"))
    mirror: _Slow = attrs.field(factory=lambda: _Slow("mirror"))
    backup: _Slow = attrs.field(factory=lambda: _Slow("backup"))
    cancel: Cancel = attrs.field(factory=Cancel)
    events: list[Event] = attrs.field(factory=list)
    options: Options = attrs.field(factory=Options)

    def job(self) -> Job:
        ends = {SOURCE.host: self.source, MIRROR.host: self.mirror, BACKUP.host: self.backup}
        clock = FakeClock()
        rule = ReplicationRule(
            name="r", source=SOURCE, destinations=[MIRROR, BACKUP], where="everything"
        )
        return Job(
            rules={"r": rule},
            warehouse=Warehouse(Registries(lambda endpoint: ends[endpoint.host])),
            planned_at=clock.now(),
            options=self.options,
            clock=clock,
            cancel=self.cancel,
            emit=Dispatcher([self.events.append]),
        )

    def image(self, seed: int, **fields: Any) -> Sample:
        image = random_image(seed, **fields)
        image.push_to(self.source, HERE)
        return image


def _step(image: Sample, tag: str, to: Endpoint = MIRROR, action: Action = Action.COPY) -> Step:
    return Step(
        rule="r",
        to=to,
        source=ArtifactRef(HERE, Tag(tag), image.digest),
        destination=ArtifactRef(HERE, Tag(tag), image.digest),
        action=action,
        reason="because",
    )


@pytest.fixture
def run() -> Iterator[_Run]:
    """An engine of few threads, and registries."""
    options = Options(artifacts_at_once=2, blobs_at_once=2, requests_at_once=2)
    engine = Engine(options)
    yield _Run(engine=engine, options=options)
    engine.close()


# --- asking ----------------------------------------------------------------------------------


def test_answers_come_in_order_of_the_questions(run: _Run) -> None:
    """However many, and whoever is ready first."""
    assert list(run.engine.ask(lambda n: n * n, range(50))) == [n * n for n in range(50)]
    assert list(run.engine.ask(lambda n: n + 1, range(5000))) == list(range(1, 5001))


def test_questions_run_at_once(run: _Run) -> None:
    """Two that wait for each other both come to an end."""
    meeting = threading.Barrier(2, timeout=20)
    assert sorted(run.engine.ask(lambda _: meeting.wait(), range(2))) == [0, 1]


def test_few_questions_are_ahead_of_who_takes_the_answers(run: _Run) -> None:
    """A catalog without end does not fill the memory."""
    asked: list[int] = []

    def questions() -> Iterator[int]:
        for number in range(1000):
            asked.append(number)
            yield number

    answers = run.engine.ask(lambda n: n, questions())
    assert next(answers) == 0
    assert len(asked) <= 4 * 2 + 1


def test_an_error_is_raised_where_its_answer_would_be(run: _Run) -> None:
    """And the questions ahead of it are taken back."""
    with pytest.raises(ZeroDivisionError):
        list(run.engine.ask(lambda n: 1 // n, [1, 0, 1, 1]))


class _Answering:
    """Answers that take so long on the clock; counts how many are under way."""

    def __init__(self, clock: FakeClock, latency: float) -> None:
        self._clock, self._latency = clock, latency
        self.crowd = Crowd(32, clock.monotonic)

    def answer(self) -> None:
        with self.crowd.joined(1):
            self._clock.advance(self._latency)

    def most_at_once(self) -> int:
        """Let as many come as can, and tell how many that are."""
        with ExitStack() as stack:
            for count in range(1, 33):
                stack.enter_context(self.crowd.joined(1))
                if not self.crowd.has_place:
                    return count
            return 32


@pytest.mark.parametrize(("latency", "most"), [(0.0, 8), (0.002, 8), (0.01, 20), (0.02, 32)])
def test_few_ask_where_answers_come_at_once(latency: float, most: int) -> None:
    """Twenty milliseconds away all are needed; on the same machine they would be in the way."""
    registry = _Answering(FakeClock(), latency)
    assert registry.most_at_once() == 32
    registry.answer()
    assert registry.most_at_once() == most


def test_who_finds_no_place_gets_one_as_soon_as_somebody_leaves() -> None:
    """Nobody is forgotten, however few may ask at once."""
    crowd, done = Crowd(1, FakeClock().monotonic), list[int]()

    def ask(number: int) -> None:
        with crowd.joined(1):
            done.append(number)

    askers = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    with crowd.joined(1):
        for asker in askers:
            asker.start()
        assert not done
    for asker in askers:
        asker.join(20)
    assert sorted(done) == list(range(20))


# --- steps -----------------------------------------------------------------------------------


def test_results_stand_in_the_order_of_the_steps(run: _Run) -> None:
    """Whatever their kind, and whoever was ready first."""
    images = [run.image(seed) for seed in range(5)]
    steps = [
        *(_step(image, f"v{place}") for place, image in enumerate(images)),
        _step(images[0], "skipped", action=Action.SKIP),
    ]
    results = run.engine.run(run.job(), steps)
    assert [result.step for result in results] == steps
    assert [r.outcome for r in results] == [Outcome.COPIED] * 5 + [Outcome.SKIPPED]


def test_nothing_to_do_is_done_at_once(run: _Run) -> None:
    """No steps, no results."""
    assert run.engine.run(run.job(), []) == []


def test_a_step_that_fails_stops_no_other(run: _Run) -> None:
    """Not even if it is a defect."""
    bad, good = run.image(1), run.image(2)
    run.mirror.broken = {str(blob.descriptor.digest) for blob in bad.blobs}
    results = run.engine.run(run.job(), [_step(bad, "bad"), _step(good, "good")])
    assert [r.outcome for r in results] == [Outcome.FAILED, Outcome.COPIED]


def test_tags_of_one_digest_bring_it_once(run: _Run) -> None:
    """They are neighbours, and more of them than one thread takes at a time."""
    image = run.image(1)
    steps = [_step(image, f"v{number}") for number in range(40)]
    results = run.engine.run(run.job(), steps)
    assert {result.outcome for result in results} == {Outcome.COPIED}
    assert sum(result.bytes_sent for result in results) == sum(len(b.content) for b in image.blobs)
    assert len(list(run.mirror.list_artifacts(HERE))) == 40


def test_every_destination_gets_its_copy(run: _Run) -> None:
    """Read at the source once; what is only skipped takes no way of its own."""
    image = run.image(1, layer_bytes=300_000)
    steps = [
        _step(image, "v1", BACKUP),
        _step(image, "v1", MIRROR),
        _step(image, "v2", BACKUP, Action.SKIP),
        _step(image, "v2", MIRROR),
    ]
    results = run.engine.run(run.job(), steps)
    assert [result.step for result in results] == steps
    assert [r.outcome.value for r in results] == ["copied", "copied", "skipped", "copied"]
    assert run.source.operations.count("open_blob") == len(image.blobs)
    for registry in (run.mirror, run.backup):
        assert registry.get_manifest(HERE, Tag("v1")) == image.manifest


def test_blobs_of_a_large_artifact_move_at_once(run: _Run) -> None:
    """Two uploads are under way before either ends."""
    image = run.image(1, layers=4)
    run.mirror.goes_on.clear()
    done: list[Outcome] = []
    job = run.job()
    thread = threading.Thread(
        target=lambda: done.extend(r.outcome for r in run.engine.run(job, [_step(image, "v1")]))
    )
    thread.start()
    for _ in range(2):
        assert run.mirror.begun.acquire(timeout=20)
    run.mirror.goes_on.set()
    thread.join(20)
    assert done == [Outcome.COPIED]


def test_an_error_among_blobs_that_move_at_once_is_the_steps(run: _Run) -> None:
    """The first error is told after all uploads have ended; those not begun never begin."""
    image = run.image(1, layers=6)
    run.mirror.broken = {str(image.blobs[0].descriptor.digest)}
    (result,) = run.engine.run(run.job(), [_step(image, "v1")])
    assert result.outcome is Outcome.FAILED
    assert result.failure is not None
    assert result.failure.message == "a defect"


# --- stopping --------------------------------------------------------------------------------


def _told_once(events: list[Event]) -> bool:
    started = [event for event in events if isinstance(event, StepStarted)]
    finished = [event for event in events if isinstance(event, StepFinished)]
    return len(started) == len(finished)


def test_a_flag_that_is_set_cancels_what_is_left(run: _Run) -> None:
    """Every step has a result, and whoever began has ended."""
    images = [run.image(seed) for seed in range(20)]

    def stop(event: Event) -> None:
        run.events.append(event)
        if isinstance(event, StepFinished):
            run.cancel.set()

    job = attrs.evolve(run.job(), emit=Dispatcher([stop]))
    steps = [_step(image, f"v{place}") for place, image in enumerate(images)]
    outcomes = [result.outcome for result in run.engine.run(job, steps)]
    assert len(outcomes) == 20
    assert set(outcomes) == {Outcome.COPIED, Outcome.CANCELLED}
    assert outcomes.count(Outcome.COPIED) <= 3
    assert _told_once(run.events)


def test_ctrl_c_stops_and_still_gives_results(run: _Run) -> None:
    """The interrupt comes to whoever waits; what moves stops within a block."""
    images = [run.image(seed) for seed in range(20)]
    steps = [_step(image, f"v{place}") for place, image in enumerate(images)]
    engine = Engine(attrs.evolve(run.options, artifacts_at_once=1))
    engine.run(run.job(), steps[:1])  # so that the thread is there when the interrupt comes
    run.events.clear()

    def interrupt(event: Event) -> None:
        run.events.append(event)
        if isinstance(event, StepStarted) and not run.cancel.is_set():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            assert run.cancel.wait(20)

    # Shells start what runs in the background deaf to Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        results = engine.run(attrs.evolve(run.job(), emit=Dispatcher([interrupt])), steps)
    finally:
        signal.signal(signal.SIGINT, before)
    engine.close()
    assert [result.step for result in results] == steps
    assert {result.outcome for result in results} == {Outcome.CANCELLED}
    assert _told_once(run.events)


def test_an_engine_can_be_closed_twice_and_used_again(run: _Run) -> None:
    """Threads are made when they are needed."""
    image = run.image(1)
    for _ in range(2):
        (result,) = run.engine.run(run.job(), [_step(image, "v1")])
        assert result.outcome is Outcome.COPIED
        run.engine.close()
        run.engine.close()


@pytest.mark.parametrize("layers", [1, 5], ids=["by the walker", "by carriers"])
def test_an_artifact_that_takes_too_long_fails_alone(run: _Run, layers: int) -> None:
    """By a message that names the limit; the next one has its own time."""
    run.options = Options(artifact_timeout=60, small_artifact=0)
    late, fine = run.image(1, layers=layers), run.image(2, layers=layers)
    job = run.job()
    assert isinstance(job.clock, FakeClock)
    clock, opened = job.clock, run.source.open_blob

    class Slow(MemoryRegistry):
        """A source whose first artifact takes a minute to read."""

        def open_blob(self, repository: str, blob: Descriptor, offset: int = 0) -> Any:
            if blob.digest in {each.descriptor.digest for each in late.blobs}:
                clock.advance(61)
            return opened(repository, blob, offset)

    slow = Slow("source")
    late.push_to(slow, HERE)
    fine.push_to(slow, HERE)
    ends = {SOURCE.host: slow, MIRROR.host: run.mirror}
    job = attrs.evolve(job, warehouse=Warehouse(Registries(lambda e: ends[e.host])))
    (failed,) = run.engine.run(job, [_step(late, "late")])
    assert clock.monotonic() <= 2 * 61  # what was not begun by then was not begun at all
    (copied,) = run.engine.run(job, [_step(fine, "fine")])
    assert (failed.outcome, copied.outcome) == (Outcome.FAILED, Outcome.COPIED)
    failure = failed.failure
    assert failure is not None
    assert failure.kind == "OutOfTime"
    assert "Options.artifact_timeout = 60 s" in failure.message
    assert failure.retryable
    assert run.mirror.resolve(HERE, Tag("late")) is None
