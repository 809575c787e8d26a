"""Runs programs one after another and tells what they cost together.

python -m benchmarks.programs '[["crane", "copy", "…"], ["crane", "copy", "…"]]'
"""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.meter import measured_children


def main(commands: list[list[str]]) -> None:
    """Run every command; the first that fails ends it all."""
    with measured_children():
        for command in commands:
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
