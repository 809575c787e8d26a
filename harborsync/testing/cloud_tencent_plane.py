"""What the emulators of both editions of TCR share: keys, roles, STS, and the form of answers."""

from __future__ import annotations

import json
import secrets
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.clock import SystemClock
from harborsync.credentials.tencent import TencentIdentity
from harborsync.secrets import Secret
from harborsync.testing.cloud_plane import ApiCall, ApiRefusal, CloudServers
from harborsync.testing.cloud_sigv4 import AccessKey
from harborsync.testing.cloud_tc3 import failure, verify
from harborsync.testing.scripted import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from harborsync.clock import Clock
    from harborsync.testing.scripted import Heard
    from harborsync.testing.server import LoopbackRegistry
    from harborsync.testing.tls import TestAuthority

UIN: Final = "100000000001"
#: The key everybody has who is given no other.
KEY_ID: Final = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"
SECRET_KEY: Final = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"  # noqa: S105 - an example
REGION: Final = "ap-singapore"
_VERSIONS: Final = {"sts": "2018-08-13", "tcr": "2019-09-24"}
_UNSIGNED: Final = "AssumeRoleWithWebIdentity"
_SKIPPED: Final = "SKIP"


@attrs.frozen(kw_only=True)
class LoopbackCamRole:
    """A role that can be assumed.

    Attributes:
        arn: Its name.
        trusts: Who may assume it, by the ids of their keys, or by the names of roles.
        external_id: What must be said to assume it, or None.
        web_tokens: The tokens of pods that may assume it.
    """

    arn: str
    trusts: frozenset[str] = frozenset()
    external_id: str | None = None
    web_tokens: frozenset[str] = attrs.field(default=frozenset(), repr=False)


@attrs.frozen(kw_only=True)
class Asked:
    """What an action is given.

    Attributes:
        wish: Its parameters.
        region: The region it is asked for in.
        who: Who asks: the id of a key, or the name of a role.
    """

    wish: Mapping[str, Any]
    region: str
    who: str


