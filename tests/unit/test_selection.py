"""From all that a source holds to what a rule wants, by as few requests as it takes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.errors import ConfigurationError, Denied, MissingFact, ServerError, Side
from harborsync.filters import Keep
from harborsync.planning import Planning
from harborsync.reference import Digest, Tag
from harborsync.registries.memory import MemoryRegistry
from harborsync.rule import ReplicationRule
from harborsync.selection import EVERYWHERE, Scope, select
from harborsync.state import MemoryState
from harborsync.testing.clock import EPOCH, FakeClock
from harborsync.testing.content import fallback_index, random_image, random_signature
from harborsync.warehouse import Registries, Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.artifact import Artifact
    from harborsync.content import Descriptor


def _rule(**fields: Any) -> ReplicationRule:
    given: dict[str, Any] = {
        "name": "r",
        "source": "source.example",
        "destinations": "mirror.example",
        "where": "everything",
    }
    return ReplicationRule(**{**given, **fields})


def _planning(registry: MemoryRegistry) -> Planning:
    warehouse = Warehouse(Registries(lambda _: registry))
    return Planning(warehouse=warehouse, state=MemoryState(), now=EPOCH, ask=map)


def _filled(registry: MemoryRegistry, *names: str) -> MemoryRegistry:
    for seed, name in enumerate(names):
        repository, _, tag = name.partition(":")
        random_image(seed).push_to(registry, repository, tag)
    return registry


def _selected(
    registry: MemoryRegistry, rule: ReplicationRule, scope: Scope = EVERYWHERE
) -> list[str]:
    planning = _planning(registry)
    found = [f"{each.repository}:{each.tag}" for each in select(planning, rule, scope)]
    assert planning.failures == []
    return found


SOME = ("team/app:v1", "team/app:v2", "team/web:v1", "other/db:v1")


class _Bare(MemoryRegistry):
    """A registry whose listing tells tags and nothing else."""

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        for each in super().list_artifacts(repository):
            yield type(each)(repository=each.repository, tag=each.tag)


# --- repositories ----------------------------------------------------------------------------


def test_a_catalog_is_looked_through() -> None:
    """Every repository in order, and every tag."""
    registry = _filled(MemoryRegistry("source"), *SOME)
    assert sorted(_selected(registry, _rule())) == sorted(SOME)


def test_only_repositories_that_the_filter_may_want_are_listed() -> None:
    """A name that cannot match costs no request."""
    registry = _filled(MemoryRegistry("source"), *SOME)
    assert _selected(registry, _rule(where="name like 'team/w*'")) == ["team/web:v1"]
    assert registry.operations.count("list_artifacts") == 1


@pytest.mark.parametrize(
    "fields",
    [{"where": "name is 'team/web'"}, {"repositories": "team/web"}],
)
def test_repositories_that_are_named_need_no_catalog(fields: dict[str, Any]) -> None:
    """Docker Hub has none, for one."""
    registry = _filled(MemoryRegistry("source", without=["catalog"]), *SOME)
    assert _selected(registry, _rule(**fields)) == ["team/web:v1"]


@pytest.mark.parametrize(
    "fields",
    [{"where": "name is 'app'", "source": "source.example/team"}, {"where": "name like 'x/**'"}],
)
def test_a_rule_that_finds_no_repository_is_noted(fields: dict[str, Any]) -> None:
    """A slip of the pen copies nothing for years; an event that brings nothing is no slip."""
    planning = _planning(_filled(MemoryRegistry("source"), *SOME))
    assert select(planning, _rule(**fields)) == []
    (note,) = planning.notes
    assert note.startswith("rule 'r' finds no repository that it could want at source.example")
    select(planning, _rule(**fields), Scope(repositories=frozenset({"other/db"})))
    assert planning.notes == [note]


def test_repositories_outside_of_the_source_are_refused() -> None:
    """A name that is not below the endpoint's prefix would never be looked into."""
    rule = _rule(source="source.example/team", repositories=("team/app", "other/app"))
    with pytest.raises(ConfigurationError, match=r"other/app, which is not below"):
        select(_planning(MemoryRegistry("source")), rule)


