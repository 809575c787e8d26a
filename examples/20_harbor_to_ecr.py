"""Copy into Amazon ECR: the SDK's own identity logs in, and repositories are made on the way.

python 20_harbor_to_ecr.py [SOURCE ecr://ACCOUNT/REGION]
"""

from __future__ import annotations

import sys

from harborsync import Endpoint, ReplicationRule, Replicator, open_registry
from harborsync.testing import LoopbackEcr, LoopbackRegistry
from harborsync.testing.content import random_image


def to_amazon(source: str | Endpoint, ecr: str | Endpoint) -> ReplicationRule:
    """Return the rule: everything, under the same names."""
    return ReplicationRule(
        name="to-amazon", source=source, destinations=ecr, where="name like '**'"
    )


if __name__ == "__main__":
    if sys.argv[2:]:
        with Replicator([to_amazon(sys.argv[1], sys.argv[2])]) as replicator:
            print(replicator.run())
        raise SystemExit
    # No account at hand: emulators, which verify what the real SDK signs.
    with LoopbackRegistry() as harbor, LoopbackEcr() as ecr:
        registry = open_registry(harbor.endpoint)
        random_image(1).push_to(registry, "team/app", "v1")
        registry.close()
        rule = to_amazon(harbor.endpoint, ecr.endpoint)
        with Replicator([rule], credentials=ecr.identity) as replicator:
            print(replicator.run())
            print(replicator.run())  # nothing is left to do
        print(*(call.operation for call in ecr.calls))
