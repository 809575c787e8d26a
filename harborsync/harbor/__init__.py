"""Harbor's own interface, ``/api/v2.0``: beside the images, everything Harbor keeps about them.

>>> from harborsync.harbor import Harbor, compile_rule, lint

This package is light: nothing of it is loaded before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harborsync._lazy import lazy_names

if TYPE_CHECKING:
    from harborsync.harbor.applying import Wish as Wish
    from harborsync.harbor.applying import apply as apply
    from harborsync.harbor.applying import compare as compare
    from harborsync.harbor.client import Harbor as Harbor
    from harborsync.harbor.compiling import Compiled as Compiled
    from harborsync.harbor.compiling import compile_rule as compile_rule
    from harborsync.harbor.importing import Imported as Imported
    from harborsync.harbor.importing import import_policies as import_policies
    from harborsync.harbor.importing import import_policy as import_policy
    from harborsync.harbor.linting import lint as lint
    from harborsync.harbor.policies import ReplicationPolicy as ReplicationPolicy
    from harborsync.harbor.preheating import preheat_after as preheat_after
    from harborsync.harbor.registries import RemoteRegistry as RemoteRegistry
    from harborsync.harbor.robots import robot_for as robot_for
    from harborsync.harbor.robots import robot_for_rule as robot_for_rule
    from harborsync.harbor.runreport import RunReport as RunReport
    from harborsync.harbor.terms import Terms as Terms
    from harborsync.harbor.timetable import scheduled as scheduled

_NAMES: Final = {
    "Compiled": "harborsync.harbor.compiling",
    "Harbor": "harborsync.harbor.client",
    "Imported": "harborsync.harbor.importing",
    "RemoteRegistry": "harborsync.harbor.registries",
    "ReplicationPolicy": "harborsync.harbor.policies",
    "RunReport": "harborsync.harbor.runreport",
    "Terms": "harborsync.harbor.terms",
    "Wish": "harborsync.harbor.applying",
    "apply": "harborsync.harbor.applying",
    "compare": "harborsync.harbor.applying",
    "compile_rule": "harborsync.harbor.compiling",
    "import_policies": "harborsync.harbor.importing",
    "import_policy": "harborsync.harbor.importing",
    "lint": "harborsync.harbor.linting",
    "preheat_after": "harborsync.harbor.preheating",
    "robot_for": "harborsync.harbor.robots",
    "robot_for_rule": "harborsync.harbor.robots",
    "scheduled": "harborsync.harbor.timetable",
}

__all__ = sorted(_NAMES)  # noqa: PLE0605 - one list, not two to keep equal

__getattr__ = lazy_names(__name__, _NAMES)
