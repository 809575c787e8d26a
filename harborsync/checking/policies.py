"""The least policies for an endpoint or for a whole rule, pull and push apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harborsync.checking.values import Policy
from harborsync.checking.vendors import checks_of
from harborsync.endpoint import Endpoint
from harborsync.gate import find_provider
from harborsync.insight import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harborsync.rule import ReplicationRule


def policy_for(
    what: ReplicationRule | Endpoint | str, direction: Direction | str
) -> tuple[Policy, ...]:
    """Return the least that logins must be allowed, one policy for each endpoint.

    A product that has no policies of its own is answered by the scopes of its tokens.

    Args:
        what: An endpoint, or a rule: its source is pulled from, its destinations pushed to.
        direction: ``pull`` or ``push``.

    Raises:
        InvalidValue: The endpoint cannot be read.
        UnknownProvider: Nobody opens it.
    """
    way = Direction(direction)
    return tuple(_policy(endpoint, way) for endpoint in _endpoints(what, way))


def _endpoints(what: ReplicationRule | Endpoint | str, direction: Direction) -> Iterable[Endpoint]:
    if isinstance(what, str):
        return (Endpoint.parse(what),)
    if isinstance(what, Endpoint):
        return (what,)
    return (what.source,) if direction is Direction.PULL else what.destinations


def _policy(endpoint: Endpoint, direction: Direction) -> Policy:
    provider = find_provider(endpoint)
    text = checks_of(provider).policy(endpoint, direction)
    if not text and not endpoint.is_path:
        actions = "pull" if direction is Direction.PULL else "pull,push"
        text = f"repository:{below(provider.prefix(endpoint))}:{actions}"
    return Policy(endpoint=endpoint, direction=direction, text=text)


def below(prefix: str) -> str:
    """Return the pattern of all repositories below a prefix."""
    return f"{prefix}/*" if prefix else "*"
