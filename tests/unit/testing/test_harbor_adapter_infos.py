"""What an emulated Harbor knows of types of registries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harborsync.testing.harbor_adapter_infos import adapter_infos, registry_info

_VECTORS = Path(__file__).parents[4] / "shared/vectors/harbor/08-registries.json"


@pytest.mark.skipif(not _VECTORS.exists(), reason="the recordings are not beside this checkout")
def test_the_infos_are_those_of_a_real_harbor() -> None:
    """Every region, every address, every pattern."""
    recorded = json.loads(_VECTORS.read_text())["exchanges"]
    infos = next(each for each in recorded if each["name"] == "adapterinfos")
    assert adapter_infos() == infos["response"]["json"]


def test_only_a_harbor_has_labels_and_only_this_one_events() -> None:
    """Azure and Harbor take blobs in pieces, others do not say so."""
    local = registry_info("harbor", local=True, labels=["x"])
    assert "event_based" in local["supported_triggers"]
    assert local["supported_resource_filters"][2]["values"] == ["x"]
    plain = registry_info("docker-registry", local=False, labels=None)
    assert [each["type"] for each in plain["supported_resource_filters"]] == [
        "name",
        "tag",
        "resource",
    ]
    assert "supported_copy_by_chunk" not in plain
    assert registry_info("azure-acr", local=False, labels=None)["supported_copy_by_chunk"]
