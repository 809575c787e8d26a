"""Projects are made, found, summed up and deleted, by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.errors import InvalidValue

if TYPE_CHECKING:
    from harborsync.harbor.client import Harbor
    from harborsync.testing import LoopbackHarbor


def test_a_project_is_made_found_and_deleted(harbor: Harbor) -> None:
    """By its name, also if that is a number."""
    harbor.projects.create("123", public=True, storage_limit=1000)
    assert harbor.projects.exists("123")
    found = harbor.projects.get("123")
    assert found.is_public
    assert not found.is_proxy_cache
    assert harbor.projects.id_of("123") == found.project_id
    assert harbor.projects.summary("123").quota.hard.storage == 1000
    assert {each.name for each in harbor.projects.list()} == {"app", "library", "123"}
    assert harbor.projects.delete("123")
    assert not harbor.projects.delete("123")
    assert not harbor.projects.exists("123")


@pytest.mark.parametrize("name", ["", "App", "a/b", "a..b", "-a", "n" * 256])
def test_a_project_that_cannot_be_called_so_is_told_before_any_request(
    harbor: Harbor, server: LoopbackHarbor, name: str
) -> None:
    """Harbor says 422 to some, 400 to others."""
    with pytest.raises(InvalidValue, match="is no project's name"):
        harbor.projects.create(name)
    assert server.requests == ()


def test_a_list_tells_of_each_project_what_asking_for_it_tells(harbor: Harbor) -> None:
    """Whether it is public, and whose it is: a list without details leaves both out (03-projects)."""
    harbor.projects.create("open", public=True)
    listed = {each.name: each for each in harbor.projects.list()}
    assert listed == {name: harbor.projects.get(name) for name in listed}
    assert (listed["open"].is_public, listed["app"].is_public) == (True, False)
    assert listed["open"].owner_name == "admin"
