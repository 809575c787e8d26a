"""Which edition of a cloud's registry it is, and options that contradict its host."""

from __future__ import annotations

import pytest

from harborsync.clouds import recognise
from harborsync.endpoint import Endpoint
from harborsync.errors import InvalidValue
from harborsync.registries.editions import (
    REGION,
    Edition,
    check_option,
    check_told_once,
    edition_of,
)


@pytest.mark.parametrize(
    ("host", "edition"),
    [
        ("registry.cn-hangzhou.aliyuncs.com", Edition.PERSONAL),
        ("team-registry.cn-hangzhou.cr.aliyuncs.com", Edition.ENTERPRISE),
        ("ccr.ccs.tencentyun.com", Edition.PERSONAL),
        ("team.tencentcloudcr.com", Edition.ENTERPRISE),
        ("images.acme.example", Edition.ENTERPRISE),
    ],
)
def test_a_host_tells_the_edition(host: str, edition: Edition) -> None:
    """A domain of one's own is a thing of the enterprise edition."""
    assert edition_of({}, recognise(host)) is edition


def test_an_option_tells_it_where_the_host_does_not() -> None:
    """In one of two words."""
    assert edition_of({"edition": "personal"}, None) is Edition.PERSONAL
    with pytest.raises(InvalidValue, match="edition cannot be 'basic'"):
        edition_of({"edition": "basic"}, None)


def test_what_the_host_tells_is_not_contradicted() -> None:
    """The same may be said twice."""
    endpoint = Endpoint.parse("acr://team-registry.cn-hangzhou.cr.aliyuncs.com?region=cn-beijing")
    check_told_once(endpoint, "region", "")
    check_told_once(endpoint, "region", "cn-beijing")
    check_told_once(endpoint, "edition", "enterprise")
    with pytest.raises(InvalidValue, match="is of cn-hangzhou"):
        check_told_once(endpoint, "region", "cn-hangzhou")


def test_an_option_has_its_form_or_is_not_given() -> None:
    """With an example of it."""
    check_option("region", "", REGION, "cn-hangzhou")
    check_option("region", "ap-southeast-1", REGION, "cn-hangzhou")
    with pytest.raises(InvalidValue, match=r"region cannot be 'x\.evil'") as caught:
        check_option("region", "x.evil", REGION, "cn-hangzhou")
    assert caught.value.hint == "write it like region=cn-hangzhou"
