"""What holds for all rules that a Harbor is told, and all policies that come from one."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
from hypothesis import given
from hypothesis import strategies as st

from harborsync.artifact import Artifact
from harborsync.errors import InvalidReference
from harborsync.filters import EVERYTHING, Filter, age, label, name, tag
from harborsync.filters.globs import compile_glob
from harborsync.harbor.changes import policy_changes
from harborsync.harbor.clauses import Said, join_globs, say
from harborsync.harbor.compiling import compile_rule, with_remote
from harborsync.harbor.gaps import Effect
from harborsync.harbor.importing import import_policy
from harborsync.harbor.placing import Placed, least_parts, most_parts, place
from harborsync.harbor.policies import (
    PolicyFilter,
    PolicyTrigger,
    ReplicationPolicy,
    policy_mistakes,
)
from harborsync.harbor.rates import to_bandwidth, to_kilobits
from harborsync.harbor.registries import RemoteRegistry
from harborsync.harbor.timetable import Timetable, scheduled
from harborsync.naming import Naming
from harborsync.reference import ArtifactRef, Digest, Tag

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = ("team/app", "team/web/app", "team/web", "lib/app", "lib/web/ui/app")
GLOBS = ("team/**", "**", "team/*", "*/app", "**/app", "lib/{web,app}/**", "team/web/**")
TAGS = ("v1.0", "v2.0-rc1", "latest", "dev")
TAG_GLOBS = ("v*", "*-rc*", "latest", "{v1,v2}*", "**", "?*", "v[0-9].0")
LABELS = ("release", "wip", "signed")


# --- filters ---------------------------------------------------------------------------------

SAYABLE = st.one_of(
    st.sampled_from(GLOBS).map(name.like),
    st.sampled_from(TAG_GLOBS).map(tag.like),
    st.sampled_from(TAG_GLOBS).map(lambda glob: ~tag.like(glob)),
    st.lists(st.sampled_from(TAGS), min_size=1).map(lambda tags: tag.in_(*tags)),
    st.sampled_from(LABELS).map(label.has),
    st.sampled_from(LABELS).map(lambda text: ~label.has(text)),
    st.just(EVERYTHING),
    st.just(age < "30d"),
)
FILTERS = st.recursive(
    SAYABLE,
    lambda parts: st.one_of(
        st.tuples(parts, parts).map(lambda pair: pair[0] & pair[1]),
        st.tuples(parts, parts).map(lambda pair: pair[0] | pair[1]),
        parts.map(lambda part: ~part),
    ),
    max_leaves=5,
)
ARTIFACTS = st.builds(
    Artifact,
    repository=st.sampled_from(NAMES),
    tag=st.sampled_from(TAGS).map(Tag),
    digest=st.just(Digest.of(b"x")),
    labels=st.frozensets(st.sampled_from(LABELS)),
    pushed_at=st.just(NOW),
)


def harbor_wants(said: Said, artifact: Artifact) -> bool:
    """Tell whether a Harbor that was told so copies an artifact: all filters, in turn."""
    labels = artifact.labels
    assert isinstance(labels, frozenset)
    tag_is_right = (
        compile_glob(each.glob).matches(str(artifact.tag)) is not each.excludes
        for each in said.tags
    )
    label_is_right = ((set(each.labels) <= labels) is not each.excludes for each in said.labels)
    name_is_right = said.name is None or compile_glob(said.name).matches(artifact.repository)
    return name_is_right and all(tag_is_right) and all(label_is_right)


@given(FILTERS, ARTIFACTS)
def test_a_filter_without_gaps_means_the_same_to_a_harbor(
    where: Filter, artifact: Artifact
) -> None:
    """What is not told as a gap is exact."""
    said = say(where)
    wanted = where.test(artifact, now=NOW)
    if said.gaps:
        assert harbor_wants(said, artifact) or not wanted
        assert {gap.effect for gap in said.gaps} == {Effect.MORE}
    else:
        assert harbor_wants(said, artifact) == wanted


@given(st.lists(st.sampled_from((*NAMES, *GLOBS)), min_size=1, max_size=4), st.sampled_from(NAMES))
def test_joined_globs_match_what_any_of_them_matches(globs: list[str], text: str) -> None:
    """Or there is no joined one."""
    joined = join_globs(globs)
    if joined is not None:
        matched = any(compile_glob(glob).matches(text) for glob in globs)
        assert compile_glob(joined).matches(text) == matched


@given(st.sampled_from(GLOBS), st.sampled_from(NAMES))
def test_a_name_that_matches_a_glob_has_the_parts_it_promises(glob: str, text: str) -> None:
    """Neither fewer nor more."""
    if compile_glob(glob).matches(text):
        parts = text.count("/") + 1
        most = most_parts(glob)
        assert least_parts(glob) <= parts
        assert most is None or parts <= most


# --- names -----------------------------------------------------------------------------------

NAMINGS = st.builds(
    Naming,
    st.sampled_from(("{repository}", "{name}", "x/{repository}", "{path}/{name}", "y/{name}")),
    namespace=st.sampled_from(("", "lib", "a/b")),
    flatten=st.integers(-1, 2),
    namespaces=st.sampled_from(((), (("team", "moved"),), (("team/web", ""),))),
)


def harbor_name(placed: Placed, repository: str) -> str | None:
    """Return what a Harbor makes of a name, or None where its run fails."""
    if not placed.namespace:
        return repository
    parts = repository.split("/")
    if placed.replaced < 0:
        return f"{placed.namespace}/{parts[-1]}"
    if placed.replaced >= len(parts):
        return None
    return "/".join((placed.namespace, *parts[placed.replaced :]))


def our_name(naming: Naming, repository: str) -> str | None:
    """Return what we make of a name, or None where the rule is refused."""
    try:
        return naming.apply(ArtifactRef(repository)).repository
    except InvalidReference:
        return None


@given(NAMINGS, st.sampled_from(("", "mirror")), st.sampled_from(GLOBS), st.sampled_from(NAMES))
def test_a_naming_without_gaps_gives_the_same_names(
    naming: Naming, prefix: str, glob: str, repository: str
) -> None:
    """For every name that the rule wants and can name at all."""
    placed = place(naming, prefix=prefix, name=glob)
    ours = our_name(naming, repository)
    if not placed.gaps and ours is not None and compile_glob(glob).matches(repository):
        assert harbor_name(placed, repository) == (f"{prefix}/{ours}" if prefix else ours)


# --- rates and times ---------------------------------------------------------------------------


@given(st.integers(1, 16_777_215))
def test_a_speed_comes_back(kilobits: int) -> None:
    """Through our bits and back."""
    bandwidth = to_bandwidth(kilobits)
    assert bandwidth is not None
    assert to_kilobits(bandwidth) == kilobits


@given(
    st.integers(0, 59),
    st.lists(st.integers(0, 23), min_size=1, max_size=4, unique=True),
    st.sampled_from(("Asia/Kolkata", "Asia/Tokyo", "America/Phoenix", "Asia/Kathmandu")),
)
def test_a_schedule_in_another_zone_starts_as_often(
    minute: int, hours: list[int], zone: str
) -> None:
    """And never on a minute that the zone's offset does not explain."""
    cron = f"{minute} {','.join(map(str, hours))} * * *"
    table = Timetable.parse(scheduled(cron, zone=zone).cron)
    assert table.starts_a_day == len(hours)
    assert table.is_daily


