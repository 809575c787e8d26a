"""What a Harbor needs to follow a rule, and what of it is no rule of Harbor's."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from harborsync import Keep, Naming, Rename, ReplicationRule
from harborsync.errors import ConfigurationError, InvalidValue
from harborsync.harbor.compiling import Compiled, compile_rule
from harborsync.harbor.gaps import Effect
from harborsync.harbor.policies import PolicyFilter, PolicyTrigger
from harborsync.harbor.terms import Terms
from harborsync.harbor.timetable import scheduled

HERE = "harbor://harbor.example"
THERE = "registry://mirror.example"
ANY_TAG = PolicyFilter(type="tag", value="?*", decoration="matches")


def rule(**fields: Any) -> ReplicationRule:
    """Make a rule that a Harbor can follow exactly, but for what is said otherwise."""
    usual = {
        "name": "nightly",
        "source": HERE,
        "destinations": THERE,
        "where": "everything",
        "on_conflict": "overwrite",
    }
    return ReplicationRule(**{**usual, **fields})


def compiled(terms: Terms | None = None, **fields: Any) -> Compiled:
    """Compile a rule for the Harbor of these tests."""
    return compile_rule(rule(**fields), into="harbor.example", terms=terms)


def what(found: Compiled) -> dict[str, Effect]:
    """Return what is told as a gap, with its effect."""
    return {gap.what: gap.effect for gap in found.gaps}


# --- directions --------------------------------------------------------------------------------


def test_a_rule_out_of_the_harbor_becomes_a_policy_that_pushes() -> None:
    """With the destination as a far registry, by its adapter."""
    found = compiled().check()
    (policy,) = found.policies
    (registry,) = found.registries
    assert policy.is_push
    assert policy.dest_registry == registry
    assert policy.src_registry is None
    assert (policy.name, registry.name) == ("nightly", "mirror.example")
    assert (registry.type, registry.url) == ("docker-registry", "https://mirror.example")


def test_a_rule_into_the_harbor_becomes_a_policy_that_pulls() -> None:
    """Below the prefix of its destination."""
    found = compiled(source=THERE, destinations=f"{HERE}/copies", satellites=())
    (policy,) = found.check().policies
    assert not policy.is_push
    assert policy.src_registry == found.registries[0]
    assert (policy.dest_namespace, policy.dest_namespace_replace_count) == ("copies", 0)
    assert policy.filters == ()


def test_between_two_harbors_either_can_do_it() -> None:
    """One pushes or the other pulls, from the same rule."""
    both = rule(destinations="harbor://other.example", metadata=(), naming=Naming(namespace="m"))
    assert compile_rule(both, into=HERE).check().policies[0].is_push
    assert not compile_rule(both, into="harbor://other.example/x").check().policies[0].is_push


def test_each_destination_takes_a_policy_of_its_own() -> None:
    """Named after where it leads; one registry is told once."""
    found = compiled(destinations=(f"{THERE}/a", f"{THERE}/b", "registry://third.example"))
    assert [policy.name for policy in found.policies] == [
        "nightly-to-mirror.example-a",
        "nightly-to-mirror.example-b",
        "nightly-to-third.example",
    ]
    assert [registry.name for registry in found.registries] == ["mirror.example", "third.example"]


def test_a_destination_that_the_harbor_cannot_reach_is_told() -> None:
    """A Harbor copies into itself, but not between two others."""
    found = compiled(source=THERE, destinations=(f"{HERE}/x", "third.example"), satellites=())
    assert what(found) == {"third.example": Effect.LESS}
    assert len(found.policies) == 1


def test_a_rule_between_others_is_none_for_this_harbor() -> None:
    """It says so, and which way it could be."""
    with pytest.raises(ConfigurationError, match="neither source nor destination"):
        compiled(source=THERE, destinations="third.example")


def test_no_harbor_copies_to_a_disk() -> None:
    """The rule must be run here."""
    with pytest.raises(ConfigurationError, match="no Harbor reads or writes"):
        compiled(destinations="oci:./layout")


# --- which artifacts ---------------------------------------------------------------------------


def test_filters_are_taken_over_in_harbors_order() -> None:
    """Name, tags, labels."""
    where = "not label has 'wip' and tag like 'v*' and name like 'team/**' and label has 'a'"
    (policy,) = compiled(where=where).check().policies
    assert policy.filters == (
        PolicyFilter(type="name", value="team/**"),
        PolicyFilter(type="tag", value="v*", decoration="matches"),
        PolicyFilter(type="label", value=("wip",), decoration="excludes"),
        PolicyFilter(type="label", value=("a",), decoration="matches"),
    )


@pytest.mark.parametrize("where", ["everything", "tag like '*'", "not tag like '*-rc*'"])
def test_untagged_artifacts_are_kept_out(where: str) -> None:
    """Harbor would copy them by their digests; we list none."""
    assert compiled(where=where).check().policies[0].filters[-1] == ANY_TAG


def test_a_source_that_lists_tags_only_needs_no_guard() -> None:
    """Nothing untagged comes from a plain registry."""
    (policy,) = compiled(source=THERE, destinations=f"{HERE}/x").policies
    assert ANY_TAG not in policy.filters


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("everything", "team/**"),
        ("name like '**'", "team/**"),
        ("name like 'team/web/*'", "team/web/*"),
        ("name like '**/app'", "team/**/app"),
    ],
)
def test_the_prefix_of_the_source_is_part_of_the_name(where: str, name: str) -> None:
    """Only what is below it was meant."""
    (policy,) = compiled(source=f"{HERE}/team", where=where).check().policies
    assert policy.filters[0] == PolicyFilter(type="name", value=name)


def test_a_prefix_and_a_glob_that_do_not_become_one_are_a_gap() -> None:
    """More would be copied than below the prefix."""
    found = compiled(source=f"{HERE}/team", where="name like '*/web/**'")
    assert what(found) == {f"{HERE}/team and name like '*/web/**'": Effect.MORE}


def test_listed_repositories_become_a_glob() -> None:
    """But for those that the filter has nothing of."""
    names = ("team/app", "team/web", "lib/x")
    (policy,) = compiled(repositories=names, where="name like 'team/*'").check().policies
    assert policy.filters[0] == PolicyFilter(type="name", value="team/{app,web}")


def test_repositories_that_no_glob_lists_are_a_gap() -> None:
    """A rule for each namespace would do."""
    found = compiled(repositories=("team/app", "lib/x"))
    assert what(found) == {"repositories": Effect.MORE}
    below = compiled(source=f"{HERE}/team", repositories=("team/app", "team/x/y"))
    assert what(below) == {"repositories": Effect.MORE}
    assert below.policies[0].filters[0] == PolicyFilter(type="name", value="team/**")


def test_listed_repositories_of_which_the_filter_has_nothing_are_a_gap() -> None:
    """We would copy nothing; no glob on names says so."""
    found = compiled(repositories=("team/app",), where="name like 'lib/**'")
    assert what(found) == {"repositories": Effect.MORE}


# --- everything else ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "gap", "effect"),
    [
        ({"where": "age < 30d"}, "age < 30d", Effect.MORE),
        ({"where": "tag matches 'v.*'"}, "tag matches 'v.*'", Effect.MORE),
        ({"keep": Keep(newest=3)}, "keep=", Effect.MORE),
        ({"platforms": "linux/amd64", "subset": "sparse"}, "platforms=linux/amd64", Effect.MORE),
        ({"on_moved": "refuse"}, "on_moved=refuse", Effect.OTHER),
        ({"foreign": "copy"}, "foreign=copy", Effect.OTHER),
        ({"deep": True}, "deep=True", Effect.LESS),
        ({"satellites_as_candidates": True}, "satellites_as_candidates=True", Effect.OTHER),
        ({"satellites": ()}, "satellites=()", Effect.MORE),
        ({"satellites": ("*sbom*",)}, "satellites=('*sbom*',)", Effect.MORE),
        ({"metadata": ("labels",)}, "labels", Effect.LESS),
        ({"destinations": "harbor://other.example"}, "labels, descriptions", Effect.LESS),
        ({"on_conflict": "fail"}, "on_conflict=fail", Effect.OTHER),
        ({"on_conflict": "skip"}, "on_conflict=skip", Effect.OTHER),
        ({"on_conflict": Rename(suffix="-x")}, "on_conflict=Rename", Effect.OTHER),
        ({"naming": Naming(tag_suffix="-x")}, "changed tags", Effect.OTHER),
        ({"source": THERE, "destinations": f"{HERE}/x"}, "satellites=('*',)", Effect.LESS),
        ({"destinations": "docker.io"}, "naming", Effect.FAILS),
        ({"source": THERE, "destinations": HERE, "satellites": ()}, "naming", Effect.FAILS),
        ({"destinations": "public.ecr.aws/alias"}, "public.ecr.aws", Effect.FAILS),
        ({"source": f"{HERE}?bandwidth=50Mbps"}, "bandwidth=50Mbps", Effect.OTHER),
    ],
)
def test_what_harbor_cannot_do_is_told(fields: Any, gap: str, effect: Effect) -> None:
    """Part by part, with what becomes of a run and what to do."""
    found = compiled(**fields)
    assert not found.is_exact
    ((told, its_effect),) = what(found).items()
    assert told.startswith(gap)
    assert its_effect is effect


def test_every_field_of_a_rule_is_taken_over_or_told() -> None:
    """One that a later rule has is a gap by itself, not forgotten."""
    said: dict[str, Any] = {
        "keep": Keep(newest=1),
        "platforms": "linux/amd64",
        "subset": "sparse",
        "on_moved": "refuse",
        "foreign": "copy",
        "deep": True,
        "satellites_as_candidates": True,
    }
    found = compiled(**said)
    told = {text.partition("=")[0] for text in what(found)}
    assert told == set(said) - {"subset"}


def test_docker_hub_takes_names_of_two_parts() -> None:
    """A namespace and the last part of each name."""
    flat = Naming(namespace="corp", flatten=-1)
    assert compiled(destinations="docker.io", naming=flat).is_exact
    (policy,) = compiled(destinations="docker.io", where="name like 'team/*'").check().policies
    assert policy.dest_namespace == ""
    two = Naming(namespace="corp", flatten=1)
    assert compiled(destinations="docker.io", naming=two, where="name like 'team/*'").is_exact


def test_all_gaps_are_told_at_once() -> None:
    """In one error, each with its advice."""
    found = compiled(where="age < 3d", keep=Keep(newest=1))
    with pytest.raises(ConfigurationError, match="cannot follow the rule 'nightly'") as caught:
        found.check()
    assert "age < 3d" in str(caught.value)
    assert "keep=" in str(caught.value)
    assert "more is copied" in str(caught.value)


# --- terms -------------------------------------------------------------------------------------


def test_terms_are_taken_over() -> None:
    """Harbor's own switches, its trigger and its speed."""
    terms = Terms(
        trigger=scheduled("0 2 * * *"),
        bandwidth="50Mbps",
        deletion=True,
        enabled=False,
        by_chunk=True,
        description="for the lab",
    )
    (policy,) = compiled(terms).check().policies
    assert policy.trigger == PolicyTrigger(type="scheduled", cron="0 0 2 * * *")
    assert policy.speed == 48828
    assert (policy.deletion, policy.enabled, policy.copy_by_chunk) == (True, False, True)
    assert policy.description == "for the lab"


