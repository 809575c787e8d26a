"""Both editions of ACR: how they are opened, listed, described and written to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.artifact import NOT_FETCHED
from harborsync.credentials import Chain, Credential, StaticCredentials
from harborsync.endpoint import Endpoint
from harborsync.errors import (
    ConfigurationError,
    CredentialsError,
    Denied,
    InvalidValue,
    NotFound,
    TagImmutable,
)
from harborsync.gate import find_provider, open_registry
from harborsync.provider import OpenContext
from harborsync.reference import Tag
from harborsync.registries.acr import PROVIDER, AcrCatalog
from harborsync.registries.acr_api import NO_SUMMARY, AcrRepository
from harborsync.retry import RetryPolicy
from harborsync.secrets import Secret
from harborsync.testing.clock import FakeClock
from harborsync.testing.cloud_aliyun import AcrServers, LoopbackAcr
from harborsync.testing.cloud_aliyun_personal import LoopbackAcrPersonal
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.registry import Registry

    Open = Callable[..., Registry]
    Kind = Callable[..., AcrServers]

BOTH = pytest.mark.parametrize(
    "acr", [LoopbackAcr, LoopbackAcrPersonal], ids=["enterprise", "personal"], indirect=True
)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that nobody waits for, near enough to the real one for signatures."""
    return FakeClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def acr(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[AcrServers]:
    """Return an empty emulator; of the enterprise edition unless the test says so."""
    kind = getattr(request, "param", LoopbackAcr)
    with kind(clock=clock) as server:
        yield server


@pytest.fixture
def open_to(clock: FakeClock) -> Iterator[Open]:
    """Open an emulator with options; closed at the end."""
    opened: list[Registry] = []

    def open_one(acr: AcrServers, **more: Any) -> Registry:
        credentials = more.pop("credentials", acr.identity)
        context = OpenContext(credentials=credentials, retry=RetryPolicy(attempts=1), clock=clock)
        endpoint = attrs.evolve(acr.endpoint, option_items={**acr.endpoint.options, **more})
        opened.append(open_registry(endpoint, context))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def _operations(acr: AcrServers) -> list[str]:
    return [call.operation for call in acr.calls]


# --- which registry ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "registry.cn-hangzhou.aliyuncs.com/mine",
        "team-registry-vpc.cn-hangzhou.cr.aliyuncs.com",
        "acr://images.example",
    ],
)
def test_hosts_of_alibaba_and_the_word_lead_here(text: str) -> None:
    """No request is made to open one."""
    endpoint = Endpoint.parse(text)
    assert find_provider(endpoint) is PROVIDER
    PROVIDER.open(endpoint, OpenContext()).close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("account_id=1", "unknown option"),
        ("api=http://cr.cn-hangzhou.aliyuncs.com", "api cannot be"),
        ("mutability=perhaps", "mutability cannot be"),
        ("edition=personal&mutability=immutable", "no immutable tags"),
        ("create=perhaps", "create cannot be"),
    ],
)
def test_options_that_cannot_be_are_refused(options: str, message: str) -> None:
    """When it is opened."""
    with pytest.raises(InvalidValue, match=message):
        PROVIDER.open(Endpoint.parse(f"acr://images.example?{options}"), OpenContext())


@BOTH
def test_names_have_as_many_parts_as_the_edition_takes(acr: AcrServers, open_to: Open) -> None:
    """The personal edition takes exactly two, and no longer names than its documents say."""
    quirks = open_to(acr).quirks
    is_personal = isinstance(acr, LoopbackAcrPersonal)
    assert quirks.min_name_depth == 2
    assert quirks.max_name_depth == (2 if is_personal else None)
    assert quirks.max_description == 100


# --- reading -------------------------------------------------------------------------------------


@BOTH
def test_tags_come_with_digest_time_and_size(acr: AcrServers, open_to: Open) -> None:
    """In one request for a hundred, and a HEAD once that proves them."""
    acr.create_repository("team/app")
    registry = open_to(acr)
    digest = random_image(1).push_to(registry, "team/app", "v1")
    acr.clear_log()
    (artifact,) = registry.list_artifacts("team/app")
    assert (artifact.digest, artifact.tag) == (digest, Tag("v1"))
    assert isinstance(artifact.pushed_at, datetime)
    assert [request.method for request in acr.requests][-1] == "HEAD"
    assert len(_operations(acr)) <= 2


class _MovingPages:
    """An edition whose list moves on between two pages."""

    def repositories(self) -> Iterator[AcrRepository]:
        """Yield one repository twice."""
        return (AcrRepository(name=name) for name in ("team/a", "team/b", "team/b"))


def test_a_repository_that_moves_to_the_next_page_is_listed_once() -> None:
    """Others make repositories while we list."""
    edition: Any = _MovingPages()
    assert [each.name for each in AcrCatalog(edition).all()] == ["team/a", "team/b"]


