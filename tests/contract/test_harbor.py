"""A Harbor keeps the contract, whoever logs in to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from harborsync.credentials import Credential, StaticCredentials
from harborsync.gate import open_registry
from harborsync.permissions.harbor import Purpose, needed
from harborsync.provider import OpenContext
from harborsync.registries.distribution import DistributionRegistry
from harborsync.secrets import Secret
from harborsync.testing import LoopbackHarbor
from harborsync.testing.contract import RegistryContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.registry import Registry

PROJECT = "contract"
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


class Harbor(RegistryContract):
    """Over an embedded Harbor.

    Attributes:
        version: Of which version it is.
        closed: Abilities that the login has no right to.
    """

    __test__ = False
    version: ClassVar[str] = "2.15"
    closed: ClassVar[tuple[str, ...]] = ()

    def login(self, harbor: LoopbackHarbor) -> Credential:
        """Return who works."""
        robot = harbor.add_robot("sync", access=EVERYTHING)
        return Credential(username=robot.name, secret=Secret(robot.secret))

    @pytest.fixture
    def registry(self) -> Iterator[Registry]:
        """Return an empty Harbor with the project that the contract writes to."""
        with LoopbackHarbor(version=self.version) as harbor:
            harbor.add_project(PROJECT)
            credentials = StaticCredentials({harbor.host: self.login(harbor)})
            registry = open_registry(harbor.endpoint, OpenContext(credentials=credentials))
            assert isinstance(registry, DistributionRegistry)
            registry._withdraw(**dict.fromkeys(self.closed))
            yield registry
            registry.close()


class TestRobot(Harbor):
    """As a robot, which shows its secret each time."""

    __test__ = True


class TestUser(Harbor):
    """As a user, whose password is shown to the token server."""

    __test__ = True

    def login(self, harbor: LoopbackHarbor) -> Credential:
        """Return a user who manages the project."""
        harbor.add_user("carol", "Secret-123", roles={PROJECT: "projectAdmin"})
        return Credential(username="carol", secret=Secret("Secret-123"))


class TestPullAndPushOnly(Harbor):
    """As a robot that may not ask the API: what lists do not tell is found out otherwise."""

    __test__ = True
    closed = ("catalog", "describe", "labels", "descriptions", "deletes_tags")

    def login(self, harbor: LoopbackHarbor) -> Credential:
        """Return a robot with the two permissions that docker needs."""
        robot = harbor.add_robot("docker", project=PROJECT)
        return Credential(username=robot.name, secret=Secret(robot.secret))


class TestOldHarbor(Harbor):
    """Without lists of whole projects."""

    __test__ = True
    version = "2.8"
