"""The one speaker of Harbor's own interface: JSON over ``/api/v2.0``, and nothing else.

    >>> from harborsync.harbor.api import Made
    >>> Made(location="/api/v2.0/replication/executions/42").id
    42

Everything that is odd about it is dealt with here (HARBOR §§1-5): paging, names inside paths,
what a refusal means and what to do about it. Projects are always passed by name. No cookies
are kept: with one, Harbor wants a CSRF token for every write.
"""

from __future__ import annotations

import json
from math import ceil
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.errors import RegistryError
from harborsync.harbor.query import with_query
from harborsync.harbor.refusals import WRONG_LOGIN, Refuser
from harborsync.http.wire import Answer, Call

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harborsync.errors import HarborsyncError
    from harborsync.http.wire import Transport
    from harborsync.provider import OpenContext

__all__ = ["WRONG_LOGIN", "HarborApi", "Made", "Page"]

BASE: Final = "/api/v2.0"
PAGE_SIZE: Final = 100  # the most it gives; one more is refused with 422 (HARBOR §3)
#: A wrong password of somebody else locks a user for 1.5 s (HARBOR §5).
LOCK_LASTS: Final = 2.0
_MAX_PAGES: Final = 10_000
_MAX_BYTES: Final = 64 * 2**20
_REFUSED: Final = 400
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
#: Without this a project that is called 123 is taken for the one with that id (HARBOR §4).
_BY_NAME: Final = {"Accept": "application/json", "X-Is-Resource-Name": "true"}
_NOTHING: Final[Mapping[str, object]] = {}
_READING: Final = frozenset({"GET", "HEAD"})


@attrs.frozen(kw_only=True)
class Made:
    """What a call that makes something is answered with.

    Attributes:
        location: The path of what was made, empty where the server does not tell.
        body: The parsed body, mostly None.
    """

    location: str = ""
    body: Any = attrs.field(default=None, repr=False)

    @property
    def id(self) -> int:
        """The id of what was made, which is the last part of its path.

        Raises:
            RegistryError: The server did not tell it.
        """
        last = self.location.rpartition("/")[2]
        if not last.isascii() or not last.isdigit():
            msg = "Harbor does not tell the id of what it made"
            raise RegistryError(msg, method="POST", url=self.location)
        return int(last)


@attrs.frozen(kw_only=True)
class Page:
    """A page of a list.

    Attributes:
        items: What stands on it.
        total: How many there are on all pages, or None if the server does not tell.
    """

    items: list[Any]
    total: int | None


