"""A home with auth files, and credential programs that are really run."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import attrs
import pytest

if TYPE_CHECKING:
    from pathlib import Path


@attrs.define
class Home:
    """A home directory and the environment that leads there."""

    path: Path

    @property
    def environ(self) -> dict[str, str]:
        """The variables of somebody who lives here."""
        return {"HOME": str(self.path), "PATH": f"{self.path}/bin:/usr/bin:/bin"}

    def write(self, name: str, document: Any) -> Path:
        """Write a JSON file, or a text as it is."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(document if isinstance(document, str) else json.dumps(document))
        return target

    def program(self, name: str, source: str) -> Path:
        """Install a Python program."""
        target = self.write(f"bin/{name}", f"#!{sys.executable}\nimport json, sys\n{source}\n")
        target.chmod(0o755)
        return target


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return Home(tmp_path)
