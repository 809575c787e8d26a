"""The refusals of the emulated Harbor, named by its codes; each raises (HARBOR-2).

>>> from harborsync.testing import harbor_refusals as refuse
>>> refuse.not_found("project absent not found")
Traceback (most recent call last):
harborsync.testing.harbor_wire.HarborError: project absent not found
"""

from __future__ import annotations

from typing import NoReturn

from harborsync.testing.harbor_wire import HarborError


def bad_request(message: str) -> NoReturn:
    """Refuse a request that makes no sense."""
    raise HarborError(400, "BAD_REQUEST", message)


def unauthorized(message: str = "unauthorized") -> NoReturn:
    """Refuse a caller without a login."""
    raise HarborError(401, "UNAUTHORIZED", message)


def forbidden(message: str = "forbidden") -> NoReturn:
    """Refuse a caller whose permissions do not suffice."""
    raise HarborError(403, "FORBIDDEN", message)


def denied(message: str) -> NoReturn:
    """Refuse a write that a limit or the read-only mode stops."""
    raise HarborError(403, "DENIED", message)


def not_found(message: str) -> NoReturn:
    """Refuse a request for something that is not there."""
    raise HarborError(404, "NOT_FOUND", message)


def not_allowed(message: str) -> NoReturn:
    """Refuse a method that is not meant for its path."""
    raise HarborError(405, "METHOD_NOT_ALLOWED", message)


def conflict(message: str) -> NoReturn:
    """Refuse the second one of a name."""
    raise HarborError(409, "CONFLICT", message)


def precondition(message: str) -> NoReturn:
    """Refuse a request that something else stands in the way of."""
    raise HarborError(412, "PRECONDITION", message)


def unprocessable(message: str) -> NoReturn:
    """Refuse a request that breaks the API's own description."""
    raise HarborError(422, "UNPROCESSABLE_ENTITY", f"validation failure list:\n{message}")


def internal() -> NoReturn:
    """Give the blank answer that several mistakes of a client get (HARBOR-2)."""
    raise HarborError(500, "UNKNOWN", "internal server error")
