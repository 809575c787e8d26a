"""The personal edition of Alibaba's Container Registry on loopback: paths, not actions."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.testing.cloud_aliyun import REGION, USERNAME, AcrServers, page_of_number
from harborsync.testing.cloud_aliyun_ram import refused, request_id, said
from harborsync.testing.cloud_aliyun_sign import parameters
from harborsync.testing.cloud_plane import ApiCall, ApiRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harborsync.testing.cloud_plane import CloudRepository
    from harborsync.testing.scripted import Heard, Said

_ROUTES: Final = tuple(
    (method, re.compile(path, re.ASCII), operation)
    for method, path, operation in (
        ("GET", r"/tokens", "GetAuthorizationToken"),
        ("GET", r"/repos", "GetRepoList"),
        ("PUT", r"/repos", "CreateRepo"),
        ("GET", r"/repos/([^/]+/[^/]+)", "GetRepo"),
        ("POST", r"/repos/([^/]+/[^/]+)", "UpdateRepo"),
        ("GET", r"/repos/([^/]+/[^/]+)/tags", "GetRepoTags"),
        ("DELETE", r"/repos/([^/]+/[^/]+)/tags/([^/]+)", "DeleteImage"),
        ("PUT", r"/namespace", "CreateNamespace"),
        ("POST", r"/namespace/([^/]+)", "UpdateNamespace"),
    )
)


@attrs.frozen(kw_only=True)
class _Asked:
    """A request, taken apart.

    Attributes:
        operation: What it asks for.
        names: The names in its path.
        query: Its query.
        body: Its body.
    """

    operation: str
    names: tuple[str, ...]
    query: Mapping[str, str]
    body: Any

    @classmethod
    def of(cls, heard: Heard) -> _Asked:
        """Take a request apart."""
        query, body = parameters(heard), json.loads(heard.body or b"{}")
        for method, path, operation in _ROUTES:
            found = path.fullmatch(heard.path)
            if found is not None and method == heard.method:
                return cls(operation=operation, names=found.groups(), query=query, body=body)
        return cls(operation=f"{heard.method} {heard.path}", names=(), query=query, body=body)

    def page(self, key: str, rows: Sequence[Any]) -> dict[str, Any]:
        """Return the page that is asked for."""
        page, size = int(self.query.get("Page", "1")), int(self.query.get("PageSize", "30"))
        entries = page_of_number(rows, page, size)
        return {key: entries, "total": len(rows), "page": page, "pageSize": size}


class LoopbackAcrPersonal(AcrServers):
    """An account's registry of the personal edition, and STS; see the base class.

    Attributes:
        is_open: Whether the user has opened the console of the registry once.
    """

    def __init__(self, *, most_namespaces: int = 3, **more: Any) -> None:
        super().__init__(
            f"registry.aliyuncs.com:{REGION}:26842", most_namespaces=most_namespaces, **more
        )
        self.is_open = True
        self._operations: dict[str, Callable[[_Asked], dict[str, Any]]] = {
            "CreateNamespace": self._create_namespace,
            "CreateRepo": self._create_repository,
            "DeleteImage": self._delete_tag,
            "GetAuthorizationToken": self._authorize,
            "GetRepo": self._get_repository,
            "GetRepoList": self._list_repositories,
            "GetRepoTags": self._list_tags,
            "UpdateNamespace": self._update_namespace,
            "UpdateRepo": self._update_repository,
        }

    @property
    def options(self) -> dict[str, str]:
        """The options of an endpoint for it."""
        return {"edition": "personal", **super().options}

    def serve(self, heard: Heard) -> Said:
        """Answer a request to the registry's API."""
        asked = _Asked.of(heard)
        try:
            who = self.admitted(heard, asked.operation)
            data = self._result(asked)
        except ApiRefusal as refusal:
            self.log.note(ApiCall(operation=asked.operation, code=refusal.code))
            return _in_small_letters(refusal)
        self.log.note(ApiCall(operation=asked.operation, who=who))
        return said(200, {"data": data, "requestId": request_id()})

    def _result(self, asked: _Asked) -> dict[str, Any]:
        if asked.operation not in self._operations:
            raise ApiRefusal(404, "InvalidAction.NotFound", "Specified api is not found.")
        return self._operations[asked.operation](asked)

    def _authorize(self, asked: _Asked) -> dict[str, Any]:  # noqa: ARG002 - one signature for all
        if not self.is_open:
            raise ApiRefusal(404, "USER_NOT_EXIST", "user is not exist.")
        password, ends = self.sell()
        return {"authorizationToken": password, "tempUserName": USERNAME, "expireDate": ends}

    def _list_repositories(self, asked: _Asked) -> dict[str, Any]:
        return asked.page("repos", [_described(found) for found in self.all()])

    def _get_repository(self, asked: _Asked) -> dict[str, Any]:
        return {"repo": _described(self.found(asked.names[0]))}

    def _list_tags(self, asked: _Asked) -> dict[str, Any]:
        rows = [
            {
                "tag": tag,
                "digest": digest,
                "imageId": digest,
                "imageSize": size,
                "imageCreate": at,
                "imageUpdate": at,
                "status": "NORMAL",
            }
            for tag, digest, size, at in self.images(self.found(asked.names[0]).name)
        ]
        return asked.page("tags", rows)

    def _create_repository(self, asked: _Asked) -> dict[str, Any]:
        wish = asked.body["Repo"]
        name = f"{wish['RepoNamespace']}/{wish['RepoName']}"
        if name.count("/") != 1:
            raise ApiRefusal(400, "INVALID_PARAMETER", "repoName is invalid.")
        self.add_repository(name, wish["RepoType"], wish.get("Summary", ""), immutable=False)
        return {"repoId": 1}

    def _update_repository(self, asked: _Asked) -> dict[str, Any]:
        found, wish = self.found(asked.names[0]), asked.body["Repo"]
        found.settings["summary"] = wish["Summary"]
        found.settings["public"] = wish["RepoType"] == "PUBLIC"
        return {}

    def _create_namespace(self, asked: _Asked) -> dict[str, Any]:
        name = asked.body["Namespace"]["Namespace"]
        self.add_namespace(name)
        self.auto_create.add(name)  # what the product does until it is told otherwise
        return {}

    def _update_namespace(self, asked: _Asked) -> dict[str, Any]:
        if not asked.body["Namespace"]["AutoCreate"]:
            self.auto_create.discard(asked.names[0])
        return {}

    def _delete_tag(self, asked: _Asked) -> dict[str, Any]:
        repository, tag = asked.names
        self.delete(self.found(repository).name, tag)
        return {}


def _described(found: CloudRepository) -> dict[str, Any]:
    namespace, _, name = found.name.partition("/")
    return {
        "repoNamespace": namespace,
        "repoName": name,
        "repoStatus": "NORMAL",
        "repoType": "PUBLIC" if found.settings["public"] else "PRIVATE",
        "summary": found.settings["summary"],
    }


def _in_small_letters(refusal: ApiRefusal) -> Said:
    """Return a refusal: the product's own is spelt otherwise than the gateway's."""
    if not refusal.code.isupper():
        return refused(refusal)
    value = {"code": refusal.code, "message": refusal.message, "requestId": request_id()}
    return said(refusal.status, value)
