"""Regular expressions of users end by a verdict or an error, soon."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from harborsync.errors import FilterSyntaxError, InvalidValue, PatternTimeout
from harborsync.filters.patterns import LONGEST, Pattern, compile_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

EVIL = (
    r"(a+)+$",
    r"(a|aa)+$",
    r"(a|a?)+$",
    r"(.*a){20}",
    r"([a-zA-Z]+)*$",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"(a*)*b",
    r"(?:a{1,100}){1,1000}b",
    r"^(a?){50}a{50}$",
)


def test_the_whole_text_must_match() -> None:
    """A beginning or a part is not enough."""
    pattern = compile_pattern(r"v\d+")
    assert pattern.matches("v12")
    assert not pattern.matches("v12-rc")
    assert not pattern.matches("xv12")


def test_the_same_text_is_compiled_once() -> None:
    """Ten thousand tags meet one compiled expression."""
    assert compile_pattern("a+b") is compile_pattern("a+b")


def _ending(evil: str, texts: Iterable[str]) -> str:
    """Match until an error ends it; tell how it ended."""
    pattern = Pattern(evil)
    try:
        found = [pattern.matches(text) for text in texts]
    except PatternTimeout as error:
        return str(error)
    return "matches" if any(found) else "does not match"


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.timeout(30)
def test_no_pattern_hangs_on_one_long_text(evil: str) -> None:
    """It ends by "no match", or by an error that names the pattern."""
    ending = _ending(evil, ["a" * 100_000 + "!"])
    assert ending == "does not match" or f"{evil!r} takes too long" in ending


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.timeout(30)
def test_no_pattern_hangs_on_many_tags(evil: str) -> None:
    """Being just fast enough on each does not add up."""
    ending = _ending(evil, ("a" * 120 + f"-{number:04}!" for number in range(10_000)))
    assert ending == "does not match" or f"{evil!r} takes too long" in ending


def test_slowness_adds_up_to_an_error() -> None:
    """With a tenth of a second each, five matches use up what there is at first."""
    ticks = count()
    pattern = Pattern("a", cpu_seconds=lambda: next(ticks) * 0.09)
    assert all(pattern.matches("a") for _ in range(5))
    with pytest.raises(PatternTimeout, match="'a' takes too long"):
        pattern.matches("a")
    assert pattern.matches("a"), "the next plan starts afresh"


def test_fast_matches_never_add_up() -> None:
    """What is faster than the average allowed can go on for ever."""
    ticks = count()
    pattern = Pattern("a", cpu_seconds=lambda: next(ticks) * 0.00004)
    assert all(pattern.matches("a") for _ in range(50_000))


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("a(b", 3, "missing )"),
        ("a{2,1}", 2, "min repeat greater than max repeat"),
        ("x" * (LONGEST + 1), LONGEST, "too long"),
        ("(" * 400 + ")" * 400, 0, "nested too deeply"),
    ],
)
def test_what_is_no_expression_is_refused(text: str, position: int, message: str) -> None:
    """The fault is shown under the expression, and no other exception gets out."""
    with pytest.raises(FilterSyntaxError) as caught:
        Pattern(text)
    assert message in str(caught.value)
    assert caught.value.position == position


def test_replacing_fills_in_groups() -> None:
    """Every match is replaced."""
    assert compile_pattern(r"(\w+)-(\w+)").replace(r"\2/\1", "a-b c-d") == "b/a d/c"


@pytest.mark.parametrize("replacement", [r"\9", r"\g<x>", "\\"])
def test_a_replacement_that_cannot_be_is_an_error_of_ours(replacement: str) -> None:
    """The message names both sides of the rewrite."""
    with pytest.raises(InvalidValue, match=r"cannot replace what '.*' matches") as caught:
        compile_pattern("(a)").replace(replacement, "a")
    assert "first group" in str(caught.value.hint)
