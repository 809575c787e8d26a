"""Verifies requests that Alibaba Cloud's SDKs sign, from nothing but what came over the wire.

There are two styles. RPC signs the parameters of the query, ROA signs method, fields and path.
Both are HMAC-SHA1; a nonce is good once and a time for a quarter of an hour.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import threading
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote

from harborsync.testing.cloud_plane import ApiRefusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harborsync.clock import Clock
    from harborsync.testing.cloud_sigv4 import AccessKey
    from harborsync.testing.scripted import Heard

#: How old a signature may be.
SKEW: Final = 900.0
_ROA: Final = re.compile(r"acs (?P<key>[^:]+):(?P<signature>.+)", re.ASCII)
_SIGNED_FIELDS: Final = ("accept", "content-md5", "content-type", "date")


class Nonces:
    """The nonces there were; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: set[str] = set()

    def use(self, nonce: str) -> None:
        """Use a nonce.

        Raises:
            ApiRefusal: It was used before, or is none.
        """
        with self._lock:
            is_new = bool(nonce) and nonce not in self._seen
            self._seen.add(nonce)
        if not is_new:
            message = "Specified signature nonce was used already."
            raise ApiRefusal(400, "SignatureNonceUsed", message)


def verify(
    heard: Heard, keys: Mapping[str, AccessKey], nonces: Nonces, clock: Clock, *, ends_by: Clock
) -> AccessKey:
    """Return whose request this is.

    Args:
        heard: The request.
        keys: The keys there are, by their ids.
        nonces: The nonces there were.
        clock: The time that signatures are held against.
        ends_by: The time by which keys end.

    Raises:
        ApiRefusal: It is not signed well.
    """
    is_rpc = "authorization" not in heard.headers
    key_id, token = _rpc_identity(heard) if is_rpc else _roa_identity(heard)
    key = keys.get(key_id)
    if key is None:
        raise ApiRefusal(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
    if is_rpc:
        _check_rpc(heard, key, nonces, clock)
    else:
        _check_roa(heard, key, clock)
    _check_token(key, token, ends_by)
    return key


def _check_token(key: AccessKey, token: str | None, clock: Clock) -> None:
    if key.token is not None and token is None:
        raise ApiRefusal(400, "MissingSecurityToken", "SecurityToken is mandatory for this action.")
    if token != key.token:
        message = "Specified SecurityToken is malformed."
        raise ApiRefusal(400, "InvalidSecurityToken.Malformed", message)
    if key.ends is not None and clock.now().timestamp() >= key.ends:
        message = "Specified SecurityToken is expired."
        raise ApiRefusal(400, "InvalidSecurityToken.Expired", message)


def _check_time(at: datetime | None, clock: Clock) -> None:
    if at is None or abs((clock.now() - at).total_seconds()) > SKEW:
        message = "Specified time stamp or date value is expired."
        raise ApiRefusal(400, "InvalidTimeStamp.Expired", message)


def _check_signature(text: str, secret: str, signature: str) -> None:
    digest = hmac.digest(secret.encode(), text.encode(), hashlib.sha1)
    if not hmac.compare_digest(base64.b64encode(digest).decode(), signature):
        # The SDK compares what follows the colon with what it signed.
        message = f"Specified signature is not matched with our calculation. server string to sign is:{text}"
        raise ApiRefusal(400, "SignatureDoesNotMatch", message)


# --- RPC -----------------------------------------------------------------------------------------


def parameters(heard: Heard) -> dict[str, str]:
    """Return the parameters of a request in RPC style: of its query, and of a form."""
    found = dict(parse_qsl(heard.target.partition("?")[2], keep_blank_values=True))
    if heard.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        found |= dict(parse_qsl(heard.body.decode(errors="replace"), keep_blank_values=True))
    return found


def _rpc_identity(heard: Heard) -> tuple[str, str | None]:
    told = parameters(heard)
    return told.get("AccessKeyId", ""), told.get("SecurityToken")


def _check_rpc(heard: Heard, key: AccessKey, nonces: Nonces, clock: Clock) -> None:
    told = parameters(heard)
    signature = told.pop("Signature", "")
    canonical = "&".join(f"{_encoded(name)}={_encoded(told[name])}" for name in sorted(told))
    text = f"{heard.method}&{_encoded('/')}&{_encoded(canonical)}"
    _check_time(_time(told.get("Timestamp", "")), clock)
    _check_signature(text, f"{key.secret}&", signature)
    nonces.use(told.get("SignatureNonce", ""))


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


# --- ROA -----------------------------------------------------------------------------------------


def _roa_identity(heard: Heard) -> tuple[str, str | None]:
    found = _ROA.fullmatch(heard.headers["authorization"])
    if found is None:
        raise ApiRefusal(400, "MissingAuthorization", "Authorization is mandatory.")
    return found["key"], heard.headers.get("x-acs-security-token")


def _check_roa(heard: Heard, key: AccessKey, clock: Clock) -> None:
    fields = heard.headers
    query = sorted(parse_qsl(heard.target.partition("?")[2], keep_blank_values=True))
    resource = heard.path + ("?" + "&".join(f"{n}={v}" for n, v in query) if query else "")
    lines = [heard.method, *(fields.get(name, "") for name in _SIGNED_FIELDS)]
    lines += [f"{name}:{fields[name]}" for name in sorted(fields) if name.startswith("x-acs-")]
    _check_time(_date(fields.get("date", "")), clock)
    signature = fields["authorization"].partition(":")[2]
    _check_signature("\n".join((*lines, resource)), key.secret, signature)
    if heard.body:
        digest = hashlib.md5(heard.body, usedforsecurity=False).digest()
        if base64.b64encode(digest).decode() != fields.get("content-md5"):
            message = "Specified Content-MD5 is not matched with the body."
            raise ApiRefusal(400, "ContentMD5NotMatched", message)


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        return None
