"""Harbor's query language and its pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from harborsync.testing.harbor_query import (
    Condition,
    Page,
    arrange,
    parse_page,
    parse_q,
    parse_time,
    select,
)
from harborsync.testing.harbor_wire import HarborError

_FIELDS: Final = {"name": lambda row: row["name"], "id": lambda row: row["id"]}
_ROWS: Final = [{"name": "web", "id": 1}, {"name": "api", "id": 2}, {"name": "web-ui", "id": 3}]


def _status(raised: pytest.ExceptionInfo[HarborError]) -> int:
    return raised.value.response.status


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("web", Condition("exact", "web")),
        ("~web", Condition("fuzzy", "web")),
        (r"\~web", Condition("exact", "~web")),
        (r"\{a b}", Condition("exact", "{a b}")),
        (r"\\a", Condition("exact", r"\a")),
        (r"\a", Condition("exact", "a")),
        ("[1~5]", Condition("range", ("1", "5"))),
        ("[~5]", Condition("range", ("", "5"))),
        ("{a b}", Condition("any", ("a", "b"))),
        ("(3 7)", Condition("all", (3, 7))),
        ("{'123' \"lib\"}", Condition("any", ("123", "lib"))),
        ("{123 lib}", Condition("any", (123, "lib"))),
        ("{a  -5 ''}", Condition("any", ("a", -5))),
        (" a", Condition("exact", " a")),
        ("100%", Condition("exact", "100%")),
    ],
)
def test_a_value_says_what_is_asked(text: str, condition: Condition) -> None:
    """Its first character tells the kind; a backslash takes that away."""
    assert parse_q(f"k={text}") == {"k": condition}


def test_several_keys_are_split_by_commas() -> None:
    """The value ends at the comma and begins at the first equals sign."""
    assert parse_q("a=1,b=x=y") == {
        "a": Condition("exact", "1"),
        "b": Condition("exact", "x=y"),
    }
    assert parse_q("") == {}


@pytest.mark.parametrize(
    "text",
    ["tags", "tags=", "=1", "a=1,", "a=~", "a=[1]", "a=[~]", "a=[1~2~3]", "a=[1~2", "a={b", "a=(b"],
)
def test_a_malformed_query_is_refused(text: str) -> None:
    """A key and a value are both wanted, and a range has two ends."""
    with pytest.raises(HarborError) as raised:
        parse_q(text)
    assert _status(raised) == 400


def test_a_query_is_unescaped_once_more() -> None:
    """So a plus sign that was encoded once is a blank by then (HARBOR-3)."""
    assert parse_q("t=a+b")["t"].value == "a b"
    assert parse_q("t=a%2Bb")["t"].value == "a+b"


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        (Condition("exact", "3"), 3, True),
        (Condition("exact", "web"), "web-ui", False),
        (Condition("fuzzy", "eb"), "web", True),
        (Condition("any", ("a", "b")), "b", True),
        (Condition("any", (1, 2)), 2, True),
        (Condition("range", ("2", "3")), 3, True),
        (Condition("range", ("2", "3")), 4, False),
        (Condition("range", ("x", "3")), 1, True),
        (Condition("range", ("b", "")), "a", False),
        (Condition("range", ("", "")), "a", True),
    ],
)
def test_a_condition_holds_or_not(condition: Condition, value: Any, holds: bool) -> None:
    """Numbers are compared as numbers and texts as texts."""
    assert condition.holds(value) is holds


def test_a_time_is_compared_with_times() -> None:
    """What cannot be read as one is no bound at all (HARBOR-3)."""
    when = datetime(2026, 1, 1, tzinfo=UTC)
    assert Condition("range", ("2025-01-01T00:00:00", "")).holds(when)
    assert not Condition("range", ("", "2025-01-01T00:00:00")).holds(when)
    assert Condition("range", ("yesterday", "")).holds(when)
    assert parse_time("yesterday") is None


def test_a_number_among_names_breaks_the_database() -> None:
    """An unquoted number in a list of names is a blank 500 (HARBOR-3)."""
    with pytest.raises(HarborError) as raised:
        select(_ROWS, parse_q("name={123 app}"), _FIELDS)
    assert _status(raised) == 500


def test_rows_are_selected_by_what_is_known() -> None:
    """A key that is no field is ignored in silence (HARBOR-3)."""
    assert [row["id"] for row in select(_ROWS, parse_q("name=~web,nope=1"), _FIELDS)] == [1, 3]


@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        ("", [3, 2, 1]),
        ("id", [1, 2, 3]),
        ("name", [2, 1, 3]),
        ("-name", [3, 1, 2]),
        ("nope", [3, 2, 1]),
        ("nope,id", [1, 2, 3]),
    ],
)
def test_rows_come_in_the_order_asked_for(sort: str, ids: list[int]) -> None:
    """Newest first unless another field is named (HARBOR-3)."""
    assert [row["id"] for row in arrange(_ROWS, sort, _FIELDS, "-id")] == ids


def test_a_list_can_have_no_order() -> None:
    """Then rows come as they are."""
    assert arrange(_ROWS, "", _FIELDS, "") == _ROWS


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ({}, Page(1, 10)),
        ({"page": "2", "page_size": "100"}, Page(2, 100)),
        ({"page": "0", "page_size": "0"}, Page(0, 10)),
        ({"page_size": "-1"}, Page(1, -1)),
    ],
)
def test_a_page_is_read(query: dict[str, str], page: Page) -> None:
    """Ten entries unless told; zero is as good as nothing."""
    assert parse_page(query) == page


@pytest.mark.parametrize("query", [{"page_size": "101"}, {"page": "x"}])
def test_a_page_that_cannot_be_is_refused(query: dict[str, str]) -> None:
    """The API's description says at most 100, and a number."""
    with pytest.raises(HarborError) as raised:
        parse_page(query)
    assert _status(raised) == 422


def test_a_page_is_a_part_of_the_rows() -> None:
    """The last may be short, one past it is empty, and -1 is everything."""
    rows = list(range(5))
    assert Page(2, 2).of(rows) == [2, 3]
    assert Page(3, 2).of(rows) == [4]
    assert Page(4, 2).of(rows) == []
    assert Page(0, 2).of(rows) == [0, 1]
    assert Page(1, -1).of(rows) == rows


@pytest.mark.parametrize(("page", "expected"), [(Page(1, 2), True), (Page(3, 2), False)])
def test_a_page_knows_of_the_next(page: Page, expected: bool) -> None:
    """There is one while rows are left."""
    assert page.has_next(5) is expected
