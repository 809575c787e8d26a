"""Layouts and archives go to skopeo and umoci and come from them, digests kept."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from harborsync.gate import open_registry
from harborsync.reference import Tag
from harborsync.registries.archive import open_archive
from harborsync.registries.layout import open_layout
from harborsync.testing import LoopbackRegistry
from harborsync.testing.content import random_image, random_index

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harborsync.registry import Registry

pytestmark = pytest.mark.real
_REPOSITORY = "team/app"


@pytest.fixture
def skopeo_copy(program: Callable[[str], str]) -> Callable[..., None]:
    """Run ``skopeo copy``."""

    def copy(source: str, destination: str, *flags: str) -> None:
        command = [program("skopeo"), "--insecure-policy", "copy", "-q", *flags]
        done = subprocess.run(
            [*command, source, destination], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    return copy


def _check_blobs(registry: Registry, tag: str) -> None:
    for blob in registry.get_manifest(_REPOSITORY, Tag(tag)).blobs:
        with registry.open_blob(_REPOSITORY, blob) as blocks:
            assert blob.digest.matches(b"".join(blocks))


def test_skopeo_reads_our_layout_and_we_read_its(
    skopeo_copy: Callable[..., None], tmp_path: Path
) -> None:
    """By the tag alone; all platforms, the digest kept."""
    index = random_index(1)
    index.push_to(open_layout(tmp_path / "ours"), _REPOSITORY, "v1")
    ours, its = f"oci:{tmp_path / 'ours'}:v1", f"oci:{tmp_path / 'its'}:v2"
    skopeo_copy(ours, its, "--all", "--preserve-digests")
    back = open_layout(tmp_path / "its")
    assert [str(a) for a in back.list_artifacts(_REPOSITORY)] == [f"team/app:v2@{index.digest}"]
    for manifest in index.manifests:
        assert back.get_manifest(_REPOSITORY, manifest.digest) == manifest


def test_we_write_into_a_layout_that_skopeo_made(
    skopeo_copy: Callable[..., None], tmp_path: Path
) -> None:
    """It finds its own image and ours."""
    first, second = random_image(2), random_image(3)
    first.push_to(open_layout(tmp_path / "ours"), _REPOSITORY, "v1")
    skopeo_copy(f"oci:{tmp_path / 'ours'}:v1", f"oci:{tmp_path / 'its'}:v1")
    second.push_to(open_layout(tmp_path / "its"), _REPOSITORY, "v2")
    for tag, image in (("v1", first), ("v2", second)):
        skopeo_copy(f"oci:{tmp_path / 'its'}:{tag}", f"oci:{tmp_path / tag}:x")
        assert open_layout(tmp_path / tag).get_manifest("a", Tag("x")) == image.manifest


def test_oci_archives_go_both_ways(skopeo_copy: Callable[..., None], tmp_path: Path) -> None:
    """The digest is the same at the other end."""
    image = random_image(4)
    ours = open_archive(tmp_path / "ours.tar", docker=False)
    image.push_to(ours, _REPOSITORY, "v1")
    ours.close()
    skopeo_copy(
        f"oci-archive:{tmp_path / 'ours.tar'}:v1",
        f"oci-archive:{tmp_path / 'its.tar'}:v2",
        "--preserve-digests",
    )
    its = open_archive(tmp_path / "its.tar", docker=False)
    assert its.get_manifest(_REPOSITORY, Tag("v2")) == image.manifest
    _check_blobs(its, "v2")
    its.close()


def test_skopeo_reads_our_docker_archive(skopeo_copy: Callable[..., None], tmp_path: Path) -> None:
    """By the name in manifest.json; the config comes out as it went in."""
    image = random_image(5, docker=True)
    ours = open_archive(tmp_path / "ours.tar", docker=True)
    image.push_to(ours, _REPOSITORY, "v1")
    ours.close()
    skopeo_copy(
        f"docker-archive:{tmp_path / 'ours.tar'}:{_REPOSITORY}:v1", f"oci:{tmp_path / 'its'}:v1"
    )
    found = open_layout(tmp_path / "its").get_manifest("a", Tag("v1"))
    assert found.blobs[0].digest == image.manifest.blobs[0].digest


def test_we_read_a_docker_archive_of_skopeo(
    skopeo_copy: Callable[..., None], tmp_path: Path
) -> None:
    """Its layers are linked from docker's old places; every blob is what its digest says."""
    image = random_image(6, layers=3)
    image.push_to(open_layout(tmp_path / "ours"), _REPOSITORY, "v1")
    skopeo_copy(
        f"oci:{tmp_path / 'ours'}:v1", f"docker-archive:{tmp_path / 'its.tar'}:{_REPOSITORY}:v1"
    )
    its = open_archive(tmp_path / "its.tar", docker=True)
    assert list(its.list_repositories()) == [_REPOSITORY]
    found = its.get_manifest(_REPOSITORY, Tag("v1"))
    assert found.blobs[0].digest == image.manifest.blobs[0].digest
    _check_blobs(its, "v1")
    its.close()


def test_we_read_an_archive_of_crane_with_several_images(
    program: Callable[[str], str], tmp_path: Path
) -> None:
    """Two names of one image make it write the config twice."""
    image = random_image(8)
    with LoopbackRegistry() as server:
        source = open_registry(server.endpoint)
        names = [f"{server.host}/team/app:v1", f"{server.host}/team/copy:v1"]
        for repository in ("team/app", "team/copy"):
            image.push_to(source, repository, "v1")
        source.close()
        command = [program("crane"), "pull", "--insecure", *names, str(tmp_path / "its.tar")]
        subprocess.run(command, capture_output=True, check=True)
    its = open_archive(tmp_path / "its.tar", docker=True)
    assert sorted(its.list_repositories()) == ["team/app", "team/copy"]
    _check_blobs(its, "v1")
    its.close()


def test_umoci_lists_our_layout(program: Callable[[str], str], tmp_path: Path) -> None:
    """It knows the tags by their ref.name."""
    random_image(7).push_to(open_layout(tmp_path / "ours"), _REPOSITORY, "v1")
    listed = subprocess.run(
        [program("umoci"), "list", "--layout", str(tmp_path / "ours")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.split() == ["v1"]
