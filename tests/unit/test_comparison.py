"""What is wanted is held against what a destination has, and each difference has its verdict."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.artifact import NOT_FETCHED, Artifact
from harborsync.comparison import compare
from harborsync.endpoint import Endpoint
from harborsync.errors import InvalidReference, ServerError, Side
from harborsync.plan import Action, Step
from harborsync.planning import Planning
from harborsync.reference import ArtifactRef, Digest, Tag
from harborsync.registries.memory import MemoryRegistry
from harborsync.registry import Abilities, Quirks
from harborsync.rule import Rename, ReplicationRule
from harborsync.state import MemoryState, Place, Written
from harborsync.testing.bulk import BulkRegistry
from harborsync.testing.clock import EPOCH
from harborsync.testing.content import (
    AMD64,
    ARM64,
    NOTATION,
    Sample,
    fallback_index,
    join,
    random_image,
    random_referrer,
    random_signature,
)
from harborsync.warehouse import Registries, Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harborsync.content import Descriptor

HERE = THERE = "team/app"
SOURCE, MIRROR = Endpoint.parse("source.example"), Endpoint.parse("mirror.example")
V1 = Tag("v1")
IMAGE, OTHER = random_image(1), random_image(2)


class _Bare(MemoryRegistry):
    """A registry whose listing tells tags and nothing else."""

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        for each in super().list_artifacts(repository):
            yield Artifact(repository=each.repository, tag=each.tag)


@attrs.define
class _Ends:
    """A source, a destination, and what is remembered."""

    source: MemoryRegistry = attrs.field(factory=lambda: MemoryRegistry("source"))
    mirror: MemoryRegistry = attrs.field(factory=lambda: MemoryRegistry("mirror"))
    state: MemoryState = attrs.field(factory=MemoryState)
    listed: bool = True

    def planning(self) -> Planning:
        ends = {SOURCE.host: self.source, MIRROR.host: self.mirror}
        warehouse = Warehouse(Registries(lambda endpoint: ends[endpoint.host]))
        if self.listed:
            warehouse.listing(MIRROR, THERE)
        return Planning(warehouse=warehouse, state=self.state, now=EPOCH, ask=map)

    def steps(self, artifact: Artifact | None = None, **fields: Any) -> list[Step]:
        given: dict[str, Any] = {
            "name": "r",
            "source": SOURCE,
            "destinations": MIRROR,
            "where": "everything",
        }
        rule = ReplicationRule(**{**given, **fields})
        return list(compare(self.planning(), rule, artifact or self.listed_artifact()))

    def listed_artifact(self) -> Artifact:
        """Return what the source lists under the tag."""
        return next(each for each in self.source.list_artifacts(HERE) if each.tag == V1)

    def step(self, **fields: Any) -> Step:
        (found,) = self.steps(**fields)
        return found

    def both(self, *samples: Sample, tag: str | None = None) -> None:
        for sample in samples:
            sample.push_to(self.source, HERE, tag)
            sample.push_to(self.mirror, THERE, tag)


@pytest.fixture
def ends() -> _Ends:
    """A source that has the image, and an empty destination."""
    found = _Ends()
    IMAGE.push_to(found.source, HERE, "v1")
    return found


def _bulk() -> _Ends:
    """Return two ends whose listings tell what is said about each artifact, as Harbor's do."""
    return _Ends(source=BulkRegistry("source"), mirror=BulkRegistry("mirror"))


def _written(ends: _Ends, digest: Digest, rule: str = "r") -> None:
    place = Place(rule=rule, to=str(MIRROR), artifact=ArtifactRef(THERE, V1))
    ends.state.remember_written(place, Written(digest=digest, at=EPOCH))


# --- the artifact itself -----------------------------------------------------------------------


def test_what_is_not_there_is_copied(ends: _Ends) -> None:
    """With both ends' names and digests, and bytes not asked for yet."""
    step = ends.step()
    assert (step.action, step.reason) == (Action.COPY, "not there yet")
    assert step.source == ArtifactRef(HERE, V1, IMAGE.digest)
    assert step.destination == ArtifactRef(THERE, V1, IMAGE.digest)
    assert (step.found, step.bytes_at_most) == (None, None)


