"""The API of the emulated Harbor as a table: method and path on the left, handler on the right.

Another part adds to it by a list of routes:

    >>> def hello(context, name):
    ...     return ok({"hello": name})
    >>> ROUTES = [route("GET", "/hello/{name}", hello, since=(2, 8))]

A handler gets a :class:`Context` and the decoded parts of the path, and returns an answer or
raises a :class:`~harborsync.testing.harbor_wire.HarborError`. It holds the state's lock while
it runs, unless its route says otherwise.
"""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import attrs

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_query import Page, arrange, parse_page, parse_q, select
from harborsync.testing.harbor_state import HarborArtifact, HarborProject, HarborRepository, Version
from harborsync.testing.harbor_wire import HarborError, ok

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from harborsync.testing.harbor_access import Identity
    from harborsync.testing.harbor_state import HarborState
    from harborsync.testing.server_wire import Request, Response

#: Where the API begins.
BASE: Final = "/api/v2.0"
_SLASHES: Final = re.compile(r"/{2,}")
_PART: Final = re.compile(r"\{(\w+)\}")
_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# In the order in which Harbor was seen to name them.
_METHODS: Final = ("HEAD", "POST", "GET", "PUT", "PATCH", "DELETE")
_JSON: Final = "application/json"


@attrs.frozen(kw_only=True)
class Context:
    """A request to the API, and what a handler needs to answer it.

    Attributes:
        state: What Harbor knows.
        request: The request.
        identity: Who it comes from.
        request_id: The value of X-Request-Id.
    """

    state: HarborState
    request: Request
    identity: Identity
    request_id: str = ""

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The decoded query; the first of several values of one name."""
        return dict(reversed(self.request.query))

    def flag(self, name: str, *, usual: bool = False) -> bool:
        """Return a boolean of the query."""
        return self.query.get(name, str(usual)).lower() in {"true", "1"}

    @cached_property
    def body(self) -> Any:
        """The parsed JSON body, an object.

        Raises:
            HarborError: It is none, or does not say that it is JSON.
        """
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip()
        if kind != _JSON:
            msg = f'unsupported media type "{kind}", only [application/json] are allowed'
            refuse.unprocessable(msg)
        try:
            document = json.loads(self.request.body.read())
        except ValueError as error:
            refuse.unprocessable(f'parsing body from "" failed, because {error}')
        if not isinstance(document, dict):
            refuse.unprocessable('parsing body from "" failed, because json: cannot unmarshal it')
        return document

    # --- who may -------------------------------------------------------------------------

    def may(self, project: HarborProject, resource: str, action: str) -> bool:
        """Tell whether the caller may do something in a project."""
        return self.identity.may(project, resource, action)

    def require(self, project: str | HarborProject, resource: str, action: str) -> HarborProject:
        """Return a project, named as in the path, where the caller may do something.

        Raises:
            HarborError: There is no such project, or they may not.
        """
        found = project if isinstance(project, HarborProject) else self.find_project(project)
        allowed = found is not None and self.may(found, resource, action)
        if not allowed and not self.identity.known:
            refuse.unauthorized()
        if found is None:
            refuse.not_found(f"project {project} not found")
        if not allowed:
            refuse.forbidden()
        return found

    def require_system(self, resource: str, action: str) -> None:
        """Refuse a caller who may not do something to the system.

        Raises:
            HarborError: They may not.
        """
        if self.identity.may_in_system(resource, action):
            return
        if not self.identity.known:
            refuse.unauthorized()
        refuse.forbidden(self.identity.name)

    def find_project(self, text: str) -> HarborProject | None:
        """Return the project that a path names, by number if it is all digits (HARBOR-4)."""
        by_name = self.request.headers.get("x-is-resource-name", "").lower() == "true"
        if text.isdecimal() and not by_name:
            return self.state.projects.get(int(text))
        return self.state.find_project(text)

    def repository(self, project: HarborProject, text: str) -> HarborRepository:
        """Return the repository that a path names, with slashes encoded twice (HARBOR-4).

        Raises:
            HarborError: There is none.
        """
        return self.state.repository(f"{project.name}/{unquote(text)}")

    def artifact(self, project: HarborProject, repository: str, reference: str) -> HarborArtifact:
        """Return the artifact that a path names.

        Raises:
            HarborError: There is none.
        """
        return self.state.artifact(f"{project.name}/{unquote(repository)}", reference)

    # --- lists ---------------------------------------------------------------------------

    def page(
        self,
        rows: Iterable[Any],
        shown: Callable[[Any], Any],
        *,
        fields: Mapping[str, Callable[[Any], Any]],
        default: str = "-id",
    ) -> Response:
        """Answer with a page of rows, selected by ``q`` and in the order of ``sort``.

        Args:
            rows: All rows there are.
            shown: Makes a row JSON.
            fields: What ``q`` and ``sort`` can look at.
            default: The order if the caller wants none.
        """
        found = select(rows, parse_q(self.query.get("q", "")), fields)
        return self.show_page(arrange(found, self.query.get("sort", ""), fields, default), shown)

    def show_page(self, rows: Sequence[Any], shown: Callable[[Any], Any]) -> Response:
        """Answer with a page of rows that are selected and in order."""
        page = parse_page(self.query)
        headers = {"X-Total-Count": str(len(rows)), **self._links(page, len(rows))}
        return ok([shown(row) for row in page.of(rows)], headers)

    def _links(self, page: Page, total: int) -> dict[str, str]:
        """Return the Link header, relative and not escaped as it should be (HARBOR-3)."""
        links = []
        if page.number > 1 and (page.number - 1) * page.size < total:
            links.append(f'<{self._address(page.number - 1, page.size)}>; rel="prev"')
        if page.has_next(total):
            links.append(f'<{self._address(page.number + 1, page.size)}>; rel="next"')
        return {"Link": " , ".join(links)} if links else {}

    def _address(self, number: int, size: int) -> str:
        query = {**self.query, "page": str(number), "page_size": str(size)}
        path = self.request.target.partition("?")[0]
        return f"{path}?{'&'.join(f'{name}={query[name]}' for name in sorted(query))}"


@attrs.frozen(kw_only=True)
class Route:
    """A shape of paths, a method, and who answers.

    Attributes:
        method: HTTP method.
        path: Pattern of the paths, still encoded.
        handler: Called with a context and the named parts of the path.
        since: First version that has it.
        until: First version that has it no more, or None.
        locked: The handler is called with the state's lock held.
    """

    method: str
    path: re.Pattern[str]
    handler: Callable[..., Response]
    since: Version = (2, 0)
    until: Version | None = None
    locked: bool = True

    def exists(self, version: Version) -> bool:
        """Tell whether a version has it."""
        return version >= self.since and (self.until is None or version < self.until)


def route(
    method: str,
    path: str,
    handler: Callable[..., Response],
    *,
    since: Version = (2, 0),
    until: Version | None = None,
    locked: bool = True,
) -> Route:
    """Return a route for a path below the API's base, with its parts in braces."""
    pattern = re.compile(_PART.sub(r"(?P<\1>[^/]+)", BASE + path))
    return Route(
        method=method, path=pattern, handler=handler, since=since, until=until, locked=locked
    )


