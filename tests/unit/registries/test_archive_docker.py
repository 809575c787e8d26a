"""What docker saves and loads: the older form with made-up manifests, and docker's own list."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.content import REF_NAME
from harborsync.errors import HarborsyncError, IntegrityError, InvalidManifest, NotFound
from harborsync.reference import Digest, Tag
from harborsync.registries.archive import open_archive
from harborsync.testing.content import (
    Sample,
    odd_artifact,
    random_artifact,
    random_image,
    random_index,
    random_layer,
    random_referrer,
    random_signature,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harborsync.registries.ondisk import OnDiskRegistry

IMAGE = random_image(1)


def _written(path: Path, *samples: Sample, docker: bool = False, tag: str = "v1") -> Path:
    registry = open_archive(path, docker=docker)
    for sample in samples:
        sample.push_to(registry, "team/app", tag)
    registry.close()
    return path


def _file(path: Path, name: str) -> Any:
    with tarfile.open(path) as archive:
        file = archive.extractfile(name)
        assert file is not None
        return json.load(file)


def _tar(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def _read(registry: OnDiskRegistry, repository: str, tag: str) -> dict[Digest, bytes]:
    """Read everything of an image, each blob held against its digest."""
    found = {}
    for blob in registry.get_manifest(repository, Tag(tag)).blobs:
        with registry.open_blob(repository, blob) as blocks:
            found[blob.digest] = b"".join(blocks)
        assert blob.digest.matches(found[blob.digest])
    return found


def _legacy(**changes: Any) -> dict[str, bytes]:
    """Return the files of the older form; ``changes`` are to its list."""
    layers = [random_layer(n, compressed=False).content for n in (1, 2)]
    diff_ids = [str(Digest.of(layer)) for layer in layers]
    config = json.dumps({"os": "linux", "rootfs": {"diff_ids": diff_ids}}).encode()
    listed = {"Config": "c.json", "Layers": ["1/layer.tar", "2/layer.tar"], **changes}
    return {
        "1/layer.tar": layers[0],
        "2/layer.tar": layers[1],
        "c.json": config,
        "manifest.json": json.dumps([{"RepoTags": ["team/app:v1"], **listed}]).encode(),
    }


def _without(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {key: value for key, value in files.items() if key != name}


def _docker25(sample: Sample, *, names: bool = True, entries: bool = True) -> dict[str, bytes]:
    """Return the files that docker 25 and newer save, with and without names in the index."""
    config, *layers = sample.manifest.blobs
    entry = sample.descriptor.to_json()
    if names:
        entry["annotations"] = {
            REF_NAME: "v1",
            "io.containerd.image.name": "docker.io/team/app:v1",
        }
    listed = {
        "Config": f"blobs/sha256/{config.digest.encoded}",
        "RepoTags": ["team/app:v1"],
        "Layers": [f"blobs/sha256/{layer.digest.encoded}" for layer in layers],
    }
    blobs = {b.descriptor.digest: b.content for b in sample.blobs}
    blobs[sample.digest] = sample.manifest.raw
    return {
        **{f"blobs/sha256/{digest.encoded}": content for digest, content in blobs.items()},
        "index.json": json.dumps({"manifests": [entry] if entries else None}).encode(),
        "manifest.json": json.dumps([listed]).encode(),
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
    }


# --- docker's list -------------------------------------------------------------------------


def test_docker_finds_its_list(tmp_path: Path) -> None:
    """One entry for each image, of an index the first that is there (OCI-10.14)."""
    registry = open_archive(tmp_path / "a.tar", docker=True)
    index = random_index(2, attestations=True)
    for repository, tag, sample in [
        ("team/app", "v1", IMAGE),
        ("team/app", "v2", IMAGE),
        ("team/many", "v1", index),
        ("team/chart", "v1", random_artifact(3)),
        ("team/odd", "v1", odd_artifact(4)),
    ]:
        sample.push_to(registry, repository, tag)
    random_referrer(5, IMAGE.descriptor).push_to(registry, "team/app")
    random_signature(6, IMAGE.digest).push_to(registry, "team/app")
    registry.close()
    listed = _file(tmp_path / "a.tar", "manifest.json")
    names = [entry["RepoTags"] for entry in listed]
    assert names == [["team/app:v1", "team/app:v2"], ["team/many:v1"]]
    config, *layers = IMAGE.manifest.blobs
    assert listed[0]["Config"] == f"blobs/sha256/{config.digest.encoded}"
    assert listed[0]["Layers"] == [f"blobs/sha256/{layer.digest.encoded}" for layer in layers]
    first = index.manifests[0].blobs[0]
    assert listed[1]["Config"] == f"blobs/sha256/{first.digest.encoded}"


def test_docker_needs_no_list_of_what_is_lacking(tmp_path: Path) -> None:
    """A sparse index without any child has no image to name."""
    index = random_index(2)
    sparse = attrs.evolve(index, manifests=index.manifests[-1:])
    path = _written(tmp_path / "a.tar", sparse, docker=True)
    assert _file(path, "manifest.json") == []
    registry = open_archive(path, docker=True)
    assert registry.get_manifest("x", index.digest) == index.manifest
    registry.close()


def test_docker_does_not_hear_of_what_is_no_manifest(tmp_path: Path) -> None:
    """An entry of an unknown kind stays in the index and out of the list."""
    files = _docker25(IMAGE)
    layer = IMAGE.manifest.blobs[1].to_json()
    files["index.json"] = json.dumps({"manifests": [layer]}).encode()
    registry = open_archive(_tar(tmp_path / "a.tar", _without(files, "manifest.json")), docker=True)
    random_image(2).push_to(registry, "team/app", "v2")
    registry.close()
    assert [e["RepoTags"] for e in _file(tmp_path / "a.tar", "manifest.json")] == [["team/app:v2"]]
    assert len(_file(tmp_path / "a.tar", "index.json")["manifests"]) == 2


# --- the older form -------------------------------------------------------------------------


def test_the_older_form_gets_the_same_manifest_every_time(tmp_path: Path) -> None:
    """Synthetic, and the same from the archive compressed (OCI-10.13)."""
    plain = _tar(tmp_path / "a.tar", _legacy())
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    digests = set()
    for path in (plain, packed):
        registry = open_archive(path, docker=True)
        assert len(_read(registry, "team/app", "v1")) == 3
        digests.add(registry.get_manifest("team/app", Tag("v1")).digest)
        registry.close()
    assert len(digests) == 1


def test_compressed_layers_keep_their_bytes(tmp_path: Path) -> None:
    """They are held against the diff id by what they unpack to."""
    files = _legacy()
    plain = files["1/layer.tar"]
    files["1/layer.tar"] = gzip.compress(plain, mtime=0)
    registry = open_archive(_tar(tmp_path / "a.tar", files), docker=True)
    found = registry.get_manifest("team/app", Tag("v1"))
    assert [blob.media_type.rpartition(".")[2] for blob in found.blobs[1:]] == ["tar+gzip", "tar"]
    assert files["1/layer.tar"] in _read(registry, "team/app", "v1").values()
    registry.close()


def test_an_image_without_a_name_is_found_by_digest(tmp_path: Path) -> None:
    """As from ``docker save ID``; names that are none are passed over."""
    for names in (None, [], ["NOT/a name"]):
        registry = open_archive(_tar(tmp_path / "a.tar", _legacy(RepoTags=names)), docker=True)
        assert list(registry.list_repositories()) == []
        store = registry._store
        (entry,) = json.loads(store.read_index())["manifests"]
        assert registry.resolve("any", Digest.parse(entry["digest"])) is not None
        registry.close()


def test_what_is_added_to_the_older_form_makes_it_the_newer(tmp_path: Path) -> None:
    """The manifest that was made up is kept as it is."""
    registry = open_archive(_tar(tmp_path / "a.tar", _legacy()), docker=True)
    before = registry.get_manifest("team/app", Tag("v1"))
    IMAGE.push_to(registry, "team/app", "v2")
    registry.close()
    assert registry.get_manifest("team/app", Tag("v1")) == before
    assert len(_read(registry, "team/app", "v1")) == 3
    registry.close()


_BROKEN: dict[str, tuple[dict[str, bytes], type[HarborsyncError], str]] = {
    "no list": (_without(_legacy(), "manifest.json"), InvalidManifest, "neither manifest.json"),
    "null": ({"manifest.json": b"null"}, InvalidManifest, "lists no image"),
    "empty list": ({"manifest.json": b"[]"}, InvalidManifest, "lists no image"),
    "object": ({"manifest.json": b'{"a":1}'}, InvalidManifest, "no list of images"),
    "no json": ({"manifest.json": b"{"}, InvalidManifest, "no JSON"),
    "deep": ({"manifest.json": b"[" * 10**5}, InvalidManifest, "no JSON"),
    "no image": ({"manifest.json": b"[7]"}, InvalidManifest, "no image"),
    "config no text": (_legacy(Config=7), InvalidManifest, "no image"),
    "layers no texts": (_legacy(Layers=[7]), InvalidManifest, "no image"),
    "no config": (_without(_legacy(), "c.json"), NotFound, "lacks the config"),
    "no layer": (_without(_legacy(), "1/layer.tar"), NotFound, "lacks '1/layer.tar'"),
    "too few layers": (_legacy(Layers=["1/layer.tar"]), InvalidManifest, "other layers"),
    "other layer": (
        _legacy(Layers=["2/layer.tar", "1/layer.tar"]),
        InvalidManifest,
        "as the config says",
    ),
    "no rootfs": (_legacy() | {"c.json": b"{}"}, InvalidManifest, "other layers"),
    "config a list": (_legacy() | {"c.json": b"[]"}, InvalidManifest, "other layers"),
    "odd diff ids": (
        _legacy() | {"c.json": b'{"rootfs":{"diff_ids":["x","y"]}}'},
        InvalidManifest,
        "no digest",
    ),
    "long list": ({"manifest.json": b" " * (2**20 + 1)}, IntegrityError, "too many"),
    "long config": (_legacy() | {"c.json": b" " * (2**22 + 1)}, IntegrityError, "too many"),
}


@pytest.mark.parametrize(("files", "kind", "why"), _BROKEN.values(), ids=_BROKEN.keys())
def test_broken_archives_are_refused(
    files: dict[str, bytes], kind: type[HarborsyncError], why: str, tmp_path: Path
) -> None:
    """With an error that says what is wrong, again and again."""
    registry = open_archive(_tar(tmp_path / "a.tar", files), docker=True)
    for _ in range(2):
        with pytest.raises(kind, match=why):
            list(registry.list_artifacts("team/app"))
    registry.close()


def test_an_image_without_layers_is_an_image(tmp_path: Path) -> None:
    """Docker writes null for its layers."""
    files = {"c.json": b'{"rootfs":{}}'}
    listed = [{"Config": "c.json", "Layers": None, "RepoTags": ["a"]}]
    files["manifest.json"] = json.dumps(listed).encode()
    registry = open_archive(_tar(tmp_path / "a.tar", files), docker=True)
    assert len(_read(registry, "a", "latest")) == 1
    registry.close()
