"""How the emulated Harbor talks to registries: to others by HTTP, to itself within the process.

A :class:`Line` sends one request and returns the whole answer; what needs more than that, such
as a client for the distribution API, is built on it and does not know which kind it has.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import ssl
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import SplitResult, parse_qs, urlencode, urlsplit

import attrs

from harborsync.http.challenges import BASIC, choose, parse_challenges
from harborsync.testing.server_wire import Request, RequestBody

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harborsync.testing.server_wire import Response

_TIMEOUT: Final = 30.0
_UNAUTHORIZED: Final = 401
_REDIRECTED: Final = frozenset({301, 302, 307, 308})


class FarError(Exception):
    """A registry cannot be reached, or did not answer as it should.

    Args:
        message: What happened, as Harbor's logs would say it.
        status: The status answered, or 0.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@attrs.frozen(kw_only=True)
class Reply:
    """An answer, read to its end.

    Attributes:
        status: HTTP status.
        headers: Header fields by lower-case name.
        body: The body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return 200 <= self.status < 300  # noqa: PLR2004 - that is what 2xx means

    def json(self) -> Any:
        """Return the parsed body.

        Raises:
            FarError: It is no JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError:
            msg = "the answer is no JSON"
            raise FarError(msg, self.status) from None


class Line(Protocol):
    """Sends requests to one registry."""

    def send(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        """Send a request and return the answer.

        Raises:
            FarError: There is no answer.
        """
        ...


class HttpLine:
    """A line to another server, with a login or without.

    Basic credentials go with every request below ``/api``; the distribution API is asked
    without, and then as its challenge demands.

    Args:
        url: Scheme and host.
        user: Name to log in with, or empty.
        secret: Password to log in with.
        insecure: Take any certificate.
        ca: PEM certificates to trust besides the system's, or empty.
    """

    def __init__(
        self, url: str, *, user: str = "", secret: str = "", insecure: bool = False, ca: str = ""
    ) -> None:
        self._url = urlsplit(url)
        self._basic = basic(user, secret) if user else ""
        self._context = _tls(insecure=insecure, ca=ca) if self._url.scheme == "https" else None
        self._logins: dict[tuple[str, ...], str] = {}

    def send(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        """Send a request and return the answer, having logged in if asked to.

        Raises:
            FarError: The server cannot be reached.
        """
        fields = dict(headers or {})
        scopes = _scopes(method, target)
        login = self._basic if target.startswith("/api/") else self._logins.get(scopes, "")
        reply = self._exchange(method, target, _with_login(fields, login), body)
        if reply.status == _UNAUTHORIZED and not login:
            self._logins[scopes] = login = self._log_in(reply, scopes)
            if login:
                reply = self._exchange(method, target, _with_login(fields, login), body)
        return self._followed(reply, fields)

    def _exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        return exchange(
            f"{self._url.scheme}://{self._url.netloc}{target}",
            method=method,
            headers=headers,
            body=body,
            context=self._context,
        )

    def _followed(self, reply: Reply, headers: Mapping[str, str]) -> Reply:
        """Return what an answer points to, fetched without credentials (OCI-2.20)."""
        location = reply.headers.get("location", "")
        if reply.status not in _REDIRECTED or not location.startswith("http"):
            return reply
        return exchange(location, method="GET", headers=headers, context=self._context)

    def _log_in(self, reply: Reply, scopes: tuple[str, ...]) -> str:
        challenge = choose(parse_challenges([reply.headers.get("www-authenticate", "")]))
        if challenge is None or challenge.scheme == BASIC:
            return self._basic
        asked = [("service", challenge.service), *(("scope", scope) for scope in scopes)]
        headers = {"Authorization": self._basic} if self._basic else {}
        url = f"{challenge.realm}?{urlencode(asked)}"
        reply = exchange(url, method="GET", headers=headers, context=self._context)
        document = reply.json() if reply.ok else {}
        token = document.get("token") or document.get("access_token")
        return f"Bearer {token}" if token else ""


class InnerLine:
    """A line of a server to itself.

    Args:
        answer: What answers a request.
        host: The host that the requests name.
        login: Value of the ``Authorization`` header, or empty.
        secure: Whether the server speaks TLS to others.
    """

    def __init__(
        self, answer: Callable[[Request], Response], *, host: str, login: str, secure: bool = False
    ) -> None:
        self._answer = answer
        self._host = host
        self._login = login
        self._secure = secure

    def send(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        """Answer a request as if it had come over the network."""
        fields = {name.lower(): value for name, value in (headers or {}).items()}
        fields = {"host": self._host, **fields, "content-length": str(len(body))}
        request = Request(
            method=method,
            target=target,
            headers=_with_login(fields, self._login, name="authorization"),
            body=RequestBody(io.BufferedReader(io.BytesIO(body)), len(body)),
            secure=self._secure,
        )
        response = self._answer(request)
        return Reply(
            status=response.status,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=b"" if method == "HEAD" else b"".join(response.blocks()),
        )


def exchange(
    url: str,
    *,
    method: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    context: ssl.SSLContext | None = None,
    timeout: float = _TIMEOUT,
) -> Reply:
    """Send one request on a connection of its own and return the answer.

    Raises:
        FarError: The server cannot be reached, or broke off.
    """
    parts = urlsplit(url)
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    try:
        with closing(_connection(parts, timeout, context)) as connection:
            connection.request(method, target, body=body or None, headers=dict(headers or {}))
            response = connection.getresponse()
            content = response.read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        msg = f'{method.capitalize()} "{url}": {error}'
        raise FarError(msg) from error
    fields = {name.lower(): value for name, value in response.getheaders()}
    return Reply(status=response.status, headers=fields, body=content)


def basic(user: str, secret: str) -> str:
    """Return the value of an ``Authorization`` header."""
    return f"Basic {base64.b64encode(f'{user}:{secret}'.encode()).decode()}"


def _connection(
    url: SplitResult, timeout: float, context: ssl.SSLContext | None
) -> http.client.HTTPConnection:
    if url.scheme not in {"http", "https"} or not url.netloc:
        msg = f'unsupported protocol scheme "{url.scheme}"'
        raise ValueError(msg)
    if url.scheme == "https":
        return http.client.HTTPSConnection(url.netloc, timeout=timeout, context=context)
    return http.client.HTTPConnection(url.netloc, timeout=timeout)


def _tls(*, insecure: bool, ca: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(cadata=ca)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _with_login(
    headers: Mapping[str, str], login: str, *, name: str = "Authorization"
) -> dict[str, str]:
    return {**headers, name: login} if login else dict(headers)


def _scopes(method: str, target: str) -> tuple[str, ...]:
    """Return what a token must allow for a request to be answered."""
    path, _, query = target.partition("?")
    path = path.removeprefix("/v2").strip("/")
    if path in {"", "_catalog"}:
        return ("registry:catalog:*",) if path else ()
    for mark in ("/manifests/", "/blobs/", "/tags/"):
        path = path.partition(mark)[0]
    actions = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(method, "pull,push")
    sources = parse_qs(query).get("from", [])
    return (f"repository:{path}:{actions}", *(f"repository:{each}:pull" for each in sources))
