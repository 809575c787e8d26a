"""Token scopes: what a token is asked for, and what a token turned out to grant."""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ALL = "*"


def merged(ours: Iterable[str], asked: Iterable[str]) -> tuple[str, ...]:
    """Return our scopes, in our order, with what a challenge asks beyond them (OCI-2.15).

    >>> merged(("repository:a:pull,push",), ("repository:a:pull", "repository:b:pull"))
    ('repository:a:pull,push', 'repository:b:pull')
    """
    together: dict[str, list[str]] = {}
    for scope in (*ours, *asked):
        resource, actions = _split(scope)
        together.setdefault(resource, [])
        together[resource] += [each for each in actions if each not in together[resource]]
    return tuple(f"{resource}:{','.join(actions)}" for resource, actions in together.items())


@lru_cache(maxsize=4096)
def repository_of(scopes: tuple[str, ...]) -> str:
    """Return the first repository among scopes, or nothing."""
    resources = (_split(scope)[0] for scope in scopes)
    names = (
        name
        for kind, _, name in (each.partition(":") for each in resources)
        if kind == "repository"
    )
    return next(names, "")


def lacking(token: str, scopes: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes that a token does not grant in full; none if it does not tell.

    The token is looked into, not checked: this only explains a refusal (OCI-2.10).
    """
    granted = _granted(token)
    if granted is None:
        return ()
    return tuple(scope for scope in scopes if not _covers(granted, scope))


def _split(scope: str) -> tuple[str, list[str]]:
    resource, _, actions = scope.rpartition(":")
    return resource, [action for action in actions.split(",") if action]


def _covers(granted: Mapping[str, frozenset[str]], scope: str) -> bool:
    resource, actions = _split(scope)
    have = granted.get(resource, frozenset())
    return _ALL in have or have.issuperset(actions)


def _granted(token: str) -> dict[str, frozenset[str]] | None:
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return dict(map(_grant, claims["access"] or ()))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _grant(entry: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    return f"{entry['type']}:{entry['name']}", frozenset(entry["actions"] or ())
