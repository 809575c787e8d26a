"""Verifies requests that Tencent's SDKs sign (TC3), from nothing but what came over the wire."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from harborsync.testing.cloud_plane import ApiRefusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harborsync.clock import Clock
    from harborsync.testing.cloud_sigv4 import AccessKey
    from harborsync.testing.scripted import Heard

_ALGORITHM: Final = "TC3-HMAC-SHA256"
_HEADER: Final = re.compile(
    rf"{_ALGORITHM} Credential=(?P<key>[^/]+)/(?P<scope>(?P<date>\d{{4}}-\d\d-\d\d)/"
    r"(?P<service>[^/]+)/tc3_request), ?SignedHeaders=(?P<signed>[^,]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)
_MUST_BE_SIGNED: Final = frozenset({"content-type", "host"})
#: How far clocks may be apart.
SKEW: Final = 300.0


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
        raise failure(kind="SignatureFailure", message="The Authorization header cannot be read.")
    key = keys.get(found["key"])
    if key is None:
        raise failure(
            kind="SecretIdNotFound",
            message="The SecretId is not found, please ensure it is correct.",
        )
    _check_time(heard, found["date"], clock)
    signed = found["signed"].split(";")
    expected = _signature(heard, key.secret, found["scope"], signed)
    fits = hmac.compare_digest(expected, found["signature"])
    if not fits or not _MUST_BE_SIGNED.issubset(signed):
        message = "The provided credentials could not be validated. Please check your signature."
        raise failure(kind="SignatureFailure", message=message)
    has_ended = key.ends is not None and ends_by.now().timestamp() >= key.ends
    if has_ended or heard.headers.get("x-tc-token") != key.token:
        raise failure(kind="TokenFailure", message="The provided token is invalid or has expired.")
    return key, found["service"]


def failure(*, kind: str, message: str) -> ApiRefusal:
    """Return a refusal of who asks; like all of Tencent's it comes with status 200."""
    return ApiRefusal(200, f"AuthFailure.{kind}", message)


def _check_time(heard: Heard, date: str, clock: Clock) -> None:
    text = heard.headers.get("x-tc-timestamp", "")
    at = int(text) if text.isascii() and text.isdigit() else 0
    now = clock.now().timestamp()
    if abs(now - at) > SKEW or f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}" != date:
        message = (
            f"The timestamp {text} differs from the server's {now:.0f} by more than 5 minutes."
        )
        raise failure(kind="SignatureExpire", message=message)


def _signature(heard: Heard, secret: str, scope: str, signed: list[str]) -> str:
    canonical = hashlib.sha256(_canonical(heard, signed).encode()).hexdigest()
    text = "\n".join((_ALGORITHM, heard.headers.get("x-tc-timestamp", ""), scope, canonical))
    key = f"TC3{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def _canonical(heard: Heard, signed: list[str]) -> str:
    fields = "".join(f"{name}:{heard.headers.get(name, '').strip()}\n" for name in signed)
    body = hashlib.sha256(heard.body).hexdigest()
    query = heard.target.partition("?")[2]
    return "\n".join((heard.method, heard.path, query, fields, ";".join(signed), body))
