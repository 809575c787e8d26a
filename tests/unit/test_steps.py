"""A step does what the plan says, or tells why not; nothing is raised for one artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.cancel import Cancel
from harborsync.endpoint import Endpoint
from harborsync.errors import (
    QuotaExceeded,
    ServerError,
    Side,
    TagImmutable,
    VerificationError,
)
from harborsync.events import Dispatcher, Event, StepFinished, StepStarted
from harborsync.options import Options
from harborsync.plan import Action, Step
from harborsync.reference import ArtifactRef, Digest, Tag
from harborsync.registries.memory import MemoryRegistry
from harborsync.report import Outcome, StepResult
from harborsync.rule import ReplicationRule
from harborsync.steps import Job, attempt, blob_source, twins
from harborsync.testing.clock import FakeClock
from harborsync.testing.content import Sample, random_image, random_signature
from harborsync.transfer import FromRegistry, FromRegistryOrUrls, one_by_one
from harborsync.warehouse import Registries, Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.content import Descriptor, Manifest

HERE = THERE = "team/app"
SOURCE, MIRROR = Endpoint.parse("source.example"), Endpoint.parse("mirror.example")
V1 = Tag("v1")
IMAGE, OTHER, THIRD = (random_image(seed) for seed in (1, 2, 3))
BYTES = sum(len(blob.content) for blob in IMAGE.blobs)


class _Registry(MemoryRegistry):
    """A registry where something may happen before a tag is written, or fail at reading."""

    before: Callable[[], None] = staticmethod(lambda: None)
    error: Exception | None = None

    def put_manifest(self, repository: str, manifest: Manifest, *, tag: Tag | None = None) -> bool:
        if tag is not None:
            self.before()
        return super().put_manifest(repository, manifest, tag=tag)

    def resolve(self, repository: str, reference: Tag | Digest) -> Descriptor | None:
        if self.error is not None:
            raise self.error
        return super().resolve(repository, reference)

    def get_manifest(self, repository: str, reference: Tag | Digest) -> Manifest:
        if self.error is not None:
            raise self.error
        return super().get_manifest(repository, reference)


@attrs.define
class _Run:
    """A run of single steps: image v1 at the source, nothing at the destination."""

    source: _Registry = attrs.field(factory=lambda: _Registry("source"))
    mirror: _Registry = attrs.field(factory=lambda: _Registry("mirror"))
    clock: FakeClock = attrs.field(factory=FakeClock)
    options: Options = attrs.field(factory=Options)
    cancel: Cancel = attrs.field(factory=Cancel)
    events: list[Event] = attrs.field(factory=list)
    age: float = 0.0

    def __attrs_post_init__(self) -> None:
        IMAGE.push_to(self.source, HERE, "v1")

    def job(self, **wishes: Any) -> Job:
        ends = {SOURCE.host: self.source, MIRROR.host: self.mirror}
        rule = ReplicationRule(
            name="r", source=SOURCE, destinations=MIRROR, where="everything", **wishes
        )
        planned_at = self.clock.now()
        self.clock.advance(self.age)
        return Job(
            rules={"r": rule},
            warehouse=Warehouse(Registries(lambda endpoint: ends[endpoint.host])),
            planned_at=planned_at,
            options=self.options,
            clock=self.clock,
            cancel=self.cancel,
            emit=Dispatcher([self.events.append]),
        )

    def attempt(self, step: Step | None = None, **wishes: Any) -> StepResult:
        return attempt(self.job(**wishes), step or _step(), one_by_one)


def _step(**fields: Any) -> Step:
    given: dict[str, Any] = {
        "rule": "r",
        "to": MIRROR,
        "source": ArtifactRef(HERE, V1, IMAGE.digest),
        "destination": ArtifactRef(THERE, V1, IMAGE.digest),
        "action": Action.COPY,
        "reason": "not there yet",
    }
    return Step(**{**given, **fields})


@pytest.fixture
def run() -> _Run:
    """A run with fresh registries."""
    return _Run()


# --- what a step does ------------------------------------------------------------------------


def test_a_copy_is_told_with_what_it_moved(run: _Run) -> None:
    """Outcome, reason, bytes, and the time it took."""
    run.mirror.before = lambda: run.clock.advance(7)
    result = run.attempt()
    assert (result.outcome, result.reason) == (Outcome.COPIED, "not there yet")
    assert (result.bytes_sent, result.seconds) == (BYTES, 7)
    assert run.mirror.get_manifest(THERE, V1) == IMAGE.manifest


@pytest.mark.parametrize(
    ("action", "outcome"), [(Action.SKIP, Outcome.SKIPPED), (Action.CONFLICT, Outcome.CONFLICT)]
)
def test_what_is_not_to_be_written_asks_nobody(run: _Run, action: Action, outcome: Outcome) -> None:
    """The plan's reason is the result's."""
    before = run.source.operations
    result = run.attempt(_step(action=action, reason="because"))
    assert (result.outcome, result.reason) == (outcome, "because")
    assert run.source.operations == before
    assert run.mirror.operations == ()


def test_satellites_are_brought_without_touching_the_tag(run: _Run) -> None:
    """The tag is right already, and may be immutable."""
    IMAGE.push_to(run.mirror, THERE, "v1")
    signature = random_signature(5, IMAGE.digest)
    signature.push_to(run.source, HERE)
    tags: list[str] = []
    run.mirror.before = lambda: tags.append("written")
    result = run.attempt(_step(action=Action.SATELLITES))
    assert (result.outcome, result.satellites) == (Outcome.COPIED, 1)
    assert tags == ["written"]
    assert run.mirror.resolve(THERE, Tag(str(signature.tag)))


def test_a_repository_is_made_where_it_must_be(run: _Run) -> None:
    """Some registries want it first."""
    run.mirror = _Registry("mirror", creates_repositories=True)
    assert run.attempt().outcome is Outcome.COPIED
    assert "ensure_repository" in run.mirror.operations


@pytest.mark.parametrize("tag", [None, "v0"])
def test_a_repository_that_lists_tags_need_not_be_made(run: _Run, tag: str | None) -> None:
    """One that lists none may be lacking."""
    run.mirror = _Registry("mirror", creates_repositories=True)
    if tag is not None:
        run.mirror.ensure_repository(THERE)
        random_image(9).push_to(run.mirror, THERE, tag)
    job = run.job()
    job.warehouse.listing(MIRROR, THERE)
    before = run.mirror.operations.count("ensure_repository")
    assert attempt(job, _step(), one_by_one).outcome is Outcome.COPIED
    made = run.mirror.operations.count("ensure_repository") - before
    assert made == (1 if tag is None else 0)


def test_beginning_and_end_are_told(run: _Run) -> None:
    """One of each, about the same step."""
    result = run.attempt()
    first, last = run.events[0], run.events[-1]
    assert isinstance(first, StepStarted)
    assert isinstance(last, StepFinished)
    assert (first.source, first.to) == (last.source, last.to)
    assert (last.outcome, last.bytes_sent, last.error) == ("copied", result.bytes_sent, None)


def test_nobody_needs_to_listen(run: _Run) -> None:
    """Events are made only for those who do."""
    job = attrs.evolve(run.job(), emit=Dispatcher())
    assert attempt(job, _step(), one_by_one).outcome is Outcome.COPIED


# --- what goes wrong -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (QuotaExceeded("no room left"), Outcome.FAILED),
        (VerificationError("not signed"), Outcome.REFUSED),
        (RuntimeError("a defect"), Outcome.FAILED),
    ],
)
def test_an_error_becomes_a_result(run: _Run, error: Exception, outcome: Outcome) -> None:
    """With its class and message; what was moved before is counted, and it is told."""

    def fail() -> None:
        raise error

    run.mirror.before = fail
    result = run.attempt()
    assert result.outcome is outcome
    assert result.failure is not None
    assert result.failure.kind == type(error).__name__
    assert str(error) in result.failure.message
    assert result.bytes_sent == BYTES
    assert isinstance(run.events[-1], StepFinished)
    assert run.events[-1].error == result.failure.message


@pytest.mark.parametrize("side", [Side.SOURCE, Side.DESTINATION])
def test_an_error_is_told_with_side_and_artifact(run: _Run, side: Side) -> None:
    """Wherever in the step it happens, and though the registry does not say."""
    run.age = 3600
    end = run.source if side is Side.SOURCE else run.mirror
    end.error = ServerError("went away")
    name = "copies/renamed"
    step = _step(destination=ArtifactRef(name, V1, IMAGE.digest))
    failure = run.attempt(step).failure
    assert failure is not None
    assert (failure.side, failure.retryable) == (side, True)
    where = HERE if side is Side.SOURCE else name
    assert failure.message == f"cannot copy {where}:v1@{IMAGE.digest} at the {side}: went away"


def test_an_error_of_no_side_is_local(run: _Run) -> None:
    """What the plan itself is wrong about happened here."""
    failure = run.attempt(_step(destination=ArtifactRef(THERE, V1, OTHER.digest))).failure
    assert failure is not None
    assert (failure.kind, failure.side) == ("PlanRefused", Side.LOCAL)
    assert f"the plan wants {OTHER.digest}" in failure.message


def test_a_step_without_a_source_digest_is_refused(run: _Run) -> None:
    """A plan always pins what it saw."""
    failure = run.attempt(_step(source=ArtifactRef(HERE, V1))).failure
    assert failure is not None
    assert failure.kind == "PlanRefused"


def test_a_cancelled_step_says_so_and_writes_nothing(run: _Run) -> None:
    """Before it began, or in the middle of it."""
    run.cancel.set()
    assert run.attempt().outcome is Outcome.CANCELLED
    assert run.mirror.operations == ()


# --- what changed since the plan ---------------------------------------------------------------


def test_a_source_tag_that_moved_is_copied_as_planned(run: _Run) -> None:
    """The plan pinned a digest, and that is what was reviewed (OCI-3.26)."""
    OTHER.push_to(run.source, HERE, "v1")
    assert run.attempt().outcome is Outcome.COPIED
    assert run.mirror.get_manifest(THERE, V1) == IMAGE.manifest


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_source_tag_that_moved_is_refused_on_demand(run: _Run, is_gone: bool) -> None:
    """Where the rule says so, nothing is written; gone is moved, too."""
    if is_gone:
        run.source.delete_tag(HERE, V1)
    else:
        OTHER.push_to(run.source, HERE, "v1")
    result = run.attempt(on_moved="refuse")
    assert result.outcome is Outcome.FAILED
    assert result.failure is not None
    assert result.failure.kind == "PlanRefused"
    assert f"points to {'nothing' if is_gone else OTHER.digest}" in result.failure.message
    assert run.mirror.resolve(THERE, V1) is None


@pytest.mark.parametrize("tag", [V1, None])
def test_a_source_that_did_not_move_is_copied(run: _Run, tag: Tag | None) -> None:
    """A digest cannot move at all."""
    step = _step(source=ArtifactRef(HERE, tag, IMAGE.digest))
    assert run.attempt(step, on_moved="refuse").outcome is Outcome.COPIED


def test_an_old_plan_looks_at_the_destination_again(run: _Run) -> None:
    """What is there as wanted needs nothing more."""
    run.age = 31
    IMAGE.push_to(run.mirror, THERE, "v1")
    result = run.attempt()
    assert (result.outcome, result.reason) == (Outcome.SKIPPED, "identical by now")


@pytest.mark.parametrize(("wishes", "arrives"), [({}, True), ({"satellites": ()}, False)])
def test_an_old_plan_brings_what_is_said_about_what_is_there_by_now(
    run: _Run, wishes: dict[str, Any], arrives: bool
) -> None:
    """Whoever pushed the artifact meanwhile pushed no signature; the tag is not touched."""
    signature = random_signature(5, IMAGE.digest)
    signature.push_to(run.source, HERE)
    run.age = 31
    IMAGE.push_to(run.mirror, THERE, "v1")
    result = run.attempt(**wishes)
    assert result.outcome is (Outcome.COPIED if arrives else Outcome.SKIPPED)
    assert (run.mirror.resolve(THERE, signature.digest) is not None) == arrives
    assert result.step.action is (Action.SATELLITES if arrives else Action.COPY)
    assert "by now" in result.reason


def test_an_old_plan_does_not_overwrite_what_came_meanwhile(run: _Run) -> None:
    """Neither as found nor as wanted: somebody else was there."""
    run.age = 31
    OTHER.push_to(run.mirror, THERE, "v1")
    result = run.attempt()
    assert result.outcome is Outcome.CONFLICT
    assert f"somebody else wrote {OTHER.digest}" in result.reason
    assert run.attempt(on_conflict="overwrite").outcome is Outcome.COPIED


def test_an_old_plan_that_finds_what_it_found_goes_on(run: _Run) -> None:
    """An update of what is ours is still one."""
    run.age = 31
    OTHER.push_to(run.mirror, THERE, "v1")
    assert run.attempt(_step(found=OTHER.digest)).outcome is Outcome.COPIED


@pytest.mark.parametrize(
    "step",
    [
        _step(action=Action.SATELLITES),
        _step(destination=ArtifactRef(THERE, None, IMAGE.digest)),
    ],
    ids=["satellites", "untagged"],
)
def test_an_old_plan_has_no_tag_to_look_at_where_none_is_written(run: _Run, step: Step) -> None:
    """Somebody's tag is not in the way of what writes none."""
    run.age = 31
    OTHER.push_to(run.mirror, THERE, "v1")
    assert run.attempt(step).outcome is Outcome.COPIED
    assert run.mirror.get_manifest(THERE, V1) == OTHER.manifest


