"""Logins at the embedded registry: Basic, or tokens from a token server of its own.

    >>> auth = TokenAuth(users={"ann": "secret"}, lifetime=60)
    >>> auth.identity_token("ann") != auth.identity_token("ann")
    True

The token server listens at ``/token`` of the same port and speaks both forms: GET with
Basic, and the OAuth2 POST with a password or a refresh token (OCI-2.6, 2.7). It grants what
the user may have of what was asked, and nothing more, without calling that an error
(OCI-2.10).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol
from urllib.parse import parse_qs

import attrs

from harborsync.clock import SystemClock
from harborsync.testing.server_wire import Refusal, json_response

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from harborsync.clock import Clock
    from harborsync.testing.profiles import LoopbackQuirks
    from harborsync.testing.server_wire import Request, Response

SERVICE: Final = "loopback-registry"
TOKEN_PATH: Final = "/token"  # noqa: S105 - a path
_ISSUER: Final = "loopback-token-server"
_READS: Final = frozenset({"GET", "HEAD"})
_REPOSITORY: Final = re.compile(r"/v2/(.+?)/(?:blobs|manifests|tags|referrers)/.*")


@attrs.frozen
class Access:
    """Something that may be done: a kind of thing, its name, and actions.

    Attributes:
        kind: ``repository`` or ``registry``.
        name: The repository, or ``catalog``.
        actions: ``pull``, ``push``, ``delete`` or ``*``.
    """

    kind: str
    name: str
    actions: frozenset[str]

    @classmethod
    def parse(cls, scope: str) -> Access | None:
        """Read ``repository:a/b:pull,push``, or return None if it is no scope."""
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        return cls(kind, name, frozenset(actions.split(","))) if name else None

    def covers(self, other: Access) -> bool:
        """Tell whether having this is enough for ``other``."""
        same = (self.kind, self.name) == (other.kind, other.name)
        return same and ("*" in self.actions or other.actions <= self.actions)

    def __str__(self) -> str:
        """Return it as a scope."""
        return f"{self.kind}:{self.name}:{','.join(sorted(self.actions, reverse=True))}"


def wanted_access(request: Request) -> list[Access]:
    """Return what a request needs, as distribution asks for it (OCI-2.11)."""
    if request.path == "/v2/_catalog":
        return [Access("registry", "catalog", frozenset({"*"}))]
    found = _REPOSITORY.fullmatch(request.path)
    if found is None:
        return []
    if request.method in _READS:
        actions = {"pull"}
    else:
        actions = {"delete"} if request.method == "DELETE" else {"pull", "push"}
    wanted = [Access("repository", found[1], frozenset(actions))]
    source = request.parameter("from") if request.method == "POST" else None
    if source:
        wanted.append(Access("repository", source, frozenset({"pull"})))
    return wanted


class Auth(Protocol):
    """Decides who may do what."""

    def admit(self, request: Request, quirks: LoopbackQuirks) -> None:
        """Let a request pass.

        Raises:
            Refusal: It needs a login, or a better one.
        """
        ...

    def issue(self, request: Request, quirks: LoopbackQuirks) -> Response:
        """Answer a request to the token server."""
        ...

    def expire(self) -> None:
        """Make every token that was ever issued invalid."""
        ...


def _basic(request: Request) -> tuple[str, str] | None:
    """Return the user and password of a Basic header, or None if there is none."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


def _knows(users: Mapping[str, str], user: str, password: str) -> bool:
    return hmac.compare_digest(users.get(user, secrets.token_hex()).encode(), password.encode())


def _unauthorized(challenge: str, quirks: LoopbackQuirks) -> NoReturn:
    headers = {} if quirks.challenges == "bare" else {"WWW-Authenticate": challenge}
    raise Refusal(401, "UNAUTHORIZED", "authentication required", headers=headers)


