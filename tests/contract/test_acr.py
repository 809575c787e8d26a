"""Both editions of Alibaba's registry keep the contract, as their emulators have them.

The real SDK is in between, and a clock that nobody waits for: ten calls a second are not many.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from harborsync.gate import open_registry
from harborsync.provider import OpenContext
from harborsync.testing.clock import FakeClock
from harborsync.testing.cloud_aliyun import LoopbackAcr
from harborsync.testing.cloud_aliyun_personal import LoopbackAcrPersonal
from harborsync.testing.contract import RegistryContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.registry import Registry
    from harborsync.testing.cloud_aliyun import AcrServers


class _AcrContract(RegistryContract):
    """What both have in common."""

    emulator: type[AcrServers]
    more: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def registry(self) -> Iterator[Registry]:
        """Return one that speaks to an empty emulator."""
        clock = FakeClock(datetime.now(UTC).replace(microsecond=0))
        with self.emulator(clock=clock, **self.more) as acr:
            context = OpenContext(credentials=acr.identity, clock=clock)
            registry = open_registry(acr.endpoint, context)
            yield registry
            registry.close()


class TestAcr(_AcrContract):
    """An instance of the enterprise edition."""

    emulator = LoopbackAcr


class TestAcrWithoutReferrers(_AcrContract):
    """One that has no referrers API, and names digests in full."""

    emulator = LoopbackAcr
    more: ClassVar[dict[str, Any]] = {"referrers": False, "bare_digests": False}


class TestAcrPersonal(_AcrContract):
    """The personal edition, whose names have two parts."""

    emulator = LoopbackAcrPersonal
    deep_repository = "team/deep"
