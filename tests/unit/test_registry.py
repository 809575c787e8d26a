"""What a registry can do, and what products promise unless they say otherwise."""

from __future__ import annotations

import attrs

from harborsync.events import BlobOutcome
from harborsync.registry import Abilities, BlobPut, Quirks


def test_nothing_is_an_ability_unless_it_is_given() -> None:
    """A store with the bare core is a whole registry."""
    assert set(attrs.asdict(Abilities()).values()) == {None}


def test_a_product_keeps_to_the_specification_unless_it_says_otherwise() -> None:
    """Manifests of 4 MiB are taken (OCI-3.11), names of 255 characters (OCI-1.2)."""
    quirks = Quirks()
    assert (quirks.max_manifest_bytes, quirks.max_name_length) == (4 * 2**20, 255)


def test_a_blob_that_was_there_cost_nothing() -> None:
    """Bytes and tries are counted from nought."""
    put = BlobPut(outcome=BlobOutcome.PRESENT)
    assert (put.bytes_sent, put.attempts) == (0, 0)
