"""What the emulated Harbor looks at in a pushed manifest before the registry behind sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NoReturn

from harborsync.content import DOCKER_LIST, DOCKER_MANIFEST, INDEX_TYPES, OCI_MANIFEST
from harborsync.testing.harbor_wire import HarborError
from harborsync.testing.server_wire import Refusal

if TYPE_CHECKING:
    from harborsync.testing.harbor_state import HarborState

_LARGEST: Final = 4 * 2**20
_KNOWN: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST, DOCKER_LIST, *INDEX_TYPES})


def check_manifest(state: HarborState, content: bytes, content_type: str) -> None:
    """Refuse a manifest that Harbor cannot read, in its misleading words (HARBOR-6).

    Raises:
        HarborError: It is no JSON, not of the type it came with, or in 2.16 too large.
        Refusal: It is too large for the registry behind.
    """
    if len(content) > _LARGEST:
        _refuse_large(state)
    media_type = content_type.partition(";")[0].strip()
    if media_type not in _KNOWN:
        _refuse("missing signature key")
    document = _document(content)
    is_index = media_type in INDEX_TYPES
    if is_index and ("config" in document or "layers" in document):
        _refuse("index: expected index but found manifest")
    if not is_index and "manifests" in document:
        _refuse("manifest: expected manifest but found index")
    told = document.get("mediaType", media_type)
    if told != media_type:
        _refuse(f"mediaType in manifest should be '{media_type}' not '{told}'")


def _document(content: bytes) -> dict[str, Any]:
    try:
        document: object = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _invalid(str(error)) from None
    if not isinstance(document, dict):
        _refuse("json: cannot unmarshal it into a manifest")
    return document


def _refuse_large(state: HarborState) -> NoReturn:
    if state.since(2, 16):
        raise HarborError(413, "REQUEST_ENTITY_TOO_LARGE", "manifest too large")
    detail = "http: request body too large"
    raise Refusal(400, "MANIFEST_INVALID", "manifest invalid", detail=detail)


def _refuse(reason: str) -> NoReturn:
    raise _invalid(reason)


def _invalid(reason: str) -> HarborError:
    return HarborError(400, "MANIFEST_INVALID", f"unmarshal manifest failed: {reason}")
