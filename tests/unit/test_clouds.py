"""Which cloud a host belongs to."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from harborsync.clouds import recognise, recognise_challenge

# Host, kind, provider, and what else its name tells.
OURS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    (
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        "ecr",
        "ecr",
        {"account": "123456789012", "region": "eu-west-1"},
    ),
    (
        "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
        "ecr",
        "ecr",
        {"account": "123456789012", "region": "us-gov-west-1", "fips": True},
    ),
    (
        "123456789012.dkr-ecr.eu-west-1.on.aws",
        "ecr",
        "ecr",
        {"account": "123456789012", "region": "eu-west-1", "dual_stack": True},
    ),
    (
        "123456789012.dkr-ecr-fips.us-east-1.on.aws",
        "ecr",
        "ecr",
        {"account": "123456789012", "region": "us-east-1", "fips": True, "dual_stack": True},
    ),
    (
        "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
        "ecr",
        "ecr",
        {"account": "123456789012", "region": "cn-north-1"},
    ),
    (
        "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu",
        "ecr",
        "ecr",
        {"account": "123456789012", "region": "eusc-de-east-1"},
    ),
    (
        "123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov",
        "ecr",
        "ecr",
        {"account": "123456789012", "region": "us-iso-east-1"},
    ),
    (
        "123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
        "ecr",
        "ecr",
        {"account": "123456789012", "region": "us-isob-east-1"},
    ),
    (
        "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
        "ecr",
        "ecr",
        {"account": "123456789012", "region": "cn-north-1", "dual_stack": True},
    ),
    ("public.ecr.aws", "ecr-public", "ecr-public", {}),
    ("ecr-public.aws.com", "ecr-public", "ecr-public", {}),
    ("registry.cn-hangzhou.aliyuncs.com", "acr-personal", "acr", {"region": "cn-hangzhou"}),
    (
        "registry-vpc.cn-beijing.aliyuncs.com",
        "acr-personal",
        "acr",
        {"region": "cn-beijing", "net": "vpc"},
    ),
    (
        "registry-internal.cn-beijing.aliyuncs.com",
        "acr-personal",
        "acr",
        {"region": "cn-beijing", "net": "internal"},
    ),
    (
        "crpi-0a1b2c-vpc.cn-shanghai.personal.cr.aliyuncs.com",
        "acr-personal",
        "acr",
        {"region": "cn-shanghai", "net": "vpc"},
    ),
    (
        "my-team-registry.cn-hangzhou.cr.aliyuncs.com",
        "acr-ee",
        "acr",
        {"instance": "my-team", "region": "cn-hangzhou"},
    ),
    (
        "my-team-registry-vpc.ap-southeast-1.cr.aliyuncs.com",
        "acr-ee",
        "acr",
        {"instance": "my-team", "region": "ap-southeast-1", "net": "vpc"},
    ),
    ("my-team.tencentcloudcr.com", "tcr", "tcr", {"instance": "my-team"}),
    ("my-team-vpc.tencentcloudcr.com", "tcr", "tcr", {"instance": "my-team", "net": "vpc"}),
    ("ccr.ccs.tencentyun.com", "tcr-personal", "tcr", {"region": "ap-guangzhou"}),
    ("hkccr.ccs.tencentyun.com", "tcr-personal", "tcr", {"region": "ap-hongkong"}),
    ("gcr.io", "gcr", "gar", {}),
    ("eu.gcr.io", "gcr", "gar", {"region": "eu"}),
    ("asia.gcr.io", "gcr", "gar", {"region": "asia"}),
    ("us-docker.pkg.dev", "gar", "gar", {"region": "us"}),
    ("europe-west1-docker.pkg.dev", "gar", "gar", {"region": "europe-west1"}),
    ("myteam.azurecr.io", "azure", "azure", {"instance": "myteam"}),
    ("myteam.eastus.data.azurecr.io", "azure", "azure", {"instance": "myteam"}),
    ("myteam.azurecr.cn", "azure", "azure", {"instance": "myteam"}),
    ("myteam.azurecr.us", "azure", "azure", {"instance": "myteam"}),
    ("myteam.eastus.geo.azurecr.io", "azure", "azure", {"instance": "myteam"}),
    ("swr.cn-north-4.myhuaweicloud.com", "swr", "swr", {"region": "cn-north-4"}),
    ("swr.eu-west-101.myhuaweicloud.eu", "swr", "swr", {"region": "eu-west-101"}),
)
FOREIGN = (
    "k8s.gcr.io",
    "mirror.gcr.io",
    "gcr.io.evil.example",
    "evil-gcr.io",
    "123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example",
    "evil.example.123456789012.dkr.ecr.us-east-1.amazonaws.com",
    "12345678901.dkr.ecr.us-east-1.amazonaws.com",
    "1234567890123.dkr.ecr.us-east-1.amazonaws.com",
    "123456789012.dkr.ecr.us-east-1.amazonaws.com:8443",
    "123456789012.dkr.ecr.us-east-1.amazonaws.com\n",
    "public.ecr.aws.evil.example",
    "registry.cn-hangzhou.aliyuncs.com.evil.example",
    "my-team-registry.cn-hangzhou.cr.aliyuncs.com.evil.example",
    "my-team.tencentcloudcr.com.evil.example",
    "a.b.tencentcloudcr.com",
    "ccr.ccs.tencentyun.com.evil.example",
    "docker.pkg.dev",
    "europe-west1-docker.pkg.dev.evil.example",
    "evil.example/europe-west1-docker.pkg.dev",
    "myteam.azurecr.io.evil.example",
    "myteam.azurecr.evil.example",
    "a.b.azurecr.io",
    "swr.cn-north-4.myhuaweicloud.com.evil.example",
    "swr.myhuaweicloud.com",
    "123456789012.dkr.ecr.us-east-1.on.aws.evil.example",
    "123456789012.dkr.ecr.us-east-1.evil.amazonaws.com",
    "registry.example",
    "harbor.example:5000",
    "localhost",
    "127.0.0.1:5000",
    "",
)


@pytest.mark.parametrize(("host", "kind", "provider", "told"), OURS, ids=[row[0] for row in OURS])
def test_a_hosts_name_tells_its_cloud(
    host: str, kind: str, provider: str, told: dict[str, Any]
) -> None:
    """Product, provider, and everything the name says, and no more than that."""
    usual = {
        "account": "",
        "region": "",
        "instance": "",
        "net": "public",
        "fips": False,
        "dual_stack": False,
    }
    found = recognise(host)
    assert found is not None
    assert attrs.asdict(found) == {
        "kind": kind,
        "provider": provider,
        "host": host,
        **usual,
        **told,
    }


@pytest.mark.parametrize("host", FOREIGN)
def test_a_host_that_only_resembles_one_belongs_to_no_cloud(host: str) -> None:
    """No login of a cloud must ever go there."""
    assert recognise(host) is None


def test_letters_may_be_of_any_size_and_the_usual_port_may_be_named() -> None:
    """Both are the same host."""
    found = recognise("EU.GCR.IO:443")
    assert found is not None
    assert (found.kind, found.host) == ("gcr", "eu.gcr.io")


@pytest.mark.parametrize("around", ["cri-0123", "china:cri-0123", "china:cri-0123:2a"])
def test_an_enterprise_instance_tells_its_id_behind_any_domain(around: str) -> None:
    """Alibaba's service holds region and instance, which a customer's own domain hides."""
    found = recognise_challenge("Images.Example", [f"registry.aliyuncs.com:cn-beijing:{around}"])
    assert found is not None
    assert (found.kind, found.host) == ("acr-ee", "images.example")
    assert (found.region, found.instance) == ("cn-beijing", "cri-0123")


def test_a_personal_registry_behind_a_domain_has_no_instance() -> None:
    """What stands in the service's place for it is a number without meaning to the API."""
    found = recognise_challenge("images.example", ["registry.aliyuncs.com:cn-beijing:26842"])
    assert found is not None
    assert (found.kind, found.instance) == ("acr-personal", "")


@pytest.mark.parametrize(
    "service",
    [
        "harbor-registry",
        "",
        "registry.aliyuncs.com",
        "registry.aliyuncs.com:cn-beijing",
        "registry.aliyuncs.com:cn-beijing:cri-1.evil",
    ],
)
def test_a_service_of_nobody_we_know_tells_nothing(service: str) -> None:
    """Neither does a service that only resembles one."""
    assert recognise_challenge("images.example", [service]) is None
