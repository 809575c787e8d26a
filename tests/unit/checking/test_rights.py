"""Rights are found by trying; being told to stop is no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync import check, open_registry
from harborsync.cancel import Cancel
from harborsync.checking.rights import Trial, blobs_of, scope_of, untried
from harborsync.content import OCI_INDEX, Manifest
from harborsync.errors import Cancelled, NotFound
from harborsync.insight import Can, Deed
from harborsync.provider import Checks, OpenContext
from harborsync.testing import LoopbackRegistry
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.registry import Registry

IMAGE = random_image(5)


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Yield a registry with an image."""
    with LoopbackRegistry() as server:
        opened = open_registry(server.endpoint, OpenContext())
        IMAGE.push_to(opened, "team/app", "v1")
        yield opened
        opened.close()


def test_the_smallest_blob_is_looked_at_and_its_storage_noted(registry: Registry) -> None:
    """Its bytes come from the registry itself here."""
    trial = Trial(registry, "team/app", Checks(), {}, write=False)
    assert trial.rights()[1].can is Can.YES
    assert trial.storage == registry.identity
    assert trial.findings == []


def test_a_blob_that_is_not_there_has_no_origin(registry: Registry) -> None:
    """It is an error like any other."""
    probes = registry.abilities.probes
    assert probes is not None
    with pytest.raises(NotFound):
        probes.served_from("team/other", IMAGE.manifest.blobs[0])


def test_an_empty_index_has_no_blobs(registry: Registry) -> None:
    """Nothing can be read of it."""
    empty = Manifest.parse(b'{"schemaVersion":2,"manifests":[]}', OCI_INDEX)
    assert blobs_of(registry, "team/app", empty) == ()


def test_a_token_tells_only_of_what_was_not_tried(registry: Registry) -> None:
    """What was done is known better."""
    granted = {scope_of("team/app", deed): False for deed in Deed}
    told = {
        each.deed: each.can
        for each in Trial(registry, "team/app", Checks(), granted, write=True).rights()
    }
    assert told[Deed.PULL] is told[Deed.PUSH] is Can.YES
    assert told[Deed.DELETE] is Can.NO


def test_permissions_bear_the_name_of_the_repository() -> None:
    """And a word in its place where there is none."""
    checks = Checks(permissions={Deed.PULL: "pull of {repository}"})
    known = {each.deed: each.permission for each in untried(checks, "a/b", "why")}
    assert (known[Deed.PULL], known[Deed.DELETE]) == ("pull of a/b", "repository:a/b:delete")
    unknown = {each.deed: each.permission for each in untried(checks, "", "why")}
    assert unknown[Deed.PULL] == "pull of REPOSITORY"


def test_being_told_to_stop_stops_a_check() -> None:
    """It is not taken for an answer of the registry."""
    cancel = Cancel()
    cancel.set()
    with LoopbackRegistry() as server, pytest.raises(Cancelled):
        check(server.endpoint, OpenContext(cancel=cancel), repository="a")