# --- there and back ----------------------------------------------------------------------------

REMOTES = st.builds(
    RemoteRegistry,
    id=st.just(3),
    name=st.just("far"),
    type=st.sampled_from(("docker-registry", "harbor")),
    url=st.sampled_from(("https://mirror.example", "http://127.0.0.1:5000")),
)
FILTERS_OF_A_POLICY = st.tuples(
    st.sampled_from(("", *GLOBS)),
    st.lists(st.tuples(st.sampled_from(TAG_GLOBS), st.booleans()), max_size=2),
    st.lists(st.sampled_from(LABELS), unique=True),
    st.booleans(),
)


def _filters(
    told: tuple[str, list[tuple[str, bool]], list[str], bool],
) -> tuple[PolicyFilter, ...]:
    glob, tags, labels, excluded = told
    words = {True: "excludes", False: "matches"}
    found = [PolicyFilter(type="name", value=glob)] if glob else []
    found += [PolicyFilter(type="tag", value=g, decoration=words[e]) for g, e in tags]
    if labels:
        decoration = words[excluded]
        found.append(PolicyFilter(type="label", value=tuple(labels), decoration=decoration))
    return tuple(found)


@st.composite
def policies(draw: st.DrawFn) -> ReplicationPolicy:
    """Draw a policy that a Harbor would keep, and a user of its pages could have made."""
    remote, is_push = draw(REMOTES), draw(st.booleans())
    trigger = draw(
        st.sampled_from((PolicyTrigger(), PolicyTrigger(type="scheduled", cron="0 0 */6 * * *")))
    )
    policy = ReplicationPolicy(
        id=7,
        name=draw(st.sampled_from(("nightly", "to mirror / all", "p.1"))),
        description=draw(st.sampled_from(("", "all of it"))),
        enabled=draw(st.booleans()),
        src_registry=None if is_push else remote,
        dest_registry=remote if is_push else None,
        dest_namespace=draw(st.sampled_from(("", "lib", "a/b"))),
        dest_namespace_replace_count=draw(st.integers(-1, 1)),
        filters=_filters(draw(FILTERS_OF_A_POLICY)),
        trigger=trigger,
        deletion=draw(st.booleans()),
        override=draw(st.booleans()),
        speed=draw(st.sampled_from((0, 51200))),
        copy_by_chunk=draw(st.booleans()),
        single_active_replication=draw(st.booleans()),
    )
    assert not list(policy_mistakes(policy))
    return policy


