"""What an emulated Harbor knows of each type of registry (recorded: 08-registries)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Every type an endpoint can have.
TYPES: Final = (
    "ali-acr",
    "aws-ecr",
    "azure-acr",
    "docker-hub",
    "docker-registry",
    "dtr",
    "github-ghcr",
    "gitlab",
    "google-gcr",
    "harbor",
    "huawei-SWR",
    "jfrog-artifactory",
    "quay",
    "tencent-tcr",
    "volcengine-cr",
)
#: Types that the white-list of a stock Harbor hides since 2.14, from its lists only.
HIDDEN: Final = frozenset({"dtr", "gitlab", "quay"})
#: Types whose repositories have exactly two components.
TWO_COMPONENTS: Final = frozenset({"docker-hub"})
_BY_CHUNK: Final = frozenset({"azure-acr", "harbor"})
_FIXED: Final = {"docker-hub": "hub.docker.com", "github-ghcr": "ghcr.io"}
_GOOGLE: Final = ("gcr.io", "us.gcr.io", "eu.gcr.io", "asia.gcr.io")
_ALIYUN: Final = [
    "cn-qingdao",
    "cn-beijing",
    "cn-zhangjiakou",
    "cn-huhehaote",
    "cn-wulanchabu",
    "cn-hangzhou",
    "cn-shanghai",
    "cn-shenzhen",
    "cn-heyuan",
    "cn-guangzhou",
    "cn-chengdu",
    "cn-hongkong",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-5",
    "ap-south-1",
    "ap-northeast-1",
    "us-west-1",
    "us-east-1",
    "eu-central-1",
    "eu-west-1",
    "me-east-1",
]
_ALIYUN_HOSTS: Final = {
    "": "registry.{}.aliyuncs.com",
    "-vpc": "registry-vpc.{}.aliyuncs.com",
    "-internal": "registry-internal.{}.aliyuncs.com",
    "-ee-vpc": "instanceName-registry-vpc.{}.cr.aliyuncs.com",
    "-ee": "instanceName-registry.{}.cr.aliyuncs.com",
}
_AMAZON: Final = [
    "us-east-2",
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "af-south-1",
    "ap-east-1",
    "ap-south-1",
    "ap-northeast-3",
    "ap-northeast-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "ca-central-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "eu-south-1",
    "eu-west-3",
    "eu-north-1",
    "me-south-1",
    "sa-east-1",
]


def adapter_infos() -> dict[str, Any]:
    """Return what fills the portal's drop-down lists; most types are not in it."""
    infos = {name: _pattern("Fix", {host: host}) for name, host in _FIXED.items()}
    google = _pattern("List", {host: host for host in _GOOGLE})
    google["credential_pattern"] = {
        "access_key_type": "AccessKeyTypeFix",
        "access_key_data": "_json_key",
        "access_secret_type": "AccessSecretTypeFile",
        "access_secret_data": "No Change",
    }
    return {
        **infos,
        "ali-acr": _pattern("List", _aliyun()),
        "aws-ecr": _pattern("List", {each: f"api.ecr.{each}.amazonaws.com" for each in _AMAZON}),
        "google-gcr": google,
        "tencent-tcr": {},
        "volcengine-cr": {},
    }


def registry_info(kind: str, *, local: bool, labels: list[str] | None) -> dict[str, Any]:
    """Return what can be done with a registry of a type.

    Args:
        kind: The type.
        local: It is this Harbor.
        labels: The global labels of a Harbor.
    """
    harbor = kind == "harbor"
    filters = [_filter("name", "input", None), _filter("tag", "input", None)]
    filters += [_filter("label", "list", labels or None)] if harbor else []
    filters += [_filter("resource", "radio", ["image", "artifact"] if harbor else ["image"])]
    info = {
        "type": kind,
        "supported_resource_filters": filters,
        "supported_triggers": ["manual", "scheduled", *(["event_based"] if local else [])],
    }
    return {**info, "supported_copy_by_chunk": True} if kind in _BY_CHUNK else info


def _filter(kind: str, style: str, values: list[str] | None) -> dict[str, Any]:
    return {"type": kind, "style": style, "values": values}


def _pattern(kind: str, hosts: Mapping[str, str]) -> dict[str, Any]:
    endpoints = [{"key": key, "value": f"https://{host}"} for key, host in hosts.items()]
    return {
        "endpoint_pattern": {
            "endpoint_type": f"EndpointPatternType{kind}",
            "endpoints": endpoints,
        }
    }


def _aliyun() -> dict[str, str]:
    return {
        f"{region}{suffix}": host.format(region)
        for region in _ALIYUN
        for suffix, host in _ALIYUN_HOSTS.items()
    }
