"""What a Harbor has to be told beside a rule: when, how fast, and its own switches."""

from __future__ import annotations

import attrs

from harborsync.harbor.policies import PolicyTrigger
from harborsync.units import Bandwidth


def _bandwidth(value: Bandwidth | str | None) -> Bandwidth | None:
    return Bandwidth.parse(value) if isinstance(value, str) else value


@attrs.frozen(kw_only=True)
class Terms:
    """When and how fast a Harbor follows a rule.

    Attributes:
        trigger: When it runs; see :func:`~harborsync.harbor.timetable.scheduled`.
        bandwidth: How fast bytes go, for each of its tasks; None for no limit.
        deletion: Whether what is deleted at the source is deleted at the destination, too.
        enabled: Whether it runs at all.
        single_active: Whether a start is skipped while a run is on; None to do so for
            schedules. Needs Harbor 2.14.
        by_chunk: Whether blobs go in pieces, which only Harbor and Azure take.
        description: A text for people.
    """

    trigger: PolicyTrigger = attrs.field(factory=PolicyTrigger)
    bandwidth: Bandwidth | None = attrs.field(default=None, converter=_bandwidth)
    deletion: bool = False
    enabled: bool = True
    single_active: bool | None = None
    by_chunk: bool = False
    description: str = ""

    @property
    def is_single_active(self) -> bool:
        """Whether a start is skipped while a run is on."""
        if self.single_active is None:
            return self.trigger.type == "scheduled"
        return self.single_active