def test_a_fresh_plan_does_not_ask_again(run: _Run) -> None:
    """Within half a minute, the listing counts."""
    job = run.job()
    job.warehouse.listing(MIRROR, THERE)
    attempt(job, _step(), one_by_one)
    assert "resolve" not in run.mirror.operations


def test_an_old_plans_listing_does_not_count(run: _Run) -> None:
    """A repository that was empty then may hold somebody's signature by now."""
    run.age = 31
    job = run.job()
    job.warehouse.listing(MIRROR, THERE)
    theirs, ours = random_signature(5, IMAGE.digest), random_signature(6, IMAGE.digest)
    IMAGE.push_to(run.mirror, THERE)
    theirs.push_to(run.mirror, THERE)
    ours.push_to(run.source, HERE)
    result = attempt(job, _step(), one_by_one)
    assert result.outcome is Outcome.COPIED
    assert len(result.warnings) == 1
    assert run.mirror.get_manifest(THERE, Tag(str(theirs.tag))) == theirs.manifest


# --- immutable and strict ------------------------------------------------------------------------


def test_an_immutable_tag_with_the_same_digest_is_done(run: _Run) -> None:
    """The registry refuses to write what is there already."""

    def refuse() -> None:
        raise TagImmutable("the tag exists")

    IMAGE.push_to(run.mirror, THERE, "v1")
    run.mirror.before = refuse
    result = run.attempt()
    assert (result.outcome, result.failure) == (Outcome.SKIPPED, None)


