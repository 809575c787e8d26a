"""Signatures, SBOMs and attestations travel with what they are about, and only they.

python 07_signatures_travel.py [SOURCE DESTINATION]
"""

from __future__ import annotations

import sys
from contextlib import closing

import attrs

from harborsync import ReplicationRule, Replicator, open_registry
from harborsync.demo import two_registries


def run(rule: ReplicationRule) -> None:
    """Follow the rule and tell what came along."""
    with Replicator([rule]) as replicator:
        for result in replicator.run():
            print(
                f"{result.outcome} {result.step.source.repository}: {result.satellites} satellites"
            )


def main(source: str, destination: str) -> None:
    """Bring the images alone, then what is said about them: the second run tells it lacks."""
    everything = ReplicationRule(
        name="all", source=source, destinations=destination, where="team/*:v.*", deep=True
    )
    run(attrs.evolve(everything, satellites=()))
    run(everything)
    with closing(open_registry(destination)) as registry:
        print(*(artifact.tag for artifact in registry.list_artifacts("team/app")))


if __name__ == "__main__":
    with two_registries(sys.argv[1:]) as (source, destination):
        main(source, destination)
