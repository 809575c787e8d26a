"""Let Harbor follow a rule by itself: see what it cannot do, apply the rest, keep it so.

Runs on a Harbor inside this process; with your own, open it by its address and your login.
"""

from __future__ import annotations

from harborsync import Naming, ReplicationRule, Secret
from harborsync.credentials import Credential, StaticCredentials
from harborsync.harbor import Harbor, Terms, apply, compare, compile_rule, scheduled
from harborsync.provider import OpenContext
from harborsync.testing import LoopbackHarbor, LoopbackRegistry


def keep_so(harbor: Harbor, rule: ReplicationRule) -> None:
    """Make the Harbor follow the rule every night; a second time nothing changes."""
    terms = Terms(trigger=scheduled("30 2 * * *"))
    compiled = compile_rule(rule, into=rule.source, terms=terms).check()
    print(compare(harbor, [compiled]))
    apply(harbor, [compiled])
    print("again:", apply(harbor, [compiled]))


if __name__ == "__main__":
    with LoopbackHarbor() as here, LoopbackRegistry() as there:
        here.add_user("operator", "Secret-1-of-many", admin=True)
        login = Credential(username="operator", secret=Secret("Secret-1-of-many"))
        context = OpenContext(credentials=StaticCredentials({here.host: login}))
        nightly = ReplicationRule(
            name="nightly",
            source=here.endpoint,
            destinations=there.endpoint,
            where="name like 'team/**' and tag like 'v*'",
            naming=Naming(namespace="mirror", flatten=1),
            on_conflict="overwrite",
        )
        with Harbor.open(here.endpoint, context) as opened:
            keep_so(opened, nightly)
