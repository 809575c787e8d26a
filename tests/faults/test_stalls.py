"""Transfers that stall or drip are begun again where they stood, in a whole run (OCI-4.35)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from harborsync import Options
from harborsync.clock import SystemClock
from harborsync.events import Event, RetryScheduled
from harborsync.limits import HostLimits
from harborsync.retry import RetryPolicy
from harborsync.testing import LoopbackRegistry, faults
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from harborsync.cancel import Cancel
    from tests.faults.conftest import MakeWay

MIB = 2**20
IMAGE = random_image(1, layers=1, layer_bytes=5 * MIB)
#: More than sockets hold on their own.
LONG = random_image(2, layers=1, layer_bytes=24 * MIB)
HASTY = Options(hosts=HostLimits(idle_timeout=1.5), retry=RetryPolicy(first_wait=0.01))


def read_again(way: LoopbackRegistry, path: str) -> list[int]:
    """Return the statuses of the GETs of a blob."""
    return [r.status for r in way.requests if r.method == "GET" and path in r.path]


def test_a_stalled_download_goes_on_at_its_offset(make_way: MakeWay) -> None:
    """Nothing comes for the idle timeout; the rest is asked for by its range."""
    layer = str(IMAGE.blobs[-1].descriptor.digest)
    way = make_way(source=(faults.on("GET", layer, faults.stall(3 * MIB)),))
    way.seed(app=IMAGE)
    report = way.run(options=HASTY, clock=SystemClock())
    assert report.outcomes == (("copied", 1),)
    first, *again = read_again(way.source, layer)
    assert first == 200
    assert set(again) == {206}  # more than one where the machine itself stalls for so long


@pytest.mark.parametrize("layers", [1_000, 5 * MIB], ids=["small", "large"])
def test_a_dripping_download_is_not_put_up_with(make_way: MakeWay, layers: int) -> None:
    """Each piece comes in time, and all of them never would."""
    image = random_image(3, layers=1, layer_bytes=layers)
    layer = str(image.blobs[-1].descriptor.digest)
    way = make_way(source=(faults.on("GET", layer, faults.drip(10, 9.0)),))
    way.seed(app=image)
    assert way.run().outcomes == (("copied", 1),)
    assert len(read_again(way.source, layer)) == 2
    assert way.clock.monotonic() >= 60


class Deaf(SystemClock):
    """The clock of a server that stands still in the middle, until it is woken."""

    def __init__(self) -> None:
        self.wakes = threading.Event()

    def sleep(self, seconds: float, cancel: Cancel | None = None) -> None:
        """Wait for the test instead."""
        assert self.wakes.wait(20)


def test_a_stalled_upload_is_begun_again(make_way: MakeWay) -> None:
    """The server takes nothing for the idle timeout; then it is asked what it has, and gets the rest."""
    clock = Deaf()

    def wake(event: Event) -> None:
        if isinstance(event, RetryScheduled):
            clock.wakes.set()

    layer = LONG.blobs[-1].descriptor
    script = faults.FaultScript(faults.on("PUT", "/blobs/uploads", faults.delay(1), skip=1))
    with LoopbackRegistry(clock=clock, faults=script) as destination:
        way = make_way().to(destination)
        way.seed(app=LONG)
        options = Options(
            hosts=HASTY.hosts, retry=HASTY.retry, artifacts_at_once=1, blobs_at_once=1
        )
        report = way.run(options=options, clock=SystemClock(), listeners=[wake])
        assert report.outcomes == (("copied", 1),)
        assert report.results[0].attempts >= 2
        blob = destination.storage.blob("team/app", layer.digest)
        assert blob is not None
        assert layer.digest.matches(blob.read())
