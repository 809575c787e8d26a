"""Decide under which names artifacts are stored at their destination.

python 04_name_at_the_destination.py [SOURCE DESTINATION]
"""

from __future__ import annotations

import sys

from harborsync import ArtifactRef, Naming, ReplicationRule, Replicator
from harborsync.demo import two_registries

NAMINGS = (
    Naming("mirror/{repository}"),
    Naming("{project}-{name}", tag="{tag}-acme"),
    Naming(flatten=1, namespace="mirror", tag_prefix="acme-"),
    Naming(rewrites=[(r"^team/(.*)$", r"platform/\1")]),
    Naming(namespaces={"team": "eu/team"}),
)


def main(source: str, destination: str) -> None:
    """Try namings on one name, without asking anybody, then plan with one of them."""
    app = ArtifactRef.parse("team/app:v1.1")
    for naming in NAMINGS:
        print(f"{app} -> {naming.apply(app)}")

    everything = ReplicationRule(
        name="flat", source=source, destinations=destination, where="everything", naming=NAMINGS[1]
    )
    with Replicator([everything]) as replicator:
        print(replicator.plan())


if __name__ == "__main__":
    with two_registries(sys.argv[1:]) as (source, destination):
        main(source, destination)