def test_only_schedules_are_single_active_by_themselves() -> None:
    """Harbor refuses it for events with a blank 500."""
    assert compiled(Terms(trigger=scheduled("0 2 * * *"))).policies[0].single_active_replication
    on_events = Terms(trigger=PolicyTrigger(type="event_based"))
    assert not compiled(on_events).policies[0].single_active_replication
    assert compiled(Terms(single_active=True)).policies[0].single_active_replication


def test_the_limit_of_an_endpoint_is_taken_over_and_told() -> None:
    """Of several the lowest; the terms go before them."""
    fields: dict[str, Any] = {
        "source": f"{HERE}?bandwidth=50Mbps",
        "destinations": f"{THERE}?bandwidth=10Mbps",
    }
    assert compiled(**fields).policies[0].speed == 9766
    said = compiled(Terms(bandwidth="1Mbps"), **fields)
    assert said.is_exact
    assert said.policies[0].speed == 977


def test_hours_of_a_limit_are_a_gap() -> None:
    """Harbor has one speed."""
    found = compiled(source=f"{HERE}?bandwidth=50Mbps 08:00-20:00")
    assert found.policies[0].speed == 0
    assert "one limit for all hours" in found.gaps[0].why


@pytest.mark.parametrize(
    ("terms", "fields", "message"),
    [
        (Terms(trigger=PolicyTrigger(type="scheduled", cron="* * * * *")), {}, "six fields"),
        (Terms(trigger=PolicyTrigger(type="scheduled")), {}, "six fields"),
        (Terms(trigger=PolicyTrigger(type="hourly")), {}, "no trigger"),
        (
            Terms(trigger=PolicyTrigger(type="event_based"), single_active=True),
            {},
            "exclude each other",
        ),
        (
            Terms(trigger=PolicyTrigger(type="event_based")),
            {"source": THERE, "destinations": f"{HERE}/x"},
            "no events",
        ),
        (Terms(bandwidth="1bps"), {}, "counts 1 to"),
        (Terms(bandwidth="100Gbps"), {}, "counts 1 to"),
        (None, {"naming": Naming(namespace="lib", flatten=200)}, "no number of parts"),
        (
            None,
            {"naming": Naming(namespace="lib", flatten=2), "where": "name like 'team/*'"},
            "no more than 2 parts",
        ),
        (None, {"naming": Naming(namespace="Upper")}, "cannot begin a repository's name"),
        (None, {"destinations": "oci:./x"}, "no Harbor reads or writes"),
        (None, {"source": "a.example", "destinations": "b.example"}, "neither source nor"),
    ],
)
def test_twelve_mistakes_are_caught_before_anything_is_asked(
    terms: Terms | None, fields: dict[str, Any], message: str
) -> None:
    """Each with what to do instead; nobody was asked, for nobody is there."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        compiled(terms, **fields)
    assert caught.value.hint


def test_terms_say_a_wrong_bandwidth_themselves() -> None:
    """Where it is written."""
    with pytest.raises(InvalidValue):
        Terms(bandwidth="fast")


# --- how it is shown ---------------------------------------------------------------------------


def test_what_is_compiled_can_be_read_by_people_and_programs() -> None:
    """No secret is in it, and no login; which one is wanted is."""
    found = compiled(
        Terms(trigger=scheduled("0 2 * * *")),
        where="age < 3d",
        destinations=("123456789012.dkr.ecr.eu-west-1.amazonaws.com/copies"),
    )
    assert str(found).splitlines() == [
        "policy nightly: to https://123456789012.dkr.ecr.eu-west-1.amazonaws.com, scheduled",
        (
            "login  123456789012.dkr.ecr.eu-west-1.amazonaws.com: an access key id and its secret; "
            "no session token and no role can be given"
        ),
        (
            "gap    age < 3d: Harbor's rules know no age, so more is copied; let harborsync run "
            "this rule"
        ),
    ]
    told = json.loads(found.to_json())
    assert told["rule"] == "nightly"
    assert told["policies"][0]["dest_registry"] == found.registries[0].name
    assert told["gaps"][0]["effect"] == "more is copied"
    assert set(told["registries"][0]) == {"name", "type", "url", "insecure"}


def test_a_pull_is_shown_as_one() -> None:
    """With where it comes from."""
    found = compiled(source=THERE, destinations=f"{HERE}/x", satellites=())
    assert "from https://mirror.example, manual" in str(found)
    assert attrs.evolve(found, gaps=()).is_exact
