"""Every example runs as it stands, against registries embedded in its own process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
EXAMPLES = sorted(HOUSE.glob("examples/*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_says_something(path: Path, tmp_path: Path) -> None:
    """Copied to anywhere, without arguments, it ends well and warns of nothing."""
    done = subprocess.run(
        [sys.executable, "-W", "error", path],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_says_what_it_shows(path: Path) -> None:
    """One screen, opened by a docstring."""
    lines = path.read_text().splitlines()
    assert lines[0].startswith('"""')
    assert len(lines) <= 60