class HarborApi:
    """Speaks with one Harbor; safe to use from many threads.

    Every method raises :class:`~harborsync.errors.RegistryError` for a refusal, with a hint
    that says what to do about it, beside what a transport raises.

    Args:
        name: What the Harbor is called in messages: its host.
        transport: The way to it; not closed here.
        context: Clock, cancel flag and logins.
    """

    def __init__(self, name: str, transport: Transport, context: OpenContext) -> None:
        self.name = name
        self._transport = transport
        self._context = context
        self._refuser = Refuser(name, context.credentials)
        self._has_worked = False
        self._is_wrong = False

    def get(
        self, path: str, query: Mapping[str, object] = _NOTHING, *, what: str, needs: str = ""
    ) -> Any:
        """Return an object.

        Args:
            path: Its path behind ``/api/v2.0``.
            query: Fields of the query string; those that are None are left out.
            what: What is done, as it follows "cannot", for messages.
            needs: The permission it takes, such as ``artifact:list``, for messages.
        """
        return self._parsed(self._granted("GET", path, query, what=what, needs=needs), what)

    def find(
        self, path: str, query: Mapping[str, object] = _NOTHING, *, what: str, needs: str = ""
    ) -> Any | None:
        """Return an object, or None if it is not there."""
        answer = self.ask("GET", path, query, what=what)
        if answer.status == _NOT_FOUND:
            return None
        return self._parsed(self._accepted(answer, what, needs), what)

    def has(self, path: str, query: Mapping[str, object] = _NOTHING, *, what: str) -> bool:
        """Tell whether something is there, by a HEAD."""
        answer = self.ask("HEAD", path, query, what=what)
        if answer.status == _NOT_FOUND:
            return False
        self._accepted(answer, what, "")
        return True

    def text(self, path: str, *, what: str, needs: str = "") -> str:
        """Return an answer that is no JSON, such as a log."""
        answer = self._granted("GET", path, what=what, needs=needs)
        return answer.body.decode("utf-8", "replace")

    def pages(
        self, path: str, query: Mapping[str, object] = _NOTHING, *, what: str, needs: str = ""
    ) -> Iterator[Any]:
        """Yield the objects of a list, each once however they shift while it is read.

        New objects push known ones onto the next page, and these are left out there. Deleted
        ones pull unknown ones onto the page before, which is then read again.

        Raises:
            RegistryError: There is no end to the list.
        """
        seen: set[object] = set()
        number, total = 1, 0
        for _ in range(_MAX_PAGES):
            page = self.page(path, query, number, what=what, needs=needs)
            yield from _unseen(page.items, seen)
            lost = total - (total if page.total is None else page.total)
            if lost > 0:
                number = max(1, number - ceil(lost / PAGE_SIZE))
            elif _is_last(page, number):
                return
            else:
                number += 1
            total = page.total or 0
        msg = f"cannot {what} at {self.name}: the list has no end"
        raise RegistryError(msg, method="GET")

    def page(
        self,
        path: str,
        query: Mapping[str, object] = _NOTHING,
        number: int = 1,
        *,
        what: str,
        needs: str = "",
    ) -> Page:
        """Return one page of a list, counted from 1."""
        fields = {"page": number, "page_size": PAGE_SIZE, **query}
        answer = self._granted("GET", path, fields, what=what, needs=needs)
        items = self._parsed(answer, what)
        if not isinstance(items, list | None):
            raise self._refuser.nonsense(answer, what)
        return Page(items=items or [], total=_number(answer.headers.get("X-Total-Count")))

    def post(
        self,
        path: str,
        body: object = None,
        query: Mapping[str, object] = _NOTHING,
        *,
        what: str,
        needs: str = "",
    ) -> Made:
        """Make something; it is not repeated by itself, since it may have been made."""
        answer = self._granted("POST", path, query, body=body, what=what, needs=needs)
        return Made(location=answer.headers.get("Location"), body=self._parsed(answer, what))

    def put(
        self,
        path: str,
        body: object = None,
        query: Mapping[str, object] = _NOTHING,
        *,
        what: str,
        needs: str = "",
    ) -> Any:
        """Replace something."""
        answer = self._granted("PUT", path, query, body=body, what=what, needs=needs)
        return self._parsed(answer, what)

    def patch(self, path: str, body: object = None, *, what: str, needs: str = "") -> Any:
        """Change something."""
        return self._parsed(self._granted("PATCH", path, body=body, what=what, needs=needs), what)

    def delete(self, path: str, *, what: str, needs: str = "") -> bool:
        """Take something away; tell whether it was there."""
        answer = self.ask("DELETE", path, what=what)
        if answer.status == _NOT_FOUND:
            return False
        self._accepted(answer, what, needs)
        return True

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] = _NOTHING,
        *,
        body: object = None,
        what: str,
    ) -> Answer:
        """Return the answer to any call, whatever its status."""
        call = self._call(method, with_query(f"{BASE}{path}", query), body, what)
        answer = self._transport.send(call)
        if answer.status == _UNAUTHORIZED and self._may_be_locked():
            self._context.clock.sleep(LOCK_LASTS, self._context.cancel)
            answer = self._transport.send(call)
            self._is_wrong = answer.status == _UNAUTHORIZED
        self._learn_from(answer)
        return answer

    def _may_be_locked(self) -> bool:
        """Tell whether a login was good a moment ago, and somebody else may have locked it."""
        may_be_good = self._has_worked and not self._is_wrong
        return may_be_good and self._context.credentials.get(self.name) is not None

    def _learn_from(self, answer: Answer) -> None:
        """Note what an answer tells of the login; what is public is told to a wrong one, too."""
        if answer.status == _UNAUTHORIZED:
            return
        self._has_worked = True
        if answer.method not in _READING or answer.status == _FORBIDDEN:
            self._is_wrong = False

    def refused(self, answer: Answer, what: str, needs: str = "") -> HarborsyncError:
        """Return the error that an unwanted answer stands for."""
        return self._refuser.error(answer, what, needs)

    def _granted(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] = _NOTHING,
        *,
        body: object = None,
        what: str,
        needs: str,
    ) -> Answer:
        return self._accepted(self.ask(method, path, query, body=body, what=what), what, needs)

    def _accepted(self, answer: Answer, what: str, needs: str) -> Answer:
        if answer.status >= _REFUSED:
            raise self._refuser.error(answer, what, needs)
        return answer

    def _call(self, method: str, url: str, body: object, what: str) -> Call:
        headers, raw = dict(_BY_NAME), None
        if body is not None:
            headers["Content-Type"] = "application/json"
            raw = json.dumps(body).encode()
        return Call(
            method=method,
            url=url,
            headers=headers,
            body=raw,
            repeatable=method not in {"POST", "PATCH"},
            max_body=_MAX_BYTES,
            what=f"{what} at {self.name}",
        )

    def _parsed(self, answer: Answer, what: str) -> Any:
        """Read the body, whatever type it claims to be: some JSON is called text/plain."""
        if not answer.body.strip():
            return None
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise self._refuser.nonsense(answer, what) from None


def _is_last(page: Page, number: int) -> bool:
    is_short = len(page.items) < PAGE_SIZE
    return is_short or (page.total is not None and number * PAGE_SIZE >= page.total)


def _unseen(items: list[Any], seen: set[object]) -> Iterator[Any]:
    for item in items:
        key = _key(item)
        if key is None or key not in seen:
            seen.add(key)
            yield item


def _key(item: Any) -> object:
    """Return what an object is known by, or None for one that is known by nothing."""
    if not isinstance(item, dict):
        return None
    return next((item[key] for key in ("id", "project_id", "digest") if item.get(key)), None)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
