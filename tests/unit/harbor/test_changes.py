"""Differences are shown field by field, as text and as JSON."""

from __future__ import annotations

import json

import attrs

from harborsync.harbor.changes import (
    Action,
    Change,
    Changes,
    FieldChange,
    policy_changes,
    registry_changes,
)
from harborsync.harbor.policies import PolicyFilter, PolicyTrigger, ReplicationPolicy
from harborsync.harbor.registries import RegistryCredential, RemoteRegistry
from harborsync.secrets import Secret

FAR = RemoteRegistry(id=3, name="far", type="docker-registry", url="https://far.example")
POLICY = ReplicationPolicy(
    name="nightly",
    dest_registry=FAR,
    filters=(
        PolicyFilter(type="tag", value="v*", decoration="matches"),
        PolicyFilter(type="label", value=("a", "b"), decoration="excludes"),
    ),
)


def texts(fields: tuple[FieldChange, ...]) -> list[str]:
    """Return fields as text."""
    return [str(field) for field in fields]


def test_equal_policies_have_no_differences() -> None:
    """Neither an id nor a time counts, nor what is idle, nor how a default is written."""
    same = attrs.evolve(
        POLICY,
        id=5,
        filters=(attrs.evolve(POLICY.filters[0], decoration=""), POLICY.filters[1]),
        trigger=PolicyTrigger(type="manual", cron="0 0 0 * * *"),
        dest_namespace_replace_count=4,
        speed=-5,
    )
    assert policy_changes(same, POLICY) == ()
    assert policy_changes(POLICY, same) == ()


def test_every_difference_of_a_policy_is_told() -> None:
    """In the words of Harbor's fields."""
    other = attrs.evolve(
        POLICY,
        src_registry=FAR,
        dest_registry=None,
        dest_namespace="lib",
        filters=(),
        trigger=PolicyTrigger(type="scheduled", cron="0 0 2 * * *"),
        override=True,
    )
    assert texts(policy_changes(POLICY, other)) == [
        "direction: push -> pull",
        "filters: tag 'v*', not label 'a' and 'b' -> -",
        "dest_namespace: lib",
        "trigger: manual -> scheduled 0 0 2 * * *",
        "override: no -> yes",
    ]


def test_a_new_object_is_told_whole() -> None:
    """But for what is empty."""
    assert "registry: far" in texts(policy_changes(None, POLICY))
    assert texts(registry_changes(None, FAR)) == [
        "type: docker-registry",
        "url: https://far.example",
        "insecure: no",
    ]


def test_a_secret_counts_as_equal_and_is_never_shown() -> None:
    """What Harbor has cannot be known."""
    mine = RegistryCredential(access_key="me", access_secret=Secret("hidden-1"))
    wanted = attrs.evolve(FAR, credential=mine)
    known = attrs.evolve(FAR, credential=RegistryCredential(access_key="me"))
    assert registry_changes(known, wanted) == ()
    assert registry_changes(known, FAR) == ()
    assert texts(registry_changes(known, wanted, renews=True)) == ["secret: unknown -> changed"]
    assert texts(registry_changes(FAR, wanted)) == ["login: me", "secret: unknown -> changed"]
    assert "hidden-1" not in repr(registry_changes(None, wanted))


def test_changes_are_text_and_json() -> None:
    """For people and for programs."""
    field = FieldChange(field="speed", before="0", after="100")
    change = Change(action=Action.UPDATE, kind="policy", name="x", fields=(field,))
    gone = Change(action=Action.DELETE, kind="registry", name="y")
    changes = Changes(changes=(change, gone), notes=("old",))
    assert str(changes) == "~ policy x\n    speed: 0 -> 100\n- registry y\nnote: old"
    assert json.loads(changes.to_json())["changes"][0]["fields"] == [attrs.asdict(field)]
    assert changes
    assert not Changes()
