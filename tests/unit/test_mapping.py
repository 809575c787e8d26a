"""Values become plain mappings and come back equal; what does not fit is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from harborsync.errors import ConfigurationError
from harborsync.filters import Keep
from harborsync.mapping import from_mapping, to_mapping
from harborsync.naming import Naming
from harborsync.plan import Action, Step
from harborsync.rule import OnConflict, Rename, ReplicationRule

PLAIN: dict[str, Any] = {
    "name": "r",
    "source": "source.example",
    "destinations": ["mirror.example"],
    "where": "everything",
}

RULES = [
    {},
    {"where": "name like 'team/**' and not tag matches '.*-rc' or size > 1MiB"},
    {"keep": Keep(newest=3, by="semver", per="everything", prereleases=True)},
    {"naming": Naming("m/{name}", tag_suffix="-x", rewrites={"^a": "b"}, namespaces={"a": ""})},
    {"on_conflict": OnConflict.SKIP},
    {"on_conflict": Rename(prefix="p-", suffix="-s")},
    {"platforms": ["linux/amd64", "windows/amd64:10.0"], "subset": "rewritten"},
    {"destinations": ["oci:/layouts/a?x=1", "registry+http://127.0.0.1:5000/copies"]},
    {"metadata": ["labels"], "metadata_on_conflict": "overwrite"},
    {"metadata": [], "metadata_on_conflict": "keep"},
    {"satellites": [], "satellites_as_candidates": True, "deep": True, "missing": "include"},
]


@attrs.frozen(kw_only=True)
class _Moment:
    at: datetime


@pytest.mark.parametrize("fields", RULES, ids=str)
def test_a_rule_comes_back_equal(fields: dict[str, Any]) -> None:
    """Through JSON and back nothing is lost, whatever the rule holds."""
    rule = ReplicationRule(**{**PLAIN, **fields})
    assert from_mapping(ReplicationRule, json.loads(json.dumps(to_mapping(rule)))) == rule


def test_defaults_are_left_out_and_values_stand_as_their_text() -> None:
    """What is written reads like what a person would write."""
    rule = ReplicationRule(**{**PLAIN, "on_conflict": "skip", "where": "tag is 'v1'"})
    assert to_mapping(rule) == {**PLAIN, "on_conflict": "skip", "where": "tag is 'v1'"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wehre": "everything"}, "wehre"),
        ({"name": 7}, "7 is no text; put it in quotes"),
        ({"deep": "yes"}, "'yes' is no bool"),
        ({"deep": 1}, "1 is no bool"),
        ({"keep": {"newest": "3"}}, "'3' is no int"),
        ({"keep": {"newest": True}}, "True is no int"),
        ({"keep": {}}, "newest"),
        ({"on_conflict": "explode"}, "none of fail, overwrite, skip"),
        ({"on_conflict": {"suffix": 1}}, "1 is no text"),
        ({"where": "tag is"}, "expected"),
        ({"source": "https://h"}, "is a URL"),
        ({"destinations": 7}, "destinations"),
        ({"platforms": ["linux"], "subset": "sparse"}, "no platform"),
        ({"foreign": "explode"}, "none of skip, copy, fetch"),
        ({"metadata": ["colours"]}, "none of labels, descriptions"),
        ({"metadata_on_conflict": "swap"}, "none of add, overwrite, keep"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    """Nothing is guessed, and the place that is wrong is told."""
    with pytest.raises(ConfigurationError, match=message):
        from_mapping(ReplicationRule, {**PLAIN, **change})


def test_every_fault_is_told_at_once() -> None:
    """Who has made two mistakes learns of both."""
    with pytest.raises(ConfigurationError) as caught:
        from_mapping(ReplicationRule, {**PLAIN, "name": 7, "deep": "yes"})
    assert "7 is no text" in caught.value.message
    assert "'yes' is no bool" in caught.value.message


def test_a_lacking_key_is_named() -> None:
    """A rule without a source is told what it lacks."""
    with pytest.raises(ConfigurationError, match="the key 'source' is lacking"):
        from_mapping(ReplicationRule, {k: v for k, v in PLAIN.items() if k != "source"})


def test_times_are_utc_and_have_a_zone() -> None:
    """A time of another zone comes back as the same moment; one without a zone is refused."""
    moment = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    data = to_mapping(_Moment(at=moment))
    assert data == {"at": "2026-01-01T10:00:00+00:00"}
    assert from_mapping(_Moment, data).at == moment.astimezone(UTC)
    with pytest.raises(ConfigurationError, match="has no time zone"):
        from_mapping(_Moment, {"at": "2026-01-01T10:00:00"})
    with pytest.raises(ConfigurationError, match="yesterday"):
        from_mapping(_Moment, {"at": "yesterday"})


def test_a_step_is_readable_in_a_plan() -> None:
    """References and digests stand as people write them."""
    text = {
        "rule": "r",
        "to": "mirror.example",
        "source": "team/app:v1@sha256:" + "a" * 64,
        "destination": "copies/app:v1@sha256:" + "a" * 64,
        "action": "copy",
        "reason": "not there yet",
    }
    step = from_mapping(Step, text)
    assert step.action is Action.COPY
    assert to_mapping(step) == text
