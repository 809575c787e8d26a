"""What repositories there are, and the texts about them, come from the API or the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync.credentials.base import Credential
from harborsync.errors import CredentialsRefused, Denied, NoCredentials, NotFound, Unsupported
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from harborsync.testing import LoopbackHarbor


@pytest.fixture
def shelves(harbor: LoopbackHarbor) -> LoopbackHarbor:
    """A Harbor with three projects, one of them empty."""
    harbor.add_project("team")
    for name in ("app/web", "app/team/api", "team/tool", "library/base"):
        harbor.push_image(name, "v1")
    harbor.add_project("void")
    return harbor


def test_repositories_are_listed_project_by_project(
    shelves: LoopbackHarbor, open_harbor: Any
) -> None:
    """An empty project is not asked for any."""
    names = list(open_harbor().abilities.catalog.list_repositories())
    assert sorted(names) == ["app/team/api", "app/web", "library/base", "team/tool"]
    assert len(open_harbor.lines) == 4


def test_the_project_of_the_address_is_the_only_one_that_counts(
    shelves: LoopbackHarbor, open_harbor: Any
) -> None:
    """Which costs one request."""
    names = list(open_harbor(path="/app/team").abilities.catalog.list_repositories())
    assert sorted(names) == ["app/team/api", "app/web"]
    assert open_harbor.lines == ["GET /projects/app/repositories"]


def test_a_project_that_is_not_there_has_no_repositories(open_harbor: Any) -> None:
    """As a source, that is an empty one."""
    assert list(open_harbor(path="/absent").abilities.catalog.list_repositories()) == []


def test_what_the_api_refuses_is_looked_for_in_the_catalog(
    shelves: LoopbackHarbor, open_harbor: Any
) -> None:
    """A robot may have the right to that alone."""
    robot = shelves.add_robot("cat", access=["repository:pull"], system=["catalog:read"])
    login = Credential(username=robot.name, secret=Secret(robot.secret))
    names = list(open_harbor(login=login, path="/app").abilities.catalog.list_repositories())
    assert sorted(names) == ["app/team/api", "app/web"]


def test_a_robot_that_may_list_nothing_is_told_what_it_lacks(
    shelves: LoopbackHarbor, open_harbor: Any
) -> None:
    """Repositories that a rule names need no list."""
    with pytest.raises(Unsupported) as caught:
        list(open_harbor("repository:pull").abilities.catalog.list_repositories())
    assert "lacks the permission repository:list in app and team" in str(caught.value)


def test_a_login_that_is_not_taken_is_told_as_such(
    shelves: LoopbackHarbor, open_harbor: Any
) -> None:
    """That nothing is listed is the least of it."""
    login = Credential(username="admin", secret=Secret("a wrong one"))
    wrong = open_harbor(login=login, path="/app").abilities.catalog
    with pytest.raises(CredentialsRefused, match="it refuses the login 'admin'"):
        list(wrong.list_repositories())


def test_who_has_no_login_is_told_to_log_in(shelves: LoopbackHarbor, open_harbor: Any) -> None:
    """A private project shows nobody anything."""
    nobody = open_harbor.anonymously(path="/app").abilities.catalog
    with pytest.raises(NoCredentials, match="it wants a login"):
        list(nobody.list_repositories())


def test_texts_come_with_the_catalog_as_they_were_written(
    shelves: LoopbackHarbor, open_harbor: Any
) -> None:
    """Harbor stores them escaped (HARBOR §4), and shows them so."""
    registry = open_harbor(path="/app")
    text = 'R&D <b>"it\'s"</b> &amp; 🚀'
    registry.abilities.descriptions.set_description("app/web", text)
    stored = shelves.state.repositories["app/web"].description
    assert stored != text
    found = dict(registry.abilities.descriptions.list_descriptions())
    assert found == {"app/web": text, "app/team/api": ""}


@pytest.mark.parametrize(
    ("names", "requests"),
    [
        ({"app/web"}, 2),
        ({"app/web", "app/team/api"}, 2),
        ({"app/web", "app/none"}, 2),
        ({"app/none"}, 2),
        ({"busybox"}, 0),
        ({"app/web", "team/tool"}, 4),
    ],
)
def test_texts_are_asked_for_the_cheaper_way(
    shelves: LoopbackHarbor, open_harbor: Any, names: set[str], requests: int
) -> None:
    """One by one, or a page of all in the project; what is not there is left out."""
    registry = open_harbor()
    found = registry.abilities.descriptions.get_descriptions(frozenset(names))
    assert found == dict.fromkeys(names - {"app/none", "busybox"}, "")
    assert len(open_harbor.lines) == requests


def test_who_may_not_list_is_told_no_texts(shelves: LoopbackHarbor, open_harbor: Any) -> None:
    """An empty text would be taken for one, and written elsewhere."""
    registry = open_harbor("repository:pull", path="/app")
    with pytest.raises(Denied, match="list repositories of the project app") as caught:
        list(registry.abilities.descriptions.list_descriptions())
    assert "repository:list" in (caught.value.hint or "")


def test_only_what_is_there_can_be_described(open_harbor: Any) -> None:
    """And only by who may."""
    with pytest.raises(NotFound):
        open_harbor().abilities.descriptions.set_description("app/none", "text")
    with pytest.raises(Denied) as caught:
        open_harbor("repository:pull").abilities.descriptions.set_description("app/none", "text")
    assert "repository:update" in (caught.value.hint or "")
