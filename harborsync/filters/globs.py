r"""Globs as Harbor reads them, in time linear in the text.

===========  ============================================================
``*``        any run of characters within a path part, also none
``**``       any run of path parts, also none; only as a whole part
``?``        one character within a path part
``[a-z_]``   one of these; ``[^a-z]`` one of the others
``{a,b/c}``  one of these, which may hold everything above but ``**``, braces too
``\x``       the character ``x`` itself
===========  ============================================================

That is doublestar v1, which Harbor's replication rules use: ``team/**`` does not match
``team``, and ``**/app`` matches ``app``. A ``**`` that touches other characters means ``*``
there and here (harbor#11531), which is rarely what was meant: :attr:`Glob.warnings` says so.

A glob becomes a machine that is in several states at once and reads each character once, so
that no text of a stranger makes it slow. Its transitions are remembered as they are met.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Final, NoReturn

import attrs

from harborsync.errors import FilterSyntaxError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST: Final = 1000
_DEEPEST: Final = 10
_MOST_LITERALS: Final = 1000
_MOST_TRANSITIONS: Final = 10_000


class Glob:
    """A glob, ready to match; get one from :func:`compile_glob`. Thread-safe.

    Attributes:
        text: The glob as written.
        warnings: What in it does not mean what it seems to, one sentence each.
    """

    def __init__(self, text: str) -> None:
        """Read the glob.

        Raises:
            FilterSyntaxError: The text is no glob.
        """
        reader = _Reader(text)
        self.text = text
        self._items = reader.read()
        self.warnings = tuple(reader.warnings)
        self._machine = _Machine(self._items)

    def matches(self, text: str) -> bool:
        """Tell whether the glob matches the whole of ``text``."""
        return self._machine.accepts(text)

    @property
    def literals(self) -> frozenset[str] | None:
        """The only texts it can match, or None if there are too many to list."""
        found = _literals(self._items)
        return None if found is None else frozenset(found)

    @property
    def fragment(self) -> str:
        """The longest text that whatever it matches is sure to contain; empty for none."""
        runs = "".join(_only(item) or "\0" for item in self._items).split("\0")
        return max(runs, key=len)


@lru_cache(maxsize=1024)
def compile_glob(text: str) -> Glob:
    """Return the glob written as ``text``; the same object for the same text.

    Raises:
        FilterSyntaxError: The text is no glob.
    """
    return Glob(text)


# --- what a glob consists of ---------------------------------------------------------------


@attrs.frozen
class _Chars:
    """One character of some; a slash only where ``slash`` says so."""

    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = False
    slash: bool = False

    def admits(self, char: str) -> bool:
        if char == "/":
            return self.slash
        return any(low <= char <= high for low, high in self.ranges) != self.negated

    @property
    def only(self) -> str | None:
        """The character, if there is but one that fits."""
        if self.negated:
            return None
        if self.slash:
            return "/"
        (low, high), *others = self.ranges
        return low if low == high and not others else None


@attrs.frozen
class _Repeat:
    """Any number of characters."""

    chars: _Chars


@attrs.frozen
class _SkipParts:
    """Any number of path parts, each with its slash."""


@attrs.frozen
class _Choice:
    """One of several sequences."""

    options: tuple[tuple[_Item, ...], ...]


_Item = _Chars | _Repeat | _SkipParts | _Choice

_SLASH: Final = _Chars(slash=True)
_IN_PART: Final = _Chars(negated=True)
_ANY: Final = _Chars(negated=True, slash=True)


def _literals(items: Iterable[_Item]) -> list[str] | None:
    choices = [_literals_of(item) for item in items]
    known = [choice for choice in choices if choice is not None]
    count = 1
    for choice in known:
        count *= len(choice)
    if len(known) < len(choices) or count > _MOST_LITERALS:
        return None
    return ["".join(parts) for parts in product(*known)]


def _literals_of(item: _Item) -> list[str] | None:
    if isinstance(item, _Chars) and item.only is not None:
        return [item.only]
    if not isinstance(item, _Choice):
        return None
    options = [_literals(option) for option in item.options]
    if any(option is None for option in options):
        return None
    return [text for option in options if option is not None for text in option]


def _only(item: _Item) -> str | None:
    return item.only if isinstance(item, _Chars) else None


# --- reading -------------------------------------------------------------------------------


class _Reader:
    """Reads a glob from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self.warnings: list[str] = []

    def read(self) -> tuple[_Item, ...]:
        if not self._text:
            self._refuse("the glob is empty", 0, "a glob; '**' matches every name")
        if len(self._text) > LONGEST:
            self._refuse("the glob is too long", LONGEST, f"at most {LONGEST} characters")
        return tuple(self._items(""))

    def _items(self, stops: str) -> Iterator[_Item]:
        while self._at < len(self._text) and self._text[self._at] not in stops:
            yield self._item(in_braces=bool(stops))

    def _item(self, *, in_braces: bool) -> _Item:
        char = self._text[self._at]
        if char == "*":
            return self._stars(in_braces=in_braces)
        if char == "[":
            return self._class()
        if char == "{":
            return self._choice()
        if char == "}":
            self._refuse("nothing is open that '}' could close", self._at, r"'\}' or '{' before")
        self._at += 1
        if char == "?":
            return _IN_PART
        return _SLASH if char == "/" else self._literal(char)

    def _literal(self, char: str) -> _Chars:
        if char == "\\":
            char = self._take("a character after '\\'")
            if char == "/":
                self._refuse("'/' cannot be escaped", self._at - 1, "'/' alone")
        return _Chars(((char, char),))

    def _stars(self, *, in_braces: bool) -> _Item:
        start = self._at
        self._at += len(self._text) - start - len(self._text[start:].lstrip("*"))
        stars, after = self._at - start, self._text[self._at : self._at + 1]
        if stars == 1:
            return _Repeat(_IN_PART)
        begins_part = start == 0 or self._text[start - 1] == "/"
        if stars > 2 or not begins_part or after not in ("", "/") or in_braces:  # noqa: PLR2004 - "**"
            self.warnings.append(
                f"in the glob {self._text!r}, '**' is not a whole path part and means '*'"
            )
            return _Repeat(_IN_PART)
        self._at += len(after)
        return _SkipParts() if after else _Repeat(_ANY)

    def _class(self) -> _Item:
        start = self._at
        self._at += 1
        negated = self._text[self._at : self._at + 1] == "^"
        self._at += negated
        if self._text[self._at : self._at + 1] == "!":
            self._refuse("'!' negates nothing in a glob", self._at, r"'^', or '\!' for itself")
        ranges = []
        while (char := self._take("']'")) != "]":
            ranges.append(self._range(char))
        if not ranges:
            self._refuse("the brackets are empty", start, "characters between '[' and ']'")
        return _Chars(tuple(ranges), negated=negated)

    def _range(self, char: str) -> tuple[str, str]:
        low = self._class_char(char)
        if self._text[self._at : self._at + 1] != "-":
            return low, low
        self._at += 1
        high = self._class_char(self._take("the end of the range"))
        if high < low:
            self._refuse(f"the range {low}-{high} is empty", self._at - 1, f"{low!r} or later")
        return low, high

    def _class_char(self, char: str) -> str:
        if char in "-]":
            self._refuse(f"{char!r} has a meaning here", self._at - 1, rf"'\{char}' for itself")
        char = self._take("a character after '\\'") if char == "\\" else char
        if char == "/":
            self._refuse("brackets never match '/'", self._at - 1, "characters of a path part")
        return char

    def _choice(self) -> _Item:
        self._depth += 1
        if self._depth > _DEEPEST:
            self._refuse("braces are nested too deep", self._at, f"at most {_DEEPEST} of them")
        options = []
        closed = ","
        while closed == ",":
            self._at += 1
            options.append(tuple(self._items(",}")))
            closed = self._text[self._at : self._at + 1]
        if not closed:
            self._refuse("the brace is never closed", self._at, "'}'")
        self._at += 1
        self._depth -= 1
        return _Choice(tuple(options))

    def _take(self, expected: str) -> str:
        if self._at >= len(self._text):
            self._refuse("the glob ends too early", self._at, expected)
        self._at += 1
        return self._text[self._at - 1]

    def _refuse(self, message: str, position: int, expected: str) -> NoReturn:
        raise FilterSyntaxError(message, text=self._text, position=position, expected=expected)


