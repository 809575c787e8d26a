"""What a Harbor does by itself, as rules of ours, and what is lost on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync import Bandwidth, Endpoint, Naming, OnConflict
from harborsync.errors import ConfigurationError
from harborsync.filters import EVERYTHING, Filter
from harborsync.harbor.gaps import Effect
from harborsync.harbor.importing import Imported, Refused, import_policies, import_policy
from harborsync.harbor.policies import (
    PolicyFilter,
    PolicyTrigger,
    ReplicationPolicy,
    read_policy,
)
from harborsync.harbor.registries import RemoteRegistry

if TYPE_CHECKING:
    from harborsync.harbor.client import Harbor
    from harborsync.testing import LoopbackHarbor

RECORDED = Path(__file__).parents[3] / "../shared/vectors/harbor/09-policies.json"
HERE = "harbor://harbor.example"
FAR = RemoteRegistry(id=3, name="far", type="docker-registry", url="https://mirror.example")
OTHER = RemoteRegistry(id=4, name="other", type="harbor", url="https://other.example")
V_TAGS = PolicyFilter(type="tag", value="v*", decoration="matches")
PLAIN = ReplicationPolicy(id=1, name="p", dest_registry=FAR, filters=(V_TAGS,), override=True)


def imported(**fields: Any) -> Imported:
    """Import a plain policy with some fields changed."""
    return import_policy(attrs.evolve(PLAIN, **fields), here=HERE)


def what(found: Imported) -> dict[str, Effect]:
    """Return what is noted, with its effect."""
    return {note.what: note.effect for note in found.notes}


def test_a_plain_policy_becomes_a_rule_without_notes() -> None:
    """It pushes from the Harbor."""
    found = imported()
    assert found.notes == ()
    assert found.rule.source == Endpoint.parse(HERE)
    assert [str(to) for to in found.rule.destinations] == ["registry://mirror.example"]
    assert found.rule.where == Filter.parse("tag like 'v*'")
    assert found.rule.on_conflict is OnConflict.OVERWRITE


def test_a_pulling_policy_becomes_a_rule_into_the_harbor() -> None:
    """From the far registry."""
    found = imported(src_registry=OTHER, dest_registry=None, dest_namespace="lib")
    assert str(found.rule.source) == "harbor://other.example"
    assert str(found.rule.destinations[0]) == HERE
    assert found.rule.naming == Naming(namespace="lib", flatten=-1)
    assert what(found) == {"labels and descriptions": Effect.MORE}


def test_filters_become_one_filter() -> None:
    """Excluded ones are negated; labels must all be there."""
    filters = (
        PolicyFilter(type="name", value="team/**"),
        V_TAGS,
        PolicyFilter(type="tag", value="*-rc*", decoration="excludes"),
        PolicyFilter(type="label", value=("a", "b"), decoration="excludes"),
    )
    found = imported(filters=filters)
    assert str(found.rule.where) == (
        "name like 'team/**' and tag like 'v*' and not tag like '*-rc*' "
        "and not (label has 'a' and label has 'b')"
    )
    assert found.notes == ()


def test_terms_keep_what_no_rule_has() -> None:
    """So that the policy can be made again from both."""
    found = imported(
        trigger=PolicyTrigger(type="scheduled", cron="0 0 2 * * *"),
        speed=1000,
        deletion=True,
        enabled=False,
        copy_by_chunk=True,
        description="all of it [harborsync default]",
    )
    terms = found.terms
    assert terms.trigger == PolicyTrigger(type="scheduled", cron="0 0 2 * * *")
    assert terms.bandwidth == Bandwidth(1_024_000)
    assert (terms.deletion, terms.enabled, terms.by_chunk) == (True, False, True)
    assert (terms.single_active, terms.description) == (False, "all of it")


@pytest.mark.parametrize(
    ("fields", "note", "effect"),
    [
        ({"deletion": True}, "deletion", Effect.OTHER),
        ({"enabled": False}, "enabled=false", Effect.OTHER),
        ({"trigger": PolicyTrigger(type="event_based")}, "event_based", Effect.OTHER),
        ({"trigger": PolicyTrigger(type="manual", cron="0 0 2 * * *")}, "cron", Effect.NONE),
        ({"override": False}, "override=false", Effect.OTHER),
        ({"speed": 51200}, "speed=51200", Effect.OTHER),
        ({"speed": -5}, "speed=-5", Effect.NONE),
        ({"filters": ()}, "untagged artifacts", Effect.LESS),
        ({"name": "all of it!"}, "the name 'all of it!'", Effect.NONE),
        ({"name": "/"}, "the name '/'", Effect.NONE),
        ({"dest_namespace_replace_count": 2}, "dest_namespace_replace_count=2", Effect.NONE),
        (
            {"filters": (V_TAGS, PolicyFilter(type="name", value="a/**"))},
            "filters",
            Effect.NONE,
        ),
        (
            {
                "filters": (
                    V_TAGS,
                    PolicyFilter(type="label", value=("a",)),
                    PolicyFilter(type="label", value=("b",)),
                )
            },
            "filters",
            Effect.NONE,
        ),
        (
            {"filters": (V_TAGS, PolicyFilter(type="resource", value="image"))},
            "the filter resource='image'",
            Effect.NONE,
        ),
        (
            {"filters": (PolicyFilter(type="name", value=""), V_TAGS)},
            "the filter name=''",
            Effect.NONE,
        ),
        (
            {"src_registry": FAR, "dest_registry": None},
            "signatures and SBOMs",
            Effect.MORE,
        ),
        (
            {"dest_registry": attrs.evolve(FAR, type="quay")},
            "type=quay",
            Effect.OTHER,
        ),
    ],
)
def test_what_is_otherwise_is_noted(fields: dict[str, Any], note: str, effect: Effect) -> None:
    """Each thing once, with what to do about it."""
    found = imported(**fields)
    assert what(found) == {note: effect}
    assert found.notes[0].advice


def test_a_rule_needs_a_name_that_is_one() -> None:
    """Of letters, digits and a few signs."""
    assert imported(name="all of it!").rule.name == "all-of-it"
    assert imported(name="/").rule.name == "policy"
    assert len(imported(name="x" * 100).rule.name) == 64


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (ReplicationPolicy(name="p"), "no far registry"),
        (
            attrs.evolve(PLAIN, filters=(PolicyFilter(type="tag", value="[a"),)),
            "pattern that cannot be read",
        ),
        (
            attrs.evolve(
                PLAIN,
                dest_registry=attrs.evolve(
                    FAR, type="aws-ecr", url="https://api.ecr.eu-west-1.amazonaws.com"
                ),
            ),
            "whoever's key",
        ),
    ],
)
def test_what_cannot_be_a_rule_is_refused(policy: ReplicationPolicy, message: str) -> None:
    """With what to do about it."""
    with pytest.raises(ConfigurationError, match=message):
        import_policy(policy, here=HERE)


def test_every_policy_of_a_harbor_is_looked_at(harbor: Harbor, server: LoopbackHarbor) -> None:
    """One that cannot be said does not keep the others back."""
    far = RemoteRegistry(name="itself", type="harbor", url=server.url)
    made = attrs.evolve(far, id=harbor.registries.create(far))
    harbor.policies.create(ReplicationPolicy(name="good", dest_registry=made, filters=(V_TAGS,)))
    bad = attrs.evolve(PLAIN, name="bad", dest_registry=made, id=None)
    body = {
        "name": bad.name,
        "dest_registry": {"id": made.id},
        "filters": [{"type": "tag", "value": "[a"}],
    }
    harbor.api.post("/replication/policies", body, what="make a policy as others would")
    found = import_policies(harbor, here=server.endpoint)
    by_name = {each.policy.name: each for each in found}
    assert isinstance(by_name["good"], Imported)
    assert isinstance(by_name["bad"], Refused)
    assert str(by_name["bad"]).startswith("bad: the policy 'bad' has a pattern")
    assert "where tag like 'v*'" in str(by_name["good"])


@pytest.mark.skipif(not RECORDED.exists(), reason=f"{RECORDED} is not there")
def test_every_recorded_policy_is_imported_or_refused_for_a_reason() -> None:
    """A real Harbor took them all in."""
    exchanges = json.loads(RECORDED.read_text())["exchanges"]
    bodies = [
        each["response"]["json"]
        for each in exchanges
        if each["name"].endswith("-after") and each["response"]["status"] == 200
    ]
    refused = []
    for body in bodies:
        try:
            found = import_policy(read_policy(body), here=HERE)
        except ConfigurationError as error:
            refused.append((body["name"], str(error).partition("\n")[0]))
            continue
        assert found.policy.name == body["name"]
        assert not body["filters"] or found.rule.where != EVERYTHING or found.notes
    assert len(bodies) > 20
    assert [name for name, _ in refused] == ["p-filter-bad-pattern"]
