"""Make a plan, keep it as JSON for review, and run it later, elsewhere, exactly as reviewed.

python 05_plan_review_run.py [SOURCE DESTINATION]
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from harborsync import Plan, ReplicationRule, Replicator
from harborsync.demo import two_registries


def make(rule: ReplicationRule, path: Path) -> None:
    """Write a plan to a file; reads only at both registries."""
    with Replicator([rule]) as replicator:
        path.write_text(replicator.plan().to_json())


def run(path: Path) -> None:
    """Run the plan of a file; its rules are in it."""
    plan = Plan.from_json(path.read_text())
    print(plan)
    with Replicator(plan.rules) as replicator:
        print(replicator.run(plan).raise_for_failures().summary())


if __name__ == "__main__":
    with two_registries(sys.argv[1:]) as (source, destination), TemporaryDirectory() as folder:
        reviewed = Path(folder) / "plan.json"
        make(
            ReplicationRule(
                name="web", source=source, destinations=destination, where="name is 'team/web'"
            ),
            reviewed,
        )
        run(reviewed)
