"""Turns an identity into keys: finds them in this process, and has STS make sessions of them."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from harborsync.credentials.keys import Finding, through_roles
from harborsync.credentials.tencent_api import TencentApi
from harborsync.credentials.tencent_keys import (
    CvmKeys,
    OidcKeys,
    from_environment,
    from_profile,
    session_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harborsync.credentials.keys import Keys, RenewingKeys
    from harborsync.credentials.tencent import CamRole, TencentIdentity
    from harborsync.endpoint import Endpoint
    from harborsync.http.metadata import MetadataTransport
    from harborsync.provider import OpenContext


@attrs.frozen(kw_only=True)
class Sts:
    """Makes keys.

    Attributes:
        url: Where STS is, or None for the usual place.
        region: The region in which roles are assumed.
        endpoint: The registry's endpoint, whose options say how the cable is laid.
        context: Clock, policy, limits, cancel flag, listeners.
        environ: The variables of this process.
        metadata: The way to the machine's metadata, or None for the usual one.
    """

    url: str | None
    region: str
    endpoint: Endpoint
    context: OpenContext
    environ: Mapping[str, str] = attrs.field(default=os.environ, repr=False)
    metadata: MetadataTransport | None = None

    def keys_of(self, identity: TencentIdentity) -> RenewingKeys:
        """Return the keys of an identity; asks nobody yet."""
        find = identity.source or Finding(partial(self._found, identity))
        return through_roles(find, identity.roles, self._assume, self.context.clock)

    # --- what this process has -------------------------------------------------------------

    def _found(self, identity: TencentIdentity) -> Keys:
        """Return the keys of variables, a profile, a pod, or the machine, in this order."""
        if identity.cvm_role is not None:
            return self._of_machine(identity.cvm_role)
        keys = from_environment(self.environ) if identity.profile is None else None
        keys = keys or from_profile(self.environ, identity.profile)
        if keys is not None:
            return keys
        pod = OidcKeys.of(self.environ, self._ask_unsigned)
        return self._of_machine("") if pod is None else pod()

    def _of_machine(self, role: str) -> Keys:
        from harborsync.http.metadata import TENCENT, MetadataTransport  # noqa: PLC0415

        return CvmKeys(metadata=self.metadata or MetadataTransport(TENCENT), role=role)()

    # --- sessions --------------------------------------------------------------------------

    def _assume(self, role: CamRole, base: RenewingKeys) -> Keys:
        what = f"assume the role {role.arn}"
        said = self._ask(base, what, "AssumeRole", role.request, self.region)
        return session_of(said.get("Credentials"), said.get("ExpiredTime"), "STS (AssumeRole)")

    def _ask_unsigned(
        self, what: str, action: str, fields: dict[str, Any], region: str
    ) -> dict[str, Any]:
        return self._ask(None, what, action, fields, region)

    def _ask(
        self,
        keys: RenewingKeys | None,
        what: str,
        action: str,
        fields: dict[str, Any],
        region: str,
    ) -> dict[str, Any]:
        api = TencentApi("sts", self.url, keys, self.endpoint, self.context)
        try:
            return api.call(what, action, region, **fields)
        finally:
            api.close()
