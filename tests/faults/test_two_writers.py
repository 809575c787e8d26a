"""Several who write to one destination: nothing is ever half there, nor mixed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from harborsync import open_registry
from harborsync.reference import Tag
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from harborsync.testing import LoopbackRegistry
    from harborsync.testing.content import Sample
    from tests.faults.conftest import MakeWay

MIB = 2**20


def is_whole(server: LoopbackRegistry, repository: str, reference: str) -> bool:
    """Tell whether a manifest is there with every blob it names, byte for byte."""
    stored = server.storage.manifest(repository, reference)
    if stored is None:
        return False
    with closing(open_registry(server.endpoint)) as registry:
        manifest = registry.get_manifest(repository, Tag(reference))
        for blob in manifest.blobs:
            with registry.open_blob(repository, blob) as blocks:
                if not blob.digest.matches(b"".join(blocks)):
                    return False
    return True


@pytest.mark.parametrize("seed", range(5))
def test_two_replicators_with_one_wish_bring_it_once(make_way: MakeWay, seed: int) -> None:
    """Each may find the other's work done; everything is there and whole."""
    way = make_way()
    images = {
        f"app{number}": random_image(10 * seed + number, layers=2, layer_bytes=MIB + 5)
        for number in range(4)
    }
    digests = way.seed(**images)
    with ThreadPoolExecutor(2) as pool:
        reports = [each.result() for each in [pool.submit(way.run), pool.submit(way.run)]]
    assert all(report.ok for report in reports)
    for name, digest in digests.items():
        assert way.arrived(name) == str(digest)
        assert is_whole(way.destination, f"team/{name}", "v1")


@pytest.mark.parametrize("seed", range(5))
def test_two_wishes_for_one_tag_end_in_one_of_them(make_way: MakeWay, seed: int) -> None:
    """Whoever was last has it; the tag points to one whole artifact, never to a mixture."""
    images: list[Sample] = [
        random_image(100 * seed + n, layers=2, layer_bytes=MIB) for n in range(2)
    ]
    first, second = make_way(), make_way()
    for way, image in zip((first, second), images, strict=True):
        way.seed(app=image)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(way.run) for way in (first, second.to(first.destination))]
        reports = [run.result() for run in runs]
    assert {report.outcomes for report in reports} <= {(("copied", 1),), (("conflict", 1),)}
    assert first.arrived("app") in {str(image.digest) for image in images}
    assert is_whole(first.destination, "team/app", "v1")


@pytest.mark.parametrize("seed", range(5))
def test_a_human_who_pushes_meanwhile_spoils_nothing(make_way: MakeWay, seed: int) -> None:
    """His tag, ours, and the blobs both need: all whole."""
    way = make_way()
    ours = random_image(1000 + seed, layers=3, layer_bytes=MIB)
    way.seed(app=ours)
    his = random_image(2000 + seed, layers=2, layer_bytes=MIB)

    def push() -> None:
        with closing(open_registry(way.destination.endpoint)) as registry:
            his.push_to(registry, "team/app", "his")
            ours.push_to(registry, "team/app", "also-ours")
            his.push_to(registry, "team/app", "v1")

    with ThreadPoolExecutor(2) as pool:
        run, human = pool.submit(way.run), pool.submit(push)
        report, _ = run.result(), human.result()
    assert report.outcomes in {(("copied", 1),), (("conflict", 1),)}
    assert way.arrived("app") in {str(ours.digest), str(his.digest)}
    for tag in ("v1", "his", "also-ours"):
        assert is_whole(way.destination, "team/app", tag)
