"""Copy into Alibaba's Container Registry: an access key or a role logs in, namespaces are made.

python 21_harbor_to_acr.py [SOURCE NAME-registry.REGION.cr.aliyuncs.com]
"""

from __future__ import annotations

import sys

from harborsync import Endpoint, ReplicationRule, Replicator, open_registry
from harborsync.testing import LoopbackAcr, LoopbackRegistry
from harborsync.testing.content import random_image


def to_alibaba(source: str | Endpoint, acr: str | Endpoint) -> ReplicationRule:
    """Return the rule: everything, under the same names."""
    return ReplicationRule(
        name="to-alibaba", source=source, destinations=acr, where="name like '**'"
    )


if __name__ == "__main__":
    if sys.argv[2:]:
        with Replicator([to_alibaba(sys.argv[1], sys.argv[2])]) as replicator:
            print(replicator.run())
        raise SystemExit
    # No account at hand: emulators, which verify what the real SDK signs.
    with LoopbackRegistry() as harbor, LoopbackAcr() as acr:
        registry = open_registry(harbor.endpoint)
        random_image(1).push_to(registry, "team/app", "v1")
        registry.close()
        rule = to_alibaba(harbor.endpoint, acr.endpoint)
        with Replicator([rule], credentials=acr.identity) as replicator:
            print(replicator.run())
            print(replicator.run())  # nothing is left to do
        print(*(call.operation for call in acr.calls))
