"""What the emulated Harbor reads in a manifest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.testing import harbor_artifacts as books
from harborsync.testing.content import (
    random_index,
)
from harborsync.testing.harbor_reading import configuration

if TYPE_CHECKING:
    from harborsync.testing import LoopbackHarbor


def _manifest(**fields: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, **fields}).encode()


@pytest.mark.parametrize(
    ("config", "artifact", "kind", "shown"),
    [
        (
            "application/vnd.oci.image.config.v1+json",
            "",
            "IMAGE",
            "application/vnd.oci.image.config.v1+json",
        ),
        (
            "application/vnd.cncf.helm.config.v1+json",
            "",
            "CHART",
            "application/vnd.cncf.helm.config.v1+json",
        ),
        (
            "application/vnd.acme.rocket.config.v2+json",
            "",
            "ROCKET",
            "application/vnd.acme.rocket.config.v2+json",
        ),
        ("application/vnd.oci.empty.v1+json", "text/x-thing", "UNKNOWN", "text/x-thing"),
    ],
)
def test_a_manifest_is_of_some_kind(
    harbor: LoopbackHarbor, config: str, artifact: str, kind: str, shown: str
) -> None:
    """By the type of its configuration; the artifact type is the manifest's own word for it."""
    fields = {"artifactType": artifact} if artifact else {}
    part = {"mediaType": config, "digest": f"sha256:{1:064d}", "size": 1}
    harbor.push_manifest("app/web", _manifest(config=part, **fields), "x")
    row = harbor.artifact("app/web", "x")
    assert (row.kind, row.media_type, row.artifact_type) == (kind, config, shown)


def test_an_images_configuration_may_be_anything(harbor: LoopbackHarbor) -> None:
    """What is no object says nothing; one that is lost neither."""
    for number, content in enumerate((b"[]", b"no json", None)):
        digest = f"sha256:{number:064d}"
        if content is not None:
            digest = str(harbor.storage.put_blob("app/web", content))
        part = {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest,
            "size": 1,
        }
        harbor.push_manifest("app/web", _manifest(config=part), f"t{number}")
        row = harbor.artifact("app/web", f"t{number}")
        assert not any(row.attributes.values())
        assert configuration(harbor.state, row) == {}


def test_the_size_of_an_index_is_that_of_all_of_it(harbor: LoopbackHarbor) -> None:
    """Its own bytes and its children's."""
    index = random_index(1)
    harbor.push("app/web", index, "multi")
    row = harbor.artifact("app/web", "multi")
    children = [harbor.artifact("app/web", str(each["digest"])) for each in row.children]
    assert row.size == len(index.manifest.raw) + sum(each.size for each in children)
    assert not any(books.is_listed(each) for each in children)
