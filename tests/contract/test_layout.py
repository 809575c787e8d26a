"""A layout directory keeps the contract, with a home for plain tags and without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.registries.layout import open_layout
from harborsync.testing.contract import RegistryContract

if TYPE_CHECKING:
    from pathlib import Path

    from harborsync.registries.ondisk import OnDiskRegistry


class TestLayout(RegistryContract):
    """Whose names say where they belong."""

    @pytest.fixture
    def registry(self, tmp_path: Path) -> OnDiskRegistry:
        """Return a layout that is not there yet."""
        return open_layout(tmp_path / "new" / "layout")


class TestLayoutWithHome(RegistryContract):
    """Whose plain tags belong to one repository."""

    @pytest.fixture
    def registry(self, tmp_path: Path) -> OnDiskRegistry:
        """Return an empty directory."""
        return open_layout(tmp_path, home=self.other_repository)
