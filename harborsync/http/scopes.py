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


def ungranted(token: str, scopes: Iterable[str]) -> tuple[str, ...]:
    """Return the same, down to the actions that are lacking.

    >>> ungranted("no token that tells anything", ("repository:a:pull,push",))
    ()
    """
    granted = _granted(token) or {}
    found = []
    for scope in lacking(token, scopes):
        resource, actions = _split(scope)
        left = [action for action in actions if action not in granted.get(resource, frozenset())]
        found.append(f"{resource}:{','.join(left)}")
    return tuple(found)


def permissions(scopes: Iterable[str]) -> str:
    """Say which permissions scopes stand for.

    >>> permissions(("repository:app/a:pull,push",))
    'repository:pull and repository:push in app/a'
    """
    return " and ".join(map(_permission, scopes))


def _permission(scope: str) -> str:
    resource, actions = _split(scope)
    kind, _, name = resource.partition(":")
    return f"{' and '.join(f'{kind}:{action}' for action in actions)} in {name}"


def grants(token: str, scope: str) -> bool | None:
    """Tell whether a token grants a scope in full, or None if it does not tell.

    >>> grants("no token that tells anything", "repository:a:pull") is None
    True
    """
    granted = _granted(token)
    return None if granted is None else _covers(granted, scope)


def subject_of(token: str) -> str | None:
    """Return whom a token says it is for, or None; it is looked into, not checked."""
    claims = _claims(token)
    name = claims.get("sub") if claims else None
    return name if isinstance(name, str) and name else None


def _split(scope: str) -> tuple[str, list[str]]:
    resource, _, actions = scope.rpartition(":")
    return resource, [action for action in actions.split(",") if action]


def _covers(granted: Mapping[str, frozenset[str]], scope: str) -> bool:
    resource, actions = _split(scope)
    have = granted.get(resource, frozenset())
    return _ALL in have or have.issuperset(actions)


def _granted(token: str) -> dict[str, frozenset[str]] | None:
    claims = _claims(token)
    try:
        return None if claims is None else dict(map(_grant, claims["access"] or ()))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _claims(token: str) -> dict[str, Any] | None:
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, LookupError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def _grant(entry: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    return f"{entry['type']}:{entry['name']}", frozenset(entry["actions"] or ())
