"""Google's registries: how they are listed, how repositories are made, and who asks."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.artifact import NOT_FETCHED
from harborsync.content import DOCKER_LIST
from harborsync.credentials import CallableCredentials, Chain, StaticCredentials
from harborsync.credentials.google import GoogleIdentity, json_key_login
from harborsync.endpoint import Endpoint
from harborsync.errors import (
    CredentialsRefused,
    Denied,
    InvalidValue,
    NoCredentials,
    NotFound,
    RateLimited,
    RegistryError,
    Unsupported,
)
from harborsync.gate import open_registry
from harborsync.provider import OpenContext
from harborsync.reference import Tag
from harborsync.registries.gar import PROVIDER
from harborsync.retry import RetryPolicy
from harborsync.testing import FakeClock
from harborsync.testing.cloud_google import LoopbackGar
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.reference import Digest
    from harborsync.registry import Registry

    Open = Callable[..., Registry]


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that nobody waits for."""
    return FakeClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def gar(clock: FakeClock) -> Iterator[LoopbackGar]:
    """Return an empty emulator."""
    with LoopbackGar(clock=clock) as server:
        yield server


@pytest.fixture
def open_to(clock: FakeClock) -> Iterator[Open]:
    """Open an emulator with options, as a program that has tokens; closed at the end."""
    opened: list[Registry] = []

    def open_one(gar: LoopbackGar, **more: Any) -> Registry:
        given = more.pop("credentials", GoogleIdentity(token=gar.sell))
        context = OpenContext(credentials=given, clock=clock, retry=RetryPolicy(attempts=1))
        address = more.pop("address", gar.endpoint.address)
        options = {**gar.endpoint.options, **more}
        endpoint = attrs.evolve(gar.endpoint, address=address, option_items=options)
        opened.append(open_registry(endpoint, context))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def _operations(gar: LoopbackGar) -> list[str]:
    return [call.operation for call in gar.calls]


def _seed(gar: LoopbackGar, count: int, repository: str = "acme/team/app") -> list[Digest]:
    gar.create_repository(repository)
    return [
        gar.storage.put_manifest(
            repository, random_image(number, layers=1).manifest.raw, tags=[f"v{number}"]
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"mutability": "fixed"}, "immutable or mutable"),
        ({"public": "yes"}, "allUsers"),
        ({"create": "maybe"}, "auto"),
        ({"api": "http://api.example"}, "https"),
        ({"iam_api": "http://api.example"}, "https"),
        ({"impersonate": "mirror"}, "gserviceaccount"),
        ({"mutabilty": "immutable"}, "did you mean mutability"),
        ({"account_id": "x"}, "known are"),
    ],
)
def test_options_that_cannot_be_so_are_refused(
    gar: LoopbackGar, open_to: Open, options: dict[str, str], hint: str
) -> None:
    """At opening, with a word on how to write them."""
    with pytest.raises(InvalidValue) as caught:
        open_to(gar, **options)
    assert hint in str(caught.value.hint)


def test_opening_asks_nobody(gar: LoopbackGar, open_to: Open) -> None:
    """Neither the API nor the registry."""
    registry = open_to(gar)
    assert registry.name == gar.host
    assert registry.quirks.min_name_depth == 3
    assert (gar.calls, gar.requests) == ((), ())


def test_the_provider_names_its_extra() -> None:
    """So that a missing package can be told."""
    assert (PROVIDER.name, PROVIDER.extra) == ("gar", "gcp")


# --- listing -------------------------------------------------------------------------------------


def test_tags_come_with_their_digests_in_one_request(gar: LoopbackGar, open_to: Open) -> None:
    """No HEAD is needed."""
    digests = _seed(gar, 30)
    gar.storage.tag("acme/team/app", "latest", digests[3])
    listed = {each.tag: each for each in open_to(gar).list_artifacts("acme/team/app")}
    assert {str(tag): each.digest for tag, each in listed.items()} == {
        **{f"v{number}": digest for number, digest in enumerate(digests)},
        "latest": digests[3],
    }
    assert all(each.pushed_at for each in listed.values())
    assert [each.path for each in gar.requests] == [
        "/v2/acme/team/app/tags/list",
        "/token",
        "/v2/acme/team/app/tags/list",
    ]
    assert gar.calls == ()


def test_a_repository_that_is_not_there_has_no_tags(gar: LoopbackGar, open_to: Open) -> None:
    """That is no error; a path that no image can have is one."""
    registry = open_to(gar)
    assert list(registry.list_artifacts("acme/team/none")) == []
    with pytest.raises(NotFound, match="PROJECT/REPOSITORY/IMAGE"):
        list(registry.list_artifacts("acme/team"))


