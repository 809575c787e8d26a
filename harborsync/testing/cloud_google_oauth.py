"""Google's token servers on loopback: OAuth2, workload identity, impersonation, metadata.

Assertions are verified by the public half of the key that signed them, tokens end, and refusals
use Google's own words. What answers is one server at several paths.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import attrs

from harborsync.testing.cloud_plane import ApiCall, ApiRefusal
from harborsync.testing.scripted import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from harborsync.clock import Clock
    from harborsync.testing.cloud_plane import ApiLog
    from harborsync.testing.scripted import Heard

ACCOUNT: Final = "mirror@acme.iam.gserviceaccount.com"
MACHINE: Final = "node@acme.iam.gserviceaccount.com"
POOL: Final = "//iam.googleapis.com/projects/1234567890/locations/global/workloadIdentityPools/ci/providers/ci"
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_AUDIENCE: Final = "https://oauth2.googleapis.com/token"
_JWT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_METADATA: Final = "/computeMetadata/v1/instance/service-accounts"
_LONGEST: Final = 3600
_SKEW: Final = 300


class TokenOffice:
    """Sells access tokens, and knows whose they are; thread-safe.

    Args:
        clock: Tells when a token has ended.
        lifetime: Seconds a token is good.
    """

    def __init__(self, clock: Clock, lifetime: float) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._lock = threading.Lock()
        self._sold: dict[str, tuple[str, float]] = {}

    @property
    def tokens(self) -> frozenset[str]:
        """Every token sold so far."""
        with self._lock:
            return frozenset(self._sold)

    def sell(self, who: str) -> dict[str, Any]:
        """Return a new token for somebody, as OAuth2 tells it."""
        token = f"ya29.{secrets.token_urlsafe(48)}"
        with self._lock:
            self._sold[token] = who, self._clock.now().timestamp() + self._lifetime
        return {"access_token": token, "expires_in": int(self._lifetime), "token_type": "Bearer"}

    def who(self, token: str) -> str | None:
        """Return whose token it is, or None if it is none or has ended."""
        with self._lock:
            who, end = self._sold.get(token, ("", 0.0))
        return who if end > self._clock.now().timestamp() else None

    def end_of(self, token: str) -> datetime:
        """Return when a token ends."""
        with self._lock:
            return datetime.fromtimestamp(self._sold[token][1], UTC)

    def expire(self) -> None:
        """End every token there is."""
        with self._lock:
            self._sold = {token: (who, 0.0) for token, (who, _) in self._sold.items()}


@attrs.define
class People:
    """Who there is.

    Attributes:
        account: The service account that has a key.
        machine: The service account of the machine, or None for a machine without.
        refresh_tokens: Users by their refresh tokens.
        subject_tokens: Workloads by the tokens that the pool takes.
        lends_to: For each service account, who may act for it.
    """

    account: str = ACCOUNT
    machine: str | None = MACHINE
    refresh_tokens: dict[str, str] = attrs.field(factory=dict, repr=False)
    subject_tokens: dict[str, str] = attrs.field(factory=dict, repr=False)
    lends_to: dict[str, set[str]] = attrs.field(factory=dict)


class GoogleLogin:
    """Answers requests to Google's token servers and to the metadata service.

    Args:
        people: Who there is.
        office: Sells tokens.
        log: The log.
        signing_clock: The time that assertions are held against.
    """

    def __init__(
        self, people: People, office: TokenOffice, log: ApiLog, signing_clock: Clock
    ) -> None:
        self._people = people
        self._office = office
        self._log = log
        self._clock = signing_clock

    def answer(self, heard: Heard) -> Said | None:
        """Answer a request, or return None if it is for somebody else."""
        if heard.path.startswith("/computeMetadata/"):
            return self._metadata(heard)
        if heard.path.endswith(":generateAccessToken"):
            return None
        servers: dict[str, Callable[[dict[str, str]], tuple[str, str]]] = {
            "/token": self._oauth,
            "/v1/token": self._sts,
        }
        serve = servers.get(heard.path)
        return None if serve is None else self._served(heard, serve)

    def lend(self, account: str, caller: str, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Return a token of a service account for somebody who may act for it.

        Raises:
            ApiRefusal: He may not.
        """
        chain = [
            caller,
            *(each.rpartition("/")[2] for each in wish.get("delegates", [])),
            account,
        ]
        for who, whom in pairwise(chain):
            if who not in self._people.lends_to.get(whom, set()):
                message = (
                    "Permission 'iam.serviceAccounts.getAccessToken' denied on resource "
                    "(or it may not exist)."
                )
                raise ApiRefusal(403, "PERMISSION_DENIED", message)
        token = self._office.sell(account)["access_token"]
        end = self._office.end_of(token)
        return {"accessToken": token, "expireTime": f"{end:%Y-%m-%dT%H:%M:%SZ}"}

    # --- OAuth2 ----------------------------------------------------------------------------

    def _served(self, heard: Heard, serve: Callable[[dict[str, str]], tuple[str, str]]) -> Said:
        form = {name: values[0] for name, values in parse_qs(heard.body.decode()).items()}
        operation = form.get("grant_type", "").rpartition(":")[2]
        try:
            self._log.check(operation)
            who, kind = serve(form)
        except ApiRefusal as refusal:
            self._log.note(ApiCall(operation=operation, code=refusal.code))
            told = {"error": refusal.code, "error_description": refusal.message}
            return json_said(refusal.status, told)
        self._log.note(ApiCall(operation=operation, who=who))
        more = {"issued_token_type": kind} if kind else {}
        return json_said(200, {**self._office.sell(who), **more})

    def _oauth(self, form: dict[str, str]) -> tuple[str, str]:
        kind = form.get("grant_type")
        if kind == _JWT:
            return self._asserted(form.get("assertion", "")), ""
        user = self._people.refresh_tokens.get(form.get("refresh_token", ""))
        if kind != "refresh_token" or user is None:
            raise ApiRefusal(400, "invalid_grant", "Token has been expired or revoked.")
        return user, ""

    def _sts(self, form: dict[str, str]) -> tuple[str, str]:
        if form.get("grant_type") != _EXCHANGE or form.get("audience") != POOL:
            message = 'Invalid value for "audience". This value should be the full resource name.'
            raise ApiRefusal(400, "invalid_request", message)
        who = self._people.subject_tokens.get(form.get("subject_token", ""))
        if who is None:
            message = "The given credential is rejected by the attribute condition."
            raise ApiRefusal(401, "unauthorized_client", message)
        return who, "urn:ietf:params:oauth:token-type:access_token"

    def _asserted(self, assertion: str) -> str:
        """Return whose key has signed an assertion, if all of it is right."""
        claims = verified(assertion, signing_key())
        if claims is None:
            raise ApiRefusal(400, "invalid_grant", "Invalid JWT Signature.")
        if claims.get("iss") != self._people.account:
            raise ApiRefusal(400, "invalid_grant", "Invalid grant: account not found")
        issued, end = int(claims["iat"]), int(claims["exp"])
        now = self._clock.now().timestamp()
        if abs(now - issued) > _SKEW or end - issued > _LONGEST:
            message = (
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                "timeframe. Check your iat and exp values in the JWT claim."
            )
            raise ApiRefusal(400, "invalid_grant", message)
        if claims.get("aud") != _AUDIENCE or _SCOPE not in str(claims.get("scope")):
            raise ApiRefusal(400, "invalid_scope", "Invalid OAuth scope or ID token audience.")
        return self._people.account

    # --- the metadata service --------------------------------------------------------------

    def _metadata(self, heard: Heard) -> Said:
        flavor = (("Metadata-Flavor", "Google"),)
        operation = heard.path.rpartition("/")[2]
        if heard.headers.get("metadata-flavor") != "Google":
            self._log.note(ApiCall(operation=operation, code="403"))
            return Said(status=403, headers=flavor)
        who = self._people.machine
        # An account goes by its address as well as by "default".
        names = (f"{_METADATA}/{name}/" for name in ("default", who))
        if who is None or heard.path not in {each + end for each in names for end in ("", "token")}:
            self._log.note(ApiCall(operation=operation, code="404"))
            return Said(status=404, headers=flavor)
        self._log.note(ApiCall(operation=operation, who=who))
        account = {"email": who, "scopes": [_SCOPE]}
        return json_said(200, self._office.sell(who) if operation else account, flavor)


def json_said(status: int, value: object, more: Collection[tuple[str, str]] = ()) -> Said:
    """Return a JSON answer."""
    headers = (("Content-Type", "application/json"), *more)
    return Said(status=status, headers=headers, body=json.dumps(value).encode())


# --- keys --------------------------------------------------------------------------------------


@cache
def signing_key() -> RSAPrivateKey:
    """Return the key of the service account; making one takes a moment."""
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - heavy

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_text(key: RSAPrivateKey) -> str:
    """Return a private key as it stands in a file of Google's."""
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 - heavy

    return key.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
    ).decode()


def verified(assertion: str, key: RSAPrivateKey) -> dict[str, Any] | None:
    """Return what an assertion says if the key has signed it by RS256, or None."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - heavy
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415

    signed, _, signature = assertion.rpartition(".")
    header, _, claims = signed.partition(".")
    try:
        if json.loads(_unpacked(header)).get("alg") != "RS256":
            return None
        key.public_key().verify(
            _unpacked(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        found: dict[str, Any] = json.loads(_unpacked(claims))
    except (InvalidSignature, ValueError):
        return None
    return found


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
