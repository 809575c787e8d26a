"""The benchmarks' own copiers: what is measured against must do the work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harborsync import ReplicationRule, Replicator, open_registry
from harborsync.filters import EVERYTHING
from harborsync.testing import LoopbackRegistry
from harborsync.testing.content import random_image, random_index

_ROOT = Path(__file__).parents[2]


def run(module: str, *arguments: str) -> dict[str, float]:
    """Run a part of the benchmarks; return what it tells of itself."""
    words = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(words, cwd=_ROOT, capture_output=True, text=True, check=True, timeout=60)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def fill(server: LoopbackRegistry) -> None:
    """Write images that share a repository, and one that shares its layers with another."""
    registry = open_registry(server.endpoint)
    for seed in range(3):
        random_image(seed).push_to(registry, "team/app", f"v{seed}")
    random_image(0).push_to(registry, "team/mounted", "v0")
    random_index(4).push_to(registry, "team/index", "v1")
    registry.close()


@pytest.mark.parametrize("copier", ["ours", "plain"])
def test_a_copier_brings_everything_over(copier: str) -> None:
    """Nothing is left to copy afterwards, and the costs are told."""
    with LoopbackRegistry() as source, LoopbackRegistry() as destination:
        fill(source)
        ends = [source.host, destination.host]
        arguments = ends if copier == "ours" else ["cold", *ends, "4"]
        told = run(copier, *arguments)
        rule = ReplicationRule(
            name="all",
            source=source.endpoint,
            destinations=destination.endpoint,
            where=EVERYTHING,
        )
        with Replicator([rule]) as replicator:
            plan = replicator.plan()
    assert len(plan) == 5
    assert not plan.to_copy
    assert told["wall"] > 0
    assert told["peak_mib"] > 1


def test_the_plain_copier_compares_both_ends() -> None:
    """It asks for every tag at both ends, and writes nothing."""
    with LoopbackRegistry() as source, LoopbackRegistry() as destination:
        fill(source)
        fill(destination)
        run("plain", "unchanged", source.host, destination.host, "4")


def test_the_plain_copier_fails_where_something_lacks() -> None:
    """A floor that leaves work undone would be no floor."""
    with LoopbackRegistry() as source, LoopbackRegistry() as destination:
        fill(source)
        with pytest.raises(subprocess.CalledProcessError):
            run("plain", "unchanged", source.host, destination.host, "4")


def test_programs_are_measured_together() -> None:
    """The processor's time of all of them counts, and the memory of the largest."""
    command = [sys.executable, "-c", "sum(range(10**6))"]
    told = run("programs", json.dumps([command, command]))
    assert told["wall"] > 0
    assert told["cpu"] > 0
    assert told["peak_mib"] > 1