def answer_api(
    routes: Sequence[Route],
    state: HarborState,
    request: Request,
    identify: Callable[[], Identity],
    request_id: str,
) -> Response:
    """Answer a request to the API."""
    try:
        _check_session(request)
        identity = identify()
        context = Context(state=state, request=request, identity=identity, request_id=request_id)
        found, parts = _find(routes, state, request)
        if "page_size" in context.query:
            parse_page(context.query)
        with state.lock if found.locked else nullcontext():
            return found.handler(context, **parts)
    except HarborError as error:
        return error.response


def with_single_slashes(request: Request) -> Request:
    """Return a request as Harbor looks at it: repeated slashes in its path are one (HARBOR-4)."""
    path, mark, query = request.target.partition("?")
    return attrs.evolve(request, target=f"{_SLASHES.sub('/', path)}{mark}{query}")


def check_query(request: Request) -> None:
    """Refuse a query with a raw semicolon (HARBOR-3).

    Raises:
        HarborError: It has one.
    """
    if ";" in request.target.partition("?")[2]:
        refuse.bad_request("invalid semicolon separator in query")


def check_writable(state: HarborState, request: Request) -> None:
    """Refuse a write while Harbor is in read-only mode.

    Raises:
        HarborError: It is.
    """
    exempt = request.path == f"{BASE}/configurations"
    if state.settings["read_only"] and request.method in _WRITES and not exempt:
        refuse.denied("The system is in read only mode. Any modification is prohibited.")


def missing_path(path: str) -> Response:
    """Return the answer for a path that the API does not know."""
    return HarborError(404, "NOT_FOUND", f"path {path} was not found").response


def _check_session(request: Request) -> None:
    """Refuse a write that brings a session's cookie and nothing to prove it (HARBOR-5)."""
    if request.method in _WRITES and "sid=" in request.headers.get("cookie", ""):
        refuse.forbidden("CSRF token not found in request")


def _find(
    routes: Sequence[Route], state: HarborState, request: Request
) -> tuple[Route, dict[str, str]]:
    """Return the route of a request and the decoded parts of its path."""
    path = request.target.partition("?")[0].removesuffix("/")
    known = [each for each in routes if each.exists(state.version)]
    matching = [(each, found) for each in known if (found := each.path.fullmatch(path))]
    for each, found in matching:
        if each.method == request.method:
            return each, {name: unquote(part) for name, part in found.groupdict().items()}
    if matching:
        allowed = ",".join(sorted({each.method for each, _ in matching}, key=_METHODS.index))
        refuse.not_allowed(f"method {request.method} is not allowed, but [{allowed}] are")
    raise HarborError(404, "NOT_FOUND", f"path {request.path} was not found")
