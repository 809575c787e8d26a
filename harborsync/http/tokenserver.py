"""The token server: asked by GET as docker does, or by the OAuth2 POST (OCI-2.6, 2.7)."""

from __future__ import annotations

import base64
import json
import re
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import attrs

from harborsync.credentials.base import Credential, Kind
from harborsync.errors import AddressRefused, CredentialsRefused, RegistryError
from harborsync.http.answers import Refusal, error_from, is_about_a_right
from harborsync.http.scopes import lacking
from harborsync.http.tokens import Token, life_of
from harborsync.secrets import MASK, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harborsync.clock import Clock
    from harborsync.http.urls import Origin, Url
    from harborsync.http.wire import Answer

#: The longest answer of a token server (OCI-2.8).
TOKEN_CAP: Final = 128 * 1024
_CLIENT: Final = "harborsync"
_OK: Final = 200
_REFUSED: Final = frozenset({400, 401, 403})
_UNKNOWN_LOGIN: Final = 401
_NO_POST: Final = frozenset({401, 404, 405})
# Token servers on another host than the registry that are known to be its own (OCI-9.2).
_KNOWN_REALMS: Final = tuple(
    (re.compile(registry), re.compile(realm))
    for registry, realm in (
        (r"(.+\.)?docker\.io", r"auth\.docker\.io"),
        (r"registry\.gitlab\.com", r"gitlab\.com"),
        (r"nvcr\.io", r"authn\.nvidia\.com"),
        # Below oss-… everybody can have a host of his own, as a bucket.
        (r".+\.aliyuncs\.com", r"dockerauth[a-z0-9-]*(?:\.(?!oss-)[a-z0-9-]+)?\.aliyuncs\.com"),
    )
)


@attrs.frozen(kw_only=True)
class TokenRequest:
    """What a token is asked for.

    Attributes:
        url: The token server.
        service: The name it knows the registry by.
        scopes: What is wanted, push first (OCI-2.12).
        credential: The login, or None to ask as nobody.
    """

    url: Url
    service: str
    scopes: tuple[str, ...]
    credential: Credential | None


class LoginRefused(CredentialsRefused):
    """The token server does not know the login, whatever it is asked for."""


