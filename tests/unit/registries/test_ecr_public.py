"""ECR Public: everybody may pull; lists with digests are for who owns the alias."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.credentials import Anonymous
from harborsync.endpoint import Endpoint
from harborsync.errors import InvalidValue, NotFound
from harborsync.gate import find_provider, open_registry
from harborsync.provider import OpenContext
from harborsync.reference import Tag
from harborsync.registries.ecr_public import artifact_of
from harborsync.retry import RetryPolicy
from harborsync.testing.clock import FakeClock
from harborsync.testing.cloud_ecr_public import LoopbackEcrPublic
from harborsync.testing.cloud_plane import ApiRefusal
from harborsync.testing.content import random_image
from harborsync.testing.contract import RegistryContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.registry import Registry

    Open = Callable[..., Registry]


@pytest.fixture
def ecr() -> Iterator[LoopbackEcrPublic]:
    """Return an emulator with an alias that has nothing yet."""
    with LoopbackEcrPublic() as server:
        yield server


@pytest.fixture
def open_to() -> Iterator[Open]:
    """Open an emulator with options; closed at the end."""
    opened: list[Registry] = []

    def open_one(ecr: LoopbackEcrPublic, **more: Any) -> Registry:
        credentials = more.pop("credentials", ecr.identity)
        clock = more.pop("clock", FakeClock())
        context = OpenContext(credentials=credentials, clock=clock, retry=RetryPolicy(attempts=1))
        address = f"{ecr.host}/{more.pop('alias', ecr.alias)}"
        options = {**ecr.endpoint.options, **more}
        endpoint = attrs.evolve(ecr.endpoint, address=address, option_items=options)
        opened.append(open_registry(endpoint, context))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def _seed(ecr: LoopbackEcrPublic, repository: str, *tags: str) -> None:
    ecr.create_repository(repository)
    image = random_image(1, layers=1)
    for blob in image.blobs:
        ecr.storage.put_blob(repository, blob.content)
    ecr.storage.put_manifest(repository, image.manifest.raw, tags=tags)


def _tags(registry: Registry, repository: str) -> list[str]:
    return sorted(str(each.tag) for each in registry.list_artifacts(repository))


class TestEcrPublic(RegistryContract):
    """It keeps the contract for who owns the alias."""

    repository = "acme/contract/app"
    other_repository = "acme/contract/elsewhere"
    deep_repository = "acme/contract/app/a/b-c/d_e/f.g/h"

    @pytest.fixture
    def registry(self, ecr: LoopbackEcrPublic, open_to: Open) -> Registry:
        """Return one that speaks to an empty emulator."""
        return open_to(ecr)


@pytest.mark.parametrize(
    ("text", "host", "prefix"),
    [
        ("ecr-public://acme", "public.ecr.aws", "acme"),
        ("ecr-public://acme/team", "public.ecr.aws", "acme/team"),
        ("public.ecr.aws/acme/team", "public.ecr.aws", "acme/team"),
        ("public.ecr.aws", "public.ecr.aws", ""),
        ("ecr-public.aws.com/acme", "ecr-public.aws.com", "acme"),
        ("ecr-public://h.example/acme?api=https://a.example", "h.example", "acme"),
    ],
)
def test_an_endpoint_names_an_alias(text: str, host: str, prefix: str) -> None:
    """There is one host for all."""
    endpoint = Endpoint.parse(text)
    provider = find_provider(endpoint)
    assert provider.name == "ecr-public"
    assert (provider.host(endpoint), provider.prefix(endpoint)) == (host, prefix)


def test_what_can_be_no_alias_is_refused() -> None:
    """Such as an account."""
    endpoint = Endpoint.parse("ecr-public://123456789012")
    with pytest.raises(InvalidValue, match="no alias"):
        find_provider(endpoint).prefix(endpoint)


def test_nothing_can_be_private(ecr: LoopbackEcrPublic, open_to: Open) -> None:
    """Whoever wants that is told where to go."""
    open_to(ecr, public="yes")
    with pytest.raises(InvalidValue) as caught:
        open_to(ecr, public="no")
    assert "ecr://" in str(caught.value.hint)


def test_ones_own_tags_come_with_their_digests(ecr: LoopbackEcrPublic, open_to: Open) -> None:
    """By the API, proved by one HEAD."""
    _seed(ecr, "acme/app", "v1", "v2")
    listed = list(open_to(ecr).list_artifacts("acme/app"))
    assert sorted(str(each.tag) for each in listed) == ["v1", "v2"]
    assert all(each.digest for each in listed)
    asked = [call.operation for call in ecr.calls]
    assert asked == ["DescribeRegistries", "DescribeImageTags", "GetAuthorizationToken"]


def test_other_peoples_tags_are_listed_as_anywhere(ecr: LoopbackEcrPublic, open_to: Open) -> None:
    """Our API knows nothing of them."""
    _seed(ecr, "other/app", "v1")
    assert _tags(open_to(ecr), "other/app") == ["v1"]


def test_who_is_nobody_may_pull(
    ecr: LoopbackEcrPublic, open_to: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also later, when there might be somebody."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    _seed(ecr, "acme/app", "v1")
    clock = FakeClock()
    registry = open_to(ecr, credentials=Anonymous(), clock=clock)
    assert _tags(registry, "acme/app") == ["v1"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOBODY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    clock.sleep(10)
    assert registry.get_manifest("acme/app", Tag("v1")).blobs
    assert ecr.calls == ()


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("UnrecognizedClientException", "GetAuthorizationToken"),
        ("UnrecognizedClientException", "DescribeRegistries"),
        ("ExpiredTokenException", "DescribeRegistries"),
        ("AccessDeniedException", "GetAuthorizationToken"),
        ("AccessDeniedException", "DescribeRegistries"),
    ],
)
def test_who_is_not_let_in_may_pull_all_the_same(
    ecr: LoopbackEcrPublic, open_to: Open, code: str, action: str
) -> None:
    """A machine's identity is mostly meant for something else, and may have ended."""
    ecr.log.plan(action, ApiRefusal(400, code, "no"), times=9)
    _seed(ecr, "acme/app", "v1")
    registry = open_to(ecr)
    assert _tags(registry, "acme/app") == ["v1"]
    assert registry.get_manifest("acme/app", Tag("v1")).blobs


