"""What an identity of Tencent Cloud must be allowed to do, by purpose, as a policy for CAM.

    >>> team = TcrRepositories(
    ...     account="100000000001", region="ap-singapore", instance="tcr-a1b2c3d4", namespace="team"
    ... )
    >>> statements = policy([TencentPurpose.PULL], team)["statement"]
    >>> [statement["action"] for statement in statements]
    [['tcr:DescribeInstances'], ['tcr:CreateInstanceToken'], ['tcr:PullRepository']]
    >>> statements[2]["resource"][1]
    'qcs::tcr:ap-singapore:uin/100000000001:repository/tcr-a1b2c3d4/team/*'

Actions and resources are those of Tencent's documents on CAM for TCR (1051/39860, 1051/37250), and
those our own requests were seen to take.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

_VERSION: Final = "2.0"


class TencentPurpose(StrEnum):
    """What an identity is for."""

    PULL = "copy from TCR, tags known"
    DISCOVER = "list repositories, and tags with their digests"
    PUSH = "copy to TCR"
    CREATE = "create missing namespaces and repositories"
    DESCRIBE = "carry descriptions over"
    PRUNE = "delete tags"


#: What finding the instance and buying a login take, without ``tcr:``.
LOGIN: Final = ("DescribeInstances", "CreateInstanceToken")
#: What each purpose takes of the repositories it is for, without ``tcr:``.
ACTIONS: Final = {
    TencentPurpose.PULL: ("PullRepository",),
    TencentPurpose.DISCOVER: ("DescribeImages", "DescribeNamespaces", "DescribeRepositories"),
    # A push asks first what is there, and reads what others may have written.
    TencentPurpose.PUSH: ("PullRepository", "PushRepository"),
    TencentPurpose.CREATE: ("CreateNamespace", "CreateRepository", "DescribeNamespaces"),
    TencentPurpose.DESCRIBE: ("DescribeRepositories", "ModifyRepository"),
    TencentPurpose.PRUNE: ("DeleteImage",),
}
#: The same in the personal edition, which sells no logins.
PERSONAL_ACTIONS: Final = {
    TencentPurpose.PULL: ("PullRepositoryPersonal",),
    TencentPurpose.DISCOVER: (
        "DescribeImagePersonal",
        "DescribeNamespacePersonal",
        "DescribeRepositoryOwnerPersonal",
    ),
    TencentPurpose.PUSH: ("PullRepositoryPersonal", "PushRepositoryPersonal"),
    TencentPurpose.CREATE: (
        "CreateNamespacePersonal",
        "CreateRepositoryPersonal",
        "DescribeNamespacePersonal",
    ),
    TencentPurpose.DESCRIBE: (
        "DescribeRepositoryOwnerPersonal",
        "DescribeRepositoryPersonal",
        "ModifyRepositoryInfoPersonal",
    ),
    TencentPurpose.PRUNE: ("DeleteImagePersonal",),
}


@attrs.frozen(kw_only=True)
class TcrRepositories:
    """Which repositories of an instance a policy is about.

    Attributes:
        account: The id (UIN) of the account that owns the instance.
        region: The instance's region.
        instance: Its id.
        namespace: A namespace, or ``*``.
        repository: A name, or a beginning with ``*`` after it.
    """

    account: str
    region: str
    instance: str
    namespace: str = "*"
    repository: str = "*"

    @property
    def resource(self) -> str:
        """The repositories, as CAM names them."""
        return f"{self._place}:repository/{self.instance}/{self.namespace}/{self.repository}"

    @property
    def namespace_resource(self) -> str:
        """Their namespace, as CAM names it."""
        return f"{self._place}:repository/{self.instance}/{self.namespace}"

    @property
    def instance_resource(self) -> str:
        """The instance, as CAM names it."""
        return f"{self._place}:instance/{self.instance}"

    @property
    def any_instance(self) -> str:
        """All instances of the account; without a region it is every region."""
        return f"qcs::tcr::uin/{self.account}:instance/*"

    @property
    def _place(self) -> str:
        return f"qcs::tcr:{self.region}:uin/{self.account}"


def policy(purposes: Iterable[TencentPurpose], registry: TcrRepositories) -> dict[str, Any]:
    """Return the policy that an identity needs for the enterprise edition, and nothing beyond."""
    find, log_in = LOGIN
    return _document(
        _statement([find], [registry.any_instance]),  # in whatever region it is
        _statement([log_in], [registry.instance_resource]),
        _statement(_actions(purposes, ACTIONS), [registry.namespace_resource, registry.resource]),
    )


def personal_policy(
    purposes: Iterable[TencentPurpose], *, namespace: str = "*", repository: str = "*"
) -> dict[str, Any]:
    """Return the policy that an identity needs for the personal edition.

    Args:
        purposes: What it is for.
        namespace: A namespace, or ``*``.
        repository: A name, or a beginning with ``*`` after it.
    """
    place = f"qcs::tcr:::repo/{namespace}"
    actions = _actions(purposes, PERSONAL_ACTIONS)
    return _document(_statement(actions, [place, f"{place}/{repository}"]))


def role_trust_policy(account: str) -> dict[str, Any]:
    """Return the trust policy of a role that the identities of an account may assume.

    Args:
        account: The account's id (UIN).
    """
    return _document(
        {
            "action": "name/sts:AssumeRole",
            "effect": "allow",
            "principal": {"qcs": [f"qcs::cam::uin/{account}:root"]},
        }
    )


def oidc_trust_policy(
    account: str,
    provider: str,
    issuer: str,
    subject: str,
    *,
    audience: str = "sts.cloud.tencent.com",
) -> dict[str, Any]:
    """Return the trust policy of a role for a service account of TKE.

    Args:
        account: The account's id (UIN).
        provider: The identity provider in CAM.
        issuer: Who makes the tokens: the cluster's address for that.
        subject: Who may, such as ``system:serviceaccount:mirror:harborsync``.
        audience: For whom the token must be.
    """
    wanted = {"oidc:aud": [audience], "oidc:iss": [issuer], "oidc:sub": [subject]}
    return _document(
        {
            "action": "name/sts:AssumeRoleWithWebIdentity",
            "effect": "allow",
            "principal": {"federated": f"qcs::cam::uin/{account}:oidc-provider/{provider}"},
            "condition": {"string_equal": wanted},
        }
    )


def as_text(document: dict[str, Any]) -> str:
    """Return a policy as CAM takes it."""
    return json.dumps(document, indent=2)


def _actions(
    purposes: Iterable[TencentPurpose], table: dict[TencentPurpose, tuple[str, ...]]
) -> list[str]:
    return sorted({action for purpose in purposes for action in table[purpose]})


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"version": _VERSION, "statement": list(statements)}


def _statement(actions: Iterable[str], resources: list[str]) -> dict[str, Any]:
    names = [f"tcr:{action}" for action in actions]
    return {"effect": "allow", "action": names, "resource": resources}
