"""Copy some platforms of an index only, and say how such an index is to be written.

python 08_platforms.py [SOURCE DESTINATION]
"""

from __future__ import annotations

import sys

import attrs

from harborsync import ReplicationRule, Replicator
from harborsync.demo import two_registries
from harborsync.errors import ConfigurationError


def main(source: str, destination: str) -> None:
    """Bring the amd64 images in a new index, which has a digest of its own."""
    rule = ReplicationRule(
        name="amd64", source=source, destinations=destination, where="team/app:v.*"
    )
    try:
        attrs.evolve(rule, platforms=["linux/amd64"])
    except ConfigurationError as error:
        print(error)

    rule = attrs.evolve(rule, platforms=["linux/amd64"], subset="rewritten")
    with Replicator([rule]) as replicator:
        for result in replicator.run().raise_for_failures():
            print(f"{result.step.source} became {result.step.destination.digest}")


if __name__ == "__main__":
    with two_registries(sys.argv[1:]) as (source, destination):
        main(source, destination)
