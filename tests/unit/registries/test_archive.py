"""Archives as files: written whole at the end, equal for equal content, read in every form."""

from __future__ import annotations

import io
import itertools
import json
import tarfile
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.content import REF_NAME, Manifest
from harborsync.endpoint import Endpoint
from harborsync.errors import (
    DigestMismatch,
    HarborsyncError,
    InvalidManifest,
    NotFound,
)
from harborsync.graph import ManifestCache, SourceRepository, read_graph
from harborsync.provider import OpenContext
from harborsync.reference import Digest, Tag
from harborsync.registries.archive import DOCKER_ARCHIVE, OCI_ARCHIVE, open_archive
from harborsync.registries.layout import open_layout
from harborsync.registries.memory import MemoryRegistry
from harborsync.testing.content import (
    Sample,
    random_image,
    random_index,
    random_layer,
    random_referrer,
    random_signature,
)
from harborsync.transfer import Target, Tools, copy_graph

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harborsync.registries.ondisk import OnDiskRegistry
    from harborsync.registry import Registry

IMAGE = random_image(1)


def _written(path: Path, *samples: Sample, docker: bool = False, tag: str = "v1") -> Path:
    registry = open_archive(path, docker=docker)
    for sample in samples:
        sample.push_to(registry, "team/app", tag)
    registry.close()
    return path


def _names(path: Path) -> list[str]:
    with tarfile.open(path) as archive:
        return archive.getnames()


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


# --- as a destination -----------------------------------------------------------------------


def test_an_archive_appears_when_it_is_closed(tmp_path: Path) -> None:
    """Until then its content waits beside it, and afterwards nothing else is left."""
    path = tmp_path / "new" / "a.tar"
    registry = open_archive(path, docker=False)
    IMAGE.push_to(registry, "team/app", "v1")
    assert not path.exists()
    registry.close()
    assert [each.name for each in path.parent.iterdir()] == ["a.tar"]
    registry.close()
    assert registry.get_manifest("team/app", Tag("v1")) == IMAGE.manifest
    registry.close()


def test_an_archive_that_is_only_read_is_not_written(tmp_path: Path) -> None:
    """Nor made."""
    registry = open_archive(tmp_path / "a.tar", docker=False)
    assert list(registry.list_artifacts("a")) == []
    with pytest.raises(NotFound):
        registry.get_manifest("a", Tag("v1"))
    registry.close()
    assert list(tmp_path.iterdir()) == []


def test_equal_content_makes_equal_archives(tmp_path: Path) -> None:
    """Whenever it was written, in whatever order of blobs (OCI-10.10)."""
    backwards = attrs.evolve(IMAGE, blobs=IMAGE.blobs[::-1])
    first = _written(tmp_path / "a.tar", IMAGE, docker=True)
    second = _written(tmp_path / "b.tar", backwards, docker=True)
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        assert {(m.mtime, m.uid, m.gid, m.uname) for m in archive} == {(0, 0, 0, "")}
    names = _names(first)
    assert names[:2] == ["blobs", "blobs/sha256"]
    assert names[-3:] == ["index.json", "manifest.json", "oci-layout"]
    assert names[2:-3] == sorted(names[2:-3])


def test_what_was_in_an_archive_stays_in_it(tmp_path: Path) -> None:
    """Writing adds; a blob that is there is not sent again."""
    path = _written(tmp_path / "a.tar", IMAGE)
    registry = open_archive(path, docker=False)
    other = random_image(2)
    other.push_to(registry, "team/app", "v2")
    IMAGE.push_to(registry, "team/app", "v3")
    assert sorted(str(a.tag) for a in registry.list_artifacts("team/app")) == ["v1", "v2", "v3"]
    registry.close()
    assert _read(registry, "team/app", "v1").keys() == _read(registry, "team/app", "v3").keys()
    assert registry.get_manifest("team/app", Tag("v2")) == other.manifest
    registry.close()


def test_a_reader_goes_on_reading_what_it_opened(tmp_path: Path) -> None:
    """Though the archive is written anew meanwhile; a later one reads the new."""
    path = _written(tmp_path / "a.tar", IMAGE)
    reader = open_archive(path, docker=False)
    assert [str(a.tag) for a in reader.list_artifacts("team/app")] == ["v1"]
    _written(path, random_image(2), tag="v0")
    assert len(_read(reader, "team/app", "v1")) == len(IMAGE.blobs)
    assert [str(a.tag) for a in reader.list_artifacts("team/app")] == ["v1"]
    reader.close()
    assert [str(a.tag) for a in reader.list_artifacts("team/app")] == ["v1", "v0"]
    reader.close()


def test_a_failure_while_writing_leaves_the_old_archive(tmp_path: Path) -> None:
    """And nothing beside it."""
    path = _written(tmp_path / "a.tar", IMAGE)
    before = path.read_bytes()
    registry = open_archive(path, docker=False)
    random_image(2).push_to(registry, "team/app", "v2")
    (waiting,) = tmp_path.glob(".a.tar.*")
    blob = next(iter((waiting / "blobs" / "sha256").iterdir()))
    blob.unlink()
    blob.symlink_to("/etc/passwd")
    with pytest.raises(HarborsyncError):
        registry.close()
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar"]
    registry.close()


def test_what_a_dead_process_left_is_not_taken_up(tmp_path: Path) -> None:
    """Even if its number is ours by now; nor is it taken away."""
    probe = open_archive(tmp_path / "probe.tar", docker=False)
    IMAGE.push_to(probe, "team/app", "v1")
    (used,) = tmp_path.glob(".probe.tar.*")
    probe.close()
    prefix, _, number = used.name.replace("probe", "a").rpartition("-")
    left = [tmp_path / f"{prefix}-{int(number) + step}" for step in (1, 2)]
    for folder in left:
        random_image(2).push_to(open_layout(folder), "team/app", "stale")
    path = _written(tmp_path / "a.tar", IMAGE)
    registry = open_archive(path, docker=False)
    assert [str(a.tag) for a in registry.list_artifacts("team/app")] == ["v1"]
    registry.close()
    assert all(folder.exists() for folder in left)


