"""A Harbor is opened without a request, and knows a robot from a user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync.artifact import NOT_FETCHED
from harborsync.credentials.base import Credential
from harborsync.endpoint import Endpoint
from harborsync.errors import ContentMissing, Denied, InvalidValue
from harborsync.gate import find_provider, open_registry
from harborsync.provider import OpenContext
from harborsync.reference import Tag
from harborsync.registries.harbor import PROVIDER, is_robot
from harborsync.secrets import Secret
from harborsync.testing import LoopbackRegistry
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.testing import LoopbackHarbor
    from harborsync.testing.content import Sample

ADMIN = Credential(username="admin", secret=Secret("Harbor12345"))


@pytest.mark.parametrize(
    ("login", "username", "found"),
    [
        ("", "robot$sync", True),
        ("", "robot$app+sync", True),
        ("", "bot_app+sync", True),
        ("", "carol", False),
        ("", "", False),
        ("robot", "bot_sync", True),
        ("user", "carol+harbor@example.com", False),
    ],
)
def test_a_robot_is_told_by_its_name_or_by_the_endpoint(
    login: str, username: str, found: bool
) -> None:
    """What robots' names begin with can be configured."""
    assert is_robot(login, Credential(username=username, secret=Secret("s"))) is found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("login=admin", "the option login cannot be 'admin'"),
        ("logn=robot", "unknown option 'logn'"),
    ],
)
def test_options_that_cannot_be_are_refused(options: str, message: str) -> None:
    """Before anything is asked."""
    with pytest.raises(InvalidValue, match=message):
        open_registry(f"harbor://harbor.example?{options}", OpenContext())


def test_harbor_is_opened_by_its_word_only() -> None:
    """A bare host may be any registry; to find out would cost a request."""
    endpoint = Endpoint.parse("harbor+http://harbor.example:8080/team")
    assert find_provider(endpoint) is PROVIDER
    assert PROVIDER.prefix(endpoint) == "team"
    assert find_provider(Endpoint.parse("harbor.example")).name == "registry"


def test_opening_asks_nothing(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """Only work does."""
    registry = open_harbor()
    assert registry.name == harbor.host
    assert registry.quirks.min_name_depth == 2
    assert open_harbor.lines == []


def test_a_user_surveys_and_then_needs_one_token(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """The repositories that were surveyed share it."""
    harbor.add_user("carol", "Secret-123", roles={"app": "developer"})
    names = [f"app/r{number}" for number in range(5)]
    for number, name in enumerate(names):
        harbor.push_image(name, "v1", seed=number)
    registry = open_harbor(login=Credential(username="carol", secret=Secret("Secret-123")))
    for name, artifacts in registry.abilities.surveys.survey(names):
        assert registry.get_manifest(name, artifacts[0].digest).digest == artifacts[0].digest
    assert open_harbor.lines.count("GET /service/token") == 1


@pytest.fixture
def cache(harbor: LoopbackHarbor, open_harbor: Any) -> Iterator[Sample]:
    """A project that caches another registry, in which there is one image."""
    image = random_image(1)
    with LoopbackRegistry() as upstream:
        target = open_registry(upstream.endpoint, OpenContext())
        image.push_to(target, "team/web", "v1")
        target.close()
        api = open_harbor(login=ADMIN).abilities.catalog._api
        far = {"name": "far", "type": "docker-registry", "url": f"http://{upstream.host}"}
        made = api.post("/registries", far, what="make an endpoint")
        project = {"project_name": "cached", "registry_id": made.id}
        api.post("/projects", project, what="make a project")
        yield image


def test_a_cold_cache_is_read_by_what_its_bytes_are(cache: Sample, open_harbor: Any) -> None:
    """Its lists are empty and its digest headers, too, until much later (HARBOR §13)."""
    registry = open_harbor(login=ADMIN)
    (found,) = registry.list_artifacts("cached/team/web")
    assert (str(found.tag), found.digest) == ("v1", NOT_FETCHED)
    assert registry.get_manifest("cached/team/web", found.tag).raw == cache.manifest.raw
    resolved = registry.resolve("cached/team/web", found.tag)
    assert resolved.digest == cache.manifest.digest
    for blob in cache.blobs:
        with registry.open_blob("cached/team/web", blob.descriptor) as blocks:
            assert b"".join(blocks) == blob.content


def test_a_cache_takes_no_pushes(cache: Sample, open_harbor: Any) -> None:
    """What it says is told with what to do instead."""
    with pytest.raises(Denied) as caught:
        open_harbor(login=ADMIN).put_manifest("cached/team/web", cache.manifest, tag=Tag("v2"))
    assert "takes no pushes: write to an ordinary one" in (caught.value.hint or "")


def test_content_that_is_lacking_is_named(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """As at any registry."""
    image = random_image(2)
    with pytest.raises(ContentMissing):
        open_harbor().put_manifest("app/web", image.manifest)
