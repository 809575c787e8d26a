"""Run a Harbor's replication policy, follow it, and see why it failed if it did.

python 19_watch_a_harbor.py
"""

from __future__ import annotations

from harborsync import Secret
from harborsync.credentials import Credential, StaticCredentials
from harborsync.harbor import Harbor, RemoteRegistry, ReplicationPolicy, RunReport
from harborsync.provider import OpenContext
from harborsync.testing import FakeClock, LoopbackHarbor, LoopbackRegistry


def run(harbor: Harbor, address: str) -> RunReport:
    """Make the mirror known, make the policy, and run it."""
    mirror = RemoteRegistry(name="mirror", type="docker-registry", url=address)
    there = RemoteRegistry(id=harbor.registries.create(mirror))
    harbor.policies.create(
        ReplicationPolicy(name="nightly", dest_registry=there, dest_namespace="mirror")
    )
    return harbor.executions.run_and_watch("nightly", on_progress=print)


if __name__ == "__main__":
    clock = FakeClock()
    with LoopbackHarbor(clock=clock) as server, LoopbackRegistry() as mirror:
        server.push_image("library/web", "1.0")
        login = Credential(username="admin", secret=Secret("Harbor12345"))
        context = OpenContext(credentials=StaticCredentials({server.host: login}), clock=clock)
        with Harbor.open(server.endpoint, context) as harbor:
            report = run(harbor, f"http://{mirror.host}")
    print(report)
