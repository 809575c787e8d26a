"""A thousand artifacts through every fault there is, and through faults that never heal."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Final, Self

import pytest

from harborsync import Options, ReplicationRule, Replicator, open_registry
from harborsync.retry import RetryPolicy
from harborsync.testing import LoopbackRegistry, faults
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from types import TracebackType

    from harborsync import Report
    from harborsync.reference import Digest
    from harborsync.testing.server_wire import Request

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SEED: Final = 20
REPOSITORIES, TAGS = 20, 50
#: Short waits, and so many of them that no random streak is taken for a server that is gone.
STUBBORN = Options(retry=RetryPolicy(attempts=20, first_wait=0.01, longest_wait=0.05))
QUICK = Options(retry=RetryPolicy(attempts=3, first_wait=0.001, longest_wait=0.01))


def every_fault() -> tuple[faults.Fault, ...]:
    """Return a fault of every kind that a good client survives; what is waited for is short."""
    return (
        faults.status(429, retry_after=0),
        faults.status(429),
        faults.status(408),
        faults.status(499),
        faults.status(500),
        faults.status(502),
        faults.status(503, retry_after=0),
        faults.status(504),
        faults.html_page(502),
        faults.html_page(503),
        faults.delay(0.02),
        faults.cut_response(0),
        faults.cut_response(100),
        faults.cut_response(100, reset=True),
        faults.cut_request(100),
        faults.cut_request(100, reset=True),
        faults.lose_answer(),
        faults.lose_answer(reset=True),
        faults.vanish_uploads(),
        faults.drip(200, 0.001),
    )


def every_spoiling_fault() -> tuple[faults.Fault, ...]:
    """Return the faults that spoil content, and are found out by its digest and size."""
    return (faults.corrupt(10), faults.wrong_length(7), faults.wrong_length(-7))


def seed(server: LoopbackRegistry) -> dict[tuple[str, str], Digest]:
    """Put a thousand artifacts at a source; a few layers are larger than what is sent at once."""
    digests: dict[tuple[str, str], Digest] = {}
    with closing(open_registry(server.endpoint)) as registry:
        for number in range(REPOSITORIES * TAGS):
            place = (f"team/app{number % REPOSITORIES}", f"v{number // REPOSITORIES}")
            size = 2**20 + 2**18 if number % 100 == 0 else 500
            image = random_image(number, layers=1, layer_bytes=size)
            digests[place] = image.push_to(registry, *place)
    return digests


def replicate(source: LoopbackRegistry, destination: LoopbackRegistry, options: Options) -> Report:
    """Plan and run, in whatever weather there is."""
    rule = ReplicationRule(
        name="all",
        source=source.endpoint,
        destinations=destination.endpoint,
        where="name like 'team/**'",
    )
    with Replicator([rule], options=options) as replicator:
        return replicator.run()


def is_whole(server: LoopbackRegistry, repository: str, digest: Digest | str) -> bool:
    """Tell whether a manifest and everything it names are in a server's store, byte for byte."""
    stored = server.storage.manifest(repository, str(digest))
    if stored is None:
        return False
    named = [stored.document["config"], *stored.document["layers"]]
    blobs = [server.storage.blob(repository, each["digest"]) for each in named]
    return all(
        blob is not None and len(blob.read()) == each["size"]
        for blob, each in zip(blobs, named, strict=True)
    )


class Reader:
    """Looks at a destination all the time; every tag it sees must be of something whole."""

    def __init__(self, server: LoopbackRegistry) -> None:
        self._server = server
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.seen: set[tuple[str, str]] = set()
        self.unfinished: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Look no more."""
        self._ends.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ends.wait(0.05):
            for repository in self._server.storage.repositories():
                for tag, digest in self._server.storage.tags(repository).items():
                    self._look(repository, tag, digest)

    def _look(self, repository: str, tag: str, digest: str) -> None:
        if (repository, tag) in self.seen:
            return
        self.seen.add((repository, tag))
        if not is_whole(self._server, repository, digest):
            self.unfinished.append((repository, tag))


def test_a_thousand_artifacts_arrive_through_a_storm() -> None:
    """A tenth of all requests goes wrong, at both ends, and nobody ever sees half an artifact."""
    with LoopbackRegistry() as source, LoopbackRegistry() as destination:
        wanted = seed(source)
        plans = [faults.FaultPlan(SEED + end, every_fault(), rate=0.1) for end in range(2)]
        spoiling = faults.FaultPlan(SEED, every_spoiling_fault(), rate=0.1, at_most=1)

        def at_the_source(request: Request) -> faults.Fault | None:
            is_content = request.method == "GET" and "/v2/team/" in request.path
            can_be_checked = is_content and "/tags/" not in request.path
            return (spoiling(request) if can_be_checked else None) or plans[0](request)

        source.faults, destination.faults = at_the_source, plans[1]
        with Reader(destination) as reader:
            report = replicate(source, destination, STUBBORN)
        assert report.outcomes == (("copied", len(wanted)),), report.summary()
        assert not report.unplanned
        for (repository, tag), digest in wanted.items():
            assert destination.storage.tags(repository)[tag] == str(digest)
            assert is_whole(destination, repository, digest)
        assert reader.unfinished == []
        assert reader.seen
        happened = {repr(fault) for plan in plans for _, fault in plan.injected}
        assert len(happened) == len(every_fault())
        assert {repr(fault) for _, fault in spoiling.injected} == {
            repr(each) for each in every_spoiling_fault()
        }
        assert sum(len(plan.injected) for plan in plans) > 500


def test_faults_that_never_heal_cost_their_own_artifacts_only() -> None:
    """The run ends, the report names each of them, and everything else is there."""
    deadly = [
        fault
        for fault in every_fault()
        if fault.lose_answer or fault.status or fault.cut_response_after is not None
    ]
    with LoopbackRegistry() as source, LoopbackRegistry() as destination:
        wanted = seed(source)
        victims: dict[str, faults.Fault] = {}
        layers: dict[str, tuple[str, str]] = {}
        for number, (place, digest) in enumerate(wanted.items()):
            if number % 20 == 0:
                stored = source.storage.manifest(place[0], str(digest))
                assert stored is not None
                layer = stored.document["layers"][0]["digest"]
                victims[f"/v2/{place[0]}/blobs/{layer}"] = deadly[number // 20 % len(deadly)]
                layers[layer] = place

        def script(request: Request) -> faults.Fault | None:
            return victims.get(request.path) if request.method == "GET" else None

        source.faults = script
        report = replicate(source, destination, QUICK)
        failed = {(r.step.source.repository, str(r.step.source.tag)) for r in report.failed}
        assert failed == set(layers.values())
        for result in report.failed:
            assert result.failure is not None
            assert result.failure.side == "source"
            assert (
                f"{result.step.source.repository}:{result.step.source.tag}"
                in result.failure.message
            )
        for (repository, tag), digest in wanted.items():
            arrived = destination.storage.tags(repository).get(tag)
            assert arrived == (None if (repository, tag) in failed else str(digest))
            assert (repository, tag) in failed or is_whole(destination, repository, digest)
