"""How many requests a replication takes between servers that others wrote, pings aside.

Each test prints its figures; ``pytest -s`` shows them.
"""

from __future__ import annotations

import functools
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync import Options, ReplicationRule, Replicator, open_registry
from harborsync.report import Outcome
from harborsync.testing.content import Sample, random_image, random_signature

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync import Report
    from harborsync.testing.programs import RealRegistry, Request

pytestmark = pytest.mark.real

SERVERS = ["docker_registry", "distribution3"]
R = "team/app"
WRITES = {"POST", "PATCH", "PUT", "DELETE"}


@attrs.define
class Ends:
    """A source and a destination, perhaps one and the same."""

    source: RealRegistry
    destination: RealRegistry

    def seed(self, samples: dict[str, Sample], repository: str = R) -> None:
        """Put samples into the source, each under its tag."""
        with closing(open_registry(self.source.endpoint)) as registry:
            for tag, sample in samples.items():
                sample.push_to(registry, repository, tag)

    def replicate(
        self, where: str = f"name is '{R}'", naming: str = "{repository}", **options: Any
    ) -> tuple[Report, list[Request]]:
        """Plan and run, and return what was asked of both ends meanwhile."""
        ends = {id(end): end for end in (self.source, self.destination)}.values()
        before = [len(end.requests()) for end in ends]
        rule = ReplicationRule(
            name="all",
            source=self.source.endpoint,
            destinations=self.destination.endpoint,
            where=where,
            naming=naming,
        )
        with Replicator([rule], options=Options(**options)) as replicator:
            report = replicator.run().raise_for_failures()
        asked = [
            request
            for end, count in zip(ends, before, strict=True)
            for request in end.requests()[count:]
            if request.path != "/v2/"
        ]
        return report, asked


@pytest.fixture(params=SERVERS)
def start(request: pytest.FixtureRequest) -> Callable[[], RealRegistry]:
    """Start a server of each kind."""
    found: Callable[[], RealRegistry] = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def ends(start: Callable[[], RealRegistry]) -> Ends:
    """Two empty servers."""
    return Ends(start(), start())


def images(count: int, layers: int = 3, first: int = 1) -> dict[str, Sample]:
    """Return images that share nothing."""
    return {f"v{n}": random_image(n, layers=layers) for n in range(first, first + count)}


def told(what: str, asked: list[Request]) -> int:
    """Print and return how many requests there were."""
    methods = dict(sorted(Counter(request.method for request in asked).items()))
    print(f"\n{what}: {len(asked)} requests, {methods}")
    return len(asked)


def named(asked: list[Request], method: str, part: str) -> list[Request]:
    """Return requests of a method whose path has a part."""
    return [each for each in asked if each.method == method and part in each.path]


@pytest.mark.parametrize(("mode", "most"), [({}, 18), ({"strict": True}, 24)])
@pytest.mark.parametrize("others", [0, 1], ids=["a new repository", "beside other tags"])
def test_a_new_image_of_three_layers(
    ends: Ends, mode: dict[str, Any], most: int, others: int
) -> None:
    """At most 18 requests, or 24 in strict mode, whether the repository is new or not."""
    ends.seed(images(1))
    if others:
        with closing(open_registry(ends.destination.endpoint)) as registry:
            random_image(99).push_to(registry, R, "other")
    report, asked = ends.replicate(**mode)
    assert len(report.copied) == 1
    assert told(f"a new image, {others} other tags, {mode}", asked) <= most


@pytest.mark.parametrize(("mode", "most"), [({}, 110), ({"strict": True}, 150)])
def test_ten_tags_of_twenty_four_blobs(ends: Ends, mode: dict[str, Any], most: int) -> None:
    """At most 110 requests, or 150 in strict mode; one of them asks for referrers."""
    samples = {**images(4, layers=2), **images(6, layers=1, first=5)}
    assert len({blob.descriptor.digest for s in samples.values() for blob in s.blobs}) == 24
    ends.seed(samples)
    report, asked = ends.replicate(**mode)
    assert len(report.copied) == 10
    assert told(f"ten tags, {mode}", asked) <= most
    assert len(named(asked, "GET", "/referrers/")) == 1


