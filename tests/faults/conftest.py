"""Two embedded registries, a replicator between them, and whatever shall go wrong.

Or one, and the emulator of a cloud.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import pytest

from harborsync import Options, ReplicationRule, Replicator, open_registry
from harborsync.credentials import Credential, StaticCredentials
from harborsync.provider import OpenContext
from harborsync.retry import RetryPolicy
from harborsync.secrets import Secret
from harborsync.testing import FakeClock, LoopbackRegistry, faults
from harborsync.testing.content import random_image
from harborsync.testing.tokens import TokenAuth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync import Report
    from harborsync.cancel import Cancel
    from harborsync.credentials.base import CredentialSource
    from harborsync.endpoint import Endpoint
    from harborsync.reference import Digest
    from harborsync.testing.content import Sample


#: The pause of a faults.drip whose pieces come as slowly for the reader as for the sender.
DROP = 9.0


class Drops(FakeClock):
    """A clock whose drops fall while somebody watches, however busy the machine is.

    A reader looks at the time before and after each piece. Two looks since the last drop mean
    that he waits for the next one, so that its time is time he waited.
    """

    def __init__(self) -> None:
        super().__init__()
        self._looked = threading.Condition()
        self._looks = 0

    def monotonic(self) -> float:
        """Return the time, and note that somebody looked."""
        with self._looked:
            self._looks += 1
            self._looked.notify_all()
            return super().monotonic()

    def sleep(self, seconds: float, cancel: Cancel | None = None) -> None:
        """Let a drop fall once it is waited for, at the latest after a while."""
        if seconds == DROP:
            with self._looked:
                self._looked.wait_for(lambda: self._looks >= 2, timeout=0.5)
                super().sleep(seconds, cancel)
                self._looks = 0
            return
        super().sleep(seconds, cancel)


@attrs.frozen(kw_only=True)
class Way:
    """A source, a destination and the clock of everything; nobody ever waits."""

    source: LoopbackRegistry
    destination: LoopbackRegistry
    clock: FakeClock
    options: Options
    logins: dict[str, Credential]
    more: dict[str, Any]

    def to(self, destination: LoopbackRegistry) -> Way:
        """Return the same way to another destination."""
        return attrs.evolve(self, destination=destination)

    def seed(self, **images: Sample) -> dict[str, Digest]:
        """Put each image at the source, as ``team/<its name>:v1``; nothing goes wrong yet."""
        script, self.source.faults = self.source.faults, None
        context = OpenContext(credentials=StaticCredentials(self.logins))
        registry = open_registry(self.source.endpoint, context)
        digests = {
            name: image.push_to(registry, f"team/{name}", "v1") for name, image in images.items()
        }
        registry.close()
        self.source.faults = script
        self.source.clear_log()
        return digests

    def replicator(self, **more: Any) -> Replicator:
        """Return a replicator of everything."""
        rule = ReplicationRule(
            name="all",
            source=self.source.endpoint,
            destinations=self.destination.endpoint,
            where="name like 'team/**'",
        )
        given = {"clock": self.clock, "options": self.options, "credentials": self.logins}
        return Replicator([rule], **{**given, **self.more, **more})

    def run(self, **more: Any) -> Report:
        """Plan and run once."""
        with self.replicator(**more) as replicator:
            return replicator.run()

    def arrived(self, name: str) -> str | None:
        """Return the digest of the image's tag at the destination, or None."""
        return self.destination.storage.tags(f"team/{name}").get("v1")


class MakeWay(Protocol):
    """Makes a way on which these things go wrong."""

    def __call__(
        self,
        *,
        source: tuple[faults.Cue, ...] = (),
        destination: tuple[faults.Cue, ...] = (),
        options: Options | None = None,
        login: bool = False,
        **more: Any,
    ) -> Way:
        """Start both registries; ``more`` are arguments of the replicator.

        With ``login`` both want tokens, and the replicator knows how to get them.
        """
        ...


USER, PASSWORD = "robot", "hunter2"


@contextmanager
def _served(
    cues: tuple[faults.Cue, ...], clock: FakeClock, *, login: bool
) -> Iterator[LoopbackRegistry]:
    auth = TokenAuth(users={USER: PASSWORD}, clock=clock) if login else None
    script = faults.FaultScript(*cues)
    with LoopbackRegistry(faults=script, clock=clock, auth=auth) as server:
        yield server


@pytest.fixture
def make_way() -> Iterator[MakeWay]:
    """Make ways between registries that end with the test."""
    with ExitStack() as stack:

        def make(
            *,
            source: tuple[faults.Cue, ...] = (),
            destination: tuple[faults.Cue, ...] = (),
            options: Options | None = None,
            login: bool = False,
            **more: Any,
        ) -> Way:
            clock = Drops()
            ends = [
                stack.enter_context(_served(cues, clock, login=login))
                for cues in (source, destination)
            ]
            credential = Credential(username=USER, secret=Secret(PASSWORD))
            return Way(
                source=ends[0],
                destination=ends[1],
                clock=clock,
                options=options or Options(retry=RetryPolicy(deadline=None), artifact_timeout=None),
                logins={end.host: credential for end in ends if login},
                more=more,
            )

        yield make


# --- to a cloud and back -------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Trip:
    """Copies between a plain registry and the emulator of a cloud, in the time of the test.

    Attributes:
        who: Who copies, unless a run says otherwise.
        clock: The time of everybody.
    """

    who: CredentialSource
    clock: FakeClock

    def run(self, source: Endpoint, to: Endpoint, **more: Any) -> Report:
        """Plan and run one rule; ``wishes`` are of the rule, the rest of the replicator."""
        wishes = {"where": "name like '**'", **more.pop("wishes", {})}
        with self.replicator(source, to, wishes, **more) as replicator:
            return replicator.run()

    def replicator(
        self, source: Endpoint, to: Endpoint, wishes: dict[str, Any], **more: Any
    ) -> Replicator:
        """Return a replicator of one rule."""
        rule = ReplicationRule(name="mirror", source=source, destinations=to, **wishes)
        patience = Options(retry=RetryPolicy(attempts=4, first_wait=0.1))
        usual = {"credentials": self.who, "options": patience, "clock": self.clock}
        return Replicator([rule], **{**usual, **more})

    def seed(self, server: LoopbackRegistry, count: int = 1, **more: Any) -> dict[str, Digest]:
        """Put images there, as ``team/app:v<number>``."""
        registry = open_registry(server.endpoint, OpenContext())
        images = {f"v{number}": random_image(number, **more) for number in range(count)}
        try:
            return {tag: image.push_to(registry, "team/app", tag) for tag, image in images.items()}
        finally:
            registry.close()

    def told(self, report: Report) -> str:
        """Return all that a report says went wrong, and what to do about it."""
        failures = [each.failure for each in report.results if each.failure is not None]
        unplanned = [each.failure for each in report.unplanned]
        return "\n".join(f"{each.message} / {each.hint}" for each in (*failures, *unplanned))

    def having(self, endpoint: Endpoint, **options: str) -> Endpoint:
        """Return an endpoint with more options."""
        return attrs.evolve(endpoint, option_items={**endpoint.options, **options})


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that nobody waits for, near enough to the real one for signatures."""
    return FakeClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def harbor() -> Iterator[LoopbackRegistry]:
    """Return the registry that is copied from."""
    with LoopbackRegistry() as server:
        yield server


@pytest.fixture
def trip(who: CredentialSource, clock: FakeClock) -> Trip:
    """Return what copies as ``who``, a fixture of each module."""
    return Trip(who=who, clock=clock)
