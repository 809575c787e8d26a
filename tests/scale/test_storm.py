"""A thousand artifacts through every fault there is, and through faults that never heal."""

from __future__ import annotations

import itertools
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Final, Self

import attrs
import pytest

from harborsync import Options, ReplicationRule, Replicator, open_registry
from harborsync.credentials import Credential, StaticCredentials
from harborsync.limits import HostLimits
from harborsync.provider import OpenContext
from harborsync.retry import RetryPolicy
from harborsync.secrets import Secret
from harborsync.testing import LoopbackRegistry, faults
from harborsync.testing.content import random_image
from harborsync.testing.profiles import LoopbackQuirks
from harborsync.testing.tokens import TokenAuth

if TYPE_CHECKING:
    from types import TracebackType

    from harborsync import Report
    from harborsync.reference import Digest
    from harborsync.testing.server_wire import Request

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SEED: Final = 20
REPOSITORIES, TAGS = 20, 50
#: Short waits, and so many of them that no random streak is taken for a server that is gone.
STUBBORN = Options(
    retry=RetryPolicy(attempts=20, first_wait=0.01, longest_wait=0.05),
    hosts=HostLimits(idle_timeout=0.5),
)
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
        faults.stall(),
        faults.stall(100),
    )


def every_spoiling_fault() -> tuple[faults.Fault, ...]:
    """Return the faults that spoil content, and are found out by its digest and size."""
    lie = faults.lying_digest()
    return (faults.corrupt(10), faults.wrong_length(7), faults.wrong_length(-7), lie)


def every_end_of_tokens() -> tuple[faults.Fault, ...]:
    """Return ways in which every token ends: after an answer, and in the middle of a body."""
    end = faults.expire_tokens()
    return (end, attrs.evolve(end, cut_response_after=100, reset=True))


class EndOfTokens:
    """Lets all tokens end every so many reads: often, and not before a fresh one can be used."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._count = itertools.count(1)
        self._ends = itertools.cycle(every_end_of_tokens())
        self.injected: list[tuple[str, faults.Fault]] = []

    def __call__(self, request: Request) -> faults.Fault | None:
        """Return the fault if it is time for it."""
        if not is_reading(request) or next(self._count) % self._every:
            return None
        fault = next(self._ends)
        self.injected.append((request.path, fault))
        return fault


def everything() -> tuple[faults.Fault, ...]:
    """Return all that the storm consists of."""
    return (*every_fault(), *every_spoiling_fault(), *every_end_of_tokens(), DEAD, ENDLESS)


#: Storage that is gone.
DEAD: Final = faults.redirect("http://127.0.0.1:1/gone?sig=x")
#: Stands for a page that is its own next one.
ENDLESS: Final = faults.endless_pages("itself")


@attrs.frozen
class Storm:
    """All that goes wrong at one end, each kind where a good client can survive it.

    Attributes:
        plans: Which of them are due is asked in this order; the first one wins.
    """

    plans: tuple[faults.FaultPlan | EndOfTokens, ...]

    @classmethod
    def over_source(cls, seed: int) -> Storm:
        """Return what happens to who reads."""
        return cls(
            (
                faults.FaultPlan(seed, every_spoiling_fault(), at_most=1, matching=is_content),
                faults.FaultPlan(seed + 1, [ENDLESS], rate=0.5, at_most=None, matching=is_list),
                *cls.over_destination(seed + 2).plans,
            )
        )

    @classmethod
    def over_destination(cls, seed: int) -> Storm:
        """Return what happens to everybody."""
        return cls(
            (
                EndOfTokens(every=1200),
                faults.FaultPlan(seed, [DEAD], rate=0.02, matching=is_reading),
                faults.FaultPlan(seed + 1, every_fault(), rate=0.1),
            )
        )

    def __call__(self, request: Request) -> faults.Fault | None:
        """Return what goes wrong with a request, or None."""
        fault = next((each for plan in self.plans if (each := plan(request)) is not None), None)
        if fault is ENDLESS:
            return faults.endless_pages(f"{request.path}?n=1000&again=1")
        return fault

    @property
    def injected(self) -> list[faults.Fault]:
        """What went wrong so far."""
        return [fault for plan in self.plans for _, fault in plan.injected]


def is_reading(request: Request) -> bool:
    """Tell whether a request may be redirected."""
    return request.method in {"GET", "HEAD"} and request.path.startswith(("/v2/team/", "/storage/"))


def is_content(request: Request) -> bool:
    """Tell whether a request reads what has a digest."""
    is_blob = request.path.startswith("/storage/")
    return request.method == "GET" and (is_blob or "/manifests/" in request.path)


def is_list(request: Request) -> bool:
    """Tell whether a request reads a list."""
    return request.path.endswith(("/tags/list", "/_catalog"))


USER: Final = Credential(username="robot", secret=Secret("hunter2"))


def guarded(quirks: LoopbackQuirks | None = None) -> LoopbackRegistry:
    """Return a registry that wants tokens."""
    return LoopbackRegistry(auth=TokenAuth(users={"robot": "hunter2"}), quirks=quirks)


def seed(server: LoopbackRegistry) -> dict[tuple[str, str], Digest]:
    """Put a thousand artifacts at a source; a few layers are larger than what is sent at once."""
    digests: dict[tuple[str, str], Digest] = {}
    context = OpenContext(credentials=StaticCredentials({server.host: USER}))
    with closing(open_registry(server.endpoint, context)) as registry:
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
    logins = {server.host: USER for server in (source, destination)}
    with Replicator([rule], options=options, credentials=logins) as replicator:
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
    # Blobs come from another host than the registry, as from a CDN.
    with guarded(LoopbackQuirks(redirects="other_host")) as source, guarded() as destination:
        wanted = seed(source)
        storms = Storm.over_source(SEED), Storm.over_destination(SEED + 100)
        source.faults, destination.faults = storms
        with Reader(destination) as reader:
            report = replicate(source, destination, STUBBORN)
        assert report.unplanned == ()
        assert report.outcomes == (("copied", len(wanted)),), report.summary()
        for (repository, tag), digest in wanted.items():
            assert destination.storage.tags(repository)[tag] == str(digest)
            assert is_whole(destination, repository, digest)
        assert reader.unfinished == []
        assert reader.seen
        happened = [fault for storm in storms for fault in storm.injected]
        assert [each for each in everything() if each not in happened] == []
        assert len(happened) > 500


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
