"""Turns an identity into keys: finds them in this process, and has STS make sessions of them."""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import attrs

from harborsync.credentials.aliyun_api import AliyunApi, Wish, caller_of, read_answer
from harborsync.credentials.aliyun_keys import (
    EcsKeys,
    OidcKeys,
    from_environment,
    nobody,
    session_of,
)
from harborsync.credentials.aliyun_refusals import Unsuccessful
from harborsync.credentials.cable import ApiAddress, Cable
from harborsync.credentials.keys import Finding, through_roles
from harborsync.credentials.refusals import Said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harborsync.credentials.aliyun import AliyunIdentity, RamRole
    from harborsync.credentials.keys import Keys, RenewingKeys
    from harborsync.endpoint import Endpoint
    from harborsync.http.metadata import MetadataTransport
    from harborsync.http.wire import Answer
    from harborsync.provider import OpenContext

_VERSION: Final = "2015-04-01"
#: STS bears a hundred a second for an account; we never need more than a few.
_PER_SECOND: Final = 5.0
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_FIRST_REFUSAL: Final = 400
_TRUE: Final = frozenset({"1", "true"})


@attrs.frozen(kw_only=True)
class Sts:
    """Makes keys.

    Attributes:
        url: Where STS is.
        region: The region.
        endpoint: The registry's endpoint, whose options say how the cable is laid.
        context: Clock, policy, limits, cancel flag, listeners.
        environ: The variables of this process.
        metadata: The way to the metadata service of a machine; to the usual address if None.
    """

    url: str
    region: str
    endpoint: Endpoint
    context: OpenContext
    environ: Mapping[str, str] = attrs.field(default=os.environ, repr=False)
    metadata: MetadataTransport | None = None

    def keys_of(self, identity: AliyunIdentity) -> RenewingKeys:
        """Return the keys of an identity; asks nobody yet."""
        find = identity.source or Finding(partial(self._found, identity))
        return through_roles(find, identity.roles, self._assume, self.context.clock)

    # --- what this process has -------------------------------------------------------------

    def _found(self, identity: AliyunIdentity) -> Keys:
        """Return the keys of variables, of a pod, or of the machine, in this order."""
        if identity.ecs_role is not None:
            return self._of_machine(identity.ecs_role)
        found = from_environment(self.environ)
        if found is not None:
            return found
        pod = OidcKeys.of(self.environ, self._ask_unsigned)
        return self._of_machine("") if pod is None else pod()

    def _of_machine(self, role: str) -> Keys:
        from harborsync.http.metadata import ALIBABA, MetadataTransport  # noqa: PLC0415 - a cable

        is_off = self.environ.get("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "").lower() in _TRUE
        if is_off and not role:
            return nobody()
        named = role or self.environ.get("ALIBABA_CLOUD_ECS_METADATA", "")
        return EcsKeys(metadata=self.metadata or MetadataTransport(ALIBABA), role=named)()

    # --- sessions --------------------------------------------------------------------------

    def _assume(self, role: RamRole, base: RenewingKeys) -> Keys:
        api = AliyunApi(
            self.url, self.region, base, self.endpoint, self.context, per_second=_PER_SECOND
        )
        wish = Wish(version=_VERSION, action="AssumeRole", query=role.request)
        try:
            said = api.call(f"assume the role {role.arn}", wish)
        finally:
            api.close()
        return session_of(said.get("Credentials"), "STS (AssumeRole)")

    def _ask_unsigned(self, what: str, action: str, fields: dict[str, Any]) -> dict[str, Any]:
        address = ApiAddress.of(self.url)
        cable = Cable(address, self.endpoint, self.context)
        caller = caller_of(address, self.context, _PER_SECOND)
        try:
            return caller.call(what, lambda: self._posted(cable, what, action, fields))
        finally:
            cable.close()

    def _posted(
        self, cable: Cable, what: str, action: str, fields: dict[str, Any]
    ) -> dict[str, Any]:
        """Post a form; what proves who we are is in its body, which no log on the way keeps."""
        now = self.context.clock.now()
        query = {
            "Action": action,
            "Format": "JSON",
            "Timestamp": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "Version": _VERSION,
        }
        answer = cable.send("POST", f"/?{urlencode(query)}", _FORM, urlencode(fields).encode())
        if answer.status >= _FIRST_REFUSAL:
            raise Unsuccessful(_said(answer, action))
        return read_answer(answer.body, what)


def _said(answer: Answer, action: str) -> Said:
    """Read a refusal that did not go through the SDK."""
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    said = found if isinstance(found, dict) else {}
    return Said(
        code=str(said.get("Code") or f"HTTP{answer.status}"),
        message=str(said.get("Message") or ""),
        status=answer.status,
        request_id=said.get("RequestId"),
        operation=action,
    )
