"""Referrers are asked for only where a list has told that there are any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harborsync.content import Platform
from harborsync.testing.content import random_image, random_index, random_referrer, random_signature

if TYPE_CHECKING:
    from harborsync.reference import Digest
    from harborsync.testing import LoopbackHarbor

FOUR = tuple(map(Platform.parse, ("linux/amd64", "linux/arm64", "linux/s390x", "linux/ppc64le")))


def digests(registry: Any, repository: str, subject: Digest) -> set[Digest]:
    """Ask who points to something."""
    found = registry.abilities.referrers.list_referrers(repository, subject)
    return {entry.digest for entry in found}


def test_what_has_none_costs_nothing(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """The list has said so."""
    digest = harbor.push_image("app/web", "v1")
    registry = open_harbor()
    list(registry.list_artifacts("app/web"))
    before = len(open_harbor.lines)
    assert digests(registry, "app/web", digest) == set()
    assert len(open_harbor.lines) == before


def test_what_has_some_is_asked_for_types_and_annotations(
    harbor: LoopbackHarbor, open_harbor: Any
) -> None:
    """A signature under cosign's tag is among them, and so is one by its subject."""
    image = random_image(1)
    harbor.push("app/web", image, "v1")
    signature = harbor.push("app/web", random_signature(2, image.manifest.digest))
    sbom = harbor.push("app/web", random_referrer(3, image.manifest.descriptor))
    registry = open_harbor()
    list(registry.list_artifacts("app/web"))
    assert digests(registry, "app/web", image.manifest.digest) == {signature, sbom}
    assert open_harbor.lines[-1].startswith("GET /v2/app/web/referrers/")


def test_the_children_of_an_index_are_asked_about_all_at_once(
    harbor: LoopbackHarbor, open_harbor: Any
) -> None:
    """Four platforms, of which one is signed, cost a list and one more request."""
    index = random_index(1, platforms=FOUR)
    harbor.push("app/web", index, "v1")
    children = [entry.digest for entry in index.manifest.manifests]
    signature = harbor.push("app/web", random_signature(2, children[1]))
    registry = open_harbor()
    list(registry.list_artifacts("app/web"))
    before = len(open_harbor.lines)
    found = [digests(registry, "app/web", child) for child in children]
    assert found == [set(), {signature}, set(), set()]
    assert open_harbor.lines[before:] == [
        "GET /projects/app/repositories/web/artifacts",
        f"GET /v2/app/web/referrers/{children[1]}",
    ]


def test_what_no_list_has_told_is_asked_for(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """Such as what is said about a signature, or anything where nothing was listed."""
    image = random_image(1)
    harbor.push("app/web", image, "v1")
    sbom = random_referrer(3, image.manifest.descriptor)
    harbor.push("app/web", sbom)
    about = harbor.push("app/web", random_referrer(4, sbom.manifest.descriptor))
    registry = open_harbor()
    assert digests(registry, "app/web", sbom.manifest.digest) == {about}
    assert registry.abilities.referrers.list_referrers("app/none", about) == ()


def test_a_robot_that_may_only_pull_asks_for_each(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """Nothing is known from lists that are closed."""
    index = random_index(1)
    harbor.push("app/web", index, "v1")
    child = index.manifest.manifests[0].digest
    signature = harbor.push("app/web", random_signature(2, child))
    registry = open_harbor("repository:pull")
    list(registry.list_artifacts("app/web"))
    assert digests(registry, "app/web", child) == {signature}


def test_a_right_that_was_taken_away_meanwhile_is_no_trouble(
    harbor: LoopbackHarbor, open_harbor: Any
) -> None:
    """If the children cannot be listed any more, each is asked for, and that list no more."""
    index = random_index(1)
    harbor.push("app/web", index, "v1")
    registry = open_harbor()
    list(registry.list_artifacts("app/web"))
    less = harbor.add_robot("less", access=["repository:pull"])
    next(iter(harbor.state.robots.values())).permissions = less.permissions
    before = len(open_harbor.lines)
    for entry in index.manifest.manifests:
        assert digests(registry, "app/web", entry.digest) == set()
    assert [line.split("/")[-2] for line in open_harbor.lines[before:]] == [
        "web",
        "referrers",
        "referrers",
    ]


def test_a_new_list_makes_the_children_be_asked_about_anew(
    harbor: LoopbackHarbor, open_harbor: Any
) -> None:
    """One of them may have been signed since the last run."""
    index = random_index(1)
    harbor.push("app/web", index, "v1")
    child = index.manifest.manifests[0].digest
    registry = open_harbor()
    list(registry.list_artifacts("app/web"))
    assert digests(registry, "app/web", child) == set()
    signature = harbor.push("app/web", random_signature(2, child))
    assert digests(registry, "app/web", child) == set()
    list(registry.list_artifacts("app/web"))
    assert digests(registry, "app/web", child) == {signature}
