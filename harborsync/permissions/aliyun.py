"""What an identity of Alibaba Cloud must be allowed to do, by purpose, as a policy for RAM.

    >>> apps = AcrRepositories(instance="cri-0123456789abcdef", repositories="apps/*")
    >>> statements = policy([AliyunPurpose.PULL], apps)["Statement"]
    >>> statements[0]["Action"], statements[0]["Resource"]
    (['cr:GetAuthorizationToken'], '*')
    >>> statements[1]["Action"], statements[1]["Resource"]
    (['cr:PullRepository'], 'acs:cr:*:*:repository/cri-0123456789abcdef/apps/*')

The actions are those of Alibaba's page on RAM authorization for ACR. The system's policy
``AliyunContainerRegistryReadOnlyAccess`` is enough to copy from ACR, and does not allow to push.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

_VERSION: Final = "1"
_LOGIN: Final = "GetAuthorizationToken"


class AliyunPurpose(StrEnum):
    """What an identity is for."""

    PULL = "copy from ACR, tags known"
    DISCOVER = "list repositories, and tags with their digests"
    PUSH = "copy to ACR"
    CREATE = "create missing namespaces and repositories"
    DESCRIBE = "write the texts about repositories"
    PRUNE = "delete tags"


#: What each purpose takes of the repositories it is for, without ``cr:``.
ACTIONS: Final = {
    AliyunPurpose.PULL: ("PullRepository",),
    AliyunPurpose.DISCOVER: ("GetRepository", "ListRepository", "ListRepositoryTag"),
    # A push asks first what is there, and reads what others may have written.
    AliyunPurpose.PUSH: ("GetRepository", "PullRepository", "PushRepository"),
    AliyunPurpose.CREATE: ("CreateNamespace", "CreateRepository", "UpdateNamespace"),
    AliyunPurpose.DESCRIBE: ("GetRepository", "ListRepository", "UpdateRepository"),
    AliyunPurpose.PRUNE: ("DeleteRepositoryTag", "GetRepository"),
}

#: Which action an operation of either edition's API takes; the names are not always the same.
OPERATIONS: Final = {
    _LOGIN: _LOGIN,
    "CreateNamespace": "CreateNamespace",
    "CreateRepo": "CreateRepository",
    "CreateRepository": "CreateRepository",
    "DeleteImage": "DeleteRepositoryTag",
    "DeleteRepoTag": "DeleteRepositoryTag",
    "GetRepo": "GetRepository",
    "GetRepoList": "ListRepository",
    "GetRepoTags": "ListRepositoryTag",
    "GetRepository": "GetRepository",
    "ListRepoTag": "ListRepositoryTag",
    "ListRepository": "ListRepository",
    "UpdateNamespace": "UpdateNamespace",
    "UpdateRepo": "UpdateRepository",
    "UpdateRepository": "UpdateRepository",
}


@attrs.frozen(kw_only=True)
class AcrRepositories:
    """Which repositories a policy is about.

    Attributes:
        repositories: ``namespace/name``, or a beginning with ``*`` after it.
        instance: The id of the instance; empty for the personal edition, which has none.
        region: Their region, or ``*``.
        account: The account that owns them, or ``*``.
    """

    repositories: str = "*"
    instance: str = ""
    region: str = "*"
    account: str = "*"

    @property
    def arn(self) -> str:
        """The resource of a statement."""
        path = "/".join(filter(None, (self.instance, self.repositories)))
        return f"acs:cr:{self.region}:{self.account}:repository/{path}"


def policy(purposes: Iterable[AliyunPurpose], repositories: AcrRepositories) -> dict[str, Any]:
    """Return the policy that an identity needs, and nothing beyond it."""
    actions = sorted({action for purpose in purposes for action in ACTIONS[purpose]})
    return _document(
        # Logging in is about no repository, so it cannot be narrowed.
        _statement([f"cr:{_LOGIN}"], Resource="*"),
        _statement([f"cr:{action}" for action in actions], Resource=repositories.arn),
    )


def trust_policy(principal: str, *, external_id: str | None = None) -> dict[str, Any]:
    """Return the trust policy of a role that an identity may assume.

    Args:
        principal: Who may: the ARN of a user, a role, or an account's root.
        external_id: What he must say, or None.
    """
    wanted = {"StringEquals": {"sts:ExternalId": external_id}}
    more = {"Condition": wanted} if external_id is not None else {}
    return _document(_statement(["sts:AssumeRole"], Principal={"RAM": [principal]}, **more))


def rrsa_trust_policy(
    provider: str, issuer: str, *, namespace: str, service_account: str
) -> dict[str, Any]:
    """Return the trust policy of a role for a service account of ACK (RRSA).

    Args:
        provider: The ARN of the cluster's identity provider in RAM.
        issuer: The URL of the issuer of its tokens.
        namespace: The service account's namespace.
        service_account: Its name.
    """
    wanted = {
        "oidc:aud": "sts.aliyuncs.com",
        "oidc:iss": issuer,
        "oidc:sub": f"system:serviceaccount:{namespace}:{service_account}",
    }
    return _document(
        _statement(
            ["sts:AssumeRole"],
            Principal={"Federated": [provider]},
            Condition={"StringEquals": wanted},
        )
    )


def as_text(document: dict[str, Any]) -> str:
    """Return a policy as RAM takes it."""
    return json.dumps(document, indent=2)


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": _VERSION, "Statement": list(statements)}


def _statement(actions: list[str], **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, **more}
