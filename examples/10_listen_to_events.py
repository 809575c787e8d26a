"""Listen to what happens: for progress, for metrics, for an audit log.

python 10_listen_to_events.py [SOURCE DESTINATION]
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

from harborsync import ReplicationRule, Replicator
from harborsync.demo import two_registries
from harborsync.events import BlobFinished, StepFinished

if TYPE_CHECKING:
    from harborsync.events import Event


def audit(event: Event) -> None:
    """Write a line for every artifact; several threads call, so the line is one piece."""
    if isinstance(event, StepFinished):
        print(f"{event.at:%H:%M:%S} {event.outcome} {event.source} to {event.to}\n", end="")


def main(source: str, destination: str) -> None:
    """Follow a rule with two listeners: a function, and one that collects."""
    rule = ReplicationRule(
        name="team", source=source, destinations=destination, where="name like 'team/*'"
    )
    events: list[Event] = []
    with Replicator([rule], listeners=[audit, events.append]) as replicator:
        replicator.run().raise_for_failures()
    blobs = Counter(event.outcome.value for event in events if isinstance(event, BlobFinished))
    print(f"blobs: {dict(blobs)}")


if __name__ == "__main__":
    with two_registries(sys.argv[1:]) as (source, destination):
        main(source, destination)
