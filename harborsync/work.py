"""The one function that is run anywhere: in this process, in another, on another machine.

What goes in and what comes out is picklable and holds no secret: a worker opens registries and
finds logins by itself, and only the parent writes state, tells listeners and makes the report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from harborsync.clock import SystemClock
from harborsync.credentials import default_credentials
from harborsync.engine import Engine
from harborsync.gate import open_registry
from harborsync.http.foreign import ForeignContent
from harborsync.provider import OpenContext
from harborsync.steps import Job, twins
from harborsync.warehouse import Registries, Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from harborsync.credentials import Credential, CredentialSource
    from harborsync.options import Options
    from harborsync.plan import Step
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
        credentials: Who knows the logins; must not hold a secret itself.
    """

    rules: tuple[ReplicationRule, ...]
    steps: tuple[Step, ...]
    planned_at: datetime
    options: Options
    credentials: CredentialSource | Mapping[str, Credential] | None = None


def run_batch(batch: Batch) -> tuple[StepResult, ...]:
    """Run a batch; returns one result for each step, in their order."""
    context = OpenContext(
        retry=batch.options.retry,
        limits=batch.options.hosts,
        credentials=default_credentials(batch.credentials),
    )
    registries = Registries(lambda endpoint: open_registry(endpoint, context))
    engine = Engine(batch.options)
    job = Job(
        rules={rule.name: rule for rule in batch.rules},
        warehouse=Warehouse(registries),
        planned_at=batch.planned_at,
        options=batch.options,
        clock=SystemClock(),
        cancel=context.cancel,
        fetch_foreign=ForeignContent(context).open,
        twins=twins(batch.steps),
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
    credentials: CredentialSource | Mapping[str, Credential] | None,
) -> Iterator[Batch]:
    """Yield the steps in batches, a few for each worker, neighbours together.

    Neighbours copy the same or similar content, so a worker that has them mounts instead of
    sending. The limits of each host are divided among the workers.
    """
    share = attrs.evolve(options, hosts=options.hosts.divided(workers))
    length = max(1, -(-len(steps) // (4 * workers)))
    for start in range(0, len(steps), length):
        yield Batch(
            rules=rules,
            steps=tuple(steps[start : start + length]),
            planned_at=planned_at,
            options=share,
            credentials=credentials,
        )
