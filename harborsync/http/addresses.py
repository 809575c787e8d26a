"""Where a server may point us: the address policy of OCI-9.1.

The endpoint itself may be anywhere its user put it. A place it names (realm, redirect,
Location, link) must be public, or in the same zone as the endpoint, or trusted by name; the
addresses where clouds hand out credentials are refused to everybody.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final

from harborsync.errors import AddressRefused

if TYPE_CHECKING:
    from collections.abc import Iterable


class Zone(StrEnum):
    """How far away an address is."""

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    FORBIDDEN = "forbidden"


# Listed by hand: is_private and is_global of ipaddress disagree about 100.64/10 (OCI-9.1).
_NETWORKS: Final = {
    Zone.FORBIDDEN: (
        "0.0.0.0/8",
        "169.254.0.0/16",
        "100.100.100.200/32",
        "224.0.0.0/3",
        "::/128",
        "fe80::/10",
        "fd00:ec2::254/128",
        "ff00::/8",
    ),
    Zone.LOOPBACK: ("127.0.0.0/8", "::1/128"),
    Zone.PRIVATE: (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
        "fec0::/10",
    ),
}
_ZONES: Final = tuple(
    (ip_network(network), zone) for zone, networks in _NETWORKS.items() for network in networks
)
_NAT64: Final = ip_network("64:ff9b::/96")
_COMPATIBLE: Final = ip_network("::/96")
_LOWEST_COMPATIBLE: Final = 2


def zone_of(address: str) -> Zone:
    """Return the zone of a numeric address; one inside an IPv6 address counts as itself.

    >>> zone_of("::ffff:169.254.169.254")
    <Zone.FORBIDDEN: 'forbidden'>
    """
    ip = _unwrapped(ip_address(address.partition("%")[0]))
    found = (zone for net, zone in _ZONES if ip.version == net.version and ip in net)
    return next(found, Zone.PUBLIC)


def _unwrapped(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(ip, IPv4Address):
        return ip
    number = int(ip)
    if ip in _NAT64 or (ip in _COMPATIBLE and number >= _LOWEST_COMPATIBLE):
        return IPv4Address(number & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


class AddressPolicy:
    """Decides about each address before it is connected to; thread-safe.

    Args:
        home: The endpoint's own host.
        trusted: Further hosts by name that may be loopback or private.
    """

    def __init__(self, home: str, trusted: Iterable[str] = ()) -> None:
        self._home = home
        self._trusted = frozenset(trusted)
        self._home_zones = {zone_of(home)} if _is_literal(home) else set[Zone]()

    def is_home(self, host: str) -> bool:
        """Tell whether a host is the endpoint's own."""
        return host == self._home

    def admit(self, host: str, address: str) -> None:
        """Let ``host``, found at the numeric ``address``, be connected to.

        Raises:
            AddressRefused: It may not; the hint names the setting that would let it.
        """
        zone = zone_of(address)
        if zone is Zone.FORBIDDEN:
            msg = f"{host} is at {address}, an address that is never connected to"
            raise AddressRefused(msg)
        if host == self._home:
            self._home_zones.add(zone)
        elif not (zone is Zone.PUBLIC or host in self._trusted or zone in self._home_zones):
            msg = f"a server pointed to {host} at the {zone} address {address}"
            raise AddressRefused(
                msg, hint=f"if that is right, add trusted_hosts={host} to the endpoint's options"
            )

    def admit_literal(self, host: str) -> None:
        """Do the same where a proxy resolves names: only a numeric host can be judged.

        Raises:
            AddressRefused: The host is a numeric address that may not be connected to.
        """
        if _is_literal(host):
            self.admit(host, host)


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
