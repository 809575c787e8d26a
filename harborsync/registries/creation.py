"""When a repository that is lacking is made, in the same words for every registry that wants it.

=================  =============================================================================
``create=auto``    what is lacking is made, unless the registry makes it on the first push itself
``create=always``  what is lacking is made before anything is pushed, as the options say
``create=never``   nothing is made: an administrator, or a template, does that
``public=yes``     what is made can be read by everybody; ``no`` is the default
=================  =============================================================================
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

import attrs

from harborsync.credentials.base import Locks
from harborsync.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.endpoint import Endpoint

#: The names of the options.
CREATION_OPTIONS: Final = frozenset({"create", "public"})
_PUBLIC: Final = {"no": False, "yes": True}


class Create(StrEnum):
    """When a repository is made."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@attrs.frozen(kw_only=True)
class Creation:
    """How repositories are made.

    Attributes:
        create: When.
        public: Whether everybody may read them.
    """

    create: Create = Create.AUTO
    public: bool = False

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """Read the options of an endpoint.

        Raises:
            InvalidValue: One of them cannot be read.
        """
        options = endpoint.options
        create, public = options.get("create", Create.AUTO), options.get("public", "no")
        if create not in set(Create):
            msg = f"the option create cannot be {create[:100]!r}"
            raise InvalidValue(msg, hint=f"write {', '.join(Create)}")
        if public not in _PUBLIC:
            msg = f"the option public cannot be {public[:100]!r}"
            raise InvalidValue(msg, hint="write yes or no")
        return cls(create=Create(create), public=_PUBLIC[public])


class RepositoryMaker:
    """Makes repositories that are lacking, each looked at once; safe to use from many threads.

    Args:
        create: When.
        make: Makes a repository; False if it was there already.
        takes_a_push: Tells by a first push whether the registry has the repository or makes it
            by itself; left out where that never happens.
        unit: Returns what has to be there for a repository, where several lie in one.
    """

    def __init__(
        self,
        create: Create,
        make: Callable[[str], bool],
        takes_a_push: Callable[[str], bool] | None = None,
        *,
        unit: Callable[[str], str] = str,
    ) -> None:
        self._create = create
        self._make = make
        self._takes_a_push = takes_a_push
        self._unit = unit
        self._locks = Locks()
        self._there: set[str] = set()

    def note(self, repository: str) -> None:
        """Remember that a repository is there, as a listing has told."""
        self._there.add(self._unit(repository))

    def note_lacking(self, repository: str) -> None:
        """Remember no longer that a repository is there: somebody has deleted it meanwhile."""
        self._there.discard(self._unit(repository))

    def ensure_repository(self, repository: str) -> bool:
        """Make the repository if it is lacking; tell whether it was made now.

        Raises:
            RegistryError: It cannot be made.
        """
        unit = self._unit(repository)
        if self._create is Create.NEVER or unit in self._there:
            return False
        with self._locks.of(unit):
            made = unit not in self._there and self._made(repository)
            self._there.add(unit)
            return made

    def _made(self, repository: str) -> bool:
        is_auto = self._create is Create.AUTO
        if is_auto and self._takes_a_push is not None and self._takes_a_push(repository):
            return False
        return self._make(repository)
