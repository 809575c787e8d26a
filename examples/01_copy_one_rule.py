"""Follow one rule: plan, look, run, report. What ``python -m harborsync demo`` does.

python 01_copy_one_rule.py [SOURCE DESTINATION]
"""

from __future__ import annotations

import sys

from harborsync import Naming, ReplicationRule, Replicator, Report
from harborsync.demo import two_registries
from harborsync.observe import Progress


def replicate(source: str, destination: str) -> Report:
    """Bring the team's releases to the mirror, under tags that tell where they are from."""
    rule = ReplicationRule(
        name="releases",
        source=source,
        destinations=f"{destination}/mirror",
        where=r"name like 'team/*' and tag matches 'v\d+\.\d+'",
        naming=Naming(tag_suffix="-acme"),
    )
    with Replicator([rule], listeners=[Progress(sys.stdout)]) as replicator:
        plan = replicator.plan()
        print(plan, end="\n\n")
        report = replicator.run(plan)
        print(report)
    return report


if __name__ == "__main__":
    with two_registries(sys.argv[1:]) as (source, destination):
        replicate(source, destination).raise_for_failures()
