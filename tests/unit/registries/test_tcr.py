"""Tencent's TCR: how it is listed, described and written to, in both editions."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.credentials import Chain, Credential, StaticCredentials
from harborsync.errors import (
    CredentialsRefused,
    Denied,
    InvalidReference,
    InvalidValue,
    NoCredentials,
    NotFound,
    QuotaExceeded,
    TagImmutable,
)
from harborsync.gate import open_registry
from harborsync.provider import OpenContext
from harborsync.reference import Digest, Tag
from harborsync.registries.tcr import PROVIDER
from harborsync.retry import RetryPolicy
from harborsync.secrets import Secret
from harborsync.state import MemoryState
from harborsync.testing import FakeClock
from harborsync.testing.cloud_tencent import LoopbackTcr
from harborsync.testing.cloud_tencent_personal import LoopbackTcrPersonal
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.registry import Registry

    Open = Callable[..., Registry]
    Emulator = LoopbackTcr | LoopbackTcrPersonal


@pytest.fixture
def tcr() -> Iterator[LoopbackTcr]:
    """Return an empty instance."""
    with LoopbackTcr() as server:
        yield server


@pytest.fixture
def personal() -> Iterator[LoopbackTcrPersonal]:
    """Return an empty personal edition."""
    with LoopbackTcrPersonal() as server:
        yield server


@pytest.fixture(params=["enterprise", "personal"])
def either(
    request: pytest.FixtureRequest, tcr: LoopbackTcr, personal: LoopbackTcrPersonal
) -> Emulator:
    """Return the one and the other."""
    return tcr if request.param == "enterprise" else personal


@pytest.fixture
def open_to() -> Iterator[Open]:
    """Open an emulator with options; closed at the end."""
    opened: list[Registry] = []

    def open_one(server: Emulator, **more: Any) -> Registry:
        usual = server.identity if isinstance(server, LoopbackTcr) else server.credentials
        context = OpenContext(
            clock=FakeClock(server.clock.now()),
            credentials=more.pop("credentials", usual),
            retry=RetryPolicy(attempts=1),
            state=more.pop("state", MemoryState()),
        )
        endpoint = attrs.evolve(server.endpoint, option_items={**server.endpoint.options, **more})
        opened.append(open_registry(endpoint, context))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def _asked(server: Emulator) -> list[str]:
    return [call.operation for call in server.calls]


def _seed(server: Emulator, count: int, repository: str = "team/app") -> list[Digest]:
    server.create_repository(repository)
    digests = []
    for number in range(count):
        content = random_image(number, layers=1).manifest.raw
        digests.append(server.storage.put_manifest(repository, content, tags=[f"v{number}"]))
    return digests


# --- opening -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"edition": "gold"}, "enterprise or personal"),
        ({"region": "Singapore"}, "ap-guangzhou"),
        ({"instance_id": "team"}, "tcr-"),
        ({"public": "maybe"}, "yes or no"),
        ({"create": "maybe"}, "auto"),
        ({"api": "http://api.example"}, "https"),
        ({"role_arn": "reader"}, "qcs::cam"),
        ({"instance": "tcr-1"}, "did you mean instance_id"),
        ({"account_id": "x"}, "known are"),
    ],
)
def test_options_that_cannot_be_so_are_refused(
    tcr: LoopbackTcr, open_to: Open, options: dict[str, str], hint: str
) -> None:
    """At opening, with a word on how to write them."""
    with pytest.raises(InvalidValue) as caught:
        open_to(tcr, **options)
    assert hint in str(caught.value.hint)


def test_opening_asks_nobody(either: Emulator, open_to: Open) -> None:
    """Neither the API nor the registry."""
    registry = open_to(either)
    assert registry.name == either.host
    assert (either.calls, either.requests) == ((), ())


def test_limits_are_known_when_a_plan_is_made(
    tcr: LoopbackTcr, personal: LoopbackTcrPersonal, open_to: Open
) -> None:
    """The personal edition has names of two parts."""
    assert open_to(tcr).quirks.max_name_length == 275
    assert open_to(tcr).quirks.max_name_depth is None
    assert open_to(personal).quirks.max_name_depth == 2


def test_the_provider_names_its_extra() -> None:
    """So that a missing package can be told."""
    assert (PROVIDER.name, PROVIDER.extra) == ("tcr", "tencent")


# --- listing -------------------------------------------------------------------------------------


def test_tags_come_with_their_digests_in_bulk(tcr: LoopbackTcr, open_to: Open) -> None:
    """A page for a hundred images, the instance is found, and one HEAD proves them all."""
    digests = _seed(tcr, 101)
    listed = {each.tag: each for each in open_to(tcr).list_artifacts("team/app")}
    assert {str(tag): each.digest for tag, each in listed.items()} == {
        f"v{number}": digest for number, digest in enumerate(digests)
    }
    assert Counter(_asked(tcr)) == {
        "DescribeInstances": 1,
        "DescribeImages": 2,
        "CreateInstanceToken": 1,
    }
    assert Counter(each.method for each in tcr.requests)["HEAD"] == 2  # one to be challenged
    assert all(each.pushed_at and each.size == 1024 for each in listed.values())


def test_an_id_and_a_region_spare_a_request(tcr: LoopbackTcr, open_to: Open) -> None:
    """Nobody needs to be asked where the instance is."""
    _seed(tcr, 1)
    list(open_to(tcr, region="ap-singapore").list_artifacts("team/app"))
    assert "DescribeInstances" not in _asked(tcr)


def test_an_instance_is_found_by_its_public_domain(tcr: LoopbackTcr, open_to: Open) -> None:
    """Where neither host nor options tell; others of the account are not taken for it."""
    _seed(tcr, 1)
    options = {k: v for k, v in tcr.endpoint.options.items() if k != "instance_id"}
    endpoint = attrs.evolve(tcr.endpoint, option_items=options)
    registry = open_registry(endpoint, OpenContext(credentials=tcr.identity))
    assert [str(each.tag) for each in registry.list_artifacts("team/app")] == ["v0"]
    registry.close()


def test_similar_names_are_not_taken_for_the_one(tcr: LoopbackTcr, open_to: Open) -> None:
    """The API finds whatever contains a name."""
    _seed(tcr, 2, "team/app")
    _seed(tcr, 4, "team/app-old")
    _seed(tcr, 8, "team2/app")
    registry = open_to(tcr)
    assert len(list(registry.list_artifacts("team/app"))) == 2
    assert list(registry.list_artifacts("team/ap")) == []
    descriptions = registry.abilities.descriptions
    assert descriptions is not None
    assert descriptions.get_descriptions(frozenset({"team/ap", "team/app"})) == {"team/app": ""}


def test_smaller_pages_than_asked_for_are_read_to_the_end(open_to: Open) -> None:
    """How many images a page may have is not written down."""
    with LoopbackTcr(largest_page=20) as tcr:
        _seed(tcr, 45)
        assert len(list(open_to(tcr).list_artifacts("team/app"))) == 45
        assert _asked(tcr).count("DescribeImages") == 3


def test_the_personal_edition_tells_no_digests(
    personal: LoopbackTcrPersonal, open_to: Open
) -> None:
    """Its ids look like some; offsets there count rows."""
    _seed(personal, 101)
    listed = list(open_to(personal).list_artifacts("team/app"))
    assert len({each.tag for each in listed}) == 101
    assert not any(isinstance(each.digest, Digest) for each in listed)
    assert not any(each.pushed_at for each in listed)  # in which zone is not told
    assert _asked(personal) == ["DescribeImagePersonal"] * 2
    assert personal.requests == ()


def test_a_repository_that_is_not_there_has_no_tags(either: Emulator, open_to: Open) -> None:
    """That is no error."""
    assert list(open_to(either).list_artifacts("team/none")) == []


def test_what_was_proved_once_needs_no_request(tcr: LoopbackTcr, open_to: Open) -> None:
    """The state remembers."""
    _seed(tcr, 3)
    state = MemoryState()
    list(open_to(tcr, state=state).list_artifacts("team/app"))
    tcr.clear_log()
    list(open_to(tcr, state=state).list_artifacts("team/app"))
    assert _asked(tcr) == ["DescribeInstances", "DescribeImages"]
    assert tcr.requests == ()


def test_repositories_are_listed_by_the_api(either: Emulator, open_to: Open) -> None:
    """All of them, and none twice."""
    names = [f"team/app{number:03}" for number in range(101)]
    for name in names:
        either.create_repository(name)
    catalog = open_to(either).abilities.catalog
    assert catalog is not None
    assert sorted(catalog.list_repositories()) == names
    assert either.requests == ()


def test_who_may_only_pull_lists_the_slower_way(
    either: Emulator, open_to: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once; digests are asked for one by one."""
    _seed(either, 2)
    either.denied |= {
        f"tcr:Describe{each}"
        for each in ("Images", "ImagePersonal", "Repositories", "RepositoryOwnerPersonal")
    }
    registry = open_to(either)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            listed = list(registry.list_artifacts("team/app"))
            assert sorted(str(each.tag) for each in listed) == ["v0", "v1"]
    assert registry.abilities.catalog is not None
    assert list(registry.abilities.catalog.list_repositories()) == ["team/app"]
    assert caplog.text.count("tags are listed by a slower way") == 1
    assert "harborsync.permissions.tencent" in caplog.text


