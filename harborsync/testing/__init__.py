"""What embedders and plug-in authors test with: an embedded registry, a fake clock, contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harborsync._lazy import lazy_names

if TYPE_CHECKING:
    from harborsync.testing.bulk import BulkRegistry as BulkRegistry
    from harborsync.testing.clock import FakeClock as FakeClock
    from harborsync.testing.cloud_aliyun import LoopbackAcr as LoopbackAcr
    from harborsync.testing.cloud_aliyun_personal import LoopbackAcrPersonal as LoopbackAcrPersonal
    from harborsync.testing.cloud_aliyun_ram import LoopbackRamRole as LoopbackRamRole
    from harborsync.testing.cloud_aws import LoopbackEcr as LoopbackEcr
    from harborsync.testing.cloud_ecr_public import LoopbackEcrPublic as LoopbackEcrPublic
    from harborsync.testing.cloud_google import LoopbackGar as LoopbackGar
    from harborsync.testing.cloud_sts import LoopbackRole as LoopbackRole
    from harborsync.testing.cloud_tencent import LoopbackTcr as LoopbackTcr
    from harborsync.testing.cloud_tencent_personal import LoopbackTcrPersonal as LoopbackTcrPersonal
    from harborsync.testing.cloud_tencent_plane import LoopbackCamRole as LoopbackCamRole
    from harborsync.testing.contract import RegistryContract as RegistryContract
    from harborsync.testing.faults import Fault as Fault
    from harborsync.testing.faults import FaultPlan as FaultPlan
    from harborsync.testing.faults import FaultScript as FaultScript
    from harborsync.testing.harbor import LoopbackHarbor as LoopbackHarbor
    from harborsync.testing.harbor_deliveries import Delivery as Delivery
    from harborsync.testing.profiles import LoopbackQuirks as LoopbackQuirks
    from harborsync.testing.relay import Relay as Relay
    from harborsync.testing.relay import Weather as Weather
    from harborsync.testing.server import LoopbackRegistry as LoopbackRegistry
    from harborsync.testing.storage import Storage as Storage
    from harborsync.testing.tls import TestAuthority as TestAuthority
    from harborsync.testing.tokens import Access as Access
    from harborsync.testing.tokens import BasicAuth as BasicAuth
    from harborsync.testing.tokens import TokenAuth as TokenAuth

_NAMES: Final = {
    "Access": "harborsync.testing.tokens",
    "BasicAuth": "harborsync.testing.tokens",
    "BulkRegistry": "harborsync.testing.bulk",
    "Delivery": "harborsync.testing.harbor_deliveries",
    "FakeClock": "harborsync.testing.clock",
    "Fault": "harborsync.testing.faults",
    "FaultPlan": "harborsync.testing.faults",
    "FaultScript": "harborsync.testing.faults",
    "LoopbackAcr": "harborsync.testing.cloud_aliyun",
    "LoopbackAcrPersonal": "harborsync.testing.cloud_aliyun_personal",
    "LoopbackCamRole": "harborsync.testing.cloud_tencent_plane",
    "LoopbackEcr": "harborsync.testing.cloud_aws",
    "LoopbackEcrPublic": "harborsync.testing.cloud_ecr_public",
    "LoopbackGar": "harborsync.testing.cloud_google",
    "LoopbackHarbor": "harborsync.testing.harbor",
    "LoopbackQuirks": "harborsync.testing.profiles",
    "LoopbackRamRole": "harborsync.testing.cloud_aliyun_ram",
    "LoopbackRegistry": "harborsync.testing.server",
    "LoopbackRole": "harborsync.testing.cloud_sts",
    "LoopbackTcr": "harborsync.testing.cloud_tencent",
    "LoopbackTcrPersonal": "harborsync.testing.cloud_tencent_personal",
    "RegistryContract": "harborsync.testing.contract",
    "Relay": "harborsync.testing.relay",
    "Storage": "harborsync.testing.storage",
    "TestAuthority": "harborsync.testing.tls",
    "TokenAuth": "harborsync.testing.tokens",
    "Weather": "harborsync.testing.relay",
}

__all__ = sorted(_NAMES)  # noqa: PLE0605 - one list, not two to keep equal

__getattr__ = lazy_names(__name__, _NAMES)
