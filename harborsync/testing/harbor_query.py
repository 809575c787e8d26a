"""Harbor's query language and its pages: ``q``, ``sort``, ``page`` and ``page_size``.

By src/lib/q/builder.go.

>>> parse_q("name=~web,id=[3~9]")
{'name': Condition(kind='fuzzy', value='web'), 'id': Condition(kind='range', value=('3', '9'))}
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import unquote_plus

import attrs

from harborsync.testing import harbor_refusals as refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_LARGEST_PAGE: Final = 100
_USUAL_PAGE: Final = 10
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)


@attrs.frozen
class Condition:
    """What ``q`` asks of one field.

    Attributes:
        kind: Equal, containing, between two bounds, one of several, or all of several.
        value: A string, a pair of bounds, or a tuple of strings and numbers.
    """

    kind: Literal["exact", "fuzzy", "range", "any", "all"]
    value: Any

    def holds(self, found: object) -> bool:
        """Tell whether a field's value meets it.

        Raises:
            HarborError: A number is looked for in a text, which the database refuses.
        """
        if self.kind == "fuzzy":
            return str(self.value) in str(found)
        if self.kind == "range":
            return _between(found, *self.value)
        if self.kind == "any":
            _check_types(found, self.value)
            return found in self.value
        return str(found) == str(self.value)


@attrs.frozen
class Page:
    """A part of a list.

    Attributes:
        number: Which one, from 1.
        size: How many entries it has at most; none for all of them.
    """

    number: int
    size: int

    def of(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Return the rows on it."""
        if self.size < 0:
            return rows
        number = max(self.number, 1)
        return rows[(number - 1) * self.size : number * self.size]

    def has_next(self, total: int) -> bool:
        """Tell whether Harbor links to a page after it."""
        return self.number * self.size < total


def parse_q(text: str) -> dict[str, Condition]:
    """Read ``q``, which Harbor unescapes once more than it should (HARBOR-3).

    Raises:
        HarborError: It is malformed.
    """
    found: dict[str, Condition] = {}
    for part in _unescaped(text).split(",") if text else ():
        name, _, value = part.partition("=")
        if not name or not value:
            refuse.bad_request(
                'the query string must contain "=" and the key/value cannot be empty'
            )
        condition = _condition(value)
        if condition is None:
            refuse.bad_request(f"invalid query string value: {value}")
        found[name] = condition
    return found


def parse_page(query: Mapping[str, str]) -> Page:
    """Read ``page`` and ``page_size``; zero acts as the usual value (HARBOR-3).

    Raises:
        HarborError: They are no numbers, or the size is above 100.
    """
    size = _number(query, "page_size", _USUAL_PAGE)
    if size > _LARGEST_PAGE:
        refuse.unprocessable("page_size in query should be less than or equal to 100")
    return Page(_number(query, "page", 1), size or _USUAL_PAGE)


def select(
    rows: Iterable[Any],
    conditions: Mapping[str, Condition],
    fields: Mapping[str, Callable[..., Any]],
) -> list[Any]:
    """Return the rows that meet all conditions; a condition on no known field is ignored."""
    known = [(fields[name], each) for name, each in conditions.items() if name in fields]
    return [row for row in rows if all(each.holds(field(row)) for field, each in known)]


def arrange(
    rows: list[Any], sort: str, fields: Mapping[str, Callable[..., Any]], default: str
) -> list[Any]:
    """Return the rows in the order of ``sort``; what is no known field is ignored (HARBOR-3).

    Args:
        rows: The rows.
        sort: Names of fields, a ``-`` before those whose largest value comes first.
        fields: The known fields.
        default: The order if ``sort`` names no field; if empty, as they are.
    """
    keys = [key for key in sort.split(",") if key.lstrip("-") in fields]
    for key in reversed(keys or [each for each in [default] if each]):
        rows = sorted(rows, key=fields[key.lstrip("-")], reverse=key.startswith("-"))
    return rows


def parse_time(text: str) -> datetime | None:
    """Read a time of a range, which has no zone, or return None."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None


def _unescaped(text: str) -> str:
    return text if _BAD_ESCAPE.search(text) else unquote_plus(text)


def _condition(value: str) -> Condition | None:
    """Return what a value asks, by its first character, or None if it is malformed."""
    if value[0] == "~":
        return Condition("fuzzy", value[1:]) if value[1:] else None
    if value[0] == "[":
        return _range(value)
    if value[0] == "{":
        return Condition("any", _items(value)) if value[-1] == "}" else None
    if value[0] == "(":
        return Condition("all", _items(value)) if value[-1] == ")" else None
    return Condition("exact", value.removeprefix("\\"))


def _range(value: str) -> Condition | None:
    low, tilde, high = (part.strip() for part in value[1:-1].partition("~"))
    good = value[-1] == "]" and value.count("~") == 1 and (low or high)
    return Condition("range", (low, high)) if good and tilde else None


def _items(value: str) -> tuple[str | int, ...]:
    items = (_item(part.strip()) for part in value[1:-1].split(" "))
    return tuple(item for item in items if item != "")


def _item(text: str) -> str | int:
    return int(text) if _INTEGER.fullmatch(text) else text.strip("\"'")


def _check_types(found: object, items: tuple[str | int, ...]) -> None:
    if isinstance(found, str) and any(isinstance(item, int) for item in items):
        refuse.internal()


def _between(found: object, low: str, high: str) -> bool:
    """Tell whether a value is in a range; a bound that cannot be read is none (HARBOR-3)."""
    floor, ceiling = _bound(found, low), _bound(found, high)
    value: Any = found
    return (floor is None or value >= floor) and (ceiling is None or value <= ceiling)


def _bound(found: object, text: str) -> Any:
    if isinstance(found, datetime):
        return parse_time(text)
    if isinstance(found, int):
        return int(text) if text.isdecimal() else None
    return text or None


def _number(query: Mapping[str, str], name: str, usual: int) -> int:
    text = query.get(name, str(usual))
    try:
        return int(text)
    except ValueError:
        refuse.unprocessable(f"{name} in query must be of type int64: {text!r}")
