"""Google Artifact Registry keeps the contract, as its emulator has it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from harborsync.gate import open_registry
from harborsync.provider import OpenContext
from harborsync.testing.clock import FakeClock
from harborsync.testing.cloud_google import LoopbackGar
from harborsync.testing.contract import RegistryContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.registry import Registry


class TestGar(RegistryContract):
    """A project whose repositories must be made."""

    repository = "acme/contract/app"
    other_repository = "acme/contract/elsewhere"
    deep_repository = "acme/contract/app/a/b-c/d_e/f__g/h.i/j"

    @pytest.fixture
    def registry(self) -> Iterator[Registry]:
        """Return one that speaks to an empty emulator."""
        clock = FakeClock(datetime.now(UTC).replace(microsecond=0))
        with LoopbackGar(clock=clock) as gar:
            context = OpenContext(credentials=gar.identity, clock=clock)
            registry = open_registry(gar.endpoint, context)
            yield registry
            registry.close()
