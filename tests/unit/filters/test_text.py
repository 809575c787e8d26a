"""The language of filters: what it says, and what it answers to what it does not understand."""

from __future__ import annotations

import pytest

from harborsync.errors import FilterSyntaxError
from harborsync.filters import (
    EVERYTHING,
    Filter,
    age,
    annotation,
    digest,
    image_age,
    kind,
    label,
    name,
    platform,
    size,
    tag,
)

DIGEST = "sha256:" + "a" * 64
A, B, C = name.like("a"), tag.like("b"), label.has("c")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("everything", EVERYTHING),
        ("name like 'team-*/**'", name.like("team-*/**")),
        (r"tag matches 'v\d+'", tag.matches(r"v\d+")),
        ('tag like "v*"', tag.like("v*")),
        ("tag is 'it''s'", tag.in_("it's")),
        ('tag is "say ""a"""', tag.in_('say "a"')),
        ("name in ('b', 'a')", name.in_("a", "b")),
        ("tag semver '>=1.4,<2'", tag.semver(">=1.4,<2")),
        ("tag semver '>=1' with prereleases", tag.semver(">=1", prereleases=True)),
        ("age < 30d", age < "30d"),
        ("age<=1h30m", age <= "1h30m"),
        ("image_age > 1d", image_age > "1d"),
        ("size >= 1.5GB", size >= "1.5GB"),
        ("size<500B", size < 500),
        ("label has 'wip'", label.has("wip")),
        ("annotation has 'a.b/c'", annotation.has("a.b/c")),
        ("annotation 'a.b/c' like 'x*'", annotation("a.b/c").like("x*")),
        ("annotation 'k' in ('x', 'y')", annotation("k").in_("x", "y")),
        ("platform has 'linux/arm64'", platform.has("linux/arm64")),
        ("kind is 'chart'", kind.in_("chart")),
        (f"digest is '{DIGEST}'", digest.in_(DIGEST)),
        ("not name like 'a'", ~A),
        ("not not name like 'a'", A),
        ("name like 'a' and tag like 'b' or label has 'c'", (A & B) | C),
        ("name like 'a' or tag like 'b' and label has 'c'", A | (B & C)),
        ("name like 'a' and (tag like 'b' or label has 'c')", A & (B | C)),
        ("not name like 'a' and tag like 'b'", ~A & B),
        ("not (name like 'a' and tag like 'b')", ~(A & B)),
        ("((name like 'a'))", A),
        ("\n  name like 'a'\n  and tag like 'b'\n", A & B),
        (r"nginx:^v\d+.*", name.like("nginx") & tag.matches(r"^v\d+.*")),
        ("nginx:.*", name.like("nginx") & tag.matches(".*")),
        ("library/{a,b}/**:(?:1|2)", name.like("library/{a,b}/**") & tag.matches("(?:1|2)")),
    ],
)
def test_a_text_and_python_make_the_same_filter(text: str, meant: Filter) -> None:
    """Equal in structure, and the canonical text reads back to it, too."""
    assert Filter.parse(text) == meant
    assert Filter.parse(str(meant)) == meant


FIELDS = (
    "a field: 'name', 'tag', 'kind', 'digest', 'label', 'annotation', 'platform', 'age', "
    "'image_age' or 'size'"
)
ON_TEXT = "'like', 'matches', 'is' or 'in'"

