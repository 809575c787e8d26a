"""Quotas and immutable tags of the emulated Harbor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync.testing import harbor_artifacts as books
from harborsync.testing.harbor_limits import is_immutable, readable
from harborsync.testing.harbor_wire import HarborError

if TYPE_CHECKING:
    from harborsync.testing import LoopbackHarbor


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (60_038, "58.6 KiB"),
        (3 * 2**40, "3.0 TiB"),
        (2**51, "2048.0 TiB"),
    ],
)
def test_a_size_is_readable(size: int, text: str) -> None:
    """With one digit after the point, from a kibibyte on."""
    assert readable(size) == text


def test_bytes_are_counted_once_and_given_back(harbor: LoopbackHarbor) -> None:
    """When the last artifact that needs them goes."""
    project = harbor.state.project("app")
    harbor.push_image("app/web", "1.0")
    used = project.used
    harbor.push_image("app/other", "1.0")
    assert project.used == used
    books.delete_artifact(harbor.state, harbor.artifact("app/web", "1.0"))
    assert project.used == used
    books.delete_artifact(harbor.state, harbor.artifact("app/other", "1.0"))
    assert (project.used, project.sizes) == (0, {})


def _rule(tag: str, decoration: str = "matches", repository: str = "**") -> dict[str, Any]:
    return {
        "tag_selectors": [{"decoration": decoration, "pattern": tag}],
        "scope_selectors": {"repository": [{"decoration": "repoMatches", "pattern": repository}]},
    }


@pytest.mark.parametrize(
    ("rule", "immutable"),
    [
        (_rule("v*"), True),
        (_rule("v*", repository="team/**"), False),
        (_rule("v*", "excludes"), False),
        (_rule("w*", "excludes"), True),
        ({**_rule("v*"), "disabled": True}, False),
        ({**_rule("v*"), "scope_selectors": {}}, True),
    ],
)
def test_a_rule_takes_tags_by_patterns(
    harbor: LoopbackHarbor, rule: dict[str, Any], immutable: bool
) -> None:
    """Of repositories named without their project, included or excluded (HARBOR-13)."""
    harbor.push_image("app/web", "v1")
    harbor.state.project("app").immutable_rules[1] = rule
    assert is_immutable(harbor.state.repository("app/web"), "v1") is immutable


def test_a_malformed_pattern_fails_blankly(harbor: LoopbackHarbor) -> None:
    """When it is used, not when it is written."""
    harbor.push_image("app/web", "v1")
    harbor.state.project("app").immutable_rules[1] = _rule("[")
    with pytest.raises(HarborError) as raised:
        is_immutable(harbor.state.repository("app/web"), "v1")
    assert raised.value.code == "UNKNOWN"
