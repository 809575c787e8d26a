"""Read what a Harbor replicates by itself as rules of ours, and look over what it does.

Runs on a Harbor inside this process; with your own, open it by its address and your login.
"""

from __future__ import annotations

from harborsync import Secret
from harborsync.credentials import Credential, StaticCredentials
from harborsync.harbor import Harbor, import_policies, lint
from harborsync.harbor.policies import PolicyFilter, ReplicationPolicy
from harborsync.harbor.registries import RemoteRegistry
from harborsync.provider import OpenContext
from harborsync.testing import LoopbackHarbor


def tell(harbor: Harbor, address: str) -> None:
    """Print each policy as a rule, with what becomes otherwise, then what is to be mended."""
    for imported in import_policies(harbor, here=address):
        print(imported)
    print(lint(harbor))


if __name__ == "__main__":
    with LoopbackHarbor() as here:
        here.add_user("operator", "Secret-1-of-many", admin=True)
        login = Credential(username="operator", secret=Secret("Secret-1-of-many"))
        context = OpenContext(credentials=StaticCredentials({here.host: login}))
        with Harbor.open(here.endpoint, context) as opened:
            far = RemoteRegistry(name="far", type="harbor", url=here.url)
            far_id = opened.registries.create(far)
            policy = ReplicationPolicy(
                name="copies",
                src_registry=RemoteRegistry(id=far_id),
                dest_namespace="library",
                filters=(PolicyFilter(type="resource", value="image"),),
            )
            opened.policies.create(policy)
            tell(opened, str(here.endpoint))