# Each with what the message says, the place of the caret, and what was expected there.
FAULTS = {
    "": ("the filter is empty", 0, "'everything', if everything is wanted"),
    "   ": ("the filter is empty", 0, "'everything', if everything is wanted"),
    "names like 'x'": ("there is no field 'names'", 0, "'name', perhaps"),
    "tags like 'x'": ("there is no field 'tags'", 0, "'tag', perhaps"),
    "NAME like 'x'": ("there is no field 'NAME'", 0, "'name', perhaps"),
    "every": ("there is no field 'every'", 0, "'everything', perhaps"),
    "repo like 'x'": ("there is no field 'repo'", 0, FIELDS),
    "'x' like 'y'": ("there is no field \"'x'\"", 0, FIELDS),
    "name": ("'name' is not followed by an operator", 4, ON_TEXT),
    "name 'x'": ("'name' is not followed by an operator", 5, ON_TEXT),
    "name likes 'x'": ("'name' cannot be asked 'likes'", 5, ON_TEXT),
    "name LIKE 'x'": ("'name' cannot be asked 'LIKE'", 5, "'like'"),
    "name not like 'x'": ("'name' cannot be asked 'not'", 5, "'not' before the clause"),
    "name < 3": ("'name' cannot be asked '<'", 5, ON_TEXT),
    "name semver '>1'": ("'name' cannot be asked 'semver'", 5, ON_TEXT),
    "age like '3d'": ("'age' cannot be asked 'like'", 4, "'<', '<=', '>' or '>='"),
    "label is 'x'": ("'label' cannot be asked 'is'", 6, "'has'"),
    "annotation is 'x'": ("'annotation' cannot be asked 'is'", 11, "'has', or a key in quotes"),
    "annotation 'k' has 'x'": ("'annotation' cannot be asked 'has'", 15, ON_TEXT),
    "digest like 'sha*'": ("'digest' cannot be asked 'like'", 7, "'is' or 'in'"),
    "name like": ("a text in quotes is missing", 9, "a glob in quotes, such as 'team-*/**'"),
    "name like team": ("a text in quotes is missing", 10, "a glob in quotes, such as 'team-*/**'"),
    "name like team-*": ("a text in quotes is missing", 10, "a glob in quotes, such as 'team-*/**'"),
    "name like *": ("the character '*' has no meaning here", 10, "quotes around a glob, as in 'team-*/**'"),
    "name like 'x": ("a quote is opened and never closed", 10, "another ' further on"),
    "name like '[z-a]'": ("the range z-a is empty", 14, "'z' or later"),
    "tag like '''[z-a]'": ("the range z-a is empty", 15, "'z' or later"),
    "name like ''": ("the glob is empty", 11, "a glob; '**' matches every name"),
    "tag matches '(a'": ("missing )", 15, "a regular expression"),
    "tag semver '>=1.x'": ("'>=1.x' is no bound of a version range", 12, "one of >= > <= < = and a version, such as >=1.4"),
    "tag semver '>1' with": ("the end does not fit here", 20, "'prereleases'"),
    "tag semver '>1' with love": ("'love' does not fit here", 21, "'prereleases'"),
    "age < 5x": ("'5x' is no span of time", 6, "a span of time, such as 30d or 1h30m"),
    "age < '5d'": ("a quantity is missing", 6, "a span of time, such as 30d or 1h30m"),
    "size < 5": ("'5' is no size", 7, "a size, such as 500MB or 2GiB"),
    "platform has 'amd64'": ("'amd64' is no platform", 13, "a platform in quotes, such as 'linux/amd64'"),
    "platform has 'linux/x86_64'": ("'linux/x86_64' is no platform", 13, "a platform in quotes, such as 'linux/amd64'"),
    "digest is 'sha256:x'": ("'sha256:x' is no digest", 10, "a digest in quotes, such as 'sha256:…'"),
    "name in 'a'": ("\"'a'\" does not fit here", 8, "'(' and texts in quotes"),
    "name in ()": ("a text in quotes is missing", 9, "a text in quotes"),
    "name in ('a' 'b')": ("\"'b'\" does not fit here", 13, "',' or ')'"),
    "name = 'x'": ("the character '=' has no meaning here", 5, "'is' before a text, '<=' or '>=' before a quantity"),
    "name like 'a' && tag like 'b'": ("the character '&' has no meaning here", 14, "'and'"),
    "!name like 'a'": ("the character '!' has no meaning here", 0, "'not' before the clause"),
    "name like 'a' tag like 'b'": ("'tag' does not continue the filter", 14, "'and', 'or' or the end"),
    "name like 'a')": ("')' does not continue the filter", 13, "'and', 'or' or the end"),
    "(name like 'a'": ("the end does not fit here", 14, "'and', 'or' or ')'"),
    "name like 'a' and": ("the filter ends too early", 17, FIELDS),
    "name like 'a' or or tag like 'b'": ("there is no field 'or'", 17, FIELDS),
    "not": ("the filter ends too early", 3, FIELDS),
    "(" * 60: ("the filter is nested too deeply", 50, "at most 50 levels"),
    "nginx:": ("no tag is given", 6, "a regular expression, such as .* for every tag"),
    "nginx:(": ("missing )", 7, "a regular expression"),
    "ngi[nx:.*": ("the glob ends too early", 6, "']'"),
    "name\nlike 'a'\ntag": ("'tag' does not continue the filter", 14, "'and', 'or' or the end"),
    "name liké 'a'": ("the character 'é' has no meaning here", 8, "a field, an operator or a text in quotes"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message", "place", "expected"), [(t, *f) for t, f in FAULTS.items()]
)
def test_what_is_no_filter_is_shown_with_a_caret(
    text: str, message: str, place: int, expected: str
) -> None:
    """The message reads aloud as: what is wrong, where, and what could stand there."""
    with pytest.raises(FilterSyntaxError) as caught:
        Filter.parse(text)
    shown = text.replace("\n", " ")
    assert str(caught.value) == f"{message}\n  {shown}\n  {' ' * place}^ expected {expected}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_there_are_enough_faults_in_the_table() -> None:
    """Forty at the least."""
    assert len(FAULTS) >= 40


def test_a_faulty_glob_in_python_is_shown_by_itself() -> None:
    """The caret stands under the glob, as there is no text around it."""
    with pytest.raises(FilterSyntaxError) as caught:
        name.like("[z-a]")
    assert str(caught.value).splitlines()[1:] == ["  [z-a]", "     ^ expected 'z' or later"]
