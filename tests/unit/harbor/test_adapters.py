"""How a Harbor calls registries, and how we do."""

from __future__ import annotations

import pytest

from harborsync import Endpoint
from harborsync.errors import ConfigurationError
from harborsync.harbor.adapters import (
    LOGINS,
    Place,
    adapter_gaps,
    locate,
    to_endpoint,
    to_registry,
)
from harborsync.harbor.gaps import Effect
from harborsync.harbor.registries import TYPES, RemoteRegistry, registry_mistakes

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("text", "kind", "url"),
    [
        ("harbor://harbor.example/team", "harbor", "https://harbor.example"),
        ("harbor+http://10.0.0.1:8080", "harbor", "http://10.0.0.1:8080"),
        ("registry://mirror.example:443", "docker-registry", "https://mirror.example"),
        ("registry+http://127.0.0.1:5000/x", "docker-registry", "http://127.0.0.1:5000"),
        (ECR, "aws-ecr", f"https://{ECR}"),
        (
            "registry.cn-hangzhou.aliyuncs.com",
            "ali-acr",
            "https://registry.cn-hangzhou.aliyuncs.com",
        ),
        (
            "corp-registry.cn-shanghai.cr.aliyuncs.com",
            "ali-acr",
            "https://corp-registry.cn-shanghai.cr.aliyuncs.com",
        ),
        ("corp.tencentcloudcr.com", "tencent-tcr", "https://corp.tencentcloudcr.com"),
        ("eu.gcr.io/p", "google-gcr", "https://eu.gcr.io"),
        ("europe-west1-docker.pkg.dev/p/r", "google-gcr", "https://europe-west1-docker.pkg.dev"),
        ("corp.azurecr.io", "azure-acr", "https://corp.azurecr.io"),
        (
            "swr.cn-north-4.myhuaweicloud.com",
            "huawei-SWR",
            "https://swr.cn-north-4.myhuaweicloud.com",
        ),
        ("docker.io/library", "docker-hub", "https://hub.docker.com"),
        ("ghcr.io", "github-ghcr", "https://ghcr.io"),
        ("quay.io", "quay", "https://quay.io"),
        ("registry.gitlab.com", "gitlab", "https://registry.gitlab.com"),
        ("corp.jfrog.io", "jfrog-artifactory", "https://corp.jfrog.io"),
        ("corp.cr.volces.com", "volcengine-cr", "https://corp.cr.volces.com"),
        ("public.ecr.aws", "docker-registry", "https://public.ecr.aws"),
    ],
)
def test_each_place_gets_the_adapter_made_for_it(text: str, kind: str, url: str) -> None:
    """With the address that the adapter takes, and nothing that Harbor would refuse."""
    registry = to_registry(Endpoint.parse(text))
    assert (registry.type, registry.url) == (kind, url)
    assert not list(registry_mistakes(registry))
    assert registry.credential is None


def test_a_long_host_is_cut_to_what_harbor_stores() -> None:
    """Names of registries have 64 characters at most."""
    assert len(to_registry(Endpoint.parse(f"{'a' * 60}.{'b' * 60}.example")).name) == 64


def test_a_certificate_that_is_not_checked_here_is_not_checked_there() -> None:
    """And the other way round."""
    registry = to_registry(Endpoint.parse("registry://mirror.example?insecure=true"))
    assert registry.insecure
    assert to_endpoint(registry).options == {"insecure": "true"}


@pytest.mark.parametrize("text", ["oci:./layout", "memory://x"])
def test_no_harbor_goes_to_a_disk(text: str) -> None:
    """The rule must be run here."""
    with pytest.raises(ConfigurationError, match="no Harbor reads or writes") as caught:
        locate(Endpoint.parse(text))
    assert caught.value.hint == "let harborsync run this rule"


def test_a_place_is_its_host_and_what_all_names_begin_with() -> None:
    """As the provider tells it."""
    assert locate(Endpoint.parse("Registry.Example:443/a/b")) == Place(
        host="registry.example", prefix="a/b"
    )


def test_a_provider_tells_the_host_that_its_endpoint_is_about() -> None:
    """An endpoint of ECR names account and region."""
    endpoint = Endpoint.parse("ecr://123456789012/eu-west-1/team")
    assert locate(endpoint) == Place(host=ECR, prefix="team")
    assert to_registry(endpoint).type == "aws-ecr"


@pytest.mark.parametrize(
    ("kind", "url", "text"),
    [
        ("harbor", "https://harbor.example", "harbor://harbor.example"),
        ("harbor", "http://127.0.0.1:8080", "harbor+http://127.0.0.1:8080"),
        ("docker-hub", "https://hub.docker.com", "registry://docker.io"),
        ("aws-ecr", f"https://{ECR}", ECR),
        ("docker-registry", "https://mirror.example/", "registry://mirror.example"),
    ],
)
def test_a_registry_is_an_endpoint_for_us(kind: str, url: str, text: str) -> None:
    """Of the host that images come from."""
    assert str(to_endpoint(RemoteRegistry(name="far", type=kind, url=url))) == text


def test_an_ecr_without_an_account_cannot_be_named() -> None:
    """Harbor finds the account by the key; we need it in the host."""
    registry = RemoteRegistry(
        name="far", type="aws-ecr", url="https://api.ecr.eu-west-1.amazonaws.com"
    )
    with pytest.raises(ConfigurationError, match="whoever's key") as caught:
        to_endpoint(registry)
    assert "ACCOUNT.dkr.ecr" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("public.ecr.aws", "no adapter"),
        ("crpi-abc123.cn-hangzhou.personal.cr.aliyuncs.com", "not this host"),
        ("registry://far.example?ca=/etc/ca.pem", "files of this machine"),
        ("registry://far.example?cert=/etc/me.pem", "files of this machine"),
    ],
)
def test_what_an_adapter_cannot_do_is_told(text: str, why: str) -> None:
    """A run may fail there."""
    (gap,) = adapter_gaps(Endpoint.parse(text))
    assert why in gap.why
    assert gap.effect is Effect.FAILS


def test_only_types_that_harbor_has_want_logins() -> None:
    """The table has no misspelt line."""
    assert set(LOGINS) <= TYPES
    assert not list(adapter_gaps(Endpoint.parse("mirror.example")))