class BasicAuth:
    """Wants a user and a password with every request.

    Args:
        users: Passwords by user.
    """

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = dict(users)

    def admit(self, request: Request, quirks: LoopbackQuirks) -> None:
        """Let a request with a known user and password pass.

        Raises:
            Refusal: It has none.
        """
        login = _basic(request)
        if login is None or not _knows(self._users, *login):
            _unauthorized(f'Basic realm="{SERVICE}"', quirks)

    def issue(self, request: Request, quirks: LoopbackQuirks) -> Response:  # noqa: ARG002
        """Say that there is no token server.

        Raises:
            Refusal: Always.
        """
        raise Refusal(404, "NOT_FOUND", "404 page not found")

    def expire(self) -> None:
        """Do nothing: passwords do not expire."""


def everything(user: str | None, access: Access) -> Collection[str]:
    """Grant users all they ask for, and nobody else anything."""
    return access.actions if user is not None else ()


class TokenAuth:
    """Wants a token, and issues tokens.

    Args:
        users: Passwords by user; who is added to it later is a user, too.
        lifetime: Seconds a token is good.
        clock: Tells when one has expired.
        grants: Given a user, or None for nobody, and what is asked for: the actions granted.
        algorithm: ``HS256``, or ``RS256`` with a key pair made on first use.
        service: What the token server calls the registry.
    """

    def __init__(
        self,
        *,
        users: Mapping[str, str],
        lifetime: float = 300.0,
        clock: Clock | None = None,
        grants: Callable[[str | None, Access], Collection[str]] = everything,
        algorithm: str = "HS256",
        service: str = SERVICE,
    ) -> None:
        self._users = users
        self._lifetime = lifetime
        self._clock = clock or SystemClock()
        self._grants = grants
        self._algorithm = algorithm
        self._service = service
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._refresh: dict[str, str] = {}
        self._oldest = 0
        self._issued = 0

    @property
    def issued(self) -> int:
        """How many tokens were issued so far."""
        return self._issued

    def identity_token(self, user: str) -> str:
        """Return a new refresh token for ``user``, as ``docker login`` would get one."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._refresh[token] = user
        return token

    def expire(self) -> None:
        """Make every token that was ever issued invalid; refresh tokens stay good."""
        with self._lock:
            self._oldest = self._issued + 1

    # --- at the registry -----------------------------------------------------------------

    def admit(self, request: Request, quirks: LoopbackQuirks) -> None:
        """Let a request with a sufficient token pass.

        Raises:
            Refusal: It has none, or one that is not good or not good for this.
        """
        wanted = wanted_access(request)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        claims = self._claims(token) if scheme.lower() == "bearer" else None
        if claims is None:
            self._challenge(request, quirks, wanted, "invalid_token" if token else "")
        else:
            held = [_access(each) for each in claims["access"]]
            if not all(any(each.covers(need) for each in held) for need in wanted):
                self._challenge(request, quirks, wanted, "insufficient_scope")

    def _challenge(
        self, request: Request, quirks: LoopbackQuirks, wanted: list[Access], error: str
    ) -> NoReturn:
        realm = quirks.realm or f"{request.origin}{TOKEN_PATH}"
        parts = {"realm": realm, "service": self._service}
        if wanted:
            parts["scope"] = " ".join(map(str, wanted))
        if error:
            parts["error"] = error
        bearer = "Bearer " + ",".join(f'{name}="{value}"' for name, value in parts.items())
        several = quirks.challenges == "several"
        _unauthorized(f'Negotiate, {bearer}, Basic realm="b, c"' if several else bearer, quirks)

    # --- at the token server -------------------------------------------------------------

    def issue(self, request: Request, quirks: LoopbackQuirks) -> Response:
        """Issue a token for what the user may have of what is asked.

        Raises:
            Refusal: The user, password or refresh token is not known.
        """
        if request.method == "POST":
            if not quirks.token_post:
                raise Refusal(404, "NOT_FOUND", "404 page not found")
            form = parse_qs(request.body.read().decode(errors="replace"))
            return self._answer(quirks, self._form_user(form), form)
        query: dict[str, list[str]] = {}
        for name, value in request.query:
            query.setdefault(name, []).append(value)
        return self._answer(quirks, self._basic_user(request, quirks), query)

    def _basic_user(self, request: Request, quirks: LoopbackQuirks) -> str | None:
        login = _basic(request)
        if login is None:
            return None
        if _knows(self._users, *login):
            return login[0]
        if quirks.wrong_password == 200:  # noqa: PLR2004 - a status
            return None
        raise Refusal(401, "UNAUTHORIZED", "incorrect username or password")

    def _form_user(self, form: dict[str, list[str]]) -> str:
        kind = _first(form, "grant_type")
        user = None
        if kind == "refresh_token":
            user = self._refresh.get(_first(form, "refresh_token"))
        elif kind == "password":
            name, password = _first(form, "username"), _first(form, "password")
            user = name if _knows(self._users, name, password) else None
        if user is None:
            raise Refusal(401, "UNAUTHORIZED", "invalid grant")
        return user

    def _answer(
        self, quirks: LoopbackQuirks, user: str | None, fields: dict[str, list[str]]
    ) -> Response:
        asked = [Access.parse(scope) for line in fields.get("scope", []) for scope in line.split()]
        granted = [self._granted(user, access) for access in asked if access is not None]
        token = self._token(user, granted)
        now = self._clock.now()
        answer: dict[str, Any] = {"token": token, "access_token": token}
        if quirks.expires_in:
            answer["expires_in"] = int(self._lifetime)
        skewed = now.timestamp() + quirks.issued_at_skew
        answer["issued_at"] = type(now).fromtimestamp(skewed, now.tzinfo).isoformat()
        offline = "offline" in fields.get("access_type", ())
        if user is not None and (offline or _first(fields, "offline_token") == "true"):
            answer["refresh_token"] = self.identity_token(user)
        return json_response(200, answer)

    def _granted(self, user: str | None, access: Access) -> dict[str, Any]:
        allowed = frozenset(self._grants(user, access)) & access.actions
        return {"type": access.kind, "name": access.name, "actions": sorted(allowed)}

    # --- the token itself ----------------------------------------------------------------

    def _token(self, user: str | None, access: list[dict[str, Any]]) -> str:
        now = self._clock.now().timestamp()
        with self._lock:
            self._issued += 1
            number = self._issued
        claims = {
            "iss": _ISSUER,
            "sub": user or "",
            "aud": self._service,
            "iat": now,
            "nbf": now,
            "exp": now + self._lifetime,
            "jti": number,
            "access": access,
        }
        signed = f"{_encoded({'typ': 'JWT', 'alg': self._algorithm})}.{_encoded(claims)}"
        return f"{signed}.{_base64(self._sign(signed.encode()))}"

    def _claims(self, token: str) -> dict[str, Any] | None:
        """Return what a good token says, or None."""
        signed, _, signature = token.rpartition(".")
        try:
            if not self._verifies(signed.encode(), _unbase64(signature)):
                return None
            claims: dict[str, Any] = json.loads(_unbase64(signed.partition(".")[2]))
        except ValueError:
            return None
        good = claims["exp"] > self._clock.now().timestamp() and claims["jti"] >= self._oldest
        return claims if good else None

    def _sign(self, message: bytes) -> bytes:
        if self._algorithm == "HS256":
            return hmac.digest(self._secret, message, hashlib.sha256)
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - heavy
        from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415 - heavy

        return self._key.sign(message, padding.PKCS1v15(), hashes.SHA256())

    def _verifies(self, message: bytes, signature: bytes) -> bool:
        # PKCS #1 v1.5 signatures are deterministic, so signing again verifies both kinds.
        return hmac.compare_digest(self._sign(message), signature)

    @cached_property
    def _key(self) -> RSAPrivateKey:
        from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - heavy

        return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _access(claim: Mapping[str, Any]) -> Access:
    return Access(claim["type"], claim["name"], frozenset(claim["actions"]))


def _first(fields: Mapping[str, list[str]], name: str) -> str:
    return fields.get(name, [""])[0]


def _encoded(value: object) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
