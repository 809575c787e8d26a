"""What Harbor's lists say is put into our words, without guessing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harborsync.artifact import NOT_FETCHED
from harborsync.content import OCI_INDEX, OCI_MANIFEST, Platform
from harborsync.reference import Digest
from harborsync.registries.harbor_artifacts import listed, moment

VECTORS = Path(__file__).parents[3] / "../shared/vectors/harbor"
ONE = Digest.of(b"one")
TWO = Digest.of(b"two")


def image(**more: Any) -> dict[str, Any]:
    """Say what Harbor says of an image."""
    return {
        "digest": str(ONE),
        "manifest_media_type": OCI_MANIFEST,
        "type": "IMAGE",
        "size": 831,
        "extra_attrs": {"architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z"},
        "labels": None,
        "accessories": None,
        "tags": [{"name": "1.0", "push_time": "2026-11-23T12:40:17.224Z", "immutable": True}],
    } | more


def index(*platforms: dict[str, str] | None, **more: Any) -> dict[str, Any]:
    """Say what Harbor says of an index with a child for each platform."""
    references = [{"child_digest": str(TWO), "platform": each} for each in platforms]
    return image(manifest_media_type=OCI_INDEX, references=references, extra_attrs=None, **more)


def facts(record: dict[str, Any]) -> Any:
    """Read an artifact."""
    one = listed(record)
    assert one is not None
    return one.facts


def test_a_tag_of_an_image_comes_with_everything_that_is_told() -> None:
    """No manifest needs to be read for an unchanged tag."""
    one = listed(image(labels=[{"name": "release"}, {"id": 6}]))
    assert one is not None
    (artifact,) = one.artifacts("app/web")
    assert artifact.digest == ONE
    assert artifact.media_type == OCI_MANIFEST
    assert artifact.pushed_at == datetime(2026, 11, 23, 12, 40, 17, 224000, tzinfo=UTC)
    assert artifact.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert artifact.labels == frozenset({"release"})
    assert artifact.annotations == ()
    assert artifact.platforms == frozenset({Platform(os="linux", architecture="amd64")})
    assert artifact.size == 831
    assert artifact.kind == "image"
    assert artifact.satellites == frozenset()
    assert artifact.immutable is NOT_FETCHED


def test_immutability_counts_only_where_it_was_asked_for() -> None:
    """Harbor says false of every tag otherwise."""
    one = listed(image())
    assert one is not None
    assert [each.immutable for each in one.artifacts("app/web", with_immutable=True)] == [True]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0001-01-01T00:00:00.000Z", None),
        ("0001-01-01T00:00:00Z", None),
        ("yesterday", None),
        (None, None),
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("9999-12-31T23:59:59-23:00", None),
    ],
)
def test_times_are_in_utc_and_the_zero_time_is_never(text: object, found: object) -> None:
    """What is no time is none either."""
    assert moment(text) == found


def test_satellites_are_what_points_to_it() -> None:
    """Before 2.5 lists did not tell, which is not the same as none."""
    accessories = [{"digest": str(TWO), "type": "signature.cosign"}, {"digest": "nonsense"}]
    assert facts(image(accessories=accessories))["satellites"] == {TWO}
    old = image()
    del old["accessories"]
    assert facts(old)["satellites"] is NOT_FETCHED
    one = listed(old)
    assert one is not None
    assert one.has_satellites is None


def test_labels_count_only_where_they_are_told() -> None:
    """A list that was not asked for labels says nothing of them."""
    silent = image()
    del silent["labels"]
    assert facts(silent)["labels"] is NOT_FETCHED


@pytest.mark.parametrize(
    "extra",
    [
        {"os": "linux", "architecture": "arm"},
        {"os": "windows", "architecture": "amd64"},
        {"config": {"Labels": {}}},
        {"os": 7, "architecture": "amd64"},
        None,
    ],
)
def test_a_platform_told_by_halves_is_left_open(extra: object) -> None:
    """Lists leave out the variant of an arm and the version of a Windows."""
    assert facts(image(extra_attrs=extra))["platforms"] is NOT_FETCHED


def test_an_index_has_the_platforms_of_its_children() -> None:
    """Variant and version are told there; attestations have no platform."""
    arm = {"os": "linux", "architecture": "arm", "variant": "v7"}
    windows = {"os": "windows", "architecture": "amd64", "os.version": "10.0.1"}
    other = {"os": "windows", "architecture": "arm64", "OsVersion": "10.0.2"}
    record = index(arm, windows, other)
    attests = {"vnd.docker.reference.type": "attestation-manifest"}
    unknown = {"os": "unknown", "architecture": "unknown"}
    record["references"].append(
        {"child_digest": str(ONE), "platform": unknown, "annotations": attests}
    )
    assert {str(each) for each in facts(record)["platforms"]} == {
        "linux/arm/v7",
        "windows/amd64:10.0.1",
        "windows/arm64:10.0.2",
    }


def test_a_nested_index_is_left_open() -> None:
    """A child without a platform may be an index itself."""
    assert facts(index({"os": "linux", "architecture": "amd64"}, None))["platforms"] is NOT_FETCHED


def test_the_age_of_an_index_is_left_open_unless_it_says() -> None:
    """It is that of its youngest child."""
    assert facts(index())["created_at"] is NOT_FETCHED
    said = {"org.opencontainers.image.created": "2026-02-03T00:00:00Z"}
    told = facts(index(annotations=said))
    assert told["created_at"] == datetime(2026, 2, 3, tzinfo=UTC)
    assert told["annotations"] == tuple(said.items())
    assert facts(image(extra_attrs=None, annotations=said))["created_at"] is not None


def test_unknown_kinds_are_left_open() -> None:
    """Only images and charts are sure."""
    assert facts(image(type="CHART"))["kind"] == "chart"
    assert facts(image(type="SBOM"))["kind"] is NOT_FETCHED


@pytest.mark.parametrize("digest", [None, "", "sha256:short", 7])
def test_what_has_no_digest_is_nothing(digest: object) -> None:
    """Nor is a tag that is none, or a child without a digest."""
    assert listed(image(digest=digest)) is None


def test_tags_that_are_none_are_left_out() -> None:
    """A list with nonsense in it is read as far as it makes sense."""
    one = listed(image(tags=[{"name": "a b"}, {"name": None}, {}, {"name": "ok"}]))
    assert one is not None
    assert [str(each.tag) for each in one.artifacts("app/web")] == ["ok"]
    assert one.children == ()


@pytest.mark.skipif(not VECTORS.exists(), reason="the recordings are not beside the checkout")
def test_recorded_lists_are_read() -> None:
    """Every artifact that a real Harbor listed is understood."""
    recorded = json.loads((VECTORS / "05-artifacts.json").read_text())["exchanges"]
    answers = [each["response"]["json"] for each in recorded if "json" in each.get("response", {})]
    records = [
        item
        for each in answers
        for item in (each if isinstance(each, list) else [each])
        if "manifest_media_type" in item
    ]
    assert len(records) > 50
    everything = next(e for e in recorded if e["name"] == "list-everything")["response"]["json"]
    tags = {str(a.tag): a for r in everything for a in listed(r).artifacts("app/team/api")}  # type: ignore[union-attr]
    assert tags.keys() == {"empty-index", "nested", "multi", "spaced", "latest", "1.0"}
    assert len(tags["1.0"].satellites) == 3  # type: ignore[arg-type]
    assert {str(p) for p in tags["multi"].platforms} == {"linux/amd64", "linux/arm64"}  # type: ignore[union-attr]
    assert all(listed(record) for record in records)
