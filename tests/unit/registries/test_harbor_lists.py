"""A list of artifacts tells most of what there is to know, and closed ones are told by tags."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.artifact import NOT_FETCHED
from harborsync.credentials.base import Credential
from harborsync.errors import CredentialsRefused, RegistryError
from harborsync.reference import Digest
from harborsync.registries.harbor_artifacts import listed
from harborsync.registries.harbor_lists import Notes
from harborsync.secrets import Secret
from harborsync.testing.content import random_index, random_referrer, random_signature

if TYPE_CHECKING:
    from harborsync.testing import LoopbackHarbor

ONE = Digest.of(b"one")
ARTIFACTS = "GET /projects/app/repositories/{}/artifacts"


def test_a_hundred_artifacts_cost_a_request(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """And one more for the project, once."""
    for number in range(130):
        harbor.push_image("app/web", f"v{number}", seed=number)
    registry = open_harbor()
    found = list(registry.list_artifacts("app/web"))
    assert {str(each.tag): each.digest for each in found} == harbor.tags("app/web")
    assert list(registry.list_artifacts("app/other")) == []
    paths = ["GET /projects", *[ARTIFACTS.format("web")] * 2, ARTIFACTS.format("other")]
    assert open_harbor.lines == paths


def test_lists_read_no_manifest(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """So that nothing counts as pulled, and digest, size and satellites are known all the same."""
    image = random_index(1)
    harbor.push("app/team/api", image, "1.0", "latest")
    harbor.push("app/team/api", random_referrer(2, image.manifest.descriptor))
    found = {str(each.tag): each for each in open_harbor().list_artifacts("app/team/api")}
    assert found.keys() == {"1.0", "latest"}
    assert len(found["1.0"].satellites) == 1
    assert found["latest"].size > 0
    assert found["latest"].immutable is NOT_FETCHED
    assert not [line for line in open_harbor.lines if "/v2/" in line]


def test_who_may_only_pull_is_told_the_tags(
    harbor: LoopbackHarbor, open_harbor: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The project's lists are asked for once, and it is said once that they are closed."""
    caplog.set_level(logging.INFO)
    for name in ("app/web", "app/api"):
        harbor.push_image(name, "v1")
    registry = open_harbor("repository:pull")
    for name in ("app/web", "app/api", "app/web"):
        assert [str(each.tag) for each in registry.list_artifacts(name)] == ["v1"]
    assert open_harbor.lines == [
        "GET /projects",
        ARTIFACTS.format("web"),
        *("GET /v2/app/web/tags/list", "GET /v2/app/api/tags/list", "GET /v2/app/web/tags/list"),
    ]
    assert caplog.text.count("the tags of project app are listed by name only") == 1
    assert "artifact:list" in caplog.text


def test_a_project_that_caches_another_registry_is_told_by_tags(
    harbor: LoopbackHarbor, open_harbor: Any
) -> None:
    """Its lists hold only what somebody has pulled through it (HARBOR §13)."""
    harbor.add_project("cached").registry_id = 1
    assert list(open_harbor().list_artifacts("cached/web")) == []
    assert open_harbor.lines == ["GET /projects", "GET /v2/cached/web/tags/list"]


def test_a_name_without_a_project_has_no_tags(open_harbor: Any) -> None:
    """No repository of Harbor has one, so nobody is asked."""
    registry = open_harbor()
    assert list(registry.list_artifacts("busybox")) == []
    assert open_harbor.lines == []


def test_a_wrong_password_is_no_pull_only_robot(open_harbor: Any) -> None:
    """What the registry itself says of the login is what is told."""
    wrong = Credential(username="carol", secret=Secret("wrong"))
    with pytest.raises(CredentialsRefused, match="refuses the login"):
        list(open_harbor(login=wrong).list_artifacts("app/web"))


def test_anybody_lists_a_public_project(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """Without a login, and without a challenge first."""
    harbor.push_image("library/web", "v1")
    assert [str(each.tag) for each in open_harbor.anonymously().list_artifacts("library/web")] == [
        "v1"
    ]
    assert open_harbor.lines == [
        "GET /projects",
        "GET /projects/library/repositories/web/artifacts",
    ]


def test_a_failure_in_mid_list_is_an_error(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """Half a list is never taken for the whole."""
    for number in range(101):
        harbor.push_image("app/web", f"v{number}", seed=number)
    registry = open_harbor()
    with harbor.state.lock:
        robot = next(iter(harbor.state.robots.values()))
    found = registry.list_artifacts("app/web")
    next(found)
    with harbor.state.lock:
        robot.disabled = True
    with pytest.raises((RegistryError, CredentialsRefused)):
        list(found)


def test_notes_tell_what_lists_have_told() -> None:
    """Of what no list has told, nothing is known."""
    notes = Notes()
    one = listed(
        {
            "digest": str(ONE),
            "accessories": [],
            "references": [
                {"child_digest": str(Digest.of(b"a"))},
                {"child_digest": str(Digest.of(b"c"))},
            ],
        }
    )
    assert one is not None
    assert notes.has_satellites("app/web", ONE) is None
    notes.take("app/web", one)
    assert notes.has_satellites("app/web", ONE) is False
    assert notes.has_satellites("app/api", ONE) is None
    assert notes.children("app/web", ONE) == one.children
    assert notes.siblings("app/web", Digest.of(b"a")) == one.children
    assert notes.siblings("app/web", Digest.of(b"b")) == ()
    assert notes.children("app/web", Digest.of(b"a")) == ()


def test_hidden_tags_are_no_artifacts(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """What hangs on another is told with it (HARBOR §7)."""
    digest = harbor.push_image("app/web", "v1")
    harbor.push("app/web", random_signature(3, digest))
    (found,) = open_harbor().list_artifacts("app/web")
    assert str(found.tag) == "v1"
    assert len(found.satellites) == 1
