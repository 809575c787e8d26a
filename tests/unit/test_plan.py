"""A plan prints, explains itself, travels as JSON, and is refused when it no longer stands."""

from __future__ import annotations

import json
import pickle
from datetime import timedelta
from typing import Any

import attrs
import pytest

from harborsync.endpoint import Endpoint
from harborsync.errors import ConfigurationError, PlanRefused, Side
from harborsync.failure import Failure
from harborsync.plan import (
    FORMAT,
    Action,
    Plan,
    PlanFailure,
    Step,
    Verdict,
    check_plan,
    rules_hash,
)
from harborsync.reference import ArtifactRef, Digest
from harborsync.rule import ReplicationRule
from harborsync.testing.clock import EPOCH

RULE = ReplicationRule(
    name="r", source="source.example", destinations="mirror.example/copies", where="everything"
)
DIGEST = Digest.of(b"v1")


def _step(tag: str = "v1", action: Action = Action.COPY, **fields: Any) -> Step:
    given: dict[str, Any] = {
        "rule": "r",
        "to": Endpoint.parse("mirror.example/copies"),
        "source": ArtifactRef.parse(f"team/app:{tag}@{DIGEST}"),
        "destination": ArtifactRef.parse(f"copies/app:{tag}@{DIGEST}"),
        "action": action,
        "reason": "not there yet",
        "bytes_at_most": 1024 if action in {Action.COPY, Action.SATELLITES} else 0,
    }
    return Step(**{**given, **fields})


FAILURE = PlanFailure(
    rule="r",
    what="team/broken",
    failure=Failure(kind="ServerError", message="the server failed", side=Side.SOURCE),
)
PLAN = Plan(
    rules=(RULE,),
    made_at=EPOCH,
    steps=(
        _step(),
        _step("v2", Action.SATELLITES),
        _step("v3", Action.SKIP, reason="identical"),
        _step("v4", Action.CONFLICT, reason="another artifact is there", found=Digest.of(b"x")),
    ),
    failures=(FAILURE,),
    notes=("look here",),
    verdicts=(
        Verdict(rule="r", artifact=ArtifactRef.parse("team/app:v1"), chosen=True, why="everything"),
    ),
)


def test_a_plan_is_a_collection_of_steps_and_always_true() -> None:
    """It can be counted and walked; nothing to do is a plan, too."""
    assert len(PLAN) == 4
    assert tuple(PLAN) == PLAN.steps
    assert attrs.evolve(PLAN, steps=())


def test_only_copies_and_satellites_write() -> None:
    """Skipped steps and conflicts move nothing and count for nothing."""
    assert [step.source.tag for step in PLAN.to_copy] == ["v1", "v2"]
    assert PLAN.bytes_at_most == 2048


def test_bytes_are_unknown_if_one_of_the_copies_has_none() -> None:
    """A sum of some would look like the sum of all."""
    plan = attrs.evolve(PLAN, steps=(*PLAN.steps, _step("v5", bytes_at_most=None)))
    assert plan.bytes_at_most is None
    assert plan.summary().endswith("at most ?")


def test_the_summary_counts_by_action() -> None:
    """One line says what a person decides by."""
    assert PLAN.summary() == (
        "1 to copy, 1 to satellites, 1 to skip, 1 to conflict, 1 not planned; at most 2.0 KiB"
    )
    assert attrs.evolve(PLAN, steps=(), failures=()).summary() == "nothing to do; at most 0 B"


def test_a_place_on_disk_is_told_from_the_name_in_it() -> None:
    """A path may hold anything, so that a colon parts them."""
    carried = attrs.evolve(_step("v1"), to=Endpoint.parse("oci:./carried"))
    assert carried.to_row()[2] == "./carried: copies/app:v1"


def test_a_plan_prints_as_a_table_with_what_went_wrong_below() -> None:
    """Steps, failures, notes and the summary are all there, and no digest clutters a tag."""
    lines = str(PLAN).splitlines()
    assert lines[0].split() == ["action", "source", "destination", "bytes", "reason"]
    assert lines[1].split()[:3] == ["copy", "team/app:v1", "mirror.example/copies/app:v1"]
    assert lines[-3:] == [
        "not planned: team/broken: the server failed",
        "note: look here",
        PLAN.summary(),
    ]


def test_an_untagged_step_is_shown_by_its_digest() -> None:
    """What has no tag is named by what it is."""
    step = _step(source=ArtifactRef.parse(f"team/app@{DIGEST}"))
    assert step.to_row()[1] == f"team/app@{DIGEST}"


