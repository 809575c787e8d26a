"""Tags by Harbor's API, which may go without what they point to.

The distribution API of Harbor deletes by digest only, and every tag of it (HARBOR §6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harborsync.harbor.query import repository_path

if TYPE_CHECKING:
    from harborsync.harbor.api import HarborApi
    from harborsync.reference import Tag


class TagDeletion:
    """Takes tags away one by one; thread-safe.

    Args:
        api: Harbor's API.
    """

    def __init__(self, api: HarborApi) -> None:
        self._api = api

    def delete_tag(self, repository: str, tag: Tag) -> None:
        """Take the tag away; fine if it is not there.

        Raises:
            TagImmutable: A rule of the project keeps it.
        """
        what = f"delete the tag {tag} of {repository}"
        path = repository_path(repository, "artifacts", tag, "tags", tag)
        self._api.delete(path, what=what, needs="tag:delete")
