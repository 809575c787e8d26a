"""The mark of what is ours."""

from __future__ import annotations

import pytest

from harborsync.errors import InvalidValue
from harborsync.harbor.ownership import check_owner, marked, owner_of, unmarked


@pytest.mark.parametrize("description", ["", "nightly", "a [harborsync x] b", "two\nlines"])
def test_a_mark_is_read_back_and_taken_off(description: str) -> None:
    """Whatever people wrote before it."""
    text = marked(description, owner="team-a")
    assert owner_of(text) == "team-a"
    assert unmarked(text) == description


def test_a_mark_takes_the_place_of_another() -> None:
    """There is one owner."""
    assert marked("x [harborsync a]", owner="b") == "x [harborsync b]"
    assert marked("x [harborsync a]", owner="a") == "x [harborsync a]"


def test_what_only_speaks_of_us_is_not_ours() -> None:
    """The mark stands at the end, and whole."""
    assert owner_of("see [harborsync a] for more") is None
    assert owner_of("[harborsync a b]") is None


@pytest.mark.parametrize("owner", ["", "a b", "a]", "-a", "x" * 65])
def test_a_name_that_could_not_be_read_back_is_refused(owner: str) -> None:
    """It could not stand in a mark."""
    with pytest.raises(InvalidValue, match="no name for an owner"):
        check_owner(owner)
    assert check_owner("team-a_1.x") == "team-a_1.x"