def test_more_tags_than_the_registry_tells_are_listed_by_the_api(open_to: Open) -> None:
    """Google tells some ten thousand of them, and not that there are more."""
    with LoopbackGar() as gar:
        gar.create_repository("acme/team")
        for number in range(10_002):
            gar.storage.put_manifest("acme/team/a/b", b"{%d}" % number, tags=[f"v{number}"])
        listed = list(open_to(gar).list_artifacts("acme/team/a/b"))
        assert len({each.tag for each in listed}) == 10_002
        assert NOT_FETCHED not in {each.digest for each in listed}
        assert _operations(gar) == ["ListTags", "ListTags"]
        gar.denied.add("artifactregistry.tags.list")
        with pytest.raises(Denied, match="10,000 at the most") as caught:
            list(open_to(gar).list_artifacts("acme/team/a/b"))
        assert "harborsync.permissions.google" in str(caught.value.hint)


def test_the_right_to_list_is_told(gar: LoopbackGar, open_to: Open) -> None:
    """By the registry's words."""
    _seed(gar, 1)
    registry = open_to(gar)
    assert len(list(registry.list_artifacts("acme/team/app"))) == 1
    gar.denied.add("artifactregistry.repositories.downloadArtifacts")
    with pytest.raises(Denied, match="downloadArtifacts"):
        list(registry.list_artifacts("acme/team/app"))


def _catalog(registry: Registry) -> list[str]:
    assert registry.abilities.catalog is not None
    return sorted(registry.abilities.catalog.list_repositories())


def test_repositories_are_listed_by_the_api(gar: LoopbackGar, open_to: Open) -> None:
    """Of the project, or of the one repository that the endpoint names; only docker's."""
    for name in ("acme/team/app", "acme/team/deep/er/app", "acme/other/app"):
        _seed(gar, 1, name)
    assert _catalog(open_to(gar)) == ["acme/other/app", "acme/team/app", "acme/team/deep/er/app"]
    gar.clear_log()
    assert _catalog(open_to(gar, address=f"{gar.host}/acme/other")) == ["acme/other/app"]
    assert _operations(gar) == ["ListPackages"]
    assert gar.requests == ()


