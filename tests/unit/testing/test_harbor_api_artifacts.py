"""Artifacts, their tags and their labels in the API of the emulated Harbor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from harborsync.testing.content import (
    random_artifact,
    random_image,
    random_index,
    random_referrer,
    random_signature,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import LoopbackHarbor

_WEB: Final = "/projects/app/repositories/web"


@pytest.fixture
def filled(harbor: LoopbackHarbor) -> LoopbackHarbor:
    """Return a Harbor with an image, an index and what belongs to the image."""
    image = random_image(1)
    harbor.push("app/web", image, "1.0", "latest")
    harbor.push("app/web", random_index(2), "multi")
    harbor.push("app/web", random_signature(3, image.digest))
    harbor.push("app/web", random_referrer(4, image.descriptor))
    harbor.push("app/team/api", random_image(5), "2.0")
    return harbor


def _tags(reply: Any) -> list[list[str]]:
    return [[tag["name"] for tag in each["tags"] or ()] for each in reply.json]


# --- lists of artifacts ----------------------------------------------------------------------


def test_a_list_leaves_out_children_and_what_belongs_to_others(
    filled: LoopbackHarbor, admin: Any
) -> None:
    """It is newest first, and so are the tags of each (HARBOR-7)."""
    assert _tags(admin("GET", f"{_WEB}/artifacts")) == [["multi"], ["latest", "1.0"]]
    everything = admin("GET", f"{_WEB}/artifacts?q=base%3D*").json
    assert len(everything) == 2 + len(filled.artifact("app/web", "multi").children)


def test_an_untagged_artifact_of_its_own_is_listed(harbor: LoopbackHarbor, admin: Any) -> None:
    """With no tags at all."""
    harbor.push_image("app/web")
    assert admin("GET", f"{_WEB}/artifacts").json[0]["tags"] is None


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("query", "tags"),
    [
        ("tags%3D*", [["multi"], ["latest", "1.0"]]),
        ("tags%3Dnil", []),
        ("tags%3D1.0", [["latest", "1.0"]]),
        ("tags%3D~lat", [["latest", "1.0"]]),
        ("tags%3Dabsent", []),
        ("type%3DIMAGE", [["multi"], ["latest", "1.0"]]),
        ("push_time%3D%5B2030-01-01T00:00:00~%5D", []),
        ("push_time%3D%5Byesterday~%5D", [["multi"], ["latest", "1.0"]]),
        ("nope%3D1", [["multi"], ["latest", "1.0"]]),
    ],
)
def test_a_query_selects(admin: Any, query: str, tags: list[list[str]]) -> None:
    """By tags, kinds and times; what makes no sense is ignored (HARBOR-3)."""
    assert _tags(admin("GET", f"{_WEB}/artifacts?q={query}")) == tags


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    "query", ["tags%3D%7Ba%20b%7D", "labels%3D%7B1%202%7D", "labels%3D(release)", "tags"]
)
def test_a_query_that_cannot_be_is_refused(admin: Any, query: str) -> None:
    """A list of tags, labels by name or by or (HARBOR-3)."""
    assert admin("GET", f"{_WEB}/artifacts?q={query}").codes == ["BAD_REQUEST"]


@pytest.mark.usefixtures("filled")
def test_a_media_type_wants_its_plus_sign_encoded_twice(admin: Any) -> None:
    """Once finds nothing (HARBOR-3)."""
    kind = "application/vnd.oci.image.index.v1{}json"
    query = f"{_WEB}/artifacts?q=manifest_media_type%3D"
    assert len(admin("GET", query + kind.format("%252B")).json) == 1
    assert admin("GET", query + kind.format("%2B")).json == []


def test_parts_come_when_they_are_asked_for(filled: LoopbackHarbor, admin: Any) -> None:
    """Tags always unless not; accessories, labels and immutability not unless asked (HARBOR-7)."""
    label = filled.add_label("release")
    filled.artifact("app/web", "1.0").label_ids.append(label.id)
    plain = admin("GET", f"{_WEB}/artifacts/1.0").json
    assert (plain["accessories"], plain["labels"]) == (None, None)
    assert [each["name"] for each in plain["tags"]] == ["latest", "1.0"]
    asked = "with_tag=false&with_label=true&with_accessory=true"
    rich = admin("GET", f"{_WEB}/artifacts/1.0?{asked}").json
    assert rich["tags"] is None
    assert [each["name"] for each in rich["labels"]] == ["release"]
    assert [each["type"] for each in rich["accessories"]] == [
        "signature.cosign",
        "subject.accessory",
    ]


def test_an_index_refers_to_its_children(filled: LoopbackHarbor, admin: Any) -> None:
    """By number, digest and platform."""
    shown = admin("GET", f"{_WEB}/artifacts/multi").json
    children = filled.artifact("app/web", "multi").children
    assert [each["child_digest"] for each in shown["references"]] == [
        each["digest"] for each in children
    ]
    assert all(each["parent_id"] == shown["id"] for each in shown["references"])
    assert all(each["child_id"] for each in shown["references"])
    assert shown["references"][0]["platform"]["OsFeatures"] is None


def test_a_child_that_is_not_here_has_no_number(harbor: LoopbackHarbor, admin: Any) -> None:
    """Neither need it have a platform."""
    index = b'{"schemaVersion":2,"manifests":[{"digest":"sha256:%064d","size":1}]}' % 0
    kind = "application/vnd.oci.image.index.v1+json"
    harbor.push_manifest("app/web", index, "x", media_type=kind)
    (child,) = admin("GET", f"{_WEB}/artifacts/x").json["references"]
    assert child["child_id"] == 0
    assert "platform" not in child


def test_an_artifact_tells_what_it_is(harbor: LoopbackHarbor, admin: Any) -> None:
    """Of what kind, of which types, and what its configuration says (HARBOR-7)."""
    harbor.push("app/web", random_artifact(1), "x")
    harbor.push_image("app/web", "y")
    other = admin("GET", f"{_WEB}/artifacts/x").json
    image = admin("GET", f"{_WEB}/artifacts/y").json
    assert other["type"] != "IMAGE"
    assert "addition_links" not in other
    assert image["type"] == "IMAGE"
    assert image["extra_attrs"]["os"] == "linux"
    assert image["addition_links"]["build_history"]["href"].endswith("/additions/build_history")


@pytest.mark.usefixtures("filled")
def test_all_artifacts_of_a_project_in_one_walk(
    admin: Any, make_harbor: Callable[..., LoopbackHarbor], log_in: Any
) -> None:
    """Since 2.12 (HARBOR-14)."""
    assert len(admin("GET", "/projects/app/artifacts").json) == 3
    reply = admin("GET", "/projects/app/artifacts?latest_in_repository=true")
    assert reply.codes == ["BAD_REQUEST"]
    asked = "latest_in_repository=true&q=media_type%3Dx"
    assert admin("GET", f"/projects/app/artifacts?{asked}").status == 200
    old = log_in(make_harbor(version="2.8"), "admin", "Harbor12345")
    assert old("GET", "/projects/library/artifacts").status == 404


def test_an_older_harbor_shows_less(
    make_harbor: Callable[..., LoopbackHarbor], log_in: Callable[..., Any]
) -> None:
    """No type of artifact and no name of the repository, but what Notary said (HARBOR-14)."""
    harbor = make_harbor(version="2.8")
    harbor.push_image("library/web", "1.0")
    client = log_in(harbor, "admin", "Harbor12345")
    shown = client("GET", "/projects/library/repositories/web/artifacts/1.0").json
    assert {"artifact_type", "repository_name"} & shown.keys() == set()
    assert shown["tags"][0]["signed"] is False


# --- one artifact ----------------------------------------------------------------------------


def test_what_belongs_to_an_artifact_is_listed(filled: LoopbackHarbor, admin: Any) -> None:
    """In the order it came, with the subject's number and name."""
    found = admin("GET", f"{_WEB}/artifacts/1.0/accessories").json
    assert [each["type"] for each in found] == ["signature.cosign", "subject.accessory"]
    image = filled.artifact("app/web", "1.0")
    assert {each["subject_artifact_id"] for each in found} == {image.id}
    assert {each["subject_artifact_repo"] for each in found} == {"app/web"}