def test_an_oci_archive_has_no_list_for_docker(tmp_path: Path) -> None:
    """It is a layout and nothing more."""
    assert "manifest.json" not in _names(_written(tmp_path / "a.tar", IMAGE))


# --- as a source ----------------------------------------------------------------------------


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


@pytest.mark.parametrize("names", [True, False], ids=["named", "nameless"])
def test_the_newer_form_keeps_its_digests(names: bool, tmp_path: Path) -> None:
    """Names come from docker's list where the index has none (OCI-10.12)."""
    registry = open_archive(_tar(tmp_path / "a.tar", _docker25(IMAGE, names=names)), docker=True)
    assert list(registry.list_repositories()) == ["team/app"]
    assert registry.get_manifest("team/app", Tag("v1")) == IMAGE.manifest
    assert len(_read(registry, "team/app", "v1")) == len(IMAGE.blobs)
    registry.close()


def test_an_index_of_null_is_no_obstacle(tmp_path: Path) -> None:
    """Docker 25.0 wrote some; the images are then read by the list (OCI-10.3)."""
    registry = open_archive(_tar(tmp_path / "a.tar", _docker25(IMAGE, entries=False)), docker=True)
    found = _read(registry, "team/app", "v1")
    assert set(found) == {blob.descriptor.digest for blob in IMAGE.blobs}
    registry.close()


def test_names_without_a_manifest_are_passed_over(tmp_path: Path) -> None:
    """Of two entries one is lacking, another is too long to be one."""
    files = _docker25(IMAGE, names=False)
    lacking = random_image(9).descriptor.to_json()
    config = IMAGE.descriptor.to_json()
    files["index.json"] = json.dumps({"manifests": [lacking, config]}).encode()
    registry = open_archive(_tar(tmp_path / "a.tar", files), docker=True)
    assert [str(a.tag) for a in registry.list_artifacts("team/app")] == ["v1"]
    registry.close()


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


def test_an_oci_archive_must_be_a_layout(tmp_path: Path) -> None:
    """Docker's older form is none, and the error says how to name it."""
    registry = open_archive(_tar(tmp_path / "a.tar", _legacy()), docker=False)
    with pytest.raises(InvalidManifest, match="docker-archive:FILE"):
        list(registry.list_artifacts("a"))


def test_content_is_checked_where_it_is_read(tmp_path: Path) -> None:
    """A manifest that is not what its name says is not handed out; odd names are no blobs."""
    files = _docker25(IMAGE)
    files[f"blobs/sha256/{IMAGE.digest.encoded}"] = random_image(2).manifest.raw
    files["blobs/sha256/short"] = b"x"
    registry = open_archive(_tar(tmp_path / "a.tar", files), docker=True)
    with pytest.raises(DigestMismatch):
        registry.get_manifest("team/app", Tag("v1"))
    registry.close()


# --- others' archives, and round trips ------------------------------------------------------


def _copy(source: Registry, destination: Registry, *samples: tuple[str, Digest]) -> None:
    for tag, digest in samples:
        repository = SourceRepository(source, "team/app", ManifestCache())
        graph = read_graph(repository, digest)
        target = Target(registry=destination, repository="team/app", tag=Tag(tag))
        copy_graph(repository, graph, target, Tools())


def test_everything_survives_the_way_through_disks(tmp_path: Path) -> None:
    """Registry, layout, both archives, registry: each byte and each signature arrives."""
    index = random_index(1, nested=1, attestations=True)
    origin, arrival = MemoryRegistry("origin"), MemoryRegistry("arrival")
    said = [random_referrer(2, index.descriptor), random_signature(3, index.digest)]
    for sample in (index, *said):
        sample.push_to(origin, "team/app", "v1" if sample is index else None)
    stations: list[Registry] = [
        origin,
        open_layout(tmp_path / "layout"),
        open_archive(tmp_path / "oci.tar", docker=False),
        open_archive(tmp_path / "docker.tar", docker=True),
        arrival,
    ]
    for here, there in itertools.pairwise(stations):
        _copy(here, there, ("v1", index.digest))
        there.close()
    for sample in (index, *said):
        for manifest in sample.manifests:
            assert arrival.get_manifest("team/app", manifest.digest) == manifest
        assert all(arrival.has_blob("team/app", blob.descriptor) for blob in sample.blobs)
    for station in stations[1:-1]:
        station.close()


def test_providers_open_archives(tmp_path: Path) -> None:
    """By the words before the path, with a home for plain tags."""
    for provider in (DOCKER_ARCHIVE, OCI_ARCHIVE):
        text = f"{provider.name}:{tmp_path / provider.name}?repository=team/app"
        registry = provider.open(Endpoint.parse(text), OpenContext())
        IMAGE.push_to(registry, "team/app", "v1")
        assert registry.name == text.partition("?")[0]
        registry.close()
        assert registry.resolve("team/app", Tag("v1")) is not None
        registry.close()


def test_a_manifest_is_what_it_was(tmp_path: Path) -> None:
    """White space and all."""
    raw = json.dumps(IMAGE.manifest.document, indent=5).encode()
    odd = attrs.evolve(IMAGE, manifests=(Manifest.parse(raw),))
    path = _written(tmp_path / "a.tar", odd, docker=True)
    registry = open_archive(path, docker=True)
    assert registry.get_manifest("team/app", Tag("v1")).raw == raw
    registry.close()
