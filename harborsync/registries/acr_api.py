"""What both editions of ACR have in common: their API, its pages, and what stands on them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from harborsync.artifact import NOT_FETCHED, UNAVAILABLE, Artifact, Unknown
from harborsync.credentials.aliyun_api import AliyunApi
from harborsync.credentials.aliyun_sts import Sts
from harborsync.credentials.base import Credential
from harborsync.errors import CredentialsError, InvalidReference, RegistryError
from harborsync.reference import Digest, Tag
from harborsync.registries.clouds import told_by_challenge
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harborsync.credentials.aliyun import AliyunIdentity
    from harborsync.credentials.aliyun_api import Wish
    from harborsync.endpoint import Endpoint
    from harborsync.provider import OpenContext
    from harborsync.registries.acr_place import AcrPlace

#: The most entries of a page, by Alibaba's documents.
PAGE: Final = 100
#: Calls a second: Harbor found fifteen to be too many for one account (goharbor/harbor #21953).
CALLS_PER_SECOND: Final = 10.0
#: What a summary must hold, since it may not be empty; it stands for no text at all.
NO_SUMMARY: Final = "No description"
# ACR's own words for a repository that it made on a push (GetRepository, documents).
_NO_TEXTS: Final = frozenset({"", NO_SUMMARY, "Automatically created repository"})
_NORMAL: Final = "NORMAL"
_GONE: Final = frozenset({"DELETED", "DELETING"})


@attrs.frozen(kw_only=True)
class AcrRepository:
    """A repository as the API tells of it.

    Attributes:
        name: Its full name.
        id: Its id, where the edition has some.
        summary: The text about it.
        public: Whether everybody may pull.
        immutable: Whether its tags cannot be moved.
    """

    name: str
    id: str = ""
    summary: str = ""
    public: bool = False
    immutable: bool | Unknown = UNAVAILABLE

    @property
    def text(self) -> str:
        """What people wrote about it, or nothing."""
        return "" if self.summary in _NO_TEXTS else self.summary


@attrs.frozen(kw_only=True)
class Recipe:
    """How repositories are made.

    Attributes:
        public: Whether everybody may pull.
        immutable: Whether tags cannot be moved.
    """

    public: bool = False
    immutable: bool = False

    @property
    def kind(self) -> str:
        """ACR's word for who may pull."""
        return "PUBLIC" if self.public else "PRIVATE"


class AcrEdition(Protocol):
    """What an edition's API can do; safe to call from several threads."""

    def log_in(self, host: str) -> Credential:
        """Buy a login for a registry host."""
        ...

    def repositories(self) -> Iterator[AcrRepository]:
        """Yield all repositories."""
        ...

    def find(self, repository: str) -> AcrRepository | None:
        """Return a repository, or None if it or its namespace is not there."""
        ...

    def tags(self, repository: AcrRepository) -> Iterator[dict[str, Any]]:
        """Yield what the API says of each tag, with keys as :func:`artifact_of` reads them."""
        ...

    def create(self, repository: str, recipe: Recipe) -> bool:
        """Make a repository, and its namespace; False if it is there."""
        ...

    def set_summary(self, repository: AcrRepository, summary: str) -> None:
        """Replace the text about a repository."""
        ...

    def delete_tag(self, repository: AcrRepository, tag: Tag) -> None:
        """Take a tag away."""
        ...


class AcrApi:
    """The API of one registry; finds out at the first call where that is. Thread-safe.

    Args:
        place: Which registry.
        identity: Who asks.
        endpoint: The endpoint, for its options.
        context: What comes from outside.
    """

    def __init__(
        self, place: AcrPlace, identity: AliyunIdentity, endpoint: Endpoint, context: OpenContext
    ) -> None:
        self._place = place
        self._identity = identity
        self._endpoint = endpoint
        self._context = context
        self._lock = threading.Lock()
        self._api: AliyunApi | None = None

    @property
    def host(self) -> str:
        """The registry's host, for messages."""
        return self._place.host

    @property
    def instance(self) -> str:
        """The id of an enterprise's instance."""
        return self._located().instance

    def call(self, what: str, wish: Wish) -> dict[str, Any]:
        """Return the answer to a call.

        Raises:
            HarborsyncError: It was refused, or cannot be reached.
        """
        return self._made().call(f"{what} at {self.host}", wish)

    def login(self, username: Any, password: Any, end: Any) -> Credential:
        """Return the login that was bought; it ends with the session that bought it, too.

        Args:
            username: The user.
            password: The password.
            end: When it ends, in milliseconds since 1970.

        Raises:
            CredentialsError: It is none.
        """
        ends = filter(None, (time_of(end), self._made().keys.expires_at))
        if not isinstance(username, str) or not isinstance(password, str) or not password:
            msg = f"the token for {self.host} that Alibaba gave is no login"
            raise CredentialsError(msg, hint="something else than Alibaba may have answered")
        return Credential(
            username=username,
            secret=Secret(password),
            expires_at=min(ends, default=None),
            origin="Alibaba Cloud (GetAuthorizationToken)",
        )

    def close(self) -> None:
        """Close the connections; may be called again."""
        if self._api is not None:
            self._api.close()

    def _located(self) -> AcrPlace:
        with self._lock:
            ask = partial(told_by_challenge, self._endpoint, self._context)
            self._place = self._place.completed(ask)
            return self._place

    def _made(self) -> AliyunApi:
        place, options = self._located(), self._endpoint.options
        with self._lock:
            if self._api is None:
                sts = Sts(
                    url=options.get("sts_api", f"https://{place.api_host('sts')}"),
                    region=place.region,
                    endpoint=self._endpoint,
                    context=self._context,
                )
                self._api = AliyunApi(
                    options.get("api", f"https://{place.api_host('cr')}"),
                    place.region,
                    sts.keys_of(self._identity),
                    self._endpoint,
                    self._context,
                    per_second=CALLS_PER_SECOND,
                )
            return self._api


