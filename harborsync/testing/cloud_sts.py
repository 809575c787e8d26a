"""Amazon's STS on loopback: who holds which access key, and who may become which role."""

from __future__ import annotations

import secrets
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import attrs

from harborsync.testing.cloud_plane import ApiCall, ApiRefusal
from harborsync.testing.cloud_sigv4 import AccessKey, verify
from harborsync.testing.scripted import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from harborsync.clock import Clock
    from harborsync.testing.cloud_plane import ApiLog
    from harborsync.testing.scripted import Heard

_DENIED: Final = {"sts": (403, "AccessDenied")}
_DENIED_ELSEWHERE: Final = (400, "AccessDeniedException")
_UNSIGNED: Final = frozenset({"AssumeRoleWithWebIdentity"})


@attrs.frozen(kw_only=True)
class LoopbackRole:
    """A role that can be assumed.

    Attributes:
        arn: Its name.
        trusts: Who may assume it, by their ARNs; those of sessions are of assumed roles.
        external_id: What must be said to assume it, or None.
        web_tokens: The tokens of web identities that may assume it.
    """

    arn: str
    trusts: frozenset[str] = frozenset()
    external_id: str | None = None
    web_tokens: frozenset[str] = attrs.field(default=frozenset(), repr=False)


class Keyring:
    """The access keys there are, and what their holders may do; thread-safe.

    Args:
        account: The account of the users.
        keys: Secrets by the ids of keys; each belongs to a user of that name.
        clock: The time by which sessions end.
        signing_clock: The time that signatures are held against.
        denied: Actions that nobody may do, such as ``ecr:DescribeImages``; may be changed.
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
        self._lock = threading.Lock()
        self._keys = {
            key: AccessKey(secret=secret, principal=f"arn:aws:iam::{account}:user/{key}")
            for key, secret in keys.items()
        }

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which the SDK finds the first key."""
        key, held = next(iter(self._keys.items()))
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": held.secret}

    @property
    def secrets(self) -> frozenset[str]:
        """The secrets and session tokens of all keys."""
        with self._lock:
            held = tuple(self._keys.values())
        return frozenset(text for key in held for text in (key.secret, key.token) if text)

    def add_session(self, principal: str, ends: float) -> tuple[str, AccessKey]:
        """Return the id of a new key that ends, and the key."""
        key_id = f"ASIA{secrets.token_hex(8).upper()}"
        key = AccessKey(
            secret=secrets.token_urlsafe(30),
            principal=principal,
            token=secrets.token_urlsafe(60),
            ends=ends,
        )
        with self._lock:
            self._keys[key_id] = key
        return key_id, key

    def admitted(self, heard: Heard, service: str, operation: str) -> str:
        """Return who asks for an operation, if he may.

        Raises:
            ApiRefusal: The request is not signed well, or he may not.
        """
        with self._lock:
            keys = dict(self._keys)
        key, signed_for = verify(heard, keys, self._signing_clock, ends_by=self._clock)
        action = f"{service}:{operation}"
        if signed_for != service or action in self.denied:
            message = (
                f"User: {key.principal} is not authorized to perform: {action} on resource: * "
                "because no identity-based policy allows the action"
            )
            status, code = _DENIED.get(service, _DENIED_ELSEWHERE)
            raise ApiRefusal(status, code, message)
        return key.principal


class Sts:
    """Answers the requests to STS.

    Args:
        account: The account.
        keyring: The keys, to which sessions are added.
        log: The log.
        clock: The time by which sessions end.
    """

    def __init__(self, account: str, keyring: Keyring, log: ApiLog, clock: Clock) -> None:
        self._account = account
        self._keyring = keyring
        self._log = log
        self._clock = clock
        self._roles: dict[str, LoopbackRole] = {}
        self._operations: dict[str, Callable[[str, dict[str, str]], str]] = {
            "AssumeRole": self._assume,
            "AssumeRoleWithWebIdentity": self._assume_by_web_identity,
            "GetCallerIdentity": self._identify,
        }

    def add_role(self, role: LoopbackRole) -> None:
        """Let a role be assumed."""
        self._roles[role.arn] = role

    def answer(self, heard: Heard) -> Said:
        """Answer a request whose body is a form."""
        form = dict(parse_qsl(heard.body.decode(errors="replace")))
        operation = form["Action"]
        try:
            who, result = self._result(heard, operation, form)
        except ApiRefusal as refusal:
            self._log.note(ApiCall(operation=operation, code=refusal.code))
            return _refused(refusal)
        self._log.note(ApiCall(operation=operation, who=who))
        body = f"<{operation}Result>{result}</{operation}Result>"
        return _xml(200, f"<{operation}Response>{body}</{operation}Response>")

    def _result(self, heard: Heard, operation: str, form: dict[str, str]) -> tuple[str, str]:
        handler = self._operations.get(operation)
        if handler is None:
            raise ApiRefusal(400, "InvalidAction", f"Could not find operation {operation}")
        who = ""
        if operation not in _UNSIGNED:
            who = self._keyring.admitted(heard, "sts", operation)
        self._log.check(operation)
        return who, handler(who, form)

    def _identify(self, who: str, form: dict[str, str]) -> str:  # noqa: ARG002
        return f"<Arn>{who}</Arn><UserId>AIDA</UserId><Account>{self._account}</Account>"

    def _assume(self, who: str, form: dict[str, str]) -> str:
        role = self._roles.get(form.get("RoleArn", ""))
        has_id = role is not None and role.external_id in {None, form.get("ExternalId")}
        if role is None or who not in role.trusts or not has_id:
            action = f"sts:AssumeRole on resource: {form.get('RoleArn')}"
            message = f"User: {who} is not authorized to perform: {action}"
            raise ApiRefusal(403, "AccessDenied", message)
        return self._session(role, form)

    def _assume_by_web_identity(self, who: str, form: dict[str, str]) -> str:  # noqa: ARG002
        role = self._roles.get(form.get("RoleArn", ""))
        if role is None or form.get("WebIdentityToken") not in role.web_tokens:
            message = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
            raise ApiRefusal(403, "AccessDenied", message)
        return self._session(role, form)

    def _session(self, role: LoopbackRole, form: dict[str, str]) -> str:
        ends = self._clock.now().timestamp() + int(form.get("DurationSeconds", "3600"))
        assumed = role.arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
        key_id, key = self._keyring.add_session(f"{assumed}/{form.get('RoleSessionName')}", ends)
        return (
            f"<Credentials><AccessKeyId>{key_id}</AccessKeyId>"
            f"<SecretAccessKey>{key.secret}</SecretAccessKey>"
            f"<SessionToken>{key.token}</SessionToken>"
            f"<Expiration>{datetime.fromtimestamp(ends, UTC):%Y-%m-%dT%H:%M:%SZ}</Expiration>"
            f"</Credentials><AssumedRoleUser><Arn>{key.principal}</Arn>"
            "<AssumedRoleId>AROA</AssumedRoleId></AssumedRoleUser>"
        )


def _refused(refusal: ApiRefusal) -> Said:
    return _xml(
        refusal.status,
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{refusal.code}</Code>"
        f"<Message>{escape(refusal.message)}</Message></Error>"
        "<RequestId>0</RequestId></ErrorResponse>",
    )


def _xml(status: int, text: str) -> Said:
    return Said(status=status, headers=(("Content-Type", "text/xml"),), body=text.encode())