@pytest.mark.parametrize(
    ("reads", "there", "asked"),
    [(True, "", "get_manifest"), (True, "v1", "resolve"), (False, "", "resolve")],
)
def test_what_will_be_copied_is_read_instead_of_asked_for(
    reads: bool, there: str, asked: str
) -> None:
    """A tag that a destination lacks is read along where the plan reads; any other is asked for."""
    ends = _Ends(source=_Bare("source"))
    IMAGE.push_to(ends.source, HERE, "v1")
    if there:
        IMAGE.push_to(ends.mirror, THERE, there)
    rule = ReplicationRule(name="r", source=SOURCE, destinations=MIRROR, where="everything")
    before = len(ends.source.operations)
    artifact = Artifact(repository=HERE, tag=V1)
    (step,) = compare(ends.planning(), rule, artifact, reads=reads)
    assert step.wanted == IMAGE.digest
    assert ends.source.operations[before : before + 1] == (asked,)


def test_what_cannot_be_read_is_a_failure_of_the_plan(ends: _Ends) -> None:
    """Such as an image in an archive; where it is there already nobody minds."""
    asleep = attrs.evolve(ends.listed_artifact(), unreadable="it is archived")
    planning = ends.planning()
    rule = ReplicationRule(name="r", source=SOURCE, destinations=MIRROR, where="everything")
    assert list(compare(planning, rule, asleep)) == []
    (failure,) = planning.failures
    assert "it is archived" in failure.failure.message
    IMAGE.push_to(ends.mirror, THERE, "v1")
    assert [step.action for step in ends.steps(asleep)] == [Action.SKIP]


def test_what_is_there_already_is_skipped(ends: _Ends) -> None:
    """Listings tell; nobody is asked for the digest."""
    IMAGE.push_to(ends.mirror, THERE, "v1")
    step = ends.step()
    assert (step.action, step.reason) == (Action.SKIP, "identical")
    assert (step.found, step.bytes_at_most) == (IMAGE.digest, 0)
    assert "resolve" not in ends.mirror.operations


def test_where_listings_tell_no_digest_one_request_does() -> None:
    """One HEAD a tag and side."""
    ends = _Ends(source=_Bare("source"), mirror=_Bare("mirror"))
    ends.both(IMAGE, tag="v1")
    step = ends.step(artifact=Artifact(repository=HERE, tag=V1))
    assert step.action is Action.SKIP
    assert ends.source.operations.count("resolve") == 1
    assert ends.mirror.operations.count("resolve") == 1


def test_a_source_tag_that_is_gone_by_now_makes_no_step(ends: _Ends) -> None:
    """Nothing to copy is nothing to report (OCI-5.6)."""
    assert ends.steps(artifact=Artifact(repository=HERE, tag=Tag("gone"))) == []


def test_a_destination_tag_that_is_gone_by_now_is_copied(ends: _Ends) -> None:
    """The listing knew it, and the registry does not any more."""

    class _Late(_Bare):
        def list_artifacts(self, repository: str) -> Iterator[Artifact]:
            yield Artifact(repository=repository, tag=V1)

    ends.mirror = _Late("mirror")
    assert ends.step().action is Action.COPY


def test_a_destination_that_could_not_be_listed_makes_no_step(ends: _Ends) -> None:
    """Its failure was noted when it was listed."""
    ends.listed = False
    assert ends.steps() == []