# --- what stands in answers ----------------------------------------------------------------------


def numbered(page: Callable[[int], tuple[list[dict[str, Any]], Any]]) -> Iterator[dict[str, Any]]:
    """Yield the entries of a list whose pages have numbers.

    Args:
        page: Returns the entries of a page, and how many there are on all pages: a number, or a
            text that holds one.

    Raises:
        RegistryError: The pages have no end.
    """
    seen, last = 0, None
    for number in count(1):
        entries, told = page(number)
        if entries and entries == last:
            msg = f"page {number} of a list is the same as the one before"
            raise RegistryError(msg, hint="tell the registry's operator: the list has no end")
        last = entries
        yield from entries
        seen += len(entries)
        total = number_of(told)
        is_last = len(entries) < PAGE if total is None else seen >= total
        if is_last or not entries:
            return


def artifact_of(repository: AcrRepository, image: Mapping[str, Any]) -> Artifact | None:
    """Return the artifact of an image that is listed, or None for what is gone or is no tag.

    Args:
        repository: Where it is.
        image: ``tag``, ``digest``, ``status``, ``update`` in milliseconds, ``size`` in bytes.
    """
    status = image.get("status") or _NORMAL
    tag = tag_of(str(image.get("tag")))
    if status in _GONE or tag is None:
        return None
    pushed_at, size = time_of(image.get("update")), number_of(image.get("size"))
    return Artifact(
        repository=repository.name,
        tag=tag,
        digest=digest_of(image.get("digest")),
        pushed_at=UNAVAILABLE if pushed_at is None else pushed_at,
        size=size or NOT_FETCHED,
        labels=UNAVAILABLE,
        immutable=repository.immutable,
        unreadable="" if status == _NORMAL else f"ACR says that its status is {status}",
    )


def digest_of(text: Any) -> Digest | Unknown:
    """Return a digest that may be written without its algorithm."""
    written = str(text or "")
    try:
        return Digest.parse(written if ":" in written else f"sha256:{written}")
    except InvalidReference:
        return NOT_FETCHED


def tag_of(text: str) -> Tag | None:
    """Return a tag, or None."""
    try:
        return Tag(text)
    except InvalidReference:
        return None


def time_of(milliseconds: Any) -> datetime | None:
    """Return a time that is given in milliseconds since 1970, as a number or a text."""
    number = number_of(milliseconds)
    return datetime.fromtimestamp(number / 1000, UTC) if number else None


def number_of(value: Any) -> int | None:
    """Return a whole number that may be written as a text, or None."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


_DIGITS: Final = 15  # of a time in milliseconds that a datetime can hold


def parts_of(repository: str) -> tuple[str, str]:
    """Return namespace and name; the name may have slashes in the enterprise edition."""
    namespace, _, name = repository.partition("/")
    return namespace, name


def says_it_is_there(error: RegistryError) -> bool:
    """Tell whether something cannot be made because it is there.

    The code was not to be found in documents; every spelling that was is like this.
    """
    return any("EXIST" in code and "NOT_EXIST" not in code for code in error.codes)


def says_it_is_lacking(error: RegistryError) -> bool:
    """Tell whether a repository or its namespace is not there; an instance that is not is worse."""
    return not _LACKING.isdisjoint(error.codes)


_LACKING: Final = frozenset({"NAMESPACE_NOT_EXIST", "REPO_NOT_EXIST", "REPOSITORY_NOT_EXIST"})


def lacks_a_namespace(error: RegistryError) -> bool:
    """Tell whether something cannot be made because its namespace is lacking."""
    return "NAMESPACE_NOT_EXIST" in error.codes
