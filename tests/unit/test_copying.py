"""One artifact, named as people name it, from here to there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync.copying import copy, parse_location
from harborsync.endpoint import Endpoint
from harborsync.errors import ConfigurationError, InvalidReference, NotFound, ReplicationFailed
from harborsync.events import Event, RunFinished
from harborsync.reference import ArtifactRef, Digest, Tag
from harborsync.registries.memory import shared
from harborsync.report import Outcome
from harborsync.testing.clock import EPOCH, FakeClock
from harborsync.testing.content import AMD64, ARM64, join, random_image, random_signature

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "a" * 64
IMAGE = random_image(1)
V1 = Tag("v1")


@pytest.mark.parametrize(
    ("text", "endpoint", "artifact"),
    [
        ("nginx", "docker.io", "library/nginx:latest"),
        ("mirror.example/team/app:v1", "mirror.example", "team/app:v1"),
        (f"mirror.example/app@{DIGEST}", "mirror.example", f"app@{DIGEST}"),
        ("localhost:5000/app:v1", "localhost:5000", "app:v1"),
        ("registry+http://localhost:5000/a/b:v1", "registry+http://localhost:5000", "a/b:v1"),
        ("harbor://h.example/a/b", "harbor://h.example", "a/b"),
        ("registry://h.example/a:v1?ca=/x.pem", "registry://h.example?ca=/x.pem", "a:v1"),
        ("memory://m/team/app:v1", "memory://m", "team/app:v1"),
        (
            "ecr://123456789012/eu-west-1/team/app:v1?kms=aws",
            "ecr://123456789012/eu-west-1?kms=aws",
            "team/app:v1",
        ),
        ("ecr-public://acme/app:v1", "ecr-public://public.ecr.aws", "acme/app:v1"),
        ("oci:./layout:v1", "oci:./layout?repository=image", "image:v1"),
        ("oci:/some/where", "oci:/some/where?repository=image", "image"),
        ("docker-archive:a.tar:v1", "docker-archive:a.tar?repository=image", "image:v1"),
        ("oci-archive:b.tar?x=y", "oci-archive:b.tar?repository=image&x=y", "image"),
        ("oci:d:team/app:v1", "oci:d", "team/app:v1"),
        ("docker-archive:a.tar:h.example:5000/team/app:v1", "docker-archive:a.tar", "team/app:v1"),
        ("oci:d:localhost/app:v1", "oci:d", "app:v1"),
        (f"oci:d:@{DIGEST}", "oci:d?repository=image", f"image@{DIGEST}"),
    ],
)
def test_a_text_says_where_and_what(text: str, endpoint: str, artifact: str) -> None:
    """Familiar names, endpoints with schemes and options, and places on disk."""
    found = parse_location(text)
    assert found == (Endpoint.parse(endpoint), ArtifactRef.parse(artifact))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "UPPER",
        "mirror.example/",
        "registry://h.example",
        "a:b:c",
        "ecr://123456789012/eu-west-1:v1",
    ],
)
def test_a_text_that_names_no_artifact_is_refused(text: str) -> None:
    """Before anything is opened."""
    with pytest.raises(ConfigurationError):
        parse_location(text)


def _copy(name: str, source: str, destination: str, **wishes: Any) -> Outcome:
    IMAGE.push_to(shared(f"{name}-here"), "team/app", "v1")
    here, there = f"memory://{name}-here/{source}", f"memory://{name}-there/{destination}"
    return copy(here, there, **wishes).outcome


@pytest.mark.parametrize(
    ("source", "destination", "tag"),
    [
        ("team/app:v1", "copies/app:v2", "v2"),
        ("team/app:v1", "copies/app", "v1"),
        (f"team/app@{IMAGE.digest}", "copies/app:v3", "v3"),
        (f"team/app@{IMAGE.digest}", "copies/app", None),
    ],
)
def test_an_artifact_gets_the_name_that_is_given(
    source: str, destination: str, tag: str | None
) -> None:
    """Without a tag it keeps its own; what has none gets none."""
    name = f"copying-{tag}"
    assert _copy(name, source, destination) is Outcome.COPIED
    there = shared(f"{name}-there")
    assert there.resolve("copies/app", IMAGE.digest)
    assert [each.tag for each in there.list_artifacts("copies/app")] == ([tag] if tag else [])


def test_a_familiar_destination_without_a_tag_gets_the_sources(tmp_path: Path) -> None:
    """``latest`` is what people mean by a source, not by a destination."""
    from harborsync.copying import _parse_destination

    assert _parse_destination("mirror.example/app")[1] == ArtifactRef("app")
    assert _parse_destination("mirror.example/app:latest")[1] == ArtifactRef("app", Tag("latest"))
    assert _parse_destination(f"oci:{tmp_path}")[1].tag is None
    assert _parse_destination("registry://h.example/app:v1?ca=/x.pem")[1].tag == "v1"


def test_what_is_there_gives_way() -> None:
    """Who copies one artifact by name means it; a second time there is nothing to do."""
    random_image(2).push_to(shared("giveway-there"), "app", "v1")
    assert _copy("giveway", "team/app:v1", "app:v1") is Outcome.COPIED
    assert shared("giveway-there").get_manifest("app", V1) == IMAGE.manifest
    assert _copy("giveway", "team/app:v1", "app:v1") is Outcome.SKIPPED


def test_a_conflict_may_be_wished_for() -> None:
    """Every field of a rule can be set; trouble is raised, with the report."""
    random_image(2).push_to(shared("conflict-there"), "app", "v1")
    with pytest.raises(ReplicationFailed, match="1 conflict"):
        _copy("conflict", "team/app:v1", "app:v1", on_conflict="fail")


def test_platforms_and_signatures_are_wishes() -> None:
    """The same words as in a rule."""
    index = join([(IMAGE, {"platform": AMD64}), (random_image(3), {"platform": ARM64})])
    index.push_to(shared("wishes-here"), "team/index", "v1")
    random_signature(4, index.digest).push_to(shared("wishes-here"), "team/index")
    _copy("wishes", "team/index:v1", "app:v1", platforms=["linux/amd64"], subset="rewritten")
    there = shared("wishes-there")
    assert [entry.digest for entry in there.get_manifest("app", V1).entries] == [IMAGE.digest]
    assert [str(each.tag) for each in there.list_artifacts("app")] == ["v1"]


def test_an_artifact_that_is_not_there_is_an_error() -> None:
    """And a repository is no artifact."""
    with pytest.raises(NotFound):
        _copy("absent", "team/app:v9", "app:v1")
    with pytest.raises(InvalidReference, match="names a repository"):
        _copy("absent", "team/app", "app:v1")


def test_a_place_on_disk_has_no_logins_that_could_hide_something(tmp_path: Path) -> None:
    """The advice is how names on disk are written."""
    with pytest.raises(NotFound) as caught:
        copy(f"oci:{tmp_path}/none:v1", "memory://on-disk-there/app:v1")
    assert "whole name" in (caught.value.hint or "")


def test_listeners_and_clock_are_the_callers() -> None:
    """Progress can be shown for one artifact as well."""
    events: list[Event] = []
    result = _copy_result(events)
    assert result == EPOCH
    assert isinstance(events[-1], RunFinished)


def _copy_result(events: list[Event]) -> object:
    IMAGE.push_to(shared("listen-here"), "team/app", "v1")
    found = copy(
        "memory://listen-here/team/app:v1",
        "memory://listen-there/app",
        listeners=[events.append],
        clock=FakeClock(),
    )
    assert found.step.wanted == Digest.parse(str(IMAGE.digest))
    return found.at
