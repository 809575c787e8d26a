"""The API of TCR's personal edition (CCR): no instances, no logins to buy, offsets count rows.

What it calls TagId and ImageId are not told to be digests of manifests, so each tag is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harborsync.credentials.tencent_refusals import says_it_is_there
from harborsync.errors import NotFound, RegistryError
from harborsync.registries.tcr_api import PAGE, TcrRepository, artifact_of, by_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.artifact import Artifact
    from harborsync.reference import Tag
    from harborsync.registries.tcr_api import TcrApi


#: What the number of all entries is called, list by list.
_TOTALS: Final = ("TotalCount", "TagCount", "NamespaceCount")


class PersonalEdition:
    """A :class:`~harborsync.registries.tcr_api.TcrEdition`.

    Args:
        api: The API.
    """

    def __init__(self, api: TcrApi) -> None:
        self._api = api

    def log_in(self, host: str) -> None:
        """Return None: the password is one that its user has set, and is to be handed over."""

    # --- reading ---------------------------------------------------------------------------

    def repositories(self) -> Iterator[TcrRepository]:
        """Yield all repositories of the account."""
        what, action = "list repositories", "DescribeRepositoryOwnerPersonal"
        return map(_repository, self._rows(what, action, "RepoInfo"))

    def find(self, repository: str) -> TcrRepository | None:
        """Return a repository, or None if it or its namespace is not there."""
        what, action = f"look for the repository {repository}", "DescribeRepositoryPersonal"
        try:
            said = self._api.call(what, action, RepoName=repository)
        except NotFound:
            return None
        return _repository(_data(said))

    def tags(self, repository: str) -> Iterator[Artifact]:
        """Yield the tags of a repository, without digests."""
        what, action = f"list the tags of {repository}", "DescribeImagePersonal"
        for tag in self._rows(what, action, "TagInfo", RepoName=repository):
            artifact = artifact_of(
                repository,
                tag.get("TagName"),
                pushed=tag.get("PushTime"),
                size=tag.get("SizeByte"),
            )
            if artifact is not None:
                yield artifact

    def has_namespace(self, namespace: str) -> bool:
        """Tell whether a namespace of this account is there; similar names are found, too."""
        what, action = f"look for the namespace {namespace}", "DescribeNamespacePersonal"
        listed = self._rows(what, action, "NamespaceInfo", Namespace=namespace)
        return any(each.get("Namespace") == namespace for each in listed)

    def _rows(self, what: str, action: str, key: str, **wanted: Any) -> Iterator[dict[str, Any]]:
        def page(offset: int) -> tuple[list[dict[str, Any]], Any]:
            said = _data(self._api.call(what, action, Offset=offset, Limit=PAGE, **wanted))
            return said.get(key) or [], next(filter(None, map(said.get, _TOTALS)), None)

        return by_rows(page)

    # --- writing ---------------------------------------------------------------------------

    def create_namespace(self, namespace: str, *, public: bool) -> None:  # noqa: ARG002 - repositories are
        """Make a namespace; fine if it is there."""
        what = f"create the namespace {namespace}"
        self._made(what, "CreateNamespacePersonal", Namespace=namespace)

    def create(self, repository: str, *, public: bool) -> bool:
        """Make a repository; False if it is there."""
        what, action = f"create the repository {repository}", "CreateRepositoryPersonal"
        return self._made(what, action, RepoName=repository, Public=int(public))

    def _made(self, what: str, action: str, **parameters: Any) -> bool:
        try:
            self._api.call(what, action, **parameters)
        except RegistryError as error:
            if says_it_is_there(error):
                return False
            raise
        return True

    def describe(self, repository: str, text: str) -> None:
        """Replace the text about a repository."""
        what, action = f"describe {repository}", "ModifyRepositoryInfoPersonal"
        self._api.call(what, action, RepoName=repository, Description=text)

    def delete_tag(self, repository: str, tag: Tag) -> None:
        """Take a tag away."""
        what, action = f"delete the tag {tag} of {repository}", "DeleteImagePersonal"
        self._api.call(what, action, RepoName=repository, Tag=str(tag))


def _data(said: dict[str, Any]) -> dict[str, Any]:
    found = said.get("Data")
    return found if isinstance(found, dict) else {}


def _repository(said: dict[str, Any]) -> TcrRepository:
    return TcrRepository(name=str(said.get("RepoName")), text=said.get("Description") or "")
