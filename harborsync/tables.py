"""Tables for people: in a terminal, and in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024
_WIDEST: Final = 60


def human_bytes(count: int | None) -> str:
    """Return a number of bytes for people, ``?`` if it is not known.

    Example:
        >>> human_bytes(3 * 2**20)
        '3.0 MiB'
    """
    if count is None:
        return "?"
    amount, unit = float(count), 0
    while amount >= _STEP and unit < len(_UNITS) - 1:
        amount, unit = amount / _STEP, unit + 1
    return f"{amount:.1f} {_UNITS[unit]}" if unit else f"{count} B"


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows in columns, long cells but the last of a row cut in the middle."""
    cells = [list(headings), *(_fitted(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
    return "\n".join(lines)


def _fitted(row: Sequence[str]) -> list[str]:
    """Return cells of one line; the last has nothing beside it, and may be as long as it is."""
    *others, last = map(one_line, row)
    return [*map(shortened, others), last]


def html_table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the same as an HTML table, everything escaped."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(one_line(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def one_line(text: str) -> str:
    """Return ``text`` on one line, without characters that steer a terminal (OCI-8.1)."""
    return "".join(char if char.isprintable() else " " for char in text)


def shortened(text: str) -> str:
    """Return ``text``, cut in the middle if it is long."""
    half = (_WIDEST - 1) // 2
    return text if len(text) <= _WIDEST else f"{text[:half]}…{text[-half:]}"