def test_a_destination_that_fails_stops_no_other(ends: _Ends) -> None:
    """The other gets its step, and the failure names side and place."""

    class _Failing(_Bare):
        def resolve(self, repository: str, reference: Tag | Digest) -> Descriptor | None:
            raise ServerError("went away")

    failing, good = _Failing("mirror"), MemoryRegistry("good")
    IMAGE.push_to(failing, THERE, "v1")
    registries = {"source.example": ends.source, "mirror.example": failing, "good.example": good}
    warehouse = Warehouse(Registries(lambda endpoint: registries[endpoint.host]))
    rule = ReplicationRule(
        name="r",
        source=SOURCE,
        destinations=["mirror.example", "good.example"],
        where="everything",
    )
    for to in rule.destinations:
        warehouse.listing(to, THERE)
    planning = Planning(warehouse=warehouse, state=ends.state, now=EPOCH, ask=map)
    steps = list(compare(planning, rule, Artifact(repository=HERE, tag=V1, digest=IMAGE.digest)))
    assert [str(step.to) for step in steps] == ["good.example"]
    (failure,) = planning.failures
    assert failure.failure.side is Side.DESTINATION
    assert failure.what.endswith("to mirror.example")


def test_a_name_that_the_destination_does_not_take_is_a_mistake(ends: _Ends) -> None:
    """Found before anything is written (OCI-1.2)."""
    ends.mirror = MemoryRegistry("mirror", quirks=Quirks(max_name_depth=1))
    with pytest.raises(InvalidReference, match="path parts"):
        ends.steps()


def test_an_untagged_artifact_is_compared_by_its_digest(ends: _Ends) -> None:
    """It is there or it is not; nobody else can have its name."""
    untagged = Artifact(repository=HERE, tag=None, digest=IMAGE.digest)
    assert ends.step(artifact=untagged).action is Action.COPY
    IMAGE.push_to(ends.mirror, THERE, "whatever")
    assert ends.step(artifact=untagged).action is Action.SKIP


# --- conflicts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on_conflict", "action", "reason"),
    [
        ("fail", Action.CONFLICT, "another artifact is there"),
        ("overwrite", Action.COPY, "overwrites"),
        ("skip", Action.SKIP, "left alone"),
    ],
)
def test_a_name_that_is_taken_is_a_conflict(
    ends: _Ends, on_conflict: str, action: Action, reason: str
) -> None:
    """What becomes of it is the rule's word; the reason names the digest in the way."""
    OTHER.push_to(ends.mirror, THERE, "v1")
    step = ends.step(on_conflict=on_conflict)
    assert step.action is action
    assert step.reason.startswith(reason)
    assert str(OTHER.digest) in step.reason
    assert step.found == OTHER.digest


def test_what_this_rule_wrote_last_is_updated(ends: _Ends) -> None:
    """The source moved, and what is there is ours."""
    OTHER.push_to(ends.mirror, THERE, "v1")
    _written(ends, OTHER.digest)
    step = ends.step()
    assert (step.action, step.reason) == (Action.COPY, "moved at the source; what is there is ours")


@pytest.mark.parametrize(("rule", "digest"), [("other", OTHER.digest), ("r", IMAGE.digest)])
def test_what_another_wrote_is_a_conflict_still(ends: _Ends, rule: str, digest: Digest) -> None:
    """Another rule's tag, or one that was changed since, is not ours."""
    OTHER.push_to(ends.mirror, THERE, "v1")
    _written(ends, digest, rule)
    assert ends.step().action is Action.CONFLICT


@pytest.mark.parametrize("on_conflict", ["fail", "overwrite"])
def test_an_immutable_tag_is_a_conflict_before_anything_is_sent(
    ends: _Ends, on_conflict: str
) -> None:
    """The listing tells that it cannot be moved, ours or not."""
    ends.mirror = MemoryRegistry("mirror", immutable_tags=True)
    OTHER.push_to(ends.mirror, THERE, "v1")
    _written(ends, OTHER.digest)
    step = ends.step(on_conflict=on_conflict)
    assert step.action is Action.CONFLICT
    assert "immutable" in step.reason


class _Describing(MemoryRegistry):
    """A registry that tells only when asked whether a tag can be moved."""

    asked = 0

    @property
    def abilities(self) -> Abilities:
        return attrs.evolve(super().abilities, describe=self)

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        for each in super().list_artifacts(repository):
            yield attrs.evolve(each, immutable=NOT_FETCHED)

    def describe(self, artifacts: Iterable[Artifact], facts: frozenset[str]) -> Iterator[Artifact]:
        self.asked += 1
        for each in artifacts:
            yield attrs.evolve(each, immutable=self._immutable_tags)


