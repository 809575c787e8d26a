"""A digest that the neighbouring tag had is named, and 304 says that it holds."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from harborsync.content import OCI_MANIFEST, Descriptor
from harborsync.errors import RegistryError
from harborsync.http.wire import Answer, Headers
from harborsync.reference import Tag
from harborsync.registries import hints
from harborsync.testing.clock import FakeClock

if TYPE_CHECKING:
    from harborsync.provider import OpenContext
    from harborsync.registries.distribution import DistributionRegistry
    from tests.unit.registries.conftest import ScriptedTransport

FIRST = Descriptor.of(b"first", OCI_MANIFEST)
OTHER = Descriptor.of(b"another", OCI_MANIFEST)
V1, V2, V3 = Tag("v1"), Tag("v2"), Tag("v3")


def _head(found: Descriptor, etag: str | None = None) -> tuple[int, dict[str, str]]:
    return 200, {
        "Docker-Content-Digest": str(found.digest),
        "Content-Type": found.media_type,
        "Content-Length": str(found.size),
        "ETag": f'"{found.digest}"' if etag is None else etag,
    }


def _conditions(wire: ScriptedTransport) -> list[str | None]:
    return [each.call.headers.get("If-None-Match") for each in wire.asked]


def test_a_tag_beside_another_is_asked_whether_it_is_the_same(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """What 304 stands for is what the neighbour was: digest, type and size."""
    wire.on("HEAD", "/v1$", _head(FIRST))
    wire.on("HEAD", "/v2$", 304)
    wire.on("HEAD", "/v3$", _head(OTHER))
    assert [registry.resolve("a", tag) for tag in (V1, V2, V3)] == [FIRST, FIRST, OTHER]
    assert registry.resolve("a", V2) == OTHER
    same = f'"{FIRST.digest}"'
    assert _conditions(wire) == [None, same, same, f'"{OTHER.digest}"']
    assert {each.call.method for each in wire.asked} == {"HEAD"}


def test_repositories_and_threads_know_their_own_neighbours(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Another repository holds other things, and another thread is at other tags."""
    wire.on("HEAD", "", _head(FIRST))
    registry.resolve("a", V1)
    registry.resolve("b", V1)
    elsewhere = threading.Thread(target=registry.resolve, args=("a", V2))
    elsewhere.start()
    elsewhere.join()
    assert _conditions(wire) == [None, None, None]


@pytest.mark.parametrize("etag", ["", '"5f2c"', f'W/"{FIRST.digest}"', f'"{OTHER.digest}"'])
def test_only_a_registry_whose_etag_is_the_digest_is_asked_so(
    etag: str, registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """What it would mean by 304 otherwise, nobody knows."""
    wire.on("HEAD", "", _head(FIRST, etag))
    assert [registry.resolve("a", tag) for tag in (V1, V2)] == [FIRST, FIRST]
    assert _conditions(wire) == [None, None]


def test_a_digest_is_asked_for_without_a_hint(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """What is asked is whether it is there."""
    wire.on("HEAD", "/v1$", _head(FIRST))
    wire.on("HEAD", f"/{OTHER.digest}$", 404)
    registry.resolve("a", V1)
    assert registry.resolve("a", OTHER.digest) is None
    assert _conditions(wire) == [None, None]


def test_304_to_a_plain_question_tells_nothing(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Then the manifest is read, and 304 to that is a refusal."""
    wire.on("HEAD", "", 304)
    wire.on("GET", "", 304)
    with pytest.raises(RegistryError, match="304"):
        registry.resolve("a", V1)


def test_a_tag_that_went_is_not_there(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Whatever its neighbour is."""
    wire.on("HEAD", "/v1$", _head(FIRST))
    wire.on("HEAD", "/v2$", 404)
    assert [registry.resolve("a", tag) for tag in (V1, V2)] == [FIRST, None]


def test_not_more_is_remembered_than_is_of_use() -> None:
    """A catalog without end does not fill the memory."""
    known = hints.Hints(FakeClock().monotonic)
    answer = Answer(
        method="HEAD", url="", status=200, headers=Headers([("ETag", hints.etag(FIRST.digest))])
    )
    for number in range(300):
        known.learn(f"r{number}", FIRST, answer)
    assert known.of("r299") == FIRST
    assert known.of("r0") is None


def test_only_what_was_there_a_moment_ago_is_named(
    registry: DistributionRegistry, wire: ScriptedTransport, context: OpenContext
) -> None:
    """304 does not say that the manifest is still to be had, so it is asked for now and then."""
    clock = context.clock
    assert isinstance(clock, FakeClock)
    wire.on("HEAD", "/v1$", _head(FIRST))
    wire.on("HEAD", "/v2$", 304, 304, 404)
    registry.resolve("a", V1)
    for found in (FIRST, FIRST, None):
        assert registry.resolve("a", V2) == found
        clock.advance(16)
    same = f'"{FIRST.digest}"'
    assert _conditions(wire) == [None, same, same, None]
