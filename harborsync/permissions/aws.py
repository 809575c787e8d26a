"""What an identity of AWS must be allowed to do, by purpose, as a policy to paste into IAM.

    >>> registry = EcrRepositories(account="123456789012", region="eu-west-1", repositories="team/*")
    >>> statements = policy([AwsPurpose.PULL], registry)["Statement"]
    >>> statements[0]["Action"], statements[0]["Resource"]
    (['ecr:GetAuthorizationToken'], '*')
    >>> statements[1]["Resource"]
    'arn:aws:ecr:eu-west-1:123456789012:repository/team/*'

The actions are those of Amazon's documents on pulling and pushing, and those our own requests
were seen to take.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

_VERSION: Final = "2012-10-17"


class AwsPurpose(StrEnum):
    """What an identity is for."""

    PULL = "copy from ECR, tags known"
    DISCOVER = "list repositories, and tags with their digests"
    PUSH = "copy to ECR"
    CREATE = "create missing repositories"
    PRUNE = "delete tags"


_READ: Final = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")

#: What each purpose takes of the repositories it is for, without ``ecr:``.
ACTIONS: Final = {
    AwsPurpose.PULL: _READ,
    AwsPurpose.DISCOVER: ("DescribeImages", "DescribeRepositories", "ListImages"),
    # A push asks first what is there, and reads what others may have written.
    AwsPurpose.PUSH: (
        *_READ,
        "CompleteLayerUpload",
        "InitiateLayerUpload",
        "PutImage",
        "UploadLayerPart",
    ),
    AwsPurpose.CREATE: ("CreateRepository", "TagResource"),
    AwsPurpose.PRUNE: ("BatchDeleteImage",),
}


@attrs.frozen(kw_only=True)
class EcrRepositories:
    """Which repositories a policy is about.

    Attributes:
        account: The account that owns them.
        region: Their region.
        repositories: A name, or a beginning with ``*`` after it.
        partition: ``aws``, ``aws-cn``, ``aws-us-gov`` …
    """

    account: str
    region: str
    repositories: str = "*"
    partition: str = "aws"

    @property
    def arn(self) -> str:
        """The resource of a statement."""
        place = f"{self.region}:{self.account}"
        return f"arn:{self.partition}:ecr:{place}:repository/{self.repositories}"


def policy(purposes: Iterable[AwsPurpose], registry: EcrRepositories) -> dict[str, Any]:
    """Return the policy that an identity needs, and nothing beyond it."""
    actions = sorted({action for purpose in purposes for action in ACTIONS[purpose]})
    return _document(
        # Logging in is about no repository, so it cannot be narrowed.
        _statement("Login", ["ecr:GetAuthorizationToken"], Resource="*"),
        _statement("Images", [f"ecr:{action}" for action in actions], Resource=registry.arn),
    )


def repository_policy(purposes: Iterable[AwsPurpose], principals: Iterable[str]) -> dict[str, Any]:
    """Return the policy of a repository that lets identities of other accounts in.

    Args:
        purposes: What they are for; repositories are made by no policy of a repository.
        principals: Their ARNs.
    """
    actions = sorted(
        {
            f"ecr:{action}"
            for purpose in purposes
            if purpose is not AwsPurpose.CREATE
            for action in ACTIONS[purpose]
        }
    )
    return _document(_statement("Mirror", actions, Principal={"AWS": sorted(principals)}))


def public_policy(*, push: bool) -> dict[str, Any]:
    """Return the policy for ECR Public, where everybody may pull."""
    actions = ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"]
    writes = [
        "BatchCheckLayerAvailability",
        "CompleteLayerUpload",
        "CreateRepository",
        "DescribeImageTags",
        "DescribeRegistries",
        "DescribeRepositories",
        "InitiateLayerUpload",
        "PutImage",
        "UploadLayerPart",
    ]
    more = [f"ecr-public:{action}" for action in writes] if push else []
    return _document(_statement("Public", sorted([*actions, *more]), Resource="*"))


def trust_policy(
    principal: str, *, external_id: str | None = None, tagged: bool = False
) -> dict[str, Any]:
    """Return the trust policy of a role that an identity may assume.

    Args:
        principal: The ARN of who may.
        external_id: What he must say, or None.
        tagged: Whether he may name tags of the session (``role_tags``).
    """
    actions = ["sts:AssumeRole", "sts:TagSession"] if tagged else ["sts:AssumeRole"]
    wanted = {"StringEquals": {"sts:ExternalId": external_id}}
    more = {"Condition": wanted} if external_id is not None else {}
    return _document(_statement("Assume", actions, Principal={"AWS": principal}, **more))


def web_identity_trust_policy(
    provider: str, subject: str, *, audience: str = "sts.amazonaws.com"
) -> dict[str, Any]:
    """Return the trust policy of a role for a service account (IRSA) or a job of a CI.

    Args:
        provider: The ARN of the identity provider in IAM.
        subject: Who may, such as ``system:serviceaccount:mirror:harborsync``.
        audience: For whom the token must be.
    """
    issuer = provider.partition(":oidc-provider/")[2]
    wanted = {f"{issuer}:aud": audience, f"{issuer}:sub": subject}
    return _document(
        _statement(
            "Assume",
            ["sts:AssumeRoleWithWebIdentity"],
            Principal={"Federated": provider},
            Condition={"StringEquals": wanted},
        )
    )


def pod_identity_trust_policy() -> dict[str, Any]:
    """Return the trust policy of a role for EKS Pod Identity."""
    return _document(
        _statement(
            "Assume",
            ["sts:AssumeRole", "sts:TagSession"],
            Principal={"Service": "pods.eks.amazonaws.com"},
        )
    )


def as_text(document: dict[str, Any]) -> str:
    """Return a policy as IAM takes it."""
    return json.dumps(document, indent=2)


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": _VERSION, "Statement": list(statements)}


def _statement(name: str, actions: list[str], **more: Any) -> dict[str, Any]:
    return {"Sid": name, "Effect": "Allow", "Action": actions, **more}
