"""The public API from a user's side; type-checked, never run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import assert_type

from harborsync import (
    Artifact,
    ArtifactRef,
    Bandwidth,
    ByteSize,
    Cancel,
    Descriptor,
    Digest,
    Duration,
    Endpoint,
    Filter,
    Manifest,
    Naming,
    OnConflict,
    Options,
    Outcome,
    Plan,
    Platform,
    Reference,
    Registry,
    ReplicationRule,
    Replicator,
    Report,
    RetryPolicy,
    Secret,
    Step,
    StepResult,
    SystemClock,
    Tag,
    copy,
    open_registry,
)
from harborsync.credentials import Credential
from harborsync.errors import HarborsyncError, RateLimited
from harborsync.events import Event, StepFinished
from harborsync.filters import age, name, tag


def words() -> None:
    """Text becomes a value of its own kind."""
    assert_type(Reference.parse("r.example/a:v1"), Reference)
    assert_type(ArtifactRef.parse("a:v1").reference, Tag | Digest)
    assert_type(ByteSize.parse("1MB").bytes, int)
    assert_type(Bandwidth.parse("1Mbps").bytes_per_second, float)
    assert_type(Duration.parse("1h").seconds, float)
    assert_type(Platform.parse("linux/amd64").covers(Platform.parse("linux/arm64")), bool)
    assert_type(Endpoint.parse("r.example").options, dict[str, str])
    assert_type(Secret("x").reveal(), str)
    assert_type(SystemClock().now(), datetime)


def one_copy() -> None:
    """The short cut gives one result."""
    result = copy("r.example/a:v1", "s.example/a", credentials={"r.example": login()})
    assert_type(result, StepResult)
    assert_type(result.outcome, Outcome)


def login() -> Credential:
    """A login is a value."""
    return Credential(username="robot", secret=Secret("hunter2"))


def by_rule() -> Report:
    """A rule, a plan, a report."""
    rule = ReplicationRule(
        name="releases",
        source="r.example",
        destinations=["s.example", Endpoint.parse("oci:./layout")],
        where=name.like("team/**") & tag.matches("v.*") & ~(age > "30d"),
        naming=Naming("mirror/{repository}"),
        on_conflict=OnConflict.SKIP,
    )
    options = Options(retry=RetryPolicy(attempts=3))
    with Replicator([rule], listeners=[listen], options=options) as replicator:
        plan = replicator.plan()
        assert_type(plan, Plan)
        for step in plan:
            assert_type(step, Step)
        report = replicator.run(Plan.from_json(plan.to_json()), cancel=Cancel())
    assert_type(report.failed, tuple[StepResult, ...])
    return report.raise_for_failures()


def listen(event: Event) -> None:
    """A listener takes any event and looks at the kinds it knows."""
    if isinstance(event, StepFinished):
        assert_type(event.seconds, float)


def by_hand(registry: Registry) -> None:
    """A registry is used through its protocol."""
    assert_type(registry.list_artifacts("a"), Iterator[Artifact])
    assert_type(registry.resolve("a", Tag("v1")), Descriptor | None)
    assert_type(registry.get_manifest("a", Tag("v1")), Manifest)
    assert_type(open_registry("r.example"), Registry)
    assert_type(Filter.parse("tag like 'v*'"), Filter)


def failing() -> float | None:
    """Errors carry typed fields."""
    try:
        by_rule()
    except RateLimited as error:
        return error.retry_after
    except HarborsyncError as error:
        assert_type(error.retryable, bool)
        assert_type(error.hint, str | None)
    return None
