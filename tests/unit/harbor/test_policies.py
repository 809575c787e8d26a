"""Policies are made, changed and read back, and what cannot work is told before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync.errors import InvalidValue, NotFound, RegistryError
from harborsync.harbor.client import Harbor
from harborsync.harbor.policies import (
    FASTEST,
    PolicyFilter,
    PolicyTrigger,
    ReplicationPolicy,
    policy_body,
    policy_mistakes,
    read_policy,
)
from harborsync.harbor.records import MASK
from harborsync.harbor.registries import RemoteRegistry
from harborsync.testing import LoopbackRegistry
from harborsync.testing.scripted import Heard, Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.testing import LoopbackHarbor

FAR = RemoteRegistry(id=3, name="far")
GOOD = ReplicationPolicy(
    name="nightly",
    dest_registry=FAR,
    dest_namespace="mirror",
    dest_namespace_replace_count=1,
    filters=(
        PolicyFilter(type="name", value="app/{web,api}/**"),
        PolicyFilter(type="tag", value="v*", decoration="excludes"),
        PolicyFilter(type="label", value=("release",)),
        PolicyFilter(type="resource", value="image"),
    ),
    trigger=PolicyTrigger(type="scheduled", cron="0 0 */6 * * *"),
    override=True,
    speed=51200,
    single_active_replication=True,
)


@pytest.fixture
def far_id(harbor: Harbor) -> Iterator[int]:
    """The id of a far registry that is there."""
    with LoopbackRegistry() as far:
        wish = RemoteRegistry(name="far", type="docker-registry", url=f"http://{far.host}")
        yield harbor.registries.create(wish)


def only(kind: str, value: str | tuple[str, ...], decoration: str = "") -> dict[str, object]:
    """Change the filters to one."""
    return {"filters": (PolicyFilter(type=kind, value=value, decoration=decoration),)}


def triggered(kind: str, cron: str = "", **more: object) -> dict[str, object]:
    """Change the trigger, and more."""
    changes: dict[str, object] = {"single_active_replication": False, **more}
    return {"trigger": PolicyTrigger(type=kind, cron=cron), **changes}


MISTAKES: dict[str, tuple[dict[str, object], str]] = {
    "no name": ({"name": " "}, "name"),
    "a name too long": ({"name": "n" * 257}, "name"),
    "no far registry": ({"dest_registry": None}, "src_registry, dest_registry"),
    "itself on both sides": (
        {"dest_registry": RemoteRegistry(id=0)},
        "src_registry, dest_registry",
    ),
    "two far registries": ({"src_registry": RemoteRegistry(id=4)}, "src_registry, dest_registry"),
    "a registry not made": ({"dest_registry": RemoteRegistry()}, "src_registry, dest_registry"),
    "an unknown trigger": (triggered("whenever"), "trigger.type"),
    "five fields of cron": (triggered("scheduled", "0 2 * * *"), "trigger.cron"),
    "seconds that are not 0": (triggered("scheduled", "30 0 2 * * *"), "trigger.cron"),
    "every minute": (triggered("scheduled", "0 * * * * *"), "trigger.cron"),
    "events of a far registry": (
        triggered("event_based", src_registry=FAR, dest_registry=None),
        "trigger.type",
    ),
    "events and one at a time": (
        triggered("event_based", single_active_replication=True),
        "single_active_replication",
    ),
    "a negative speed": ({"speed": -1}, "speed"),
    "a speed that runs over": ({"speed": FASTEST + 1}, "speed"),
    "a count of -2": ({"dest_namespace_replace_count": -2}, "dest_namespace_replace_count"),
    "a count of 128": ({"dest_namespace_replace_count": 128}, "dest_namespace_replace_count"),
    "more parts than there are": (
        {**only("name", "app/web"), "dest_namespace_replace_count": 3},
        "dest_namespace_replace_count",
    ),
    "as many parts as there are": (
        {**only("name", "app/{web,api/v1}"), "dest_namespace_replace_count": 2},
        "dest_namespace_replace_count",
    ),
    "capitals in the namespace": ({"dest_namespace": "Mirror"}, "dest_namespace"),
    "a slash at its end": ({"dest_namespace": "mirror/"}, "dest_namespace"),
    "a pattern that is none": (only("name", "app/[z"), "filters[0]"),
    "an empty pattern": (only("tag", ""), "filters[0]"),
    "an unknown filter": (only("colour", "red"), "filters[0]"),
    "a name turned round": (only("name", "app/**", "excludes"), "filters[0]"),
    "an unknown decoration": (only("tag", "v*", "repoMatches"), "filters[0]"),
    "labels as a text": (only("label", "release"), "filters[0]"),
    "no label": (only("label", ()), "filters[0]"),
    "an empty label": (only("label", ("",)), "filters[0]"),
    "several names in one": (only("name", ("a/**", "b/**")), "filters[0]"),
    "an unknown resource": (only("resource", "chart"), "filters[0]"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_rule_mistakes_are_caught_before_any_request(
    harbor: Harbor, server: LoopbackHarbor, mistake: str
) -> None:
    """Some are blank 500s in Harbor, many are taken in and every run fails."""
    change, where = MISTAKES[mistake]
    wish = attrs.evolve(GOOD, **change)  # type: ignore[arg-type]
    mistakes = tuple(policy_mistakes(wish))
    assert {mistake.where for mistake in mistakes} == {where}
    assert all(mistake.remedy for mistake in mistakes)
    with pytest.raises(InvalidValue, match="cannot make the policy") as caught:
        harbor.policies.create(wish)
    assert caught.value.hint
    with pytest.raises(InvalidValue, match="cannot change the policy"):
        harbor.policies.update(attrs.evolve(wish, id=1))
    assert server.requests == ()


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"src_registry": FAR, "dest_registry": None},
        {"dest_namespace": "", "dest_namespace_replace_count": 99},
        {**only("name", "app/web"), "dest_namespace_replace_count": 1},
        {**only("name", "**"), "dest_namespace_replace_count": 9},
        {"filters": ()},
        {"speed": FASTEST},
        triggered("event_based"),
        triggered("manual", "nonsense"),
    ],
    ids=str,
)
def test_what_can_work_is_well(change: dict[str, object]) -> None:
    """Nothing is told that is no mistake."""
    assert not list(policy_mistakes(attrs.evolve(GOOD, **change)))  # type: ignore[arg-type]


def test_a_mistake_says_how_much_would_do() -> None:
    """The most parts that can be replaced."""
    change = {**only("name", "app/{web,api/v1}"), "dest_namespace_replace_count": 5}
    mistakes = list(policy_mistakes(attrs.evolve(GOOD, **change)))  # type: ignore[arg-type]
    assert mistakes[0].remedy == "write at most 1"


def test_a_policy_reads_back_as_it_was_made(harbor: Harbor, far_id: int) -> None:
    """Every field of it that is ours to say."""
    wish = attrs.evolve(GOOD, dest_registry=RemoteRegistry(id=far_id))
    made = harbor.policies.create(wish)
    found = harbor.policies.get(made)
    assert found.is_push
    assert found.remote is not None
    assert found.remote.name == "far"
    assert policy_body(found) == policy_body(wish)
    assert [each.id for each in harbor.policies.list()] == [made]


def test_a_policy_is_found_by_its_exact_name(harbor: Harbor, far_id: int) -> None:
    """Harbor finds every name that contains it."""
    wish = attrs.evolve(GOOD, dest_registry=RemoteRegistry(id=far_id))
    harbor.policies.create(attrs.evolve(wish, name="nightly-too"))
    assert harbor.policies.named("nightly") is None
    made = harbor.policies.create(wish)
    found = harbor.policies.named("nightly")
    assert found is not None
    assert found.id == made


def test_a_change_leaves_nothing_out(harbor: Harbor, server: LoopbackHarbor, far_id: int) -> None:
    """Harbor forgets what a PUT does not say; the mask of a secret is never in it."""
    made = harbor.policies.create(attrs.evolve(GOOD, dest_registry=RemoteRegistry(id=far_id)))
    before = harbor.policies.get(made)
    harbor.policies.update(attrs.evolve(before, speed=100))
    after = harbor.policies.get(made)
    assert attrs.evolve(after, speed=before.speed, update_time=before.update_time) == before
    assert after.speed == 100


def test_a_change_keeps_what_only_a_newer_harbor_knows() -> None:
    """It is sent back as it came; the mask of a secret is not."""
    told = {
        "id": 7,
        "colour": "red",
        "src_registry": {"id": 0, "credential": {"access_secret": MASK}},
    }
    heard: list[Heard] = []

    def answer(request: Heard) -> Said:
        heard.append(request)
        return Said(body=json.dumps(told).encode() if request.method == "GET" else b"")

    with (
        ScriptedServer(answer) as server,
        Harbor.open(f"harbor+http://{server.host}") as harbor,
    ):
        harbor.policies.update(attrs.evolve(GOOD, id=7))
    sent = json.loads(heard[-1].body)
    assert heard[-1].method == "PUT"
    assert sent["colour"] == "red"
    assert MASK not in str(sent)


def test_both_names_of_deletion_are_sent() -> None:
    """The server reads the one and tells both."""
    body = policy_body(attrs.evolve(GOOD, deletion=True))
    assert body["deletion"] is body["replicate_deletion"] is True


def test_a_policy_that_is_gone_cannot_be_changed(harbor: Harbor) -> None:
    """And deleting it again tells that it was not there."""
    with pytest.raises(NotFound):
        harbor.policies.update(attrs.evolve(GOOD, id=99))
    assert not harbor.policies.delete(99)


def test_a_policy_to_a_registry_that_is_not_known_is_refused_by_harbor(harbor: Harbor) -> None:
    """Only the server knows which there are."""
    with pytest.raises(NotFound, match="registry 99 not found"):
        harbor.policies.create(attrs.evolve(GOOD, dest_registry=RemoteRegistry(id=99)))


def test_an_answer_of_another_shape_says_so() -> None:
    """Somebody else answered."""
    with pytest.raises(RegistryError, match="is no ReplicationPolicy"):
        read_policy("hello")


def test_a_policy_within_one_harbor_has_no_far_registry() -> None:
    """There is none to name."""
    assert ReplicationPolicy(name="x").remote is None
    assert ReplicationPolicy(name="x", src_registry=FAR).remote == FAR
