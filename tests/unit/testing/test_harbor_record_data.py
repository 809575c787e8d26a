"""The emulated Harbor driven by what recorded a real one, and held against the recording."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from harborsync.clock import SystemClock
from harborsync.testing import LoopbackHarbor

if TYPE_CHECKING:
    from harborsync.cancel import Cancel

_ROOT: Final = Path(__file__).parents[3]
_SHARED: Final = _ROOT.parent / "shared"
_VECTORS: Final = Path(os.environ.get("HARBORSYNC_VECTORS", _SHARED / "vectors")) / "harbor"
_TOOLS: Final = _SHARED / "tools" / "harbor"
_FILES: Final = (
    "01-probes.json",
    "02-auth.json",
    "03-projects.json",
    "04-push.json",
    "05-artifacts.json",
    "06-labels.json",
    "07-robots.json",
    "12-limits.json",
)
#: How much faster than a real clock the emulator lives, so that a lock does not last so long.
_FASTER: Final = 3
#: How long the recorder waits at most: no counter here needs more than half a minute to be right.
_PATIENCE: Final = 0.05
# What it answers otherwise than the recorded Harbor, each with its reason; at most eighteen.
_EXPLAINED: Final[dict[str, str]] = {}
# By version, what its profile answers otherwise than 2.15.2: HARBOR-14 names these seven.
_BY_VERSION: Final = {
    "01-probes.json systeminfo-anonymous",
    "01-probes.json systeminfo-wrong-password",
    "04-push.json manifest-put-bad-tag",
    "04-push.json manifest-put-long-tag",
    "12-limits.json audit-extended",
    "12-limits.json audit-old",
    "12-limits.json audit-of-project",
}
_RUN: Final = """
import runpy, sys, time
real = time.sleep
time.sleep = lambda seconds: real(min(seconds, {patience}))
sys.path.insert(0, {tools!r})
sys.argv = ["record_data.py", {url!r}, {out!r}]
runpy.run_path({tools!r} + "/record_data.py", run_name="__main__")
"""
pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        not (_TOOLS.exists() and _VECTORS.exists()),
        reason="THE RECORDINGS OF A REAL HARBOR ARE NOT BESIDE THIS CHECKOUT",
    ),
]


class FastClock(SystemClock):
    """Time that goes by faster."""

    _start: Final = datetime.now(UTC)

    def now(self) -> datetime:
        """Return what a clock that is fast would show."""
        return self._start + (super().now() - self._start) * _FASTER

    def sleep(self, seconds: float, cancel: Cancel | None = None) -> None:
        """Wait a part of it."""
        super().sleep(seconds / _FASTER, cancel)


def _compared(out: Path, version: str) -> tuple[set[str], int, str]:
    """Record an emulated Harbor; return what differs, how much was compared, and the report."""
    with LoopbackHarbor(version=version, clock=FastClock()) as harbor:
        code = _RUN.format(patience=_PATIENCE, tools=str(_TOOLS), url=harbor.url, out=str(out))
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    command = [sys.executable, str(_TOOLS / "compare.py"), str(_VECTORS), str(out), *_FILES]
    report = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    found = re.search(r"^(\d+) of (\d+) differ$", report, re.MULTILINE)
    assert found is not None, report
    lines = [line.split() for line in report.splitlines()[:-1]]
    different = {f"{words[0]} {words[1]}" for words in lines}
    assert len(different) == int(found[1])
    return different, int(found[2]), report


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str], int, str]:
    """Return what the emulator of 2.15 said, and how it compares."""
    out = tmp_path_factory.mktemp("recorded")
    return (out, *_compared(out, "2.15"))


def test_it_answers_as_the_recorded_one_did(
    recorded: tuple[Path, set[str], int, str],
) -> None:
    """Status, codes, telling headers and shapes of all 362 exchanges."""
    _, different, total, report = recorded
    assert total == 362
    assert different == set(_EXPLAINED), report
    assert len(_EXPLAINED) <= 18


def test_an_older_one_differs_where_the_real_older_one_did(tmp_path: Path) -> None:
    """Where 2.12.4 was seen to, and nowhere else (HARBOR-14)."""
    different, total, report = _compared(tmp_path, "2.12")
    assert (total, different) == (362, _BY_VERSION), report


def test_the_words_of_its_refusals_are_the_recorded_ones(
    recorded: tuple[Path, set[str], int, str],
) -> None:
    """But for numbers, digests, and what a parser of another language says."""
    out = recorded[0]
    pairs = [
        (name, _words(mine), _words(theirs))
        for file in _FILES
        for name, mine, theirs in _exchanges(file, out)
    ]
    assert sum(mine is not None for _, mine, _ in pairs) >= 80
    different = {name for name, mine, theirs in pairs if mine != theirs}
    assert different <= {"create-not-json", "manifest-put-not-json"}


def test_its_headers_are_the_recorded_ones(recorded: tuple[Path, set[str], int, str]) -> None:
    """All of them, those of the connection apart."""
    out = recorded[0]
    different = {
        name
        for file in _FILES
        for name, mine, theirs in _exchanges(file, out)
        if _headers(mine) != _headers(theirs)
    }
    assert different <= {"token-post"}


def _exchanges(file: str, out: Path) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    both = [json.loads((where / file).read_text())["exchanges"] for where in (_VECTORS, out)]
    return [
        (theirs["name"], mine.get("response", {}), theirs.get("response", {}))
        for theirs, mine in zip(*both, strict=True)
    ]


def _words(response: dict[str, Any]) -> list[str] | None:
    body = response.get("json")
    if not isinstance(body, dict) or "errors" not in body:
        return None
    return [re.sub(r"sha256:[0-9a-f]+|\d+", "#", each["message"]) for each in body["errors"]]


def _headers(response: dict[str, Any]) -> set[str]:
    ours = {"transfer-encoding", "x-recorder"}  # how a body is sent is the connection's affair
    return {name.lower() for name, _ in response.get("headers", ())} - ours
