"""What goes to a limited registry and what comes from it goes at the limit, and nothing else does."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from harborsync.cancel import Cancel
from harborsync.content import Descriptor
from harborsync.errors import Cancelled
from harborsync.events import BlobOutcome
from harborsync.limited import LimitedRegistry
from harborsync.limiter import Limiter
from harborsync.reference import Tag
from harborsync.registries.memory import MemoryRegistry
from harborsync.testing.clock import FakeClock
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = bytes(range(256)) * 400
BLOB = Descriptor.of(CONTENT, "x/y")


@pytest.fixture
def clock() -> FakeClock:
    """Time that passes when somebody sleeps."""
    return FakeClock()


@pytest.fixture
def registry(clock: FakeClock) -> LimitedRegistry:
    """A registry that takes and gives 10 kB a second."""
    return LimitedRegistry(MemoryRegistry("m"), Limiter("80kbps", clock=clock), Cancel())


@contextmanager
def _content(offset: int = 0) -> Iterator[Iterator[bytes]]:
    yield iter((CONTENT[offset:],))


def test_blobs_go_and_come_at_the_limit(registry: LimitedRegistry, clock: FakeClock) -> None:
    """Both directions draw on the same limit."""
    registry.put_blob("a", BLOB, _content)
    assert clock.monotonic() == pytest.approx(10.24, abs=0.1)
    with registry.open_blob("a", BLOB, 400) as blocks:
        assert b"".join(blocks) == CONTENT[400:]
    assert clock.monotonic() == pytest.approx(20.44, abs=0.2)


def test_what_need_not_be_sent_waits_for_nothing(
    registry: LimitedRegistry, clock: FakeClock
) -> None:
    """A blob that is there, manifests and questions cost no bandwidth."""
    image = random_image(1, layer_bytes=10)
    image.push_to(registry, "a", "v1")
    before = clock.monotonic()
    for blob in image.manifest.blobs:
        registry.put_blob("a", blob, _content)
        mounted = registry.put_blob("b", blob, _content, mount_from=["a"])
        assert mounted.outcome is BlobOutcome.MOUNTED
    assert registry.resolve("a", Tag("v1")) == image.manifest.descriptor
    assert registry.get_manifest("a", Tag("v1")) == image.manifest
    assert clock.monotonic() == before


def test_a_wait_ends_when_the_run_does(clock: FakeClock) -> None:
    """The flag is that of the context."""
    cancel = Cancel()
    registry = LimitedRegistry(MemoryRegistry("m"), Limiter("80kbps", clock=clock), cancel)
    cancel.set()
    with pytest.raises(Cancelled):
        registry.put_blob("a", BLOB, _content)


def test_all_else_is_that_of_the_registry() -> None:
    """Its name, its abilities, its quirks and its end."""
    inner = MemoryRegistry("m")
    outer = LimitedRegistry(inner, Limiter("80kbps", clock=FakeClock()), Cancel())
    assert (outer.name, outer.identity) == (inner.name, inner.identity)
    assert outer.abilities == inner.abilities
    assert outer.quirks is inner.quirks
    assert list(outer.list_artifacts("a")) == []
    assert not outer.has_blob("a", BLOB)
    outer.close()
