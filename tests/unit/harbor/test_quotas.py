"""A quota tells how much still fits, and is set."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harborsync.harbor.client import Harbor
    from harborsync.testing import LoopbackHarbor


def test_a_quota_tells_what_still_fits(harbor: Harbor, server: LoopbackHarbor) -> None:
    """And is set anew."""
    quota = harbor.quotas.of("app")
    assert quota is not None
    assert quota.left is None
    harbor.quotas.set(quota, 50_000)
    server.push_image("app/web", "1.0")
    after = harbor.quotas.of("app")
    assert after is not None
    assert after.left == 50_000 - after.used.storage
    assert {each.ref.name for each in harbor.quotas.list()} == {"app", "library"}
