"""Laws of Harbor's lists: nothing is missed while they shift, and narrowing leaves out nothing wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harborsync.artifact import Hints
from harborsync.credentials.base import Credential
from harborsync.credentials.static import StaticCredentials
from harborsync.gate import open_registry
from harborsync.harbor.api import PAGE_SIZE, HarborApi, Page
from harborsync.provider import OpenContext
from harborsync.secrets import Secret
from harborsync.testing import LoopbackHarbor

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from harborsync.registry import Registry


class Shifting(HarborApi):
    """Lists numbers, newest first, and is changed after each page.

    Args:
        count: How many there are at first.
        changes: How many come, or go if negative, after each page.
        rng: Chooses which go.
    """

    def __init__(self, count: int, changes: list[int], rng: random.Random) -> None:
        self.name = "harbor.example"
        self.items = list(range(count, 0, -1))
        self._changes = changes
        self._rng = rng

    def page(self, path: str, query: Any = None, number: int = 1, **more: Any) -> Page:
        """Return a page, then change."""
        start = (number - 1) * PAGE_SIZE
        items = [{"id": each} for each in self.items[start : start + PAGE_SIZE]]
        found = Page(items=items, total=len(self.items))
        change = self._changes.pop(0) if self._changes else 0
        for _ in range(change):
            self.items.insert(0, max(self.items, default=0) + 1)
        for _ in range(min(-change, len(self.items))):
            self.items.pop(self._rng.randrange(len(self.items)))
        return found


COUNTS = st.integers(0, 450)
RNG = st.randoms(use_true_random=False)


def read(api: Shifting) -> list[int]:
    """Read the list to its end."""
    return [item["id"] for item in api.pages("/x", what="list x")]


@given(COUNTS, st.lists(st.integers(0, 250), max_size=6), RNG)
def test_what_was_there_is_told_once_though_others_come(
    count: int, changes: list[int], rng: random.Random
) -> None:
    """New objects push known ones on, which are then told once all the same."""
    found = read(Shifting(count, changes, rng))
    assert sorted(set(found)) == sorted(found)
    assert set(found) >= set(range(1, count + 1))


@given(COUNTS, st.lists(st.integers(-250, 0), max_size=6), RNG)
def test_what_stays_is_told_once_though_others_go(
    count: int, changes: list[int], rng: random.Random
) -> None:
    """Deleted objects pull unknown ones back, which are not missed."""
    api = Shifting(count, changes, rng)
    found = read(api)
    assert sorted(set(found)) == sorted(found)
    assert set(found) >= set(api.items)


# --- narrowing -------------------------------------------------------------------------------

TAGS = ("1.0", "1.0-rc1", "1.1", "1.1-rc1", "dev", "latest", "nil", "rc", "sha-1")
LABELS = ("release", "tested", "wip")


@pytest.fixture(scope="module")
def web() -> Iterator[Registry]:
    """A Harbor in which every label is on every third artifact."""
    with LoopbackHarbor() as harbor:
        harbor.add_project("app")
        ids = [harbor.add_label(name).id for name in LABELS]
        for number, tag in enumerate(TAGS):
            harbor.push_image("app/web", tag, seed=number // 2)
            harbor.artifact("app/web", tag).label_ids[:] = ids[: number % 4]
        login = Credential(username="admin", secret=Secret("Harbor12345"))
        context = OpenContext(credentials=StaticCredentials({harbor.host: login}))
        registry = open_registry(harbor.endpoint, context)
        yield registry
        registry.close()


HINTS = st.builds(
    Hints,
    tag=st.none() | st.sampled_from([*TAGS, "absent", "a,b"]),
    tag_contains=st.sampled_from(["", "rc", "1.", "e", "nil", ",", "~", "*"]),
    labels=st.frozensets(st.sampled_from([*LABELS, "unknown"]), max_size=2),
)


@given(HINTS)
def test_narrowing_leaves_out_nothing_that_fulfils_the_hints(web: Registry, hints: Hints) -> None:
    """Others may come along; none that may be wanted is lacking."""
    everything = list(web.list_artifacts("app/web"))
    assert len(everything) == len(TAGS)
    narrowing = web.abilities.lists_narrowed
    assert narrowing is not None
    found = {each.tag for each in narrowing.list_matching("app/web", hints)}
    assert found >= {each.tag for each in everything if _fulfils(each, hints)}


def _fulfils(artifact: Any, hints: Hints) -> bool:
    is_tag = hints.tag is None or artifact.tag == hints.tag
    return is_tag and hints.tag_contains in artifact.tag and artifact.labels >= hints.labels
