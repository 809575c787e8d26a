"""This project, as its users run it: from the first call of plan() to the end of run().

python -m benchmarks.ours SOURCE DESTINATION
"""

from __future__ import annotations

import sys

from benchmarks.meter import measured
from harborsync import ReplicationRule, Replicator, open_registry
from harborsync.filters import EVERYTHING
from harborsync.mapping import to_mapping


def main(source: str, destination: str) -> None:
    """Bring everything over; what fails ends it."""
    rule = ReplicationRule(
        name="all",
        source=f"registry+http://{source}",
        destinations=f"registry+http://{destination}",
        where=EVERYTHING,
    )
    # What is loaded on demand: the way to a registry, and of a rule to text.
    open_registry(rule.source).close()
    to_mapping(rule)
    with Replicator([rule]) as replicator, measured():
        plan = replicator.plan()
        replicator.run(plan).raise_for_failures()


if __name__ == "__main__":
    main(*sys.argv[1:])
