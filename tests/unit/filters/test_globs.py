"""Globs mean what they mean to Harbor, and no text makes them slow."""

from __future__ import annotations

import random

import pytest

from harborsync.errors import FilterSyntaxError
from harborsync.filters.globs import LONGEST, Glob, compile_glob


@pytest.mark.parametrize(
    ("glob", "fitting", "unfitting"),
    [
        ("abc", ["abc"], ["ab", "abcd", ""]),
        ("a*", ["a", "abc"], ["ba", "a/b"]),
        ("a*b?c*x", ["abxbbxdbxebxczzx"], ["abxbbxdbxebxczzy"]),
        ("a*/b", ["a/b", "abc/b"], ["a/c/b"]),
        ("a?b", ["a-b"], ["ab", "a/b", "a--b"]),
        ("ab[b-d]", ["abc"], ["aba", "abe"]),
        ("ab[^b-d]", ["abe"], ["abc", "ab/"]),
        ("[.-0]", [".", "0"], ["/"]),
        (r"[\]a\-]", ["]", "a", "-"], ["\\", "b"]),
        (r"a\*b", ["a*b"], ["a.b", "ab"]),
        ("**", ["a", "a/b/c"], []),
        ("team/**", ["team/a", "team/a/b"], ["team", "teams/a"]),
        ("**/app", ["app", "x/app", "x/y/app"], ["xapp", "x/apps"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "ab"]),
        ("**/x/**", ["x/a", "a/x/b/c"], ["x", "a/x"]),
        ("a/**/*", ["a/b", "a/b/c"], ["a"]),
        ("ab{c,z}", ["abc", "abz"], ["ab", "abcd"]),
        ("app/{web,api}/**", ["app/web/x", "app/api/x/y"], ["app/db/x"]),
        ("app/{web,api/v1}", ["app/web", "app/api/v1"], ["app/api", "app/web/v1"]),
        ("x{a,{b,c/d}e}", ["xa", "xbe", "xc/de"], ["xb", "xe", "xc/d"]),
        ("{a,b/*}/c", ["a/c", "b/x/c"], ["b/c", "b/x/y/c"]),
        ("x{a*,?b,[0-9]}y", ["xay", "xaaay", "xzby", "x7y"], ["xy", "xa/y"]),
        ("{a,}b", ["ab", "b"], ["aab"]),
        ("a☺?", ["a☺ß"], ["a☺"]),
    ],
)  # fmt: skip
def test_a_glob_matches_whole_texts(glob: str, fitting: list[str], unfitting: list[str]) -> None:
    """These are Harbor's answers (doublestar v1)."""
    compiled = compile_glob(glob)
    assert [text for text in fitting if not compiled.matches(text)] == []
    assert [text for text in unfitting if compiled.matches(text)] == []


@pytest.mark.parametrize("glob", ["abc**", "**abc", "a/b**/c", "***", "{**,a}", "x/{a,**}"])
def test_a_doublestar_that_is_no_whole_part_means_a_star_and_warns(glob: str) -> None:
    """It does not cross a slash, and somebody is told (harbor#11531)."""
    compiled = Glob(glob)
    assert compiled.warnings
    assert "'**' is not a whole path part" in compiled.warnings[0]
    assert not compiled.matches("abc/d/abc")


def test_a_glob_without_a_touching_doublestar_warns_of_nothing() -> None:
    """Whole parts are what they seem."""
    assert Glob("a/**/b*").warnings == ()


@pytest.mark.parametrize(
    ("glob", "position", "expected"),
    [
        ("", 0, "a glob"),
        ("x" * (LONGEST + 1), LONGEST, "at most"),
        ("a}", 1, "before"),
        ("a{b", 3, "'}'"),
        ("a{b,", 4, "'}'"),
        ("a{b{c}", 6, "'}'"),
        ("{" * 11 + "}" * 11, 10, "at most 10"),
        ("a[", 2, "']'"),
        ("a[b", 3, "']'"),
        ("a[]b]", 1, "characters"),
        ("a[!b]", 2, "'^'"),
        ("a[z-a]", 4, "'z' or later"),
        ("a[-b]", 2, "for itself"),
        ("a[b-]", 4, "for itself"),
        ("a[b/c]", 3, "of a path part"),
        (r"a[\/c]", 3, "of a path part"),
        (r"a\/b", 2, "'/' alone"),
        ("a[b-", 4, "the end of the range"),
        ("a\\", 2, "a character"),
        ("a[\\", 3, "a character"),
    ],
)
def test_what_is_no_glob_is_refused_where_it_goes_wrong(
    glob: str, position: int, expected: str
) -> None:
    """The position is that of the first character that does not fit."""
    with pytest.raises(FilterSyntaxError) as caught:
        Glob(glob)
    assert caught.value.position == position
    assert expected in caught.value.expected


@pytest.mark.parametrize(
    ("glob", "literals"),
    [
        ("library/nginx", {"library/nginx"}),
        ("library/{nginx,redis}", {"library/nginx", "library/redis"}),
        ("{a,b}{c,d}", {"ac", "ad", "bc", "bd"}),
        (r"a\*", {"a*"}),
        ("[a]b", {"ab"}),
        ("a*", None),
        ("a?", None),
        ("**/a", None),
        ("[ab]", None),
        ("[^a]", None),
        ("{a,b*}", None),
        ("{a,b}" * 11, None),
    ],
)
def test_a_glob_without_wildcards_lists_what_it_matches(
    glob: str, literals: set[str] | None
) -> None:
    """Where a registry has no catalogue, these are the repositories to look into."""
    assert Glob(glob).literals == literals


@pytest.mark.parametrize(
    "glob", ["*a" * 50 + "b", "**/" * 60 + "b", "{a,b,aa}" * 100 + "*b", "?*" * 200 + "b"]
)
@pytest.mark.timeout(20)
def test_no_text_makes_a_glob_slow(glob: str) -> None:
    """Each character is read once, however the glob is made."""
    compiled, chance = Glob(glob), random.Random(7)
    uniform = "a" * 100_000
    mixed = "".join(chance.choice("ab/.-_0") for _ in range(100_000))
    assert not compiled.matches(uniform + "c")
    assert not compiled.matches(mixed + "c")


def test_transitions_are_forgotten_before_they_are_too_many() -> None:
    """A text of ever new characters does not fill the memory, nor change the verdict."""
    compiled = Glob("*x")
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000)))
    assert compiled.matches(text + "x")
    assert not compiled.matches(text)
    assert len(compiled._machine._transitions) <= 10_000


@pytest.mark.parametrize(
    ("glob", "fragment"),
    [
        ("v1.*", "v1."),
        ("*-rc.?-final", "-final"),
        ("{a,b}*", ""),
        ("**", ""),
        (r"\*x[ab]yz", "*x"),
        ("[v]1?", "v1"),
    ],
)
def test_a_glob_knows_a_text_that_all_it_matches_contain(glob: str, fragment: str) -> None:
    """The longest; the first of equally long ones."""
    assert Glob(glob).fragment == fragment
