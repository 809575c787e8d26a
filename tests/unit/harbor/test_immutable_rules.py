"""A rule about immutable tags is made, changed and deleted, and tells what it covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from harborsync.errors import InvalidValue
from harborsync.harbor.immutable_rules import ImmutableRule, Selector, immutable_mistakes

if TYPE_CHECKING:
    from harborsync.harbor.client import Harbor
    from harborsync.testing import LoopbackHarbor


def test_an_immutable_rule_is_made_changed_and_deleted(harbor: Harbor) -> None:
    """And tells which tags it covers."""
    made = harbor.immutable_rules.create("app", ImmutableRule.over(tags="v*", repositories="web"))
    (rule,) = harbor.immutable_rules.list("app")
    assert rule.id == made
    assert rule.covers("web", "v1")
    assert not rule.covers("web", "latest")
    assert not rule.covers("api", "v1")
    harbor.immutable_rules.update("app", attrs.evolve(rule, disabled=True))
    (after,) = harbor.immutable_rules.list("app")
    assert not after.covers("web", "v1")
    assert harbor.immutable_rules.delete("app", made)
    assert list(harbor.immutable_rules.list("app")) == []


def test_an_immutable_rule_can_be_turned_round() -> None:
    """For tags and for repositories."""
    rule = ImmutableRule(
        tag_selectors=(Selector(decoration="excludes", pattern="*-rc*"),),
        scope_selectors={"repository": (Selector(decoration="repoExcludes", pattern="tmp/**"),)},
    )
    assert not list(immutable_mistakes(rule))
    assert rule.covers("web", "1.0")
    assert not rule.covers("web", "1.0-rc1")
    assert not rule.covers("tmp/web", "1.0")


@pytest.mark.parametrize(
    ("rule", "where"),
    [
        (ImmutableRule.over(tags="v["), "tag_selectors"),
        (attrs.evolve(ImmutableRule.over(tags="v*"), tag_selectors=()), "tag_selectors"),
        (
            attrs.evolve(
                ImmutableRule.over(tags="v*"),
                tag_selectors=(Selector(decoration="repoMatches", pattern="v*"),),
            ),
            "tag_selectors",
        ),
        (
            attrs.evolve(ImmutableRule.over(tags="v*"), scope_selectors={}),
            "scope_selectors.repository",
        ),
    ],
    ids=["a pattern", "no tags", "a decoration", "no repositories"],
)
def test_an_immutable_rule_that_covers_nothing_is_told_before_any_request(
    harbor: Harbor, server: LoopbackHarbor, rule: ImmutableRule, where: str
) -> None:
    """With what to write instead."""
    assert [mistake.where for mistake in immutable_mistakes(rule)] == [where]
    with pytest.raises(InvalidValue):
        harbor.immutable_rules.create("app", rule)
    with pytest.raises(InvalidValue):
        harbor.immutable_rules.update("app", rule)
    assert server.requests == ()