def test_an_immutable_tag_with_another_digest_fails(run: _Run) -> None:
    """Nothing can be done about it from here."""
    run.mirror = _Registry("mirror", immutable_tags=True)
    OTHER.push_to(run.mirror, THERE, "v1")
    result = run.attempt()
    assert result.outcome is Outcome.FAILED
    assert result.failure is not None
    assert result.failure.kind == "TagImmutable"


def test_strict_looks_before_and_after_however_fresh_the_plan() -> None:
    """Before, so as not to overwrite; after, to tell who overtook."""
    run = _Run(options=Options(strict=True))
    OTHER.push_to(run.mirror, THERE, "v1")
    assert run.attempt().outcome is Outcome.CONFLICT


@pytest.mark.parametrize(
    ("end", "warning"),
    [
        (None, []),
        ("mirror", [f"overtaken: the tag was made to point to {THIRD.digest} meanwhile"]),
        ("source", [f"the source's tag was moved to {THIRD.digest} meanwhile"]),
    ],
)
def test_strict_tells_of_tags_that_moved_meanwhile(end: str | None, warning: list[str]) -> None:
    """At either end (OCI-3.26); the copy itself has succeeded."""
    run = _Run(options=Options(strict=True))
    run.mirror = mirror = _Overtaken("mirror")
    if end is not None:
        registry = getattr(run, end)
        mirror.after = lambda: THIRD.push_to(registry, THERE, "v1")
    result = run.attempt()
    assert result.outcome is Outcome.COPIED
    assert list(result.warnings) == warning