def test_an_accessory_can_come_first(harbor: LoopbackHarbor, admin: Any) -> None:
    """Its subject has no number until it comes (HARBOR-6)."""
    image = random_image(1)
    harbor.push("app/web", random_signature(2, image.digest))
    harbor.push("app/web", image, "1.0")
    (found,) = admin("GET", f"{_WEB}/artifacts/1.0/accessories").json
    assert found["subject_artifact_digest"] == str(image.digest)


def test_the_build_history_of_an_image_is_read(filled: LoopbackHarbor, admin: Any) -> None:
    """Of an image only, and nothing else is (HARBOR-7)."""
    filled.push("app/web", random_artifact(9), "x")
    assert admin("GET", f"{_WEB}/artifacts/1.0/additions/build_history").status == 200
    assert admin("GET", f"{_WEB}/artifacts/x/additions/build_history").status == 400
    assert admin("GET", f"{_WEB}/artifacts/1.0/additions/summary").status == 400


def test_an_artifact_is_deleted_with_its_tags(filled: LoopbackHarbor, admin: Any) -> None:
    """And with what belongs to it (HARBOR-7)."""
    assert admin("DELETE", f"{_WEB}/artifacts/1.0").status == 200
    assert admin("DELETE", f"{_WEB}/artifacts/1.0").codes == ["NOT_FOUND"]
    assert filled.tags("app/web").keys() == {"multi"}
    assert not any(each.accessory for each in filled.state.repository("app/web").artifacts.values())