def test_without_any_login_the_remedy_is_told(personal: LoopbackTcrPersonal, open_to: Open) -> None:
    """The personal edition sells none."""
    _seed(personal, 1)
    registry = open_to(personal, credentials=Chain((personal.identity,)))
    with pytest.raises(NoCredentials):
        registry.resolve("team/app", Tag("v0"))


def test_a_login_that_is_not_taken_tells_what_is_one(
    personal: LoopbackTcrPersonal, open_to: Open
) -> None:
    """Many try the API key."""
    _seed(personal, 1)
    wrong = Credential(username="AKID", secret=Secret("x"))
    sources = Chain((personal.identity, StaticCredentials({personal.host: wrong})))
    with pytest.raises(CredentialsRefused) as caught:
        open_to(personal, credentials=sources).resolve("team/app", Tag("v0"))
    assert "the id of the account" in str(caught.value.hint)


# --- making --------------------------------------------------------------------------------------


def _ensure(registry: Registry, name: str) -> bool:
    assert registry.abilities.creates is not None
    return registry.abilities.creates.ensure_repository(name)


def test_a_namespace_is_made_and_a_push_makes_the_rest(either: Emulator, open_to: Open) -> None:
    """The namespace is looked for once; repositories of one that is there are left to a push."""
    registry = open_to(either)
    assert _ensure(registry, "team/app")
    assert "team" in either.namespaces
    either.clear_log()
    assert not _ensure(registry, "team/two")
    assert "Namespace" not in "".join(_asked(either))
    either.clear_log()
    assert not _ensure(registry, "team/two")
    assert (either.calls, either.requests) == ((), ())


