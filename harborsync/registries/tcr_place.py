"""Which registry of Tencent Cloud an endpoint means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self

import attrs

from harborsync.clouds import recognise
from harborsync.errors import InvalidReference
from harborsync.registries.editions import (
    REGION,
    Edition,
    check_option,
    check_told_once,
    edition_of,
)

if TYPE_CHECKING:
    from harborsync.clouds import Net
    from harborsync.endpoint import Endpoint

_INSTANCE: Final = re.compile(r"tcr-[a-z0-9]+", re.ASCII)
#: Any region's API tells of the instances of all regions.
ANY_REGION: Final = "ap-guangzhou"
# By the documents on CreateNamespace and CreateRepository; parts of names may have parts.
_NAMESPACE: Final = re.compile(r"(?=.{2,30}$)[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)
_SHORTEST, _LONGEST = 3, 244


@attrs.frozen(kw_only=True)
class TcrPlace:
    """A registry of TCR.

    Attributes:
        host: The registry's host.
        edition: Which product it is.
        region: The region it is in; empty until the API was asked.
        name: The name of an enterprise's instance; empty if the host does not tell.
        instance: The id of an enterprise's instance; empty until the API was asked.
        net: From where it is reached.
        prefix: What the names of all repositories begin with, or nothing.
    """

    host: str
    edition: Edition
    region: str = ""
    name: str = ""
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
        told = cloud if cloud is not None and cloud.provider == "tcr" else None
        region, instance = options.get("region", ""), options.get("instance_id", "")
        check_option("region", region, REGION, ANY_REGION)
        check_option("instance_id", instance, _INSTANCE, "tcr-a1b2c3d4")
        check_told_once(endpoint, "region", told.region if told else "")
        check_told_once(endpoint, "edition", edition_of({}, told) if told else "")
        return cls(
            host=endpoint.host,
            edition=edition_of(options, told),
            region=region or (told.region if told else ""),
            name=told.instance if told else "",
            instance=instance,
            net=told.net if told else "public",
            prefix=endpoint.prefix,
        )

    @property
    def usual_region(self) -> str:
        """The region to ask first."""
        return self.region or ANY_REGION


def parts_of(repository: str) -> tuple[str, str]:
    """Return namespace and name; the name may have slashes in the enterprise edition."""
    namespace, _, name = repository.partition("/")
    return namespace, name


def check_name(repository: str) -> None:
    """Refuse a name that TCR does not take.

    Raises:
        InvalidReference: It is one.
    """
    namespace, name = parts_of(repository)
    if not _NAMESPACE.fullmatch(namespace):
        msg = f"{namespace!r} cannot be a namespace of TCR"
        hint = "2 to 30 small letters and digits, with single . _ - between them"
        raise InvalidReference(msg, hint=f"{hint}: give the rule other names at the destination")
    if not _SHORTEST <= len(name) <= _LONGEST:
        msg = f"{name!r} cannot be a repository of TCR: it has {len(name)} characters"
        raise InvalidReference(
            msg, hint=f"names have {_SHORTEST} to {_LONGEST} behind the namespace"
        )
