"""Fast matchers agree with slow and obvious ones."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

from hypothesis import given, reject
from hypothesis import strategies as st

from harborsync.errors import FilterSyntaxError
from harborsync.filters.globs import Glob
from harborsync.filters.patterns import Pattern

if TYPE_CHECKING:
    from collections.abc import Callable

TEXTS = st.text("aab-/", max_size=8)
PIECES = st.sampled_from(
    ["a", "b", "-", "/", "*", "**", "?", "[ab]", "[^a]", "[+-0]", "{a,b-}", "{a,*b}", "{,[^b]}", "{a/b,*}", "{a{b,/*},-}", r"\a", r"\*"]
)  # fmt: skip
GLOBS = st.lists(PIECES, min_size=1, max_size=7).map("".join) | st.text("ab*?{},/\\", max_size=7)
TOKEN = re.compile(r"\\.|\[[^\]]*\]|.", re.DOTALL)


# Where a brace was: it keeps two stars from being a whole part.
BRACE = ""


def _slow_glob(glob: str, text: str) -> bool:
    """Match what braces stand for, each part by part, trying everything."""
    return any(
        _slow_parts(_split(tokens, "/"), text.split("/"))
        for tokens in _without_braces(TOKEN.findall(glob))
    )


def _without_braces(tokens: list[str]) -> list[list[str]]:
    if "}" not in tokens:
        return [tokens]
    closed = tokens.index("}")
    opened = closed - 1 - tokens[:closed][::-1].index("{")
    before, after = [*tokens[:opened], BRACE], [BRACE, *tokens[closed + 1 :]]
    options = _split(tokens[opened + 1 : closed], ",")
    return [found for option in options for found in _without_braces(before + option + after)]


def _slow_parts(globs: list[list[str]], texts: list[str]) -> bool:
    if not globs:
        return not texts
    if globs[0] == ["*", "*"]:
        if len(globs) == 1:
            return bool(texts)
        return any(_slow_parts(globs[1:], texts[skipped:]) for skipped in range(len(texts)))
    fits = bool(texts) and _slow_part(globs[0], texts[0])
    return fits and _slow_parts(globs[1:], texts[1:])


def _slow_part(tokens: list[str], text: str) -> bool:
    if not tokens:
        return not text
    first, *rest = tokens
    if first == BRACE:
        return _slow_part(rest, text)
    if first == "*":
        return any(_slow_part(rest, text[skipped:]) for skipped in range(len(text) + 1))
    return bool(text) and _slow_char(first, text[0]) and _slow_part(rest, text[1:])


def _split(tokens: list[str], at: str) -> list[list[str]]:
    options: list[list[str]] = [[]]
    for token in tokens:
        if token == at:
            options.append([])
        else:
            options[-1].append(token)
    return options


def _slow_char(token: str, char: str) -> bool:
    if len(token) == 1:
        return token in ("?", char)
    return re.fullmatch(token, char) is not None if token[0] == "[" else token[1] == char


@given(GLOBS, TEXTS)
def test_globs_agree_with_a_slow_matcher(glob: str, text: str) -> None:
    """What splits at slashes and tries everything comes to the same verdict."""
    try:
        compiled = Glob(glob)
    except FilterSyntaxError:
        reject()
    assert compiled.matches(text) is _slow_glob(glob, text)


@given(
    st.lists(st.sampled_from(["a", "b", "/", "{a,b}", "{,ab}", "[a]"]), min_size=1, max_size=4).map(
        "".join
    )
)
def test_the_literals_of_a_glob_are_all_that_it_matches(glob: str) -> None:
    """Among all short texts."""
    compiled = Glob(glob)
    texts = {"".join(chars) for length in range(6) for chars in product("ab/", repeat=length)}
    assert compiled.literals is not None
    assert {text for text in texts if compiled.matches(text)} == compiled.literals & texts


# --- regular expressions: a text, and a function from a place to the places behind a match ---

Step = tuple[str, "Callable[[str, int], set[int]]"]


def _char(char: str) -> Step:
    return char, lambda text, at: {at + 1} if text[at : at + 1] == char else set()


def _dot() -> Step:
    return ".", lambda text, at: {at + 1} if at < len(text) else set()


def _then(one: Step, other: Step) -> Step:
    return one[0] + other[0], lambda text, at: {
        end for middle in one[1](text, at) for end in other[1](text, middle)
    }


def _either(one: Step, other: Step) -> Step:
    return f"(?:{one[0]}|{other[0]})", lambda text, at: one[1](text, at) | other[1](text, at)


def _often(one: Step) -> Step:
    def ends(text: str, at: int) -> set[int]:
        found, new = {at}, {at}
        while new:
            new = {end for place in new for end in one[1](text, place)} - found
            found |= new
        return found

    return f"(?:{one[0]})*", ends


STEPS: st.SearchStrategy[Step] = st.recursive(
    st.sampled_from("ab-").map(_char) | st.builds(_dot),
    lambda steps: st.one_of(
        st.builds(_then, steps, steps), st.builds(_either, steps, steps), st.builds(_often, steps)
    ),
    max_leaves=6,
)


@given(STEPS, st.text("ab-", max_size=8))
def test_regular_expressions_agree_with_a_slow_matcher(step: Step, text: str) -> None:
    """What follows all ways at once comes to the same verdict, on the whole text."""
    pattern, ends = step
    assert Pattern(pattern).matches(text) is (len(text) in ends(text, 0))
