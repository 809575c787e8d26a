"""The registry in memory keeps the contract, with its abilities and without."""

from __future__ import annotations

import pytest

from harborsync.registries.memory import MemoryRegistry
from harborsync.registry import Quirks
from harborsync.testing.bulk import BulkRegistry
from harborsync.testing.contract import RegistryContract

_ABILITIES = ("catalog", "mounts", "referrers", "deletes_tags", "labels", "descriptions")


class TestMemory(RegistryContract):
    """As it is."""

    @pytest.fixture
    def registry(self) -> MemoryRegistry:
        """Return one with everything."""
        return MemoryRegistry(creates_repositories=True)


class TestBulk(RegistryContract):
    """With lists as Harbor's are."""

    @pytest.fixture
    def registry(self) -> BulkRegistry:
        """Return one with everything, and more."""
        return BulkRegistry(room=2**40)


class TestPoorMemory(RegistryContract):
    """With no ability, and the quirks turned round."""

    @pytest.fixture
    def registry(self) -> MemoryRegistry:
        """Return one that can do as little as is allowed."""
        quirks = Quirks(sparse_indexes=True, manifests_by_digest_first=False, takes_sha512=False)
        return MemoryRegistry(without=_ABILITIES, quirks=quirks)
