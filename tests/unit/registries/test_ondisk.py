"""A registry over files: what it finds, what it takes for what, and what it waits for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harborsync.content import REF_NAME
from harborsync.errors import (
    ContentMissing,
    Denied,
    HarborsyncError,
    IntegrityError,
    NotFound,
    ServerError,
)
from harborsync.reference import Tag
from harborsync.registries.layout import open_layout
from harborsync.registries.ondisk import disk_errors
from harborsync.testing.content import (
    fallback_index,
    join,
    random_artifact,
    random_image,
    random_index,
    random_referrer,
)

if TYPE_CHECKING:
    from harborsync.reference import Digest

IMAGE = random_image(1)


def _index(path: Path) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads((path / "index.json").read_bytes())["manifests"]
    return listed


def _pushed(path: Path, tag: str = "v1") -> Path:
    IMAGE.push_to(open_layout(path), "team/app", tag)
    return path


def _blob_file(path: Path, digest: Digest) -> Path:
    return path / "blobs" / digest.algorithm / digest.encoded


def test_an_untagged_root_is_kept_in_the_index(tmp_path: Path) -> None:
    """Or a collection of garbage would take it."""
    IMAGE.push_to(open_layout(tmp_path), "a")
    assert [entry["digest"] for entry in _index(tmp_path)] == [str(IMAGE.digest)]


def test_referrers_of_the_fallback_tag_are_listed_too(tmp_path: Path) -> None:
    """Each once, whoever lists it (OCI-6.4)."""
    registry = open_layout(tmp_path)
    IMAGE.push_to(registry, "a", "v1")
    first, second = (random_referrer(n, IMAGE.descriptor) for n in (1, 2))
    first.push_to(registry, "a")
    fallback_index(IMAGE.digest, [first, second]).push_to(registry, "a")
    listed = registry.list_referrers("a", IMAGE.digest)
    assert {entry.digest for entry in listed} == {first.digest, second.digest}
    assert len(listed) == 2
    assert registry.list_referrers("a", IMAGE.digest) == listed


def test_entries_that_are_no_manifests_are_no_referrers(tmp_path: Path) -> None:
    """An entry may be of any type, and may lack its content."""
    _pushed(tmp_path)
    layer = IMAGE.blobs[1].descriptor.to_json()
    lost = random_image(5).descriptor.to_json()
    unknown = {**layer, "digest": "blake3:abcdef"}
    document = json.loads((tmp_path / "index.json").read_bytes())
    document["manifests"] += [layer, lost, unknown]
    (tmp_path / "index.json").write_text(json.dumps(document))
    assert open_layout(tmp_path).list_referrers("a", IMAGE.digest) == ()


def test_one_damaged_manifest_does_not_hide_all_referrers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is passed over, and the log tells."""
    registry = open_layout(tmp_path)
    sbom, damaged = (random_referrer(n, IMAGE.descriptor) for n in (1, 2))
    for sample in (IMAGE, sbom, damaged):
        sample.push_to(registry, "a")
    _blob_file(tmp_path, damaged.digest).write_bytes(b"{}")
    listed = open_layout(tmp_path).list_referrers("a", IMAGE.digest)
    assert [entry.digest for entry in listed] == [sbom.digest]
    assert str(damaged.digest) in caplog.text


def test_a_config_is_no_manifest(tmp_path: Path) -> None:
    """Though it is JSON and has a key named config; nor is a layer."""
    _pushed(tmp_path)
    registry = open_layout(tmp_path)
    for blob in IMAGE.blobs:
        assert registry.resolve("a", blob.descriptor.digest) is None


def test_a_lost_manifest_is_named(tmp_path: Path) -> None:
    """The index knows it, and the content is elsewhere (OCI-10.9)."""
    _pushed(tmp_path)
    _blob_file(tmp_path, IMAGE.digest).unlink()
    registry = open_layout(tmp_path)
    assert registry.resolve("team/app", Tag("v1")) is None
    with pytest.raises(NotFound, match=f"{IMAGE.digest} is not in the layout"):
        registry.get_manifest("team/app", Tag("v1"))


