"""The API of ACR's enterprise edition (2018-12-01): repositories have ids, names many parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harborsync.artifact import UNAVAILABLE
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

_VERSION: Final = "2018-12-01"


class EnterpriseEdition:
    """An :class:`~harborsync.registries.acr_api.AcrEdition`.

    Args:
        api: The API.
    """

    def __init__(self, api: AcrApi) -> None:
        self._api = api

    def log_in(self, host: str) -> Credential:
        """Buy a login for a registry host."""
        said = self._call(f"log in to {host}", "GetAuthorizationToken")
        return self._api.login(
            said.get("TempUsername"), said.get("AuthorizationToken"), said.get("ExpireTime")
        )

    # --- reading ---------------------------------------------------------------------------

    def repositories(self) -> Iterator[AcrRepository]:
        """Yield all repositories."""

        def page(number: int) -> tuple[list[dict[str, Any]], Any]:
            said = self._call(
                "list repositories",
                "ListRepository",
                RepoStatus="NORMAL",
                PageNo=number,
                PageSize=PAGE,
            )
            return said.get("Repositories") or [], said.get("TotalCount")

        return map(_repository, numbered(page))

    def find(self, repository: str) -> AcrRepository | None:
        """Return a repository, or None if it or its namespace is not there."""
        namespace, name = parts_of(repository)
        what = f"look for the repository {repository}"
        try:
            said = self._call(what, "GetRepository", RepoNamespaceName=namespace, RepoName=name)
        except NotFound as error:
            if says_it_is_lacking(error):
                return None
            raise
        return _repository(said)

    def tags(self, repository: AcrRepository) -> Iterator[dict[str, Any]]:
        """Yield what the API says of each tag."""

        def page(number: int) -> tuple[list[dict[str, Any]], Any]:
            said = self._call(
                f"list the tags of {repository.name}",
                "ListRepoTag",
                RepoId=repository.id,
                PageNo=number,
                PageSize=PAGE,
            )
            return said.get("Images") or [], said.get("TotalCount")

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
        try:
            self._call(
                f"create the repository {repository}",
                "CreateRepository",
                RepoNamespaceName=namespace,
                RepoName=name,
                RepoType=recipe.kind,
                Summary=NO_SUMMARY,
                TagImmutability="true" if recipe.immutable else None,
            )
        except RegistryError as error:
            if says_it_is_there(error):
                return False
            raise
        return True

    def _create_namespace(self, namespace: str) -> None:
        """Make a namespace whose repositories are private unless somebody says otherwise."""
        try:
            self._call(
                f"create the namespace {namespace}",
                "CreateNamespace",
                NamespaceName=namespace,
                AutoCreateRepo="false",
                DefaultRepoType="PRIVATE",
            )
        except RegistryError as error:
            if not says_it_is_there(error):
                raise

    def set_summary(self, repository: AcrRepository, summary: str) -> None:
        """Replace the text about a repository; all else stays as it is."""
        is_fixed = repository.immutable
        self._call(
            f"describe {repository.name}",
            "UpdateRepository",
            RepoId=repository.id,
            RepoType="PUBLIC" if repository.public else "PRIVATE",
            Summary=summary or NO_SUMMARY,
            TagImmutability=None if is_fixed is UNAVAILABLE else str(bool(is_fixed)).lower(),
        )

    def delete_tag(self, repository: AcrRepository, tag: Tag) -> None:
        """Take a tag away."""
        what = f"delete the tag {tag} of {repository.name}"
        self._call(what, "DeleteRepoTag", RepoId=repository.id, Tag=str(tag))

    def _call(self, what: str, action: str, **query: Any) -> dict[str, Any]:
        wish = {"InstanceId": self._api.instance, **query}
        return self._api.call(what, Wish(version=_VERSION, action=action, query=wish))


def _repository(said: dict[str, Any]) -> AcrRepository:
    is_fixed = said.get("TagImmutability")
    return AcrRepository(
        name=f"{said['RepoNamespaceName']}/{said['RepoName']}",
        id=said["RepoId"],
        summary=said.get("Summary") or "",
        public=said.get("RepoType") == "PUBLIC",
        immutable=is_fixed if isinstance(is_fixed, bool) else UNAVAILABLE,
    )


def _image(said: dict[str, Any]) -> dict[str, Any]:
    return {
        "tag": said.get("Tag"),
        "digest": said.get("Digest"),
        "status": said.get("Status"),
        "update": said.get("ImageUpdate"),
        "size": said.get("ImageSize"),
    }