def test_a_plan_without_steps_prints_no_table() -> None:
    """An empty table says less than one line."""
    empty = Plan(rules=(RULE,), made_at=EPOCH, steps=())
    assert str(empty) == "nothing to do; at most 0 B"


def test_a_notebook_gets_a_table() -> None:
    """Plain text and HTML, both of the whole plan."""
    shown = PLAN._repr_mimebundle_()
    assert shown["text/plain"] == str(PLAN)
    assert shown["text/html"].count("<tr>") == 5


def test_a_plan_comes_back_from_json_and_from_a_pickle() -> None:
    """What is reviewed is what is run."""
    assert Plan.from_json(PLAN.to_json()) == PLAN
    assert pickle.loads(pickle.dumps(PLAN)) == PLAN


def test_the_json_of_a_plan_always_tells_its_version() -> None:
    """Later versions must be able to tell it apart."""
    assert json.loads(PLAN.to_json())["version"] == FORMAT


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("{", ConfigurationError, "no JSON"),
        ("[]", PlanRefused, "another version"),
        ("{}", PlanRefused, "another version"),
        ('{"version": 99}', PlanRefused, "another version"),
        ('{"version": 1}', ConfigurationError, "lacking"),
    ],
)
def test_what_is_no_plan_is_refused(text: str, kind: type[Exception], message: str) -> None:
    """A stranger's JSON is told what it is not."""
    with pytest.raises(kind, match=message):
        Plan.from_json(text)


def test_a_plan_whose_rules_were_edited_is_refused() -> None:
    """A plan is made again, not edited."""
    data = json.loads(PLAN.to_json())
    data["rules"][0]["deep"] = True
    with pytest.raises(PlanRefused, match="not those it was made from"):
        Plan.from_json(json.dumps(data))


def test_rules_have_one_hash_whatever_the_process() -> None:
    """Equal rules hash alike, others do not; the order of rules is part of the wish."""
    other = attrs.evolve(RULE, name="other")
    assert rules_hash([RULE]) == rules_hash([pickle.loads(pickle.dumps(RULE))])
    assert rules_hash([RULE]) != rules_hash([other])
    assert rules_hash([RULE, other]) != rules_hash([other, RULE])


def test_a_fresh_plan_of_the_same_rules_stands() -> None:
    """Up to its lifetime, and not a second longer."""
    check_plan(PLAN, (RULE,), EPOCH + timedelta(seconds=60), 60.0)
    with pytest.raises(PlanRefused, match="61 s old"):
        check_plan(PLAN, (RULE,), EPOCH + timedelta(seconds=61), 60.0)


def test_a_plan_of_other_rules_is_refused() -> None:
    """What was wished then is not what is wished now."""
    with pytest.raises(PlanRefused, match="other rules"):
        check_plan(PLAN, (attrs.evolve(RULE, deep=True),), EPOCH, 60.0)


def test_a_plan_with_steps_of_a_stranger_is_refused() -> None:
    """Somebody has edited it, and nobody knows what the step stands for."""
    plan = attrs.evolve(PLAN, steps=(_step(rule="stranger"),))
    with pytest.raises(PlanRefused, match="stranger"):
        check_plan(plan, (RULE,), EPOCH, 60.0)


def test_a_step_must_say_which_digest_it_wants() -> None:
    """One made by hand without a digest is told to be made again."""
    with pytest.raises(ConfigurationError, match="which digest"):
        _ = _step(destination=ArtifactRef.parse("copies/app:v1")).wanted


@pytest.mark.parametrize("name", ["team/app:v1", ArtifactRef.parse(f"team/app:v1@{DIGEST}")])
def test_a_plan_explains_what_it_will_do(name: str | ArtifactRef) -> None:
    """The clauses that decided, then what follows at each destination."""
    told = PLAN.explain(name)
    assert "everything" in told
    assert "not there yet" in told


def test_a_plan_explains_what_it_could_not_do() -> None:
    """A failure of the repository is why nothing is planned for the tag."""
    assert "the server failed" in PLAN.explain("team/broken:v1")


def test_a_plan_explains_what_nobody_looked_at() -> None:
    """Not listed, not wanted by name, or not an artifact of its own: each is said."""
    narrow = attrs.evolve(PLAN, rules=(attrs.evolve(RULE, where="name is 'other'"),))
    assert "no repository team/unheard-of is wanted" in narrow.explain("team/unheard-of:v1")
    signature = f"team/app:{DIGEST.tag_prefix}.sig"
    assert "travels with it" in PLAN.explain(signature)
    assert PLAN.explain("team/unheard-of:v1").endswith("listed no team/unheard-of:v1")