def test_a_child_cannot_be_deleted(filled: LoopbackHarbor, admin: Any) -> None:
    """Not while its index is there (HARBOR-2)."""
    child = filled.artifact("app/web", "multi").children[0]["digest"]
    reply = admin("DELETE", f"{_WEB}/artifacts/{child}")
    assert (reply.status, reply.codes) == (412, ["VIOLATE_FOREIGN_KEY_CONSTRAINT"])


def test_an_artifact_is_copied_with_what_belongs_to_it(filled: LoopbackHarbor, admin: Any) -> None:
    """To any repository, all its tags with it (HARBOR-7)."""
    where = "/projects/library/repositories/copied/artifacts"
    reply = admin("POST", f"{where}?from=app%2Fweb:1.0")
    assert (reply.status, reply.headers["Location"]) == (201, f"/api/v2.0{where}/1.0")
    assert admin("POST", f"{where}?from=app%2Fweb:multi").status == 201
    (multi, image) = admin("GET", f"{where}?with_accessory=true").json
    assert len(image["accessories"]) == 2
    assert filled.tags("library/copied").keys() >= {"1.0", "latest", "multi"}
    assert len(multi["references"]) == len(filled.artifact("app/web", "multi").children)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("source", ["app%2Fweb:absent", "app%2Fabsent:1", "nonsense", ""])
def test_a_copy_of_nothing_is_refused(admin: Any, source: str) -> None:
    """As a bad request, not as something that is missing (HARBOR-7)."""
    where = "/projects/library/repositories/copied/artifacts"
    assert admin("POST", f"{where}?from={source}").codes == ["BAD_REQUEST"]


def test_a_copy_of_what_lost_a_blob_fails_blankly(filled: LoopbackHarbor, admin: Any) -> None:
    """With a 500 (HARBOR-7)."""
    image = filled.artifact("app/web", "1.0")
    filled.storage.delete_blob(
        "app/web", next(each for each in image.sizes if each != image.digest)
    )
    where = "/projects/library/repositories/copied/artifacts"
    assert admin("POST", f"{where}?from=app%2Fweb:1.0").codes == ["UNKNOWN"]


