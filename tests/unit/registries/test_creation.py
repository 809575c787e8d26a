"""Repositories are made when the options say so, and each is looked at once."""

from __future__ import annotations

import threading

import pytest

from harborsync.endpoint import Endpoint
from harborsync.errors import Denied, InvalidValue
from harborsync.registries.creation import Create, Creation, RepositoryMaker


class Maker:
    """Keeps what it was asked to make."""

    def __init__(self, *, there: frozenset[str] = frozenset()) -> None:
        self.there = there
        self.asked: list[str] = []

    def __call__(self, repository: str) -> bool:
        """Make it, unless it is there."""
        self.asked.append(repository)
        return repository not in self.there


@pytest.mark.parametrize(
    ("options", "creation"),
    [
        ("", Creation()),
        ("?create=auto&public=no", Creation()),
        ("?create=always", Creation(create=Create.ALWAYS)),
        ("?create=never", Creation(create=Create.NEVER)),
        ("?public=yes", Creation(public=True)),
    ],
)
def test_the_options_say_when_and_for_whom(options: str, creation: Creation) -> None:
    """Without them what is lacking is made, for its owner only."""
    assert Creation.of(Endpoint.parse(f"registry.example{options}")) == creation


@pytest.mark.parametrize(
    ("options", "hint"), [("create=yes", "auto, always, never"), ("public=true", "yes or no")]
)
def test_other_words_are_refused(options: str, hint: str) -> None:
    """With those that there are."""
    with pytest.raises(InvalidValue) as caught:
        Creation.of(Endpoint.parse(f"registry.example?{options}"))
    assert hint in str(caught.value.hint)


def test_a_repository_is_made_once() -> None:
    """However many artifacts go there."""
    make = Maker()
    maker = RepositoryMaker(Create.ALWAYS, make)
    assert [maker.ensure_repository("a") for _ in range(3)] == [True, False, False]
    assert make.asked == ["a"]


def test_one_that_is_there_was_not_made_now() -> None:
    """Others may have made it meanwhile."""
    maker = RepositoryMaker(Create.ALWAYS, Maker(there=frozenset({"a"})))
    assert not maker.ensure_repository("a")


def test_one_that_was_listed_is_not_asked_for() -> None:
    """The listing has told already."""
    make = Maker()
    maker = RepositoryMaker(Create.ALWAYS, make)
    maker.note("a")
    assert not maker.ensure_repository("a")
    assert make.asked == []


def test_several_may_lie_in_one_that_is_made() -> None:
    """It is made by the name of the first that needs it."""
    make = Maker()
    maker = RepositoryMaker(Create.ALWAYS, make, unit=lambda name: name.partition("/")[0])
    assert [maker.ensure_repository(name) for name in ("p/a", "p/b", "q/a")] == [True, False, True]
    maker.note("r/a")
    assert not maker.ensure_repository("r/b")
    maker.note_lacking("p/b")
    assert maker.ensure_repository("p/a")
    assert make.asked == ["p/a", "q/a", "p/a"]


def test_one_that_is_gone_again_is_made_again() -> None:
    """A process may run for weeks, and a listing tells."""
    make = Maker()
    maker = RepositoryMaker(Create.ALWAYS, make)
    maker.ensure_repository("a")
    maker.note_lacking("a")
    assert maker.ensure_repository("a")
    assert make.asked == ["a", "a"]


def test_never_is_never() -> None:
    """An administrator makes them, or a template."""
    make = Maker()
    assert not RepositoryMaker(Create.NEVER, make).ensure_repository("a")
    assert make.asked == []


@pytest.mark.parametrize(("create", "made"), [(Create.AUTO, ["lacking"]), (Create.ALWAYS, None)])
def test_what_the_first_push_makes_is_left_to_it(create: Create, made: list[str] | None) -> None:
    """So that the registry's own templates apply; unless the options want ours."""
    make = Maker()
    maker = RepositoryMaker(create, make, lambda name: name == "templated")
    maker.ensure_repository("templated")
    maker.ensure_repository("lacking")
    assert make.asked == (made or ["templated", "lacking"])


def test_one_that_cannot_be_made_is_tried_again_by_the_next() -> None:
    """The error is everybody's who needs it."""

    def refuse(repository: str) -> bool:
        msg = "no"
        raise Denied(msg)

    maker = RepositoryMaker(Create.ALWAYS, refuse)
    for _ in range(2):
        with pytest.raises(Denied):
            maker.ensure_repository("a")


def test_many_threads_make_it_once() -> None:
    """All of them may write afterwards."""
    make, results = Maker(), []
    maker = RepositoryMaker(Create.ALWAYS, make)

    def work() -> None:
        results.append(maker.ensure_repository("a"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert make.asked == ["a"]
    assert sorted(results) == [False] * 7 + [True]
