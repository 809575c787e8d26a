"""Verifies requests that AWS's SDKs sign, from nothing but what came over the wire.

The signature is computed anew from method, path, query, headers and body; a wrong secret, a body
changed on its way and a clock that is wrong are refused in the words of AWS.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote

import attrs

from harborsync.testing.cloud_plane import ApiRefusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harborsync.clock import Clock
    from harborsync.testing.scripted import Heard

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_HEADER: Final = re.compile(
    rf"{_ALGORITHM} Credential=(?P<key>[^/]+)/(?P<scope>(?P<date>\d{{8}})/(?P<region>[^/]+)/"
    r"(?P<service>[^/]+)/aws4_request), ?SignedHeaders=(?P<signed>[^,]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)
_MUST_BE_SIGNED: Final = frozenset({"host", "x-amz-date"})
#: How far clocks may be apart.
SKEW: Final = 300.0


@attrs.frozen(kw_only=True)
class AccessKey:
    """A key that signs.

    Attributes:
        secret: Its secret.
        principal: The ARN of who it belongs to.
        token: The session token that must come with it, or None.
        ends: When it ends, in seconds since 1970, or None.
    """

    secret: str = attrs.field(repr=False)
    principal: str
    token: str | None = attrs.field(default=None, repr=False)
    ends: float | None = None


def verify(
    heard: Heard, keys: Mapping[str, AccessKey], clock: Clock, *, ends_by: Clock
) -> tuple[AccessKey, str]:
    """Return whose request this is, and for which service it is signed.

    Args:
        heard: The request.
        keys: The keys there are, by their ids.
        clock: The time that signatures are held against.
        ends_by: The time by which keys end.

    Raises:
        ApiRefusal: It is not signed well.
    """
    found = _HEADER.fullmatch(heard.headers.get("authorization", ""))
    if found is None:
        raise ApiRefusal(400, "MissingAuthenticationTokenException", "Missing Authentication Token")
    key = keys.get(found["key"])
    token = heard.headers.get("x-amz-security-token")
    if key is None or token != key.token:
        message = "The security token included in the request is invalid."
        raise ApiRefusal(400, "UnrecognizedClientException", message)
    _check_time(heard, clock)
    signed = found["signed"].split(";")
    expected = _signature(heard, key.secret, found["scope"], signed)
    if not _MUST_BE_SIGNED.issubset(signed) or not hmac.compare_digest(
        expected, found["signature"]
    ):
        message = (
            "The request signature we calculated does not match the signature you provided. Check "
            "your AWS Secret Access Key and signing method. The Canonical String for this request "
            f"should have been\n'{_canonical(heard, signed)}'"
        )
        raise ApiRefusal(400, "InvalidSignatureException", message)
    if key.ends is not None and ends_by.now().timestamp() >= key.ends:
        message = "The security token included in the request is expired"
        raise ApiRefusal(400, "ExpiredTokenException", message)
    return key, found["service"]


def _check_time(heard: Heard, clock: Clock) -> None:
    text = heard.headers.get("x-amz-date", "")
    try:
        at = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise ApiRefusal(
            400, "IncompleteSignature", "Date must be in ISO-8601 'basic format'"
        ) from None
    now = clock.now()
    apart = (now - at).total_seconds()
    if abs(apart) > SKEW:
        word = "expired" if apart > 0 else "not yet current"
        message = f"Signature {word}: {text} is more than 5 min away from {now:%Y%m%dT%H%M%SZ}"
        raise ApiRefusal(400, "InvalidSignatureException", message)


def _signature(heard: Heard, secret: str, scope: str, signed: list[str]) -> str:
    canonical = hashlib.sha256(_canonical(heard, signed).encode()).hexdigest()
    text = "\n".join((_ALGORITHM, heard.headers.get("x-amz-date", ""), scope, canonical))
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def _canonical(heard: Heard, signed: list[str]) -> str:
    query = sorted(parse_qsl(heard.target.partition("?")[2], keep_blank_values=True))
    fields = "".join(f"{name}:{' '.join(heard.headers.get(name, '').split())}\n" for name in signed)
    return "\n".join(
        (
            heard.method,
            heard.path,
            "&".join(
                f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query
            ),
            fields,
            ";".join(signed),
            hashlib.sha256(heard.body).hexdigest(),
        )
    )
