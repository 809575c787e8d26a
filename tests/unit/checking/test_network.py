"""The way to a registry: a nearer host, doors that fail, lists without repetitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync import check
from harborsync.checking.network import Way
from harborsync.checking.rights import Trial, with_told
from harborsync.endpoint import Endpoint
from harborsync.gate import open_registry
from harborsync.insight import Can, Deed, Right
from harborsync.limits import HostLimits
from harborsync.provider import Checks, OpenContext
from harborsync.registries.memory import MemoryRegistry
from harborsync.registry import Abilities
from harborsync.testing import LoopbackRegistry
from harborsync.testing.content import random_image
from harborsync.testing.faults import Fault, lose_answer

if TYPE_CHECKING:
    from pathlib import Path

    from harborsync.http.dial import Resolver

IMAGE = random_image(5)


def leads_here(number: int) -> Resolver:
    """Return a resolver by which one name inside a VPC is on this machine."""

    def resolve(host: str, port: int, *, type: int) -> list[tuple[Any, ...]]:  # noqa: A002 - as Resolver has it
        if "-vpc." not in host:
            raise OSError(-2, "Name or service not known")
        return [(2, 1, 6, "", ("127.0.0.1", number))]

    return resolve


def test_a_nearer_host_is_told_where_it_is_reached(tmp_path: Path) -> None:
    """Only a machine inside the VPC knows its name."""
    from harborsync.testing.tls import TestAuthority

    with TestAuthority(tmp_path) as authority:
        files = authority.server_certificate("acme-registry-vpc.cn-beijing.cr.aliyuncs.com")
        assert files.certificate.exists()
        with LoopbackRegistry(tls=authority) as server:
            port = int(server.host.rpartition(":")[2])
            endpoint = Endpoint(
                address="acme-registry.cn-beijing.cr.aliyuncs.com",
                option_items={"insecure": "true"},
            )
            way = Way(endpoint, OpenContext(), resolve=leads_here(port))
            assert way.look_nearer() == "acme-registry-vpc.cn-beijing.cr.aliyuncs.com"
    assert "not billed" in way.findings[0].remedy


@pytest.mark.parametrize(
    "address", ["acme.tencentcloudcr.com", "registry.example", "acme-vpc.tencentcloudcr.com"]
)
def test_no_nearer_host_is_told_where_there_is_none(address: str) -> None:
    """It is not reached, not known, or it is the one at hand."""
    limits = HostLimits(connect_timeout=1.0)

    def nobody(host: str, port: int, *, type: int) -> list[tuple[Any, ...]]:  # noqa: A002 - as Resolver has it
        raise OSError(-2, "Name or service not known")

    way = Way(Endpoint(address=address), OpenContext(limits=limits), resolve=nobody)
    assert way.look_nearer() == ""


def test_a_door_that_hangs_up_is_a_finding() -> None:
    """The connection stood, and no answer came."""
    with LoopbackRegistry(faults=lambda request: lose_answer()) as server:
        found = check(server.endpoint, OpenContext(), repository="a")
    assert not found.ok
    assert found.hosts[0].ok
    assert {each.can for each in found.rights} == {Can.UNKNOWN}


def test_a_realm_that_is_none_is_not_followed() -> None:
    """A challenge may be nonsense."""

    def challenged(request: Any) -> Fault:
        headers = {"WWW-Authenticate": 'Bearer realm="ftp://other.example"'}
        return Fault(status=401, headers=headers)

    with LoopbackRegistry(faults=challenged) as server:
        found = check(server.endpoint, OpenContext(), repository="a")
    assert [reach.purpose for reach in found.hosts] == ["registry"]
    assert not found.ok


def test_a_registry_without_abilities_is_tried_all_the_same() -> None:
    """It mounts nothing and has no referrers; its first byte is read by opening a blob."""
    registry = open_registry("memory://bare", OpenContext())
    assert isinstance(registry, MemoryRegistry)
    IMAGE.push_to(registry, "team/app", "v1")
    bare: Any = _Bare(registry)
    trial = Trial(bare, "team/app", Checks(), {}, write=True)
    rights = {each.deed: each.can for each in trial.rights()}
    assert rights[Deed.PULL] is Can.YES
    assert rights[Deed.MOUNT] is rights[Deed.REFERRERS] is Can.NO
    assert rights[Deed.PUSH] is Can.UNKNOWN


class _Bare:
    """Another registry without any ability."""

    abilities = Abilities()

    def __init__(self, registry: MemoryRegistry) -> None:
        self._registry = registry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)


def test_what_a_product_does_not_know_leaves_what_was_tried() -> None:
    """Only a yes or a no of its own counts."""
    tried = (Right(deed=Deed.LIST, can=Can.YES), Right(deed=Deed.PUSH, can=Can.UNKNOWN))
    told = (Right(deed=Deed.LIST, can=Can.UNKNOWN), Right(deed=Deed.PUSH, can=Can.NO))
    assert [each.can for each in with_told(tried, told)] == [Can.YES, Can.NO]


def test_a_failure_to_measure_is_a_finding() -> None:
    """Nothing is measured of what is not there."""
    with LoopbackRegistry() as server:
        found = check(server.endpoint, OpenContext(), throughput="no/such:v1")
    assert found.throughput is None
    assert not found.ok


def test_a_limited_endpoint_is_checked_like_any_other() -> None:
    """Its limiter stands between, and its probes are those of the registry behind."""
    with LoopbackRegistry() as server:
        place = attrs.evolve(server.endpoint, option_items={"bandwidth": "100MB/s"})
        found = check(place, OpenContext(), repository="a", probe="write")
    assert {each.deed: each.can for each in found.rights}[Deed.PUSH] is Can.YES
