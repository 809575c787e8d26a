"""Values become plain mappings and come back equal, or a message tells what does not fit."""

from __future__ import annotations

import json

import pytest

from harborsync import Action, Outcome, Plan, Rename, ReplicationRule, Replicator, Report
from harborsync.errors import ConfigurationError
from harborsync.mapping import from_mapping, to_mapping
from harborsync.registries.memory import MemoryRegistry
from harborsync.testing.content import random_image

RULE = ReplicationRule(
    name="releases",
    source="harbor://harbor.example/team",
    destinations="mirror.example/copies",
    where="name like 'team/*' and age < 30d",
    platforms=["linux/amd64"],
    subset="sparse",
    on_conflict=Rename(suffix="-ours"),
)


def test_a_rule_comes_back_equal_from_json() -> None:
    """Endpoints, filters, platforms and words all stand as texts in between."""
    text = json.dumps(to_mapping(RULE))
    assert '"harbor://harbor.example/team"' in text
    assert from_mapping(ReplicationRule, json.loads(text)) == RULE


def test_words_of_closed_sets_come_back_as_members() -> None:
    """And not as the texts they are equal to."""
    registry = MemoryRegistry()
    random_image(1).push_to(registry, "team/app", "v1")
    there = MemoryRegistry()
    rule = ReplicationRule(
        name="all", source="memory://here", destinations="memory://there", where="everything"
    )
    opened = {"here": registry, "there": there}
    with Replicator([rule], opener=lambda endpoint: opened[endpoint.address]) as replicator:
        plan = replicator.plan()
        report = replicator.run(plan)
    assert type(Plan.from_json(plan.to_json()).steps[0].action) is Action
    assert type(Report.from_json(report.to_json()).results[0].outcome) is Outcome
    assert str(Plan.from_json(plan.to_json())) == str(plan)
    assert str(Report.from_json(report.to_json())) == str(report)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"nmae": "x"}, "nmae"),
        ({"name": 3}, "3 is no text; put it in quotes"),
        ({"deep": 1}, "1 is no bool"),
        ({"where": "name lik 'x'"}, "lik"),
        ({"on_conflict": "shrug"}, "shrug"),
    ],
    ids=["unknown key", "number for text", "number for truth", "bad filter", "unknown word"],
)
def test_what_does_not_fit_is_named(change: dict[str, object], said: str) -> None:
    """With its place and what is wrong with it."""
    with pytest.raises(ConfigurationError, match=said):
        from_mapping(ReplicationRule, {**to_mapping(RULE), **change})


def test_what_is_lacking_is_named() -> None:
    """A rule without a source is none."""
    with pytest.raises(ConfigurationError, match="source"):
        from_mapping(ReplicationRule, {"name": "x", "destinations": ["b.example"], "where": "a:b"})
