"""A Harbor taken for any registry keeps the contract too."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import pytest

from harborsync.credentials import Credential, StaticCredentials
from harborsync.http.session import open_transport
from harborsync.provider import OpenContext
from harborsync.registries.distribution import DistributionRegistry
from harborsync.registry import Quirks
from harborsync.secrets import Secret
from harborsync.testing import LoopbackHarbor
from harborsync.testing.contract import RegistryContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.registry import Registry


class Plain(RegistryContract):
    """Over the ``/v2`` face of an embedded Harbor.

    Attributes:
        version: Which Harbor.
    """

    __test__ = False
    version: ClassVar[str] = "2.15"

    @pytest.fixture
    def registry(self) -> Iterator[Registry]:
        """Return an empty Harbor with the project that the contract writes to."""
        with LoopbackHarbor(version=self.version) as harbor:
            harbor.add_project("contract")
            robot = harbor.add_robot("sync", system=["catalog:read"])
            login = Credential(username=robot.name, secret=Secret(robot.secret))
            credentials = StaticCredentials({harbor.host: login})
            endpoint = attrs.evolve(harbor.endpoint, provider="registry")
            context = OpenContext(credentials=credentials)
            registry = DistributionRegistry(
                harbor.host,
                open_transport(endpoint, context),
                context,
                quirks=Quirks(takes_sha512=False),  # it stores it under sha256 (OCI-4.19)
                abilities=lambda offered: attrs.evolve(offered, deletes_tags=None),
            )
            yield registry
            registry.close()


class TestNewest(Plain):
    """Of the newest version."""

    __test__ = True
    version = "2.16"


class TestRecorded(Plain):
    """Of the version whose answers were recorded."""

    __test__ = True


class TestOldest(Plain):
    """Of the oldest version."""

    __test__ = True
    version = "2.8"
