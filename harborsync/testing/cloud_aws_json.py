"""The JSON that Amazon's services speak, for the emulators of its registries."""

from __future__ import annotations

import base64
import json
import secrets
from typing import TYPE_CHECKING, Any, Final

from harborsync.testing.cloud_plane import ApiCall, ApiRefusal, page_of
from harborsync.testing.scripted import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harborsync.testing.cloud_plane import ApiLog
    from harborsync.testing.cloud_sts import Keyring
    from harborsync.testing.scripted import Heard

_TARGET: Final = "x-amz-target"
_USUAL_PAGE: Final = 100
_LARGEST_PAGE: Final = 1000


class JsonApi:
    """Answers the requests to one service.

    Args:
        service: Its name, for which requests must be signed.
        target: What the names of its operations begin with on the wire.
        operations: What answers each operation, given its parameters.
        keyring: Who may ask.
        log: The log.
    """

    def __init__(
        self,
        service: str,
        target: str,
        operations: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]],
        keyring: Keyring,
        log: ApiLog,
    ) -> None:
        self._service = service
        self._target = target
        self._operations = operations
        self._keyring = keyring
        self._log = log

    def answer(self, heard: Heard) -> Said:
        """Answer a request whose body is JSON."""
        operation = heard.headers.get(_TARGET, "").removeprefix(self._target)
        try:
            who, answer = self._result(heard, operation)
        except ApiRefusal as refusal:
            self._log.note(ApiCall(operation=operation, code=refusal.code))
            return _json(refusal.status, {"__type": refusal.code, "message": refusal.message})
        self._log.note(ApiCall(operation=operation, who=who))
        return _json(200, answer)

    def _result(self, heard: Heard, operation: str) -> tuple[str, dict[str, Any]]:
        who = self._keyring.admitted(heard, self._service, operation)
        self._log.check(operation)
        handler = self._operations.get(operation)
        if handler is None:
            raise ApiRefusal(400, "UnknownOperationException", "")
        return who, handler(json.loads(heard.body or b"{}"))


def is_form(heard: Heard) -> bool:
    """Tell whether a request is for a service that speaks in forms, as STS does."""
    return _TARGET not in heard.headers


def login_for(password: str, ends: float) -> dict[str, Any]:
    """Return a login for docker as GetAuthorizationToken gives it."""
    packed = base64.b64encode(f"AWS:{password}".encode()).decode()
    return {"authorizationToken": packed, "expiresAt": ends}


def paged(key: str, rows: Sequence[dict[str, Any]], wish: Mapping[str, Any]) -> dict[str, Any]:
    """Return the page that is asked for.

    Raises:
        ApiRefusal: It cannot be asked for so.
    """
    size = wish.get("maxResults", _USUAL_PAGE)
    if not 1 <= size <= _LARGEST_PAGE:
        message = "Invalid parameter at 'maxResults': must be between 1 and 1000"
        raise ApiRefusal(400, "InvalidParameterException", message)
    try:
        page, following = page_of(rows, size, wish.get("nextToken"))
    except ValueError:
        message = "Invalid parameter at 'nextToken'"
        raise ApiRefusal(400, "InvalidParameterException", message) from None
    return {key: list(page), **({} if following is None else {"nextToken": following})}


def _json(status: int, value: Mapping[str, Any]) -> Said:
    headers = (
        ("Content-Type", "application/x-amz-json-1.1"),
        ("x-amzn-RequestId", secrets.token_hex(16)),
    )
    return Said(status=status, headers=headers, body=json.dumps(value).encode())
