"""What Alibaba Cloud tells of us at ACR: whether it sells us a login, and to whom."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from harborsync.checking.policies import below
from harborsync.credentials.aliyun import AliyunIdentity
from harborsync.credentials.cloud import handed_over
from harborsync.insight import Deed, Direction, Identity, Insight
from harborsync.permissions.aliyun import (
    ACTIONS,
    AcrRepositories,
    AliyunPurpose,
    as_text,
    policy,
)
from harborsync.provider import Checks
from harborsync.registries.acr_api import AcrApi
from harborsync.registries.acr_enterprise import EnterpriseEdition
from harborsync.registries.acr_personal import PersonalEdition
from harborsync.registries.acr_place import AcrPlace
from harborsync.registries.editions import Edition

if TYPE_CHECKING:
    from harborsync.endpoint import Endpoint
    from harborsync.provider import OpenContext


def _actions(purpose: AliyunPurpose) -> str:
    return ", ".join(f"cr:{name}" for name in ACTIONS[purpose])


_PERMISSIONS: Final = {
    Deed.LIST: _actions(AliyunPurpose.DISCOVER),
    Deed.PULL: _actions(AliyunPurpose.PULL),
    Deed.PUSH: _actions(AliyunPurpose.PUSH),
    Deed.CREATE: _actions(AliyunPurpose.CREATE),
    Deed.DELETE: _actions(AliyunPurpose.PRUNE),
    Deed.MOUNT: _actions(AliyunPurpose.PUSH),
    Deed.REFERRERS: _actions(AliyunPurpose.PULL),
}


def _look(endpoint: Endpoint, context: OpenContext, repository: str) -> Insight:  # noqa: ARG001 - the signature of Checks.look
    place = AcrPlace.of(endpoint)
    given = handed_over(context.credentials, AliyunIdentity) or AliyunIdentity()
    with closing(AcrApi(place, given.with_options(endpoint.options), endpoint, context)) as api:
        is_personal = place.edition is Edition.PERSONAL
        edition = PersonalEdition(api) if is_personal else EnterpriseEdition(api)
        login = context.credentials.get(place.host) or edition.log_in(place.host)
    identity = Identity(
        name=login.username, kind="user", origin=login.origin, expires_at=login.expires_at
    )
    return Insight(identity=identity)


def _apis(endpoint: Endpoint) -> tuple[str, ...]:
    place, options = AcrPlace.of(endpoint), endpoint.options
    usual = f"https://{place.api_host('cr')}" if place.region else ""
    return tuple(filter(None, (options.get("api", usual), options.get("sts_api", ""))))


def _policy(endpoint: Endpoint, direction: Direction) -> str:
    place = AcrPlace.of(endpoint)
    main = [AliyunPurpose.PULL]
    if direction is Direction.PUSH:
        main = [AliyunPurpose.PUSH, AliyunPurpose.CREATE]
    # Only the API knows the instance's id where neither host nor options tell it.
    instance = place.instance or ("" if place.edition is Edition.PERSONAL else "*")
    repositories = AcrRepositories(
        repositories=below(place.prefix), instance=instance, region=place.region or "*"
    )
    return as_text(policy([AliyunPurpose.DISCOVER, *main], repositories))


ACR: Final = Checks(permissions=_PERMISSIONS, look=_look, apis=_apis, policy=_policy)
