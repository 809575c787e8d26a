"""From rules to a report: plan, run, remember, cancel, and hand work elsewhere."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.cancel import Cancel
from harborsync.credentials.base import Anonymous, Credential
from harborsync.errors import ConfigurationError, Denied, InvalidValue, NotFound, PlanRefused
from harborsync.events import Event, PlanReady, RunFinished, RunStarted, StepFinished, StepStarted
from harborsync.gate import open_registry
from harborsync.limiter import Limiter
from harborsync.options import Options
from harborsync.plan import Action, Plan
from harborsync.reference import ArtifactRef, Tag
from harborsync.registries.memory import MemoryRegistry, shared
from harborsync.replicator import Replicator
from harborsync.report import Outcome
from harborsync.retry import RetryPolicy
from harborsync.rule import ReplicationRule
from harborsync.secrets import Secret
from harborsync.selection import Scope
from harborsync.state import MemoryState, Place, Written
from harborsync.state_sqlite import SqliteState
from harborsync.testing.clock import FakeClock
from harborsync.testing.content import (
    fallback_index,
    random_image,
    random_referrer,
    random_signature,
)
from harborsync.testing.faults import FaultScript, cut_request, on
from harborsync.testing.server import LoopbackRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harborsync.work import Batch

APP, V1 = "team/app", Tag("v1")


def _rule(**fields: Any) -> ReplicationRule:
    given: dict[str, Any] = {
        "name": "r",
        "source": "source.example",
        "destinations": "mirror.example",
        "where": "everything",
    }
    return ReplicationRule(**{**given, **fields})


@attrs.define
class _World:
    """Registries by host, made when they are first asked for; a clock; a memory."""

    registries: dict[str, MemoryRegistry] = attrs.field(factory=dict)
    clock: FakeClock = attrs.field(factory=FakeClock)
    state: MemoryState = attrs.field(factory=MemoryState)
    events: list[Event] = attrs.field(factory=list)

    def __getitem__(self, host: str) -> MemoryRegistry:
        return self.registries.setdefault(host, MemoryRegistry(host))

    def replicator(self, *rules: ReplicationRule, **fields: Any) -> Replicator:
        given: dict[str, Any] = {
            "opener": lambda endpoint: self[endpoint.host],
            "clock": self.clock,
            "state": self.state,
            "listeners": [self.events.append],
        }
        return Replicator(rules or (_rule(),), **{**given, **fields})


@pytest.fixture
def world() -> _World:
    """A source with one signed image, and nothing else."""
    found = _World()
    image = random_image(1)
    image.push_to(found["source.example"], APP, "v1")
    random_signature(2, image.digest).push_to(found["source.example"], APP)
    return found


def _writes(registry: MemoryRegistry, since: int = 0) -> list[str]:
    return [name for name in registry.operations[since:] if name.startswith("put_")]


# --- plan and run ----------------------------------------------------------------------------


def test_a_plan_is_made_and_run(world: _World) -> None:
    """What was planned is what was done."""
    with world.replicator() as replicator:
        plan = replicator.plan()
        assert _writes(world["mirror.example"]) == []
        report = replicator.run(plan)
    assert report.ok
    assert [result.step for result in report] == list(plan)
    assert world["mirror.example"].get_manifest(APP, V1) == random_image(1).manifest


def test_a_run_without_a_plan_makes_one(world: _World) -> None:
    """And a second one finds nothing to do."""
    with world.replicator() as replicator:
        assert replicator.run().copied
        done = len(world["mirror.example"].operations)
        assert replicator.run().skipped
    assert _writes(world["mirror.example"], done) == []


def test_what_was_read_for_the_plan_is_not_read_again_for_the_run(world: _World) -> None:
    """Manifests are asked for once in all."""
    with world.replicator() as replicator:
        replicator.run(replicator.plan())
    assert world["source.example"].operations.count("get_manifest") == 2


def test_a_run_tells_what_its_plan_noted(world: _World) -> None:
    """Here, that nothing is there for the rule: no artifact fails over that."""
    with world.replicator(_rule(where="name like 'absent/**'")) as replicator:
        report = replicator.run()
    assert report.ok
    assert "finds no repository" in str(report)


@pytest.mark.parametrize("again", [True, False])
def test_a_plan_can_be_stored_and_run_later(world: _World, again: bool) -> None:
    """By another process, or once more by the same one: then it looks for itself."""
    with world.replicator() as replicator:
        plan = replicator.plan()
        if again:
            replicator.run(plan)
    with world.replicator() as replicator:
        report = replicator.run(Plan.from_json(plan.to_json()))
    assert report.copied
    assert report.bytes_sent == (0 if again else plan.bytes_at_most)


def test_a_scope_and_sizes_are_the_plans(world: _World) -> None:
    """What an event spoke of, without reading it."""
    with world.replicator() as replicator:
        assert len(replicator.plan(Scope(tags=frozenset({"none"})))) == 0
        assert replicator.plan(sizes=False).bytes_at_most is None


def test_one_artifact_can_be_planned(world: _World) -> None:
    """Whatever the filter says; one that is not there is an error."""
    with world.replicator(_rule(where="tag is 'none'")) as replicator:
        plan = replicator.plan_for(ArtifactRef.parse(f"{APP}:v1"), tag=Tag("other"))
        assert replicator.run(plan).copied
        with pytest.raises(NotFound):
            replicator.plan_for(ArtifactRef.parse(f"{APP}:v9"))


def test_a_plan_of_other_rules_is_refused(world: _World) -> None:
    """Nothing is written for it."""
    with world.replicator() as replicator:
        plan = replicator.plan()
    with world.replicator(_rule(deep=True)) as other, pytest.raises(PlanRefused):
        other.run(plan)
    assert _writes(world["mirror.example"]) == []


def test_an_expired_plan_is_refused(world: _World) -> None:
    """A day is the default, and an option."""
    with world.replicator(options=Options(plan_lifetime=60)) as replicator:
        plan = replicator.plan()
        world.clock.advance(61)
        with pytest.raises(PlanRefused, match="61 s old"):
            replicator.run(plan)


def test_two_rules_of_one_name_are_refused() -> None:
    """Before anything is opened."""
    with pytest.raises(ConfigurationError, match="several rules"):
        Replicator([_rule(), _rule()])


def test_a_repository_that_cannot_be_planned_is_in_the_report(world: _World) -> None:
    """The rest is copied, and the report is not ok."""

    class _Closed(MemoryRegistry):
        def list_repositories(self) -> Iterator[str]:
            raise Denied("not for you")

    world.registries["closed.example"] = _Closed("closed")
    with world.replicator(_rule(), _rule(name="c", source="closed.example")) as replicator:
        report = replicator.run()
    assert (len(report.copied), len(report.unplanned), report.ok) == (1, 1, False)


def test_two_destinations_get_the_same(world: _World) -> None:
    """And each blob is read once."""
    rule = _rule(destinations=["mirror.example", "backup.example/copies"])
    with world.replicator(rule) as replicator:
        assert len(replicator.run().copied) == 2
    for host, name in (("mirror.example", APP), ("backup.example", f"copies/{APP}")):
        assert world[host].get_manifest(name, V1) == random_image(1).manifest


@pytest.mark.parametrize("without", ["source.example", "mirror.example"])
def test_referrers_travel_between_ends_with_and_without_the_api(
    world: _World, without: str
) -> None:
    """And the second run writes nothing, whichever end has it."""
    world.registries[without] = MemoryRegistry(without, without=["referrers"])
    image = random_image(5)
    sbom = random_referrer(6, image.descriptor)
    source = world["source.example"]
    image.push_to(source, APP, "v1")
    sbom.push_to(source, APP)
    if without == "source.example":
        fallback_index(image.digest, [sbom]).push_to(source, APP)
    with world.replicator() as replicator:
        replicator.run().raise_for_failures()
        mirror = world["mirror.example"]
        done = len(mirror.operations)
        assert mirror.resolve(APP, sbom.digest)
        assert replicator.run().skipped
    assert _writes(mirror, done) == []


# --- memory ------------------------------------------------------------------------------------


def test_a_tag_that_was_written_is_updated_when_the_source_moves(world: _World) -> None:
    """With a state that outlives the replicator."""
    for seed in (1, 2):
        random_image(seed).push_to(world["source.example"], APP, "v1")
        with world.replicator() as replicator:
            assert len(replicator.run().copied) == 1


def test_without_a_state_the_next_process_sees_a_conflict(world: _World) -> None:
    """And the plan says why."""
    for seed, outcome in ((1, Outcome.COPIED), (2, Outcome.CONFLICT)):
        random_image(seed).push_to(world["source.example"], APP, "v1")
        with world.replicator(state=None) as replicator:
            plan = replicator.plan()
            assert replicator.run(plan).results[0].outcome is outcome
    assert "no memory" in plan.notes[0]


def test_only_a_tag_that_was_written_is_ours(world: _World) -> None:
    """Bringing a signature to somebody else's tag does not make it ours."""
    random_image(1).push_to(world["mirror.example"], APP, "v1")
    with world.replicator() as replicator:
        plan = replicator.plan()
        assert [step.action for step in plan] == [Action.SATELLITES]
        assert replicator.run(plan).copied
        random_image(2).push_to(world["source.example"], APP, "v1")
        assert [step.action for step in replicator.plan()] == [Action.CONFLICT]


