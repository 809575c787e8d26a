"""What the emulated Harbor looks at in a manifest itself, when it is pushed and when it is pulled."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NoReturn

from harborsync.content import DOCKER_LIST, DOCKER_MANIFEST, INDEX_TYPES, OCI_MANIFEST
from harborsync.testing.harbor_artifacts import accessories_of
from harborsync.testing.harbor_wire import HarborError
from harborsync.testing.server_wire import Refusal

if TYPE_CHECKING:
    from harborsync.testing.harbor_state import HarborArtifact, HarborState

_LARGEST: Final = 4 * 2**20
# By the metadata of a project that want it, who must have signed what is pulled.
_SIGNERS: Final = {"enable_content_trust_cosign": "cosign", "enable_content_trust": "notation"}
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


def check_policy(artifact: HarborArtifact) -> None:
    """Refuse to hand out what the project's policy wants signed or scanned (HARBOR-2).

    Signatures themselves are always handed out. Nothing is ever scanned here.

    Raises:
        HarborError: It is not.
    """
    if artifact.accessory is not None:
        return
    metadata = artifact.repository.project.metadata
    kinds = {each.accessory.kind for each in accessories_of(artifact) if each.accessory}
    for setting, maker in _SIGNERS.items():
        if metadata.get(setting) == "true" and f"signature.{maker}" not in kinds:
            _refuse_pull(f"The image is not signed by {maker}.")
    if metadata.get("prevent_vul") == "true" and not artifact.children:
        severity = metadata.get("severity", "low")
        _refuse_pull(
            "current image without vulnerability scanning cannot be pulled due to configured policy"
            f' in \'Prevent images with vulnerability severity of "{severity}" or higher from'
            " running.' To continue with pull, please contact your project administrator for help."
        )


def _refuse_pull(reason: str) -> NoReturn:
    raise HarborError(412, "PROJECTPOLICYVIOLATION", reason)


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
