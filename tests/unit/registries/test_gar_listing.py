"""What Google's extension of the tag list tells, in all the shapes it comes in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from harborsync.artifact import NOT_FETCHED, UNAVAILABLE
from harborsync.content import OCI_MANIFEST
from harborsync.errors import RegistryError
from harborsync.http.wire import Answer, Headers
from harborsync.reference import Digest
from harborsync.registries.gar_listing import MOST, Listing, artifact_of

DIGEST = Digest.of(b"x")


def _listing(page: Any) -> Listing:
    body = page if isinstance(page, bytes) else json.dumps(page).encode()
    answer = Answer(method="GET", url="/v2/", status=200, headers=Headers([]), body=body)
    return Listing().add(answer, "list tags")


@pytest.mark.parametrize("uploaded", ["1700000000500", 1700000000500])
def test_a_manifest_tells_its_tags(uploaded: Any) -> None:
    """Times are texts at some registries of Google's, and numbers at others."""
    row = {"tag": ["v1", "latest"], "mediaType": OCI_MANIFEST, "timeUploadedMs": uploaded}
    listing = _listing({"tags": ["v1", "latest"], "manifest": {str(DIGEST): row}, "child": ["a"]})
    first, second = listing.artifacts("p/r/i")
    assert (first.tag, second.tag) == ("v1", "latest")
    assert first.digest == second.digest == DIGEST
    assert first.media_type == OCI_MANIFEST
    assert first.pushed_at == datetime(2023, 11, 14, 22, 13, 20, 500000, UTC)
    assert listing.children == {"a"}
    assert not listing.may_lack_some


def test_a_tag_that_no_manifest_bears_is_listed_without_a_digest() -> None:
    """It is asked for by itself, as of any registry; what cannot be a tag is left out."""
    listing = _listing({"tags": ["v1", "no tag", None, 7]})
    (only,) = listing.artifacts("p/r/i")
    assert (only.tag, only.digest, only.pushed_at) == ("v1", NOT_FETCHED, UNAVAILABLE)


@pytest.mark.parametrize(
    "row",
    [{"tag": ["v1"]}, {"tag": ["v1"], "timeUploadedMs": "soon"}, {"tag": ["v1", "no tag", 7]}],
)
def test_what_is_lacking_in_a_row_is_not_known(row: dict[str, Any]) -> None:
    """And no cause to fail."""
    (only,) = _listing({"manifest": {str(DIGEST): row}}).artifacts("p/r/i")
    assert (only.media_type, only.pushed_at) == (UNAVAILABLE, UNAVAILABLE)


def test_nulls_are_nothing() -> None:
    """As of other registries."""
    assert list(_listing({"tags": None, "manifest": None, "child": None}).artifacts("p/r/i")) == []


@pytest.mark.parametrize("body", [b"<html>", b"[]"])
def test_an_answer_that_is_no_list_is_told(body: bytes) -> None:
    """Something else may have answered."""
    with pytest.raises(RegistryError, match="no JSON object"):
        _listing(body)


def test_a_full_list_may_lack_some() -> None:
    """It does not say so itself."""
    tags = [f"v{number}" for number in range(MOST)]
    assert _listing({"tags": tags}).may_lack_some
    assert not _listing({"tags": tags[1:]}).may_lack_some


def test_a_tag_of_the_api_is_an_artifact() -> None:
    """Its version is the digest; what is no tag for others is left out."""
    package = "projects/p/locations/l/repositories/r/packages/i"
    row = {"name": f"{package}/tags/v1", "version": f"{package}/versions/{DIGEST}"}
    found = artifact_of("p/r/i", row)
    assert found is not None
    assert (found.tag, found.digest) == ("v1", DIGEST)
    assert artifact_of("p/r/i", {**row, "name": f"{package}/tags/no%20tag"}) is None