@BOTH
def test_repositories_are_listed_by_the_api(acr: AcrServers, open_to: Open) -> None:
    """More than a page of them; what is listed is not looked for again."""
    for number in range(120):
        acr.create_repository(f"team/app{number}")
    catalog = open_to(acr).abilities.catalog
    assert catalog is not None
    assert len(set(catalog.list_repositories())) == 120
    assert len(acr.calls) == 2
    acr.clear_log()
    registry = open_to(acr)
    listed = registry.abilities.catalog
    assert listed is not None
    assert "team/app7" in list(listed.list_repositories())
    list(registry.list_artifacts("team/app7"))
    assert not any(name in {"GetRepo", "GetRepository"} for name in _operations(acr))


@BOTH
def test_what_is_not_there_has_no_tags(acr: AcrServers, open_to: Open) -> None:
    """Neither namespace nor repository, nor one that was deleted meanwhile."""
    registry = open_to(acr)
    assert list(registry.list_artifacts("team/app")) == []
    acr.create_repository("team/app")
    assert list(registry.list_artifacts("team/app")) == []
    acr.repositories._by_name.clear()
    assert list(registry.list_artifacts("team/app")) == []
    assert registry.resolve("team/app", Tag("v1")) is None


def test_an_instance_that_is_not_there_is_no_empty_one(acr: AcrServers, open_to: Open) -> None:
    """Nothing would be copied from it, and nobody would know."""
    registry = open_to(acr, instance_id="cri-another")
    with pytest.raises(NotFound, match="INSTANCE_NOT_EXIST") as caught:
        list(registry.list_artifacts("team/app"))
    assert "instance_id" in str(caught.value.hint)


@pytest.mark.parametrize("operation", ["GetRepository", "ListRepoTag"])
def test_what_else_is_not_found_is_told(acr: AcrServers, open_to: Open, operation: str) -> None:
    """Only a repository that is lacking has no tags."""
    from harborsync.testing.cloud_plane import ApiRefusal

    acr.create_repository("team/app")
    acr.log.plan(operation, ApiRefusal(404, "INSTANCE_NOT_EXIST", "instance is not exist."))
    with pytest.raises(NotFound):
        list(open_to(acr).list_artifacts("team/app"))


@BOTH
def test_who_may_not_list_is_served_more_slowly(acr: AcrServers, open_to: Open) -> None:
    """By the registry's own list of tags, without digests."""
    acr.create_repository("team/app")
    registry = open_to(acr)
    random_image(1).push_to(registry, "team/app", "v1")
    acr.keyring.denied |= {"cr:ListRepoTag", "cr:GetRepoTags"}
    (artifact,) = registry.list_artifacts("team/app")
    assert (artifact.tag, artifact.digest) == (Tag("v1"), NOT_FETCHED)


class _Lying(LoopbackAcr):
    """One whose listing tells digests of something else."""

    def images(self, name: str) -> list[tuple[str, str, int, int]]:
        """Return a tag with a digest of nothing."""
        return [("v1", "0" * 64, 1, 1572875608000)]


@pytest.mark.parametrize("acr", [_Lying], indirect=True)
def test_a_digest_that_is_another_one_is_not_believed(acr: AcrServers, open_to: Open) -> None:
    """Each tag is asked for instead."""
    acr.create_repository("team/app")
    registry = open_to(acr)
    random_image(1).push_to(registry, "team/app", "v1")
    (artifact,) = registry.list_artifacts("team/app")
    assert artifact.digest is NOT_FETCHED


def test_a_password_of_ones_own_goes_before_one_that_is_bought(
    acr: AcrServers, open_to: Open
) -> None:
    """The API is asked as who was handed over."""
    acr.create_repository("team/app")
    password = acr.desk.sell(60)
    login = Credential(username="cr_temp_user", secret=Secret(password))
    given = Chain([StaticCredentials({acr.host: login}), acr.identity])
    random_image(1).push_to(open_to(acr, credentials=given), "team/app", "v1")
    assert "GetAuthorizationToken" not in _operations(acr)


class _Broken(LoopbackAcr):
    """One that sells nothing."""

    def sell(self) -> tuple[str, int]:
        """Return no password."""
        return "", 0


@pytest.mark.parametrize("acr", [_Broken], indirect=True)
def test_a_token_that_is_no_login_is_told(acr: AcrServers, open_to: Open) -> None:
    """Something else may stand where the API is."""
    acr.create_repository("team/app")
    with pytest.raises(CredentialsError, match="no login"):
        open_to(acr).get_manifest("team/app", Tag("v1"))


# --- writing -------------------------------------------------------------------------------------


@BOTH
def test_namespace_and_repository_are_made_in_private(acr: AcrServers, open_to: Open) -> None:
    """Unless they are to be public; a summary must be there."""
    creates = open_to(acr).abilities.creates
    assert creates is not None
    assert creates.ensure_repository("team/app")
    assert not creates.ensure_repository("team/app")
    made = acr.found("team/app")
    assert (made.settings["public"], made.settings["summary"]) == (False, NO_SUMMARY)
    public = open_to(acr, public="yes", create="always").abilities.creates
    assert public is not None
    assert public.ensure_repository("team/web")
    assert not public.ensure_repository("team/app")
    assert acr.found("team/web").settings["public"] is True


