"""What the editions of TCR make of odd answers of their APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.artifact import Artifact
from harborsync.errors import NotFound
from harborsync.gate import open_registry
from harborsync.provider import OpenContext
from harborsync.reference import Tag
from harborsync.registries.creation import Create, Creation
from harborsync.registries.editions import Edition
from harborsync.registries.tcr import TcrMaker, TcrRegistry
from harborsync.registries.tcr_api import TcrRepository
from harborsync.registries.tcr_enterprise import EnterpriseEdition
from harborsync.registries.tcr_personal import PersonalEdition
from harborsync.registries.tcr_place import TcrPlace
from harborsync.testing import LoopbackRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Api:
    """An API that says one thing, or fails."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self._answer = answer

    def call(self, what: str, action: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer."""
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    call_instance = call


@pytest.mark.parametrize("edition", [EnterpriseEdition, PersonalEdition])
def test_a_repository_of_no_namespace_is_not_there(edition: type[Any]) -> None:
    """Whichever of the two the API misses."""
    assert edition(_Api(NotFound("no namespace"))).find("none/app") is None


@pytest.mark.parametrize(
    ("edition", "answer"),
    [
        (EnterpriseEdition, {"ImageInfoList": [{"ImageVersion": ""}, {"ImageVersion": "v1"}]}),
        (PersonalEdition, {"Data": {"TagInfo": [{"TagName": "no tag"}, {"TagName": "v1"}]}}),
    ],
)
def test_what_is_no_tag_is_left_out(edition: type[Any], answer: dict[str, Any]) -> None:
    """Untagged images are listed, too."""
    assert [each.tag for each in edition(_Api(answer)).tags("team/app")] == ["v1"]


@pytest.mark.parametrize("edition", [EnterpriseEdition, PersonalEdition])
@pytest.mark.parametrize("answer", [{}, {"Data": None}, {"Data": {}}])
def test_an_answer_without_a_list_is_an_empty_one(
    edition: type[Any], answer: dict[str, Any]
) -> None:
    """Nulls stand for nothing."""
    speaker = edition(_Api(answer))
    assert list(speaker.tags("team/app")) == []
    assert list(speaker.repositories()) == []
    assert not speaker.has_namespace("team")


class _Shifting:
    """An edition whose pages move on while somebody pushes."""

    def repositories(self) -> Iterator[TcrRepository]:
        """Yield one twice."""
        yield from [TcrRepository(name="team/app")] * 2

    def tags(self, repository: str) -> Iterator[Artifact]:
        """Yield one twice."""
        yield from [Artifact(repository=repository, tag=Tag("v1"))] * 2


def test_what_comes_twice_is_listed_once() -> None:
    """Tags and repositories."""
    with LoopbackRegistry() as server:
        plain = open_registry(server.endpoint, OpenContext())
        transport: Any = plain
        place = TcrPlace(host=server.host, edition=Edition.PERSONAL)
        edition: Any = _Shifting()
        made = TcrRegistry(place, edition, server.endpoint, transport, OpenContext())
        assert list(made.list_repositories()) == ["team/app"]
        assert [each.tag for each in made.list_artifacts("team/app")] == ["v1"]
        plain.close()


@attrs.define
class _Counting:
    """An edition that counts."""

    looked: int = 0
    made: int = 0

    def has_namespace(self, namespace: str) -> bool:
        """Count."""
        self.looked += 1
        return True

    def create_namespace(self, namespace: str, *, public: bool) -> None:
        """Count."""
        self.made += 1

    def create(self, repository: str, *, public: bool) -> bool:
        """Say that it was made."""
        return True


def test_a_namespace_is_looked_for_and_made_once() -> None:
    """Whatever many repositories there are in it."""
    edition = _Counting()
    speaker: Any = edition
    maker = TcrMaker(Creation(), speaker, lambda repository: True)
    for number in range(3):
        assert not maker.ensure_repository(f"team/app{number}")
    assert (edition.looked, edition.made) == (1, 0)
    always = TcrMaker(Creation(create=Create.ALWAYS), speaker, lambda repository: True)
    for number in range(3):
        assert always.ensure_repository(f"team/app{number}")
    assert (edition.looked, edition.made) == (1, 1)
