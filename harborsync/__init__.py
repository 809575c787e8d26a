"""Keep container images and every other OCI artifact in step between registries.

    >>> from harborsync import Endpoint
    >>> str(Endpoint.parse("registry://mirror.example/team"))
    'registry://mirror.example/team'

Importing this package loads next to nothing; each name is loaded when it is first used.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from harborsync._lazy import lazy_names

if TYPE_CHECKING:
    from harborsync.artifact import Artifact as Artifact
    from harborsync.artifact import Label as Label
    from harborsync.cancel import Cancel as Cancel
    from harborsync.checking import Check as Check
    from harborsync.checking import check as check
    from harborsync.clock import Clock as Clock
    from harborsync.clock import SystemClock as SystemClock
    from harborsync.content import Descriptor as Descriptor
    from harborsync.content import Manifest as Manifest
    from harborsync.content import Platform as Platform
    from harborsync.copying import copy as copy
    from harborsync.endpoint import Endpoint as Endpoint
    from harborsync.filters import Filter as Filter
    from harborsync.filters import Keep as Keep
    from harborsync.gate import open_registry as open_registry
    from harborsync.limiter import Limiter as Limiter
    from harborsync.limiter import Schedule as Schedule
    from harborsync.limits import HostLimits as HostLimits
    from harborsync.naming import Naming as Naming
    from harborsync.options import Options as Options
    from harborsync.options import Verify as Verify
    from harborsync.plan import Action as Action
    from harborsync.plan import DescriptionChange as DescriptionChange
    from harborsync.plan import LabelChange as LabelChange
    from harborsync.plan import Plan as Plan
    from harborsync.plan import Step as Step
    from harborsync.reference import ArtifactRef as ArtifactRef
    from harborsync.reference import Digest as Digest
    from harborsync.reference import Reference as Reference
    from harborsync.reference import Tag as Tag
    from harborsync.registry import Registry as Registry
    from harborsync.replicator import Replicator as Replicator
    from harborsync.report import DescriptionResult as DescriptionResult
    from harborsync.report import Outcome as Outcome
    from harborsync.report import Report as Report
    from harborsync.report import StepResult as StepResult
    from harborsync.retry import RetryPolicy as RetryPolicy
    from harborsync.rule import Metadata as Metadata
    from harborsync.rule import OnConflict as OnConflict
    from harborsync.rule import OnMoved as OnMoved
    from harborsync.rule import OnOtherMetadata as OnOtherMetadata
    from harborsync.rule import Rename as Rename
    from harborsync.rule import ReplicationRule as ReplicationRule
    from harborsync.secrets import Secret as Secret
    from harborsync.selection import Scope as Scope
    from harborsync.state import MemoryState as MemoryState
    from harborsync.state import State as State
    from harborsync.state_sqlite import SqliteState as SqliteState
    from harborsync.units import Bandwidth as Bandwidth
    from harborsync.units import ByteSize as ByteSize
    from harborsync.units import Duration as Duration

__version__: Final = "0.1.0"

_NAMES: Final = {
    "Action": "harborsync.plan",
    "Artifact": "harborsync.artifact",
    "ArtifactRef": "harborsync.reference",
    "Bandwidth": "harborsync.units",
    "ByteSize": "harborsync.units",
    "Cancel": "harborsync.cancel",
    "Check": "harborsync.checking",
    "Clock": "harborsync.clock",
    "DescriptionChange": "harborsync.plan",
    "DescriptionResult": "harborsync.report",
    "Descriptor": "harborsync.content",
    "Digest": "harborsync.reference",
    "Duration": "harborsync.units",
    "Endpoint": "harborsync.endpoint",
    "Filter": "harborsync.filters",
    "HostLimits": "harborsync.limits",
    "Keep": "harborsync.filters",
    "Label": "harborsync.artifact",
    "LabelChange": "harborsync.plan",
    "Limiter": "harborsync.limiter",
    "Manifest": "harborsync.content",
    "MemoryState": "harborsync.state",
    "Metadata": "harborsync.rule",
    "Naming": "harborsync.naming",
    "OnConflict": "harborsync.rule",
    "OnMoved": "harborsync.rule",
    "OnOtherMetadata": "harborsync.rule",
    "Options": "harborsync.options",
    "Outcome": "harborsync.report",
    "Plan": "harborsync.plan",
    "Platform": "harborsync.content",
    "Reference": "harborsync.reference",
    "Registry": "harborsync.registry",
    "Rename": "harborsync.rule",
    "ReplicationRule": "harborsync.rule",
    "Replicator": "harborsync.replicator",
    "Report": "harborsync.report",
    "RetryPolicy": "harborsync.retry",
    "Schedule": "harborsync.limiter",
    "Scope": "harborsync.selection",
    "Secret": "harborsync.secrets",
    "SqliteState": "harborsync.state_sqlite",
    "State": "harborsync.state",
    "Step": "harborsync.plan",
    "StepResult": "harborsync.report",
    "SystemClock": "harborsync.clock",
    "Tag": "harborsync.reference",
    "Verify": "harborsync.options",
    "check": "harborsync.checking",
    "copy": "harborsync.copying",
    "open_registry": "harborsync.gate",
}

__all__ = sorted(_NAMES)  # noqa: PLE0605 - one list, not two to keep equal

__getattr__ = lazy_names(__name__, _NAMES)


def __dir__() -> list[str]:
    return list(__all__)


logging.getLogger(__name__).addHandler(logging.NullHandler())