class TencentServers(CloudServers):
    """An account: its keys and roles, STS, and one edition's API, beside a registry.

    Args:
        operations: What answers each action of ``tcr``.
        registry: The data plane.
        keys: Secrets by the ids of keys.
        clock: The time by which logins and sessions end.
        signing_clock: The time that signatures are held against; the SDK signs by the real one.
        denied: Actions that nobody may do, such as ``tcr:DescribeImages``.
        tls: Makes the control plane's certificate; plain HTTP if None.

    Attributes:
        denied: The actions that nobody may do; may be changed.
    """

    def __init__(
        self,
        operations: Mapping[str, Callable[[Asked], dict[str, Any]]],
        registry: LoopbackRegistry,
        *,
        keys: Mapping[str, str] | None = None,
        clock: Clock,
        signing_clock: Clock | None = None,
        denied: Collection[str] = (),
        tls: TestAuthority | None = None,
    ) -> None:
        self.denied = set(denied)
        self._signing_clock = signing_clock or SystemClock()
        self._operations = {
            "tcr": operations,
            "sts": {"AssumeRole": self._assume, _UNSIGNED: self._assume_by_token},
        }
        self._lock = threading.Lock()
        self._keys = {
            key: AccessKey(secret=secret, principal=key)
            for key, secret in (keys or {KEY_ID: SECRET_KEY}).items()
        }
        self._roles: dict[str, LoopbackCamRole] = {}
        super().__init__(self._answer, registry, clock=clock, tls=tls)

    # --- for tests -------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """Variables that hold the first key."""
        key, held = next(iter(self._keys.items()))
        return {"TENCENTCLOUD_SECRET_ID": key, "TENCENTCLOUD_SECRET_KEY": held.secret}

    @property
    def identity(self) -> TencentIdentity:
        """The first key, to hand over among the credentials."""
        key, held = next(iter(self._keys.items()))
        return TencentIdentity.of_key(key, Secret(held.secret))

    @property
    def secrets(self) -> frozenset[str]:
        """Every secret there is, for tests that look for them where none may be."""
        with self._lock:
            held = tuple(self._keys.values())
        tokens = (each.token for each in held if each.token is not None)
        return frozenset({*(each.secret for each in held), *tokens})

    def add_role(self, role: LoopbackCamRole) -> None:
        """Make a role."""
        with self._lock:
            self._roles[role.arn] = role

    def new_session(self, who: str, lifetime: float) -> tuple[str, AccessKey]:
        """Make a key that ends; return its id and the rest of it."""
        ends = self.clock.now().timestamp() + lifetime
        key = AccessKey(
            secret=secrets.token_urlsafe(24),
            principal=who,
            token=secrets.token_urlsafe(80),
            ends=ends,
        )
        key_id = f"AKID{secrets.token_hex(16)}"
        with self._lock:
            self._keys[key_id] = key
        return key_id, key

    def end_sessions(self) -> None:
        """End every session at once."""
        with self._lock:
            self._keys = {
                key_id: key if key.ends is None else attrs.evolve(key, ends=0.0)
                for key_id, key in self._keys.items()
            }

    def throttle(self, operation: str, times: int = 1) -> None:
        """Have the next calls of an action throttled."""
        message = "The request rate exceeds the limit of the API."
        self.log.plan(operation, ApiRefusal(200, "RequestLimitExceeded", message), times)

    # --- answering -------------------------------------------------------------------------

    def _answer(self, heard: Heard) -> Said:
        action = heard.headers.get("x-tc-action", "")
        try:
            who, answer = self._result(heard, action)
        except ApiRefusal as refusal:
            self.log.note(ApiCall(operation=action, code=refusal.code))
            error = {"Code": refusal.code, "Message": refusal.message}
            return _json(refusal.status, {"Error": error})
        self.log.note(ApiCall(operation=action, who=who))
        return _json(200, answer)

    def _result(self, heard: Heard, action: str) -> tuple[str, dict[str, Any]]:
        who, service = self._admitted(heard, action)
        if heard.headers.get("x-tc-version") != _VERSIONS.get(service):
            raise ApiRefusal(200, "NoSuchVersion", "The version of the API does not exist.")
        self.log.check(action)
        operation = self._operations[service].get(action)
        if operation is None:
            raise ApiRefusal(200, "InvalidAction", "The action is not found.")
        region = heard.headers.get("x-tc-region", "")
        return who, operation(Asked(wish=json.loads(heard.body), region=region, who=who))

    def _admitted(self, heard: Heard, action: str) -> tuple[str, str]:
        """Return who asks, and which service; pods ask STS without a signature.

        Raises:
            ApiRefusal: Nobody who may.
        """
        if heard.headers.get("authorization") == _SKIPPED and action == _UNSIGNED:
            return "", "sts"
        with self._lock:
            keys = dict(self._keys)
        key, service = verify(heard, keys, self._signing_clock, ends_by=self.clock)
        if f"{service}:{action}" in self.denied:
            raise not_authorized(action=f"{service}:{action}")
        return key.principal, service

    # --- STS -------------------------------------------------------------------------------

    def _assume(self, asked: Asked) -> dict[str, Any]:
        role = self._roles.get(asked.wish["RoleArn"])
        is_said = role is not None and asked.wish.get("ExternalId") == role.external_id
        if role is None or not is_said or asked.who not in role.trusts:
            raise not_authorized(action="sts:AssumeRole")
        return self._session(role, asked.wish["DurationSeconds"])

    def _assume_by_token(self, asked: Asked) -> dict[str, Any]:
        role = self._roles.get(asked.wish["RoleArn"])
        if role is None or asked.wish["WebIdentityToken"] not in role.web_tokens:
            message = "The web identity token is not valid."
            raise ApiRefusal(200, "InvalidParameter.WebIdentityTokenError", message)
        return self._session(role, asked.wish["DurationSeconds"])

    def _session(self, role: LoopbackCamRole, lifetime: float) -> dict[str, Any]:
        key_id, key = self.new_session(role.arn, lifetime)
        ends = int(key.ends or 0)
        return {
            "Credentials": {
                "TmpSecretId": key_id,
                "TmpSecretKey": key.secret,
                "Token": key.token,
            },
            "ExpiredTime": ends,
            "Expiration": f"{datetime.fromtimestamp(ends, UTC):%Y-%m-%dT%H:%M:%SZ}",
        }


def not_authorized(*, action: str) -> ApiRefusal:
    """Return the refusal of somebody who lacks a right."""
    message = (
        "You are not authorized to perform this operation. Check your CAM policies, and ensure "
        f"that you are using the correct access keys. you are not authorized to perform operation "
        f"({action})\nresource (*) has no permission\n"
    )
    return failure(kind="UnauthorizedOperation", message=message)


def page_by_number(rows: Sequence[Any], wish: Mapping[str, Any], most: int) -> list[Any]:
    """Return a page, where "Offset" counts pages from 1."""
    size = min(wish.get("Limit", 20), most)
    start = (max(wish.get("Offset", 1), 1) - 1) * size
    return list(rows[start : start + size])


def page_by_row(rows: Sequence[Any], wish: Mapping[str, Any], most: int = 100) -> list[Any]:
    """Return a page, where "Offset" counts rows from 0."""
    size, start = wish.get("Limit", 20), wish.get("Offset", 0)
    if not 0 < size <= most:
        raise ApiRefusal(200, "InvalidParameter", f"Limit must be between 1 and {most}")
    return list(rows[start : start + size])


def _json(status: int, answer: Mapping[str, Any]) -> Said:
    body = {"Response": {**answer, "RequestId": secrets.token_hex(16)}}
    headers = (("Content-Type", "application/json"),)
    return Said(status=status, headers=headers, body=json.dumps(body).encode())