def test_a_source_without_a_catalog_must_be_told_repositories() -> None:
    """The error says what to write; nothing else is tried."""
    registry = _filled(MemoryRegistry("source", without=["catalog"]), *SOME)
    with pytest.raises(ConfigurationError, match="cannot list its repositories") as caught:
        select(_planning(registry), _rule())
    assert "repositories=" in (caught.value.hint or "")


def test_a_prefix_of_the_source_narrows() -> None:
    """An endpoint with a project is that project, and not one whose name begins alike."""
    registry = _filled(MemoryRegistry("source"), *SOME, "teams/app:v1")
    rule = _rule(source="source.example/team", where="tag is 'v1'")
    assert _selected(registry, rule) == ["team/app:v1", "team/web:v1"]


def test_a_catalog_that_cannot_be_read_is_a_failure_of_the_rule() -> None:
    """Another rule may still work."""

    class _Closed(MemoryRegistry):
        def list_repositories(self) -> Iterator[str]:
            raise Denied("not for you")

    planning = _planning(_Closed("source"))
    assert select(planning, _rule()) == []
    (failure,) = planning.failures
    assert failure.what == "the repositories of source.example"
    assert failure.failure.side is Side.SOURCE


def test_a_repository_that_cannot_be_read_stops_no_other() -> None:
    """It becomes a failure that names it."""

    class _Broken(MemoryRegistry):
        def list_artifacts(self, repository: str) -> Iterator[Artifact]:
            if repository == "team/app":
                raise ServerError("went away")
            return super().list_artifacts(repository)

    planning = _planning(_filled(_Broken("source"), *SOME))
    assert [each.repository for each in select(planning, _rule())] == ["other/db", "team/web"]
    assert [failure.what for failure in planning.failures] == ["team/app"]


# --- tags --------------------------------------------------------------------------------------


def test_satellites_are_no_candidates_unless_asked() -> None:
    """Digest tags belong to another artifact (OCI-6.10)."""
    registry = MemoryRegistry("source")
    image = random_image(1)
    signature = random_signature(2, image.digest)
    image.push_to(registry, "team/app", "v1")
    signature.push_to(registry, "team/app")
    fallback_index(image.digest, []).push_to(registry, "team/app")
    assert _selected(registry, _rule()) == ["team/app:v1"]
    assert len(_selected(registry, _rule(satellites_as_candidates=True))) == 3


def test_facts_are_asked_for_only_where_they_decide() -> None:
    """A tag that the name alone refuses is not resolved."""
    registry = _filled(_Bare("source"), *SOME)
    where = "name like 'team/**' and tag is 'v1' and platform has 'linux/amd64'"
    assert _selected(registry, _rule(where=where)) == ["team/app:v1", "team/web:v1"]
    assert registry.operations.count("resolve") == 2


def test_a_tag_that_vanished_is_left_out() -> None:
    """A listing is older than what is there (OCI-5.6)."""

    class _Late(_Bare):
        def list_artifacts(self, repository: str) -> Iterator[Artifact]:
            for each in super().list_artifacts(repository):
                yield each
                yield attrs.evolve(each, tag=Tag("gone"))

    registry = _filled(_Late("source"), "team/app:v1")
    assert _selected(registry, _rule(where="size > 0B")) == ["team/app:v1"]


def test_a_fact_that_nobody_tells_is_a_mistake_of_the_rule() -> None:
    """Unless the rule says what to do about it."""
    registry = _filled(_Bare("source"), "team/app:v1")
    with pytest.raises(MissingFact, match="labels"):
        select(_planning(registry), _rule(where="label has 'approved'"))
    where = {"where": "label has 'approved'"}
    assert _selected(registry, _rule(missing="include", **where)) == ["team/app:v1"]
    assert _selected(registry, _rule(missing="exclude", **where)) == []


def test_every_verdict_is_noted() -> None:
    """Accepted or not, the plan can explain it."""
    planning = _planning(_filled(MemoryRegistry("source"), "team/app:v1", "team/app:v2"))
    select(planning, _rule(where="tag is 'v1'"))
    assert {(v.artifact.tag, v.chosen) for v in planning.verdicts} == {
        ("v1", True),
        ("v2", False),
    }


