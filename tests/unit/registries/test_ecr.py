"""Amazon ECR: which registry is meant, how it is listed, and how repositories are made."""

from __future__ import annotations

import logging
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.artifact import Artifact
from harborsync.credentials import Chain, Credential, StaticCredentials
from harborsync.endpoint import Endpoint
from harborsync.errors import (
    ConfigurationError,
    Denied,
    InvalidValue,
    NoCredentials,
    NotFound,
    QuotaExceeded,
    RegistryError,
)
from harborsync.gate import find_provider, open_registry
from harborsync.provider import OpenContext
from harborsync.reference import Digest, Tag
from harborsync.registries.ecr import PROVIDER, EcrPlace, artifacts_of
from harborsync.retry import RetryPolicy
from harborsync.secrets import Secret
from harborsync.state import MemoryState
from harborsync.testing.cloud_aws import ACCOUNT, LoopbackEcr
from harborsync.testing.content import random_image
from harborsync.testing.scripted import Heard, Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.registry import Registry

    Open = Callable[..., Registry]


@pytest.fixture
def ecr() -> Iterator[LoopbackEcr]:
    """Return an empty emulator."""
    with LoopbackEcr() as server:
        yield server


@pytest.fixture
def open_to() -> Iterator[Open]:
    """Open an emulator with options; closed at the end."""
    opened: list[Registry] = []

    def open_one(ecr: LoopbackEcr, **more: Any) -> Registry:
        context: dict[str, Any] = {
            "credentials": more.pop("credentials", ecr.identity),
            "retry": RetryPolicy(attempts=1),
            "state": more.pop("state", MemoryState()),
        }
        endpoint = attrs.evolve(ecr.endpoint, option_items={**ecr.endpoint.options, **more})
        opened.append(open_registry(endpoint, OpenContext(**context)))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def _operations(ecr: LoopbackEcr) -> list[str]:
    return [call.operation for call in ecr.calls]


# --- which registry ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            "ecr://123456789012/eu-west-1",
            EcrPlace(
                host="123456789012.dkr.ecr.eu-west-1.amazonaws.com",
                account=ACCOUNT,
                region="eu-west-1",
            ),
        ),
        (
            "ecr://123456789012/cn-north-1/team/a",
            EcrPlace(
                host="123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
                account=ACCOUNT,
                region="cn-north-1",
                prefix="team/a",
            ),
        ),
        (
            "ecr://123456789012/us-iso-east-1",
            EcrPlace(
                host="123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov",
                account=ACCOUNT,
                region="us-iso-east-1",
            ),
        ),
        (
            "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/team",
            EcrPlace(
                host="123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
                account=ACCOUNT,
                region="us-east-1",
                fips=True,
                prefix="team",
            ),
        ),
        (
            "ecr://123456789012.dkr-ecr.eu-west-1.on.aws",
            EcrPlace(
                host="123456789012.dkr-ecr.eu-west-1.on.aws",
                account=ACCOUNT,
                region="eu-west-1",
                dual_stack=True,
            ),
        ),
        (
            "ecr://registry.example:5000/x?account_id=123456789012&region=eu-west-1",
            EcrPlace(host="registry.example:5000", account=ACCOUNT, region="eu-west-1", prefix="x"),
        ),
    ],
)
def test_an_endpoint_means_a_registry(text: str, place: EcrPlace) -> None:
    """By account and region, by host, or by host and options."""
    assert EcrPlace.of(Endpoint.parse(text)) == place


@pytest.mark.parametrize(
    "text",
    [
        "ecr://123456789012",
        "ecr://123456789012/Europe",
        "ecr://registry.example",
        "ecr://registry.example?account_id=123456789012",
        "ecr://registry.example?account_id=12&region=eu-west-1",
        "ecr://public.ecr.aws",
    ],
)
def test_an_endpoint_that_means_none_is_told_how_to(text: str) -> None:
    """Before anything is opened."""
    endpoint = Endpoint.parse(text)
    with pytest.raises(InvalidValue) as caught:
        find_provider(endpoint).host(endpoint)
    assert "eu-west-1" in str(caught.value.hint) or "REGION" in str(caught.value.hint)


