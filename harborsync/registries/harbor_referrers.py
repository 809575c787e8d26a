"""Who points to what, without asking where lists have told already that nobody does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harborsync.errors import CredentialsError, RegistryError
from harborsync.harbor.query import project_of

if TYPE_CHECKING:
    from harborsync.content import Descriptor
    from harborsync.reference import Digest
    from harborsync.registries.harbor_lists import Lists
    from harborsync.registry import Referring


class ListedReferrers:
    """Asks the referrers API only where a list says that there is something.

    Lists tell it of whatever has a tag. Of the children of an index, which lists leave out,
    it is asked for all of them at once. What points to something that points itself is in no
    list, and is asked for one by one.

    Args:
        lists: What lists have told.
        api: The referrers API, which knows types and annotations.
    """

    def __init__(self, lists: Lists, api: Referring) -> None:
        self._lists = lists
        self._api = api
        self._tells_siblings = True

    def list_referrers(self, repository: str, subject: Digest) -> tuple[Descriptor, ...] | None:
        """Return the referrers' descriptors, or None if there is no such API (before 2.8)."""
        known = self._lists.notes.has_satellites(repository, subject)
        if known is None:
            known = self._told_of_siblings(repository, subject)
        return () if known is False else self._api.list_referrers(repository, subject)

    def _told_of_siblings(self, repository: str, child: Digest) -> bool | None:
        """Ask for all children of an index at once, and return what is said of this one.

        A Harbor that does not answer such a question is not asked again.
        """
        notes = self._lists.notes
        siblings = notes.siblings(repository, child) if self._tells_siblings else ()
        if not siblings or not self._lists.is_told(project_of(repository)):
            return None
        try:
            for _ in self._lists.of_digests(repository, siblings):
                pass  # the notes are what is wanted
        except (CredentialsError, RegistryError):
            self._tells_siblings = False
        return notes.has_satellites(repository, child)
