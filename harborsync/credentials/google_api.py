"""Asks the Artifact Registry API, which is plain REST: no package of Google's is needed for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

import attrs

from harborsync.credentials.calling import CloudApi, budget_of
from harborsync.credentials.google_refusals import Unsuccessful, error_of
from harborsync.credentials.google_tokens import read_answer
from harborsync.credentials.refusals import Said
from harborsync.errors import CredentialsExpired, HarborsyncError, RegistryError, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.credentials.base import Credential
    from harborsync.credentials.google_cable import Cables

#: Where it listens.
ARTIFACT_REGISTRY: Final = "https://artifactregistry.googleapis.com"
#: Calls a second: the quota is 60,000 requests a minute for a project and region.
_PER_SECOND: Final = 100.0
#: Google takes one creation or deletion of a repository in two seconds.
_CREATIONS_PER_SECOND: Final = 0.5
_PAUSE: Final = 1.0
_MOST_LOOKS: Final = 60


@attrs.frozen(kw_only=True)
class GoogleApi:
    """The API of one registry; safe to use from many threads.

    Attributes:
        url: Where it listens.
        cables: The way there.
        login: Returns the access token, as a login.
        forget: Has the login that was refused fetched anew.
    """

    url: str
    cables: Cables
    login: Callable[[], Credential]
    forget: Callable[[Credential], None]

    def get(self, what: str, path: str, **query: Any) -> dict[str, Any]:
        """Return what stands at a path.

        Args:
            what: What is done, as it follows "cannot".
            path: The resource, such as ``projects/p/locations/l/repositories``.
            query: Its parameters; those that are None are left out.

        Raises:
            HarborsyncError: It was refused, or cannot be reached.
        """
        given = {name: value for name, value in query.items() if value is not None}
        target = f"/v1/{path}{f'?{urlencode(given)}' if given else ''}"
        return self._called(what, "GET", target, None, _PER_SECOND)

    def pages(self, what: str, path: str, key: str, size: int) -> Iterator[dict[str, Any]]:
        """Yield the entries of a listing, page by page.

        Raises:
            RegistryError: The pages have no end.
            HarborsyncError: A page was refused, or cannot be reached.
        """
        token: str | None = None
        while True:
            page = self.get(what, path, pageSize=size, pageToken=token)
            yield from page.get(key) or []
            last, token = token, page.get("nextPageToken")
            if not token:
                return
            if token == last:
                msg = f"cannot {what}: a page of the list leads to itself"
                raise RegistryError(msg, hint="tell Google: the list has no end")

    def create_repository(
        self, what: str, parent: str, repository_id: str, wish: dict[str, Any]
    ) -> None:
        """Make a repository, and wait until it is there.

        Raises:
            HarborsyncError: It is not made.
        """
        target = f"/v1/{parent}/repositories?{urlencode({'repositoryId': repository_id})}"
        body = json.dumps(wish).encode()
        operation = self._called(what, "POST", target, body, _CREATIONS_PER_SECOND)
        for _ in range(_MOST_LOOKS):
            if operation.get("done"):
                break
            self._context.clock.sleep(_PAUSE, self._context.cancel)
            operation = self.get(what, operation["name"])
        else:
            msg = f"cannot {what}: it is not done after {_MOST_LOOKS * _PAUSE:g} seconds"
            raise ServerError(msg, method="POST")
        if "error" in operation:
            raise error_of(Unsuccessful(_failure(operation["error"])), what)

    @property
    def _context(self) -> Any:
        return self.cables.context

    def _called(
        self, what: str, method: str, target: str, body: bytes | None, per_second: float
    ) -> dict[str, Any]:
        """Make a call; one that is refused for its token is made again with another."""
        caller = self._caller(per_second)
        login = self.login()
        try:
            return caller.call(what, lambda: self._asked(method, target, body, login))
        except CredentialsExpired:
            self.forget(login)
            renewed = self.login()
            if renewed == login:
                raise
        return caller.call(what, lambda: self._asked(method, target, body, renewed))

    def _caller(self, per_second: float) -> CloudApi:
        host = urlsplit(self.url).netloc
        return CloudApi(
            name=host,
            context=self._context,
            budget=budget_of(f"{host} {per_second:g}", self._context.clock, per_second),
            translate=error_of,
            expected=(Unsuccessful, HarborsyncError),
        )

    def _asked(
        self, method: str, target: str, body: bytes | None, login: Credential
    ) -> dict[str, Any]:
        headers = {
            "Authorization": f"Bearer {login.secret.reveal()}",
            "Content-Type": "application/json",
        }
        answer = self.cables.send(method, f"{self.url}{target}", headers, body)
        return read_answer(answer, f"{method} {target.partition('?')[0]}")


# google.rpc.Code, by number.
_CODES: Final = {
    3: "INVALID_ARGUMENT",
    5: "NOT_FOUND",
    6: "ALREADY_EXISTS",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    13: "INTERNAL",
    14: "UNAVAILABLE",
}


def _failure(error: dict[str, Any]) -> Said:
    code = _CODES.get(error.get("code", 0), str(error.get("code")))
    return Said(code=code, message=str(error.get("message") or ""), operation="CreateRepository")
