"""What embedders and plug-in authors test with: an embedded registry, a fake clock, contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harborsync._lazy import lazy_names

if TYPE_CHECKING:
    from harborsync.testing.clock import FakeClock as FakeClock
    from harborsync.testing.faults import Fault as Fault
    from harborsync.testing.profiles import LoopbackQuirks as LoopbackQuirks
    from harborsync.testing.server import LoopbackRegistry as LoopbackRegistry
    from harborsync.testing.storage import Storage as Storage

_NAMES: Final = {
    "Fault": "harborsync.testing.faults",
    "FakeClock": "harborsync.testing.clock",
    "LoopbackQuirks": "harborsync.testing.profiles",
    "LoopbackRegistry": "harborsync.testing.server",
    "Storage": "harborsync.testing.storage",
}

__all__ = sorted(_NAMES)  # noqa: PLE0605 - one list, not two to keep equal

__getattr__ = lazy_names(__name__, _NAMES)