def test_what_is_unchanged_is_looked_at_and_nothing_else(ends: Ends) -> None:
    """Two requests for each tag beside the two listings, no write, no manifest read."""
    ends.seed(images(10))
    ends.replicate()
    report, asked = ends.replicate()
    assert len(report.skipped) == 10
    assert told("ten unchanged tags", asked) <= 2 * 10 + 2
    assert not {request.method for request in asked} & WRITES
    assert not named(asked, "GET", "/manifests/")


@pytest.mark.parametrize("is_second_run", [False, True], ids=["in one run", "in a later run"])
def test_a_second_repository_gets_every_blob_by_mount(ends: Ends, *, is_second_run: bool) -> None:
    """Also where the first one has nothing to do any more."""
    samples = images(2)
    ends.seed(samples)
    if is_second_run:
        ends.replicate()
    ends.seed(samples, "team/second")
    report, asked = ends.replicate("name like 'team/*'")
    told("a second repository", asked)
    assert len(report.copied) == (2 if is_second_run else 4)
    mounts = {
        request.path.partition("mount=")[2].partition("&")[0]
        for request in named(asked, "POST", "mount=")
        if request.status == 201
    }
    assert len(mounts) == 8
    assert len(named(asked, "PUT", "/blobs/")) == (0 if is_second_run else 8)


def test_within_one_registry_everything_is_mounted(start: Callable[[], RealRegistry]) -> None:
    """No byte of a blob is read or sent (OCI-4.6)."""
    server = start()
    ends = Ends(server, server)
    ends.seed(images(2))
    report, asked = ends.replicate(naming="copies/{repository}")
    told("within one registry", asked)
    assert len(report.copied) == 2
    assert report.bytes_sent == 0
    assert not named(asked, "GET", "/blobs/")
    assert len(named(asked, "POST", "mount=")) == len(named(asked, "POST", "")) == 8


def test_a_tag_on_what_is_there_costs_its_put(ends: Ends) -> None:
    """The plan has seen the digest under another tag."""
    samples = images(1)
    ends.seed(samples)
    ends.replicate()
    ends.seed({"latest": samples["v1"]})
    report, asked = ends.replicate()
    told("a second tag on an image", asked)
    assert len(report.copied) == 1
    assert [request.method for request in asked if request.method in WRITES] == ["PUT"]
    assert not named(asked, "HEAD", "sha256:")
    assert not named(asked, "GET", "/blobs/")


def test_a_late_signature_of_two_tags_is_asked_for_and_written_once(ends: Ends) -> None:
    """Two tags share the digest that it is about."""
    image = random_image(1)
    ends.seed({"v1": image, "v2": image})
    ends.replicate()
    with closing(open_registry(ends.source.endpoint)) as registry:
        signature = random_signature(2, image.digest)
        signature.push_to(registry, R)
    report, asked = ends.replicate(f"name is '{R}' and tag like 'v?'")
    told("a late signature", asked)
    assert len(report.copied) == 2
    about = functools.partial(named, asked, part=".sig")
    assert len(about("PUT")) == 1
    assert len(about("HEAD")) == 1
    assert not named(asked, "HEAD", "sha256:")
    assert len(named(asked, "PUT", "/manifests/")) == 1


def test_lost_blobs_come_back_on_demand_only(ends: Ends) -> None:
    """A manifest that is there is no proof of its blobs; ``verify="blobs"`` looks once each."""
    sample = random_image(1)
    ends.seed({"v1": sample, "v2": sample})
    ends.replicate()
    lost = sample.blobs[-1].descriptor.digest
    store = ends.destination.root / "store" / "docker" / "registry" / "v2" / "blobs" / "sha256"
    (store / lost.encoded[:2] / lost.encoded / "data").unlink()
    assert ends.replicate()[0].outcomes == (("skipped", 2),)
    report, asked = ends.replicate(verify="blobs")
    told("a lost blob", asked)
    assert sum(result.outcome is Outcome.COPIED for result in report) == 1
    assert [request.status for request in named(asked, "HEAD", str(lost))].count(404) == 1
    assert len(named(asked, "PUT", "/blobs/")) == 1
    assert ends.replicate(verify="blobs")[0].outcomes == (("skipped", 2),)
