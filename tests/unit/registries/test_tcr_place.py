"""Which registry of Tencent Cloud an endpoint means, and which names it takes."""

from __future__ import annotations

from typing import Any

import pytest

from harborsync.endpoint import Endpoint
from harborsync.errors import InvalidReference, InvalidValue
from harborsync.gate import find_provider
from harborsync.registries.editions import Edition
from harborsync.registries.tcr_place import TcrPlace, check_name, parts_of


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("team.tencentcloudcr.com/apps", {"name": "team", "prefix": "apps"}),
        ("tcr://team-vpc.tencentcloudcr.com", {"name": "team", "net": "vpc"}),
        (
            "tcr://images.example.com?instance_id=tcr-abc&region=ap-tokyo",
            {"instance": "tcr-abc", "region": "ap-tokyo"},
        ),
        (
            "ccr.ccs.tencentyun.com/mine",
            {"edition": Edition.PERSONAL, "region": "ap-guangzhou", "prefix": "mine"},
        ),
        ("hkccr.ccs.tencentyun.com", {"edition": Edition.PERSONAL, "region": "ap-hongkong"}),
    ],
)
def test_an_endpoint_means_a_registry(text: str, place: dict[str, Any]) -> None:
    """By its host, or by options."""
    endpoint = Endpoint.parse(text)
    expected = {"host": endpoint.host, "edition": Edition.ENTERPRISE, **place}
    assert TcrPlace.of(endpoint) == TcrPlace(**expected)


def test_a_bare_host_of_tencents_goes_to_tcr() -> None:
    """And one that only begins like it does not."""
    assert find_provider(Endpoint.parse("team.tencentcloudcr.com")).name == "tcr"
    assert find_provider(Endpoint.parse("ccr.ccs.tencentyun.com")).name == "tcr"
    assert find_provider(Endpoint.parse("team.tencentcloudcr.com.evil.example")).name == "registry"


@pytest.mark.parametrize(
    "text",
    [
        "tcr://hkccr.ccs.tencentyun.com?region=ap-tokyo",
        "tcr://ccr.ccs.tencentyun.com?edition=enterprise",
        "tcr://team.tencentcloudcr.com?edition=personal",
    ],
)
def test_options_that_contradict_the_host_are_refused(text: str) -> None:
    """One of the two is a mistake."""
    with pytest.raises(InvalidValue, match="is of"):
        TcrPlace.of(Endpoint.parse(text))


def test_any_region_tells_of_all() -> None:
    """So one is asked where none is known."""
    assert TcrPlace(host="h", edition=Edition.ENTERPRISE).usual_region == "ap-guangzhou"
    known = TcrPlace(host="h", edition=Edition.ENTERPRISE, region="ap-tokyo")
    assert known.usual_region == "ap-tokyo"


def test_a_name_is_a_namespace_and_the_rest() -> None:
    """Which may have parts."""
    assert parts_of("team/app/web") == ("team", "app/web")


@pytest.mark.parametrize(
    "name", ["te/app", f"{'n' * 30}/app", "a-b.c_d/app/web", "team/" + "r" * 244]
)
def test_names_within_the_limits_are_taken(name: str) -> None:
    """To the last character."""
    check_name(name)


@pytest.mark.parametrize(
    "name",
    ["t/app", f"{'n' * 31}/app", "a--b/app", "a-/app", "-a/app", "team/ab", "team/" + "r" * 245],
)
def test_names_beyond_the_limits_are_refused(name: str) -> None:
    """With the limits."""
    with pytest.raises(InvalidReference) as caught:
        check_name(name)
    assert "2 to 30" in str(caught.value.hint) or "3 to 244" in str(caught.value.hint)