# --- events and cancelling -----------------------------------------------------------------------


def test_a_run_is_told_from_beginning_to_end(world: _World) -> None:
    """Plan, run, steps and the sum of it."""
    with world.replicator() as replicator:
        report = replicator.run()
    kinds = [type(event) for event in world.events]
    assert kinds[:3] == [PlanReady, RunStarted, StepStarted]
    assert kinds[-2:] == [StepFinished, RunFinished]
    ready, last = world.events[0], world.events[-1]
    assert isinstance(ready, PlanReady)
    assert (ready.steps, ready.to_copy) == (1, 1)
    assert isinstance(last, RunFinished)
    assert (last.outcomes, last.bytes_sent) == (report.outcomes, report.bytes_sent)


def test_a_cancelled_run_still_reports(world: _World) -> None:
    """Everything is CANCELLED and nothing is written."""
    cancel = Cancel()
    cancel.set()
    with world.replicator() as replicator:
        report = replicator.run(cancel=cancel)
    assert [result.outcome for result in report] == [Outcome.CANCELLED]
    assert _writes(world["mirror.example"]) == []


def test_a_cancelled_run_does_not_cancel_what_comes_after_it(world: _World) -> None:
    """The flag of one run is not the flag of the next."""
    cancel = Cancel()
    cancel.set()
    with world.replicator() as replicator:
        replicator.run(cancel=cancel)
        assert replicator._cancel.is_set()
        replicator.plan()
        assert not replicator._cancel.is_set()
        assert replicator.run().copied