class _Overtaken(_Registry):
    """A registry where something happens right after the first tag is written."""

    after: Callable[[], object] | None = None

    def put_manifest(self, repository: str, manifest: Manifest, *, tag: Tag | None = None) -> bool:
        indexed = super().put_manifest(repository, manifest, tag=tag)
        after, self.after = self.after, None
        if after is not None and tag is not None:
            after()
        return indexed


def test_an_artifact_that_is_there_under_another_name_can_be_mounted_from() -> None:
    """Repositories that hold something already, whatever the step wants to have there."""
    there = [
        _step(destination=ArtifactRef(name, V1, IMAGE.digest), found=IMAGE.digest)
        for name in ("a", "b", "c")
    ]
    other = _step(destination=ArtifactRef("d", V1, IMAGE.digest), found=OTHER.digest)
    assert twins([_step(), *there, other]) == {
        (MIRROR, IMAGE.digest): ("a", "b", "c"),
        (MIRROR, OTHER.digest): ("d",),
    }


@pytest.mark.parametrize(("age", "asked"), [(0, 0), (31, 1)])
def test_an_artifact_that_the_plan_saw_there_gets_its_tag_and_nothing_else(
    run: _Run, age: float, asked: int
) -> None:
    """No blob is looked at; only an old plan asks for the digest once more."""
    IMAGE.push_to(run.mirror, THERE, "latest")
    run.age = age
    before = len(run.mirror.operations)
    job = attrs.evolve(run.job(), twins={(MIRROR, IMAGE.digest): (THERE,)})
    assert attempt(job, _step(), one_by_one).outcome is Outcome.COPIED
    operations = run.mirror.operations[before:]
    # An old plan also looks at the tag.
    assert operations.count("resolve") == 2 * asked
    assert "put_blob" not in operations
    assert operations.count("put_manifest") == 1