@pytest.mark.parametrize(
    ("immutable", "fields", "action", "asked"),
    [
        (True, {"on_conflict": "overwrite"}, Action.CONFLICT, 1),
        (False, {"on_conflict": "overwrite"}, Action.COPY, 1),
        (True, {"on_conflict": "skip"}, Action.SKIP, 0),
        (True, {}, Action.CONFLICT, 0),
    ],
)
def test_whether_a_tag_can_be_moved_is_asked_before_it_would_be(
    ends: _Ends, immutable: bool, fields: dict[str, Any], action: Action, asked: int
) -> None:
    """And only then."""
    mirror = _Describing("mirror", immutable_tags=immutable)
    ends.mirror = mirror
    OTHER.push_to(mirror, THERE, "v1")
    assert ends.step(**fields).action is action
    assert mirror.asked == asked


def test_an_immutable_tag_is_left_alone_if_conflicts_are(ends: _Ends) -> None:
    """Who skips conflicts skips this one, too, even where the tag was ours."""
    ends.mirror = MemoryRegistry("mirror", immutable_tags=True)
    OTHER.push_to(ends.mirror, THERE, "v1")
    _written(ends, OTHER.digest)
    assert ends.step(on_conflict="skip").action is Action.SKIP


def test_an_immutable_tag_with_the_same_digest_is_done(ends: _Ends) -> None:
    """There is nothing to write."""
    ends.mirror = MemoryRegistry("mirror", immutable_tags=True)
    IMAGE.push_to(ends.mirror, THERE, "v1")
    assert ends.step().action is Action.SKIP


def test_a_conflict_is_written_beside_on_demand(ends: _Ends) -> None:
    """Under the tag with a suffix; the reason tells what was in the way."""
    OTHER.push_to(ends.mirror, THERE, "v1")
    step = ends.step(on_conflict=Rename(suffix="-copy"))
    assert (step.action, step.destination.tag) == (Action.COPY, "v1-copy")
    assert step.reason.startswith("not there yet; renamed")
    assert str(OTHER.digest) in step.reason


def test_a_renamed_artifact_that_is_there_is_skipped(ends: _Ends) -> None:
    """A second run finds its own work."""
    OTHER.push_to(ends.mirror, THERE, "v1")
    IMAGE.push_to(ends.mirror, THERE, "v1-copy")
    step = ends.step(on_conflict=Rename(suffix="-copy"))
    assert (step.action, step.destination.tag) == (Action.SKIP, "v1-copy")


def test_a_rename_that_is_taken_is_a_conflict(ends: _Ends) -> None:
    """There is no second rename."""
    for tag in ("v1", "v1-copy"):
        OTHER.push_to(ends.mirror, THERE, tag)
    assert ends.step(on_conflict=Rename(suffix="-copy")).action is Action.CONFLICT


# --- platforms -----------------------------------------------------------------------------------


def _index() -> Sample:
    arm64 = random_image(3, platform=ARM64)
    return join([(IMAGE, {"platform": AMD64}), (arm64, {"platform": ARM64})])


def test_a_rewritten_index_has_another_digest_that_is_remembered(ends: _Ends) -> None:
    """It is read once to know the digest, and never again (OCI-3.21)."""
    index = _index()
    index.push_to(ends.source, HERE, "v1")
    artifact = Artifact(repository=HERE, tag=V1, digest=index.digest)
    wish = {"artifact": artifact, "platforms": "linux/amd64", "subset": "rewritten"}
    first = ends.step(**wish)
    assert first.source.digest == index.digest
    assert first.wanted != index.digest
    asked = ends.source.operations.count("get_manifest")
    assert ends.step(**wish).wanted == first.wanted
    assert ends.source.operations.count("get_manifest") == asked