def test_closing_stops_what_waits_and_may_be_repeated(world: _World) -> None:
    """Registries are closed once."""
    replicator = world.replicator()
    replicator.run()
    replicator.close()
    replicator.close()
    assert replicator._cancel.is_set()
    assert world["mirror.example"].operations.count("close") == 1


# --- elsewhere -----------------------------------------------------------------------------------


class _Later(Executor):
    """An executor whose work is done when somebody waits for it, or never."""

    def __init__(self, outcome: Callable[[Future[Any]], None]) -> None:
        self._outcome = outcome

    def submit(self, work: Callable[..., Any], /, *args: Any, **fields: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._outcome(future)
        return future


def _shared_rule(name: str) -> ReplicationRule:
    random_image(1).push_to(shared(f"{name}-source"), APP, "v1")
    random_image(2).push_to(shared(f"{name}-source"), APP, "v2")
    return _rule(source=f"memory://{name}-source", destinations=f"memory://{name}-mirror")


def test_an_executor_does_the_copying() -> None:
    """Results come in the order of the plan, and are told and remembered here."""
    events: list[Event] = []
    rule = _shared_rule("executor")
    with (
        ThreadPoolExecutor(2) as pool,
        Replicator([rule], executor=pool, listeners=[events.append]) as replicator,
    ):
        report = replicator.run()
        assert [str(result.step.source.tag) for result in report.copied] == [
            str(step.source.tag) for step in replicator.plan()
        ]
    assert sum(isinstance(event, StepFinished) for event in events) == 2
    assert shared("executor-mirror").get_manifest(APP, V1) == random_image(1).manifest


def test_a_worker_that_died_costs_its_batch_and_not_the_report() -> None:
    """Its steps have failed, and why is told."""
    pool = _Later(lambda future: future.set_exception(TimeoutError("the worker is gone")))
    with Replicator([_shared_rule("died")], executor=pool) as replicator:
        report = replicator.run()
    assert len(report.failed) == 2
    assert report.failed[0].failure is not None
    assert report.failed[0].failure.message == "the worker is gone"


def test_cancelling_calls_back_what_has_not_begun() -> None:
    """Batches that nobody has taken yet are taken back."""
    cancel = Cancel()
    cancel.set()
    with Replicator([_shared_rule("callback")], executor=_Later(lambda _: None)) as replicator:
        report = replicator.run(cancel=cancel)
    assert {result.outcome for result in report} == {Outcome.CANCELLED}
    assert len(report) == 2


def test_an_interrupt_while_waiting_cancels_and_still_reports() -> None:
    """Here it comes while a listener is told."""

    def listener(event: Event) -> None:
        if isinstance(event, StepFinished):
            raise KeyboardInterrupt

    with (
        ThreadPoolExecutor(1) as pool,
        Replicator([_shared_rule("ctrlc")], executor=pool, listeners=[listener]) as replicator,
    ):
        report = replicator.run()
    assert len(report) == 2


def test_secrets_do_not_leave_the_process() -> None:
    """The error names the ways out."""
    login = {"source.example": Credential(username="me", secret=Secret("hunter2"))}
    with ProcessPoolExecutor(1) as pool, pytest.raises(ConfigurationError) as caught:
        Replicator([_rule()], executor=pool, credentials=login)
    assert "environment" in (caught.value.hint or "")
    assert "hunter2" not in str(caught.value)


def test_a_source_of_logins_that_cannot_travel_is_refused() -> None:
    """A function inside a function cannot be found by another process."""

    class _Local:
        def get(self, host: str, repository: str = "") -> None:
            return None

    with ProcessPoolExecutor(1) as pool, pytest.raises(ConfigurationError, match="cannot travel"):
        Replicator([_rule()], executor=pool, credentials=_Local())


def test_logins_may_be_handed_to_threads() -> None:
    """They stay in the process."""
    login = {"source.example": Credential(username="me", secret=Secret("hunter2"))}
    with ThreadPoolExecutor(1) as pool:
        Replicator([_rule()], executor=pool, credentials=login).close()


def test_other_processes_do_the_copying() -> None:
    """Two of them, over real sockets, with a source of logins that travels."""
    with LoopbackRegistry() as here, LoopbackRegistry() as there:
        image = random_image(1)
        with closing(open_registry(here.endpoint)) as source:
            for tag in ("v1", "v2", "v3"):
                image.push_to(source, APP, tag)
        rule = _rule(source=here.endpoint, destinations=there.endpoint)
        with (
            ProcessPoolExecutor(2) as pool,
            Replicator([rule], executor=pool, credentials=Anonymous()) as replicator,
        ):
            report = replicator.run().raise_for_failures()
        assert len(report.copied) == 3
        with closing(open_registry(there.endpoint)) as destination:
            assert destination.get_manifest(APP, V1) == image.manifest


def test_other_processes_write_one_layout_at_once(tmp_path: Path) -> None:
    """They take turns on its index; nothing that one of them wrote is lost to another."""
    images = {f"v{number}": random_image(number, layers=2) for number in range(12)}
    with LoopbackRegistry() as here, closing(open_registry(here.endpoint)) as registry:
        for tag, image in images.items():
            image.push_to(registry, APP, tag)
        layout = f"oci:{tmp_path}/layout"
        rule = _rule(source=here.endpoint, destinations=layout)
        fresh = multiprocessing.get_context("spawn")
        with (
            ProcessPoolExecutor(2, mp_context=fresh) as pool,
            Replicator([rule], executor=pool, workers=2) as replicator,
        ):
            assert len(replicator.run().raise_for_failures().copied) == 12
        with Replicator([rule]) as again:
            assert again.run().outcomes == (("skipped", 12),)
    with closing(open_registry(layout)) as there:
        for tag, image in images.items():
            assert there.get_manifest(APP, Tag(tag)) == image.manifest
            assert all(there.has_blob(APP, blob) for blob in image.manifest.blobs)


# --- how fast ----------------------------------------------------------------------------------


def test_all_copies_of_a_replicator_share_its_limit(world: _World) -> None:
    """Small blobs count as large ones do."""
    for number in range(5):
        random_image(10 + number, layer_bytes=2000).push_to(
            world["source.example"], APP, f"w{number}"
        )
    with world.replicator(limiter="80kbps") as replicator:
        report = replicator.run()
    assert report.bytes_sent > 20_000
    assert world.clock.monotonic() >= report.bytes_sent / 10_000 - 0.1


def test_a_limiter_can_be_shared_and_changed(world: _World) -> None:
    """What one replicator takes, another waits for; without a limit nobody waits."""
    limiter = Limiter("8bps", clock=world.clock)
    with (
        world.replicator(limiter=limiter) as replicator,
        world.replicator(limiter=limiter) as other,
    ):
        assert replicator.limiter is other.limiter is limiter
        replicator.limiter.set(None)
        before = world.clock.monotonic()
        assert other.run().ok
    assert world.clock.monotonic() == before


def test_a_limit_that_cannot_be_read_is_refused_at_once(world: _World) -> None:
    """Before anything is opened."""
    with pytest.raises(InvalidValue, match="no bandwidth"):
        world.replicator(limiter="fast")


def test_workers_are_told_the_limit_and_how_many_they_are() -> None:
    """Each takes its share of the limit."""
    source = shared("limited-source")
    random_image(1).push_to(source, APP, "v1")
    batches: list[Batch] = []

    class Keeping(ThreadPoolExecutor):
        def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
            batches.extend(given)
            return super().submit(work, *given, **named)

    rule = _rule(source="memory://limited-source", destinations="memory://limited-mirror")
    with (
        Keeping(3) as pool,
        Replicator([rule], executor=pool, workers=3, limiter="30Gbps") as replicator,
    ):
        assert replicator.run().ok
    assert [(str(batch.limit), batch.workers) for batch in batches] == [("30Gbps", 3)]


def test_an_executor_without_workers_is_none() -> None:
    """Nobody could take a share of the limits."""
    with ThreadPoolExecutor(1) as pool, pytest.raises(ConfigurationError, match="at least one"):
        Replicator([_rule()], executor=pool, workers=0)


# --- a state that is a journal -----------------------------------------------------------------


def test_a_state_that_is_a_journal_remembers_uploads(tmp_path: Path) -> None:
    """An upload that failed goes on in the next run of another replicator."""
    failing = FaultScript(on("PUT", "/blobs/uploads/", cut_request(3 * 2**20), times=50))
    image = random_image(1, layers=1, layer_bytes=6 * 2**20)
    with LoopbackRegistry() as here, LoopbackRegistry(faults=failing) as there:
        with closing(open_registry(here.endpoint)) as registry:
            image.push_to(registry, APP, "v1")
        rule = _rule(source=here.endpoint, destinations=there.endpoint)
        patience = Options(retry=RetryPolicy(attempts=1))
        with SqliteState(tmp_path / "state") as state:
            with Replicator([rule], state=state, options=patience) as replicator:
                assert replicator.run().failed
            there.faults = None
            with Replicator([rule], state=state) as replicator:
                assert replicator.run().raise_for_failures().bytes_sent < 4 * 2**20


def test_what_a_step_wrote_is_remembered_before_anybody_hears_of_it(world: _World) -> None:
    """The process may be gone right after."""
    known: list[Written | None] = []
    place = Place(rule="r", to="mirror.example", artifact=ArtifactRef(APP, V1))

    def look(event: Event) -> None:
        if isinstance(event, StepFinished):
            known.append(world.state.written(place))

    with world.replicator(listeners=[look]) as replicator:
        replicator.run()
    assert [each and each.digest for each in known] == [random_image(1).digest]


def test_what_workers_wrote_is_remembered_too() -> None:
    """By the parent, who alone writes state."""
    random_image(1).push_to(shared("remembered-source"), APP, "v1")
    mirror = "memory://remembered-mirror"
    rule = _rule(source="memory://remembered-source", destinations=mirror)
    state = MemoryState()
    with (
        ThreadPoolExecutor(2) as pool,
        Replicator([rule], executor=pool, state=state) as replicator,
    ):
        assert replicator.run().ok
    written = state.written(Place(rule="r", to=mirror, artifact=ArtifactRef(APP, V1)))
    assert written is not None
    assert written.digest == random_image(1).digest
