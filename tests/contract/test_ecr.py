"""Amazon ECR keeps the contract, as its emulator has it, with the real SDK in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.gate import open_registry
from harborsync.provider import OpenContext
from harborsync.testing.cloud_aws import LoopbackEcr
from harborsync.testing.contract import RegistryContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.registry import Registry


class TestEcr(RegistryContract):
    """A private registry whose repositories must be made."""

    mounts = False

    @pytest.fixture
    def registry(self) -> Iterator[Registry]:
        """Return one that speaks to an empty emulator."""
        with LoopbackEcr(mounts=self.mounts) as ecr:
            registry = open_registry(ecr.endpoint, OpenContext(credentials=ecr.identity))
            yield registry
            registry.close()


class TestEcrThatMounts(TestEcr):
    """The same, in an account that has opted in to mounting blobs."""

    mounts = True
