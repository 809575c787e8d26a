"""The API of ACR's personal edition (2016-06-07): paths instead of actions, names of two parts.

It has no ids, no immutable tags, and few namespaces for an account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harborsync.credentials.aliyun_api import Wish
from harborsync.errors import NotFound, RegistryError
from harborsync.registries.acr_api import (
    NO_SUMMARY,
    PAGE,
    AcrRepository,
    lacks_a_namespace,
    numbered,
    parts_of,
    says_it_is_lacking,
    says_it_is_there,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.credentials.base import Credential
    from harborsync.reference import Tag
    from harborsync.registries.acr_api import AcrApi, Recipe

_VERSION: Final = "2016-06-07"


class PersonalEdition:
    """An :class:`~harborsync.registries.acr_api.AcrEdition`.

    Args:
        api: The API.
    """

    def __init__(self, api: AcrApi) -> None:
        self._api = api

    def log_in(self, host: str) -> Credential:
        """Buy a login for a registry host."""
        said = self._get(f"log in to {host}", "GetAuthorizationToken", "/tokens")
        return self._api.login(
            said.get("tempUserName"), said.get("authorizationToken"), said.get("expireDate")
        )

    # --- reading ---------------------------------------------------------------------------

    def repositories(self) -> Iterator[AcrRepository]:
        """Yield all repositories."""

        def page(number: int) -> tuple[list[dict[str, Any]], Any]:
            what = "list repositories"
            said = self._get(what, "GetRepoList", "/repos", Page=number, PageSize=PAGE)
            return said.get("repos") or [], said.get("total")

        return map(_repository, numbered(page))

    def find(self, repository: str) -> AcrRepository | None:
        """Return a repository, or None if it or its namespace is not there."""
        what = f"look for the repository {repository}"
        try:
            said = self._get(what, "GetRepo", f"/repos/{repository}")
        except NotFound as error:
            if says_it_is_lacking(error):
                return None
            raise
        return _repository(said.get("repo") or {})

    def tags(self, repository: AcrRepository) -> Iterator[dict[str, Any]]:
        """Yield what the API says of each tag."""
        path = f"/repos/{repository.name}/tags"

        def page(number: int) -> tuple[list[dict[str, Any]], Any]:
            what = f"list the tags of {repository.name}"
            said = self._get(what, "GetRepoTags", path, Page=number, PageSize=PAGE)
            return said.get("tags") or [], said.get("total")

        return map(_image, numbered(page))

    # --- writing ---------------------------------------------------------------------------

    def create(self, repository: str, recipe: Recipe) -> bool:
        """Make a repository, and its namespace; False if it is there."""
        try:
            return self._created(repository, recipe)
        except RegistryError as error:
            if not lacks_a_namespace(error):
                raise
        self._create_namespace(parts_of(repository)[0])
        return self._created(repository, recipe)

    def _created(self, repository: str, recipe: Recipe) -> bool:
        namespace, name = parts_of(repository)
        wish = {
            "RepoNamespace": namespace,
            "RepoName": name,
            "RepoType": recipe.kind,
            "Summary": NO_SUMMARY,
        }
        what = f"create the repository {repository}"
        return self._made(what, "CreateRepo", "/repos", {"Repo": wish})

    def _create_namespace(self, namespace: str) -> None:
        """Make a namespace whose repositories are private unless somebody says otherwise."""
        what = f"create the namespace {namespace}"
        name = {"Namespace": {"Namespace": namespace}}
        if self._made(what, "CreateNamespace", "/namespace", name):
            rules = {"Namespace": {"AutoCreate": False, "DefaultVisibility": "PRIVATE"}}
            self._send(what, "UpdateNamespace", f"/namespace/{namespace}", "POST", rules)

    def _made(self, what: str, action: str, path: str, body: dict[str, Any]) -> bool:
        try:
            self._send(what, action, path, "PUT", body)
        except RegistryError as error:
            if says_it_is_there(error):
                return False
            raise
        return True

    def set_summary(self, repository: AcrRepository, summary: str) -> None:
        """Replace the text about a repository; all else stays as it is."""
        kind = "PUBLIC" if repository.public else "PRIVATE"
        body = {"Repo": {"RepoType": kind, "Summary": summary or NO_SUMMARY}}
        path = f"/repos/{repository.name}"
        self._send(f"describe {repository.name}", "UpdateRepo", path, "POST", body)

    def delete_tag(self, repository: AcrRepository, tag: Tag) -> None:
        """Take a tag away."""
        path = f"/repos/{repository.name}/tags/{tag}"
        self._send(f"delete the tag {tag} of {repository.name}", "DeleteImage", path, "DELETE")

    def _get(self, what: str, action: str, path: str, **query: Any) -> dict[str, Any]:
        wish = Wish(version=_VERSION, action=action, path=path, method="GET", query=query)
        data = self._api.call(what, wish).get("data")
        return data if isinstance(data, dict) else {}

    def _send(self, what: str, action: str, path: str, method: str, body: Any = None) -> None:
        wish = Wish(version=_VERSION, action=action, path=path, method=method, body=body)
        self._api.call(what, wish)


def _repository(said: dict[str, Any]) -> AcrRepository:
    return AcrRepository(
        name=f"{said['repoNamespace']}/{said['repoName']}",
        summary=said.get("summary") or "",
        public=said.get("repoType") == "PUBLIC",
        immutable=False,
    )


def _image(said: dict[str, Any]) -> dict[str, Any]:
    return {
        "tag": said.get("tag"),
        "digest": said.get("digest"),
        "status": said.get("status"),
        "update": said.get("imageUpdate"),
        "size": said.get("imageSize"),
    }
