"""Repositories in the API of the emulated Harbor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from harborsync.testing.content import (
    random_image,
    random_index,
    random_referrer,
    random_signature,
)

if TYPE_CHECKING:
    from harborsync.testing import FakeClock, LoopbackHarbor

_WEB: Final = "/projects/app/repositories/web"


@pytest.fixture
def filled(harbor: LoopbackHarbor) -> LoopbackHarbor:
    """Return a Harbor with an image, an index and what belongs to the image."""
    image = random_image(1)
    harbor.push("app/web", image, "1.0", "latest")
    harbor.push("app/web", random_index(2), "multi")
    harbor.push("app/web", random_signature(3, image.digest))
    harbor.push("app/web", random_referrer(4, image.descriptor))
    harbor.push("app/team/api", random_image(5), "2.0")
    return harbor


def test_repositories_are_listed_newest_first(
    harbor: LoopbackHarbor, harbor_clock: FakeClock, admin: Any
) -> None:
    """Of a project, or of all one may see; the name has the project in it (HARBOR-7)."""
    for number, name in enumerate(("app/a", "app/b", "library/c")):
        harbor.push_image(name, "1", seed=number)
        harbor_clock.advance(1)
    assert [each["name"] for each in admin("GET", "/projects/app/repositories").json] == [
        "app/b",
        "app/a",
    ]
    assert [each["name"] for each in admin("GET", "/repositories?sort=name").json] == [
        "app/a",
        "app/b",
        "library/c",
    ]


def test_a_list_of_all_repositories_shows_what_one_may_see(
    filled: LoopbackHarbor, anybody: Any
) -> None:
    """Nothing of a private project to anybody."""
    filled.push_image("library/open", "1")
    assert [each["name"] for each in anybody("GET", "/repositories").json] == ["library/open"]


def test_where_a_blob_is_can_be_asked(filled: LoopbackHarbor, admin: Any) -> None:
    """That is how Harbor's own replication finds where to mount from (HARBOR-3)."""
    digest = next(iter(filled.artifact("app/team/api", "2.0").sizes))
    found = admin("GET", f"/repositories?q=blob_digest%3D{digest}").json
    assert [each["name"] for each in found] == ["app/team/api"]


@pytest.mark.parametrize("name", ["team%252Fapi", "team%2Fapi"])
def test_a_slash_in_a_name_is_encoded(filled: LoopbackHarbor, admin: Any, name: str) -> None:
    """Twice, or once where nothing is in between; never not at all (HARBOR-4)."""
    assert admin("GET", f"/projects/app/repositories/{name}").json["name"] == "app/team/api"
    assert admin("GET", "/projects/app/repositories/team/api").status == 404
    assert filled.tags("app/team/api").keys() == {"2.0"}


def test_a_repository_counts_what_a_list_shows(filled: LoopbackHarbor, admin: Any) -> None:
    """Neither children nor what belongs to another (HARBOR-7)."""
    assert admin("GET", _WEB).json["artifact_count"] == 2
    assert len(filled.state.repository("app/web").artifacts) > 2


@pytest.mark.usefixtures("filled")
def test_a_description_is_escaped(admin: Any) -> None:
    """Each time it is written (HARBOR-4)."""
    text = "R&D <b>\"fast\"</b> 'n' easy"
    assert admin("PUT", _WEB, {"description": text}).status == 200
    assert admin("GET", _WEB).json["description"] == (
        "R&amp;D &lt;b&gt;&#34;fast&#34;&lt;/b&gt; &#39;n&#39; easy"
    )


def test_a_repository_is_deleted_with_everything(filled: LoopbackHarbor, admin: Any) -> None:
    """A second time it is not there."""
    assert admin("DELETE", _WEB).status == 200
    assert admin("DELETE", _WEB).codes == ["NOT_FOUND"]
    assert filled.storage.manifests("app/web") == ()
