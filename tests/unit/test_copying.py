"""The short cut for one artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync import Endpoint, copy, open_registry
from harborsync.copying import parse_location
from harborsync.errors import InvalidReference, NotFound, ReplicationFailed
from harborsync.registries.memory import shared
from harborsync.report import Outcome
from harborsync.testing.content import random_image, random_index, random_signature

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "endpoint", "artifact"),
    [
        ("nginx", "docker.io", "library/nginx:latest"),
        ("registry.example:5000/a/b:v1", "registry.example:5000", "a/b:v1"),
        ("registry+http://localhost:5000/a/b:v1", "registry+http://localhost:5000", "a/b:v1"),
        (f"harbor://host/a/b@{DIGEST}", "harbor://host", f"a/b@{DIGEST}"),
        ("registry://host/a/b:v1?insecure=true", "registry://host?insecure=true", "a/b:v1"),
        ("oci:d:v1", "oci:d?repository=image", "image:v1"),
        ("oci:./a/b", "oci:./a/b?repository=image", "image"),
        ("oci:d:v1?repository=x/y", "oci:d?repository=x/y", "x/y:v1"),
        (f"oci:d:@{DIGEST}", "oci:d?repository=image", f"image@{DIGEST}"),
        ("docker-archive:f.tar:team/app:v1", "docker-archive:f.tar", "team/app:v1"),
        (f"oci-archive:/a/b.tar:app@{DIGEST}", "oci-archive:/a/b.tar", f"app@{DIGEST}"),
    ],
)
def test_locations_name_a_registry_and_an_artifact(text: str, endpoint: str, artifact: str) -> None:
    """Familiar names, schemes with options, and places on disk."""
    where, what = parse_location(text)
    assert where == Endpoint.parse(endpoint)
    assert str(what) == artifact


@pytest.mark.parametrize("text", ["UPPER", "host.example/a:b:c", "oci:d:bad tag"])
def test_what_names_no_artifact_is_refused(text: str) -> None:
    """With an error that quotes it."""
    with pytest.raises(InvalidReference):
        parse_location(text)


def test_an_image_is_copied_under_the_name_wanted() -> None:
    """Without a tag at the destination it keeps the source's."""
    source, there = shared("copying-a"), shared("copying-b")
    digest = random_image(1).push_to(source, "team/app", "v1")
    result = copy("memory://copying-a/team/app:v1", "memory://copying-b/other/name")
    assert result.outcome is Outcome.COPIED
    found = there.resolve("other/name", result.step.destination.reference)
    assert found is not None
    assert found.digest == digest
    assert str(result.step.destination.tag) == "v1"


def test_a_digest_is_copied_under_a_tag_of_its_own() -> None:
    """What has no tag at the source gets the one asked for."""
    digest = random_image(2).push_to(shared("copying-c"), "team/app")
    result = copy(f"memory://copying-c/team/app@{digest}", "memory://copying-d/app:v2")
    assert str(result.step.destination) == f"app:v2@{digest}"
    assert copy(f"memory://copying-c/team/app@{digest}", "memory://copying-d/x").outcome


def test_what_is_not_there_is_said() -> None:
    """A source without the artifact is an error with a hint."""
    with pytest.raises(NotFound, match="hidden"):
        copy("memory://copying-e/team/app:v1", "memory://copying-f/app:v2")


def test_what_is_at_the_destination_gives_way_unless_told_otherwise() -> None:
    """Overwriting is what a copy to a name means; a rule's field can change that."""
    one, two = random_image(3), random_image(4)
    one.push_to(shared("copying-g"), "a/b", "v1")
    two.push_to(shared("copying-h"), "a/b", "v1")
    with pytest.raises(ReplicationFailed):
        copy("memory://copying-g/a/b:v1", "memory://copying-h/a/b:v1", on_conflict="fail")
    assert copy("memory://copying-g/a/b:v1", "memory://copying-h/a/b:v1").outcome


@pytest.mark.parametrize("kind", ["oci:{}/layout", "oci-archive:{}/a.tar"])
def test_through_a_disk_and_back(kind: str, tmp_path: Path) -> None:
    """By a tag alone or by a whole name, with the signature."""
    place = kind.format(tmp_path)
    source = shared(f"copying-i-{kind[:5]}")
    sample = random_index(5)
    digest = sample.push_to(source, "team/app", "v1")
    random_signature(6, digest).push_to(source, "team/app")
    for name in ("v1", "team/app:v1"):
        copy(f"memory://{source.name}/team/app:v1", f"{place}:{name}")
        back = copy(f"{place}:{name}", f"memory://{source.name}/back/{len(name)}:v1")
        assert back.step.wanted == digest
        assert back.satellites == 1


def test_a_layout_with_full_names_is_read_by_a_tag_alone(tmp_path: Path) -> None:
    """What a rule wrote is found without saying its repository again."""
    layout = open_registry(f"oci:{tmp_path}/layout")
    digest = random_image(7).push_to(layout, "team/app", "v1")
    layout.close()
    back = copy(f"oci:{tmp_path}/layout:v1", "memory://copying-j/back:v1")
    assert back.step.wanted == digest
