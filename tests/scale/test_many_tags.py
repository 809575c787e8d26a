"""Ten thousand tags: what the process that plans and copies them weighs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from harborsync import open_registry
from harborsync.testing import LoopbackRegistry
from harborsync.testing.content import random_image

pytestmark = pytest.mark.slow

MOST_MIB = 120

PROGRAM = """
import json, sys
from harborsync import ReplicationRule, Replicator
rule = ReplicationRule(
    name="many", source=sys.argv[1], destinations=sys.argv[2], where="name like 'bench/**'"
)
with Replicator([rule]) as replicator:
    report = replicator.run().raise_for_failures()
# getrusage would tell the peak of the process that started this one, too.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
peak = int(status["VmHWM"].split()[0]) // 1024
print(json.dumps({"outcomes": dict(report.outcomes), "peak": peak}))
"""


@pytest.mark.timeout(600)
def test_ten_thousand_tags_weigh_little() -> None:
    """Plan and run of 10,000 tags stay under 120 MiB, the first time and the second."""
    with LoopbackRegistry() as here, LoopbackRegistry() as there:
        registry = open_registry(here.endpoint)
        for number in range(200):
            sample = random_image(number, layers=2, layer_bytes=300)
            digest = sample.push_to(registry, "bench/big")
            for tag in range(50):
                here.storage.tag("bench/big", f"v{number}-{tag}", digest)
        registry.close()
        first = measure(here, there)
        second = measure(here, there)
    assert first["outcomes"] == {"copied": 10_000}
    assert second["outcomes"] == {"skipped": 10_000}
    print(f"peak: {first['peak']} MiB the first time, {second['peak']} MiB the second")
    assert max(first["peak"], second["peak"]) <= MOST_MIB


def measure(here: LoopbackRegistry, there: LoopbackRegistry) -> dict[str, Any]:
    """Replicate in a process of its own and return what it says of itself."""
    command = [sys.executable, "-c", PROGRAM, str(here.endpoint), str(there.endpoint)]
    done = subprocess.run(command, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
