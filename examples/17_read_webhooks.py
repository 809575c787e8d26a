"""Read what a Harbor posts to a webhook, and make of it what to replicate.

python 17_read_webhooks.py
"""

from __future__ import annotations

import json

from harborsync import ReplicationRule, Replicator, Secret
from harborsync.registries.memory import shared
from harborsync.testing import FakeClock
from harborsync.testing.content import random_image
from harborsync.triggers import Gatekeeper, Pending, Repeats, read_delivery, scopes


def main(deliveries: list[tuple[str, bytes]]) -> None:
    """Take deliveries in, wait until all is quiet, and replicate what they tell of."""
    clock = FakeClock()  # a real receiver leaves it out and waits for real
    gatekeeper, repeats = Gatekeeper([Secret("Bearer hook")]), Repeats(clock=clock)
    pending = Pending(clock=clock, quiet=5)
    for header, body in deliveries:
        if gatekeeper.admits(header) and not repeats.is_repeat(event := read_delivery(body)):
            pending.add(event)
    clock.advance(5)
    rule = ReplicationRule(
        name="r", source="memory://here", destinations="memory://there", where="everything"
    )
    with Replicator([rule]) as replicator:
        for scope in scopes(pending.take()):
            print(replicator.run(replicator.plan(scope)))


if __name__ == "__main__":
    for tag in ("v1", "v2"):
        random_image(1).push_to(shared("here"), "team/app", tag)
    data = {"resources": [{"tag": "v2"}], "repository": {"repo_full_name": "team/app"}}
    body = json.dumps({"type": "PUSH_ARTIFACT", "occur_at": 1795437639, "event_data": data})
    main([("Bearer hook", body.encode())] * 2)
