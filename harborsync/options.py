"""The numbers of a run: how much at once, how patiently, for how long."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import attrs

from harborsync.errors import InvalidValue
from harborsync.limits import HostLimits
from harborsync.retry import RetryPolicy

_AT_LEAST_ONE: Final[Any] = attrs.validators.ge(1)
_NOT_NEGATIVE: Final[Any] = attrs.validators.ge(0)
_POSITIVE_OR_NONE: Final[Any] = attrs.validators.optional(attrs.validators.gt(0))


class Verify(StrEnum):
    """What is looked at again at the destination, beyond what copying needs.

    ``none`` trusts that what a registry says it took is there. ``after`` looks at every tag
    after it was written. ``blobs`` also looks, once a run, for everything that the artifacts
    found unchanged consist of, and sends what the destination has lost: that it has a manifest
    is no proof that it still has the blobs.
    """

    NONE = "none"
    AFTER = "after"
    BLOBS = "blobs"


def _verify(value: Verify | str) -> Verify:
    try:
        return Verify(value)
    except ValueError:
        known = ", ".join(Verify)
        msg = f"verify is one of {known}, not {value!r}"
        raise InvalidValue(msg) from None


@attrs.frozen(kw_only=True)
class Options:
    """How a replicator works; right for a laptop, every number is yours to change.

    Attributes:
        artifacts_at_once: Artifacts copied at the same time.
        blobs_at_once: Blobs on their way at the same time, those of small artifacts aside.
        requests_at_once: Small requests under way at the same time while planning, at the most;
            fewer where answers come so fast that more would not help.
        hosts: What one registry host is asked to bear.
        retry: How often and how patiently a request is repeated.
        plan_lifetime: Seconds a plan is good for.
        recheck_after: Age of a plan, in seconds, from which the destination's tag is looked at
            again right before it is written.
        strict: Whether the destination's tag is looked at before and after every write, and
            the source's tag after it, whatever the age of the plan, and nothing that only the
            plan has seen is relied on.
        verify: What is looked at again at the destination.
        artifact_timeout: Seconds after which the copy of one artifact is given up, or None; what
            it has sent is gone on with by the next run.
        small_artifact: Bytes of missing blobs up to which an artifact is sent by one thread
            while others wait.
    """

    artifacts_at_once: int = attrs.field(default=16, validator=_AT_LEAST_ONE)
    blobs_at_once: int = attrs.field(default=8, validator=_AT_LEAST_ONE)
    requests_at_once: int = attrs.field(default=32, validator=_AT_LEAST_ONE)
    hosts: HostLimits = attrs.field(factory=HostLimits)
    retry: RetryPolicy = attrs.field(factory=RetryPolicy)
    plan_lifetime: float = attrs.field(default=24 * 3600.0, validator=_NOT_NEGATIVE)
    recheck_after: float = attrs.field(default=30.0, validator=_NOT_NEGATIVE)
    strict: bool = False
    verify: Verify = attrs.field(default=Verify.NONE, converter=_verify)
    artifact_timeout: float | None = attrs.field(default=3600.0, validator=_POSITIVE_OR_NONE)
    small_artifact: int = attrs.field(default=4 * 2**20, validator=_NOT_NEGATIVE)