def test_public_is_said_where_the_edition_knows_it(
    tcr: LoopbackTcr, personal: LoopbackTcrPersonal, open_to: Open
) -> None:
    """Of the namespace or of the repository; private by default."""
    _ensure(open_to(tcr, public="yes", create="always"), "open/app")
    _ensure(open_to(tcr, create="always"), "team/app")
    assert tcr.namespaces == {"open": True, "team": False}
    _ensure(open_to(personal, public="yes", create="always"), "open/app")
    _ensure(open_to(personal, create="always"), "team/app")
    found = personal.repositories
    settings = [each.settings for name in ("open/app", "team/app") if (each := found.get(name))]
    assert settings == [{"public": 1}, {"public": 0}]


def test_always_makes_without_a_push(either: Emulator, open_to: Open) -> None:
    """As the options say, whatever a push would do."""
    assert _ensure(open_to(either, create="always"), "team/app")
    assert not _ensure(open_to(either, create="always"), "team/app")
    assert either.requests == ()
    assert either.repositories.names() == ["team/app"]


def test_never_makes_nothing(either: Emulator, open_to: Open) -> None:
    """An administrator does."""
    assert not _ensure(open_to(either, create="never"), "team/app")
    assert (either.calls, either.requests) == ((), ())


@pytest.mark.parametrize(
    "code",
    [
        "InvalidParameter.ErrNamespaceExist",
        "InternalError.ErrorConflict",
        "FailedOperation.ErrorTcrResourceConflict",
    ],
)
def test_what_others_made_meanwhile_is_fine(tcr: LoopbackTcr, open_to: Open, code: str) -> None:
    """However the API spells that it is there."""
    tcr.says_exists = code
    tcr.create_repository("team/other")
    assert _ensure(open_to(tcr, create="always"), "team/app")


def test_who_may_not_look_for_namespaces_pushes(tcr: LoopbackTcr, open_to: Open) -> None:
    """The push tells whether there is one."""
    tcr.create_repository("team/app")
    tcr.denied.add("tcr:DescribeNamespaces")
    assert not _ensure(open_to(tcr), "team/two")
    assert "CreateNamespace" not in _asked(tcr)


def test_a_listed_repository_is_known_to_be_there(either: Emulator, open_to: Open) -> None:
    """Nobody is asked again, nor for others of its namespace."""
    _seed(either, 1)
    registry = open_to(either)
    list(registry.list_artifacts("team/app"))
    either.clear_log()
    assert not _ensure(registry, "team/app")
    assert (either.calls, either.requests) == ((), ())