# --- matching ------------------------------------------------------------------------------


class _Machine:
    """A nondeterministic automaton whose set of states is the bits of one number."""

    def __init__(self, items: tuple[_Item, ...]) -> None:
        self._moves: list[list[tuple[_Chars, int]]] = []
        self._skips: list[list[int]] = []
        start = self._add_state()
        self._end = 1 << self._add_sequence(items, start)
        self._reach = [self._closure(state) for state in range(len(self._skips))]
        self._start = self._reach[start]
        self._transitions: dict[tuple[int, str], int] = {}

    def accepts(self, text: str) -> bool:
        states, known = self._start, self._transitions
        for char in text:
            after = known.get((states, char))
            states = self._step(states, char) if after is None else after
            if not states:
                return False
        return bool(states & self._end)

    def _step(self, states: int, char: str) -> int:
        after = 0
        for state, moves in enumerate(self._moves):
            if states >> state & 1:
                for chars, target in moves:
                    if chars.admits(char):
                        after |= self._reach[target]
        if len(self._transitions) >= _MOST_TRANSITIONS:
            self._transitions.clear()
        self._transitions[states, char] = after
        return after

    def _add_state(self) -> int:
        self._moves.append([])
        self._skips.append([])
        return len(self._moves) - 1

    def _add_sequence(self, items: tuple[_Item, ...], at: int) -> int:
        for item in items:
            at = self._add_item(item, at)
        return at

    def _add_item(self, item: _Item, at: int) -> int:
        """Lead from the state ``at`` through ``item``; return the state behind it."""
        after = self._add_state()
        match item:
            case _Chars():
                self._moves[at].append((item, after))
            case _Repeat(chars):
                self._skips[at].append(after)
                self._moves[after].append((chars, after))
            case _SkipParts():
                inside = self._add_state()
                self._skips[at] += inside, after
                self._moves[inside] += (_ANY, inside), (_SLASH, after)
            case _Choice(options):
                for option in options:
                    begin = self._add_state()
                    self._skips[at].append(begin)
                    self._skips[self._add_sequence(option, begin)].append(after)
        return after

    def _closure(self, state: int) -> int:
        """Return the states that are reached from ``state`` without reading, itself included."""
        reached, todo = 0, [state]
        while todo:
            here = todo.pop()
            if not reached >> here & 1:
                reached |= 1 << here
                todo += self._skips[here]
        return reached
