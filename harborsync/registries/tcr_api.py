"""What both editions of TCR have in common: their API, its pages, and what stands on them."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from harborsync.artifact import NOT_FETCHED, UNAVAILABLE, Artifact, Unknown
from harborsync.credentials.base import Credential
from harborsync.credentials.tencent_api import TencentApi
from harborsync.credentials.tencent_sts import Sts
from harborsync.errors import (
    CredentialsError,
    Denied,
    InvalidReference,
    InvalidValue,
    NotFound,
    RegistryError,
)
from harborsync.reference import Digest, Tag
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harborsync.credentials.tencent import TencentIdentity
    from harborsync.endpoint import Endpoint
    from harborsync.provider import OpenContext
    from harborsync.registries.tcr_place import TcrPlace

#: The most entries of a page, by Tencent's documents; where they name none, fewer may come.
PAGE: Final = 100
_RUNNING: Final = "Running"


@attrs.frozen(kw_only=True)
class TcrRepository:
    """A repository as the API tells of it.

    Attributes:
        name: Its full name.
        text: The text about it.
    """

    name: str
    text: str = ""


class TcrEdition(Protocol):
    """What an edition's API can do; safe to call from several threads."""

    def log_in(self, host: str) -> Credential | None:
        """Buy a login for a registry host, or return None where that is not to be had."""
        ...

    def repositories(self) -> Iterator[TcrRepository]:
        """Yield all repositories."""
        ...

    def find(self, repository: str) -> TcrRepository | None:
        """Return a repository, or None if it or its namespace is not there."""
        ...

    def tags(self, repository: str) -> Iterator[Artifact]:
        """Yield the tags of a repository, some perhaps twice."""
        ...

    def has_namespace(self, namespace: str) -> bool:
        """Tell whether a namespace is there."""
        ...

    def create_namespace(self, namespace: str, *, public: bool) -> None:
        """Make a namespace; fine if it is there."""
        ...

    def create(self, repository: str, *, public: bool) -> bool:
        """Make a repository; False if it is there."""
        ...

    def describe(self, repository: str, text: str) -> None:
        """Replace the text about a repository."""
        ...

    def delete_tag(self, repository: str, tag: Tag) -> None:
        """Take a tag away."""
        ...


