"""The embedded registry against the conformance suite of the OCI distribution specification."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.testing import LoopbackHarbor, LoopbackQuirks, LoopbackRegistry

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

_ROOT = Path(__file__).parents[2]
_VECTORS = Path(os.environ.get("HARBORSYNC_VECTORS", _ROOT.parent / "shared" / "vectors"))
_ORDER = ["Disabled", "Skip", "Pass", "FAIL", "Error"]
_COUNT = re.compile(r"^  (\w+)\.+: +(\d+)$", re.MULTILINE)
_VERDICT = re.compile(r"^ *OCI Conformance Test/(.+): (\w+)$", re.MULTILINE)

# Tests whose verdict differs from the recorded one, each with its reason; at most ten.
_EXPLAINED: dict[str, dict[str, str]] = {"distribution-2.8": {}, "distribution-3": {}}


@pytest.fixture
def verdicts_on(program: Callable[[str], str], tmp_path: Path) -> Callable[..., str]:
    """Return a function that runs the suite against a registry and returns what it prints."""
    suite = program("conformance")

    def run(server: LoopbackHarbor | LoopbackRegistry, **settings: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "OCI_REGISTRY": server.host,
            "OCI_TLS": "disabled",
            "OCI_RESULTS_DIR": str(tmp_path),
            **settings,
        }
        done = subprocess.run(
            [suite], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        return done.stdout

    return run


def _counts(output: str) -> dict[str, int]:
    return {name: int(count) for name, count in _COUNT.findall(output)}


def _verdicts(output: str) -> dict[str, str]:
    """Return the verdict of every test by its path; of several of one name the worst."""
    found: dict[str, str] = {}
    for path, verdict in _VERDICT.findall(output):
        found[path] = max(found.get(path, "Disabled"), verdict, key=_ORDER.index)
    return found


def _recorded(name: str) -> dict[str, Any]:
    path = _VECTORS / "conformance" / f"{name}.json"
    if not path.exists():
        # The recordings are no part of the product, so that they may be absent anywhere.
        pytest.skip(f"THE RECORDING {name}.json IS MISSING: set HARBORSYNC_VECTORS")
    recorded: dict[str, Any] = json.loads(path.read_text())
    return recorded


def test_the_default_form_passes_every_test(verdicts_on: Callable[..., str]) -> None:
    """Nothing fails and nothing is skipped that the suite runs by default, sha512 included."""
    with LoopbackRegistry() as server:
        output = verdicts_on(server)
    counts = _counts(output)
    assert (counts["FAIL"], counts["Error"], counts["Skip"]) == (0, 0, 0), output[-6000:]
    assert counts["Pass"] >= 860
    assert _verdicts(output)["sha512 blobs"] == "Pass"


def test_what_the_next_specification_adds_passes_too(verdicts_on: Callable[..., str]) -> None:
    """Tag parameters, cancelled uploads and sparse manifests pass where they are allowed."""
    quirks = LoopbackQuirks(missing_children=True, missing_blobs=True)
    with LoopbackRegistry(quirks=quirks) as server:
        output = verdicts_on(server, OCI_VERSION="dev", OCI_DATA_SPARSE="true")
    counts = _counts(output)
    assert (counts["FAIL"], counts["Error"], counts["Disabled"]) == (0, 0, 0), output[-6000:]


@pytest.mark.parametrize(
    ("profile", "recording"),
    [
        pytest.param("distribution-2.8", "docker-registry-2.8.2", id="distribution-2.8"),
        pytest.param("distribution-3", "distribution-3.1.2", id="distribution-3"),
    ],
)
def test_a_profile_gives_the_verdicts_of_the_real_server(
    profile: str, recording: str, verdicts_on: Callable[..., str]
) -> None:
    """Test by test the profile fails where the real server fails, and passes where it passes."""
    expected = _recorded(recording)["tests"]
    with LoopbackRegistry(profile=profile) as server:
        verdicts = _verdicts(verdicts_on(server))
    paths = expected.keys() | verdicts.keys()
    different = {path for path in paths if expected.get(path) != verdicts.get(path)}
    assert different == set(_EXPLAINED[profile])
    assert len(different) <= 10


def test_an_embedded_harbor_gives_the_verdicts_of_a_real_one(
    verdicts_on: Callable[..., str],
) -> None:
    """Test by test, logged in as its administrator (HARBOR-6)."""
    expected = _recorded("harbor-2.15.2")["tests"]
    with LoopbackHarbor() as harbor:
        harbor.add_project("conformance")
        output = verdicts_on(
            harbor,
            OCI_USERNAME="admin",
            OCI_PASSWORD="Harbor12345",
            OCI_REPO1="conformance/one",
            OCI_REPO2="conformance/two",
        )
    verdicts = _verdicts(output)
    paths = expected.keys() | verdicts.keys()
    assert {path for path in paths if expected.get(path) != verdicts.get(path)} == set()