class TokenServer:
    """Gets tokens; thread-safe.

    Args:
        ask: Sends one request by method, URL, headers and body, follows no redirect and adds
            no login.
        clock: Tells how long a token lasts.
    """

    def __init__(
        self,
        ask: Callable[[str, Url, dict[str, str], bytes | None], Answer],
        clock: Clock,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._renewed: dict[Credential, Secret] = {}

    def fetch(self, request: TokenRequest) -> Token:
        """Return a token; it may grant less than was asked (OCI-2.10).

        Raises:
            CredentialsRefused: The login is wrong, or is of no use here.
            RegistryError: The token server failed, or talks nonsense.
            TransportError: It cannot be reached.
        """
        asked_at = self._clock.monotonic()
        answer = self._by_post(request) if _wants_post(request.credential) else None
        if answer is None:
            answer = self._by_get(request)
        if answer.status != _OK:
            raise _refused(request, self._without_secret(answer, request.credential))
        return attrs.evolve(self._token(request, answer), asked_at=asked_at)

    def _by_get(self, request: TokenRequest) -> Answer:
        fields = [("service", request.service)] if request.service else []
        fields += [("scope", scope) for scope in request.scopes]
        headers = {}
        credential = request.credential
        if credential is not None:
            fields += [("account", credential.username)] if credential.username else []
            headers["Authorization"] = basic(credential)
        joint = "&" if "?" in request.url.target else "?"
        query = urlencode(fields, quote_via=quote, safe=":/,*")
        target = f"{request.url.target}{joint}{query}" if query else request.url.target
        return self._ask("GET", attrs.evolve(request.url, target=target), headers, None)

    def _by_post(self, request: TokenRequest) -> Answer | None:
        """Return the answer, or None if the server has no POST and a GET may do."""
        credential = request.credential
        assert credential is not None  # noqa: S101 - only a credential wants a POST
        fields = {**self._grant(credential), "service": request.service}
        if request.scopes:
            fields["scope"] = " ".join(request.scopes)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._ask("POST", request.url, headers, urlencode(fields).encode())
        has_password = credential.kind is Kind.CLIENT
        return None if answer.status in _NO_POST and has_password else answer

    def _grant(self, credential: Credential) -> dict[str, str]:
        if credential.kind is Kind.CLIENT:
            return {
                "grant_type": "client_credentials",
                "client_id": credential.username,
                "client_secret": credential.secret.reveal(),
            }
        return {
            "grant_type": "refresh_token",
            "client_id": _CLIENT,
            "refresh_token": self._secret_of(credential).reveal(),
        }

    def _secret_of(self, credential: Credential) -> Secret:
        with self._lock:
            return self._renewed.get(credential, credential.secret)

    def _without_secret(self, answer: Answer, credential: Credential | None) -> Answer:
        """Mask our secret in a refusal: some servers quote what they were sent (OCI-9.12)."""
        secret = None if credential is None else self._secret_of(credential)
        if not secret:
            return answer
        body = answer.body.replace(secret.reveal().encode(), MASK.encode())
        return attrs.evolve(answer, body=body)

    def _token(self, request: TokenRequest, answer: Answer) -> Token:
        fields = _parse(answer)
        text = next((fields[key] for key in ("token", "access_token") if fields.get(key)), None)
        if not isinstance(text, str):
            msg = f"the token server {request.url.origin} answered without a token"
            raise RegistryError(msg, method=answer.method, status=answer.status)
        self._remember_renewed(request.credential, fields.get("refresh_token"))
        life = life_of(_number(fields.get("expires_in")), request.credential, self._clock)
        return Token(
            secret=Secret(text),
            until=self._clock.monotonic() + life,
            lacks=lacking(text, request.scopes),
        )

    def _remember_renewed(self, credential: Credential | None, text: Any) -> None:
        """Keep the refresh token that takes the place of an identity token (OCI-2.7)."""
        if credential is not None and credential.kind is Kind.IDENTITY and isinstance(text, str):
            with self._lock:
                self._renewed[credential] = Secret(text)


def basic(credential: Credential) -> str:
    """Return the value of a Basic Authorization field, in UTF-8."""
    pair = f"{credential.username}:{credential.secret.reveal()}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def check_realm(
    realm: Url, home: Origin, trusted: Iterable[str], credential: Credential | None
) -> None:
    """Refuse a token server that must not see the login (OCI-9.2).

    It is the registry's own if it has the same host on any port, is known to belong to it, or
    is trusted by name. Anyone may be asked for a token for nobody: that gives nothing away.

    Raises:
        AddressRefused: It is another's, or would be asked in the clear.
    """
    where = realm.origin
    if home.scheme == "https" and where.scheme != "https":
        msg = f"{home} names a token server over plain http, {where}"
        raise AddressRefused(msg)
    own = where.host == home.host or where.host in trusted
    if credential is None or own or _is_known(home.host, where.host):
        return
    msg = f"{home} names a token server of another host, {where}"
    raise AddressRefused(
        msg, hint=f"if it is right, add trusted_realms={where.host} to the endpoint's options"
    )


def _is_known(registry: str, realm: str) -> bool:
    return any(ours.fullmatch(registry) and its.fullmatch(realm) for ours, its in _KNOWN_REALMS)


def _wants_post(credential: Credential | None) -> bool:
    return credential is not None and credential.kind in {Kind.IDENTITY, Kind.CLIENT}


def _refused(request: TokenRequest, answer: Answer) -> CredentialsRefused | RegistryError:
    what = f"get a token from {request.url.origin}"
    credential = request.credential
    unusable = _wants_post(credential) and answer.status in _NO_POST
    is_about_login = answer.status in _REFUSED and not is_about_a_right(answer)
    if credential is None or not (is_about_login or unusable):
        return error_from(answer, what)
    said = Refusal.of(answer).text
    kind = LoginRefused if answer.status == _UNKNOWN_LOGIN else CredentialsRefused
    return kind(
        f"cannot {what} with the login from {credential.origin}: status {answer.status}"
        + (f" ({said})" if said else ""),
        hint="check the user name and the password or token, and whether it has expired",
    )


def _parse(answer: Answer) -> dict[str, Any]:
    try:
        fields = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < 10**9 else None