@pytest.mark.parametrize(
    "text",
    [
        "ecr://123456789012/eu-west-1?region=us-east-1",
        "ecr://123456789012/eu-west-1?account_id=210987654321",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com?region=us-east-1",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com?account_id=210987654321",
    ],
)
def test_options_that_contradict_the_address_are_refused(text: str) -> None:
    """Else another registry's images would be listed than those that are copied."""
    with pytest.raises(InvalidValue, match="is of"):
        open_registry(text)
    open_registry("ecr://123456789012/eu-west-1?region=eu-west-1&account_id=123456789012").close()


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"mutability": "fixed"}, "immutable or mutable"),
        ({"scan": "true"}, "no or yes"),
        ({"repository_tags": "team"}, "team:core"),
        ({"public": "yes"}, "ecr-public"),
        ({"create": "maybe"}, "auto"),
        ({"api": "http://api.example"}, "https"),
        ({"role_arn": "reader"}, "arn:aws:iam"),
        ({"mutabilty": "immutable"}, "did you mean mutability"),
        ({"instance_id": "x"}, "known are"),
    ],
)
def test_options_that_cannot_be_so_are_refused(
    ecr: LoopbackEcr, open_to: Open, options: dict[str, str], hint: str
) -> None:
    """At opening, with a word on how to write them."""
    with pytest.raises(InvalidValue) as caught:
        open_to(ecr, **options)
    assert hint in str(caught.value.hint)


def test_opening_asks_nobody(ecr: LoopbackEcr, open_to: Open) -> None:
    """Neither the API nor the registry."""
    registry = open_to(ecr)
    assert registry.name == ecr.host
    assert (ecr.calls, ecr.requests) == ((), ())


def test_limits_are_known_when_a_plan_is_made(ecr: LoopbackEcr, open_to: Open) -> None:
    """Those of names and layers, so that nothing is sent that will be refused."""
    quirks = open_to(ecr).quirks
    assert quirks.max_name_length == 256
    assert quirks.max_layer_bytes == 52_000 * 2**20
    assert quirks.max_chunks is not None
    assert quirks.chunk_bytes >= quirks.min_chunk_bytes


# --- listing -------------------------------------------------------------------------------------


def _seed(ecr: LoopbackEcr, count: int, repository: str = "team/app") -> list[Digest]:
    ecr.create_repository(repository)
    digests = []
    for number in range(count):
        content = random_image(number, layers=1).manifest.raw
        digests.append(ecr.storage.put_manifest(repository, content, tags=[f"v{number}"]))
    return digests


def test_tags_come_with_their_digests_in_bulk(ecr: LoopbackEcr, open_to: Open) -> None:
    """A page for a thousand images, and one HEAD that proves them."""
    digests = _seed(ecr, 1001)
    listed = {each.tag: each for each in open_to(ecr).list_artifacts("team/app")}
    assert {str(tag): each.digest for tag, each in listed.items()} == {
        f"v{number}": digest for number, digest in enumerate(digests)
    }
    assert _operations(ecr) == ["DescribeImages", "GetAuthorizationToken", "DescribeImages"]
    assert [request.method for request in ecr.requests] == ["HEAD"]
    pushed = [each.pushed_at for each in listed.values()]
    assert all(isinstance(moment, datetime) and moment.tzinfo is UTC for moment in pushed)


def test_several_tags_of_one_image_are_several_artifacts(ecr: LoopbackEcr, open_to: Open) -> None:
    """ECR tells them in one row; a tag that is too long for others is left out."""
    image = {"imageDigest": str(Digest.of(b"x")), "imageTags": ["a", "b", "x" * 200]}
    assert [each.tag for each in artifacts_of("r", image)] == ["a", "b"]
    (digest,) = _seed(ecr, 1)
    ecr.storage.tag("team/app", "latest", digest)
    ecr.storage.put_manifest("team/app", b"{}")
    listed = list(open_to(ecr).list_artifacts("team/app"))
    assert sorted(str(each.tag) for each in listed) == ["latest", "v0"]
    assert {each.digest for each in listed} == {digest}


def test_a_repository_that_is_not_there_has_no_tags(ecr: LoopbackEcr, open_to: Open) -> None:
    """That is no error."""
    assert list(open_to(ecr).list_artifacts("team/none")) == []


def test_a_registry_that_is_not_there_is_an_error(ecr: LoopbackEcr, open_to: Open) -> None:
    """An account that is mistyped has no repositories that could be lacking."""
    registry = open_to(ecr, account_id="210987654321")
    with pytest.raises(NotFound, match="RegistryNotFoundException"):
        list(registry.list_artifacts("team/app"))


