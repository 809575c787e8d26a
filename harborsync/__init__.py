"""Keep container images and every other OCI artifact in step between registries.

    >>> from harborsync import Endpoint
    >>> str(Endpoint.parse("harbor://harbor.example/team"))
    'harbor://harbor.example/team'

Importing this package loads next to nothing; each name is loaded when it is first used.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from harborsync._lazy import lazy_names

if TYPE_CHECKING:
    from harborsync.artifact import Artifact as Artifact
    from harborsync.cancel import Cancel as Cancel
    from harborsync.clock import Clock as Clock
    from harborsync.clock import SystemClock as SystemClock
    from harborsync.content import Descriptor as Descriptor
    from harborsync.content import Manifest as Manifest
    from harborsync.content import Platform as Platform
    from harborsync.endpoint import Endpoint as Endpoint
    from harborsync.reference import ArtifactRef as ArtifactRef
    from harborsync.reference import Digest as Digest
    from harborsync.reference import Reference as Reference
    from harborsync.reference import Tag as Tag
    from harborsync.registry import Registry as Registry
    from harborsync.secrets import Secret as Secret
    from harborsync.units import Bandwidth as Bandwidth
    from harborsync.units import ByteSize as ByteSize
    from harborsync.units import Duration as Duration

__version__: Final = "0.1.0"

_NAMES: Final = {
    "Artifact": "harborsync.artifact",
    "ArtifactRef": "harborsync.reference",
    "Bandwidth": "harborsync.units",
    "ByteSize": "harborsync.units",
    "Cancel": "harborsync.cancel",
    "Clock": "harborsync.clock",
    "Descriptor": "harborsync.content",
    "Digest": "harborsync.reference",
    "Duration": "harborsync.units",
    "Endpoint": "harborsync.endpoint",
    "Manifest": "harborsync.content",
    "Platform": "harborsync.content",
    "Reference": "harborsync.reference",
    "Registry": "harborsync.registry",
    "Secret": "harborsync.secrets",
    "SystemClock": "harborsync.clock",
    "Tag": "harborsync.reference",
}

__all__ = sorted(_NAMES)  # noqa: PLE0605 - one list, not two to keep equal

__getattr__ = lazy_names(__name__, _NAMES)

logging.getLogger(__name__).addHandler(logging.NullHandler())
