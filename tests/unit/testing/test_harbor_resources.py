"""What a replication rule chooses, and what it calls that at the destination."""

from __future__ import annotations

from typing import Any

import pytest

from harborsync.testing.harbor_resources import (
    BadRule,
    Item,
    Resource,
    chosen,
    items_wanted,
    literal_names,
    matches,
    names_wanted,
    renamed,
)


def _filter(kind: str, value: Any, decoration: str = "") -> dict[str, Any]:
    return {"type": kind, "value": value, "decoration": decoration}


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "anything/at/all", True),
        ("app/**", "app/web/api", True),
        ("app/*", "app/web/api", False),
        ("app/{web,api/v1}", "app/api/v1", True),
        ("{a/b,c}/{d/e,f}", "c/d/e", True),
        ("{a/b,c}/{d/e,f}", "b/f", False),
        ("v[0-9]*", "v1.2", True),
    ],
)
def test_patterns_are_doublestar_with_slashes_in_braces(
    pattern: str, text: str, expected: object
) -> None:
    """An empty pattern matches everything; braces may hold whole paths, as was recorded."""
    assert matches(pattern, text) is expected


def test_a_malformed_pattern_fails_when_it_meets_a_name() -> None:
    """Not before: with nothing to look at it is no mistake."""
    filters = [_filter("name", "app/[z")]
    assert names_wanted(filters, []) == []
    with pytest.raises(BadRule, match="syntax error in pattern"):
        names_wanted(filters, ["app/web"])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("app/web", ["app/web"]),
        ("app/{web,api}", ["app/api", "app/web"]),
        ("app/{web,api/v1}", ["app/api/v1", "app/web"]),
        ("app/{web,a*/v1}", None),
        ("app/*", None),
        ("", None),
        ("app/[z", None),
    ],
)
def test_names_that_need_no_listing_are_known(pattern: str, expected: list[str] | None) -> None:
    """A name filter without wildcards is the list of what it can match."""
    assert literal_names([_filter("name", pattern)]) == expected


def test_a_tag_filter_keeps_the_tags_that_pass() -> None:
    """Others of the same artifact are left behind; with ``excludes`` it is the reverse."""
    items = [Item(digest="d", tags=("v1", "rc"))]
    assert items_wanted([_filter("tag", "v*")], items)[0].tags == ("v1",)
    assert items_wanted([_filter("tag", "v*", "excludes")], items)[0].tags == ("rc",)
    assert items_wanted([_filter("tag", "x*")], items) == ()
    assert items_wanted([_filter("tag", "")], items) == tuple(items)


def test_an_untagged_artifact_passes_what_matches_nothing() -> None:
    """It counts as a tag without letters, and goes by its digest."""
    items = [Item(digest="d")]
    assert items_wanted([_filter("tag", "**")], items)[0].references == ("d",)
    assert items_wanted([_filter("tag", "v*")], items) == ()


def test_an_accessory_follows_its_subject() -> None:
    """Its subject's tags decide, and its own are kept."""
    signature = Item(digest="s", tags=("sha256-1.sig",), parent_tags=("v1",), accessory=True)
    assert items_wanted([_filter("tag", "v*")], [signature]) == (signature,)
    assert items_wanted([_filter("tag", "x*")], [signature]) == ()


def test_a_label_filter_wants_all_its_labels() -> None:
    """Excluding leaves out only what has all of them; an empty list wants nothing."""
    both, one = Item(digest="b", labels=("x", "y")), Item(digest="o", labels=("x",))
    wanted = _filter("label", ["x", "y"])
    assert items_wanted([wanted], [both, one]) == (both,)
    assert items_wanted([{**wanted, "decoration": "excludes"}], [both, one]) == (one,)
    assert items_wanted([_filter("label", [])], [both, one]) == (both, one)


def test_a_resource_is_chosen_by_name_and_artifacts() -> None:
    """Nothing is left of it if either has no match; a resource filter is inert."""
    resource = Resource(repository="app/web", items=(Item(digest="d", tags=("v1", "v2")),))
    assert chosen([_filter("name", "lib/**")], resource) is None
    assert chosen([_filter("tag", "x")], resource) is None
    kept = chosen([_filter("name", "app/**"), _filter("resource", "image")], resource)
    assert kept == resource
    assert resource.title == "app/web [2 item(s) in total]"


@pytest.mark.parametrize(
    ("replace", "expected"),
    [(-1, "n/image"), (0, "n/a/b/c/image"), (1, "n/b/c/image"), (3, "n/image"), (-2, "n/image")],
)
def test_a_namespace_takes_the_place_of_components(replace: int, expected: str) -> None:
    """Any negative number stands for all of them."""
    assert renamed("a/b/c/image", "n", replace) == expected
    assert renamed("a/b/c/image", "", replace) == "a/b/c/image"


@pytest.mark.parametrize(
    ("replace", "components", "message"),
    [
        (4, "any", "flattening level is 4"),
        (0, "only_two", "only supports 2"),
    ],
)
def test_a_name_that_cannot_be_is_refused(replace: int, components: str, message: str) -> None:
    """Too few components to replace, or too many for the destination."""
    with pytest.raises(BadRule, match=message):
        renamed("a/b/c/image", "n", replace, components=components)
