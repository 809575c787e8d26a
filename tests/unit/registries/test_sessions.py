"""Upload sessions: their URLs and their offsets."""

from __future__ import annotations

import pytest

from harborsync.reference import Digest
from harborsync.registries.sessions import (
    Session,
    read_offset,
    resolve_location,
)

BASE = "https://registry.example/v2/a/blobs/uploads/?mount=x"
DIGEST = Digest.of(b"x")
ENCODED = str(DIGEST).replace(":", "%3A")


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/u/1?x=%2F../&y", "https://registry.example/u/1?x=%2F../&y"),
        ("https://else.example/u", "https://else.example/u"),
        ("//else.example/u?a=//b", "https://else.example/u?a=//b"),
        ("?x", "https://registry.example/v2/a/blobs/uploads/?x"),
        ("1?x", "https://registry.example/v2/a/blobs/uploads/1?x"),
    ],
)
def test_a_location_is_resolved_against_the_answer_that_gave_it(location: str, url: str) -> None:
    """Its query is opaque, its path too where it has one (OCI-4.11)."""
    assert resolve_location(BASE, location) == url


@pytest.mark.parametrize(
    ("url", "glue"), [("/u", "?"), ("/u?", ""), ("/u?x=1", "&"), ("/u?x=1&", "")]
)
def test_the_digest_is_added_and_nothing_else_touched(url: str, glue: str) -> None:
    """A signed query stays valid (OCI-4.11)."""
    assert Session(url=url).commit_url(DIGEST) == f"{url}{glue}digest={ENCODED}"


@pytest.mark.parametrize(
    ("span", "offset"),
    [
        ("0-9", 10),
        ("bytes=0-9", 10),
        ("0-0", 0),
        ("", 0),
        ("0-", None),
        ("0-x", None),
        ("0-²", None),
        (f"0-{'9' * 5000}", None),
    ],
)
def test_a_range_tells_how_many_bytes_are_there(span: str, offset: int | None) -> None:
    """Inclusive ends; 0-0 is none, nonsense says nothing (OCI-4.14)."""
    assert read_offset(span) == offset


def test_a_session_never_shows_its_url() -> None:
    """Whoever has it can write (OCI-9.12)."""
    assert "hunter2" not in repr(Session(url="/u?token=hunter2"))
