"""Bearer tokens of the emulated Harbor: ``/service/token`` and what a token is worth.

Nothing that is asked for is refused: a token simply holds less, down to nothing for a wrong
password or a missing project, and the request that uses it fails (HARBOR-5).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from typing import TYPE_CHECKING, Any, Final

from harborsync.testing.harbor_access import ANYBODY, Identity, identify
from harborsync.testing.server_wire import Response

if TYPE_CHECKING:
    from harborsync.testing.harbor_state import HarborState
    from harborsync.testing.server_wire import Request

SERVICE: Final = "harbor-registry"
SERVICE_PATH: Final = "/service/token"
_ISSUER: Final = "harbor-token-issuer"
_MINUTE: Final = 60
# A real one is signed with RSA; nobody but Harbor itself checks it.
_HEAD: Final = {"alg": "RS256", "typ": "JWT"}


class TokenService:
    """Issues tokens and reads them again.

    Args:
        state: Who may do what.
    """

    def __init__(self, state: HarborState) -> None:
        self._state = state
        self._key = secrets.token_bytes(32)
        self._oldest = 0
        self._issued = 0

    def expire(self) -> None:
        """Make every token that was ever issued invalid."""
        self._oldest = self._issued + 1

    def issue(self, request: Request) -> Response:
        """Answer a request to the token service."""
        if request.method != "GET":
            return _text(405, "Method Not Allowed\n")
        service = request.parameter("service") or ""
        if service != SERVICE:
            return _text(400, f"Unable to handle service: {service}")
        identity = identify(self._state, request)
        scopes = [value for name, value in request.query if name == "scope"]
        asked = [scope for value in scopes for scope in value.split()]
        if not asked and not identity.known:
            return Response(status=401)
        with self._state.lock:
            access = [self._granted(identity, scope) for scope in asked]
        return self._answer(identity, access or None)

    def identity(self, request: Request) -> Identity:
        """Return who bears a token, with what it grants; anybody if it is not good."""
        token = request.headers.get("authorization", "").partition(" ")[2]
        claims = self._claims(token)
        if claims is None:
            return ANYBODY
        access = claims["access"] or ()
        grants = {f"{each['type']}:{each['name']}": frozenset(each["actions"]) for each in access}
        return Identity(name=claims.get("sub", ""), grants=grants)

    def _granted(self, identity: Identity, scope: str) -> dict[str, Any]:
        kind, _, rest = scope.partition(":")
        name = rest.rpartition(":")[0]
        return {"type": kind, "name": name, "actions": self._actions(identity, kind, name)}

    def _actions(self, identity: Identity, kind: str, name: str) -> list[str]:
        """Return all the caller may do, asked for or not, as Harbor does (HARBOR-5)."""
        if (kind, name) == ("registry", "catalog"):
            return ["*"] if identity.may_in_system("catalog", "read") else []
        project = self._state.find_project(name.partition("/")[0])
        if kind != "repository" or "/" not in name or project is None:
            return []
        may = [each for each in ("pull", "push") if identity.may(project, "repository", each)]
        return [*may, "delete"] if "push" in may else may

    def _answer(self, identity: Identity, access: list[dict[str, Any]] | None) -> Response:
        now = self._state.clock.now()
        lifetime = int(self._state.settings["token_expiration"] * _MINUTE)
        body = {
            "token": self._token(identity.name, access, int(now.timestamp()), lifetime),
            "access_token": "",
            "expires_in": lifetime,
            "issued_at": f"{now.replace(tzinfo=None).isoformat(timespec='seconds')}Z",
        }
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return Response(status=200, headers=headers, body=json.dumps(body).encode())

    def _token(self, name: str, access: list[dict[str, Any]] | None, now: int, seconds: int) -> str:
        self._issued += 1
        claims = {
            "iss": _ISSUER,
            "aud": SERVICE,
            "iat": now,
            "nbf": now,
            "exp": now + seconds,
            "jti": f"{self._issued:016x}",
            "access": access,
            **({"sub": name} if name else {}),
        }
        signed = f"{_encoded(_HEAD)}.{_encoded(claims)}"
        return f"{signed}.{self._signature(signed)}"

    def _claims(self, token: str) -> dict[str, Any] | None:
        """Return what a good token says, or None."""
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._signature(signed).encode(), signature.encode()):
            return None
        text = signed.partition(".")[2]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        good = claims["exp"] > self._state.clock.now().timestamp()
        return claims if good and int(claims["jti"], 16) >= self._oldest else None

    def _signature(self, signed: str) -> str:
        return _base64(hmac.digest(self._key, signed.encode(), hashlib.sha256))


def _text(status: int, text: str) -> Response:
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    return Response(status=status, headers=headers, body=text.encode())


def _encoded(value: object) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
