"""What a distribution server can do beyond reading and writing: each an ability of its own."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from harborsync.content import OCI_INDEX, Manifest
from harborsync.errors import CredentialsError, InvalidReference, RegistryError, Unsupported
from harborsync.reference import check_repository
from harborsync.registries.calls import path, pulling, pushing
from harborsync.registries.pages import names, pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.content import Descriptor
    from harborsync.http.wire import Answer
    from harborsync.reference import Digest, Tag
    from harborsync.registries.calls import Api

_log = logging.getLogger(__name__)

_OK: Final = 200
_OPENED: Final = frozenset({201, 202})
_NO_CATALOG: Final = frozenset({401, 404, 405})
_NO_REFERRERS: Final = frozenset({400, 404, 405, 501})  # OCI-6.1
_NO_TAG_DELETION: Final = frozenset({400, 405, 501})  # OCI-5.8
_DELETED: Final = frozenset({200, 202, 204, 404})


class Catalog:
    """Lists repositories by ``_catalog``, which many registries have not (OCI-8.2).

    Args:
        api: The registry.
        page_size: How many names to ask for at once.
        withdraw: Is called once the server has said that it has no catalog for us.
    """

    def __init__(self, api: Api, *, page_size: int, withdraw: Callable[[], None]) -> None:
        self._api = api
        self._page_size = page_size
        self._withdraw = withdraw

    def list_repositories(self) -> Iterator[str]:
        """Yield full repository names, in no order, each once.

        Raises:
            Unsupported: The registry has no catalog, or none for these credentials.
        """
        try:
            yield from filter(is_repository, self._listed())
        except (CredentialsError, RegistryError) as error:
            if isinstance(error, RegistryError) and error.status not in _NO_CATALOG:
                raise
            self._withdraw()
            msg = f"{self._api.name} does not list its repositories"
            raise Unsupported(
                msg, method="GET", hint="name the repositories one by one in the rule"
            ) from error

    def _listed(self) -> Iterator[str]:
        return names(
            self._api,
            "/v2/_catalog",
            "repositories",
            scopes=("registry:catalog:*",),
            what="list repositories",
            page_size=self._page_size,
        )


class Mounts:
    """Mounts blobs between repositories of one registry; any pair is worth a try (OCI-4.3)."""

    def may_mount(self, repository: str, from_repository: str) -> bool:  # noqa: ARG002
        """Tell whether trying is worth a request."""
        return True

    def origins(self, repository: str, blob: Descriptor) -> tuple[str, ...]:  # noqa: ARG002
        """Return nothing: the distribution API does not tell."""
        return ()


class Referrers:
    """Asks the referrers API, and remembers which repositories have none (OCI-6.1).

    Args:
        api: The registry.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._offered: dict[str, bool] = {}
        self._lock = threading.Lock()
        self._first: dict[str, threading.Lock] = {}

    def list_referrers(self, repository: str, subject: Digest) -> tuple[Descriptor, ...] | None:
        """Return the referrers' descriptors, or None if this repository has no such API.

        Whether it has is found out by one thread while the others wait for its answer.
        """
        if repository not in self._offered:
            with self._lock:
                first = self._first.setdefault(repository, threading.Lock())
            with first:
                if repository not in self._offered:
                    return self._asked(repository, subject)
        return self._asked(repository, subject) if self._offered[repository] else None

    def _asked(self, repository: str, subject: Digest) -> tuple[Descriptor, ...] | None:
        what = f"list referrers of {subject} in {repository}"
        url = path(repository, "referrers", subject)
        found: dict[Digest, Descriptor] = {}
        for answer in pages(self._api, url, scopes=pulling(repository), what=what):
            if not self._is_offered(repository, answer, what):
                return None
            page = Manifest.parse(answer.body, OCI_INDEX)
            found.update((entry.digest, entry) for entry in page.entries)
        return tuple(found.values())

    def indexes(self, repository: str, subject: Digest) -> bool:
        """Tell whether the registry keeps track of referrers in a repository (OCI-6.8)."""
        if repository not in self._offered:
            self.list_referrers(repository, subject)
        return self._offered.get(repository, False)

    def _is_offered(self, repository: str, answer: Answer, what: str) -> bool:
        if answer.status == _OK:
            served = answer.headers.get("Content-Type").partition(";")[0].strip().lower()
            self._offered[repository] = served == OCI_INDEX
            return served == OCI_INDEX
        error = self._api.refused(answer, what)
        if answer.status not in _NO_REFERRERS:
            raise error
        if "NAME_UNKNOWN" not in error.codes:  # which says nothing about the API
            self._offered[repository] = False
        return False


class TagDeletion:
    """Deletes tags by their name, never by digest, which would take other tags along (OCI-5.8).

    Args:
        api: The registry.
        withdraw: Is called once the server has said that it cannot.
    """

    def __init__(self, api: Api, *, withdraw: Callable[[], None]) -> None:
        self._api = api
        self._withdraw = withdraw

    def delete_tag(self, repository: str, tag: Tag) -> None:
        """Take the tag away; fine if it is not there.

        Raises:
            Unsupported: The registry cannot delete a tag and leave its digest.
        """
        what = f"delete the tag {tag} of {repository}"
        scopes = (f"repository:{repository}:delete",)
        answer = self._api.send(
            "DELETE", path(repository, "manifests", tag), scopes=scopes, what=what
        )
        if answer.status in _NO_TAG_DELETION:
            self._withdraw()
            msg = f"{self._api.name} cannot {what} without deleting what it points to"
            raise Unsupported(msg, method="DELETE", status=answer.status)
        if answer.status not in _DELETED:
            raise self._api.refused(answer, what)


class Probes:
    """Looks where bytes come from, and whether an upload would be taken.

    Args:
        api: The registry.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def served_from(self, repository: str, blob: Descriptor) -> str:
        """Return the origin at the end of the redirects of a blob; its bytes are left unread."""
        what = f"read blob {blob.digest} of {repository}"
        url = path(repository, "blobs", blob.digest)
        call = self._api.call("GET", url, scopes=pulling(repository), what=what)
        with self._api.transport.stream(call) as stream:
            if stream.answer.status != _OK:
                raise self._api.refused(stream.answer, what)
            parts = urlsplit(stream.answer.url)
            return f"{parts.scheme}://{parts.netloc}"

    def try_upload(self, repository: str) -> None:
        """Open an upload and cancel it.

        Raises:
            RegistryError: The registry does not take one.
        """
        what = f"open an upload to {repository}"
        url = path(repository, "blobs", "uploads", "")
        scopes = pushing(repository)
        answer = self._api.send("POST", url, body=b"", scopes=scopes, what=what)
        if answer.status not in _OPENED:
            raise self._api.refused(answer, what)
        session = answer.headers.get("Location")
        if session:
            # One that is not cancelled expires by itself, so the answer does not matter.
            where = urljoin(answer.url, session)
            self._api.send(
                "DELETE", where, scopes=scopes, what=f"cancel the upload to {repository}"
            )


def is_repository(name: str) -> bool:
    """Tell whether something in a catalog can be a repository's name."""
    try:
        check_repository(name)
    except InvalidReference:
        _log.debug("left out of the catalog: %r is no repository name", name[:200])
        return False
    return True
