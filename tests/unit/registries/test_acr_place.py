"""Which registry of ACR an endpoint means, and where its API is."""

from __future__ import annotations

import pytest

from harborsync.clouds import CloudHost, recognise_challenge
from harborsync.endpoint import Endpoint
from harborsync.errors import ConfigurationError, InvalidValue
from harborsync.registries.acr_place import AcrPlace
from harborsync.registries.editions import Edition

EE, PERSONAL = Edition.ENTERPRISE, Edition.PERSONAL


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            "team-registry.cn-hangzhou.cr.aliyuncs.com/apps",
            AcrPlace(
                host="team-registry.cn-hangzhou.cr.aliyuncs.com",
                edition=EE,
                region="cn-hangzhou",
                prefix="apps",
            ),
        ),
        (
            "acr://team-registry-vpc.cn-hangzhou.cr.aliyuncs.com?instance_id=cri-1",
            AcrPlace(
                host="team-registry-vpc.cn-hangzhou.cr.aliyuncs.com",
                edition=EE,
                region="cn-hangzhou",
                instance="cri-1",
                net="vpc",
            ),
        ),
        (
            "registry.cn-beijing.aliyuncs.com/mine",
            AcrPlace(
                host="registry.cn-beijing.aliyuncs.com",
                edition=PERSONAL,
                region="cn-beijing",
                prefix="mine",
            ),
        ),
        (
            "crpi-0a-vpc.cn-beijing.personal.cr.aliyuncs.com",
            AcrPlace(
                host="crpi-0a-vpc.cn-beijing.personal.cr.aliyuncs.com",
                edition=PERSONAL,
                region="cn-beijing",
                net="vpc",
            ),
        ),
        ("acr://images.example/a", AcrPlace(host="images.example", edition=EE, prefix="a")),
        (
            "acr://127.0.0.1:80?edition=personal&region=cn-beijing",
            AcrPlace(host="127.0.0.1:80", edition=PERSONAL, region="cn-beijing"),
        ),
    ],
)
def test_an_endpoint_means_a_registry(text: str, place: AcrPlace) -> None:
    """By its host, or by options."""
    assert AcrPlace.of(Endpoint.parse(text)) == place


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("region=China", "region cannot be"),
        ("instance_id=team", "instance_id cannot be"),
        ("edition=free", "edition cannot be"),
    ],
)
def test_options_that_cannot_be_are_refused(options: str, message: str) -> None:
    """With what to write."""
    with pytest.raises(InvalidValue, match=message) as caught:
        AcrPlace.of(Endpoint.parse(f"acr://images.example?{options}"))
    assert caught.value.hint


@pytest.mark.parametrize("option", ["region=cn-beijing", "edition=personal"])
def test_options_that_contradict_the_host_are_refused(option: str) -> None:
    """One of the two is a mistake."""
    host = "team-registry.cn-hangzhou.cr.aliyuncs.com"
    with pytest.raises(InvalidValue, match=f"{host} is of"):
        AcrPlace.of(Endpoint.parse(f"acr://{host}?{option}"))
    same = AcrPlace.of(Endpoint.parse(f"acr://{host}?region=cn-hangzhou&edition=enterprise"))
    assert same == AcrPlace.of(Endpoint.parse(f"acr://{host}"))


def _asked(service: str) -> CloudHost | None:
    return recognise_challenge("images.example", [service])


def test_what_is_lacking_is_told_by_the_registry() -> None:
    """What the user says stays; nobody is asked where nothing is lacking."""
    place = AcrPlace.of(Endpoint.parse("acr://images.example"))
    told = place.completed(lambda: _asked("registry.aliyuncs.com:cn-hangzhou:china:cri-9:2a"))
    assert (told.region, told.instance) == ("cn-hangzhou", "cri-9")
    named = AcrPlace.of(Endpoint.parse("acr://images.example?instance_id=cri-1"))
    told = named.completed(lambda: _asked("registry.aliyuncs.com:cn-hangzhou:china:cri-9"))
    assert told.instance == "cri-1"
    assert told.completed(lambda: None) is told


@pytest.mark.parametrize(
    ("service", "message"),
    [("harbor-registry", "no registry of ACR"), ("registry.aliyuncs.com:cn-x:1", "other edition")],
)
def test_a_registry_of_somebody_else_is_told(service: str, message: str) -> None:
    """Or one that is asked by the wrong API."""
    with pytest.raises(ConfigurationError, match=message):
        AcrPlace.of(Endpoint.parse("acr://images.example")).completed(lambda: _asked(service))


def test_from_within_a_vpc_the_apis_are_within_it_too() -> None:
    """There may be no way to the others."""
    public = AcrPlace(host="h", edition=EE, region="cn-hangzhou")
    inner = AcrPlace(host="h", edition=EE, region="cn-hangzhou", net="vpc")
    assert public.api_host("cr") == "cr.cn-hangzhou.aliyuncs.com"
    assert inner.api_host("cr") == "cr-vpc.cn-hangzhou.aliyuncs.com"
    assert inner.api_host("sts") == "sts-vpc.cn-hangzhou.aliyuncs.com"