# --- keep and scope ----------------------------------------------------------------------------


def _aged(*names: str) -> MemoryRegistry:
    """A registry where each was pushed a day after the one before."""
    clock = FakeClock(EPOCH - timedelta(days=len(names)))
    registry = MemoryRegistry("source", clock=clock)
    for seed, name in enumerate(names):
        repository, _, tag = name.partition(":")
        random_image(seed).push_to(registry, repository, tag)
        clock.advance(24 * 3600)
    return registry


def test_the_newest_few_are_kept() -> None:
    """Of each repository, or of all together; what is dropped is explained."""
    registry = _aged(*SOME)
    each = _rule(keep=Keep(newest=1))
    assert _selected(registry, each) == ["other/db:v1", "team/app:v2", "team/web:v1"]
    planning = _planning(registry)
    select(planning, each)
    assert any("not among the newest 1" in verdict.why for verdict in planning.verdicts)
    all_together = _rule(keep=Keep(newest=2, per="everything"))
    assert _selected(registry, all_together) == ["other/db:v1", "team/web:v1"]


def test_keep_asks_for_what_it_needs() -> None:
    """A listing that tells no time costs a look at each, and only at those the filter accepts."""
    registry = _filled(_Bare("source"), *SOME)
    rule = _rule(where="tag is 'v1'", keep=Keep(newest=1, by="created", per="everything"))
    assert len(_selected(registry, rule)) == 1
    assert registry.operations.count("resolve") == 3


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(tags=frozenset({"v1"})), ["other/db:v1", "team/app:v1", "team/web:v1"]),
        (Scope(repositories=frozenset({"team/app"})), ["team/app:v1", "team/app:v2"]),
        (
            Scope(repositories=frozenset({"team/app", "team/none"}), tags=frozenset({"v2"})),
            ["team/app:v2"],
        ),
        (Scope(tags=frozenset()), []),
    ],
)
def test_a_scope_narrows(scope: Scope, expected: list[str]) -> None:
    """What an event spoke of is all that is planned for."""
    assert _selected(_filled(MemoryRegistry("source"), *SOME), _rule(), scope) == expected


def test_a_scope_of_repositories_lists_only_those() -> None:
    """An event about one repository costs one listing."""
    registry = _filled(MemoryRegistry("source"), *SOME)
    _selected(registry, _rule(), Scope(repositories=frozenset({"team/app"})))
    assert registry.operations.count("list_artifacts") == 1


@pytest.mark.parametrize("per", ["repository", "everything"])
def test_a_scope_does_not_make_old_tags_new(per: Any) -> None:
    """What is kept is chosen among all; the scope only narrows what comes of it."""
    registry = _aged(*SOME)
    rule = _rule(keep=Keep(newest=1, per=per))
    assert (
        _selected(
            registry, rule, Scope(tags=frozenset({"v1"}), repositories=frozenset({"team/app"}))
        )
        == []
    )
    everything = set(_selected(registry, rule))
    for name in SOME:
        repository, _, tag = name.partition(":")
        scope = Scope(repositories=frozenset({repository}), tags=frozenset({tag}))
        assert set(_selected(registry, rule, scope)) == everything & {name}


class _Crowded(_Bare):
    """Ten thousand tags of one image."""

    def list_artifacts(self, repository: str) -> Iterator[Artifact]:
        image = next(super().list_artifacts(repository))
        for number in range(10_000):
            yield type(image)(repository=repository, tag=Tag(f"v{number}"))

    def resolve(self, repository: str, reference: Tag | Digest) -> Descriptor | None:
        return super().resolve(repository, Tag("v0") if isinstance(reference, Tag) else reference)


def test_costly_facts_are_asked_only_of_what_is_still_open() -> None:
    """Of 10,000 tags, a clause on the tag rejects 9,900: at most the other 100 cost requests."""
    registry = _filled(_Crowded("source"), "team/app:v0")
    rule = _rule(where=r"tag matches 'v99\d\d' and platform has 'linux/amd64'")
    assert len(_selected(registry, rule)) == 100
    assert registry.operations.count("resolve") == 100
    assert registry.operations.count("get_manifest") == 1
    assert registry.operations.count("open_blob") == 1
