"""Carry images over an air gap: into a directory here, out of it over there.

python 11_layout_on_disk.py [SOURCE DESTINATION]
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from harborsync import ReplicationRule, Replicator
from harborsync.demo import two_registries


def follow(source: str, destination: str) -> None:
    """Bring everything of the team over."""
    rule = ReplicationRule(
        name="team", source=source, destinations=destination, where="name like 'team/*'"
    )
    with Replicator([rule]) as replicator:
        print(replicator.run().raise_for_failures().summary())


if __name__ == "__main__":
    with two_registries(sys.argv[1:]) as (source, destination), TemporaryDirectory() as folder:
        layout = Path(folder) / "carried"
        follow(source, f"oci:{layout}")
        print(*sorted(path.name for path in layout.iterdir() if not path.name.startswith(".")))
        follow(f"oci:{layout}", destination)
