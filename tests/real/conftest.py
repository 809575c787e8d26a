"""Real programs for the tests marked `real`: see `make real-servers`.

    def test_skopeo_reads_what_we_wrote(program, docker_registry):
        registry = docker_registry()
        subprocess.run([program("skopeo"), "inspect", ..., f"docker://{registry.host}/a:v1"])
        assert ("GET", "/v2/a/manifests/v1", 200) in registry.requests()

``docker_registry`` and ``distribution3`` are factories: a test may start several, and all of
them end with the test.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from harborsync.testing.programs import RealRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator

_BIN = Path(__file__).parents[2] / ".real" / "bin"


class Program(Protocol):
    """Finds a real program."""

    def __call__(self, name: str, /) -> str:
        """Return the path of the program, or skip the test."""
        ...


class StartRegistry(Protocol):
    """Starts a registry program."""

    def __call__(self, *, delete: bool = True, more: str = "") -> RealRegistry:
        """Start one; ``more`` is YAML added to its configuration."""
        ...


def _find(name: str) -> str:
    path = _BIN / name
    if path.exists():
        return str(path)
    message = f"the program {name} is not there: run `make real-servers`"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def _starter(name: str, tmp_path: Path, started: list[RealRegistry]) -> StartRegistry:
    def start(*, delete: bool = True, more: str = "") -> RealRegistry:
        root = tmp_path / f"{name}-{len(started)}"
        root.mkdir()
        registry = RealRegistry(_find(name), root, delete=delete, more=more)
        started.append(registry)
        return registry

    return start


@pytest.fixture
def program() -> Program:
    """Find a real program by its name, or skip the test; under CI=true a lack is a failure."""
    return _find


@pytest.fixture
def running() -> Iterator[list[RealRegistry]]:
    """Hold what was started, and end it after the test."""
    started: list[RealRegistry] = []
    yield started
    for registry in started:
        registry.stop()


@pytest.fixture
def docker_registry(tmp_path: Path, running: list[RealRegistry]) -> StartRegistry:
    """Start Debian's docker-registry 2.8.2, as often as called."""
    return _starter("docker-registry", tmp_path, running)


@pytest.fixture
def distribution3(tmp_path: Path, running: list[RealRegistry]) -> StartRegistry:
    """Start distribution 3, as often as called."""
    return _starter("registry", tmp_path, running)
