"""How the emulated Harbor writes answers: JSON bodies, its error envelope, dates.

A handler that cannot do what it is asked raises a :class:`HarborError`; the functions of
``harbor_refusals`` raise the usual ones (HARBOR-2).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from harborsync.testing.server_wire import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The date that Harbor writes for "never" (HARBOR-1).
NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)
_ERROR_TYPE: Final = "application/json; charset=utf-8"
_SERVER_FAULT: Final = 500


class HarborError(Exception):
    """An answer that is an error; what went wrong inside the server is never told.

    Args:
        status: HTTP status.
        code: Harbor's word for it.
        message: What a person reads.
        headers: Header fields of the answer.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        shown = "internal server error" if status >= _SERVER_FAULT else message
        body = compact({"errors": [{"code": code, "message": shown}]})
        self.code = code
        self.response = Response(
            status=status,
            headers={"Content-Type": _ERROR_TYPE, **(headers or {})},
            body=body,
        )


def compact(value: object) -> bytes:
    """Return ``value`` as Harbor writes JSON: without blanks, and with a line's end."""
    return f"{json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n".encode()


def ok(value: object, headers: Mapping[str, str] | None = None) -> Response:
    """Return a 200 with ``value`` as JSON."""
    fields = {"Content-Type": "application/json", **(headers or {})}
    return Response(status=200, headers=fields, body=compact(value))


def done() -> Response:
    """Return a 200 that says no more."""
    return Response(status=200)


def created(location: str) -> Response:
    """Return a 201; where the new thing is has no host (HARBOR-1)."""
    return Response(status=201, headers={"Location": location})


def date(when: datetime) -> str:
    """Return a date as Harbor writes it: in UTC, with milliseconds.

    Example:
        >>> date(NEVER)
        '0001-01-01T00:00:00.000Z'
    """
    return f"{when.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def full(**fields: Any) -> dict[str, Any]:
    """Return an object without its empty strings, zeros, nulls and ``false`` (HARBOR-1)."""
    return {name: value for name, value in fields.items() if value not in ("", 0, None, False)}
