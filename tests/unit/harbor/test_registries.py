"""Far registries are made, changed and asked after, and what cannot work is told before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync.errors import Denied, InvalidValue, NotFound, RegistryError
from harborsync.harbor.registries import (
    LOCAL,
    RegistryCredential,
    RemoteRegistry,
    registry_mistakes,
)
from harborsync.secrets import Secret
from harborsync.testing import LoopbackRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.harbor.client import Harbor
    from harborsync.testing import LoopbackHarbor

GOOD = RemoteRegistry(name="far", type="docker-registry", url="https://far.example")


@pytest.fixture
def far() -> Iterator[RemoteRegistry]:
    """A registry that is there, as a Harbor would know it."""
    with LoopbackRegistry() as registry:
        yield RemoteRegistry(name="far", type="docker-registry", url=f"http://{registry.host}")


def login(key: str, secret: str | None) -> RegistryCredential:
    """Make a credential."""
    return RegistryCredential(access_key=key, access_secret=Secret(secret) if secret else None)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 65}, "name"),
        ({"type": ""}, "type"),
        ({"type": "nonsense"}, "type"),
        ({"url": ""}, "url"),
        ({"url": "far.example"}, "url"),
        ({"url": "https://far.example/?a=b"}, "url"),
        ({"url": "https://far.example/#c"}, "url"),
        ({"url": "https://me:pw@far.example"}, "url"),
        ({"credential": login("", "pw")}, "credential"),
        ({"credential": login("me", "*****")}, "credential"),
        ({"ca_certificate": "not a certificate"}, "ca_certificate"),
    ],
)
def test_what_cannot_work_is_told_before_any_request(
    harbor: Harbor, server: LoopbackHarbor, change: dict[str, object], where: str
) -> None:
    """Harbor answers some of it with a blank 500 and takes the rest in."""
    wish = attrs.evolve(GOOD, **change)  # type: ignore[arg-type]
    assert {mistake.where for mistake in registry_mistakes(wish)} == {where}
    with pytest.raises(InvalidValue, match="cannot make the registry"):
        harbor.registries.create(wish)
    assert server.requests == ()


def test_a_registry_is_made_found_and_deleted(harbor: Harbor, far: RemoteRegistry) -> None:
    """By its id and by its exact name."""
    made = harbor.registries.create(far)
    assert harbor.registries.get(made).url == far.url
    assert [each.id for each in harbor.registries.list()] == [made]
    harbor.registries.create(attrs.evolve(far, name="far-away"))
    found = harbor.registries.named("far")
    assert found is not None
    assert found.id == made
    assert harbor.registries.named("fa") is None
    assert harbor.registries.delete(made)
    assert not harbor.registries.delete(made)
    with pytest.raises(NotFound):
        harbor.registries.get(made)


def test_a_secret_is_sent_and_comes_back_unknown(
    harbor: Harbor, server: LoopbackHarbor, far: RemoteRegistry
) -> None:
    """It is in no text of ours."""
    made = harbor.registries.create(attrs.evolve(far, credential=login("me", "hunter2")))
    found = harbor.registries.get(made)
    assert found.credential == login("me", None)
    assert "hunter2" not in repr(found)
    harbor.registries.update(attrs.evolve(found, description="kept"))
    assert harbor.registries.get(made).credential == login("me", None)


def test_a_login_is_dropped_by_saying_none(harbor: Harbor, far: RemoteRegistry) -> None:
    """A value says everything there is to know about a registry."""
    made = harbor.registries.create(attrs.evolve(far, credential=login("me", "hunter2")))
    harbor.registries.update(attrs.evolve(harbor.registries.get(made), credential=None))
    assert harbor.registries.get(made).credential == RegistryCredential()


def test_a_new_address_wants_the_secret_again(harbor: Harbor, far: RemoteRegistry) -> None:
    """One version of Harbor shows the new address the old secret, another forgets it."""
    made = harbor.registries.create(attrs.evolve(far, credential=login("me", "hunter2")))
    found = harbor.registries.get(made)
    moved = attrs.evolve(found, url=found.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(InvalidValue, match="the address changes"):
        harbor.registries.update(moved)
    harbor.registries.update(attrs.evolve(moved, credential=login("me", "hunter2")))
    assert harbor.registries.get(made).url == moved.url


def test_a_slash_at_the_end_is_no_new_address(harbor: Harbor, far: RemoteRegistry) -> None:
    """Harbor cuts it off."""
    made = harbor.registries.create(attrs.evolve(far, credential=login("me", "hunter2")))
    found = harbor.registries.get(made)
    harbor.registries.update(attrs.evolve(found, url=f"{found.url}/"))


def test_harbor_knows_itself_and_what_rules_can_do(harbor: Harbor, far: RemoteRegistry) -> None:
    """Only about itself does it hear of events."""
    made = harbor.registries.create(far)
    assert harbor.registries.get(LOCAL).is_local
    assert not harbor.registries.get(made).is_local
    assert "event_based" in harbor.registries.info(LOCAL).supported_triggers
    info = harbor.registries.info(made)
    assert info.supported_triggers == ("manual", "scheduled")
    kinds = [each.type for each in info.supported_resource_filters]
    assert kinds == ["name", "tag", "resource"]
    assert "aws-ecr" in harbor.registries.adapters()


def test_a_ping_tells_whether_harbor_reaches_a_registry(
    harbor: Harbor, far: RemoteRegistry
) -> None:
    """One that is known, one that is to be made, and one that is not there, of both kinds."""
    made = harbor.registries.create(far)
    assert harbor.registries.ping(made)
    assert harbor.registries.ping(far)
    nowhere = "http://127.0.0.1:9"
    assert not harbor.registries.ping(attrs.evolve(far, url=nowhere))
    assert not harbor.registries.ping(attrs.evolve(far, url=nowhere, type="harbor"))
    with pytest.raises(NotFound):
        harbor.registries.ping(9999)


def test_a_registry_that_is_not_there_is_refused_by_harbor(harbor: Harbor) -> None:
    """It looks before it makes one."""
    with pytest.raises(RegistryError, match="the registry is unhealthy"):
        harbor.registries.create(attrs.evolve(GOOD, url="http://127.0.0.1:9"))


def test_a_login_that_may_not_is_told_what_it_lacks(
    server: LoopbackHarbor, open_as: Callable[[str, str], Harbor]
) -> None:
    """By the name of the permission."""
    robot = server.add_robot("reader", project="app")
    harbor = open_as(robot.name, robot.secret)
    with pytest.raises(Denied) as caught:
        list(harbor.registries.list())
    assert "registry:list" in str(caught.value.hint)


def test_what_was_not_made_yet_cannot_be_changed(harbor: Harbor, server: LoopbackHarbor) -> None:
    """It has no id."""
    with pytest.raises(InvalidValue, match="this registry is not known to"):
        harbor.registries.update(GOOD)
    assert server.requests == ()


def test_a_type_of_a_newer_harbor_can_be_changed(harbor: Harbor, far: RemoteRegistry) -> None:
    """Its type is not sent again in earnest."""
    made = harbor.registries.create(far)
    found = attrs.evolve(harbor.registries.get(made), type="brand-new", description="kept")
    harbor.registries.update(found)
    assert harbor.registries.get(made).description == "kept"


def test_an_address_is_shown_without_a_login() -> None:
    """Harbor takes one that holds a login; here it is refused, and never printed."""
    careless = attrs.evolve(GOOD, url="https://me:hunter2@far.example")
    assert "url='https://far.example'," in repr(careless)
