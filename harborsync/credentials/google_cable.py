"""Our way to Google's APIs and token servers, and google-auth put onto it.

google-auth signs and reads only; each of its requests goes over our cable, with our certificates,
proxies and timeouts. It is kept from repeating by itself: what passes is raised as our error, and
:class:`~harborsync.credentials.calling.CloudApi` tries again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs

from harborsync.credentials.cable import OURS, api_endpoint, asked_once
from harborsync.credentials.hosts import is_loopback
from harborsync.errors import AddressRefused, NoCredentials, ServerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harborsync.endpoint import Endpoint
    from harborsync.http.metadata import MetadataTransport
    from harborsync.http.wire import Answer
    from harborsync.provider import OpenContext

_METADATA: Final = frozenset({"metadata.google.internal", "169.254.169.254"})
_FAILED: Final = frozenset({408, 500, 502, 503, 504})
#: What a token server calls a failure of its own, whatever the status.
_PASSING: Final = frozenset({"internal_failure", "server_error", "temporarily_unavailable"})


@attrs.frozen(kw_only=True)
class Cables:
    """Sends requests that bring their own login: no redirect, no repetition; thread-safe.

    Attributes:
        endpoint: The registry's endpoint, whose options say how.
        context: Clock, limits, cancel flag.
    """

    endpoint: Endpoint
    context: OpenContext

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Return the answer to a request.

        Raises:
            AddressRefused: It would go to another machine in the clear.
            TransportError: The network broke.
            RateLimited: Too much is asked there.
            ServerError: The server failed, and says itself that it may be tried again.
        """
        from harborsync.http.session import open_transport  # noqa: PLC0415 - loads requests
        from harborsync.http.wire import Call  # noqa: PLC0415

        parts = urlsplit(url)
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        kept = {name: text for name, text in headers.items() if name.lower() not in OURS}
        transport = open_transport(self._place(url), asked_once(self.context))
        try:
            what = f"call {parts.hostname}"
            call = Call(method=method, url=target, headers=kept, body=body, what=what)
            return _checked(transport.send(attrs.evolve(call, repeatable=False)))
        finally:
            transport.close()

    def _place(self, url: str) -> Endpoint:
        parts = urlsplit(url)
        is_here = parts.scheme == "http" and is_loopback(parts.hostname or "")
        if parts.scheme != "https" and not is_here:
            msg = f"{parts.scheme}://{parts.hostname} would be asked for a token in the clear"
            raise AddressRefused(msg, hint="it must be https, but for 127.0.0.1")
        return api_endpoint(parts.netloc, parts.scheme, self.endpoint)


def _checked(answer: Answer) -> Answer:
    """Let an answer pass that is one, so that google-auth has no cause to wait and try again."""
    if answer.status in _FAILED or said_error(answer) in _PASSING:
        msg = f"cannot call Google: status {answer.status}"
        raise ServerError(msg, method=answer.method, status=answer.status)
    return answer


def said_error(answer: Answer) -> str:
    """Return what a token server calls its refusal, or nothing."""
    try:
        found = json.loads(answer.body)
    except ValueError:
        return ""
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, str) else ""


@attrs.frozen
class Response:
    """An answer, as google-auth reads it."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    data: bytes = attrs.field(repr=False)


@attrs.frozen
class Bridge:
    """Stands in for a transport of google-auth.

    Attributes:
        cables: Our way.
        machine: The way to the metadata service, or None where it is not to be asked.
    """

    cables: Cables
    machine: MetadataTransport | None = None

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002 - ours count
        **kwargs: Any,  # noqa: ARG002
    ) -> Response:
        """Return what a request of google-auth came to."""
        sent = body.encode() if isinstance(body, str) else body
        parts = urlsplit(url)
        if parts.hostname in _METADATA:
            return _response(self._ask_machine(method, url, headers or {}))
        return _response(self.cables.send(method, url, headers or {}, sent))

    def _ask_machine(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        """Ask the metadata service at its one address, whatever name google-auth has for it."""
        if self.machine is None:
            msg = "the metadata service of this machine is not to be asked"
            raise NoCredentials(msg, hint="take NO_GCE_CHECK out of the environment")
        parts = urlsplit(url)
        target = f"{parts.path}{f'?{parts.query}' if parts.query else ''}"
        return self.machine.ask(target, method=method, headers=headers)


def _response(answer: Answer) -> Response:
    kind = answer.headers.get("Content-Type")
    return Response(answer.status, {"content-type": kind}, answer.body)