@pytest.mark.parametrize("kind", [LoopbackAcr, LoopbackAcrPersonal])
def test_a_namespace_that_makes_repositories_by_itself_is_let(
    kind: Kind, open_to: Open, clock: FakeClock
) -> None:
    """By the first push; with create=always they are made by us."""
    with kind(clock=clock, auto_create={"auto"}) as acr:
        creates = open_to(acr).abilities.creates
        assert creates is not None
        assert not creates.ensure_repository("auto/app")
        assert acr.repositories.names() == ["auto/app"]
        always = open_to(acr, create="always").abilities.creates
        assert always is not None
        assert always.ensure_repository("auto/web")


@BOTH
def test_what_cannot_be_made_is_told(acr: AcrServers, open_to: Open) -> None:
    """A name that is none, or a right that is lacking."""
    creates = open_to(acr, create="always").abilities.creates
    assert creates is not None
    with pytest.raises(ConfigurationError, match="namespace is invalid"):
        creates.ensure_repository("a/app")
    acr.keyring.denied |= {"cr:CreateRepository", "cr:CreateRepo"}
    with pytest.raises(Denied, match="create the repository team/app"):
        creates.ensure_repository("team/app")
    acr.keyring.denied = {"cr:CreateNamespace"}
    with pytest.raises(Denied, match="create the namespace team"):
        creates.ensure_repository("team/app")


@BOTH
def test_a_namespace_that_somebody_made_at_once_is_fine(acr: AcrServers, open_to: Open) -> None:
    """Two workers may want the same one."""
    from harborsync.testing.cloud_plane import ApiRefusal

    lacking = ApiRefusal(404, "NAMESPACE_NOT_EXIST", "namespace is not exist.")
    acr.namespaces.add("team")
    for operation in ("CreateRepository", "CreateRepo"):
        acr.log.plan(operation, lacking)
    creates = open_to(acr, create="always").abilities.creates
    assert creates is not None
    assert creates.ensure_repository("team/app")


@BOTH
def test_descriptions_are_summaries(acr: AcrServers, open_to: Open) -> None:
    """A few are asked for one by one, many by the list."""
    names = [f"team/app{number}" for number in range(5)]
    for name in names:
        acr.create_repository(name, summary=f"about {name}")
    texts = open_to(acr).abilities.descriptions
    assert texts is not None
    assert texts.get_descriptions(frozenset(names)) == {name: f"about {name}" for name in names}
    assert len(acr.calls) == 1
    texts.set_description("team/app0", "")
    assert acr.found("team/app0").settings["summary"] == NO_SUMMARY
    assert texts.get_descriptions(frozenset({"team/app0"})) == {"team/app0": ""}
    with pytest.raises(NotFound):
        texts.set_description("team/none", "lost")


def test_a_description_changes_nothing_else(acr: AcrServers, open_to: Open) -> None:
    """Neither who may pull nor whether tags can be moved."""
    acr.create_repository("team/app", immutable=True)
    acr.found("team/app").settings["public"] = True
    texts = open_to(acr).abilities.descriptions
    assert texts is not None
    texts.set_description("team/app", "Web")
    found = acr.found("team/app")
    assert (found.immutable, found.settings["public"]) == (True, True)


@BOTH
def test_a_tag_that_is_not_there_need_not_be_deleted(acr: AcrServers, open_to: Open) -> None:
    """Nor one of a repository that is not."""
    deletes = open_to(acr).abilities.deletes_tags
    assert deletes is not None
    deletes.delete_tag("team/app", Tag("v1"))
    acr.create_repository("team/app")
    deletes.delete_tag("team/app", Tag("v1"))


def test_a_tag_that_became_immutable_is_told_when_it_is_written(
    acr: AcrServers, open_to: Open
) -> None:
    """The registry says no more than "denied"."""
    acr.create_repository("team/app", immutable=True)
    registry = open_to(acr)
    random_image(1).push_to(registry, "team/app", "v1")
    with pytest.raises(TagImmutable, match="the tags of team/app are immutable"):
        random_image(2).push_to(registry, "team/app", "v1")


@pytest.mark.parametrize("kind", [LoopbackAcr, LoopbackAcrPersonal])
def test_everybody_may_pull_what_is_public(kind: Kind, open_to: Open, clock: FakeClock) -> None:
    """And is told apart who may not push."""
    with kind(clock=clock) as acr:
        acr.create_repository("team/app")
        random_image(1).push_to(open_to(acr), "team/app", "v1")
        acr.read_only = True
        registry = open_to(acr)
        assert registry.resolve("team/app", Tag("v1")) is not None
        with pytest.raises(Denied, match=r"denied|refuses") as caught:
            random_image(2).push_to(registry, "team/app", "v2")
        assert "lacks cr:PullRepository or cr:PushRepository" in str(caught.value.hint)
