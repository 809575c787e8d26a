"""Alibaba's RAM and STS on loopback: who holds which access key, and who may become which role."""

from __future__ import annotations

import json
import secrets
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.testing.cloud_aliyun_sign import Nonces, parameters, verify
from harborsync.testing.cloud_plane import ApiCall, ApiRefusal
from harborsync.testing.cloud_sigv4 import AccessKey
from harborsync.testing.scripted import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from harborsync.clock import Clock
    from harborsync.testing.cloud_plane import ApiLog
    from harborsync.testing.scripted import Heard

#: The version of STS's API.
STS_VERSION: Final = "2015-04-01"
_UNSIGNED: Final = frozenset({"AssumeRoleWithOIDC"})


@attrs.frozen(kw_only=True)
class LoopbackRamRole:
    """A role that can be assumed.

    Attributes:
        arn: Its name.
        trusts: Who may assume it, by their ARNs; those of sessions are of assumed roles.
        external_id: What must be said to assume it, or None.
        oidc_provider: The identity provider whose tokens may assume it.
        oidc_tokens: These tokens.
    """

    arn: str
    trusts: frozenset[str] = frozenset()
    external_id: str | None = None
    oidc_provider: str = ""
    oidc_tokens: frozenset[str] = attrs.field(default=frozenset(), repr=False)


class RamKeyring:
    """The access keys there are, and what their holders may do; thread-safe.

    Args:
        account: The account of the users.
        keys: Secrets by the ids of keys; each belongs to a user of that name.
        clock: The time by which sessions end.
        signing_clock: The time that signatures are held against.
        denied: Actions that nobody may do, such as ``cr:ListRepoTag``; may be changed.
    """

    def __init__(
        self,
        account: str,
        keys: Mapping[str, str],
        *,
        clock: Clock,
        signing_clock: Clock,
        denied: Collection[str] = (),
    ) -> None:
        self.denied = set(denied)
        self._clock = clock
        self._signing_clock = signing_clock
        self._nonces = Nonces()
        self._lock = threading.Lock()
        self._keys = {
            key: AccessKey(secret=secret, principal=f"acs:ram::{account}:user/{key}")
            for key, secret in keys.items()
        }

    @property
    def environment(self) -> dict[str, str]:
        """Variables that hold the first key."""
        key, held = next(iter(self._keys.items()))
        return {"ALIBABA_CLOUD_ACCESS_KEY_ID": key, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": held.secret}

    @property
    def secrets(self) -> frozenset[str]:
        """The secrets and security tokens of all keys."""
        with self._lock:
            held = tuple(self._keys.values())
        return frozenset(text for key in held for text in (key.secret, key.token) if text)

    def add_session(self, principal: str, ends: float) -> tuple[str, AccessKey]:
        """Return the id of a new key that ends, and the key."""
        key_id = f"STS.{secrets.token_hex(12)}"
        key = AccessKey(
            secret=secrets.token_urlsafe(30),
            principal=principal,
            token=f"CAIS{secrets.token_urlsafe(60)}",
            ends=ends,
        )
        with self._lock:
            self._keys[key_id] = key
        return key_id, key

    def admitted(self, heard: Heard, service: str, action: str) -> str:
        """Return who asks for an action, if he may.

        Raises:
            ApiRefusal: The request is not signed well, or he may not.
        """
        with self._lock:
            keys = dict(self._keys)
        key = verify(heard, keys, self._nonces, self._signing_clock, ends_by=self._clock)
        if f"{service}:{action}" in self.denied:
            message = f"User not authorized to operate on the specified resource, or this API doesn't support RAM. ({service}:{action})"
            raise ApiRefusal(403, "Forbidden.RAM", message)
        return key.principal


class RamSts:
    """Answers the requests to STS.

    Args:
        keyring: The keys, to which sessions are added.
        log: The log.
        clock: The time by which sessions end.
    """

    def __init__(self, keyring: RamKeyring, log: ApiLog, clock: Clock) -> None:
        self._keyring = keyring
        self._log = log
        self._clock = clock
        self._roles: dict[str, LoopbackRamRole] = {}
        self._actions: dict[str, Callable[[str, dict[str, str]], dict[str, Any]]] = {
            "AssumeRole": self._assume,
            "AssumeRoleWithOIDC": self._assume_by_oidc,
        }

    def add_role(self, role: LoopbackRamRole) -> None:
        """Let a role be assumed."""
        self._roles[role.arn] = role

    def answer(self, heard: Heard) -> Said:
        """Answer a request."""
        told = parameters(heard)
        action = told.get("Action", "")
        try:
            who = "" if action in _UNSIGNED else self._keyring.admitted(heard, "sts", action)
            self._log.check(action)
            answer = self._actions[action](who, told)
        except ApiRefusal as refusal:
            self._log.note(ApiCall(operation=action, code=refusal.code))
            return refused(refusal)
        self._log.note(ApiCall(operation=action, who=who))
        return said(200, answer)

    def _assume(self, who: str, told: dict[str, str]) -> dict[str, Any]:
        role = self._roles.get(told["RoleArn"])
        if role is None:
            message = "The specified Role not exists."
            raise ApiRefusal(404, "EntityNotExist.Role", message)
        if who not in role.trusts or role.external_id not in {None, told.get("ExternalId")}:
            message = "You are not authorized to do this action. You should be authorized by RAM to assume this role."
            raise ApiRefusal(403, "NoPermission", message)
        return self._session(role, told)

    def _assume_by_oidc(self, who: str, told: dict[str, str]) -> dict[str, Any]:  # noqa: ARG002 - nobody yet
        role = self._roles.get(told["RoleArn"])
        if role is None or told.get("OIDCProviderArn") != role.oidc_provider:
            message = "No such OIDC Provider registered."
            raise ApiRefusal(401, "AuthenticationFail.NoPermission", message)
        if told.get("OIDCToken") not in role.oidc_tokens:
            message = "This JsonWebToken is expired."
            raise ApiRefusal(401, "AuthenticationFail.OIDCToken.Expired", message)
        return self._session(role, told)

    def _session(self, role: LoopbackRamRole, told: dict[str, str]) -> dict[str, Any]:
        ends = self._clock.now().timestamp() + int(told.get("DurationSeconds", "3600"))
        principal = f"{role.arn.replace(':role/', ':assumed-role/')}/{told['RoleSessionName']}"
        key_id, key = self._keyring.add_session(principal, ends)
        return {
            "RequestId": request_id(),
            "AssumedRoleUser": {"Arn": principal},
            "Credentials": {
                "AccessKeyId": key_id,
                "AccessKeySecret": key.secret,
                "SecurityToken": key.token,
                "Expiration": f"{datetime.fromtimestamp(ends, UTC):%Y-%m-%dT%H:%M:%SZ}",
            },
        }


def request_id() -> str:
    """Return an id of a request, as Alibaba's look."""
    return secrets.token_hex(16).upper()


def said(status: int, value: Mapping[str, Any]) -> Said:
    """Return an answer in JSON."""
    headers = (("Content-Type", "application/json;charset=utf-8"),)
    return Said(status=status, headers=headers, body=json.dumps(value).encode())


def refused(refusal: ApiRefusal) -> Said:
    """Return a refusal as the gateway says it."""
    value = {"RequestId": request_id(), "Code": refusal.code, "Message": refusal.message}
    return said(refusal.status, value)
