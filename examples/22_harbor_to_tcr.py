"""Copy into Tencent TCR: a login is bought and renewed, and namespaces are made on the way.

python 22_harbor_to_tcr.py [SOURCE tcr://NAME.tencentcloudcr.com]
"""

from __future__ import annotations

import sys

from harborsync import Endpoint, ReplicationRule, Replicator, open_registry
from harborsync.testing import LoopbackRegistry, LoopbackTcr
from harborsync.testing.content import random_image


def to_tencent(source: str | Endpoint, tcr: str | Endpoint) -> ReplicationRule:
    """Return the rule: everything, under the same names."""
    return ReplicationRule(
        name="to-tencent", source=source, destinations=tcr, where="name like '**'"
    )


if __name__ == "__main__":
    if sys.argv[2:]:
        with Replicator([to_tencent(sys.argv[1], sys.argv[2])]) as replicator:
            print(replicator.run())
        raise SystemExit
    # No account at hand: emulators, which verify what the real SDK signs.
    with LoopbackRegistry() as harbor, LoopbackTcr() as tcr:
        registry = open_registry(harbor.endpoint)
        random_image(1).push_to(registry, "team/app", "v1")
        registry.close()
        rule = to_tencent(harbor.endpoint, tcr.endpoint)
        with Replicator([rule], credentials=tcr.identity) as replicator:
            print(replicator.run())
            print(replicator.run())  # nothing is left to do
        print(*(call.operation for call in tcr.calls))
