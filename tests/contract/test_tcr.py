"""Tencent's TCR keeps the contract, as its emulators have it, with the real SDK in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.gate import open_registry
from harborsync.provider import OpenContext
from harborsync.testing.cloud_tencent import LoopbackTcr
from harborsync.testing.cloud_tencent_personal import LoopbackTcrPersonal
from harborsync.testing.contract import RegistryContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.registry import Registry


class TestTcr(RegistryContract):
    """An enterprise's instance."""

    @pytest.fixture
    def registry(self) -> Iterator[Registry]:
        """Return one that speaks to an empty emulator."""
        with LoopbackTcr() as tcr:
            registry = open_registry(tcr.endpoint, OpenContext(credentials=tcr.identity))
            yield registry
            registry.close()


class TestTcrThatMakesNothingOnAPush(RegistryContract):
    """The same, where a repository must be made, too."""

    @pytest.fixture
    def registry(self) -> Iterator[Registry]:
        """Return one that speaks to an empty emulator."""
        with LoopbackTcr(makes_on_push=False) as tcr:
            registry = open_registry(tcr.endpoint, OpenContext(credentials=tcr.identity))
            yield registry
            registry.close()


class TestTcrPersonal(RegistryContract):
    """The personal edition, which tells no digests."""

    @pytest.fixture
    def registry(self) -> Iterator[Registry]:
        """Return one that speaks to an empty emulator."""
        with LoopbackTcrPersonal() as tcr:
            registry = open_registry(tcr.endpoint, OpenContext(credentials=tcr.credentials))
            yield registry
            registry.close()
