"""Which registry of Alibaba Cloud an endpoint means, and where the API beside it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self

import attrs

from harborsync.clouds import recognise
from harborsync.errors import ConfigurationError
from harborsync.registries.editions import (
    REGION,
    Edition,
    check_option,
    check_told_once,
    edition_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.clouds import CloudHost, Net
    from harborsync.endpoint import Endpoint

_INSTANCE: Final = re.compile(r"cri-[a-z0-9]+", re.ASCII)
_HOW: Final = (
    "write it like acr://NAME-registry.REGION.cr.aliyuncs.com; for a domain of your own add "
    "region= and instance_id=cri-…"
)


@attrs.frozen(kw_only=True)
class AcrPlace:
    """A registry of ACR.

    Attributes:
        host: The registry's host.
        edition: Which product it is.
        region: The region it is in; empty until the registry was asked.
        instance: The id of an enterprise's instance; empty until the registry was asked.
        net: From where it is reached, and so its API.
        prefix: What the names of all repositories begin with, or nothing.
    """

    host: str
    edition: Edition
    region: str = ""
    instance: str = ""
    net: Net = "public"
    prefix: str = ""

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """Read an endpoint: ``host[/prefix]``, and options where the host does not tell.

        Raises:
            InvalidValue: An option cannot be read.
        """
        options, cloud = endpoint.options, recognise(endpoint.host)
        told = cloud if cloud is not None and cloud.provider == "acr" else None
        region, instance = options.get("region", ""), options.get("instance_id", "")
        check_option("region", region, REGION, "cn-hangzhou")
        check_option("instance_id", instance, _INSTANCE, "cri-0123456789abcdef")
        check_told_once(endpoint, "region", told.region if told else "")
        check_told_once(endpoint, "edition", edition_of({}, told) if told else "")
        return cls(
            host=endpoint.host,
            edition=edition_of(options, told),
            region=told.region if told else region,
            instance=instance,
            net=told.net if told else "public",
            prefix=endpoint.prefix,
        )

    @property
    def is_complete(self) -> bool:
        """Whether its API can be asked without asking the registry first."""
        return bool(self.region and (self.instance or self.edition is Edition.PERSONAL))

    def completed(self, ask: Callable[[], CloudHost | None]) -> AcrPlace:
        """Return it with region and instance, which the registry tells if nobody else does.

        Args:
            ask: Asks the registry whose it is.

        Raises:
            ConfigurationError: It is no registry of ACR, or one of the other edition.
        """
        if self.is_complete:
            return self
        told = ask()
        if told is None or (told.kind == "acr-personal") != (self.edition is Edition.PERSONAL):
            what = "no registry of ACR" if told is None else "of the other edition of ACR"
            msg = f"{self.host} says that it is {what}"
            raise ConfigurationError(msg, hint=_HOW)
        region, instance = self.region or told.region, self.instance or told.instance
        return attrs.evolve(self, region=region, instance=instance)

    def api_host(self, service: str) -> str:
        """Return the host of an API: inside a VPC without internet it is another one."""
        inner = "" if self.net == "public" else "-vpc"
        return f"{service}{inner}.{self.region}.aliyuncs.com"