def test_a_sparse_index_keeps_its_digest(ends: _Ends) -> None:
    """Nothing needs to be read to know it."""
    index = _index()
    artifact = Artifact(repository=HERE, tag=V1, digest=index.digest)
    step = ends.step(artifact=artifact, platforms="linux/amd64", subset="sparse")
    assert step.wanted == index.digest
    assert "get_manifest" not in ends.source.operations


# --- what is said about it -------------------------------------------------------------------------

SIGNATURE = random_signature(4, IMAGE.digest)
SBOM = random_referrer(5, IMAGE.descriptor)


def test_a_lacking_signature_is_brought_after_its_image(ends: _Ends) -> None:
    """The image is there, so only what is said about it is written (OCI-6.14)."""
    ends.both(IMAGE, tag="v1")
    SIGNATURE.push_to(ends.source, HERE)
    step = ends.step()
    assert step.action is Action.SATELLITES
    assert step.reason == f"{SIGNATURE.tag} is lacking or differs"


def test_a_signature_that_differs_is_brought(ends: _Ends) -> None:
    """The transfer decides whether it only grew."""
    ends.both(IMAGE, tag="v1")
    SIGNATURE.push_to(ends.source, HERE)
    random_signature(9, IMAGE.digest).push_to(ends.mirror, THERE)
    assert ends.step().action is Action.SATELLITES


def test_a_signature_that_is_there_is_enough(ends: _Ends) -> None:
    """Both ends have the same one."""
    ends.both(IMAGE, tag="v1")
    ends.both(SIGNATURE)
    assert ends.step().action is Action.SKIP


def test_a_signature_tag_that_is_gone_by_now_lacks_nowhere(ends: _Ends) -> None:
    """The listing was older (OCI-5.6)."""

    class _Late(MemoryRegistry):
        def list_artifacts(self, repository: str) -> Iterator[Artifact]:
            yield from super().list_artifacts(repository)
            yield Artifact(repository=repository, tag=SIGNATURE.tag)

    ends.source = _Late("source")
    ends.both(IMAGE, tag="v1")
    assert ends.step().action is Action.SKIP


@pytest.mark.parametrize("satellites", [(), ("application/spdx*",)])
def test_signatures_that_nobody_wants_do_not_lack(ends: _Ends, satellites: tuple[str, ...]) -> None:
    """A rule without satellites, or with others, looks for none."""
    ends.both(IMAGE, tag="v1")
    SIGNATURE.push_to(ends.source, HERE)
    assert ends.step(satellites=satellites).action is Action.SKIP


def _without_api() -> _Ends:
    ends = _Ends(source=MemoryRegistry("source", without=["referrers"]))
    ends.both(IMAGE, tag="v1")
    SBOM.push_to(ends.source, HERE)
    fallback_index(IMAGE.digest, [SBOM]).push_to(ends.source, HERE)
    return ends


def test_a_list_under_a_tag_is_held_against_the_api_of_the_other_end() -> None:
    """The tag is not there and need not be, if the API lists the same."""
    ends = _without_api()
    assert ends.step().action is Action.SATELLITES
    SBOM.push_to(ends.mirror, THERE)
    assert ends.step().action is Action.SKIP


def test_a_list_of_what_nobody_wants_does_not_lack() -> None:
    """Only the types the rule wants are compared; otherwise every run would try again."""
    ends = _without_api()
    assert ends.step(satellites=("cosign.*", NOTATION)).action is Action.SKIP
    assert ends.step(satellites=("application/spdx*",)).action is Action.SATELLITES


def test_listings_that_tell_satellites_are_compared_without_a_request() -> None:
    """Both ends told in their listings what is said about the digest."""
    ends = _bulk()
    ends.both(IMAGE, tag="v1")
    SBOM.push_to(ends.source, HERE)
    step = ends.step()
    assert step.action is Action.SATELLITES
    assert step.reason == "a signature or another referrer is lacking"
    SBOM.push_to(ends.mirror, THERE)
    assert ends.step().action is Action.SKIP


