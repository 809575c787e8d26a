"""Names in an index.json: those of other tools are understood, ours are written both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harborsync.content import REF_NAME
from harborsync.errors import InvalidManifest
from harborsync.reference import Digest, Tag
from harborsync.registries.layout_index import (
    CONTAINERD_NAME,
    EMPTY_INDEX,
    LayoutIndex,
    full_name,
)
from harborsync.testing.content import random_image, random_referrer

IMAGE = random_image(1)
OTHER = random_image(2)


def _entry(notes: dict[str, str], digest: Digest = IMAGE.digest) -> dict[str, Any]:
    return {**IMAGE.descriptor.to_json(), "digest": str(digest), "annotations": notes}


def _index(*entries: object, home: str | None = None) -> LayoutIndex:
    raw = json.dumps({"schemaVersion": 2, "manifests": list(entries)}).encode()
    return LayoutIndex.parse(raw, home)


def _names(raw: bytes) -> list[str | None]:
    listed = json.loads(raw)["manifests"]
    return [entry.get("annotations", {}).get(REF_NAME) for entry in listed]


@pytest.mark.parametrize(
    ("notes", "repository", "tag"),
    [
        ({REF_NAME: "v1"}, None, "v1"),
        ({REF_NAME: "team/app:v1"}, "team/app", "v1"),
        ({REF_NAME: "app:v1"}, "app", "v1"),
        ({REF_NAME: "registry.example:5000/team/app:v1"}, "team/app", "v1"),
        (
            {REF_NAME: "latest", CONTAINERD_NAME: "docker.io/library/alpine:latest"},
            "library/alpine",
            "latest",
        ),
        ({CONTAINERD_NAME: "docker.io/library/alpine:3"}, "library/alpine", "3"),
        ({REF_NAME: "v1", CONTAINERD_NAME: "../x"}, None, "v1"),
        ({REF_NAME: "a b", CONTAINERD_NAME: "app:v2"}, "app", "v2"),
        ({REF_NAME: "../../etc/passwd"}, None, None),
        ({REF_NAME: "team/app"}, None, None),
        ({}, None, None),
    ],
    ids=[
        "tag",
        "full",
        "short",
        "host",
        "containerd",
        "containerd alone",
        "containerd bad",
        "ref bad",
        "path",
        "no tag",
        "none",
    ],
)
def test_names_are_read_as_tools_write_them(
    notes: dict[str, str], repository: str | None, tag: str | None
) -> None:
    """A full name decides the repository; what is no name is none (OCI-10.2, 9.18)."""
    (entry,) = _index(_entry(notes)).entries
    assert (entry.repository, entry.tag) == (repository, tag)


def test_plain_tags_belong_to_the_home() -> None:
    """Whatever full name stands beside them; full ref.names keep their own repository."""
    index = _index(
        _entry({REF_NAME: "v1", CONTAINERD_NAME: "other:v1"}),
        _entry({REF_NAME: "other:v2"}),
        home="team/app",
    )
    assert list(index.tags("team/app")) == ["v1"]
    assert list(index.tags("other")) == ["v2"]


def test_plain_tags_without_a_home_belong_to_whoever_asks() -> None:
    """A layout with plain tags alone holds one repository, and nobody wrote its name."""
    index = _index(_entry({REF_NAME: "v1"}))
    assert list(index.tags("team/app")) == list(index.tags("other")) == ["v1"]
    assert list(index.repositories()) == [None]


def test_of_two_entries_of_one_name_the_first_counts() -> None:
    """As for skopeo."""
    index = _index(_entry({REF_NAME: "v1"}), _entry({REF_NAME: "v1"}, OTHER.digest))
    found = index.find("a", Tag("v1"))
    assert found is not None
    assert found.digest == IMAGE.digest


@pytest.mark.parametrize(
    "odd",
    ["text", None, {}, {"digest": "sha256:1", "size": 1}, _entry({}) | {"size": -1}],
    ids=["text", "null", "empty", "digest", "size"],
)
def test_odd_entries_are_passed_over_and_kept(odd: object) -> None:
    """Another tool may know what they are (OCI-10.3)."""
    index = _index(odd, _entry({REF_NAME: "v1"}))
    assert len(index.entries) == 1
    written = json.loads(index.with_manifest(OTHER.manifest, "a", Tag("v2")))
    assert written["manifests"][0] == odd
    assert len(written["manifests"]) == 3


@pytest.mark.parametrize("raw", [b"", b'{"manifests":null}', b"{}", EMPTY_INDEX])
def test_an_index_may_be_empty_in_many_ways(raw: bytes) -> None:
    """Docker has written null where there was nothing."""
    assert LayoutIndex.parse(raw).entries == ()


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b'{"manifests":{}}', b"[" * 10**5], ids=["cut", "list", "object", "deep"]
)
def test_what_is_no_index_is_refused(raw: bytes) -> None:
    """Nobody writes over something that is not understood."""
    with pytest.raises(InvalidManifest):
        LayoutIndex.parse(raw)


def test_what_is_not_ours_in_the_document_stays() -> None:
    """Annotations and further keys are written back."""
    raw = b'{"schemaVersion":2,"annotations":{"a":"b"},"x":1,"manifests":[]}'
    written = json.loads(LayoutIndex.parse(raw).with_manifest(IMAGE.manifest, "a", Tag("v1")))
    assert (written["annotations"], written["x"]) == ({"a": "b"}, 1)


def test_a_tag_is_written_plainly_until_another_repository_has_it() -> None:
    """The full name stands beside it, and decides."""
    raw = LayoutIndex.parse(b"").with_manifest(IMAGE.manifest, "a", Tag("v1"))
    raw = LayoutIndex.parse(raw).with_manifest(OTHER.manifest, "b", Tag("v1"))
    raw = LayoutIndex.parse(raw).with_manifest(OTHER.manifest, "b", Tag("v2"))
    assert _names(raw) == ["v1", "b:v1", "v2"]
    index = LayoutIndex.parse(raw)
    assert list(index.repositories()) == ["a", "b"]
    assert list(index.tags("b")) == ["v1", "v2"]


def test_with_a_home_only_its_tags_are_plain() -> None:
    """Those of other repositories have full names from the first one on."""
    raw = LayoutIndex.parse(b"", "home").with_manifest(IMAGE.manifest, "a", Tag("v1"))
    raw = LayoutIndex.parse(raw, "home").with_manifest(IMAGE.manifest, "home", Tag("v1"))
    assert _names(raw) == ["a:v1", "v1"]
    assert list(LayoutIndex.parse(raw, "home").repositories()) == ["a", "home"]


@pytest.mark.parametrize("repository", ["my.team/app", "localhost/app"])
@pytest.mark.parametrize("home", [None, "home"])
def test_a_repository_that_looks_like_a_host_is_read_again(
    repository: str, home: str | None
) -> None:
    """Its first part is not taken for a host, and a tag of it is written only once."""
    raw = b""
    for image in (IMAGE, OTHER):
        raw = LayoutIndex.parse(raw, home).with_manifest(image.manifest, repository, Tag("v1"))
    index = LayoutIndex.parse(raw, home)
    assert [entry.repository for entry in index.entries] == [repository]
    assert [entry.descriptor.digest for entry in index.entries] == [OTHER.digest]


def test_a_tag_moves_and_takes_the_place_of_one_without_a_repository() -> None:
    """A layout that skopeo made goes on as ours."""
    index = _index(_entry({REF_NAME: "v1"}))
    moved = LayoutIndex.parse(index.with_manifest(OTHER.manifest, "a", Tag("v1")))
    assert [entry.descriptor.digest for entry in moved.entries] == [OTHER.digest]


def test_an_entry_without_a_name_goes_when_a_name_comes() -> None:
    """It is also not written twice."""
    raw = LayoutIndex.parse(b"").with_manifest(IMAGE.manifest, "a", None)
    raw = LayoutIndex.parse(raw).with_manifest(IMAGE.manifest, "a", None)
    assert _names(raw) == [None]
    raw = LayoutIndex.parse(raw).with_manifest(IMAGE.manifest, "a", Tag("v1"))
    assert _names(raw) == ["v1"]
    raw = LayoutIndex.parse(raw).with_manifest(IMAGE.manifest, "a", None)
    assert _names(raw) == ["v1"]


def test_an_entry_without_a_name_goes_when_an_index_leads_there() -> None:
    """One with a name stays."""
    raw = LayoutIndex.parse(b"").with_manifest(IMAGE.manifest, "a", None)
    raw = LayoutIndex.parse(raw).with_manifest(OTHER.manifest, "a", Tag("kept"))
    reachable = {IMAGE.digest, OTHER.digest}
    third = random_image(3).manifest
    raw = LayoutIndex.parse(raw).with_manifest(third, "a", None, reachable=reachable)
    assert _names(raw) == ["kept", None]


def test_a_tag_is_taken_away_alone() -> None:
    """Other names of the digest stay."""
    raw = LayoutIndex.parse(b"").with_manifest(IMAGE.manifest, "a", Tag("v1"))
    raw = LayoutIndex.parse(raw).with_manifest(IMAGE.manifest, "a", Tag("v2"))
    assert _names(LayoutIndex.parse(raw).without_tag("a", Tag("v1"))) == ["v2"]


def test_a_manifest_cannot_name_itself() -> None:
    """Its own annotations do not get into the index; a referrer's type does."""
    notes = {REF_NAME: "latest", CONTAINERD_NAME: "docker.io/library/alpine:latest"}
    sbom = random_referrer(4, IMAGE.descriptor, annotations=notes)
    raw = LayoutIndex.parse(b"").with_manifest(sbom.manifest, "a", None)
    (entry,) = LayoutIndex.parse(raw).entries
    assert (entry.tag, entry.descriptor.annotations) == (None, {})
    assert entry.descriptor.artifact_type == sbom.manifest.artifact_type


def test_a_full_name_needs_a_tag() -> None:
    """A digest is no name here."""
    assert full_name(f"registry.example/a@{IMAGE.digest}") is None
    assert full_name(f"a@{IMAGE.digest}") is None
    assert str(full_name("registry.example/a/b:v1")) == "a/b:v1"
