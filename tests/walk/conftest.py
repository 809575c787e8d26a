"""Harbors and a plain registry inside the test, and replicators that go between them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync import Options, ReplicationRule, Replicator
from harborsync.credentials import Credential
from harborsync.permissions.harbor import Purpose, needed
from harborsync.secrets import Secret
from harborsync.testing import FakeClock, LoopbackHarbor, LoopbackRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harborsync import Report
    from harborsync.report import StepResult

#: What a robot needs that replicates with all that Harbor offers (HARBOR §11).
EVERYTHING = tuple(
    str(access)
    for access in needed(
        Purpose.PULL,
        Purpose.DISCOVER,
        Purpose.PUSH,
        Purpose.METADATA,
        Purpose.TAGS,
        Purpose.SERVER_SIDE_COPY,
        Purpose.QUOTA,
    )
)
Place = LoopbackHarbor | LoopbackRegistry


@attrs.define
class Walk:
    """Places to copy between, each with a login.

    Attributes:
        stack: Closes everything.
        clock: The time of everybody.
        logins: By host.
    """

    stack: ExitStack
    clock: FakeClock = attrs.field(factory=FakeClock)
    logins: dict[str, Credential] = attrs.field(factory=dict)
    _robots: int = 0

    def harbor(self, *projects: str, **fields: Any) -> LoopbackHarbor:
        """Start a Harbor with some projects, and log in as a robot that may do everything."""
        harbor = self.stack.enter_context(LoopbackHarbor(clock=self.clock, **fields))
        for project in projects:
            harbor.add_project(project)
        self.as_robot(harbor)
        return harbor

    def registry(self, **fields: Any) -> LoopbackRegistry:
        """Start a plain registry."""
        return self.stack.enter_context(LoopbackRegistry(**fields))

    def as_robot(self, harbor: LoopbackHarbor, *access: str, **fields: Any) -> None:
        """Log in as a new robot."""
        self._robots += 1
        robot = harbor.add_robot(f"r{self._robots}", access=access or EVERYTHING, **fields)
        self.logins[harbor.host] = Credential(username=robot.name, secret=Secret(robot.secret))

    def as_user(self, harbor: LoopbackHarbor) -> None:
        """Log in as the administrator."""
        self.logins[harbor.host] = Credential(username="admin", secret=Secret("Harbor12345"))

    def replicator(
        self,
        source: Place,
        to: Place,
        path: str = "",
        options: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> Replicator:
        """Return a replicator of everything; closed at the end."""
        given: dict[str, Any] = {"name": "walk", "where": "everything", **fields}
        end = attrs.evolve(to.endpoint, address=f"{to.host}{path}", option_items=options or {})
        rule = ReplicationRule(source=source.endpoint, destinations=[end], **given)
        at_once = Options(blobs_at_once=1)
        replicator = Replicator([rule], credentials=self.logins, clock=self.clock, options=at_once)
        return self.stack.enter_context(replicator)

    def run(self, source: Place, to: Place, path: str = "", **fields: Any) -> Report:
        """Copy everything."""
        return self.replicator(source, to, path, **fields).run()

    def failed(self, source: Place, to: Place, path: str = "", **fields: Any) -> tuple[str, str]:
        """Copy what cannot be copied; return what is said of it and what to do about it."""
        return said(self.run(source, to, path, **fields).failed[0])


def said(result: StepResult) -> tuple[str, str]:
    """Return the message and the hint of a failure."""
    assert result.failure is not None
    return result.failure.message, result.failure.hint or ""


@pytest.fixture
def walk() -> Iterator[Walk]:
    """Return a way to start places and to copy between them."""
    with ExitStack() as stack:
        yield Walk(stack)
