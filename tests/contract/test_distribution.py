"""A registry behind HTTP keeps the contract, whatever its server is like."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import pytest

from harborsync.http.session import open_transport
from harborsync.provider import OpenContext
from harborsync.registries.distribution import DistributionRegistry
from harborsync.registry import Quirks
from harborsync.testing import LoopbackQuirks, LoopbackRegistry
from harborsync.testing.contract import RegistryContract

if TYPE_CHECKING:
    from collections.abc import Iterator


class Loopback(RegistryContract):
    """Over an embedded server.

    Attributes:
        profile: What the server is like.
        server_quirks: The same, switch by switch.
        quirks: What we take it for.
        without: Abilities it is known not to have.
    """

    __test__ = False
    profile: ClassVar[str] = "default"
    server_quirks: ClassVar[LoopbackQuirks | None] = None
    quirks: ClassVar[Quirks] = Quirks()
    without: ClassVar[tuple[str, ...]] = ()

    @pytest.fixture
    def registry(self) -> Iterator[DistributionRegistry]:
        """Return one that speaks to an empty server."""
        context = OpenContext()
        with LoopbackRegistry(profile=self.profile, quirks=self.server_quirks) as server:
            transport = open_transport(server.endpoint, context)
            registry = DistributionRegistry(
                server.host,
                transport,
                context,
                quirks=self.quirks,
                abilities=lambda offered: attrs.evolve(offered, **dict.fromkeys(self.without)),
            )
            yield registry
            registry.close()


class TestBySpecification(Loopback):
    """The specification, word by word."""

    __test__ = True


class TestDistribution2(Loopback):
    """Like docker-registry 2.8.2."""

    __test__ = True
    profile = "distribution-2.8"
    quirks = Quirks(takes_sha512=False)  # takes it, and stores it under sha256 (OCI-4.19)
    without = ("deletes_tags",)  # a first try would show it (OCI-5.8)


class TestDistribution3(Loopback):
    """Like distribution 3."""

    __test__ = True
    profile = "distribution-3"
    quirks = Quirks(takes_sha512=False)


class TestInPieces(Loopback):
    """With every product quirk that changes how blobs are sent."""

    __test__ = True
    server_quirks = LoopbackQuirks(location="absolute", stale_location=True)
    quirks = Quirks(upload="chunked", chunk_bytes=2**20, mount_tells_presence=True)


class TestRough(Loopback):
    """With a server that gives away as little as it can."""

    __test__ = True
    without = ("deletes_tags",)
    server_quirks = LoopbackQuirks(
        heads=False,
        digest_header=False,
        ranges=False,
        mounts="refused",
        referrers="html",
        tag_deletion=405,
        location="query",
        tags="with_nulls",
        max_page=2,
        pages="bare",
        min_chunk_bytes=2**20,
        cookies=True,
    )
