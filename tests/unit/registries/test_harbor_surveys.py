"""Many repositories are listed by whichever way takes fewer requests."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.artifact import Hints
from harborsync.harbor.api import HarborApi
from harborsync.registries.harbor_catalog import Catalog
from harborsync.registries.harbor_lists import Lists
from harborsync.registries.harbor_projects import Projects
from harborsync.registries.harbor_surveys import Surveys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harborsync.provider import OpenContext
    from harborsync.testing import LoopbackHarbor

WALK = "GET /projects/app/artifacts"


def fill(harbor: LoopbackHarbor, repositories: int, tags: int) -> list[str]:
    """Put images into repositories of the project app."""
    names = [f"app/r{number}" for number in range(repositories)]
    for place, name in enumerate(names):
        for number in range(tags):
            harbor.push_image(name, f"v{number}", seed=100 * place + number)
    return names


def survey(registry: Any, repositories: Iterable[str]) -> dict[str, set[str]]:
    """List many repositories."""
    found = list(registry.abilities.surveys.survey(tuple(repositories)))
    assert len(found) == len({name for name, _ in found})
    return {name: {str(each.tag) for each in artifacts} for name, artifacts in found}


def test_small_repositories_are_listed_in_one_walk(
    harbor: LoopbackHarbor, open_harbor: Any
) -> None:
    """Twelve of ten tags are two pages, not twelve; what is not there has no tags."""
    names = fill(harbor, 12, 10)
    registry = open_harbor(path="/app")
    list(registry.abilities.catalog.list_repositories())
    found = survey(registry, [*names, "app/none", names[0]])
    assert found == {name: harbor.tags(name).keys() for name in names} | {"app/none": set()}
    assert open_harbor.lines == ["GET /projects/app/repositories", "GET /projects", WALK, WALK]


def test_large_repositories_are_listed_each(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """The catalog has told that a walk through all of the project would be longer."""
    names = fill(harbor, 6, 40)
    registry = open_harbor(path="/app")
    list(registry.abilities.catalog.list_repositories())
    assert survey(registry, names[:2]) == {name: harbor.tags(name).keys() for name in names[:2]}
    assert WALK not in open_harbor.lines
    assert len(open_harbor.lines) == 2 + 2


def test_without_a_catalog_the_first_page_decides(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """It tells how many artifacts there are in all."""
    names = fill(harbor, 4, 60)
    registry = open_harbor()
    assert survey(registry, names) == {name: harbor.tags(name).keys() for name in names}
    assert open_harbor.lines == ["GET /projects", WALK, WALK, WALK]
    registry = open_harbor()
    assert survey(registry, names[:2]).keys() == set(names[:2])
    assert sorted(open_harbor.lines) == [
        "GET /projects",
        WALK,
        *(f"GET /projects/app/repositories/r{number}/artifacts" for number in range(2)),
    ]


@pytest.mark.parametrize("access", [(), ("repository:pull",)])
def test_where_there_is_no_walk_each_is_listed(
    harbor: LoopbackHarbor, open_harbor: Any, access: tuple[str, ...]
) -> None:
    """Before 2.12 there is none, and a robot that may only pull has no right to it."""
    if not access:
        harbor.state.version = (2, 8)
    names = fill(harbor, 3, 1)
    registry = open_harbor(*access)
    for _ in range(2):
        assert survey(registry, names) == {name: harbor.tags(name).keys() for name in names}
    assert open_harbor.lines.count(WALK) == 1


def test_projects_are_surveyed_each_for_itself(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """A single repository of one is just listed."""
    names = fill(harbor, 2, 1)
    harbor.push_image("library/base", "v1")
    found = survey(open_harbor(), [*names, "library/base", "busybox"])
    assert found["library/base"] == {"v1"}
    assert found["busybox"] == set()
    assert WALK in open_harbor.lines


def test_a_project_that_is_not_there_is_empty(open_harbor: Any) -> None:
    """As a destination often is at first: its repositories are not asked for one by one."""
    registry = open_harbor()
    assert survey(registry, [f"absent/r{number}" for number in range(9)]) == {
        f"absent/r{number}": set() for number in range(9)
    }
    assert open_harbor.lines[-1] == "GET /projects/absent/artifacts"


def test_a_project_that_changes_while_it_is_walked_is_listed_by_repositories(
    harbor: LoopbackHarbor, open_harbor: Any
) -> None:
    """Pages that were read at once do not fit together then."""
    names = fill(harbor, 5, 60)
    nth = count(1)

    def push_behind(request: Any) -> None:
        if request.path.endswith("/projects/app/artifacts") and next(nth) == 2:
            harbor.push_image(names[0], "new", seed=999)

    registry = open_harbor()
    harbor.faults = push_behind
    assert survey(registry, names) == {name: harbor.tags(name).keys() for name in names}
    assert open_harbor.lines[-1] != WALK


def test_a_walk_that_does_not_tell_its_length_is_not_taken(wire: Any, context: OpenContext) -> None:
    """One page could not be told from all of them."""
    wire.on("GET", "/projects\\?", (200, {}, b'[{"name": "app", "project_id": 2}]'))
    wire.on("GET", "/artifacts\\?", (200, {}, b"[]"))
    api = HarborApi("harbor.example", wire, context)
    projects = Projects(api)
    lists = Lists(api, projects, lambda _: iter(()))
    surveys = Surveys(lists, Catalog(api, projects, "", None), lambda _: None)
    assert dict(surveys.survey(["app/a", "app/b"])) == {"app/a": (), "app/b": ()}
    asked = [line.partition("?")[0].removeprefix("GET /api/v2.0") for line in wire.lines]
    assert sorted(asked) == [
        "/projects",
        "/projects/app/artifacts",
        "/projects/app/repositories/a/artifacts",
        "/projects/app/repositories/b/artifacts",
    ]


# --- narrowing -------------------------------------------------------------------------------


def narrowed(registry: Any, **hints: Any) -> set[str]:
    """List what may be wanted of a repository."""
    found = registry.abilities.lists_narrowed.list_matching("app/web", Hints(**hints))
    return {str(each.tag) for each in found}


@pytest.fixture
def web(harbor: LoopbackHarbor) -> LoopbackHarbor:
    """A repository with four images, one of them labelled, one with two tags."""
    for number, tags in enumerate((("1.0", "latest"), ("1.1-rc1",), ("1.1",), ("nil",))):
        harbor.push_image("app/web", *tags, seed=number)
    harbor.artifact("app/web", "1.1").label_ids.append(harbor.add_label("release").id)
    return harbor


@pytest.mark.parametrize(
    ("hints", "tags"),
    [
        ({"tag": "1.0"}, {"1.0", "latest"}),
        ({"tag": "absent"}, set()),
        ({"tag_contains": "rc"}, {"1.1-rc1"}),
        ({"labels": frozenset({"release"})}, {"1.1"}),
        ({"labels": frozenset({"release"}), "tag_contains": "rc"}, set()),
    ],
)
def test_harbor_leaves_out_what_cannot_be_wanted(
    web: LoopbackHarbor, open_harbor: Any, hints: dict[str, Any], tags: set[str]
) -> None:
    """Other tags of a wanted artifact may come along."""
    assert narrowed(open_harbor(), **hints) == tags


@pytest.mark.parametrize(
    "hints",
    [
        {"tag": "nil"},
        {"tag_contains": "a,b"},
        {"labels": frozenset({"unknown"})},
        {"pushed_after": datetime(2100, 1, 1, tzinfo=UTC)},
    ],
)
def test_what_cannot_be_asked_for_soundly_is_not(
    web: LoopbackHarbor, open_harbor: Any, hints: dict[str, Any]
) -> None:
    """An artifact's push time is older than that of a tag which was added later."""
    assert narrowed(open_harbor(), **hints) == {"1.0", "latest", "1.1-rc1", "1.1", "nil"}


def test_closed_lists_are_not_narrowed(web: LoopbackHarbor, open_harbor: Any) -> None:
    """The tags come as they come; labels that are hidden are not asked for."""
    registry = open_harbor("repository:pull")
    everything = {"1.0", "latest", "1.1-rc1", "1.1", "nil"}
    assert narrowed(registry, tag="1.0") == everything
    assert narrowed(registry, labels=frozenset({"release"})) == everything


def test_labels_that_are_hidden_are_not_asked_for(web: LoopbackHarbor, open_harbor: Any) -> None:
    """Without their ids the list comes whole."""
    registry = open_harbor("repository:pull", "artifact:list")
    assert len(narrowed(registry, labels=frozenset({"release"}))) == 5


def test_a_name_that_harbor_cannot_have_is_empty(open_harbor: Any) -> None:
    """Whatever is asked for."""
    narrowing = open_harbor().abilities.lists_narrowed
    assert list(narrowing.list_matching("busybox", Hints(tag="1"))) == []
