"""What Amazon's private and public registries have in common."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from harborsync.credentials.aws import (
    IDENTITY_OPTIONS,
    AwsApi,
    AwsIdentity,
    AwsPlace,
    place_options,
)
from harborsync.credentials.cloud import handed_over
from harborsync.errors import InvalidReference, RegistryError
from harborsync.reference import Tag
from harborsync.registries.clouds import check_api

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from harborsync.endpoint import Endpoint
    from harborsync.http.wire import Answer
    from harborsync.provider import OpenContext

#: Options of both.
AMAZON_OPTIONS: Final = IDENTITY_OPTIONS | {"api"}
#: How many entries a page has at the most, by the service's model.
PAGE: Final = 1000
#: Calls a second: Amazon bears more, and says so when it does not.
CALLS_PER_SECOND: Final = 50.0
_FORBIDDEN: Final = 403
_EXPIRED: Final = b"authorization token has expired"
_GONE: Final = frozenset({"ImageNotFound", "ImageNotFoundException", "RepositoryNotFoundException"})


def open_api(
    service: str,
    endpoint: Endpoint,
    context: OpenContext,
    *,
    region: str,
    fips: bool = False,
    dual_stack: bool = False,
) -> AwsApi:
    """Return the API of a service, asked as who the endpoint and the credentials say.

    Raises:
        InvalidValue: An option cannot be read.
        ConfigurationError: Options do not go together.
    """
    check_api(endpoint, "api", "sts_api")
    given = handed_over(context.credentials, AwsIdentity) or AwsIdentity()
    place = AwsPlace(region=region, fips=fips, dual_stack=dual_stack, **place_options(endpoint))
    identity = given.with_options(endpoint.options)
    return AwsApi(service, identity, place, context, per_second=CALLS_PER_SECOND)


def pages(
    api: AwsApi, what: str, operation: str, key: str, **arguments: Any
) -> Iterator[list[dict[str, Any]]]:
    """Yield what stands under ``key`` of each page of a listing.

    Raises:
        RegistryError: The pages go round in circles.
    """
    token: str | None = None
    while True:
        answer = api.call(what, operation, maxResults=PAGE, nextToken=token, **arguments)
        yield answer.get(key, [])
        last, token = token, answer.get("nextToken")
        if not token:
            return
        if token == last:
            msg = f"cannot {what}: the list has no end"
            raise RegistryError(msg, method=operation)


def tag_of(text: str) -> Tag | None:
    """Return a tag, or None: Amazon takes longer ones than the specification."""
    try:
        return Tag(text)
    except InvalidReference:
        return None


def in_utc(moment: datetime | None) -> datetime | None:
    """Return a time as the SDK gives it, in the zone of this machine, in UTC."""
    return None if moment is None else moment.astimezone(UTC)


def is_expired_login(answer: Answer) -> bool:
    """Tell whether a 403 says that the token has expired (buildkite/elastic-ci-stack-for-aws #178)."""
    return answer.status == _FORBIDDEN and _EXPIRED in answer.body.lower()


def says(error: RegistryError, code: str) -> bool:
    """Tell whether the API has refused for this reason."""
    return code in error.codes


def check_deleted(answer: Mapping[str, Any], what: str) -> None:
    """See that BatchDeleteImage has done it; what is not there need not be deleted.

    Raises:
        RegistryError: It has not.
    """
    for failure in answer.get("failures", []):
        code, reason = failure.get("failureCode", "Unknown"), failure.get("failureReason", "")
        if code not in _GONE:
            msg = f"cannot {what}: {code}: {reason}"
            raise RegistryError(msg, method="BatchDeleteImage", codes=(code,))
