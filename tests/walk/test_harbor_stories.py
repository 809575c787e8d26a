"""What becomes of artifacts on their way into a Harbor and out of it, whatever happens there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync.plan import Action
from harborsync.reference import Digest
from harborsync.report import Outcome
from harborsync.testing import LoopbackHarbor
from harborsync.testing.content import (
    AMD64,
    ARM64,
    Sample,
    join,
    random_image,
    random_referrer,
    random_signature,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.walk.conftest import Place, Walk

IMAGE = random_image(1)
AMD, ARM = random_image(2, platform=AMD64), random_image(3, platform=ARM64)
INDEX = join([(AMD, {"platform": AMD64}), (ARM, {"platform": ARM64})])
NESTED = join([(INDEX, {}), (random_image(4), {"platform": AMD64})])
SATELLITES = (
    random_signature(11, IMAGE.digest),
    random_referrer(12, IMAGE.descriptor),
    random_signature(13, INDEX.digest),
    random_signature(14, AMD.digest),
    random_signature(15, ARM.digest),
    random_referrer(16, INDEX.descriptor),
    random_signature(17, NESTED.digest),
)
SIGNED = {str(each.tag) for each in SATELLITES if each.tag is not None}
TAGGED = {"v1": IMAGE, "multi": INDEX, "nested": NESTED}


def _fill(harbor: LoopbackHarbor, repository: str) -> None:
    for tag, sample in TAGGED.items():
        harbor.push(repository, sample, tag)
    for satellite in SATELLITES:
        harbor.push(repository, satellite)


def _tags(place: Place, repository: str) -> dict[str, str]:
    tags: Mapping[str, object]
    if isinstance(place, LoopbackHarbor):
        tags = place.tags(repository)
    else:
        tags = place.storage.tags(repository)
    return {tag: str(digest) for tag, digest in tags.items()}


class _Watch:
    """Looks before every request whether a tag is to be seen whose signatures are not."""

    def __init__(self) -> None:
        self.place: Place | None = None
        self.looks = 0
        self.unsigned: list[str] = []

    def __call__(self, request: Any) -> None:
        """Look; nothing ever goes wrong."""
        if self.place is None:
            return
        tags = _tags(self.place, "team/app")
        self.looks += 1
        for tag in set(tags) & set(TAGGED):
            wanted = {f"{Digest.parse(each).tag_prefix}.sig" for each in _all_of(TAGGED[tag])}
            self.unsigned += sorted(wanted & SIGNED - set(tags))


def _all_of(sample: Sample) -> list[str]:
    return [str(manifest.digest) for manifest in sample.manifests]


# --- the way through -------------------------------------------------------------------------


def test_signatures_travel_from_harbor_and_back_and_no_tag_is_seen_without(walk: Walk) -> None:
    """Through a registry that knows no accessories; each way a second run changes nothing."""
    watch, back = _Watch(), _Watch()
    source = walk.harbor("team")
    between = walk.registry(faults=watch)
    target = walk.harbor("team", faults=back)
    watch.place, back.place = between, target
    _fill(source, "team/app")
    for one, other in ((source, between), (between, target)):
        report = walk.run(one, other, repositories=("team/app",))
        assert [each.outcome for each in report.results] == [Outcome.COPIED] * 3
        assert [each.warnings for each in report.results] == [()] * 3
        again = walk.run(one, other, repositories=("team/app",))
        assert {each.outcome for each in again.results} == {Outcome.SKIPPED}
    assert watch.looks > 50
    assert back.looks > 50
    assert (watch.unsigned, back.unsigned) == ([], [])
    for place in (between, target):
        tags = _tags(place, "team/app")
        assert tags.items() >= _tags(source, "team/app").items()
        assert tags.keys() >= SIGNED
    for tag in TAGGED:
        here, there = (place.artifact("team/app", tag) for place in (source, target))
        assert there.digest == here.digest


@pytest.mark.parametrize("name", ["team/a.b_c/d-e", "123/app", "team/x/y/z"])
def test_names_that_are_easily_mistaken_travel(walk: Walk, name: str) -> None:
    """Slashes, dots and a project whose name is a number."""
    source, target = walk.harbor("team", "123"), walk.harbor("team")
    walk.as_robot(target, system=["project:create"])
    source.push(name, IMAGE, "1.0", "latest")
    source.push(name, SATELLITES[0])
    assert len(walk.run(source, target)) == 2
    assert _tags(target, name) == _tags(source, name)
    plan = walk.replicator(source, target).plan()
    assert {step.action for step in plan} == {Action.SKIP}


def test_a_path_behind_the_host_is_the_project(walk: Walk) -> None:
    """At either end."""
    source, target = walk.harbor("team", "other"), walk.harbor("mirror")
    for project in ("team", "other"):
        source.push(f"{project}/app", IMAGE, "v1")
    report = walk.run(source, target, path="/mirror")
    assert len(report) == 2
    assert _tags(target, "mirror/team/app") == {"v1": str(IMAGE.digest)}


def test_a_token_that_ends_while_a_layer_is_sent_is_renewed(walk: Walk) -> None:
    """Of a user, who has tokens at all; nothing is sent twice that arrived."""
    source = walk.harbor("team")
    late: list[Any] = []

    def hesitate(request: Any) -> None:
        if request.method == "PUT" and not late:
            late.append(request)
            walk.clock.advance(61)

    target = walk.harbor("team", faults=hesitate, token_seconds=60)
    walk.as_user(target)
    source.push("team/app", IMAGE, "v1")
    (result,) = walk.run(source, target).results
    assert result.outcome is Outcome.COPIED
    assert sum("/service/token" in each.path for each in target.requests) >= 2


# --- what is refused -------------------------------------------------------------------------


def test_a_robot_that_may_not_push_is_told_what_it_lacks(walk: Walk) -> None:
    """By the name of the permission."""
    source, target = walk.harbor("team"), walk.harbor("team")
    walk.as_robot(target, "repository:pull", "repository:list", "artifact:list")
    source.push("team/app", IMAGE, "v1")
    message, hint = walk.failed(source, target)
    assert "action: push" in message
    assert "repository:push" in hint


def test_a_project_that_nobody_may_make_is_asked_for(walk: Walk) -> None:
    """By a person: a robot of one project cannot make another."""
    source, target = walk.harbor("team"), walk.harbor("other")
    walk.as_robot(target, "repository:pull", "repository:push", project="other")
    source.push("team/app", IMAGE, "v1")
    message, hint = walk.failed(source, target)
    assert "cannot make the project team" in message
    assert hint.startswith("make the project in Harbor, or log in as a system robot")
    message, hint = walk.failed(source, target, options={"create": "never"})
    assert "project team not found" in message
    assert "may have to be made first" in hint


def test_a_quota_that_ends_stops_what_needs_bytes_and_nothing_else(walk: Walk) -> None:
    """The plan has told it; a further tag of what is there takes no room."""
    source, target = walk.harbor("team"), walk.harbor()
    target.add_project("team", limit=60_000)
    large = random_image(9, layers=2, layer_bytes=60_000)
    small = random_image(10, layers=1, layer_bytes=1000)
    for tag, sample in (("a-large", large), ("b-small", small), ("c-there", IMAGE)):
        source.push("team/app", sample, tag)
    target.push("team/app", IMAGE, "old")
    replicator = walk.replicator(source, target)
    plan = replicator.plan()
    assert any("are left in project team: raise its quota" in note for note in plan.notes)
    report = replicator.run(plan)
    outcomes = {str(each.step.source.tag): each.outcome for each in report.results}
    assert outcomes == {
        "a-large": Outcome.FAILED,
        "b-small": Outcome.COPIED,
        "c-there": Outcome.COPIED,
    }
    failure = report.failed[0].failure
    assert failure is not None
    assert failure.kind == "QuotaExceeded"
    assert failure.hint == "make room in the project, or raise its quota"
    assert set(target.tags("team/app")) == {"old", "b-small", "c-there"}


def test_a_read_only_harbor_is_not_taken_for_a_lack_of_rights(walk: Walk) -> None:
    """Both are a 403; only one is the login's fault."""
    source, target = walk.harbor("team"), walk.harbor("team")
    source.push("team/app", IMAGE, "v1")
    target.state.settings["read_only"] = True
    message, hint = walk.failed(source, target)
    assert "read only mode" in message
    assert hint == "the whole registry is read-only for now; its administrator ends that"


