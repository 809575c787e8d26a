"""Choose artifacts by a filter, from Python or from text, and ask why one was chosen.

python 03_choose_with_filters.py [SOURCE DESTINATION]
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from harborsync import Artifact, Filter, Keep, ReplicationRule, Replicator, Tag
from harborsync.demo import two_registries
from harborsync.filters import name, tag

WANTED = name.like("team/*") & tag.semver(">=1.0") & ~name.like("*/web")


def main(source: str, destination: str) -> None:
    """Show the filter's two forms, why it decides, and what it chooses."""
    print(WANTED)
    print("the same from text:", Filter.parse(str(WANTED)) == WANTED)
    edge = Artifact(repository="team/app", tag=Tag("edge"))
    print(WANTED.explain(edge, now=datetime.now(UTC)))

    rule = ReplicationRule(
        name="newest",
        source=source,
        destinations=destination,
        where=WANTED,
        keep=Keep(newest=1, by="semver"),  # of each repository
    )
    with Replicator([rule]) as replicator:
        for step in replicator.plan():
            print(step.source)


if __name__ == "__main__":
    with two_registries(sys.argv[1:]) as (source, destination):
        main(source, destination)
