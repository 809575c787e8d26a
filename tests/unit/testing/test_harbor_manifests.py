"""What the emulated Harbor looks at in a pushed manifest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.content import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from harborsync.testing.harbor_manifests import check_manifest
from harborsync.testing.harbor_wire import HarborError
from harborsync.testing.server_wire import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import LoopbackHarbor

_IMAGE = {"schemaVersion": 2, "config": {}, "layers": []}
_INDEX = {"schemaVersion": 2, "manifests": []}


def _bytes(document: Any) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (_IMAGE, OCI_MANIFEST),
        (_IMAGE, DOCKER_MANIFEST),
        (_INDEX, OCI_INDEX),
        (_INDEX, f"{DOCKER_LIST}; charset=utf-8"),
        ({**_INDEX, "mediaType": OCI_INDEX}, OCI_INDEX),
    ],
)
def test_a_manifest_of_its_type_passes(
    harbor: LoopbackHarbor, document: dict[str, Any], kind: str
) -> None:
    """Images and indexes, of either family, with or without a media type inside."""
    check_manifest(harbor.state, _bytes(document), kind)


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (_bytes(_IMAGE), "application/json", "missing signature key"),
        (_bytes(_IMAGE), "", "missing signature key"),
        (b"nope", OCI_MANIFEST, "unmarshal manifest failed"),
        (b"[]", OCI_MANIFEST, "unmarshal manifest failed"),
        (_bytes(_IMAGE), OCI_INDEX, "expected index but found manifest"),
        (_bytes(_INDEX), OCI_MANIFEST, "expected manifest but found index"),
        (_bytes({**_IMAGE, "mediaType": DOCKER_MANIFEST}), OCI_MANIFEST, "should be"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused(
    harbor: LoopbackHarbor, content: bytes, kind: str, words: str
) -> None:
    """The words mislead, as Harbor's do; the code is what counts (HARBOR-6)."""
    with pytest.raises(HarborError, match=words) as raised:
        check_manifest(harbor.state, content, kind)
    assert (raised.value.response.status, raised.value.code) == (400, "MANIFEST_INVALID")


def test_a_large_manifest_is_refused_behind(harbor: LoopbackHarbor) -> None:
    """The registry behind takes 4 MiB and says 400 (HARBOR-2)."""
    with pytest.raises(Refusal) as raised:
        check_manifest(harbor.state, b" " * (4 * 2**20 + 1), OCI_MANIFEST)
    assert raised.value.response.status == 400


def test_a_large_manifest_is_refused_by_a_newer_harbor(
    make_harbor: Callable[..., LoopbackHarbor],
) -> None:
    """From 2.16 on it is Harbor's own limit, with a code of its own (HARBOR-14)."""
    with pytest.raises(HarborError) as raised:
        check_manifest(make_harbor(version="2.16").state, b" " * (4 * 2**20 + 1), OCI_MANIFEST)
    assert (raised.value.response.status, raised.value.code) == (413, "REQUEST_ENTITY_TOO_LARGE")