def test_a_changed_manifest_is_noticed(tmp_path: Path) -> None:
    """Local disks lie, too (OCI-9.16)."""
    _pushed(tmp_path)
    _blob_file(tmp_path, IMAGE.digest).write_bytes(random_image(2).manifest.raw)
    with pytest.raises(IntegrityError):
        open_layout(tmp_path).get_manifest("team/app", Tag("v1"))


def test_a_blob_of_another_length_is_replaced(tmp_path: Path) -> None:
    """What was cut off by a full disk is written again."""
    _pushed(tmp_path)
    layer = IMAGE.blobs[1]
    _blob_file(tmp_path, layer.descriptor.digest).write_bytes(b"cut")
    IMAGE.push_to(open_layout(tmp_path), "team/app", "v1")
    assert _blob_file(tmp_path, layer.descriptor.digest).read_bytes() == layer.content


def test_a_type_that_the_index_does_not_tell_is_not_made_up(tmp_path: Path) -> None:
    """It comes from the document."""
    _pushed(tmp_path)
    document = json.loads((tmp_path / "index.json").read_bytes())
    del document["manifests"][0]["mediaType"]
    (tmp_path / "index.json").write_text(json.dumps(document))
    registry = open_layout(tmp_path)
    (artifact,) = registry.list_artifacts("team/app")
    assert not artifact.media_type
    assert registry.get_manifest("team/app", Tag("v1")) == IMAGE.manifest


def test_a_nameless_layout_is_called_like_its_directory(tmp_path: Path) -> None:
    """In a catalogue; a name that cannot be one is replaced."""
    for name, wanted in (("My App!", "my-app"), ("___", "layout")):
        layout = _pushed(tmp_path / name)
        document = json.loads((layout / "index.json").read_bytes())
        document["manifests"][0]["annotations"] = {REF_NAME: "v1"}
        (layout / "index.json").write_text(json.dumps(document))
        assert list(open_layout(layout).list_repositories()) == [wanted]
        assert [a.tag for a in open_layout(layout).list_artifacts("x/y")] == ["v1"]


def test_untagged_children_leave_no_entry(tmp_path: Path) -> None:
    """The index that names them leads to them; referrers keep theirs."""
    index = random_index(1, nested=1, attestations=True)
    registry = open_layout(tmp_path)
    index.push_to(registry, "a", "v1")
    assert [entry["digest"] for entry in _index(tmp_path)] == [str(index.digest)]
    sbom = random_referrer(2, index.descriptor)
    sbom.push_to(registry, "a")
    index.push_to(registry, "a", "v1")
    assert {entry["digest"] for entry in _index(tmp_path)} == {str(index.digest), str(sbom.digest)}


def test_a_child_that_is_a_referrer_keeps_its_entry(tmp_path: Path) -> None:
    """An index leads to it, but nobody looks for referrers there."""
    registry = open_layout(tmp_path)
    sbom = random_referrer(2, IMAGE.descriptor)
    join([(IMAGE, {}), (sbom, {})]).push_to(registry, "a", "v1")
    assert [e.digest for e in registry.list_referrers("a", IMAGE.digest)] == [sbom.digest]
    assert str(IMAGE.digest) not in {entry["digest"] for entry in _index(tmp_path)}


def test_a_manifest_waits_for_its_blobs(tmp_path: Path) -> None:
    """What is missing is named; foreign layers may be elsewhere (OCI-3.19)."""
    registry = open_layout(tmp_path)
    foreign = random_artifact(3, layer_type="application/vnd.docker.image.rootfs.foreign.diff")
    config, layer = foreign.blobs
    with pytest.raises(ContentMissing) as refused:
        registry.put_manifest("a", foreign.manifest, tag=Tag("v1"))
    assert refused.value.digests == (str(config.descriptor.digest),)
    registry.put_blob("a", config.descriptor, config.open)
    registry.put_manifest("a", foreign.manifest, tag=Tag("v1"))
    assert not registry.has_blob("a", layer.descriptor)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PermissionError(13, "Permission denied", "x"), Denied),
        (OSError(5, "Input/output error"), ServerError),
        (FileNotFoundError(2, "No such file", "/here"), NotFound),
    ],
    ids=["denied", "broken", "absent"],
)
def test_errors_of_the_disk_become_ours(error: OSError, kind: type[HarborsyncError]) -> None:
    """With the place in the message."""
    with pytest.raises(kind, match="/here"), disk_errors(Path("/here")):
        raise error