def test_nothing_is_copied_or_tagged_in_a_caching_project(
    filled: LoopbackHarbor, admin: Any
) -> None:
    """The API says that the method is not for it (HARBOR-2)."""
    filled.push_image("library/web", "1")
    filled.state.project("library").registry_id = 1
    where = "/projects/library/repositories/web/artifacts"
    assert admin("POST", f"{where}?from=app%2Fweb:1.0").codes == ["METHOD_NOT_ALLOWED"]
    assert admin("POST", f"{where}/1/tags", {"name": "2"}).codes == ["METHOD_NOT_ALLOWED"]


# --- tags ------------------------------------------------------------------------------------


def test_a_tag_is_made_and_taken_away(filled: LoopbackHarbor, admin: Any) -> None:
    """And shows at once on the other face."""
    assert admin("POST", f"{_WEB}/artifacts/1.0/tags", {"name": "stable"}).status == 201
    tags = admin("GET", f"{_WEB}/artifacts/1.0/tags?with_immutable_status=true").json
    assert [each["name"] for each in tags] == ["stable", "latest", "1.0"]
    assert tags[0]["immutable"] is False
    assert filled.tags("app/web")["stable"] == filled.tags("app/web")["1.0"]
    assert "stable" in admin("GET", "/v2/app/web/tags/list").json["tags"]
    assert admin("DELETE", f"{_WEB}/artifacts/1.0/tags/stable").status == 200
    assert admin("DELETE", f"{_WEB}/artifacts/1.0/tags/stable").codes == ["NOT_FOUND"]
    assert admin("DELETE", f"{_WEB}/artifacts/1.0/tags/multi").codes == ["NOT_FOUND"]


@pytest.mark.usefixtures("filled")
def test_a_tag_that_will_not_do_is_refused(admin: Any) -> None:
    """Taken anywhere in the repository, or no tag at all."""
    assert admin("POST", f"{_WEB}/artifacts/1.0/tags", {"name": "multi"}).codes == ["CONFLICT"]
    assert admin("POST", f"{_WEB}/artifacts/1.0/tags", {"name": "a b"}).codes == ["BAD_REQUEST"]


# --- labels ----------------------------------------------------------------------------------


def test_a_label_is_attached_and_taken_off(filled: LoopbackHarbor, admin: Any) -> None:
    """By its number; twice is a conflict or a lack (HARBOR-7)."""
    label = filled.add_label("release", color="#0065AB")
    where = f"{_WEB}/artifacts/1.0/labels"
    assert admin("POST", where, {"id": label.id}).status == 200
    assert admin("POST", where, {"id": label.id}).codes == ["CONFLICT"]
    found = admin("GET", f"{_WEB}/artifacts?q=labels%3D({label.id})&with_label=true").json
    assert found[0]["labels"][0]["color"] == "#0065AB"
    assert admin("DELETE", f"{where}/{label.id}").status == 200
    assert admin("DELETE", f"{where}/{label.id}").codes == ["NOT_FOUND"]
    assert admin("DELETE", f"{where}/release").codes == ["NOT_FOUND"]


def test_a_label_of_elsewhere_cannot_be_attached(filled: LoopbackHarbor, admin: Any) -> None:
    """Nor one there is not, nor one by its name (HARBOR-7)."""
    label = filled.add_label("elsewhere", project="library")
    where = f"{_WEB}/artifacts/1.0/labels"
    for body in ({"id": label.id}, {"id": 999}, {"name": "elsewhere"}):
        assert admin("POST", where, body).codes == ["NOT_FOUND"]
    own = filled.add_label("own", project="app")
    assert admin("POST", where, {"id": own.id}).status == 200
