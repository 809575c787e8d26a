"""A rule reads texts, refuses what cannot work, and is a value."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from harborsync.content import Platform
from harborsync.endpoint import Endpoint
from harborsync.errors import ConfigurationError, InvalidReference, InvalidValue
from harborsync.filters import EVERYTHING, Filter
from harborsync.graph import Choice, Foreign, Subset
from harborsync.naming import Naming
from harborsync.reference import Tag
from harborsync.rule import (
    Metadata,
    OnConflict,
    OnMoved,
    OnOtherMetadata,
    Rename,
    ReplicationRule,
    check_rules,
)


def _rule(**fields: Any) -> ReplicationRule:
    given: dict[str, Any] = {
        "name": "releases",
        "source": "source.example",
        "destinations": "mirror.example",
        "where": "everything",
    }
    return ReplicationRule(**{**given, **fields})


@pytest.mark.parametrize(
    ("metadata", "carried"),
    [
        (None, {"labels", "descriptions"}),
        ((), set()),
        (["descriptions"], {"descriptions"}),
        ("labels", {"labels"}),
        (["labels", "descriptions", "labels"], {"labels", "descriptions"}),
    ],
)
def test_a_rule_tells_which_metadata_it_carries(metadata: Any, carried: set[str]) -> None:
    """All that both sides can keep, unless it names some or none."""
    rule = _rule(metadata=metadata)
    assert {kind.value for kind in Metadata if rule.carries(kind)} == carried
    assert rule.metadata is None or rule.metadata == tuple(sorted(rule.metadata))


@pytest.mark.parametrize("wrong", [{"metadata": "colours"}, {"metadata_on_conflict": "swap"}])
def test_unheard_of_metadata_is_refused(wrong: dict[str, str]) -> None:
    """The words there are, are listed."""
    with pytest.raises(InvalidValue, match="is none of"):
        _rule(**wrong)


def test_texts_become_values() -> None:
    """Whoever writes a rule by hand writes text; inside there are only values."""
    rule = _rule(
        destinations=("mirror.example", Endpoint.parse("harbor://harbor.example/copies")),
        where="name is 'team/app'",
        repositories="team/app",
        naming="mirror/{repository}",
        on_conflict="skip",
        on_moved="refuse",
        platforms=["linux/arm64", Platform.parse("linux/amd64")],
        subset="sparse",
        foreign="copy",
        satellites="cosign.*",
        metadata="labels",
        metadata_on_conflict="keep",
    )
    assert (rule.metadata, rule.metadata_on_conflict) == (
        (Metadata.LABELS,),
        OnOtherMetadata.KEEP,
    )
    assert rule.source == Endpoint.parse("source.example")
    assert [str(to) for to in rule.destinations] == [
        "mirror.example",
        "harbor://harbor.example/copies",
    ]
    assert isinstance(rule.where, Filter)
    assert rule.repositories == ("team/app",)
    assert rule.naming == Naming("mirror/{repository}")
    assert (rule.on_conflict, rule.on_moved) == (OnConflict.SKIP, OnMoved.REFUSE)
    assert rule.choice == Choice(
        platforms=(Platform.parse("linux/amd64"), Platform.parse("linux/arm64")),
        subset=Subset.SPARSE,
        foreign=Foreign.COPY,
        satellites=("cosign.*",),
    )


def test_values_stay_as_they_are() -> None:
    """Who has values already need not write them out."""
    rename = Rename(suffix="-copy")
    rule = _rule(where=EVERYTHING, naming=Naming(), on_conflict=rename)
    assert (rule.where, rule.naming, rule.on_conflict) == (EVERYTHING, Naming(), rename)


def test_one_platform_may_stand_alone() -> None:
    """A single text or platform is as good as a list of one."""
    one = _rule(platforms="linux/amd64", subset="rewritten")
    assert one == _rule(platforms=[Platform.parse("linux/amd64")], subset="rewritten")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "no name"}, "no name for a rule"),
        ({"name": ""}, "no name for a rule"),
        ({"name": "x" * 65}, "no name for a rule"),
        ({"destinations": ()}, "has no destination"),
        ({"destinations": ["mirror.example", "mirror.example"]}, "names a destination twice"),
        ({"platforms": ["linux/amd64"]}, "does not say how to write"),
        ({"on_conflict": "explode"}, "none of fail, overwrite, skip"),
        ({"on_moved": "explode"}, "none of pinned, refuse"),
        ({"subset": "explode"}, "none of sparse, rewritten"),
        ({"foreign": "explode"}, "none of skip, copy, fetch"),
        ({"missing": "explode"}, "none of fail, exclude, include"),
        ({"platforms": "linux", "subset": "sparse"}, "no platform"),
        ({"repositories": "UPPER"}, "no repository name"),
        ({"source": "https://source.example"}, "is a URL"),
        ({"where": "name equals nice"}, "expected"),
    ],
)
def test_a_wish_that_cannot_work_is_refused(fields: dict[str, Any], message: str) -> None:
    """The mistake is named when the rule is made, long before anything is written."""
    with pytest.raises(ConfigurationError, match=message):
        _rule(**fields)


def test_a_rule_with_few_platforms_is_told_both_ways_out() -> None:
    """Neither form is ever chosen silently (OCI-3.21)."""
    with pytest.raises(ConfigurationError, match="sparse") as caught:
        _rule(platforms=["linux/amd64"])
    assert "rewritten" in (caught.value.hint or "")


def test_a_rename_changes_the_tag_at_either_end() -> None:
    """Prefix and suffix are put around; what is no tag afterwards is refused."""
    assert Rename(prefix="eu-", suffix=".x").apply(Tag("v1")) == "eu-v1.x"
    with pytest.raises(InvalidReference):
        Rename(prefix="-").apply(Tag("v1"))


def test_a_rename_to_the_same_name_is_refused() -> None:
    """It would not be one."""
    with pytest.raises(InvalidValue, match="prefix or a suffix"):
        Rename()


def test_a_rule_travels() -> None:
    """A worker in another process gets an equal one."""
    rule = _rule(where="tag matches 'v.*' and name like 'team/**'", on_conflict=Rename(prefix="x"))
    assert pickle.loads(pickle.dumps(rule)) == rule


def test_rules_beside_each_other_have_names_of_their_own() -> None:
    """State is kept by name, so two rules of one name are refused, and so are none at all."""
    one, other = _rule(), _rule(name="nightly")
    assert check_rules([one, other]) == (one, other)
    with pytest.raises(ConfigurationError, match="several rules are called 'releases'"):
        check_rules([one, other, one])
    with pytest.raises(ConfigurationError, match="no rule"):
        check_rules([])