def _hold_fast(harbor: LoopbackHarbor, pattern: str) -> None:
    selector = {"kind": "doublestar", "decoration": "matches", "pattern": pattern}
    scope = {"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}
    rule = {"tag_selectors": [selector], "scope_selectors": {"repository": [scope]}}
    harbor.state.project("team").immutable_rules[1] = {"id": 1, "disabled": False, **rule}


def test_a_tag_that_is_made_immutable_after_planning_stays(walk: Walk) -> None:
    """What moved there fails with what to do; what is identical by then is done."""
    source, target = walk.harbor("team"), walk.harbor("team")
    source.push("team/app", IMAGE, "v1")
    target.push("team/app", AMD, "v1")
    replicator = walk.replicator(source, target, on_conflict="overwrite")
    plan = replicator.plan()
    _hold_fast(target, "v*")
    (result,) = replicator.run(plan).failed
    assert result.failure is not None
    assert result.failure.kind == "TagImmutable"
    assert result.failure.hint == "choose another tag, or change the registry's immutability rule"
    assert target.tags("team/app") == {"v1": AMD.digest}
    (step,) = walk.replicator(source, target, on_conflict="overwrite").plan()
    assert step.action is Action.CONFLICT
    advice = "change the rule that keeps it, or choose another tag"
    assert step.reason == f"the tag is immutable there and has {AMD.digest}: {advice}"


def test_an_immutable_tag_that_is_identical_by_now_is_done(walk: Walk) -> None:
    """Harbor refuses even the very same bytes (HARBOR §2)."""
    source, target = walk.harbor("team"), walk.harbor("team")
    source.push("team/app", IMAGE, "v1")
    target.push("team/app", AMD, "v0")
    replicator = walk.replicator(source, target)
    plan = replicator.plan()
    target.push("team/app", IMAGE, "v1")
    _hold_fast(target, "v*")
    (result,) = replicator.run(plan).results
    assert result.outcome is Outcome.SKIPPED
    assert result.reason == "identical, and the tag is immutable"


# --- how little is asked ---------------------------------------------------------------------


def _writes(harbor: LoopbackHarbor) -> list[str]:
    return [each.method for each in harbor.requests if each.method not in {"GET", "HEAD"}]


def _pulls(harbor: LoopbackHarbor) -> list[str]:
    return [e.path for e in harbor.requests if e.method == "GET" and "/manifests/" in e.path]


@pytest.fixture
def many(walk: Walk) -> Callable[[int, int], tuple[LoopbackHarbor, LoopbackHarbor]]:
    """Return a way to fill two Harbors alike; every tenth artifact is signed."""

    def filled(repositories: int, tags: int) -> tuple[LoopbackHarbor, LoopbackHarbor]:
        ends = walk.harbor("team"), walk.harbor("team")
        for number in range(repositories):
            for place in range(tags):
                image = random_image(number * tags + place, layers=1, layer_bytes=10)
                for end in ends:
                    end.push(f"team/r{number}", image, f"t{place}")
                    if place % 10 == 0:
                        end.push(f"team/r{number}", random_signature(place, image.digest))
        for end in ends:
            end.clear_log()
        return ends

    return filled


def test_what_is_unchanged_costs_pages_of_lists(walk: Walk, many: Any) -> None:
    """1,000 tags: at most 0.03 requests each, no manifest is pulled, nothing is written."""
    source, target = many(20, 50)
    report = walk.run(source, target)
    assert {each.outcome for each in report.results} == {Outcome.SKIPPED}
    assert len(source.requests) + len(target.requests) <= 30
    for end in (source, target):
        assert _pulls(end) == []
        assert _writes(end) == []


def test_a_new_signed_index_costs_eight_requests_to_read(walk: Walk, many: Any) -> None:
    """Root, four platforms, the signature, and who else is about them; and the unchanged rest."""
    source, target = many(4, 100)
    platforms = [random_image(5000 + n) for n in range(4)]
    index = join([(each, {}) for each in platforms])
    source.push("team/r0", index, "new")
    signature = random_signature(1, index.digest)
    source.push("team/r0", signature)
    source.clear_log()
    replicator = walk.replicator(source, target)
    plan = replicator.plan()
    assert _pulls(source) == []
    assert len(source.requests) <= 1.2 * 4 + 3
    source.clear_log()
    report = replicator.run(plan)
    assert report.ok
    blobs = sum("/blobs/" in each.path for each in source.requests)
    assert len(source.requests) - blobs <= 8
    sent = sum(len(each.blobs) for each in (*platforms, signature))
    assert _writes(target).count("PUT") == sent + 6  # and six manifests


def test_an_image_with_one_new_layer_costs_five_requests(walk: Walk) -> None:
    """A session and its content for layer and configuration, and the manifest by its tag."""
    source, target = walk.harbor("team"), walk.harbor("team")
    source.push("team/app", random_image(31, layers=1), "v1")
    target.push("team/app", IMAGE, "v0")
    replicator = walk.replicator(source, target, where="tag is 'v1'")
    plan = replicator.plan()
    target.clear_log()
    assert replicator.run(plan).ok
    assert [each.method for each in target.requests] == ["POST", "PUT", "POST", "PUT", "PUT"]


def test_a_further_tag_costs_one_request(walk: Walk) -> None:
    """By the API for a robot, by a push for a user; a tag that moves is always pushed."""
    source, target = walk.harbor("team"), walk.harbor("team")
    source.push("team/app", IMAGE, "v1", "latest")
    target.push("team/app", IMAGE, "v1")
    for log_in, method in ((None, "POST"), (walk.as_user, "PUT")):
        if log_in is not None:
            log_in(target)
            source.push("team/app", IMAGE, "stable")
        replicator = walk.replicator(source, target)
        plan = replicator.plan()
        target.clear_log()
        assert replicator.run(plan).ok
        asked = [each for each in target.requests if "/service/token" not in each.path]
        assert [each.method for each in asked if each.status < 400] == [method]


def test_an_image_with_many_tags_is_pushed_once(walk: Walk) -> None:
    """However many walkers there are: the others only name it."""
    source, target = walk.harbor("team"), walk.harbor("team")
    source.push("team/app", IMAGE, *(f"v{number}" for number in range(60)))
    assert walk.run(source, target).ok
    pushed = [e for e in target.requests if e.method == "PUT" and "/manifests/" in e.path]
    assert len(pushed) == 1
    assert len(target.tags("team/app")) == 60


def test_one_harbor_copies_by_itself(walk: Walk) -> None:
    """Not one blob is touched."""
    harbor = walk.harbor("team", "copies")
    harbor.push("team/app", INDEX, "v1")
    harbor.push("team/app", SATELLITES[2])
    harbor.clear_log()
    report = walk.run(harbor, harbor, path="/copies", repositories=("team/app",))
    assert [each.outcome for each in report.results] == [Outcome.COPIED]
    assert _tags(harbor, "copies/team/app") == _tags(harbor, "team/app")
    assert not any("/blobs/" in each.path for each in harbor.requests)


def test_a_filter_on_tags_shortens_lists_only_where_they_are_long(walk: Walk) -> None:
    """Many small repositories are one page together; of a large one, only a part is listed."""
    source, target = walk.harbor("team", "large"), walk.harbor("team")
    for number in range(5):
        source.push_image(f"team/r{number}", "v1", "dev", seed=number)
    for number in range(250):
        manifest = random_image(1000 + number, layers=1, layer_bytes=10)
        source.push("large/app", manifest, f"v{number}")
    for where, path in (
        ("name like 'team/**' and tag is 'v1'", "/projects/team/artifacts"),
        ("name like 'large/**' and tag is 'v1'", "/projects/large/repositories/app/artifacts"),
    ):
        source.clear_log()
        assert walk.replicator(source, target, where=where).plan().to_copy
        (listed,) = (each.path for each in source.requests if each.path.endswith("/artifacts"))
        assert listed.endswith(path)


@pytest.mark.parametrize("version", ["2.8", "2.12", "2.16"])
def test_the_two_rights_that_docker_needs_are_enough(walk: Walk, version: str) -> None:
    """At both ends, though it takes more requests; a second run changes nothing."""
    source, target = (walk.harbor("team", version=version) for _ in range(2))
    for end in (source, target):
        walk.as_robot(end, "repository:pull", "repository:push", project="team")
    _fill(source, "team/app")
    report = walk.run(source, target, repositories=("team/app",))
    assert [each.outcome for each in report.results] == [Outcome.COPIED] * 3
    assert _tags(target, "team/app").items() >= _tags(source, "team/app").items()
    again = walk.run(source, target, repositories=("team/app",))
    assert {each.outcome for each in again.results} == {Outcome.SKIPPED}
