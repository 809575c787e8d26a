"""Copy releases from one Harbor to another, as a robot that may read and nothing else."""

from __future__ import annotations

from harborsync import Keep, ReplicationRule, Replicator, Secret
from harborsync.credentials import Credential
from harborsync.permissions.harbor import Purpose, needed
from harborsync.testing import LoopbackHarbor


def replicate(source: str, destination: str, logins: dict[str, Credential]) -> None:
    """Bring over the three newest releases of each repository; a second time nothing is sent."""
    rule = ReplicationRule(
        name="releases",
        source=source,
        destinations=destination,
        where="name like 'team/**' and tag semver '>=1.0' and not label has 'internal'",
        keep=Keep(newest=3, by="semver"),
    )
    with Replicator([rule], credentials=logins) as replicator:
        print(replicator.run().raise_for_failures())
        print("again:", replicator.run().summary())


if __name__ == "__main__":
    with LoopbackHarbor() as here, LoopbackHarbor() as there:
        here.add_project("team")
        for minor in range(5):
            here.push_image("team/web", f"v1.{minor}", seed=minor)
        reads = [str(access) for access in needed(Purpose.PULL, Purpose.DISCOVER)]
        robot = here.add_robot("mirror", project="team", access=reads)
        there.add_user("mirror", "Secret-1-of-many", admin=True)
        known = {
            here.host: Credential(username=robot.name, secret=Secret(robot.secret)),
            there.host: Credential(username="mirror", secret=Secret("Secret-1-of-many")),
        }
        replicate(str(here.endpoint), str(there.endpoint), known)
