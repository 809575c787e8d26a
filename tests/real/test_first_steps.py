"""What a reader tries first works between real servers, and other programs read the result."""

from __future__ import annotations

import io
import re
import subprocess
from contextlib import closing, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harborsync import demo, open_registry
from harborsync.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.real

HOUSE = Path(__file__).parents[2]
SNIPPET = re.findall(r"```python\n(.*?)```", (HOUSE / "README.md").read_text(), re.DOTALL)[0]


@pytest.fixture(params=["docker_registry", "distribution3"])
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """Return two servers of one kind, the first seeded."""
    start = request.getfixturevalue(request.param)
    source, destination = start(), start()
    with closing(open_registry(source.endpoint)) as registry:
        demo.seed(registry)
    return source, destination


def test_the_ten_lines_of_the_readme_replicate(pair: tuple[Any, Any]) -> None:
    """The first run copies four images; the same lines again write nothing."""
    source, destination = pair
    addresses = f"two_registries({[str(source.endpoint), str(destination.endpoint)]!r})"
    code = SNIPPET.replace("two_registries()", addresses)
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(code, {})
        writes = [line for line in destination.requests() if line[0] not in {"GET", "HEAD"}]
        exec(code, {})
    after = [line for line in destination.requests() if line[0] not in {"GET", "HEAD"}]
    assert "4 copied" in printed.getvalue()
    assert "4 skipped" in printed.getvalue()
    assert after == writes


def test_the_shell_copies_what_crane_then_reads(
    pair: tuple[Any, Any], program: Callable[[str], str]
) -> None:
    """Under the digest that was printed."""
    source, destination = pair
    out = io.StringIO()
    words = ["copy", "--quiet", f"{source.endpoint}/team/app:v1.1"]
    assert main([*words, f"{destination.endpoint}/app"], out=out) == 0
    crane = [program("crane"), "digest", "--insecure", f"{destination.host}/app:v1.1"]
    seen = subprocess.run(crane, capture_output=True, text=True, check=True)
    assert out.getvalue().split() == ["copied", seen.stdout.strip()]
