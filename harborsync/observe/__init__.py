"""Windows: what looks in at a run through its events. Nothing in the house knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harborsync._lazy import lazy_names

if TYPE_CHECKING:
    from harborsync.observe.progress import Progress as Progress

_NAMES: Final = {"Progress": "harborsync.observe.progress"}

__all__ = sorted(_NAMES)  # noqa: PLE0605 - one list, not two to keep equal

__getattr__ = lazy_names(__name__, _NAMES)