def test_a_repository_that_is_not_there_has_no_tags(ecr: LoopbackEcrPublic, open_to: Open) -> None:
    """That is no error."""
    assert _tags(open_to(ecr), "acme/none") == []


def test_another_refusal_is_an_error(ecr: LoopbackEcrPublic, open_to: Open) -> None:
    """What is not there by another name is not taken for an empty repository."""
    ecr.log.plan("DescribeImageTags", ApiRefusal(400, "RegistryNotFoundException", "none"))
    with pytest.raises(NotFound):
        _tags(open_to(ecr), "acme/app")


def test_ones_own_repositories_are_listed(ecr: LoopbackEcrPublic, open_to: Open) -> None:
    """By their full names."""
    ecr.create_repository("acme/a")
    ecr.create_repository("acme/b/c")
    ecr.create_repository("other/d")
    catalog = open_to(ecr).abilities.catalog
    assert catalog is not None
    assert sorted(catalog.list_repositories()) == ["acme/a", "acme/b/c"]


def test_other_peoples_repositories_cannot_be_listed(ecr: LoopbackEcrPublic, open_to: Open) -> None:
    """That is not to be taken for there being none."""
    ecr.create_repository("other/d")
    catalog = open_to(ecr, alias="other").abilities.catalog
    assert catalog is not None
    with pytest.raises(NotFound) as caught:
        list(catalog.list_repositories())
    assert "by its whole name" in str(caught.value.hint)


def test_a_repository_is_made_below_ones_own_alias_only(
    ecr: LoopbackEcrPublic, open_to: Open
) -> None:
    """The API could not even be asked for another."""
    creates = open_to(ecr).abilities.creates
    assert creates is not None
    assert creates.ensure_repository("acme/team/app")
    assert ecr.repositories.names() == ["acme/team/app"]
    with pytest.raises(NotFound) as caught:
        creates.ensure_repository("other/app")
    assert "aliases of this account are: acme" in str(caught.value.hint)


def test_one_that_others_made_meanwhile_is_fine(ecr: LoopbackEcrPublic, open_to: Open) -> None:
    """It is there, which is what was wanted."""
    ecr.create_repository("acme/app")
    creates = open_to(ecr).abilities.creates
    assert creates is not None
    assert not creates.ensure_repository("acme/app")


def test_a_tag_that_is_none_is_left_out() -> None:
    """Amazon takes longer ones than others do."""
    assert artifact_of("r", {"imageTag": "x" * 200, "imageDetail": {}}) is None