def test_what_was_proved_once_needs_no_request(ecr: LoopbackEcr, open_to: Open) -> None:
    """The state remembers."""
    _seed(ecr, 3)
    state = MemoryState()
    list(open_to(ecr, state=state).list_artifacts("team/app"))
    ecr.clear_log()
    list(open_to(ecr, state=state).list_artifacts("team/app"))
    assert _operations(ecr) == ["DescribeImages"]
    assert ecr.requests == ()


def test_an_image_in_the_archive_says_that_it_cannot_be_read(
    ecr: LoopbackEcr, open_to: Open
) -> None:
    """And how to get it out; those in use say nothing."""
    first, second = _seed(ecr, 2)
    ecr.archive("team/app", first)
    listed = {each.digest: each for each in open_to(ecr).list_artifacts("team/app")}
    assert "archived" in listed[first].unreadable
    assert "update-image-storage-class" in listed[first].unreadable
    assert listed[second].unreadable == ""


def test_an_old_sdk_lists_what_is_in_use() -> None:
    """It does not know the archive, and must not be asked about it."""
    (artifact,) = artifacts_of("r", {"imageDigest": str(Digest.of(b"x")), "imageTags": ["a"]})
    assert isinstance(artifact, Artifact)
    assert artifact.unreadable == ""


def test_repositories_are_listed_by_the_api(ecr: LoopbackEcr, open_to: Open) -> None:
    """All of the account's."""
    for number in range(3):
        ecr.create_repository(f"team/app{number}")
    catalog = open_to(ecr).abilities.catalog
    assert catalog is not None
    assert sorted(catalog.list_repositories()) == ["team/app0", "team/app1", "team/app2"]
    assert ecr.requests == ()


