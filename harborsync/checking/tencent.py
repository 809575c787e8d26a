"""What Tencent Cloud tells of us at TCR: whether it sells us a login, and to whom."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from harborsync.credentials.cloud import handed_over
from harborsync.credentials.tencent import TencentIdentity
from harborsync.insight import Deed, Direction, Identity, Insight
from harborsync.permissions.tencent import (
    ACTIONS,
    TcrRepositories,
    TencentPurpose,
    as_text,
    personal_policy,
    policy,
)
from harborsync.provider import Checks
from harborsync.registries.editions import Edition
from harborsync.registries.tcr_api import TcrApi
from harborsync.registries.tcr_enterprise import EnterpriseEdition
from harborsync.registries.tcr_personal import PersonalEdition
from harborsync.registries.tcr_place import TcrPlace

if TYPE_CHECKING:
    from harborsync.endpoint import Endpoint
    from harborsync.provider import OpenContext

#: What stands in a policy for what only its writer knows.
ACCOUNT: Final = "ACCOUNT-UIN"
INSTANCE: Final = "INSTANCE-ID"


def _actions(purpose: TencentPurpose) -> str:
    return ", ".join(f"tcr:{name}" for name in ACTIONS[purpose])


_PERMISSIONS: Final = {
    Deed.LIST: _actions(TencentPurpose.DISCOVER),
    Deed.PULL: _actions(TencentPurpose.PULL),
    Deed.PUSH: _actions(TencentPurpose.PUSH),
    Deed.CREATE: _actions(TencentPurpose.CREATE),
    Deed.DELETE: _actions(TencentPurpose.PRUNE),
    Deed.MOUNT: _actions(TencentPurpose.PUSH),
    Deed.REFERRERS: _actions(TencentPurpose.PULL),
}


def _look(endpoint: Endpoint, context: OpenContext, repository: str) -> Insight:  # noqa: ARG001 - the signature of Checks.look
    place = TcrPlace.of(endpoint)
    given = handed_over(context.credentials, TencentIdentity) or TencentIdentity()
    with closing(TcrApi(place, given.with_options(endpoint.options), endpoint, context)) as api:
        is_personal = place.edition is Edition.PERSONAL
        edition = PersonalEdition(api) if is_personal else EnterpriseEdition(api)
        login = context.credentials.get(place.host) or edition.log_in(place.host)
    if login is None:
        return Insight()
    identity = Identity(
        name=login.username, kind="account", origin=login.origin, expires_at=login.expires_at
    )
    return Insight(identity=identity)


def _apis(endpoint: Endpoint) -> tuple[str, ...]:
    options = endpoint.options
    usual = "https://tcr.tencentcloudapi.com"
    return tuple(filter(None, (options.get("api", usual), options.get("sts_api", ""))))


def _policy(endpoint: Endpoint, direction: Direction) -> str:
    place = TcrPlace.of(endpoint)
    purposes = [TencentPurpose.DISCOVER, TencentPurpose.PULL]
    if direction is Direction.PUSH:
        purposes = [TencentPurpose.DISCOVER, TencentPurpose.PUSH, TencentPurpose.CREATE]
    namespace = place.prefix.partition("/")[0] or "*"
    if place.edition is Edition.PERSONAL:
        return as_text(personal_policy(purposes, namespace=namespace))
    registry = TcrRepositories(
        account=ACCOUNT,
        region=place.region,
        instance=place.instance or INSTANCE,
        namespace=namespace,
    )
    return as_text(policy(purposes, registry))


TCR: Final = Checks(permissions=_PERMISSIONS, look=_look, apis=_apis, policy=_policy)
