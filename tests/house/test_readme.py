"""What the README promises holds, word for word."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harborsync.demo import embedded_registries
from harborsync.endpoint import Endpoint
from harborsync.gate import find_provider

HOUSE = Path(__file__).parents[2]
README = (HOUSE / "README.md").read_text()
SNIPPET = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
LINKS = re.findall(r"\]\(([^)]+)\)", README)


def run(code: str, folder: Path) -> str:
    """Run code as a reader types it into a file of his own, and return what it prints."""
    (folder / "typed.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-W", "error", "typed.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_there_is_one_snippet_of_about_ten_lines() -> None:
    """Without the imports and what only closes a bracket."""
    assert len(SNIPPET) == 1
    lines = [line for line in SNIPPET[0].splitlines() if re.search(r"\w", line)]
    assert len([line for line in lines if not line.startswith("from")]) <= 10


def test_the_ten_lines_work_as_they_stand(tmp_path: Path) -> None:
    """They plan four copies and make them."""
    printed = run(SNIPPET[0], tmp_path)
    assert "4 to copy" in printed
    assert "4 copied" in printed


def test_the_ten_lines_work_with_addresses_of_real_servers(tmp_path: Path) -> None:
    """With the two addresses put in, they replicate between two servers outside."""
    with embedded_registries() as (source, destination):
        pair = f"[{str(source.endpoint)!r}, {str(destination.endpoint)!r}]"
        run(SNIPPET[0].replace("two_registries()", f"two_registries({pair})"), tmp_path)
        assert set(destination.storage.tags("mirror/team/web")) == {"v2.0"}
        wanted = source.storage.tags("team/app")
        # The digest tag of the signature came along; the tag that does not match did not.
        assert destination.storage.tags("mirror/team/app") == {
            tag: digest for tag, digest in wanted.items() if tag != "edge"
        }


@pytest.mark.parametrize("link", sorted(set(LINKS)))
def test_a_link_leads_somewhere(link: str) -> None:
    """To a file or folder of this repository."""
    assert (HOUSE / link).exists()


@pytest.mark.parametrize("text", re.findall(r"^\| (`.+?) \|", README, re.MULTILINE))
def test_every_address_of_the_table_is_opened_by_somebody(text: str) -> None:
    """None is a promise for later."""
    for address in re.findall(r"`([^`]+)`", text):
        assert find_provider(Endpoint.parse(address), plugins=()).name


def test_the_length_invites_reading() -> None:
    """Long enough to decide, short enough to be read."""
    assert 250 <= len(README.split()) <= 700
