"""What the emulated Harbor keeps about artifacts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.testing import harbor_artifacts as books
from harborsync.testing.content import (
    random_artifact,
    random_image,
    random_index,
    random_referrer,
    random_signature,
)

if TYPE_CHECKING:
    from harborsync.testing import LoopbackHarbor
    from harborsync.testing.harbor_state import HarborEvent


def _manifest(**fields: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, **fields}).encode()


def test_a_tag_moves_with_its_artifact(harbor: LoopbackHarbor) -> None:
    """The older one loses it; the same push again changes nothing."""
    first = harbor.push_image("app/web", "1.0", seed=1)
    number = harbor.state.repository("app/web").tags["1.0"].id
    second = harbor.push_image("app/web", "1.0", seed=2)
    harbor.push_image("app/web", "1.0", seed=2)
    assert harbor.artifact("app/web", str(first)).tags == {}
    assert harbor.tags("app/web") == {"1.0": second}
    assert harbor.state.repository("app/web").tags["1.0"].id == number
    assert len(harbor.state.repository("app/web").artifacts) == 2


def test_cosigns_tag_alone_makes_no_signature(harbor: LoopbackHarbor) -> None:
    """There must be a layer of its type too (HARBOR-6)."""
    image = random_image(1)
    harbor.push("app/web", image, "1.0")
    name = f"sha256-{image.digest.encoded}.sig"
    harbor.push("app/web", random_artifact(2), name)
    assert harbor.artifact("app/web", name).accessory is None
    harbor.push("app/web", random_signature(3, image.digest))
    (found,) = books.accessories_of(harbor.artifact("app/web", "1.0"))
    assert found.accessory is not None
    assert found.accessory.kind == "signature.cosign"


@pytest.mark.parametrize(
    ("artifact", "kind"),
    [
        ("application/vnd.cncf.notary.signature", "signature.notation"),
        ("application/vnd.dev.sigstore.bundle.v0.3+json", "subject.accessory"),
    ],
)
def test_what_has_a_subject_belongs_to_it(harbor: LoopbackHarbor, artifact: str, kind: str) -> None:
    """A signature of Notation is known as one, cosign's bundle is not (HARBOR-7)."""
    image = random_image(1)
    harbor.push("app/web", image, "1.0")
    subject = {"mediaType": image.manifest.media_type, "digest": str(image.digest), "size": 1}
    harbor.push_manifest("app/web", _manifest(artifactType=artifact, subject=subject), "sig")
    row = harbor.artifact("app/web", "sig")
    assert row.accessory is not None
    assert row.accessory.kind == kind


def test_a_tagged_child_is_listed_and_outlives_its_index(harbor: LoopbackHarbor) -> None:
    """Untagged children go with it, unless another index names them."""
    index = random_index(1)
    harbor.push("app/web", index, "multi")
    kept, *others = [str(each["digest"]) for each in harbor.artifact("app/web", "multi").children]
    books.create_tag(harbor.state, harbor.artifact("app/web", kept), "amd64")
    assert books.is_listed(harbor.artifact("app/web", kept))
    books.delete_artifact(harbor.state, harbor.artifact("app/web", "multi"))
    assert harbor.state.repository("app/web").artifacts.keys() == {kept}
    assert others


def test_events_tell_what_happened(harbor: LoopbackHarbor) -> None:
    """Each accessory that goes with its subject has its own; children of a repository none."""
    image = random_image(1)
    harbor.push("app/web", image, "1.0", "latest")
    harbor.push("app/web", random_referrer(2, image.descriptor))
    harbor.push("app/other", random_index(3), "multi")
    told: list[HarborEvent] = []
    harbor.subscribe(told.append)
    row = harbor.artifact("app/web", "1.0")
    books.create_tag(harbor.state, row, "new", by="ann")
    books.delete_tag(harbor.state, row, "new", by="ann")
    books.delete_artifact(harbor.state, row, by="ann")
    books.delete_repository(harbor.state, harbor.state.repository("app/other"), by="ann")
    harbor.state.tell_subscribers()
    assert [each.kind for each in told] == ["tag_create", "tag_delete", *["delete"] * 3]
    assert told[3].tags == ("1.0", "latest")
    assert {each.operator for each in told} == {"ann"}


def test_a_copy_is_told_of_once(harbor: LoopbackHarbor) -> None:
    """A second one only points the tags again (HARBOR-7)."""
    harbor.push("app/web", random_index(1), "multi")
    told: list[HarborEvent] = []
    harbor.subscribe(told.append)
    row = harbor.artifact("app/web", "multi")
    for _ in range(2):
        books.copy_artifact(harbor.state, row, "library/web", by="ann")
    harbor.state.tell_subscribers()
    assert [each.kind for each in told] == ["push"] * (1 + len(row.children))
    assert told[-1].tag == "multi"
    assert harbor.tags("library/web") == harbor.tags("app/web")


def test_an_index_is_copied_though_a_child_lacks(harbor: LoopbackHarbor) -> None:
    """What is not here cannot come along."""
    child = {"mediaType": "x", "digest": f"sha256:{7:064d}", "size": 1}
    kind = "application/vnd.oci.image.index.v1+json"
    harbor.push_manifest("app/web", _manifest(manifests=[child]), "x", media_type=kind)
    books.copy_artifact(harbor.state, harbor.artifact("app/web", "x"), "library/web")
    assert harbor.tags("library/web").keys() == {"x"}
    books.delete_artifact(harbor.state, harbor.artifact("library/web", "x"))
    assert harbor.tags("library/web") == {}


def test_a_nested_index_goes_to_its_last_leaf(harbor: LoopbackHarbor) -> None:
    """Children of children too, unless something else needs them."""
    inner = random_index(1)
    harbor.push("app/web", inner)
    entry = {"mediaType": inner.manifest.media_type, "digest": str(inner.digest), "size": 1}
    kind = "application/vnd.oci.image.index.v1+json"
    harbor.push_manifest("app/web", _manifest(manifests=[entry]), "outer", media_type=kind)
    books.delete_artifact(harbor.state, harbor.artifact("app/web", "outer"))
    assert harbor.state.repository("app/web").artifacts == {}