def test_what_was_deleted_meanwhile_is_made_again(
    personal: LoopbackTcrPersonal, open_to: Open
) -> None:
    """Once a listing has not found it."""
    registry = open_to(personal, create="always")
    assert _ensure(registry, "team/app")
    personal.repositories._by_name.clear()
    personal._namespaces.clear()
    assert not _ensure(registry, "team/app")
    assert list(registry.list_artifacts("team/app")) == []
    assert _ensure(registry, "team/app")


@pytest.mark.parametrize("name", ["a/app", f"{'n' * 31}/app", "team--x/app", "te.-am/app"])
def test_a_namespace_that_cannot_be_is_refused_before_anything(
    tcr: LoopbackTcr, open_to: Open, name: str
) -> None:
    """Even where nothing would be made."""
    with pytest.raises(InvalidReference):
        _ensure(open_to(tcr, create="never"), name)
    assert tcr.calls == ()


def test_what_cannot_be_made_says_why(open_to: Open) -> None:
    """A right, a limit."""
    with LoopbackTcr(most_namespaces=0, denied=["tcr:CreateNamespace"]) as tcr:
        with pytest.raises(Denied, match="tcr:CreateNamespace"):
            _ensure(open_to(tcr), "team/app")
        tcr.denied.clear()
        with pytest.raises(QuotaExceeded):
            _ensure(open_to(tcr), "team/app")


def test_a_refusal_to_make_a_repository_is_told(either: Emulator, open_to: Open) -> None:
    """It is not taken for one that is there."""
    either.create_repository("team/other")
    either.denied |= {"tcr:CreateRepository", "tcr:CreateRepositoryPersonal"}
    with pytest.raises(Denied, match="create the repository team/app"):
        _ensure(open_to(either, create="always"), "team/app")


# --- changing ------------------------------------------------------------------------------------


def test_a_tag_is_taken_away_and_others_stay(either: Emulator, open_to: Open) -> None:
    """One that is not there is fine; so is a repository that is not."""
    (digest,) = _seed(either, 1)
    either.storage.tag("team/app", "latest", digest)
    deletes = open_to(either).abilities.deletes_tags
    assert deletes is not None
    for _ in range(2):
        deletes.delete_tag("team/app", Tag("latest"))
    deletes.delete_tag("team/none", Tag("latest"))
    assert either.storage.tags("team/app") == {"v0": str(digest)}


def test_an_immutable_tag_is_not_taken_away(tcr: LoopbackTcr, open_to: Open) -> None:
    """And the rules are where to look."""
    _seed(tcr, 1)
    tcr.make_immutable("team")
    deletes = open_to(tcr).abilities.deletes_tags
    assert deletes is not None
    with pytest.raises(TagImmutable) as caught:
        deletes.delete_tag("team/app", Tag("v0"))
    assert "DescribeImmutableTagRules" in str(caught.value.hint)


def test_descriptions_are_kept_in_whole_and_in_brief(tcr: LoopbackTcr, open_to: Open) -> None:
    """Lists of the console show the first line."""
    tcr.create_repository("team/app")
    descriptions = open_to(tcr).abilities.descriptions
    assert descriptions is not None
    text = f"{'x' * 120}\nand more"
    descriptions.set_description("team/app", text)
    assert tcr.text_of("team/app") == ("x" * 100, text)
    assert dict(descriptions.list_descriptions()) == {"team/app": text}


def test_many_descriptions_are_read_by_one_list(either: Emulator, open_to: Open) -> None:
    """Few by a request each; what is not there is left out."""
    for number in range(5):
        either.create_repository(f"team/app{number}")
    descriptions = open_to(either).abilities.descriptions
    assert descriptions is not None
    descriptions.set_description("team/app1", "one")
    wanted = frozenset({*(f"team/app{number}" for number in range(5)), "team/none"})
    either.clear_log()
    found = descriptions.get_descriptions(wanted)
    assert found == {f"team/app{number}": "one" if number == 1 else "" for number in range(5)}
    assert len([each for each in _asked(either) if each != "DescribeInstances"]) == 1
    assert descriptions.get_descriptions(frozenset({"team/app1", "x/none"})) == {"team/app1": "one"}


def test_a_description_of_nothing_is_told(either: Emulator, open_to: Open) -> None:
    """It needs a repository."""
    descriptions = open_to(either).abilities.descriptions
    assert descriptions is not None
    with pytest.raises(NotFound):
        descriptions.set_description("team/none", "x")
