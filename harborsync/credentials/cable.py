"""Our way to an API of a cloud, and an SDK of it put onto that.

The SDKs carry HTTP libraries of their own, which know nothing of our certificates, proxies and
limits, and quote signed addresses in their exceptions. Alibaba's ignores NO_PROXY besides, and
Tencent's reads ``~/.netrc``. Here they sign and read only; each request goes over a cable.
"""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import attrs

from harborsync.credentials.base import Anonymous
from harborsync.endpoint import Endpoint
from harborsync.errors import InvalidValue
from harborsync.retry import RetryPolicy
from harborsync.secrets import redact_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harborsync.http.wire import Answer, Transport
    from harborsync.provider import OpenContext

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
_PORTS: Final = {"http": 80, "https": 443}
#: Options of a registry's endpoint that hold for the cloud's APIs, too.
_OPTIONS: Final = frozenset({"ca", "proxy", "timeouts"})
#: Fields that our cable sets itself.
OURS: Final = frozenset({"accept-encoding", "connection", "content-length", "host", "user-agent"})
#: Fields that name the action, of Alibaba and of Tencent.
_ACTIONS: Final = ("x-acs-action", "X-TC-Action")


@attrs.frozen(kw_only=True)
class ApiAddress:
    """Where an API listens: over https, or on this machine.

    Attributes:
        scheme: ``https``, or ``http`` to loopback.
        host: The host.
        port: The port.
    """

    scheme: str
    host: str
    port: int

    def __attrs_post_init__(self) -> None:
        """Refuse to be asked in the clear: passwords of registries come back.

        Raises:
            InvalidValue: It is plain http to another machine, or no such address.
        """
        is_fit = self.scheme == "https" or (self.scheme == "http" and self.host in _LOOPBACK)
        if not self.host or not is_fit:
            msg = f"{self.scheme}://{self.host} is no address of an API that may be asked"
            raise InvalidValue(msg, hint="write https://HOST; http:// only for 127.0.0.1")

    @classmethod
    def of(cls, url: str) -> Self:
        """Read a URL.

        Raises:
            InvalidValue: It cannot be asked.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            msg = f"{redact_url(url)[:200]!r} is no address of an API"
            raise InvalidValue(msg, hint="write https://HOST") from None
        return cls(scheme=parts.scheme, host=parts.hostname or "", port=port)

    @property
    def netloc(self) -> str:
        """``host:port``, without a usual port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def api_endpoint(netloc: str, scheme: str, endpoint: Endpoint) -> Endpoint:
    """Return an API as an endpoint, which is spoken to as the options of a registry's say.

    Args:
        netloc: Where it listens.
        scheme: ``https`` or ``http``.
        endpoint: The registry's endpoint.
    """
    options = {name: text for name, text in endpoint.options.items() if name in _OPTIONS}
    return Endpoint(
        provider="registry",
        address=netloc,
        plain_http=scheme == "http",
        option_items={**options, "redirects": "refuse"},
    )


def asked_once(context: OpenContext) -> OpenContext:
    """Return a context for requests that bring their own login or signature.

    It is good once: whoever tries again does so with a fresh one.
    """
    return attrs.evolve(context, credentials=Anonymous(), retry=RetryPolicy(attempts=1))


class Cable:
    """Sends requests that are signed already: no login, no redirect, no repetition; thread-safe.

    Laid at the first request.

    Args:
        address: Where to.
        endpoint: The registry's endpoint, whose options say how.
        context: Clock, limits, cancel flag.
    """

    def __init__(self, address: ApiAddress, endpoint: Endpoint, context: OpenContext) -> None:
        self._endpoint = api_endpoint(address.netloc, address.scheme, endpoint)
        self._context = asked_once(context)
        self._lock = threading.Lock()
        self._transport: Transport | None = None

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        """Return the answer to a request, whatever its status.

        Raises:
            TransportError: The network broke.
            RateLimited: Too much is asked there.
        """
        from harborsync.http.wire import Call  # noqa: PLC0415 - loads requests

        action = next((headers[name] for name in _ACTIONS if name in headers), "STS")
        what = f"call {action}"
        call = Call(
            method=method, url=target, headers=headers, body=body, repeatable=False, what=what
        )
        return self._laid().send(call)

    def close(self) -> None:
        """Close the connections; may be called again."""
        with self._lock:
            transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def _laid(self) -> Transport:
        from harborsync.http.session import open_transport  # noqa: PLC0415 - loads requests

        with self._lock:
            if self._transport is None:
                self._transport = open_transport(self._endpoint, self._context)
            return self._transport


class Bridge:
    """Stands in for an adapter of the SDK's own HTTP library, and sends over our cable.

    Args:
        cable: The cable.
        make_response: Makes an empty response of that library.
    """

    def __init__(self, cable: Cable, make_response: Callable[[], Any]) -> None:
        self._cable = cable
        self._make_response = make_response

    def send(self, request: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - its timeouts and proxies are not ours
        """Send a request that the SDK has prepared, and return what its library would."""
        body = request.body.encode() if isinstance(request.body, str) else request.body
        headers = {n: text for n, text in request.headers.items() if n.lower() not in OURS}
        answer = self._cable.send(request.method, request.path_url, headers, body)
        response = self._make_response()
        response.status_code = answer.status
        response.headers["Content-Type"] = answer.headers.get("Content-Type")
        response.raw = io.BytesIO(answer.body)
        response.request = request
        return response

    def close(self) -> None:
        """Leave the cable as it is: it is not the SDK's."""
