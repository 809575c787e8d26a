"""The bell: what tells that something is to be replicated now.

    >>> from harborsync.testing import FakeClock
    >>> from harborsync.triggers import Pending, read_delivery, scopes
    >>> clock = FakeClock()
    >>> pending = Pending(clock=clock, quiet=5)
    >>> body = (
    ...     b'{"type": "PUSH_ARTIFACT", "occur_at": 1795437639, "event_data":'
    ...     b' {"resources": [{"tag": "1.0"}], "repository": {"repo_full_name": "team/app"}}}'
    ... )
    >>> pending.add(read_delivery(body))
    >>> clock.advance(5)
    >>> [(sorted(scope.repositories), sorted(scope.tags)) for scope in scopes(pending.take())]
    [(['team/app'], ['1.0'])]

Such a scope is handed to :meth:`~harborsync.replicator.Replicator.plan`. Nothing in here owns a
thread or a port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harborsync._lazy import lazy_names

if TYPE_CHECKING:
    from harborsync.triggers.deliveries import ArtifactEvent as ArtifactEvent
    from harborsync.triggers.deliveries import Deleted as Deleted
    from harborsync.triggers.deliveries import Delivered as Delivered
    from harborsync.triggers.deliveries import Other as Other
    from harborsync.triggers.deliveries import Pulled as Pulled
    from harborsync.triggers.deliveries import Pushed as Pushed
    from harborsync.triggers.deliveries import QuotaEvent as QuotaEvent
    from harborsync.triggers.deliveries import ReplicationChanged as ReplicationChanged
    from harborsync.triggers.deliveries import ReplicationEnd as ReplicationEnd
    from harborsync.triggers.deliveries import RetentionFinished as RetentionFinished
    from harborsync.triggers.deliveries import ScanEvent as ScanEvent
    from harborsync.triggers.deliveries import Touched as Touched
    from harborsync.triggers.pending import Change as Change
    from harborsync.triggers.pending import Pending as Pending
    from harborsync.triggers.pending import scopes as scopes
    from harborsync.triggers.recent import Echoes as Echoes
    from harborsync.triggers.recent import Repeats as Repeats
    from harborsync.triggers.webhook import Gatekeeper as Gatekeeper
    from harborsync.triggers.webhook import read_delivery as read_delivery

_NAMES: Final = {
    "ArtifactEvent": "harborsync.triggers.deliveries",
    "Change": "harborsync.triggers.pending",
    "Deleted": "harborsync.triggers.deliveries",
    "Delivered": "harborsync.triggers.deliveries",
    "Echoes": "harborsync.triggers.recent",
    "Gatekeeper": "harborsync.triggers.webhook",
    "Other": "harborsync.triggers.deliveries",
    "Pending": "harborsync.triggers.pending",
    "Pulled": "harborsync.triggers.deliveries",
    "Pushed": "harborsync.triggers.deliveries",
    "QuotaEvent": "harborsync.triggers.deliveries",
    "Repeats": "harborsync.triggers.recent",
    "ReplicationChanged": "harborsync.triggers.deliveries",
    "ReplicationEnd": "harborsync.triggers.deliveries",
    "RetentionFinished": "harborsync.triggers.deliveries",
    "ScanEvent": "harborsync.triggers.deliveries",
    "Touched": "harborsync.triggers.deliveries",
    "read_delivery": "harborsync.triggers.webhook",
    "scopes": "harborsync.triggers.pending",
}

__all__ = sorted(_NAMES)  # noqa: PLE0605 - one list, not two to keep equal

__getattr__ = lazy_names(__name__, _NAMES)