def test_who_may_only_pull_walks_down_the_lists(
    gar: LoopbackGar, open_to: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """Which tell what lies below; it is said in the log."""
    for name in ("acme/team/app", "acme/team/deep/er/app"):
        _seed(gar, 1, name)
    gar.denied.add("artifactregistry.repositories.list")
    with caplog.at_level(logging.WARNING):
        assert _catalog(open_to(gar)) == ["acme/team/app", "acme/team/deep/er/app"]
    assert "by a slower way" in caplog.text
    assert _catalog(open_to(gar, address=f"{gar.host}/nobody")) == []


def test_all_projects_of_a_location_are_not_listed(gar: LoopbackGar, open_to: Open) -> None:
    """Google's catalog is empty whatever there is: that is not taken for nothing."""
    with pytest.raises(Unsupported) as caught:
        _catalog(open_to(gar, address=gar.host))
    assert "name the project" in str(caught.value.hint)


# --- writing -------------------------------------------------------------------------------------


def _ensure(registry: Registry, name: str) -> bool:
    assert registry.abilities.creates is not None
    return registry.abilities.creates.ensure_repository(name)


def test_a_repository_is_made_once_for_all_its_images(
    gar: LoopbackGar, open_to: Open, clock: FakeClock
) -> None:
    """As the options say; the operation is waited for."""
    registry = open_to(gar, create="always", mutability="immutable", kms="projects/p/key")
    before = clock.monotonic()
    assert _ensure(registry, "acme/team/app")
    assert not _ensure(registry, "acme/team/other")
    assert clock.monotonic() > before
    assert _operations(gar) == ["CreateRepository", "GetOperation", "GetOperation"]
    made = gar.repositories.get("acme/team")
    assert made is not None
    assert made.immutable
    assert made.settings["wish"]["kmsKeyName"] == "projects/p/key"
    assert gar.requests == ()


def test_one_that_is_there_is_not_made(gar: LoopbackGar, open_to: Open) -> None:
    """A first push tells, or a list, or the API."""
    gar.create_repository("acme/team")
    assert not _ensure(open_to(gar), "acme/team/app")
    assert gar.calls == ()
    assert not _ensure(open_to(gar, create="always"), "acme/team/app")
    _seed(gar, 1)
    registry = open_to(gar)
    list(registry.list_artifacts("acme/team/app"))
    gar.clear_log()
    assert not _ensure(registry, "acme/team/app")
    assert (gar.calls, gar.requests) == ((), ())


def test_one_that_was_deleted_meanwhile_is_made_again(gar: LoopbackGar, open_to: Open) -> None:
    """A process may run for weeks, and a listing tells."""
    registry = open_to(gar)
    assert _ensure(registry, "acme/team/app")
    gar.repositories._by_name.clear()
    assert list(registry.list_artifacts("acme/team/app")) == []
    assert _ensure(registry, "acme/team/app")


def test_a_push_that_makes_the_repository_is_let_do_so(open_to: Open, clock: FakeClock) -> None:
    """As the gcr.io hosts do for who may create on push."""
    with LoopbackGar(made_on_push=True, clock=clock) as gar:
        assert not _ensure(open_to(gar), "acme/team/app")
        assert gar.repositories.names() == ["acme/team"]
        assert gar.calls == ()


def test_what_cannot_be_made_says_why(open_to: Open, clock: FakeClock) -> None:
    """A limit, a right, a name, another location."""
    right = "artifactregistry.repositories.create"
    with LoopbackGar(most_repositories=0, denied=[right], clock=clock) as gar:
        with pytest.raises(Denied, match=right):
            _ensure(open_to(gar), "acme/team/app")
        gar.denied.clear()
        with pytest.raises(RateLimited):
            _ensure(open_to(gar), "acme/team/app")
        with pytest.raises(RegistryError, match="not a valid repository ID"):
            _ensure(open_to(gar), "acme/0/app")
        with pytest.raises(NotFound, match="location"):
            _ensure(open_to(gar, region="us-east1"), "acme/team/app")


def test_a_tag_is_taken_away_and_its_digest_stays(gar: LoopbackGar, open_to: Open) -> None:
    """By the registry's own API."""
    (digest,) = _seed(gar, 1)
    deletes = open_to(gar).abilities.deletes_tags
    assert deletes is not None
    deletes.delete_tag("acme/team/app", Tag("v0"))
    assert gar.storage.tags("acme/team/app") == {}
    assert gar.storage.manifest("acme/team/app", digest) is not None


def test_an_annotated_docker_list_is_told(gar: LoopbackGar, open_to: Open) -> None:
    """Google cannot read one, and says so in few words (regclient #466)."""
    from harborsync.http.answers import error_from
    from harborsync.http.wire import Answer, Headers

    body = (
        b'{"errors":[{"code":"MANIFEST_INVALID","message":"Failed to deserialize '
        + DOCKER_LIST.encode()
        + b'."}]}'
    )
    answer = Answer(method="PUT", url="/v2/", status=400, headers=Headers([]), body=body)
    assert "OCI index" in str(error_from(answer, "write a manifest").hint)


# --- who asks ------------------------------------------------------------------------------------


def test_a_token_that_was_handed_over_serves_the_api_too(gar: LoopbackGar, open_to: Open) -> None:
    """Nobody else is looked for."""
    logins = StaticCredentials({gar.host: gar.sell("ann").login})
    assert _ensure(open_to(gar, credentials=logins), "acme/team/app")
    assert {call.who for call in gar.calls} == {"ann"}


def test_a_token_that_the_api_refuses_is_bought_anew(gar: LoopbackGar, open_to: Open) -> None:
    """Once."""
    registry = open_to(gar, create="always")
    assert _ensure(registry, "acme/one/app")
    gar.expire_logins()
    assert _ensure(registry, "acme/two/app")
    gar.expire_logins()
    logins = StaticCredentials({gar.host: gar.sell().login})
    registry = open_to(gar, credentials=logins, create="always")
    gar.expire_logins()
    with pytest.raises(Exception, match="UNAUTHENTICATED"):
        _ensure(registry, "acme/three/app")


def test_a_key_that_buys_no_token_is_asked_for_again(
    gar: LoopbackGar, open_to: Open, clock: FakeClock
) -> None:
    """It may have been changed for another meanwhile."""
    stranger = json.dumps({**json.loads(gar.key), "client_email": "nobody@acme.example"})
    keys = iter([stranger, gar.key])
    logins = CallableCredentials(lambda _: json_key_login(next(keys)), clock=clock)
    registry = open_to(gar, credentials=logins, create="always")
    with pytest.raises(CredentialsRefused):
        _ensure(registry, "acme/one/app")
    assert _ensure(registry, "acme/two/app")


def test_without_any_login_the_remedy_is_told(
    gar: LoopbackGar, open_to: Open, monkeypatch: pytest.MonkeyPatch, bare_environment: Any
) -> None:
    """Not that the registry refuses a request."""
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(NoCredentials) as caught:
        list(open_to(gar, credentials=Chain(())).list_artifacts("acme/team/app"))
    assert "key_file=PATH" in str(caught.value.hint)


def test_an_endpoint_of_google_is_opened_without_its_packages() -> None:
    """Only files of Google's take google-auth."""
    registry = open_registry(Endpoint.parse("gar://europe-west1/acme"), OpenContext())
    assert registry.name == "europe-west1-docker.pkg.dev"
    registry.close()


WITHOUT_PACKAGES = """
import os, sys
from harborsync import open_registry
from harborsync.credentials import StaticCredentials, json_key_login
from harborsync.provider import OpenContext
from harborsync.testing import LoopbackGar

with LoopbackGar() as gar:
    gar.create_repository("acme/team")
    os.environ.update(gar.environment)
    key = StaticCredentials({gar.host: json_key_login(gar.key)})
    for logins in (key, StaticCredentials({})):
        registry = open_registry(gar.endpoint, OpenContext(credentials=logins))
        assert list(registry.list_artifacts("acme/team/app")) == []
        registry.close()
    assert [call.operation for call in gar.calls] == ["token"]
assert not [name for name in sys.modules if name.startswith("google.")]
"""


def test_neither_a_key_nor_a_machine_takes_a_package_of_googles(bare_environment: Any) -> None:
    """google-auth reads files, and is not loaded for anything else."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGES], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
