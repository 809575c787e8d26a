"""Filters decide with the facts there are, and say what else they need and why they decided."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harborsync.artifact import NOT_FETCHED, UNAVAILABLE, Artifact, Hints
from harborsync.content import Platform
from harborsync.errors import ConfigurationError, MissingFact, PatternTimeout
from harborsync.filters import (
    EVERYTHING,
    Filter,
    age,
    annotation,
    image_age,
    kind,
    label,
    name,
    platform,
    size,
    tag,
)
from harborsync.reference import Tag

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WANTED = name.like("team-*/**") & tag.matches(r"v\d+\.\d+\.\d+") & (age < "30d") & ~label.has("wip")


def _artifact(repository: str = "team-a/app", tag: str | None = "v1.2.3", **facts: Any) -> Artifact:
    return Artifact(repository=repository, tag=None if tag is None else Tag(tag), **facts)


FRESH = _artifact(pushed_at=NOW - timedelta(days=2), labels=frozenset[str]())


# --- verdicts ------------------------------------------------------------------------------


def test_an_artifact_that_meets_all_clauses_is_wanted() -> None:
    """Name, tag, age and labels are known and fit."""
    assert WANTED.test(FRESH, now=NOW) is True


@pytest.mark.parametrize(
    "facts",
    [
        _artifact(repository="other/app"),
        _artifact(tag="latest"),
        _artifact(tag=None),
        _artifact(pushed_at=NOW - timedelta(days=31)),
        _artifact(labels=frozenset({"wip"})),
    ],
    ids=str,
)
def test_one_clause_that_fails_rejects_without_the_other_facts(facts: Artifact) -> None:
    """Nothing is fetched for what is rejected already."""
    assert WANTED.test(facts, now=NOW) is False
    assert WANTED.needs(facts, now=NOW) == frozenset()


def test_what_hangs_on_facts_not_fetched_is_not_decided() -> None:
    """The facts that could still decide are named, the known ones are not."""
    facts = _artifact(pushed_at=NOW)
    assert WANTED.test(facts, now=NOW) is None
    assert WANTED.needs(facts, now=NOW) == {"labels"}
    assert WANTED.needs(_artifact(), now=NOW) == {"labels", "pushed_at"}


def test_needs_can_be_asked_without_a_time() -> None:
    """Clauses on ages stay open then, so that rather too much is fetched."""
    facts = _artifact(pushed_at=NOW - timedelta(days=99))
    assert WANTED.needs(facts) == {"labels"}
    assert WANTED.needs(facts, now=NOW) == frozenset()


def test_one_clause_that_holds_is_enough_for_or() -> None:
    """What the others need is not fetched."""
    either = tag.like("v1*") | label.has("keep")
    assert either.test(_artifact(), now=NOW) is True
    assert either.test(_artifact(tag="x"), now=NOW) is None
    assert either.needs(_artifact(tag="x")) == {"labels"}


def test_an_untagged_artifact_is_what_like_any_does_not_want() -> None:
    """It has no tag, so that no condition on the tag is met."""
    assert (~tag.like("*")).test(_artifact(tag=None), now=NOW) is True


def test_an_absent_time_meets_no_age() -> None:
    """The image does not say when it was made, which is known."""
    facts = _artifact(created_at=None)
    assert (image_age < "1d").test(facts, now=NOW) is False
    assert (image_age >= "1d").test(facts, now=NOW) is False


# --- facts not to be had -------------------------------------------------------------------


def test_a_verdict_that_hangs_on_an_unavailable_fact_fails() -> None:
    """The error names the artifact, the clause, the fact and the way out."""
    facts = _artifact(pushed_at=UNAVAILABLE, labels=frozenset[str]())
    with pytest.raises(MissingFact) as caught:
        WANTED.test(facts, now=NOW)
    error = caught.value
    assert isinstance(error, ConfigurationError)
    assert (error.artifact, error.clause, error.fact) == (
        "team-a/app:v1.2.3", "age < 30d", "pushed_at",
    )  # fmt: skip
    assert "'age < 30d' needs pushed_at" in str(error)
    assert "missing='exclude'" in str(error.hint)
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


def test_by_choice_an_unavailable_fact_excludes_or_includes() -> None:
    """The artifact as a whole, on whichever side of a "not" the clause stands."""
    facts = _artifact(labels=UNAVAILABLE)
    for wanted in (label.has("wip"), ~label.has("wip")):
        assert wanted.test(facts, now=NOW, missing="exclude") is False
        assert wanted.test(facts, now=NOW, missing="include") is True


def test_an_unavailable_fact_does_not_matter_where_another_decides() -> None:
    """Known facts decide alone."""
    facts = _artifact(tag="x", labels=UNAVAILABLE)
    assert (tag.like("v*") & label.has("wip")).test(facts, now=NOW) is False
    assert (tag.like("x") | label.has("wip")).test(facts, now=NOW) is True


def test_what_can_be_fetched_goes_before_what_cannot_be_had() -> None:
    """The fetched fact may decide alone; only then is the other missed."""
    both = label.has("wip") & (size < "1GB") & kind.in_("image")
    facts = _artifact(labels=UNAVAILABLE)
    assert both.test(facts, now=NOW) is None
    assert both.needs(facts) == {"size", "kind"}
    assert both.test(_artifact(labels=UNAVAILABLE, size=2 * 10**9), now=NOW) is False
    with pytest.raises(MissingFact):
        both.test(_artifact(labels=UNAVAILABLE, size=1, kind="image"), now=NOW)


def test_a_pattern_that_takes_too_long_is_an_error() -> None:
    """It is not taken for a tag that does not match."""
    slow = annotation("k").matches(r"(a|aa)+$")
    facts = _artifact(annotations=(("k", "a" * 5000 + "!"),))
    with pytest.raises(PatternTimeout):
        slow.test(facts, now=NOW)


# --- repositories --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "name_", "may"),
    [
        (WANTED, "team-a/app", True),
        (WANTED, "other/app", False),
        (tag.like("v*"), "anything", True),
        (~tag.like("v*"), "anything", True),
        (name.like("a") | tag.like("v*"), "b", True),
        (name.like("a") | (name.like("b") & tag.like("v*")), "c", False),
        (~name.like("a"), "a", False),
        (~EVERYTHING, "a", False),
        (age < "1d", "a", True),
        (annotation.has("x") & (size < 1) & kind.like("*") & platform.has("a/b"), "a", True),
    ],
    ids=str,
)
def test_a_repository_is_passed_over_only_if_its_name_forbids(
    wanted: Filter, name_: str, may: bool
) -> None:
    """Tags and other facts are not known before its tags are listed."""
    assert wanted.may_match_repository(name_) is may


@pytest.mark.parametrize(
    ("wanted", "repositories"),
    [
        (Filter.parse("library/nginx:.*"), {"library/nginx"}),
        (name.in_("a", "b") & tag.like("v*"), {"a", "b"}),
        (name.in_("a", "b") & name.like("b*"), {"b"}),
        (name.in_("a", "b") & ~name.in_("b"), {"a"}),
        (name.like("x/{a,b}") | name.in_("c"), {"x/a", "x/b", "c"}),
        (~(~name.in_("a") | tag.like("v*")), {"a"}),
        (~(~name.in_("a") & ~name.in_("b")), {"a", "b"}),
        (~EVERYTHING, set()),
        (EVERYTHING, None),
        (name.like("a*"), None),
        (name.matches("a"), None),
        (name.in_("a") | tag.in_("b"), None),
        (~name.in_("a"), None),
        (tag.in_("b"), None),
    ],
    ids=lambda value: None if isinstance(value, set) else str(value),
)
def test_repositories_are_listed_if_all_are_named(
    wanted: Filter, repositories: set[str] | None
) -> None:
    """A registry without a catalogue is asked for exactly these."""
    assert wanted.literal_repositories() == repositories


# --- why -----------------------------------------------------------------------------------


def test_an_explanation_names_the_clause_that_rejects_and_its_fact() -> None:
    """The others are not mentioned."""
    explanation = WANTED.explain(_artifact(labels=frozenset({"wip", "x"})), now=NOW)
    assert explanation.verdict is False
    assert str(explanation) == (
        f"team-a/app:v1.2.3 is rejected by: {WANTED}\n"
        "  label has 'wip': true, as labels = {'wip', 'x'}"
    )


def test_an_explanation_of_what_is_selected_names_all_that_agree() -> None:
    """Every clause of an "and" has decided."""
    explanation = WANTED.explain(FRESH, now=NOW)
    assert explanation.verdict is True
    assert str(explanation).splitlines()[1:] == [
        "  name like 'team-*/**': true, as repository = 'team-a/app'",
        r"  tag matches 'v\d+\.\d+\.\d+': true, as tag = 'v1.2.3'",
        "  age < 30d: true, as pushed_at = 2026-02-27 00:00:00+00:00",
        "  label has 'wip': false, as labels = {}",
    ]


def test_an_explanation_of_an_or_names_the_first_that_holds() -> None:
    """One is enough."""
    either = tag.like("v*") | tag.like("*")
    explanation = either.explain(_artifact(), now=NOW)
    assert [reason.clause for reason in explanation.reasons] == ["tag like 'v*'"]


def test_an_explanation_tells_open_from_missing() -> None:
    """What waits for a request is not what a registry never tells."""
    facts = _artifact(labels=UNAVAILABLE)
    waiting = label.has("wip") & kind.in_("image")
    assert waiting.explain(facts, now=NOW).verdict is NOT_FETCHED
    assert "not decided yet" in str(waiting.explain(facts, now=NOW))
    assert "kind is 'image': open, as kind = not fetched" in str(waiting.explain(facts, now=NOW))
    missing = label.has("wip").explain(facts, now=NOW)
    assert missing.verdict is UNAVAILABLE
    assert "label has 'wip': undecidable, as labels = unavailable" in str(missing)


def test_an_explanation_of_everything_says_so() -> None:
    """There is a reason even then."""
    assert "everything: true" in str(EVERYTHING.explain(_artifact(), now=NOW))


def test_an_explanation_shows_strangers_texts_without_their_control_characters() -> None:
    """An annotation cannot write on a terminal."""
    facts = _artifact(annotations=(("k", "x\x1b[2J"),), tag=None)
    shown = str(annotation("k").like("x").explain(facts, now=NOW))
    assert "\x1b" not in shown
    assert r"'x\x1b[2J'" in shown
    assert "annotations = none" in str(annotation("l").like("x").explain(facts, now=NOW))


def test_an_explanation_shows_platforms_as_they_are_written() -> None:
    """Not as Python objects."""
    facts = _artifact(platforms=frozenset({Platform.parse("linux/amd64")}))
    assert "{'linux/amd64'}" in str(platform.has("linux/arm64").explain(facts, now=NOW))


# --- filters as values ---------------------------------------------------------------------


def test_a_filter_is_a_value() -> None:
    """It can be compared, hashed, and sent to another process."""
    again = (
        name.like("team-*/**") & tag.matches(r"v\d+\.\d+\.\d+") & (age < "30d") & ~label.has("wip")
    )
    assert again == WANTED
    assert hash(again) == hash(WANTED)
    assert pickle.loads(pickle.dumps(WANTED)) == WANTED
    assert (again | EVERYTHING) != WANTED
    assert pickle.loads(pickle.dumps(EVERYTHING)) == EVERYTHING


def test_how_filters_were_put_together_makes_no_difference() -> None:
    """``a & (b & c)`` and ``(a & b) & c`` are one filter, and not of not is nothing."""
    a, b, c = name.like("a"), tag.like("b"), kind.like("c")
    assert a & (b & c) == (a & b) & c
    assert a | (b | c) == (a | b) | c
    assert ~~a == a


def test_a_filter_has_no_truth_value() -> None:
    """``and``, ``not`` and chained comparisons would silently lose a half."""
    for wrong in (
        lambda: tag.like("a") and tag.like("b"),
        lambda: not tag.like("a"),
        lambda: "1d" < age < "3d",
    ):
        with pytest.raises(TypeError, match=r"join filters by & \| ~"):
            wrong()


@pytest.mark.parametrize("other", [True, "tag like 'x'", None])
def test_a_filter_is_not_joined_with_anything_else(other: Any) -> None:
    """A text is parsed first."""
    with pytest.raises(TypeError):
        tag.like("a") & other
    with pytest.raises(TypeError):
        tag.like("a") | other


def test_warnings_are_gathered_from_all_parts() -> None:
    """A doublestar that touches other characters is not what it seems."""
    wanted = (name.like("abc**") | ~tag.like("**x")) & EVERYTHING & (age < "1d")
    assert len(wanted.warnings()) == 2
    assert "'abc**'" in wanted.warnings()[0]
    assert EVERYTHING.warnings() == ()


# --- hints ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "hints"),
    [
        ("tag is 'v1'", Hints(tag="v1")),
        ("tag in ('v1', 'v2')", Hints()),
        ("tag like 'v1.*-rc'", Hints(tag_contains="v1.")),
        ("age < 30d", Hints(pushed_after=NOW - timedelta(days=30))),
        ("age <= 30d", Hints(pushed_after=NOW - timedelta(days=30))),
        ("age > 30d", Hints()),
        ("age < 9999999d", Hints()),
        ("image_age < 30d", Hints()),
        ("label has 'a'", Hints(labels=frozenset("a"))),
        ("annotation has 'a'", Hints()),
        ("not label has 'a'", Hints()),
        ("label has 'a' and label has 'b'", Hints(labels=frozenset("ab"))),
        ("label has 'a' or label has 'b'", Hints()),
        ("everything", Hints()),
    ],
)
def test_a_filter_hints_at_what_it_may_want(wanted: str, hints: Hints) -> None:
    """So that a registry need not list what it cannot."""
    assert Filter.parse(wanted).hints(NOW) == hints
