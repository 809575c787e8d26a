"""How a product's way of letting people in differs from what the specification says.

The usual door asks for nothing first and explains itself by a challenge. Harbor's is the one
that differs: what a login costs it depends on whose it is, one token opens many repositories,
and 401 means "no right" as well as "no login" (HARBOR §5).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harborsync.credentials.base import Credential

#: So many repositories share a token at the most.
_MEMBERS: Final = 20
#: Bytes of their names at the most: the token stays below 4 KiB, whatever is in front of the
#: registry. An entry takes some 65 bytes beside the name, all of it comes in base64, and the
#: signature takes 700 bytes.
_NAMES: Final = 2400
_BESIDE_NAME: Final = 65
_PULL: Final = frozenset({"pull"})
_PUSH: Final = frozenset({"pull", "push"})


def _never(credential: Credential) -> bool:  # noqa: ARG001 - the signature of is_cheap
    return False


def _nobody(host: str) -> bool:  # noqa: ARG001 - the signature of owns_realm
    return False


def _as_asked(scopes: tuple[str, ...]) -> tuple[str, ...]:
    return scopes


@attrs.frozen(kw_only=True)
class Door:
    """What is special about a door.

    Attributes:
        is_cheap: Whether a login is best shown as it is, with each request and from the first
            one on, instead of a token.
        together: Returns the scopes a token is asked for, given those that a call needs.
        says_401_for_rights: 401 is also the answer to who is known and has no right. Tokens
            name whom they are for, and nobody if the login was not taken.
        relents_after: Seconds after which a login that has worked before, and is not taken,
            is tried once more; None if that is no use.
        if_not_taken: What to look at if a login is not taken, for people.
        owns_realm: Whether a token server on another host is the product's own.
    """

    is_cheap: Callable[[Credential], bool] = _never
    together: Callable[[tuple[str, ...]], tuple[str, ...]] = _as_asked
    says_401_for_rights: bool = False
    relents_after: float | None = None
    if_not_taken: str = ""
    owns_realm: Callable[[str], bool] = _nobody


#: The door of the specification.
USUAL: Final = Door()


class TokenGroups:
    """Fixed groups of repositories that share a token; thread-safe.

    >>> groups = TokenGroups()
    >>> groups.announce(["app/a", "app/b"])
    >>> groups.together(("repository:app/a:pull",))
    ('repository:app/a:pull', 'repository:app/b:pull')
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: dict[str, tuple[str, ...]] = {}

    def announce(self, repositories: Iterable[str]) -> None:
        """Form groups of repositories that will be worked with; who is in one stays there."""
        with self._lock:
            new = sorted(set(repositories) - self._groups.keys())
            for group in _packed(new):
                self._groups |= dict.fromkeys(group, group)

    def together(self, scopes: tuple[str, ...]) -> tuple[str, ...]:
        """Return scopes for the whole group, if those given are about repositories of one."""
        asked = [_repository_and_actions(scope) for scope in scopes]
        groups = {self._groups.get(name, ()) for name, _ in asked}
        actions = frozenset(action for _, each in asked for action in each)
        if len(groups) != 1 or not actions <= _PUSH:
            return scopes
        (group,) = groups
        words = "pull" if actions <= _PULL else "pull,push"
        return tuple(f"repository:{name}:{words}" for name in group) or scopes


def _packed(names: list[str]) -> list[tuple[str, ...]]:
    """Put names into groups that make no token too long."""
    groups: list[tuple[str, ...]] = []
    group: list[str] = []
    for name in names:
        length = sum(len(each) + _BESIDE_NAME for each in (*group, name))
        if group and (len(group) == _MEMBERS or length > _NAMES):
            groups.append(tuple(group))
            group = []
        group.append(name)
    return [*groups, tuple(group)] if group else groups


def _repository_and_actions(scope: str) -> tuple[str, frozenset[str]]:
    resource, _, actions = scope.rpartition(":")
    return resource.removeprefix("repository:"), frozenset(actions.split(","))
