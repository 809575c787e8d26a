"""What holds for all filters, with whatever is known of an artifact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from harborsync.artifact import NOT_FETCHED, UNAVAILABLE, Artifact
from harborsync.content import Platform
from harborsync.filters import (
    EVERYTHING,
    Filter,
    Keep,
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
from harborsync.reference import Digest, Tag
from harborsync.units import ByteSize, Duration

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = ("a", "b", "a/a", "a/b", "b/a/b")
TAGS = ("v1.0", "v1.1.0", "1.2.0-rc.1", "latest", "a")
LABELS = ("wip", "it's", 'say "x"')
DIGESTS = tuple(Digest.of(text) for text in (b"1", b"2"))
PLATFORMS = tuple(map(Platform.parse, ("linux/amd64", "linux/arm64", "linux/arm64/v8")))
KINDS = ("image", "chart", "application/vnd.x")
TIMES = tuple(NOW - timedelta(days=days) for days in (-1, 0, 1, 30, 31))
TEXTS = st.text("ab'\"\\ü\n ", min_size=1, max_size=5)


def _comparisons(field: Any, limits: st.SearchStrategy[Any]) -> st.SearchStrategy[Filter]:
    return st.one_of(
        limits.map(lambda limit: field < limit),
        limits.map(lambda limit: field <= limit),
        limits.map(lambda limit: field > limit),
        limits.map(lambda limit: field >= limit),
    )


def _on_text(field: Any, values: tuple[str, ...]) -> st.SearchStrategy[Filter]:
    return st.one_of(
        st.sampled_from(["*", "**", "a*", "**/b", "a/{a,b}", "v[0-9].*", "x**", "it's"]).map(field.like),
        st.sampled_from([".*", "a|b", r"v\d.*", "it's|\"x\""]).map(field.matches),
        st.lists(st.sampled_from(values) | TEXTS, min_size=1, max_size=3).map(lambda v: field.in_(*v)),
    )  # fmt: skip


SPANS = st.integers(0, 40 * 86_400_000).map(Duration) | st.just(Duration.parse("30d"))
SEMVER = st.tuples(st.sampled_from([">=1.0", ">=1,<1.2", "<1.2.0-rc.2", "=1.1"]), st.booleans())
CLAUSES: st.SearchStrategy[Filter] = st.one_of(
    st.just(EVERYTHING),
    _on_text(name, NAMES),
    _on_text(tag, TAGS),
    _on_text(kind, KINDS),
    _on_text(annotation("k'"), ("a", "b")),
    SEMVER.map(lambda drawn: tag.semver(drawn[0], prereleases=drawn[1])),
    st.sampled_from(DIGESTS).map(digest.in_),
    (st.sampled_from(LABELS) | TEXTS).map(label.has),
    TEXTS.map(annotation.has),
    st.sampled_from(PLATFORMS).map(platform.has),
    _comparisons(age, SPANS),
    _comparisons(image_age, SPANS),
    _comparisons(size, st.integers(0, 3000).map(ByteSize)),
)
FILTERS = st.recursive(
    CLAUSES,
    lambda parts: st.one_of(
        st.tuples(parts, parts).map(lambda pair: pair[0] & pair[1]),
        st.tuples(parts, parts).map(lambda pair: pair[0] | pair[1]),
        parts.map(lambda part: ~part),
    ),
    max_leaves=8,
)

FACTS: dict[str, st.SearchStrategy[Any]] = {
    "digest": st.sampled_from(DIGESTS),
    "pushed_at": st.sampled_from((None, *TIMES)),
    "created_at": st.sampled_from((None, *TIMES)),
    "labels": st.frozensets(st.sampled_from(LABELS)),
    "annotations": st.sampled_from([(), (("k'", "a"),), (("a", "x"), ("k'", "b"))]),
    "platforms": st.frozensets(st.sampled_from(PLATFORMS)),
    "size": st.integers(0, 3000),
    "kind": st.sampled_from(KINDS),
}
ARTIFACTS = st.builds(
    Artifact,
    repository=st.sampled_from(NAMES),
    tag=st.none() | st.sampled_from(TAGS).map(Tag),
    **{fact: values | st.just(UNAVAILABLE) for fact, values in FACTS.items()},
)
SOME_FACTS = st.frozensets(st.sampled_from(sorted(FACTS)))


def _without(artifact: Artifact, facts: frozenset[str]) -> Artifact:
    hidden: dict[str, Any] = dict.fromkeys(facts, NOT_FETCHED)
    return attrs.evolve(artifact, **hidden)


@given(FILTERS)
def test_a_filter_is_read_from_its_text(wanted: Filter) -> None:
    """The text is canonical: equal filters, equal texts, both ways."""
    assert Filter.parse(str(wanted)) == wanted
    assert str(Filter.parse(str(wanted))) == str(wanted)


@given(FILTERS, FILTERS, ARTIFACTS, SOME_FACTS)
def test_de_morgan_holds_whatever_is_known(
    one: Filter, other: Filter, artifact: Artifact, hidden: frozenset[str]
) -> None:
    """Also where a fact is not fetched or not to be had."""
    facts = _without(artifact, hidden)
    assert (~(one & other)).verdict(facts, NOW) is (~one | ~other).verdict(facts, NOW)
    assert (~(one | other)).verdict(facts, NOW) is (~one & ~other).verdict(facts, NOW)


@given(FILTERS, ARTIFACTS, SOME_FACTS)
def test_a_verdict_by_few_facts_is_the_verdict_by_all(
    wanted: Filter, artifact: Artifact, hidden: frozenset[str]
) -> None:
    """What is decided early is decided right, and only what is open needs anything."""
    few = wanted.verdict(_without(artifact, hidden), NOW)
    if isinstance(few, bool):
        assert few is wanted.verdict(artifact, NOW)
    assert bool(wanted.needs(_without(artifact, hidden), now=NOW)) is (few is NOT_FETCHED)


@given(FILTERS, ARTIFACTS)
def test_fetching_what_is_needed_is_enough(wanted: Filter, artifact: Artifact) -> None:
    """Round by round, each of which tells something new, until there is a verdict."""
    facts = _without(artifact, frozenset(FACTS))
    for _ in range(len(FACTS) + 1):
        needed = wanted.needs(facts, now=NOW)
        if not needed:
            break
        facts = attrs.evolve(facts, **{fact: getattr(artifact, fact) for fact in needed})
    assert wanted.verdict(facts, NOW) is wanted.verdict(artifact, NOW)


@given(FILTERS, ARTIFACTS, SOME_FACTS)
def test_what_is_not_needed_decides_nothing(
    wanted: Filter, artifact: Artifact, hidden: frozenset[str]
) -> None:
    """Fetching all the rest leaves an open verdict open."""
    facts = _without(artifact, hidden)
    needed = wanted.needs(facts, now=NOW)
    if needed:
        rest = hidden - needed
        more = attrs.evolve(facts, **{fact: getattr(artifact, fact) for fact in rest})
        assert wanted.verdict(more, NOW) is NOT_FETCHED


@given(FILTERS, ARTIFACTS)
def test_nothing_wanted_is_in_a_repository_passed_over(wanted: Filter, artifact: Artifact) -> None:
    """Nor outside of those that are listed."""
    repositories = wanted.literal_repositories()
    if wanted.verdict(artifact, NOW) is not False:
        assert wanted.may_match_repository(artifact.repository)
        assert repositories is None or artifact.repository in repositories


@given(FILTERS, ARTIFACTS, SOME_FACTS)
def test_an_explanation_agrees_with_the_verdict(
    wanted: Filter, artifact: Artifact, hidden: frozenset[str]
) -> None:
    """There is always a reason, and an open verdict has only open ones."""
    facts = _without(artifact, hidden)
    explanation = wanted.explain(facts, now=NOW)
    assert explanation.verdict is wanted.verdict(facts, NOW)
    assert explanation.reasons
    if not isinstance(explanation.verdict, bool):
        assert {reason.verdict for reason in explanation.reasons} == {explanation.verdict}
    assert len(str(explanation).splitlines()) >= 2


KEEPS = st.builds(
    Keep,
    newest=st.integers(1, 4),
    by=st.sampled_from(["pushed", "created", "semver"]),
    per=st.sampled_from(["repository", "everything"]),
    prereleases=st.booleans(),
)


@given(KEEPS, st.lists(ARTIFACTS, max_size=12, unique_by=str), st.randoms(use_true_random=False))
def test_what_is_kept_does_not_hang_on_the_order(
    keep: Keep, artifacts: list[Artifact], chance: Any
) -> None:
    """And keeping once more keeps the same."""
    kept = keep.select(artifacts, now=NOW, missing="exclude")
    shuffled = chance.sample(artifacts, len(artifacts))
    assert set(keep.select(shuffled, now=NOW, missing="exclude")) == set(kept)
    assert keep.select(kept, now=NOW) == kept


@given(FILTERS, ARTIFACTS)
def test_whatever_is_wanted_fulfils_the_hints(wanted: Filter, artifact: Artifact) -> None:
    """So a registry may leave out what does not, and nothing wanted is missed."""
    if wanted.verdict(artifact, NOW) is not False:
        assert wanted.hints(NOW).fits(artifact)
