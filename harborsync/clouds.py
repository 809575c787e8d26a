"""Which cloud a host belongs to, told by its name alone.

    >>> found = recognise("123456789012.dkr.ecr.eu-west-1.amazonaws.com")
    >>> found.provider, found.account, found.region
    ('ecr', '123456789012', 'eu-west-1')
    >>> recognise("123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example") is None
    True

Each pattern must fit the whole host: a login for a cloud never goes to a host that only begins
like one of its own. Domains that customers bring themselves show nothing in their names; what
their registry says of itself is read by :func:`recognise_challenge`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, cast

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

Net = Literal["public", "vpc", "internal"]


@attrs.frozen(kw_only=True)
class CloudHost:
    """What the name of a registry's host tells.

    Attributes:
        kind: The product, such as ``acr-ee``; one provider may serve several.
        provider: The word before ``://`` of the provider that serves it.
        host: The host in small letters, without a port.
        account: The account that owns the registry.
        region: The region or location, as the cloud spells it.
        instance: The instance: its id where ``kind`` says so, else its name.
        net: From where it is reachable.
        fips: Whether only FIPS 140 modules answer there.
        dual_stack: Whether it has IPv6 addresses, too.
    """

    kind: str
    provider: str
    host: str
    account: str = ""
    region: str = ""
    instance: str = ""
    net: Net = "public"
    fips: bool = False
    dual_stack: bool = False


class _Row(NamedTuple):
    """Hosts of one kind, and who serves them."""

    kind: str
    provider: str
    pattern: re.Pattern[str]


def _row(kind: str, provider: str, pattern: str) -> _Row:
    return _Row(kind, provider, re.compile(pattern, re.ASCII))


_REGION: Final = r"(?P<region>[a-z0-9-]+)"
_NET: Final = r"(?:-(?P<net>vpc|internal))?"
_INSTANCE: Final = r"(?P<instance>[a-z0-9][a-z0-9-]*?)"

# Sources: the documents and the SDKs of each vendor; the isolated partitions of Amazon are by
# botocore's table of endpoints.
_TABLE: Final = (
    _row(
        "ecr",
        "ecr",
        r"(?P<account>[0-9]{12})\.dkr(?P<joint>[.-])ecr(?P<fips>-fips)?\." + _REGION + r"\."
        r"(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|on\.aws|on\.amazonwebservices\.com\.cn"
        r"|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)",
    ),
    _row("ecr-public", "ecr-public", r"public\.ecr\.aws|ecr-public\.aws\.com"),
    _row("acr-personal", "acr", rf"registry{_NET}\.{_REGION}\.aliyuncs\.com"),
    _row("acr-personal", "acr", rf"crpi-[a-z0-9]+{_NET}\.{_REGION}\.personal\.cr\.aliyuncs\.com"),
    _row("acr-ee", "acr", rf"{_INSTANCE}-registry{_NET}\.{_REGION}\.cr\.aliyuncs\.com"),
    _row("tcr", "tcr", rf"{_INSTANCE}{_NET}\.tencentcloudcr\.com"),
    _row("tcr-personal", "tcr", r"(?P<prefix>[a-z]*ccr)\.ccs\.tencentyun\.com"),
    _row("gcr", "gar", r"(?:(?P<region>us|eu|asia)\.)?gcr\.io"),
    _row("gar", "gar", rf"{_REGION}-docker\.pkg\.dev"),
    _row(
        "azure",
        "azure",
        r"(?P<instance>[a-z0-9-]+)(?:\.[a-z0-9]+\.(?:data|geo))?\.azurecr\.(?:io|cn|us|de)",
    ),
    _row("swr", "swr", rf"swr\.{_REGION}\.myhuaweicloud\.(?:com|eu)"),
)

# tkestack/image-transfer, pkg/apis/ccrapis/ccrapi.go; the mainland shares one host.
_TENCENT_REGIONS: Final = {
    "ccr": "ap-guangzhou",
    "hkccr": "ap-hongkong",
    "sgccr": "ap-singapore",
    "krccr": "ap-seoul",
    "jpccr": "ap-tokyo",
    "inccr": "ap-mumbai",
    "thccr": "ap-bangkok",
    "caccr": "na-toronto",
    "uswccr": "na-siliconvalley",
    "useccr": "na-ashburn",
    "deccr": "eu-frankfurt",
    "ruccr": "eu-moscow",
    "szjrccr": "ap-shenzhen-fsi",
    "shjrccr": "ap-shanghai-fsi",
    "bjjrccr": "ap-beijing-fsi",
}

# registry.aliyuncs.com:REGION:NUMBER is personal, registry.aliyuncs.com:REGION:china:cri-ID an
# enterprise's (goharbor/harbor, src/pkg/reg/adapter/aliacr/adapter.go); more may follow the id.
_ALIBABA_SERVICE: Final = re.compile(
    r"registry\.aliyuncs\.com:(?P<region>[a-z0-9-]+)(?=:)(?::(?!cri-)[A-Za-z0-9-]+)*"
    r"(?::(?P<id>cri-[a-z0-9]+)(?::[A-Za-z0-9-]+)*)?",
    re.ASCII,
)


def recognise(host: str) -> CloudHost | None:
    """Return which cloud's registry a host is, or None if its name does not tell.

    Args:
        host: ``host[:port]``, in letters of any size; a port other than 443 is none of a cloud.
    """
    name = host.lower().removesuffix(":443")
    for row in _TABLE:
        found = row.pattern.fullmatch(name)
        if found:
            return _told(row, name, found.groupdict())
    return None


def nearer_host(found: CloudHost) -> str | None:
    """Return the host that may serve the same registry inside the cloud's own network, or None.

    >>> nearer_host(recognise("acme-registry.cn-beijing.cr.aliyuncs.com"))
    'acme-registry-vpc.cn-beijing.cr.aliyuncs.com'
    """
    label, _, domain = found.host.partition(".")
    nearer = recognise(f"{label}-vpc.{domain}")
    is_same = nearer is not None and nearer.net == "vpc" and nearer.kind == found.kind
    return nearer.host if nearer is not None and is_same and found.net == "public" else None


def recognise_challenge(host: str, services: Iterable[str]) -> CloudHost | None:
    """Return whose registry stands behind a customer's own domain, or None.

    Args:
        host: The domain.
        services: What ``WWW-Authenticate`` of ``GET /v2/`` names as ``service``.
    """
    for service in services:
        found = _ALIBABA_SERVICE.fullmatch(service)
        if found:
            return CloudHost(
                kind="acr-ee" if found["id"] else "acr-personal",
                provider="acr",
                host=host.lower(),
                region=found["region"],
                instance=found["id"] or "",
            )
    return None


def _told(row: _Row, name: str, parts: dict[str, str | None]) -> CloudHost:
    prefix = parts.get("prefix")
    region = _TENCENT_REGIONS.get(prefix, "") if prefix else parts.get("region")
    return CloudHost(
        kind=row.kind,
        provider=row.provider,
        host=name,
        account=parts.get("account") or "",
        region=region or "",
        instance=parts.get("instance") or "",
        net=cast("Net", parts.get("net") or "public"),
        fips=bool(parts.get("fips")),
        dual_stack=parts.get("joint") == "-",
    )
