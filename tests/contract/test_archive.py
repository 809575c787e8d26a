"""Archives of both kinds keep the contract while they are open, and after they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from harborsync.registries.archive import open_archive
from harborsync.testing.contract import RegistryContract

if TYPE_CHECKING:
    from pathlib import Path

    from harborsync.registries.ondisk import OnDiskRegistry
    from harborsync.registry import Registry


class TestOciArchive(RegistryContract):
    """An OCI layout in a file."""

    @pytest.fixture
    def registry(self, tmp_path: Path) -> OnDiskRegistry:
        """Return an archive that is not there yet."""
        return open_archive(tmp_path / "new" / "oci.tar", docker=False)


class TestDockerArchive(RegistryContract):
    """An archive for docker."""

    @pytest.fixture
    def registry(self, tmp_path: Path) -> OnDiskRegistry:
        """Return an archive that is not there yet."""
        return open_archive(tmp_path / "docker.tar", docker=True)


class _Rewriting:
    """Passes everything on, and writes the archive after every manifest."""

    def __init__(self, registry: OnDiskRegistry) -> None:
        self._registry = registry

    def __getattr__(self, name: str) -> object:
        found = getattr(self._registry, name)
        if name != "put_manifest":
            return found

        def put_and_write(*args: object, **kwargs: object) -> object:
            told = found(*args, **kwargs)
            self._registry.close()
            return told

        return put_and_write


class TestRewrittenArchive(RegistryContract):
    """Every manifest goes through the file before it is read."""

    threads = 1

    @pytest.fixture
    def registry(self, tmp_path: Path) -> Registry:
        """Return an archive that is written and read again and again."""
        return cast("Registry", _Rewriting(open_archive(tmp_path / "docker.tar", docker=True)))
