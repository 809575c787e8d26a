"""Bring labels and descriptions from one Harbor to another, and see what would change.

python 16_labels_and_descriptions.py
"""

from __future__ import annotations

from harborsync import ReplicationRule, Replicator, Secret
from harborsync.credentials import Credential
from harborsync.testing import LoopbackHarbor


def main(here: LoopbackHarbor, there: LoopbackHarbor) -> None:
    """Copy, then add a label at the source, and plan and run again."""
    rule = ReplicationRule(
        name="team",
        source=here.endpoint,
        destinations=there.endpoint,
        where="name like 'team/**'",
        metadata=["labels", "descriptions"],
        metadata_on_conflict="add",
    )
    admin = Credential(username="admin", secret=Secret("Harbor12345"))
    with Replicator([rule], credentials={here.host: admin, there.host: admin}) as replicator:
        print(replicator.run().raise_for_failures())
        label = here.add_label("ready", project="team", color="#48960C")
        here.artifact("team/app", "v1").label_ids.append(label.id)
        plan = replicator.plan()
        print(plan)
        print(replicator.run(plan))


if __name__ == "__main__":
    with LoopbackHarbor() as here, LoopbackHarbor() as there:
        for harbor in (here, there):
            harbor.add_project("team")
        here.push_image("team/app", "v1")
        main(here, there)