def test_an_identity_that_may_only_pull_lists_tags_the_slower_way(
    ecr: LoopbackEcr, open_to: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once; digests are asked for one by one."""
    _seed(ecr, 2)
    ecr.keyring.denied.add("ecr:DescribeImages")
    registry = open_to(ecr)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            listed = list(registry.list_artifacts("team/app"))
            assert sorted(str(each.tag) for each in listed) == ["v0", "v1"]
    assert caplog.text.count("tags are listed by a slower way") == 1
    assert "harborsync.permissions.aws" in caplog.text


def test_a_login_that_is_given_needs_no_identity(
    ecr: LoopbackEcr, open_to: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cloud is not asked for one, and the API is done without."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    _seed(ecr, 1)
    login = Credential(username="AWS", secret=Secret(ecr.desk.sell(600)))
    registry = open_to(ecr, credentials=StaticCredentials({ecr.host: login}))
    assert [str(each.tag) for each in registry.list_artifacts("team/app")] == ["v0"]
    assert ecr.calls == ()


def test_without_any_login_the_remedy_is_told(
    ecr: LoopbackEcr, open_to: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that the registry refuses a request."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    registry = open_to(ecr, credentials=Chain(()))
    with pytest.raises(NoCredentials) as caught:
        list(registry.list_artifacts("team/app"))
    assert "role_arn=ARN" in str(caught.value.hint)


# --- writing -------------------------------------------------------------------------------------


def _ensure(registry: Registry, name: str) -> bool:
    assert registry.abilities.creates is not None
    return registry.abilities.creates.ensure_repository(name)


def test_a_repository_is_made_as_the_options_say(ecr: LoopbackEcr, open_to: Open) -> None:
    """Mutability, scanning, encryption."""
    registry = open_to(ecr, create="always", mutability="immutable", scan="yes", kms="alias/images")
    assert _ensure(registry, "team/app")
    made = ecr.repositories.get("team/app")
    assert made is not None
    assert made.immutable
    assert made.settings == {
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": "alias/images"},
    }
    assert ecr.requests == ()


def test_tags_and_awss_own_key_are_options_too(ecr: LoopbackEcr, open_to: Open) -> None:
    """And no option at all leaves everything to the registry."""
    assert _ensure(open_to(ecr, create="always", kms="aws", repository_tags="team:core"), "a/b")
    made = ecr.repositories.get("a/b")
    assert made is not None
    assert made.settings["encryptionConfiguration"] == {"encryptionType": "KMS"}
    assert made.settings["tags"] == [{"Key": "team", "Value": "core"}]
    assert _ensure(open_to(ecr, create="always"), "a/plain")
    plain = ecr.repositories.get("a/plain")
    assert plain is not None
    assert not plain.immutable


def test_a_template_that_makes_repositories_is_let_do_so(open_to: Open) -> None:
    """A first push tells; what no template makes, we make."""
    with LoopbackEcr(made_on_push=["templated/"]) as ecr:
        registry = open_to(ecr, mutability="immutable")
        assert not _ensure(registry, "templated/app")
        assert _ensure(registry, "plain/app")
        assert "CreateRepository" in _operations(ecr)
        templated = ecr.repositories.get("templated/app")
        assert templated is not None
        assert not templated.immutable


def test_one_that_others_made_meanwhile_is_fine(ecr: LoopbackEcr, open_to: Open) -> None:
    """It is there, which is what was wanted."""
    ecr.create_repository("team/app")
    assert not _ensure(open_to(ecr, create="always"), "team/app")


def test_one_that_was_listed_is_known_to_be_there(ecr: LoopbackEcr, open_to: Open) -> None:
    """Nobody is asked again."""
    _seed(ecr, 1)
    registry = open_to(ecr)
    list(registry.list_artifacts("team/app"))
    ecr.clear_log()
    assert not _ensure(registry, "team/app")
    assert (ecr.calls, ecr.requests) == ((), ())


def test_what_cannot_be_made_says_why(open_to: Open) -> None:
    """A limit, a right, a name."""
    with LoopbackEcr(most_repositories=0, denied=["ecr:CreateRepository"]) as ecr:
        with pytest.raises(Denied, match="ecr:CreateRepository"):
            _ensure(open_to(ecr), "team/app")
        ecr.keyring.denied.clear()
        with pytest.raises(QuotaExceeded) as caught:
            _ensure(open_to(ecr), "team/app")
        assert "quota" in str(caught.value.hint)
        with pytest.raises(RegistryError, match="repositoryName"):
            _ensure(open_to(ecr, create="always"), "a")


def test_a_profile_that_is_not_there_is_a_mistake_in_the_rule(
    ecr: LoopbackEcr, open_to: Open
) -> None:
    """Which stops the plan, and is not taken for a missing right."""
    with pytest.raises(ConfigurationError, match="nobody"):
        list(open_to(ecr, profile="nobody").list_artifacts("team/app"))


def test_a_list_without_end_is_not_read_for_ever(ecr: LoopbackEcr, open_to: Open) -> None:
    """Whatever has answered, it is not Amazon."""

    def again(heard: Heard) -> Said:
        return Said(body=b'{"repositories": [], "nextToken": "again"}')

    with ScriptedServer(again) as server:
        catalog = open_to(ecr, api=server.origin).abilities.catalog
        assert catalog is not None
        with pytest.raises(RegistryError, match="no end"):
            list(catalog.list_repositories())


def test_a_tag_is_taken_away_and_others_stay(ecr: LoopbackEcr, open_to: Open) -> None:
    """One that is not there is fine; so is a repository that is not."""
    (digest,) = _seed(ecr, 1)
    ecr.storage.tag("team/app", "latest", digest)
    deletes = open_to(ecr).abilities.deletes_tags
    assert deletes is not None
    for _ in range(2):
        deletes.delete_tag("team/app", Tag("latest"))
    assert ecr.storage.tags("team/app") == {"v0": str(digest)}


def test_a_tag_that_cannot_be_taken_away_says_why(ecr: LoopbackEcr) -> None:
    """The API answers 200 and tells failures in it."""
    from harborsync.registries.amazon import check_deleted

    failure = {"failureCode": "ImageReferencedByManifestList", "failureReason": "it is needed"}
    with pytest.raises(RegistryError, match="ImageReferencedByManifestList: it is needed"):
        check_deleted({"failures": [failure]}, "delete it")
    check_deleted({"failures": [{"failureCode": "ImageNotFound"}]}, "delete it")
    check_deleted({}, "delete it")


def test_the_provider_names_its_extra() -> None:
    """So that a missing package can be told."""
    assert (PROVIDER.name, PROVIDER.extra) == ("ecr", "aws")


def test_the_sdk_is_loaded_when_it_is_first_needed() -> None:
    """Opening a registry, or reading its address, takes none of it."""
    code = (
        "import sys\n"
        "from harborsync import open_registry\n"
        "open_registry('ecr://123456789012/eu-west-1/team').close()\n"
        "open_registry('public.ecr.aws/acme').close()\n"
        "print([name for name in ('boto3', 'botocore') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
