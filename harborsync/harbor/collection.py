"""What all kinds of objects that Harbor keeps have in common: list, get, make, replace, delete."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from harborsync.errors import InvalidValue
from harborsync.harbor.records import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.harbor.api import HarborApi, Made

_T = TypeVar("_T")


class Collection(Generic[_T]):
    """The objects of one kind at one Harbor; thread-safe.

    Args:
        api: Speaks to the Harbor.
        kind: What an object is read as.
        path: Where they are, behind ``/api/v2.0``.
        noun: What one is called in messages.
        resource: What the permissions for it are called.
        reader: Reads an object, where it has another shape than the kind.
    """

    def __init__(
        self,
        api: HarborApi,
        kind: type[_T],
        path: str,
        *,
        noun: str,
        resource: str,
        reader: Callable[[Any], _T] | None = None,
    ) -> None:
        self._api = api
        self._read = reader or partial(read, kind)
        self._path = path
        self._noun = noun
        self._resource = resource

    def each(self, **query: object) -> Iterator[_T]:
        """Yield them all; keyword arguments narrow the list as far as Harbor knows them."""
        what, needs = f"list every {self._noun}", f"{self._resource}:list"
        for item in self._api.pages(self._path, query, what=what, needs=needs):
            yield self._read(item)

    def raw(self, key: object) -> Any:
        """Return one as Harbor tells it.

        Raises:
            NotFound: There is none.
        """
        needs = f"{self._resource}:read"
        return self._api.get(self.path_of(key), what=self._doing("read", key), needs=needs)

    def get(self, key: object) -> _T:
        """Return one.

        Raises:
            NotFound: There is none.
        """
        return self._read(self.raw(key))

    def make(self, body: object) -> Made:
        """Make one."""
        needs = f"{self._resource}:create"
        return self._api.post(self._path, body, what=f"make a {self._noun}", needs=needs)

    def replace(self, key: object, body: object) -> None:
        """Replace one by ``body``.

        Raises:
            NotFound: There is none.
        """
        needs = f"{self._resource}:update"
        self._api.put(self.path_of(key), body, what=self._doing("change", key), needs=needs)

    def delete(self, key: object) -> bool:
        """Delete one; tell whether it was there."""
        needs = f"{self._resource}:delete"
        return self._api.delete(self.path_of(key), what=self._doing("delete", key), needs=needs)

    def path_of(self, key: object) -> str:
        """Return where one is.

        Raises:
            InvalidValue: It has no key: it was not made yet.
        """
        if key is None:
            msg = f"this {self._noun} is not known to {self._api.name} yet"
            raise InvalidValue(msg, hint="make it first, or take what get() returns")
        return f"{self._path}/{key}"

    def _doing(self, verb: str, key: object) -> str:
        return f"{verb} {self._noun} {key}"
