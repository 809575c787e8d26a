"""Registries are opened once, and what was read of them is not read again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.artifact import NOT_FETCHED, Artifact, Hints, Label
from harborsync.endpoint import Endpoint
from harborsync.errors import Denied, ServerError
from harborsync.graph import EVERYTHING_OF_IT, Choice, Graph
from harborsync.reference import Digest, Tag
from harborsync.registries.memory import MemoryRegistry
from harborsync.testing.bulk import BulkRegistry
from harborsync.testing.content import random_image, random_signature
from harborsync.warehouse import Listing, Registries, Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SOURCE = Endpoint.parse("source.example")
OTHER = Endpoint.parse("other.example")


class _Closing(MemoryRegistry):
    """A registry that may fail to close."""

    error: ServerError | None = None

    def close(self) -> None:
        super().close()
        if self.error is not None:
            raise self.error


@attrs.define
class _Opener:
    opened: dict[Endpoint, list[_Closing]] = attrs.field(factory=dict)

    def __call__(self, endpoint: Endpoint) -> _Closing:
        registry = _Closing(endpoint.host)
        self.opened.setdefault(endpoint, []).append(registry)
        return registry


def _warehouse() -> tuple[Warehouse, MemoryRegistry]:
    registry = MemoryRegistry("source")
    return Warehouse(Registries(lambda _: registry)), registry


def test_an_endpoint_is_opened_once_and_closed_once() -> None:
    """However often it is asked for; closing twice does nothing more."""
    opener = _Opener()
    registries = Registries(opener)
    assert registries.get(SOURCE) is registries.get(SOURCE)
    assert registries.get(OTHER) is not registries.get(SOURCE)
    registries.close()
    registries.close()
    assert [r.operations for each in opener.opened.values() for r in each] == [("close",)] * 2


def test_after_closing_an_endpoint_is_opened_anew() -> None:
    """What was closed is not handed out again."""
    opener = _Opener()
    registries = Registries(opener)
    first = registries.get(SOURCE)
    registries.close()
    assert registries.get(SOURCE) is not first


def test_everything_is_closed_before_an_error_is_raised() -> None:
    """One that fails to close keeps no other open; the first error is told."""
    opener = _Opener()
    registries = Registries(opener)
    registries.get(SOURCE)
    registries.get(OTHER)
    for endpoint in (SOURCE, OTHER):
        opener.opened[endpoint][0].error = ServerError(str(endpoint))
    with pytest.raises(ServerError, match=r"source\.example"):
        registries.close()
    assert opener.opened[OTHER][0].operations == ("close",)


def test_a_listing_is_asked_for_once() -> None:
    """Tags and what is listed under them; a repository that is not there lists nothing."""
    warehouse, registry = _warehouse()
    digest = random_image(1).push_to(registry, "team/app", "v1")
    asked = len(registry.operations)
    for _ in range(2):
        listed = warehouse.listing(SOURCE, "team/app").get(Tag("v1"))
        assert listed is not None
        assert listed.digest == digest
    assert registry.operations[asked:] == ("list_artifacts",)
    assert warehouse.listing(SOURCE, "team/none").tags == frozenset()


def test_known_tags_are_those_of_a_listing_and_ask_nobody() -> None:
    """None is not the same as no tags."""
    warehouse, registry = _warehouse()
    random_image(1).push_to(registry, "team/app", "v1")
    assert warehouse.known_tags(SOURCE, "team/app") is None
    warehouse.listing(SOURCE, "team/app")
    assert warehouse.known_tags(SOURCE, "team/app") == frozenset({Tag("v1")})


def test_a_listing_that_failed_is_tried_again() -> None:
    """An error is not remembered as an answer."""

    class _Flaky(MemoryRegistry):
        failures = 1

        def list_artifacts(self, repository: str) -> Iterator[Artifact]:
            if self.failures:
                self.failures -= 1
                raise ServerError("went away")
            return super().list_artifacts(repository)

    registry = _Flaky("source")
    warehouse = Warehouse(Registries(lambda _: registry))
    with pytest.raises(ServerError):
        warehouse.listing(SOURCE, "team/app")
    assert warehouse.listing(SOURCE, "team/app").tags == frozenset()


def test_a_listing_tells_satellites_by_digest() -> None:
    """Only where it knows both the digest and what is said about it."""
    subject, about = Digest.of(b"subject"), frozenset({Digest.of(b"signature")})
    listing = Listing(
        [
            Artifact(repository="a", tag=Tag("v1"), digest=subject, satellites=about),
            Artifact(repository="a", tag=Tag("v2"), digest=Digest.of(b"other")),
            Artifact(repository="a", tag=Tag("v3"), satellites=about),
            Artifact(repository="a", tag=None, digest=subject),
        ]
    )
    assert listing.satellites == {subject: about}
    assert listing.tags == {"v1", "v2", "v3"}
    assert listing.get(None) is None


def test_a_repository_is_one_source_and_uses_what_was_listed() -> None:
    """Its digest tags are known from the listing, without a second one."""
    warehouse, registry = _warehouse()
    image = random_image(1)
    image.push_to(registry, "team/app", "v1")
    random_signature(2, image.digest).push_to(registry, "team/app")
    warehouse.listing(SOURCE, "team/app")
    source = warehouse.source(SOURCE, "team/app")
    assert source is warehouse.source(SOURCE, "team/app")
    assert len(source.digest_tags(image.digest)) == 1
    assert registry.operations.count("list_artifacts") == 1


def test_a_graph_is_read_once_for_each_choice() -> None:
    """Another choice of platforms or satellites is another graph, of the same manifests."""
    warehouse, registry = _warehouse()
    digest = random_image(1).push_to(registry, "team/app", "v1")
    first = warehouse.graph(SOURCE, "team/app", digest, EVERYTHING_OF_IT)
    assert warehouse.graph(SOURCE, "team/app", digest, EVERYTHING_OF_IT) is first
    assert warehouse.graph(SOURCE, "team/app", digest, Choice(satellites=())) is not first
    assert registry.operations.count("get_manifest") == 1


def test_so_many_graphs_are_kept() -> None:
    """Those used longest ago make room, so that memory has a bound."""
    registry = MemoryRegistry("source")
    warehouse = Warehouse(Registries(lambda _: registry), max_graphs=2)
    digests = [random_image(seed).push_to(registry, "team/app", f"v{seed}") for seed in range(3)]

    def read(number: int) -> Graph:
        return warehouse.graph(SOURCE, "team/app", digests[number], EVERYTHING_OF_IT)

    first, second = read(0), read(1)
    assert read(0) is first
    third = read(2)
    assert read(0) is first
    assert read(2) is third
    assert read(1) is not second


def test_labels_are_known_from_listings_and_ask_nobody() -> None:
    """By what bears them; before a listing, and of what it does not hold, they are not known."""
    warehouse, registry = _warehouse()
    image = random_image(1)
    image.push_to(registry, "a", "v1")
    registry.change_labels("a", image.digest, attach=[Label(name="x")], detach=frozenset())
    assert warehouse.known_labels(SOURCE, "a", image.digest) is NOT_FETCHED
    warehouse.listing(SOURCE, "a")
    assert warehouse.known_labels(SOURCE, "a", image.digest) == frozenset({"x"})
    assert warehouse.known_labels(SOURCE, "a", Digest.of(b"")) is NOT_FETCHED
    assert "get_labels" not in registry.operations


def test_a_catalog_keeps_the_texts_it_tells() -> None:
    """Only others are asked for; what is not there is left out."""
    warehouse, registry = _warehouse()
    for name in ("a", "b"):
        registry.ensure_repository(name)
        registry.set_description(name, f"about {name}")
    assert sorted(warehouse.catalog(SOURCE)) == ["a", "b"]
    texts = {"a": "about a", "b": "about b"}
    assert warehouse.descriptions(SOURCE, frozenset("ab")) == texts
    assert "get_descriptions" not in registry.operations
    registry.ensure_repository("c")
    assert warehouse.descriptions(SOURCE, frozenset("abcd")) == {**texts, "c": ""}


class _Reserved(MemoryRegistry):
    """Tells names to everybody, and texts to nobody."""

    def list_descriptions(self) -> Iterator[tuple[str, str]]:
        raise Denied("not for you")


@pytest.mark.parametrize(("without", "told"), [((), ["a"]), (("catalog",), [])])
def test_who_may_not_read_texts_may_have_the_names(
    without: tuple[str, ...], told: list[str]
) -> None:
    """As far as there is a catalog."""
    registry = _Reserved("source", without=without)
    registry.ensure_repository("a")
    warehouse = Warehouse(Registries(lambda _: registry))
    assert list(warehouse.catalog(SOURCE)) == told


def test_a_registry_without_descriptions_tells_none() -> None:
    """Neither with its catalog nor when asked."""
    registry = MemoryRegistry("source", without=["descriptions"])
    warehouse = Warehouse(Registries(lambda _: registry))
    random_image(1).push_to(registry, "a", "v1")
    assert list(warehouse.catalog(SOURCE)) == []
    assert warehouse.descriptions(SOURCE, frozenset("a")) == {}


# --- many at once ----------------------------------------------------------------------------


def _bulk(**fields: Any) -> tuple[Warehouse, BulkRegistry]:
    registry = BulkRegistry("source", **fields)
    for seed, name in enumerate(("team/app", "team/web", "team/db")):
        random_image(seed).push_to(registry, name, "v1")
    return Warehouse(Registries(lambda _: registry)), registry


NAMES = ("team/app", "team/web", "team/none")


def test_many_repositories_are_listed_at_once() -> None:
    """One that is not there has no tags; what is known is not listed again."""
    warehouse, registry = _bulk()
    warehouse.list_all(SOURCE, NAMES)
    warehouse.list_all(SOURCE, NAMES)
    listed = [len(warehouse.listing(SOURCE, name).tags) for name in NAMES]
    assert listed == [1, 1, 0]
    assert registry.operations.count("survey") == 1
    assert "list_artifacts" not in registry.operations


def test_one_repository_is_no_survey() -> None:
    """Listing it is as cheap as can be; so it is where a registry cannot do better."""
    for fields, names in (({}, NAMES[:1]), ({"without": ["surveys"]}, NAMES)):
        warehouse, registry = _bulk(**fields)
        warehouse.list_all(SOURCE, names)
        assert not {"survey", "list_artifacts"} & set(registry.operations)


def test_a_survey_that_fails_leaves_the_rest_to_be_listed_one_by_one() -> None:
    """What it had told by then counts."""

    class Tired(BulkRegistry):
        """One that goes away in the middle."""

        def survey(self, repositories: Sequence[str]) -> Iterator[tuple[str, tuple[Artifact, ...]]]:
            yield from super().survey(repositories[:1])
            raise ServerError("went away")

    registry = Tired("source")
    random_image(1).push_to(registry, "team/web", "v1")
    warehouse = Warehouse(Registries(lambda _: registry))
    warehouse.list_all(SOURCE, NAMES)
    assert [len(warehouse.listing(SOURCE, name).tags) for name in NAMES] == [0, 1, 0]
    assert registry.operations.count("list_artifacts") == 2


def test_a_narrowed_listing_is_never_all_there_is() -> None:
    """It gives what fits, and what it tells of satellites; the rest stays unknown."""
    warehouse, registry = _bulk()
    random_image(9).push_to(registry, "team/app", "v2")
    found = warehouse.matching(SOURCE, "team/app", Hints(tag="v2"))
    assert [each.tag for each in found] == ["v2"]
    assert warehouse.known(SOURCE, "team/app") is None
    assert warehouse.known_tags(SOURCE, "team/app") is None
    source = warehouse.source(SOURCE, "team/app")
    before = len(registry.operations)
    assert source.referrers(random_image(9).digest) == ()  # told by the listing to have none
    assert registry.operations[before:] == ("list_matching",)  # for the digest tags


def test_what_was_listed_is_not_narrowed() -> None:
    """Nor is anything where nothing is known of what is wanted, or the registry cannot."""
    hints = Hints(tag="v2")
    for fields, asked in (({}, Hints()), ({}, hints), ({"without": ["lists_narrowed"]}, hints)):
        warehouse, registry = _bulk(**fields)
        if asked.narrow and not fields:
            warehouse.listing(SOURCE, "team/app")
        assert [each.tag for each in warehouse.matching(SOURCE, "team/app", asked)] == ["v1"]
        assert registry.operations.count("list_artifacts") == 1
        assert "list_matching" not in registry.operations


def test_narrowing_pays_where_the_registry_says_so() -> None:
    """Not without hints, and not where there is no such ability."""
    warehouse, _ = _bulk()
    assert warehouse.pays(SOURCE, NAMES, Hints(tag="v2"))
    assert not warehouse.pays(SOURCE, NAMES, Hints())
    warehouse, _ = _bulk(without=["lists_narrowed"])
    assert not warehouse.pays(SOURCE, NAMES, Hints(tag="v2"))


def test_a_listing_knows_all_digests_or_none() -> None:
    """Untagged ones too; of an empty one nothing is known."""
    tagged = Artifact(repository="a", tag=Tag("v1"), digest=random_image(1).digest)
    untagged = attrs.evolve(tagged, tag=None, digest=random_image(2).digest)
    bare = Artifact(repository="a", tag=Tag("v2"))
    both = frozenset({tagged.digest, untagged.digest})
    assert Listing([tagged, untagged]).digests == both
    assert Listing([tagged, bare]).digests is None
    assert Listing([]).digests is None