@given(policies())
def test_a_policy_comes_back_but_for_what_was_noted(policy: ReplicationPolicy) -> None:
    """compile(import(p)) is p, unless a note tells what is written otherwise."""
    imported = import_policy(policy, here="harbor://harbor.example")
    compiled = compile_rule(imported.rule, into="harbor.example", terms=imported.terms)
    (after,) = compiled.policies
    remote = policy.remote
    assert remote is not None
    changed = {c.field for c in policy_changes(policy, with_remote(after, remote))}
    noted = {note.what for note in imported.notes}
    assert changed <= ({"filters"} if "untagged artifacts" in noted else set())
    assert after.name == policy.name or f"the name {policy.name!r}" in noted


@given(policies())
def test_what_is_imported_without_notes_has_no_gaps(policy: ReplicationPolicy) -> None:
    """Gaps and notes tell of the same things from two sides."""
    imported = import_policy(policy, here="harbor://harbor.example")
    if imported.notes:
        return
    compiled = compile_rule(imported.rule, into="harbor.example", terms=imported.terms)
    assert {gap.effect for gap in compiled.gaps} <= {Effect.FAILS}


@given(policies())
def test_compiling_twice_gives_the_same(policy: ReplicationPolicy) -> None:
    """And importing what was compiled gives the rule back."""
    first = import_policy(policy, here="harbor://harbor.example")
    (after,) = compile_rule(first.rule, into="harbor.example", terms=first.terms).policies
    again = import_policy(after, here="harbor://harbor.example")
    (twice,) = compile_rule(again.rule, into="harbor.example", terms=again.terms).policies
    assert twice == after
    assert attrs.evolve(again.rule, where=first.rule.where) == first.rule


def test_a_name_too_short_for_a_level_is_refused_by_both() -> None:
    """Harbor's run fails over it, and so does our plan."""
    assert harbor_name(Placed(namespace="lib", replaced=2), "team/app") is None
    assert our_name(Naming(namespace="lib", flatten=2), "team/app") is None
