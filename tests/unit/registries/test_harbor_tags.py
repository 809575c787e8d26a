"""A tag goes alone, by the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync.errors import Denied, TagImmutable
from harborsync.reference import Tag

if TYPE_CHECKING:
    from harborsync.testing import LoopbackHarbor


def test_a_tag_is_taken_from_its_artifact(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """Its other tags stay, and to take it away twice is fine."""
    harbor.push_image("app/team/api", "1.0", "latest")
    deleting = open_harbor().abilities.deletes_tags
    for _ in range(2):
        deleting.delete_tag("app/team/api", Tag("latest"))
    assert harbor.tags("app/team/api").keys() == {"1.0"}


def test_a_rule_or_a_lacking_right_keeps_it(harbor: LoopbackHarbor, open_harbor: Any) -> None:
    """Each says what is in the way."""
    harbor.push_image("app/web", "v1")
    with pytest.raises(Denied) as caught:
        open_harbor("repository:pull").abilities.deletes_tags.delete_tag("app/web", Tag("v1"))
    assert "tag:delete" in (caught.value.hint or "")
    matches = {"kind": "doublestar", "decoration": "matches", "pattern": "v*"}
    every = {"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}
    rule = {"disabled": False, "tag_selectors": [matches]}
    selectors = {"scope_selectors": {"repository": [every]}}
    harbor.state.project("app").immutable_rules[1] = rule | selectors
    with pytest.raises(TagImmutable):
        open_harbor().abilities.deletes_tags.delete_tag("app/web", Tag("v1"))
