"""Listings that come page by page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.errors import InvalidReference, NotFound, RegistryError
from harborsync.registries.calls import Api
from harborsync.registries.pages import MAX_PAGES, names

if TYPE_CHECKING:
    from harborsync.provider import OpenContext
    from tests.unit.registries.conftest import ScriptedTransport

URL = "/v2/a/tags/list"


def _page(tags: Any, link: str = "") -> tuple[int, dict[str, str], bytes]:
    headers = {"Link": link} if link else {}
    return 200, headers, json.dumps({"name": "a", "tags": tags}).encode()


def _names(wire: ScriptedTransport, context: OpenContext) -> list[str]:
    api = Api(name="registry.example", transport=wire, context=context)
    return list(names(api, URL, "tags", scopes=(), what="list tags of a", page_size=1000))


def test_pages_are_followed_to_the_end(wire: ScriptedTransport, context: OpenContext) -> None:
    """The link is opaque, and used as it is (OCI-5.1)."""
    wire.on("GET", r"\?n=1000$", _page(["b", "a"], '</v2/a/tags/list?next=x%2Fy>; rel="next"'))
    wire.on("GET", r"\?next=x%2Fy$", _page(["c"]))
    assert _names(wire, context) == ["b", "a", "c"]
    assert wire.lines == [f"GET {URL}?n=1000", f"GET {URL}?next=x%2Fy"]


@pytest.mark.parametrize("status", [400, 405])
def test_a_server_that_minds_the_page_size_is_asked_without(
    wire: ScriptedTransport, context: OpenContext, status: int
) -> None:
    """Some refuse a size they find too large (OCI-5.4)."""
    wire.on("GET", r"\?n=", status)
    wire.on("GET", "list$", _page(["a"]))
    assert _names(wire, context) == ["a"]


def test_a_refusal_without_a_page_size_is_an_error(
    wire: ScriptedTransport, context: OpenContext
) -> None:
    """It is asked again once."""
    wire.on("GET", "", 400)
    with pytest.raises(RegistryError, match=r"list tags of a at registry\.example"):
        _names(wire, context)
    assert len(wire.asked) == 2


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        (None, []),
        ([], []),
        (["a", None, "", 7, "b"], ["a", "b"]),
        ({"a": 1}, []),
        (["a", "b", "a"], ["a", "b"]),
    ],
)
def test_what_is_no_name_is_left_out(
    wire: ScriptedTransport, context: OpenContext, tags: Any, found: list[str]
) -> None:
    """Lists may be null, and hold nulls, empty texts and doubles (OCI-5.5)."""
    wire.on("GET", "", _page(tags))
    assert _names(wire, context) == found


@pytest.mark.parametrize("tags", [["a"], []])
def test_a_page_seen_before_is_the_end(
    wire: ScriptedTransport, context: OpenContext, tags: list[str]
) -> None:
    """A link back does not lead round and round, not even between empty pages (OCI-5.3)."""
    wire.on("GET", "", _page(tags, f'<{URL}?n=1000>; rel="next"'))
    assert _names(wire, context) == tags
    assert len(wire.asked) == 1


def test_a_page_without_a_new_name_is_the_end(
    wire: ScriptedTransport, context: OpenContext
) -> None:
    """Some servers give the first page again after the last, under other names (OCI-5.3)."""
    links = iter(range(100))
    replies = [_page(["a"], f'<{URL}?p={next(links)}>; rel="next"') for _ in range(5)]
    wire.on("GET", "", *replies)
    assert _names(wire, context) == ["a"]
    assert len(wire.asked) == 2


def test_an_empty_first_page_is_not_the_end(wire: ScriptedTransport, context: OpenContext) -> None:
    """A page may be empty because its entries were filtered out."""
    wire.on("GET", r"\?n=", _page([], f'<{URL}?p=2>; rel="next"'))
    wire.on("GET", r"\?p=2", _page(["a"]))
    assert _names(wire, context) == ["a"]


def test_a_list_without_end_is_an_error(wire: ScriptedTransport, context: OpenContext) -> None:
    """What was listed so far is not passed off as everything (OCI-5.3)."""
    pages = [_page([f"t{n}"], f'<{URL}?p={n}>; rel="next"') for n in range(MAX_PAGES + 5)]
    wire.on("GET", "", *pages)
    with pytest.raises(RegistryError, match="no end"):
        _names(wire, context)
    assert len(wire.asked) == MAX_PAGES


def test_a_listing_that_is_not_there_is_told(wire: ScriptedTransport, context: OpenContext) -> None:
    """The caller decides what that means."""
    wire.on("GET", "", 404)
    with pytest.raises(NotFound):
        _names(wire, context)


def test_a_later_page_that_is_refused_is_an_error(
    wire: ScriptedTransport, context: OpenContext
) -> None:
    """Half a list is not a list."""
    wire.on("GET", r"\?n=", _page(["a"], f'<{URL}?p=2>; rel="next"'))
    wire.on("GET", r"\?p=2", 403)
    with pytest.raises(RegistryError):
        _names(wire, context)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"[" * 100_000, b"\xff"])
def test_an_answer_that_is_no_json_object_is_an_error(
    wire: ScriptedTransport, context: OpenContext, body: bytes
) -> None:
    """A proxy's page is not an empty list."""
    wire.on("GET", "", (200, {}, body))
    with pytest.raises(RegistryError, match="no JSON object"):
        _names(wire, context)


def test_a_repository_that_is_none_never_becomes_a_url() -> None:
    """Paths are made of checked parts (OCI-1.8)."""
    from harborsync.registries.calls import path

    with pytest.raises(InvalidReference):
        path("../admin", "tags", "list")
