"""What of a filter a Harbor can say, and why the rest not."""

from __future__ import annotations

import pytest

from harborsync.filters import Filter
from harborsync.harbor.clauses import LabelFilter, Said, TagFilter, join_globs, say
from harborsync.harbor.gaps import Effect


def said(text: str) -> Said:
    """Say a filter that is written as text."""
    return say(Filter.parse(text))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("everything", Said()),
        ("name like 'team/**'", Said(name="team/**")),
        ("name is 'team/app'", Said(name="team/app")),
        ("name in ('a/x', 'a/y')", Said(name="a/{x,y}")),
        ("name in ('a/x', 'a/y', 'b/x', 'b/y')", Said(name="{a,b}/{x,y}")),
        ("name like 'a/*' and name like 'a/*'", Said(name="a/*")),
        ("tag like 'v*'", Said(tags=(TagFilter(glob="v*"),))),
        ("not tag like '*-rc*'", Said(tags=(TagFilter(glob="*-rc*", excludes=True),))),
        ("tag like 'v*' or tag is 'latest'", Said(tags=(TagFilter(glob="{v*,latest}"),))),
        (
            "not (tag like 'a*' or tag is 'b')",
            Said(tags=(TagFilter(glob="a*", excludes=True), TagFilter(glob="b", excludes=True))),
        ),
        (
            "label has 'a' and label has 'b'",
            Said(labels=(LabelFilter(labels=("a", "b")),)),
        ),
        (
            "not (label has 'a' and label has 'b')",
            Said(labels=(LabelFilter(labels=("a", "b"), excludes=True),)),
        ),
        (
            "label has 'a' and not label has 'b'",
            Said(labels=(LabelFilter(labels=("a",)), LabelFilter(labels=("b",), excludes=True))),
        ),
        (r"tag is 'a*b'", Said(tags=(TagFilter(glob=r"a\*b"),))),
    ],
)
def test_what_both_can_say_is_said_as_it_is(text: str, wanted: Said) -> None:
    """Without a gap."""
    assert said(text) == wanted


@pytest.mark.parametrize(
    ("text", "why", "advice"),
    [
        ("tag matches 'v.*'", "not regular expressions", "tag like 'v[0-9]*'"),
        ("annotation 'x' matches 'v.*'", "not regular expressions", "run this rule"),
        ("tag semver '>=1'", "no order of versions", "tag like '1.*'"),
        ("age < 30d", "no age", "run this rule"),
        ("image_age < 30d", "no age", "run this rule"),
        ("size < 2GB", "no size", "run this rule"),
        ("kind is 'image'", "applied to nothing", "run this rule"),
        ("annotation has 'x'", "no annotations", "run this rule"),
        ("platform has 'linux/amd64'", "every platform", "run this rule"),
        (f"digest is 'sha256:{'a' * 64}'", "not by digest", "run this rule"),
        ("not name like 'team/**'", "but no repositories", "one glob"),
        ("name like 'a/**' and name like '**/b'", "one glob on the name", "one glob"),
        ("name like 'a/*' or tag like 'b'", "across fields", "for each alternative"),
        ("label has 'a' or label has 'b'", "across fields", "for each alternative"),
        ("name in ('a/x', 'b/y')", "several path parts", "for each namespace"),
        ("name like 'a/**' or name like 'b/*'", "across fields or path parts", "alternative"),
        ("not (tag like 'a*' and age < 3d)", "across fields", "run this rule"),
        ("not everything", "no 'or'", "run this rule"),
    ],
)
def test_what_cannot_be_said_is_told_with_why_and_what_to_do(
    text: str, why: str, advice: str
) -> None:
    """And left out, so that more is copied."""
    found = said(text)
    (gap,) = found.gaps
    assert why in gap.why
    assert advice in gap.advice
    assert gap.effect is Effect.MORE
    assert gap.what in text


def test_every_part_that_cannot_be_said_is_told_by_itself() -> None:
    """What can be said besides is said."""
    found = said("name like 'team/**' and age < 30d and tag matches 'v.*' and size < 1GB")
    assert found.name == "team/**"
    assert [gap.what for gap in found.gaps] == ["age < 30d", "tag matches 'v.*'", "size < 1GB"]


@pytest.mark.parametrize(
    ("globs", "joined"),
    [
        (["a"], "a"),
        (["a", "a"], "a"),
        (["a", "b"], "{a,b}"),
        (["x/a", "x/b"], "x/{a,b}"),
        (["x/a", "y/b"], None),
        (["x/a", "x"], None),
        (["x/**", "x/a"], None),
        (["{a,b}", "c"], None),
    ],
)
def test_globs_are_joined_where_braces_can_do_it(globs: list[str], joined: str | None) -> None:
    """A brace stays within one path part and holds no other."""
    assert join_globs(globs) == joined