class TcrApi:
    """The API of one registry; finds out at the first call where that is. Thread-safe.

    Args:
        place: Which registry.
        identity: Who asks.
        endpoint: The endpoint, for its options.
        context: What comes from outside.
    """

    def __init__(
        self, place: TcrPlace, identity: TencentIdentity, endpoint: Endpoint, context: OpenContext
    ) -> None:
        options = endpoint.options
        sts = Sts(
            url=options.get("sts_api"),
            region=place.usual_region,
            endpoint=endpoint,
            context=context,
        )
        self._place = place
        self._api = TencentApi("tcr", options.get("api"), sts.keys_of(identity), endpoint, context)
        self._lock = threading.Lock()
        self._is_seen = False

    @property
    def host(self) -> str:
        """The registry's host, for messages."""
        return self._place.host

    def call(self, what: str, action: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer to an action that is about no instance.

        Raises:
            HarborsyncError: It was refused, or cannot be reached.
        """
        where = self._place.usual_region
        return self._api.call(f"{what} at {self.host}", action, where, **parameters)

    def call_instance(self, what: str, action: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer to an action on the instance, in its region.

        Raises:
            Denied: This identity sees no such instance.
            InvalidValue: The instance is in another region than the options say.
            HarborsyncError: It was refused, or cannot be reached.
        """
        place = self._located()
        parameters["RegistryId"] = place.instance
        try:
            return self._api.call(f"{what} at {self.host}", action, place.region, **parameters)
        except NotFound:
            self._see()  # a wrong instance is not to be taken for a repository that is lacking
            raise

    def login(self, username: Any, password: Any, end: Any) -> Credential:
        """Return the login that was bought; it ends with the session that bought it, too.

        Args:
            username: The user.
            password: The password.
            end: When it ends, in milliseconds since 1970.

        Raises:
            CredentialsError: It is none.
        """
        keys = self._api.keys
        ends = filter(None, (_ending(end), keys.expires_at if keys is not None else None))
        if not isinstance(username, str) or not isinstance(password, str) or not password:
            msg = f"the token for {self.host} that Tencent gave is no login"
            raise CredentialsError(msg, hint="something else than Tencent Cloud may have answered")
        return Credential(
            username=username,
            secret=Secret(password),
            expires_at=min(ends, default=None),
            origin="Tencent Cloud (CreateInstanceToken)",
        )

    def close(self) -> None:
        """Close the connections; may be called again."""
        self._api.close()

    # --- which instance --------------------------------------------------------------------

    def _located(self) -> TcrPlace:
        place = self._place
        return place if place.instance and place.region else self._see()

    def _see(self) -> TcrPlace:
        """Return the place as the API tells of it; it is asked once."""
        with self._lock:
            if not self._is_seen:
                found = self._looked_up()
                region, instance = found["RegionName"], found["RegistryId"]
                if self._place.region not in {"", region}:
                    msg = f"the instance {instance} of TCR is in {region}, not in {self._place.region}"
                    raise InvalidValue(msg, hint=f"write region={region}, or leave it out")
                self._place = attrs.evolve(self._place, region=region, instance=instance)
                self._is_seen = True
            return self._place

    def _looked_up(self) -> Mapping[str, Any]:
        """Find the instance among those of all regions.

        Raises:
            Denied: This identity sees none such.
            RegistryError: It is there, and not running.
        """
        found = next(filter(self._is_meant, self._instances()), None)
        if found is None:
            wanted = self._place.instance or self._place.name or self.host
            msg = f"this identity sees no instance {wanted!r} of TCR in any region"
            hint = (
                "see that the key is of the account that owns it and may tcr:DescribeInstances; for "
                "a domain of your own add instance_id=tcr-… ('tccli tcr DescribeInstances' has it)"
            )
            raise Denied(msg, method="DescribeInstances", hint=hint)
        if found.get("Status") != _RUNNING:
            msg = f"the instance {found.get('RegistryName')} of TCR is {found.get('Status')}"
            raise RegistryError(
                msg, method="DescribeInstances", hint="see its state in the console"
            )
        return found

    def _instances(self) -> Iterator[dict[str, Any]]:
        """Yield instances; here, other than below, an offset counts rows."""
        name, instance = self._place.name, self._place.instance
        filters = [{"Name": "RegistryName", "Values": [name]}] if name and not instance else None

        def page(offset: int) -> tuple[list[dict[str, Any]], Any]:
            said = self.call(
                "find the instance",
                "DescribeInstances",
                AllRegion=True,
                Registryids=[instance] if instance else None,
                Filters=filters,
                Offset=offset,
                Limit=PAGE,
            )
            return said.get("Registries") or [], said.get("TotalCount")

        return by_rows(page)

    def _is_meant(self, instance: Mapping[str, Any]) -> bool:
        """Tell whether it is the one; the filter of the API finds names that are like it, too."""
        place = self._place
        if place.instance:
            return bool(instance.get("RegistryId") == place.instance)
        if place.name:
            return bool(instance.get("RegistryName") == place.name)
        return bool(instance.get("PublicDomain") == place.host)


# --- what stands in answers ----------------------------------------------------------------------


def by_pages(page: Callable[[int], tuple[list[dict[str, Any]], Any]]) -> Iterator[dict[str, Any]]:
    """Yield the entries of a list whose "offset" is the number of a page, from 1.

    The number of all entries changes while others push, so only a short page ends it.

    Args:
        page: Returns the entries of a page, and how many there are on all pages.

    Raises:
        RegistryError: The pages have no end.
    """
    size, last = PAGE, None
    for number in count(1):
        entries, total = page(number)
        last = _unlike(last, entries)
        yield from entries
        if number == 1 and isinstance(total, int) and len(entries) < total:
            size = len(entries)  # it gives fewer at once than was asked for
        if len(entries) < size or not entries:
            return


def by_rows(page: Callable[[int], tuple[list[dict[str, Any]], Any]]) -> Iterator[dict[str, Any]]:
    """Yield the entries of a list whose offset is the number of entries before a page.

    Args:
        page: Returns the entries of a page, and how many there are on all pages.

    Raises:
        RegistryError: The pages have no end.
    """
    offset, last = 0, None
    while True:
        entries, total = page(offset)
        last = _unlike(last, entries)
        yield from entries
        offset += len(entries)
        is_short = len(entries) < PAGE and not (isinstance(total, int) and offset < total)
        if is_short or not entries:
            return


def _unlike(last: list[dict[str, Any]] | None, page: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if page and page == last:
        msg = "a page of a list is the same as the one before"
        raise RegistryError(msg, hint="tell the registry's operator: the list has no end")
    return page


def artifact_of(
    repository: str, tag: Any, *, digest: Any = None, pushed: Any = None, size: Any = None
) -> Artifact | None:
    """Return the artifact of a tag that is listed, or None if it is no tag we take."""
    try:
        name = Tag(str(tag))
    except InvalidReference:
        return None
    return Artifact(
        repository=repository,
        tag=name,
        digest=_digest_of(digest),
        pushed_at=time_of(pushed) or UNAVAILABLE,
        size=size if isinstance(size, int) and size > 0 else NOT_FETCHED,
        labels=UNAVAILABLE,
        immutable=UNAVAILABLE,
    )


def _digest_of(text: Any) -> Digest | Unknown:
    try:
        return Digest.parse(str(text))
    except InvalidReference:
        return NOT_FETCHED


# 2022-08-02 03:52:06.915755 +0000 UTC, as Go prints times.
_GO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)? ?(Z|[+-]\d\d:?\d\d)(?: [A-Z]{3,4})?",
    re.ASCII,
)


def time_of(text: Any) -> datetime | None:
    """Return a time, or None if it cannot be read or does not say in which zone it is."""
    found = _GO.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    day, time, fraction, zone = found.groups()
    try:
        return datetime.fromisoformat(f"{day}T{time}.{(fraction or '0'):0<6}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _ending(milliseconds: Any) -> datetime | None:
    """Return when a login ends; 0 is never, as for a long-term one."""
    if not isinstance(milliseconds, int) or milliseconds <= 0:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
