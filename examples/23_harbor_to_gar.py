"""Copy into Google Artifact Registry as whoever this machine is; repositories are made on the way.

python 23_harbor_to_gar.py [SOURCE gar://LOCATION/PROJECT]
"""

from __future__ import annotations

import sys

from harborsync import Endpoint, ReplicationRule, Replicator, open_registry
from harborsync.testing import LoopbackGar, LoopbackRegistry
from harborsync.testing.content import random_image


def to_google(source: str | Endpoint, gar: str | Endpoint) -> ReplicationRule:
    """Return the rule: everything, under the same names below the project."""
    return ReplicationRule(
        name="to-google", source=source, destinations=gar, where="name like '**'"
    )


if __name__ == "__main__":
    if sys.argv[2:]:
        with Replicator([to_google(sys.argv[1], sys.argv[2])]) as replicator:
            print(replicator.run())
        raise SystemExit
    # No project at hand: emulators, which verify what the real google-auth signs.
    with LoopbackRegistry() as harbor, LoopbackGar() as gar:
        registry = open_registry(harbor.endpoint)
        random_image(1).push_to(registry, "team/app", "v1")
        registry.close()
        rule = to_google(harbor.endpoint, gar.endpoint)
        with Replicator([rule], credentials=gar.identity) as replicator:
            print(replicator.run())
            print(replicator.run())  # nothing is left to do
        print(*(call.operation for call in gar.calls))
