"""The one function that is run anywhere: in this process, in another, on another machine.

What goes in and what comes out is picklable and holds no secret: a worker opens registries and
finds logins by itself, and only the parent writes state, tells listeners and makes the report.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from harborsync.clock import SystemClock
from harborsync.credentials import default_credentials
from harborsync.engine import Engine
from harborsync.gate import open_registry
from harborsync.http.foreign import ForeignContent
from harborsync.limiter import Limiter, Limiters
from harborsync.provider import OpenContext
from harborsync.steps import Job, twins
from harborsync.warehouse import Registries, Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from harborsync.credentials import Credential, CredentialSource
    from harborsync.endpoint import Endpoint
    from harborsync.limiter import Schedule
    from harborsync.options import Options
    from harborsync.plan import Step
    from harborsync.reference import Digest
    from harborsync.report import StepResult
    from harborsync.rule import ReplicationRule


@attrs.frozen(kw_only=True)
class Batch:
    """Some steps of a plan, with all a worker needs to do them.

    Attributes:
        rules: The rules the steps are from.
        steps: The steps.
        planned_at: When the plan was made.
        options: How much at once, in this one worker.
        limit: How fast bytes go, in all workers together.
        workers: How many of them there are.
        twins: Repositories that held what is to be copied when the plan was made, whichever
            batch they are in, by destination and digest.
        credentials: Who knows the logins; must not hold a secret itself.
    """

    rules: tuple[ReplicationRule, ...]
    steps: tuple[Step, ...]
    planned_at: datetime
    options: Options
    limit: Schedule | None = None
    workers: int = 1
    twins: Mapping[tuple[Endpoint, Digest], tuple[str, ...]] = attrs.field(factory=dict)
    credentials: CredentialSource | Mapping[str, Credential] | None = None


def run_batch(batch: Batch) -> tuple[StepResult, ...]:
    """Run a batch; returns one result for each step, in their order."""
    clock = SystemClock()
    limiter = Limiter(batch.limit and batch.limit.divided(batch.workers), clock=clock)
    context = OpenContext(
        clock=clock,
        retry=batch.options.retry,
        limits=batch.options.hosts,
        limiters=Limiters(clock, batch.workers),
        credentials=default_credentials(batch.credentials),
    )
    registries = Registries(lambda endpoint: open_registry(endpoint, context))
    engine = Engine(batch.options)
    job = Job(
        rules={rule.name: rule for rule in batch.rules},
        warehouse=Warehouse(registries),
        planned_at=batch.planned_at,
        options=batch.options,
        clock=clock,
        cancel=context.cancel,
        meter=partial(limiter.pass_on, cancel=context.cancel),
        fetch_foreign=ForeignContent(context).open,
        twins=batch.twins,
    )
    try:
        return tuple(engine.run(job, batch.steps))
    finally:
        engine.close()
        registries.close()


def batches(
    rules: tuple[ReplicationRule, ...],
    steps: Sequence[Step],
    *,
    planned_at: datetime,
    options: Options,
    workers: int,
    limit: Schedule | None = None,
    credentials: CredentialSource | Mapping[str, Credential] | None,
) -> Iterator[Batch]:
    """Yield the steps in batches, a few for each worker, neighbours together.

    Neighbours copy the same or similar content, so a worker that has them mounts instead of
    sending. The limits of each host are divided among the workers.
    """
    share = attrs.evolve(options, hosts=options.hosts.divided(workers))
    length = max(1, -(-len(steps) // (4 * workers)))
    known = twins(steps)
    for start in range(0, len(steps), length):
        some = tuple(steps[start : start + length])
        wanted = {(step.to, step.wanted) for step in some}
        yield Batch(
            rules=rules,
            steps=some,
            planned_at=planned_at,
            options=share,
            limit=limit,
            workers=workers,
            twins={key: known[key] for key in wanted & known.keys()},
            credentials=credentials,
        )
