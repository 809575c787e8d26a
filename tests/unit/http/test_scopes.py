"""Token scopes asked for and granted."""

from __future__ import annotations

import base64
import json

import pytest

from harborsync.http.scopes import lacking, merged, repository_of


def _jwt(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


@pytest.mark.parametrize(
    ("ours", "asked", "together"),
    [
        (("r:a:pull,push",), ("r:a:pull",), ("r:a:pull,push",)),
        (("r:a:pull",), ("r:a:push",), ("r:a:pull,push",)),
        (("r:a:pull,push",), ("r:b:pull",), ("r:a:pull,push", "r:b:pull")),
        ((), ("registry:catalog:*",), ("registry:catalog:*",)),
        (("r:h.example:5000/a:pull",), (), ("r:h.example:5000/a:pull",)),
    ],
)
def test_scopes_are_merged_by_resource(
    ours: tuple[str, ...], asked: tuple[str, ...], together: tuple[str, ...]
) -> None:
    """Ours stay first, since some servers read only the first."""
    assert merged(ours, asked) == together


def test_the_first_repository_is_found() -> None:
    """Catalog scopes name no repository."""
    assert repository_of(("registry:catalog:*", "repository:a/b:pull")) == "a/b"
    assert repository_of(()) == ""


@pytest.mark.parametrize(
    ("access", "missing"),
    [
        ([{"type": "repository", "name": "a", "actions": ["pull", "push"]}], ()),
        ([{"type": "repository", "name": "a", "actions": ["*"]}], ()),
        ([{"type": "repository", "name": "a", "actions": ["pull"]}], ("repository:a:pull,push",)),
        ([{"type": "repository", "name": "a", "actions": None}], ("repository:a:pull,push",)),
        ([], ("repository:a:pull,push",)),
        (None, ("repository:a:pull,push",)),
    ],
)
def test_a_token_tells_what_it_lacks(access: object, missing: tuple[str, ...]) -> None:
    """An empty or smaller access is seen."""
    assert lacking(_jwt({"access": access}), ("repository:a:pull,push",)) == missing


@pytest.mark.parametrize(
    "token",
    ["opaque", "a.b.c", "e30.W10.x", _jwt({}), _jwt([]), _jwt({"access": [1]}), "", "a.é.c"],
)
def test_a_token_that_does_not_tell_lacks_nothing(token: str) -> None:
    """Opaque and broken tokens are not judged."""
    assert lacking(token, ("repository:a:pull",)) == ()