def test_referrers_under_a_tag_are_compared_with_what_a_listing_tells() -> None:
    """Where one end keeps them under the fallback tag and the other tells accessories."""
    ends = _Ends(source=MemoryRegistry("source", without=["referrers"]), mirror=BulkRegistry("m"))
    IMAGE.push_to(ends.source, HERE, "v1")
    for sample in (SBOM, fallback_index(IMAGE.digest, [SBOM])):
        sample.push_to(ends.source, HERE)
    IMAGE.push_to(ends.mirror, THERE, "v1")
    assert ends.step().action is Action.SATELLITES
    SBOM.push_to(ends.mirror, THERE)
    asked = ends.mirror.operations.count("list_referrers")
    assert ends.step().action is Action.SKIP
    assert ends.mirror.operations.count("list_referrers") == asked


def test_listings_tell_no_types_so_a_choice_must_look() -> None:
    """What lacks may be of a type that nobody wants."""
    ends = _bulk()
    ends.both(IMAGE, tag="v1")
    SBOM.push_to(ends.source, HERE)
    assert ends.step(satellites=(NOTATION,)).action is Action.SKIP
    assert ends.step(satellites=("application/spdx*",)).action is Action.SATELLITES


def test_only_deep_asks_where_no_listing_tells(ends: _Ends) -> None:
    """A referrer that only the API knows costs requests to find (OCI-6.14)."""
    ends.both(IMAGE, tag="v1")
    SBOM.push_to(ends.source, HERE)
    assert ends.step().action is Action.SKIP
    step = ends.step(deep=True)
    assert step.action is Action.SATELLITES
    assert str(SBOM.digest) in step.reason
    SBOM.push_to(ends.mirror, THERE)
    assert ends.step(deep=True).action is Action.SKIP


def test_a_rewritten_index_lacks_no_signature(ends: _Ends) -> None:
    """Those of the original are about another digest (OCI-6.12)."""
    index = _index()
    index.push_to(ends.source, HERE, "v1")
    random_signature(6, index.digest).push_to(ends.source, HERE)
    artifact = Artifact(repository=HERE, tag=V1, digest=index.digest)
    wish = {"artifact": artifact, "platforms": "linux/amd64", "subset": "rewritten"}
    wanted = ends.step(**wish).wanted
    raw = ends.planning().graph(
        ReplicationRule(
            name="r",
            source=SOURCE,
            destinations=MIRROR,
            where="everything",
            platforms="linux/amd64",
            subset="rewritten",
        ),
        HERE,
        index.digest,
    )
    IMAGE.push_to(ends.mirror, THERE, "amd64")
    ends.mirror.put_manifest(THERE, raw.manifest, tag=V1)
    assert raw.manifest.digest == wanted
    assert ends.step(**wish).action is Action.SKIP


def test_two_tags_of_one_digest_ask_for_what_hangs_on_it_once_a_side() -> None:
    """However many threads compare at the same time."""
    ends = _Ends(source=_Bare("source"), mirror=_Bare("mirror"))
    ends.both(IMAGE, tag="v1")
    ends.both(IMAGE, tag="v2")
    for registry in (ends.source, ends.mirror):
        SIGNATURE.push_to(registry, HERE)
    planning = ends.planning()
    before = [len(end.operations) for end in (ends.source, ends.mirror)]
    rule = ReplicationRule(name="r", source=SOURCE, destinations=MIRROR, where="everything")
    all_here = threading.Barrier(4)

    def one(tag: str) -> list[Step]:
        all_here.wait(60)
        artifact = Artifact(repository=HERE, tag=Tag(tag), digest=IMAGE.digest)
        return list(compare(planning, rule, artifact))

    with ThreadPoolExecutor(4) as threads:
        steps = list(threads.map(one, ["v1", "v2", "v1", "v2"]))
    assert {step.action for found in steps for step in found} == {Action.SKIP}
    asked = [
        end.operations[count:].count("resolve")
        for end, count in zip((ends.source, ends.mirror), before, strict=True)
    ]
    assert asked == [1, 5]  # there the four tags themselves are asked for, too
