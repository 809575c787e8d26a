"""What ``docker save`` writes and ``docker load`` reads: ``manifest.json`` and its images.

The older form has no registry manifest in it, only a config and uncompressed layers, so one
is made up, always the same one for the same archive: its digest is *synthetic*, it is not the
digest that the image has in any registry (OCI-10.11, 10.13). The newer form is an OCI layout
with a ``manifest.json`` beside it, and has real manifests (OCI-10.12).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import attrs

from harborsync.content import (
    DOCKER_CONFIG,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
)
from harborsync.errors import InvalidManifest, InvalidReference, NotFound
from harborsync.reference import ArtifactRef, Digest, Tag
from harborsync.registries.archive_members import gunzipped
from harborsync.registries.layout_index import EMPTY_INDEX, LayoutIndex, full_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harborsync.registries.archive_members import Member, Members

LIST: Final = "manifest.json"
_MAX_LIST_BYTES: Final = 2**20  # OCI-10.15
_MAX_CONFIG_BYTES: Final = 4 * 2**20  # OCI-10.15
_BLOCK: Final = 2**20
_GZIP: Final = b"\x1f\x8b"
_LATEST: Final = Tag("latest")


@attrs.frozen(kw_only=True)
class SavedImage:
    """An entry of ``manifest.json``.

    Attributes:
        config: The member that holds the config.
        layers: The members that hold the layers, lowest first.
        names: What it is called, tags filled in.
    """

    config: str
    layers: tuple[str, ...]
    names: tuple[ArtifactRef, ...]


@attrs.frozen(kw_only=True)
class SavedImages:
    """Everything in an archive of the older form, as a registry would have it.

    Attributes:
        index: An index.json made for it.
        manifests: The manifests made up for the images.
        files: Configs and layers, by digest.
    """

    index: bytes
    manifests: dict[Digest, bytes]
    files: dict[Digest, Member]


def saved_images(members: Members) -> tuple[SavedImage, ...]:
    """Read ``manifest.json``.

    Raises:
        InvalidManifest: It is lacking, or is no list of images.
    """
    raw = members.read(LIST, _MAX_LIST_BYTES)
    if raw is None:
        msg = f"the archive has neither {LIST} nor an OCI layout: nothing tells what is in it"
        raise InvalidManifest(msg, hint="save it again with docker 1.10 or newer")
    listed = _parsed(raw, LIST) or []
    if not isinstance(listed, list):
        msg = f"{LIST} in the archive is no list of images"
        raise InvalidManifest(msg)
    return tuple(_saved_image(value) for value in listed)


def as_layout(members: Members) -> SavedImages:
    """Make manifests and an index for an archive of the older form.

    Raises:
        InvalidManifest: There is no image, or one whose config and layers do not fit together.
    """
    images = saved_images(members)
    if not images:
        msg = f"{LIST} in the archive lists no image"
        raise InvalidManifest(msg)
    made = SavedImages(index=EMPTY_INDEX, manifests={}, files={})
    index = EMPTY_INDEX
    for image in images:
        manifest = _manifest(members, image, made.files)
        made.manifests[manifest.digest] = manifest.raw
        index = with_names(index, manifest, image.names)
    return attrs.evolve(made, index=index)


def with_names(index: bytes, manifest: Manifest, names: Iterable[ArtifactRef]) -> bytes:
    """Return an index.json with a manifest under all of its names, or under none."""
    for name in names:
        index = LayoutIndex.parse(index).with_manifest(manifest, name.repository, name.tag)
    return LayoutIndex.parse(index).with_manifest(manifest, "", None)


# --- manifest.json --------------------------------------------------------------------------


def _parsed(raw: bytes, what: str) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        msg = f"{what} in the archive is no JSON"
        raise InvalidManifest(msg) from error


def _saved_image(value: Any) -> SavedImage:
    fields: dict[str, Any] = value if isinstance(value, dict) else {}
    config, layers, names = fields.get("Config"), fields.get("Layers"), fields.get("RepoTags")
    layers, names = layers or [], names or []
    if not (isinstance(config, str) and _are_texts(layers) and _are_texts(names)):
        msg = f"an entry of {LIST} in the archive is no image"
        raise InvalidManifest(msg)
    found = (_repo_tag(text) for text in names)
    return SavedImage(
        config=config,
        layers=tuple(layers),
        names=tuple(name for name in found if name is not None),
    )


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _repo_tag(text: str) -> ArtifactRef | None:
    """Read a RepoTag; one without a tag is the latest, as docker has it."""
    found = full_name(text) or full_name(f"{text}:{_LATEST}")
    return None if found is None else ArtifactRef(found.repository, found.tag)


# --- a manifest is made ---------------------------------------------------------------------


def _manifest(members: Members, image: SavedImage, files: dict[Digest, Member]) -> Manifest:
    raw = members.read(image.config, _MAX_CONFIG_BYTES)
    if raw is None:
        msg = f"the archive lacks the config {image.config!r}"
        raise NotFound(msg)
    config = Descriptor.of(raw, OCI_CONFIG)
    files[config.digest] = _found(members, image.config)
    layers = []
    for name, diff_id in zip(image.layers, _diff_ids(raw, len(image.layers)), strict=True):
        layer = _layer(members, name, diff_id)
        files[layer.digest] = _found(members, name)
        layers.append(layer.to_json())
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.to_json(),
        "layers": layers,
    }
    return Manifest.parse(json.dumps(document, separators=(",", ":")).encode())


def _diff_ids(config: bytes, count: int) -> tuple[Digest, ...]:
    document = _parsed(config, "a config")
    rootfs = document.get("rootfs") if isinstance(document, dict) else None
    listed = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    listed = [] if listed is None else listed
    if not _are_texts(listed) or len(listed) != count:
        msg = "the config of an image in the archive has other layers than the image (OCI-10.13)"
        raise InvalidManifest(msg)
    try:
        return tuple(Digest.parse(text) for text in listed)
    except InvalidReference as error:
        raise InvalidManifest(error.message) from error


def _layer(members: Members, name: str, diff_id: Digest) -> Descriptor:
    """Describe a layer as it is stored, and hold what it unpacks to against its diff id."""
    member = _found(members, name)
    file = members.open(member)
    is_compressed = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    blocks, stored, plain = _blocks(file), hashlib.sha256(), diff_id.hasher()
    for block in gunzipped(_seen(blocks, stored.update)) if is_compressed else blocks:
        plain.update(block)
    if plain.hexdigest() != diff_id.encoded:
        msg = f"the layer {name!r} in the archive is not {diff_id}, as the config says"
        raise InvalidManifest(msg)
    return Descriptor(
        media_type=f"{OCI_LAYER}+gzip" if is_compressed else OCI_LAYER,
        digest=Digest("sha256", stored.hexdigest()) if is_compressed else diff_id,
        size=member.size,
    )


def _found(members: Members, name: str) -> Member:
    member = members.find(name)
    if member is None:
        msg = f"the archive lacks {name!r}, which {LIST} names"
        raise NotFound(msg)
    return member


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(_BLOCK), b"")


def _seen(blocks: Iterator[bytes], see: Callable[[bytes], None]) -> Iterator[bytes]:
    for block in blocks:
        see(block)
        yield block


# --- manifest.json is written ---------------------------------------------------------------


def manifest_list(
    index: LayoutIndex, read: Callable[[Digest], Manifest | None], path: Callable[[Digest], str]
) -> bytes:
    """Return the ``manifest.json`` for a layout, so that every docker can load it (OCI-10.14).

    Of an index with several platforms it names the first image that is there: the list has
    room for one; the others are found through ``index.json``.

    Args:
        index: The layout's index.
        read: Reads a manifest, if it is there and is one.
        path: Where a blob is in the archive.
    """
    names: dict[Digest, list[str]] = {}
    for entry in index.entries:
        full = entry_name(entry.repository, entry.tag)
        names.setdefault(entry.descriptor.digest, []).extend([] if full is None else [full])
    images = {digest: _first_image(read(digest), read) for digest in names}
    listed = [
        {
            "Config": path(image.blobs[0].digest),
            "RepoTags": sorted(set(names[digest])),
            "Layers": [path(Digest.parse(layer["digest"])) for layer in image.document["layers"]],
        }
        for digest, image in images.items()
        if image is not None
    ]
    return json.dumps(listed, separators=(",", ":")).encode()


def entry_name(repository: str | None, tag: Tag | None) -> str | None:
    """Return the RepoTag of an entry, or None if it has no name or no repository."""
    return f"{repository}:{tag}" if repository is not None and tag is not None else None


def _first_image(
    manifest: Manifest | None, read: Callable[[Digest], Manifest | None]
) -> Manifest | None:
    if manifest is None:
        return None
    if not manifest.is_index:
        return manifest if _is_image(manifest) else None
    children = (_first_image(read(entry.digest), read) for entry in manifest.entries)
    return next((child for child in children if child is not None), None)


def _is_image(manifest: Manifest) -> bool:
    is_image = manifest.artifact_type in {OCI_CONFIG, DOCKER_CONFIG}
    return is_image and all("tar" in blob.media_type for blob in manifest.blobs[1:])
