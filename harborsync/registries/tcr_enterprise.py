"""The API of TCR's enterprise edition: instances, whose lists have numbered pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harborsync.credentials.tencent_refusals import says_it_is_there
from harborsync.errors import NotFound, RegistryError
from harborsync.registries.tcr_api import PAGE, TcrRepository, artifact_of, by_pages
from harborsync.registries.tcr_place import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.artifact import Artifact
    from harborsync.credentials.base import Credential
    from harborsync.reference import Tag
    from harborsync.registries.tcr_api import TcrApi

#: What is shown beside a repository's name, by the console.
_BRIEF: Final = 100


class EnterpriseEdition:
    """A :class:`~harborsync.registries.tcr_api.TcrEdition`.

    Args:
        api: The API.
    """

    def __init__(self, api: TcrApi) -> None:
        self._api = api

    def log_in(self, host: str) -> Credential:
        """Buy a login for a registry host, good for an hour."""
        said = self._api.call_instance(f"log in to {host}", "CreateInstanceToken", TokenType="temp")
        return self._api.login(said.get("Username"), said.get("Token"), said.get("ExpTime"))

    # --- reading ---------------------------------------------------------------------------

    def repositories(self) -> Iterator[TcrRepository]:
        """Yield all repositories."""
        return self._listed("list repositories")

    def find(self, repository: str) -> TcrRepository | None:
        """Return a repository, or None if it is not there; the API finds similar names, too."""
        namespace, name = parts_of(repository)
        what = f"look for the repository {repository}"
        try:
            listed = self._listed(what, NamespaceName=namespace, RepositoryName=name)
            return next((each for each in listed if each.name == repository), None)
        except NotFound:
            return None

    def tags(self, repository: str) -> Iterator[Artifact]:
        """Yield the tags of a repository, with their digests."""
        namespace, name = parts_of(repository)
        images = self._pages(
            f"list the tags of {repository}",
            "DescribeImages",
            "ImageInfoList",
            NamespaceName=namespace,
            RepositoryName=name,
            ExactMatch=True,  # else those of repositories with similar names come, too
        )
        for image in images:
            artifact = artifact_of(
                repository,
                image.get("ImageVersion"),
                digest=image.get("Digest"),
                pushed=image.get("UpdateTime"),
                size=image.get("Size"),
            )
            if artifact is not None:
                yield artifact

    def has_namespace(self, namespace: str) -> bool:
        """Tell whether a namespace is there; the API finds similar names, too."""
        what = f"look for the namespace {namespace}"
        listed = self._pages(what, "DescribeNamespaces", "NamespaceList", NamespaceName=namespace)
        return any(each.get("Name") == namespace for each in listed)

    def _listed(self, what: str, **wanted: Any) -> Iterator[TcrRepository]:
        found = self._pages(what, "DescribeRepositories", "RepositoryList", **wanted)
        return map(_repository, found)

    def _pages(self, what: str, action: str, key: str, **wanted: Any) -> Iterator[dict[str, Any]]:
        def page(number: int) -> tuple[list[dict[str, Any]], Any]:
            said = self._api.call_instance(what, action, Offset=number, Limit=PAGE, **wanted)
            return said.get(key) or [], said.get("TotalCount")

        return by_pages(page)

    # --- writing ---------------------------------------------------------------------------

    def create_namespace(self, namespace: str, *, public: bool) -> None:
        """Make a namespace; fine if it is there."""
        what = f"create the namespace {namespace}"
        self._made(what, "CreateNamespace", NamespaceName=namespace, IsPublic=public)

    def create(self, repository: str, *, public: bool) -> bool:  # noqa: ARG002 - its namespace is or is not
        """Make a repository; False if it is there."""
        namespace, name = parts_of(repository)
        what = f"create the repository {repository}"
        return self._made(what, "CreateRepository", NamespaceName=namespace, RepositoryName=name)

    def _made(self, what: str, action: str, **parameters: Any) -> bool:
        try:
            self._api.call_instance(what, action, **parameters)
        except RegistryError as error:
            if says_it_is_there(error):
                return False
            raise
        return True

    def describe(self, repository: str, text: str) -> None:
        """Replace the text about a repository, and the short one that lists show."""
        namespace, name = parts_of(repository)
        self._api.call_instance(
            f"describe {repository}",
            "ModifyRepository",
            NamespaceName=namespace,
            RepositoryName=name,
            BriefDescription=text.partition("\n")[0][:_BRIEF],
            Description=text,
        )

    def delete_tag(self, repository: str, tag: Tag) -> None:
        """Take a tag away."""
        namespace, name = parts_of(repository)
        self._api.call_instance(
            f"delete the tag {tag} of {repository}",
            "DeleteImage",
            NamespaceName=namespace,
            RepositoryName=name,
            ImageVersion=str(tag),
        )


def _repository(said: dict[str, Any]) -> TcrRepository:
    name, namespace = str(said.get("Name")), said.get("Namespace")
    if namespace and not name.startswith(f"{namespace}/"):
        name = f"{namespace}/{name}"
    return TcrRepository(
        name=name, text=said.get("Description") or said.get("BriefDescription") or ""
    )
