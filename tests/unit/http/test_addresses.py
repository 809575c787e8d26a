"""Where a server may point us."""

from __future__ import annotations

import pytest

from harborsync.errors import AddressRefused
from harborsync.http.addresses import AddressPolicy, Zone, zone_of


@pytest.mark.parametrize(
    ("address", "zone"),
    [
        ("8.8.8.8", Zone.PUBLIC),
        ("2606:4700::1111", Zone.PUBLIC),
        ("127.0.0.1", Zone.LOOPBACK),
        ("127.9.9.9", Zone.LOOPBACK),
        ("::1", Zone.LOOPBACK),
        ("::ffff:127.0.0.1", Zone.LOOPBACK),
        ("::127.0.0.1", Zone.LOOPBACK),
        ("10.1.2.3", Zone.PRIVATE),
        ("172.31.0.1", Zone.PRIVATE),
        ("192.168.1.1", Zone.PRIVATE),
        ("100.64.0.1", Zone.PRIVATE),
        ("fd12::1", Zone.PRIVATE),
        ("fec0::1", Zone.PRIVATE),
        ("::ffff:10.0.0.1", Zone.PRIVATE),
        ("64:ff9b::10.0.0.1", Zone.PRIVATE),
        ("2002:a00:1::", Zone.PRIVATE),
        ("169.254.169.254", Zone.FORBIDDEN),
        ("169.254.170.2", Zone.FORBIDDEN),
        ("::ffff:169.254.169.254", Zone.FORBIDDEN),
        ("64:ff9b::a9fe:a9fe", Zone.FORBIDDEN),
        ("100.100.100.200", Zone.FORBIDDEN),
        ("fd00:ec2::254", Zone.FORBIDDEN),
        ("fe80::1", Zone.FORBIDDEN),
        ("fe80::1%eth0", Zone.FORBIDDEN),
        ("0.0.0.0", Zone.FORBIDDEN),
        ("::", Zone.FORBIDDEN),
        ("224.0.0.1", Zone.FORBIDDEN),
        ("255.255.255.255", Zone.FORBIDDEN),
        ("ff02::1", Zone.FORBIDDEN),
    ],
)
def test_every_address_has_a_zone(address: str, zone: Zone) -> None:
    """Addresses wrapped into IPv6 count as what they wrap."""
    assert zone_of(address) is zone


def test_the_endpoint_may_be_anywhere_but_at_a_metadata_service() -> None:
    """Where the user's own registry lies is the user's business."""
    policy = AddressPolicy("r.example")
    for address in ("8.8.8.8", "10.0.0.1", "127.0.0.1"):
        policy.admit("r.example", address)
    with pytest.raises(AddressRefused, match="never connected to"):
        policy.admit("r.example", "169.254.169.254")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "fd00::1"])
def test_a_public_endpoint_cannot_point_inside(address: str) -> None:
    """The hint names the option that would allow it."""
    policy = AddressPolicy("r.example")
    policy.admit("r.example", "8.8.8.8")
    policy.admit("cdn.example", "8.8.4.4")
    with pytest.raises(AddressRefused) as caught:
        policy.admit("cdn.example", address)
    assert "trusted_hosts=cdn.example" in str(caught.value.hint)


def test_a_private_endpoint_can_point_to_its_own_zone_only() -> None:
    """Private does not include this machine itself."""
    policy = AddressPolicy("r.example")
    policy.admit("r.example", "10.0.0.1")
    policy.admit("store.example", "192.168.0.9")
    with pytest.raises(AddressRefused):
        policy.admit("store.example", "127.0.0.1")


def test_a_numeric_endpoint_has_its_zone_from_the_start() -> None:
    """A numeric host needs no connection to be judged."""
    policy = AddressPolicy("127.0.0.1")
    policy.admit_literal("127.0.0.2")
    policy.admit_literal("any.name.example")
    with pytest.raises(AddressRefused):
        policy.admit_literal("10.0.0.1")


def test_trust_by_name_opens_private_and_loopback_but_not_metadata() -> None:
    """Nobody can be trusted to send us for a machine's own credentials."""
    policy = AddressPolicy("r.example", ("store.example",))
    policy.admit("store.example", "10.0.0.1")
    policy.admit("store.example", "127.0.0.1")
    with pytest.raises(AddressRefused):
        policy.admit("store.example", "100.100.100.200")
