"""What if the name is taken? Our own tags are updated; those of others are left alone.

python 06_conflicts_and_state.py [SOURCE DESTINATION]
"""

from __future__ import annotations

import sys
from contextlib import closing

import attrs

from harborsync import MemoryState, Rename, ReplicationRule, Replicator, State, open_registry
from harborsync.demo import two_registries
from harborsync.testing.content import random_image


def show(rule: ReplicationRule, state: State) -> None:
    """Say what became of the rule's one artifact."""
    with Replicator([rule], state=state) as replicator:
        for result in replicator.run():
            print(f"{result.outcome}: {result.step.destination.tag}, {result.reason}")


def push(seed: int, address: str) -> None:
    """Move the tag ``edge`` to a new image, as somebody's build does."""
    with closing(open_registry(address)) as registry:
        random_image(seed).push_to(registry, "team/app", "edge")


if __name__ == "__main__":
    with two_registries(sys.argv[1:]) as (source, destination):
        edge = ReplicationRule(
            name="e", source=source, destinations=destination, where="team/app:edge"
        )
        state = MemoryState()
        show(edge, state)
        push(10, source)
        show(edge, state)  # moved at the source, and what is there is ours
        push(11, destination)
        show(edge, state)  # somebody else wrote there: a conflict
        show(attrs.evolve(edge, on_conflict=Rename(suffix="-ours")), state)
        show(attrs.evolve(edge, on_conflict="overwrite"), state)
