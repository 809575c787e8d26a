"""How a Harbor calls the registries that an endpoint leads to, and the other way round.

    >>> from harborsync import Endpoint
    >>> to_registry(Endpoint.parse("registry://123456789012.dkr.ecr.eu-west-1.amazonaws.com")).type
    'aws-ecr'

The addresses that an adapter takes, and what it calls a login, are Harbor's (HARBOR §8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import attrs

from harborsync.clouds import recognise
from harborsync.endpoint import BY_HOST, Endpoint
from harborsync.errors import ConfigurationError
from harborsync.gate import ANY_REGISTRY, find_provider
from harborsync.harbor.gaps import Effect, Gap
from harborsync.harbor.registries import RemoteRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator

HARBOR: Final = "harbor"
ANY_TYPE: Final = "docker-registry"
DOCKER_HUB: Final = "docker-hub"
_LONGEST_NAME: Final = 64

# Kinds of hosts as harborsync.clouds has them. Those without a line have no adapter.
_BY_CLOUD: Final = {
    "ecr": "aws-ecr",
    "acr-personal": "ali-acr",
    "acr-ee": "ali-acr",
    "tcr": "tencent-tcr",
    "gcr": "google-gcr",
    "gar": "google-gcr",
    "azure": "azure-acr",
    "swr": "huawei-SWR",
}
_BY_HOST_NAME: Final = {
    "docker.io": DOCKER_HUB,
    "index.docker.io": DOCKER_HUB,
    "registry-1.docker.io": DOCKER_HUB,
    "hub.docker.com": DOCKER_HUB,
    "ghcr.io": "github-ghcr",
    "quay.io": "quay",
    "registry.gitlab.com": "gitlab",
}
_BY_ENDING: Final = {".jfrog.io": "jfrog-artifactory", ".volces.com": "volcengine-cr"}
# Adapters that take one address only.
_FIXED: Final = {DOCKER_HUB: "https://hub.docker.com", "github-ghcr": "https://ghcr.io"}
# How the host of an adapter's address is called where images are pulled from.
_PULLED_FROM: Final = {"hub.docker.com": "docker.io"}

# Options that name files, and what to do about each in Harbor.
_FILES: Final = {
    "ca": "set ca_certificate of the registry in Harbor, from 2.15 on",
    "cert": "let the registry take a login, for Harbor shows no certificate",
}

#: What each adapter wants for a login, for people.
LOGINS: Final = {
    HARBOR: "the name and secret of a robot",
    DOCKER_HUB: "a user name and an access token",
    "aws-ecr": "an access key id and its secret; no session token and no role can be given",
    "ali-acr": "an AccessKey pair",
    "tencent-tcr": "a SecretId, which begins with AKID, and its SecretKey",
    "google-gcr": "_json_key and the whole JSON file of a service account",
    "azure-acr": "a service principal's id and secret, or a token's name and password",
    "github-ghcr": "a user name and a personal access token",
    ANY_TYPE: "a user name and password",
}


@attrs.frozen(kw_only=True)
class Place:
    """Where an endpoint leads.

    Attributes:
        host: ``host[:port]``, without the port that https has anyway.
        prefix: What the names of all its repositories begin with, or nothing.
    """

    host: str
    prefix: str = ""


def locate(endpoint: Endpoint) -> Place:
    """Return where an endpoint leads.

    Raises:
        ConfigurationError: It leads to a place on disk or in memory, where no Harbor goes.
    """
    if endpoint.is_path or endpoint.provider == "memory":
        msg = f"no Harbor reads or writes {endpoint}"
        raise ConfigurationError(msg, hint="let harborsync run this rule")
    if endpoint.provider in (HARBOR, ANY_REGISTRY, BY_HOST):
        return Place(host=_plain(endpoint.host), prefix=endpoint.prefix)
    provider = find_provider(endpoint)
    return Place(host=_plain(provider.host(endpoint)), prefix=provider.prefix(endpoint))


def to_registry(endpoint: Endpoint) -> RemoteRegistry:
    """Return an endpoint as a Harbor would know it, without a login.

    Raises:
        ConfigurationError: It leads to where no Harbor goes.
    """
    host = locate(endpoint).host
    kind = HARBOR if endpoint.provider == HARBOR else _type_of(host)
    scheme = "http" if endpoint.plain_http else "https"
    return RemoteRegistry(
        name=host.replace(":", "-")[:_LONGEST_NAME],
        type=kind,
        url=_FIXED.get(kind, f"{scheme}://{host}"),
        insecure=endpoint.options.get("insecure") == "true",
    )


def to_endpoint(registry: RemoteRegistry) -> Endpoint:
    """Return the endpoint that a registry known to a Harbor is for us; a path of it is dropped.

    Raises:
        InvalidValue: Its address has no host that could be one.
    """
    parts = urlsplit(registry.url)
    host = _host_for_us(registry, parts.netloc.rpartition("@")[2])
    options = {"insecure": "true"} if registry.insecure and parts.scheme == "https" else {}
    return Endpoint(
        provider=HARBOR if registry.type == HARBOR else _provider_of(host),
        address=host,
        plain_http=parts.scheme == "http",
        option_items=options,
    )


def adapter_gaps(endpoint: Endpoint) -> Iterator[Gap]:
    """Yield what a Harbor does otherwise about an endpoint than we."""
    host = locate(endpoint).host
    cloud = recognise(host)
    if cloud is not None and cloud.kind not in _BY_CLOUD:
        why = "Harbor has no adapter for it and takes it for any registry"
        yield Gap(what=host, why=why, effect=Effect.FAILS, advice="try a run by hand first")
    if host.startswith("crpi-"):
        why = "Harbor's adapter for Alibaba knows registry.REGION.aliyuncs.com, not this host"
        yield Gap(what=host, why=why, effect=Effect.FAILS, advice="use the region's host")
    for option, advice in _FILES.items():
        if option in endpoint.options:
            why = "Harbor does not read the files of this machine"
            yield Gap(what=f"the option {option}", why=why, effect=Effect.FAILS, advice=advice)


def _plain(host: str) -> str:
    return host.lower().removesuffix(":443")


def _type_of(host: str) -> str:
    cloud = recognise(host)
    if cloud is not None:
        return _BY_CLOUD.get(cloud.kind, ANY_TYPE)
    by_ending = (kind for ending, kind in _BY_ENDING.items() if host.endswith(ending))
    return _BY_HOST_NAME.get(host) or next(by_ending, ANY_TYPE)


def _provider_of(host: str) -> str:
    """Return who speaks to a host: of a cloud's, whoever the gate finds by it."""
    return ANY_REGISTRY if recognise(host) is None else BY_HOST


def _host_for_us(registry: RemoteRegistry, host: str) -> str:
    """Return the host that images come from; the address of one's own ECR names no account."""
    if registry.type == "aws-ecr" and host.startswith("api.ecr."):
        msg = f"the registry {registry.name!r} is the ECR of whoever's key Harbor has"
        hint = "write ACCOUNT.dkr.ecr.REGION.amazonaws.com"
        raise ConfigurationError(msg, hint=hint)
    return _PULLED_FROM.get(host, host)
