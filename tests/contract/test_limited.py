"""A limited registry keeps the contract of the one it limits."""

from __future__ import annotations

import pytest

from harborsync.cancel import Cancel
from harborsync.limited import LimitedRegistry
from harborsync.limiter import Limiter
from harborsync.registries.memory import MemoryRegistry
from harborsync.testing.clock import FakeClock
from harborsync.testing.contract import RegistryContract


class TestLimited(RegistryContract):
    """At a limit that cuts blocks into pieces."""

    @pytest.fixture
    def registry(self) -> LimitedRegistry:
        """Return one whose bytes go slowly, on a clock that does not wait."""
        limiter = Limiter("100kbps", clock=FakeClock())
        return LimitedRegistry(MemoryRegistry(creates_repositories=True), limiter, Cancel())
