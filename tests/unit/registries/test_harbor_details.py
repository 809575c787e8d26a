"""What lists leave open is filled in without reading a manifest."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.artifact import NOT_FETCHED, UNAVAILABLE, Artifact
from harborsync.content import OCI_INDEX
from harborsync.reference import Tag
from harborsync.testing.content import random_image, random_index

if TYPE_CHECKING:
    from harborsync.testing import LoopbackHarbor


def describe(registry: Any, artifacts: list[Artifact], *facts: str) -> list[Artifact]:
    """Have facts filled in."""
    return list(registry.abilities.describe.describe(artifacts, frozenset(facts)))


def hold_fast(harbor: LoopbackHarbor, tags: str) -> None:
    """Make tags of a project immutable."""
    matches = {"kind": "doublestar", "decoration": "matches", "pattern": tags}
    every = {"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}
    rule = {"id": 1, "disabled": False, "tag_selectors": [matches]}
    selectors = {"scope_selectors": {"repository": [every]}}
    harbor.state.project("app").immutable_rules[1] = rule | selectors


def names(*tags: str) -> list[Artifact]:
    """Make artifacts of which nothing but the tag is known."""
    return [Artifact(repository="app/web", tag=Tag(tag)) for tag in tags]


@pytest.mark.parametrize("count", [2, 7])
def test_bare_names_are_looked_up(harbor: LoopbackHarbor, open_harbor: Any, count: int) -> None:
    """A few one by one, many by listing all; who is gone is left out, the order stays."""
    tags = [f"v{number}" for number in range(count)]
    for number, tag in enumerate(tags):
        harbor.push_image("app/web", tag, seed=number)
    asked = names(*reversed(tags), "gone")
    found = describe(open_harbor(), asked, "size")
    assert [str(each.tag) for each in found] == tags[::-1]
    assert {str(each.tag): each.digest for each in found} == harbor.tags("app/web")
    assert all(each.size is not NOT_FETCHED for each in found)
    assert len(open_harbor.lines) == 1 + (3 if count == 2 else 1)


def test_a_tag_called_nil_is_not_taken_for_none(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """Harbor's language has that word for what has no tag."""
    harbor.push_image("app/web", "nil")
    assert [str(each.tag) for each in describe(open_harbor(), names("nil"), "size")] == ["nil"]


def test_immutability_is_asked_for_where_it_counts(
    harbor: LoopbackHarbor, open_harbor: Any
) -> None:
    """A rule of the project holds some tags fast."""
    for number, tag in enumerate(("v1", "dev")):
        harbor.push_image("app/web", tag, seed=number)
    hold_fast(harbor, "v*")
    registry = open_harbor()
    found = describe(registry, list(registry.list_artifacts("app/web")), "immutable")
    assert {str(each.tag): each.immutable for each in found} == {"v1": True, "dev": False}
    before = len(open_harbor.lines)
    assert describe(registry, found, "immutable") == found
    assert len(open_harbor.lines) == before


def test_an_index_is_as_old_as_its_youngest_child(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """The children are asked for all at once, and nothing is pulled."""
    index = random_index(1)
    harbor.push("app/web", index, "v1")
    harbor.push("app/web", random_image(2), "plain")
    registry = open_harbor()
    listed = list(registry.list_artifacts("app/web"))
    found = {str(each.tag): each for each in describe(registry, listed, "created_at")}
    assert isinstance(found["v1"].created_at, datetime)
    assert found["v1"].created_at.tzinfo == UTC
    assert found["plain"].created_at == next(a for a in listed if a.tag == "plain").created_at
    assert not [line for line in open_harbor.lines if "/v2/" in line]
    assert harbor.state.repositories["app/web"].pull_count == 0


def test_the_youngest_child_counts(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """Wherever it stands in the index."""
    years = ("2020", "2025", "2023")
    images = [random_image(n, created=f"{year}-01-01T00:00:00Z") for n, year in enumerate(years)]
    entries = [image.manifest.descriptor.to_json() for image in images]
    for image in images:
        harbor.push("app/web", image)
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    harbor.push_manifest("app/web", json.dumps(document).encode(), "v1", media_type=OCI_INDEX)
    registry = open_harbor()
    listed = [each for each in registry.list_artifacts("app/web") if each.tag == "v1"]
    (found,) = describe(registry, listed, "created_at")
    assert found.created_at == datetime(2025, 1, 1, tzinfo=UTC)


def test_of_very_many_children_everything_is_listed(
    harbor: LoopbackHarbor, open_harbor: Any
) -> None:
    """Naming each of them would take longer."""
    for number in range(160):
        harbor.push("app/web", random_index(number), f"v{number}")
    registry = open_harbor()
    listed = list(registry.list_artifacts("app/web"))
    before = len(open_harbor.lines)
    found = describe(registry, listed, "created_at")
    assert all(isinstance(each.created_at, datetime) for each in found)
    assert len(open_harbor.lines) - before == 5  # 160 indexes and 320 children, 100 on a page


def test_a_nested_index_is_left_to_be_read(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """Lists do not tell the age of an index inside an index."""
    harbor.push("app/web", random_index(1, nested=1), "v1")
    registry = open_harbor()
    (found,) = describe(registry, list(registry.list_artifacts("app/web")), "created_at")
    assert found.created_at is NOT_FETCHED


def test_where_lists_are_closed_a_head_tells_what_it_can(
    harbor: LoopbackHarbor, open_harbor: Any
) -> None:
    """Labels, push times and rules are not to be had by a robot that may only pull."""
    harbor.push_image("app/web", "v1")
    registry = open_harbor("repository:pull")
    listed = list(registry.list_artifacts("app/web"))
    found = describe(
        registry, [*names("gone"), *listed], "labels", "pushed_at", "immutable", "size"
    )
    assert [str(each.tag) for each in found] == ["v1"]
    assert found[0].digest == harbor.tags("app/web")["v1"]
    assert (found[0].labels, found[0].pushed_at, found[0].immutable) == (UNAVAILABLE,) * 3
    assert found[0].size is NOT_FETCHED
    assert describe(registry, found, "labels") == found


def test_a_name_that_harbor_cannot_have_is_gone(open_harbor: Any) -> None:
    """Nothing is told of a repository without a project."""
    assert describe(open_harbor(), [Artifact(repository="busybox", tag=Tag("v1"))], "size") == []
