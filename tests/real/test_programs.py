"""The real programs start, answer, and leave an access log that can be asked."""

from __future__ import annotations

import http.client
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.real


@pytest.mark.parametrize("kind", ["docker_registry", "distribution3"])
def test_two_registries_run_beside_each_other(kind: str, request: pytest.FixtureRequest) -> None:
    """Each has its own port and its own access log."""
    start: Callable[[], Any] = request.getfixturevalue(kind)
    first, second = start(), start()
    connection = http.client.HTTPConnection(first.host)
    connection.request("HEAD", "/v2/team/app/manifests/v1")
    assert connection.getresponse().status == 404
    connection.close()
    assert first.endpoint.host == first.host != second.host
    assert first.requests() == (("HEAD", "/v2/team/app/manifests/v1", 404),)
    assert second.requests() == ()


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("skopeo", ["--version"], "skopeo version"),
        ("umoci", ["--version"], "umoci"),
        ("promtool", ["--version"], "promtool"),
        ("redis-server", ["--version"], "Redis server"),
        ("crane", ["version"], "0.22"),
        ("oras", ["version"], "1.3"),
        ("regctl", ["version"], "0.11"),
        ("regsync", ["version"], "0.11"),
    ],
)
def test_a_program_tells_its_version(
    name: str, arguments: list[str], says: str, program: Callable[[str], str]
) -> None:
    """What was fetched can be run, its libraries included."""
    done = subprocess.run([program(name), *arguments], capture_output=True, text=True, check=True)
    assert says in done.stdout + done.stderr
