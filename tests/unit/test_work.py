"""Batches go to workers and come back, with fair shares and nothing secret in them."""

from __future__ import annotations

import pickle

import attrs
import pytest

from harborsync.endpoint import Endpoint
from harborsync.limiter import Schedule
from harborsync.limits import HostLimits
from harborsync.options import Options
from harborsync.plan import Action, Step
from harborsync.reference import ArtifactRef, Tag
from harborsync.registries.memory import shared
from harborsync.report import Outcome
from harborsync.rule import ReplicationRule
from harborsync.testing.clock import EPOCH
from harborsync.testing.content import random_image
from harborsync.work import Batch, batches, run_batch

APP = "team/app"
RULE = ReplicationRule(
    name="r", source="memory://work-source", destinations="memory://work-mirror", where="everything"
)


def _steps(count: int) -> list[Step]:
    digest = random_image(1).digest
    return [
        Step(
            rule="r",
            to=Endpoint.parse("memory://work-mirror"),
            source=ArtifactRef(APP, Tag(f"v{number}"), digest),
            destination=ArtifactRef(APP, Tag(f"v{number}"), digest),
            action=Action.COPY,
            reason="",
        )
        for number in range(count)
    ]


def _batches(count: int, workers: int, options: Options | None = None) -> list[Batch]:
    return list(
        batches(
            (RULE,),
            _steps(count),
            planned_at=EPOCH,
            options=options or Options(),
            workers=workers,
            credentials=None,
        )
    )


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 100])
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_step_is_in_one_batch_in_order(count: int, workers: int) -> None:
    """A few batches for each worker, none empty."""
    found = _batches(count, workers)
    assert [step for batch in found for step in batch.steps] == _steps(count)
    assert all(batch.steps for batch in found)
    assert len(found) <= 4 * workers


@pytest.mark.parametrize("workers", [1, 3, 16])
def test_the_limits_of_a_host_are_shared(workers: int) -> None:
    """Together the workers ask no more of a host than one process would."""
    options = Options(hosts=HostLimits(connections=48, large=32, requests_per_second=16))
    (batch, *_) = _batches(1, workers, options)
    assert batch.options.hosts.connections * workers <= 48
    assert batch.options.hosts.requests_per_second == 16 / workers


def test_a_batch_travels_and_is_run_anywhere() -> None:
    """What arrives is equal to what was sent; a result comes back for every step."""
    random_image(1).push_to(shared("work-source"), APP, "v0")
    (batch,) = _batches(1, 1)
    arrived = pickle.loads(pickle.dumps(batch))
    assert arrived == batch
    (result,) = run_batch(arrived)
    assert result.outcome is Outcome.COPIED
    assert pickle.loads(pickle.dumps(result)) == result
    assert shared("work-mirror").resolve(APP, Tag("v0"))


def test_a_batch_knows_who_held_what_it_copies_in_any_other() -> None:
    """So that it mounts from there; what it does not copy stays out of it."""
    digest, other = random_image(1).digest, random_image(2).digest
    there = ArtifactRef("team/other", Tag("v0"), digest)
    steps = [attrs.evolve(each) for each in _steps(8)]
    steps[0] = attrs.evolve(steps[0], destination=there, found=digest)
    steps[7] = attrs.evolve(steps[7], destination=attrs.evolve(there, digest=other), found=other)
    found = list(
        batches((RULE,), steps, planned_at=EPOCH, options=Options(), workers=2, credentials=None)
    )
    to = steps[0].to
    assert [batch.twins for batch in found[:7]] == [{(to, digest): ("team/other",)}] * 7
    assert found[7].twins == {(to, other): ("team/other",)}


def test_a_limit_is_shared_among_the_workers() -> None:
    """Each batch tells how many take a share of it, and works at its own."""
    limit, there = Schedule.parse("40Gbps"), Endpoint.parse("memory://limited-work-mirror")
    (batch, *_) = batches(
        (attrs.evolve(RULE, destinations=there),),
        [attrs.evolve(each, to=there) for each in _steps(1)],
        planned_at=EPOCH,
        options=Options(),
        workers=4,
        limit=limit,
        credentials=None,
    )
    assert (batch.limit, batch.workers) == (limit, 4)
    random_image(1).push_to(shared("work-source"), APP, "v0")
    (result,) = run_batch(batch)
    assert result.outcome is Outcome.COPIED