# --- verification ----------------------------------------------------------------------------


def test_after_tells_of_a_tag_that_was_moved_at_the_destination() -> None:
    """And asks the source nothing."""
    run = _Run(options=Options(verify="after"))
    run.mirror = mirror = _Overtaken("mirror")
    mirror.after = lambda: THIRD.push_to(mirror, THERE, "v1")
    before = run.source.operations.count("resolve")
    result = run.attempt()
    assert [warning.partition(":")[0] for warning in result.warnings] == ["overtaken"]
    assert run.source.operations.count("resolve") == before


@pytest.mark.parametrize(
    ("verify", "outcome"), [("none", Outcome.SKIPPED), ("blobs", Outcome.COPIED)]
)
def test_blobs_that_were_lost_of_an_unchanged_artifact_are_sent_on_demand(
    verify: str, outcome: Outcome
) -> None:
    """By default nobody looks; with ``blobs`` it is told how much was lost."""
    run = _Run(options=Options(verify=verify))
    IMAGE.push_to(run.mirror, THERE, "v1")
    _lose(run.mirror, IMAGE)
    result = run.attempt(_step(action=Action.SKIP, found=IMAGE.digest, reason="identical"))
    assert result.outcome is outcome
    found = [run.mirror.has_blob(THERE, blob.descriptor) for blob in IMAGE.blobs]
    assert found == [verify == "blobs"] * len(IMAGE.blobs)
    if outcome is Outcome.COPIED:
        assert result.reason == f"{len(IMAGE.blobs)} parts of it were lost there"
        assert result.bytes_sent == BYTES


def test_an_unchanged_artifact_that_lost_nothing_is_skipped() -> None:
    """Looking alone is no copy; what the destination keeps of its own is not looked into."""
    run = _Run(options=Options(verify="blobs"))
    IMAGE.push_to(run.mirror, THERE, "v1")
    skipped = _step(action=Action.SKIP, found=IMAGE.digest, reason="identical")
    assert run.attempt(skipped).outcome is Outcome.SKIPPED
    _lose(run.mirror, IMAGE)
    left_alone = _step(action=Action.SKIP, found=OTHER.digest, reason="left alone")
    assert run.attempt(left_alone).outcome is Outcome.SKIPPED


def _lose(registry: MemoryRegistry, sample: Sample) -> None:
    """Take the blobs of a sample away and leave its manifests."""
    for blob in sample.blobs:
        registry.remove(THERE, blob.descriptor.digest)


# --- where blobs come from -----------------------------------------------------------------------


def test_blobs_come_from_urls_only_where_a_rule_says_so(run: _Run) -> None:
    """And where somebody is there to fetch them (OCI-3.20)."""
    job = run.job(foreign="fetch")
    able = attrs.evolve(job, fetch_foreign=lambda *_: pytest.fail("not asked"))
    copying = run.job(foreign="copy").rules["r"]
    assert isinstance(blob_source(able, job.rules["r"]), FromRegistryOrUrls)
    assert isinstance(blob_source(able, copying), FromRegistry)
    assert isinstance(blob_source(job, job.rules["r"]), FromRegistry)
