"""Tables read well in a terminal and harm nobody."""

from __future__ import annotations

import pytest

from harborsync.tables import html_table, human_bytes, text_table


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "?"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (5 * 2**30, "5.0 GiB"),
        (3000 * 2**40, "3000.0 TiB"),
    ],
)
def test_bytes_are_told_in_the_largest_unit_that_fits(count: int | None, text: str) -> None:
    """Binary units, and a question mark for what nobody knows."""
    assert human_bytes(count) == text


def test_columns_stand_under_each_other() -> None:
    """Every column is as wide as its widest cell, and no line ends in blanks."""
    table = text_table(("a", "long heading"), [("cell", "x"), ("c", "y")])
    assert table.splitlines() == ["a     long heading", "cell  x", "c     y"]


def test_a_long_cell_is_cut_in_its_middle() -> None:
    """Beginning and end tell names apart; the middle seldom does."""
    line = text_table(("name", "size"), [("a" * 50 + "b" * 50, "1")]).splitlines()[1]
    assert line == "a" * 29 + "…" + "b" * 29 + "  1"


def test_the_last_cell_of_a_row_is_as_long_as_it_is() -> None:
    """It tells the reason, and what it says last is mostly what matters."""
    line = text_table(("name", "reason"), [("app", "a" * 200)]).splitlines()[1]
    assert line == "app   " + "a" * 200


def test_nothing_in_a_cell_steers_a_terminal() -> None:
    """Escape sequences and line ends from a registry's texts become blanks (OCI-8.1)."""
    table = text_table(("reason",), [("red \x1b[31m\nnext",)])
    assert table.splitlines()[1] == "red  [31m next"


def test_html_is_escaped() -> None:
    """A registry's text cannot put a script into a notebook."""
    table = html_table("<c>", ("<h>",), [("<script>\x1b",)])
    assert "<script>" not in table
    assert "&lt;script&gt; " in table
    assert "<caption>&lt;c&gt;</caption>" in table
    assert "<th>&lt;h&gt;</th>" in table
